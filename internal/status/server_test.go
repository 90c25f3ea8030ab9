package status

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
)

func signIn(t *testing.T, h http.Handler) []*http.Cookie {
	t.Helper()
	w := request{method: "POST", path: "/sign-in", form: url.Values{"password": {password}}}.send(h)
	wantCode(t, w, http.StatusSeeOther)
	return w.Result().Cookies()
}

func TestHeadersAreOnEveryAnswer(t *testing.T) {
	server, _, _ := setup(t, nil)
	for _, path := range []string{"/", "/items/1", "/items/99", "/sign-in", "/style.css", "/page.js", "/api/v1/status", "/api/v1/nothing", "/metrics", "/healthz", "/readyz", "/nothing"} {
		h := get(server, path).Header()
		policy := h.Get("Content-Security-Policy")
		wantText(t, policy, "default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'")
		wantNoText(t, policy, "unsafe", "*", "http")
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: got %v", path, h)
		}
		if cache := h.Get("Cache-Control"); !strings.HasPrefix(cache, "no-") || !strings.Contains(path, ".") && cache != "no-store" {
			t.Errorf("%s: got Cache-Control %q", path, cache)
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other sites may read it", path)
		}
	}
}

// everyAct is each way to change something.
var everyAct = []request{
	{method: "POST", path: "/api/v1/items/2/retry"},
	{method: "POST", path: "/api/v1/items/2/hold"},
	{method: "POST", path: "/api/v1/items/4/release"},
	{method: "POST", path: "/api/v1/items/2/cancel"},
	{method: "POST", path: "/api/v1/items/3/resolve", form: url.Values{"not-delivered": {"yes"}}},
	{method: "POST", path: "/api/v1/retry"},
	{method: "POST", path: "/items/2/retry", form: url.Values{"seen": {"validated  false"}}},
	{method: "POST", path: "/items/3/resolve", form: url.Values{"seen": {"attached uncertain true"}, "delivery": {"1"}}},
	{method: "POST", path: "/retry", form: url.Values{"folder": {""}}},
}

func TestWithoutPasswordNothingCanBeDone(t *testing.T) {
	server, _, actor := setup(t, func(o *Options) { o.Password = secret.String{} })
	for _, q := range everyAct {
		for _, basic := range []string{"", password, " "} {
			q.basic = basic
			w := q.send(server)
			wantCode(t, w, http.StatusForbidden)
			wantText(t, w.Body.String(), "status.password_file")
		}
	}
	for _, path := range []string{"/sign-in", "/items/2/retry", "/retry"} {
		w := get(server, path)
		wantCode(t, w, http.StatusForbidden)
		wantText(t, w.Body.String(), "status.password_file")
	}
	for _, given := range []string{"", password} {
		w := request{method: "POST", path: "/sign-in", form: url.Values{"password": {given}}}.send(server)
		wantCode(t, w, http.StatusForbidden)
		if len(w.Result().Cookies()) > 0 {
			t.Error("a session began although there is no password")
		}
	}
	wantCalls(t, actor)
	for _, path := range []string{"/", "/items/2"} {
		body := get(server, path).Body.String()
		wantText(t, body, "Read-only")
		wantNoText(t, body, `class="button`, "/sign-in", "<form method=\"post\"")
	}
}

func TestWithoutSigningInNothingCanBeDone(t *testing.T) {
	server, _, actor := setup(t, nil)
	for _, q := range everyAct {
		q.cookies = []*http.Cookie{{Name: cookieName, Value: "AAAAAAAAAAAAAAAAAAAAAAAAAA"}, {Name: cookieName, Value: ""}}
		w := q.send(server)
		if strings.HasPrefix(q.path, "/api/") {
			wantCode(t, w, http.StatusUnauthorized)
			wantText(t, w.Header().Get("WWW-Authenticate"), "Basic")
			continue
		}
		wantCode(t, w, http.StatusSeeOther)
		wantText(t, w.Header().Get("Location"), "/sign-in?to=")
	}
	wantCalls(t, actor)
	wantNoText(t, get(server, "/items/2").Body.String(), `class="button`)
	wantText(t, get(server, "/items/2").Body.String(), "/sign-in?to=%2fitems%2f2")
}

