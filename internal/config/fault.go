package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong in the configuration.
type Fault struct {
	Field   string // such as folders[1].path, counted from 0; "" is the file as a whole
	Line    int    // in the file, from 1; 0 if it has no place there
	Value   string // as given, shortened and without what may be a secret; "" if none is to be shown
	Problem string
	Remedy  string
}

// String tells the fault in one line.
func (f Fault) String() string {
	var b strings.Builder
	if f.Field != "" {
		b.WriteString(f.Field)
		if f.Value != "" {
			b.WriteString(` "` + printable(f.Value) + `"`)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Remedy != "" {
		b.WriteString("; " + f.Remedy)
	}
	return b.String()
}

// Error is a configuration that is refused, with everything that is wrong with it
// in the order of the file. There is always at least one fault.
type Error struct {
	File   string
	Faults []Fault
}

// Error tells every fault, one per line, each with file and line number.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		if f.Line > 0 {
			lines[i] = fmt.Sprintf("%s:%d: %s", e.File, f.Line, f)
		} else {
			lines[i] = fmt.Sprintf("%s: %s", e.File, f)
		}
	}
	return strings.Join(lines, "\n")
}

// maxShown bounds a value in a message; more does not help anyone find it.
const maxShown = 80

// shown returns a value as it may stand in a message.
func shown(value string) string {
	if runes := []rune(value); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return value
}

// printable returns s as it is, so that a Windows path stays readable, unless it
// would break or disguise the line that it stands in.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		quoted := strconv.Quote(s)
		return quoted[1 : len(quoted)-1]
	}
	return s
}

// withoutSecret takes out of a faulty value what may be a secret put in the wrong
// place: the password of "user:password", and all but the host of an address.
func withoutSecret(field, value string) string {
	switch {
	case strings.HasSuffix(field, "username"):
		if user, _, ok := strings.Cut(value, ":"); ok {
			return user + ":…"
		}
	case strings.HasSuffix(field, "url"):
		scheme, rest, ok := strings.Cut(value, "://")
		if !ok {
			scheme, rest = "", value
		}
		host, _, cut := strings.Cut(rest, "/")
		if _, after, ok := strings.Cut(host, "@"); ok {
			host, cut = after, true
		}
		if cut {
			host += "/…"
		}
		if scheme == "" {
			return host
		}
		return scheme + "://" + host
	}
	return value
}

// sortFaults puts faults in the order of the file, those without a place in it last.
func sortFaults(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Compare(a.Line, b.Line)
	})
}
