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
	status, said := e.Answer()
	if status != "" {
		parts = append(parts, status)
	}
	parts = append(parts, e.meaning())
	if said != "" {
		parts = append(parts, said)
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

// Meaning is a fixed word for what went wrong; texts in other languages hang on it.
type Meaning string

const (
	MeansUnavailable Meaning = "unavailable"
	MeansTooMany     Meaning = "too-many"
	MeansNoSecret    Meaning = "no-secret"
	MeansNoRight     Meaning = "no-right"
	MeansNoProject   Meaning = "no-project"
	MeansSignOn      Meaning = "sign-on"
	MeansNoUpload    Meaning = "no-upload"
	MeansNoDelivery  Meaning = "no-delivery"
	MeansNotToEnrich Meaning = "not-to-enrich"
	MeansNoDocument  Meaning = "no-document"
	MeansDelivered   Meaning = "delivered-already"
	MeansRefused     Meaning = "refused"
	MeansLocal       Meaning = "local"
	MeansInterrupted Meaning = "interrupted"
	MeansUnclear     Meaning = "not-understood"
)

var meanings = map[Meaning]string{
	MeansUnavailable: "portal not available",
	MeansTooMany:     "too many requests",
	MeansNoSecret:    "no secret to sign on with",
	MeansNoRight:     "the token has no right to this",
	MeansNoProject:   "no such project for this token",
	MeansSignOn:      "sign-on refused",
	MeansNoUpload:    "the portal does not have this upload",
	MeansNoDelivery:  "the portal does not have this delivery",
	MeansNotToEnrich: "the portal does not have this delivery or document",
	MeansNoDocument:  "the portal does not have this document",
	MeansDelivered:   "the upload has been delivered already",
	MeansRefused:     "refused by the portal",
	MeansLocal:       "could not be sent from here",
	MeansInterrupted: "interrupted",
	MeansUnclear:     "answer not understood",
}

// meaning says in a few words what went wrong.
func (e *Error) meaning() string {
	if e.Kind == RateLimited && e.RetryAfter > 0 {
		return fmt.Sprintf("%s, wait %s", meanings[MeansTooMany], e.RetryAfter.Round(time.Second))
	}
	return meanings[e.Meaning()]
}

// Meaning is what went wrong.
func (e *Error) Meaning() Meaning {
	switch e.Kind {
	case Unavailable:
		return MeansUnavailable
	case RateLimited:
		return MeansTooMany
	case Unauthorized:
		switch e.StatusCode {
		case 0:
			return MeansNoSecret
		case http.StatusForbidden:
			return MeansNoRight
		case http.StatusNotFound, http.StatusGone:
			return MeansNoProject
		default:
			return MeansSignOn
		}
	case Gone:
		switch e.Op {
		case OpAddSourceDocument, OpSubmit:
			return MeansNoUpload
		case OpDelivery:
			return MeansNoDelivery
		case OpAddNote, OpAttach:
			return MeansNotToEnrich
		default:
			return MeansNoDocument
		}
	case Conflict:
		return MeansDelivered
	case Refused:
		return MeansRefused
	case Local:
		return MeansLocal
	case Interrupted:
		return MeansInterrupted
	default:
		return MeansUnclear
	}
}

// Answer is the answer's status ("503 Service Unavailable") and what the portal
// said beyond that, in its own words; each may be "".
func (e *Error) Answer() (status, said string) {
	if e.StatusCode != 0 {
		status = strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode)))
	}
	if e.Detail != http.StatusText(e.StatusCode) {
		said = e.Detail
	}
	return status, said
}

// Advice is a fixed word for what a person can do, as [Meaning] is; "" if there is nothing.
type Advice string

const (
	AdviseSlower        Advice = "slower"
	AdviseSecret        Advice = "secret"
	AdviseProject       Advice = "project"
	AdviseRight         Advice = "right"
	AdviseToken         Advice = "token"
	AdviseDeleted       Advice = "deleted"
	AdviseResolve       Advice = "resolve"
	AdviseCorrect       Advice = "correct"
	AdviseDisk          Advice = "disk"
	AdviseRedirect      Advice = "redirect"
	AdviseAddress       Advice = "address"
	AdviseCertificate   Advice = "certificate"
	AdviseName          Advice = "name"
	AdviseProxy         Advice = "proxy"
	AdviseNetwork       Advice = "network"
	AdviseMaintenance   Advice = "maintenance"
	AdviseMaybeEnriched Advice = "maybe-enriched"
	AdviseEnrichToken   Advice = "enrich-token"
	AdviseEnrichNumber  Advice = "enrich-number"
	AdviseEnrichRefused Advice = "enrich-refused"
	AdviseEnrichLocal   Advice = "enrich-local"
)