func TestBasic(t *testing.T) {
	server, _, actor := setup(t, nil)
	w := request{method: "POST", path: "/api/v1/items/2/retry", basic: password}.send(server)
	wantCode(t, w, http.StatusOK)
	wantCalls(t, actor, "retry 2")
	for _, wrong := range []string{"sesame", password + " ", strings.ToUpper(password), "REDACTED"} {
		w := request{method: "POST", path: "/api/v1/items/2/retry", basic: wrong}.send(server)
		wantCode(t, w, http.StatusUnauthorized)
		wantNoText(t, w.Body.String(), password, wrong)
	}
	r := httptest.NewRequest("POST", "/api/v1/items/2/retry", nil)
	r.Host = "localhost"
	r.SetBasicAuth("anybody", "")
	rec := httptest.NewRecorder()
	server.ServeHTTP(rec, r)
	wantCode(t, rec, http.StatusUnauthorized)
	wantCalls(t, actor)
}

func TestSession(t *testing.T) {
	server, _, actor := setup(t, nil)
	w := request{method: "POST", path: "/sign-in", form: url.Values{"password": {password}, "to": {"/items/2"}}}.send(server)
	wantCode(t, w, http.StatusSeeOther)
	if got := w.Header().Get("Location"); got != "/items/2" {
		t.Errorf("got sent to %q, want /items/2", got)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got cookies %v, want one", cookies)
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || len(c.Value) < 26 || c.MaxAge != 8*3600 {
		t.Errorf("got cookie %+v", c)
	}

	page := request{path: "/items/2", cookies: cookies}.send(server).Body.String()
	wantText(t, page, `href="/items/2/retry"`, "Sign out")
	question := request{path: "/items/2/retry", cookies: cookies}.send(server)
	wantCode(t, question, http.StatusOK)
	wantText(t, question.Body.String(), "Try document 2 now?", `name="seen" value="validated  false"`)
	wantCalls(t, actor) // a question changes nothing

	done := request{method: "POST", path: "/items/2/retry", cookies: cookies, form: url.Values{"seen": {"validated  false"}}}.send(server)
	wantCode(t, done, http.StatusSeeOther)
	wantCalls(t, actor, "retry 2")
	wantText(t, request{path: done.Header().Get("Location"), cookies: cookies}.send(server).Body.String(), "This document is tried now.")

	wantCode(t, request{method: "POST", path: "/api/v1/items/2/hold", cookies: cookies}.send(server), http.StatusOK)
	wantCalls(t, actor, "hold 2")

	out := request{method: "POST", path: "/sign-out", cookies: cookies}.send(server)
	wantCode(t, out, http.StatusSeeOther)
	if c := out.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("got cookies %v, want the session's taken away", c)
	}
	wantCode(t, request{method: "POST", path: "/api/v1/items/2/hold", cookies: cookies}.send(server), http.StatusUnauthorized)
	wantCalls(t, actor)
}

