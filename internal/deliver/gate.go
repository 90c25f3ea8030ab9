package deliver

import (
	"sync"
	"time"

	"brodaemon/internal/queue"
)

// gate stands before a portal, and before each token's access to a project of it (see access). When it is shut,
// documents wait without using up attempts; at growing intervals one document
// is let through to see whether the trouble is over.
type gate struct {
	first, max time.Duration
	spread     func(time.Duration) time.Duration

	mu       sync.Mutex
	reason   reason // its text is "" = open
	since    time.Time
	until    time.Time
	interval time.Duration
	asked    time.Time // the portal asked to be left alone until then
	probing  bool
	failures int
}

// tolerance is how many documents in a row may find a portal unavailable
// before its gate shuts: one answer of 503 among good ones is no outage.
const tolerance = 3

// enter asks for a way through at now. When it is refused, next is when to
// ask again. Whoever enters must end with pass, shut or leave.
func (g *gate) enter(now time.Time) (ok bool, next time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.reason.text == "":
		return true, time.Time{}
	case g.probing:
		return false, time.Time{} // the probe's end wakes the Worker
	case now.Before(g.until):
		return false, g.until
	}
	g.probing = true
	return true, time.Time{}
}

// leave ends a visit that found out nothing.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
}

// pass reports that there was a good answer. It returns how long the gate had
// been shut, 0 if it was open or stays shut: a document that was under way when
// the portal asked for rest does not end that rest.
func (g *gate) pass(now time.Time) (shut time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason.text != "" && now.Before(g.asked) {
		return 0
	}
	if g.reason.text != "" {
		shut = max(now.Sub(g.since), 1)
	}
	g.reason, g.interval, g.failures, g.probing = reason{}, 0, 0, false
	return shut
}

// strike reports one failure that may be chance; from the tolerance on it shuts the gate.
func (g *gate) strike(now time.Time, why reason) (shut bool) {
	g.mu.Lock()
	g.failures++
	enough := g.failures >= tolerance || g.reason.text != ""
	g.mu.Unlock()
	if !enough {
		return false
	}
	return g.shut(now, why, 0)
}

// shut closes the gate, for at least wait when that is given. It reports
// whether it had been open until now.
func (g *gate) shut(now time.Time, why reason, wait time.Duration) (fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fresh = g.reason.text == ""
	if fresh {
		g.since = now
	}
	// documents that were under way when it shut say the same again: only the
	// probe makes the interval grow
	if fresh || g.probing {
		g.interval = min(max(g.interval*2, g.first), g.max)
		g.until = now.Add(g.spread(g.interval))
	}
	if at := now.Add(wait); wait > 0 && at.After(g.asked) {
		g.asked = at
	}
	if g.asked.After(g.until) {
		g.until = g.asked
	}
	g.reason, g.probing = why, false
	return fresh
}

// retime changes how long it stays shut from now on.
func (g *gate) retime(first, max time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.first, g.max = first, max
}

// shutFrom closes an open gate for trouble that was known since then; the next
// document may try at once, or with probing is trying already.
func (g *gate) shutFrom(since, now time.Time, why reason, probing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reason, g.since, g.until, g.interval, g.probing = why, since, now, 0, probing
}

// knock lets the next document try at once: a person asked for it.
func (g *gate) knock(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason.text != "" {
		g.until, g.asked, g.interval = now, now, 0
	}
}

// Pause says why and since when a portal or a token is left alone.
type Pause struct {
	Reason string `json:"reason"`
	// Words are those of the Reason, for the page.
	Words queue.Words `json:"-"`
	Since time.Time   `json:"since"`
	Next  time.Time   `json:"next"` // when it is tried again
	// Only says what is paused when it is not everything: PausedDelivering or PausedFollowing.
	Only string `json:"only,omitempty"`
}

// What of a token's work may be paused by itself.
const (
	PausedDelivering = "delivering" // new documents wait; deliveries are followed
	PausedFollowing  = "following"  // deliveries are not asked about; new documents are delivered
)

// state is nil while the gate is open.
func (g *gate) state() *Pause {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason.text == "" {
		return nil
	}
	return &Pause{Reason: g.reason.text, Words: g.reason.words, Since: g.since, Next: g.until}
}
