package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate makes one for a host, by an authority of its own, valid between
// two moments; caFile holds the authority.
func certificate(t *testing.T, host string, from, to time.Time) (cert tls.Certificate, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Office Proxy CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-9, 0, 0), NotAfter: time.Now().AddDate(9, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: from, NotAfter: to}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, caFile
}

func TestPortal(t *testing.T) {
	now := time.Now()
	long, ago := now.AddDate(1, 0, 0), now.AddDate(0, -1, 0)
	cases := []struct {
		name         string
		host         string // in the certificate, "" for plain http
		from, to     time.Time
		caFile       string // "own", "" or a path
		skew         time.Duration
		status       int
		check        string // that is wrong, "" for none
		text, remedy string
		note         string // a check that is fine, with advice
	}{
		{name: "well", host: "127.0.0.1", from: ago, to: long, caFile: "own"},
		{name: "well, without TLS"},
		{name: "no such page is an answer, too", status: 404},
		{name: "unknown authority", host: "127.0.0.1", from: ago, to: long, check: "portal.tls", text: "issued by Office Proxy CA", remedy: "portal.ca_file"},
		{name: "expired", host: "127.0.0.1", from: ago, to: now.AddDate(0, 0, -1), caFile: "own", check: "portal.tls", text: day(now.AddDate(0, 0, -1)), remedy: "clock first"},
		{name: "not valid yet", host: "127.0.0.1", from: now.AddDate(0, 0, 2), to: long, caFile: "own", check: "portal.tls", text: day(now.AddDate(0, 0, 2)), remedy: "clock first"},
		{name: "expires soon", host: "127.0.0.1", from: ago, to: now.AddDate(0, 0, 7), caFile: "own", note: "portal.tls"},
		{name: "of another host", host: "elsewhere.example.org", from: ago, to: long, caFile: "own", check: "portal.tls", text: "another server's", remedy: "portal.url"},
		{name: "ca_file missing", caFile: "/no/such/file", check: "portal.ca", text: "/no/such/file", remedy: "PEM"},
		{name: "clock ahead", skew: time.Hour, check: "portal.clock", text: "ahead of this machine's", remedy: "NTP"},
		{name: "clock behind", skew: -time.Hour, check: "portal.clock", text: "behind", remedy: "NTP"},
		{name: "clock a little off", skew: time.Minute},
		{name: "maintenance", status: 503, check: "portal.reach", text: "503", remedy: "maintenance"},
		{name: "proxy wants a sign-on", status: 407, check: "portal.reach", text: "407", remedy: "HTTPS_PROXY"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, _, signedOn := r.BasicAuth(); signedOn {
					t.Error("credentials were sent to a front page")
				}
				w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
			}))
			web.Config.ErrorLog = log.New(io.Discard, "", 0)
			p := Portal{Environment: "demo", CAFile: c.caFile}
			if c.host == "" {
				web.Start()
			} else {
				cert, caFile := certificate(t, c.host, c.from, c.to)
				web.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
				web.StartTLS()
				if c.caFile == "own" {
					p.CAFile = caFile
				}
			}
			defer web.Close()
			p.Address = web.URL
			o := setup(t)
			o.Portals = []Portal{p}
			groups := Run(t.Context(), o)
			if c.check == "" {
				wantWell(t, groups)
			} else {
				wantWrong(t, groups, c.check, c.text, c.remedy)
			}
			if c.note != "" {
				if found := results(groups, c.note); len(found) != 1 || found[0].Remedy == "" {
					t.Errorf("%s: got %+v; want advice", c.note, found)
				}
			}
			o.Offline = true
			if found := results(Run(t.Context(), o), "portal.proxy"); len(found) != 0 {
				t.Errorf("offline, and looked at all the same: %+v", found)
			}
		})
	}
}

func TestPortalOutOfReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	o := setup(t)
	o.Limit = 300 * time.Millisecond
	o.Portals = []Portal{{Address: "http://" + address}} // nobody takes the call
	wantWrong(t, Run(t.Context(), o), "portal.reach", "no answer within 300ms", "firewall")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantWrong(t, Run(t.Context(), o), "portal.reach", "refused", "firewall")
	o.Portals[0].Address = "http://no-such-host.invalid"
	groups := Run(t.Context(), o)
	if found := results(groups, "portal.reach"); len(found) != 1 || found[0].OK {
		t.Errorf("got %+v", found)
	}
}

func TestRegistry(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }))
	defer down.Close()
	o := setup(t)
	o.Portals = []Portal{{Address: up.URL, Registry: up.URL}}
	wantWell(t, Run(t.Context(), o))
	o.Portals[0].Registry = down.URL
	wantWrong(t, Run(t.Context(), o), "portal.registry", "502", "go on without")
}

// The proxy's password is in the environment, and not in the report.
func TestProxyIsShownWithoutItsPassword(t *testing.T) {
	c := &checker{o: Options{Limit: time.Second}, lang: english}
	t.Setenv("HTTPS_PROXY", "http://user:hush-hush@127.0.0.1:1")
	g := c.group(t.Context(), "portal", "p", func(tr *track) { c.checkPortal(tr, Portal{Address: "https://portal.example.org"}) })
	text := ""
	for _, r := range g.Results {
		text += r.Text + r.Remedy
	}
	if strings.Contains(text, "hush") {
		t.Errorf("shown: %s", text)
	}
	// net/http reads the environment once per process, so another test may have come first
	if found := results([]Group{g}, "portal.proxy"); len(found) != 1 || !strings.Contains(found[0].Text, "127.0.0.1:1") && !strings.Contains(found[0].Text, "none") {
		t.Errorf("got %+v", found)
	}
}
