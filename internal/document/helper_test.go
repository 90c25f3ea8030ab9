package document

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// A whole request, as field offices have them. It holds what trips simple
// readers: comments with markup in the head, the broId of another object in the
// body, a head of mixed prefixes, CDATA, references and letters outside ASCII.
const addition = `<?xml version="1.0" encoding="UTF-8"?>
<!-- meetronde 3 -->
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgld/1.0"
    xmlns:bc="http://www.broservices.nl/xsd/brocommon/3.0" xmlns:gml="http://www.opengis.net/gml/3.2">
  <!-- <bc:broId>GLD000000099999</bc:broId> -->
  <bc:requestReference> Ronde 3 &amp; 4 </bc:requestReference>
  <requestReference xmlns="http://www.broservices.nl/xsd/brocommon/3.0">te laat</requestReference>
  <bc:deliveryAccountableParty>12345678</bc:deliveryAccountableParty>
  <bc:broId>GLD000000100001</bc:broId>
  <bc:qualityRegime>IMBRO/A</bc:qualityRegime>
  <bc:underPrivilege>ja</bc:underPrivilege>
  <sourceDocument>
    <GLD_Addition gml:id="a1">
      <well><bc:broId>GMW000000100001</bc:broId></well>
      <name><![CDATA[Vóór <b>]]> de&#32;&#x0A;brug</name>
      <objectIdAccountableParty>Put één, buis 1</objectIdAccountableParty>
      <objectIdAccountableParty>een andere</objectIdAccountableParty>
    </GLD_Addition>
  </sourceDocument>
</registrationRequest>
<?klaar?>
`

// request puts a body into a small request.
func request(body string) string {
	return `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1"><sourceDocument>` +
		body + `</sourceDocument></registrationRequest>`
}

func read(text string) (*Document, error) { return Read(strings.NewReader(text)) }

// faultOf reads what must not be readable.
func faultOf(t *testing.T, data []byte) *Fault {
	t.Helper()
	doc, err := Read(bytes.NewReader(data))
	var f *Fault
	if doc != nil || !errors.As(err, &f) {
		t.Fatalf("Read gave %+v, %v; want a fault\n%q", doc, err, data[:min(len(data), 200)])
	}
	return f
}

// mustRead reads what must be readable.
func mustRead(t *testing.T, data []byte) *Document {
	t.Helper()
	doc, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("Read: %v\n%q", err, data[:min(len(data), 200)])
	}
	return doc
}

func fingerprintOf(t *testing.T, text string) string {
	t.Helper()
	return mustRead(t, []byte(text)).ContentFingerprint
}

// inUTF16 encodes text as UTF-16, with a mark if wanted.
func inUTF16(text string, order binary.AppendByteOrder, mark bool) []byte {
	if mark {
		text = "\uFEFF" + text
	}
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func inCharmap(t *testing.T, text string, m *charmap.Charmap) []byte {
	t.Helper()
	out, err := m.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// declare changes the encoding that a document's declaration names.
func declare(text, encoding string) string {
	return strings.Replace(text, `encoding="UTF-8"`, `encoding="`+encoding+`"`, 1)
}

// samples returns the sample documents of a kind that lie outside the project,
// and skips the test where there are none.
func samples(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "samples", filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("NOT TESTED ON REAL DOCUMENTS: no ../shared/samples/%s beside the project", pattern)
	}
	return files
}

func readSample(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func inUTF16LE(text []byte) []byte { return inUTF16(string(text), binary.LittleEndian, true) }
