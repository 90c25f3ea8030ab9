package deliver

import (
	"math/rand/v2"
	"time"
)

// Policy says how long to wait before a step is tried again. It is pure: the
// same numbers and the same Jitter give the same times.
type Policy struct {
	First, Max             time.Duration // backoff of a failed step
	FollowFirst, FollowMax time.Duration // asking for a delivery's outcome
	// OddAfter is how long a delivery may be in a state that makes no sense
	// (passed on, but the document not taken up, and no error; portal-api Q11)
	// before a person is asked.
	OddAfter time.Duration
	// ConfirmMax is the longest wait between two looks into the public register,
	// and ConfirmFor how long a document is looked for there. 0 = 12 hours, 7 days.
	ConfirmMax, ConfirmFor time.Duration
	// KeepDone is how long files stay in done/ after they were filed, and
	// KeepHistory how long the timelines of finished documents are kept. 0 = for ever.
	KeepDone, KeepHistory time.Duration
	// Clock is the machine's clock, which may be set while time goes on, where
	// what is old is judged by it. nil = time.Now.
	Clock func() time.Time
	// Jitter returns a number in [0,1) and spreads the attempts of many
	// documents. nil = math/rand.
	Jitter func() float64
}

// backoff is the wait before attempt number attempts+1 of one step: it doubles
// from First to Max and is spread by a fifth either way.
func (p Policy) backoff(attempts int) time.Duration {
	return p.spread(double(p.First, attempts, p.Max))
}

// double is first doubled n-1 times, at most limit.
func double(first time.Duration, n int, limit time.Duration) time.Duration {
	d := first
	for i := 1; i < n && d < limit; i++ {
		d *= 2
	}
	return min(d, limit)
}

func (p Policy) spread(d time.Duration) time.Duration {
	jitter := rand.Float64
	if p.Jitter != nil {
		jitter = p.Jitter
	}
	return time.Duration(float64(d) * (0.8 + 0.4*jitter()))
}

// follow is the wait before a delivery is asked about again. It grows with the
// delivery's age, so that it needs no memory: half the age, between FollowFirst
// and FollowMax. People at the data owner may take weeks (portal-api Q17).
func (p Policy) follow(age time.Duration) time.Duration {
	return p.spread(min(max(age/2, p.FollowFirst), p.FollowMax))
}

// lookup is the wait before an uncertain delivery is looked up again.
func (p Policy) lookup(done int) time.Duration {
	return p.spread(double(p.First, done+1, p.Max))
}
