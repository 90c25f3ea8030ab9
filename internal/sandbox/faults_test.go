package sandbox

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestInjectedFaultsAreUsedInOrder(t *testing.T) {
	c := newClient(t, defaults(nil))
	c.server.Inject(Fault{Op: OpProjects, Kind: Answer, Status: 500, After: 1, Times: 2})
	c.server.Inject(Fault{Op: OpProjects, Kind: Answer, Status: 504})
	c.server.Inject(Fault{Op: OpSubmit, Kind: Answer, Status: 418})
	c.server.Inject(Fault{Kind: Answer, Status: 502, If: func(r *http.Request) bool { return r.URL.Query().Has("raar") }, Times: -1})
	var got []int
	for range 6 {
		status, _, _, _ := c.try("GET", "/api/v2/projecten", nil)
		got = append(got, status)
	}
	if want := []int{504, 500, 500, 200, 200, 200}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("statuses are %v, want %v", got, want)
	}
	for range 2 {
		c.must(502, "GET", "/api/v2/projecten?raar", nil)
	}
	c.server.ClearFaults()
	c.must(200, "GET", "/api/v2/projecten?raar", nil)
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(nil))
		in := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
		for want, f := range map[string]Fault{
			"":   {Kind: Answer, Status: 429},
			"2":  {Kind: Answer, Status: 429, RetryAfter: 1500 * time.Millisecond},
			in:   {Kind: Answer, Status: 503, RetryAfter: 90 * time.Second, RetryAfterDate: true},
			"ja": {Kind: Answer, Status: 503, Header: http.Header{"Retry-After": {"ja"}}},
		} {
			c.server.Inject(f)
			_, header, _, err := c.try("GET", "/api/v2/projecten", nil)
			if got := header.Get("Retry-After"); err != nil || got != want {
				t.Errorf("%+v: Retry-After %q, %v, want %q", f, got, err, want)
			}
		}
	})
}

func TestFaultBodies(t *testing.T) {
	c := newClient(t, defaults(nil))
	c.server.Inject(Fault{Kind: Answer, Status: 400, Body: "eigen tekst"})
	if _, body := c.must(400, "GET", "/api/v2/projecten", nil); string(body) != "eigen tekst" {
		t.Errorf("the body is %q", body)
	}
	c.server.Inject(Fault{Kind: HTMLPage})
	if header, body := c.must(200, "GET", "/api/v2/projecten", nil); !strings.Contains(string(body), "<html>") || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		t.Errorf("a proxy's page is %q of type %q", body, header.Get("Content-Type"))
	}
	c.server.Inject(Fault{Kind: BrokenJSON})
	if header, body := c.must(200, "GET", "/api/v2/projecten", nil); json.Valid(body) || header.Get("Content-Type") != "application/json" {
		t.Errorf("broken JSON is %q of type %q", body, header.Get("Content-Type"))
	}
}

// What a fault hides is in the books all the same.
func TestBooksKnowWhatAFaultHid(t *testing.T) {
	c := newClient(t, defaults(nil))
	c.server.Inject(Fault{Op: OpOpenUpload, Kind: ProcessThenDrop})
	if _, _, _, err := c.try("POST", api("uploads"), nil); err == nil {
		t.Fatal("there was an answer")
	}
	r := c.server.Requests()[0]
	if r.Status != 0 || r.Processed != 201 || r.Fault != ProcessThenDrop {
		t.Errorf("the log has %+v", r)
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"submit:process-then-drop":                               {Op: OpSubmit, Kind: ProcessThenDrop},
		"any:delay:delay=2s:times=-1":                            {Kind: Delay, Delay: 2 * time.Second, Times: -1},
		"validate:answer:status=429:retry-after=5s:after=3":      {Op: OpValidate, Kind: Answer, Status: 429, RetryAfter: 5 * time.Second, After: 3},
		"delivery:answer:retry-after-date=1m:body=later, graag.": {Op: OpDelivery, Kind: Answer, RetryAfter: time.Minute, RetryAfterDate: true, Body: "later, graag."},
	} {
		got, err := ParseFault(text)
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("ParseFault(%q) is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "submit", "vreemd:drop", "submit:vreemd", "submit:answer:status=veel", "submit:answer:status=99",
		"submit:answer:times=", "any:delay:delay=lang", "any:delay:kleur=rood", "any:answer:retry-after=5", "any:answer:retry-after-date=x", "any:answer:after=x"} {
		if f, err := ParseFault(text); err == nil || !strings.Contains(err.Error(), "parse fault") {
			t.Errorf("ParseFault(%q) is %+v, %v, want an error", text, f, err)
		}
	}
}

func TestChaosFollowsTheSeed(t *testing.T) {
	story := func(seed uint64, ops int) (faults []string, hit int) {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, defaults(func(o *Options) { o.Seed, o.Chaos, o.LogSize = seed, BadNeighbour(), -1 }))
			for range ops {
				c.try("GET", "/api/v2/projecten", nil)
			}
			for _, r := range c.server.Requests() {
				faults = append(faults, string(r.Fault))
				if r.Fault != "" {
					hit++
				}
			}
		})
		return faults, hit
	}
	a, hit := story(7, 2000)
	if b, _ := story(7, 2000); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the same seed gave other faults")
	}
	if b, _ := story(8, 2000); fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("another seed gave the same faults")
	}
	if hit < 200 || hit > 320 { // 13 of 100
		t.Errorf("%d of 2000 requests met a fault, want about 260", hit)
	}
	kinds := map[string]bool{}
	for _, f := range a {
		kinds[f] = true
	}
	if len(kinds) != 7 { // none, and six: two of the chaos share a kind
		t.Errorf("kinds of faults are %v", kinds)
	}
}

