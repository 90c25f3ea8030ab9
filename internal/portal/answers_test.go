package portal

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const page = "<!DOCTYPE html><html><head><title>Onderhoud</title><style>p{color:red}</style></head><body><p>Het portaal is&nbsp;even dicht &amp; komt terug</p></body></html>"

// Every call against every refusal. kind is for all acts but those in but.
func TestEveryCallAndEveryRefusal(t *testing.T) {
	project404 := map[Op]Kind{OpAddSourceDocument: Gone, OpSubmit: Gone, OpDelivery: Gone, OpSourceDocument: Gone}
	carrying := map[Op]Kind{OpValidate: Refused, OpAddSourceDocument: Refused, OpSubmit: Refused}
	cases := []struct {
		code  int
		kind  Kind
		but   map[Op]Kind
		maybe bool
	}{
		{300, Unexpected, nil, true},
		{301, Unexpected, nil, true},
		{302, Unexpected, nil, true},
		{303, Unexpected, nil, true},
		{304, Unexpected, nil, true},
		{307, Unexpected, nil, true},
		{308, Unexpected, nil, true},
		{400, Unexpected, carrying, false},
		{401, Unauthorized, nil, false},
		{402, Unexpected, carrying, false},
		{403, Unauthorized, nil, false},
		{404, Unauthorized, project404, false},
		{405, Unexpected, nil, false},
		{406, Unexpected, nil, false},
		{407, Unavailable, nil, false},
		{408, Unavailable, nil, true},
		{409, Unexpected, map[Op]Kind{OpValidate: Refused, OpAddSourceDocument: Conflict, OpSubmit: Conflict}, false},
		{410, Unauthorized, project404, false},
		{411, Unexpected, nil, false},
		{413, Unexpected, carrying, false},
		{415, Unexpected, carrying, false},
		{417, Unexpected, nil, false},
		{421, Unavailable, nil, false},
		{422, Unexpected, carrying, false},
		{425, Unavailable, nil, false},
		{429, RateLimited, nil, false},
		{431, Unexpected, nil, false},
		{500, Unavailable, nil, true},
		{501, Unavailable, nil, true},
		{502, Unavailable, nil, true},
		{503, Unavailable, nil, true},
		{504, Unavailable, nil, true},
		{599, Unavailable, nil, true},
		{700, Unexpected, nil, true},
	}
	forms := []struct{ name, typ, body, detail string }{
		{"spring", "application/json", `{"timestamp":"2026-01-01","status":401,"error":"Kort","message":"Lang verhaal","path":"/x"}`, "Lang verhaal"},
		{"page", "text/html", page, "Onderhoud Het portaal is even dicht & komt terug"},
		{"empty", "", "", ""},
	}
	for _, form := range forms {
		server, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
			var code int
			fmt.Sscan(r.URL.Query().Get("code"), &code)
			if form.typ != "" {
				w.Header().Set("Content-Type", form.typ)
			}
			w.WriteHeader(code)
			fmt.Fprint(w, form.body)
		})
		for _, c := range cases {
			for _, act := range acts {
				t.Run(fmt.Sprintf("%s/%d/%s", form.name, c.code, act.op), func(t *testing.T) {
					var observed []string
					portal := client(t, server.URL, func(o *Options) {
						o.Transport = codeInQuery{c.code}
						o.Observe = func(op Op, code string, d time.Duration) {
							observed = append(observed, fmt.Sprintf("%s %s %t", op, code, d > 0))
						}
					})
					before := len(log.all())
					err := act.call(t.Context(), portal)
					if n := len(log.all()) - before; n != 1 {
						t.Fatalf("%d requests, want 1", n)
					}
					if want := fmt.Sprintf("%s %d true", act.op, c.code); len(observed) != 1 || observed[0] != want {
						t.Errorf("observed %q, want %q once", observed, want)
					}
					if act.op == OpDeliveriesAwaiting && c.code == 404 {
						if err != nil {
							t.Errorf("got %v, want none: 404 means that nothing waits", err)
						}
						return
					}
					want := c.kind
					if kind, ok := c.but[act.op]; ok {
						want = kind
					}
					detail := form.detail
					if c.code == 304 { // has no body
						detail = ""
					}
					e := fault(t, err)
					if e.Kind != want || e.StatusCode != c.code || e.Op != act.op || e.MaybeDone != c.maybe || e.Detail != detail {
						t.Errorf("got %s %s %d maybe %t detail %q,\nwant %s %s %d maybe %t detail %q",
							e.Op, e.Kind, e.StatusCode, e.MaybeDone, e.Detail, act.op, want, c.code, c.maybe, detail)
					}
				})
			}
		}
	}
}

