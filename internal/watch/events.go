package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// Source is where events come from: fsnotify, or plain channels in tests. An event says only that something happened; what it was is found by
// a scan. Both channels are drained by a goroutine of their own; Add, WatchList and Close are called from the worker and may block.
type Source interface {
	// Add watches one directory, not what is below it. Adding it again is harmless.
	Add(dir string) error
	// WatchList names the directories that are still watched.
	WatchList() []string
	Events() <-chan fsnotify.Event
	Errors() <-chan error
	// Close ends it. The channels may be closed by it.
	Close() error
}

const (
	eventLife     = 2 * time.Hour    // a source is re-made after this, for a watch can die without a word
	eventProven   = 10 * time.Minute // a source that lived this long was all right: the next one is made without delay
	eventBackoff  = time.Second      // first pause after a failure, doubled each time
	eventPatience = time.Hour        // longest pause
	limitFailures = 6                // a system limit does not go away soon: begin with a pause of a minute
)

// eyes is the worker's present source of events.
type eyes struct {
	src      Source
	listener *listener
	watched  map[string]bool // directories watched, as of this scan
	at       fs.FileInfo     // the folder when it was added
	born     time.Time
	failures int
	retryAt  time.Time
	why      string // why there are no events
	words    Words  // the same
}

// fsnotifySource is the source for real use.
type fsnotifySource struct{ *fsnotify.Watcher }

func newFsnotify() (Source, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return fsnotifySource{w}, nil
}

func (s fsnotifySource) Events() <-chan fsnotify.Event { return s.Watcher.Events }
func (s fsnotifySource) Errors() <-chan error          { return s.Watcher.Errors }

// tendEvents sees to it, before each listing, that there are events if there can be. The watch is added before the folder is listed, so that
// nothing falls between the two.
func (w *worker) tendEvents(root *os.Root, fileSystem string) {
	e := &w.eyes
	switch {
	case w.opt.Poll:
		e.why, e.words = "set to poll", say(SaySetToPoll)
		return
	case fileSystem != "":
		w.closeEvents("", nil)
		e.why, e.words = fmt.Sprintf("%s is a network file system, which does not tell of changes made elsewhere", fileSystem), say(SayNetworkDisk, fileSystem)
		return
	}
	info, err := root.Stat(".")
	if err != nil {
		return // the listing is about to find out
	}
	if e.src != nil {
		w.checkEvents(info)
	}
	if e.src == nil && !time.Now().Before(e.retryAt) {
		w.openEvents(info)
	}
}

// checkEvents gives up a source that failed, and closes one that is to be re-made.
func (w *worker) checkEvents(info fs.FileInfo) {
	e := &w.eyes
	select {
	case err := <-e.listener.lost:
		if time.Since(e.born) >= eventProven {
			e.failures = 0
		}
		w.eventsFailed(err)
	default:
		if w.isStale(info) {
			w.closeEvents("being renewed", say(SayRenewed))
		}
	}
}

// isStale says whether the watch no longer sits on this folder, or has done so for long enough. An unmounted folder leaves the list of watches,
// and a mount placed over it changes what the path means; neither is reported as an event or an error.
func (w *worker) isStale(info fs.FileInfo) bool {
	e := &w.eyes
	e.watched = make(map[string]bool)
	for _, dir := range e.src.WatchList() {
		e.watched[filepath.Clean(dir)] = true
	}
	return !e.watched[w.opt.Path] || !os.SameFile(info, e.at) || time.Since(e.born) >= eventLife
}

// openEvents makes a source and watches the folder with it.
func (w *worker) openEvents(info fs.FileInfo) {
	e := &w.eyes
	err := w.touch("watch", ".")
	var src Source
	if err == nil {
		src, err = w.opt.NewSource()
	}
	if err != nil {
		w.eventsFailed(err)
		return
	}
	e.src, e.listener = src, &listener{hint: w.hint, soon: w.soon, lost: make(chan error, 1), stop: make(chan struct{}), log: w.log}
	e.at, e.born, e.watched = info, time.Now(), map[string]bool{w.opt.Path: true}
	go e.listener.run(src)
	if err := src.Add(w.opt.Path); err != nil {
		w.eventsFailed(err)
		return
	}
	e.why, e.words, e.retryAt = "", nil, time.Time{}
}

// watchFolder watches a sub-folder, before it is listed.
func (w *worker) watchFolder(rel string) {
	e := &w.eyes
	if e.src == nil || !watchSubfolders {
		return
	}
	dir := filepath.Join(w.opt.Path, filepath.FromSlash(rel))
	if e.watched[dir] {
		return
	}
	err := w.touch("watch", rel)
	if err == nil {
		err = e.src.Add(dir)
	}
	switch {
	case err == nil:
		e.watched[dir] = true
	case !errors.Is(err, fs.ErrNotExist):
		w.eventsFailed(err)
	}
}

// eventsFailed gives up the source and sets the time for the next one.
func (w *worker) eventsFailed(err error) {
	e := &w.eyes
	w.closeEvents("", nil)
	e.failures++
	e.why, e.words = "events failed: "+err.Error(), say(SayEventsFailed, err.Error())
	if limit := eventLimit(err); limit != "" {
		e.failures = max(e.failures, limitFailures+1)
		e.why, e.words = limit, say(SayEventsLimit)
	}
	pause := eventPatience
	if n := e.failures - 1; n < 12 {
		pause = min(pause, eventBackoff<<n)
	}
	e.retryAt = time.Now().Add(pause)
	w.log.Warn("events failed; the folder is polled meanwhile", zap.Error(err), zap.Duration("next_try", pause))
}

// closeEvents ends the source, if there is one; why is what to say about it.
func (w *worker) closeEvents(why string, words Words) {
	e := &w.eyes
	if e.src == nil {
		return
	}
	e.listener.closing.Store(true)
	if err := e.src.Close(); err != nil {
		w.log.Debug("close events", zap.Error(err))
	}
	close(e.listener.stop)
	e.src, e.listener, e.watched, e.at, e.why, e.words = nil, nil, nil, nil, why, words
}

// listener drains a source until it has been closed. It never calls the source and never waits for the worker: on Windows the source serves Add
// and its events on one thread, so that a listener that waits would bring both to a stop.
type listener struct {
	hint, soon chan struct{}
	lost       chan error // the first failure
	closing    atomic.Bool
	stop       chan struct{}
	log        *zap.Logger
}

func (l *listener) run(src Source) {
	events, errs := src.Events(), src.Errors()
	for {
		select {
		case <-l.stop:
			return
		case _, ok := <-events:
			if !ok {
				events = nil
				l.fail(fsnotify.ErrClosed)
				continue
			}
			poke(l.hint)
		case err, ok := <-errs:
			switch {
			case !ok:
				errs = nil
				l.fail(fsnotify.ErrClosed)
			case errors.Is(err, fsnotify.ErrEventOverflow):
				l.log.Info("more events than the system can hold: scanning everything")
				poke(l.soon)
			default:
				l.fail(err)
			}
		}
	}
}

// fail tells the worker that the source is of no more use, unless it is being closed anyway.
func (l *listener) fail(err error) {
	if l.closing.Load() {
		return
	}
	select {
	case l.lost <- err:
	default: // one failure is enough
	}
	poke(l.soon)
}
