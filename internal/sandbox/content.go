package sandbox

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// content is what the portal gathers from the XML of one source document: the fields of the head, and the few elements of
// the body on which its judgement rests. It is not a check against a schema.
type content struct {
	request          string // local name of the root, e.g. registrationRequest
	typ              *objectType
	reference        string
	party            string
	broID            string
	regime           string
	correctionReason string
	subDocument      string // e.g. GLD_Addition
	objectID         string
	eventDate        string

	// fault is the parser's complaint about what is no XML, or about a root that nobody knows; empty when there is none.
	fault        string
	line, column int
}

// An objectType is one row of the table of registration objects.
type objectType struct {
	name     string // "BHR-GT"
	letters  string // of its BRO-IDs: "BHR"
	requests string // the roots its schema declares, between blanks
}

const (
	fiveRequests  = " registrationRequest insertRequest replaceRequest moveRequest deleteRequest "
	threeRequests = " registrationRequest replaceRequest deleteRequest "
	twoRequests   = " registrationRequest correctionRequest "
	oneRequest    = " registrationRequest "
)

// objectTypes is keyed by the part of the namespace between "…/xsd/" and the version. Versions are not checked: new ones
// come.
var objectTypes = map[string]*objectType{
	"isgmw":    {"GMW", "GMW", fiveRequests},
	"isgld":    {"GLD", "GLD", threeRequests},
	"isgmn":    {"GMN", "GMN", fiveRequests},
	"isgar":    {"GAR", "GAR", twoRequests},
	"isfrd":    {"FRD", "FRD", fiveRequests},
	"iscpt":    {"CPT", "CPT", twoRequests},
	"isbhr-gt": {"BHR-GT", "BHR", twoRequests},
	"isbhr":    {"BHR-P", "BHR", twoRequests},
	"isbhrg":   {"BHR-G", "BHR", twoRequests},
	"isbhr-g":  {"BHR-G", "BHR", twoRequests},
	"issfr":    {"SFR", "SFR", twoRequests},
	"isguf":    {"GUF", "GUF", fiveRequests},
	"isgpd":    {"GPD", "GPD", threeRequests},
	"isepl":    {"EPL", "EPL", fiveRequests},
	"isepc":    {"EPC", "EPC", fiveRequests},
	"issad":    {"SAD", "SAD", twoRequests},
	"issld":    {"SLD", "SLD", oneRequest},
}

// The bounds of what is read of a document.
const (
	maxDepth = 256
	maxValue = 2000 // bytes of one field
)

// readContent reads to the end of a well-formed document and stops at the first fault of any other. It needs no more memory
// than the largest piece of text between two tags.
func readContent(r io.Reader) content {
	var c content
	buffered := bufio.NewReader(r)
	decoded := false
	if mark, _ := buffered.Peek(2); len(mark) == 2 && (mark[0] == 0xFE && mark[1] == 0xFF || mark[0] == 0xFF && mark[1] == 0xFE) {
		r = transform.NewReader(buffered, unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder())
		decoded = true
	} else {
		r = buffered
	}
	d := xml.NewDecoder(r)
	d.CharsetReader = func(label string, input io.Reader) (io.Reader, error) { return charset(label, input, decoded) }
	if c.fault = c.read(d); c.fault != "" {
		c.line, c.column = d.InputPos()
	}
	return c
}

func charset(label string, input io.Reader, decoded bool) (io.Reader, error) {
	var known encoding.Encoding
	switch strings.ToLower(label) {
	case "utf-16", "utf-16le", "utf-16be":
		if decoded {
			return input, nil
		}
		return nil, errors.New("the encoding is UTF-16 by name but not by its bytes")
	case "iso-8859-1", "latin1", "us-ascii":
		known = charmap.ISO8859_1
	case "iso-8859-15":
		known = charmap.ISO8859_15
	case "windows-1252":
		known = charmap.Windows1252
	default:
		return nil, fmt.Errorf("the encoding %q is not supported", label)
	}
	return known.NewDecoder().Reader(input), nil
}

