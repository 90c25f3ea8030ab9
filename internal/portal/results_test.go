package portal

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	doc := func(status DocumentStatus, broID string, errors ...string) SourceDocument {
		return SourceDocument{Status: status, BROID: broID, Errors: errors}
	}
	done := doc(DocumentRegistered, "GLD000000054400")
	cases := []struct {
		name      string
		status    DeliveryStatus
		documents []SourceDocument
		want      Verdict
	}{
		{"received", DeliveryReceived, []SourceDocument{doc(DocumentRecognised, "")}, VerdictPending},
		{"received, no documents", DeliveryReceived, nil, VerdictPending},
		{"validated", DeliveryValidated, []SourceDocument{doc(DocumentValid, "")}, VerdictPending},
		{"checked", DeliveryChecked, []SourceDocument{doc(DocumentChecked, "")}, VerdictPending},
		{"approved", DeliveryApproved, []SourceDocument{doc(DocumentApproved, "")}, VerdictPending},
		{"unknown delivery word", "BEVROREN", []SourceDocument{doc(DocumentChecked, "")}, VerdictPending},
		{"unknown document word", DeliveryChecked, []SourceDocument{doc("IETS_NIEUWS", "")}, VerdictPending},
		{"no words at all", "", nil, VerdictPending},
		{"document registered, delivery not yet", DeliveryApproved, []SourceDocument{done}, VerdictPending},
		{"unknown delivery word, document registered", "AFGEROND", []SourceDocument{done}, VerdictPending},

		{"registered", DeliveryForwarded, []SourceDocument{done}, VerdictRegistered},
		{"two registered", DeliveryForwarded, []SourceDocument{done, done}, VerdictRegistered},
		{"registered with errors beside it", DeliveryForwarded, []SourceDocument{doc(DocumentRegistered, "X", "let op")}, VerdictRegistered},

		{"not recognised", DeliveryReceived, []SourceDocument{doc(DocumentUnrecognised, "")}, VerdictRefused},
		{"invalid", DeliveryReceived, []SourceDocument{doc(DocumentInvalid, "")}, VerdictRefused},
		{"disapproved", DeliveryChecked, []SourceDocument{doc(DocumentDisapproved, "")}, VerdictRefused},
		{"errors", DeliveryValidated, []SourceDocument{doc(DocumentValid, "", "fout")}, VerdictRefused},
		{"errors with an unknown word", DeliveryForwarded, []SourceDocument{doc("GEWEIGERD", "", "fout")}, VerdictRefused},
		{"one of two invalid", DeliveryReceived, []SourceDocument{doc(DocumentRecognised, ""), doc(DocumentInvalid, "")}, VerdictRefused},

		{"forwarded, not registered", DeliveryForwarded, []SourceDocument{doc(DocumentApproved, "")}, VerdictOdd},
		{"forwarded, unknown word", DeliveryForwarded, []SourceDocument{doc("GEWEIGERD_LVBRO", "")}, VerdictOdd},
		{"forwarded, no BRO-ID", DeliveryForwarded, []SourceDocument{doc(DocumentRegistered, "")}, VerdictOdd},
		{"forwarded, no documents", DeliveryForwarded, nil, VerdictOdd},
		{"forwarded, one of two", DeliveryForwarded, []SourceDocument{done, doc(DocumentApproved, "")}, VerdictOdd},
		{"one registered, one refused", DeliveryForwarded, []SourceDocument{done, doc(DocumentInvalid, "", "fout")}, VerdictOdd},
		{"one registered, one refused, not forwarded", DeliveryApproved, []SourceDocument{done, doc(DocumentInvalid, "")}, VerdictOdd},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := (Delivery{Status: c.status, Documents: c.documents}).Verdict(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// The shapes in which errors come, or are feared to.
func TestTexts(t *testing.T) {
	cases := []struct {
		name, json string
		want       []string
	}{
		{"absent", ``, nil},
		{"null", `null`, nil},
		{"empty list", `[]`, nil},
		{"empty text", `""`, nil},
		{"empty object", `{}`, nil},
		{"list of nothing", `["",null," ",{},[]]`, nil},
		{"false", `false`, nil},
		{"a count", `0`, nil},
		{"texts", `["a","b"]`, []string{"a", "b"}},
		{"one text", `"a"`, []string{"a"}},
		{"objects", `[{"message":"a"},{"melding":"b","code":7,"veld":"x"}]`, []string{"a", "b (code: 7, veld: x)"}},
		{"one object", `{"message":"a"}`, []string{"a"}},
		{"object without a message", `{"veld":"x","waarde":null,"diep":{"a":1}}`, []string{`diep: {"a":1}, veld: x`}},
		{"object of lists", `{"veld":["a","b"]}`, []string{`veld: ["a","b"]`}},
		{"mixed", `["a",3,true,["b"]]`, []string{"a", "3", "true", `["b"]`}},
		{"large number", `[12345678901234567890]`, []string{"12345678901234567890"}},
		{"control characters", `["a\u001b[31m\n\tb\u202e"]`, []string{"a [31m b"}},
		{"broken", `[`, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := texts(json.RawMessage(c.json)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	many := texts(json.RawMessage(`[` + strings.Repeat(`"fout",`, 9999) + `"laatste"]`))
	if len(many) != maxErrors+1 || many[maxErrors] != "… 9500 more" {
		t.Errorf("of 10000 errors %d are kept, the last is %q", len(many), many[len(many)-1])
	}
	if long := texts(json.RawMessage(`["` + strings.Repeat("é", 9999) + `"]`)); len(long[0]) > maxErrorText || !strings.HasSuffix(long[0], "é…") {
		t.Errorf("a long error keeps %d bytes", len(long[0]))
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{`"a"`: "a", `12`: "12", `-1.50`: "-1.50", `null`: "", `0000`: "!", `true`: "!", `[]`: "!", `{}`: "!"} {
		var got text
		err := json.Unmarshal([]byte(in), &got)
		if want == "!" {
			if err == nil {
				t.Errorf("%s: got %q, want it refused", in, got)
			}
		} else if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", in, got, err, want)
		}
	}
}
