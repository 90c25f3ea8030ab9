package deliver

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"brodaemon/internal/queue"
)

// This file replaces what the Worker serves while it works: a changed
// configuration is taken over without dropping anything. A document that is
// being worked on ends its visit with the folder's settings as they were when
// it began, and continues with the new ones.

// Reconfigure replaces portals, folders and waiting times. It may be called at
// any time, also while Run works; an error means that nothing was changed. What
// is known of a portal or token that stays (that it is out of reach, or refused)
// stays known, but each may be tried again at once: somebody has just changed
// something. Of a folder that is no longer there nothing new is begun; its
// documents stay in the queue.
func (w *Worker) Reconfigure(endpoints []Endpoint, folders []Folder, policy Policy) error {
	first := w.setup.Load().order == nil
	if err := w.replaceSetup(endpoints, folders, policy); err != nil {
		return err
	}
	if !first { // before Run there is nobody to let go on
		w.configured()
	}
	w.Wake()
	return nil
}

func (w *Worker) replaceSetup(endpoints []Endpoint, folders []Folder, policy Policy) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.setup.Load()
	next := &setup{folders: map[string]*folder{}, endpoints: map[string]*endpoint{}}
	for _, e := range endpoints {
		next.endpoints[e.Address] = &endpoint{Endpoint: e}
	}
	for _, f := range folders {
		if next.endpoints[f.Endpoint] == nil {
			return fmt.Errorf("folder %s: no portal %q", f.Name, f.Endpoint)
		}
	}
	// from here on nothing fails
	w.policy.set(policy)
	for _, e := range endpoints {
		next.endpoints[e.Address] = w.policy.endpoint(old.endpoints[e.Address], e)
	}
	now := time.Now()
	for _, f := range folders {
		e := next.endpoints[f.Endpoint]
		at := &folder{Folder: f, endpoint: e, access: w.policy.access(e, f)}
		if before := old.folders[f.Name]; before != nil {
			at.arrivals, at.last, at.confirm = before.arrivals, before.last, before.confirm
		} else {
			at.arrivals, at.confirm = make(chan arrived, together), make(chan struct{}, 1)
		}
		at.register = w.registerGate(f.Registry)
		at.confirmSoon()
		at.endpoint.reach.knock(now)
		at.access.knock(now)
		next.folders[f.Name] = at
		next.order = append(next.order, at)
	}
	w.setup.Store(next)
	return nil
}

// configured lets documents go on that wait for the configuration to be what it
// was. If it is not, each finds that out again and nothing is sent.
func (w *Worker) configured() {
	if _, err := w.RetryAll("", configurationKind); err != nil {
		w.journal.queueTrouble(err)
	}
}

// configurationKind is the kind of error of documents that the configuration keeps back.
const configurationKind = "configuration"

// livePolicy is the Policy in force.
type livePolicy struct{ atomic.Pointer[Policy] }

func (p *livePolicy) get() Policy            { return *p.Load() }
func (p *livePolicy) set(policy Policy)      { p.Store(&policy) }
func (p *livePolicy) gateMax() time.Duration { return min(gateMax, max(p.get().Max, p.get().First)) }

func (p *livePolicy) backoff(attempts int) time.Duration     { return p.get().backoff(attempts) }
func (p *livePolicy) spread(d time.Duration) time.Duration   { return p.get().spread(d) }
func (p *livePolicy) follow(age time.Duration) time.Duration { return p.get().follow(age) }
func (p *livePolicy) lookup(done int) time.Duration          { return p.get().lookup(done) }

func (p *livePolicy) confirm(age time.Duration) time.Duration { return p.get().confirm(age) }
func (p *livePolicy) confirmEnds(age time.Duration) bool      { return p.get().confirmEnds(age) }

