package registry

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is what a failure means.
type Kind string

const (
	// Unavailable: the services can't be reached, or do not work for the moment.
	Unavailable Kind = "unavailable"
	// RateLimited: 429. Wait RetryAfter, or a few seconds if that is zero.
	RateLimited Kind = "rate-limited"
	// Rejected: the service answered that it does not give what was asked for,
	// as a rule because there is no such object. Detail holds its words.
	Rejected Kind = "rejected"
	// NoService: no public service is known for objects of that type. Nothing was sent.
	NoService Kind = "no-service"
	// Unexpected: an answer that can't be read, or is far too large.
	Unexpected Kind = "unexpected"
	// Local: what was fetched could not be written here.
	Local Kind = "local"
	// Interrupted: the caller's context ended.
	Interrupted Kind = "interrupted"
)

// Error is what every method of a Client returns when it failed. All of them
// may be repeated, in time.
type Error struct {
	What       string // what was asked for: a BRO-ID, or the registrations of a data owner
	StatusCode int    // 0 if no answer came
	Kind       Kind
	RetryAfter time.Duration // of RateLimited and Unavailable; at most an hour
	Detail     string        // the service's own words, cleaned and bounded
	Err        error
}

// Error is one sentence.
func (e *Error) Error() string {
	parts := []string{"public BRO services: " + e.What}
	if e.StatusCode != 0 && e.Kind != Rejected {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode))))
	}
	parts = append(parts, e.meaning())
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) meaning() string {
	switch e.Kind {
	case Unavailable:
		return "not available; check network, firewall and proxy (HTTPS_PROXY), or try later"
	case RateLimited:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("too many requests, wait %s", e.RetryAfter.Round(time.Second))
		}
		return "too many requests, wait a while"
	case Rejected:
		return "not given"
	case NoService:
		return "no public service is known for this type; there are " + strings.Join(Types(), ", ")
	case Local:
		return "could not be written"
	case Interrupted:
		return "interrupted"
	default:
		return "answer not understood; check that portal.registry_url is the services themselves and no proxy or log-on page"
	}
}
