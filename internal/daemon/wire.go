package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/config"
	"brodaemon/internal/deliver"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
	"brodaemon/internal/status"
	"brodaemon/internal/watch"
)

// This file translates between rooms that do not know each other.

func (d *Daemon) newWorker(o Options, spool *queue.Spool) (*deliver.Worker, error) {
	c := o.Config
	opts := deliver.Options{
		Store: d.store, Spool: spool, Logger: o.Logger.Named("deliver"), Crash: o.Crash,
		Policy: deliver.Policy{
			First: c.Retry.First, Max: c.Retry.Max,
			FollowFirst: c.Follow.First, FollowMax: c.Follow.Max, OddAfter: oddAfter,
		},
	}
	if o.Policy != nil {
		opts.Policy = *o.Policy
	}
	seen := map[string]bool{}
	transports := map[config.Portal]http.RoundTripper{}
	for _, f := range c.Folders {
		if !seen[f.Portal.BaseURL()] {
			seen[f.Portal.BaseURL()] = true
			opts.Endpoints = append(opts.Endpoints, deliver.Endpoint{
				Address: f.Portal.BaseURL(), Environment: f.Portal.EnvironmentName(),
				Concurrency: f.Portal.Concurrency, RequestsPerSecond: f.Portal.RequestsPerSecond,
			})
		}
		folder, err := d.deliverFolder(o, f, transports)
		if err != nil {
			return nil, err
		}
		opts.Folders = append(opts.Folders, folder)
	}
	return deliver.New(opts)
}

func (d *Daemon) deliverFolder(o Options, f config.Folder, transports map[config.Portal]http.RoundTripper) (deliver.Folder, error) {
	client, err := newClient(o, f, transports, d.metrics)
	if err != nil {
		return deliver.Folder{}, err
	}
	project, err := portal.ParseProjectID(f.Project)
	if err != nil {
		return deliver.Folder{}, &StartError{Config: true, Err: fmt.Errorf("folder %s: %w", f.Name, err)}
	}
	files, err := archive.New(archive.Options{
		Name: f.Name, Path: f.Path, DoneDir: f.DoneDir, FailedDir: f.FailedDir, Language: o.Config.Language,
		Marker: watch.MarkerName, Crash: o.Crash,
	})
	if err != nil {
		return deliver.Folder{}, &StartError{Config: true, Err: err}
	}
	return deliver.Folder{
		Name: f.Name, Root: f.Path, Project: project, Token: f.Token, Endpoint: f.Portal.BaseURL(),
		Portal: client, Archive: files, Ordered: f.Order == "object", IncompleteTimeout: f.IncompleteTimeout,
		Tolerated: f.IgnoreValidationErrors, Label: f.Portal.Label,
		Forget: func(file string) { d.forget(f.Name, file) },
	}, nil
}

// NewClient makes the portal client of a folder, for a command that asks the
// portal by itself.
func NewClient(o Options, f config.Folder) (*portal.Client, error) {
	return newClient(o, f, map[config.Portal]http.RoundTripper{}, nil)
}

// newClient makes one. transports remembers what folders with the same portal
// settings share; metrics may be nil.
func newClient(o Options, f config.Folder, transports map[config.Portal]http.RoundTripper, metrics *status.Metrics) (*portal.Client, error) {
	token, ok := o.Config.Token(f.Token)
	if !ok {
		return nil, &StartError{Config: true, Err: fmt.Errorf("folder %s: there is no token %q", f.Name, f.Token)}
	}
	transport := transports[f.Portal]
	if transport == nil {
		var err error
		if o.Transport != nil {
			transport, err = o.Transport(f.Portal)
		} else {
			transport, err = portal.NewTransport(f.Portal.CAFile, f.Portal.Concurrency)
		}
		if err != nil {
			return nil, &StartError{Config: true, Err: fmt.Errorf("folder %s: %w", f.Name, err)}
		}
		transports[f.Portal] = transport
	}
	var observe func(op portal.Op, code string, d time.Duration)
	if metrics != nil {
		observe = func(op portal.Op, code string, d time.Duration) { metrics.ObserveRequest(string(op), code, d) }
	}
	client, err := portal.New(portal.Options{
		BaseURL: f.Portal.BaseURL(), Username: token.Username, Secret: tokenSecret(token), Version: o.Version,
		Timeout: f.Portal.Timeout, ValidationTimeout: f.Portal.ValidationTimeout, Transport: transport, Observe: observe,
	})
	if err != nil {
		return nil, &StartError{Config: true, Err: fmt.Errorf("folder %s: %w", f.Name, err)}
	}
	return client, nil
}

// secretAge is how long a token's secret is used before it is read again:
// often enough that a changed one works at once, seldom enough that it costs nothing.
const secretAge = time.Second

