package portal

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/secret"
)

func TestParseBaseURL(t *testing.T) {
	good := map[string]string{
		"https://www.bronhouderportaal-bro.nl":   "https://www.bronhouderportaal-bro.nl",
		"https://demo.bronhouderportaal-bro.nl/": "https://demo.bronhouderportaal-bro.nl",
		"HTTPS://portal.example:8443":            "https://portal.example:8443",
		"http://127.0.0.1:8790":                  "http://127.0.0.1:8790",
		"http://127.5.5.5":                       "http://127.5.5.5",
		"http://[::1]:8790/":                     "http://[::1]:8790",
		"http://localhost:8790":                  "http://localhost:8790",
		"http://LocalHost":                       "http://LocalHost",
	}
	for in, want := range good {
		if got, err := ParseBaseURL(in); err != nil || got.String() != want {
			t.Errorf("%q: got %v, %v; want %s", in, got, err, want)
		}
	}
	bad := map[string]string{
		"":                                     "not like https",
		"www.bronhouderportaal-bro.nl":         "not like https",
		"portal.example:8080":                  "not",
		"ftp://portal.example":                 "not like https",
		"https://":                             "not like https",
		"https://:443":                         "not like https",
		"http://portal.example":                "use https",
		"http://128.0.0.1":                     "use https",
		"http://localhost.example":             "use https",
		"http://10.0.0.1":                      "use https",
		"https://portal.example/api/v2":        "leave only https://portal.example",
		"https://portal.example/?x":            "leave only",
		"https://portal.example?":              "leave only",
		"https://portal.example#x":             "leave only",
		"https://piet:geheim@portal.example":   "under tokens",
		"https://piet:geheim@portal.example:x": "not a URL",
		"https://piet:ge heim@portal.example":  "not a URL",
		"https://portal.example\n":             "not a URL",
	}
	for in, want := range bad {
		got, err := ParseBaseURL(in)
		if err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want an error with %q", in, got, err, want)
		} else if strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "ge heim") {
			t.Errorf("%q: the error shows a password: %v", in, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	right := Options{BaseURL: "https://portal.example", Username: testUser, Secret: func() (secret.String, error) { return secret.New("x"), nil }}
	if _, err := New(right); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*Options){
		"address":           func(o *Options) { o.BaseURL = "http://portal.example" },
		"no user name":      func(o *Options) { o.Username = "" },
		"colon":             func(o *Options) { o.Username = "a:b" },
		"control character": func(o *Options) { o.Username = "a\nb" },
		"no secret":         func(o *Options) { o.Secret = nil },
		"time-out":          func(o *Options) { o.Timeout = -time.Second },
		"other time-out":    func(o *Options) { o.ValidationTimeout = -time.Second },
		"two ways to trust": func(o *Options) { o.Transport, o.CAFile = http.DefaultTransport, "x" },
		"absent ca file":    func(o *Options) { o.CAFile = filepath.Join(t.TempDir(), "absent.pem") },
	}
	for name, change := range cases {
		o := right
		change(&o)
		if c, err := New(o); err == nil || c != nil {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
	}
}

func TestUserAgent(t *testing.T) {
	system := " (+" + runtime.GOOS + "/" + runtime.GOARCH + ")"
	for version, want := range map[string]string{
		"1.2.3": "1.2.3", "v1.2.3-rc.1+dirty": "v1.2.3-rc.1+dirty", "": "unknown", "\r\n": "unknown", "1\r\nX: y": "1Xy", "(devel)": "devel",
	} {
		if got := userAgent(version); got != "brodaemon/"+want+system {
			t.Errorf("%q: got %q", version, got)
		}
	}
}

// A certificate of an authority that is named in a file is accepted, by it alone.
func TestCAFile(t *testing.T) {
	server := httptest.NewUnstartedServer(reply(200, "application/json", `[]`))
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}

	trusting := client(t, server.URL, func(o *Options) { o.CAFile = file })
	t.Cleanup(trusting.transport.(*http.Transport).CloseIdleConnections)
	if _, err := trusting.Projects(t.Context()); err != nil {
		t.Errorf("with the authority: %v", err)
	}
	_, err := client(t, server.URL).Projects(t.Context())
	if e := fault(t, err); e.Kind != Unavailable || e.MaybeDone || !strings.Contains(e.Hint(), "ca_file") {
		t.Errorf("without it: %v, %s", e, e.Hint())
	}
	// The right certificate for another host
	_, err = client(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), func(o *Options) { o.CAFile = file }).Projects(t.Context())
	if e := fault(t, err); e.Kind != Unavailable || !strings.Contains(e.Hint(), "ca_file") {
		t.Errorf("for another host: %v", e)
	}

	for name, content := range map[string]string{"no certificate": "hello", "empty": "", "too large": strings.Repeat("x", maxCAFile+1)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewTransport(file, 0); err == nil || !strings.Contains(err.Error(), "ca_file") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := NewTransport("", -1); err == nil {
		t.Error("-1 connections were accepted")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(reply(200, "application/json", `[]`))
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	transport, err := NewTransport("", 0)
	if err != nil {
		t.Fatal(err)
	}
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	_, err = client(t, server.URL, func(o *Options) { o.Transport = transport }).Projects(t.Context())
	if e := fault(t, err); e.Kind != Unavailable || e.MaybeDone || !strings.Contains(e.Error(), "version") {
		t.Errorf("got %v", e)
	}
}

// Many calls share few connections, and connections are reused.
func TestConnectionsAreReused(t *testing.T) {
	conns := map[string]bool{}
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conns[r.RemoteAddr] = true
		reply(map[string]int{http.MethodGet: 500, http.MethodPost: 400}[r.Method], "text/html", page+strings.Repeat("x", 2*maxErrorBody))(w, r)
	})
	transport, err := NewTransport("", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	portal := client(t, server.URL, func(o *Options) { o.Transport = transport })
	for range 5 {
		for _, act := range acts {
			fault(t, act.call(t.Context(), portal))
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections, want 1: bodies are not read to their end", len(conns))
	}
}

// Every act has its path, in one table.
func TestPaths(t *testing.T) {
	for _, act := range acts {
		if act.op == OpAddSourceDocument { // goes to the upload's own address
			continue
		}
		if !strings.HasPrefix(paths[act.op], "/") {
			t.Errorf("%s has no path", act.op)
		}
	}
	if len(paths) != len(acts)-1 {
		t.Errorf("%d paths for %d acts", len(paths), len(acts))
	}
}