var advices = map[Advice]string{
	AdviseSlower:        "wait a little; if this goes on, lower portal.requests_per_second",
	AdviseSecret:        "make the token's secret readable for the account that brodaemon runs under (tokens[].password_file), or store it with `brodaemon token set`",
	AdviseProject:       "check the folder's project number, portal.environment, and that the token belongs to that project",
	AdviseRight:         "the portal knows the token but gives it no right to this: find out with `brodaemon token test` which kind of token it is, and whether the data owner's authorisation (machtiging) for the project is in force",
	AdviseToken:         "check the token's user name and secret, the project's number, that the token belongs to this environment, and that the data owner's authorisation (machtiging) for the project is in force and the project open",
	AdviseDeleted:       "ask the data owner (bronhouder) whether the delivery was deleted at the portal",
	AdviseResolve:       "look up the delivery of this upload at the portal and resolve the document with its number; do not deliver it anew",
	AdviseCorrect:       "correct the document as the portal's words say and save it again",
	AdviseDisk:          "check the disk of the data folder and that nothing else changes the files in it",
	AdviseRedirect:      "put the portal's final address in portal.url, and check that no proxy or log-on page answers in its place",
	AdviseAddress:       "check that portal.url is the portal itself and no proxy or log-on page; if it is, the portal may have changed: report this message",
	AdviseCertificate:   "the portal's certificate is not trusted here: if the network inspects TLS traffic, put the inspecting authority's certificate in portal.ca_file; else check the address and this machine's clock",
	AdviseName:          "the host name cannot be found: check portal.url and the name servers of this machine",
	AdviseProxy:         "the proxy wants a sign-on: put user name and password in HTTPS_PROXY, or have the portal's address excepted",
	AdviseNetwork:       "check network, firewall and proxy (HTTPS_PROXY); it may also be the portal",
	AdviseMaintenance:   "wait a little; if it lasts, see whether the portal reports maintenance",
	AdviseMaybeEnriched: "it may have been added all the same: look at the delivery in the portal before you repeat it",
	AdviseEnrichToken:   "notes and files need an enrichment token (verrijkingstoken), which staff of the data owner (bronhouder) make in the portal; this token is of another kind, or has no right to the project",
	AdviseEnrichNumber:  "check the number and the project; the data owner (bronhouder) may have deleted the delivery",
	AdviseEnrichRefused: "see the portal's words; the delivery itself is as it was",
	AdviseEnrichLocal:   "see what is said of the note or file; nothing was sent",
}

// Hint says what a person can do, in a sentence; empty if there is nothing.
func (e *Error) Hint() string { return advices[e.Advice()] }

// Advice is what a person can do.
func (e *Error) Advice() Advice {
	if hint := e.enrichmentAdvice(); hint != "" {
		return hint
	}
	switch e.Kind {
	case Unavailable:
		return e.networkAdvice()
	case RateLimited:
		return AdviseSlower
	case Unauthorized:
		switch e.StatusCode {
		case 0:
			return AdviseSecret
		case http.StatusNotFound, http.StatusGone:
			return AdviseProject
		case http.StatusForbidden:
			return AdviseRight
		default:
			return AdviseToken
		}
	case Gone:
		if e.Op == OpDelivery {
			return AdviseDeleted
		}
		return ""
	case Conflict:
		return AdviseResolve
	case Refused:
		return AdviseCorrect
	case Local:
		return AdviseDisk
	case Unexpected:
		if e.StatusCode/100 == 3 {
			return AdviseRedirect
		}
		return AdviseAddress
	default:
		return ""
	}
}

func (e *Error) networkAdvice() Advice {
	var dns *net.DNSError
	switch {
	case untrusted(e.Err):
		return AdviseCertificate
	case errors.As(e.Err, &dns) && dns.IsNotFound:
		return AdviseName
	case e.StatusCode == http.StatusProxyAuthRequired:
		return AdviseProxy
	case e.StatusCode == 0:
		return AdviseNetwork
	default:
		return AdviseMaintenance
	}
}
