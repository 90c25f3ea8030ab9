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

// passed: the portal answered this token properly.
func (v *visit) passed() {
	v.answered = true
	now := time.Now()
	if shut := v.f.endpoint.gate.pass(now); shut > 0 {
		v.w.journal.portalBack(v.f.endpoint, shut)
	}
	if shut := v.f.token.pass(now); shut > 0 {
		v.w.journal.tokenBack(v.f, shut)
	}
	e := v.f.endpoint
	e.speedUp()
}

// tellGates reports an unsuccessful call: to the portal's gate whether it could
// be reached, to the token's whether it was let in.
func (v *visit) tellGates(pe *portal.Error) {
	v.answered = true
	now := time.Now()
	e := v.f.endpoint
	switch pe.Kind {
	case portal.Local, portal.Interrupted:
		e.gate.leave()
		v.f.token.leave()
	case portal.Unavailable:
		v.f.token.leave()
		if pe.RetryAfter > 0 {
			e.gate.shut(now, told(pe), pe.RetryAfter)
		} else if e.gate.strike(now, told(pe)) {
			v.w.journal.portalDown(e, pe)
		}
	case portal.RateLimited:
		v.f.token.leave()
		e.limiter.SetLimit(max(min(e.limiter.Limit(), unlimited)/2, 0.2))
		e.gate.shut(now, told(pe), pe.RetryAfter)
	case portal.Unauthorized:
		e.gate.pass(now)
		if v.f.token.shut(now, told(pe), 0) {
			v.w.journal.tokenPaused(v.f, pe)
		}
	default: // the portal answered, and not about who asks
		v.passed()
	}
}

// unlimited is what a portal without a limit of ours is taken to bear when it
// says that it is too much.
const unlimited rate.Limit = 20

// leaveGates ends a visit that asked nothing.
func (v *visit) leaveGates() {
	if !v.answered {
		v.f.endpoint.gate.leave()
		v.f.token.leave()
	}
}
