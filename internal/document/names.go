package document

import (
	"strings"
	"unicode/utf8"
)

// name is an element's or attribute's name, its prefix resolved.
type name struct{ space, local string }

// attribute is one attribute of a start tag. Its value is valid until the
// scanner reads on.
type attribute struct {
	name
	tag   string // the name as written
	value []byte // with references resolved and white space as spaces
	at    int    // where in the tag it stands
}

// Namespaces that the rules of XML name, or that say how to read a value.
const (
	spaceXML   = "http://www.w3.org/XML/1998/namespace"
	spaceXMLNS = "http://www.w3.org/2000/xmlns/"
	spaceXSI   = "http://www.w3.org/2001/XMLSchema-instance"
	spaceXLink = "http://www.w3.org/1999/xlink"
)

// binding is a prefix and what it stands for; the prefix "" is the default.
type binding struct{ prefix, space string }

// scope holds the namespace declarations in force, inner ones behind outer ones.
type scope []binding

// find returns the namespace of a prefix. The default namespace is "" where
// nothing is declared.
func (s scope) find(prefix string) (space string, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].prefix == prefix {
			return s[i].space, true
		}
	}
	if prefix == "xml" {
		return spaceXML, true
	}
	return "", prefix == ""
}

// declaredPrefix returns the prefix that an attribute declares, if it is a
// namespace declaration.
func declaredPrefix(tag string) (prefix string, ok bool) {
	if tag == "xmlns" {
		return "", true
	}
	return strings.CutPrefix(tag, "xmlns:")
}

// bindingFault returns what is wrong with declaring prefix as space, or "".
func bindingFault(prefix, space string) string {
	switch {
	case prefix == "xmlns", space == spaceXMLNS:
		return "xmlns cannot be declared"
	case (prefix == "xml") != (space == spaceXML):
		return "the prefix xml and its namespace belong together"
	case prefix != "" && space == "":
		return "the prefix " + short(prefix) + " is declared as nothing"
	}
	return ""
}

// splitName takes a written name apart. It is not ok if it has more than one
// colon, or nothing that can be a name on either side of it.
func splitName(tag string) (prefix, local string, ok bool) {
	prefix, local, found := strings.Cut(tag, ":")
	if !found {
		return "", tag, true
	}
	first, _ := utf8.DecodeRuneInString(local)
	ok = prefix != "" && local != "" && isNameStart(first) && !strings.Contains(local, ":")
	return prefix, local, ok
}

// interner gives out one string for each name, so that a name that occurs a
// million times is stored once. It is bounded: past that, names cost what they cost.
type interner map[string]string

func (in interner) of(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(in) < 1000 && len(b) < 256 {
		in[s] = s
	}
	return s
}

// nameLength returns the length of the name with which b begins; 0 if none.
// A colon counts as part of it.
func nameLength(b []byte) int {
	i := 0
	for i < len(b) {
		if c := b[i]; c < utf8.RuneSelf {
			if !asciiName[c] || i == 0 && !isNameStart(rune(c)) && c != ':' {
				break
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if !isNameStart(r) && (i == 0 || !isNameExtra(r)) {
			break
		}
		i += n
	}
	return i
}

// asciiName marks the ASCII characters of names.
var asciiName = func() (t [utf8.RuneSelf]bool) {
	for c := range rune(utf8.RuneSelf) {
		t[c] = isNameStart(c) || isNameExtra(c) || c == ':'
	}
	return t
}()

// isNameStart and isNameExtra follow NameStartChar and NameChar of XML 1.0,
// fifth edition, without the colon.
func isNameStart(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' ||
		r >= 0xC0 && r <= 0x2FF && r != 0xD7 && r != 0xF7 ||
		r >= 0x370 && r <= 0x1FFF && r != 0x37E || r == 0x200C || r == 0x200D ||
		r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF ||
		r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

func isNameExtra(r rune) bool {
	return r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xB7 ||
		r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// spaces returns how many bytes of white space b begins with.
func spaces(b []byte) int {
	n := 0
	for n < len(b) && isSpace(b[n]) {
		n++
	}
	return n
}
