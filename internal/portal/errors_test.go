package portal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brodaemon/internal/secret"
)

func TestErrorText(t *testing.T) {
	cases := []struct {
		err  Error
		want string
	}{
		{Error{Op: OpSubmit, StatusCode: 502, Kind: Unavailable, MaybeDone: true, Detail: "upstream"},
			"submit: 502 Bad Gateway: portal not available: upstream; the delivery may have been made all the same"},
		{Error{Op: OpOpenUpload, StatusCode: 502, Kind: Unavailable, MaybeDone: true}, "open upload: 502 Bad Gateway: portal not available"},
		{Error{Op: OpSubmit, Kind: Unavailable, Err: errors.New("dial tcp: refused")}, "submit: portal not available: dial tcp: refused"},
		{Error{Op: OpValidate, StatusCode: 429, Kind: RateLimited, RetryAfter: 30 * time.Second}, "validate: 429 Too Many Requests: too many requests, wait 30s"},
		{Error{Op: OpValidate, StatusCode: 429, Kind: RateLimited}, "validate: 429 Too Many Requests: too many requests"},
		{Error{Op: OpValidate, StatusCode: 401, Kind: Unauthorized}, "validate: 401 Unauthorized: sign-on refused"},
		{Error{Op: OpValidate, StatusCode: 403, Kind: Unauthorized}, "validate: 403 Forbidden: the token has no right to this"},
		{Error{Op: OpValidate, StatusCode: 403, Kind: Unauthorized, Detail: "Forbidden"}, "validate: 403 Forbidden: the token has no right to this"},
		{Error{Op: OpValidate, StatusCode: 404, Kind: Unauthorized}, "validate: 404 Not Found: no such project for this token"},
		{Error{Op: OpValidate, Kind: Unauthorized, Err: errors.New("x")}, "validate: no secret to sign on with: x"},
		{Error{Op: OpAddSourceDocument, StatusCode: 404, Kind: Gone}, "add source document: 404 Not Found: the portal does not have this upload"},
		{Error{Op: OpDelivery, StatusCode: 404, Kind: Gone}, "delivery: 404 Not Found: the portal does not have this delivery"},
		{Error{Op: OpSourceDocument, StatusCode: 410, Kind: Gone}, "source document: 410 Gone: the portal does not have this document"},
		{Error{Op: OpSubmit, StatusCode: 409, Kind: Conflict}, "submit: 409 Conflict: the upload has been delivered already"},
		{Error{Op: OpValidate, StatusCode: 413, Kind: Refused, Detail: "te groot"}, "validate: 413 Request Entity Too Large: refused by the portal: te groot"},
		{Error{Op: OpProjects, StatusCode: 799, Kind: Unexpected}, "projects: 799: answer not understood"},
		{Error{Op: OpValidate, Kind: Local, Err: errors.New("x")}, "validate: could not be sent from here: x"},
		{Error{Op: OpValidate, Kind: Interrupted, Err: errStopping}, "validate: interrupted: stopping"},
	}
	for _, c := range cases {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestHints(t *testing.T) {
	cases := []struct {
		err  Error
		want string // "" is none
	}{
		{Error{Kind: Unavailable, StatusCode: 503}, "maintenance"},
		{Error{Kind: Unavailable, StatusCode: 407}, "HTTPS_PROXY"},
		{Error{Kind: Unavailable}, "firewall"},
		{Error{Kind: RateLimited}, "requests_per_second"},
		{Error{Kind: Unauthorized, StatusCode: 401}, "secret"},
		{Error{Kind: Unauthorized, StatusCode: 401}, "project's number"},
		{Error{Kind: Unauthorized, StatusCode: 403}, "authorisation"},
		{Error{Kind: Unauthorized, StatusCode: 403}, "which kind of token"},
		{Error{Kind: Unauthorized, StatusCode: 404}, "project number"},
		{Error{Kind: Unauthorized}, "password_file"},
		{Error{Kind: Gone, Op: OpDelivery}, "data owner"},
		{Error{Kind: Gone, Op: OpSubmit}, ""},
		{Error{Kind: Conflict}, "do not deliver it anew"},
		{Error{Kind: Refused}, "correct the document"},
		{Error{Kind: Unexpected, StatusCode: 302}, "final address"},
		{Error{Kind: Unexpected, StatusCode: 200}, "portal.url"},
		{Error{Kind: Local}, "disk"},
		{Error{Kind: Interrupted}, ""},
	}
	for _, c := range cases {
		if got := c.err.Hint(); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s %d %s: got %q, want %q", c.err.Op, c.err.StatusCode, c.err.Kind, got, c.want)
		}
	}
}

// Whatever comes back with our credentials in it, they are not passed on. The
// helper fault looks at the errors; here the results are looked at too.
func TestCredentialsThatComeBack(t *testing.T) {
	echoes := []string{
		"Authorization was Basic %s", "secret %[2]s", `{"message":"%[1]s %[2]s"}`, `{"status":"NIET_VALIDE","errors":["%[2]s %[1]s"]}`,
		`{"status":"%[2]s","brondocuments":[{"status":"%[1]s","errors":["%[2]s"]}]}`, `["%[2]s"]`, "<html>%[1]s %[2]s</html>",
	}
	for _, code := range []int{200, 302, 400, 401, 404, 429, 500} {
		for _, echo := range echoes {
			said := strings.SplitN(fmt.Sprintf(echo, basicAuth(), testSecret), "%!(EXTRA", 2)[0]
			server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://"+testUser+":"+testSecret+"@evil.example/"+testSecret)
				w.WriteHeader(code)
				fmt.Fprint(w, said)
			})
			portal := client(t, server.URL)
			for _, act := range acts {
				if err := act.call(t.Context(), portal); err != nil {
					fault(t, err)
				}
			}
			v, _ := portal.Validate(t.Context(), project, bodyOf(document))
			d, _ := portal.Delivery(t.Context(), project, "0000182700")
			u, _ := portal.OpenUpload(t.Context(), project)
			if all := fmt.Sprintf("%+v %+v %+v", v, d, u); strings.Contains(all, testSecret) || strings.Contains(all, basicAuth()) {
				t.Errorf("%d %s: a result holds a secret: %s", code, echo, all)
			}
		}
	}
}