// tokenSecret finds a token's secret when it is needed, so that a changed one
// is taken up without a restart: in the password file if one is configured,
// else in the systemd credential.
func tokenSecret(t config.Token) func() (secret.String, error) {
	var mu sync.Mutex
	var last secret.String
	var read time.Time
	find := readSecret(t)
	return func() (secret.String, error) {
		mu.Lock()
		defer mu.Unlock()
		if !last.Empty() && time.Since(read) < secretAge {
			return last, nil
		}
		s, err := find()
		if err == nil {
			last, read = s, time.Now()
		}
		return s, err
	}
}

func readSecret(t config.Token) func() (secret.String, error) {
	return func() (secret.String, error) {
		if t.PasswordFile != "" {
			return secret.ReadFile(t.PasswordFile)
		}
		s, found, err := secret.Credential(t.Name)
		if err != nil {
			return secret.String{}, err
		}
		if !found {
			return secret.String{}, fmt.Errorf("token %s has no secret: write it to a file that only this account can read and name that file in tokens[].password_file", t.Name)
		}
		return s, nil
	}
}

func (d *Daemon) newFolders() error {
	for _, f := range d.config.Folders {
		marker, err := d.marker(f)
		if err != nil {
			return startError(err)
		}
		folder, err := watch.New(watch.Options{
			Name: f.Name, Path: f.Path, Exclude: []string{f.DoneDir, f.FailedDir}, Include: f.Include,
			Recursive: f.Recursive, Poll: f.Watch == "poll", ScanInterval: f.ScanInterval, Settle: f.Settle,
			Marker: marker, Accept: d.accept, Logger: d.log,
		})
		if err != nil {
			return &StartError{Config: true, Err: err}
		}
		d.folders = append(d.folders, folder)
	}
	return nil
}

// marker is what a folder's marker file must hold. Its text is made at first
// use and remembered in the queue before the marker is relied upon, so that a
// folder that was used once is never taken for a new one.
func (d *Daemon) marker(f config.Folder) (watch.Marker, error) {
	memory, known, err := remembered(d.store, f)
	if err != nil {
		return watch.Marker{}, err
	}
	d.markers[f.Name] = memory
	return watch.Marker{
		ID: memory.Marker, Known: known,
		Written: func() error { return d.store.RememberFolder(f.Name, memory) },
	}, nil
}

// remembered is what the queue knows of a folder; at first use, and after the
// configuration moved the folder, a new marker text that is not stored yet.
func remembered(store *queue.Store, f config.Folder) (m queue.FolderMemory, known bool, err error) {
	m, known, err = store.Folder(f.Name)
	if err != nil || known && m.Path == f.Path {
		return m, known, err
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return queue.FolderMemory{Path: f.Path, Marker: hex.EncodeToString(b[:])}, false, nil
}

// InitMarker writes a folder's marker anew while no daemon runs, with the text
// that the queue remembers, or a new one at first use. It may be repeated.
func InitMarker(store *queue.Store, f config.Folder) error {
	memory, _, err := remembered(store, f)
	if err != nil {
		return err
	}
	return initMarker(store, f, memory)
}

func initMarker(store *queue.Store, f config.Folder, memory queue.FolderMemory) error {
	if err := watch.InitMarker(f.Path, f.Name, memory.Marker); err != nil {
		return err
	}
	return store.RememberFolder(f.Name, memory)
}

// controlHandler is what the control socket serves: the API, and what only the
// own account may do.
func (d *Daemon) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", status.API(d, d.worker))
	mux.HandleFunc("POST /api/v1/folders/{name}/marker", func(w http.ResponseWriter, r *http.Request) {
		f, ok := d.config.Folder(r.PathValue("name"))
		if !ok {
			status.Fail(w, http.StatusNotFound, fmt.Errorf("the running daemon has no folder %q", r.PathValue("name")))
			return
		}
		// the text that the running watcher expects
		if err := initMarker(d.store, f, d.markers[f.Name]); err != nil {
			status.Fail(w, http.StatusConflict, err)
			return
		}
		d.ScanNow()
	})
	return mux
}

func (d *Daemon) accept(ctx context.Context, a watch.Arrival) watch.Decision {
	decision := d.worker.Accept(ctx, deliver.Arrival{
		Folder: a.Folder, File: a.Rel, Size: a.Size, ModTime: a.ModTime, Seen: time.Now().Add(-a.Unchanged), Unchanged: a.Unchanged, Open: a.Open, Check: a.Check,
	})
	outcome := map[deliver.Answer]watch.Outcome{deliver.Taken: watch.Taken, deliver.NotYet: watch.NotYet, deliver.Later: watch.Retry}[decision.Answer]
	return watch.Decision{Outcome: outcome, Reason: decision.Reason, AskAgainAfter: decision.After}
}

// forget tells a folder's watcher that a file has left.
func (d *Daemon) forget(name, file string) {
	for i, f := range d.config.Folders {
		if f.Name == name && i < len(d.folders) {
			d.folders[i].Forget(file)
		}
	}
}
