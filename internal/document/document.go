// Package document reads a would-be BRO source document as a stream and says
// what the daemon has to know about it, or what is wrong with it.
//
// [Read] makes one pass, from the first byte to the last, and never needs the
// bytes again: the caller can send them to a hash and a spool file on the way.
// It promises
//
//   - that a document it accepts is well-formed XML 1.0, namespaces included,
//     to its last byte, has one root, and that root is a request (Dutch: a
//     BRO-verzoek);
//   - a few megabytes of memory at most, whatever the document: no text,
//     comment or CDATA section is ever held whole, unless it is a field of the
//     [Head], and tags, nesting and the head have limits far above what is
//     found in the field;
//   - that what it refuses is refused with a [Fault], which names the kind of
//     fault, the byte and the line, and tells what may still be arriving from
//     what never comes right;
//   - that an error of the reader comes back as such, and never as a Fault.
//
// It keeps no list of object types, versions, kinds of request or body
// elements. Any request in the BRO's own namespaces goes to the portal, which
// knows better than a program that was built last year. It does not validate
// against a schema, opens no schemaLocation, expands no entity of a document's
// own, and changes nothing: what is delivered are the bytes of the file.
//
// The parser is our own because encoding/xml holds every text, comment and
// attribute list in memory whole, checks neither prefixes nor double
// attributes, takes several roots or none, and loses the place in the file as
// soon as the file is not UTF-8. The tests hold the two against each other.
package document

import "io"

// Limits on what is held in memory. Documents found in the field stay below a
// hundredth of each, but for the depth (16) and one head with 280 kB of
// comments, which are not kept.
const (
	maxDepth      = 256     // open elements
	maxTag        = 1 << 20 // bytes of one tag
	maxAttributes = 1000    // in one tag; also the namespace declarations in force at one place
	maxOpenNames  = 1 << 20 // bytes of the names and namespaces of all open elements
	maxHead       = 1 << 20 // bytes of all values kept
)

// Head is what a request says about itself, apart from its content: the root
// element and the fields directly below it. Fields are found by local name,
// since prefix, order and namespace differ from one program to the next (SAD
// and SLD have them in namespaces of their own). Values are trimmed; of a field
// that occurs twice the first counts. A field that is absent is "".
type Head struct {
	// Request is the local name of the root, such as registrationRequest.
	Request string
	// Namespace is the namespace of the root.
	Namespace string
	// Type is the object type in upper case, such as GLD or BHR-GT, as the
	// namespace has it. It is "" for a root in the brocommon namespace, which
	// occurs in the field and does not tell.
	Type string
	// Version is that of the namespace, such as 1.0. It names no patch level.
	Version string
	// RequestReference is whatever the sender wrote; it need not be unique.
	RequestReference string
	// AccountableParty is deliveryAccountableParty: a chamber of commerce
	// number, if the sender did as he should.
	AccountableParty string
	// BROID is the object the request is about; "" when it starts a new one.
	BROID string
	// QualityRegime is IMBRO or IMBRO/A.
	QualityRegime string
	// UnderPrivilege is ja, nee or "".
	UnderPrivilege string
	// CorrectionReason occurs in corrections only.
	CorrectionReason string
}

// Document is a request that was read to its last byte.
type Document struct {
	Head
	// SubDocument is the local name of the first element in sourceDocument,
	// such as GLD_Addition; "" when there is none.
	SubDocument string
	// ObjectID is the first objectIdAccountableParty inside sourceDocument, at
	// whatever depth: the sender's own name for the object.
	ObjectID string
	// DateToBeCorrected is the date that a moveRequest puts right.
	DateToBeCorrected string
	// Encoding is what the bytes are in: UTF-8, UTF-16LE, UTF-16BE,
	// ISO-8859-1, ISO-8859-15, windows-1252 or US-ASCII.
	Encoding string
	// ContentFingerprint is the same for two documents whose sourceDocument
	// holds the same elements, attributes and text, whatever prefixes, white
	// space, comments, encoding or gml:id they use and whatever their heads
	// say. It is a SHA-256 in hex, or "" if sourceDocument holds no element.
	ContentFingerprint string
	// Size is the number of bytes read, which is all there were.
	Size int64
}

// NewObject reports whether the portal will make a new object of the document.
// Delivered twice, such a document becomes two objects for ever.
func (d *Document) NewObject() bool {
	return d.Request == "registrationRequest" && d.BROID == ""
}

// Read reads one document from r, to its end if all is well. Otherwise it
// stops at the first thing that is wrong and returns a [*Fault] (the caller may
// go on reading r itself), or the wrapped error that r gave. It keeps nothing
// between calls and can be repeated on the same bytes with the same outcome.
func Read(r io.Reader) (*Document, error) {
	in := newInput(r)
	doc := new(Document)
	s := newScanner(in, newCollector(doc))
	if err := in.open(); err != nil {
		return nil, err
	}
	if err := s.scan(); err != nil {
		return nil, err
	}
	s.to.finish()
	doc.Encoding = in.enc.name
	doc.Size = in.size
	return doc, nil
}
