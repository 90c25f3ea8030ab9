package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// closeCounter is a body that knows how often it was closed.
type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

func TestTransportClosesBodies(t *testing.T) {
	c := newClient(t, defaults(nil))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, change := range map[string]func(*http.Request) *http.Request{
		"an answer":           func(r *http.Request) *http.Request { return r },
		"a refusal":           func(r *http.Request) *http.Request { r.Header.Del("Authorization"); return r },
		"a cancelled context": func(r *http.Request) *http.Request { return r.WithContext(cancelled) },
	} {
		body := &closeCounter{Reader: bytes.NewReader(well("put"))}
		req := c.request("POST", api("validatie"), nil)
		req.Body, req.ContentLength = body, -1
		res, err := c.server.Transport().RoundTrip(change(req))
		if (err != nil) != (name == "a cancelled context") {
			t.Errorf("%s: %v", name, err)
		}
		if res != nil {
			res.Body.Close()
		}
		if body.closed != 1 {
			t.Errorf("%s: the body was closed %d times, want once", name, body.closed)
		}
	}
}

// A file that shrinks or grows while it is sent: the client hears of it, and the portal has no document it should not have.
func TestTransportHoldsTheClientToItsLength(t *testing.T) {
	document := well("lengte")
	for _, test := range []struct {
		name      string
		announced int
		taken     int // documents the portal has afterwards
	}{
		{"shorter than announced", len(document) + 10, 0},
		{"longer than announced", len(document) - 10, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, defaults(nil))
			header, _ := c.must(201, "POST", api("uploads"), nil)
			req := c.request("POST", header.Get("Location")+"/brondocumenten", nil)
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(document)), int64(test.announced)
			if _, err := c.http.Do(req); err == nil || !strings.Contains(err.Error(), "ContentLength") {
				t.Errorf("got %v, want an error about ContentLength", err)
			}
			if got := len(c.server.portal.documents); got != test.taken {
				t.Errorf("the portal has %d documents, want %d", got, test.taken)
			}
		})
	}
}

func TestTransportReturnsWhenTheContextEnds(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault Fault
		stuck bool // the body never comes
	}{
		{"hang", Fault{Kind: Hang}, false},
		{"hang, then process", Fault{Kind: HangThenProcess}, false},
		{"long delay", Fault{Kind: Delay, Delay: time.Hour}, false},
		{"body that never comes", Fault{Kind: Answer, Op: OpNote}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, defaults(nil))
				c.server.Inject(test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				defer cancel()
				req := c.request("POST", api("validatie"), well("put")).WithContext(ctx)
				if test.stuck {
					reader, writer := io.Pipe()
					defer writer.Close()
					req.Body, req.ContentLength = reader, -1
				}
				start := time.Now()
				_, err := c.http.Do(req)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 90*time.Second {
					t.Errorf("got %v after %v, want the deadline after 90 s", err, time.Since(start))
				}
			})
		})
	}
}

func TestClientTimeoutInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(func(o *Options) { o.ValidationDelay = 5 * time.Minute }))
		c.http.Timeout = time.Minute
		start := time.Now()
		_, _, _, err := c.try("POST", api("validatie"), well("traag"))
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v, want a time-out after a minute", err, time.Since(start))
		}
	})
}

func TestTransportGivesTheErrorsOfASocket(t *testing.T) {
	for kind, want := range map[FaultKind]error{
		Refuse: syscall.ECONNREFUSED, Reset: syscall.ECONNRESET, ProcessThenDrop: io.EOF, TruncatedBody: io.ErrUnexpectedEOF,
	} {
		c := newClient(t, defaults(nil))
		c.server.Inject(Fault{Kind: kind})
		if _, _, _, err := c.try("GET", "/api/v2/projecten", nil); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", kind, err, want)
		}
	}
}

func TestSlowBodyInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(nil))
		remove := c.server.Inject(Fault{Op: OpProjects, Kind: SlowBody, Delay: 3 * time.Second, Times: -1})
		start := time.Now()
		c.must(200, "GET", "/api/v2/projecten", nil)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("a slow body took %v, want 30s", took)
		}
		c.http.Timeout = 10 * time.Second
		if _, _, body, err := c.try("GET", "/api/v2/projecten", nil); err == nil || len(body) == 0 {
			t.Errorf("a slow body with a time-out: got %q, %v, want a part of it", body, err)
		}
		remove()
		remove() // harmless
		start = time.Now()
		c.must(200, "GET", "/api/v2/projecten", nil)
		if took := time.Since(start); took != 0 {
			t.Errorf("after the fault an answer took %v", took)
		}
	})
}

func TestTransportLooksLikeHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(nil))
		res, err := c.http.Do(c.request("GET", "https://portaal.example:8443/api/v2/projecten", nil))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		date, err := http.ParseTime(res.Header.Get("Date"))
		if err != nil || time.Since(date).Abs() > time.Second {
			t.Errorf("Date is %q, want the time of the bubble", res.Header.Get("Date"))
		}
		if res.Status != "200 OK" || res.ProtoMajor != 1 || res.ContentLength <= 0 || res.Request == nil {
			t.Errorf("the answer is %+v", res)
		}
		header, _ := c.must(201, "POST", "https://portaal.example:8443"+api("uploads"), nil)
		if got := header.Get("Location"); !strings.HasPrefix(got, "https://portaal.example:8443/api/v2/") {
			t.Errorf("Location is %q, want the host that was asked", got)
		}
	})
}

func TestRedirectIsFollowedNowhere(t *testing.T) {
	c := newClient(t, defaults(nil))
	c.server.Inject(Fault{Kind: Redirect, Status: 308, Location: "https://elders.example/"})
	header, _ := c.must(308, "POST", api("uploads"), nil)
	if got := header.Get("Location"); got != "https://elders.example/" {
		t.Errorf("Location is %q", got)
	}
}
