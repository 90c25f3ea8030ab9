package portal

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brodaemon/internal/secret"
)

const delivered = "/api/v2/1255/leveringen/0000182700"

func TestSubmit(t *testing.T) {
	cases := []struct{ name, label, uri string }{
		{"plain", "", "/api/v2/1255/leveringen"},
		{"label", "archief 2026 & meer+", "/api/v2/1255/leveringen?labels=archief%202026%20%26%20meer%2B"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", delivered)
				w.WriteHeader(201)
			})
			portal := client(t, server.URL)
			ref, err := portal.Submit(t.Context(), project, uploadAt(portal), c.label)
			if want := (DeliveryRef{ID: "0000182700", URL: server.URL + delivered}); err != nil || ref != want {
				t.Fatalf("got %+v, %v; want %+v", ref, err, want)
			}
			got := log.all()
			if len(got) != 1 {
				t.Fatalf("%d requests, want 1", len(got))
			}
			r := got[0]
			if r.method != "POST" || r.uri != c.uri || r.body != `{"upload":42}` || r.typ != "application/json" || r.length != 13 || r.chunked {
				t.Errorf("sent %+v", r)
			}
			if r.user != testUser || r.password != testSecret || !strings.HasPrefix(r.agent, "brodaemon/1.2.3 (+") {
				t.Errorf("signed on as %q (secret right: %t) by %q", r.user, r.password == testSecret, r.agent)
			}
		})
	}
}

// What a Location, or its absence, makes of a yes.
func TestSubmitLocation(t *testing.T) {
	cases := []struct {
		name     string
		location func(base string) string
		id       string // "" is an Unexpected in doubt
	}{
		{"absolute", func(base string) string { return base + delivered }, "0000182700"},
		{"relative", func(string) string { return delivered }, "0000182700"},
		{"relative to the path", func(string) string { return "leveringen/0000182700" }, "0000182700"},
		{"upper case host", func(base string) string { return strings.ToUpper(base) + delivered }, "0000182700"},
		{"slash, query and fragment", func(base string) string { return base + delivered + "/?a=b#c" }, "0000182700"},
		{"missing", func(string) string { return "" }, ""},
		{"foreign", func(string) string { return "https://evil.example" + delivered }, ""},
		{"foreign without scheme", func(string) string { return "//evil.example" + delivered }, ""},
		{"other scheme", func(base string) string { return strings.Replace(base, "http:", "https:", 1) + delivered }, ""},
		{"other port", func(string) string { return "http://127.0.0.1:1" + delivered }, ""},
		{"with a user name", func(base string) string { return strings.Replace(base, "//", "//a:b@", 1) + delivered }, ""},
		{"of an upload", func(base string) string { return base + "/api/v2/1255/uploads/42" }, ""},
		{"without an id", func(base string) string { return base + "/api/v2/1255/leveringen/" }, ""},
		{"no address", func(string) string { return "http://[::1" }, ""},
	}
	for _, c := range cases {
		for _, code := range []int{200, 201, 202, 204} {
			t.Run(fmt.Sprintf("%s/%d", c.name, code), func(t *testing.T) {
				var base string
				server, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					if location := c.location(base); location != "" {
						w.Header().Set("Location", location)
					}
					w.WriteHeader(code)
				})
				base = server.URL
				portal := client(t, server.URL)
				ref, err := portal.Submit(t.Context(), project, uploadAt(portal), "")
				if len(log.all()) != 1 {
					t.Errorf("%d requests, want 1", len(log.all()))
				}
				if c.id != "" {
					if err != nil || ref.ID != c.id || ref.URL != server.URL+delivered {
						t.Errorf("got %+v, %v", ref, err)
					}
					return
				}
				if e := fault(t, err); e.Kind != Unexpected || !e.MaybeDone || e.StatusCode != code {
					t.Errorf("got %s, maybe %t, %v; want unexpected and in doubt", e.Kind, e.MaybeDone, e)
				}
				if ref != (DeliveryRef{}) {
					t.Errorf("an error came with %+v", ref)
				}
			})
		}
	}
}

