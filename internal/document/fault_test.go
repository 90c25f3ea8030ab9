package document

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

const start = `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1">`

// faults are files that are no request. A place is given as the text that
// stands there, or as the end of the file if that is "".
var faults = []struct {
	name, text string
	kind       FaultKind
	at         string
	line       int
	detail     string // part of it
}{
	{"empty", "", Empty, "", 1, ""},
	{"blank", " \r\n\t\n", Empty, "", 3, "white space"},
	{"only a mark", "\xEF\xBB\xBF", Empty, "", 1, ""},
	{"half a mark", "\xEF\xBB", Incomplete, "\xEF", 1, "inside a character"},
	{"half a UTF-16 mark", "\xFF", Incomplete, "\xFF", 1, "byte order mark"},

	{"cut off in the declaration", `<?xml version="1.0" enc`, Incomplete, "", 1, "declaration"},
	{"cut off early in the declaration", `<?xm`, Incomplete, "", 1, "declaration"},
	{"cut off after the declaration", "<?xml version=\"1.0\"?>\n", Incomplete, "", 2, "no root"},
	{"cut off in a tag", start + "\n<sourceDoc", Incomplete, "", 2, "a tag"},
	{"cut off in an end tag", start + "</regis", Incomplete, "", 1, "a tag"},
	{"cut off in a value", start + `<a b="c`, Incomplete, "", 1, "a tag"},
	{"cut off in text", start + "<a>x\r\r\n", Incomplete, "", 3, "inside a"},
	{"cut off in a comment", start + "<!-- x -", Incomplete, "", 1, "a comment"},
	{"cut off before a comment ends", start + "<!-- x --", Incomplete, "", 1, "a comment"},
	{"cut off in a CDATA section", start + "<![CDATA[ x ]]", Incomplete, "", 1, "CDATA"},
	{"cut off before a CDATA section", start + "<![CDA", Incomplete, "", 1, "a tag"},
	{"cut off in a reference", start + "&am", Incomplete, "", 1, "a reference"},
	{"cut off in an instruction", start + "<?a b?", Incomplete, "", 1, "instruction"},
	{"cut off in the name of an instruction", start + "<?a", Incomplete, "", 1, "instruction"},
	{"cut off in a DOCTYPE", "<!DOC", Incomplete, "", 1, "a tag"},
	{"cut off after <", start + "<", Incomplete, "", 1, "a tag"},
	{"cut off in a character", start + "\xC3", Incomplete, "\xC3", 1, "a character"},
	{"cut off before ]]>", start + "]]", Incomplete, "", 1, "registrationRequest"},

	{"zeros only", strings.Repeat("\x00", 5000), NULs, "\x00", 1, ""},
	{"zeros behind the first byte", "<\x00\x00\x00\x00\x00", NULs, "\x00", 1, ""},
	{"zeros behind the mark", "\xEF\xBB\xBF\x00\x00", NULs, "\x00", 1, ""},
	{"zeros behind a UTF-16 mark", "\xFF\xFE\x00\x00\x00\x00", NULs, "\x00", 1, ""},
	{"zeros in the declaration", `<?xml version="1.0"` + "\x00\x00", NULs, "\x00", 1, ""},
	{"zeros in a tag", start + "\n<a b='\x00", NULs, "\x00", 2, ""},
	{"zeros in text", start + "abc\x00\x00", NULs, "\x00", 1, ""},
	{"zeros after the root", start + "</registrationRequest>\n\x00\x00", NULs, "\x00", 2, ""},

	{"end tag of another element", start + "<a>\n</b></a>", NotWellFormed, "</b>", 2, "end tag b"},
	{"end tag in another case", start + "<a></A>", NotWellFormed, "</A>", 1, "end tag A"},
	{"end tag alone", "</a>", NotWellFormed, "</a>", 1, "no start tag"},
	{"end tag after the root", start + "</registrationRequest></a>", NotWellFormed, "</a>", 1, "no start tag"},
	{"end tag with an attribute", start + "<a></a b=''>", NotWellFormed, "b=''", 1, "end tag"},
	{"end tag without a name", start + "</>", NotWellFormed, ">", 1, "end tag"},
	{"no name in a tag", start + "< a>", NotWellFormed, "< a", 1, "&lt;"},
	{"less-than in text", start + "1<2", NotWellFormed, "<2", 1, "&lt;"},
	{"less-than in a value", start + "<a b='1<2'/>", NotWellFormed, "<2", 1, "< inside"},
	{"missing quote", start + "<a b='1/>\n<c/>", NotWellFormed, "<c/>", 2, "< inside"},
	{"tag not closed", start + "<a\n<b>", NotWellFormed, "<b>", 2, "< inside"},
	{"ampersand in text", start + "Jansen & Zn", NotWellFormed, "& Zn", 1, "&amp;"},
	{"ampersand at the end of a word", start + "A&B</a>", NotWellFormed, "&B<", 1, "&amp;"},
	{"ampersand in a value", start + "<a b='1&2'/>", NotWellFormed, "&2", 1, "&amp;"},
	{"endless reference", start + "&" + strings.Repeat("a", 100) + ";", NotWellFormed, "&aaa", 1, "&amp;"},
	{"entity of HTML", start + "&nbsp;", NotWellFormed, "&nbsp;", 1, "&nbsp;"},
	{"reference to no character", start + "&#0;", NotWellFormed, "&#0;", 1, "&#0;"},
	{"reference to a control character", start + "&#x1F;", NotWellFormed, "&#x1F;", 1, "&#x1F;"},
	{"reference to half a character", start + "&#xD800;", NotWellFormed, "&#xD800;", 1, ""},
	{"reference beyond Unicode", start + "&#x110000;", NotWellFormed, "&#x110000;", 1, ""},
	{"reference without a number", start + "&#;", NotWellFormed, "&#;", 1, ""},
	{"reference with a capital X", start + "&#X41;", NotWellFormed, "&#X41;", 1, ""},
	{"reference outside the root", start + "</registrationRequest>&#32;", NotWellFormed, "&#32;", 1, "after the end"},
	{"control character", start + "\na\x01b", NotWellFormed, "\x01", 2, "U+0001"},
	{"no character of Unicode", start + "\uFFFE", NotWellFormed, "\uFFFE", 1, "U+FFFE"},
	{"]]> in text", start + "a]]>b", NotWellFormed, "]]>", 1, "]]>"},
	{"-- in a comment", start + "<!-- a -- b -->", NotWellFormed, " b -->", 1, "--"},
	{"comment that ends on --->", start + "<!-- a --->", NotWellFormed, "->", 1, "--"},
	{"other markup", start + "<!ELEMENT a ANY>", NotWellFormed, "<!EL", 1, "<!"},
	{"CDATA outside the root", "<![CDATA[x]]>", NotWellFormed, "<![", 1, "CDATA"},
	{"attribute without value", start + "<a b>", NotWellFormed, ">", 1, "no value"},
	{"attribute without quotes", start + "<a b=c>", NotWellFormed, "c>", 1, "quotes"},
	{"attributes without white space", start + `<a b="1"c="2"/>`, NotWellFormed, `c="2"`, 1, "white space"},
	{"slash in a tag", start + `<a / b="1">`, NotWellFormed, `/ b`, 1, "attribute"},
	{"attribute twice", start + `<a b="1" c="" b="2"/>`, NotWellFormed, `b="2"`, 1, "b occurs twice"},
	{"attribute twice by namespace", start + `<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`, NotWellFormed, `q:b`, 1, "q:b occurs twice"},
	{"declaration of a prefix twice", start + `<a xmlns:p="u" xmlns:p="v"/>`, NotWellFormed, `xmlns:p="v"`, 1, "twice"},
	{"prefix not declared", start + "\n<gml:pos/>", NotWellFormed, "gml:pos", 2, "prefix gml"},
	{"prefix of an attribute not declared", start + "<a gml:id='1'/>", NotWellFormed, "gml:id", 1, "prefix gml"},
	{"prefix no longer declared", start + "<a xmlns:p='u'/><p:b/>", NotWellFormed, "p:b", 1, "prefix p"},
	{"prefix declared as nothing", start + "<a xmlns:p=''/>", NotWellFormed, "xmlns:p", 1, "nothing"},
	{"prefix xmlns declared", start + "<a xmlns:xmlns='u'/>", NotWellFormed, "xmlns:xmlns", 1, "xmlns"},
	{"prefix xml for another namespace", start + "<a xmlns:xml='u'/>", NotWellFormed, "xmlns:xml", 1, "xml"},
	{"two colons", start + "<a:b:c/>", NotWellFormed, "a:b:c", 1, "not a name"},
	{"colon first", start + "<:a/>", NotWellFormed, ":a", 1, "not a name"},
	{"colon last", start + "<xml:/>", NotWellFormed, "xml:/", 1, "not a name"},
	{"colon last in an attribute", start + "<a xmlns:=''/>", NotWellFormed, "xmlns:=", 1, ""},
	{"digit first in a local name", start + "<xml:1/>", NotWellFormed, "xml:1", 1, "not a name"},
	{"text after the root", start + "</registrationRequest>\n x", NotWellFormed, "x", 2, "after the end"},
	{"bracket after the root", start + "</registrationRequest>\n]", NotWellFormed, "]", 2, "after the end"},
	{"less-than after the root", start + "</registrationRequest>\n<5", NotWellFormed, "<5", 2, "after the end"},
	{"end tag of a long name", start + "<a></" + strings.Repeat("é", 99) + ">", NotWellFormed, "</é", 1, "éé…"},
	{"text before the root", "<?xml version='1.0'?>\nx" + start, NotWellFormed, "x", 2, "before the root"},
	{"instruction without a name", start + "<? a?>", NotWellFormed, " a?", 1, "without a name"},
	{"instruction with a bad name", start + "<?a+?>", NotWellFormed, "+?", 1, "bad name"},
	{"instruction with a colon", start + "<?a:b?>", NotWellFormed, "a:b", 1, "colon"},
	{"instruction with an endless name", start + "<?" + strings.Repeat("a", 300) + "?>", NotWellFormed, "<?a", 1, "endless"},
	{"white space before the declaration", "\n<?xml version='1.0'?>" + start, NotWellFormed, "<?xml", 2, "beginning"},
	{"declaration inside the root", start + "<?xml version='1.0'?>", NotWellFormed, "<?xml", 1, "beginning"},
	{"declaration without version", "<?xml encoding='utf-8'?><a/>", NotWellFormed, "<?xml", 1, "declaration"},
	{"declaration in another order", "<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>", NotWellFormed, "<?xml", 1, "declaration"},
	{"declaration without end", "<?xml version='1.0'" + strings.Repeat(" ", 5000) + "?>" + start, NotWellFormed, "<?xml", 1, "declaration"},
	{"letter outside ASCII in the declaration", "<?xml version='1.0' naam='é'?>" + start, NotWellFormed, "<?xml", 1, "declaration"},
	{"merge conflict", "<<<<<<< HEAD\n" + start, NotWellFormed, "<<<<", 1, "merge conflict"},

	{"DOCTYPE with a file", "<?xml version='1.0'?>\n<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + start, DoctypeRefused, "<!DOC", 2, ""},
	{"DOCTYPE with entities", "<!DOCTYPE a [<!ENTITY b 'c'>]>" + start, DoctypeRefused, "<!DOC", 1, ""},
	{"DOCTYPE inside the root", start + "<!DOCTYPE html>", DoctypeRefused, "<!DOC", 1, ""},
	{"second root", start + "</registrationRequest>\n" + start, SecondRoot, "<registrationRequest xmlns", 2, "registrationRequest"},
	{"second document", start + "</registrationRequest>\n<?xml version='1.0'?>" + start, SeveralDocuments, "<?xml", 2, ""},
	{"too deep", start + strings.Repeat("<a>", 255) + "<b>", TooDeep, "<b>", 1, "256"},
	{"endless tag", start + "<a b='" + strings.Repeat("x", 1<<20) + "'/>", TagTooLarge, "<a b", 1, "1 MB"},
	{"endless attributes", start + "<a" + manyAttributes(1001) + "/>", TagTooLarge, "b1001=", 1, "1000"},
	{"endless namespaces", start + "<a" + strings.ReplaceAll(manyAttributes(999), "b", "xmlns:b") + "><a xmlns:q='u'>", TagTooLarge, "<a xmlns:q", 1, "open elements"},
	{"endless names", start + strings.Repeat("<"+strings.Repeat("n", 100_000)+">", 11), TagTooLarge, "", 1, "open elements"},
	{"endless CDATA section in the head", start + "<broId><![CDATA[" + strings.Repeat("x", 1<<20+9), HeadTooLarge, "", 1, ""},
	{"endless reference field", start + "<requestReference>" + strings.Repeat("x", 1<<20+1), HeadTooLarge, "", 1, ""},

	{"encoding never heard of", "<?xml version='1.0' encoding='utf-7'?>" + start, UnsupportedEncoding, "<?xml", 1, "utf-7"},
	{"UTF-32 by its mark", "\xFF\xFE\x00\x00<\x00\x00\x00?\x00\x00\x00", UnsupportedEncoding, "\xFF", 1, "UTF-32"},
	{"UTF-32 without a mark", "\x00\x00\x00<\x00\x00\x00?", UnsupportedEncoding, "\x00", 1, "UTF-32"},
	{"two marks", "\xEF\xBB\xBF\xEF\xBB\xBF" + start, WrongEncoding, "\xEF\xBB\xBF<", 1, "second"},
	{"Windows-1252 without a declaration", start + "\nv\xF3\xF3r", WrongEncoding, "\xF3", 2, "0xF3 is not UTF-8"},
	{"Windows-1252 said to be UTF-8", "<?xml version='1.0' encoding='UTF-8'?>" + start + "\x80", WrongEncoding, "\x80", 1, "0x80 is not UTF-8"},
	{"UTF-8 said to be UTF-16", "<?xml version='1.0' encoding='utf-16'?>" + start, WrongEncoding, "<?xml", 1, "utf-16"},
	{"UTF-8 by its mark said to be ISO-8859-1", "\xEF\xBB\xBF<?xml version='1.0' encoding='ISO-8859-1'?>" + start, WrongEncoding, "<?xml", 1, "show UTF-8"},
	{"not ASCII", "<?xml version='1.0' encoding='US-ASCII'?>" + start + "\xE9", WrongEncoding, "\xE9", 1, "US-ASCII"},
	{"byte that Windows-1252 lacks", "<?xml version='1.0' encoding='cp1252'?>" + start + "\x81", WrongEncoding, "\x81", 1, "windows-1252"},
	{"long form of a character", start + "\xC0\xAF", WrongEncoding, "\xC0", 1, ""},
	{"half a UTF-16 character in UTF-8", start + "\xED\xA0\x80", WrongEncoding, "\xED", 1, ""},
	{"XML 1.1", "<?xml version='1.1'?>" + start, XMLVersion, "<?xml", 1, "1.1"},

	{"downloaded answer", "<?xml version='1.0'?>\n<d:dispatchDataResponse xmlns:d='http://www.broservices.nl/xsd/dscpt/1.1'>", Answer, "<d:", 2, "dispatchDataResponse (http://www.broservices.nl/xsd/dscpt/1.1)"},
	{"downloaded answer without namespace", "<dispatchCharacteristicsResponse/>", Answer, "<disp", 1, "dispatchCharacteristicsResponse"},
	{"object of a downloaded answer", "<CPT_O xmlns='http://www.broservices.nl/xsd/dscpt/1.1'/>", Answer, "<CPT", 1, "CPT_O"},
	{"intakeResponse", "<intakeResponse xmlns='http://www.broservices.nl/xsd/isgld/1.0'/>", IntakeAnswer, "<intake", 1, "intakeResponse"},
	{"parseFault", "<x:parseFault xmlns:x='http://www.broservices.nl/xsd/isgld/1.0'/>", IntakeAnswer, "<x:", 1, "parseFault"},
	{"SOAP 1.1", "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'>", SOAP, "<s:", 1, "Envelope"},
	{"SOAP 1.2", "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'>", SOAP, "<s:", 1, "Envelope"},
	{"body without its request", "<!-- x --><CPT xmlns='http://www.broservices.nl/xsd/iscpt/1.1'>", BareBody, "<CPT", 1, "CPT (http://www.broservices.nl/xsd/iscpt/1.1)"},
	{"body in a common namespace", "<g:GUF_NewLicence xmlns:g='http://www.broservices.nl/xsd/gufcommon/1.0'/>", BareBody, "<g:", 1, "GUF_NewLicence"},
	{"sourceDocument without its request", "<sourceDocument xmlns='http://www.broservices.nl/xsd/isgld/1.0'/>", BareBody, "<source", 1, "sourceDocument"},
	{"request for data", "<dispatchDataRequest xmlns='http://www.broservices.nl/xsd/dsgld/1.0'/>", UnknownRequest, "<disp", 1, "dispatchDataRequest"},
	{"no namespace", "<registrationRequest><!-- alles in 1 keer --></registrationRequest>", NotBRO, "<reg", 1, "registrationRequest"},
	{"another namespace", "<registrationRequest xmlns='https://www.broservices.nl/xsd/isgld/1.0'/>", NotBRO, "<reg", 1, "https://"},
	{"namespace with a line end", "<a xmlns='urn:&#10;x'/>", NotBRO, "<a", 1, "a (urn: x)"},
	{"other XML", "<gml:Dictionary xmlns:gml='http://www.opengis.net/gml/3.2'/>", NotBRO, "<gml", 1, "Dictionary"},

	{"GEF", "#GEFID = 1, 1, 0\r\n#COLUMN = 3", GEF, "#GEFID", 1, ""},
	{"GEF after blank lines", "\r\n\r\n#PROJECTID= x", GEF, "#PROJ", 3, ""},
	{"ZIP", "PK\x03\x04\x14\x00\x00", ZIP, "PK", 1, "ZIP"},
	{"gzip", "\x1F\x8B\x08\x00", ZIP, "\x1F", 1, "gzip"},
	{"7z", "7z\xBC\xAF\x27\x1C\x00", ZIP, "7z", 1, "7z"},
	{"RAR", "Rar!\x1A\x07\x01", ZIP, "Rar", 1, "RAR"},
	{"web page", "\r\n<!doctype HTML>\n<html>", WebPage, "<!doc", 2, ""},
	{"old web page", `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">`, WebPage, "<!DOC", 1, ""},
	{"web page without DOCTYPE", "<HTML lang=nl><body bgcolor=white>", WebPage, "<HTML", 1, ""},
	{"JSON", ` {"timestamp":"2026-11-23","status":401}`, JSON, "{", 1, ""},
	{"JSON list", `["a"]`, JSON, "[", 1, ""},
	{"PDF", "%PDF-1.7\n", PDF, "%", 1, ""},
	{"a number", "42\n", NotXML, "42", 1, `"42"`},
	{"plain text", "Beste collega,\r\n", NotXML, "Beste", 1, `"Beste collega,"`},
	{"old Office document", "\xD0\xCF\x11\xE0\xA1\xB1", NotXML, "\xD0", 1, "0xD0"},
	{"binary", "\x01\x02\x03", NotXML, "\x01", 1, "U+0001"},
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " b%d='%d'", i+1, i)
	}
	return b.String()
}

