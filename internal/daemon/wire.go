package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
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
	opts := deliver.Options{Store: d.store, Spool: spool, Logger: o.Logger.Named("deliver"), Crash: o.Crash, Room: d.space}
	var err error
	if opts.Endpoints, opts.Folders, opts.Policy, err = d.deliverSetup(o.Config); err != nil {
		return nil, err
	}
	return deliver.New(opts)
}

// deliverSetup is what the configuration means for the Worker.
func (d *Daemon) deliverSetup(c *config.Config) (endpoints []deliver.Endpoint, folders []deliver.Folder, policy deliver.Policy, err error) {
	policy = deliver.Policy{
		First: c.Retry.First, Max: c.Retry.Max,
		FollowFirst: c.Follow.First, FollowMax: c.Follow.Max, OddAfter: oddAfter,
		KeepDone: c.Retention.Done.Duration(), KeepHistory: c.Retention.History.Duration(),
	}
	if d.options.Policy != nil {
		policy = *d.options.Policy
	}
	o := d.options
	o.Config = c
	at := map[string]int{}
	transports, creds := map[config.Portal]http.RoundTripper{}, credentials{}
	registries := registries{}
	for _, f := range c.Folders {
		e := deliver.Endpoint{
			Address: f.Portal.BaseURL(), Environment: f.Portal.EnvironmentName(),
			Concurrency: f.Portal.Concurrency, RequestsPerSecond: f.Portal.RequestsPerSecond,
		}
		if i, seen := at[e.Address]; seen {
			// the portal bears what the most careful of its folders says
			endpoints[i].Concurrency = min(endpoints[i].Concurrency, e.Concurrency)
			endpoints[i].RequestsPerSecond = min(endpoints[i].RequestsPerSecond, e.RequestsPerSecond)
		} else {
			at[e.Address] = len(endpoints)
			endpoints = append(endpoints, e)
		}
		folder, err := d.deliverFolder(o, f, transports, creds)
		if err != nil {
			return nil, nil, policy, err
		}
		if folder.Enricher, err = enricher(o, f, folder.Portal, transports, creds, d.metrics); err != nil {
			return nil, nil, policy, err
		}
		if folder.Registry, err = registries.of(o, f.Portal, d.metrics); err != nil {
			return nil, nil, policy, err
		}
		folders = append(folders, folder)
	}
	return endpoints, folders, policy, nil
}

func (d *Daemon) deliverFolder(o Options, f config.Folder, transports map[config.Portal]http.RoundTripper, creds credentials) (deliver.Folder, error) {
	client, err := newClient(o, f, transports, creds, d.metrics)
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
		SecretVersion: creds[f.Token].version, Clock: client.ClockCheck,
		Forget: func(file string) { d.forget(f.Name, file) },
	}, nil
}

// enricher adds companion files to a folder's deliveries: with the folder's
// own token, or with the one that is configured for it.
func enricher(o Options, f config.Folder, own deliver.Portal, transports map[config.Portal]http.RoundTripper, creds credentials, metrics *status.Metrics) (deliver.Enricher, error) {
	if f.EnrichmentToken == "" {
		adds, _ := own.(deliver.Enricher) // nil where it can't
		return adds, nil
	}
	f.Token = f.EnrichmentToken
	client, err := newClient(o, f, transports, creds, metrics)
	if err != nil {
		return nil, err // not the nil client in the interface
	}
	return client, nil
}

// NewClient makes the portal client of a folder, for a command that asks the
// portal by itself.
func NewClient(o Options, f config.Folder) (*portal.Client, error) {
	return newClient(o, f, map[config.Portal]http.RoundTripper{}, credentials{}, nil)
}

