package document

import (
	"bytes"
	"strings"
)

// spaceBRO begins all namespaces of the BRO. Behind it stands what a schema is
// for and its version: isgmw/1.1 for delivering (Dutch: inname), dsgmw/1.1 for
// downloads (Dutch: uitgifte), gmwcommon/1.1 and brocommon/3.0 for what they share.
const spaceBRO = "http://www.broservices.nl/xsd/"

// collector takes in what the scanner finds, keeps the few values that a
// Document consists of, and passes the content of sourceDocument on to the
// fingerprint. Depths count from 1, the root.
type collector struct {
	doc   *Document
	depth int

	inSource bool // inside a sourceDocument directly below the root
	content  *fingerprint

	seen      map[*string]bool // fields of which the first occurrence was met
	keeping   *string          // the field whose text is being kept, or nil
	keepDepth int              // of its element
	kept      []byte           // the text so far
	total     int              // bytes kept in all
}

func newCollector(doc *Document) *collector {
	return &collector{doc: doc, content: newFingerprint(), seen: make(map[*string]bool)}
}

// start takes in a start tag. The fault, if any, lacks its place.
func (c *collector) start(el name, attrs []attribute, in scope) *Fault {
	c.depth++
	switch {
	case c.depth == 1:
		return c.root(el)
	case c.depth == 2 && el.local == "sourceDocument":
		c.inSource = true
	case c.depth == 2:
		c.keep(c.field(el.local))
	case c.inSource:
		if c.doc.SubDocument == "" {
			c.doc.SubDocument = el.local
		}
		if el.local == "objectIdAccountableParty" {
			c.keep(&c.doc.ObjectID)
		}
		c.content.start(el, attrs, in)
	}
	return nil
}

// field returns where the value of an element directly below the root goes,
// or nil if it is not kept.
func (c *collector) field(local string) *string {
	switch d := c.doc; local {
	case "requestReference":
		return &d.RequestReference
	case "deliveryAccountableParty":
		return &d.AccountableParty
	case "broId":
		return &d.BROID
	case "qualityRegime":
		return &d.QualityRegime
	case "underPrivilege":
		return &d.UnderPrivilege
	case "correctionReason":
		return &d.CorrectionReason
	case "dateToBeCorrected":
		return &d.DateToBeCorrected
	}
	return nil
}

// keep begins to keep the text of the element that has just begun, those of
// elements within it included, unless the field was met before.
func (c *collector) keep(field *string) {
	if field == nil || c.keeping != nil || c.seen[field] {
		return
	}
	c.seen[field] = true
	c.keeping, c.keepDepth, c.kept = field, c.depth, c.kept[:0]
}

// text takes in a piece of text inside the root.
func (c *collector) text(piece []byte) *Fault {
	if c.inSource {
		c.content.text(piece)
	}
	if c.keeping == nil {
		return nil
	}
	if c.total += len(piece); c.total > maxHead {
		return &Fault{Kind: HeadTooLarge}
	}
	c.kept = append(c.kept, piece...)
	return nil
}

// end takes in the end of the innermost element.
func (c *collector) end() {
	if c.keeping != nil && c.depth == c.keepDepth {
		*c.keeping = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(bytes.Trim(c.kept, " \t\r\n")))
		c.keeping = nil
	}
	switch {
	case c.depth == 2:
		c.inSource = false
	case c.inSource:
		c.content.end()
	}
	c.depth--
}

// finish is called when the document has been read.
func (c *collector) finish() {
	if c.doc.SubDocument != "" {
		c.doc.ContentFingerprint = c.content.sum()
	}
}

// root takes in the root, and refuses what is not a request that delivers.
func (c *collector) root(el name) *Fault {
	schema, bro := strings.CutPrefix(el.space, spaceBRO)
	delivers := strings.HasPrefix(schema, "is") || strings.HasPrefix(schema, "brocommon/")
	if bro && delivers && strings.HasSuffix(el.local, "Request") {
		c.doc.Request, c.doc.Namespace = el.local, el.space
		c.doc.Type, c.doc.Version = objectType(schema)
		return nil
	}
	return &Fault{Kind: rootKind(el, schema, bro), Detail: rootDetail(el.space, el.local)}
}

// rootKind says what a document is that is no delivery. The names are those of
// the BRO's own schemas and of SOAP 1.1 and 1.2.
func rootKind(el name, schema string, bro bool) FaultKind {
	switch {
	case el.local == "intakeResponse" || el.local == "parseFault":
		return IntakeAnswer
	case strings.HasPrefix(el.local, "dispatch") && !strings.HasSuffix(el.local, "Request"):
		return Answer
	case el.local == "Envelope" && strings.Contains(el.space, "soap"):
		return SOAP
	case !bro:
		return NotBRO
	case strings.HasSuffix(el.local, "Request"):
		return UnknownRequest
	case strings.HasSuffix(el.local, "Response") || strings.HasPrefix(schema, "ds"):
		return Answer
	}
	return BareBody
}

// objectType returns the type and version that a namespace tells, such as
// GMW and 1.1 for isgmw/1.1. Three spellings are brought to the name that
// people use: boreholes of soil science (BHR-P) and of geology (BHR-G) have had
// namespaces without the hyphen or the letter, and two types have a variant for
// use within the BRO.
func objectType(schema string) (typ, version string) {
	typ, version, _ = strings.Cut(schema, "/")
	typ, delivers := strings.CutPrefix(typ, "is")
	if !delivers {
		return "", ""
	}
	typ = strings.ToUpper(strings.TrimSuffix(typ, "-internal"))
	switch typ {
	case "BHR":
		typ = "BHR-P"
	case "BHRG":
		typ = "BHR-G"
	}
	return typ, strings.TrimSuffix(version, "/")
}
