package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"brodaemon/internal/portal"
)

// expiresSoon is how long before its end a portal's certificate is mentioned:
// well-kept ones are replaced weeks before.
const expiresSoon = 14 * 24 * time.Hour

// checkPortal looks for the way to a portal: proxy, certificates, address, clock.
func (c *checker) checkPortal(t *track, p Portal) {
	transport, err := portal.NewTransport(p.CAFile, 0)
	if err != nil {
		t.wrong("portal.ca", "ca.unusable", "ca.unusable.fix", plain(err))
		return
	}
	defer transport.CloseIdleConnections()
	if p.CAFile != "" {
		t.ok("portal.ca", "ca.good", p.CAFile)
	}
	t.ok("portal.environment", "env."+environmentKey(p.Environment), line(p.Address))
	c.checkProxy(t, transport, p.Address)
	t.beginWithin("portal.reach", c.o.Limit)
	before := time.Now()
	resp, err := c.head(t.ctx, transport, p.Address)
	after := time.Now()
	if err != nil {
		c.reportUnreached(t, "portal.reach", err)
		return
	}
	c.reportCertificate(t, resp.TLS, after)
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired:
		t.wrong("portal.reach", "reach.proxy-auth", "reach.proxy-auth.fix", resp.Status)
	case resp.StatusCode >= 500:
		t.wrong("portal.reach", "reach.down", "reach.down.fix", resp.Status)
	default:
		t.ok("portal.reach", "reach.good", after.Sub(before).Round(time.Millisecond))
	}
	c.reportClock(t, resp.Header.Get("Date"), before, after)
	if p.Registry != "" {
		c.checkRegistry(t, transport, p.Registry)
	}
}

func environmentKey(name string) string {
	switch name {
	case "production", "demo", "acceptance":
		return name
	}
	return "other"
}

func (c *checker) checkProxy(t *track, transport *http.Transport, address string) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	var proxy *url.URL
	if err == nil {
		proxy, err = transport.Proxy(req)
	}
	switch {
	case err != nil:
		t.wrong("portal.proxy", "proxy.faulty", "proxy.faulty.fix", "HTTPS_PROXY")
	case proxy == nil:
		t.ok("portal.proxy", "proxy.none")
	default:
		t.ok("portal.proxy", "proxy.used", proxy.Scheme+"://"+proxy.Host) // never with its user name
	}
}

// head asks for the front page, without signing on, and follows nothing.
func (c *checker) head(ctx context.Context, transport http.RoundTripper, address string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "brodaemon-doctor/"+cmp.Or(strings.Map(headerLetter, c.o.Version), "unknown"))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}

func headerLetter(r rune) rune {
	if r > ' ' && r < 0x7f {
		return r
	}
	return -1
}

// reportUnreached says why no answer came.
func (c *checker) reportUnreached(t *track, check string, err error) {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		dns       *net.DNSError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	what := "reach.failed"
	tlsCheck := strings.Replace(check, ".reach", ".tls", 1)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		cert := invalid.Cert
		t.wrong(tlsCheck, "tls.expired", "tls.expired.fix", certName(cert), day(cert.NotBefore), day(cert.NotAfter), time.Now().Local().Format("2006-01-02 15:04"))
		return
	case errors.As(err, &authority):
		t.wrong(tlsCheck, "tls.untrusted", "tls.untrusted.fix", issuerOf(err), plain(authority))
		return
	case errors.As(err, &host):
		t.wrong(tlsCheck, "tls.other-host", "tls.other-host.fix", plain(host))
		return
	case errors.As(err, &invalid):
		t.wrong(tlsCheck, "tls.invalid", "tls.untrusted.fix", issuerOf(err), plain(invalid))
		return
	case errors.As(err, &record):
		t.wrong(tlsCheck, "tls.none", "reach.failed.fix", plain(err))
		return
	case errors.As(err, &op) && op.Op == "proxyconnect":
		t.wrong(check, "reach.proxy", "reach.proxy.fix", plain(err))
		return
	case errors.As(err, &dns) && dns.IsNotFound:
		t.wrong(check, "reach.no-name", "reach.no-name.fix", line(dns.Name))
		return
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		t.wrong(check, "reach.late", "reach.failed.fix", c.o.Limit)
		return
	}
	t.wrong(check, what, "reach.failed.fix", plain(err))
}

// issuerOf names who signed a certificate that was not accepted.
func issuerOf(err error) string {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		cert := verification.UnverifiedCertificates[0]
		return line(cmp.Or(cert.Issuer.CommonName, strings.Join(cert.Issuer.Organization, ", "), cert.Issuer.String(), "?"))
	}
	return "?"
}

func certName(cert *x509.Certificate) string {
	if cert == nil {
		return "?"
	}
	name := cert.Subject.CommonName
	if len(cert.DNSNames) > 0 {
		name = cert.DNSNames[0]
	}
	return line(cmp.Or(name, cert.Subject.String(), "?"))
}

func day(t time.Time) string { return t.Local().Format("2006-01-02") }

func (c *checker) reportCertificate(t *track, state *tls.ConnectionState, now time.Time) {
	if state == nil || len(state.PeerCertificates) == 0 {
		t.ok("portal.tls", "tls.plain")
		return
	}
	cert := state.PeerCertificates[0]
	issuer := line(cmp.Or(cert.Issuer.CommonName, strings.Join(cert.Issuer.Organization, ", "), "?"))
	if cert.NotAfter.Sub(now) < expiresSoon {
		t.note("portal.tls", "tls.soon", "tls.soon.fix", certName(cert), issuer, day(cert.NotAfter))
		return
	}
	t.ok("portal.tls", "tls.good", certName(cert), issuer, day(cert.NotAfter))
}

// reportClock compares the answer's Date, which is exact to a second, with the
// moment in which it was made.
func (c *checker) reportClock(t *track, date string, before, after time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		t.note("portal.clock", "clock.unknown", "")
		return
	}
	skew := skewOf(theirs, before.Add(-time.Second), after)
	if skew.Abs() > skewTolerance {
		t.wrong("portal.clock", "clock.portal-off", "clock.off.fix", skew.Abs().Round(time.Second), c.lang.direction(skew))
		return
	}
	t.ok("portal.clock", "clock.good", skew.Abs().Round(time.Second))
}

// skewOf is how far a foreign time lies after (or, below zero, before) the span
// of our own time in which it was taken.
func skewOf(theirs, from, to time.Time) time.Duration {
	switch {
	case theirs.Before(from):
		return theirs.Sub(from)
	case theirs.After(to):
		return theirs.Sub(to)
	}
	return 0
}

func (c *checker) checkRegistry(t *track, transport http.RoundTripper, address string) {
	t.beginWithin("portal.registry", c.o.Limit)
	resp, err := c.head(t.ctx, transport, address)
	switch {
	case err != nil:
		t.wrong("portal.registry", "registry.failed", "registry.failed.fix", address, plain(err))
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusProxyAuthRequired:
		t.wrong("portal.registry", "registry.failed", "registry.failed.fix", address, resp.Status)
	default:
		t.ok("portal.registry", "registry.good", address)
	}
}
