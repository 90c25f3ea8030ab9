package archive

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const reasonSuffix = ".reason.txt"

// ReasonCode says why a document is in failed/.
type ReasonCode string

// The reasons that come from the portal, from brodaemon's memory, or from a
// person. Those that come from the file itself are made by [DocumentReason].
const (
	NotValid          ReasonCode = "not-valid"           // the portal's validation said so; nothing was submitted
	RefusedByPortal   ReasonCode = "refused-by-portal"   // it would not take the document; nothing was submitted
	RefusedInDelivery ReasonCode = "refused-in-delivery" // submitted, then refused by a check of the portal or the data owner
	RefusedByRegister ReasonCode = "refused-by-register" // submitted, then refused by the national register
	DuplicateDocument ReasonCode = "duplicate"           // the same bytes as a document under way or delivered
	CancelledByPerson ReasonCode = "cancelled"           // a person gave it up
)

const documentPrefix = "document-"

// DocumentReason is the code of a fault in the file itself, given as the kind
// that package document names ("incomplete", "notWellFormed"). A kind that has
// no words of its own gets general ones, with Reason.Detail in them.
func DocumentReason(kind string) ReasonCode { return ReasonCode(documentPrefix + kind).canonical() }

// HasWords reports whether people are told something particular about the code.
func (c ReasonCode) HasWords() bool {
	_, ok := dutch.reasons[c.canonical()]
	return ok
}

var humps = regexp.MustCompile(`([a-z])([A-Z])`)

// canonical writes a code as all codes are written: document-notBRO becomes
// document-not-bro.
func (c ReasonCode) canonical() ReasonCode {
	c = ReasonCode(strings.ToLower(humps.ReplaceAllString(string(c), "$1-$2")))
	if c == documentPrefix+"doctype-refused" {
		return documentPrefix + "doctype"
	}
	return c
}

// wrongKind are the faults of a file that is something else altogether: the
// place where that showed helps nobody.
var wrongKind = map[ReasonCode]bool{
	"document-empty": true, "document-answer": true, "document-intake-answer": true, "document-soap": true, "document-gef": true,
	"document-zip": true, "document-web-page": true, "document-json": true, "document-pdf": true, "document-not-xml": true,
	"document-bare-body": true, "document-unknown-request": true, "document-not-bro": true,
	"document-unsupported-encoding": true, "document-xml-version": true,
}

// Reason is what a person is told about a document that is in failed/. Empty
// fields are not mentioned.
type Reason struct {
	Code ReasonCode

	ID, SHA256       string // of the document
	File             string // path below the folder, with slashes
	Folder, Project  string
	Environment      string // production, demo, acceptance
	Type, Request    string
	RequestReference string
	BROID            string
	UploadID         string
	DeliveryID       string // a delivery exists at the portal
	PortalDocumentID string
	MaybeSubmitted   bool // cancelled while it was not known whether a delivery exists
	When             time.Time
	PortalErrors     []string // the portal's own words
	DuplicateOf      Earlier  // for DuplicateDocument
	Root             string   // of a document fault: the file's first element; Detail if empty
	Offset           int64    // of the same: bytes from the start of the file
	Line             int      // of the same, from 1
	Detail           string   // what a specialist may ask for, in the program's words
	Note             string   // what the person who decided wrote
}

// Earlier is the first document with the same bytes.
type Earlier struct {
	ID, File          string
	DeliveryID, BROID string
	When              time.Time // taken up
}

// Summary is one sentence that says what happened, for lists and mails.
func (r Reason) Summary(language string) string {
	w := wordsOf(language)
	return r.replacer(w).Replace(r.wording(w).summary)
}

