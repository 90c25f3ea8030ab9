package portal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// What each call sends.
func TestRequests(t *testing.T) {
	const up, down = "application/xml", "application/json"
	cases := []struct {
		op       Op
		method   string
		uri, typ string
		accept   string
		body     string
		answer   string
		location string
	}{
		{op: OpValidate, method: "POST", uri: "/api/v2/1255/validatie", typ: up, accept: down, body: document, answer: `{"status":"VALIDE"}`},
		{op: OpOpenUpload, method: "POST", uri: "/api/v2/1255/uploads", typ: up, accept: down, location: "/api/v2/1255/uploads/42"},
		{op: OpAddSourceDocument, method: "POST", uri: "/api/v2/1255/uploads/42/brondocumenten?filename=a.xml", typ: up, accept: down, body: document},
		{op: OpSubmit, method: "POST", uri: "/api/v2/1255/leveringen", typ: down, accept: down, body: `{"upload":42}`, location: delivered},
		{op: OpDelivery, method: "GET", uri: "/api/v2/1255/leveringen/0000182700", accept: down, answer: `{"status":"AANGELEVERD"}`},
		{op: OpDeliveriesAwaiting, method: "GET", uri: "/api/v2/1255/leveringen?actie=CONTROLEREN", accept: down, answer: `[]`},
		{op: OpProjects, method: "GET", uri: "/api/v2/projecten", accept: down, answer: `[]`},
		{op: OpSourceDocument, method: "GET", uri: "/api/v2/1255/brondocumenten/418700", accept: "*/*", answer: document},
		{op: OpTransactions, method: "GET", uri: "/api/v2/transacties/?zoektekst=GLD000000054400&zoekveld=broId", accept: down, answer: `{"transacties":[]}`},
	}
	for i, c := range cases {
		if acts[i].op != c.op {
			t.Fatalf("case %d is of %s, the act of %s", i, c.op, acts[i].op)
		}
		t.Run(string(c.op), func(t *testing.T) {
			server, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.location != "" {
					w.Header().Set("Location", c.location)
				}
				fmt.Fprint(w, c.answer)
			})
			if err := acts[i].call(t.Context(), client(t, server.URL)); err != nil {
				t.Fatal(err)
			}
			got := log.all()
			if len(got) != 1 {
				t.Fatalf("%d requests, want 1", len(got))
			}
			r := got[0]
			if r.method != c.method || r.uri != c.uri || r.typ != c.typ || r.accept != c.accept || r.body != c.body {
				t.Errorf("sent %+v,\nwant %+v", r, c)
			}
			if r.chunked || r.length != int64(len(c.body)) {
				t.Errorf("length %d (chunked %t), want %d", r.length, r.chunked, len(c.body))
			}
			if r.user != testUser || r.password != testSecret || !strings.HasPrefix(r.agent, "brodaemon/1.2.3 (+") {
				t.Errorf("signed on as %q by %q", r.user, r.agent)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	cases := []struct {
		name   string
		code   int
		body   string
		valid  bool
		errors []string
		kind   Kind // set if it is an error
	}{
		{"valid", 200, `{"status":"VALIDE"}`, true, nil, ""},
		{"valid with empty errors", 200, `{"status":"VALIDE","errors":[]}`, true, nil, ""},
		{"valid with null errors", 200, "\xef\xbb\xbf {\"status\":\"VALIDE\",\"errors\":null}\n", true, nil, ""},
		{"invalid", 200, `{"status":"NIET_VALIDE","errors":["a","b"]}`, false, []string{"a", "b"}, ""},
		{"invalid without errors", 200, `{"status":"NIET_VALIDE"}`, false, nil, ""},
		{"invalid by 400", 400, `{"status":"NIET_VALIDE","errors":["a"]}`, false, []string{"a"}, ""},
		{"invalid by 422", 422, `{"status":"NIET_VALIDE","errors":"a"}`, false, []string{"a"}, ""},
		{"valid by 404", 404, `{"status":"VALIDE"}`, true, nil, ""},
		{"many errors by 400", 400, `{"status":"NIET_VALIDE","errors":["` + strings.Repeat("x", 200<<10) + `"]}`, false, nil, ""},
		{"verdict by 500 is none", 500, `{"status":"NIET_VALIDE","errors":["a"]}`, false, nil, Unavailable},
		{"verdict by 302 is none", 302, `{"status":"VALIDE"}`, false, nil, Unexpected},
		{"number by 400", 400, `{"status":400,"error":"Bad Request"}`, false, nil, Refused},
		{"number by 401", 401, `{"status":401}`, false, nil, Unauthorized},
		{"number by 200", 200, `{"status":200}`, false, nil, Unexpected},
		{"unknown word", 200, `{"status":"ONBEKEND","errors":["a"]}`, false, nil, Unexpected},
		{"unknown word by 400", 400, `{"status":"NIET-VALIDE","errors":["a"]}`, false, nil, Refused},
		{"no word", 200, `{"errors":[]}`, false, nil, Unexpected},
		{"a list", 200, `["VALIDE"]`, false, nil, Unexpected},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, _ := serve(t, reply(c.code, "application/json", c.body))
			v, err := client(t, server.URL).Validate(t.Context(), project, bodyOf(document))
			if c.kind != "" {
				if e := fault(t, err); e.Kind != c.kind || e.StatusCode != c.code {
					t.Errorf("got %s %d: %v; want %s", e.Kind, e.StatusCode, e, c.kind)
				}
				if v.Valid {
					t.Error("an error came with valid")
				}
				return
			}
			if err != nil || v.Valid != c.valid {
				t.Fatalf("got %t, %v; want %t", v.Valid, err, c.valid)
			}
			if len(c.body) < 1000 && (!reflect.DeepEqual(v.Errors, c.errors) || v.Raw != c.body) {
				t.Errorf("errors %q raw %q; want %q", v.Errors, v.Raw, c.errors)
			}
			if len(v.Raw) > maxRaw {
				t.Errorf("%d bytes of raw answer", len(v.Raw))
			}
		})
	}
}

