package demo

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
)

// screen prints one line per thing that happens to a document. What the queue
// tells it is printed by its own goroutine, so that a slow terminal never holds
// up a commit.
type screen struct {
	out   io.Writer
	start time.Time

	printing sync.Mutex // held while lines are written to out

	mu    sync.Mutex // never held while something is written
	lines []string
	said  map[string]string // file → what was said of it last while it waits
	wake  chan struct{}
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, start: time.Now(), said: map[string]string{}, wake: make(chan struct{}, 1)}
}

func (s *screen) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			s.drain()
		}
	}
}

// drain prints what is waiting to be printed.
func (s *screen) drain() {
	s.printing.Lock()
	defer s.printing.Unlock()
	s.mu.Lock()
	lines := s.lines
	s.lines = nil
	s.mu.Unlock()
	for _, line := range lines {
		fmt.Fprintln(s.out, line)
	}
}

// say adds a line, unless it says of a waiting file what was said before.
func (s *screen) say(file, what, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == "waiting" {
		if s.said[file] == detail {
			return
		}
		s.said[file] = detail
	}
	s.lines = append(s.lines, fmt.Sprintf("%6.1fs  %-34s %-10s %s", time.Since(s.start).Seconds(), file, what, detail))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// changed is told of every change in the queue.
func (s *screen) changed(before, after *queue.Item) {
	n := len(after.History)
	known := 0
	if before != nil {
		known = len(before.History)
	}
	for _, e := range after.History[min(known, n):] {
		if what, detail := words(e, after); what != "" {
			s.say(after.File, what, detail)
		}
	}
}

// words says an event in the demo's own words; "" leaves it out.
func words(e queue.Event, it *queue.Item) (what, detail string) {
	switch e.What {
	case "queued":
		return "taken", kindOf(it)
	case "validated":
		return "valid", "says the portal"
	case "opened", "submitting", "asked":
		return "", ""
	case "attached":
		return "uploaded", fmt.Sprintf("upload %d", it.Upload.ID)
	case "submitted", "delivered":
		return e.What, e.Detail
	case "progressed":
		return "at portal", e.Detail
	case "rejected":
		if it.DuplicateOf != 0 {
			return outcomeOf(it), fmt.Sprintf("the same bytes as document %s; not delivered again", it.DuplicateOf)
		}
		return outcomeOf(it), deliver.ReasonOf(it).Summary("en")
	case "filed":
		return "filed", shortPath(e.Detail)
	case "held":
		return "held", e.Detail
	default:
		return e.What, e.Detail
	}
}

// shortPath is the end of a path, from done/ or failed/ on.
func shortPath(path string) string {
	slashed := filepath.ToSlash(path)
	for _, dir := range []string{"/done/", "/failed/"} {
		if i := strings.LastIndex(slashed, dir); i >= 0 {
			return slashed[i+1:]
		}
	}
	return path
}

// kindOf says in a few words what a document asks for.
func kindOf(it *queue.Item) string {
	switch {
	case it.Request == "":
		return "not a document that can be delivered"
	case it.NewObject:
		return fmt.Sprintf("%s %s, a new object", it.Type, it.SubDocument)
	default:
		return strings.TrimSpace(fmt.Sprintf("%s %s of %s", it.Request, it.SubDocument, it.BROID))
	}
}

func outcomeOf(it *queue.Item) string {
	if o := deliver.Outcome(it); o != "" {
		return o
	}
	return string(it.State)
}
