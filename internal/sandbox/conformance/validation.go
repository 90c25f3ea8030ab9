package conformance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"brodaemon/internal/sandbox"
)

const closingLine = "Er zijn 1 of meer fouten geconstateerd in het brondocument."

func harmlessValidation(p *portal) {
	a := p.validate(newWell("conformiteit"))
	var body struct {
		Status any             `json:"status"`
		Errors json.RawMessage `json:"errors"`
	}
	p.decode(a, &body)
	switch body.Status {
	case "VALIDE", "NIET_VALIDE":
	default:
		p.Fatalf("a validation answered %d with status %v (%T), want VALIDE or NIET_VALIDE", a.status, body.Status, body.Status)
	}
	var list []string
	if body.Errors != nil && json.Unmarshal(body.Errors, &list) != nil {
		p.Errorf("errors of a validation are %.200s, want nothing, null or a list of strings", body.Errors)
	}
	for name, document := range map[string][]byte{"cut off": malformed(), "no request": foreignRoot()} {
		a := p.validate(document)
		if a.err != nil {
			p.Fatalf("%s: %v", name, a.err)
		}
		if a.status < 300 {
			p.wantInvalid(a, name)
		} else if a.status >= 500 {
			p.Errorf("%s: got status %d, want a refusal", name, a.status)
		}
	}
}

func fullValidation(p *portal) {
	a := p.validate(newWell("put"))
	p.wantStatus(a, http.StatusOK, "valid document")
	if got := strings.TrimSpace(string(a.body)); got != `{"status":"VALIDE"}` {
		p.Errorf("a valid document is %s", got)
	}
	p.wantValid(p.post("/api/v2/validatie", newWell("put"), "application/xml"), "validation without a project")
	marked := newWell("put " + sandbox.MarkInvalid)
	a = p.validate(marked)
	p.wantStatus(a, http.StatusOK, "invalid document")
	if faults := p.wantInvalid(a, "marked document"); len(faults) != 3 || faults[2] != closingLine {
		p.Errorf("marked document: errors are %q, want two and the closing line", faults)
	}
	for name, document := range map[string][]byte{
		"cut off": malformed(), "no request": foreignRoot(), "empty": nil, "two roots": append(newWell("a"), foreignRoot()...),
		"kind the type does not have": request("correctionRequest", "r", knownWell, "GMW_GroundLevel", ""),
	} {
		p.wantStatus(p.validate(document), http.StatusBadRequest, "%s", name)
		lenient := p.with(func(o *sandbox.Options) { o.MalformedStatus = 200 })
		p.wantInvalid(lenient.validate(document), name, "boodschap: '")
	}
	for _, c := range []struct {
		choice sandbox.Choice
		want   string
	}{{sandbox.ErrorsEmpty, `{"status":"VALIDE","errors":[]}`}, {sandbox.ErrorsNull, `{"status":"VALIDE","errors":null}`}} {
		a := p.with(func(o *sandbox.Options) { o.ValidErrors = c.choice }).validate(newWell("put"))
		if got := strings.TrimSpace(string(a.body)); got != c.want {
			p.Errorf("valid document with errors %s: got %s, want %s", c.choice, got, c.want)
		}
	}
	strict := p.with(func(o *sandbox.Options) {
		o.InvalidStatus, o.ClosingLine, o.ContentType = 400, sandbox.ClosingLineFirst, sandbox.ContentTypeStrict
	})
	a = strict.validate(marked)
	p.wantStatus(a, http.StatusBadRequest, "invalid document with invalid-status 400")
	if faults := p.wantInvalid(a, "marked document"); faults[0] != closingLine {
		p.Errorf("closing line first: errors are %q", faults)
	}
	p.wantStatus(strict.post(p.api("validatie"), newWell("put"), "text/plain"), http.StatusUnsupportedMediaType, "text/plain")
	p.validationFaults()
}

