// Package daemon wires the rooms of brodaemon together and runs them: folders
// that are watched, the queue, the Worker that delivers, the control socket and
// the status page.
//
// [New] opens everything that must be there for a start (the data folder, the
// queue, the control socket, the address of the page) and fails with a plain
// message when something is not; a folder or a portal that is out of reach is
// no reason to fail, it is waited for. [Daemon.Run] works until its context
// ends, and [Daemon.Close] lets go of everything, in reverse order. All
// long-lived goroutines are started in Run.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"brodaemon/internal/account"
	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/deliver"
	"brodaemon/internal/event"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
)

// Options are what a Daemon is made of.
type Options struct {
	Config  *config.Config
	Version string
	Logger  *zap.Logger
	// Load reads the configuration anew for [Daemon.Reload]; nil = it can't be reloaded.
	Load func() (*config.Config, error)
	// Reloaded is told of a configuration that was taken over, for what lies outside the daemon (the log). nil = nobody.
	Reloaded func(*config.Config)
	// Transport replaces the network for tests and measurements; nil = the network.
	Transport func(config.Portal) (http.RoundTripper, error)
	// Changed is told of every change of an item, after it is on disk. It must be quick.
	Changed func(before, after *queue.Item)
	// Event is told of what monitoring may want to know. nil = nothing.
	Event func(e event.Event, text string)
	// Supervisor is the service manager; nil = none.
	Supervisor Supervisor
	// Crash is called at every named crash point, for tests. nil = nothing.
	Crash func(point string)
	// Policy replaces the retry and follow times of the configuration, for measurements.
	Policy *deliver.Policy
}

// Daemon is one running brodaemon.
type Daemon struct {
	options Options // but for the configuration, which is in now
	version string
	log     *zap.Logger
	started time.Time

	metrics *status.Metrics
	store   *queue.Store
	space   *space
	worker  *deliver.Worker
	control net.Listener
	strays  []string // spool files that belong to nothing

	now       atomic.Pointer[arrangement] // what a reload replaces
	reloading sync.Mutex                  // one reload at a time; guards running
	running   *errgroup.Group             // nil before Run and after its end
	runs      context.Context             // ends when the daemon stops

	tell       func(e event.Event, text string)
	supervisor Supervisor

	backing    sync.Mutex // held while a backup is made
	mu         sync.Mutex
	cleanups   []cleanup
	committing chan struct{} // closed when the trial commit under way is done; nil: none is
}

// arrangement is a configuration and what was made of it. It is never changed, only replaced.
type arrangement struct {
	config   *config.Config
	watchers []*watcher // in the order of config.Folders
	page     *page      // nil = none
	teller   *teller
}

type cleanup struct {
	name string
	run  func() error
}

// StartError is a fault that keeps the daemon from starting, with the exit
// code class it belongs to.
type StartError struct {
	// Config says that the configuration must be changed; otherwise it is the
	// machine (a file, a lock, an address) that must be put right.
	Config bool
	Err    error
}

func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

func startError(err error) error { return &StartError{Err: err} }