func TestSecretsInTransportErrors(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(testUser + ":" + testSecret))
	cases := map[string]error{
		"secret":     fmt.Errorf("bad header: %w", errors.New(testSecret)),
		"header":     fmt.Errorf("malformed answer %q", "Basic "+encoded),
		"proxy":      errors.New(`invalid proxy address "http://piet:geheim/woord@proxy:8080": oops`),
		"proxy, two": errors.New(`via http://piet:geheim@proxy/ and http://piet:geheim@proxy/`),
	}
	for name, cause := range cases {
		portal := client(t, "https://portal.example", func(o *Options) {
			o.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, cause })
		})
		_, err := portal.OpenUpload(t.Context(), project)
		e := fault(t, err)
		if strings.Contains(e.Error(), "geheim") || !strings.Contains(e.Error(), redacted) {
			t.Errorf("%s: got %v", name, e)
		}
	}
	// The secret's own failure may hold anything but is ours; it is made one line.
	broken := fmt.Errorf("token store:\n\x1b[31m%w", os.ErrPermission)
	portal := client(t, "https://portal.example", func(o *Options) {
		o.Secret = func() (secret.String, error) { return secret.String{}, broken }
	})
	_, err := portal.OpenUpload(t.Context(), project)
	if e := fault(t, err); e.Kind != Unauthorized || !errors.Is(e, os.ErrPermission) {
		t.Errorf("got %v", e)
	}
}

