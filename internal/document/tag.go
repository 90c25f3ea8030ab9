package document

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tagEnd returns the length of the tag with which rest begins, and makes rest
// hold all of it. A < ends the search, in or out of quotes, since none may
// stand in a tag: so a missing quote does not swallow the rest of the file.
func (s *scanner) tagEnd() (int, error) {
	var quote byte
	for i := 1; ; {
		b := s.in.rest()
		for ; i < len(b); i++ {
			switch c := b[i]; {
			case c == '<':
				return 0, s.malformed(i, "< inside a tag")
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '>':
				return i + 1, nil
			}
			if i == maxTag {
				return 0, s.fault(TagTooLarge, 0, "over 1 MB")
			}
		}
		if err := s.more("a tag"); err != nil {
			return 0, err
		}
	}
}

// endTag reads </name>.
func (s *scanner) endTag() error {
	n, err := s.tagEnd()
	if err != nil {
		return err
	}
	b := s.in.rest()[:n]
	end := 2 + nameLength(b[2:])
	if i := end + spaces(b[end:]); end == 2 || b[i] != '>' {
		return s.malformed(i, "a malformed end tag")
	}
	if len(s.open) == 0 {
		return s.malformed(0, "the end tag %s has no start tag", short(b[2:end]))
	}
	if inner := s.open[len(s.open)-1]; inner.tag != string(b[2:end]) {
		return s.malformed(0, "the end tag %s stands where %s should end", short(b[2:end]), short(inner.tag))
	}
	s.in.advance(n)
	s.pop()
	return nil
}

func (s *scanner) pop() {
	inner := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.scope = s.scope[:inner.outer]
	s.weight -= inner.weight
	s.to.end()
}

// startTag reads <name attributes> or <name attributes/>.
func (s *scanner) startTag() error {
	if s.ended() {
		return s.secondRoot()
	}
	n := nameLength(s.glance(16)[1:])
	switch {
	case n == 0 && string(s.glance(7)) == "<<<<<<<":
		return s.malformed(0, "the marks of a merge conflict, <<<<<<<")
	case n == 0:
		return s.malformed(0, "a < that begins no tag; in text it is written &lt;")
	case !s.rooted && strings.EqualFold(string(s.in.rest()[1:1+n]), "html"):
		return s.fault(WebPage, 0, "")
	case len(s.open) == maxDepth:
		return s.fault(TooDeep, 0, "more than "+strconv.Itoa(maxDepth)+" levels")
	}
	size, err := s.tagEnd()
	if err != nil {
		return err
	}
	tag := s.in.rest()[:size]
	n = nameLength(tag[1:])
	empty, err := s.attributes(tag, 1+n)
	if err != nil {
		return err
	}
	el, err := s.push(s.names.of(tag[1 : 1+n]))
	if err != nil {
		return err
	}
	if err := s.collected(s.to.start(el, s.attrs, s.scope)); err != nil {
		return err
	}
	s.rooted = true
	s.in.advance(size)
	if empty {
		s.pop()
	}
	return nil
}

// secondRoot is the fault of a start tag behind the end of the root.
func (s *scanner) secondRoot() error {
	start := s.glance(64)
	n := nameLength(start[1:])
	if n == 0 {
		return s.malformed(0, "text after the end of the root element")
	}
	return s.fault(SecondRoot, 0, short(start[1:1+n]))
}

// attributes reads the attributes of a whole tag, from tag[i] on, into
// s.attrs, and reports whether it is that of an empty element.
func (s *scanner) attributes(tag []byte, i int) (empty bool, err error) {
	s.attrs = s.attrs[:0]
	s.values = slices.Grow(s.values[:0], len(tag)) // no value grows by being resolved, so they stay put
	for {
		from := i
		i += spaces(tag[i:])
		switch {
		case tag[i] == '>':
			return false, nil
		case tag[i] == '/' && i == len(tag)-2:
			return true, nil
		case i == from:
			return false, s.malformed(i, "white space, / or > expected in a tag")
		case len(s.attrs) == maxAttributes:
			return false, s.fault(TagTooLarge, i, "more than "+strconv.Itoa(maxAttributes)+" attributes")
		}
		if i, err = s.attribute(tag, i); err != nil {
			return false, err
		}
	}
}

// attribute reads the attribute at tag[i] and returns where it ends.
func (s *scanner) attribute(tag []byte, i int) (end int, err error) {
	a := attribute{at: i}
	n := nameLength(tag[i:])
	if n == 0 {
		return 0, s.malformed(i, "the name of an attribute expected")
	}
	a.tag = s.names.of(tag[i : i+n])
	i += n
	i += spaces(tag[i:])
	if tag[i] != '=' {
		return 0, s.malformed(i, "the attribute %s has no value", short(a.tag))
	}
	i++
	i += spaces(tag[i:])
	if tag[i] != '"' && tag[i] != '\'' {
		return 0, s.malformed(i, "the value of attribute %s is not in quotes", short(a.tag))
	}
	n = bytes.IndexByte(tag[i+1:], tag[i])
	if n < 0 {
		return 0, s.malformed(i, "the value of attribute %s does not end", short(a.tag))
	}
	if a.value, err = s.value(tag[i+1:i+1+n], i+1); err != nil {
		return 0, err
	}
	s.attrs = append(s.attrs, a)
	return i + 1 + n + 1, nil
}