// The delivery is known as soon as its Location is; what comes after does not matter.
func TestSubmitIsDoneOnceLocated(t *testing.T) {
	cases := map[string]http.HandlerFunc{
		"body breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", delivered)
			w.Header().Set("Content-Length", "500")
			w.WriteHeader(201)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", delivered)
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(201)
			fmt.Fprint(w, page)
		},
		"endless body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", delivered)
			w.WriteHeader(201)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
	}
	for name, answer := range cases {
		t.Run(name, func(t *testing.T) {
			server, log := serve(t, answer)
			portal := client(t, server.URL)
			ref, err := portal.Submit(t.Context(), project, uploadAt(portal), "")
			if err != nil || ref.ID != "0000182700" || len(log.all()) != 1 {
				t.Errorf("got %+v, %v after %d requests", ref, err, len(log.all()))
			}
		})
	}
}

// A portal at the level of connections: each does as the script says.
type wirePortal struct {
	net.Listener
	requests atomic.Int64 // that were read whole
	conns    atomic.Int64
	running  sync.WaitGroup
}

func listen(t *testing.T, serve func(p *wirePortal, conn *net.TCPConn)) *wirePortal {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &wirePortal{Listener: l}
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Add(1)
			p.running.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				serve(p, conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { l.Close(); p.running.Wait() })
	return p
}

func (p *wirePortal) url() string { return "http://" + p.Addr().String() }

// next reads a whole request.
func (p *wirePortal) next(r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return false
	}
	p.requests.Add(1)
	return true
}

func reset(conn *net.TCPConn) { _ = conn.SetLinger(0); conn.Close() }

// Submit when no answer comes: in doubt if and only if something was sent.
func TestSubmitWithoutAnswer(t *testing.T) {
	cases := []struct {
		name     string
		serve    func(p *wirePortal, conn *net.TCPConn)
		requests int64
	}{
		{"reset after reading", func(p *wirePortal, conn *net.TCPConn) { p.next(bufio.NewReader(conn)); reset(conn) }, 1},
		{"closed after reading", func(p *wirePortal, conn *net.TCPConn) { p.next(bufio.NewReader(conn)) }, 1},
		{"reset after a byte", func(_ *wirePortal, conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 1)); reset(conn) }, 0},
		{"broken off in the headers", func(p *wirePortal, conn *net.TCPConn) {
			p.next(bufio.NewReader(conn))
			fmt.Fprint(conn, "HTTP/1.1 201 Created\r\nLocat")
		}, 1},
		{"no HTTP", func(p *wirePortal, conn *net.TCPConn) {
			p.next(bufio.NewReader(conn))
			fmt.Fprint(conn, "220 smtp\r\n")
		}, 1},
		{"headers too large", func(p *wirePortal, conn *net.TCPConn) {
			p.next(bufio.NewReader(conn))
			fmt.Fprintf(conn, "HTTP/1.1 201 Created\r\nX: %s\r\n\r\n", strings.Repeat("x", 200<<10))
			_, _ = io.Copy(io.Discard, conn)
		}, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := listen(t, c.serve)
			portal := client(t, server.url())
			_, err := portal.Submit(t.Context(), project, uploadAt(portal), "")
			if e := fault(t, err); e.Kind != Unavailable || !e.MaybeDone || e.StatusCode != 0 {
				t.Errorf("got %s, maybe %t: %v; want unavailable and in doubt", e.Kind, e.MaybeDone, e)
			}
			if n := server.requests.Load(); n != c.requests {
				t.Errorf("%d whole requests, want %d", n, c.requests)
			}
			if n := server.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
			// A request without a body is in doubt as well.
			_, err = portal.OpenUpload(t.Context(), project)
			if e := fault(t, err); e.Kind != Unavailable || !e.MaybeDone {
				t.Errorf("open upload: got %s, maybe %t: %v", e.Kind, e.MaybeDone, e)
			}
		})
	}
}

