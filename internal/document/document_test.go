package document

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadAddition(t *testing.T) {
	got := mustRead(t, []byte(addition))
	want := Document{
		Head: Head{
			Request:          "registrationRequest",
			Namespace:        "http://www.broservices.nl/xsd/isgld/1.0",
			Type:             "GLD",
			Version:          "1.0",
			RequestReference: "Ronde 3 & 4",
			AccountableParty: "12345678",
			BROID:            "GLD000000100001",
			QualityRegime:    "IMBRO/A",
			UnderPrivilege:   "ja",
		},
		SubDocument:        "GLD_Addition",
		ObjectID:           "Put één, buis 1",
		Encoding:           "UTF-8",
		ContentFingerprint: got.ContentFingerprint,
		Size:               int64(len(addition)),
	}
	if *got != want {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
	if len(got.ContentFingerprint) != 64 {
		t.Errorf("fingerprint %q is no SHA-256", got.ContentFingerprint)
	}
}

func TestHead(t *testing.T) {
	const gmw = "http://www.broservices.nl/xsd/isgmw/1.1"
	tests := []struct {
		name, text string
		want       Document // without fingerprint and size
		newObject  bool
	}{
		{
			name: "default namespace switched on each element",
			text: `<registrationRequest xmlns="` + gmw + `"><broId xmlns="http://www.broservices.nl/xsd/brocommon/3.0">GMW1</broId>` +
				`<sourceDocument><GMW_Owner/></sourceDocument></registrationRequest>`,
			want: Document{Head: Head{Request: "registrationRequest", Namespace: gmw, Type: "GMW", Version: "1.1", BROID: "GMW1"}, SubDocument: "GMW_Owner"},
		},
		{
			name: "prefix on the root, head out of order",
			text: `<x:moveRequest xmlns:x="` + gmw + `"><x:sourceDocument><x:GMW_Shift/></x:sourceDocument><x:broId>GMW2</x:broId>` +
				`<x:requestReference>r</x:requestReference><x:dateToBeCorrected><x:date>2024-02-03</x:date></x:dateToBeCorrected>` +
				`<x:correctionReason codeSpace="urn:x">eigenCorrectie</x:correctionReason></x:moveRequest>`,
			want: Document{Head: Head{Request: "moveRequest", Namespace: gmw, Type: "GMW", Version: "1.1", BROID: "GMW2",
				RequestReference: "r", CorrectionReason: "eigenCorrectie"}, SubDocument: "GMW_Shift", DateToBeCorrected: "2024-02-03"},
		},
		{
			name: "head and body in other namespaces than the root",
			text: `<registrationRequest xmlns="http://www.broservices.nl/xsd/isguf/1.0" xmlns:s="http://www.broservices.nl/xsd/sadcommon/1.1" xmlns:g="http://www.broservices.nl/xsd/gufcommon/1.0">` +
				`<s:requestReference>r</s:requestReference><sourceDocument><g:GUF_NewLicence/></sourceDocument></registrationRequest>`,
			want: Document{Head: Head{Request: "registrationRequest", Namespace: "http://www.broservices.nl/xsd/isguf/1.0", Type: "GUF", Version: "1.0",
				RequestReference: "r"}, SubDocument: "GUF_NewLicence"},
			newObject: true,
		},
		{
			name:      "a broId of white space is none",
			text:      `<registrationRequest xmlns="` + gmw + `"><broId> ` + "\r\n" + ` </broId></registrationRequest>`,
			want:      Document{Head: Head{Request: "registrationRequest", Namespace: gmw, Type: "GMW", Version: "1.1"}},
			newObject: true,
		},
		{
			name:      "the first broId counts, and only those below the root",
			text:      `<registrationRequest xmlns="` + gmw + `"><broId/><broId>GMW3</broId><sourceDocument><a><broId>GMW4</broId></a></sourceDocument></registrationRequest>`,
			want:      Document{Head: Head{Request: "registrationRequest", Namespace: gmw, Type: "GMW", Version: "1.1"}, SubDocument: "a"},
			newObject: true,
		},
		{
			name: "type and kind never seen",
			text: `<withdrawRequest xmlns="http://www.broservices.nl/xsd/isnew-type/7.3/"><sourceDocument/></withdrawRequest>`,
			want: Document{Head: Head{Request: "withdrawRequest", Namespace: "http://www.broservices.nl/xsd/isnew-type/7.3/", Type: "NEW-TYPE", Version: "7.3"}},
		},
		{
			name: "root in brocommon, as a public tool writes it",
			text: `<replaceRequest xmlns="http://www.broservices.nl/xsd/brocommon/3.0"><broId>GUF1</broId></replaceRequest>`,
			want: Document{Head: Head{Request: "replaceRequest", Namespace: "http://www.broservices.nl/xsd/brocommon/3.0", BROID: "GUF1"}},
		},
		{
			name: "type of soil science boreholes",
			text: `<correctionRequest xmlns="http://www.broservices.nl/xsd/isbhr/2.0"/>`,
			want: Document{Head: Head{Request: "correctionRequest", Namespace: "http://www.broservices.nl/xsd/isbhr/2.0", Type: "BHR-P", Version: "2.0"}},
		},
		{
			name: "type of geological boreholes without hyphen",
			text: `<correctionRequest xmlns="http://www.broservices.nl/xsd/isbhrg/3.1"/>`,
			want: Document{Head: Head{Request: "correctionRequest", Namespace: "http://www.broservices.nl/xsd/isbhrg/3.1", Type: "BHR-G", Version: "3.1"}},
		},
		{
			name: "variant for use within the BRO",
			text: `<correctionRequest xmlns="http://www.broservices.nl/xsd/issad-internal/1.0"/>`,
			want: Document{Head: Head{Request: "correctionRequest", Namespace: "http://www.broservices.nl/xsd/issad-internal/1.0", Type: "SAD", Version: "1.0"}},
		},
		{
			name: "value in pieces",
			text: `<deleteRequest xmlns="` + gmw + `"><requestReference>` + "\r\n" + `a<!-- x -->b&lt;<![CDATA[c]]>` + "\r\n" + `d <i>e</i> </requestReference></deleteRequest>`,
			want: Document{Head: Head{Request: "deleteRequest", Namespace: gmw, Type: "GMW", Version: "1.1", RequestReference: "ab<c\nd e"}},
		},
		{
			name: "names and values with all that XML allows",
			text: `<deleteRequest xmlns="` + gmw + `" xml:lang="nl"><é·1 a.b-c_1="&apos;&quot;>"/><requestReference>&quot;&apos;&gt;</requestReference></deleteRequest>`,
			want: Document{Head: Head{Request: "deleteRequest", Namespace: gmw, Type: "GMW", Version: "1.1", RequestReference: `"'>`}},
		},
		{
			name:      "objectIdAccountableParty far down, and not below the root",
			text:      `<registrationRequest xmlns="` + gmw + `"><objectIdAccountableParty>x</objectIdAccountableParty><sourceDocument><a><b><c><objectIdAccountableParty>y</objectIdAccountableParty></c></b></a></sourceDocument></registrationRequest>`,
			want:      Document{Head: Head{Request: "registrationRequest", Namespace: gmw, Type: "GMW", Version: "1.1"}, SubDocument: "a", ObjectID: "y"},
			newObject: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRead(t, []byte(tt.text))
			if (got.ContentFingerprint != "") != (got.SubDocument != "") {
				t.Errorf("fingerprint %q with body %q", got.ContentFingerprint, got.SubDocument)
			}
			if got.NewObject() != tt.newObject {
				t.Errorf("NewObject() = %v, want %v", got.NewObject(), tt.newObject)
			}
			tt.want.Encoding, tt.want.Size, tt.want.ContentFingerprint = "UTF-8", int64(len(tt.text)), got.ContentFingerprint
			if *got != tt.want {
				t.Errorf("got  %+v\nwant %+v", *got, tt.want)
			}
		})
	}
}

