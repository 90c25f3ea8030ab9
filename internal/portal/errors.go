package portal

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Op names an act of the portal, in metrics and errors.
type Op string

const (
	OpValidate           Op = "validate"
	OpOpenUpload         Op = "open_upload"
	OpAddSourceDocument  Op = "add_source_document"
	OpSubmit             Op = "submit"
	OpDelivery           Op = "delivery"
	OpDeliveriesAwaiting Op = "deliveries_awaiting"
	OpProjects           Op = "projects"
	OpSourceDocument     Op = "source_document"
	OpTransactions       Op = "transactions"
	OpAddNote            Op = "add_note"
	OpAttach             Op = "attach"
)

// String is the name in words.
func (op Op) String() string { return strings.ReplaceAll(string(op), "_", " ") }

// carriesDocument says whether a refusal of the request can be about a document.
func (op Op) carriesDocument() bool {
	return op == OpValidate || op == OpAddSourceDocument || op == OpSubmit
}

// Kind is what a failure means, and so what can be done about it.
type Kind string

const (
	// Unavailable: the portal cannot be reached or does not work for the
	// moment: network, DNS, TLS, time-out, 408, 5xx, a maintenance page in the
	// place of an answer. Also a proxy that wants a sign-on (407). Says nothing
	// about the document.
	Unavailable Kind = "unavailable"
	// RateLimited: 429. Wait RetryAfter, or a while if that is zero.
	RateLimited Kind = "rate-limited"
	// Unauthorized: the token may not do this: 401, 403, or a project that the
	// portal does not know or show (404). With StatusCode 0 the token's secret
	// could not be read here and nothing was sent. Says nothing about the document.
	Unauthorized Kind = "unauthorized"
	// Gone: the upload, delivery or document is not there (any more): 404, 410.
	Gone Kind = "gone"
	// Conflict: 409 from Submit or AddSourceDocument: that upload has been
	// delivered already. This request did nothing, but an earlier one did.
	Conflict Kind = "conflict"
	// Refused: the portal understood and does not want this document: 400, 413,
	// 415, 422 and most other 4xx of the calls that carry or submit one.
	Refused Kind = "refused"
	// Unexpected: an answer that cannot be read, or that would have us go
	// elsewhere: broken JSON, no Location, a redirect, another host, a status
	// that makes no sense for the call.
	Unexpected Kind = "unexpected"
	// Local: the fault is on our side: the document cannot be read or has
	// another size than announced, an id is none. It says nothing about the portal.
	Local Kind = "local"
	// Interrupted: the caller's context ended. Err wraps its cause.
	Interrupted Kind = "interrupted"
)

// Error is what every method of a Client returns when the act failed, or may
// have. Its text holds no secret.
type Error struct {
	Op Op
	// StatusCode of the answer, 0 if none came.
	StatusCode int
	Kind       Kind
	// RetryAfter is how long the portal asks to be left alone, at most an hour;
	// 0 if it did not say.
	RetryAfter time.Duration
	// MaybeDone says that the portal may have carried out the request although
	// no clear answer came. It is false only where that is certain: nothing was
	// sent, or the answer was a clear no (4xx but 408). What leaves it in doubt
	// makes it true: an error after something was sent, every 5xx, a redirect, a
	// 2xx that cannot be read.
	MaybeDone bool
	// Detail is in the portal's own words, without control characters and
	// bounded, or empty.
	Detail string
	// Err is the cause, or nil when the answer itself says it all.
	Err error
}

