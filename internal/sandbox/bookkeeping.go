package sandbox

import (
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// A Request is what the log remembers of one request. It holds no header and no credential.
type Request struct {
	N       int // counted from 1 over all requests; later requests have higher numbers, gaps are possible
	At      time.Time
	Took    time.Duration
	Method  string
	Path    string // as sent, without the query
	Query   string
	Op      Op
	OpN     int // how manieth of its operation
	Project int // 0: none in the path

	BodySize   int64  // bytes read of the body; less than sent where the answer did not depend on it
	BodySHA256 string // of those bytes, in hex; empty when there were none
	Body       []byte // only with Options.LogBodies; not to be changed

	// Status is what was sent; 0 when the connection ended without an answer.
	Status int
	// Processed is the status the work came to; 0 when a fault kept it from being done. The two differ where a fault hid
	// the outcome from the client.
	Processed int
	// Fault is what was injected; empty for none.
	Fault FaultKind
	// Reason says, for people, why the request was refused.
	Reason string
}

// books are the counts and the log. They have their own lock, so that a record never waits for the portal's work.
type books struct {
	logBodies bool
	limit     int

	mu     sync.Mutex
	counts map[Op]int
	total  int
	ring   []Request // the newest limit requests; ring[next] is the oldest once it is full
	next   int
}

func newBooks(o Options) books {
	limit := bounded(int64(o.LogSize), defaultLogSize)
	return books{logBodies: o.LogBodies, limit: int(min(limit, math.MaxInt32)), counts: make(map[Op]int)}
}

func (b *books) count(op Op) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[op]++
	return b.counts[op]
}

func (b *books) add(r Request) Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	r.N = b.total
	if len(b.ring) < b.limit {
		b.ring = append(b.ring, r)
		return r
	}
	b.ring[b.next] = r
	b.next = (b.next + 1) % b.limit
	return r
}

// record enters the request in the books, once, with the status about to be sent. It stands before the sending, so that a
// test that has an answer also finds the request in the log.
func (x *exchange) record(status int) {
	if x.recorded {
		return
	}
	x.recorded = true
	r := Request{
		At: x.started, Took: time.Since(x.started),
		Method: x.r.Method, Path: x.r.URL.EscapedPath(), Query: x.r.URL.RawQuery,
		Op: x.route.op, OpN: x.n, Project: x.route.project,
		BodySize: x.body.n, Status: status, Processed: x.processed, Fault: x.fault, Reason: x.reason,
	}
	if x.body.n > 0 {
		sum := x.body.digest()
		r.BodySHA256 = hex.EncodeToString(sum[:])
	}
	if x.server.books.logBodies {
		r.Body = x.body.kept
	}
	r = x.server.books.add(r)
	if x.server.log != nil {
		x.server.log(r)
	}
}

// Requests returns the newest requests, oldest first, as many as Options.LogSize allows.
func (s *Server) Requests() []Request {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	b := &s.books
	list := make([]Request, 0, len(b.ring))
	list = append(list, b.ring[b.next:]...)
	return append(list, b.ring[:b.next]...)
}

// Count returns how many requests of an operation have arrived, refused and faulty ones included.
func (s *Server) Count(op Op) int {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	return s.books.counts[op]
}

// Counts returns that for every operation that was asked for.
func (s *Server) Counts() map[Op]int {
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	return maps.Clone(s.books.counts)
}

// Submissions returns how many deliveries contain a document with this SHA-256, given in hex in either case. It counts
// deliveries that were accepted, whatever became of them and whether or not the client ever heard of them; a delivery that
// was deleted or forgotten since still counts.
func (s *Server) Submissions(sha256hex string) int {
	return s.contentCount(sha256hex, func(c *contentCounts) int { return c.deliveries })
}

// Registrations returns how many registrations in the register came from documents with this SHA-256.
func (s *Server) Registrations(sha256hex string) int {
	return s.contentCount(sha256hex, func(c *contentCounts) int { return c.registered })
}

func (s *Server) contentCount(sha256hex string, get func(*contentCounts) int) int {
	raw, err := hex.DecodeString(sha256hex)
	if err != nil || len(raw) != 32 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.portal.advance(s.switches.Load(), time.Now())
	counts := s.portal.contents[[32]byte(raw)]
	if counts == nil {
		return 0
	}
	return get(counts)
}

// A Delivery is a picture of one delivery at the moment it was asked for.
type Delivery struct {
	Identifier string // ten digits
	Project    int
	Upload     int64
	Label      string
	Status     string // the word of the wire
	Submitted  time.Time
	Changed    time.Time
	Waiting    string // the step it waits for, as ?actie= names it; empty at its end
	Held       bool   // waits for a person there
	Documents  []SourceDocument
	Notes      []Note
	Attached   []Attachment
}

// A SourceDocument is a picture of one document of a delivery.
type SourceDocument struct {
	ID               int64
	Filename         string // as the portal calls it
	Given            string // as the client called it
	SHA256           string // hex
	Size             int64
	Status           string // the word of the wire
	Changed          time.Time
	RequestReference string
	BROID            string // once registered
	TransactionID    string // once registered
	Errors           []string
	Notes            []Note
}

// A Note is a remark of an enricher.
type Note struct {
	Level string // "info", "warnings" or "errors"
	Text  string
}

// An Attachment is a file of an enricher.
type Attachment struct {
	Name   string
	Size   int64
	SHA256 string // hex
}

// Deliveries returns every delivery that is remembered, oldest first. It costs as much as there are.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.switches.Load()
	p := &s.portal
	p.advance(sw, time.Now())
	list := make([]Delivery, 0, len(p.deliveries))
	for _, id := range slices.Sorted(maps.Keys(p.deliveries)) {
		list = append(list, p.deliveries[id].picture(sw))
	}
	return list
}

// Delivery returns one delivery by its number, padded or not.
func (s *Server) Delivery(identifier string) (Delivery, bool) {
	id, _ := number(identifier)
	return s.picture(func(p *state) *delivery { return p.deliveries[id] })
}

// DeliveryByFilename returns the newest delivery with a document of that name: as the client called it or as the portal does.
func (s *Server) DeliveryByFilename(name string) (Delivery, bool) {
	return s.picture(func(p *state) *delivery { return p.deliveries[p.byFilename[name]] })
}

func (s *Server) picture(find func(*state) *delivery) (Delivery, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.switches.Load()
	s.portal.advance(sw, time.Now())
	d := find(&s.portal)
	if d == nil {
		return Delivery{}, false
	}
	return d.picture(sw), true
}

// DocumentBody returns the bytes of a document by its id, when they were kept and still are. Not to be changed.
func (s *Server) DocumentBody(id int64) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.portal.documents[id]
	if d == nil || d.body == nil || d.body.bytes == nil {
		return nil, false
	}
	return d.body.bytes, true
}
