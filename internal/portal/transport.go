package portal

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// maxCAFile bounds a file of certificate authorities; a whole system's bundle
// is a quarter of a megabyte.
const maxCAFile = 4 << 20

// NewTransport makes what clients of one portal share: connections that are
// kept and reused, TLS 1.2 or better with verified certificates, HTTP/2 where
// offered, and a proxy from the environment (HTTPS_PROXY, NO_PROXY).
//
// caFile, if not empty, names certificate authorities in PEM that are trusted
// beside the system's own. maxConnsPerHost bounds the connections, 0 means no
// bound; calls beyond it wait, and their time-out counts while they do, so it
// should not be below the number of calls made at once.
func NewTransport(caFile string, maxConnsPerHost int) (*http.Transport, error) {
	if maxConnsPerHost < 0 {
		return nil, fmt.Errorf("portal: %d connections per host", maxConnsPerHost)
	}
	roots, err := rootCAs(caFile)
	if err != nil {
		return nil, err
	}
	idle := maxConnsPerHost
	if idle == 0 {
		idle = 8
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:   15 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxConnsPerHost:       maxConnsPerHost,
		MaxIdleConnsPerHost:   idle,
		MaxIdleConns:          4 * idle,
		IdleConnTimeout:       30 * time.Second, // below what servers and firewalls usually allow
		ExpectContinueTimeout: time.Second,
		// An HTTP/2 connection is kept for ever, so a dead one must be found out.
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		MaxResponseHeaderBytes: 64 << 10,
	}, nil
}

// rootCAs is the system's authorities and those of the file; nil means the
// system's alone.
func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	if len(pem) > maxCAFile {
		return nil, fmt.Errorf("read ca_file: %s is larger than %d bytes", file, maxCAFile)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca_file: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", file)
	}
	return roots, nil
}
