package status

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// language chooses between the two texts of each word.
type language int

const (
	dutch language = iota
	english
)

// languageOf is Dutch if the name is not known, as the configuration's default is.
func languageOf(name string) language {
	if name == "en" {
		return english
	}
	return dutch
}

func (l language) code() string { return [...]string{"nl", "en"}[l] }

// text is a word or sentence of ours, with args put in as by fmt.
func (l language) text(key string, args ...any) string {
	pair, ok := texts[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return pair[l]
	}
	return fmt.Sprintf(pair[l], args...)
}

// word is the text of a fixed word of another room, such as a state. One that
// is not known here is shown as it is.
func (l language) word(kind string, word any) string {
	w := fmt.Sprint(word)
	if pair, ok := texts[kind+"."+w]; ok {
		return pair[l]
	}
	return line(w)
}

// line makes a text from outside (a file name, the portal's words) fit for one
// line: nothing in it can change the order or the place of what is around it.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// SplitAdvice parts what the daemon says of a failure from what it advises. Where
// advice of our own is given, or the page is Dutch, the first part will do.
func SplitAdvice(said string) (what, advice string) {
	what, advice, _ = strings.Cut(said, ". What to do: ")
	return what, advice
}

// said is what the daemon said of a failure, on one line. On a Dutch page its
// English advice is left out: the page has advice of its own.
func (l language) said(s string) string {
	if l == dutch {
		s, _ = SplitAdvice(s)
	}
	return line(s)
}

// local is a moment as people here write it; the sort order is that of time.
func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// span is a length of time in its largest unit that fits.
func (l language) span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return l.text("seconds", int(d/time.Second))
	case d < time.Hour:
		return l.text("minutes", int(d/time.Minute))
	case d < 48*time.Hour:
		return l.text("hours", int(d/time.Hour))
	default:
		return l.text("days", int(d/(24*time.Hour)))
	}
}

// ago says how long ago t was, or in how long it will be.
func (l language) ago(t, now time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.After(now):
		return l.text("in", l.span(t.Sub(now)+time.Second-1))
	}
	return l.text("ago", l.span(now.Sub(t)))
}

// due says in how long t will be; what should have been is about to be.
func (l language) due(t, now time.Time) string {
	if t.After(now) {
		return l.ago(t, now)
	}
	return l.text("due")
}

// environment is a portal's environment as the page shows it, so that nobody
// takes a trial for the real thing or the other way round.
type environment struct {
	Label string
	Note  string
	Class string // production, trial or other
}

// environmentOf knows the names that package config gives.
func (l language) environmentOf(name string) environment {
	switch host, isOther := otherHost(name); {
	case name == "production", name == "demo", name == "acceptance":
		class := "trial"
		if name == "production" {
			class = "production"
		}
		return environment{l.text("env." + name), l.text("env-note." + name), class}
	case isOther && loopback(host):
		return environment{l.text("env.here", line(host)), l.text("env-note.here"), "trial"}
	case name == "":
		return environment{l.text("env.unknown"), l.text("env-note.other"), "other"}
	default:
		if !isOther {
			host = name
		}
		return environment{l.text("env.other", line(host)), l.text("env-note.other"), "other"}
	}
}

// otherHost is HOST of "other (HOST)".
func otherHost(name string) (string, bool) {
	host, ok := strings.CutPrefix(name, "other (")
	return strings.TrimSuffix(host, ")"), ok
}

func loopback(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
