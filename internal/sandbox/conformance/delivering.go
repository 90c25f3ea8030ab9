package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"brodaemon/internal/sandbox"
)

// lastNumber is the number at the end of an address.
func (p *portal) lastNumber(address string) int64 {
	p.Helper()
	n, err := strconv.ParseInt(address[strings.LastIndexByte(address, '/')+1:], 10, 64)
	if err != nil {
		p.Fatalf("address %q does not end in a number", address)
	}
	return n
}

func fullOpenUpload(p *portal) {
	last := int64(0)
	for range 3 {
		a := p.openUpload()
		p.wantStatus(a, http.StatusCreated, "open upload")
		location := a.header.Get("Location")
		if want := p.BaseURL + p.api("uploads/"); !strings.HasPrefix(location, want) || len(a.body) > 0 {
			p.Fatalf("Location is %q with body %q, want %s… and no body", location, a.body, want)
		}
		n := p.lastNumber(location)
		if n <= last {
			p.Errorf("upload %d after %d, want a growing number", n, last)
		}
		last = n
	}
	p.wantStatus(p.post(p.api("uploads"), []byte("iets"), ""), http.StatusCreated, "open upload with a body and no content type")

	q := p.with(func(o *sandbox.Options) {
		o.Tokens = append(o.Tokens, sandbox.Token{Username: "ander|1|2", Secret: "s", Kind: sandbox.DeliveryToken,
			Projects: []int{sandbox.DefaultProject, sandbox.NeighbourProject}})
		o.Tokens[0].Projects = append(o.Tokens[0].Projects, sandbox.NeighbourProject)
	})
	upload := q.filledUpload()
	p.wantStatus(q.as("ander|1|2", "s").addDocument(upload, "", newWell("a")), http.StatusNotFound, "document from another token")
	elsewhere := strings.Replace(upload, fmt.Sprint(sandbox.DefaultProject), fmt.Sprint(sandbox.NeighbourProject), 1)
	p.wantStatus(q.addDocument(elsewhere, "", newWell("a")), http.StatusNotFound, "document through another project")
}

func fullAddDocument(p *portal) {
	upload := p.filledUpload()
	last := int64(0)
	for _, name := range []string{"", "put.xml", "PUT.XML", "zonder", "met%20spatie%20%C3%A9.xml"} {
		a := p.addDocument(upload, name, newWell("put "+name))
		p.wantStatus(a, http.StatusCreated, "document named %q", name)
		location := a.header.Get("Location")
		n := p.lastNumber(location)
		if !strings.HasPrefix(location, upload+"/brondocumenten/") || n <= last {
			p.Errorf("Location of document %q is %q after %d", name, location, last)
		}
		last = n
	}
	d := p.read(p.submit(upload).header.Get("Location"))
	var names []string
	for _, doc := range d.Brondocuments {
		names = append(names, doc.Filename)
	}
	invented := regexp.MustCompile(`^[0-9a-f]{12}\.xml$`)
	if len(names) != 5 || !invented.MatchString(names[0]) || names[1] != "put.xml" || names[2] != "PUT.XML" ||
		!invented.MatchString(names[3]) || names[4] != "met spatie é.xml" {
		p.Errorf("file names are %q", names)
	}
	p.wantStatus(p.addDocument(p.BaseURL+p.api("uploads/1"), "", newWell("a")), http.StatusNotFound, "unknown upload")
	p.wantStatus(p.addDocument(upload, "", newWell("a")), http.StatusConflict, "delivered upload")
	for _, status := range []int{400, 404} {
		q := p.with(func(o *sandbox.Options) { o.DeliveredUpload = status })
		upload := q.filledUpload(newWell("a"))
		p.wantStatus(q.submit(upload), http.StatusCreated, "submit")
		p.wantStatus(q.addDocument(upload, "", newWell("a")), status, "delivered upload")
	}
	p.documentNames()
	p.documentSizes()
	refusing := p.with(func(o *sandbox.Options) { o.MalformedUpload = sandbox.MalformedUploadRefused })
	p.wantStatus(refusing.addDocument(refusing.filledUpload(), "", malformed()), http.StatusBadRequest, "cut-off document")
}