func TestFaults(t *testing.T) {
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			f := faultOf(t, []byte(tt.text))
			if f.Kind != tt.kind || !strings.Contains(f.Detail, tt.detail) {
				t.Errorf("got %s %q, want %s %q", f.Kind, f.Detail, tt.kind, tt.detail)
			}
			if f.Line != tt.line {
				t.Errorf("line %d, want %d", f.Line, tt.line)
			}
			if tt.at != "" {
				if got := tt.text[f.Offset:]; !strings.HasPrefix(got, tt.at) {
					t.Errorf("byte %d, where %.30q stands; want %q", f.Offset, got, tt.at)
				}
			} else if f.Kind == Empty || f.Kind == Incomplete {
				if f.Offset != int64(len(tt.text)) {
					t.Errorf("byte %d, want the end, %d", f.Offset, len(tt.text))
				}
			}
			wantFinal := tt.kind != Empty && tt.kind != Incomplete && tt.kind != NULs && tt.kind != NotWellFormed
			if f.Final() != wantFinal {
				t.Errorf("Final() = %v", f.Final())
			}
			text := f.Error()
			if !strings.HasPrefix(text, kindTexts[tt.kind]) || !strings.HasSuffix(text, fmt.Sprintf("at byte %d (line %d)", f.Offset, f.Line)) || strings.Contains(text, "\n") {
				t.Errorf("Error() = %q", text)
			}
			if len(f.Detail) > 400 {
				t.Errorf("a Detail of %d bytes", len(f.Detail))
			}
		})
	}
}