func TestSessionCookieOverTLSIsSecure(t *testing.T) {
	server, _, _ := setup(t, nil)
	r := httptest.NewRequest("POST", "/sign-in", strings.NewReader(url.Values{"password": {password}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host, r.TLS = "localhost", &tls.ConnectionState{}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	if c := w.Result().Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("got cookies %v, want a secure one", c)
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _, actor := setup(t, nil)
		cookies := signIn(t, server)
		act := request{method: "POST", path: "/api/v1/items/2/hold", cookies: cookies}
		time.Sleep(sessionLife - time.Second)
		wantCode(t, act.send(server), http.StatusOK)
		time.Sleep(2 * time.Second)
		actor.took()
		wantCode(t, act.send(server), http.StatusUnauthorized)
		wantCalls(t, actor)

		var all [][]*http.Cookie
		for range maxSessions + 5 {
			all = append(all, signIn(t, server))
			time.Sleep(time.Second)
		}
		if n := len(server.entry.sessions); n > maxSessions {
			t.Errorf("got %d sessions, want at most %d", n, maxSessions)
		}
		act.cookies = all[len(all)-1]
		wantCode(t, act.send(server), http.StatusOK)
		act.cookies = all[0]
		wantCode(t, act.send(server), http.StatusUnauthorized)
	})
}

func TestGuessesAreLimited(t *testing.T) {
	form := func(p, from string) request {
		return request{method: "POST", path: "/sign-in", form: url.Values{"password": {p}}, from: from}
	}
	basic := func(p, from string) request {
		return request{method: "POST", path: "/api/v1/items/2/hold", basic: p, from: from}
	}
	for name, guess := range map[string]func(p, from string) request{"form": form, "basic": basic} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, _, actor := setup(t, nil)
				const here, other = "192.0.2.7:1000", "192.0.2.8:1000"
				for range guessBurst {
					if w := guess("wrong", here).send(server); w.Code == http.StatusTooManyRequests {
						t.Fatal("a person may mistype")
					}
				}
				for _, p := range []string{"wrong", password} {
					for _, also := range []request{form(p, here), basic(p, here)} {
						w := also.send(server)
						wantCode(t, w, http.StatusTooManyRequests)
						if w.Header().Get("Retry-After") == "" {
							t.Error("got no Retry-After")
						}
						if len(w.Result().Cookies()) > 0 {
							t.Error("a session began")
						}
					}
				}
				wantCalls(t, actor)
				if w := guess(password, other).send(server); w.Code >= 400 {
					t.Errorf("somebody else is locked out: %d", w.Code)
				}
				time.Sleep(guessEvery + time.Second)
				if w := guess(password, here).send(server); w.Code >= 400 {
					t.Errorf("after the wait: got code %d", w.Code)
				}
			})
		})
	}
}

func TestWrongPasswordIsSaid(t *testing.T) {
	server, _, _ := setup(t, nil)
	w := request{method: "POST", path: "/sign-in", form: url.Values{"password": {"wrong"}, "to": {"/items/2"}}}.send(server)
	wantCode(t, w, http.StatusForbidden)
	wantText(t, w.Body.String(), "That is not the password", `name="to" value="/items/2"`)
	wantNoText(t, w.Body.String(), password)
	if len(w.Result().Cookies()) > 0 {
		t.Error("a session began")
	}
}

func TestGuessersAreBounded(t *testing.T) {
	server, _, _ := setup(t, nil)
	for i := range 3 * maxGuesser {
		addr := net.IPv4(10, 1, byte(i>>8), byte(i)).String()
		request{method: "POST", path: "/api/v1/items/2/hold", basic: "wrong", from: addr + ":1"}.send(server)
	}
	if n := len(server.entry.guessers); n > maxGuesser+1 {
		t.Errorf("got %d remembered, want at most %d", n, maxGuesser+1)
	}
	w := request{method: "POST", path: "/api/v1/items/2/hold", basic: password, from: "10.9.9.9:1"}.send(server)
	wantCode(t, w, http.StatusTooManyRequests) // so many that all newcomers share one limit
	six := map[string]bool{}
	for _, from := range []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1", "[::ffff:10.0.0.1]:1", "10.0.0.1:2"} {
		six[senderOf(&http.Request{RemoteAddr: from}).String()] = true
	}
	if len(six) != 3 {
		t.Errorf("got senders %v, want two networks of IPv6 and one address", six)
	}
}

func TestCrossOriginIsRefused(t *testing.T) {
	refused := []map[string]string{
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Origin": "https://evil.example"},
		{"Origin": "null"},
		{"Origin": "http://127.0.0.1:9999"},
		{"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8480"},
	}
	allowed := []map[string]string{
		nil, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://127.0.0.1:8480"},
	}
	server, _, actor := setup(t, nil)
	cookies := signIn(t, server)
	for _, header := range refused {
		for _, q := range append(everyAct, request{method: "POST", path: "/sign-in", form: url.Values{"password": {password}}}, request{method: "POST", path: "/sign-out"}) {
			q.header, q.cookies, q.basic = header, cookies, password
			w := q.send(server)
			wantCode(t, w, http.StatusForbidden)
			wantText(t, w.Body.String(), "another site")
		}
	}
	dutchServer, _, _ := setup(t, func(o *Options) { o.Language = "nl" })
	for path, want := range map[string]string{"/retry": "een andere site", "/api/v1/retry": "another site"} {
		wantText(t, request{method: "POST", path: path, header: refused[0]}.send(dutchServer).Body.String(), want)
	}
	wantCalls(t, actor)
	for _, header := range allowed {
		w := request{method: "POST", path: "/api/v1/items/2/retry", header: header, cookies: cookies}.send(server)
		wantCode(t, w, http.StatusOK)
		wantCalls(t, actor, "retry 2")
	}
}

