package deliver

import (
	"sync"
	"time"

	"brodaemon/internal/portal"
)

// errand is one of the two things a document is about at the portal: it is
// brought there, or asked about. The one may go on while the other is out of
// order or refused: where an authorisation was withdrawn, what was delivered
// before can still be followed.
type errand int

const (
	bring errand = iota
	ask
	errands int = iota
)

// errandOf says what a call is part of, and how manieth of it.
func errandOf(op portal.Op) (e errand, step int) {
	switch op {
	case portal.OpValidate:
		return bring, 1
	case portal.OpOpenUpload:
		return bring, 2
	case portal.OpAddSourceDocument:
		return bring, 3
	case portal.OpSubmit:
		return bring, 4
	case portal.OpDelivery:
		return ask, 1
	}
	return ask, 0 // lists
}

// lanes are a gate for each errand. A good answer opens one only if it is to
// the call that failed, or to one behind it: where validating works, adding a
// document may still fail every time, for every document.
type lanes struct {
	gates [errands]gate
	steps [errands]int // the call that failed last; only under the owner's lock
}

func (l *lanes) spreadBy(spread func(time.Duration) time.Duration) {
	for e := range l.gates {
		l.gates[e].spread = spread
	}
}

// retime changes how long gates stay shut from now on.
func (l *lanes) retime(first, longest time.Duration) {
	for e := range l.gates {
		l.gates[e].retime(first, longest)
	}
}

// pass reports a good answer to a call; it returns how long its gate had been shut.
func (l *lanes) pass(now time.Time, op portal.Op) time.Duration {
	e, step := errandOf(op)
	if step < l.steps[e] {
		return 0
	}
	l.steps[e] = 0
	return l.gates[e].pass(now)
}

// pause is nil where no errand is paused; wherever one is, it says which.
func (l *lanes) pause() *Pause {
	bringing, asking := l.gates[bring].state(), l.gates[ask].state()
	switch {
	case bringing == nil && asking == nil:
		return nil
	case asking == nil:
		bringing.Only = PausedDelivering
		return bringing
	case bringing == nil:
		asking.Only = PausedFollowing
		return asking
	case asking.Next.Before(bringing.Next):
		bringing.Next = asking.Next
	}
	return bringing
}

// access is a token's way into one project of a portal: what is refused with
// 401, 403 or 404. It pauses at the first refusal, for the whole token where
// the answer may be about who asks (401, a project that is not there, no secret
// to be read), for one errand where it is about a right (403). A good answer
// ends no more of the pause than it disproves: where validating works, bringing
// a document may still be refused at its upload.
type access struct {
	secret func() uint64 // number of the secret in use, see Folder.SecretVersion; nil = never changes

	mu      sync.Mutex
	door    gate // of the token as a whole
	refused portal.Op
	lanes   lanes  // of its rights
	version uint64 // of the secret that was refused
}

func newAccess(spread func(time.Duration) time.Duration) *access {
	a := &access{door: gate{spread: spread}}
	a.lanes.spreadBy(spread)
	return a
}

// retime changes how long pauses last from now on.
func (a *access) retime(first, longest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.door.retime(first, longest)
	a.lanes.retime(first, longest)
}

// setSecret says how changes of the secret are noticed from now on.
func (a *access) setSecret(version func() uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secret = version
}

// enter asks for a way through for an errand, as gate.enter does.
func (a *access) enter(now time.Time, e errand) (ok bool, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ok, next = a.door.enter(now); !ok {
		return false, next
	}
	if ok, next = a.lanes.gates[e].enter(now); !ok {
		a.door.leave()
	}
	return ok, next
}

// enterAlso is enter for a visit that was let in and has another errand as well.
func (a *access) enterAlso(now time.Time, e errand) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok, _ := a.lanes.gates[e].enter(now)
	return ok
}

// leave ends a visit, whatever it found out about its token.
func (a *access) leave(e errand) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.door.leave()
	a.lanes.gates[e].leave()
}

