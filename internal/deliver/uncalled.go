package deliver

import (
	"sync"

	"brodaemon/internal/queue"
)

// uncalled remembers the intents to submit that could not be stored properly
// and for which this process therefore made no call. It is forgotten at the
// end of the process: an intent that is found in the queue then is in doubt.
type uncalled struct {
	mu      sync.Mutex
	intents map[queue.ID]int // item → which of its submissions was intended
}

func (u *uncalled) add(id queue.ID, submission int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.intents == nil {
		u.intents = map[queue.ID]int{}
	}
	u.intents[id] = submission
}

// forget is called before an intent is stored. After it has says no of that one.
func (u *uncalled) forget(id queue.ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.intents, id)
}

// has reports whether the item's present intent is one that was not called for.
func (u *uncalled) has(it *queue.Item) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	n, known := u.intents[it.ID]
	return known && n == it.Submissions
}