func TestForeignHostIsRefused(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	server, _, actor := setup(t, func(o *Options) { o.Names = []string{"status.example.org:8480", ":8480", ""} })
	for host, ok := range map[string]bool{
		"127.0.0.1:8480": true, "127.0.0.1": true, "127.9.9.9:1": true, "localhost": true, "LocalHost:9999": true, "localhost.": true, "[::1]:8480": true, "[::1]": true,
		"status.example.org:8480": true, "status.example.org": true, "Status.Example.org.": true, name + ":8480": true,
		"evil.example": false, "evil.example:8480": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"192.0.2.1:8480": false, "0.0.0.0:8480": false, "[2001:db8::1]:8480": false, "2130706433": false, "example.org": false,
		"status.example.org.evil.example": false, ":8480": false, "[": false,
	} {
		for _, q := range []request{{path: "/"}, {path: "/api/v1/status"}, {path: "/metrics"}, {path: "/sign-in"}, {method: "POST", path: "/api/v1/items/2/retry", basic: password}} {
			q.host = host
			w := q.send(server)
			calls := actor.took()
			if ok && w.Code != http.StatusOK {
				t.Errorf("%s %s: got code %d: %s", host, q.path, w.Code, w.Body)
			}
			if !ok {
				if w.Code != http.StatusMisdirectedRequest || len(calls) > 0 {
					t.Errorf("%s %s: got code %d and calls %q, want it refused", host, q.path, w.Code, calls)
				}
				wantNoText(t, w.Body.String(), "zwolle", "put-2.xml")
				wantText(t, w.Body.String(), "status.listen")
			}
		}
	}
	wantCode(t, request{path: "/healthz", host: "anything.example"}.send(server), http.StatusOK)
}

// On a machine's own address the page answers to that address.
func TestHostIsTheAddressConnectedTo(t *testing.T) {
	server, _, _ := setup(t, nil)
	for local, want := range map[string]int{"192.0.2.1:8480": http.StatusOK, "192.0.2.2:8480": http.StatusMisdirectedRequest, "[::ffff:192.0.2.1]:8480": http.StatusOK} {
		addr, err := net.ResolveTCPAddr("tcp", local)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/api/v1/status", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
		r.Host = "192.0.2.1:8480"
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("connected to %s, asked for %s: got code %d, want %d", local, r.Host, w.Code, want)
		}
	}
}

func TestConfirmedOnWhatWasSeen(t *testing.T) {
	server, source, actor := setup(t, nil)
	cookies := signIn(t, server)
	cancel := request{method: "POST", path: "/items/2/cancel", cookies: cookies, form: url.Values{"seen": {"validated  false"}}}
	source.items[1].State = queue.Submitted
	source.items[1].Delivery = &queue.Delivery{ID: "0000182616"}
	w := cancel.send(server)
	wantCode(t, w, http.StatusConflict)
	wantText(t, w.Body.String(), "has changed meanwhile", "it was submitted (delivery 0000182616)", `value="submitted  false"`)
	wantCalls(t, actor)
	cancel.form = url.Values{}
	wantCode(t, cancel.send(server), http.StatusConflict)
	wantCalls(t, actor)
	cancel.form = url.Values{"seen": {"submitted  false"}}
	wantCode(t, cancel.send(server), http.StatusSeeOther)
	wantCalls(t, actor, "cancel 2")
}

