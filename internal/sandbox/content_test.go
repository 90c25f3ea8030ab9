package sandbox

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

func TestReadContent(t *testing.T) {
	head := `<b:requestReference> ref 1 </b:requestReference><b:deliveryAccountableParty>12345678</b:deliveryAccountableParty><b:broId>GMW000000100001</b:broId><b:qualityRegime>IMBRO/A</b:qualityRegime>`
	root := func(kind, ns, inner string) string {
		return `<` + kind + ` xmlns="http://www.broservices.nl/xsd/` + ns + `" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">` + inner + `</` + kind + `>`
	}
	for _, test := range []struct {
		name, text string
		want       content
	}{
		{"whole head", root("registrationRequest", "isgmw/1.1", head+`<sourceDocument><GMW_GroundLevel><eventDate><b:date>2024-01-01</b:date></eventDate></GMW_GroundLevel></sourceDocument>`),
			content{request: "registrationRequest", typ: objectTypes["isgmw"], reference: "ref 1", party: "12345678", broID: "GMW000000100001",
				regime: "IMBRO/A", subDocument: "GMW_GroundLevel", eventDate: "2024-01-01"}},
		{"the first broId in the body is not that of the object", root("registrationRequest", "isgld/1.0",
			`<b:requestReference>r</b:requestReference><sourceDocument><GLD_StartRegistration><objectIdAccountableParty>a &amp; b</objectIdAccountableParty><tube><broId>GMW1</broId><objectIdAccountableParty>c</objectIdAccountableParty></tube></GLD_StartRegistration></sourceDocument>`),
			content{request: "registrationRequest", typ: objectTypes["isgld"], reference: "r", subDocument: "GLD_StartRegistration", objectID: "a & b"}},
		{"commented-out fields", root("registrationRequest", "isgmw/1.1", `<!-- <b:broId>GMW9</b:broId> --><b:requestReference>a<!-- x -->b</b:requestReference><sourceDocument/>`),
			content{request: "registrationRequest", typ: objectTypes["isgmw"], reference: "ab"}},
		{"date of a correction behind the body", root("moveRequest", "isgmn/1.0", head+`<correctionReason>eigenCorrectie</correctionReason><sourceDocument><GMN_Closure/></sourceDocument><dateToBeCorrected><b:date>2020-01-01</b:date></dateToBeCorrected>`),
			content{request: "moveRequest", typ: objectTypes["isgmn"], reference: "ref 1", party: "12345678", broID: "GMW000000100001", regime: "IMBRO/A",
				correctionReason: "eigenCorrectie", subDocument: "GMN_Closure"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := readContent(strings.NewReader(test.text)); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestContentThatIsNoRequest(t *testing.T) {
	valid := string(well("put"))
	for name, text := range map[string]string{
		"empty": "", "blank": " \n", "text": "GEF-regels", "json": `{"a":1}`, "cut off": valid[:200], "two roots": valid + valid,
		"text behind": valid + "x", "doctype": "<!DOCTYPE a [<!ENTITY x \"y\">]>" + valid, "NUL behind": valid + "\x00",
		"other namespace": strings.Replace(valid, "isgmw", "isxyz", 1), "internal namespace": strings.Replace(valid, "isgmw/1.1", "issad-internal/1.1", 1),
		"answer": strings.ReplaceAll(valid, "registrationRequest", "intakeResponse"), "no namespace": "<registrationRequest/>",
		"correction of a well": strings.ReplaceAll(valid, "registrationRequest", "correctionRequest"),
		"too deep":             strings.Replace(valid, "<GMW_Construction>", "<GMW_Construction>"+strings.Repeat("<a>", 300), 1),
		"not UTF-8":            strings.Replace(valid, "put", "p\xfct", 1), "unknown encoding": `<?xml version="1.0" encoding="ebcdic"?>` + valid,
		"UTF-16 by name only": `<?xml version="1.0" encoding="UTF-16"?>` + valid,
	} {
		if got := readContent(strings.NewReader(text)); got.wellFormed() || !strings.HasPrefix(got.parserText(), "regel: ") {
			t.Errorf("%s: got %+v, want a fault", name, got)
		}
	}
}

func TestEncodings(t *testing.T) {
	text := string(gmw("één", "", "GMW_Construction", "<objectIdAccountableParty>één</objectIdAccountableParty>"))
	utf16le := func(s string) []byte {
		b := []byte{0xFF, 0xFE}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b
	}
	latin, err := charmap.ISO8859_1.NewEncoder().String(`<?xml version="1.0" encoding="ISO-8859-1"?>` + text)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"mark":       append([]byte("\xef\xbb\xbf"), text...),
		"UTF-16":     utf16le(`<?xml version="1.0" encoding="UTF-16"?>` + text),
		"ISO-8859-1": []byte(latin),
	} {
		if got := readContent(bytes.NewReader(data)); !got.wellFormed() || got.reference != "één" || got.objectID != "één" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// Whatever public clients have made can be delivered here.
func TestPublicSamples(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "samples")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no public samples beside the project")
	}
	c := newClient(t, defaults(func(o *Options) { o.UnknownObjects = UnknownObjectsAdopted }))
	tried := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(data) > 200_000 {
			return nil // more of the same, and slow under the race detector
		}
		folder := filepath.Base(filepath.Dir(path))
		got := readContent(bytes.NewReader(data))
		if request := folder != "response" && folder != "cpt-body"; request != got.wellFormed() {
			t.Errorf("%s: request %v, read as %+v", path, request, got)
		} else if !request {
			return nil
		}
		tried++
		c.deliver(data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if tried == 0 || len(c.server.Deliveries()) != tried {
		t.Errorf("%d requests tried, %d deliveries", tried, len(c.server.Deliveries()))
	}
}
