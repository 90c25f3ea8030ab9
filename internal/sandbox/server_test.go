package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestZeroOptionsKnowNobody(t *testing.T) {
	c := newClient(t, Options{})
	for _, path := range []string{"/api/v2/projecten", api("uploads"), "/api/v2/x"} {
		c.must(401, "GET", path, nil)
	}
	c.must(404, "GET", "/api", nil)
	c.must(405, "POST", "/", nil)
	c.must(405, "POST", "/gm/gmw/v1/bro-ids", nil)
	c.must(200, "GET", "/", nil)
}

// A client that knows nothing but the base address delivers, as public clients do.
func TestPythonClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 here, so the way of public Python clients is not tried")
	}
	c := newClient(t, defaults(nil))
	server := httptest.NewServer(c.server)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "put 17.xml")
	document := well("uit Python é")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "put 17 é.xml"} {
		args := []string{filepath.Join("testdata", "client.py"), server.URL, DefaultUsername, DefaultSecret, fmt.Sprint(DefaultProject), file}
		if name != "" {
			args = append(args, name)
		}
		cmd := exec.CommandContext(t.Context(), python, args...)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, complaint.Bytes())
		}
		var d deliveryJSON
		if err := json.Unmarshal(out, &d); err != nil || d.Status != statusForwarded || d.Documents[0].BROID == "" || name != "" && d.Documents[0].Filename != name {
			t.Errorf("delivered as %q: got %s, %v", name, out, err)
		}
	}
	if got := c.server.Submissions(hashOf(document)); got != 2 {
		t.Errorf("%d submissions, want 2", got)
	}
}

func TestBounds(t *testing.T) {
	document := well("groot")
	c := newClient(t, defaults(func(o *Options) {
		o.MaxDeliveries, o.LogSize, o.MaxKeptBytes = 5, 7, int64(2*len(document))
		o.FileNames = FileNamesKept
	}))
	var ids []string
	for range 20 {
		c.must(201, "POST", api("uploads"), nil) // never delivered
		ids = append(ids, c.deliver(document))
	}
	if got := len(c.server.Deliveries()); got != 5 {
		t.Errorf("%d deliveries are remembered, want 5", got)
	}
	c.must(404, "GET", api("leveringen/%s", ids[0]), nil)
	if got := c.status(ids[19]); got != "DOORGELEVERD OPGENOMEN_LVBRO" {
		t.Errorf("the newest is %s", got)
	}
	if got := len(c.server.Requests()); got != 7 {
		t.Errorf("%d requests are in the log, want 7", got)
	}
	if got := c.server.Submissions(hashOf(document)); got != 20 {
		t.Errorf("%d submissions in the books, want all 20", got)
	}
	p := &c.server.portal
	kept := 0
	for _, d := range p.documents {
		if _, ok := c.server.DocumentBody(d.id); ok {
			kept++
		}
	}
	if kept != 2 || p.keptBytes != int64(2*len(document)) || len(p.uploads) > 5 || len(p.documents) > 5 || len(p.finished) > 6 || len(p.bodies) > 5 {
		t.Errorf("kept %d bodies of %d bytes, %d uploads, %d documents, %d finished, %d bodies", kept, p.keptBytes, len(p.uploads), len(p.documents), len(p.finished), len(p.bodies))
	}
	hashOnly := newClient(t, defaults(func(o *Options) { o.KeepBodies = false }))
	hashOnly.deliver(document)
	if got := hashOnly.server.Submissions(hashOf(document)); got != 1 || hashOnly.server.portal.keptBytes != 0 {
		t.Errorf("without bodies: %d submissions, %d bytes", got, hashOnly.server.portal.keptBytes)
	}
	hashOnly.must(404, "GET", api("brondocumenten/%d", firstDocument), nil)
}