// A connection that dies in the place where net/http repeats requests by
// itself: reused, and lost before the first byte of an answer.
func TestSubmitIsNeverReplayed(t *testing.T) {
	cases := map[string]func(conn *net.TCPConn){
		"reset":  reset,
		"closed": func(conn *net.TCPConn) { conn.Close() },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			server := listen(t, func(p *wirePortal, conn *net.TCPConn) {
				in := bufio.NewReader(conn)
				if !p.next(in) {
					return
				}
				fmt.Fprint(conn, "HTTP/1.1 201 Created\r\nLocation: /api/v2/1255/uploads/42\r\nContent-Length: 0\r\n\r\n")
				if p.next(in) {
					end(conn)
				}
			})
			portal := client(t, server.url())
			upload, err := portal.OpenUpload(t.Context(), project)
			if err != nil {
				t.Fatal(err)
			}
			_, err = portal.Submit(t.Context(), project, upload, "")
			if e := fault(t, err); !e.MaybeDone || e.Kind != Unavailable {
				t.Errorf("got %s, maybe %t: %v", e.Kind, e.MaybeDone, e)
			}
			if requests, conns := server.requests.Load(), server.conns.Load(); requests != 2 || conns != 1 {
				t.Errorf("%d requests on %d connections, want 2 (upload, submit) on 1", requests, conns)
			}
		})
	}
}

// Servers close idle connections when they please. However the close meets the
// request, the portal must not get it twice, and a failure must not be called
// certain if it did get it.
func TestSubmitOnADyingIdleConnection(t *testing.T) {
	var submits atomic.Int64
	server := listen(t, func(p *wirePortal, conn *net.TCPConn) {
		in := bufio.NewReader(conn)
		if !p.next(in) {
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 201 Created\r\nLocation: /api/v2/1255/uploads/42\r\nContent-Length: 0\r\n\r\n")
		// Now the close races with the request of Submit.
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Microsecond))
		if p.next(in) {
			submits.Add(1)
		}
		reset(conn)
	})
	portal := client(t, server.url())
	for range 100 {
		before := submits.Load()
		upload, err := portal.OpenUpload(t.Context(), project)
		if err != nil {
			continue // met the dying connection of the round before, or a fresh one closed
		}
		if _, err = portal.Submit(t.Context(), project, upload, ""); err == nil {
			continue // on a fresh connection the answer is one for an upload, so this cannot be
		}
		e := fault(t, err)
		if n := submits.Load() - before; n > 1 || (n == 1 && !e.MaybeDone) {
			t.Fatalf("the portal got %d requests, MaybeDone is %t: %v", n, e.MaybeDone, e)
		}
	}
}

func TestSubmitThatIsNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	untrusted, untrustedLog := serveTLS(t)
	plain, plainLog := serve(t, reply(201, "", ""))
	hangsUp := listen(t, func(_ *wirePortal, conn *net.TCPConn) { reset(conn) })

	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errStopping)

	noSecret := func(o *Options) {
		o.Secret = func() (secret.String, error) { return secret.String{}, errors.New("token store is locked") }
	}
	cases := []struct {
		name    string
		ctx     context.Context
		address string
		change  func(*Options)
		kind    Kind
		hint    string
	}{
		{name: "connection refused", address: "http://" + closed.Addr().String(), kind: Unavailable, hint: "firewall"},
		{name: "host not found", address: "https://no-such-host.invalid", change: unknownHost, kind: Unavailable, hint: "name servers"},
		{name: "certificate not trusted", address: untrusted, kind: Unavailable, hint: "ca_file"},
		{name: "no TLS at the other end", address: strings.Replace(plain.URL, "http:", "https:", 1), kind: Unavailable, hint: "network"},
		{name: "TLS breaks off", address: strings.Replace(hangsUp.url(), "http:", "https:", 1), kind: Unavailable, hint: "network"},
		{name: "stopped before", ctx: stopped, address: plain.URL, kind: Interrupted},
		{name: "no secret", address: plain.URL, change: noSecret, kind: Unauthorized, hint: "secret readable"},
		{name: "empty secret", address: plain.URL, change: func(o *Options) {
			o.Secret = func() (secret.String, error) { return secret.String{}, nil }
		}, kind: Unauthorized, hint: "secret readable"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			if c.change == nil {
				c.change = func(*Options) {}
			}
			portal := client(t, c.address, c.change)
			_, err := portal.Submit(c.ctx, project, uploadAt(portal), "")
			e := fault(t, err)
			if e.Kind != c.kind || e.MaybeDone || e.StatusCode != 0 {
				t.Errorf("got %s, maybe %t: %v; want %s and certain", e.Kind, e.MaybeDone, e, c.kind)
			}
			if !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("hint %q, want %q in it", e.Hint(), c.hint)
			}
			if strings.Contains(e.Error(), "may have been made") {
				t.Errorf("the text is in doubt, the error is not: %v", e)
			}
		})
	}
	if len(plainLog.all()) != 0 || len(untrustedLog.all()) != 0 {
		t.Errorf("requests arrived: %d, %d", len(plainLog.all()), len(untrustedLog.all()))
	}

	// An upload of another portal, project or number goes nowhere at all.
	portal := client(t, plain.URL)
	uploads := map[string]Upload{
		"none":            {},
		"without address": {ID: 42},
		"elsewhere":       {ID: 42, URL: "https://demo.bronhouderportaal-bro.nl/api/v2/1255/uploads/42"},
		"other number":    {ID: 43, URL: plain.URL + "/api/v2/1255/uploads/42"},
		"negative":        {ID: -1, URL: plain.URL + "/api/v2/1255/uploads/-1"},
	}
	for name, upload := range uploads {
		_, err := portal.Submit(t.Context(), project, upload, "")
		if e := fault(t, err); e.Kind != Local || e.MaybeDone {
			t.Errorf("submit, upload %s: got %v", name, e)
		}
		_, err = portal.AddSourceDocument(t.Context(), upload, "a.xml", bodyOf(document))
		if e := fault(t, err); e.Kind != Local || e.MaybeDone {
			t.Errorf("add, upload %s: got %v", name, e)
		}
	}
	if _, err := portal.Submit(t.Context(), 0, uploadAt(portal), ""); fault(t, err).Kind != Local {
		t.Errorf("project 0: got %v", err)
	}
	if len(plainLog.all()) != 0 {
		t.Errorf("%d requests arrived", len(plainLog.all()))
	}
}

var errStopping = errors.New("stopping")

// unknownHost answers like a name server, without asking one.
func unknownHost(o *Options) {
	transport, _ := NewTransport("", 0)
	transport.Proxy = nil
	transport.DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
	}
	o.Transport = transport
}

func serveTLS(t *testing.T) (address string, log *seen) {
	t.Helper()
	log = new(seen)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { log.add(r) }))
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, log
}

// The caller stops while the portal is at work on the request.
func TestSubmitInterrupted(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	server, log := serve(t, func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	})
	defer close(release)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-arrived; cancel(errStopping) }()
	var observed string
	portal := client(t, server.URL, func(o *Options) { o.Observe = func(_ Op, code string, _ time.Duration) { observed = code } })
	_, err := portal.Submit(ctx, project, uploadAt(portal), "")
	e := fault(t, err)
	if e.Kind != Interrupted || !e.MaybeDone || !errors.Is(err, errStopping) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %s, maybe %t: %v", e.Kind, e.MaybeDone, e)
	}
	if observed != "interrupted" || len(log.all()) != 1 {
		t.Errorf("observed %q, %d requests", observed, len(log.all()))
	}
}

