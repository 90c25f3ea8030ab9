package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"brodaemon/internal/secret"
)

// Much of what this package takes for granted about the portal was read from
// other clients' code. The checks of this file ask a real portal the harmless
// part of it and keep the answers as they came, so that a person can send them
// in. They deliver nothing: validations, questions, calls that must be refused,
// and one upload that is opened and left. They are the harmless part of the
// conformance suite (internal/sandbox/conformance), which can't be part of the
// program because it is made of tests; a test holds the two together.

// Check is one call and what its answer tells.
type Check struct {
	Name      string   // short, for a heading
	Behaviour string   // of the conformance suite: S1 …
	Settles   []string // the open questions that the answer settles: Q1 … (docs/portal.md)
	Assumed   string   // what is assumed of the answer
	codes     []int    // that fit what is assumed
	fits      func(*answer) string
	do        func(c *Client, project ProjectID) (*request, error)
	as        func(*Client) *Client // under other credentials
}

// Finding is a check and its answer.
type Finding struct {
	Check
	Method, Path string // the path with its query
	Code         int    // 0: no answer
	Took         time.Duration
	Header       map[string]string // those of interest
	Body         string            // bounded, without credentials
	Size         int               // of the body, as far as it was read
	// News says in what the answer is not as assumed; "" if it is.
	News string
	Err  error // no answer came; *Error
}

// maxCheckBody bounds what is kept of a body.
const maxCheckBody = 4 << 10

// opCheck is the act of a check, in errors and metrics.
const opCheck Op = "check"

var headersOfInterest = []string{"Content-Type", "Content-Length", "Location", "WWW-Authenticate", "Retry-After", "Allow", "Server", "Via", "Date", "Cache-Control", "Transfer-Encoding"}

// Numbers and ids that no portal has given out.
const (
	nobodysProject  = "999999999"
	nobodysDelivery = "9999999999"
	nobodysDocument = "999999999999"
	nobodysObject   = "GMW999999999999"
)

