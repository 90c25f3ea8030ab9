// Package deliver brings documents to the portal. Its [Worker] takes in each
// arrival of a watched folder ([Worker.Accept]), moves each item of the queue
// step by step through its life (lifecycle.go, readable from top to bottom),
// and files it when it has its outcome. It also has what is old removed, where
// people want that (retain.go).
//
// Promises:
//
//   - What Accept took is in the spool and the queue, on disk, in a moment, and
//     before anything is done with it; where that fails, or the program is
//     stopped first, the file is still in its folder and is offered again.
//   - A delivery is submitted at most once: the intent is on disk before the
//     call, and an answer that is not clear leads to a look-up and then to a
//     person, never to a second call.
//   - Trouble of the portal, of a token or of a share makes documents wait. Only
//     what a person must change or decide about the document itself ends in failed/.
//   - Stopping at any line loses nothing; [Worker.Run] lets steps in hand finish
//     for a while, which is only politer.
//
// What it does not do: it does not look at folders (package watch), does not
// know the words of the portal's protocol (package portal), and does not
// decide how files are named in the archive (package archive).
package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"brodaemon/internal/archive"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// ErrStopping is the cause with which calls in hand are cancelled when the
// time for finishing them is over.
var ErrStopping = errors.New("brodaemon is stopping")

// Store is what the Worker needs of a queue; [*queue.Store] is one.
type Store interface {
	AddAll(at time.Time, arrivals []queue.Item, moved func(queue.Item) bool) []queue.Arrived
	Apply(id queue.ID, transitions ...queue.Transition) (queue.Item, error)
	Get(id queue.ID) (queue.Item, error)
	Due(folder string, lane queue.Lane, now time.Time, limit int, skip func(queue.ID) bool) ([]queue.Item, time.Time, error)
	BySource(folder, file string) (queue.Item, bool, error)
	Each(f queue.Filter, do func(queue.Item) bool) error
}

// Portal is what the Worker asks of a portal with one token; [*portal.Client] is one.
type Portal interface {
	Validate(ctx context.Context, project portal.ProjectID, body portal.Body) (portal.Validation, error)
	OpenUpload(ctx context.Context, project portal.ProjectID) (portal.Upload, error)
	AddSourceDocument(ctx context.Context, upload portal.Upload, filename string, body portal.Body) (portal.SourceDocumentRef, error)
	Submit(ctx context.Context, project portal.ProjectID, upload portal.Upload, label string) (portal.DeliveryRef, error)
	Delivery(ctx context.Context, project portal.ProjectID, id string) (portal.Delivery, error)
	DeliveriesAwaiting(ctx context.Context, project portal.ProjectID, action portal.Action) ([]string, error)
	Transactions(ctx context.Context, broID string) ([]portal.Transaction, error)
}

// Archive files documents that have their outcome; [*archive.Archive] is one.
type Archive interface {
	Done(ctx context.Context, d archive.Document, r archive.Receipt, at time.Time) (archive.Placed, error)
	Fail(ctx context.Context, d archive.Document, r archive.Reason, at time.Time) (archive.Placed, error)
	Settle(ctx context.Context, earlier archive.Attempt) error
	Remove(ctx context.Context, old archive.Old) (removed bool, err error)
	Reachable() error
	Amend(ctx context.Context, d archive.Document, beside string, change func(*archive.Receipt)) error
}

// Room is what the Worker asks of the disk that the spool and the queue are on.
type Room interface {
	// For fails while a document of so many bytes is better not taken in. The error is shown with the file.
	For(size int64) error
	// Failed is told of an arrival that could not be kept, and returns what to say of it.
	Failed(err error) error
}

// ampleRoom is a disk without end.
type ampleRoom struct{}

func (ampleRoom) For(int64) error        { return nil }
func (ampleRoom) Failed(err error) error { return err }

// Endpoint is one portal as all tokens and folders share it.
type Endpoint struct {
	Address           string  // scheme and host; the identity of the portal
	Environment       string  // its name for people
	Concurrency       int     // documents under way at once
	RequestsPerSecond float64 // over all of them; 0 = no limit
}

