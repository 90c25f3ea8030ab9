package document

import (
	"bytes"
	"regexp"
	"strings"
)

// maxDeclaration is how many bytes an XML declaration can have.
const maxDeclaration = 4 << 10

const declarationStart = "<?xml"

// declarationForm is an XML declaration: version, encoding and standalone in
// this order, of which only the first must be there. Its four groups are
// version and encoding, each within either kind of quotes.
var declarationForm = regexp.MustCompile(`^<\?xml\s+version\s*=\s*(?:"([\w.:-]+)"|'([\w.:-]+)')` +
	`(?:\s+encoding\s*=\s*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?` +
	`(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>$`)

// declaration passes over the XML declaration, if there is one, and returns
// the encoding it names. Until that is known, only ASCII can be read of a file
// that shows no other encoding than one with the letters of ASCII.
func (in *input) declaration(shown *encoding) (label string, err error) {
	in.enc = shown
	reading := shown
	if shown == encUTF8 {
		reading = encASCII
	}
	head := in.raw[:min(len(in.raw), maxDeclaration)]
	all := in.last && len(head) == len(in.raw)
	text, _, bad := reading.decode(nil, head, all)

	fail := func(f *Fault, i int) (string, error) {
		in.win = append(in.win, text...)
		return "", in.place(f, i)
	}
	var stop *Fault // why there is no more text, but for its length or a letter outside ASCII
	switch {
	case bad != nil && bad.Kind != WrongEncoding:
		stop = bad
	case bad == nil && all:
		stop = &Fault{Kind: Incomplete, Detail: "it ends inside the XML declaration"}
	}
	if stop != nil && len(text) > 0 && strings.HasPrefix(declarationStart, string(text)) {
		return fail(stop, len(text))
	}
	after, found := bytes.CutPrefix(text, []byte(declarationStart))
	if !found || spaces(after) == 0 {
		return "", nil
	}
	if stop != nil && !bytes.ContainsAny(after, "<>") {
		return fail(stop, len(text))
	}
	end := len(text) - len(after) + bytes.IndexAny(after, "<>") + 1
	parts := declarationForm.FindSubmatch(text[:end])
	if parts == nil {
		return fail(&Fault{Kind: NotWellFormed, Detail: "a malformed XML declaration"}, 0)
	}
	if version := string(parts[1]) + string(parts[2]); version != "1.0" {
		return fail(&Fault{Kind: XMLVersion, Detail: short(version)}, 0)
	}
	in.win, in.raw = append(in.win, text[:end]...), in.raw[shown.width(text[:end]):]
	in.pos = end
	return string(parts[3]) + string(parts[4]), nil
}