func TestValidateWithoutProject(t *testing.T) {
	server, log := serve(t, reply(200, "application/json", `{"status":"VALIDE"}`))
	if v, err := client(t, server.URL).Validate(t.Context(), 0, bodyOf(document)); err != nil || !v.Valid {
		t.Errorf("got %+v, %v", v, err)
	}
	if got := log.all(); len(got) != 1 || got[0].uri != "/api/v2/validatie" {
		t.Errorf("sent %+v", got)
	}
	if _, err := client(t, server.URL).Validate(t.Context(), -1, bodyOf(document)); fault(t, err).Kind != Local || len(log.all()) != 1 {
		t.Errorf("project -1: got %v", err)
	}
}

func TestOpenUpload(t *testing.T) {
	cases := []struct {
		name, location string
		id             int64 // 0 is an error
	}{
		{"absolute", "{base}/api/v2/1255/uploads/12345", 12345},
		{"relative", "/api/v2/1255/uploads/12345", 12345},
		{"more behind it", "/api/v2/1255/uploads/12345/brondocumenten?x=y", 12345},
		{"missing", "", 0},
		{"foreign", "https://evil.example/api/v2/1255/uploads/12345", 0},
		{"other scheme", "https://{host}/api/v2/1255/uploads/12345", 0},
		{"no number", "/api/v2/1255/uploads/abc", 0},
		{"zero", "/api/v2/1255/uploads/0", 0},
		{"too large a number", "/api/v2/1255/uploads/99999999999999999999", 0},
		{"of a delivery", delivered, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if c.location != "" {
					w.Header().Set("Location", strings.NewReplacer("{base}", "http://"+r.Host, "{host}", r.Host).Replace(c.location))
				}
				w.WriteHeader(201)
			})
			upload, err := client(t, server.URL).OpenUpload(t.Context(), project)
			if len(log.all()) != 1 {
				t.Errorf("%d requests, want 1", len(log.all()))
			}
			if c.id == 0 {
				if e := fault(t, err); e.Kind != Unexpected || !e.MaybeDone || upload != (Upload{}) {
					t.Errorf("got %+v, %v", upload, e)
				}
				return
			}
			if want := (Upload{ID: c.id, URL: server.URL + "/api/v2/1255/uploads/12345"}); err != nil || upload != want {
				t.Errorf("got %+v, %v; want %+v", upload, err, want)
			}
		})
	}
}

