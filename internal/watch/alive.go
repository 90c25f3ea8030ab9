package watch

import (
	"fmt"
	"sync"
	"time"
)

// life is when the folder's two goroutines last showed that they work.
type life struct {
	mu     sync.Mutex
	turned time.Time // Run's loop went round
	due    time.Time // the worker rests until then at the latest; zero: it is at work
}

func (l *life) turn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turned = time.Now()
}

// end makes Alive say nothing more.
func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turned, l.due = time.Time{}, time.Time{}
}

func (l *life) rest(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = until
}

// Alive returns an error when the folder is not looked after any more: its
// watching goroutine, or a worker that had nothing to wait for, is late by more
// than grace. A share that blocks is no such thing; State tells of that. Ask it
// only while Run runs; before that, and after, it says that all is well.
func (f *Folder) Alive(grace time.Duration) error {
	now := time.Now()
	f.life.mu.Lock()
	defer f.life.mu.Unlock()
	switch l := &f.life; {
	case l.turned.IsZero():
		return nil
	case now.Sub(l.turned) > f.opt.IOTimeout/4+grace:
		return fmt.Errorf("folder %s is not watched any more, since %s", f.opt.Name, l.turned.Format(time.RFC3339))
	case !l.due.IsZero() && now.Sub(l.due) > grace:
		return fmt.Errorf("folder %s is not scanned any more; a scan was due at %s", f.opt.Name, l.due.Format(time.RFC3339))
	}
	return nil
}
