package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/queue"
	"brodaemon/internal/registry"
)

// This file looks delivered documents up in the public register, which anyone
// can see, apart from what the portal says (contract §2, portal-api §8). It
// begins when a document is filed and so never delays that; whatever it finds,
// nothing is ever delivered because of it. What is to be looked up, and when,
// stands in the queue.

// Registry is what the Worker asks of the public BRO services; [*registry.Client] is one.
type Registry interface {
	Object(ctx context.Context, typ, broID string) (registry.Object, error)
	Address() string
}

// Defaults of Policy.
const (
	confirmMax = 12 * time.Hour
	confirmFor = 7 * 24 * time.Hour
)

// confirm is the wait before a document is looked up again: it doubles the time
// since the outcome, between FollowFirst and ConfirmMax.
func (p Policy) confirm(age time.Duration) time.Duration {
	limit := p.ConfirmMax
	if limit == 0 {
		limit = confirmMax
	}
	return p.spread(min(max(age, p.FollowFirst), limit))
}

// confirmEnds says whether a document of this age is looked for no more.
func (p Policy) confirmEnds(age time.Duration) bool {
	limit := p.ConfirmFor
	if limit == 0 {
		limit = confirmFor
	}
	return age >= limit
}

// registerGate gives folders that ask the same services one gate. Its caller
// holds Worker.mu.
func (w *Worker) registerGate(r Registry) *gate {
	if r == nil {
		return nil
	}
	g := w.registers[r.Address()]
	if g == nil {
		g = &gate{spread: w.policy.spread}
		w.registers[r.Address()] = g
	}
	g.retime(w.policy.get().First, max(w.policy.get().Max, w.policy.get().First))
	return g
}

// awaitConfirmation is stored together with the filing of a document that the
// public register can be asked about.
func (w *Worker) awaitConfirmation(f *folder, it *queue.Item) []queue.Transition {
	if f.Registry == nil || it.State != queue.Delivered || it.BROID == "" || it.Portal != f.endpoint.Address {
		return nil
	}
	if _, served := registry.KnownType(it.Type); !served {
		return nil
	}
	now := time.Now()
	return []queue.Transition{queue.ConfirmAwaited(now, now.Add(w.policy.confirm(0)))}
}

// confirmSoon makes the folder's register be asked when something is due.
func (f *folder) confirmSoon() {
	select {
	case f.confirm <- struct{}{}:
	default:
	}
}

