package sandbox

import (
	"cmp"
	"net/http"
	"time"
)

// Chaos scatters faults over all calls of the API: each number is the part of the requests (0 to 1) that meets that fault.
// Which ones is settled by Options.Seed, the operation and how manieth of its operation a request is, whatever else
// happens at the same time. The zero value does nothing.
type Chaos struct {
	Drop        float64 // ProcessThenDrop
	BadGateway  float64 // ProcessThenAnswer, 502
	Unavailable float64 // Answer, 503
	TooMany     float64 // Answer, 429, Retry-After 1 s
	Reset       float64 // Reset
	BrokenJSON  float64 // BrokenJSON
	Slow        float64 // Delay, up to MaxDelay
	// MaxDelay bounds Slow; 0: 2 s.
	MaxDelay time.Duration
}

// BadNeighbour is a Chaos under which a good client still delivers everything once: about one request in eight meets
// something.
func BadNeighbour() Chaos {
	return Chaos{Drop: 0.02, BadGateway: 0.02, Unavailable: 0.03, TooMany: 0.01, Reset: 0.02, BrokenJSON: 0.01, Slow: 0.02}
}

func (c Chaos) roll(seed uint64, x *exchange) (Fault, bool) {
	if c == (Chaos{}) || !x.route.api {
		return Fault{}, false
	}
	h := seed
	for _, b := range []byte(x.route.op) {
		h = mix(h + uint64(b))
	}
	h = mix(h + uint64(x.n))
	at := float64(h>>11) / (1 << 53)
	for _, possible := range []struct {
		part  float64
		fault Fault
	}{
		{c.Drop, Fault{Kind: ProcessThenDrop}},
		{c.BadGateway, Fault{Kind: ProcessThenAnswer, Status: http.StatusBadGateway}},
		{c.Unavailable, Fault{Kind: Answer, Status: http.StatusServiceUnavailable}},
		{c.TooMany, Fault{Kind: Answer, Status: http.StatusTooManyRequests, RetryAfter: time.Second}},
		{c.Reset, Fault{Kind: Reset}},
		{c.BrokenJSON, Fault{Kind: BrokenJSON}},
		{c.Slow, Fault{Kind: Delay, Delay: time.Duration(mix(h)%uint64(cmp.Or(max(c.MaxDelay, 0), 2*time.Second))) + 1}},
	} {
		if at < possible.part {
			return possible.fault, true
		}
		at -= possible.part
	}
	return Fault{}, false
}