func TestAddSourceDocument(t *testing.T) {
	cases := []struct {
		name, filename, uri, location string
		ref                           SourceDocumentRef
		fail                          bool
	}{
		{"location", "put-17.xml", "?filename=put-17.xml", "/api/v2/1255/uploads/42/brondocumenten/418700",
			SourceDocumentRef{ID: "418700", URL: "{base}/api/v2/1255/uploads/42/brondocumenten/418700"}, false},
		{"no location", "put-17.xml", "?filename=put-17.xml", "", SourceDocumentRef{}, false},
		{"no name", "", "", "", SourceDocumentRef{}, false},
		{"name that needs escaping", "put 17 & é?#=+.xml", "?filename=put%2017%20%26%20%C3%A9%3F%23%3D%2B.xml", "", SourceDocumentRef{}, false},
		{"foreign location", "a.xml", "?filename=a.xml", "https://evil.example/brondocumenten/1", SourceDocumentRef{}, true},
		{"location of something else", "a.xml", "?filename=a.xml", "/iets/anders", SourceDocumentRef{}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.location != "" {
					w.Header().Set("Location", c.location)
				}
				w.WriteHeader(201)
			})
			portal := client(t, server.URL)
			ref, err := portal.AddSourceDocument(t.Context(), uploadAt(portal), c.filename, bodyOf(document))
			if got := log.all(); len(got) != 1 || got[0].uri != "/api/v2/1255/uploads/42/brondocumenten"+c.uri || got[0].body != document {
				t.Errorf("sent %+v", got)
			}
			if c.fail {
				if e := fault(t, err); e.Kind != Unexpected || !e.MaybeDone {
					t.Errorf("got %v", e)
				}
				return
			}
			c.ref.URL = strings.Replace(c.ref.URL, "{base}", server.URL, 1)
			if err != nil || ref != c.ref {
				t.Errorf("got %+v, %v; want %+v", ref, err, c.ref)
			}
		})
	}
}

// A yes from somebody who has not taken the document is none.
func TestAddSourceDocumentAnsweredTooEarly(t *testing.T) {
	early := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 201, Header: http.Header{}, Body: http.NoBody}, nil
	})
	portal := client(t, "https://portal.example", func(o *Options) { o.Transport = early })
	_, err := portal.AddSourceDocument(t.Context(), uploadAt(portal), "a.xml", bodyOf(document))
	if e := fault(t, err); e.Kind != Unexpected || !e.MaybeDone {
		t.Errorf("got %v", e)
	}
}

// The configuration may spell the same portal in another way after a restart.
func TestUploadOfTheSamePortalSpelledDifferently(t *testing.T) {
	var uri string
	portal := client(t, "https://Portal.example:443", func(o *Options) {
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			uri = r.URL.String()
			_, err := io.Copy(io.Discard, r.Body)
			return &http.Response{StatusCode: 201, Header: http.Header{}, Body: http.NoBody}, err
		})
	})
	upload := Upload{ID: 42, URL: "https://portal.example/api/v2/1255/uploads/42"}
	if _, err := portal.AddSourceDocument(t.Context(), upload, "a.xml", bodyOf(document)); err != nil {
		t.Fatal(err)
	}
	if want := "https://Portal.example:443/api/v2/1255/uploads/42/brondocumenten?filename=a.xml"; uri != want {
		t.Errorf("sent to %s, want %s", uri, want)
	}
}