// Error is one sentence: the act, the answer, what it means, the details.
func (e *Error) Error() string {
	parts := []string{e.Op.String()}
	if e.StatusCode != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode))))
	}
	parts = append(parts, e.meaning())
	if e.Detail != "" && e.Detail != http.StatusText(e.StatusCode) { // which was said
		parts = append(parts, e.Detail)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	s := strings.Join(parts, ": ")
	if e.MaybeDone && e.Op == OpSubmit {
		s += "; the delivery may have been made all the same"
	}
	if e.MaybeDone && e.Op.enriches() {
		s += "; it may have been added all the same"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// meaning says in a few words what went wrong.
func (e *Error) meaning() string {
	switch e.Kind {
	case Unavailable:
		return "portal not available"
	case RateLimited:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("too many requests, wait %s", e.RetryAfter.Round(time.Second))
		}
		return "too many requests"
	case Unauthorized:
		switch e.StatusCode {
		case 0:
			return "no secret to sign on with"
		case http.StatusForbidden:
			return "the token has no right to this"
		case http.StatusNotFound, http.StatusGone:
			return "no such project for this token"
		default:
			return "sign-on refused"
		}
	case Gone:
		switch e.Op {
		case OpAddSourceDocument, OpSubmit:
			return "the portal does not have this upload"
		case OpDelivery:
			return "the portal does not have this delivery"
		case OpAddNote, OpAttach:
			return "the portal does not have this delivery or document"
		default:
			return "the portal does not have this document"
		}
	case Conflict:
		return "the upload has been delivered already"
	case Refused:
		return "refused by the portal"
	case Local:
		return "could not be sent from here"
	case Interrupted:
		return "interrupted"
	default:
		return "answer not understood"
	}
}

// Hint says what a person can do, in a sentence; empty if there is nothing.
func (e *Error) Hint() string {
	if hint := e.enrichmentHint(); hint != "" {
		return hint
	}
	switch e.Kind {
	case Unavailable:
		return e.networkHint()
	case RateLimited:
		return "wait a little; if this goes on, lower portal.requests_per_second"
	case Unauthorized:
		switch e.StatusCode {
		case 0:
			return "make the token's secret readable for the account that brodaemon runs under (tokens[].password_file), or store it with `brodaemon token set`"
		case http.StatusNotFound, http.StatusGone:
			return "check the folder's project number, portal.environment, and that the token belongs to that project"
		case http.StatusForbidden:
			return "the portal knows the token but gives it no right to this: find out with `brodaemon token test` which kind of token it is, and whether the data owner's authorisation (machtiging) for the project is in force"
		default:
			return "check the token's user name and secret, the project's number, that the token belongs to this environment, and that the data owner's authorisation (machtiging) for the project is in force and the project open"
		}
	case Gone:
		if e.Op == OpDelivery {
			return "ask the data owner (bronhouder) whether the delivery was deleted at the portal"
		}
		return ""
	case Conflict:
		return "look up the delivery of this upload at the portal and resolve the document with its number; do not deliver it anew"
	case Refused:
		return "correct the document as the portal's words say and save it again"
	case Local:
		return "check the disk of the data folder and that nothing else changes the files in it"
	case Unexpected:
		if e.StatusCode/100 == 3 {
			return "put the portal's final address in portal.url, and check that no proxy or log-on page answers in its place"
		}
		return "check that portal.url is the portal itself and no proxy or log-on page; if it is, the portal may have changed: report this message"
	default:
		return ""
	}
}

func (e *Error) networkHint() string {
	var dns *net.DNSError
	switch {
	case untrusted(e.Err):
		return "the portal's certificate is not trusted here: if the network inspects TLS traffic, put the inspecting authority's certificate in portal.ca_file; else check the address and this machine's clock"
	case errors.As(e.Err, &dns) && dns.IsNotFound:
		return "the host name cannot be found: check portal.url and the name servers of this machine"
	case e.StatusCode == http.StatusProxyAuthRequired:
		return "the proxy wants a sign-on: put user name and password in HTTPS_PROXY, or have the portal's address excepted"
	case e.StatusCode == 0:
		return "check network, firewall and proxy (HTTPS_PROXY); it may also be the portal"
	default:
		return "wait a little; if it lasts, see whether the portal reports maintenance"
	}
}
