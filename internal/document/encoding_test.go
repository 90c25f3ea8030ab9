package document

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// The same document in every encoding says the same.
func TestEncodings(t *testing.T) {
	plain := strings.ReplaceAll(addition, `<?xml version="1.0" encoding="UTF-8"?>`, "<?xml version='1.0'?>")
	bare := addition[strings.Index(addition, "<!--"):]
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"UTF-8", []byte(addition), "UTF-8"},
		{"UTF-8 by another spelling", []byte(declare(addition, "utf8")), "UTF-8"},
		{"UTF-8 with mark", []byte("\uFEFF" + addition), "UTF-8"},
		{"UTF-8 with mark alone", []byte("\uFEFF" + plain), "UTF-8"},
		{"UTF-8 by default", []byte(bare), "UTF-8"},
		{"ISO-8859-1", inCharmap(t, declare(addition, "ISO-8859-1"), charmap.ISO8859_1), "ISO-8859-1"},
		{"ISO-8859-1 by another name", inCharmap(t, declare(addition, "latin1"), charmap.ISO8859_1), "ISO-8859-1"},
		{"ISO-8859-1 by another spelling", inCharmap(t, declare(addition, "iso_8859-1"), charmap.ISO8859_1), "ISO-8859-1"},
		{"ISO-8859-15", inCharmap(t, declare(addition, "iso-8859-15"), charmap.ISO8859_15), "ISO-8859-15"},
		{"Windows-1252", inCharmap(t, declare(addition, "Windows-1252"), charmap.Windows1252), "windows-1252"},
		{"Windows-1252 by another name", inCharmap(t, declare(addition, "cp1252"), charmap.Windows1252), "windows-1252"},
		{"US-ASCII", []byte(strings.NewReplacer("ó", "&#xF3;", "é", "&#233;", "<![CDATA[", "", "<b>]]>", "&lt;b&gt;").Replace(declare(addition, "us-ascii"))), "US-ASCII"},
		{"UTF-16LE", inUTF16(declare(addition, "UTF-16"), binary.LittleEndian, true), "UTF-16LE"},
		{"UTF-16BE", inUTF16(declare(addition, "utf-16"), binary.BigEndian, true), "UTF-16BE"},
		{"UTF-16LE by its own name", inUTF16(declare(addition, "UTF-16LE"), binary.LittleEndian, true), "UTF-16LE"},
		{"UTF-16 with mark alone", inUTF16(plain, binary.BigEndian, true), "UTF-16BE"},
		{"UTF-16 with mark and no declaration", inUTF16(bare, binary.LittleEndian, true), "UTF-16LE"},
		{"UTF-16LE without mark", inUTF16(declare(addition, "UTF-16"), binary.LittleEndian, false), "UTF-16LE"},
		{"UTF-16BE without mark", inUTF16(declare(addition, "UTF-16BE"), binary.BigEndian, false), "UTF-16BE"},
	}
	want := mustRead(t, []byte(addition))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRead(t, tt.data)
			if got.Encoding != tt.want {
				t.Errorf("encoding %q, want %q", got.Encoding, tt.want)
			}
			if got.Head != want.Head || got.ObjectID != want.ObjectID || got.ContentFingerprint != want.ContentFingerprint {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if got.Size != int64(len(tt.data)) {
				t.Errorf("size %d, want %d", got.Size, len(tt.data))
			}
		})
	}
}

func TestEncodingsDisagree(t *testing.T) {
	tests := []struct {
		name   string
		data   []byte
		detail string
	}{
		{"UTF-16 said to be UTF-8", inUTF16(addition, binary.LittleEndian, true), "declared UTF-8, the bytes show UTF-16LE"},
		{"UTF-16 said to be UTF-8, no mark", inUTF16(addition, binary.BigEndian, false), "declared UTF-8, the bytes show UTF-16BE"},
		{"UTF-16 the other way round", inUTF16(declare(addition, "UTF-16BE"), binary.LittleEndian, true), "declared UTF-16BE, the bytes show UTF-16LE"},
		{"UTF-16 with nothing said", inUTF16(start+"</registrationRequest>", binary.LittleEndian, false), "UTF-16LE without"},
		{"two marks in UTF-16", inUTF16("\uFEFF"+addition, binary.LittleEndian, true), "second byte order mark"},
		{"UTF-8 said to be UTF-16", []byte(declare(addition, "utf-16")), "declared utf-16, the bytes show one byte per letter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f := faultOf(t, tt.data); f.Kind != WrongEncoding || !strings.Contains(f.Detail, tt.detail) {
				t.Errorf("got %v, want %q", f, tt.detail)
			}
		})
	}
}

// Offsets count the bytes of the file, whatever their encoding.
func TestOffsetsInOtherEncodings(t *testing.T) {
	text := declare(addition, "ENC")
	text = strings.Replace(text, "</GLD_Addition>", "𐐷€ééé\n</GLD_addition>", 1)
	const wrong = "</GLD_addition>"
	at := strings.Index(text, wrong)
	for name, enc := range map[string]func(string) []byte{
		"UTF-8":    func(s string) []byte { return []byte(s) },
		"UTF-16LE": func(s string) []byte { return inUTF16(s, binary.LittleEndian, true) },
		"UTF-16BE": func(s string) []byte { return inUTF16(s, binary.BigEndian, true) },
		"windows-1252": func(s string) []byte {
			return inCharmap(t, strings.ReplaceAll(s, "𐐷", "x"), charmap.Windows1252)
		},
	} {
		label := strings.NewReplacer("LE", "", "BE", "").Replace(name)
		whole := enc(strings.Replace(text, "ENC", label, 1))
		want := len(enc(strings.Replace(text[:at], "ENC", label, 1)))
		f := faultOf(t, whole)
		if f.Kind != NotWellFormed || f.Offset != int64(want) || f.Line != 1+strings.Count(text[:at], "\n") {
			t.Errorf("%s: %v, want byte %d", name, f, want)
		}
	}
}

func TestBrokenUTF16(t *testing.T) {
	good := inUTF16(start+"a", binary.LittleEndian, true)
	tests := []struct {
		name string
		tail string
		kind FaultKind
	}{
		{"second half alone", "\x00\xDC", WrongEncoding},
		{"first half, then a letter", "\x00\xD8a\x00", WrongEncoding},
		{"first half at the end", "\x00\xD8", Incomplete},
		{"half a unit", "a", Incomplete},
		{"first half, then zeros", "\x00\xD8\x00\x00", NULs},
		{"zeros", "\x00\x00", NULs},
		{"no character", "\xFF\xFF", NotWellFormed},
	}
	for _, tt := range tests {
		f := faultOf(t, append(bytes.Clone(good), tt.tail...))
		if f.Kind != tt.kind || f.Offset != int64(len(good)) {
			t.Errorf("%s: %v, want %s at byte %d", tt.name, f, tt.kind, len(good))
		}
	}
}
