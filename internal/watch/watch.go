package watch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Options describe one folder. Name, Path, Include, ScanInterval, Marker.ID and Accept are required.
type Options struct {
	// Name is the folder's configured name; it appears in arrivals, logs and advice.
	Name string
	// Path is the folder's absolute path. It may itself be a link; nothing below it is followed.
	Path string
	// Exclude names absolute directories that are never entered nor mentioned: done and failed.
	Exclude []string
	// Include holds path.Match patterns for base names; upper and lower case are alike.
	Include []string
	// Recursive also looks into sub-folders.
	Recursive bool
	// Poll means that no events are wanted.
	Poll bool
	// ScanInterval is the time between scans when nothing hurries them; it is varied by a tenth so that folders do not march in step.
	ScanInterval time.Duration
	// Settle is how long a file must stay the same before it is offered. At least two looks are needed whatever its value.
	Settle time.Duration
	// IOTimeout is how long one call to the share may take before the folder is called offline; 0 means 30 s. A call of Accept, which
	// reads a whole file, may take four times as long.
	IOTimeout time.Duration
	// Marker says what the marker file must hold.
	Marker Marker
	// Accept receives each settled file. It is called from one goroutine, one file after another, within one scan in the order of ModTime
	// and then Rel, and never under a lock. No scan takes place while it runs, so it should copy the file and return. ctx is the one of
	// Run. After Run has returned it is called no more, but a call that was caught in a dead share at that moment may still be running.
	Accept func(ctx context.Context, a Arrival) Decision
	// AcceptCompanion receives each settled companion file of a document that Accept has taken, also if it went along with that (Taken then
	// changes nothing), from the same goroutine as Accept. NotYet is final for the file as it is, Retry asks again at the next scan. May be
	// nil: companions then travel only with the arrival.
	AcceptCompanion func(ctx context.Context, document string, a Arrival) Decision
	// OnState is told when the folder goes online or offline, and when the reason for being offline changes. It is called from Run's
	// goroutine, never under a lock, and should return soon. May be nil.
	OnState func(old, new State)
	// NewSource makes the source of events; nil means fsnotify.
	NewSource func() (Source, error)
	// Logger may be nil.
	Logger *zap.Logger
}

// Outcome is what the handler decided about an arrival.
type Outcome int

const (
	// Retry is for temporary trouble (busy, disk full): the file is offered again at the next scan. It is the zero value, so that an
	// empty Decision loses nothing.
	Retry Outcome = iota
	// NotYet is for a file that is not ready: it is offered again when it changes, or once it has been unchanged for AskAgainAfter.
	NotYet
	// Taken ends it: this path is not offered again while size, time and file stay the same, until it is gone or forgotten.
	Taken
)

// Decision is the handler's answer to an arrival.
type Decision struct {
	Outcome Outcome
	// Reason says in plain words why the file waits (NotYet, Retry). It is shown in State.
	Reason string
	// Words are those of the Reason, passed on with it. nil: there is only the Reason.
	Words Words
	// AskAgainAfter (NotYet only) is compared with Arrival.Unchanged: the file is offered again as soon as it has been unchanged for that
	// long. Zero means only when it changes. A time that has already passed means the next scan.
	AskAgainAfter time.Duration
}

// Times that need no setting.
const (
	defaultIOTimeout = 30 * time.Second
	acceptFactor     = 4 // Accept reads a whole file, one call to the share does not

	eventQuiet    = 100 * time.Millisecond // events come in bursts: scan when they have paused
	eventMaxDelay = time.Second            // but do not let a constant stream of them starve the scan

	offlineInterval = 30 * time.Second       // a folder that is offline is tried at least this often
	maxRest         = 10 * time.Second       // pause after a scan: as long as the scan took, at most this
	minRest         = 5 * time.Millisecond   // and at least this
	minAcceptTime   = time.Second            // arrivals are handed over for one scan interval, at least this, before the next scan
	farewell        = 500 * time.Millisecond // how long Run waits for its worker once its context has ended
)

// Folder watches one folder. Its methods are safe from any goroutine.
type Folder struct {
	opt     Options
	include []string // lower case
	log     *zap.Logger
	pulse   pulse
	life    life

	hint chan struct{} // something happened under the folder: scan when it has calmed down
	soon chan struct{} // scan at once

	// fault, set by tests only, is called before each call to the share and can make it fail or block.
	fault func(step, rel string) error

	mu        sync.Mutex
	running   bool
	state     State
	wentFor   Cause // why it went offline last
	forgotten map[string]struct{}
}

// New checks the options and makes a Folder. It does not touch the folder. All faults are reported at once.
func New(opt Options) (*Folder, error) {
	if opt.IOTimeout == 0 {
		opt.IOTimeout = defaultIOTimeout
	}
	if opt.NewSource == nil {
		opt.NewSource = newFsnotify
	}
	if opt.Logger == nil {
		opt.Logger = zap.NewNop()
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	opt.Path = filepath.Clean(opt.Path)
	f := &Folder{
		opt:       opt,
		include:   lowered(opt.Include),
		log:       opt.Logger.Named("watch").With(zap.String("folder", opt.Name)),
		hint:      make(chan struct{}, 1),
		soon:      make(chan struct{}, 1),
		forgotten: make(map[string]struct{}),
		state: State{
			Cause:   CauseStarting,
			Reason:  "not looked at yet",
			Since:   time.Now(),
			Polling: "not looked at yet",
		},
	}
	return f, nil
}

// check finds what is wrong with the options.
func (o *Options) check() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("watch folder %q: "+format, append([]any{o.Name}, args...)...))
	}
	if o.Name == "" {
		bad("name is empty")
	}
	if !filepath.IsAbs(o.Path) {
		bad("path %q is not absolute", o.Path)
	}
	for _, dir := range o.Exclude {
		switch {
		case !filepath.IsAbs(dir):
			bad("excluded directory %q is not absolute", dir)
		case within(o.Path, dir):
			bad("excluded directory %q holds the folder itself", dir)
		}
	}
	if len(o.Include) == 0 {
		bad("include has no pattern, so nothing would ever be taken")
	}
	for _, pattern := range o.Include {
		if _, err := path.Match(pattern, "x"); err != nil {
			bad("include pattern %q: %w", pattern, err)
		}
	}
	if o.ScanInterval <= 0 {
		bad("scan interval %s is not above zero", o.ScanInterval)
	}
	if o.Settle < 0 {
		bad("settle time %s is negative", o.Settle)
	}
	if o.IOTimeout < 0 {
		bad("io timeout %s is negative", o.IOTimeout)
	}
	if o.Marker.ID == "" {
		bad("marker id is empty")
	}
	if o.Accept == nil {
		bad("accept is missing")
	}
	return errors.Join(faults...)
}