// Every kind has a text and occurs in the table above.
func TestFaultKinds(t *testing.T) {
	seen := make(map[FaultKind]bool)
	for _, tt := range faults {
		seen[tt.kind] = true
	}
	for kind, text := range kindTexts {
		if !seen[kind] || text == "" {
			t.Errorf("%s: no example, or no text %q", kind, text)
		}
	}
	for kind := range seen {
		if kindTexts[kind] == "" {
			t.Errorf("%s has no text", kind)
		}
	}
}

// While a good document is arriving, by growing or by filling in, nothing may
// be said of it that cannot be taken back.
func TestArrivingIsNeverFinal(t *testing.T) {
	latin := strings.ReplaceAll(declare(addition, "windows-1252"), "ó", "€")
	for name, whole := range map[string][]byte{
		"UTF-8":                  []byte(addition),
		"UTF-8 with mark":        []byte("\uFEFF" + addition),
		"UTF-16LE with mark":     inUTF16(declare(addition, "UTF-16"), binary.LittleEndian, true),
		"UTF-16BE with mark":     inUTF16(declare(addition, "UTF-16"), binary.BigEndian, true),
		"UTF-16LE without mark":  inUTF16(declare(addition, "UTF-16LE"), binary.LittleEndian, false),
		"UTF-16BE without mark":  inUTF16(declare(addition, "UTF-16"), binary.BigEndian, false),
		"Windows-1252":           inCharmap(t, latin, charmap.Windows1252),
		"without a declaration":  []byte(addition[strings.Index(addition, "<!--"):]),
		"with an instruction":    []byte("<?xml-stylesheet a='b'?>" + start + "</registrationRequest>"),
		"with CDATA and DOCTYPE": []byte(start + "<![CDATA[<!DOCTYPE]]></registrationRequest>"),
	} {
		t.Run(name, func(t *testing.T) {
			want := mustRead(t, whole)
			rooted := false             // behind the end of the root a part is whole too
			step := 1 + len(whole)/1000 // odd for UTF-16, so that half characters occur
			if raceDetector {
				step = 9
			}
			for n := 0; n < len(whole); n += step {
				if doc, _ := Read(strings.NewReader(string(whole[:n]))); doc != nil {
					if doc.ContentFingerprint != want.ContentFingerprint {
						t.Fatalf("the first %d bytes are accepted as %+v", n, doc)
					}
					rooted = true
					continue
				}
				if f := faultOf(t, whole[:n]); f.Final() || rooted && f.Kind != Incomplete {
					t.Fatalf("the first %d bytes: %v", n, f)
				}
				if n < 2 {
					continue // no file system hands out single bytes
				}
				filled := append(whole[:n:n], make([]byte, len(whole)-n)...)
				if bytes.Equal(filled, whole) {
					continue
				}
				if f := faultOf(t, filled); f.Final() {
					t.Fatalf("the first %d bytes, then zeros: %v", n, f)
				}
			}
		})
	}
}

// Lines count the same whatever ends them, also where the reader stops between
// CR and LF.
func TestLines(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n"} {
		text := start + strings.Repeat("x"+end, 40_000) + "<"
		f := faultOf(t, []byte(text))
		if f.Kind != Incomplete || f.Line != 40_001 || f.Offset != int64(len(text)) {
			t.Errorf("%q: %v", end, f)
		}
	}
}