func (p *portal) documentNames() {
	p.Helper()
	for _, c := range []struct {
		choice sandbox.Choice
		second int
		count  int
	}{{"", 201, 2}, {sandbox.DuplicateNamesReplace, 201, 1}, {sandbox.DuplicateNamesRefused, 400, 1}} {
		q := p.with(func(o *sandbox.Options) { o.DuplicateNames = c.choice; o.FileNames = sandbox.FileNamesKept })
		upload := q.filledUpload()
		p.wantStatus(q.addDocument(upload, "gelijk", newWell("eerste")), http.StatusCreated, "first of a name")
		p.wantStatus(q.addDocument(upload, "gelijk", newWell("tweede")), c.second, "second of a name, duplicate-names=%s", c.choice)
		d := q.read(q.submit(upload).header.Get("Location"))
		if len(d.Brondocuments) != c.count || d.Brondocuments[0].Filename != "gelijk" {
			p.Errorf("duplicate-names=%s: documents are %+v, want %d", c.choice, d.Brondocuments, c.count)
		}
		if c.choice == sandbox.DuplicateNamesReplace && d.Brondocuments[0].RequestReference != "nieuw tweede" {
			p.Errorf("the second document did not replace the first: %+v", d.Brondocuments)
		}
	}
}

func (p *portal) documentSizes() {
	p.Helper()
	fits := large(100)
	q := p.with(func(o *sandbox.Options) { o.MaxDocument = int64(len(fits)) })
	upload := q.filledUpload()
	p.wantStatus(q.addDocument(upload, "", fits), http.StatusCreated, "document of exactly the limit")
	p.wantStatus(q.addDocument(upload, "", large(101)), http.StatusRequestEntityTooLarge, "document one byte above")
	p.wantStatus(q.validate(large(101)), http.StatusRequestEntityTooLarge, "validation one byte above")
	// Without an announced length the limit shows only at the end.
	for name, doc := range map[string][]byte{"413": large(101), "201": fits} {
		req, err := http.NewRequestWithContext(p.Context(), http.MethodPost, upload+"/brondocumenten", struct{ *bytes.Reader }{bytes.NewReader(doc)})
		if err != nil {
			p.Fatal(err)
		}
		req.SetBasicAuth(p.Username, p.Password)
		res, err := q.Client.Do(req)
		if err != nil {
			p.Fatal(err)
		}
		res.Body.Close()
		if fmt.Sprint(res.StatusCode) != name {
			p.Errorf("document of unannounced length: got %d, want %s", res.StatusCode, name)
		}
	}
	if d := q.read(q.submit(upload).header.Get("Location")); len(d.Brondocuments) != 2 {
		p.Errorf("%d documents in the delivery, want the two that fit", len(d.Brondocuments))
	}
}

func fullSubmit(p *portal) {
	upload := p.filledUpload(newWell("a"))
	a := p.post(p.api("leveringen?labels=archief"), submission(upload), "application/json")
	p.wantStatus(a, http.StatusCreated, "submit")
	location := a.header.Get("Location")
	if !regexp.MustCompile(`^`+regexp.QuoteMeta(p.BaseURL+p.api("leveringen/"))+`[0-9]{10}$`).MatchString(location) || len(a.body) > 0 {
		p.Errorf("Location is %q with body %q, want an address that ends in ten digits and no body", location, a.body)
	}
	if d, ok := p.Sandbox.Delivery(location[len(location)-10:]); !ok || d.Label != "archief" {
		p.Errorf("delivery is %+v, %v, want label archief", d, ok)
	}
	n := p.lastNumber(upload)
	for _, body := range []string{"", "geen json", "[]", "{}", `{"upload":null}`, `{"upload":"` + fmt.Sprint(n) + `"}`, `{"upload":1.5}`, `{"upload":1e400}`, `{"upload":{}}`} {
		p.wantStatus(p.post(p.api("leveringen"), []byte(body), "application/json"), http.StatusBadRequest, "body %q", body)
	}
	p.wantStatus(p.submit("/1"), http.StatusNotFound, "unknown upload")
	p.wantStatus(p.submit(p.filledUpload()), http.StatusBadRequest, "empty upload")
	p.wantStatus(p.submit(upload), http.StatusConflict, "second submission")
	if got := len(p.Sandbox.Deliveries()); got != 1 {
		p.Errorf("%d deliveries, want the one", got)
	}
	p.submitVariants()
}