func TestDelivery(t *testing.T) {
	const answer = `{"identifier":"0000182700","status":"DOORGELEVERD","lastChanged":"2022-11-16T01:28:38.51379","extra":{},
		"brondocuments":[{"id":418700,"status":"OPGENOMEN_LVBRO","lastChanged":"2022-11-16T01:28:38.5","broId":"GLD000000054400",
		"transactionId":"GLD-000000190100","filename":"ee9d76160000.xml","requestReference":"mijn-ref"}]}`
	server, _ := serve(t, reply(200, "application/json;charset=UTF-8", answer))
	got, err := client(t, server.URL).Delivery(t.Context(), project, "0000182700")
	want := Delivery{
		ID: "0000182700", Status: DeliveryForwarded, LastChanged: "2022-11-16T01:28:38.51379", Raw: answer,
		Documents: []SourceDocument{{
			ID: "418700", Status: DocumentRegistered, LastChanged: "2022-11-16T01:28:38.5", BROID: "GLD000000054400",
			TransactionID: "GLD-000000190100", FileName: "ee9d76160000.xml", RequestReference: "mijn-ref",
		}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v;\nwant %+v", got, err, want)
	}
	if got.Verdict() != VerdictRegistered {
		t.Errorf("verdict %s", got.Verdict())
	}
}

func TestDeliveryTolerance(t *testing.T) {
	cases := []struct {
		name, body string
		id         string
		ok         bool
	}{
		{"numbers for texts", `{"identifier":182700,"status":"AANGELEVERD","brondocuments":[{"id":"418700"}]}`, "182700", true},
		{"no identifier", `{"status":"AANGELEVERD"}`, "0000182700", true},
		{"null everywhere", `{"identifier":null,"status":"IETS NIEUWS","lastChanged":null,"brondocuments":null}`, "0000182700", true},
		{"null document", `{"status":"AANGELEVERD","brondocuments":[null]}`, "0000182700", true},
		{"another delivery", `{"identifier":"0000182701","status":"DOORGELEVERD"}`, "", false},
		{"no status", `{"identifier":"0000182700"}`, "", false},
		{"empty status", `{"status":""}`, "", false},
		{"documents are no list", `{"status":"AANGELEVERD","brondocuments":"x"}`, "", false},
		{"id is a list", `{"status":"AANGELEVERD","brondocuments":[{"id":[]}]}`, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, _ := serve(t, reply(200, "application/json", c.body))
			got, err := client(t, server.URL).Delivery(t.Context(), project, "0000182700")
			if c.ok {
				if err != nil || got.ID != c.id {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if e := fault(t, err); e.Kind != Unexpected || !strings.Contains(e.Detail, "{") {
				t.Errorf("got %v, want unexpected with the raw answer", e)
			}
		})
	}
	for _, id := range []string{"", "..", "1/2", "1?x", "1%2f2", "é", strings.Repeat("1", 65)} {
		server, log := serve(t, reply(200, "", ""))
		if _, err := client(t, server.URL).Delivery(t.Context(), project, id); fault(t, err).Kind != Local || len(log.all()) != 0 {
			t.Errorf("id %q: got %v", id, err)
		}
	}
}

func TestDeliveriesAwaiting(t *testing.T) {
	cases := []struct {
		name string
		code int
		body string
		want []string
		fail bool
	}{
		{"some", 200, `["0000182700","0000182701"]`, []string{"0000182700", "0000182701"}, false},
		{"numbers", 200, `[182700]`, []string{"182700"}, false},
		{"none", 200, `[]`, nil, false},
		{"none by null", 200, `null`, nil, false},
		{"none by 404", 404, `{"status":404}`, nil, false},
		{"none by 204", 204, "", nil, false},
		{"objects", 200, `[{"identifier":"0000182700"}]`, nil, true},
		{"no number", 200, `["../x"]`, nil, true},
		{"empty", 200, "", nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, _ := serve(t, reply(c.code, "application/json", c.body))
			got, err := client(t, server.URL).DeliveriesAwaiting(t.Context(), project, ActionCheck)
			if c.fail {
				if e := fault(t, err); e.Kind != Unexpected {
					t.Errorf("got %v", e)
				}
				return
			}
			if err != nil || len(got) != len(c.want) || (len(got) > 0 && !reflect.DeepEqual(got, c.want)) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestProjects(t *testing.T) {
	server, _ := serve(t, reply(200, "application/json", `[
		{"projectId":1255,"projectNaam":"Zwolle","bronhouder":{"kvkNummer":"12345678","naam":"Gemeente"}},
		{"projectId":"1256","projectNaam":null,"closed":true,"bronhouder":null}]`))
	got, err := client(t, server.URL).Projects(t.Context())
	want := []Project{{ID: 1255, Name: "Zwolle", Owner: DataOwner{KvK: "12345678", Name: "Gemeente"}}, {ID: 1256, Closed: true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	server, _ = serve(t, reply(200, "application/json", `[{"projectId":"x"}]`))
	if _, err := client(t, server.URL).Projects(t.Context()); fault(t, err).Kind != Unexpected {
		t.Errorf("got %v", err)
	}
}

func TestTransactions(t *testing.T) {
	const row = `{"broId":"GLD000000054400","transactionId":"GLD-000000190100","objectIdBronhouder":"put 17","meer":[1]}`
	server, _ := serve(t, reply(200, "application/json", `{"transacties":[`+row+`]}`))
	got, err := client(t, server.URL).Transactions(t.Context(), "GLD000000054400")
	want := []Transaction{{BROID: "GLD000000054400", TransactionID: "GLD-000000190100", ObjectID: "put 17", Raw: row}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, none := range []string{"", "\n", `{"transacties":[]}`, `{"transacties":null}`} {
		server, _ := serve(t, reply(200, "application/json", none))
		if got, err := client(t, server.URL).Transactions(t.Context(), "GLD000000054400"); err != nil || len(got) != 0 {
			t.Errorf("%q: got %+v, %v; want none", none, got, err)
		}
	}
	for _, bad := range []string{`{}`, `[]`, `{"transacties":{}}`, `{"transacties":["x"]}`} {
		server, _ := serve(t, reply(200, "application/json", bad))
		if _, err := client(t, server.URL).Transactions(t.Context(), "GLD000000054400"); fault(t, err).Kind != Unexpected {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if _, err := client(t, server.URL).Transactions(t.Context(), "GLD&zoekveld=x"); fault(t, err).Kind != Local {
		t.Errorf("got %v", err)
	}
}

func TestSourceDocumentBytes(t *testing.T) {
	content := strings.Repeat("<a/>", 1<<16)
	server, _ := serve(t, reply(200, "application/xml", content))
	var got bytes.Buffer
	n, err := client(t, server.URL).SourceDocumentBytes(t.Context(), project, "418700", &got)
	if err != nil || n != int64(len(content)) || got.String() != content {
		t.Errorf("got %d bytes (%d counted), %v", got.Len(), n, err)
	}

	// A page is never taken for the document, a failing writer never for the portal.
	server, _ = serve(t, reply(200, "text/html", page))
	got.Reset()
	n, err = client(t, server.URL).SourceDocumentBytes(t.Context(), project, "418700", &got)
	if e := fault(t, err); e.Kind != Unavailable || n != 0 || got.Len() != 0 {
		t.Errorf("page: got %v, %d bytes written", e, got.Len())
	}
	server, _ = serve(t, reply(200, "application/xml", content))
	n, err = client(t, server.URL).SourceDocumentBytes(t.Context(), project, "418700", fullDisk{})
	if e := fault(t, err); e.Kind != Local || n != 0 || !errors.Is(err, errFullDisk) {
		t.Errorf("full disk: got %v, %d", e, n)
	}
	server, _ = serve(t, truncated)
	got.Reset()
	n, err = client(t, server.URL).SourceDocumentBytes(t.Context(), project, "418700", &got)
	if e := fault(t, err); e.Kind != Unavailable || n != int64(got.Len()) {
		t.Errorf("broken off: got %v, %d of %d", e, n, got.Len())
	}
}

var errFullDisk = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFullDisk }

func TestReferencesSurviveJSON(t *testing.T) {
	type stored struct {
		U Upload
		S SourceDocumentRef
		D DeliveryRef
		P ProjectID
		V Validation
		L Delivery
	}
	in := stored{
		Upload{42, "https://x/api/v2/1/uploads/42"}, SourceDocumentRef{"1", "u"}, DeliveryRef{"0000182700", "u"}, 1255,
		Validation{Valid: true, Errors: []string{"a"}}, Delivery{ID: "1", Status: "X", Documents: []SourceDocument{{ID: "2", Status: "Y"}}},
	}
	encoded, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out stored
	if err := json.Unmarshal(encoded, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("got %+v, %v; want %+v", out, err, in)
	}
}

func TestParseProjectID(t *testing.T) {
	if id, err := ParseProjectID("1255"); err != nil || id != 1255 || id.String() != "1255" {
		t.Errorf("got %v, %v", id, err)
	}
	for _, bad := range []string{"", "0", "-1", "+1", "12.5", "x", " 1", "99999999999999999999"} {
		if id, err := ParseProjectID(bad); err == nil || id != 0 {
			t.Errorf("%q: got %v, %v", bad, id, err)
		}
	}
}
