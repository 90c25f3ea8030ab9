package document

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// element is an open element.
type element struct {
	tag    string // the name as written, which the end tag must repeat
	outer  int    // length of the scope around it
	weight int    // bytes it counts for in scanner.weight
}

// scanner goes through the text of a document, checks that it is well-formed
// and hands what it finds to a collector. It holds one tag at a time, and of
// all else only what stands in the window.
type scanner struct {
	in *input
	to *collector

	begun  bool // something of XML was seen
	rooted bool // the root has begun
	open   []element
	scope  scope
	weight int // bytes of names and namespaces of the open elements

	names  interner
	attrs  []attribute // of the tag in hand
	values []byte      // those of its values that differ from what is written
}

func newScanner(in *input, to *collector) *scanner {
	return &scanner{in: in, to: to, names: make(interner)}
}

// scan reads to the end of the file.
func (s *scanner) scan() error {
	s.begun = s.in.pos > 0
	for {
		err := s.text()
		if err == nil {
			err = s.markup()
		}
		if err == io.EOF {
			return s.finish()
		}
		if err != nil {
			return err
		}
	}
}

// finish is called at the end of the file, between tags.
func (s *scanner) finish() error {
	rest := len(s.in.rest())
	switch {
	case s.ended():
		return nil
	case !s.begun:
		f := &Fault{Kind: Empty}
		if s.in.size > 0 {
			f.Detail = "nothing but white space"
		}
		return s.in.place(f, rest)
	case !s.rooted:
		return s.fault(Incomplete, rest, "no root element yet")
	}
	return s.fault(Incomplete, rest, "it ends inside "+short(s.open[len(s.open)-1].tag))
}

// ended reports whether the root has been closed.
func (s *scanner) ended() bool { return s.rooted && len(s.open) == 0 }

// fault makes the fault of kind at rest()[i].
func (s *scanner) fault(kind FaultKind, i int, detail string) error {
	return s.in.place(&Fault{Kind: kind, Detail: detail}, i)
}

func (s *scanner) malformed(i int, format string, args ...any) error {
	return s.fault(NotWellFormed, i, fmt.Sprintf(format, args...))
}

// more is like input.more where the file cannot end.
func (s *scanner) more(inside string) error {
	err := s.in.more()
	if err == io.EOF {
		return s.fault(Incomplete, len(s.in.rest()), "it ends inside "+inside)
	}
	return err
}

// need makes rest at least n bytes long.
func (s *scanner) need(n int, inside string) error {
	for len(s.in.rest()) < n {
		if err := s.more(inside); err != nil {
			return err
		}
	}
	return nil
}

// glance makes rest n bytes long if there is that much, to look at.
func (s *scanner) glance(n int) []byte {
	for len(s.in.rest()) < n && s.in.more() == nil {
	}
	return s.in.rest()[:min(n, len(s.in.rest()))]
}

// text passes on the text up to the next tag. It returns io.EOF at the end of
// the file.
func (s *scanner) text() error {
	for {
		b := s.in.rest()
		n := 0
		for n < len(b) && b[n] != '<' && b[n] != '&' {
			n++
		}
		keep := 0
		if n == len(b) { // "]]>" may go on behind the window
			for keep < min(2, n) && b[n-1-keep] == ']' {
				keep++
			}
		}
		if i := bytes.Index(b[:n], []byte("]]>")); i >= 0 {
			b, n, keep = b[:i+1], i, 0 // what comes before it is looked at first
		}
		if err := s.pass(b[:n-keep]); err != nil {
			return err
		}
		s.in.advance(n - keep)
		if n == len(b) {
			if err := s.in.more(); err != nil {
				return s.textEnd(err, keep)
			}
			continue
		}
		switch b[n] {
		case '<':
			return nil
		case '&':
			if err := s.reference(); err != nil {
				return err
			}
		default:
			return s.malformed(0, "]]> in text")
		}
	}
}

// textEnd deals with the end of all text that can be read; keep bytes of it
// were held back.
func (s *scanner) textEnd(end error, keep int) error {
	if err := s.pass(s.in.rest()[:keep]); err != nil {
		return err
	}
	s.in.advance(keep)
	if f, ok := end.(*Fault); ok && !s.begun && f.Kind != NULs && f.Kind != Incomplete {
		f.Kind = NotXML // it did not even begin as text
	}
	return end
}

// pass hands on a piece of text.
func (s *scanner) pass(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if len(s.open) > 0 {
		return s.collected(s.to.text(text))
	}
	i := spaces(text)
	switch {
	case i == len(text):
		return nil
	case s.ended():
		return s.malformed(i, "text after the end of the root element")
	case s.begun:
		return s.malformed(i, "text before the root element")
	}
	s.in.advance(i)
	return s.notXML()
}

