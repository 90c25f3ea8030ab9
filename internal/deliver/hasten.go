package deliver

import (
	"time"

	"brodaemon/internal/queue"
)

// hastenEvery is how often it is looked whether a document waits for a time
// that nothing can have set but a clock that was wrong.
const hastenEvery = time.Hour

// hasten makes documents due that wait longer than any waiting time allows:
// they were put off while the machine's clock was ahead, perhaps by years, and
// would wait until then. What can't be read or stored is looked at again later.
func (w *Worker) hasten(now time.Time) {
	p := w.policy.get()
	limit := now.Add(48*time.Hour + 2*max(p.Max, p.FollowMax))
	var late []queue.ID
	err := w.store.Each(queue.Filter{Open: true}, func(it queue.Item) bool {
		if it.NextAttempt.After(limit) || it.NextAttempt.IsZero() && it.Hold == "" && it.Times.Queued.After(now.Add(time.Minute)) {
			late = append(late, it.ID)
		}
		return true
	})
	if err != nil {
		w.journal.queueTrouble(err)
	}
	for _, id := range late {
		_, _ = w.store.Apply(id, queue.RetryNow(now, "the clock was wrong when its next attempt was set").Saying(queue.Say(queue.SayClockWrong)))
	}
}
