package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Portal is how the Bronhouderportaal is reached. It is comparable, so folders
// with the same settings can share one client.
type Portal struct {
	Environment       string        `yaml:"environment"`  // production, demo or acceptance
	URL               string        `yaml:"url"`          // instead of Environment, without a path
	RegistryURL       string        `yaml:"registry_url"` // "" where there are no public services
	Concurrency       int           `yaml:"concurrency"`  // documents under way at once
	RequestsPerSecond float64       `yaml:"requests_per_second"`
	Timeout           time.Duration `yaml:"timeout"`
	ValidationTimeout time.Duration `yaml:"validation_timeout"`
	Label             string        `yaml:"label"`
	CAFile            string        `yaml:"ca_file"` // absolute
}

// environment is one of the portal's own installations. Their accounts and tokens
// are separate, and what is delivered on demo never reaches the BRO.
type environment struct {
	name     string
	url      string
	registry string // public BRO services; none are known for demo and acceptance
}

// environments are those in use by public clients of the portal and named by its
// manual. Production answers only under its www name.
var environments = []environment{
	{name: "production", url: "https://www.bronhouderportaal-bro.nl", registry: "https://publiek.broservices.nl"},
	{name: "demo", url: "https://demo.bronhouderportaal-bro.nl"},
	{name: "acceptance", url: "https://acc.bronhouderportaal-bro.nl"},
}

// BaseURL returns the portal's address, without a path and without a slash at its end.
func (p Portal) BaseURL() string {
	if p.URL != "" {
		return p.URL
	}
	for _, e := range environments {
		if e.name == p.Environment {
			return e.url
		}
	}
	return ""
}

// EnvironmentName says for people, receipts and the status page which portal this
// is: "production", "demo" or "acceptance" by its address, however that was
// configured, and "other (HOST)" for any other address.
func (p Portal) EnvironmentName() string {
	base := p.BaseURL()
	for _, e := range environments {
		if e.url == base {
			return e.name
		}
	}
	host := base
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		host = u.Host
	}
	return "other (" + host + ")"
}

// defaultRegistry returns the public BRO services that belong to the portal.
func (p Portal) defaultRegistry() string {
	base := p.BaseURL()
	for _, e := range environments {
		if e.url == base {
			return e.registry
		}
	}
	return ""
}

// address checks an address without a path and returns it in its plain form:
// lower case, no slash at its end. The problem is "" if there is none. Nothing but
// https is taken except towards this machine itself, because the token's password
// goes with every request.
func address(given string) (plain, problem, remedy string) {
	const example = "write it like https://www.bronhouderportaal-bro.nl"
	u, err := url.Parse(given)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "", "not a web address", example
	case u.User != nil:
		return "", "a user name or password does not belong in an address", "put it under tokens: username, and the password in password_file"
	case u.Path != "" && u.Path != "/":
		return "", fmt.Sprintf("the address has a path, %q", u.Path), "leave the path out, brodaemon adds its own; " + example
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", "the address has more than a host in it", example
	case !validPort(u):
		return "", "the port is not a number from 1 to 65535", example
	}
	plain = strings.ToLower(u.Scheme + "://" + u.Host)
	switch {
	case plain == "https://bronhouderportaal-bro.nl":
		return "", "the portal does not answer under this name", "write https://www.bronhouderportaal-bro.nl, or environment: production"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", "http would send the password in the clear", "write https://; http is only for this machine itself, such as http://127.0.0.1:8790"
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Sprintf("the scheme %q is not https", u.Scheme), example
	}
	return plain, "", ""
}

func validPort(u *url.URL) bool {
	if !strings.HasSuffix(u.Host, ":"+u.Port()) { // no colon at all
		return true
	}
	port, err := strconv.Atoi(u.Port())
	return err == nil && port >= 1 && port <= 65535
}

// loopback tells whether host is this machine itself. A name counts only if it is
// localhost: what another name stands for is for a name server to say.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// listenAddress checks a host:port to listen on.
func listenAddress(given string) (problem, remedy string) {
	const example = "write it like 127.0.0.1:8480, or \"\" for none"
	host, port, err := net.SplitHostPort(given)
	if err != nil {
		return "not an address of the form host:port", example
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "the port is not a number from 0 to 65535", example
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !hostName(host) {
		return "the host is neither an IP address nor a name", example
	}
	return "", ""
}

// hostName tells whether s can be the name of a host.
func hostName(s string) bool {
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= 253
}