func TestOtherProjectsDeliveriesAreNotThere(t *testing.T) {
	c := newClient(t, defaults(func(o *Options) {
		o.Tokens[0].Projects = append(o.Tokens[0].Projects, NeighbourProject)
		o.HoldBefore = actionCheck
	}))
	id := c.deliver(well("van ons"))
	other := fmt.Sprintf("/api/v2/%d/", NeighbourProject)
	c.must(404, "GET", other+"leveringen/"+id, nil)
	c.must(404, "GET", other+fmt.Sprintf("brondocumenten/%d", firstDocument), nil)
	c.must(404, "GET", other+"leveringen?actie=CONTROLEREN", nil)
	c.must(200, "GET", api("brondocumenten/%d", firstDocument), nil)
}

func TestDocumentOfAnnouncedSizeIsNotRead(t *testing.T) {
	c := newClient(t, defaults(func(o *Options) { o.MaxDocument = 1000 }))
	header, _ := c.must(201, "POST", api("uploads"), nil)
	c.must(413, "POST", header.Get("Location")+"/brondocumenten", make([]byte, 1001))
	requests := c.server.Requests()
	if got := requests[len(requests)-1].BodySize; got != 0 {
		t.Errorf("%d bytes of it were read", got)
	}
}

func TestDeletedEventMayComeAgain(t *testing.T) {
	c := newClient(t, defaults(nil))
	event := level("GMW000000100001", "2024-01-01")
	deletion := bytes.ReplaceAll(event, []byte("registrationRequest"), []byte("deleteRequest"))
	for _, document := range [][]byte{event, deletion, event} {
		if got := c.status(c.deliver(document)); got != "DOORGELEVERD OPGENOMEN_LVBRO" {
			t.Fatalf("%s: %s", document, got)
		}
	}
	construction := gmw("weg", "GMW000000100002", "GMW_Construction", "")
	construction = bytes.ReplaceAll(construction, []byte("registrationRequest"), []byte("deleteRequest"))
	c.deliver(construction)
	if got := c.status(c.deliver(level("GMW000000100002", "2024-01-01"))); got != "GEVALIDEERD NIET_VALIDE" {
		t.Errorf("an addition to a deleted object: %s", got)
	}
}

