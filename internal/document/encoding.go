package document

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encoding is one way in which a document's characters are written.
type encoding struct {
	name string
	// decode appends the characters of src to dst as UTF-8, as far as they are
	// whole and may stand in XML, and returns how many bytes of src it used.
	// If it stops before something else, that is the fault (without its
	// place); last says that nothing follows src.
	decode func(dst, src []byte, last bool) (out []byte, used int, fault *Fault)
	// width is the number of bytes that decoded text took in the file.
	width func(text []byte) int64
}

var (
	encUTF8        = &encoding{"UTF-8", decodeUTF8, func(b []byte) int64 { return int64(len(b)) }}
	encUTF16LE     = &encoding{"UTF-16LE", decodeUTF16(1, 0), widthUTF16}
	encUTF16BE     = &encoding{"UTF-16BE", decodeUTF16(0, 1), widthUTF16}
	encASCII       = singleByte("US-ASCII", nil)
	encLatin1      = singleByte("ISO-8859-1", charmap.ISO8859_1)
	encLatin9      = singleByte("ISO-8859-15", charmap.ISO8859_15)
	encWindows1252 = singleByte("windows-1252", charmap.Windows1252)
)

// declared are the encodings that a declaration can name, by that name in
// lower case without hyphens and underscores. UTF-16 stands apart, since the
// bytes have to show it.
var declared = map[string]*encoding{
	"utf8":        encUTF8,
	"iso88591":    encLatin1,
	"latin1":      encLatin1,
	"l1":          encLatin1,
	"iso885915":   encLatin9,
	"latin9":      encLatin9,
	"windows1252": encWindows1252,
	"cp1252":      encWindows1252,
	"usascii":     encASCII,
	"ascii":       encASCII,
}

// sniffed is what the first bytes of a file show.
type sniffed struct {
	enc    *encoding // UTF-8 stands for all that have the letters of ASCII
	mark   int       // length of the byte order mark
	signed bool      // the encoding is certain without a declaration
}

// sniff looks at the first bytes of a file. The fault (without its place) is
// for a mark that is cut off or of an encoding that is not supported. UTF-32 has to show a
// character besides the mark: with zeros alone it is as likely a file in UTF-16
// of which only the beginning was written.
func sniff(b []byte) (sniffed, *Fault) {
	is := func(start string) bool { return bytes.HasPrefix(b, []byte(start)) }
	switch {
	case is("\xFF\xFE\x00\x00<\x00\x00\x00"), is("\x00\x00\xFE\xFF\x00\x00\x00<"),
		is("<\x00\x00\x00?\x00\x00\x00"), is("\x00\x00\x00<\x00\x00\x00?"):
		return sniffed{}, &Fault{Kind: UnsupportedEncoding, Detail: "UTF-32"}
	case len(b) == 1 && b[0] >= 0xFE:
		return sniffed{}, &Fault{Kind: Incomplete, Detail: "it ends inside a byte order mark"}
	case is("\xEF\xBB\xBF"):
		return sniffed{encUTF8, 3, true}, nil
	case is("\xFF\xFE"):
		return sniffed{encUTF16LE, 2, true}, nil
	case is("\xFE\xFF"):
		return sniffed{encUTF16BE, 2, true}, nil
	case len(b) >= 4 && is("<\x00") && b[2] != 0 && b[3] == 0:
		return sniffed{encUTF16LE, 0, false}, nil
	case len(b) >= 4 && is("\x00<\x00") && b[3] != 0:
		return sniffed{encUTF16BE, 0, false}, nil
	}
	return sniffed{encUTF8, 0, false}, nil
}

// choose makes one encoding of what the bytes show and what the declaration
// says, which is "" if it says nothing.
func (sn sniffed) choose(label string) (*encoding, *Fault) {
	wide := sn.enc == encUTF16LE || sn.enc == encUTF16BE
	known, wantsWide := declared[plainLabel(label)], false
	switch plainLabel(label) {
	case "":
		if wide && !sn.signed {
			return nil, &Fault{Kind: WrongEncoding, Detail: sn.enc.name + " without a byte order mark or a declaration"}
		}
		return sn.enc, nil
	case "utf16":
		known, wantsWide = sn.enc, true
	case "utf16le":
		known, wantsWide = encUTF16LE, true
	case "utf16be":
		known, wantsWide = encUTF16BE, true
	}
	switch {
	case known == nil:
		return nil, &Fault{Kind: UnsupportedEncoding, Detail: short(label)}
	case wide != wantsWide, (wide || sn.signed) && known != sn.enc:
		shown := sn.enc.name
		if !wide && !sn.signed {
			shown = "one byte per letter"
		}
		return nil, &Fault{Kind: WrongEncoding, Detail: fmt.Sprintf("declared %s, the bytes show %s", short(label), shown)}
	}
	return known, nil
}

