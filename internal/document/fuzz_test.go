package document

import (
	"bytes"
	"encoding/xml"
	"io"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzRead holds Read to what it promises for any bytes at all: no panic, one
// outcome however the bytes come in, a place that lies in the file, and no
// document accepted that encoding/xml finds fault with.
func FuzzRead(f *testing.F) {
	f.Add([]byte(addition))
	f.Add(inUTF16LE([]byte(declare(addition, "UTF-16"))))
	f.Add([]byte(declare(addition, "windows-1252")))
	for _, tt := range faults {
		if len(tt.text) < 2000 {
			f.Add([]byte(tt.text))
			f.Add([]byte(request(tt.text)))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := Read(bytes.NewReader(data))
		for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(data)), iotest.HalfReader(bytes.NewReader(data))} {
			if again, againErr := Read(r); !sameOutcome(doc, err, again, againErr) {
				t.Fatalf("at once: %+v, %v\nin pieces: %+v, %v", doc, err, again, againErr)
			}
		}
		if err != nil {
			fault := err.(*Fault)
			if fault.Offset < 0 || fault.Offset > int64(len(data)) || fault.Line < 1 || !utf8.ValidString(fault.Error()) || kindTexts[fault.Kind] == "" {
				t.Fatalf("bad fault %+v", fault)
			}
			return
		}
		if doc.Request == "" || doc.Namespace == "" || doc.Size != int64(len(data)) {
			t.Fatalf("bad document %+v", doc)
		}
		if doc.Encoding == "UTF-8" && isASCII(data) {
			if err := standardLibrary(data); err != nil {
				t.Fatalf("accepted, but encoding/xml says: %v", err)
			}
		}
	})
}

// isASCII leaves out names with other letters, for which encoding/xml follows
// an older edition of XML.
func isASCII(data []byte) bool {
	for _, c := range data {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// standardLibrary reads a document with encoding/xml.
func standardLibrary(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// What encoding/xml refuses in our examples, Read must refuse too.
func TestNoLaxerThanTheStandardLibrary(t *testing.T) {
	refused := 0
	for _, tt := range faults {
		whole := request(tt.text)
		if !isASCII([]byte(whole)) || standardLibrary([]byte(whole)) == nil {
			continue
		}
		refused++
		if doc, err := read(whole); err == nil {
			t.Errorf("%s: accepted as %+v", tt.name, doc)
		}
	}
	if refused < 30 {
		t.Errorf("only %d examples compared", refused)
	}
}
