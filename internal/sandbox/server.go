package sandbox

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Server is one portal. It is made by [New], safe for concurrent use, and has nothing to close.
type Server struct {
	switches atomic.Pointer[Switches] // replaced as a whole by Change
	seed     uint64
	chaos    Chaos
	manage   bool
	hook     func(Op, int)
	log      func(Request)

	faults faultList
	books  books

	mu       sync.Mutex // guards state; never held while waiting, reading a body or calling out
	tokens   map[string]*token
	projects map[int]*Project
	portal   state
}

// New makes a portal. Options that contradict each other are not refused: a token for a project that is not there gets its
// 404.
func New(o Options) *Server {
	s := &Server{
		seed: o.Seed, chaos: o.Chaos, manage: o.Manage, hook: o.OnRequest, log: o.Log,
		tokens:   make(map[string]*token, len(o.Tokens)),
		projects: make(map[int]*Project, len(o.Projects)),
	}
	s.switches.Store(o.filled())
	s.books = newBooks(o)
	for _, t := range o.Tokens {
		s.tokens[t.Username] = newToken(t)
	}
	for _, p := range o.Projects {
		s.projects[p.ID] = &p
	}
	s.portal = newState(o, time.Now())
	for _, f := range o.Faults {
		s.Inject(f)
	}
	return s
}

// Change alters the switches while the portal runs. Requests under way keep the old ones.
func (s *Server) Change(alter func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := *s.switches.Load()
	alter(&sw)
	s.switches.Store(sw.filled())
}

// ServeHTTP answers one request:
//
//	/api/v2/…                   the delivery API, with HTTP Basic
//	/gm/gmw/v1/objects/… etc.   the public services, without
//	/                           a page for people, without
//	/sandbox/{verb}/{argument}  POST, only with Options.Manage and any token's credentials, revoked ones too; verbs:
//	                            approve, reject and delete (a delivery), fault (see ParseFault), clear-faults,
//	                            set (name=value, a switch), revoke and restore (a username), close and open (a project);
//	                            the argument may also be the body
//
// It panics with [http.ErrAbortHandler] where a fault wants the connection dropped and the writer cannot be hijacked, as
// net/http asks of handlers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.newExchange(w, r)
	if s.hook != nil {
		s.hook(x.route.op, x.n)
	}
	if f, ok := s.nextFault(x); ok {
		s.serveFault(x, f)
		return
	}
	x.send(s.perform(x))
}

// An exchange is one request on its way through the server; one goroutine owns it.
type exchange struct {
	server  *Server
	w       http.ResponseWriter
	r       *http.Request
	sw      *Switches
	route   route
	n       int // how manieth of its operation
	started time.Time
	token   *token
	body    bodyMeter
	reason  string // why a request was refused, for people

	fault     FaultKind // what was injected
	processed int       // the status the work came to; 0 when it was not done
	recorded  bool
}

func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{server: s, w: w, r: r, sw: s.switches.Load(), started: time.Now()}
	x.route = routeOf(r.Method, r.URL.EscapedPath())
	x.n = s.books.count(x.route.op)
	x.body.open(r, s.books.logBodies)
	return x
}

// perform does what the request asks for and says what to answer.
func (s *Server) perform(x *exchange) answer {
	a := s.process(x)
	x.processed = a.status
	return a
}

func (s *Server) process(x *exchange) answer {
	switch x.route.op {
	case OpPage:
		return s.page(x)
	case OpManage:
		return s.manageCall(x)
	case OpRegistryObject, OpRegistryIDs:
		return s.registryCall(x)
	}
	if !x.route.api {
		return x.unknownPath()
	}
	if refusal, refused := s.authorise(x); refused {
		return refusal
	}
	switch x.route.op {
	case OpValidate:
		return s.validate(x)
	case OpOpenUpload:
		return s.openUpload(x)
	case OpAddDocument:
		return s.addDocument(x)
	case OpSubmit:
		return s.submit(x)
	case OpDelivery:
		return s.delivery(x)
	case OpDeliveries:
		return s.deliveries(x)
	case OpSourceDocument:
		return s.sourceDocument(x)
	case OpProjects:
		return s.listProjects(x)
	case OpTransactions:
		return s.transactions(x)
	case OpNote:
		return s.note(x)
	case OpAttach:
		return s.attach(x)
	}
	return x.unknownPath()
}

// locked runs do with the state brought up to now; it must not wait for anything.
func (s *Server) locked(x *exchange, do func(p *state, now time.Time) answer) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.portal.advance(x.sw, now)
	return do(&s.portal, now)
}

// sleep waits and reports whether it did so to the end; it stops when the client gives up. Zero or less is until then.
func (x *exchange) sleep(d time.Duration) bool {
	return sleep(x.r.Context(), d)
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		<-ctx.Done()
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
