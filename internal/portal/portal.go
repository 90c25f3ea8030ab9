// Package portal speaks the delivery API (v2) of the Bronhouderportaal: it has
// documents validated, opens uploads, adds documents to them, submits uploads
// as deliveries and asks what became of them. It is the only room that knows
// the Dutch words of the wire; they all stand in wire.go.
//
// A [Client] has one method per act of the portal. Each sends exactly one
// request and never tries again by itself: whether a repetition is safe is the
// caller's to know, and each method's comment says so. The one that can never be
// repeated blindly is [Client.Submit], because a second delivery of the same
// document may register a second object, which cannot be erased.
//
// What goes wrong comes as an [*Error] whose Kind says what it means and whose
// MaybeDone says whether the portal may have carried the request out although
// no clear answer came.
//
// Promises:
//   - Credentials go to the configured address only, over verified TLS (plain
//     http is accepted towards this machine alone). No redirect is followed.
//   - No secret appears in an error, a result or a log; this package logs nothing.
//   - Documents are streamed with their known length. One that turns out shorter
//     or longer than announced is never delivered whole: the request is broken off.
//   - Answers are bounded in size and in time, whatever the other side sends.
//
// What it does not do: retry, queue, limit its rate, or remember anything but
// what the portal said the time was. A Client may be used by many goroutines at once.
//
// There is no official reference for most of the API. Facts about it come from
// the code and the recorded answers of other clients; where they are silent,
// the reading that cannot lose or double a document was chosen, and comments say
// which one that is.
package portal

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"brodaemon/internal/secret"
)

// The times a call may take when Options say nothing. Validating is slow at the
// portal: other clients raised their limit from one minute to five.
const (
	DefaultTimeout           = 60 * time.Second
	DefaultValidationTimeout = 5 * time.Minute
)

// Options say how to reach the portal and as whom.
type Options struct {
	// BaseURL is scheme and host without a path, such as
	// https://www.bronhouderportaal-bro.nl. Plain http is accepted for
	// localhost and loopback addresses only.
	BaseURL string
	// Username is the user name of the token. It holds no colon.
	Username string
	// Secret is asked before each request, so that a secret that was changed
	// meanwhile is used at once. Its failure is an Unauthorized *Error.
	Secret func() (secret.String, error)
	// Version of the program, for the User-Agent.
	Version string

	// Timeout is how long a call may go on without progress: it counts from the
	// last piece of the document that could be sent (so that a large document
	// on a slow line is not given up on), and from there for the whole answer.
	// 0 is DefaultTimeout.
	Timeout time.Duration
	// ValidationTimeout is the same for Validate. 0 is DefaultValidationTimeout.
	ValidationTimeout time.Duration

	// Transport carries the requests. nil makes one by NewTransport; clients of
	// one portal had better share one.
	Transport http.RoundTripper
	// CAFile names further certificate authorities (PEM), for the Transport
	// that is made here; with a given Transport it must be empty.
	CAFile string

	// Observe, if set, is called once for each request that was tried, with the
	// status code of the answer or, when none came, "timeout", "interrupted",
	// "local" or "network". It must be quick and is called from many goroutines.
	Observe func(op Op, code string, d time.Duration)
}

// Client delivers to one portal with one token. Make it with New.
type Client struct {
	base       *url.URL
	username   string
	secret     func() (secret.String, error)
	agent      string
	timeout    time.Duration
	validation time.Duration
	transport  http.RoundTripper
	// own says that transport is net/http's, whose behaviour is known: it asks
	// for a connection, visibly for httptrace, before it sends anything.
	own     bool
	observe func(op Op, code string, d time.Duration)
	clock   *atomic.Pointer[ClockCheck] // shared by copies
}

// New makes a Client. It sends nothing. Its errors are faults of the Options.
func New(o Options) (*Client, error) {
	base, err := ParseBaseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Username == "":
		return nil, errors.New("portal: the token has no user name")
	case strings.ContainsFunc(o.Username, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }):
		return nil, errors.New("portal: the token's user name holds a colon or a control character: copy it again from the portal")
	case o.Secret == nil:
		return nil, errors.New("portal: Options.Secret is not set")
	case o.Timeout < 0 || o.ValidationTimeout < 0:
		return nil, errors.New("portal: a time-out is below zero")
	case o.Transport != nil && o.CAFile != "":
		return nil, errors.New("portal: CAFile belongs to NewTransport when a Transport is given")
	}
	c := &Client{
		base:       base,
		username:   o.Username,
		secret:     o.Secret,
		agent:      userAgent(o.Version),
		timeout:    o.Timeout,
		validation: o.ValidationTimeout,
		transport:  o.Transport,
		observe:    o.Observe,
		clock:      new(atomic.Pointer[ClockCheck]),
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.validation == 0 {
		c.validation = DefaultValidationTimeout
	}
	if c.transport == nil {
		if c.transport, err = NewTransport(o.CAFile, 0); err != nil {
			return nil, err
		}
	}
	_, c.own = c.transport.(*http.Transport)
	return c, nil
}

// ParseBaseURL reads the address of a portal: https, or http towards loopback,
// and nothing behind the host. Its errors do not repeat the text, which could
// hold a password.
func ParseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("portal address is not a URL: %w", err)
	case u.User != nil:
		return nil, errors.New("portal address holds a user name: credentials belong under tokens")
	case u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, errors.New("portal address is not like https://www.bronhouderportaal-bro.nl")
	case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("portal address has something behind the host: leave only %s", origin(u))
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("portal address %s would send the token unencrypted: use https", origin(u))
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}

// origin is an address as far as the host, without user name or path.
func origin(u *url.URL) string { return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() }

// userAgent names program, version and system, so that the portal's people can
// tell whom to call. A version is cut to what such a header may hold.
func userAgent(version string) string {
	version = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', strings.ContainsRune(".-+_", r):
			return r
		default:
			return -1
		}
	}, version)
	if version == "" {
		version = "unknown"
	}
	return fmt.Sprintf("brodaemon/%s (+%s/%s)", version, runtime.GOOS, runtime.GOARCH)
}
