package archive

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write testdata/reasons.*.txt anew")

// documentKinds are the kinds of fault that package document names, in both
// spellings in use.
var documentKinds = []string{
	"empty", "incomplete", "nuls", "notWellFormed", "doctypeRefused", "doctype", "secondRoot", "severalDocuments", "tooDeep", "tagTooLarge",
	"headTooLarge", "unsupportedEncoding", "wrongEncoding", "xmlVersion", "answer", "intakeAnswer", "soap", "bareBody",
	"unknownRequest", "notBRO", "gef", "zip", "webPage", "json", "pdf", "notXML",
	"not-well-formed", "second-root", "several-documents", "too-deep", "head-too-large", "unsupported-encoding", "wrong-encoding",
	"xml-version", "intake-answer", "web-page", "bare-body", "unknown-request", "not-bro",
}

var otherCodes = []ReasonCode{NotValid, RefusedByPortal, RefusedInDelivery, RefusedByRegister, DuplicateDocument, CancelledByPerson}

func TestEveryReasonHasWords(t *testing.T) {
	codes := slices.Clone(otherCodes)
	for _, kind := range documentKinds {
		codes = append(codes, DocumentReason(kind))
		if got, want := ReasonCode("document-"+kind).canonical(), DocumentReason(kind); got != want {
			t.Errorf("%s is taken for %s, not %s", kind, got, want)
		}
	}
	for _, code := range codes {
		if !code.HasWords() {
			t.Errorf("%s has no words", code)
		}
	}
	known := map[ReasonCode]bool{cancelledSubmitted: true, cancelledUncertain: true, documentOther: true, anyOther: true}
	for _, code := range codes {
		known[code] = true
	}
	for code := range dutch.reasons {
		if !known[code] {
			t.Errorf("there are words for %s, which nothing can say", code)
		}
	}
	for code := range wrongKind {
		if !known[code] {
			t.Errorf("wrongKind has %s, which nothing can say", code)
		}
	}
	if ReasonCode("document-of-a-new-kind").HasWords() {
		t.Error("an unknown kind is said to have words")
	}
}

// TestLanguagesSayTheSame: the same texts, steps and fields in each language.
func TestLanguagesSayTheSame(t *testing.T) {
	fields := func(w wording) []string {
		var found []string
		for _, text := range slices.Concat([]string{w.title, w.summary}, w.more, w.steps) {
			for _, field := range []string{"{file}", "{folder}", "{delivery}", "{upload}", "{root}", "{detail}", "{first}"} {
				for range strings.Count(text, field) {
					found = append(found, field)
				}
				text = strings.ReplaceAll(text, field, "")
			}
			if strings.ContainsAny(text, "{}") {
				t.Errorf("a field that is not filled in: %q", text)
			}
		}
		slices.Sort(found)
		return found
	}
	if got, want := slices.Sorted(maps.Keys(english.reasons)), slices.Sorted(maps.Keys(dutch.reasons)); !slices.Equal(got, want) {
		t.Fatalf("reasons in English %q, in Dutch %q", got, want)
	}
	for code, nl := range dutch.reasons {
		en := english.reasons[code]
		if len(nl.more) != len(en.more) || len(nl.steps) != len(en.steps) || !slices.Equal(fields(nl), fields(en)) {
			t.Errorf("%s: the English says something else than the Dutch: %q, %q", code, en, nl)
		}
		if len(nl.steps) == 0 || nl.title == "" || nl.summary == "" {
			t.Errorf("%s: nothing said, or nothing to do", code)
		}
	}
	for name, w := range languages {
		for _, kind := range []Kind{Full, Permission, Gone, InUse, OtherVolume, SpoolDamaged, Other} {
			if w.hints[kind] == "" {
				t.Errorf("%s: no hint for %s", name, kind)
			}
		}
		for _, text := range []string{w.happened, w.portalSays, w.read, w.todo, w.questions, w.whom, w.unknown, w.atLine, w.atByte, w.andMore} {
			if text == "" {
				t.Errorf("%s: a text is missing", name)
			}
		}
		for i, month := range w.months {
			if month == "" {
				t.Errorf("%s: month %d is missing", name, i+1)
			}
		}
		for label := range reflect.ValueOf(w.labels).Fields() {
			if reflect.ValueOf(w.labels).FieldByIndex(label.Index).String() == "" {
				t.Errorf("%s: the label %s is missing", name, label.Name)
			}
		}
	}
}

