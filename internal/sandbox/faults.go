package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A FaultKind is one way of misbehaving. "Done" means that the portal did what it was asked for.
type FaultKind string

const (
	// Delay waits Fault.Delay and then answers as ever.
	Delay FaultKind = "delay"

	// Answer gives Fault.Status (503) and Fault.Body without doing anything.
	Answer FaultKind = "answer"
	// Refuse is a connection refused. A real socket has been accepted by the time a handler knows of it, so there it is Reset.
	Refuse FaultKind = "refuse"
	// Reset resets the connection without doing anything.
	Reset FaultKind = "reset"
	// Hang takes the request and is silent for Fault.Delay, or until the client gives up; nothing is done.
	Hang FaultKind = "hang"
	// HTMLPage answers 200 with a page such as a proxy shows; nothing is done.
	HTMLPage FaultKind = "html"
	// Redirect answers 302 (or Fault.Status) with Fault.Location, another host if that is empty; nothing is done.
	Redirect FaultKind = "redirect"

	// ProcessThenDrop is done, then the connection ends without an answer.
	ProcessThenDrop FaultKind = "process-then-drop"
	// ProcessThenAnswer is done, then answered with Fault.Status (502) and Fault.Body.
	ProcessThenAnswer FaultKind = "process-then-answer"
	// HangThenProcess is silent for Fault.Delay, or until the client gives up; then it is done, and the connection ends
	// without an answer.
	HangThenProcess FaultKind = "hang-then-process"
	// SlowBody is done; the body of the answer comes in ten pieces with Fault.Delay (1 s) before each.
	SlowBody FaultKind = "slow-body"
	// TruncatedBody is done; the connection ends in the middle of the answer.
	TruncatedBody FaultKind = "truncated-body"
	// BrokenJSON is done; the body of the answer is whole by its length, but no JSON.
	BrokenJSON FaultKind = "broken-json"
	// NoLocation is done; the answer has no Location.
	NoLocation FaultKind = "no-location"
	// RelativeLocation is done; Location has neither scheme nor host.
	RelativeLocation FaultKind = "relative-location"
	// ForeignLocation is done; Location names another host, or is Fault.Location.
	ForeignLocation FaultKind = "foreign-location"
)

// faultKinds lists them for ParseFault.
var faultKinds = []FaultKind{
	Delay, Answer, Refuse, Reset, Hang, HTMLPage, Redirect, ProcessThenDrop, ProcessThenAnswer, HangThenProcess,
	SlowBody, TruncatedBody, BrokenJSON, NoLocation, RelativeLocation, ForeignLocation,
}

// elsewhere is a host that nobody has (RFC 2606).
const elsewhere = "http://portal.invalid"

// A Fault is misbehaviour at some requests. Over a socket, Go's own client sends a GET a second time by itself when a
// connection that it used before breaks; such a request meets a fault twice.
type Fault struct {
	Op    Op // which requests; empty: all
	Kind  FaultKind
	Times int // how many of them; 0: one, negative: all until it is removed
	After int // how many of them pass unharmed first

	Delay    time.Duration // see the kinds; before any other kind it is waited as well
	Status   int           // see the kinds
	Body     string        // empty: what the portal would say with that status
	Header   http.Header   // added to an Answer or ProcessThenAnswer
	Location string        // see the kinds

	// RetryAfter adds that header to an Answer or ProcessThenAnswer; in whole seconds, or as a date with RetryAfterDate.
	RetryAfter     time.Duration
	RetryAfterDate bool

	// If restricts the fault to requests for which it is true. It must neither read the body nor call the Server.
	If func(*http.Request) bool
}

// ParseFault reads a fault from text: the operation ("any" for all) and the kind, then more behind colons, in any order:
//
//	submit:process-then-drop
//	validate:answer:status=429:retry-after=5s:times=3
//	any:delay:delay=2s:times=-1
//	add-document:answer:status=503:after=2
//	open-upload:redirect:status=307
//
// The parts are those of Fault: times, after, status, delay, body, retry-after (in seconds on the wire) and retry-after-date
// (as a date on the wire); body can hold no colon.
func ParseFault(text string) (Fault, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 {
		return Fault{}, fmt.Errorf("parse fault %q: want operation:kind, for example submit:process-then-drop", text)
	}
	f := Fault{Op: Op(parts[0]), Kind: FaultKind(parts[1])}
	if f.Op == "any" {
		f.Op = ""
	} else if !slices.Contains(ops, f.Op) {
		return Fault{}, fmt.Errorf("parse fault %q: no operation %q; there are any, %s", text, f.Op, join(ops))
	}
	if !slices.Contains(faultKinds, f.Kind) {
		return Fault{}, fmt.Errorf("parse fault %q: no kind %q; there are %s", text, f.Kind, join(faultKinds))
	}
	for _, part := range parts[2:] {
		name, value, _ := strings.Cut(part, "=")
		if err := f.set(name, value); err != nil {
			return Fault{}, fmt.Errorf("parse fault %q: %w", text, err)
		}
	}
	return f, nil
}

func (f *Fault) set(name, value string) (err error) {
	switch name {
	case "times":
		f.Times, err = strconv.Atoi(value)
	case "after":
		f.After, err = strconv.Atoi(value)
	case "status":
		if f.Status, err = strconv.Atoi(value); err == nil && (f.Status < 200 || f.Status > 599) {
			err = fmt.Errorf("status %d is not between 200 and 599", f.Status)
		}
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "retry-after":
		f.RetryAfter, err = time.ParseDuration(value)
	case "retry-after-date":
		f.RetryAfter, err = time.ParseDuration(value)
		f.RetryAfterDate = true
	case "body":
		f.Body = value
	default:
		err = fmt.Errorf("no part %q; there are times, after, status, delay, retry-after, retry-after-date, body", name)
	}
	return err
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// faultList is the faults that wait for their request, in the order in which they were injected.
type faultList struct {
	mu   sync.Mutex
	list []*pendingFault
}

type pendingFault struct {
	Fault
	left int // negative: for ever
	skip int
}

// Inject plants a fault. The first planted one that fits a request is used; a fault that has been used up is gone. The
// returned function removes it before that; it may be called more than once.
func (s *Server) Inject(f Fault) (remove func()) {
	pending := &pendingFault{Fault: f, left: cmp.Or(f.Times, 1), skip: f.After}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, pending)
	return func() {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.remove(pending)
	}
}

// ClearFaults removes all injected faults. Chaos goes on.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

func (l *faultList) remove(f *pendingFault) {
	if i := slices.Index(l.list, f); i >= 0 {
		l.list = slices.Delete(l.list, i, i+1)
	}
}

// nextFault gives the fault of this request, if it has one. The page and the managing calls are spared unless named.
func (s *Server) nextFault(x *exchange) (Fault, bool) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	for _, f := range s.faults.list {
		switch {
		case f.Op != x.route.op && (f.Op != "" || x.route.op == OpPage || x.route.op == OpManage):
		case f.If != nil && !f.If(x.r):
		case f.skip > 0:
			f.skip--
		default:
			if f.left > 0 {
				if f.left--; f.left == 0 {
					s.faults.remove(f)
				}
			}
			return f.Fault, true
		}
	}
	return s.chaos.roll(s.seed, x)
}
