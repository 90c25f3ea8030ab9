package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"brodaemon/internal/queue"
)

func TestStatusIsTheSnapshot(t *testing.T) {
	source := sample()
	w := get(API(source, &fakeActor{}), "/api/v1/status")
	wantCode(t, w, http.StatusOK)
	var got Snapshot
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, source.snapshot) {
		t.Errorf("got %+v\nwant %+v", got, source.snapshot)
	}
}

func TestItemsFilters(t *testing.T) {
	cases := []struct {
		name, query string
		want        queue.Filter
		ids         []string
	}{
		{"all", "", queue.Filter{Limit: 1000}, []string{"1", "2", "3", "4", "5", "6"}},
		{"state", "state=submitted", queue.Filter{State: queue.Submitted, Limit: 1000}, []string{"6"}},
		{"hold", "hold=duplicate", queue.Filter{Hold: queue.HoldDuplicate, Limit: 1000}, []string{"4"}},
		{"folder", "folder=assen", queue.Filter{Folder: "assen", Limit: 1000}, []string{"3", "4", "5"}},
		{"search", "q=put-2", queue.Filter{Search: "put-2", Limit: 1000}, []string{"2"}},
		{"open", "open=1", queue.Filter{Open: true, Limit: 1000}, []string{"2", "3", "4", "5", "6"}},
		{"limit", "limit=2", queue.Filter{Limit: 2}, []string{"1", "2"}},
		{"no limit", "limit=0", queue.Filter{}, []string{"1", "2", "3", "4", "5", "6"}},
		{"newest", "newest=1&limit=2", queue.Filter{Newest: true, Limit: 2}, []string{"6", "5"}},
		{"together", "state=queued&folder=assen&q=put", queue.Filter{State: queue.Queued, Folder: "assen", Search: "put", Limit: 1000}, []string{"4"}},
		{"none", "folder=elsewhere", queue.Filter{Folder: "elsewhere", Limit: 1000}, []string{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			source := sample()
			w := get(API(source, &fakeActor{}), "/api/v1/items?"+c.query)
			wantCode(t, w, http.StatusOK)
			if source.filter != c.want {
				t.Errorf("got filter %+v, want %+v", source.filter, c.want)
			}
			var rows []Row
			if err := json.Unmarshal(w.Body.Bytes(), &rows); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			ids := []string{}
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			if !slices.Equal(ids, c.ids) {
				t.Errorf("got %v, want %v", ids, c.ids)
			}
			if strings.TrimSpace(w.Body.String()) == "null" {
				t.Error("an empty list is null")
			}
		})
	}
}

func TestItemsWrongQuery(t *testing.T) {
	for query, word := range map[string]string{
		"state=done": "submitted", "hold=maybe": "uncertain", "limit=many": "number", "limit=-1": "number", "limit=1e3": "number",
	} {
		t.Run(query, func(t *testing.T) {
			w := get(API(sample(), &fakeActor{}), "/api/v1/items?"+query)
			wantCode(t, w, http.StatusBadRequest)
			wantText(t, saidError(t, w.Body.Bytes()), word)
		})
	}
}

func saidError(t *testing.T, body []byte) string {
	t.Helper()
	var said struct{ Error string }
	if err := json.Unmarshal(body, &said); err != nil || said.Error == "" {
		t.Fatalf("got %s; want {\"error\": …} (%v)", body, err)
	}
	return said.Error
}

func TestRowNames(t *testing.T) {
	w := get(API(sample(), &fakeActor{}), "/api/v1/items?folder=zwolle&limit=1")
	var rows []map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for _, name := range []string{"id", "file", "folder", "state", "hold", "last_error", "attempts", "sha256", "type", "request", "requestReference", "broId", "deliveryId", "filed"} {
		if _, ok := rows[0][name]; !ok {
			t.Errorf("got no %q in %v", name, rows[0])
		}
	}
}