// confirmFolder looks up, one after another, what is due of a folder, until ctx
// ends, with the folder's settings as they then are. A share that blocks while
// a receipt is written holds up this folder only.
func (w *Worker) confirmFolder(ctx, calls context.Context, name string, soon chan struct{}) {
	for ctx.Err() == nil {
		var next time.Time
		if f := w.setup.Load().folders[name]; f != nil && f.Registry != nil && f.confirm == soon { // else the folder went, or went and came back
			next = w.confirmNext(calls, f)
		}
		if next.IsZero() {
			next = time.Now().Add(time.Hour) // it is woken before, if there is something
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
		case <-soon:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// confirmNext deals with the item that is due first, and says when there is
// something to do again (zero: nothing known).
func (w *Worker) confirmNext(ctx context.Context, f *folder) time.Time {
	now := time.Now()
	items, next, err := w.store.Due(f.Name, queue.LaneConfirm, now, 1, nil)
	if err != nil {
		w.journal.queueTrouble(err)
		return now.Add(w.policy.spread(w.policy.get().First))
	}
	if len(items) == 0 {
		return next
	}
	it := items[0]
	if !it.Confirm.Write && it.Portal != f.endpoint.Address {
		// the folder's portal was changed since: another register knows this document
		why := "it was delivered to " + it.Environment + ", and folder " + f.Name + " now has another portal and register"
		if _, err := w.store.Apply(it.ID, queue.ConfirmPostponed(now, now.Add(confirmMax), why)); err != nil {
			w.journal.notStored(&it, err)
			return now.Add(w.policy.spread(w.policy.get().First))
		}
		return now
	}
	if !it.Confirm.Write {
		ok, at := f.register.enter(now)
		if !ok && at.IsZero() { // another folder finds out whether the services are back
			at = now.Add(w.policy.spread(w.policy.get().First))
		}
		if !ok {
			return at
		}
	}
	if !w.confirmItem(ctx, f, it) {
		return now.Add(w.policy.spread(w.policy.get().First)) // not stored: not at once again
	}
	return now
}

// confirmItem looks one document up, or writes into its receipt that it was
// found. It reports whether what happened could be stored.
func (w *Worker) confirmItem(ctx context.Context, f *folder, it queue.Item) (stored bool) {
	keep := func(t queue.Transition) bool {
		after, err := w.store.Apply(it.ID, t)
		var te *queue.TransitionError
		switch {
		case errors.As(err, &te), errors.Is(err, queue.ErrNotFound): // it changed, or its time is over
			return true
		case err != nil:
			w.journal.notStored(&it, err)
			return false
		}
		it = after
		return true
	}
	if !it.Confirm.Write {
		t := w.lookInRegister(ctx, f, &it)
		if t == nil {
			return true // we are stopping: given back as it was
		}
		w.crash("register-answered")
		if !keep(*t) {
			return false
		}
		if it.Confirm == nil || !it.Confirm.Write {
			return true
		}
		w.crash("confirmed")
	}
	err := f.Archive.Amend(ctx, archive.Document{ID: it.ID.String(), SHA256: it.SHA256}, it.Beside, func(r *archive.Receipt) {
		r.Confirmed, r.Times.Confirmed = true, it.Times.Confirmed
	})
	now := time.Now()
	if err != nil {
		if ctx.Err() != nil {
			return true
		}
		return keep(queue.ConfirmPostponed(now, now.Add(w.policy.confirm(now.Sub(it.Times.Confirmed))), err.Error()))
	}
	w.crash("receipt-amended")
	return keep(queue.ConfirmEnded(now))
}

// lookInRegister asks about one document and says what that means for it; nil
// when it was interrupted.
func (w *Worker) lookInRegister(ctx context.Context, f *folder, it *queue.Item) *queue.Transition {
	o, err := f.Registry.Object(ctx, it.Type, it.BROID)
	now := time.Now()
	age := now.Sub(it.Times.Settled)
	var fault *registry.Error
	if err != nil && !errors.As(err, &fault) {
		fault = &registry.Error{What: it.BROID, Kind: registry.Unavailable, Err: err}
	}
	miss := func(why string, words queue.Words) *queue.Transition {
		f.register.pass(now)
		next := time.Time{}
		if !w.policy.confirmEnds(age) {
			next = now.Add(w.policy.confirm(age))
		}
		t := queue.NotConfirmed(now, next, why).Saying(words)
		return &t
	}
	if fault == nil {
		if why, words := notAsDelivered(it, o, now); why != "" {
			return miss(why, words)
		}
		f.register.pass(now)
		t := queue.Confirmed(now, o.Status+" at "+f.Registry.Address()).Saying(queue.Say(SayConfirmed, o.Status, f.Registry.Address()))
		return &t
	}
	switch fault.Kind {
	case registry.Interrupted:
		f.register.leave()
		return nil
	case registry.Rejected, registry.Unexpected: // the services answer; it is about this object
		return miss(fault.Error(), registerWords(fault))
	case registry.NoService:
		f.register.leave()
		t := queue.ConfirmEnded(now)
		return &t
	case registry.RateLimited:
		f.register.shut(now, reason{text: fault.Error()}, fault.RetryAfter)
	default:
		f.register.strike(now, reason{text: fault.Error()})
	}
	// it goes behind the others, so that one object that can't be had (a large
	// one, for which the services take too long) does not keep the rest waiting
	t := queue.ConfirmPostponed(now, now.Add(w.policy.confirm(age)), fault.Error())
	return &t
}

// clockSlack is how much earlier than our own note of the delivery, by the
// register's clock, its history may have moved: both have whole seconds only.
const clockSlack = 2 * time.Second

// notAsDelivered says in what the register's object is not what was delivered;
// "" if it is. A new object must be there, for the party that the document
// names. Of any other, the history must have moved since the delivery.
func notAsDelivered(it *queue.Item, o registry.Object, now time.Time) (why string, words queue.Words) {
	if o.Deregistered {
		return "the public register says that " + it.BROID + " was taken out of the register (uit registratie genomen)", queue.Say(SayDeregistered, it.BROID)
	}
	if it.NewObject {
		if it.AccountableParty != "" && o.Party != "" && o.Party != it.AccountableParty {
			return fmt.Sprintf("the public register has %s for accountable party %s, and the document names %s", it.BROID, o.Party, it.AccountableParty), queue.Say(SayOtherParty, it.BROID, o.Party, it.AccountableParty)
		}
		return "", nil
	}
	// the delivery, by the register's clock
	delivered := it.Times.Submitted.Add(o.Asked.Sub(now)).Add(-clockSlack)
	last := o.Registered
	for _, t := range []time.Time{o.LastAddition, o.LastCorrection, o.Completed} {
		if t.After(last) {
			last = t
		}
	}
	if last.Before(delivered) {
		return fmt.Sprintf("the public register has %s, but its history has not moved since the delivery at %s (last: %s)",
			it.BROID, it.Times.Submitted.Format(time.RFC3339), last.UTC().Format(time.RFC3339)), queue.Say(SayNotMoved, it.BROID, stamp(it.Times.Submitted), stamp(last))
	}
	return "", nil
}
