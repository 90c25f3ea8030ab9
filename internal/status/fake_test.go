package status

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
)

// fakeSource holds items in memory.
type fakeSource struct {
	snapshot Snapshot
	items    []queue.Item // oldest first
	err      error        // of every call
	breakAt  int          // > 0: Each fails after so many items

	mu     sync.Mutex
	filter queue.Filter // of the last Each
}

func (s *fakeSource) Status() (Snapshot, error) { return s.snapshot, s.err }

func (s *fakeSource) Item(id queue.ID) (queue.Item, error) {
	if s.err != nil {
		return queue.Item{}, s.err
	}
	for _, it := range s.items {
		if it.ID == id {
			return it, nil
		}
	}
	return queue.Item{}, fmt.Errorf("document %s: %w", id, queue.ErrNotFound)
}

func (s *fakeSource) Each(f queue.Filter, do func(queue.Item) bool) error {
	s.mu.Lock()
	s.filter = f
	s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	items := slices.Clone(s.items)
	if f.Newest {
		slices.Reverse(items)
	}
	n := 0
	for _, it := range items {
		if f.State != "" && it.State != f.State || f.Hold != "" && it.Hold != f.Hold || f.Folder != "" && it.Folder != f.Folder ||
			!strings.Contains(it.File, f.Search) || f.Open && !it.Open() {
			continue
		}
		if s.breakAt > 0 && n == s.breakAt {
			return errors.New("the disk is gone")
		}
		if f.Limit > 0 && n == f.Limit || !do(it) {
			return nil
		}
		n++
	}
	return nil
}

// fakeActor notes what was asked of it.
type fakeActor struct {
	err error

	mu    sync.Mutex
	calls []string
}

func (a *fakeActor) note(format string, args ...any) (queue.Item, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprintf(format, args...))
	return queue.Item{ID: 17, File: "put-17.xml", State: queue.Queued}, a.err
}

// took returns the calls since it was last asked.
func (a *fakeActor) took() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

func (a *fakeActor) Retry(id queue.ID) (queue.Item, error)   { return a.note("retry %s", id) }
func (a *fakeActor) Hold(id queue.ID) (queue.Item, error)    { return a.note("hold %s", id) }
func (a *fakeActor) Release(id queue.ID) (queue.Item, error) { return a.note("release %s", id) }
func (a *fakeActor) Cancel(id queue.ID) (queue.Item, error)  { return a.note("cancel %s", id) }

func (a *fakeActor) RetryAll(folder, reason string) (int, error) {
	_, err := a.note("retry all %q %q", folder, reason)
	return 3, err
}

func (a *fakeActor) ResolveDelivered(id queue.ID, number string) (queue.Item, error) {
	if strings.Trim(number, "0123456789") != "" {
		return queue.Item{}, fmt.Errorf("%q is not a delivery number", number)
	}
	return a.note("resolve %s delivery %s", id, number)
}

func (a *fakeActor) ResolveNotDelivered(id queue.ID) (queue.Item, error) {
	return a.note("resolve %s not delivered", id)
}

var morning = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)

