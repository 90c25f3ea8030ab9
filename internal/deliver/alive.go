package deliver

import (
	"context"
	"errors"
	"time"
)

// errStandsStill says that the Worker does not even look at the queue any more.
var errStandsStill = errors.New("the worker does not look at the queue any more")

// Alive returns nil as soon as the Worker, woken for it, has looked at the queue
// once from beginning to end, and an error when ctx ends first. Documents that
// wait for a portal or a share don't matter for it. It may be repeated, while
// Run runs.
func (w *Worker) Alive(ctx context.Context) error {
	begun := w.turns.Load()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		w.Wake()
		// the look that was under way when this began may have been an old one
		if w.turns.Load() >= begun+2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errStandsStill
		case <-poll.C:
		}
	}
}