// Text is the whole reason file, in UTF-8 with a byte order mark and lines that
// end in CR LF: it is opened by double-clicking on office computers, where the
// oldest Notepad shows nothing else well. Paragraphs are broken at 78
// characters, since Notepad does not; the portal's words never are. Times are
// in zone and in UTC. Words from outside lose their control characters and
// what exceeds a generous length.
func (r Reason) Text(language string, zone *time.Location) string {
	w := wordsOf(language)
	say := r.wording(w)
	fill := r.replacer(w)
	var p page
	p.title(fill.Replace(say.title))

	p.heading(w.happened)
	p.paragraph("  ", "  ", fill.Replace(say.summary))
	for _, more := range say.more {
		p.paragraph("  ", "  ", fill.Replace(more))
	}
	if place := r.place(w); place != "" {
		p.paragraph("  ", "  ", place)
	}
	if len(r.PortalErrors) > 0 {
		p.heading(w.portalSays)
		p.portalErrors(r.PortalErrors, w)
	}
	p.heading(w.todo)
	steps := say.steps
	if len(r.PortalErrors) > 0 {
		steps = append([]string{w.read}, steps...)
	}
	for i, step := range steps {
		p.paragraph(fmt.Sprintf("  %d. ", i+1), "     ", fill.Replace(step))
	}
	p.heading(w.questions)
	p.paragraph("  ", "  ", w.whom)
	p.blank()
	p.references(r.references(w, zone))
	p.blank()
	p.line(ownMark(&Document{ID: r.ID, SHA256: r.SHA256}))
	return p.text()
}

// wording chooses the words for the code.
func (r Reason) wording(w *words) wording {
	code := r.Code.canonical()
	if code == CancelledByPerson && r.DeliveryID != "" {
		code = cancelledSubmitted
	} else if code == CancelledByPerson && r.MaybeSubmitted {
		code = cancelledUncertain
	}
	if say, ok := w.reasons[code]; ok {
		return say
	}
	if strings.HasPrefix(string(code), documentPrefix) {
		return w.reasons[documentOther]
	}
	return w.reasons[anyOther]
}

// Codes that only choose words.
const (
	cancelledSubmitted ReasonCode = "cancelled, submitted"
	cancelledUncertain ReasonCode = "cancelled, maybe submitted"
	documentOther      ReasonCode = "document, other"
	anyOther           ReasonCode = "other"
)

// replacer fills in what a text calls {file}, {folder} and so on. What it fills
// in is not looked at again, so a file may be called {folder}.
func (r Reason) replacer(w *words) *strings.Replacer {
	folder := clean(r.Folder, 200)
	if dir := path.Dir(r.File); dir != "." {
		folder += "/" + clean(dir, 500)
	}
	or := func(s, otherwise string) string {
		return cmp.Or(strings.TrimRight(clean(s, 500), "."), otherwise)
	}
	return strings.NewReplacer(
		"{file}", clean(path.Base(r.File), 300),
		"{folder}", folder,
		"{delivery}", or(r.DeliveryID, w.unknown),
		"{upload}", or(r.UploadID, w.unknown),
		"{root}", or(cmp.Or(r.Root, r.Detail), w.unknown),
		"{detail}", or(r.Detail, w.unknown),
		"{first}", or(r.DuplicateOf.File, w.unknown),
	)
}

