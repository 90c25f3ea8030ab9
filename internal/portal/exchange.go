package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxJSON bounds an answer that is read for its content.
	maxJSON = 16 << 20
	// maxErrorBody bounds the body of an error answer; of it only words are shown.
	maxErrorBody = 64 << 10
	// maxDrain is how much more is read of a body, so that its connection can be
	// used again, before the connection is given up.
	maxDrain = 256 << 10
	// maxDocument bounds a document that is fetched.
	maxDocument = 1 << 30
)

const (
	typeJSON = "application/json"
	typeXML  = "application/xml"
)

// request is one request to be sent.
type request struct {
	op      Op
	method  string
	url     *url.URL
	typ     string     // Content-Type, "" for none
	accept  string     // "" for JSON
	body    *sizedBody // nil for none
	timeout time.Duration
	sink    io.Writer // takes the body of a 2xx instead of answer.body, if set
}

// answer is what came back: at least a status line and headers.
type answer struct {
	op       Op
	url      *url.URL // that was asked
	code     int
	header   http.Header
	location string // the header, scrubbed
	body     []byte // bounded, scrubbed
	more     bool   // the body was longer than its bound
	sunk     int64  // bytes written to the sink
	broken   *Error // the body broke off, nil if it came whole
	sent     bool   // the whole request body had been taken when the answer came
	scrub    scrubber
}

func (a *answer) ok() bool { return a.code >= 200 && a.code <= 299 }

// exchange sends one request and gives the answer, whatever its code. Its error
// is an *Error and means that no answer came, or a yes to half a document.
//
// It hands the request to the transport without an http.Client between them,
// which would only add what is not wanted here: the following of redirects.
func (c *Client) exchange(caller context.Context, r *request) (*answer, error) {
	if r.body != nil {
		defer r.body.Close()
	}
	if caller.Err() != nil {
		return nil, interrupted(r.op, caller)
	}
	token, err := c.secret()
	if err == nil && token.Empty() {
		err = errors.New("the secret is empty")
	}
	if err != nil {
		return nil, &Error{Op: r.op, Kind: Unauthorized, Err: scrubber{}.err(err)}
	}

	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	clock := time.AfterFunc(r.timeout, func() { cancel(&timeoutError{r.timeout}) })
	defer clock.Stop()
	if r.body != nil {
		r.body.progress = func() { clock.Reset(r.timeout) }
	}
	p := passage{c: c, r: r, caller: caller, ctx: ctx, scrub: newScrubber(c.username, token.Reveal())}
	req := c.prepare(p.trace(ctx), r)
	req.SetBasicAuth(c.username, token.Reveal())

	start := time.Now()
	resp, err := c.transport.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("the transport gave no answer")
	}
	if err != nil {
		fault := p.lost(err, 0)
		c.observed(r.op, fault.label(), start)
		return nil, fault
	}
	c.hear(resp.Header.Get("Date"))
	a := p.read(resp, func() { clock.Reset(r.timeout) })
	c.observed(r.op, strconv.Itoa(a.code), start)
	if _, _, fault := r.body.state(); fault != nil && a.ok() {
		return nil, p.lost(fault, a.code) // a yes to half a document
	}
	return a, nil
}

// prepare makes the http.Request, without credentials.
func (c *Client) prepare(ctx context.Context, r *request) *http.Request {
	req := (&http.Request{
		Method:     r.method,
		URL:        r.url,
		Host:       r.url.Host,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{"User-Agent": {c.agent}, "Accept": {typeJSON}},
	}).WithContext(ctx)
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if r.typ != "" {
		req.Header.Set("Content-Type", r.typ)
	}
	if r.body != nil {
		req.Body, req.ContentLength = r.body, r.body.size
	}
	return req
}

func (c *Client) observed(op Op, code string, start time.Time) {
	if c.observe != nil {
		c.observe(op, code, time.Since(start))
	}
}

// passage follows one request on its way and knows what may have arrived.
type passage struct {
	c      *Client
	r      *request
	caller context.Context // the caller's own
	ctx    context.Context // with our time-out in it
	scrub  scrubber

	asked atomic.Bool // the transport asked for a connection
	wrote atomic.Bool // the transport began to write the request
}

// trace watches the transport. That it has begun to write is taken from the
// first header field, which HTTP/1 and HTTP/2 both report before any byte can
// have left; so wrote may be true for nothing, but never false for something.
func (p *passage) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:          func(string) { p.asked.Store(true) },
		WroteHeaderField: func(string, []string) { p.wrote.Store(true) },
		WroteHeaders:     func() { p.wrote.Store(true) },
	})
}

