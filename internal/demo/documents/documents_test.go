package documents_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"brodaemon/internal/demo/documents"
	"brodaemon/internal/document"
)

const invalid = "BRODAEMON-ONGELDIG" // the mark by which the sandbox refuses a document

func TestDocuments(t *testing.T) {
	type want struct {
		request, typ, subDocument, broID, objectID string
		fault                                      document.FaultKind
	}
	wants := map[string]want{
		"GAR najaarsronde 2026.xml":      {request: "registrationRequest", typ: "GAR", subDocument: "GAR", objectID: "2026-N-014"},
		"GLD start GRACHT-02 buis 1.xml": {request: "registrationRequest", typ: "GLD", subDocument: "GLD_StartRegistration", objectID: "GMW000000100002-1"},
		"GLD toevoeging B32C0677.xml":    {request: "registrationRequest", typ: "GLD", subDocument: "GLD_Addition", broID: "GLD000000100001"},
		"HB-09 boring.xml":               {request: "registrationRequest", typ: "BHR-GT", subDocument: "BHR_GT_CompleteReport_V1", objectID: "DV9/HB-09 – Vóór de brug"},
		"S-0142 sondering.xml":           {request: "registrationRequest", typ: "CPT", subDocument: "CPT", objectID: "26-0142/S1"},
		"SAD Rijnkade 4.xml":             {request: "registrationRequest", typ: "SAD", subDocument: "SAD_CompleteReport", objectID: "BO-2026-0331"},
		"correctie put B32C0677.xml":     {request: "replaceRequest", typ: "GMW", subDocument: "GMW_Construction", broID: "GMW000000100001", objectID: "B32C0677"},
		"maaiveld B32C0677 2026.xml":     {request: "registrationRequest", typ: "GMW", subDocument: "GMW_GroundLevel", broID: "GMW000000100001"},
		"meetnet binnenstad.xml":         {request: "registrationRequest", typ: "GMN", subDocument: "GMN_StartRegistration", objectID: "MN-BINNENSTAD"},
		"put-07.xml":                     {request: "registrationRequest", typ: "GMW", subDocument: "GMW_Construction", objectID: "B-7 " + invalid},
		"put-17.xml":                     {request: "registrationRequest", typ: "GMW", subDocument: "GMW_Construction", objectID: "PB-17 Holtenbroek"},
		"meetnet noord.xml":              {fault: document.Incomplete},
		"GLD000000100002.xml":            {fault: document.Answer},
	}
	names, err := documents.Names()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(wants) {
		t.Errorf("%d documents, %d expected: %q", len(names), len(wants), names)
	}
	prints := make(map[string]string) // content fingerprint: name
	for _, name := range names {
		w, ok := wants[name]
		if !ok {
			t.Errorf("%s: not expected", name)
			continue
		}
		data, err := documents.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < 1<<10 || len(data) > 6<<10 {
			t.Errorf("%s: %d bytes; small is fine, but not this", name, len(data))
		}
		doc, err := document.Read(bytes.NewReader(data))
		if w.fault != "" {
			var f *document.Fault
			if !errors.As(err, &f) || f.Kind != w.fault {
				t.Errorf("%s: %v, want %s", name, err, w.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := (want{request: doc.Request, typ: doc.Type, subDocument: doc.SubDocument, broID: doc.BROID, objectID: doc.ObjectID}); got != w {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, w)
		}
		if doc.RequestReference == "" || doc.AccountableParty != "12345678" || !strings.HasPrefix(doc.QualityRegime, "IMBRO") {
			t.Errorf("%s: head %+v", name, doc.Head)
		}
		if doc.NewObject() != (w.broID == "") {
			t.Errorf("%s: NewObject() = %v", name, doc.NewObject())
		}
		if other, ok := prints[doc.ContentFingerprint]; ok {
			t.Errorf("%s has the content of %s: the demo would hold it as a duplicate", name, other)
		}
		prints[doc.ContentFingerprint] = name
		// The mark works wherever it stands; a second document that bears it would fail too.
		if strings.Contains(string(data), invalid) != strings.Contains(w.objectID, invalid) {
			t.Errorf("%s: the mark %s stands where it should not", name, invalid)
		}
	}
}