// example is a reason with everything that its code can have.
func example(code ReasonCode) Reason {
	r := Reason{
		Code: code, ID: "15", SHA256: sha("<doc 15>"), File: "meetronde 3/put-15.xml", Folder: "zwolle", Project: "1255", Environment: "demo",
		When: settled, Type: "GMW", Request: "registrationRequest", RequestReference: "Put 15 (IJssel)",
	}
	switch code {
	case NotValid:
		r.PortalErrors = []string{
			"Zandvang (SedimentSump) ontbreekt: het moet aanwezig zijn als het onderdeel van de buis is.",
			"Er zijn 1 of meer fouten geconstateerd in het brondocument.",
		}
	case RefusedByPortal:
		r.PortalErrors, r.Detail, r.UploadID = []string{"Het bestand is te groot."}, "POST uploads/12/brondocumenten: 413 Request Entity Too Large", "12"
	case RefusedInDelivery:
		r.DeliveryID, r.UploadID, r.PortalDocumentID, r.Detail = "0000182614", "12", "77", "AFGEKEURD"
	case RefusedByRegister:
		r.DeliveryID, r.UploadID, r.PortalDocumentID, r.BROID = "0000182614", "12", "77", "GMW000000000012"
		r.PortalErrors = []string{"Dit registratieobject heeft de registratiestatus voltooid."}
	case DuplicateDocument:
		r.DuplicateOf = Earlier{ID: "11", File: "put-11.xml", DeliveryID: "0000182600", BROID: "GMW000000000011", When: settled.Add(-24 * time.Hour)}
	case cancelledSubmitted:
		r.Code, r.DeliveryID, r.UploadID, r.Note = CancelledByPerson, "0000182614", "12", "Dubbel, zie put-11"
	case cancelledUncertain:
		r.Code, r.MaybeSubmitted, r.UploadID = CancelledByPerson, true, "12"
	case documentOther:
		r.Code, r.Detail, r.Offset = "document-upside-down", "the document stands on its head.", 1200
	case anyOther:
		r.Code, r.Detail = "something-new", "something new"
	default:
		if strings.HasPrefix(string(code), documentPrefix) {
			r.Type, r.Request, r.RequestReference = "", "", ""
			r.Detail, r.Offset, r.Line = "particular", 3456, 12
		}
	}
	return r
}

// whole are the reasons of which the end is compared too; it is alike for all.
var whole = []ReasonCode{NotValid, DuplicateDocument, cancelledSubmitted, "document-not-well-formed"}

// TestReasonTexts compares every reason with the text a person has read
// and approved. Run with -update after a change, and read the difference.
func TestReasonTexts(t *testing.T) {
	for language, w := range languages {
		var all strings.Builder
		for _, code := range slices.Sorted(maps.Keys(w.reasons)) {
			text := strings.ReplaceAll(strings.TrimPrefix(example(code).Text(language, amsterdam), "\uFEFF"), "\r\n", "\n")
			if !slices.Contains(whole, code) {
				text, _, _ = strings.Cut(text, w.questions)
			}
			fmt.Fprintf(&all, "#### %s\n\n%s\n", code, strings.TrimRight(text, "\n")+"\n")
		}
		file := filepath.Join("testdata", "reasons."+language+".txt")
		if *update {
			must(t, os.MkdirAll("testdata", 0o755))
			must(t, os.WriteFile(file, []byte(all.String()), 0o644))
		}
		want, err := os.ReadFile(file)
		must(t, err)
		got := strings.Split(all.String(), "\n")
		for i, line := range strings.Split(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n") {
			if i >= len(got) || got[i] != line {
				t.Errorf("%s, line %d: got %q, want %q", file, i+1, append(got, "nothing")[min(i, len(got))], line)
				break
			}
		}
		if n := strings.Count(string(want), "\n"); n != len(got)-1 {
			t.Errorf("%s has %d lines, want %d", file, n, len(got)-1)
		}
	}
}