func (p *portal) submitVariants() {
	p.Helper()
	for _, status := range []int{400, 422} {
		p.wantStatus(p.with(func(o *sandbox.Options) { o.UnknownUpload = status }).submit("/1"), status, "unknown upload")
	}
	for _, choice := range []sandbox.Choice{sandbox.ResubmitSame, sandbox.ResubmitNew} {
		q := p.with(func(o *sandbox.Options) { o.Resubmit = choice })
		upload := q.filledUpload(newWell("tweemaal"))
		first, second := q.submit(upload), q.submit(upload)
		p.wantStatus(first, http.StatusCreated, "first submission")
		p.wantStatus(second, http.StatusCreated, "second submission, resubmit=%s", choice)
		same := first.header.Get("Location") == second.header.Get("Location")
		if same != (choice == sandbox.ResubmitSame) {
			p.Errorf("resubmit=%s: deliveries %s and %s", choice, first.header.Get("Location"), second.header.Get("Location"))
		}
		want := map[sandbox.Choice]int{sandbox.ResubmitSame: 1, sandbox.ResubmitNew: 2}[choice]
		if got := q.Sandbox.Submissions(sum(newWell("tweemaal"))); got != want {
			p.Errorf("resubmit=%s: the document was submitted %d times, want %d", choice, got, want)
		}
		a, b := q.settled(first.header.Get("Location")).Brondocuments[0], q.settled(second.header.Get("Location")).Brondocuments[0]
		if (a.BROID == b.BROID) != same {
			p.Errorf("resubmit=%s: registered as %s and %s", choice, a.BROID, b.BROID)
		}
	}
	accepting := p.with(func(o *sandbox.Options) {
		o.EmptyUpload = sandbox.EmptyUploadAccepted
		o.ContentType = sandbox.ContentTypeStrict
	})
	p.wantStatus(accepting.post(p.api("leveringen"), submission(accepting.filledUpload()), ""), http.StatusUnsupportedMediaType, "submission without a content type")
	a := accepting.submit(accepting.filledUpload())
	p.wantStatus(a, http.StatusCreated, "empty upload")
	if got := accepting.get(a.header.Get("Location")); !bytes.Contains(got.body, []byte(`"brondocuments":[]`)) {
		p.Errorf("an empty delivery is %s", got.body)
	}
}

func harmlessUnknownDelivery(p *portal) {
	p.wantStatus(p.get(p.api("leveringen/9999999999")), http.StatusNotFound, "unknown delivery")
}

func fullDeliveryShape(p *portal) {
	q := p.with(func(o *sandbox.Options) { o.HoldBefore = "VALIDEREN" })
	a := q.get(q.deliver(newWell("vorm")))
	shape := regexp.MustCompile(`^\{"identifier":"\d{10}","status":"AANGELEVERD","lastChanged":"` + timePattern + `","brondocuments":\[` +
		`\{"id":\d+,"status":"GELDIG","lastChanged":"` + timePattern + `","filename":"[0-9a-f]{12}\.xml","requestReference":"nieuw vorm"\}\]\}$`)
	if !shape.Match(a.body) || a.header.Get("Content-Type") != "application/json" {
		p.Errorf("a new delivery is %s of type %q", a.body, a.header.Get("Content-Type"))
	}
	a = p.get(p.deliver(newWell("vorm")))
	shape = regexp.MustCompile(`^\{"identifier":"\d{10}","status":"DOORGELEVERD","lastChanged":"` + timePattern + `","brondocuments":\[` +
		`\{"id":\d+,"status":"OPGENOMEN_LVBRO","lastChanged":"` + timePattern + `","broId":"GMW\d{12}","transactionId":"GMW-\d{12}",` +
		`"filename":"[0-9a-f]{12}\.xml","requestReference":"nieuw vorm"\}\]\}$`)
	if !shape.Match(a.body) {
		p.Errorf("a delivery at its end is %s", a.body)
	}
	for choice, want := range map[sandbox.Choice]string{sandbox.ErrorsEmpty: "[]", sandbox.ErrorsNull: "null"} {
		q := p.with(func(o *sandbox.Options) { o.FineErrors = choice })
		if a := q.get(q.deliver(newWell("a"))); !bytes.Contains(a.body, []byte(`"errors":`+want)) {
			p.Errorf("fine-errors=%s: got %s", choice, a.body)
		}
	}
	for choice, want := range map[sandbox.Choice]string{"": `"errors":["`, sandbox.ErrorsAsObjects: `"errors":[{"message":"`, sandbox.ErrorsAsText: `"errors":"`} {
		q := p.with(func(o *sandbox.Options) { o.ErrorsShape = choice })
		if a := q.get(q.deliver(newWell(sandbox.MarkInvalid))); !bytes.Contains(a.body, []byte(want)) {
			p.Errorf("errors-shape=%s: got %s", choice, a.body)
		}
	}
	p.wantStatus(p.get(p.api("leveringen/0000000001")), http.StatusNotFound, "unknown delivery")
}