// value resolves the references in the value written at rest()[at] and makes
// white space spaces.
func (s *scanner) value(written []byte, at int) ([]byte, error) {
	if !bytes.ContainsAny(written, "&\t\n\r") {
		return written, nil
	}
	from := len(s.values)
	for i := 0; i < len(written); {
		c := written[i]
		switch {
		case c == '&':
			r, n, wrong := parseReference(written[i:])
			if wrong != "" {
				return nil, s.malformed(at+i, "%s", wrong)
			}
			s.values = utf8.AppendRune(s.values, r)
			i += n
			continue
		case isSpace(c):
			c = ' '
		}
		s.values = append(s.values, c)
		i++
	}
	return s.values[from:], nil
}

// push opens the element of the tag in hand: it brings the namespaces that the
// attributes declare into scope, and resolves all names.
func (s *scanner) push(tag string) (name, error) {
	el := element{tag: tag, outer: len(s.scope), weight: len(tag)}
	for _, a := range s.attrs {
		prefix, ok := declaredPrefix(a.tag)
		if !ok {
			continue
		}
		space := s.names.of(a.value)
		if wrong := bindingFault(prefix, space); wrong != "" {
			return name{}, s.malformed(a.at, "%s", wrong)
		}
		s.scope = append(s.scope, binding{prefix, space})
		el.weight += len(a.tag) + len(space)
	}
	s.open = append(s.open, el)
	if s.weight += el.weight; s.weight > maxOpenNames || len(s.scope) > maxAttributes {
		return name{}, s.fault(TagTooLarge, 0, "the names and namespaces of the open elements")
	}
	if err := s.resolveAttributes(); err != nil {
		return name{}, err
	}
	return s.resolve(tag, 1)
}

// resolve makes a name of an element's tag, written at rest()[at].
func (s *scanner) resolve(tag string, at int) (name, error) {
	prefix, local, ok := splitName(tag)
	if !ok {
		return name{}, s.malformed(at, "%s is not a name", short(tag))
	}
	space, ok := s.scope.find(prefix)
	if !ok {
		return name{}, s.malformed(at, "the prefix %s is not declared", short(prefix))
	}
	return name{space, local}, nil
}

// resolveAttributes does so for s.attrs, where no prefix means no namespace,
// and sorts them, which shows those that occur twice.
func (s *scanner) resolveAttributes() error {
	for i := range s.attrs {
		a := &s.attrs[i]
		if prefix, ok := declaredPrefix(a.tag); ok {
			if _, _, ok := splitName(a.tag); !ok {
				return s.malformed(a.at, "%s is not a name", short(a.tag))
			}
			a.name = name{spaceXMLNS, prefix}
			continue
		}
		var err error
		if a.name, err = s.resolve(a.tag, a.at); err != nil {
			return err
		}
		if a.local == a.tag {
			a.space = ""
		}
	}
	if len(s.attrs) < 2 {
		return nil
	}
	slices.SortFunc(s.attrs, func(a, b attribute) int {
		if c := strings.Compare(a.space, b.space); c != 0 {
			return c
		}
		if c := strings.Compare(a.local, b.local); c != 0 {
			return c
		}
		return a.at - b.at
	})
	for i, a := range s.attrs[1:] {
		if a.name == s.attrs[i].name {
			return s.malformed(a.at, "the attribute %s occurs twice", short(a.tag))
		}
	}
	return nil
}

// reference reads the reference in text with which rest begins.
func (s *scanner) reference() error {
	if len(s.open) == 0 {
		return s.pass(s.in.rest()[:1]) // not white space, so a fault
	}
	b := s.glance(maxReference)
	r, n, wrong := parseReference(b)
	if wrong != "" {
		if n == len(b) && n < maxReference && b[n-1] != ';' {
			return s.need(n+1, "a reference") // fails: this is all there is
		}
		return s.malformed(0, "%s", wrong)
	}
	s.in.advance(n)
	var char [utf8.UTFMax]byte
	return s.collected(s.to.text(char[:utf8.EncodeRune(char[:], r)]))
}

// maxReference is the length within which a reference has to end; the longest
// that means anything is &#x10FFFF; but zeros may stand before it.
const maxReference = 64

// parseReference reads the reference with which b begins and returns the
// character it stands for and its length, or what is wrong and how far it looks
// like one. Only the five entities of XML itself are known.
func parseReference(b []byte) (r rune, n int, wrong string) {
	n = 1
	for n < min(len(b), maxReference) && (isLabelChar(b[n]) || b[n] == '#' && n == 1) {
		n++
	}
	if n == min(len(b), maxReference) || b[n] != ';' {
		return 0, n, "an & that begins no reference; in text it is written &amp;"
	}
	body := string(b[1:n])
	n++
	switch body {
	case "lt":
		return '<', n, ""
	case "gt":
		return '>', n, ""
	case "amp":
		return '&', n, ""
	case "quot":
		return '"', n, ""
	case "apos":
		return '\'', n, ""
	}
	digits, numeric := strings.CutPrefix(body, "#")
	if !numeric {
		return 0, n, "the entity &" + short(body) + "; is not known in XML"
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	code, err := strconv.ParseUint(digits, base, 32)
	if err != nil || code > utf8.MaxRune || !isChar(rune(code)) {
		return 0, n, "the reference &" + short(body) + "; is no character of XML"
	}
	return rune(code), n, ""
}

func isLabelChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
