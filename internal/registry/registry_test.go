package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/registry"
	"brodaemon/internal/sandbox"
)

func client(t *testing.T, transport http.RoundTripper, change ...func(*registry.Options)) *registry.Client {
	t.Helper()
	o := registry.Options{BaseURL: "https://publiek.example", Transport: transport, Version: "test", Interval: time.Nanosecond, Timeout: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := registry.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newSandbox(change ...func(*sandbox.Options)) *sandbox.Server {
	o := sandbox.Default()
	o.RegistryRate = -1
	for _, f := range change {
		f(&o)
	}
	return sandbox.New(o)
}

// answering gives every request the same answer.
func answering(code int, kind, text string) http.RoundTripper {
	return transportFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func fault(t *testing.T, err error) *registry.Error {
	t.Helper()
	var e *registry.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *registry.Error", err)
	}
	return e
}

// Every service answers for its type.
func TestObjectOfEveryType(t *testing.T) {
	s := newSandbox()
	c := client(t, s.Transport())
	for _, typ := range []string{"GMW", "GLD", "GMN", "GAR", "FRD", "CPT", "BHR-GT", "SFR", "GUF", "GPD", "EPC"} {
		id := typ[:3] + "000000100001"
		for _, given := range []string{typ, ""} {
			o, err := c.Object(t.Context(), given, id)
			if err != nil {
				t.Errorf("%s: %v", id, err)
				continue
			}
			if o.BROID != id || o.Type != typ || o.Party != "12345678" || o.Status != "geregistreerd" || o.Registered.IsZero() || o.Deregistered || o.Form == "" || o.Asked.IsZero() {
				t.Errorf("%s: got %+v", id, o)
			}
		}
	}
	o, err := c.Object(t.Context(), "", "GMW000000100093")
	if err != nil || !o.Deregistered || o.Form != "BRO_DO" {
		t.Errorf("deregistered: got %+v, %v", o, err)
	}
	var b bytes.Buffer
	n, err := c.ObjectXML(t.Context(), "", "GMW000000100001", &b)
	if err != nil || n != int64(b.Len()) || !strings.HasSuffix(b.String(), "</dispatchDataResponse>\n") {
		t.Errorf("XML: %d bytes %q, %v", n, b.String(), err)
	}
}

// An unknown object is a rejection, whatever HTTP status it comes with, in both forms.
func TestUnknownObject(t *testing.T) {
	for _, status := range []int{200, 400, 404} {
		s := newSandbox(func(o *sandbox.Options) { o.RegistryUnknown = status })
		c := client(t, s.Transport())
		var b bytes.Buffer
		_, err := c.Object(t.Context(), "", "GMW999999999999")
		_, errXML := c.ObjectXML(t.Context(), "", "GMW999999999999", &b)
		for _, err := range []error{err, errXML} {
			if e := fault(t, err); e.Kind != registry.Rejected || e.Detail != "Dit registratieobject bestaat niet." {
				t.Errorf("%d: got %v", status, err)
			}
		}
		if b.Len() != 0 {
			t.Errorf("%d: wrote %q", status, b.String())
		}
	}
	c := client(t, answering(200, "text/xml", `<d:dispatchDataResponse xmlns:d="x" xmlns:b="y"><b:responseType>rejection</b:responseType><b:rejectionReason>Niet goed.</b:rejectionReason><b:criterionError><b:sequenceNumber>1</b:sequenceNumber><b:specification>Te breed.</b:specification></b:criterionError></d:dispatchDataResponse>`))
	if e := fault(t, func() error { _, err := c.Object(t.Context(), "", "GMW000000000001"); return err }()); e.Detail != "Niet goed.; Te breed." {
		t.Errorf("got %q", e.Detail)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	const object = `<?xml version="1.0"?><dispatchDataResponse xmlns:b="y"><b:responseType>dispatch</b:responseType><dispatchDocument><GMW_PO><b:broId>GMW000000000001</b:broId>`
	cases := map[string]struct {
		transport http.RoundTripper
		kind      registry.Kind
		says      string
	}{
		"429":              {answering(429, "text/plain", "slow"), registry.RateLimited, "too many requests"},
		"500":              {answering(500, "application/json", `{}`), registry.Unavailable, "not available"},
		"503 page":         {answering(503, "text/html", "<html>"), registry.Unavailable, "not available"},
		"maintenance page": {answering(200, "text/html", "<html>even dicht</html>"), registry.Unavailable, "not available"},
		"redirect":         {answering(302, "", ""), registry.Unexpected, "proxy"},
		"401":              {answering(401, "text/plain", "who?"), registry.Unexpected, "proxy"},
		"404 without XML":  {answering(404, "text/plain", "no"), registry.Rejected, "not given"},
		"400 with JSON":    {answering(400, "application/json", `{"errors":[{"message":"bronhouder is verplicht."}]}`), registry.Rejected, "bronhouder is verplicht."},
		"empty":            {answering(200, "application/xml", ""), registry.Unexpected, "read XML"},
		"no XML":           {answering(200, "application/xml", "hello"), registry.Unexpected, "read XML"},
		"another root":     {answering(200, "application/xml", "<x/>"), registry.Unexpected, "no dispatchDataResponse"},
		"cut short":        {answering(200, "application/xml", object), registry.Unexpected, "unexpected EOF"},
		"another object":   {answering(200, "application/xml", strings.Replace(object, "001<", "002<", 1)+"</GMW_PO></dispatchDocument></dispatchDataResponse>"), registry.Unexpected, "GMW000000000002"},
		"neither":          {answering(200, "application/xml", "<dispatchDataResponse/>"), registry.Unexpected, "neither"},
		"latin":            {answering(200, "application/xml", `<?xml version="1.0" encoding="ISO-8859-1"?><dispatchDataResponse/>`), registry.Unexpected, "UTF-8"},
		"very deep":        {answering(200, "application/xml", "<dispatchDataResponse>"+strings.Repeat("<a>", 10000)), registry.Unexpected, "deep"},
		"no network":       {transportFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }), registry.Unavailable, "check network"},
	}
	for name, c := range cases {
		_, err := client(t, c.transport).Object(t.Context(), "", "GMW000000000001")
		if e := fault(t, err); e.Kind != c.kind || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: got %s: %v; want %s with %q", name, e.Kind, e, c.kind, c.says)
		}
	}
	if _, err := client(t, answering(200, "", "")).Object(t.Context(), "", "EPL000000000001"); fault(t, err).Kind != registry.NoService {
		t.Errorf("EPL: got %v, want no service", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, answering(200, "", "")).Object(ctx, "", "GMW000000000001"); fault(t, err).Kind != registry.Interrupted {
		t.Errorf("ended context: got %v", err)
	}
}

// A registration of many megabytes is shown at the price of a small one; what
// puts megabytes into one field is refused.
func TestLargeAnswers(t *testing.T) {
	const head = `<dispatchDataResponse><responseType>dispatch</responseType><dispatchDocument><GLD_O>`
	const tail = `<broId>GLD000000000001</broId><registrationHistory><registrationStatus>aangevuld</registrationStatus></registrationHistory>`
	endless := func(piece string) io.Reader {
		return io.MultiReader(strings.NewReader(head), &repeat{text: piece, left: 16 << 20}, strings.NewReader(tail))
	}
	measure := func(body io.Reader) (registry.Object, uint64, error) {
		c := client(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
		}))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		o, err := c.Object(t.Context(), "", "GLD000000000001")
		runtime.GC()
		runtime.ReadMemStats(&after)
		return o, after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc), err
	}
	o, _, err := measure(endless("<m><v>1.234</v></m>"))
	if err != nil || o.Status != "aangevuld" {
		t.Errorf("16 MB of small fields: %+v, %v", o, err)
	}
	_, kept, err := measure(endless("x"))
	if e := fault(t, err); e.Kind != registry.Unexpected || !strings.Contains(e.Error(), "a field of more than") {
		t.Errorf("one field of 16 MB: %v", err)
	}
	if kept > 4<<20 {
		t.Errorf("one field of 16 MB keeps %d bytes", kept)
	}
}