// maybeSent says whether the portal may have the request. The body must be
// closed: a transport that returned early can then read no more of it, and a
// request without its body is none.
func (p *passage) maybeSent(err error) bool {
	touched, _, _ := p.r.body.state()
	switch {
	case p.wrote.Load() || touched:
		return true
	case p.asked.Load() || p.c.own:
		return false
	default: // a transport that reports nothing
		return !beforeSending(err)
	}
}

// lost makes the Error for a request without an answer (code 0) or with an
// answer that broke off.
func (p *passage) lost(err error, code int) *Error {
	if p.r.body != nil {
		p.r.body.Close()
	}
	e := &Error{Op: p.r.op, StatusCode: code, Kind: Unavailable, MaybeDone: code != 0 || p.maybeSent(err)}
	var late *timeoutError
	switch _, _, fault := p.r.body.state(); {
	case fault != nil:
		e.Kind, err = Local, fault
	case p.caller.Err() != nil:
		e.Kind, err = Interrupted, interruption(p.caller)
	case errors.As(context.Cause(p.ctx), &late):
		err = late
	}
	e.Err = p.scrub.err(err)
	return e
}

// interrupted is the Error for a caller that had ended before anything was sent.
func interrupted(op Op, caller context.Context) *Error {
	return &Error{Op: op, Kind: Interrupted, Err: interruption(caller)}
}

// interruption wraps why the caller's context ended, and that it did.
func interruption(caller context.Context) error {
	cause := context.Cause(caller)
	if errors.Is(cause, caller.Err()) {
		return cause
	}
	return fmt.Errorf("%w (%w)", cause, caller.Err())
}

// timeoutError is our own time-out, as distinct from the caller's deadline.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }
func (e *timeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

// label is the error for Options.Observe.
func (e *Error) label() string {
	switch {
	case e.Kind == Local || e.Kind == Interrupted:
		return string(e.Kind)
	case errors.Is(e.Err, os.ErrDeadlineExceeded):
		return "timeout"
	default:
		return "network"
	}
}

// read takes the body, closes it, and leaves the connection fit for reuse if
// that costs little.
func (p *passage) read(resp *http.Response, progress func()) *answer {
	_, complete, _ := p.r.body.state()
	a := &answer{
		op: p.r.op, url: p.r.url, code: resp.StatusCode, header: resp.Header, scrub: p.scrub,
		location: p.scrub.result(resp.Header.Get("Location")), sent: p.r.body == nil || complete,
	}
	if resp.Body == nil {
		return a
	}
	defer resp.Body.Close()
	var err error
	if p.r.sink != nil && a.ok() && !isHTML(resp.Header) {
		a.sunk, err = copyBounded(p.r.sink, resp.Body, progress)
	} else {
		a.body, a.more, err = readBounded(resp.Body, a.bound())
		a.body = []byte(p.scrub.result(string(a.body)))
	}
	var sink *sinkError
	switch {
	case errors.As(err, &sink):
		a.broken = &Error{Op: a.op, StatusCode: a.code, Kind: Local, Err: p.scrub.err(sink.err)}
	case err != nil:
		a.broken = p.lost(err, a.code)
	default:
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	}
	return a
}

// bound is how much of the body is of use. A verdict on a document may come
// with any code and many errors; acts that create something answer by Location.
func (a *answer) bound() int64 {
	switch a.op {
	case OpValidate:
		return maxJSON
	case OpOpenUpload, OpAddSourceDocument, OpSubmit, OpAddNote, OpAttach:
		return maxErrorBody
	}
	if a.ok() {
		return maxJSON
	}
	return maxErrorBody
}

func readBounded(r io.Reader, bound int64) (body []byte, more bool, err error) {
	body, err = io.ReadAll(io.LimitReader(r, bound+1))
	if int64(len(body)) > bound {
		return body[:bound], true, nil
	}
	return body, false, err
}

// sinkError is a failure of the one who takes the bytes, not of the portal.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

// copyBounded copies a document, restarting the clock at each piece.
func copyBounded(w io.Writer, r io.Reader, progress func()) (written int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			progress()
			if written+int64(n) > maxDocument {
				return written, &sinkError{fmt.Errorf("the document is larger than %d bytes", int64(maxDocument))}
			}
			m, err := w.Write(buf[:n])
			written += int64(m)
			if err == nil && m < n {
				err = io.ErrShortWrite
			}
			if err != nil {
				return written, &sinkError{err}
			}
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}