// validationFaults tries the ways in which a validation can be slow or fail.
func (p *portal) validationFaults() {
	p.Helper()
	const delay = 30 * time.Millisecond
	slow := p.with(func(o *sandbox.Options) { o.ValidationDelay = delay })
	start := time.Now()
	p.wantValid(slow.validate(newWell("put")), "slow validation")
	if took := time.Since(start); took < delay {
		p.Errorf("slow validation took %v, want at least %v", took, delay)
	}
	for _, status := range []int{500, 502, 503, 504, 429} {
		for _, retryAfter := range []time.Duration{0, 3 * time.Second} {
			p.Sandbox.Inject(sandbox.Fault{Op: sandbox.OpValidate, Kind: sandbox.Answer, Status: status, RetryAfter: retryAfter})
			a := p.validate(newWell("put"))
			p.wantStatus(a, status, "injected")
			if got, want := a.header.Get("Retry-After"), map[time.Duration]string{0: "", 3 * time.Second: "3"}[retryAfter]; got != want {
				p.Errorf("Retry-After of an injected %d is %q, want %q", status, got, want)
			}
		}
	}
	p.wantValid(p.validate(newWell("put")), "validation after the faults")
}

func harmlessRegisterAware(p *portal) {
	p.wantInvalid(p.validate(groundLevel(unknownWell, "2024-01-01")), "BRO-ID that does not exist")
}

func fullRegisterAware(p *portal) {
	p.wantValid(p.validate(groundLevel(knownWell, "2024-01-01")), "known object")
	for _, c := range []struct{ name, broID, want string }{
		{"unknown object", unknownWell, "dit registratieobject bestaat niet."},
		{"object of another type", "GLD000000100001", "dit registratieobject bestaat niet."},
		{"completed object", completedWell, "Dit registratieobject heeft de registratiestatus voltooid."},
		{"object of another supplier", foreignWell, "U bent niet als dataleverancier van dit object geregistreerd."},
		{"deregistered object", deregisteredWell, "is uit registratie genomen."},
	} {
		p.wantInvalid(p.validate(groundLevel(c.broID, "2024-01-01")), c.name, c.want, closingLine)
	}
	p.wantInvalid(p.validate(request("replaceRequest", "r", "", "GMW_Construction", "")), "correction without an object", "broId")
	p.wantInvalid(p.validate(request("registrationRequest", "", "", "GMW_Construction", "")), "no reference", "requestReference")

	p.registered(groundLevel(knownWell, "2024-06-01"))
	earlier := groundLevel(knownWell, "2024-05-31")
	p.wantInvalid(p.validate(earlier), "earlier event",
		"Op 2024-05-31 gebeurtenis mag niet voor de laatst geregistreerde gebeurtenis 2024-06-01 liggen.")
	p.wantInvalid(p.validate(groundLevel(knownWell, "2024-06-01")), "same event", "bestaat reeds in de registratie ondergrond.")
	p.wantValid(p.validate(groundLevel(knownWell, "2024-06-02")), "later event")
	p.wantValid(p.validate(request("insertRequest", "r", knownWell, "GMW_GroundLevel", eventDate("2024-05-31"))), "earlier event as an insertion")

	adopting := p.with(func(o *sandbox.Options) { o.UnknownObjects = sandbox.UnknownObjectsAdopted })
	p.wantValid(adopting.validate(groundLevel(unknownWell, "2024-01-01")), "unknown object, adopted")
	checking := p.with(func(o *sandbox.Options) { o.CheckParty = true; o.Projects[0].Owner.KvK = "11111111" })
	p.wantInvalid(checking.validate(newWell("put")), "other data owner", "deliveryAccountableParty")
	warning := p.with(func(o *sandbox.Options) { o.SupplierCheck = sandbox.SupplierCheckValidation })
	p.wantInvalid(warning.validate(groundLevel(foreignWell, "2024-01-01")), "other supplier", "dataleverancier")
	if got := warning.registered(groundLevel(foreignWell, "2024-01-01")).BROID; got != foreignWell {
		p.Errorf("delivery in spite of the warning went to %s", got)
	}
	if ok := slices.Contains([]string{"", "null"}, string(p.settled(p.deliver(newWell("put"))).Brondocuments[0].Errors)); !ok {
		p.Error("a registered document has errors")
	}
}