// Folder is a watched folder as the Worker sees it.
type Folder struct {
	Name     string
	Root     string // path of the folder, to look whether a file is still there
	Project  portal.ProjectID
	Token    string // name, for people and for pausing
	Endpoint string // an Endpoint's Address
	Portal   Portal
	Archive  Archive
	// Ordered: documents about the same BRO-ID go one after another.
	Ordered bool
	// IncompleteTimeout is how long a file that is not whole may stay unchanged before it goes to failed/.
	IncompleteTimeout time.Duration
	// Tolerated are the validation errors that do not keep a document from being delivered.
	Tolerated []string
	Label     string
	// SecretVersion gives a number that changes whenever the token's secret does, so that a pause after a refusal ends
	// with it; it says nothing else about the secret. It is called before each call, and every few seconds while the
	// token is paused, from many goroutines. Folders with the same token share it. nil: the secret never changes.
	SecretVersion func() uint64
	// Enricher adds companion files to deliveries, with a token that may; nil: they are never added.
	Enricher Enricher
	// Registry are the public BRO services that belong to the portal, where delivered documents are looked up; nil: none.
	// Folders with the same ones had better share a client, for its pace.
	Registry Registry
	// Clock is what the portal said of this machine's clock last. nil: it says nothing, and nothing that is old is removed.
	Clock func() portal.ClockCheck
	// Forget is told when a file has left the folder, so that a new file of that name is seen as new; and when a file
	// that Accept took could not be kept after all, so that it is offered again.
	Forget func(file string)
}

// Options are what a Worker is made of.
type Options struct {
	Store     Store
	Spool     *queue.Spool
	Endpoints []Endpoint
	Folders   []Folder
	Policy    Policy
	Room      Room // nil = there is always room
	// StopTimeout is how long steps in hand may go on after Run's context ended. 0 = 10 s.
	StopTimeout time.Duration
	Logger      *zap.Logger // nil = none
	// Crash is called at every point of CrashPoints, for tests that stop the
	// program there. nil = nothing.
	Crash func(point string)
}

// CrashPoints are the names of the moments between two facts, in the order in
// which a document meets them; archive.CrashPoints lie between delivered and filed.
var CrashPoints = []string{
	"spool-written", "queued", "spool-kept", "companion-sealed", "companion-joined",
	"validate-answered",
	"upload-answered", "attach-answered", "submit-intended", "submit-answered", "submitted",
	"companion-intended", "companion-answered",
	"outcome-answered", "outcome-stored", "archived", "reason-settled", "filed", "spool-removed",
	"register-answered", "confirmed", "receipt-amended",
	"removal-intended", "files-removed",
}

// Worker moves documents through their life. Make it with New.
type Worker struct {
	store   Store
	spool   *queue.Spool
	policy  *livePolicy
	room    Room
	stop    time.Duration
	journal journal
	crash   func(string)

	setup     atomic.Pointer[setup]
	registers map[string]*gate // of public services, by address; guarded by mu

	wake    chan struct{} // 1-buffered
	refused chan struct{} // 1-buffered: a token was refused
	turns   atomic.Uint64 // looks at the queue, for Alive
	// intents that stand in the queue although no call was made
	uncalled uncalled
	turn     int // which folder is asked first next time; only Run's goroutine

	aging sync.Mutex // held while the queue is looked through for what is old

	mu       sync.Mutex
	busy     map[queue.ID]bool  // being worked on
	filing   map[string]int     // folder: documents of it that are being filed
	back     map[string]absence // folder: the last time it was out of reach
	returned map[string]bool    // folder: and is not welcomed yet
	wg       sync.WaitGroup
}

// setup is what the Worker serves. It is never changed, only replaced as a
// whole (setup.go), so that whoever began with one ends with the same.
type setup struct {
	folders   map[string]*folder
	order     []*folder // as configured
	endpoints map[string]*endpoint
}

type folder struct {
	Folder
	arrivals chan arrived // taken, not stored yet; outlives a change of the setup
	trouble  atomic.Pointer[trouble]
	elsewhere
	endpoint *endpoint
	access   *access
	last     queue.Lane // of which a document was begun last; only Run's goroutine

	confirm  chan struct{} // 1-buffered: something is to be looked up in the register; outlives a change of the setup
	register *gate         // of the folder's Registry, shared by those with the same address
}

// entrance is what a portal refuses with 401, 403 or 404: a token for a project. A
// wrong project of one folder does not pause the token for others.
type entrance struct {
	token   string
	project portal.ProjectID
}

// endpoint is an Endpoint at work.
type endpoint struct {
	Endpoint
	reach   reach
	tokens  map[entrance]*access // guarded by Worker.mu
	numbers numbers
	limiter *rate.Limiter
	running int // documents under way; guarded by Worker.mu, as is Concurrency

	mu   sync.Mutex
	full rate.Limit
}