func TestResolvingOnThePage(t *testing.T) {
	server, _, actor := setup(t, nil)
	cookies := signIn(t, server)
	page := request{path: "/items/3/resolve", cookies: cookies}.send(server)
	wantCode(t, page, http.StatusOK)
	wantText(t, page.Body.String(), "Was document 3 submitted?", "never be undone", `value="attached uncertain true"`)
	seen := []string{"attached uncertain true"}
	for _, c := range []struct {
		name string
		form url.Values
		code int
		call string
	}{
		{"number", url.Values{"seen": seen, "delivery": {"0000182614"}}, http.StatusSeeOther, "resolve 3 delivery 0000182614"},
		{"not delivered", url.Values{"seen": seen, "not-delivered": {"yes"}}, http.StatusSeeOther, "resolve 3 not delivered"},
		{"not a number", url.Values{"seen": seen, "delivery": {"<b>soon"}}, http.StatusBadRequest, ""},
		{"neither", url.Values{"seen": seen}, http.StatusBadRequest, ""},
	} {
		w := request{method: "POST", path: "/items/3/resolve", cookies: cookies, form: c.form}.send(server)
		if w.Code != c.code {
			t.Errorf("%s: got code %d, want %d", c.name, w.Code, c.code)
		}
		if c.call == "" {
			wantCalls(t, actor)
			wantText(t, w.Body.String(), "Not done:")
			wantNoText(t, w.Body.String(), "<b>")
			continue
		}
		wantCalls(t, actor, c.call)
	}
}

func TestRefusalsAreShown(t *testing.T) {
	server, _, actor := setup(t, nil)
	cookies := signIn(t, server)
	actor.err = &queue.TransitionError{ID: 2, Transition: "held", State: queue.Delivered}
	w := request{method: "POST", path: "/items/2/hold", cookies: cookies, form: url.Values{"seen": {"validated  false"}}}.send(server)
	wantCode(t, w, http.StatusConflict)
	wantText(t, w.Body.String(), "Not done: document 2 can")
	w = request{method: "POST", path: "/retry", cookies: cookies, form: url.Values{"folder": {"zwolle"}}}.send(server)
	wantCode(t, w, http.StatusConflict)

	actor.took()
	for _, path := range []string{"/items/2/deliver", "/items/99/retry"} {
		for _, method := range []string{"GET", "POST"} {
			w := request{method: method, path: path, cookies: cookies}.send(server)
			wantCode(t, w, http.StatusNotFound)
		}
	}
	w = request{path: "/items/1/retry", cookies: cookies}.send(server)
	wantText(t, w.Body.String(), "This can&#39;t be done now")
	wantNoText(t, w.Body.String(), `action="/items/1/retry"`)
	wantCalls(t, actor)
}

func TestRetryAllOnThePage(t *testing.T) {
	server, _, actor := setup(t, nil)
	cookies := signIn(t, server)
	wantText(t, request{path: "/?folder=zwolle", cookies: cookies}.send(server).Body.String(), `href="/retry?folder=zwolle"`)
	wantText(t, request{path: "/retry?folder=zwolle", cookies: cookies}.send(server).Body.String(), `name="folder" value="zwolle"`)
	wantCalls(t, actor)
	w := request{method: "POST", path: "/retry", cookies: cookies, form: url.Values{"folder": {"zwolle"}}}.send(server)
	wantCode(t, w, http.StatusSeeOther)
	wantCalls(t, actor, `retry all "zwolle" ""`)
	wantText(t, request{path: w.Header().Get("Location"), cookies: cookies}.send(server).Body.String(), "Waiting documents that are tried now: 3")
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	for to, want := range map[string]string{
		"": "/", "/": "/", "/items/17": "/items/17", "/?folder=zwolle&state=queued": "/?folder=zwolle&state=queued",
		"https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "javascript:alert(1)": "/",
		"/\t/evil.example": "/", "items/1": "/", "/%zz": "/", "///evil.example": "/",
	} {
		if got := inside(to); got != want {
			t.Errorf("%q: got %q, want %q", to, got, want)
		}
	}
}