// place is where read stands in a document.
type place struct {
	depth, roots int
	section      string  // the child of the root we are in
	field        *string // the field whose text is being gathered
	fieldDepth   int     // the depth of its element
}

// read walks through the tokens and returns the parser's complaint, or "".
func (c *content) read(d *xml.Decoder) string {
	var at place
	for {
		t, err := d.Token()
		if err == io.EOF && at.depth == 0 {
			if at.roots == 0 {
				return "Premature end of file."
			}
			return ""
		}
		if err != nil {
			return err.Error()
		}
		switch t := t.(type) {
		case xml.Directive:
			return "DOCTYPE is disallowed."
		case xml.StartElement:
			if fault := c.start(&at, t.Name); fault != "" {
				return fault
			}
		case xml.EndElement:
			if at.field != nil && at.depth == at.fieldDepth {
				*at.field = strings.TrimSpace(*at.field)
				at.field = nil
			}
			at.depth--
		case xml.CharData:
			switch {
			case at.field != nil:
				*at.field += string(t[:min(len(t), max(0, maxValue-len(*at.field)))])
			case at.depth == 0 && len(bytes.Trim(t, "\ufeff \t\r\n")) > 0:
				return "Content is not allowed in prolog."
			}
		}
	}
}

// start enters an element.
func (c *content) start(at *place, name xml.Name) string {
	at.depth++
	switch {
	case at.depth > maxDepth:
		return "The elements are nested too deeply."
	case at.depth == 1:
		if at.roots++; at.roots > 1 {
			return "The markup in the document following the root element must be well-formed."
		}
		return c.root(name)
	case at.depth == 2:
		at.section = name.Local
		at.gather(c.headField(name.Local))
	case at.section != "sourceDocument":
	case at.depth == 3 && c.subDocument == "":
		c.subDocument = name.Local
	case at.field == nil:
		if field := c.bodyField(name.Local); field != nil && *field == "" {
			at.gather(field)
		}
	}
	return ""
}

// gather makes a field of the element just entered take its text; nil is for none.
func (at *place) gather(field *string) {
	if field != nil {
		*field = ""
	}
	at.field, at.fieldDepth = field, at.depth
}

// root recognises the kind of request from the name of the root.
func (c *content) root(name xml.Name) string {
	c.request = name.Local
	rest, ok := strings.CutPrefix(name.Space, "http://www.broservices.nl/xsd/")
	if ok {
		kind, _, _ := strings.Cut(rest, "/")
		if typ := objectTypes[kind]; typ != nil && strings.Contains(typ.requests, " "+name.Local+" ") {
			c.typ = typ
			return ""
		}
	}
	return fmt.Sprintf("cvc-elt.1.a: Cannot find the declaration of element '%s'.", name.Local)
}

// headField is where the text of a child of the root goes. Only local names count: the namespace of the head differs by type.
func (c *content) headField(name string) *string {
	switch name {
	case "requestReference":
		return &c.reference
	case "deliveryAccountableParty":
		return &c.party
	case "broId":
		return &c.broID
	case "qualityRegime":
		return &c.regime
	case "correctionReason":
		return &c.correctionReason
	}
	return nil
}

// bodyField is the same for the elements inside the source document, at any depth; the first of each name counts.
func (c *content) bodyField(name string) *string {
	switch name {
	case "objectIdAccountableParty":
		return &c.objectID
	case "eventDate", "wellConstructionDate":
		return &c.eventDate
	}
	return nil
}

// marked says whether the document asks for a fate, see the package comment.
func (c *content) marked(mark string) bool {
	return strings.Contains(c.objectID, mark) || strings.Contains(c.reference, mark)
}

// wellFormed is false for what the portal cannot even recognise.
func (c *content) wellFormed() bool { return c.fault == "" }

// parserText is a fault in the form in which the register passes on what its parser said.
func (c *content) parserText() string {
	return fmt.Sprintf("regel: %d, kolom: %d, offset: -1, boodschap: '%s'", c.line, c.column, c.fault)
}
