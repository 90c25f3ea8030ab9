package portal

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxWords bounds what is kept of the portal's words in one error.
	maxWords = 2 << 10
	// redacted stands where a secret stood.
	redacted = "REDACTED"
)

// clean makes foreign text fit for a log, a terminal and a page: one line, no
// control or invisible characters, valid UTF-8, at most max bytes.
func clean(s string, max int) string {
	// Cut first, generously: what follows costs time per byte.
	if len(s) > 4*max {
		s = s[:4*max]
	}
	var b strings.Builder
	blank := false
	for _, r := range s { // a byte that is no UTF-8 comes as U+FFFD
		if !unicode.IsPrint(r) || r == ' ' {
			blank = b.Len() > 0
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
		if b.Len() > max {
			break
		}
	}
	return cut(b.String(), max)
}

// cut shortens a text to max bytes, not within a character, with an ellipsis.
func cut(s string, max int) string {
	const ellipsis = "…"
	if len(s) <= max {
		return s
	}
	end := max - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

var (
	invisible = regexp.MustCompile(`(?is)<(script|style)\b.*?</(script|style)\s*>|<!--.*?-->`)
	tag       = regexp.MustCompile(`(?s)<[^<>]*>`)
)

// pageText is what a person would read of an HTML page, more or less.
func pageText(page string) string {
	page = cut(page, 64<<10)
	page = invisible.ReplaceAllString(page, " ")
	page = tag.ReplaceAllString(page, " ")
	return html.UnescapeString(page)
}

// scrubber takes one request's credentials out of whatever came back: a portal
// or proxy may repeat what it was sent. The zero value takes out nothing.
type scrubber struct{ strict, lenient *strings.Replacer }

// The lengths from which a secret is looked for by itself, and not only as it
// stands in the header. In an error a replaced word does no harm. In a result it
// would falsify a reference that happens to contain it; real secrets have 64
// characters, which nothing else contains by chance.
const (
	minInErrors  = 4
	minInResults = 16
)

func newScrubber(username, secret string) scrubber {
	pairs := hidden(nil, base64.StdEncoding.EncodeToString([]byte(username+":"+secret)))
	s := scrubber{lenient: strings.NewReplacer(pairs...)}
	if len(secret) >= minInErrors {
		pairs = hidden(pairs, secret)
		pairs = append(pairs, hex.EncodeToString([]byte(secret)), redacted, base64.StdEncoding.EncodeToString([]byte(secret)), redacted)
	}
	s.strict = strings.NewReplacer(pairs...)
	if len(secret) >= minInResults {
		s.lenient = s.strict
	}
	return s
}

// hidden adds a text to those that are replaced, as it is and as it stands in
// addresses, pages and JSON, where others may have put it.
func hidden(pairs []string, text string) []string {
	json := strings.ReplaceAll(text, "/", `\/`)
	for _, form := range []string{text, url.QueryEscape(text), url.PathEscape(text), html.EscapeString(text), json, strings.TrimRight(text, "=")} {
		pairs = append(pairs, form, redacted)
	}
	return pairs
}

// text is for errors.
func (s scrubber) text(text string) string {
	if s.strict == nil {
		return text
	}
	return s.strict.Replace(text)
}

// result is for what is read for its content.
func (s scrubber) result(text string) string {
	if s.lenient == nil {
		return text
	}
	return s.lenient.Replace(text)
}

// userinfo is a user name and password in an address, as in that of a proxy.
var userinfo = regexp.MustCompile(`://[^\s"]*@`)

// err is the error with a text fit to be shown. When a secret stood in it, what
// it wraps goes too, for that would show the same.
func (s scrubber) err(err error) error {
	if err == nil {
		return nil
	}
	before := err.Error()
	scrubbed := userinfo.ReplaceAllString(s.text(before), "://"+redacted+"@")
	after := clean(scrubbed, maxWords)
	switch {
	case after == before:
		return err
	case scrubbed != before:
		return errors.New(after)
	default:
		return &shown{after, err}
	}
}

// shown is an error with a tidier text.
type shown struct {
	text string
	err  error
}

func (s *shown) Error() string { return s.text }
func (s *shown) Unwrap() error { return s.err }
