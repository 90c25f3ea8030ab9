package sandbox

import (
	"fmt"
	"mime"
	"net/http"
	"time"
)

// validate answers POST …/validatie. A validation changes nothing, except that it may adopt an unknown object.
func (s *Server) validate(x *exchange) answer {
	if refusal, refused := x.wantType("application/xml", "text/xml"); refused {
		return refusal
	}
	c, refusal, ok := x.readDocument()
	if !ok {
		return refusal
	}
	if x.sw.ValidationDelay > 0 && !x.sleep(x.sw.ValidationDelay) {
		return x.fail(http.StatusServiceUnavailable, "the client gave up")
	}
	if !c.wellFormed() && x.sw.MalformedStatus != http.StatusOK {
		return x.fail(x.sw.MalformedStatus, c.parserText())
	}
	return s.locked(x, func(p *state, _ time.Time) answer {
		return x.verdict(p.judge(x.sw, &c, claim{x.token.supplier, s.projects[x.route.project], true}))
	})
}

// verdict is the body of a validation.
func (x *exchange) verdict(faults []string) answer {
	if len(faults) > 0 {
		return jsonAnswer(x.sw.InvalidStatus, validation{Status: documentInvalid, Errors: faults})
	}
	switch x.sw.ValidErrors {
	case ErrorsEmpty:
		return jsonAnswer(http.StatusOK, validation{Status: documentValid, Errors: []string{}})
	case ErrorsNull:
		return jsonAnswer(http.StatusOK, validation{Status: documentValid, Errors: []string(nil)})
	}
	return jsonAnswer(http.StatusOK, validation{Status: documentValid})
}

type validation struct {
	Status string `json:"status"`
	Errors any    `json:"errors,omitempty"` // nil is left out; a nil slice is null
}

// wantType refuses another content type than these, when content types count.
func (x *exchange) wantType(types ...string) (answer, bool) {
	if x.sw.ContentType != ContentTypeStrict {
		return answer{}, false
	}
	got, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	for _, want := range types {
		if got == want {
			return answer{}, false
		}
	}
	return x.fail(http.StatusUnsupportedMediaType, "content type "+types[0]+" is wanted"), true
}

// A claim says who stands behind a document.
type claim struct {
	supplier   string
	project    *Project // nil: none
	validation bool     // asked for by itself, not as a step of a delivery
}

// judge is the portal's opinion of a document, given what is registered at this moment. No faults: valid. The closing line
// is among the faults.
func (p *state) judge(sw *Switches, c *content, by claim) []string {
	faults := p.faults(sw, c, by)
	if len(faults) == 0 {
		return nil
	}
	switch sw.ClosingLine {
	case ClosingLineAbsent:
		return faults
	case ClosingLineFirst:
		return append([]string{textClosingLine}, faults...)
	}
	return append(faults, textClosingLine)
}

func (p *state) faults(sw *Switches, c *content, by claim) []string {
	if !c.wellFormed() {
		return []string{c.parserText()}
	}
	if faults := c.headFaults(); len(faults) > 0 {
		return faults
	}
	if c.marked(MarkInvalid) {
		return append([]string(nil), markedErrors...)
	}
	if sw.CheckParty && by.project != nil && c.party != "" && c.party != by.project.Owner.KvK {
		return []string{fmt.Sprintf("Bronhouder (deliveryAccountableParty) %s is binnen de BRO niet bekend als bronhouder van dit project. Neem contact op met de servicedesk.", c.party)}
	}
	if c.broID == "" {
		return nil // a new object: a second one is as welcome as the first
	}
	o := p.objects[c.broID]
	if o == nil && sw.UnknownObjects == UnknownObjectsAdopted {
		o = p.adopt(c, by)
	}
	return o.faults(c, by.supplier, by.validation || sw.SupplierCheck != SupplierCheckValidation)
}

// headFaults are those that a schema would find in the head.
func (c *content) headFaults() []string {
	var faults []string
	missing := func(element string) {
		faults = append(faults, fmt.Sprintf("regel: 1, kolom: 1, offset: -1, boodschap: 'cvc-complex-type.2.4: The content of element '%s' is not complete. '%s' is expected.'", c.request, element))
	}
	if c.reference == "" {
		missing("requestReference")
	}
	switch c.regime {
	case "IMBRO", "IMBRO/A":
	case "":
		missing("qualityRegime")
	default:
		faults = append(faults, fmt.Sprintf("regel: 1, kolom: 1, offset: -1, boodschap: 'cvc-enumeration-valid: Value '%s' is not facet-valid with respect to enumeration '[IMBRO, IMBRO/A]'.'", c.regime))
	}
	if c.subDocument == "" {
		missing("sourceDocument")
	}
	if c.broID == "" && c.request != "registrationRequest" {
		faults = append(faults, "BRO-ID (broId) ontbreekt: het moet aanwezig zijn als een bestaand registratieobject wordt gecorrigeerd.")
	}
	return faults
}

// faults says what speaks against a document about this object; a nil object does not exist. checkSupplier: whether it
// matters who delivers.
func (o *object) faults(c *content, supplier string, checkSupplier bool) []string {
	switch {
	case o == nil || o.Type != c.typ.name:
		return []string{textNoObject}
	case o.State == Deregistered:
		return []string{textDeregistered}
	}
	var faults []string
	if checkSupplier && o.Supplier != "" && o.Supplier != supplier {
		faults = append(faults, textNotSupplier)
	}
	if c.request == "registrationRequest" {
		if o.State == Completed {
			faults = append(faults, textCompleted)
		}
		if before(c.eventDate, o.LastEvent) {
			faults = append(faults, fmt.Sprintf("Op %s gebeurtenis mag niet voor de laatst geregistreerde gebeurtenis %s liggen.", c.eventDate, o.LastEvent))
		}
	}
	if c.eventDate != "" && (c.request == "registrationRequest" || c.request == "insertRequest") && o.events[c.event()] {
		faults = append(faults, fmt.Sprintf("%s op %s is niet correct: bestaat reeds in de registratie ondergrond.", c.subDocument, c.eventDate))
	}
	return faults
}

// event is what makes an event on an object the same as another.
func (c *content) event() string { return c.subDocument + " " + c.eventDate }

// before compares dates as far as both are known: 2025-02 is not before 2025-02-03. An unknown date is before nothing.
func before(a, b string) bool {
	n := min(len(a), len(b))
	return a[:n] < b[:n]
}