// How a reader deals out its bytes must make no difference.
func TestReadersAlike(t *testing.T) {
	texts := []string{addition, request("<a>" + strings.Repeat("x]]&gt; ", 20_000) + "</a>")}
	for _, tt := range faults {
		if len(tt.text) < 10_000 {
			texts = append(texts, tt.text)
		}
	}
	for _, text := range texts {
		want, wantErr := read(text)
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data and error": iotest.DataErrReader,
		} {
			got, err := Read(wrap(strings.NewReader(text)))
			if !sameOutcome(got, err, want, wantErr) {
				t.Errorf("%s: %+v, %v\nat once: %+v, %v\n%.200q", name, got, err, want, wantErr, text)
			}
		}
	}
}

func sameOutcome(a *Document, aErr error, b *Document, bErr error) bool {
	if a != nil && b != nil {
		return *a == *b
	}
	var fa, fb *Fault
	return errors.As(aErr, &fa) && errors.As(bErr, &fb) && *fa == *fb
}

// An error of the reader says nothing about the document.
func TestReaderFails(t *testing.T) {
	gone := errors.New("the share is gone")
	for n := range len(addition) {
		doc, err := Read(io.MultiReader(strings.NewReader(addition[:n]), iotest.ErrReader(gone)))
		var f *Fault
		if doc != nil || !errors.Is(err, gone) || errors.As(err, &f) {
			t.Fatalf("failing after %d bytes: %+v, %v", n, doc, err)
		}
	}
	long := request("<a>" + strings.Repeat("0123456789", 10_000) + "</a>")
	if _, err := Read(io.MultiReader(strings.NewReader(long[:70_000]), iotest.ErrReader(io.ErrUnexpectedEOF))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("failing after 70000 bytes: %v", err)
	}
	if _, err := Read(stuckReader{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

// The caller hashes what Read reads, so Read has to read it all.
func TestReadsToTheEnd(t *testing.T) {
	var seen bytes.Buffer
	doc, err := Read(io.TeeReader(strings.NewReader(addition+strings.Repeat(" ", 100_000)), &seen))
	if err != nil || seen.Len() != len(addition)+100_000 || doc.Size != int64(seen.Len()) {
		t.Errorf("read %d bytes of %d, %+v, %v", seen.Len(), len(addition)+100_000, doc, err)
	}
}

func TestSampleRequests(t *testing.T) {
	var files []string
	for _, kind := range []string{"bhr-gt", "gar", "gld", "gmn", "gmw", "synthetic"} {
		files = append(files, samples(t, kind+"/*.xml")...)
	}
	for _, file := range files {
		dir, name := filepath.Base(filepath.Dir(file)), filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			wantType := dir
			if dir == "synthetic" {
				wantType, _, _ = strings.Cut(name, "_")
			}
			data := readSample(t, file)
			doc := mustRead(t, data)
			if doc.Type != strings.ToUpper(wantType) || doc.Version == "" {
				t.Errorf("type %q version %q, want %q", doc.Type, doc.Version, strings.ToUpper(wantType))
			}
			if doc.RequestReference == "" || doc.QualityRegime == "" || doc.AccountableParty == "" {
				t.Errorf("a head field is missing: %+v", doc.Head)
			}
			if doc.Size != int64(len(data)) {
				t.Errorf("size %d, want %d", doc.Size, len(data))
			}
			// Two files were edited by their makers: they hold no sourceDocument.
			if holds := bytes.Contains(data, []byte("sourceDocument>")); holds != (doc.SubDocument != "") || holds != (doc.ContentFingerprint != "") {
				t.Errorf("body %q, fingerprint %q", doc.SubDocument, doc.ContentFingerprint)
			}
			if doc.Request != "registrationRequest" && doc.BROID == "" {
				t.Errorf("a %s without broId", doc.Request)
			}
		})
	}
}

func TestSampleOthers(t *testing.T) {
	for pattern, want := range map[string]FaultKind{"response/*.xml": Answer, "cpt-body/*.xml": BareBody} {
		for _, file := range samples(t, pattern) {
			data := readSample(t, file)
			f := faultOf(t, data)
			if f.Kind != want || !f.Final() {
				t.Errorf("%s: %v, want %s", file, f, want)
			}
			root, _, _ := strings.Cut(f.Detail, " ")
			if !bytes.HasPrefix(data[f.Offset:], []byte("<"+root)) {
				t.Errorf("%s: the root %q is not at byte %d", file, root, f.Offset)
			}
		}
	}
}

// The two public states of one document differ in their heads alone.
func TestSampleFingerprints(t *testing.T) {
	byPrint := make(map[string]string)
	for _, file := range samples(t, "gld/GLD_StartRegistration*.xml") {
		doc := mustRead(t, readSample(t, file))
		if other, ok := byPrint[doc.ContentFingerprint]; ok {
			t.Errorf("%s and %s have one fingerprint", file, other)
		}
		byPrint[doc.ContentFingerprint] = file
	}
	var prints []string
	for _, file := range samples(t, "gar/*.xml") {
		prints = append(prints, mustRead(t, readSample(t, file)).ContentFingerprint)
	}
	if len(prints) != 2 || prints[0] != prints[1] {
		t.Errorf("two states of one GAR: %q", prints)
	}
}
