package watch

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// worker is the one goroutine that touches the share. All its fields are its own, except the channels.
type worker struct {
	*Folder
	reports chan State
	done    chan struct{}

	book    *book
	ignored map[string]time.Time // first sight of entries that are never taken
	mates   map[string]*companion
	eyes    eyes
	known   bool  // the marker has been here before
	last    State // what was last reported
}

func newWorker(f *Folder) *worker {
	return &worker{
		Folder:  f,
		reports: make(chan State),
		done:    make(chan struct{}),
		book:    newBook(f.opt.Settle),
		ignored: make(map[string]time.Time),
		mates:   make(map[string]*companion),
		known:   f.opt.Marker.Known,
		eyes:    eyes{why: whyOffline, words: say(SayOffline)},
	}
}

// whyOffline is said about events while the folder is offline.
const whyOffline = "the folder is offline"

// run scans until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	defer w.closeEvents("", nil)
	for ctx.Err() == nil {
		next, earliest := w.round(ctx)
		if !w.wait(ctx, next, earliest) {
			return
		}
	}
}

// round is one scan and the handing over of what it found settled. It says when the next one is due, and before which moment there shall be
// none whatever happens.
func (w *worker) round(ctx context.Context) (next, earliest time.Time) {
	began := time.Now()
	w.book.forget(w.takeForgotten())
	s := w.scan(ctx)
	if ctx.Err() != nil {
		return began, began
	}
	rest := min(max(time.Since(began), minRest), maxRest, w.opt.ScanInterval)
	w.report(ctx, s)
	rushed := w.handOver(ctx, s)
	w.handOverCompanions(ctx, s)
	w.report(ctx, s)
	earliest = time.Now().Add(rest)
	if rushed {
		return earliest, earliest
	}
	return w.nextScan(began, s), earliest
}

// nextScan says when to scan again if nothing hurries it: after the interval, or when a file has settled or is to be asked for again.
func (w *worker) nextScan(began time.Time, s *scan) time.Time {
	interval := w.opt.ScanInterval
	if s.trouble != nil {
		interval = min(interval, offlineInterval)
	}
	next := began.Add(jittered(interval))
	if due, ok := w.book.next(); ok && due.Before(next) && s.listed {
		next = due
	}
	if due, ok := w.nextCompanion(); ok && due.Before(next) && s.listed {
		next = due
	}
	if at := w.eyes.retryAt; w.eyes.src == nil && at.After(began) && at.Before(next) {
		next = at
	}
	return next
}

// jittered varies d by up to a tenth.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// wait sleeps until next, or until something hurries the scan, but at least until earliest. It says false when ctx has ended.
func (w *worker) wait(ctx context.Context, next, earliest time.Time) bool {
	later := func(t time.Time) time.Duration {
		if t.Before(earliest) {
			t = earliest
		}
		return time.Until(t)
	}
	w.life.rest(time.Now().Add(later(next)))
	defer w.life.rest(time.Time{})
	timer := time.NewTimer(later(next))
	defer timer.Stop()
	var first time.Time
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-w.soon:
			next = time.Now()
			timer.Reset(later(next))
		case <-w.hint:
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			calm := now.Add(eventQuiet)
			if latest := first.Add(eventMaxDelay); calm.After(latest) {
				calm = latest
			}
			if calm.Before(next) {
				timer.Reset(later(calm))
			}
		}
	}
}

// handOver offers what has settled, in order. It says whether it broke off because the next scan has become urgent.
func (w *worker) handOver(ctx context.Context, s *scan) (rushed bool) {
	defer w.pulse.rest()
	began, limit := time.Now(), max(w.opt.ScanInterval, minAcceptTime)
	together := s.settledCompanions()
	for _, o := range s.offers {
		if ctx.Err() != nil {
			return false
		}
		if time.Since(began) > limit {
			return true
		}
		w.pulse.begin("read", o.rel, acceptFactor*w.opt.IOTimeout)
		a := w.arrival(o)
		for _, c := range together[strings.ToLower(o.rel)] {
			if w.travels(c, o.rel) {
				a.Companions = append(a.Companions, w.companionArrival(c))
			}
		}
		d := w.opt.Accept(ctx, a)
		w.book.decide(o, d, time.Now())
	}
	return false
}

// arrival describes an offer to the handler.
func (w *worker) arrival(o offer) Arrival {
	return Arrival{
		Folder:    w.opt.Name,
		Path:      filepath.Join(w.opt.Path, filepath.FromSlash(o.rel)),
		Rel:       o.rel,
		Size:      o.sig.size,
		ModTime:   o.sig.mod,
		Unchanged: o.unchanged,
		root:      w.opt.Path,
		id:        o.sig.id,
	}
}

// report sends Run the state as it is after a scan, unless Run has gone.
func (w *worker) report(ctx context.Context, s *scan) {
	state := w.last
	state.Online, state.Cause, state.Reason, state.Words = s.trouble == nil, "", "", nil
	if s.trouble != nil {
		state.Cause, state.Reason, state.Words = s.trouble.cause, s.trouble.text, s.trouble.words
	}
	if s.listed {
		settle, wait := w.book.lists()
		wait = append(append(wait, s.troubled...), w.companionsWaiting()...)
		state.SettlingCount, state.Settling = len(settle), oldestFirst(settle)
		state.WaitingCount, state.Waiting = len(wait), oldestFirst(wait)
	}
	if s.trouble == nil {
		state.LastScan, state.Files = s.ended, w.book.files
		state.IgnoredCount, state.Ignored = s.ignoredCount, s.ignored
	}
	w.last = state
	state.Events, state.Polling, state.PollingWords = w.eyes.src != nil, w.eyes.why, w.eyes.words
	select {
	case w.reports <- state:
	case <-ctx.Done():
	}
}

// touch is called before each call to the share: it moves the heartbeat, and lets a test interfere.
func (w *worker) touch(step, rel string) error {
	w.pulse.begin(step, rel, w.opt.IOTimeout)
	if w.fault != nil {
		return w.fault(step, rel)
	}
	return nil
}

// scan looks at the folder once. Whatever goes wrong ends up in the result.
func (w *worker) scan(ctx context.Context) *scan {
	defer w.pulse.rest()
	s := &scan{}
	root, err := w.openRoot()
	if err != nil {
		s.trouble = explained("open folder "+w.opt.Path, err)
		w.closeEvents(whyOffline, say(SayOffline))
		return s
	}
	defer root.Close()
	if s.trouble = w.checkMarker(root); s.trouble != nil {
		w.closeEvents(whyOffline, say(SayOffline))
		return s
	}
	fileSystem := w.fileSystem(root)
	s.remote = fileSystem != ""
	w.tendEvents(root, fileSystem)
	w.list(ctx, root, s)
	s.ended = time.Now()
	return s
}

// fileSystem names the network file system that the folder is on, or is empty.
func (w *worker) fileSystem(root *os.Root) string {
	if w.touch("look at", ".") != nil {
		return ""
	}
	return remoteFileSystem(root)
}

// openRoot opens the folder. Everything that one scan sees is seen through this handle, so that the marker, the listing and the files
// belong to the same folder even if a share comes or goes meanwhile.
func (w *worker) openRoot() (*os.Root, error) {
	if err := w.touch("open", "."); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(w.opt.Path)
	if err != nil {
		if info, statErr := os.Stat(w.opt.Path); statErr == nil && !info.IsDir() {
			return nil, errNotAFolder
		}
		return nil, err
	}
	return root, nil
}
