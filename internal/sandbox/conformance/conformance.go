// Package conformance says what a Bronhouderportaal does, as tests over plain HTTP: one subtest for each behaviour, S1 to
// S25. Two things are held against it: the sandbox, in its own tests, and on request a real portal.
//
// Against a real portal only the harmless part runs (Target.Harmless): validations, reading, and calls that must be refused.
// It delivers nothing and leaves nothing behind. It accepts what is not known for certain, so a failure there is news about
// the portal, and should become a switch of the sandbox.
//
// The rest needs a sandbox, since it changes switches, injects faults and reads the books. It needs Target.Fresh.
package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/sandbox"
)

// A Target is a portal and the means to reach it.
type Target struct {
	BaseURL  string // scheme and host, without a path
	Username string // of a delivery token (aanlevertoken) …
	Password string
	Project  int          // … for this project
	Client   *http.Client // nil: one with a time-out of five minutes

	// Harmless restricts the suite to what any portal bears.
	Harmless bool

	// Fresh makes a sandbox of its own with the default options, no delays, and then change (nil: none). Needed unless
	// Harmless.
	Fresh func(t *testing.T, change func(*sandbox.Options)) Target
	// Sandbox is the server behind a Target that Fresh made.
	Sandbox *sandbox.Server
}

// A behaviour is one row of the specification.
type behaviour struct {
	name     string
	title    string
	harmless func(*portal) // on any portal; nil: nothing
	full     func(*portal) // on a sandbox; nil: nothing
}

var behaviours = []behaviour{
	{"S1", "base path", harmlessBase, fullBase},
	{"S2", "sign-on and rights", harmlessSignOn, fullSignOn},
	{"S3", "body of a failure", harmlessFailureBody, fullFailureBody},
	{"S4", "validation", harmlessValidation, fullValidation},
	{"S5", "validation looks at the register", harmlessRegisterAware, fullRegisterAware},
	{"S6", "opening an upload", nil, fullOpenUpload},
	{"S7", "adding documents", nil, fullAddDocument},
	{"S8", "submitting", nil, fullSubmit},
	{"S9", "faults at the point of no return", nil, fullSubmitFaults},
	{"S10", "shape of a delivery", harmlessUnknownDelivery, fullDeliveryShape},
	{"S11", "statuses follow the clock", nil, fullStatuses},
	{"S12", "half states", nil, fullHalfStates},
	{"S13", "one bad document stops a delivery", nil, fullBadDocument},
	{"S14", "registration", nil, fullRegistration},
	{"S15", "duplicates", nil, fullDuplicates},
	{"S16", "judged again when passed on", nil, fullRevalidation},
	{"S17", "one document at a time per object", nil, fullSerialisation},
	{"S18", "reading a document back", harmlessUnknownDocument, fullDocumentBytes},
	{"S19", "lists of deliveries", harmlessLists, fullLists},
	{"S20", "projects", harmlessProjects, fullProjects},
	{"S21", "transaction register", harmlessTransactions, fullTransactions},
	{"S22", "enrichment", nil, fullEnrichment},
	{"S23", "rights that go while one works", nil, fullRevocation},
	{"S24", "public services", nil, fullPublicServices},
	{"S25", "books", nil, fullBooks},
}

// Run holds the suite against a portal.
func Run(t *testing.T, target Target) {
	t.Helper()
	if target.Client == nil {
		target.Client = &http.Client{Timeout: 5 * time.Minute}
	}
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			t.Logf("%s", b.title)
			if b.harmless != nil {
				b.harmless(newPortal(t, target))
			}
			switch {
			case b.full != nil && !target.Harmless && target.Fresh != nil:
				b.full(newPortal(t, target.Fresh(t, nil)))
			case b.harmless == nil:
				t.Skip("SKIPPED: this needs a sandbox, or does more than a real portal should have to bear")
			}
		})
	}
}

// A portal is a Target within one test.
type portal struct {
	*testing.T
	Target
	username, password string // of the next calls; empty username: none
}

func newPortal(t *testing.T, target Target) *portal {
	client := *target.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	target.Client = &client
	return &portal{T: t, Target: target, username: target.Username, password: target.Password}
}

// with makes a sandbox whose options are changed.
func (p *portal) with(change func(*sandbox.Options)) *portal {
	p.Helper()
	return newPortal(p.T, p.Fresh(p.T, change))
}

// as is the same portal under other credentials.
func (p *portal) as(username, password string) *portal {
	other := *p
	other.username, other.password = username, password
	return &other
}

// An answer is what came back from one call.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // no answer, or not all of it
}

