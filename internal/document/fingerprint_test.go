package document

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Fingerprints are stored for years; this one was made once and must stay.
func TestFingerprintNeverChanges(t *testing.T) {
	const want = "eca83758b2a31ba51fec9d360e665d4bac5e64c153d31ece1c162e2381d0009a"
	if got := fingerprintOf(t, addition); got != want {
		t.Errorf("fingerprint %s, was %s", got, want)
	}
}

const (
	xlink = ` xmlns:xlink="http://www.w3.org/1999/xlink"`
	xsi   = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	gml   = ` xmlns:gml="http://www.opengis.net/gml/3.2"`
)

func TestFingerprintEqual(t *testing.T) {
	tests := []struct{ name, a, b string }{
		{"comments and instructions", `<a>x y</a>`, `<!-- c --><a>x<!-- c --> <?p q?>y</a>`},
		{"CDATA and references", `<a>&lt;x&gt; é</a>`, `<a>&#60;<![CDATA[x>]]> &#xE9;</a>`},
		{"white space in text", `<a>x y</a>`, "<a>\r\n x \t\r y </a>"},
		{"white space as references", `<a>x y</a>`, "<a>&#10;x&#13;&#9;y&#32;</a>"},
		{"white space between elements", `<a><b/><c/></a>`, "\n<a>\n\t<b />\n<c\n/> </a>\n"},
		{"empty elements", `<a/>`, `<a></a>`},
		{"empty elements with white space", `<a/>`, `<a> </a>`},
		{"order of attributes", `<a c="1" b="2"/>`, `<a b='2' c='1'/>`},
		{"white space in values", `<a b="1 2"/>`, "<a b=' 1&#10;\n\t2 '/>"},
		{"prefixes", `<p:a xmlns:p="u" p:b="1"/>`, `<q:a xmlns:q="u" q:b="1"/>`},
		{"default namespace", `<a xmlns="u"><b/></a>`, `<p:a xmlns:p="u"><p:b/></p:a>`},
		{"unused namespaces", `<a/>`, `<a xmlns:p="u"/>`},
		{"gml:id", `<a/>`, `<a` + gml + ` gml:id="x"/>`},
		{"another gml:id", `<a` + gml + ` gml:id="y"/>`, `<a` + gml + ` gml:id="x"/>`},
		{"id of swe", `<s:DataArray xmlns:s="http://www.opengis.net/swe/2.0" id="x"/>`, `<s:DataArray xmlns:s="http://www.opengis.net/swe/2.0"/>`},
		{"schemaLocation", `<a/>`, `<a` + xsi + ` xsi:schemaLocation="a b"/>`},
		{"local links", `<a` + xlink + ` xlink:href="#x"/>`, `<a` + xlink + ` xlink:href=" #y"/>`},
		{"prefix of a type", `<a` + xsi + ` xmlns:p="u" xsi:type="p:T"/>`, `<a` + xsi + ` xmlns:q="u" xsi:type=" q:T "/>`},
		{"type in the default namespace", `<b:a xmlns:b="u"` + xsi + ` xsi:type="b:T"/>`, `<a xmlns="u"` + xsi + ` xsi:type="T"/>`},
	}
	for _, tt := range tests {
		if fingerprintOf(t, request(tt.a)) != fingerprintOf(t, request(tt.b)) {
			t.Errorf("%s: different\n%s\n%s", tt.name, tt.a, tt.b)
		}
	}
}

func TestFingerprintIgnoresTheHead(t *testing.T) {
	const body = `<sourceDocument><a xmlns="v">x</a></sourceDocument>`
	a := `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1"><requestReference>1</requestReference>` + body + `</registrationRequest>`
	b := `<p:replaceRequest xmlns:p="http://www.broservices.nl/xsd/isgmw/1.2"><p:broId>2</p:broId>` + strings.ReplaceAll(body, "sourceDocument", "p:sourceDocument") + `<p:dateToBeCorrected/></p:replaceRequest>`
	if fingerprintOf(t, a) != fingerprintOf(t, b) {
		t.Error("different")
	}
}

