package document

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FaultKind says what is wrong with a file. The values are stable: they are
// stored, and texts for users in their own language hang on them.
type FaultKind string

// The kinds of fault. "More may come" marks those for which [Fault.Final] is
// false.
const (
	// Empty: no bytes, or nothing but white space. More may come.
	Empty FaultKind = "empty"
	// Incomplete: the file ends before the root element does. More may come.
	Incomplete FaultKind = "incomplete"
	// NULs: a zero byte, as in a file whose length was set before its content
	// was written, or that a crash left half-written. More may come.
	NULs FaultKind = "nuls"
	// NotWellFormed: a breach of the rules of XML or of its namespaces. More
	// may come, since a file can also be filled in other than front to back.
	NotWellFormed FaultKind = "notWellFormed"

	// DoctypeRefused: a DOCTYPE, which a BRO document never needs and which
	// can reach out to other files.
	DoctypeRefused FaultKind = "doctypeRefused"
	// SecondRoot: another element after the end of the root.
	SecondRoot FaultKind = "secondRoot"
	// SeveralDocuments: another XML declaration after the end of the root, so
	// several documents one behind the other.
	SeveralDocuments FaultKind = "severalDocuments"
	// TooDeep: elements nested beyond the limit of 256.
	TooDeep FaultKind = "tooDeep"
	// TagTooLarge: a tag above 1 MB or 1000 attributes, or that much in the
	// names and namespaces of the elements around it.
	TagTooLarge FaultKind = "tagTooLarge"
	// HeadTooLarge: more than 1 MB in the fields of the head.
	HeadTooLarge FaultKind = "headTooLarge"
	// UnsupportedEncoding: an encoding that we, and most probably the portal,
	// cannot read. Detail is its name.
	UnsupportedEncoding FaultKind = "unsupportedEncoding"
	// WrongEncoding: the bytes do not fit the encoding that the declaration
	// names, or the mark shows, or (UTF-8) that holds when nothing is said.
	WrongEncoding FaultKind = "wrongEncoding"
	// XMLVersion: an XML version other than 1.0. Detail is the version.
	XMLVersion FaultKind = "xmlVersion"

	// Answer: data downloaded from the BRO (dispatchDataResponse and the
	// like). Detail is the root and its namespace, as for all kinds below that
	// have a root.
	Answer FaultKind = "answer"
	// IntakeAnswer: the BRO's answer to an earlier delivery (intakeResponse,
	// parseFault).
	IntakeAnswer FaultKind = "intakeAnswer"
	// SOAP: a message of the older web services.
	SOAP FaultKind = "soap"
	// BareBody: a source document without the request around it, such as the
	// CPT that the GEF converter writes.
	BareBody FaultKind = "bareBody"
	// UnknownRequest: a request in a BRO namespace that does not deliver, such
	// as a request for data.
	UnknownRequest FaultKind = "unknownRequest"
	// NotBRO: XML of another kind, or without a namespace.
	NotBRO FaultKind = "notBRO"

	// GEF: a sounding or borehole in the older exchange format.
	GEF FaultKind = "gef"
	// ZIP: a compressed file. Detail is its format, since besides ZIP there
	// are gzip, 7z and RAR.
	ZIP FaultKind = "zip"
	// WebPage: HTML, as a proxy or sign-on page that was saved by mistake.
	WebPage FaultKind = "webPage"
	// JSON: JSON instead of XML.
	JSON FaultKind = "json"
	// PDF: a PDF under another name.
	PDF FaultKind = "pdf"
	// NotXML: anything else that does not begin as XML does. Detail is its
	// beginning, quoted.
	NotXML FaultKind = "notXML"
)

// kindTexts are the beginnings of the sentences that [Fault.Error] makes.
var kindTexts = map[FaultKind]string{
	Empty:               "the file is empty",
	Incomplete:          "the file is cut off",
	NULs:                "the file holds zero bytes, as one that was not written to its end",
	NotWellFormed:       "not well-formed XML",
	DoctypeRefused:      "a DOCTYPE is not accepted",
	SecondRoot:          "a second root element",
	SeveralDocuments:    "several documents in one file",
	TooDeep:             "elements are nested too deep",
	TagTooLarge:         "a tag is too large",
	HeadTooLarge:        "the head of the request is too large",
	UnsupportedEncoding: "the encoding is not supported",
	WrongEncoding:       "the bytes do not fit the encoding",
	XMLVersion:          "the XML version is not supported",
	Answer:              "not a request but data downloaded from the BRO",
	IntakeAnswer:        "not a request but the BRO's answer to one",
	SOAP:                "not a request but a SOAP message",
	BareBody:            "a source document without the request around it",
	UnknownRequest:      "a BRO request that delivers nothing",
	NotBRO:              "XML, but not a BRO document",
	GEF:                 "not XML but a GEF file",
	ZIP:                 "not XML but a compressed file",
	WebPage:             "not a BRO document but a web page",
	JSON:                "not XML but JSON",
	PDF:                 "not XML but a PDF file",
	NotXML:              "not XML",
}

// Fault is what is wrong with a file.
type Fault struct {
	Kind FaultKind
	// Offset is where, in bytes from the start of the file as it is stored.
	Offset int64
	// Line is the same place as a line, from 1. LF, CR and CR LF each end one.
	Line int
	// Detail is the particular: a root, an encoding, or in English the rule of
	// XML that was broken. It may be "" and is short, but it can hold text
	// from the file.
	Detail string
}

// Error returns the fault as one English sentence with its place.
func (f *Fault) Error() string {
	text := kindTexts[f.Kind]
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return fmt.Sprintf("%s, at byte %d (line %d)", text, f.Offset, f.Line)
}

// Final reports whether the file stays wrong whatever is written to it still.
// Otherwise it may be one that has not arrived whole.
func (f *Fault) Final() bool {
	switch f.Kind {
	case Empty, Incomplete, NULs, NotWellFormed:
		return false
	}
	return true
}

// short makes a text from a file fit for a Detail: one short line.
func short[T string | []byte](text T) string {
	const most = 100
	s := string(text[:min(len(text), most)])
	if len(text) > most {
		for s != "" && !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// rootDetail names a root as the Detail of a fault.
func rootDetail(space, local string) string {
	if space == "" {
		return short(local)
	}
	return short(local) + " (" + short(space) + ")"
}
