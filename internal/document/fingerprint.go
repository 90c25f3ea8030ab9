package document

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// fingerprint hashes the content of a document as a series of elements,
// attributes and pieces of text, so that two documents that say the same in
// different words have the same sum:
//
//   - names are namespace and local name, and attributes come sorted by them;
//   - white space in text and in values counts as one space, and not at all at
//     their ends; comments and processing instructions do not count, nor
//     whether text stands in CDATA or in references;
//   - what only names or finds things within a file does not count: namespace
//     declarations, gml:id (and the id that the swe elements have instead),
//     xsi:schemaLocation, and where an xlink:href that begins with # points;
//   - an xsi:type counts by what its prefix stands for.
//
// The queue keeps sums for as long as it keeps history, so what is hashed
// must not change: an old delivery would no longer be recognised as the double
// of a new one. A test holds it to a sum that was made once.
type fingerprint struct {
	hash hash.Hash
	out  *bufio.Writer // to hash; it gives no errors

	inText bool // some text was written since the last tag
	space  bool // white space has followed it
}

// Marks between the pieces that are hashed. They can't occur in a document,
// since XML allows no character of that code, so no two series of pieces look
// alike.
const (
	markStart     = 1 // element: its name, its attributes
	markEnd       = 2 // of an element
	markText      = 3 // text, or the value of an attribute
	markAttribute = 4 // its name, its value
	markBetween   = 5 // between namespace and local name
	markName      = 6 // before the namespace in a value that is a name
)

func newFingerprint() *fingerprint {
	h := sha256.New()
	return &fingerprint{hash: h, out: bufio.NewWriterSize(h, 8<<10)}
}

// sum ends the fingerprint.
func (f *fingerprint) sum() string {
	f.out.Flush()
	return hex.EncodeToString(f.hash.Sum(nil))
}

func (f *fingerprint) start(el name, attrs []attribute, in scope) {
	f.mark(markStart)
	f.name(el)
	for _, a := range attrs {
		if !finds(el, a.name) {
			f.attribute(a, in)
		}
	}
}

func (f *fingerprint) end() { f.mark(markEnd) }

// mark writes the mark of something that ends the text before it.
func (f *fingerprint) mark(m byte) {
	f.out.WriteByte(m)
	f.inText, f.space = false, false
}

func (f *fingerprint) name(n name) {
	f.out.WriteString(n.space)
	f.out.WriteByte(markBetween)
	f.out.WriteString(n.local)
}

// finds reports whether an attribute only serves to name or find something.
func finds(el, a name) bool {
	switch a.space {
	case spaceXMLNS:
		return true
	case spaceXSI:
		return a.local == "schemaLocation" || a.local == "noNamespaceSchemaLocation"
	case "http://www.opengis.net/gml/3.2", "http://www.opengis.net/gml":
		return a.local == "id"
	case "":
		return a.local == "id" && el.space == "http://www.opengis.net/swe/2.0"
	}
	return false
}

func (f *fingerprint) attribute(a attribute, in scope) {
	f.mark(markAttribute)
	f.name(a.name)
	value := bytes.Trim(a.value, " \t\r\n")
	switch a.name {
	case name{spaceXLink, "href"}:
		if bytes.HasPrefix(value, []byte("#")) {
			value = value[:1]
		}
	case name{spaceXSI, "type"}:
		prefix, local, ok := splitName(string(value))
		if space, known := in.find(prefix); ok && known {
			f.out.WriteByte(markName)
			f.out.WriteString(space)
			value = []byte(local)
		}
	}
	f.text(value)
	f.inText, f.space = false, false
}

// text takes in a piece of text. Pieces with no tag between them are one text,
// wherever it was cut.
func (f *fingerprint) text(piece []byte) {
	for len(piece) > 0 {
		if n := spaces(piece); n > 0 {
			f.space = true
			piece = piece[n:]
			continue
		}
		switch {
		case !f.inText:
			f.out.WriteByte(markText)
		case f.space:
			f.out.WriteByte(' ')
		}
		f.inText, f.space = true, false
		n := wordsLength(piece)
		f.out.Write(piece[:n])
		piece = piece[n:]
	}
}

// wordsLength returns how much of text, which begins with a word, is words with
// one space between them.
func wordsLength(text []byte) int {
	n := 0
	for n < len(text) {
		if isSpace(text[n]) && (text[n] != ' ' || n+1 == len(text) || isSpace(text[n+1])) {
			break
		}
		n++
	}
	return n
}