func TestChaosSparesThePage(t *testing.T) {
	c := newClient(t, defaults(func(o *Options) { o.Chaos = Chaos{Reset: 1} }))
	c.must(200, "GET", "/", nil)
	c.must(200, "GET", "/gm/gmw/v1/objects/GMW000000100001", nil)
	if _, _, _, err := c.try("GET", "/api/v2/projecten", nil); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("with a chance of one: %v", err)
	}
}

// onSocket is a client over a real connection.
func onSocket(t *testing.T, o Options, start func(*httptest.Server)) *client {
	c := newClient(t, o)
	server := httptest.NewUnstartedServer(c.server)
	start(server)
	t.Cleanup(server.Close)
	c.http = server.Client()
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	inner := c.http.Transport
	c.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.String(), testBase) {
			r = r.Clone(r.Context())
			r.URL.Scheme, r.URL.Host, _ = strings.Cut(server.URL, "://")
			r.Host = ""
		}
		return inner.RoundTrip(r)
	})
	t.Cleanup(c.http.CloseIdleConnections)
	t.Cleanup(func() { inner.(*http.Transport).CloseIdleConnections() })
	return c
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func plain(s *httptest.Server) { s.Start() }
func http2(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }
func secure(s *httptest.Server) {
	s.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	s.StartTLS()
}

func TestFaultsOnASocket(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){"plain": plain, "TLS": secure, "HTTP/2": http2} {
		t.Run(name, func(t *testing.T) {
			c := onSocket(t, defaults(nil), start)
			for _, kind := range []FaultKind{Reset, Refuse, ProcessThenDrop, TruncatedBody} {
				before := c.server.Count(OpProjects)
				// A GET on a used connection is sent again by the client itself, so the fault must meet both.
				remove := c.server.Inject(Fault{Op: OpProjects, Kind: kind, Times: -1})
				_, _, _, err := c.try("GET", "/api/v2/projecten", nil)
				remove()
				if err == nil {
					t.Errorf("%s: there was an answer", kind)
				}
				if name == "plain" && kind == Reset && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
					t.Errorf("%s: got %v", kind, err)
				}
				if c.server.Count(OpProjects) == before {
					t.Errorf("%s: the server saw no request", kind)
				}
			}
			c.server.Inject(Fault{Op: OpProjects, Kind: SlowBody, Delay: time.Millisecond})
			start := time.Now()
			if _, body := c.must(200, "GET", "/api/v2/projecten", nil); !json.Valid(body) || time.Since(start) < 10*time.Millisecond {
				t.Errorf("a slow body is %q after %v", body, time.Since(start))
			}
			header, _ := c.must(201, "POST", api("uploads"), nil)
			if location := header.Get("Location"); strings.HasPrefix(location, "https://") != (name != "plain") {
				t.Errorf("Location is %q", location)
			}
			id := c.deliver(well("socket"))
			if got := c.status(id); got != "DOORGELEVERD OPGENOMEN_LVBRO" {
				t.Errorf("delivered over %s: %s", name, got)
			}
		})
	}
}

// A reset in the middle of a large upload must leave nothing behind.
func TestLargeUploadThatIsCutOff(t *testing.T) {
	c := onSocket(t, defaults(nil), plain)
	header, _ := c.must(201, "POST", api("uploads"), nil)
	upload := header.Get("Location")
	req := c.request("POST", upload+"/brondocumenten", nil)
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat(" ", 1<<20)), failingReader{errors.New("de schijf is weg")}))
	req.ContentLength = 2 << 20
	if res, err := c.http.Do(req); err == nil {
		res.Body.Close()
		t.Error("there was an answer")
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if got := len(c.server.portal.documents); got != 0 {
		t.Errorf("the portal has %d documents, want none", got)
	}
}
