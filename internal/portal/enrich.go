package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Level is how serious a note is.
type Level string

// The levels of a note, as this program calls them; wire.go has the portal's words.
const (
	LevelInfo    Level = "info"
	LevelWarning Level = "warning"
	LevelError   Level = "error"
)

// Levels lists them, the mildest first.
var Levels = []Level{LevelInfo, LevelWarning, LevelError}

// ParseLevel reads one, whatever its case.
func ParseLevel(s string) (Level, error) {
	if l := Level(strings.ToLower(s)); slices.Contains(Levels, l) {
		return l, nil
	}
	return "", fmt.Errorf("there is no level %q; a note is one of %s", clean(s, 80), joinWords(Levels))
}

const (
	// MaxNote bounds a note, in bytes: it is read by people. The portal's own
	// limit is not known.
	MaxNote = 64 << 10
	// MaxAttachmentName bounds a file name that is given to the portal, in bytes.
	MaxAttachmentName = 200
)

const typeText = "text/plain; charset=utf-8"

// AddNote puts a note (text, of people for people) on a delivery, or on one
// document of it if document is not empty. It wants a token for enrichment
// (verrijkingstoken); others are Unauthorized with StatusCode 403.
//
// It must not be repeated after an error with MaybeDone: the portal would show
// the note twice. It was read from the code of one organisation's client
// (portal-api §1.3); what the portal answers beside a 2xx is not known.
func (c *Client) AddNote(ctx context.Context, project ProjectID, delivery, document string, level Level, text string) error {
	path, id := pathNoteOnDelivery, delivery
	if document != "" {
		path, id = pathNoteOnDocument, document
	}
	r, err := c.request(OpAddNote, strings.ReplaceAll(path, "{level}", levelWords[level]), project, id, nil)
	if err == nil {
		err = CheckNote(level, text)
	}
	if err == nil {
		err = r.carry(Body{Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte(text))), nil
		}, Size: int64(len(text))}, typeText)
	}
	if err != nil {
		return local(OpAddNote, err)
	}
	return c.add(ctx, r)
}

// Unfit is why something is no note or no file for a delivery.
type Unfit struct {
	Word UnfitWord // fixed; texts in other languages hang on it
	text string
}

// UnfitWord is one of the constants below.
type UnfitWord string

const (
	UnfitLevel    UnfitWord = "level"
	UnfitEmpty    UnfitWord = "empty"
	UnfitLong     UnfitWord = "long"
	UnfitText     UnfitWord = "text"
	UnfitNoName   UnfitWord = "no-name"
	UnfitLongName UnfitWord = "long-name"
	UnfitName     UnfitWord = "name"
	UnfitSlash    UnfitWord = "slash"
)

func (u *Unfit) Error() string { return u.text }

func unfit(word UnfitWord, format string, args ...any) error {
	return &Unfit{word, fmt.Sprintf(format, args...)}
}

// CheckNote says what keeps a text from being a note, before anything is sent; *Unfit.
func CheckNote(level Level, text string) error {
	switch {
	case levelWords[level] == "":
		return unfit(UnfitLevel, "%q is no level of a note", clean(string(level), 80))
	case strings.TrimSpace(text) == "":
		return unfit(UnfitEmpty, "the note is empty")
	case len(text) > MaxNote:
		return unfit(UnfitLong, "the note has %d bytes; more than %d is no note: attach it as a file", len(text), MaxNote)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return unfit(UnfitText, "the note is not text in UTF-8: save it as UTF-8")
	}
	return nil
}

// Attach adds a file to a delivery, under a name; its bytes are streamed with
// their known length. Token, repeating and source are as for [Client.AddNote].
func (c *Client) Attach(ctx context.Context, project ProjectID, delivery, name string, body Body) error {
	r, err := c.request(OpAttach, pathAttachment, project, delivery, nil)
	if err == nil {
		err = CheckAttachmentName(name)
	}
	if err == nil {
		// the name is one segment, whatever it holds
		r.url.RawPath = strings.ReplaceAll(r.url.Path, "{name}", url.PathEscape(name))
		r.url.Path = strings.ReplaceAll(r.url.Path, "{name}", name)
		err = r.carry(body, typeBytes)
	}
	if err != nil {
		return local(OpAttach, err)
	}
	return c.add(ctx, r)
}

const typeBytes = "application/octet-stream"

// CheckAttachmentName says what keeps a name from being given to the portal; *Unfit.
func CheckAttachmentName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return unfit(UnfitNoName, "the file has no name")
	case len(name) > MaxAttachmentName:
		return unfit(UnfitLongName, "the file name is longer than %d bytes: give it a shorter one", MaxAttachmentName)
	case !utf8.ValidString(name):
		return unfit(UnfitName, "the file name is not valid UTF-8: rename it")
	case strings.ContainsAny(name, `/\`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return unfit(UnfitSlash, "the file name holds a slash or a control character: rename it")
	}
	return nil
}

// add sends what creates something that nobody needs the address of.
func (c *Client) add(ctx context.Context, r *request) error {
	a, err := c.exchange(ctx, r)
	switch {
	case err != nil:
		return err
	case !a.ok():
		return a.refusal()
	case isPage(a.header, a.body):
		return a.unreadable(nil)
	case !a.sent:
		return a.unreadable(errors.New("a yes before everything was sent"))
	}
	return nil
}

// enriches says whether the act adds something to a delivery that is there.
func (op Op) enriches() bool { return op == OpAddNote || op == OpAttach }

// enrichmentAdvice is what to do about an enrichment that failed; "" if that of
// other acts fits.
func (e *Error) enrichmentAdvice() Advice {
	switch {
	case !e.Op.enriches():
		return ""
	case e.MaybeDone:
		return AdviseMaybeEnriched
	case e.Kind == Unauthorized && e.StatusCode == 403:
		return AdviseEnrichToken
	case e.Kind == Gone:
		return AdviseEnrichNumber
	case e.Kind == Refused:
		return AdviseEnrichRefused
	case e.Kind == Local:
		return AdviseEnrichLocal
	}
	return ""
}