type repeat struct {
	text string
	left int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(r.text) <= len(p) && r.left > 0 {
		n += copy(p[n:], r.text)
		r.left -= len(r.text)
	}
	return n, nil
}

func TestIDs(t *testing.T) {
	s := newSandbox()
	var got []string
	err := client(t, s.Transport()).IDs(t.Context(), "GMW", "12345678", func(id string) error { got = append(got, id); return nil })
	if err != nil || !slices.Contains(got, "GMW000000100001") || slices.Contains(got, "GMW000000100093") {
		t.Errorf("got %q, %v", got, err)
	}
	stop := errors.New("enough")
	if err := client(t, s.Transport()).IDs(t.Context(), "GMW", "12345678", func(string) error { return stop }); err != stop {
		t.Errorf("got %v, want what do returned", err)
	}
	bad := map[string]struct {
		body string
		kind registry.Kind
	}{
		"empty":     {"", registry.Unexpected},
		"list":      {"[]", registry.Unexpected},
		"no list":   {`{"broIds":7}`, registry.Unexpected},
		"numbers":   {`{"broIds":[7]}`, registry.Unexpected},
		"nothing":   {`{}`, registry.Unexpected},
		"cut short": {`{"broIds":["GMW000000000001"`, registry.Unexpected},
		"errors":    {`{"errors":[{"message":"te veel"}]}`, registry.Rejected},
		"huge text": {`{"broIds":["` + strings.Repeat("x", 3<<20) + `"]}`, registry.Unexpected},
	}
	for name, c := range bad {
		err := client(t, answering(200, "application/json", c.body)).IDs(t.Context(), "GMW", "12345678", func(string) error { return nil })
		if e := fault(t, err); e.Kind != c.kind {
			t.Errorf("%s: got %s: %v", name, e.Kind, e)
		}
	}
	var many bytes.Buffer
	many.WriteString(`{"broIds":[`)
	for i := range 50000 {
		fmt.Fprintf(&many, "%s\"GMW%012d\"", map[bool]string{true: ","}[i > 0], i)
	}
	many.WriteString("]}")
	n := 0
	if err := client(t, answering(200, "application/json", many.String())).IDs(t.Context(), "GMW", "12345678", func(string) error { n++; return nil }); err != nil || n != 50000 {
		t.Errorf("%d, %v; want 50000", n, err)
	}
}

// Requests keep their distance, over all who share the client; a wait that is
// asked for is told.
func TestPace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); ok {
			t.Error("credentials were sent to the public services")
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
	}))
	defer server.Close()
	c := client(t, http.DefaultTransport, func(o *registry.Options) { o.BaseURL, o.Interval = server.URL, 50*time.Millisecond })
	began := time.Now()
	for range 3 {
		_, err := c.Object(t.Context(), "", "GMW000000000001")
		if e := fault(t, err); e.Kind != registry.RateLimited || e.RetryAfter != 7*time.Second {
			t.Errorf("got %v", err)
		}
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("three requests in %s, want them 50ms apart", took)
	}
}

func TestOptions(t *testing.T) {
	for _, address := range []string{"", "publiek.broservices.nl", "http://publiek.broservices.nl", "https://a:b@x.nl", "https://x.nl/gm", "ftp://x.nl", "https://x.nl?y"} {
		if _, err := registry.New(registry.Options{BaseURL: address, Transport: http.DefaultTransport}); err == nil {
			t.Errorf("%q is accepted", address)
		}
	}
	if _, err := registry.New(registry.Options{BaseURL: "http://127.0.0.1:1", Transport: http.DefaultTransport}); err != nil {
		t.Error(err)
	}
}