func TestReadiness(t *testing.T) {
	full := errors.New("the disk is full: 12 MB left")
	online := func(o *Options) { o.Source.(*fakeSource).snapshot.Folders[1].Online = true }
	cases := []struct {
		name   string
		change func(*Options)
		code   int
		text   string
	}{
		{"all well", online, 200, "ok\n"},
		{"ready asked", func(o *Options) { online(o); o.Ready = func() error { return nil } }, 200, "ok\n"},
		{"folder offline", nil, 503, "folder assen is not being watched: the file server or the share cannot be reached (host is down)\n"},
		{"queue not writable", func(o *Options) { online(o); o.Ready = func() error { return full } }, 503, full.Error() + "\n"},
		{"both", func(o *Options) { o.Ready = func() error { return full } }, 503,
			full.Error() + "\nfolder assen is not being watched: the file server or the share cannot be reached (host is down)\n"},
		{"queue not readable", func(o *Options) {
			o.Source.(*fakeSource).snapshot.Folders = nil
			o.Source.(*fakeSource).err = full
		}, 503, "the queue can't be read: " + full.Error() + "\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, _, _ := setup(t, c.change)
			w := get(server, "/readyz")
			if w.Code != c.code || w.Body.String() != c.text {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, c.code, c.text)
			}
			alive := get(server, "/healthz")
			if alive.Code != 200 || alive.Body.String() != "ok\n" {
				t.Errorf("healthz: got %d %q; it says only whether we live", alive.Code, alive.Body)
			}
		})
	}
}

// pipes is a listener in memory, on which time can be that of a bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func TestServeAndStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, _, _ := setup(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, server) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "put-2.xml") {
		t.Errorf("got %d, %v: %s", resp.StatusCode, err, body)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v, want nil", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Serve did not return")
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the address is still open")
	}
}

func TestServeLetsAnswersFinish(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		whole bool
	}{"short": {time.Second, true}, "endless": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := make(chan struct{})
				server, _, _ := setup(t, func(o *Options) {
					o.Ready = func() error {
						close(begun)
						time.Sleep(c.takes)
						return nil
					}
				})
				l := newPipes()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- Serve(ctx, l, server) }()
				conn := l.dial()
				defer conn.Close()
				answer := make(chan string)
				go func() {
					_, _ = io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
					all, _ := io.ReadAll(conn)
					answer <- string(all)
				}()
				<-begun
				start := time.Now()
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("got %v, want nil", err)
				}
				if took := time.Since(start); took > stopWithin+500*time.Millisecond {
					t.Errorf("stopping took %v", took)
				}
				if got := <-answer; strings.Contains(got, "not being watched") != c.whole {
					t.Errorf("got answer %q, want it whole: %t", got, c.whole)
				}
				time.Sleep(c.takes) // the handler itself can't be broken off
			})
		})
	}
}

// Who connects and says nothing, or says it endlessly slowly, is let go.
func TestServeDropsSlowClients(t *testing.T) {
	for name, first := range map[string]string{"silent": "", "slow head": "GET / HTTP/1.1\r\nHost: localh", "slow body": "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\npass"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, _, _ := setup(t, nil)
				l := newPipes()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- Serve(ctx, l, server) }()
				conn := l.dial()
				_, _ = io.WriteString(conn, first)
				start := time.Now()
				_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
				if took := time.Since(start); took > time.Minute {
					t.Errorf("it was held for %v", took)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestServeSaysWhenItEndsByItself(t *testing.T) {
	server, _, _ := setup(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(context.Background(), l, server); err == nil || !strings.Contains(err.Error(), "serve the status page") {
		t.Errorf("got %v", err)
	}
}

func TestLargeBodyIsNotRead(t *testing.T) {
	server, _, actor := setup(t, nil)
	read := 0
	body := io.LimitReader(readerFunc(func(p []byte) (int, error) {
		for i := range p {
			p[i] = 'a'
		}
		read += len(p)
		return len(p), nil
	}), 100<<20)
	r := httptest.NewRequest("POST", "/sign-in", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host = "localhost"
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	wantCode(t, w, http.StatusBadRequest)
	if read > 1<<20 {
		t.Errorf("read %d bytes of it", read)
	}
	wantCalls(t, actor)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