func TestReasonForm(t *testing.T) {
	for language, w := range languages {
		for code := range w.reasons {
			r := example(code)
			text := r.Text(language, amsterdam)
			if !strings.HasPrefix(text, "\uFEFF") || strings.Count(text, "\uFEFF") != 1 {
				t.Errorf("%s %s: not with one byte order mark at the start", language, code)
			}
			if strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.Count(text, "\r") != strings.Count(text, "\n") || !strings.HasSuffix(text, "\r\n") {
				t.Errorf("%s %s: lines that do not end in CR LF", language, code)
			}
			if strings.ContainsAny(text, "{}") {
				t.Errorf("%s %s: a field is not filled in:\n%s", language, code, text)
			}
			d := document("15", "put-15.xml", "<doc 15>")
			if !reasonOf([]byte(text), &d) {
				t.Errorf("%s %s: not known for its own", language, code)
			}
			d.ID = "1"
			if reasonOf([]byte(text), &d) {
				t.Errorf("%s %s: taken for that of another document", language, code)
			}
			if summary := r.Summary(language); summary == "" || strings.ContainsAny(summary, "{}\n") {
				t.Errorf("%s %s: summary %q", language, code, summary)
			}
		}
	}
	if (Reason{}).Text("fr", time.UTC) != (Reason{}).Text("nl", time.UTC) {
		t.Error("an unknown language is not in Dutch")
	}
}

// TestHostileWords: what comes from outside can neither break the page nor
// pretend to be part of it.
func TestHostileWords(t *testing.T) {
	d := document("15", "x.xml", "<doc 15>")
	fake := ownMark(&d)
	nasty := "a\r\n" + fake + "\r\n\x1b[31m\u202Eb\u2028c\x00\xff{folder}"
	r := Reason{
		Code: NotValid, ID: "16", SHA256: sha("other"), File: nasty, Folder: nasty, Project: nasty, Environment: nasty, Type: nasty, Request: nasty,
		RequestReference: strings.Repeat("é", 100_000), PortalErrors: []string{nasty, strings.Repeat("x", 100_000)}, Detail: nasty, Root: nasty,
		DuplicateOf: Earlier{ID: nasty, File: nasty},
	}
	for range 1000 {
		r.PortalErrors = append(r.PortalErrors, "and another")
	}
	for _, code := range []ReasonCode{NotValid, DuplicateDocument, "document-not-bro", "document-?", ReasonCode(nasty)} {
		r.Code = code
		text := r.Text("nl", amsterdam)
		if reasonOf([]byte(text), &d) {
			t.Errorf("%q: passes for the reason of another document", code)
		}
		if !utf8.ValidString(text) || len(text) > 64<<10 {
			t.Errorf("%q: %d bytes, valid UTF-8: %v", code, len(text), utf8.ValidString(text))
		}
		for _, line := range strings.Split(strings.TrimPrefix(text, "\uFEFF"), "\r\n") {
			for _, c := range line {
				if unicode.IsControl(c) || unicode.In(c, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
					t.Errorf("%q: character %U in %q", code, c, line)
				}
			}
			if line == fake {
				t.Errorf("%q: a line of its own from outside: %q", code, line)
			}
		}
	}
	r.Code = NotValid
	if text := r.Text("nl", amsterdam); !strings.Contains(text, "en nog 802 andere meldingen") {
		t.Error("it is not said how many messages were left out")
	}
	if text := r.Text("nl", amsterdam); !strings.Contains(text, "{folder}") {
		t.Error("a name from outside was filled in again")
	}
}

func TestWrongKindsNameNoPlace(t *testing.T) {
	r := Reason{Code: DocumentReason("answer"), File: "x.xml", Line: 12, Offset: 3456}
	if text := r.Text("nl", amsterdam); strings.Contains(text, "3456") {
		t.Errorf("an answer needs no place:\n%s", text)
	}
	r.Code = DocumentReason("notWellFormed")
	if text := r.Text("nl", amsterdam); !strings.Contains(text, "regel 12, 3456 bytes") {
		t.Errorf("the place is missing:\n%s", text)
	}
}

// FuzzReason: any words from outside give a page that is whole and known for its own.
func FuzzReason(f *testing.F) {
	f.Add("not-valid", "put.xml", "text", int64(1), 1)
	f.Add("document-notBRO", "../\xff\n", "{detail}", int64(-5), -1)
	f.Add("cancelled", "", "brodaemon 15 sha256:", int64(1)<<62, 1<<30)
	f.Fuzz(func(t *testing.T, code, file, words string, offset int64, line int) {
		r := Reason{
			Code: ReasonCode(code), ID: "7", SHA256: someSHA, File: file, Folder: words, PortalErrors: []string{words, file}, Detail: words,
			Offset: offset, Line: line, DeliveryID: words, Note: file, DuplicateOf: Earlier{File: file},
		}
		d := Document{ID: "7", SHA256: someSHA}
		for language := range languages {
			text := r.Text(language, amsterdam)
			if !utf8.ValidString(text) || !reasonOf([]byte(text), &d) || strings.Count(text, "\r\n") != strings.Count(text, "\n") {
				t.Errorf("%q", text)
			}
			r.Summary(language)
		}
	})
}