// The same over HTTP/2, where net/http has other rules for repeating.
func TestSubmitOverHTTP2(t *testing.T) {
	var submits atomic.Int64
	var answer http.HandlerFunc
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 {
			t.Errorf("protocol %s", r.Proto)
		}
		submits.Add(1)
		answer(w, r)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	transport, err := NewTransport("", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	portal := client(t, server.URL, func(o *Options) { o.Transport = transport; o.Timeout = 5 * time.Second })

	answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", delivered)
		w.WriteHeader(201)
	}
	if ref, err := portal.Submit(t.Context(), project, uploadAt(portal), ""); err != nil || ref.ID != "0000182700" {
		t.Errorf("got %+v, %v", ref, err)
	}
	answer = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } // resets the stream
	_, err = portal.Submit(t.Context(), project, uploadAt(portal), "")
	if e := fault(t, err); e.Kind != Unavailable || !e.MaybeDone {
		t.Errorf("stream reset: got %v", e)
	}
	answer = func(w http.ResponseWriter, r *http.Request) { server.CloseClientConnections() }
	_, err = portal.Submit(t.Context(), project, uploadAt(portal), "")
	if e := fault(t, err); e.Kind != Unavailable || !e.MaybeDone {
		t.Errorf("connection lost: got %v", e)
	}
	if n := submits.Load(); n != 3 {
		t.Errorf("the portal got %d requests, want 3", n)
	}
	// A document of the wrong size breaks off its stream only.
	answer = reply(200, "application/json", `{"status":"VALIDE"}`)
	wrong := bodyOf(document)
	wrong.Size++
	if _, err := portal.Validate(t.Context(), project, wrong); fault(t, err).Kind != Local {
		t.Errorf("wrong size: got %v", err)
	}
}

// A transport that is not net/http's reports nothing; only the type of its
// error can show that nothing was sent.
func TestSubmitThroughAForeignTransport(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	cases := []struct {
		name  string
		trip  roundTrip
		maybe bool
		kind  Kind
	}{
		{"unknown failure", func(*http.Request) (*http.Response, error) { return nil, errors.New("lost") }, true, Unavailable},
		{"failure in the middle", func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, true, Unavailable},
		{"not dialled", func(*http.Request) (*http.Response, error) { return nil, dial }, false, Unavailable},
		{"host not found", func(*http.Request) (*http.Response, error) { return nil, &net.DNSError{IsNotFound: true} }, false, Unavailable},
		{"no certificate", func(*http.Request) (*http.Response, error) { return nil, &tls.CertificateVerificationError{} }, false, Unavailable},
		{"dial error after the body was read", func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return nil, dial
		}, true, Unavailable},
		{"neither answer nor error", func(*http.Request) (*http.Response, error) { return nil, nil }, true, Unavailable},
		{"no body", func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 201, Header: http.Header{}}, nil
		}, true, Unexpected},
		{"no headers", func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 500, Body: http.NoBody}, nil
		}, true, Unavailable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			portal := client(t, "https://portal.example", func(o *Options) { o.Transport = c.trip })
			_, err := portal.Submit(t.Context(), project, uploadAt(portal), "")
			if e := fault(t, err); e.Kind != c.kind || e.MaybeDone != c.maybe {
				t.Errorf("got %s, maybe %t: %v; want %s, maybe %t", e.Kind, e.MaybeDone, e, c.kind, c.maybe)
			}
		})
	}
}

// A transport that asks nobody cannot make up for a caller who has ended, or for
// a document of the wrong size.
func TestYesOfACarelessTransport(t *testing.T) {
	trips := 0
	yes := roundTrip(func(r *http.Request) (*http.Response, error) {
		trips++
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 201, Header: http.Header{"Location": {delivered}}, Body: io.NopCloser(strings.NewReader(`{"status":"VALIDE"}`))}, nil
	})
	portal := client(t, "https://portal.example", func(o *Options) { o.Transport = yes })
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errStopping)
	if _, err := portal.Submit(stopped, project, uploadAt(portal), ""); fault(t, err).Kind != Interrupted || trips != 0 {
		t.Errorf("stopped before: got %v after %d requests", err, trips)
	}
	wrong := bodyOf(document)
	wrong.Size++
	v, err := portal.Validate(t.Context(), project, wrong)
	if e := fault(t, err); e.Kind != Local || !e.MaybeDone || e.StatusCode != 201 || v.Valid {
		t.Errorf("wrong size: got %+v, %v", v, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
