package archive

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"unicode/utf8"
)

// A name of up to nameLimit bytes is kept. shortLimit is for a file system that
// calls the kept name too long (an encrypted one may allow no more than 143).
const (
	nameLimit  = 200
	shortLimit = 100
	maxEnding  = 20 // bytes; what is longer after the last dot is no ending
)

// names are the names a document may get, in the order in which they are tried:
//
//	0  put-16.xml
//	1  put-16__3f9a1c2e.xml
//	2  put-16__3f9a1c2e-2.xml    and so on
type names struct {
	stem, ending, digits string
	limit                int  // bytes
	windows              bool // they must be possible there
}

func newNames(base, sha256 string) names { return namesOn(runtime.GOOS, base, sha256) }

func namesOn(system, base, sha256 string) names {
	n := names{digits: sha256[:8], limit: nameLimit, windows: system == "windows"}
	if n.windows {
		base = windowsName(base)
	}
	n.stem = base
	if dot := strings.LastIndexByte(base, '.'); dot > 0 && dot+1 < len(base) && len(base)-dot <= maxEnding {
		n.stem, n.ending = base[:dot], base[dot:]
	}
	return n
}

func (n names) at(k int) string {
	var tag string
	switch k {
	case 0:
	case 1:
		tag = "__" + n.digits
	default:
		tag = fmt.Sprintf("__%s-%d", n.digits, k)
	}
	name := cut(n.stem, n.limit-len(tag)-len(n.ending)) + tag + n.ending
	if name == "" { // nothing but dots and blanks, and too many of them
		return n.digits
	}
	if n.windows { // what was cut may have brought CON.xml to light
		return windowsName(name)
	}
	return name
}

// short are the same names for a file system that allows less.
func (n names) short() names {
	n.limit = shortLimit
	return n
}

var counted = regexp.MustCompile(`-[0-9]+$`)

// has reports whether name is one of n.at(0), n.at(1), … or their short forms.
func (n names) has(name string) bool {
	for _, form := range []names{n, n.short()} {
		if name == form.at(0) || name == form.at(1) {
			return true
		}
		middle := strings.TrimSuffix(name, n.ending)
		if tag := counted.FindString(middle); tag != "" {
			var k int
			if _, err := fmt.Sscan(tag[1:], &k); err == nil && k > 1 && name == form.at(k) {
				return true
			}
		}
	}
	return false
}

// cut returns at most limit bytes of s, and no part of a character. On Windows
// a name must not end in a dot or blank, which the cut could bring to light.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.TrimRight(s[:limit], ". ")
}

// windowsName is base, changed only if Windows could not have a file of that
// name. A file read from Windows has such a name already; one on another
// system's share may not.
func windowsName(base string) string {
	base = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, base)
	if trimmed := strings.TrimRight(base, ". "); trimmed != base {
		base = trimmed + "_"
	}
	stem, _, _ := strings.Cut(base, ".")
	if reserved.MatchString(strings.TrimRight(stem, " ")) {
		base = "_" + base
	}
	return base
}

// The names of devices, whatever ending follows them.
var reserved = regexp.MustCompile(`(?i)^(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])$`)