// gateMax bounds how long a portal that was out of reach is left alone: it must
// be found back soon after an outage, and one request in five minutes hurts nobody.
const gateMax = 5 * time.Minute

// New makes a Worker. It touches neither files nor the network.
func New(o Options) (*Worker, error) {
	w := &Worker{
		store: o.Store, spool: o.Spool, room: o.Room, stop: o.StopTimeout, crash: o.Crash, policy: &livePolicy{},
		wake: make(chan struct{}, 1), refused: make(chan struct{}, 1), registers: map[string]*gate{},
		busy: map[queue.ID]bool{}, filing: map[string]int{}, back: map[string]absence{}, returned: map[string]bool{},
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	w.journal = journal{o.Logger, &sync.Map{}}
	if w.room == nil {
		w.room = ampleRoom{}
	}
	if w.stop == 0 {
		w.stop = 10 * time.Second
	}
	if w.crash == nil {
		w.crash = func(string) {}
	}
	w.setup.Store(&setup{})
	if err := w.Reconfigure(o.Endpoints, o.Folders, o.Policy); err != nil {
		return nil, err
	}
	return w, nil
}

// Wake makes the Worker look at the queue now. It never blocks; any goroutine may call it.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, then claims nothing new and waits for the steps in
// hand, at the longest StopTimeout; what still runs then is cancelled with
// [ErrStopping]. A share that blocks for ever does not keep it from returning.
func (w *Worker) Run(ctx context.Context) error {
	calls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(ErrStopping)
	w.configured()
	w.wg.Go(func() { w.watchSecrets(ctx) })
	keeping := map[chan arrived]bool{}
	var looked time.Time // for documents that wait too long
	for ctx.Err() == nil {
		w.welcome(time.Now())
		if looked.IsZero() || time.Since(looked) >= hastenEvery {
			w.hasten(time.Now())
			looked = time.Now()
		}
		for _, f := range w.setup.Load().order {
			if !keeping[f.arrivals] {
				keeping[f.arrivals] = true
				w.wg.Go(func() { w.keepArrivals(ctx, f.arrivals) })
				w.wg.Go(func() { w.confirmFolder(ctx, calls, f.Name, f.confirm) })
				w.wg.Go(func() { w.retainFolder(ctx, f.Name, f.arrivals) })
			}
		}
		next, err := w.dispatch(ctx, calls)
		w.turns.Add(1)
		if err != nil {
			// the queue can't be read: nothing else can be done than to try again
			w.journal.queueTrouble(err)
			next = time.Now().Add(w.policy.spread(w.policy.get().First))
		}
		if at := looked.Add(hastenEvery); next.After(at) {
			next = at
		}
		w.sleep(ctx, next)
	}
	w.finish(cancel)
	return nil
}

// secretLook is how often a paused token's secret is looked at: whoever put it
// right watches what happens.
const secretLook = 2 * time.Second

// watchSecrets ends the pause of a token whose secret was changed. It looks at
// secrets only while a token is refused.
func (w *Worker) watchSecrets(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.refused:
		}
		tick := time.NewTicker(secretLook)
		for paused := true; paused; {
			select {
			case <-ctx.Done():
				paused = false
			case <-tick.C:
				paused = w.lookAtSecrets()
			}
		}
		tick.Stop()
	}
}

// lookAtSecrets reports whether any token that could get another secret is paused.
func (w *Worker) lookAtSecrets() (paused bool) {
	for _, f := range w.setup.Load().order {
		if f.SecretVersion == nil || f.access.state() == nil {
			continue
		}
		paused = true
		if f.access.renewed(time.Now()) {
			w.journal.secretChanged(f)
			w.Wake()
		}
	}
	return paused
}

// sleep waits for a wake-up, for next (zero: no time), or for the end.
func (w *Worker) sleep(ctx context.Context, next time.Time) {
	var alarm <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-alarm:
	}
}

