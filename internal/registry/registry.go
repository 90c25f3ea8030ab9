// Package registry asks the public BRO services (publiek.broservices.nl) what
// is registered: one object by its BRO-ID, or the BRO-IDs of a data owner. It
// is how one can see, apart from the Bronhouderportaal, that what was delivered
// is in the national register.
//
// The services are public: no credentials go there, and nothing that is asked
// is secret. They are meant for incidental use and refuse callers that come too
// often (429, since December 2024 at more than three requests a second), so a
// [Client] spaces its requests, over all goroutines that share it.
//
// Promises:
//   - One method call is one request, but for an object whose type its BRO-ID
//     leaves open (BHR-GT, BHR-P and BHR-G have the same letters), of which each
//     service is asked in turn. Nothing is tried again: whether to is the caller's to know.
//   - Answers are read as a stream. A registration of many megabytes costs no
//     more memory than a small one; one field of more than a megabyte, or an
//     answer of more than a gigabyte, is an error.
//   - An answer that says no (a rejection) is an [*Error] of kind [Rejected],
//     whatever HTTP status it comes with: both 200 and 4xx were seen.
//
// What it does not do: it changes nothing anywhere, keeps nothing, logs nothing,
// and imports no other room.
package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Defaults of Options.
const (
	DefaultTimeout  = 60 * time.Second
	DefaultInterval = time.Second
)

// Options say how to reach the services.
type Options struct {
	// BaseURL is scheme and host, such as https://publiek.broservices.nl. Plain
	// http is accepted for this machine only, so that no proxy can answer in
	// the register's name.
	BaseURL string
	// Transport carries the requests. Required; see portal.NewTransport.
	Transport http.RoundTripper
	// Version of the program, for the User-Agent.
	Version string
	// Timeout is how long an answer may make no progress. 0 is DefaultTimeout.
	Timeout time.Duration
	// Interval is the least time between two requests. 0 is DefaultInterval.
	Interval time.Duration
	// Observe, if set, is called once for each request with "registry_object" or
	// "registry_ids" and the status code, or "network". It must be quick.
	Observe func(op, code string, d time.Duration)
}

// Client asks the public services. It may be used by many goroutines at once;
// they share its pace.
type Client struct {
	base      *url.URL
	agent     string
	transport http.RoundTripper
	timeout   time.Duration
	limiter   *rate.Limiter
	observe   func(op, code string, d time.Duration)
}

// New makes a Client. It sends nothing. Its errors are faults of the Options.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	switch {
	case err != nil || base.Host == "" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "":
		return nil, errors.New("registry: the address is not like https://publiek.broservices.nl")
	case base.Scheme != "https" && !(base.Scheme == "http" && isLoopback(base.Hostname())):
		return nil, fmt.Errorf("registry: %s is not encrypted: use https", base.Host)
	case o.Transport == nil:
		return nil, errors.New("registry: Options.Transport is not set")
	}
	c := &Client{
		base: &url.URL{Scheme: base.Scheme, Host: base.Host}, agent: "brodaemon/" + o.Version,
		transport: o.Transport, timeout: o.Timeout, observe: o.Observe,
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	interval := o.Interval
	if interval <= 0 {
		interval = DefaultInterval
	}
	c.limiter = rate.NewLimiter(rate.Every(interval), 1)
	return c, nil
}

// Address is scheme and host of the services.
func (c *Client) Address() string { return c.base.String() }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// service is one of the public services: the type of its objects, and its path.
// Those of GMW, GMN, GLD, GAR, FRD, CPT and BHR-GT are confirmed by several
// clients, the others seen in one (portal-api §8).
type service struct{ typ, path string }

var services = []service{
	{"GMW", "/gm/gmw/v1"}, {"GLD", "/gm/gld/v1"}, {"GMN", "/gm/gmn/v1"}, {"GAR", "/gm/gar/v1"}, {"FRD", "/gm/frd/v1"},
	{"CPT", "/sr/cpt/v1"}, {"BHR-GT", "/sr/bhrgt/v2"}, {"BHR-P", "/sr/bhrp/v2"}, {"BHR-G", "/sr/bhrg/v3"}, {"SFR", "/sr/sfr/v2"},
	{"GUF", "/gu/guf/v1"}, {"GPD", "/gu/gpd/v1"}, {"EPC", "/ep/epc/v1"},
}

// Types lists the types of objects that there is a public service for.
func Types() []string {
	types := make([]string, len(services))
	for i, s := range services {
		types[i] = s.typ
	}
	return types
}

// servicesFor are the services that can know an object: that of its type, or
// those that its BRO-ID's letters leave.
func servicesFor(typ, broID string) []service {
	var found []service
	for _, s := range services {
		if typ != "" && strings.EqualFold(s.typ, typ) || typ == "" && len(broID) >= 3 && s.typ[:3] == broID[:3] {
			found = append(found, s)
		}
	}
	return found
}