// within says whether p is dir or lies in it, upper and lower case alike.
func within(p, dir string) bool {
	p, dir = strings.ToLower(filepath.Clean(p)), strings.ToLower(filepath.Clean(dir))
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

// Run watches the folder until ctx ends, and then returns nil, within a second even when a call to the share never returns. Trouble with the
// share never ends it. A Folder runs once; a second Run is an error, because the first one may have left a worker behind in a dead share.
func (f *Folder) Run(ctx context.Context) error {
	if err := f.claim(); err != nil {
		return err
	}
	w := newWorker(f)
	go w.run(ctx)
	watchdog := time.NewTicker(max(f.opt.IOTimeout/4, time.Millisecond))
	defer watchdog.Stop()
	for {
		f.life.turn()
		select {
		case <-ctx.Done():
			f.life.end()
			f.part(w)
			return nil
		case s := <-w.reports:
			f.publish(s)
		case now := <-watchdog.C:
			if what, since, late := f.pulse.late(now); late {
				f.publish(f.State().noAnswer(what, since))
			}
		}
	}
}

// claim makes sure that the folder is run once only.
func (f *Folder) claim() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running {
		return fmt.Errorf("watch folder %q: it runs or has run already; make a new one", f.opt.Name)
	}
	f.running = true
	return nil
}

// part waits a moment for the worker. One that is caught in a call to a dead share is left behind: nothing can interrupt such a call. It ends
// by itself when the call returns.
func (f *Folder) part(w *worker) {
	select {
	case <-w.done:
	case <-time.After(farewell):
		f.log.Warn("stopped without waiting for the folder, which does not answer", zap.String("path", f.opt.Path))
	}
}

// publish makes s the state and tells of a change between online and offline.
func (f *Folder) publish(s State) {
	f.mu.Lock()
	old := f.state
	s.Since, s.Gap = old.Since, old.Gap
	if s.Online != old.Online {
		s.Since = time.Now()
	}
	switch {
	case old.Online && !s.Online:
		f.wentFor = s.Cause
	case !old.Online && s.Online && f.wentFor != "":
		s.Gap = Gap{From: old.Since, Until: s.Since, Cause: f.wentFor}
	case !old.Online && f.wentFor == "" && s.Cause != CauseStarting:
		f.wentFor = s.Cause // offline since the start
	}
	f.state = s
	f.mu.Unlock()

	if s.Events != old.Events || s.Polling != old.Polling {
		f.log.Info("events", zap.Bool("events", s.Events), zap.String("polling_because", s.Polling))
	}
	if s.Online == old.Online && s.Reason == old.Reason {
		return
	}
	if s.Online {
		f.log.Info("folder online", zap.String("path", f.opt.Path), zap.Int("files", s.Files), zap.Duration("after", s.Since.Sub(old.Since)))
	} else {
		f.log.Warn("folder offline", zap.String("path", f.opt.Path), zap.String("cause", string(s.Cause)), zap.String("reason", s.Reason))
	}
	if f.opt.OnState != nil {
		f.opt.OnState(old.clone(), s.clone())
	}
}

// State says how the folder fares. What it returns belongs to the caller.
func (f *Folder) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.clone()
}

// ScanSoon asks for a scan now. It never blocks; several calls before the scan count as one.
func (f *Folder) ScanSoon() { poke(f.soon) }

// Forget says that the file rel (as in Arrival.Rel) was moved away: a file that has that name from now on is a new one, even if size, time
// and file are the same. Call it right after the move. Forgetting a file that is still there offers it once more.
func (f *Folder) Forget(rel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten[filepath.ToSlash(rel)] = struct{}{}
}

// takeForgotten hands over what was forgotten since the last call.
func (f *Folder) takeForgotten() map[string]struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := f.forgotten
	f.forgotten = make(map[string]struct{})
	return names
}

// poke puts a token in a 1-buffered channel; one that is already there says the same.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pulse is the worker's heartbeat: what it is doing with the share, since when, and how long that may take.
type pulse struct {
	mu    sync.Mutex
	step  string // "" while no share call is under way
	rel   string
	since time.Time
	limit time.Duration
}

func (p *pulse) begin(step, rel string, limit time.Duration) {
	now := time.Now()
	p.mu.Lock()
	p.step, p.rel, p.since, p.limit = step, rel, now, limit
	p.mu.Unlock()
}

func (p *pulse) rest() { p.begin("", "", 0) }

// late says what has been going on for too long.
func (p *pulse) late(now time.Time) (what string, since time.Time, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.step == "" || now.Sub(p.since) < p.limit {
		return "", time.Time{}, false
	}
	what = p.step + " the folder"
	if p.rel != "." {
		what = p.step + " " + p.rel
	}
	return what, p.since, true
}