// allowed reports that a call was let in. It returns how long there had been a
// pause if none is left now, else 0.
func (a *access) allowed(now time.Time, op portal.Op) (paused time.Duration) {
	e, step := errandOf(op)
	if step == 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	paused = max(a.lanes.pass(now, op), a.known(now, e, step))
	if a.pause() != nil {
		return 0
	}
	return paused
}

// known opens the door, since the portal knows the token. What it was shut for
// stays shut, unless it was this call or one before it.
func (a *access) known(now time.Time, e errand, step int) (paused time.Duration) {
	why := a.door.state()
	if why == nil {
		return 0
	}
	paused = a.door.pass(now)
	if about, at := errandOf(a.refused); about != e || at > step {
		a.lanes.steps[about] = at
		a.lanes.gates[about].shutFrom(why.Since, now, reason{why.Reason, why.Words}, about == e)
	}
	return paused
}

// deny reports that a call was refused; version is the number of the secret it
// was made with. It reports whether that is news.
func (a *access) deny(now time.Time, op portal.Op, pe *portal.Error, version uint64) (news bool) {
	e, step := errandOf(op)
	if step == 0 { // who may list is a matter of its own (portal-api §1.3)
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	news = a.pause() == nil
	a.version = version
	switch {
	case pe.StatusCode == 403: // the token is known and lacks the right
		a.known(now, e, step-1)
		a.lanes.gates[e].shut(now, reasonOf(pe), 0)
		a.lanes.steps[e] = step
	case a.lanes.gates[e].state() != nil:
		a.door.leave()
		a.lanes.gates[e].shut(now, reasonOf(pe), 0)
		a.lanes.steps[e] = step
	default:
		a.door.shut(now, reasonOf(pe), 0)
		a.refused = op
	}
	return news
}

// current is the number of the secret in use.
func (a *access) current() uint64 {
	a.mu.Lock()
	secret := a.secret
	a.mu.Unlock()
	if secret == nil {
		return 0
	}
	return secret() // may read a file: not under the lock
}

// renewed reports, once, that the secret is no longer the one that was refused,
// and lets the next document try it at once.
func (a *access) renewed(now time.Time) bool {
	current := a.current()
	a.mu.Lock()
	news := a.pause() != nil && current != a.version
	a.version = current
	a.mu.Unlock()
	if news {
		a.knock(now)
	}
	return news
}

// knock lets the next document of each errand try at once.
func (a *access) knock(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.door.knock(now)
	for e := range a.lanes.gates {
		a.lanes.gates[e].knock(now)
	}
}

// state is nil where nothing is paused.
func (a *access) state() *Pause {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pause()
}

func (a *access) pause() *Pause {
	if p := a.door.state(); p != nil {
		return p
	}
	return a.lanes.pause()
}

// reach is the way to a portal as all tokens share it: whether it is there and
// works. Each errand finds that out for itself.
type reach struct {
	mu    sync.Mutex
	lanes lanes
}

func (r *reach) enter(now time.Time, e errand) (ok bool, next time.Time) {
	return r.lanes.gates[e].enter(now)
}

// leave ends a visit, whatever it found.
func (r *reach) leave(e errand) { r.lanes.gates[e].leave() }

// pass reports a good answer; it returns how long the portal had been left
// alone if it is not any more, else 0.
func (r *reach) pass(now time.Time, op portal.Op) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	shut := r.lanes.pass(now, op)
	if r.lanes.pause() != nil {
		return 0
	}
	return shut
}

// fail reports a call that found the portal not working. It reports whether
// documents begin to wait for it.
func (r *reach) fail(now time.Time, op portal.Op, why reason) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	news = r.lanes.pause() == nil
	e, step := errandOf(op)
	r.lanes.steps[e] = step
	return r.lanes.gates[e].strike(now, why) && news
}

// rest leaves the portal alone, with everything, because it asks for it.
func (r *reach) rest(now time.Time, op portal.Op, why reason, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, step := errandOf(op)
	r.lanes.steps[e] = step
	for e := range r.lanes.gates {
		r.lanes.gates[e].shut(now, why, wait)
	}
}

func (r *reach) knock(now time.Time) {
	for e := range r.lanes.gates {
		r.lanes.gates[e].knock(now)
	}
}

func (r *reach) state() *Pause { return r.lanes.pause() }