// A document that ended in failed/ always has a reason in the list, also where
// the portal had no part in it.
func TestRowOfAnEndSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		report queue.Report
		want   string
	}{
		"the portal's words": {queue.Report{Code: "not-valid", Errors: []string{"tube lacks"}, Detail: "x"}, "tube lacks"},
		"the detail":         {queue.Report{Code: "document-answer", Detail: "dispatchDataResponse"}, "document-answer: dispatchDataResponse"},
		"a duplicate":        {queue.Report{Code: "duplicate", DuplicateOf: 12}, "duplicate of document 12"},
		"the bare code":      {queue.Report{Code: "document-empty"}, "document-empty"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := LastError(&queue.Item{State: queue.Rejected, Report: &tc.report}); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestListThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	source := sample()
	source.breakAt = 2
	w := get(API(source, &fakeActor{}), "/api/v1/items")
	var rows []Row
	if err := json.Unmarshal(w.Body.Bytes(), &rows); err == nil {
		t.Errorf("a list that broke off after 2 items reads as a whole one of %d: %s", len(rows), w.Body)
	}
}

func TestDetailHasReceiptAndProgress(t *testing.T) {
	w := get(API(sample(), &fakeActor{}), "/api/v1/items/1")
	wantCode(t, w, http.StatusOK)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for name, want := range map[string]any{
		"id": "1", "file": "put-1.xml", "outcome": "delivered", "broId": "GMW000000012345", "deliveryId": "0000182614", "uploadId": "77",
		"environment": "demo", "errors": []any{}, // of the receipt
		"state": "delivered", "hold": "", "last_error": "", "filed": "done/2026-11-23/put-1.xml", "deliveryStatus": "DOORGELEVERD",
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s: got %#v, want %#v", name, got[name], want)
		}
	}
	if timeline, _ := got["timeline"].([]any); len(timeline) != 2 {
		t.Errorf("got timeline %v, want 2 events", got["timeline"])
	}
	var back Detail
	if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.File != "put-1.xml" || back.State != "delivered" || len(back.Timeline) != 2 || back.DeliveryID != "0000182614" {
		t.Errorf("read back: got %+v", back)
	}
}

func TestUnknownItem(t *testing.T) {
	h := API(sample(), &fakeActor{})
	for path, code := range map[string]int{
		"/api/v1/items/99": 404, "/api/v1/items/0": 400, "/api/v1/items/x": 400, "/api/v1/items/99999999999999999999999": 400,
		"/api/v1/nothing": 404, "/": 404,
	} {
		w := get(h, path)
		if w.Code != code {
			t.Errorf("%s: got code %d, want %d", path, w.Code, code)
		}
		saidError(t, w.Body.Bytes())
	}
}

func TestActs(t *testing.T) {
	long := url.Values{"delivery": {strings.Repeat("1", maxForm)}}
	cases := []struct {
		name, path string
		form       url.Values
		code       int
		call       string
	}{
		{"retry", "items/17/retry", nil, 200, "retry 17"},
		{"hold", "items/17/hold", nil, 200, "hold 17"},
		{"release", "items/17/release", nil, 200, "release 17"},
		{"cancel", "items/17/cancel", nil, 200, "cancel 17"},
		{"resolve with number", "items/17/resolve", url.Values{"delivery": {"0000182614"}}, 200, "resolve 17 delivery 0000182614"},
		{"resolve with number in the address", "items/17/resolve?delivery=182614", nil, 200, "resolve 17 delivery 182614"},
		{"resolve not delivered", "items/17/resolve", url.Values{"delivery": {""}, "not-delivered": {"yes"}}, 200, "resolve 17 not delivered"},
		{"resolve with both", "items/17/resolve", url.Values{"delivery": {"1"}, "not-delivered": {"yes"}}, 400, ""},
		{"resolve with none", "items/17/resolve", nil, 400, ""},
		{"resolve not not delivered", "items/17/resolve", url.Values{"not-delivered": {"no"}}, 400, ""},
		{"resolve not delivered 0", "items/17/resolve", url.Values{"not-delivered": {"0"}}, 400, ""},
		{"resolve with a word", "items/17/resolve", url.Values{"delivery": {"soon"}}, 400, ""},
		{"form too long", "items/17/resolve", long, 400, ""},
		{"no such act", "items/17/deliver", nil, 404, ""},
		{"no such number", "items/seventeen/retry", nil, 400, ""},
		{"all", "retry", nil, 200, `retry all "" ""`},
		{"all of a folder", "retry", url.Values{"folder": {"zwolle"}, "reason": {"unavailable"}}, 200, `retry all "zwolle" "unavailable"`},
		{"all, form too long", "retry", url.Values{"folder": {strings.Repeat("z", maxForm)}}, 400, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			actor := &fakeActor{}
			w := request{method: "POST", path: "/api/v1/" + c.path, form: c.form}.send(API(sample(), actor))
			wantCode(t, w, c.code)
			if c.call == "" {
				wantCalls(t, actor)
				saidError(t, w.Body.Bytes())
				return
			}
			wantCalls(t, actor, c.call)
		})
	}
}