// sample is a queue with a document in most situations.
func sample() *fakeSource {
	it := func(id queue.ID, folder, file string, state queue.State) queue.Item {
		return queue.Item{
			ID: id, Folder: folder, File: file, State: state, Environment: "demo", Portal: "https://demo.bronhouderportaal-bro.nl",
			Project: "1255", SHA256: strings.Repeat("ab", 32), Source: queue.Source{Size: 4321, ModTime: morning},
			Type: "GMW_Construction", Request: "registrationRequest", RequestReference: "put " + id.String(),
			Times:   queue.Times{Seen: morning, Queued: morning.Add(time.Minute)},
			History: []queue.Event{{At: morning.Add(time.Minute), What: "queued"}},
		}
	}
	delivered := it(1, "zwolle", "put-1.xml", queue.Delivered)
	delivered.Delivery = &queue.Delivery{ID: "0000182614", Status: "DOORGELEVERD", DocumentStatus: "OPGENOMEN_LVBRO"}
	delivered.Upload = &queue.Upload{ID: 77}
	delivered.BROID, delivered.TransactionID = "GMW000000012345", "4711"
	delivered.Filed, delivered.Beside = "done/2026-11-23/put-1.xml", "done/2026-11-23/put-1.xml.receipt.json"
	delivered.Times.Filed = morning.Add(time.Hour)
	delivered.History = append(delivered.History, queue.Event{At: morning.Add(time.Hour), What: "filed", Detail: delivered.Filed})

	waiting := it(2, "zwolle", "put-2.xml", queue.Validated)
	waiting.LastError, waiting.LastKind, waiting.Attempts = "open upload: 503 Service Unavailable: portal not available", "unavailable", 4
	waiting.NextAttempt = morning.Add(time.Hour)
	waiting.History = append(waiting.History, queue.Event{At: morning.Add(time.Hour), What: "retry", Detail: "open upload: 503", Count: 4})

	uncertain := it(3, "assen", "put-3.xml", queue.Attached)
	uncertain.Intent, uncertain.Hold, uncertain.HoldReason = queue.IntentSubmit, queue.HoldUncertain, "the portal can't say"

	duplicate := it(4, "assen", "put-4.xml", queue.Queued)
	duplicate.Hold, duplicate.HoldReason, duplicate.DuplicateOf = queue.HoldDuplicate, "it has the same content as document 1", 1

	rejected := it(5, "assen", "put-5.xml", queue.Rejected)
	rejected.Report = &queue.Report{Code: "not-valid", Errors: []string{"De waarde is niet toegestaan."}}

	submitted := it(6, "zwolle", "put-6.xml", queue.Submitted)
	submitted.Delivery = &queue.Delivery{ID: "0000182615"}

	return &fakeSource{
		items: []queue.Item{delivered, waiting, uncertain, duplicate, rejected, submitted},
		snapshot: Snapshot{
			Running: true, Version: "1.2.3", DataDir: "/var/lib/brodaemon", UnderWay: 2,
			Folders: []Folder{
				{Name: "zwolle", Path: "/srv/bro/zwolle", Environment: "demo", Project: "1255", Token: "zwolle", Online: true, Events: true,
					LastScan: morning, Files: 3, OldestFrom: morning.Add(time.Minute),
					NotTaken: []Lying{{File: "half.xml", Reason: "it is not complete yet", Since: morning}}, NotTakenN: 1,
					Ignored: []Lying{{File: "plan.pdf", Code: "name", Reason: "its name matches no pattern of this folder", Since: morning}}, IgnoredN: 31},
				{Name: "assen", Path: `\\nas\bro`, Environment: "production", Project: "9", Token: "assen", Online: false,
					Cause: "unreachable", Reason: "the file server or the share cannot be reached (host is down)", Since: morning},
			},
			Portals: []Portal{
				{Address: "https://demo.bronhouderportaal-bro.nl", Environment: "demo", Up: true},
				{Address: "https://www.bronhouderportaal-bro.nl", Environment: "production",
					Pause: &deliver.Pause{Reason: "503 Service Unavailable", Since: morning, Next: morning.Add(time.Hour)}},
			},
			Tokens: []Token{
				{Name: "zwolle", Portal: "https://demo.bronhouderportaal-bro.nl"},
				{Name: "assen", Portal: "https://www.bronhouderportaal-bro.nl", Paused: true, Pause: &deliver.Pause{Reason: "sign-on refused", Since: morning}},
			},
			Counts: []Count{
				{Folder: "assen", State: "attached", Hold: "uncertain", N: 1},
				{Folder: "assen", State: "queued", Hold: "duplicate", N: 1},
				{Folder: "assen", State: "rejected", N: 1},
				{Folder: "zwolle", State: "delivered", Filed: true, N: 1201},
				{Folder: "zwolle", State: "delivered", N: 2},
				{Folder: "zwolle", State: "validated", N: 1},
				{Folder: "zwolle", State: "submitted", N: 1},
			},
			Oldest: &Row{ID: "2", File: "put-2.xml", Folder: "zwolle", State: "validated", LastError: "portal not available"}, OldestFrom: morning,
			Conditions: []Condition{
				{Code: "folder-offline", Text: `folder assen (\\nas\bro) can't be read: host is down`, Subject: "assen", Detail: "host is down", Since: morning},
				{Code: "held-uncertain", Text: "1 documents may or may not have been submitted", Hint: "look in the portal", N: 1},
				{Code: "something-new", Text: "a condition this page has no words for", Hint: "read it in English"},
			},
		},
	}
}

const password = "open sesame ▲"

// setup makes a Server that can act.
func setup(t *testing.T, change func(*Options)) (*Server, *fakeSource, *fakeActor) {
	t.Helper()
	source, actor := sample(), &fakeActor{}
	o := Options{Source: source, Actor: actor, Password: secret.New(password), Language: "en", Version: "1.2.3"}
	if change != nil {
		change(&o)
	}
	return NewServer(o), source, actor
}

// request is one request to a handler, as a program on this machine makes it.
type request struct {
	method, path string
	form         url.Values
	header       map[string]string
	host         string
	cookies      []*http.Cookie
	basic        string // password
	from         string
}

func (q request) send(h http.Handler) *httptest.ResponseRecorder {
	var body io.Reader
	if q.form != nil {
		body = strings.NewReader(q.form.Encode())
	}
	if q.method == "" {
		q.method = http.MethodGet
	}
	r := httptest.NewRequest(q.method, q.path, body)
	r.Host = "127.0.0.1:8480"
	if q.host != "" {
		r.Host = q.host
	}
	if q.from != "" {
		r.RemoteAddr = q.from
	}
	if q.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range maps.All(q.header) {
		r.Header.Set(name, value)
	}
	for _, c := range q.cookies {
		r.AddCookie(c)
	}
	if q.basic != "" {
		r.SetBasicAuth("anybody", q.basic)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler, path string) *httptest.ResponseRecorder { return request{path: path}.send(h) }

func wantCode(t *testing.T, w *httptest.ResponseRecorder, code int) {
	t.Helper()
	if w.Code != code {
		t.Fatalf("got code %d, want %d; it said:\n%s", w.Code, code, w.Body)
	}
}

func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got no %q in:\n%s", part, text)
		}
	}
}

func wantNoText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("got %q, which must not be there, in:\n%s", part, text)
		}
	}
}

// wantCalls is what reached the Actor, and nothing else.
func wantCalls(t *testing.T, a *fakeActor, calls ...string) {
	t.Helper()
	if got := a.took(); !slices.Equal(got, calls) {
		t.Errorf("got calls %q, want %q", got, calls)
	}
}