// codeInQuery tells the test portal which code to answer with.
type codeInQuery struct{ code int }

func (c codeInQuery) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	query := r.URL.Query()
	query.Set("code", fmt.Sprint(c.code))
	r.URL.RawQuery = query.Encode()
	return http.DefaultTransport.RoundTrip(r)
}

// Every call against every 2xx that does not say what it should.
func TestEveryCallAndEveryUnreadableYes(t *testing.T) {
	all := map[Op]bool{}
	for _, act := range acts {
		all[act.op] = true
	}
	locating := map[Op]bool{OpOpenUpload: true, OpSubmit: true}
	without := func(set map[Op]bool, ops ...Op) map[Op]bool {
		smaller := map[Op]bool{}
		for op := range set {
			smaller[op] = true
		}
		for _, op := range ops {
			delete(smaller, op)
		}
		return smaller
	}
	cases := []struct {
		name string
		send http.HandlerFunc
		kind Kind
		fail map[Op]bool // the acts that fail by it
	}{
		{"200 page", reply(200, "text/html; charset=utf-8", page), Unavailable, all},
		{"200 page not announced", reply(200, "text/plain", "\n "+page), Unavailable, without(all, OpSourceDocument)},
		{"200 broken JSON", reply(200, "application/json", `{"status":"VALIDE"`), Unexpected, without(all, OpAddSourceDocument, OpSourceDocument)},
		{"200 text", reply(200, "text/plain", "OK"), Unexpected, without(all, OpAddSourceDocument, OpSourceDocument)},
		{"200 empty", reply(200, "", ""), Unexpected, without(all, OpAddSourceDocument, OpTransactions)},
		{"201 empty", reply(201, "", ""), Unexpected, without(all, OpAddSourceDocument, OpTransactions)},
		{"204", reply(204, "", ""), Unexpected, without(all, OpAddSourceDocument, OpTransactions, OpDeliveriesAwaiting)},
		{"200 other JSON", reply(200, "application/json", `"tekst"`), Unexpected, without(all, OpAddSourceDocument, OpSourceDocument)},
		{"200 object", reply(200, "application/json", `{"status":500,"error":"x"}`), Unexpected, without(all, OpAddSourceDocument, OpSourceDocument)},
		{"truncated body", truncated, Unavailable, map[Op]bool{OpValidate: true, OpDelivery: true, OpDeliveriesAwaiting: true, OpProjects: true, OpTransactions: true, OpSourceDocument: true}},
		{"truncated body, no Location", truncated, "", locating},
	}
	for _, c := range cases {
		server, log := serve(t, c.send)
		portal := client(t, server.URL)
		for _, act := range acts {
			t.Run(c.name+"/"+string(act.op), func(t *testing.T) {
				before := len(log.all())
				err := act.call(t.Context(), portal)
				if n := len(log.all()) - before; n != 1 {
					t.Fatalf("%d requests, want 1", n)
				}
				if !c.fail[act.op] {
					if c.kind != "" && err != nil && !locating[act.op] && act.op != OpSourceDocument {
						t.Errorf("got %v, want success", err)
					}
					return
				}
				e := fault(t, err)
				if c.kind != "" && e.Kind != c.kind {
					t.Errorf("got %s, want %s: %v", e.Kind, c.kind, e)
				}
				if !e.MaybeDone {
					t.Errorf("not in doubt after a yes that cannot be read: %v", e)
				}
				if e.Kind == Refused || e.Kind == Unauthorized || e.Kind == Gone {
					t.Errorf("a yes was taken for a no: %v", e)
				}
			})
		}
	}
}

func reply(code int, typ, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if typ != "" {
			w.Header().Set("Content-Type", typ)
		}
		w.WriteHeader(code)
		if code != 204 {
			fmt.Fprint(w, body)
		}
	}
}

// What can't be understood is quoted, but not at such length that the rest of the message is lost.
func TestOddAnswerIsQuotedShortly(t *testing.T) {
	portal := client(t, "https://portal.example", func(o *Options) {
		o.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("[odd" + strings.Repeat("q", 9000)))}, nil
		})
	})
	_, err := portal.Delivery(t.Context(), project, "0000182700")
	if e := fault(t, err); e.Kind != Unexpected || !strings.Contains(e.Error(), "[oddqqq") || len(e.Error()) > 500 {
		t.Errorf("got %d bytes: %v", len(e.Error()), e)
	}
}

