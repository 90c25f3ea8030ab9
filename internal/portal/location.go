package portal

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// resolveLocation reads a Location header against the address that was asked.
// It must stay on the same scheme, host and port, because credentials will be
// sent there, and its path must have an id behind the given segment. What comes
// back ends at that id, without query or fragment.
//
// Its errors name a foreign host but no more of a foreign address.
func resolveLocation(asked *url.URL, location, segment string) (address, id string, err error) {
	if location == "" {
		return "", "", errors.New("no Location in the answer")
	}
	ref, err := url.Parse(location)
	if err != nil {
		return "", "", errors.New("a Location that is no address")
	}
	u := asked.ResolveReference(ref)
	if u.User != nil {
		return "", "", errors.New("a Location with a user name in it")
	}
	if !sameOrigin(asked, u) {
		return "", "", fmt.Errorf("a Location elsewhere (%s, path %s), not on %s", clean(origin(u), 200), clean(u.EscapedPath(), 200), origin(asked))
	}
	parts := strings.Split(u.EscapedPath(), "/")
	for i := 1; i < len(parts); i++ {
		if parts[i-1] == segment && checkID(parts[i]) == nil {
			return origin(asked) + strings.Join(parts[:i+1], "/"), parts[i], nil
		}
	}
	return "", "", fmt.Errorf("a Location without %s and an id: %s", segment, clean(u.EscapedPath(), 200))
}

// resolveUpload is resolveLocation for an upload, whose id is a whole number.
func resolveUpload(asked *url.URL, location string) (Upload, error) {
	address, id, err := resolveLocation(asked, location, segmentUpload)
	if err != nil {
		return Upload{}, err
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		return Upload{}, fmt.Errorf("a Location whose upload is not a whole number: %s", id)
	}
	return Upload{ID: n, URL: address}, nil
}

// sameOrigin compares scheme, host and port; a port left out is the scheme's own.
func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	default:
		return ""
	}
}