// An act must not go on the whole queue because its folder was not understood.
func TestActsRefuseOtherBodies(t *testing.T) {
	for _, kind := range []string{"application/json", "text/plain", "", "multipart/form-data", "application/x-www-form-urlencoded; ="} {
		t.Run(kind, func(t *testing.T) {
			actor := &fakeActor{}
			r := request{method: "POST", path: "/api/v1/retry", form: url.Values{"folder": {"zwolle"}}, header: map[string]string{"Content-Type": kind}}
			w := r.send(API(sample(), actor))
			wantCode(t, w, http.StatusBadRequest)
			wantCalls(t, actor)
		})
	}
}

func TestActErrors(t *testing.T) {
	cases := []struct {
		name string
		err  error
		code int
	}{
		{"does not fit", &queue.TransitionError{ID: 17, Transition: "released", State: queue.Queued, Why: "it is not held"}, 409},
		{"unknown", fmt.Errorf("document 17: %w", queue.ErrNotFound), 404},
		{"stopping", queue.ErrClosed, 503},
		{"disk", errors.New("no space left on device"), 500},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"items/17/release", "retry", "items/17/resolve?not-delivered=yes"} {
				w := request{method: "POST", path: "/api/v1/" + path}.send(API(sample(), &fakeActor{err: c.err}))
				wantCode(t, w, c.code)
				wantText(t, saidError(t, w.Body.Bytes()), c.err.Error())
			}
		})
	}
}

func TestSourceErrors(t *testing.T) {
	source := sample()
	source.err = errors.New("the queue file is damaged")
	for _, path := range []string{"status", "items", "items/1"} {
		w := get(API(source, &fakeActor{}), "/api/v1/"+path)
		wantCode(t, w, http.StatusInternalServerError)
		wantText(t, saidError(t, w.Body.Bytes()), "damaged")
	}
}

// Whatever stands in the query: an answer that is JSON, and nothing done.
func FuzzItemsQuery(f *testing.F) {
	for _, q := range []string{"", "state=queued", "limit=0&newest=1", "q=%00%ff&folder=a;b", "limit=99999999999999999999", "state=%", "hold=&hold=x"} {
		f.Add(q)
	}
	source, actor := sample(), &fakeActor{}
	server := NewServer(Options{Source: source, Actor: actor})
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/api/v1/items", "/"} {
			r := request{path: path}
			u := url.URL{Path: path, RawQuery: query}
			if _, err := url.ParseRequestURI(u.String()); err != nil || strings.ContainsAny(query, " \r\n\t#") {
				t.Skip("no server would get such a request line")
			}
			r.path = u.String()
			w := r.send(server)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Fatalf("%s: got code %d: %s", r.path, w.Code, w.Body)
			}
			if path != "/" && !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s: not JSON: %s", r.path, w.Body)
			}
			if strings.Contains(strings.ToLower(w.Body.String()), "<script>") && path == "/" {
				t.Fatalf("%s: the query became markup: %s", r.path, w.Body)
			}
		}
		wantCalls(t, actor)
	})
}