// endpoint is old with the settings of e, or a new one. Its caller holds Worker.mu.
func (p *livePolicy) endpoint(old *endpoint, e Endpoint) *endpoint {
	limit := rate.Limit(e.RequestsPerSecond)
	if e.RequestsPerSecond <= 0 {
		limit = rate.Inf
	}
	if old == nil {
		at := &endpoint{
			Endpoint: e, tokens: map[entrance]*access{}, full: limit, limiter: rate.NewLimiter(limit, max(1, e.Concurrency)),
		}
		at.reach.lanes.spreadBy(p.spread)
		at.reach.lanes.retime(p.get().First, p.gateMax())
		return at
	}
	old.Concurrency = e.Concurrency
	old.reach.lanes.retime(p.get().First, p.gateMax())
	old.setFull(limit, max(1, e.Concurrency))
	return old
}

// access is what a folder's token may do in its project. Its caller holds Worker.mu.
func (p *livePolicy) access(e *endpoint, f Folder) *access {
	key := entrance{f.Token, f.Project}
	a := e.tokens[key]
	if a == nil {
		a = newAccess(p.spread)
		e.tokens[key] = a
	}
	a.retime(p.get().First, p.get().Max)
	a.setSecret(f.SecretVersion)
	return a
}

// setFull sets how fast the portal may be asked when it does not complain.
func (e *endpoint) setFull(limit rate.Limit, burst int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slowed := e.limiter.Limit() < e.full; !slowed || e.limiter.Limit() > limit {
		e.limiter.SetLimit(limit)
	}
	e.limiter.SetBurst(burst)
	e.full = limit
}

// speedUp brings a portal that had complained back to full speed, over some fifty good answers.
func (e *endpoint) speedUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if limit := e.limiter.Limit(); limit < e.full {
		e.limiter.SetLimit(min(e.full, limit*1.02))
	}
}

// elsewhere remembers whether documents of a folder are under way to another
// portal than the one that the folder now delivers to.
type elsewhere struct {
	mu    sync.Mutex
	asked time.Time // zero: not yet
	why   reason
}

// elsewhereAge is how long documents that go elsewhere are taken to be still there.
const elsewhereAge = 5 * time.Second

// goesElsewhere says why nothing may be taken from a folder: its portal was
// changed while documents were under way to another one, and the two must not
// be mixed. Once it was not so it can't become so: what is taken from then on
// goes to the folder's present portal.
func (w *Worker) goesElsewhere(f *folder) reason {
	f.elsewhere.mu.Lock()
	defer f.elsewhere.mu.Unlock()
	if !f.asked.IsZero() && (f.why.text == "" || time.Since(f.asked) < elsewhereAge) {
		return f.why
	}
	n, to, err := Elsewhere(w.store, f.Name, f.Endpoint)
	switch {
	case err != nil:
		return reason{err.Error(), queue.Say(SayNotKept, err.Error())} // the queue can't be read: nothing can be taken anyway
	case n == 0:
		f.why = reason{}
	default:
		f.why = reason{ElsewhereText(f.Name, n, to, f.endpoint.Environment), queue.Say(SayElsewhere, f.Name, f.endpoint.Environment, strconv.Itoa(n), to)}
	}
	f.asked = time.Now()
	return f.why
}

// Elsewhere counts the documents of a folder that are under way to another
// portal than the address given; to is the environment of the first.
func Elsewhere(store interface {
	Each(queue.Filter, func(queue.Item) bool) error
}, folder, address string) (n int, to string, err error) {
	err = store.Each(queue.Filter{Open: true, Folder: folder}, func(it queue.Item) bool {
		if !it.State.End() && it.Portal != address {
			if n == 0 {
				to = it.Environment
			}
			n++
		}
		return true
	})
	return n, to, err
}

// ElsewhereText is the sentence for what Elsewhere found.
func ElsewhereText(folder string, n int, to, now string) string {
	return fmt.Sprintf("folder %s now delivers to %s, but has documents (%d) still under way to %s: change its portal back until they are through, or give them up with `brodaemon queue cancel`",
		folder, now, n, to)
}
