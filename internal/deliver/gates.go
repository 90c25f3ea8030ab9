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
	if limit := e.limiter.Limit(); limit < e.full {
		e.limiter.SetLimit(min(e.full, limit*1.02)) // back to full speed over some fifty answers
	}
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
			e.gate.shut(now, pe.Error(), pe.RetryAfter)
		} else if e.gate.strike(now, pe.Error()) {
			v.w.journal.portalDown(e, pe)
		}
	case portal.RateLimited:
		v.f.token.leave()
		e.limiter.SetLimit(max(e.limiter.Limit()/2, 0.2))
		if e.full == rate.Inf && e.limiter.Limit() == rate.Inf {
			e.limiter.SetLimit(10)
		}
		e.gate.shut(now, pe.Error(), pe.RetryAfter)
	case portal.Unauthorized:
		e.gate.pass(now)
		if v.f.token.shut(now, pe.Error(), 0) {
			v.w.journal.tokenPaused(v.f, pe)
		}
	default: // the portal answered, and not about who asks
		v.passed()
	}
}

// leaveGates ends a visit that asked nothing.
func (v *visit) leaveGates() {
	if !v.answered {
		v.f.endpoint.gate.leave()
		v.f.token.leave()
	}
}