// plainLabel brings the spellings of a name together: UTF-8 and utf8,
// ISO-8859-1 and iso_8859-1.
func plainLabel(label string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(label))
}

// plain marks the bytes below 0x80 that are characters of XML.
var plain = func() (t [256]bool) {
	for c := range utf8.RuneSelf {
		t[c] = isChar(rune(c))
	}
	return t
}()

// isChar reports whether XML 1.0 allows a character at all.
func isChar(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	}
	return r >= 0xE000 && r <= 0x10FFFF && r != 0xFFFE && r != 0xFFFF
}

// charFault is the fault of a character that XML does not allow.
func charFault(r rune) *Fault {
	if r == 0 {
		return &Fault{Kind: NULs}
	}
	return &Fault{Kind: NotWellFormed, Detail: fmt.Sprintf("the character U+%04X is not allowed in XML", r)}
}

func byteFault(b byte, encoding string) *Fault {
	return &Fault{Kind: WrongEncoding, Detail: fmt.Sprintf("byte 0x%02X is not %s", b, encoding)}
}

func cutCharacter() *Fault {
	return &Fault{Kind: Incomplete, Detail: "it ends inside a character"}
}

func decodeUTF8(dst, src []byte, last bool) ([]byte, int, *Fault) {
	i := 0
	var fault *Fault
scan:
	for i < len(src) {
		if plain[src[i]] {
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			if utf8.FullRune(src[i:]) {
				fault = brokenUTF8(src[i:])
			} else if last {
				fault = cutCharacter()
			}
			break scan
		case !isChar(r):
			fault = charFault(r)
			break scan
		}
		i += n
	}
	return append(dst, src[:i]...), i, fault
}

// brokenUTF8 is the fault of bytes that begin with no character: zeros where a
// character should have gone on are not its sender's fault.
func brokenUTF8(b []byte) *Fault {
	n := 1
	for !utf8.FullRune(b[:n]) {
		n++
	}
	if b[n-1] == 0 {
		return &Fault{Kind: NULs}
	}
	return byteFault(b[0], "UTF-8")
}

// decodeUTF16 makes a decoder for units whose high and low byte stand at the
// given places.
func decodeUTF16(high, low int) func(dst, src []byte, last bool) ([]byte, int, *Fault) {
	return func(dst, src []byte, last bool) ([]byte, int, *Fault) {
		unit := func(i int) rune { return rune(src[i+high])<<8 | rune(src[i+low]) }
		i := 0
		for ; i+2 <= len(src); i += 2 {
			r := unit(i)
			if utf16.IsSurrogate(r) {
				if i+4 > len(src) && r < 0xDC00 {
					break // the other half is still to come
				}
				if r < 0xDC00 && unit(i+2) == 0 {
					return dst, i, &Fault{Kind: NULs}
				}
				if r >= 0xDC00 || utf16.DecodeRune(r, unit(i+2)) == utf8.RuneError {
					return dst, i, &Fault{Kind: WrongEncoding, Detail: fmt.Sprintf("half a UTF-16 character, 0x%04X", r)}
				}
				r = utf16.DecodeRune(r, unit(i+2))
			}
			if !isChar(r) {
				return dst, i, charFault(r)
			}
			dst = utf8.AppendRune(dst, r)
			if r > 0xFFFF {
				i += 2
			}
		}
		if last && i < len(src) {
			return dst, i, cutCharacter()
		}
		return dst, i, nil
	}
}

// widthUTF16 counts two bytes for a character and four for those beyond
// U+FFFF, which are the ones that take four bytes in UTF-8 too.
func widthUTF16(text []byte) int64 {
	var n int64
	for _, c := range text {
		switch {
		case c >= 0xF0:
			n += 4
		case utf8.RuneStart(c):
			n += 2
		}
	}
	return n
}

// singleByte makes an encoding of one byte per character; without a charmap
// only ASCII.
func singleByte(name string, m *charmap.Charmap) *encoding {
	var table [256]rune // utf8.RuneError: no such character
	for c := range table {
		table[c] = utf8.RuneError
		if c < utf8.RuneSelf {
			table[c] = rune(c)
		} else if m != nil {
			table[c] = m.DecodeByte(byte(c))
		}
	}
	decode := func(dst, src []byte, _ bool) ([]byte, int, *Fault) {
		for i, c := range src {
			r := table[c]
			switch {
			case r == utf8.RuneError:
				return dst, i, byteFault(c, name)
			case !isChar(r):
				return dst, i, charFault(r)
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, len(src), nil
	}
	return &encoding{name, decode, func(b []byte) int64 { return int64(utf8.RuneCount(b)) }}
}