// call does one request. A path is put behind the base address; an address is taken as it is.
func (p *portal) call(method, path string, body []byte, contentType string) answer {
	p.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.BaseURL + path
	}
	req, err := http.NewRequestWithContext(p.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		p.Fatalf("%s %s: %v", method, path, err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if p.username != "" {
		req.SetBasicAuth(p.username, p.password)
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	a.body, a.err = io.ReadAll(io.LimitReader(res.Body, 1<<26))
	return a
}

func (p *portal) get(path string) answer {
	p.Helper()
	return p.call(http.MethodGet, path, nil, "")
}

func (p *portal) post(path string, body []byte, contentType string) answer {
	p.Helper()
	return p.call(http.MethodPost, path, body, contentType)
}

// api is a path within the project.
func (p *portal) api(format string, args ...any) string {
	return fmt.Sprintf("/api/v2/%d/", p.Project) + fmt.Sprintf(format, args...)
}

func (p *portal) validate(document []byte) answer {
	p.Helper()
	return p.post(p.api("validatie"), document, "application/xml")
}

func (p *portal) openUpload() answer {
	p.Helper()
	return p.post(p.api("uploads"), nil, "application/xml")
}

func (p *portal) addDocument(upload string, filename string, document []byte) answer {
	p.Helper()
	path := upload + "/brondocumenten"
	if filename != "" {
		path += "?filename=" + filename
	}
	return p.post(path, document, "application/xml")
}

func (p *portal) submit(upload string) answer {
	p.Helper()
	return p.post(p.api("leveringen"), submission(upload), "application/json")
}

// submission is the body of a submission for the upload at an address.
func submission(upload string) []byte {
	return fmt.Appendf(nil, `{"upload": %s}`, upload[strings.LastIndexByte(upload, '/')+1:])
}

// filledUpload opens an upload and adds documents, without names; it returns the address of the upload.
func (p *portal) filledUpload(documents ...[]byte) string {
	p.Helper()
	a := p.openUpload()
	p.wantStatus(a, http.StatusCreated, "open upload")
	upload := a.header.Get("Location")
	for i, document := range documents {
		p.wantStatus(p.addDocument(upload, "", document), http.StatusCreated, "add document %d", i)
	}
	return upload
}

// deliver delivers documents together and returns the address of the delivery.
func (p *portal) deliver(documents ...[]byte) string {
	p.Helper()
	a := p.submit(p.filledUpload(documents...))
	p.wantStatus(a, http.StatusCreated, "submit")
	return a.header.Get("Location")
}

// A delivery is the JSON of a delivery as the portal writes it.
type delivery struct {
	Identifier    string     `json:"identifier"`
	Status        string     `json:"status"`
	LastChanged   string     `json:"lastChanged"`
	Brondocuments []document `json:"brondocuments"`
}

type document struct {
	ID               int64           `json:"id"`
	Status           string          `json:"status"`
	LastChanged      string          `json:"lastChanged"`
	BROID            string          `json:"broId"`
	TransactionID    string          `json:"transactionId"`
	Filename         string          `json:"filename"`
	RequestReference string          `json:"requestReference"`
	Errors           json.RawMessage `json:"errors"`
}

// errors reads the errors of a document in their usual shape.
func (p *portal) errors(d document) []string {
	p.Helper()
	if d.Errors == nil {
		return nil
	}
	var list []string
	if err := json.Unmarshal(d.Errors, &list); err != nil {
		p.Errorf("errors of document %d are %s, want a list of strings", d.ID, d.Errors)
	}
	return list
}

func (p *portal) read(location string) delivery {
	p.Helper()
	a := p.get(location)
	p.wantStatus(a, http.StatusOK, "get delivery")
	var d delivery
	p.decode(a, &d)
	if len(d.Brondocuments) == 0 {
		p.Fatalf("delivery without brondocuments: %s", a.body)
	}
	return d
}

// follow asks for a delivery until done is true.
func (p *portal) follow(location string, what string, done func(delivery) bool) delivery {
	p.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		d := p.read(location)
		if done(d) {
			return d
		}
		if time.Now().After(deadline) {
			p.Fatalf("delivery %s is %s with %+v after 20 s, want %s", d.Identifier, d.Status, d.Brondocuments, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// settled follows a delivery until it is DOORGELEVERD.
func (p *portal) settled(location string) delivery {
	p.Helper()
	return p.follow(location, "DOORGELEVERD", func(d delivery) bool { return d.Status == "DOORGELEVERD" })
}

// registered delivers one document and returns what it became in the register.
func (p *portal) registered(doc []byte) document {
	p.Helper()
	d := p.settled(p.deliver(doc)).Brondocuments[0]
	if d.Status != "OPGENOMEN_LVBRO" {
		p.Fatalf("document is %s with %s, want OPGENOMEN_LVBRO", d.Status, d.Errors)
	}
	return d
}

func (p *portal) decode(a answer, into any) {
	p.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		p.Fatalf("body %q is no JSON of the kind expected: %v", a.body, err)
	}
}

// wantStatus ends the test unless the answer has the status.
func (p *portal) wantStatus(a answer, status int, what string, args ...any) {
	p.Helper()
	p.wantStatusIn(a, []int{status}, what, args...)
}

func (p *portal) wantStatusIn(a answer, statuses []int, what string, args ...any) {
	p.Helper()
	what = fmt.Sprintf(what, args...)
	if a.err != nil {
		p.Fatalf("%s: got %v, want status %v", what, a.err, statuses)
	}
	if !slices.Contains(statuses, a.status) {
		p.Fatalf("%s: got status %d (%s) %.300q, want %v", what, a.status, a.header.Get("X-Sandbox-Reason"), a.body, statuses)
	}
}

// wantFaults ends the test unless the answer is NIET_VALIDE with these words among its errors.
func (p *portal) wantInvalid(a answer, what string, words ...string) []string {
	p.Helper()
	v := p.verdict(a)
	if v.Status != "NIET_VALIDE" {
		p.Fatalf("%s: got %s, want NIET_VALIDE", what, a.body)
	}
	all := strings.Join(v.Errors, "\n")
	for _, word := range words {
		if !strings.Contains(all, word) {
			p.Errorf("%s: errors are %q, want %q among them", what, v.Errors, word)
		}
	}
	return v.Errors
}

func (p *portal) wantValid(a answer, what string) {
	p.Helper()
	if v := p.verdict(a); v.Status != "VALIDE" || len(v.Errors) > 0 {
		p.Fatalf("%s: got %s, want VALIDE", what, a.body)
	}
}

type verdict struct {
	Status string   `json:"status"`
	Errors []string `json:"errors"`
}

func (p *portal) verdict(a answer) verdict {
	p.Helper()
	if a.err != nil {
		p.Fatalf("validation: %v", a.err)
	}
	var v verdict
	p.decode(a, &v)
	return v
}