// checkDocument is a document of our own making that no portal can take for a
// real one: a construction without anything a construction must have.
func checkDocument(broID, content string) []byte {
	if broID != "" {
		broID = "<brocom:broId>" + broID + "</brocom:broId>"
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0">
<brocom:requestReference>brodaemon check-portal</brocom:requestReference>` + broID + `<brocom:qualityRegime>IMBRO/A</brocom:qualityRegime>
<sourceDocument>` + content + `</sourceDocument></registrationRequest>
`)
}

// Checks lists them in the order in which they are done.
func Checks() []Check {
	get := func(path string, query url.Values) func(*Client, ProjectID) (*request, error) {
		return func(c *Client, project ProjectID) (*request, error) {
			return c.request(opCheck, path, project, "", query)
		}
	}
	post := func(path, typ string, body []byte) func(*Client, ProjectID) (*request, error) {
		return func(c *Client, project ProjectID) (*request, error) {
			r, err := c.request(opCheck, path, project, "", nil)
			switch {
			case err != nil:
			case len(body) == 0:
				r.method, r.typ = http.MethodPost, typ
			default:
				err = r.carry(Body{Size: int64(len(body)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }}, typ)
			}
			if r != nil {
				r.timeout = c.validation
			}
			return r, err
		}
	}
	well := `<GMW_Construction><objectIdAccountableParty>brodaemon check-portal</objectIdAccountableParty></GMW_Construction>`
	validation := paths[OpValidate]
	checks := []Check{
		{Name: "validation of a small document", Behaviour: "S4", Settles: []string{"Q1", "Q5", "Q12"}, codes: []int{200},
			Assumed: "200 with VALIDE or NIET_VALIDE, and errors that are absent, null or a list of texts", fits: isVerdict,
			do: post(validation, typeXML, checkDocument("", well))},
		{Name: "validation of what is no XML", Behaviour: "S4", Settles: []string{"Q5", "Q7"}, codes: []int{200, 400, 415, 422},
			Assumed: "400, or 200 with NIET_VALIDE", do: post(validation, typeXML, []byte("<registrationRequest>"))},
		{Name: "validation of XML of an unknown kind", Behaviour: "S4", Settles: []string{"Q5", "Q7"}, codes: []int{200, 400, 415, 422},
			Assumed: "400, or 200 with NIET_VALIDE", do: post(validation, typeXML, []byte("<?xml version=\"1.0\"?><brodaemon/>"))},
		{Name: "validation without a project", Behaviour: "S4", Settles: []string{"Q1", "Q6"}, codes: []int{200, 401, 403},
			Assumed: "a verdict, or 401 or 403 for a token of another kind", do: post(pathValidateAtLarge, typeXML, checkDocument("", well))},
		{Name: "validation of an addition to an unknown object", Behaviour: "S5", Settles: []string{"Q5", "Q18"}, codes: []int{200},
			Assumed: "200 with NIET_VALIDE", fits: isInvalid,
			do: post(validation, typeXML, checkDocument(nobodysObject, `<GMW_GroundLevel/>`))},
		{Name: "opening an upload (it is left, and delivers nothing)", Behaviour: "S6", Settles: []string{"Q1", "Q16", "Q24"}, codes: []int{201},
			Assumed: "201 with a Location on the same host that ends in uploads/ and a number", fits: opensUpload,
			do: post(paths[OpOpenUpload], typeXML, nil)},
		{Name: "a path that does not exist", Behaviour: "S1", Settles: []string{"Q1"}, codes: []int{404},
			Assumed: "404", do: get("/bestaat-niet", nil)},
		{Name: "a wrong secret", Behaviour: "S2", Settles: []string{"Q6"}, codes: []int{401},
			Assumed: "401", as: withWrongSecret, do: get("/{project}/leveringen/"+nobodysDelivery, nil)},
		{Name: "a project that does not exist", Behaviour: "S2", Settles: []string{"Q6"}, codes: []int{401, 403, 404},
			Assumed: "401, 403 or 404", do: get("/"+nobodysProject+"/leveringen/"+nobodysDelivery, nil)},
		{Name: "a delivery that does not exist", Behaviour: "S10", Settles: []string{"Q6"}, codes: []int{404},
			Assumed: "404, with a JSON body whose status is a number", fits: hasNumericStatus, do: get("/{project}/leveringen/"+nobodysDelivery, nil)},
		{Name: "the body of a refusal", Behaviour: "S3", Settles: []string{"Q6"}, codes: []int{400, 401, 403, 404},
			Assumed: "JSON whose status is a number", fits: hasNumericStatus, do: get("/"+nobodysProject+"/uploads/1", nil)},
		{Name: "a document that does not exist", Behaviour: "S18", Settles: []string{"Q1", "Q16"}, codes: []int{404},
			Assumed: "404", do: get("/{project}/brondocumenten/"+nobodysDocument, nil)},
		{Name: "projects", Behaviour: "S20", Settles: []string{"Q1", "Q6"}, codes: []int{200, 401, 403},
			Assumed: "a list, or 403 for a token for delivering", do: get(paths[OpProjects], nil)},
		{Name: "transactions of an unknown object", Behaviour: "S21", Settles: []string{"Q1", "Q21"}, codes: []int{200, 204, 401, 403, 404},
			Assumed: "200 without a body or with an empty list",
			do:      get(paths[OpTransactions], url.Values{querySearchField: {searchByBROID}, querySearchText: {nobodysObject}})},
		{Name: "a note on a delivery that does not exist", Behaviour: "S22", Settles: []string{"Q1", "Q6"}, codes: []int{401, 403, 404},
			Assumed: "403 without an enrichment token, 404 with one",
			do:      post("/{project}/leveringen/"+nobodysDelivery+"/info", typeText, []byte("brodaemon check-portal"))},
	}
	for _, action := range Actions {
		checks = append(checks, Check{Name: "deliveries that wait for " + string(action), Behaviour: "S19", Settles: []string{"Q1", "Q2"}, codes: []int{200, 204, 403, 404},
			Assumed: "a list of numbers, 404 for none, or 403 without the right", do: get(paths[OpDeliveriesAwaiting], url.Values{queryAction: {string(action)}})})
	}
	return checks
}

// Do makes the one call of the check and keeps its answer. It may be repeated.
func (k Check) Do(ctx context.Context, c *Client, project ProjectID) Finding {
	f := Finding{Check: k}
	if k.as != nil {
		c = k.as(c)
	}
	r, err := k.do(c, project)
	if err != nil {
		f.Err = local(opCheck, err)
		return f
	}
	f.Method, f.Path = r.method, r.url.RequestURI()
	began := time.Now()
	a, err := c.exchange(ctx, r)
	f.Took = time.Since(began)
	if err != nil {
		f.Err = err
		f.News = "no answer: " + err.Error()
		return f
	}
	hide := strings.NewReplacer(c.username, redacted, url.QueryEscape(c.username), redacted, url.PathEscape(c.username), redacted)
	show := func(s string, limit int) string { return cut(hide.Replace(a.scrub.text(s)), limit) }
	f.Code, f.Size, f.Body = a.code, len(a.body), show(strings.ToValidUTF8(string(a.body), "\ufffd"), maxCheckBody)
	f.Header = map[string]string{}
	for _, name := range headersOfInterest {
		if v := a.header.Values(name); len(v) > 0 {
			f.Header[name] = show(clean(strings.Join(v, ", "), 500), 500)
		}
	}
	switch {
	case !slices.Contains(k.codes, a.code):
		f.News = fmt.Sprintf("%d was not among what is assumed: %v", a.code, k.codes)
	case a.broken != nil:
		f.News = "the body broke off"
	case k.fits != nil:
		f.News = show(k.fits(a), 500)
	}
	return f
}

// HeaderNames are the headers that came, in order.
func (f Finding) HeaderNames() []string { return slices.Sorted(maps.Keys(f.Header)) }

func withWrongSecret(c *Client) *Client {
	other := *c
	other.secret = func() (secret.String, error) { return secret.New(strings.Repeat("0", 64)), nil }
	return &other
}

func isVerdict(a *answer) string {
	if _, ok := parseValidation(a.body); !ok {
		return "it holds neither VALIDE nor NIET_VALIDE"
	}
	return ""
}

func isInvalid(a *answer) string {
	if v, ok := parseValidation(a.body); !ok || v.Valid {
		return "it does not say NIET_VALIDE"
	}
	return ""
}

func opensUpload(a *answer) string {
	if _, err := resolveUpload(a.url, a.location); err != nil {
		return err.Error()
	}
	return ""
}

func hasNumericStatus(a *answer) string {
	var body struct {
		Status *float64 `json:"status"`
	}
	switch err := jsonOf(a, &body); {
	case err != nil:
		return err.Error()
	case body.Status == nil:
		return "its JSON has no status"
	}
	return ""
}

func jsonOf(a *answer, into any) error {
	if err := a.decode(into); err != nil {
		return errors.New("it is no such JSON")
	}
	return nil
}