// truncated announces more than it sends.
func truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"status":"VALIDE"}`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// An answer is read up to a bound, however it would go on.
func TestAnswerTooLarge(t *testing.T) {
	var taken int64
	portal := client(t, "https://portal.example", func(o *Options) {
		o.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(blanks{&taken})}, nil
		})
	})
	_, err := portal.Delivery(t.Context(), project, "0000182700")
	if e := fault(t, err); e.Kind != Unexpected || !strings.Contains(e.Error(), "an answer of more than 16 MB") {
		t.Errorf("got %v", e)
	}
	if most := int64(maxJSON + maxDrain + 64<<10); taken < maxJSON || taken > most {
		t.Errorf("%d bytes were read, want %d to %d", taken, maxJSON, most)
	}
}

// blanks is white space without end.
type blanks struct{ taken *int64 }

func (b blanks) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte(" "), len(p)))
	*b.taken += int64(len(p))
	return len(p), nil
}

func TestRetryAfterInAnswers(t *testing.T) {
	cases := []struct {
		name   string
		code   int
		header map[string]string
		want   time.Duration
	}{
		{"429 seconds", 429, map[string]string{"Retry-After": "17"}, 17 * time.Second},
		{"429 date", 429, map[string]string{"Retry-After": "Mon, 02 Mar 2026 10:00:30 GMT", "Date": "Mon, 02 Mar 2026 10:00:00 GMT"}, 30 * time.Second},
		{"429 none", 429, nil, 0},
		{"429 too long", 429, map[string]string{"Retry-After": "86400"}, time.Hour},
		{"503 seconds", 503, map[string]string{"Retry-After": "120"}, 2 * time.Minute},
		{"502 none", 502, nil, 0},
		{"400 is not to be repeated", 400, map[string]string{"Retry-After": "17"}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for key, value := range c.header {
					w.Header().Set(key, value)
				}
				w.WriteHeader(c.code)
			})
			_, err := client(t, server.URL).OpenUpload(t.Context(), project)
			if e := fault(t, err); e.RetryAfter != c.want {
				t.Errorf("got %s, want %s", e.RetryAfter, c.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	cases := []struct {
		name, value, date string
		want              time.Duration
	}{
		{"absent", "", "", 0},
		{"zero", "0", "", 0},
		{"blanks", " 5 ", "", 5 * time.Second},
		{"negative", "-5", "", 0},
		{"fraction", "1.5", "", 0},
		{"words", "soon", "", 0},
		{"an hour", "3600", "", time.Hour},
		{"more than an hour", "3601", "", time.Hour},
		{"beyond all numbers", strings.Repeat("9", 40), "", time.Hour},
		{"date by our clock", "Mon, 02 Mar 2026 10:01:00 GMT", "", time.Minute},
		{"date gone by", "Mon, 02 Mar 2026 09:59:00 GMT", "", 0},
		{"date far off", "Tue, 02 Mar 2027 10:00:00 GMT", "", time.Hour},
		{"date by the portal's clock", "Mon, 02 Mar 2026 08:00:10 GMT", "Mon, 02 Mar 2026 08:00:00 GMT", 10 * time.Second},
		{"date of RFC 850", "Monday, 02-Mar-26 10:00:20 GMT", "", 20 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.value != "" {
				h.Set("Retry-After", c.value)
			}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			if got := retryAfter(h, now); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other, otherLog := serve(t, reply(200, "application/json", `{"status":"VALIDE"}`))
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, act := range acts {
			server, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://user:pass@"+strings.TrimPrefix(other.URL, "http://")+"/api/v2/1255/leveringen/0000000001", code)
			})
			e := fault(t, act.call(t.Context(), client(t, server.URL)))
			if e.Kind != Unexpected || !e.MaybeDone {
				t.Errorf("%d %s: got %s, maybe %t", code, act.op, e.Kind, e.MaybeDone)
			}
			if !strings.Contains(e.Error(), strings.TrimPrefix(other.URL, "http://")) || strings.Contains(e.Err.Error(), "pass") {
				t.Errorf("%d %s: the target host, and only it, should be named: %v", code, act.op, e)
			}
			if len(log.all()) != 1 {
				t.Errorf("%d %s: %d requests, want 1", code, act.op, len(log.all()))
			}
		}
	}
	// Location that net/http cannot parse or that is not there
	for _, location := range []string{"", "http://[::1", "%zz"} {
		server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(302)
		})
		if e := fault(t, acts[3].call(t.Context(), client(t, server.URL))); e.Kind != Unexpected || e.StatusCode != 302 {
			t.Errorf("%q: got %v", location, e)
		}
	}
	if n := len(otherLog.all()); n != 0 {
		t.Errorf("the other host got %d requests", n)
	}
}