// newClient makes one. transports remembers what folders with the same portal
// settings share, creds what those with the same token do; metrics may be nil.
func newClient(o Options, f config.Folder, transports map[config.Portal]http.RoundTripper, creds credentials, metrics *status.Metrics) (*portal.Client, error) {
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
		BaseURL: f.Portal.BaseURL(), Username: token.Username, Secret: creds.of(token.Name, tokenSecret(TokenSource(o.Config, token))).get, Version: o.Version,
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
// is taken up without a restart.
func tokenSecret(source secret.Source) func() (secret.String, error) {
	var mu sync.Mutex
	var last secret.String
	var read time.Time
	return func() (secret.String, error) {
		mu.Lock()
		defer mu.Unlock()
		if !last.Empty() && time.Since(read) < secretAge {
			return last, nil
		}
		s, _, err := source.Read()
		if err == nil {
			last, read = s, time.Now()
		}
		return s, err
	}
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
	mux.HandleFunc("GET /api/v1/backup", d.serveBackup)
	mux.HandleFunc("POST /api/v1/folders/{name}/marker", func(w http.ResponseWriter, r *http.Request) {
		f := d.watcher(r.PathValue("name"))
		if f == nil {
			status.Fail(w, http.StatusNotFound, fmt.Errorf("the running daemon has no folder %q", r.PathValue("name")))
			return
		}
		// the text that the running watcher expects
		if err := initMarker(d.store, f.config, f.marker); err != nil {
			status.Fail(w, http.StatusConflict, err)
			return
		}
		d.ScanNow()
	})
	mux.HandleFunc("POST /api/v1/reload", d.serveReload)
	mux.HandleFunc("GET /api/v1/tokens", d.tokenPlaces)
	return mux
}

// folderChanged tells the Worker of a folder that came back.
func (d *Daemon) folderChanged(name string) func(old, now watch.State) {
	return func(old, now watch.State) {
		if now.Online && !old.Online && !now.Gap.Until.IsZero() {
			d.worker.FolderBack(name, now.Gap.From, now.Gap.Until)
		}
	}
}

func (d *Daemon) accept(ctx context.Context, a watch.Arrival) watch.Decision {
	arrival := deliver.Arrival{
		Folder: a.Folder, File: a.Rel, Size: a.Size, ModTime: a.ModTime, Seen: time.Now().Add(-a.Unchanged), Unchanged: a.Unchanged, Open: a.Open, Check: a.Check,
	}
	for _, c := range a.Companions {
		arrival.Companions = append(arrival.Companions, companionOf(c))
	}
	return d.decided(d.worker.Accept(ctx, arrival))
}

func (d *Daemon) acceptCompanion(_ context.Context, document string, a watch.Arrival) watch.Decision {
	return d.decided(d.worker.AcceptCompanion(a.Folder, document, companionOf(a)))
}

func companionOf(a watch.Arrival) deliver.Companion {
	return deliver.Companion{File: a.Rel, Size: a.Size, ModTime: a.ModTime, Open: a.Open, Check: a.Check}
}

func (d *Daemon) decided(decision deliver.Decision) watch.Decision {
	outcome := map[deliver.Answer]watch.Outcome{deliver.Taken: watch.Taken, deliver.NotYet: watch.NotYet, deliver.Later: watch.Retry}[decision.Answer]
	return watch.Decision{Outcome: outcome, Reason: decision.Reason, AskAgainAfter: decision.After, Words: watch.Words(d.wordsOf(decision))}
}

// wordsOf are those of why a file is not taken. Where an error says it, it is
// known here whose error that is.
func (d *Daemon) wordsOf(decision deliver.Decision) queue.Words {
	err := decision.Err
	var number syscall.Errno
	switch {
	case decision.Words != nil || err == nil:
		return decision.Words
	case errors.Is(err, errDiskFull):
		return queue.Say(deliver.SayNoRoom, d.space.dir)
	case errors.Is(err, watch.ErrBusy), errors.Is(err, watch.ErrChanged), errors.Is(err, watch.ErrNotRegular), errors.As(err, &number):
		return queue.Words(watch.WordsOf(err))
	}
	return queue.Say(deliver.SayNotKept, err.Error())
}

// forget tells a folder's watcher that a file has left.
func (d *Daemon) forget(name, file string) {
	if w := d.watcher(name); w != nil {
		w.folder.Forget(file)
	}
}
