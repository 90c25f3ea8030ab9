package portal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// answerFor is an answer as exchange would give it.
func answerFor(t *testing.T, op Op, code int, typ string, body []byte) *answer {
	return &answer{op: op, url: mustParse(t, "https://portal.example/api/v2/1255/x"), code: code, header: http.Header{"Content-Type": {typ}}, body: body}
}

func FuzzDelivery(f *testing.F) {
	for _, seed := range []string{
		`{"identifier":"0000182700","status":"AANGELEVERD","lastChanged":"2022-11-16T01:28:38.5","brondocuments":[{"id":418700,"status":"GELDIG","filename":"a.xml","requestReference":"r"}]}`,
		`{"identifier":182700,"status":"DOORGELEVERD","brondocuments":[{"status":"OPGENOMEN_LVBRO","broId":"GLD000000054400"}]}`,
		`{"status":"DOORGELEVERD","brondocuments":[{"status":"OPGENOMEN_LVBRO","broId":"X","errors":[{"message":"a","b":[1]}]},{"status":"NIET_VALIDE","errors":"a"}]}`,
		`{"status":500,"error":"x"}`, `{"status":"A","brondocuments":null}`, `[]`, `null`, ``, "\xef\xbb\xbf{}", `{"status":"\u0000\u001b"}`, "<html>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var w wireDelivery
		a := answerFor(t, OpDelivery, 200, "application/json", body)
		if err := a.decode(&w); err != nil {
			checkShown(t, err)
			return
		}
		d, err := parseDelivery(&w, body)
		if err != nil {
			checkShown(t, a.unreadable(err))
			return
		}
		if d.Status == "" || len(d.Raw) > maxRaw || !utf8.ValidString(d.Raw) {
			t.Errorf("status %q, %d bytes raw", d.Status, len(d.Raw))
		}
		if d.Verdict() == VerdictRegistered {
			if d.Status != DeliveryForwarded || len(d.Documents) == 0 {
				t.Errorf("registered: %+v", d)
			}
			for _, document := range d.Documents {
				if document.Status != DocumentRegistered || document.BROID == "" {
					t.Errorf("registered: %+v", d)
				}
			}
		}
		d.Raw = ""
		encoded, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back Delivery
		if err := json.Unmarshal(encoded, &back); err != nil || !reflect.DeepEqual(d, back) {
			t.Errorf("stored %+v, read back %+v, %v", d, back, err)
		}
	})
}

func FuzzValidation(f *testing.F) {
	for _, seed := range []string{
		`{"status":"VALIDE"}`, `{"status":"NIET_VALIDE","errors":["a","b"]}`, `{"status":"NIET_VALIDE","errors":{"a":["b"]}}`,
		`{"status":400,"errors":null}`, `{"status":"VALIDE","status":"NIET_VALIDE"}`, `{"STATUS":"VALIDE"}`, `"VALIDE"`, ``, "<html>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, ok := parseValidation(body)
		if !ok {
			if v.Valid || v.Errors != nil {
				t.Errorf("no verdict, yet %+v", v)
			}
			checkShown(t, answerFor(t, OpValidate, 200, "", body).unreadable(nil))
			return
		}
		if v.Valid && !strings.Contains(string(body), "VALIDE") && !strings.Contains(string(body), `\u`) {
			t.Errorf("valid without the word: %q", body)
		}
		if len(v.Errors) > maxErrors+1 || len(v.Raw) > maxRaw {
			t.Errorf("%d errors, %d bytes raw", len(v.Errors), len(v.Raw))
		}
		for _, said := range v.Errors {
			checkText(t, said, maxErrorText)
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	f.Add(400, "application/json", []byte(`{"timestamp":"x","status":400,"error":"Bad Request","path":"/x"}`))
	f.Add(503, "text/html", []byte(page))
	f.Add(200, "", []byte("<html><script>"))
	f.Add(401, "text/plain; charset=\"", []byte("\xff\xfe\x1b[0m"))
	f.Add(302, "", []byte(`{"errors":[[[{}]]]}`))
	f.Add(200, "text/html", []byte("&#0;&#27;&#8238;<"))
	f.Fuzz(func(t *testing.T, code int, typ string, body []byte) {
		for _, act := range acts {
			a := answerFor(t, act.op, code, typ, body)
			e := a.refusal()
			if a.ok() {
				e = a.unreadable(fmt.Errorf("what: %s", "x"))
			}
			checkShown(t, e)
			if e.Kind == "" || e.Kind == Local || e.Kind == Interrupted {
				t.Errorf("%d is called %q", code, e.Kind)
			}
			if e.Kind == Refused && !act.op.carriesDocument() {
				t.Errorf("%s: %d refuses a document", act.op, code)
			}
			if !e.MaybeDone && (code < 400 || code > 499) {
				t.Errorf("%s: %d is called certain", act.op, code)
			}
		}
	})
}

func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"", "/api/v2/1255/uploads/42", "https://portal.example/api/v2/1255/leveringen/0000182700", "//evil.example/uploads/1",
		"https://portal.example:443/uploads/1", "https://portal.example@evil.example/uploads/1", "uploads/1?x#y", `\\evil\uploads\1`,
		"/uploads/%31", "/a/../uploads/007", "HTTPS://PORTAL.EXAMPLE/uploads/1/brondocumenten/2", "https:uploads/1", "http://portal.example/uploads/1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		asked := mustParse(t, "https://portal.example/api/v2/1255/uploads")
		for _, segment := range []string{segmentUpload, segmentDelivery, segmentDocument} {
			address, id, err := resolveLocation(asked, location, segment)
			if err != nil {
				if address != "" || id != "" {
					t.Errorf("%v came with %q, %q", err, address, id)
				}
				checkText(t, err.Error(), 2000)
				continue
			}
			u := mustParse(t, address)
			if u.Scheme != "https" || u.Host != "portal.example" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
				t.Errorf("%q leads to %s", location, address)
			}
			if checkID(id) != nil || !strings.HasSuffix(address, "/"+segment+"/"+id) {
				t.Errorf("%q: %s with id %q", location, address, id)
			}
		}
		if upload, err := resolveUpload(asked, location); err == nil {
			again, err := resolveUpload(asked, upload.URL)
			if err != nil || again != upload || upload.ID <= 0 {
				t.Errorf("%q gives %+v, and that %+v, %v", location, upload, again, err)
			}
		}
	})
}

// checkShown sees to it that an error is fit to be shown.
func checkShown(t *testing.T, err error) {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("got %T", err)
	}
	checkText(t, e.Detail, maxWords)
	checkText(t, e.Error(), 3*maxWords)
}

func checkText(t *testing.T, s string, max int) {
	t.Helper()
	if len(s) > max || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%d bytes of text not fit to be shown: %.200q", len(s), s)
	}
}