// place says where in the file the fault is. A document without line ends is
// one line, so the byte is always given too.
func (r Reason) place(w *words) string {
	switch {
	case wrongKind[r.Code.canonical()]:
		return ""
	case r.Line > 0 && r.Offset > 0:
		return fmt.Sprintf(w.atLine, r.Line, r.Offset)
	case r.Offset > 0:
		return fmt.Sprintf(w.atByte, r.Offset)
	default:
		return ""
	}
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

type reference struct{ label, value string }

func (r Reason) references(w *words, zone *time.Location) []reference {
	l := &w.labels
	list := []reference{
		{l.file, r.File},
		{l.folder, r.Folder},
		{l.document, r.ID},
		{l.kind, strings.TrimSpace(r.Type + " " + r.Request)},
		{l.requestReference, r.RequestReference},
		{l.broID, r.BROID},
		{l.delivery, r.DeliveryID},
		{l.upload, r.UploadID},
		{l.portalDocument, r.PortalDocumentID},
		{l.project, r.Project},
		{l.environment, w.environment(r.Environment)},
		{l.time, w.date(r.When, zone)},
		{l.timeUTC, utc(r.When)},
		{l.sha256, r.SHA256},
		{l.code, string(r.Code.canonical())},
		{l.detail, r.Detail},
		{l.note, r.Note},
	}
	if r.DuplicateOf != (Earlier{}) {
		first := r.DuplicateOf
		list = append(list,
			reference{l.firstFile, first.File},
			reference{l.firstDocument, first.ID},
			reference{l.firstDelivery, first.DeliveryID},
			reference{l.firstBROID, first.BROID},
			reference{l.firstTime, w.date(first.When, zone)})
	}
	return list
}

// reasonOf reports whether text is the reason of the document.
func reasonOf(text []byte, d *Document) bool {
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	return lines[len(lines)-1] == ownMark(d)
}

// page collects lines.
type page struct{ b strings.Builder }

const pageWidth = 78

func (p *page) line(s string) { p.b.WriteString(s + "\r\n") }
func (p *page) blank()        { p.line("") }
func (p *page) text() string  { return "\uFEFF" + p.b.String() }

func (p *page) title(s string) {
	p.line(s)
	p.line(strings.Repeat("=", min(utf8.RuneCountInString(s), pageWidth)))
}

func (p *page) heading(s string) {
	p.blank()
	p.line(s)
}

// paragraph breaks s between words; a word too long for a line stays whole.
func (p *page) paragraph(first, indent, s string) {
	line := first
	empty := true
	for _, word := range strings.Fields(s) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > pageWidth {
			p.line(line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	p.line(line)
}

// The portal is known to list up to a hundred errors.
const (
	maxPortalErrors = 200
	maxPortalError  = 2000 // bytes
)

func (p *page) portalErrors(list []string, w *words) {
	for i, text := range list {
		if i == maxPortalErrors {
			p.line("  - " + fmt.Sprintf(w.andMore, len(list)-i))
			return
		}
		p.line("  - " + clean(text, maxPortalError))
	}
}

func (p *page) references(list []reference) {
	width := 0
	for _, r := range list {
		width = max(width, utf8.RuneCountInString(r.label))
	}
	for _, r := range list {
		if value := clean(r.value, 1000); value != "" {
			p.line("  " + r.label + strings.Repeat(" ", width-utf8.RuneCountInString(r.label)) + " : " + value)
		}
	}
}

// clean makes words from outside fit for one line of text: no control or
// direction characters, and at most limit bytes.
func clean(s string, limit int) string {
	cutOff := false
	if len(s) > limit {
		s, cutOff = s[:limit], true
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) || r == '\uFEFF' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
	if cutOff {
		s = strings.TrimSuffix(s, "\uFFFD") + "…"
	}
	return s
}

// languages are the words for people, by the configuration's name of the language.
var languages = map[string]*words{"nl": &dutch, "en": &english}

// wordsOf is in Dutch if the language is not known, as the configuration's default is.
func wordsOf(language string) *words {
	if w, ok := languages[language]; ok {
		return w
	}
	return &dutch
}

// words are all texts of one language.
type words struct {
	happened, portalSays, todo, questions string // headings
	read                                  string // first step if the portal said something
	whom                                  string // to ask
	unknown                               string
	atLine, atByte                        string // formats: line, byte; byte
	andMore                               string // format: number
	months                                [12]string
	labels                                labels
	reasons                               map[ReasonCode]wording
	hints                                 map[Kind]string   // what to do about an Error
	environments                          map[string]string // by the configuration's names
	otherPortal                           string            // format: host
}

// wording is what one reason says. {file}, {folder}, {delivery}, {upload},
// {root}, {detail} and {first} are filled in.
type wording struct {
	title   string
	summary string   // what happened, in one sentence
	more    []string // further paragraphs
	steps   []string // what to do now, in that order
}

type labels struct {
	file, folder, document, kind, requestReference, broID, delivery, upload, portalDocument, project, environment,
	time, timeUTC, sha256, code, detail, note, firstFile, firstDocument, firstDelivery, firstBROID, firstTime string
}

// Environment is the name of an environment (production, "other (HOST)") in a language.
func Environment(language, name string) string { return wordsOf(language).environment(name) }

func (w *words) environment(name string) string {
	if host, other := strings.CutPrefix(name, "other ("); other {
		return fmt.Sprintf(w.otherPortal, strings.TrimSuffix(host, ")"))
	}
	return cmp.Or(w.environments[name], name)
}

// date is a moment in the words of the language, or "" if there is none.
func (w *words) date(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(zone)
	return strconv.Itoa(t.Day()) + " " + w.months[t.Month()-1] + t.Format(" 2006, 15:04")
}