func TestPage(t *testing.T) {
	var logged []Request
	c := newClient(t, defaults(func(o *Options) {
		o.HoldBefore = actionCheck
		o.Log = func(r Request) { logged = append(logged, r) }
	}))
	c.deliver(well("<script>alert(1)</script>"))
	c.deliver(well(MarkInvalid))
	_, body := c.must(200, "GET", "/", nil)
	page := string(body)
	for _, want := range []string{"1255", "Waterschap Zandbak", "0000182701", "GEVALIDEERD", "CONTROLEREN", "put.xml", "NIET_VALIDE", "POST", testBase + "/api/v2"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, secret := range []string{DefaultSecret, "0dce6fc98256", "<script>"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	if strings.Contains(page, "src=") || strings.Contains(page, "http://www") || strings.Contains(page, "https://") {
		t.Error("the page wants something from elsewhere")
	}
	if len(logged) != c.server.books.total || logged[0].Op != OpOpenUpload || logged[len(logged)-1].Op != OpPage {
		t.Errorf("the log callback got %+v", logged)
	}
}

func TestManage(t *testing.T) {
	closed := newClient(t, defaults(nil))
	closed.server.Change(func(sw *Switches) { sw.HoldBefore = actionCheck })
	waiting := closed.deliver(well("wacht"))
	closed.must(404, "POST", "/sandbox/approve/"+waiting, nil)
	if got := closed.status(waiting); got != "GEVALIDEERD VALIDE" {
		t.Errorf("approved through a path that is not open: %s", got)
	}

	c := newClient(t, defaults(func(o *Options) { o.Manage = true; o.HoldBefore = actionApprove }))
	first, second, third := c.deliver(well("a")), c.deliver(well("b")), c.deliver(well("c"))
	c.must(204, "POST", "/sandbox/approve/"+first, nil)
	c.must(204, "POST", "/sandbox/reject/"+second, nil)
	c.must(204, "POST", "/sandbox/delete/"+third, nil)
	if a, b := c.status(first), c.status(second); a != "DOORGELEVERD OPGENOMEN_LVBRO" || b != "GECONTROLEERD AFGEKEURD" {
		t.Errorf("approved and rejected: %s and %s", a, b)
	}
	c.must(404, "GET", api("leveringen/%s", third), nil)
	c.must(404, "POST", "/sandbox/approve/"+third, nil)

	c.must(204, "POST", "/sandbox/fault", []byte("projects:answer:status=418:times=-1\n"))
	c.must(418, "GET", "/api/v2/projecten", nil)
	c.must(204, "POST", "/sandbox/clear-faults", nil)
	c.must(200, "GET", "/api/v2/projecten", nil)
	c.must(400, "POST", "/sandbox/fault", []byte("onzin"))

	c.must(204, "POST", "/sandbox/set", []byte("empty-list=200"))
	c.must(200, "GET", api("leveringen?actie=VALIDEREN"), nil)
	for _, bad := range []string{"empty-list=vol", "onbekend=1", "seed=1", "chaos.drop=1", ""} {
		c.must(400, "POST", "/sandbox/set", []byte(bad))
	}
	c.must(204, "POST", "/sandbox/close/1255", nil)
	c.must(401, "GET", api("leveringen?actie=VALIDEREN"), nil)
	c.must(204, "POST", "/sandbox/open/1255", nil)
	c.must(400, "POST", "/sandbox/open/alles", nil)
	c.must(404, "POST", "/sandbox/open/9", nil)
	c.must(404, "POST", "/sandbox/dans/1", nil)

	c.must(204, "POST", "/sandbox/revoke", []byte(DefaultUsername))
	c.must(401, "GET", "/api/v2/projecten", nil)
	c.must(204, "POST", "/sandbox/restore", []byte(DefaultUsername)) // with the revoked credentials
	c.must(200, "GET", "/api/v2/projecten", nil)
	req := c.request("POST", "/sandbox/revoke/"+DefaultUsername, nil)
	req.Header.Del("Authorization")
	if res, err := c.http.Do(req); err != nil || res.StatusCode != 401 {
		t.Errorf("managing without credentials: %v, %v", res, err)
	}
}

// Many at once: each document is delivered exactly as often as its client heard, numbers are unique, and nothing races.
func TestConcurrentUse(t *testing.T) {
	const clients, each = 8, 15
	c := newClient(t, defaults(func(o *Options) {
		o.Log = func(Request) {}
		o.OnRequest = func(Op, int) {}
	}))
	var wait sync.WaitGroup
	ids := make([][]string, clients)
	for n := range clients {
		wait.Go(func() {
			for i := range each {
				id := c.deliver(well(fmt.Sprintf("put %d.%d", n, i)), level("GMW000000100001", fmt.Sprintf("20%02d-01-%02d", n+10, i+1)))
				ids[n] = append(ids[n], id)
				c.try("GET", api("leveringen/%s", id), nil)
				c.try("GET", api("leveringen?actie=VALIDEREN"), nil)
				c.try("GET", "/", nil)
			}
		})
	}
	wait.Go(func() {
		for range 50 {
			c.server.WithdrawRight("niemand", 1)
			c.server.Change(func(sw *Switches) { sw.ClosingLine = ClosingLineFirst })
			c.server.Inject(Fault{Op: OpAttach, Kind: Reset})()
			c.server.Requests()
			c.server.Deliveries()
		}
	})
	wait.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(ids...)))
	if got := len(slices.Compact(all)); got != clients*each {
		t.Errorf("%d different deliveries, want %d", got, clients*each)
	}
	for n := range clients {
		for i := range each {
			if got := c.server.Submissions(hashOf(well(fmt.Sprintf("put %d.%d", n, i)))); got != 1 {
				t.Errorf("document %d.%d was submitted %d times", n, i, got)
			}
		}
	}
}