// New opens everything a start needs. It is one straight function; each step
// registers its clean-up at once, so that a failing step undoes those before it.
func New(o Options) (d *Daemon, err error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	d = &Daemon{options: o, version: o.Version, log: o.Logger, started: time.Now(), space: newSpace(o.Config.DataDir), metrics: status.NewMetrics()}
	d.supervisor, d.tell = o.Supervisor, o.Event
	if d.tell == nil {
		d.tell = func(event.Event, string) {}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()

	if err := PrepareDataDir(o.Config.DataDir); err != nil {
		return d, startError(err)
	}
	fixed, err := closeDataDir(o.Config.DataDir)
	if err != nil {
		return d, startError(err)
	}
	if fixed != "" {
		o.Logger.Warn(fixed, zap.String("data_dir", o.Config.DataDir))
	}
	d.store, err = openStore(o, d.metrics)
	if err != nil {
		return d, startError(err)
	}
	d.onClose("queue", d.store.Close)
	if err := holdCopied(d.store, o.Logger); err != nil {
		return d, startError(err)
	}

	spool, err := queue.OpenSpool(o.Config.DataDir)
	if err != nil {
		return d, startError(err)
	}
	if d.strays, err = spool.Recover(d.store); err != nil {
		return d, startError(err)
	}
	for _, name := range d.strays {
		o.Logger.Error("the spool holds a file that no document in the queue belongs to and that does not say whose it is; it is left there", zap.String("file", name))
	}

	if d.worker, err = d.newWorker(o, spool); err != nil {
		return d, err
	}
	first := &arrangement{config: o.Config}
	if first.watchers, err = d.newWatchers(o.Config, nil); err != nil {
		return d, err
	}

	if d.control, err = control.Listen(o.Config.DataDir); err != nil {
		return d, startError(err)
	}
	d.onClose("control socket", closeListener(d.control))

	d.onClose("status page", d.closePage)
	if first.page, err = d.newPage(o.Config, nil); err != nil {
		return d, err
	}
	first.teller = d.newTeller(o.Config)
	d.now.Store(first)
	return d, nil
}

// PrepareDataDir makes the data folder, closed to other accounts. It may be
// repeated. When it returns, a power cut leaves the folder where it is: without
// its name the queue in it would be gone, and with it what was delivered.
func PrepareDataDir(dir string) error {
	above := missingAbove(dir)
	if err := account.MakeDataDir(dir); err != nil {
		return fmt.Errorf("make the data folder: %w; make it by hand for the account brodaemon runs under, or set data_dir to another one", err)
	}
	if runtime.GOOS == "windows" {
		return nil // it refuses to sync a folder, and NTFS keeps names in its journal
	}
	for _, parent := range above {
		if err := syncFolder(parent); err != nil {
			return fmt.Errorf("make the data folder durable: %w", err)
		}
	}
	// a start that was stopped between the two may have made it; the account need not be able to read there
	if err := syncFolder(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("make the data folder durable: %w", err)
	}
	return nil
}

// missingAbove lists the folders in which a name will be made for dir to exist.
func missingAbove(dir string) (parents []string) {
	for dir != filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dir = filepath.Dir(dir)
		parents = append(parents, dir)
	}
	return parents
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func openStore(o Options, metrics *status.Metrics) (*queue.Store, error) {
	logged := deliver.LogChange(o.Logger.Named("document"))
	store, told, err := queue.OpenOrRebuild(o.Config.DataDir, queue.Options{
		Timeout: 2 * time.Second,
		Changed: func(before, after *queue.Item) {
			logged(before, after)
			metrics.ItemChanged(before, after)
			if o.Changed != nil {
				o.Changed(before, after)
			}
		},
	})
	if errors.Is(err, queue.ErrLocked) {
		return nil, fmt.Errorf("%w: another brodaemon runs with data folder %s, or another program (a backup, a virus scanner) holds the file; end that one, then start again", err, o.Config.DataDir)
	}
	if err == nil && told != nil {
		c := rebuiltCondition(o.Config.DataDir, told)
		o.Logger.Error(c.Text, zap.String("what_to_do", c.Hint), zap.String("cause", told.Cause), zap.String("fault", told.Detail), zap.String("old_file", told.Aside),
			zap.Int("documents", told.Documents), zap.Int("restored", told.Restored), zap.Int("changed", told.Changed), zap.Int("held", told.Held), zap.Bool("ledger_lost", told.LedgerLost))
	}
	if noRoom(err) {
		return nil, fmt.Errorf("%w; make room on the disk with data folder %s, then start again", err, o.Config.DataDir)
	}
	return store, err
}

// closeListener tolerates that the server on it closed it first.
func closeListener(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func (d *Daemon) onClose(name string, run func() error) {
	d.cleanups = append(d.cleanups, cleanup{name, run})
}

// PageAddress is where the status page is served, "" if nowhere.
func (d *Daemon) PageAddress() string {
	if page := d.now.Load().page; page != nil {
		return page.listener.Addr().String()
	}
	return ""
}

// config is the configuration in force.
func (d *Daemon) config() *config.Config { return d.now.Load().config }

// Run works until ctx ends and returns nil then. It returns an error only when
// a part ended by itself, which should never happen.
func (d *Daemon) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	d.reloading.Lock()
	now := d.now.Load()
	d.log.Info("started", zap.String("version", d.version), zap.String("data_dir", now.config.DataDir),
		zap.Int("folders", len(now.watchers)), zap.String("page", d.PageAddress()))
	d.work(ctx, g)
	g.Go(func() error { return control.Serve(ctx, d.control, d.controlHandler()) })
	d.startPage(now.page)
	d.startTeller(now.teller)
	g.Go(func() error { return d.watchConditions(ctx) })
	if d.supervisor != nil {
		g.Go(func() error { return d.supervise(ctx) })
	}
	d.reloading.Unlock()

	d.tell(event.Started, fmt.Sprintf("version %s; data folder %s; status page %s", d.version, now.config.DataDir, d.PageAddress()))
	<-ctx.Done()
	d.reloading.Lock() // a reload in hand ends first, and none begins any more
	d.running = nil
	d.reloading.Unlock()
	err := g.Wait()
	if err != nil {
		d.log.Error("stopped by itself", zap.Error(err))
		d.tell(event.Failed, err.Error())
		return err
	}
	d.log.Info("stopped")
	d.tell(event.Stopped, "asked to stop; what was under way goes on at the next start")
	return nil
}

// work starts what delivers and watches: all that runs without a socket, and so
// under a clock that is not the machine's. Its caller holds reloading.
func (d *Daemon) work(ctx context.Context, g *errgroup.Group) {
	d.running, d.runs = g, ctx
	g.Go(func() error { return d.worker.Run(ctx) })
	for _, w := range d.now.Load().watchers {
		d.startWatcher(w)
	}
}

// Close lets go of everything, the last opened first. It may be called twice.
func (d *Daemon) Close() error {
	d.mu.Lock()
	cleanups := d.cleanups
	d.cleanups = nil
	d.mu.Unlock()
	var errs []error
	for i := len(cleanups) - 1; i >= 0; i-- {
		if err := cleanups[i].run(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", cleanups[i].name, err))
		}
	}
	return errors.Join(errs...)
}

// Busy reports whether anything is still to be done for any document, or any
// file in a folder is still to be looked at. The demo ends on it.
func (d *Daemon) Busy() (bool, error) {
	open, err := d.store.List(queue.Filter{Open: true, Limit: 1})
	if err != nil || len(open) > 0 {
		return true, err
	}
	for _, w := range d.now.Load().watchers {
		s := w.folder.State()
		if !s.Online || s.Files > 0 || s.SettlingCount > 0 || s.WaitingCount > 0 {
			return true, nil
		}
	}
	return false, nil
}

// ScanNow makes every folder be looked at at once.
func (d *Daemon) ScanNow() {
	for _, w := range d.now.Load().watchers {
		w.folder.ScanSoon()
	}
}

// Item and Items read the queue.
func (d *Daemon) Item(id queue.ID) (queue.Item, error) { return d.store.Get(id) }

// Items returns the items that f chooses.
func (d *Daemon) Items(f queue.Filter) ([]queue.Item, error) { return d.store.List(f) }

// Worker is what people act on documents with.
func (d *Daemon) Worker() *deliver.Worker { return d.worker }