func TestFingerprintDiffers(t *testing.T) {
	bodies := []string{
		`<a/>`, `<a><b/></a>`, `<a/><b/>`, `<a xmlns=""/>`, `<a xmlns="u"/>`, `<b/>`, `<ab/>`,
		`<a>x</a>`, `<a>X</a>`, `<a>x y</a>`, `<a>xy</a>`, `<a>x<b/>y</a>`, `<a>x y<b/></a>`, `<a><b/>x y</a>`,
		`<a b="x"/>`, `<a b=""/>`, `<a c="x"/>`, `<a><b>x</b></a>`, `<a b="x">b</a>`, `<a b="x b"/>`,
		`<a xmlns:p="u" p:b="x"/>`, `<a xmlns:p="v" p:b="x"/>`, `<a b="1" c="2"/>`, `<a b="2" c="1"/>`, `<a b="1 c=2"/>`,
		`<a>1<!-- -->1</a>`, `<a>1 <!-- --> 1</a>`, `<a>-1</a>`, `<a>1.0</a>`,
		`<a id="x"/>`, `<a id="y"/>`, // an id that is not known to be one
		`<a` + xlink + ` xlink:href="#x"/>`, `<a` + xlink + ` xlink:href="x"/>`, `<a` + xlink + ` xlink:href="y"/>`, `<a` + xlink + ` xlink:href=""/>`,
		`<a` + xsi + ` xmlns:p="u" xsi:type="p:T"/>`, `<a` + xsi + ` xmlns:p="v" xsi:type="p:T"/>`, `<a` + xsi + ` xsi:type="p:T"/>`, `<a` + xsi + ` xsi:nil="true"/>`,
		"<a>\u00A0x</a>", // a space, but none of XML's
	}
	seen := make(map[string]string)
	for _, body := range bodies {
		sum := fingerprintOf(t, request(body))
		if other, ok := seen[sum]; ok {
			t.Errorf("the same: %s and %s", body, other)
		}
		seen[sum] = body
	}
}

// node is an element, or text if its name is "".
type node struct {
	space, local string
	attrs        map[[2]string]string // by namespace and local name
	text         string               // words with one space between
	children     []node
}

var (
	words = rapid.StringMatching(`[a-z<&>\]é€0-9]{1,5}( [a-z"'é]{1,5}){0,2}`)
	names = rapid.SampledFrom([]string{"a", "b", "put", "ab"})
	uris  = rapid.SampledFrom([]string{"", "urn:a", "urn:b"})
)

func drawNode(t *rapid.T, depth int) node {
	n := node{space: uris.Draw(t, "space"), local: names.Draw(t, "local"), attrs: make(map[[2]string]string)}
	for range rapid.IntRange(0, 3).Draw(t, "attributes") {
		n.attrs[[2]string{uris.Draw(t, "space"), names.Draw(t, "local")}] = words.Draw(t, "value")
	}
	wasText := false
	for range rapid.IntRange(0, 3).Draw(t, "children") {
		if wasText || depth < 3 && rapid.Bool().Draw(t, "element") {
			n.children = append(n.children, drawNode(t, depth+1))
			wasText = false
			continue
		}
		n.children = append(n.children, node{text: words.Draw(t, "text")})
		wasText = true
	}
	return n
}

// writer writes a tree in one of the many ways that mean the same.
type writer struct {
	bytes.Buffer
	*rapid.T
	prefixes map[string]string // by namespace, those declared at the top
}

func (w *writer) pick(of ...string) string { return rapid.SampledFrom(of).Draw(w.T, "pick") }

func (w *writer) space() {
	w.WriteString(w.pick("", "", " ", "\r\n", "\t", "<!-- <b/> -->", "<?p q?>", "&#32;"))
}

func (w *writer) node(n node, inherited string) {
	if n.local == "" {
		w.text(n.text)
		return
	}
	tag, declared := n.local, ""
	switch {
	case n.space == inherited && w.pick("default", "prefix") == "default" || n.space == "" && inherited == "":
	case n.space != "" && w.pick("default", "prefix") == "prefix":
		tag = w.prefixes[n.space] + ":" + tag
	default:
		declared, inherited = fmt.Sprintf(" xmlns='%s'", n.space), n.space
	}
	var attrs []string
	for _, key := range slices.SortedFunc(maps.Keys(n.attrs), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		name, value := key[1], n.attrs[key]
		if key[0] != "" {
			name = w.prefixes[key[0]] + ":" + name
		}
		attrs = append(attrs, fmt.Sprintf(`%s%s=%s"%s"`, w.pick(" ", "\n  "), name, w.pick("", " "), w.value(value)))
	}
	attrs = append(attrs, declared, w.pick("", ` gml:id="x1"`, ` xsi:schemaLocation="a b"`))
	if len(attrs) > 1 {
		attrs = rapid.Permutation(attrs).Draw(w.T, "order")
	}
	w.WriteString("<" + tag + strings.Join(attrs, "") + w.pick("", " "))
	if len(n.children) == 0 && w.pick("short", "long") == "short" {
		w.WriteString("/>")
		return
	}
	w.WriteString(">")
	for _, child := range n.children {
		w.space()
		w.node(child, inherited)
		w.space()
	}
	w.WriteString("</" + tag + ">")
}