// serve calls the server as net/http would.
func serve(s *Server, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return w
}

func FuzzServe(f *testing.F) {
	f.Add("POST", api("validatie"), "", well("put"), true)
	f.Add("POST", api("uploads"), "", []byte(nil), true)
	f.Add("POST", api("uploads/%d/brondocumenten", firstUpload), "filename=a%20b.xml", well("put"), true)
	f.Add("POST", api("leveringen"), "labels=x", []byte(`{"upload":345001}`), true)
	f.Add("GET", api("leveringen"), "actie=CONTROLEREN", []byte(nil), true)
	f.Add("GET", api("leveringen/0000182701"), "", []byte(nil), true)
	f.Add("GET", "/api/v2/transacties/", "zoekveld=broId&zoektekst=GMW000000100001", []byte(nil), true)
	f.Add("POST", api("leveringen/0000182701/attachments/%%2e%%2e%%2Fx"), "", []byte("x"), true)
	f.Add("GET", "/gm/gmw/v1/objects/GMW000000100001", "fullHistory=ja", []byte(nil), false)
	f.Add("GET", "/gm/gmw/v1/bro-ids", "bronhouder=12345678", []byte(nil), false)
	f.Add("POST", "/sandbox/set", "", []byte("timeline=demo"), true)
	f.Add("GET", "/", "", []byte(nil), false)
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte, known bool) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		req, err := http.NewRequest(method, testBase+path, bytes.NewReader(body))
		if err != nil {
			return
		}
		req.URL.RawQuery = query
		c := newClient(t, defaults(func(o *Options) { o.RegistryRate = -1; o.Manage = true }))
		c.deliver(well("er is er een"))
		c.must(201, "POST", api("uploads"), nil) // one that is open, next number
		if known {
			req.SetBasicAuth(DefaultUsername, DefaultSecret)
		}
		w := serve(c.server, req)
		if w.Code >= 500 || w.Code < 200 {
			t.Errorf("%s %s?%s: status %d", method, path, query, w.Code)
		}
		if w.Header().Get("Content-Type") == "application/json" && w.Code != http.StatusNoContent && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %q is no JSON", method, path, w.Body)
		}
		if strings.HasPrefix(path, "/api/v2/") && !known && w.Code != http.StatusUnauthorized {
			t.Errorf("%s %s without credentials: status %d", method, path, w.Code)
		}
		c.status("0000182701")
	})
}

func FuzzParseFault(f *testing.F) {
	f.Add("submit:answer:status=503:times=3")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := ParseFault(text); err == nil && !strings.Contains(text, ":") {
			t.Errorf("%q is a fault", text)
		}
	})
}

// benchDocument is five kilobytes.
func benchDocument() []byte {
	return gmw("nieuw", "", "GMW_Construction", "<objectIdAccountableParty>p</objectIdAccountableParty>"+strings.Repeat("<buis><nummer uom=\"m\">1.25</nummer></buis>", 110))
}

func BenchmarkStatusAmongMany(b *testing.B) {
	for _, many := range []int{10, 20_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			c := newClient(b, defaults(func(o *Options) { o.KeepBodies = false; o.HoldBefore = actionApprove }))
			var id string
			for range many {
				id = c.deliver(well("put"))
			}
			b.ResetTimer()
			for b.Loop() {
				c.must(200, "GET", api("leveringen/%s", id), nil)
			}
		})
	}
}

func BenchmarkCalls(b *testing.B) {
	document := benchDocument()
	c := newClient(b, defaults(func(o *Options) { o.KeepBodies = false }))
	b.Run("open-upload", func(b *testing.B) {
		for b.Loop() {
			c.must(201, "POST", api("uploads"), nil)
		}
	})
	b.Run("validate-5kB", func(b *testing.B) {
		for b.Loop() {
			c.must(200, "POST", api("validatie"), document)
		}
	})
	b.Run("deliver-5kB", func(b *testing.B) {
		for b.Loop() {
			c.deliver(document)
		}
	})
}