// finish waits for the steps in hand.
func (w *Worker) finish(cancel context.CancelCauseFunc) {
	done := make(chan struct{})
	go func() {
		w.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(w.stop)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	cancel(ErrStopping)
	// requests end at once now; a file call on a dead share may not, and is left behind
	timer.Reset(2 * time.Second)
	select {
	case <-done:
	case <-timer.C:
		w.journal.leftBehind()
	}
}

// dispatch starts work for as many documents as may be under way, taking turns
// between the folders, and returns when the next one is due.
func (w *Worker) dispatch(ctx, calls context.Context) (next time.Time, err error) {
	order := w.setup.Load().order
	first, idle := w.turn, 0
	for i := 0; idle < len(order) && ctx.Err() == nil; i++ {
		f := order[(first+i)%len(order)]
		started, at, err := w.start(ctx, calls, f)
		if err != nil {
			return time.Time{}, err
		}
		if started {
			w.turn = (first + i + 1) % len(order)
			idle, next = 0, time.Time{}
			continue
		}
		idle++
		next = earliest(next, at)
	}
	return next, nil
}

// start begins work on one document of the folder per lane that has room.
func (w *Worker) start(ctx, calls context.Context, f *folder) (started bool, next time.Time, err error) {
	if filed, at, err := w.startFiling(ctx, calls, f); err != nil {
		return false, at, err
	} else if filed {
		started = true
	} else {
		next = at
	}
	// where there is room for one document only, asking and bringing take turns
	lanes := []queue.Lane{queue.LaneFollow, queue.LaneAdvance}
	if f.last == queue.LaneFollow {
		slices.Reverse(lanes)
	}
	for _, lane := range lanes {
		visited, at, err := w.startVisit(ctx, calls, f, lane)
		if err != nil {
			return started, next, err
		}
		started = started || visited
		next = earliest(next, at)
	}
	return started, next, nil
}

// filers is how many documents of one folder are filed at once, so that they
// share what syncing costs; a share that blocks holds up no more than these.
const filers = 8

func (w *Worker) startFiling(ctx, calls context.Context, f *folder) (bool, time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.filing[f.Name] >= filers {
		return false, time.Time{}, nil
	}
	it, next, err := w.claim(f, queue.LaneFile)
	if err != nil || it == nil {
		return false, next, err
	}
	w.filing[f.Name]++
	w.goWork(it.ID, func() {
		w.mu.Lock()
		w.filing[f.Name]--
		w.mu.Unlock()
	}, func() {
		if !w.file(calls, f, *it) {
			w.rest(ctx)
		}
	})
	return true, time.Time{}, nil
}

func (w *Worker) startVisit(ctx, calls context.Context, f *folder, lane queue.Lane) (bool, time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := f.endpoint
	if e.running >= max(1, e.Concurrency) {
		return false, time.Time{}, nil
	}
	it, next, err := w.claim(f, lane)
	if err != nil || it == nil {
		return false, next, err
	}
	now, about := time.Now(), bring
	if lane == queue.LaneFollow || it.Uncertain() {
		about = ask
	}
	ok, at := e.reach.enter(now, about)
	if ok {
		if ok, at = f.access.enter(now, about); !ok {
			e.reach.leave(about)
		}
	}
	if !ok {
		delete(w.busy, it.ID)
		return false, at, nil
	}
	e.running++
	f.last = lane
	free := sync.OnceFunc(func() {
		w.mu.Lock()
		e.running--
		w.mu.Unlock()
		w.Wake()
	})
	w.goWork(it.ID, free, func() {
		v := &visit{w: w, f: f, it: *it, errand: about, stopping: ctx, free: free}
		v.run(calls)
		if v.unstored {
			w.rest(ctx)
		}
	})
	return true, time.Time{}, nil
}

// claim takes the document of a lane that waited longest. Its caller holds mu.
func (w *Worker) claim(f *folder, lane queue.Lane) (*queue.Item, time.Time, error) {
	items, next, err := w.store.Due(f.Name, lane, time.Now(), 1, func(id queue.ID) bool { return w.busy[id] })
	if err != nil || len(items) == 0 {
		return nil, next, err
	}
	w.busy[items[0].ID] = true
	return &items[0], time.Time{}, nil
}

// rest keeps a document, and the place it takes, while the queue can't be
// written: it would come up again at once, and the same thing would be asked of
// the portal or the share over and over.
func (w *Worker) rest(ctx context.Context) {
	timer := time.NewTimer(w.policy.spread(w.policy.get().First))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// goWork runs do on a goroutine of its own and gives the document back after it.
func (w *Worker) goWork(id queue.ID, after, do func()) {
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		defer w.Wake()
		defer func() {
			w.mu.Lock()
			delete(w.busy, id)
			w.mu.Unlock()
			after()
		}()
		do()
	}()
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
