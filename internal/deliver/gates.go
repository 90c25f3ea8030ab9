package deliver

import (
	"errors"
	"time"

	"golang.org/x/time/rate"

	"brodaemon/internal/portal"
)

// asPortalError makes any failure of a step a *portal.Error; what did not come
// from the portal is a fault on our side.
func asPortalError(err error) *portal.Error {
	var pe *portal.Error
	if errors.As(err, &pe) {
		return pe
	}
	return &portal.Error{Kind: portal.Local, Err: err}
}

// told is what people are told of a failure: what went wrong, and what to do.
func told(pe *portal.Error) string {
	if hint := pe.Hint(); hint != "" {
		return pe.Error() + ". What to do: " + hint
	}
	return pe.Error()
}

// passed: the portal answered a call of this token properly.
func (v *visit) passed(op portal.Op) {
	now := time.Now()
	v.portalAnswered(now, op)
	if paused := v.f.access.allowed(now, op); paused > 0 {
		v.w.journal.tokenBack(v.f, paused)
	}
	v.f.endpoint.speedUp()
}

// portalAnswered: the portal works, whatever it said.
func (v *visit) portalAnswered(now time.Time, op portal.Op) {
	if shut := v.f.endpoint.reach.pass(now, op); shut > 0 {
		v.w.journal.portalBack(v.f.endpoint, shut)
	}
}

// tellGates reports an unsuccessful call: to the portal's gates whether it
// works, to the token's access whether it was let in.
func (v *visit) tellGates(pe *portal.Error) {
	now := time.Now()
	e := v.f.endpoint
	switch pe.Kind {
	case portal.Local, portal.Interrupted:
	case portal.Unavailable, portal.Unexpected:
		// what can't be read is mostly said by something in the portal's place, and then to every document
		if pe.RetryAfter > 0 {
			e.reach.rest(now, pe.Op, reasonOf(pe), pe.RetryAfter)
		} else if e.reach.fail(now, pe.Op, reasonOf(pe)) {
			v.w.journal.portalDown(e, pe)
		}
	case portal.RateLimited:
		e.limiter.SetLimit(max(min(e.limiter.Limit(), unlimited)/2, 0.2))
		e.reach.rest(now, pe.Op, reasonOf(pe), pe.RetryAfter)
	case portal.Unauthorized:
		if pe.StatusCode != 0 { // else nothing was sent
			v.portalAnswered(now, pe.Op)
		}
		if v.f.access.deny(now, pe.Op, pe, v.secret) {
			v.w.journal.tokenPaused(v.f, pe)
			select {
			case v.w.refused <- struct{}{}:
			default:
			}
		}
	default: // the portal answered, and not about who asks
		v.passed(pe.Op)
	}
}

// unlimited is what a portal without a limit of ours is taken to bear when it
// says that it is too much.
const unlimited rate.Limit = 20

// leaveGates ends a visit: if it tried whether a pause is over and did not find
// out, the next one may.
func (v *visit) leaveGates() {
	v.f.endpoint.reach.leave(v.errand)
	v.f.access.leave(v.errand)
}