const timePattern = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?`

func fullStatuses(p *portal) {
	const step = 15 * time.Millisecond
	q := p.with(func(o *sandbox.Options) {
		o.Timeline = sandbox.Timeline{Validate: step, Check: step, Approve: step, Forward: step, Lag: step}
	})
	// Every pair of words on the way, in this order; polling may miss some but never sees another.
	way := []string{
		"AANGELEVERD GELDIG", "GEVALIDEERD VALIDE", "GECONTROLEERD GOEDGEKEURD", "VASTGESTELD GEACCORDEERD",
		"VASTGESTELD OPGENOMEN_LVBRO", "DOORGELEVERD OPGENOMEN_LVBRO",
	}
	seen, at := []string{}, 0
	q.follow(q.deliver(newWell("klok")), way[len(way)-1], func(d delivery) bool {
		now := d.Status + " " + d.Brondocuments[0].Status
		i := slices.Index(way, now)
		if i < at {
			p.Fatalf("%s after %q", now, seen)
		}
		if len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		at = i
		return i == len(way)-1
	})
	if len(seen) < 2 {
		p.Errorf("only %q was seen", seen)
	}
	for before, status := range map[string]string{"VALIDEREN": "AANGELEVERD", "CONTROLEREN": "GEVALIDEERD", "VASTSTELLEN": "GECONTROLEERD", "DOORLEVEREN": "VASTGESTELD"} {
		q := p.with(func(o *sandbox.Options) { o.HoldBefore = before })
		location := q.deliver(newWell("wacht"))
		if d := q.read(location); d.Status != status {
			p.Errorf("held before %s: status %s, want %s", before, d.Status, status)
		}
		if !q.Sandbox.Approve(location[len(location)-10:]) {
			p.Errorf("held before %s: nothing to approve", before)
		}
		q.settled(location)
	}
	p.waitingDeliveries()
}

func (p *portal) waitingDeliveries() {
	p.Helper()
	q := p.with(func(o *sandbox.Options) { o.HoldBefore = "CONTROLEREN"; o.HoldFor = 20 * time.Millisecond })
	q.settled(q.deliver(newWell("vanzelf")))

	odd := p.with(func(o *sandbox.Options) {
		o.HoldBefore, o.UnknownStatus, o.UnknownDocumentStatus = "VASTSTELLEN", "BEVROREN", "IN_CONSULTATIE"
	})
	if d := odd.read(odd.deliver(newWell("vreemd"))); d.Status != "BEVROREN" || d.Brondocuments[0].Status != "IN_CONSULTATIE" {
		p.Errorf("unknown words: got %s %s", d.Status, d.Brondocuments[0].Status)
	}
	manual := p.with(func(o *sandbox.Options) { o.ManualWait = -1 })
	location := manual.deliver(newWell(sandbox.MarkManual))
	if d := manual.read(location); d.Status != "GECONTROLEERD" {
		p.Errorf("a marked document is at %s, want GECONTROLEERD", d.Status)
	}
	if id := location[len(location)-10:]; !manual.Sandbox.Reject(id, "Niet akkoord.") {
		p.Error("nothing to reject")
	}
	if d := manual.read(location).Brondocuments[0]; d.Status != "AFGEKEURD" || !slices.Equal(p.errors(d), []string{"Niet akkoord."}) || d.BROID != "" {
		p.Errorf("a rejected document is %+v", d)
	}
}

func fullHalfStates(p *portal) {
	// The document is ahead of its delivery for as long as Lag.
	q := p.with(func(o *sandbox.Options) { o.Timeline.Lag = time.Hour })
	if d := q.read(q.deliver(newWell("half"))); d.Status != "VASTGESTELD" || d.Brondocuments[0].Status != "OPGENOMEN_LVBRO" {
		p.Errorf("within the lag: %s %s", d.Status, d.Brondocuments[0].Status)
	}
	for choice, faults := range map[sandbox.Choice]int{sandbox.HalfStateSilent: 0, sandbox.HalfStateErrors: 1} {
		q := p.with(func(o *sandbox.Options) { o.HalfState = choice })
		d := q.settled(q.deliver(newWell("half")))
		doc := d.Brondocuments[0]
		if doc.Status == "OPGENOMEN_LVBRO" || doc.BROID != "" || len(p.errors(doc)) != faults {
			p.Errorf("half-state=%s: %+v", choice, doc)
		}
		if got := q.Sandbox.Registrations(sum(newWell("half"))); got != 0 {
			p.Errorf("half-state=%s: %d registrations, want none", choice, got)
		}
		late := p.with(func(o *sandbox.Options) { o.HalfState = choice; o.HalfStateFor = 30 * time.Millisecond })
		location := late.deliver(newWell("half"))
		d = late.follow(location, "a registration after all", func(d delivery) bool { return d.Brondocuments[0].BROID != "" })
		if doc := d.Brondocuments[0]; doc.Status != "OPGENOMEN_LVBRO" || len(p.errors(doc)) > 0 {
			p.Errorf("half-state=%s, in the end: %+v", choice, doc)
		}
	}
}

func fullBadDocument(p *portal) {
	for want, change := range map[string]func(*sandbox.Options){
		"GEVALIDEERD": nil,
		"AANGELEVERD": func(o *sandbox.Options) { o.InvalidDelivery = "AANGELEVERD" },
	} {
		q := p.with(change)
		d := q.read(q.deliver(newWell("goed"), newWell(sandbox.MarkInvalid), newWell("ook goed")))
		statuses := []string{d.Brondocuments[0].Status, d.Brondocuments[1].Status, d.Brondocuments[2].Status}
		if d.Status != want || !slices.Equal(statuses, []string{"VALIDE", "NIET_VALIDE", "VALIDE"}) {
			p.Errorf("delivery with a bad document: %s %q, want %s", d.Status, statuses, want)
		}
		for i, doc := range d.Brondocuments {
			if (len(p.errors(doc)) > 0) != (i == 1) || doc.BROID != "" {
				p.Errorf("document %d beside a bad one: %+v", i, doc)
			}
		}
		if got := q.Sandbox.Registrations(sum(newWell("goed"))); got != 0 {
			p.Errorf("a document beside a bad one was registered %d times", got)
		}
	}
	d := p.read(p.deliver(malformed()))
	if doc := d.Brondocuments[0]; d.Status != "AANGELEVERD" || doc.Status != "ONGELDIG" || len(p.errors(doc)) == 0 {
		p.Errorf("a cut-off document in a delivery: %s %+v", d.Status, doc)
	}
}

func fullRegistration(p *portal) {
	doc := p.registered(newWell("nieuw"))
	if !regexp.MustCompile(`^GMW\d{12}$`).MatchString(doc.BROID) || !regexp.MustCompile(`^GMW-\d{12}$`).MatchString(doc.TransactionID) {
		p.Errorf("a new object is %s by %s", doc.BROID, doc.TransactionID)
	}
	if got := p.registered(groundLevel(doc.BROID, "2024-01-01")); got.BROID != doc.BROID || got.TransactionID == doc.TransactionID {
		p.Errorf("an addition to %s is %s by %s, after %s", doc.BROID, got.BROID, got.TransactionID, doc.TransactionID)
	}
	borehole := bytes.ReplaceAll(bytes.ReplaceAll(newWell("boring"), []byte("isgmw/1.1"), []byte("isbhr-gt/2.1")), []byte("GMW_Construction"), []byte("BHR_GT_CompleteReport_V1"))
	if got := p.registered(borehole); !strings.HasPrefix(got.BROID, "BHR0") || !strings.HasPrefix(got.TransactionID, "BHR-") {
		p.Errorf("a borehole is %s by %s", got.BROID, got.TransactionID)
	}
	p.registered(request("registrationRequest", "einde", doc.BROID, "GMW_Removal", eventDate("2024-02-01")))
	p.wantInvalid(p.validate(groundLevel(doc.BROID, "2024-03-01")), "object after its end", "voltooid")
	refused := p.settled(p.deliver(newWell(sandbox.MarkRefused))).Brondocuments[0]
	if refused.Status != "AFGEKEURD" || refused.BROID != "" || len(p.errors(refused)) == 0 {
		p.Errorf("a document marked %s is %+v", sandbox.MarkRefused, refused)
	}
}

func fullDuplicates(p *portal) {
	same := newWell("dubbel")
	first, second := p.registered(same), p.registered(same)
	if first.BROID == second.BROID || first.TransactionID == second.TransactionID {
		p.Errorf("the same new object twice: %s and %s, want two objects", first.BROID, second.BROID)
	}
	if got, again := p.Sandbox.Submissions(sum(same)), p.Sandbox.Registrations(sum(same)); got != 2 || again != 2 {
		p.Errorf("the books say %d submissions and %d registrations, want 2 and 2", got, again)
	}
	event := groundLevel(knownWell, "2024-01-01")
	p.registered(event)
	d := p.read(p.deliver(event))
	if doc := d.Brondocuments[0]; doc.Status != "NIET_VALIDE" || !bytes.Contains(doc.Errors, []byte("bestaat reeds in de registratie ondergrond")) {
		p.Errorf("the same event twice: %s %+v", d.Status, doc)
	}
}

func fullRevalidation(p *portal) {
	for _, c := range []struct {
		name   string
		change func(*sandbox.Options)
		status string // of the delivery
		doc    string
	}{
		{"by default", func(*sandbox.Options) {}, "DOORGELEVERD", "AFGEKEURD"},
		{"other words", func(o *sandbox.Options) { o.RefusedDocument, o.RefusedDelivery = "GEWEIGERD", "VASTGESTELD" }, "VASTGESTELD", "GEWEIGERD"},
		{"switched off", func(o *sandbox.Options) { o.NoRevalidation = true }, "DOORGELEVERD", "OPGENOMEN_LVBRO"},
	} {
		q := p.with(func(o *sandbox.Options) { c.change(o); o.HoldBefore = "DOORLEVEREN" })
		first := q.deliver(groundLevel(knownWell, "2024-01-01"))
		second := q.deliver(groundLevel(knownWell, "2024-01-01"))
		for _, location := range []string{first, second} {
			if d := q.read(location); d.Status != "VASTGESTELD" || d.Brondocuments[0].Status != "GEACCORDEERD" {
				p.Errorf("%s: before it is passed on: %s %s", c.name, d.Status, d.Brondocuments[0].Status)
			}
		}
		q.Sandbox.Approve(first[len(first)-10:])
		q.settled(first)
		q.Sandbox.Approve(second[len(second)-10:])
		d := q.follow(second, c.doc, func(d delivery) bool { return d.Brondocuments[0].Status == c.doc })
		if faults := p.errors(d.Brondocuments[0]); d.Status != c.status || (len(faults) > 0) == (c.doc == "OPGENOMEN_LVBRO") {
			p.Errorf("%s: the second is %s with %q, want %s", c.name, d.Status, faults, c.status)
		}
	}
}

func fullSerialisation(p *portal) {
	const turn = 40 * time.Millisecond
	q := p.with(func(o *sandbox.Options) { o.Timeline.PerObject = turn })
	start := time.Now()
	var locations []string
	for i := range 3 {
		locations = append(locations, q.deliver(groundLevel(knownWell, fmt.Sprintf("2024-01-0%d", i+1))))
	}
	other := q.deliver(groundLevel(otherKnownWell, "2024-01-01"))
	if d := q.read(other); d.Status != "DOORGELEVERD" {
		p.Errorf("another object waits: %s", d.Status)
	}
	for _, location := range locations {
		q.settled(location)
	}
	if took := time.Since(start); took < 2*turn {
		p.Errorf("three additions to one object took %v, want at least %v", took, 2*turn)
	}
	events := q.Sandbox.Deliveries()
	for i, location := range locations[1:] {
		if !events[i+1].Changed.After(events[i].Changed) {
			p.Errorf("addition %s was not later than the one before", location)
		}
	}
}
