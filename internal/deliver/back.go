package deliver

import (
	"fmt"
	"maps"
	"time"

	"brodaemon/internal/queue"
)

// absence is the time for which a folder was out of reach.
type absence struct{ from, until time.Time }

func (a absence) String() string {
	const minutes = "2006-01-02 15:04"
	return fmt.Sprintf("the folder is back; it was out of reach from %s until %s", a.from.Local().Format(minutes), a.until.Local().Format(minutes))
}

// FolderBack says that a folder can be read again that could not be from one
// moment until another. Documents that wait to be moved there, perhaps for an
// hour by now, are moved at once, and their timelines say why. It never
// blocks; any goroutine may call it.
func (w *Worker) FolderBack(folder string, from, until time.Time) {
	w.mu.Lock()
	w.back[folder], w.returned[folder] = absence{from, until}, true
	w.mu.Unlock()
	w.Wake()
}

// welcome makes the waiting documents of folders that came back due. What can't
// be stored waits for its own time.
func (w *Worker) welcome(now time.Time) {
	w.mu.Lock()
	returned, back := w.returned, maps.Clone(w.back)
	w.returned = map[string]bool{}
	w.mu.Unlock()
	for folder := range returned {
		var ids []queue.ID
		err := w.store.Each(queue.Filter{Open: true, Folder: folder}, func(it queue.Item) bool {
			if it.State.End() && !it.NextAttempt.IsZero() {
				ids = append(ids, it.ID)
			}
			return true
		})
		if err != nil {
			w.journal.queueTrouble(err)
		}
		for _, id := range ids {
			_, _ = w.store.Apply(id, queue.RetryNow(now, back[folder].String()).Saying(queue.Say(SayFolderBack, stamp(back[folder].from), stamp(back[folder].until))))
		}
	}
}

// refile is when to try the moving of a document again that failed: soon if the
// folder came back while it was tried.
func (w *Worker) refile(f *folder, it *queue.Item, began, now time.Time) time.Time {
	w.mu.Lock()
	back := w.back[f.Name]
	w.mu.Unlock()
	if back.until.After(began) {
		return now.Add(w.policy.backoff(1))
	}
	return now.Add(w.policy.backoff(it.Attempts + 1))
}