// collected places the fault that the collector found with what it was given.
func (s *scanner) collected(f *Fault) error {
	if f == nil {
		return nil
	}
	return s.in.place(f, 0)
}

// notXML is the fault of a file that begins with something else than a tag.
func (s *scanner) notXML() error {
	start := s.glance(64)
	letters := 0
	for letters+1 < len(start) && start[letters+1] >= 'A' && start[letters+1] <= 'Z' {
		letters++
	}
	switch {
	case bytes.HasPrefix(start, []byte("\uFEFF")):
		return s.fault(WrongEncoding, 0, "a second byte order mark")
	case start[0] == '{', start[0] == '[':
		return s.fault(JSON, 0, "")
	case start[0] == '#' && letters >= 4: // #GEFID = 1, 1, 0
		return s.fault(GEF, 0, "")
	}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	return s.fault(NotXML, 0, fmt.Sprintf("it begins with %q", bytes.TrimSpace(line)))
}

// markup reads what begins with the < that rest begins with.
func (s *scanner) markup() error {
	s.begun = true
	if err := s.need(2, "a tag"); err != nil {
		return err
	}
	switch s.in.rest()[1] {
	case '/':
		return s.endTag()
	case '?':
		return s.instruction()
	case '!':
		return s.exclamation()
	}
	return s.startTag()
}

// exclamation reads a comment or CDATA section, and refuses the rest.
func (s *scanner) exclamation() error {
	const comment, cdata, doctype = "<!--", "<![CDATA[", "<!DOCTYPE"
	start := s.glance(64)
	has := func(prefix string) bool {
		return len(start) >= len(prefix) && strings.EqualFold(string(start[:len(prefix)]), prefix)
	}
	switch {
	case bytes.HasPrefix(start, []byte(comment)):
		s.in.advance(len(comment))
		return s.comment()
	case bytes.HasPrefix(start, []byte(cdata)):
		if len(s.open) == 0 {
			return s.malformed(0, "a CDATA section outside the root element")
		}
		s.in.advance(len(cdata))
		return s.until("]]>", "a CDATA section", s.pass)
	case has(doctype):
		after := start[len(doctype):]
		after = after[spaces(after):]
		if n := nameLength(after); !s.rooted && strings.EqualFold(string(after[:n]), "html") {
			return s.fault(WebPage, 0, "")
		}
		return s.fault(DoctypeRefused, 0, "")
	}
	for _, whole := range []string{comment, cdata, doctype} {
		if strings.HasPrefix(whole, string(start)) {
			return s.need(len(whole), "a tag") // fails: this is all there is
		}
	}
	return s.malformed(0, "<! that begins neither a comment nor a CDATA section")
}

// comment reads a comment, of which the beginning is done with.
func (s *scanner) comment() error {
	if err := s.until("--", "a comment", s.ignore); err != nil {
		return err
	}
	if err := s.need(1, "a comment"); err != nil {
		return err
	}
	if s.in.rest()[0] != '>' {
		return s.malformed(0, "-- inside a comment")
	}
	s.in.advance(1)
	return nil
}

func (s *scanner) ignore([]byte) error { return nil }

// until gives take all up to the end mark, in pieces, and is done with both.
func (s *scanner) until(end, inside string, take func([]byte) error) error {
	for {
		b := s.in.rest()
		n := bytes.Index(b, []byte(end))
		found := n >= 0
		if !found { // the mark may have begun
			n = max(0, len(b)-len(end)+1)
		}
		if err := take(b[:n]); err != nil {
			return err
		}
		s.in.advance(n)
		if found {
			s.in.advance(len(end))
			return nil
		}
		if err := s.more(inside); err != nil {
			return err
		}
	}
}

// instruction reads a processing instruction.
func (s *scanner) instruction() error {
	const inside = "a processing instruction"
	const most = 200 // bytes up to the end of its name
	b := s.glance(most)
	n := 2 + nameLength(b[2:])
	switch {
	case n == most:
		return s.malformed(0, "a processing instruction with an endless name")
	case n == len(b):
		return s.need(n+1, inside) // fails: this is all there is
	case n == 2:
		return s.malformed(2, "a processing instruction without a name")
	case bytes.IndexByte(b[2:n], ':') >= 0:
		return s.malformed(2, "a colon in the name of a processing instruction")
	case !strings.EqualFold(string(b[2:n]), "xml"):
	case s.ended():
		return s.fault(SeveralDocuments, 0, "")
	default:
		return s.malformed(0, "an XML declaration that is not at the very beginning")
	}
	s.in.advance(n)
	if err := s.need(2, inside); err != nil {
		return err
	}
	if b := s.in.rest(); !isSpace(b[0]) && string(b[:2]) != "?>" {
		return s.malformed(0, "a processing instruction with a bad name")
	}
	return s.until("?>", inside, s.ignore)
}
