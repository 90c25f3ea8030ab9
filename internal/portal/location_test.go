package portal

import (
	"net/url"
	"strings"
	"testing"
)

func mustParse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestResolveLocation(t *testing.T) {
	const asked = "https://portal.example/api/v2/1255/leveringen"
	cases := []struct {
		name, asked, location string
		address, id           string
		fault                 string
	}{
		{name: "absolute", location: "https://portal.example/api/v2/1255/leveringen/0000182700", address: "https://portal.example/api/v2/1255/leveringen/0000182700", id: "0000182700"},
		{name: "default port given", location: "https://portal.example:443/api/v2/1255/leveringen/1", address: "https://portal.example/api/v2/1255/leveringen/1", id: "1"},
		{name: "default port asked", asked: "https://portal.example:443/x", location: "https://portal.example/leveringen/1", address: "https://portal.example:443/leveringen/1", id: "1"},
		{name: "case of scheme and host", location: "HTTPS://Portal.EXAMPLE/leveringen/1", address: "https://portal.example/leveringen/1", id: "1"},
		{name: "host without scheme", location: "//portal.example/leveringen/1", address: "https://portal.example/leveringen/1", id: "1"},
		{name: "absolute path", location: "/a/leveringen/1", address: "https://portal.example/a/leveringen/1", id: "1"},
		{name: "dots", location: "/a/../b/./leveringen/1", address: "https://portal.example/b/leveringen/1", id: "1"},
		{name: "more behind it", location: "/leveringen/1/brondocumenten?a=b#c", address: "https://portal.example/leveringen/1", id: "1"},
		{name: "escaped path before it", location: "/a%2Fb/leveringen/1", address: "https://portal.example/a%2Fb/leveringen/1", id: "1"},
		{name: "IPv6", asked: "http://[::1]:8790/x", location: "http://[::1]:8790/leveringen/1", address: "http://[::1]:8790/leveringen/1", id: "1"},

		{name: "empty", fault: "no Location"},
		{name: "other host", location: "https://evil.example/leveringen/1", fault: "elsewhere (https://evil.example"},
		{name: "subdomain", location: "https://www.portal.example/leveringen/1", fault: "elsewhere"},
		{name: "host that only begins so", location: "https://portal.example.evil.example/leveringen/1", fault: "elsewhere"},
		{name: "host with a dot behind", location: "https://portal.example./leveringen/1", fault: "elsewhere"},
		{name: "other port", location: "https://portal.example:8443/leveringen/1", fault: "elsewhere"},
		{name: "other scheme", location: "http://portal.example/leveringen/0000182700", fault: "/leveringen/0000182700"},
		{name: "other scheme, same port", location: "http://portal.example:443/leveringen/1", fault: "elsewhere"},
		{name: "user name", location: "https://a:geheim@portal.example/leveringen/1", fault: "user name"},
		{name: "user name that looks like the host", location: "https://portal.example@evil.example/leveringen/1", fault: "user name"},
		{name: "backslash", location: `https://portal.example\@evil.example/leveringen/1`, fault: "no address"},
		{name: "no scheme of ours", location: "javascript:leveringen/1", fault: "elsewhere"},
		{name: "broken", location: "https://[::1/leveringen/1", fault: "no address"},
		{name: "control character", location: "/leveringen/1\n", fault: "no address"},
		{name: "no id", location: "/leveringen/", fault: "without leveringen and an id"},
		{name: "nothing", location: "/leveringen", fault: "without leveringen and an id"},
		{name: "something else", location: "/uploads/1", fault: "without leveringen and an id"},
		{name: "id that is none", location: "/leveringen/%2e%2e", fault: "without leveringen and an id"},
		{name: "id with a slash", location: "/leveringen/1%2F2", fault: "without leveringen and an id"},
		{name: "in the query only", location: "/?x=/leveringen/1", fault: "without leveringen and an id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.asked == "" {
				c.asked = asked
			}
			address, id, err := resolveLocation(mustParse(t, c.asked), c.location, segmentDelivery)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) || address != "" || id != "" {
					t.Errorf("got %q, %q, %v; want %q", address, id, err, c.fault)
				} else if strings.Contains(err.Error(), "geheim") {
					t.Errorf("the error shows a password: %v", err)
				}
				return
			}
			if err != nil || address != c.address || id != c.id {
				t.Errorf("got %q, %q, %v; want %q, %q", address, id, err, c.address, c.id)
			}
		})
	}
}
