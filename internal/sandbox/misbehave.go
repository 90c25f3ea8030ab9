package sandbox

import (
	"cmp"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

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