func (w *writer) text(text string) {
	for _, r := range text {
		switch {
		case r == ' ':
			w.WriteString(w.pick(" ", "  ", "\n", "&#x20;", " <!-- c -->"))
		case r == '<' || r == '&' || r == '>' || w.pick("", "", "", "coded") != "":
			w.WriteString(w.pick(fmt.Sprintf("&#%d;", r), fmt.Sprintf("&#x%X;", r), "<![CDATA["+string(r)+"]]>"))
		default:
			w.WriteString(string(r) + w.pick("", "", "", "<!---->"))
		}
	}
}

func (w *writer) value(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == ' ':
			b.WriteString(w.pick(" ", "\n", "&#10;", "  "))
		case strings.ContainsRune(`<&"`, r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func writeRequest(t *rapid.T, n node) []byte {
	w := &writer{T: t}
	w.prefixes = map[string]string{"urn:a": w.pick("p", "q"), "urn:b": w.pick("r", "s")}
	root := w.pick("", "bro:")
	inherited := ""
	if root == "" {
		inherited = "http://www.broservices.nl/xsd/isgmw/1.1"
	}
	fmt.Fprintf(w, `<%[1]sregistrationRequest xmlns%[2]s="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:%[3]s="urn:a" xmlns:%[4]s="urn:b"%[5]s%[6]s>`,
		root, strings.TrimSuffix(":"+root, ":"), w.prefixes["urn:a"], w.prefixes["urn:b"], gml, xsi)
	fmt.Fprintf(w, "<%srequestReference>%d</%[1]srequestReference><%[1]ssourceDocument>", root, rapid.Int().Draw(t, "reference"))
	w.space()
	w.node(n, inherited)
	w.space()
	fmt.Fprintf(w, "</%ssourceDocument></%[1]sregistrationRequest>", root)
	if w.pick("UTF-8", "UTF-16") == "UTF-16" {
		return inUTF16(w.String(), binary.BigEndian, true)
	}
	return w.Bytes()
}

// However a tree is written, it has one fingerprint; and another tree another.
func TestFingerprintProperties(t *testing.T) {
	fingerprint := func(t *rapid.T, data []byte) string {
		doc, err := Read(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		return doc.ContentFingerprint
	}
	rapid.Check(t, func(t *rapid.T) {
		n := drawNode(t, 0)
		one, two := writeRequest(t, n), writeRequest(t, n)
		a, b := fingerprint(t, one), fingerprint(t, two)
		if a != b {
			t.Fatalf("one tree, two fingerprints:\n%s\n%s", one, two)
		}
		changed := change(t, n)
		if three := writeRequest(t, changed); fingerprint(t, three) == a {
			t.Fatalf("two trees, one fingerprint:\n%s\n%s", one, three)
		}
	})
}

// change returns the tree with one thing in it different.
func change(t *rapid.T, n node) node {
	if len(n.children) > 0 && rapid.Bool().Draw(t, "deeper") {
		i := rapid.IntRange(0, len(n.children)-1).Draw(t, "child")
		n.children = slices.Clone(n.children)
		n.children[i] = change(t, n.children[i])
		return n
	}
	if n.local == "" {
		n.text += "x"
		return n
	}
	switch rapid.SampledFrom([]string{"name", "space", "attribute", "child"}).Draw(t, "what") {
	case "name":
		n.local += "x"
	case "space":
		n.space += "urn:a"
		if n.space != "urn:a" {
			n.space = ""
		}
	case "attribute":
		n.attrs = maps.Clone(n.attrs)
		n.attrs[[2]string{"", "extra"}] = "1"
	case "child":
		n.children = append(slices.Clone(n.children), node{local: "extra"})
	}
	return n
}
