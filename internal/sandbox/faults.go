package sandbox

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
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

// Chaos scatters faults over all calls of the API: each number is the part of the requests (0 to 1) that meets that fault.
// Which ones is settled by Options.Seed, the operation and how manieth of its operation a request is, whatever else
// happens at the same time. The zero value does nothing.
type Chaos struct {
	Drop        float64 // ProcessThenDrop
	BadGateway  float64 // ProcessThenAnswer, 502
	Unavailable float64 // Answer, 503
	TooMany     float64 // Answer, 429, Retry-After 1 s
	Reset       float64 // Reset
	BrokenJSON  float64 // BrokenJSON
	Slow        float64 // Delay, up to MaxDelay
	// MaxDelay bounds Slow; 0: 2 s.
	MaxDelay time.Duration
}

// BadNeighbour is a Chaos under which a good client still delivers everything once: about one request in eight meets
// something.
func BadNeighbour() Chaos {
	return Chaos{Drop: 0.02, BadGateway: 0.02, Unavailable: 0.03, TooMany: 0.01, Reset: 0.02, BrokenJSON: 0.01, Slow: 0.02}
}

func (c Chaos) roll(seed uint64, x *exchange) (Fault, bool) {
	if c == (Chaos{}) || !x.route.api {
		return Fault{}, false
	}
	h := seed
	for _, b := range []byte(x.route.op) {
		h = mix(h + uint64(b))
	}
	h = mix(h + uint64(x.n))
	at := float64(h>>11) / (1 << 53)
	for _, possible := range []struct {
		part  float64
		fault Fault
	}{
		{c.Drop, Fault{Kind: ProcessThenDrop}},
		{c.BadGateway, Fault{Kind: ProcessThenAnswer, Status: http.StatusBadGateway}},
		{c.Unavailable, Fault{Kind: Answer, Status: http.StatusServiceUnavailable}},
		{c.TooMany, Fault{Kind: Answer, Status: http.StatusTooManyRequests, RetryAfter: time.Second}},
		{c.Reset, Fault{Kind: Reset}},
		{c.BrokenJSON, Fault{Kind: BrokenJSON}},
		{c.Slow, Fault{Kind: Delay, Delay: time.Duration(mix(h)%uint64(cmp.Or(max(c.MaxDelay, 0), 2*time.Second))) + 1}},
	} {
		if at < possible.part {
			return possible.fault, true
		}
		at -= possible.part
	}
	return Fault{}, false
}

// serveFault answers a request as its fault wants it.
func (s *Server) serveFault(x *exchange, f Fault) {
	x.fault = f.Kind
	switch f.Kind {
	case Hang, HangThenProcess, SlowBody: // their delay means something else
	default:
		if f.Delay > 0 && !x.sleep(f.Delay) {
			x.abort(errReset)
			return
		}
	}
	switch f.Kind {
	case Answer:
		x.send(x.faultAnswer(f, http.StatusServiceUnavailable))
	case Refuse:
		x.abort(errRefused)
	case Reset:
		x.abort(errReset)
	case Hang:
		x.body.prefetch(x.sw.MaxDocument)
		x.sleep(f.Delay)
		x.abort(io.EOF)
	case HTMLPage:
		x.send(answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: []byte(proxyPage)})
	case Redirect:
		x.send(answer{status: cmp.Or(f.Status, http.StatusFound), location: cmp.Or(f.Location, elsewhere+x.r.URL.RequestURI())})
	case ProcessThenDrop:
		s.perform(x)
		x.abort(io.EOF)
	case ProcessThenAnswer:
		s.perform(x)
		x.reason = ""
		x.send(x.faultAnswer(f, http.StatusBadGateway))
	case HangThenProcess:
		x.body.prefetch(x.sw.MaxDocument + 1)
		x.sleep(f.Delay)
		s.perform(x)
		x.abort(io.EOF)
	default:
		s.serveSpoiled(x, f)
	}
}

// serveSpoiled does what was asked for and spoils the answer.
func (s *Server) serveSpoiled(x *exchange, f Fault) {
	a := s.perform(x)
	switch f.Kind {
	case SlowBody:
		x.sendSlowly(a, cmp.Or(max(f.Delay, 0), time.Second))
		return
	case TruncatedBody:
		x.sendHalf(a)
		return
	case BrokenJSON:
		a.contentType = "application/json"
		a.body = append([]byte(`{"status":`), a.body[:len(a.body)/2]...)
	case NoLocation:
		a.location = ""
	case RelativeLocation:
		a.location = strings.TrimPrefix(a.location, x.origin())
	case ForeignLocation:
		if a.location != "" {
			a.location = cmp.Or(f.Location, elsewhere+strings.TrimPrefix(a.location, x.origin()))
		}
	}
	x.send(a)
}

const proxyPage = `<!DOCTYPE html><html><head><title>Aanmelden</title></head><body><h1>Aanmelden bij het netwerk</h1></body></html>`

// faultAnswer is the answer that a fault names.
func (x *exchange) faultAnswer(f Fault, status int) answer {
	a := x.fail(cmp.Or(f.Status, status), "injected")
	if f.Body != "" {
		a.body = []byte(f.Body)
	}
	if f.RetryAfter > 0 {
		text := strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10)
		if f.RetryAfterDate {
			text = time.Now().Add(f.RetryAfter).UTC().Format(http.TimeFormat)
		}
		a.set("Retry-After", text)
	}
	if len(f.Header) > 0 {
		if a.header == nil {
			a.header = make(http.Header)
		}
		maps.Copy(a.header, f.Header)
	}
	return a
}

// abort ends the connection without an answer. err is what an in-process client gets; on a socket errReset and errRefused
// reset the connection, and anything else closes it.
func (x *exchange) abort(err error) {
	x.record(0)
	if w, ok := x.w.(*memoryWriter); ok {
		w.drop(err)
		return
	}
	conn, _, hijackErr := http.NewResponseController(x.w).Hijack()
	if hijackErr != nil {
		panic(http.ErrAbortHandler)
	}
	if err != io.EOF {
		lingerless(conn)
	}
	conn.Close()
}

// lingerless makes closing a connection a reset.
func lingerless(conn net.Conn) {
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = wrapped.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // at worst the client sees an end instead of a reset
	}
}

// sendSlowly lets the body trickle.
func (x *exchange) sendSlowly(a answer, pause time.Duration) {
	x.record(a.status)
	piece := max(1, (len(a.body)+9)/10)
	x.writeHeader(a)
	if w, ok := x.w.(*memoryWriter); ok {
		w.pause, w.piece = pause, piece
		w.Write(a.body)
		return
	}
	flush := http.NewResponseController(x.w)
	for rest := a.body; len(rest) > 0; {
		_ = flush.Flush() // a writer that cannot flush is merely slow at the end
		if !x.sleep(pause) {
			return
		}
		n := min(piece, len(rest))
		if _, err := x.w.Write(rest[:n]); err != nil {
			return
		}
		rest = rest[n:]
	}
}

// sendHalf breaks off in the middle of the body; of an answer without a body nothing arrives.
func (x *exchange) sendHalf(a answer) {
	if len(a.body) == 0 {
		x.abort(io.EOF)
		return
	}
	x.record(a.status)
	x.writeHeader(a)
	half := a.body[:len(a.body)/2]
	if w, ok := x.w.(*memoryWriter); ok {
		w.Write(a.body)
		w.bad, w.cut = true, len(half)
		return
	}
	x.w.Write(half)
	_ = http.NewResponseController(x.w).Flush()
	panic(http.ErrAbortHandler)
}