// A short secret, of a sandbox, may be a part of a reference; that must not be
// falsified. In an error it is taken out.
func TestShortSecret(t *testing.T) {
	short := func(o *Options) { o.Secret = func() (secret.String, error) { return secret.New("geheim"), nil } }
	server, _ := serve(t, reply(200, "application/json", `{"status":"AANGELEVERD","brondocuments":[{"requestReference":"geheim-17"}]}`))
	d, err := client(t, server.URL, short).Delivery(t.Context(), project, "0000182700")
	if err != nil || d.Documents[0].RequestReference != "geheim-17" {
		t.Errorf("got %+v, %v", d, err)
	}
	server, _ = serve(t, reply(401, "application/json", `{"message":"geheim is niet juist"}`))
	_, err = client(t, server.URL, short).Delivery(t.Context(), project, "0000182700")
	if e := fault(t, err); e.Detail != "REDACTED is niet juist" {
		t.Errorf("got %q", e.Detail)
	}
}

// A secret that was changed is used from the next request on.
func TestSecretIsAskedEachTime(t *testing.T) {
	server, log := serve(t, reply(200, "application/json", `[]`))
	var n atomic.Int64
	portal := client(t, server.URL, func(o *Options) {
		o.Secret = func() (secret.String, error) { return secret.New(fmt.Sprintf("secret-%d", n.Add(1))), nil }
	})
	for range 3 {
		if _, err := portal.Projects(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range log.all() {
		if want := fmt.Sprintf("secret-%d", i+1); r.password != want {
			t.Errorf("request %d signed on with %q, want %q", i+1, r.password, want)
		}
	}
}

func TestClean(t *testing.T) {
	cases := []struct {
		name, in string
		max      int
		want     string
	}{
		{"plain", "a b", 10, "a b"},
		{"blanks and lines", "  a\r\n\t b \n", 10, "a b"},
		{"escape sequences", "\x1b[2Ja\x00b\x7f", 20, "[2Ja b"},
		{"writing direction", "a\u202eb\u200bc", 20, "a b c"},
		{"no UTF-8", "a\xffb", 20, "a\ufffdb"},
		{"cut", "abcdefghij", 8, "abcde…"},
		{"cut between characters", "ééééé", 8, "éé…"},
		{"exactly", "abcdefgh", 8, "abcdefgh"},
		{"empty", "", 8, ""},
		{"nothing visible", "\n\n\x00", 8, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := clean(c.in, c.max); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	html := http.Header{"Content-Type": {"text/html"}}
	cases := []struct {
		name string
		h    http.Header
		body string
		want string
	}{
		{"empty", nil, " \n", ""},
		{"text", nil, "niet\ngevonden", "niet gevonden"},
		{"message", nil, `{"error":"Bad Request","message":"te kort"}`, "te kort"},
		{"only error", nil, `{"status":401,"error":"Unauthorized"}`, "Unauthorized"},
		{"errors", nil, `{"errors":["a",{"message":"b"}],"message":"c"}`, "a; b"},
		{"empty message", nil, `{"message":"","error":"Not Found"}`, "Not Found"},
		{"none of these", nil, `{"status":400}`, `{"status":400}`},
		{"list", nil, `["a"]`, `["a"]`},
		{"page", html, page, "Onderhoud Het portaal is even dicht & komt terug"},
		{"page cut off in a tag", html, "<html><b>a</b><scr", "a <scr"},
		{"script", html, "<html><script>alert(1)</script>a<!-- b --></html>", "a"},
		{"JSON called HTML", html, `{"message":"a"}`, "a"},
		{"latin-1", nil, "co\xefncidentie", "co\ufffdncidentie"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := wordsOf(c.h, []byte(c.body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := wordsOf(nil, []byte(strings.Repeat("é", 100000))); len(got) > maxWords {
		t.Errorf("%d bytes of words", len(got))
	}
}

// An error body without end is read as far as it is of use.
func TestEndlessErrorBody(t *testing.T) {
	var written atomic.Int64
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		w.WriteHeader(500)
		for {
			n, err := io.WriteString(w, strings.Repeat("fout ", 10000))
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	_, err := client(t, server.URL).Projects(t.Context())
	if e := fault(t, err); e.Kind != Unavailable || len(e.Detail) > maxWords || !strings.HasPrefix(e.Detail, "fout fout") {
		t.Errorf("got %v", e)
	}
	<-ended // the connection was closed, or this never comes
}
