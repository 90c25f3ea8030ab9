package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Transport carries requests to the server without a socket: the handler runs in the goroutine that calls RoundTrip. It
// starts no goroutine that outlives the call, waits with nothing but timers, and returns when the context of the request
// ends, so a testing/synctest bubble can move its clock. Whatever host a request names, it ends up here, and Location names
// that host again.
//
// A fault that drops the connection becomes the error that a socket would give. Unlike [http.Transport] it never sends a
// request a second time.
func (s *Server) Transport() http.RoundTripper { return &transport{server: s} }

type transport struct{ server *Server }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	sent := newSentBody(req)
	defer sent.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	// A body whose reader is stuck must not keep us beyond the end of the context.
	unstick := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(unstick)
		sent.Close()
	})
	w := &memoryWriter{ctx: ctx, header: make(http.Header)}
	t.serve(w, req, sent)
	if !stop() {
		<-unstick
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case sent.fault() != nil:
		return nil, sent.fault()
	case w.err != nil:
		return nil, w.err
	}
	return w.response(req), nil
}

// serve runs the handler on a copy of the request as a server would see it.
func (t *transport) serve(w *memoryWriter, req *http.Request, sent *sentBody) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			w.drop(io.EOF)
		}
	}()
	seen := *req
	seen.Body = sent
	seen.RemoteAddr = "in-process"
	if seen.Host == "" {
		seen.Host = req.URL.Host
	}
	if seen.Method == "" {
		seen.Method = http.MethodGet
	}
	if sent.body == nil {
		seen.ContentLength = 0
	} else if seen.ContentLength == 0 {
		seen.ContentLength = -1 // a body of which the client does not know the length
	}
	if seen.Header == nil {
		seen.Header = make(http.Header)
	}
	t.server.ServeHTTP(w, &seen)
}

// sentBody is the body of a request under way: it holds the client to the length it announced, as a real transport does.
type sentBody struct {
	body   io.ReadCloser // nil: none
	length int64         // announced; -1: not
	n      int64
	err    atomic.Pointer[error]
	closed atomic.Bool
}

func newSentBody(req *http.Request) *sentBody {
	b := &sentBody{body: req.Body, length: -1}
	if req.Body == http.NoBody {
		b.body = nil
	}
	if req.ContentLength > 0 {
		b.length = req.ContentLength
	}
	return b
}

func (b *sentBody) Read(p []byte) (int, error) {
	if b.body == nil || len(p) == 0 {
		return 0, io.EOF
	}
	if b.length >= 0 && b.n >= b.length {
		return 0, b.atLength()
	}
	if b.length >= 0 {
		p = p[:min(int64(len(p)), b.length-b.n)]
	}
	n, err := b.body.Read(p)
	b.n += int64(n)
	switch {
	case err == io.EOF && b.length >= 0 && b.n < b.length:
		err = fmt.Errorf("http: ContentLength=%d with Body length %d", b.length, b.n)
		b.fail(err)
		return n, io.ErrUnexpectedEOF // what the server sees
	case err != nil && err != io.EOF:
		b.fail(err)
	}
	return n, err
}

// atLength looks whether the body goes on beyond the length it announced. The server does not see that, the client does.
func (b *sentBody) atLength() error {
	var more [1]byte
	if n, _ := b.body.Read(more[:]); n > 0 {
		b.fail(fmt.Errorf("http: ContentLength=%d with Body length %d", b.length, b.n+1))
	}
	return io.EOF
}

func (b *sentBody) fail(err error) { b.err.CompareAndSwap(nil, &err) }

// fault is why the body could not be sent as announced.
func (b *sentBody) fault() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (b *sentBody) Close() error {
	if b.body == nil || b.closed.Swap(true) {
		return nil
	}
	return b.body.Close()
}

// memoryWriter takes the answer of the handler.
type memoryWriter struct {
	ctx    context.Context
	header http.Header
	status int
	body   bytes.Buffer

	err   error         // the connection ended without an answer
	cut   int           // bytes of the body that arrive before it breaks off, when broken
	bad   bool          // it breaks off
	pause time.Duration // before each piece of a slow body
	piece int
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *memoryWriter) drop(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *memoryWriter) response(req *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	if w.header.Get("Date") == "" {
		w.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	data := w.body.Bytes()
	res := &http.Response{
		Status: fmt.Sprintf("%03d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, ContentLength: int64(len(data)), Request: req,
	}
	switch {
	case w.bad:
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data[:min(w.cut, len(data))]), failingReader{io.ErrUnexpectedEOF}))
	case w.pause > 0:
		res.Body = io.NopCloser(&slowReader{ctx: w.ctx, data: data, pause: w.pause, piece: w.piece})
	default:
		res.Body = io.NopCloser(bytes.NewReader(data))
	}
	return res
}

// slowReader gives its data in pieces, each after a pause.
type slowReader struct {
	ctx   context.Context
	data  []byte
	pause time.Duration
	piece int
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	if !sleep(r.ctx, r.pause) {
		return 0, context.Cause(r.ctx)
	}
	n := copy(p, r.data[:min(r.piece, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

// The errors of a socket whose other end is not there, or goes away.
var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)
