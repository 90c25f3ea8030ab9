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
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(control.BaseURL, "/")+path, body)
	if err != nil {
		return err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, control.ErrNotRunning) {
			return control.ErrNotRunning
		}
		return exit(exitUnavailable, "the daemon does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var said struct {
			Error string `json:"error"`
		}
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil || said.Error == "" {
			return exit(exitUnavailable, "the daemon answered %s", resp.Status)
		}
		if resp.StatusCode == http.StatusUnprocessableEntity { // the daemon refuses its configuration
			return exit(exitConfig, "%s", said.Error)
		}
		return exit(exitNotSo, "%s", said.Error)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return exit(exitUnavailable, "the daemon's answer can't be read: %w", err)
	}
	return nil
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
func (emptyReader) Close() error { return nil }
