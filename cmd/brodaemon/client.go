package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
)

// client asks the running daemon over its control socket.
type client struct{ http *http.Client }

func newClient(c *config.Config) *client { return &client{control.Client(c.DataDir)} }

// call does one request; answer may be nil.
func (c *client) call(ctx context.Context, method, path string, form url.Values, answer any) error {
	resp, err := c.send(ctx, method, path, form)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return exit(exitUnavailable, "the daemon's answer can't be read: %w", err)
	}
	return nil
}

// stream asks for a JSON list and hands over its elements as they come.
func (c *client) stream(ctx context.Context, path string, read func(list *json.Decoder) error) error {
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	list := json.NewDecoder(resp.Body)
	if _, err := list.Token(); err != nil {
		return exit(exitUnavailable, "the daemon's answer can't be read: %w", err)
	}
	return read(list)
}

// send does one request and makes an error of every answer but 200.
func (c *client) send(ctx context.Context, method, path string, form url.Values) (*http.Response, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(control.BaseURL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, control.ErrNotRunning) {
			return nil, control.ErrNotRunning
		}
		return nil, exit(exitUnavailable, "the daemon does not answer: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var said struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil || said.Error == "" {
		return nil, exit(exitUnavailable, "the daemon answered %s", resp.Status)
	}
	if resp.StatusCode == http.StatusUnprocessableEntity { // the daemon refuses its configuration
		return nil, exit(exitConfig, "%s", said.Error)
	}
	return nil, exit(exitNotSo, "%s", said.Error)
}

// notRunning is what commands say that need the daemon.
func notRunning(err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return exit(exitUnavailable, "this needs the running daemon, and none runs with this configuration's data folder: start it (`brodaemon run`, or the service)")
	}
	return err
}

// reader is where `status` and `queue` read: the daemon, or the queue file
// while none runs.
type reader interface {
	Status(ctx context.Context) (status.Snapshot, error)
	Rows(ctx context.Context, f queue.Filter) ([]status.Row, error)
	Detail(ctx context.Context, id queue.ID) (status.Detail, error)
	// Records calls do with each document that f.Folder and f.Since choose, until it fails.
	Records(ctx context.Context, f queue.Filter, do func(status.Record) error) error
	Close() error
}

// openReader chooses between the two.
func openReader(ctx context.Context, c *config.Config) (reader, error) {
	remote := newClient(c)
	err := remote.call(ctx, http.MethodGet, "/api/v1/items?limit=1", nil, nil)
	if err == nil {
		return remote, nil
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return nil, err
	}
	store, err := queue.Open(c.DataDir, queue.Options{ReadOnly: true})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return emptyReader{c}, nil
	case errors.Is(err, queue.ErrLocked):
		return nil, exit(exitUnavailable, "a daemon has the queue open but does not answer on its control socket: it may be starting or stopping; try again, else restart it")
	case err != nil:
		return nil, dataError(err)
	}
	return &fileReader{c, store}, nil
}

func (c *client) Status(ctx context.Context) (s status.Snapshot, err error) {
	err = c.call(ctx, http.MethodGet, "/api/v1/status", nil, &s)
	return s, err
}

func (c *client) Rows(ctx context.Context, f queue.Filter) (rows []status.Row, err error) {
	q := url.Values{"state": {string(f.State)}, "folder": {f.Folder}, "q": {f.Search}, "limit": {strconv.Itoa(f.Limit)}}
	if f.Open {
		q.Set("open", "1")
	}
	err = c.call(ctx, http.MethodGet, "/api/v1/items?"+q.Encode(), nil, &rows)
	return rows, err
}

func (c *client) Detail(ctx context.Context, id queue.ID) (d status.Detail, err error) {
	err = c.call(ctx, http.MethodGet, "/api/v1/items/"+id.String(), nil, &d)
	return d, err
}

func (c *client) Records(ctx context.Context, f queue.Filter, do func(status.Record) error) error {
	q := url.Values{"folder": {f.Folder}}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339))
	}
	return c.stream(ctx, "/api/v1/export?"+q.Encode(), func(list *json.Decoder) error {
		for list.More() {
			var r status.Record
			if err := list.Decode(&r); err != nil {
				return exit(exitUnavailable, "the daemon's answer broke off: %w", err)
			}
			if err := do(r); err != nil {
				return err
			}
		}
		if _, err := list.Token(); err != nil { // a list that broke off lacks its end
			return exit(exitUnavailable, "the daemon's answer broke off: %w", err)
		}
		return nil
	})
}

func (c *client) Close() error { return nil }

// fileReader reads the queue file.
type fileReader struct {
	config *config.Config
	store  *queue.Store
}

func (r *fileReader) Status(context.Context) (status.Snapshot, error) {
	return daemon.QueueSnapshot(r.config, r.store)
}

func (r *fileReader) Rows(_ context.Context, f queue.Filter) ([]status.Row, error) {
	rows := []status.Row{}
	err := r.store.Each(f, func(it queue.Item) bool {
		rows = append(rows, status.RowOf(&it))
		return true
	})
	return rows, err
}

func (r *fileReader) Detail(_ context.Context, id queue.ID) (status.Detail, error) {
	it, err := r.store.Get(id)
	if err != nil {
		return status.Detail{}, exit(exitNotSo, "%w", err)
	}
	return status.DetailOf(&it), nil
}

func (r *fileReader) Records(_ context.Context, f queue.Filter, do func(status.Record) error) error {
	var failed error
	err := r.store.Each(f, func(it queue.Item) bool {
		failed = do(status.RecordOf(&it))
		return failed == nil
	})
	return errors.Join(err, failed)
}

func (r *fileReader) Close() error { return r.store.Close() }

// emptyReader stands for a queue that was never made.
type emptyReader struct{ config *config.Config }

func (r emptyReader) Status(context.Context) (status.Snapshot, error) {
	return daemon.EmptySnapshot(r.config), nil
}
func (emptyReader) Rows(context.Context, queue.Filter) ([]status.Row, error) {
	return []status.Row{}, nil
}
func (emptyReader) Detail(_ context.Context, id queue.ID) (status.Detail, error) {
	return status.Detail{}, exit(exitNotSo, "document %s: %w", id, queue.ErrNotFound)
}
func (emptyReader) Records(context.Context, queue.Filter, func(status.Record) error) error {
	return nil
}
func (emptyReader) Close() error { return nil }
