package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"brodaemon/internal/archive"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// This file is about companions: files that were saved with a document
// (put-17.xml.note.txt, put-17.xml.attach.pdf) and are added to its delivery,
// once, after it was submitted (contract §4). They join their document at
// intake, or later while it has no outcome. Nothing here can delay a
// submission, double one, or end a document: whatever goes wrong with a
// companion is said in the receipt.

// Enricher adds notes and files to deliveries; [*portal.Client] is one.
type Enricher interface {
	AddNote(ctx context.Context, project portal.ProjectID, delivery, document string, level portal.Level, text string) error
	Attach(ctx context.Context, project portal.ProjectID, delivery, name string, body portal.Body) error
}

// Companion is a companion file that a watched folder offers.
type Companion struct {
	File    string // path below the folder, with slashes
	Size    int64
	ModTime time.Time
	Open    func() (*os.File, error)
	Check   func(*os.File) error
}

const (
	// maxCompanions and maxCompanion bound what one document can bring with it,
	// so that a slip does not fill the disk of the data folder.
	maxCompanions = 20
	maxCompanion  = 100 << 20
)

const noteSuffix = ".note.txt"

// takeCompanions copies the companions that are there when the document is
// taken in. One that can't be read now may still join later.
func (w *Worker) takeCompanions(a Arrival) (taken []queue.Companion, drafts []*queue.Draft) {
	for _, c := range a.Companions {
		if len(taken) == maxCompanions {
			break
		}
		one, draft, err := w.copyCompanion(c)
		if err != nil {
			w.journal.companionNotTaken(a.Folder, c.File, err)
			continue
		}
		taken, drafts = append(taken, one), append(drafts, draft)
	}
	return taken, drafts
}

// copyCompanion reads a companion into the spool, unsealed. One that is known
// to be no use is not copied (nil), and says why.
func (w *Worker) copyCompanion(c Companion) (queue.Companion, *queue.Draft, error) {
	one := queue.Companion{File: c.File, Note: strings.HasSuffix(strings.ToLower(c.File), noteSuffix), Size: c.Size, ModTime: c.ModTime.UTC()}
	if why, _ := unfit(&one); why != "" {
		one.State, one.Why, one.At = queue.CompanionNot, why, time.Now().UTC()
		return one, nil, nil
	}
	if !utf8.ValidString(c.File) {
		return one, nil, errBadName
	}
	file, err := c.Open()
	if err != nil {
		return one, nil, err
	}
	defer file.Close()
	draft, err := w.spool.NewDraft()
	if err != nil {
		return one, nil, err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(draft, hash), io.LimitReader(file, c.Size+1))
	if err == nil {
		err = c.Check(file)
	}
	if err == nil && n != c.Size {
		err = errReadChanged
	}
	if err != nil {
		draft.Discard()
		return one, nil, err
	}
	one.SHA256, one.Spool = hex.EncodeToString(hash.Sum(nil)), draft.Name()
	return one, draft, nil
}

// unfit says what keeps a file from being added, as far as its name and size tell.
func unfit(c *queue.Companion) (why string, words queue.Words) {
	switch {
	case c.Size == 0:
		return "the file is empty", queue.Say(SayNoteEmpty)
	case c.Note && c.Size > 4*portal.MaxNote: // in another encoding it may be longer than it will be
		return fmt.Sprintf("a note of more than %d bytes is no note: save it as an .attach. file", portal.MaxNote), queue.Say(SayNoteLarge, strconv.Itoa(portal.MaxNote))
	case c.Size > maxCompanion:
		return fmt.Sprintf("it has more than %d MB", maxCompanion>>20), queue.Say(SayFileLarge, strconv.Itoa(maxCompanion>>20))
	case !c.Note:
		if err := portal.CheckAttachmentName(attachmentName(c.File)); err != nil {
			return err.Error(), unfitWords(err)
		}
	}
	return "", nil
}

var errBadName = errors.New("its name is not valid UTF-8: rename it")

// attachmentName is the name that a file gets at the portal: put-17.pdf for
// put-17.xml.attach.pdf, put-17-boorstaat.pdf for put-17.xml.attach.boorstaat.pdf.
func attachmentName(file string) string {
	base := file[strings.LastIndexByte(file, '/')+1:]
	lower := strings.ToLower(base)
	i := strings.Index(lower, ".attach.")
	if i < 0 || len(lower) != len(base) {
		return base
	}
	document, rest := base[:i], base[i+len(".attach."):]
	if strings.HasSuffix(strings.ToLower(document), ".xml") {
		document = document[:len(document)-len(".xml")]
	}
	if strings.Contains(rest, ".") {
		return document + "-" + rest
	}
	return document + "." + rest
}

// sealCompanions makes the companions of an arrival durable. Those that can't
// be are left out; their files are still in the folder.
func (w *Worker) sealCompanions(a *arrived) {
	var drafts []*queue.Draft
	for _, d := range a.companions {
		if d != nil {
			drafts = append(drafts, d)
		}
	}
	if len(drafts) == 0 {
		return
	}
	failed := map[string]bool{}
	for i, err := range w.spool.SealAll(drafts...) {
		if err != nil {
			failed[drafts[i].Name()] = true
			drafts[i].Discard()
			w.journal.companionNotTaken(a.Folder, a.File, err)
		}
	}
	if len(failed) == 0 {
		return
	}
	var kept []queue.Companion
	var keptDrafts []*queue.Draft
	for i, c := range a.item.Companions {
		if !failed[c.Spool] {
			kept, keptDrafts = append(kept, c), append(keptDrafts, a.companions[i])
		}
	}
	a.item.Companions, a.companions = kept, keptDrafts
}

// discardCompanions takes back what was copied: the document was not taken.
func (a *arrived) discardCompanions() {
	for _, d := range a.companions {
		if d != nil {
			d.Discard()
		}
	}
}

func (w *Worker) keepCompanions(a *arrived, it *queue.Item) {
	for _, d := range a.companions {
		if d == nil {
			continue
		}
		if err := d.KeepCompanion(it.ID); err != nil {
			w.journal.notStored(it, err) // the spool finds it under its first name too
		}
	}
}

// AcceptCompanion takes in a companion whose document was taken before: it
// joins as long as that has no outcome. It may be called any number of times
// with the same file, from the folder's one goroutine. A crash after its item was stored leaves
// it joined; one before leaves nothing but a draft that the next start removes.
func (w *Worker) AcceptCompanion(folder, document string, c Companion) Decision {
	it, found, err := w.store.BySource(folder, document)
	switch {
	case err != nil:
		return later(err)
	case !found || !it.Open():
		return Decision{Answer: Later, Reason: "its document is not in the queue yet", Words: queue.Say(SayNotInQueue)}
	}
	for _, has := range it.Companions {
		if has.File != c.File {
			continue
		}
		if has.Size == c.Size && has.ModTime.Equal(c.ModTime) {
			return Decision{Answer: Taken}
		}
		return Decision{Answer: NotYet, Reason: "it was taken in before with other content, and that is what travels with document " + it.ID.String(), Words: queue.Say(SayOtherContent, it.ID.String())}
	}
	switch {
	case !it.Restored().IsZero() && it.State != queue.Queued:
		return Decision{Answer: NotYet, Reason: "the queue was lost and made again, so that it may have been added already: look at the delivery, and add it with `brodaemon delivery note` or `attach`", Words: queue.Say(SayMaybeBefore)}
	case it.State.End():
		return Decision{Answer: NotYet, Reason: "it came too late: document " + it.ID.String() + " has its outcome already", Words: queue.Say(SayTooLate, it.ID.String())}
	case len(it.Companions) >= maxCompanions:
		return Decision{Answer: NotYet, Reason: fmt.Sprintf("document %s has %d companion files already", it.ID, maxCompanions), Words: queue.Say(SayTooMany, it.ID.String(), strconv.Itoa(maxCompanions))}
	}
	one, draft, err := w.copyCompanion(c)
	if err != nil {
		return later(err)
	}
	if draft != nil {
		if err := w.spool.SealAll(draft)[0]; err != nil {
			draft.Discard()
			return later(err)
		}
	}
	w.crash("companion-sealed")
	after, err := w.store.Apply(it.ID, queue.CompanionTaken(time.Now(), one))
	if err != nil {
		if draft != nil {
			draft.Discard()
		}
		return later(err)
	}
	w.crash("companion-joined")
	if draft != nil {
		if err := draft.KeepCompanion(it.ID); err != nil {
			w.journal.notStored(&after, err)
		}
	}
	return Decision{Answer: Taken}
}

// enrich posts the companions that wait, each once, when the document is
// submitted. It uses up no place at the portal that another document waits for,
// and says nothing to the gates: a token that may not enrich may well deliver.
func (v *visit) enrich(ctx context.Context) (more bool) {
	v.enriched = true
	v.free()
	for i := range v.it.Companions {
		if v.stopping.Err() != nil {
			return false
		}
		if !v.it.Companions[i].State.Settled() && !v.addCompanion(ctx, i) {
			return false
		}
	}
	return !v.it.NextAttempt.After(time.Now())
}

// addCompanion posts one companion. It reports whether what happened could be stored.
func (v *visit) addCompanion(ctx context.Context, i int) bool {
	c := v.it.Companions[i]
	settle := func(state queue.CompanionState, why string, words queue.Words) bool {
		return v.store(queue.CompanionSettled(time.Now(), i, c.File, state, why).Saying(words))
	}
	if c.State == queue.CompanionAdding {
		return settle(queue.CompanionMaybe, "brodaemon was stopped while it was being added; look at the delivery in the portal", queue.Say(SayAddStopped))
	}
	if at := v.it.Restored(); !at.IsZero() && !v.it.Times.Submitted.After(at) {
		return settle(queue.CompanionMaybe, "the queue was lost after the submission and made again; look at the delivery in the portal", queue.Say(SayAddLost))
	}
	post, err := v.posting(&c)
	var bad *unusable
	switch {
	case errors.As(err, &bad):
		return settle(queue.CompanionNot, err.Error(), bad.words)
	case err != nil:
		return v.store(queue.CompanionPostponed(time.Now(), i, err.Error()))
	}
	if !v.store(queue.CompanionIntended(time.Now(), i)) {
		return false
	}
	v.w.crash("companion-intended")
	err = post(v.request(ctx))
	v.w.crash("companion-answered")
	if err == nil {
		return settle(queue.CompanionAdded, "", nil)
	}
	pe := asPortalError(err)
	switch {
	case pe.MaybeDone:
		return settle(queue.CompanionMaybe, told(pe), wordsOf("", pe))
	case pe.Kind == portal.Unavailable, pe.Kind == portal.RateLimited, pe.Kind == portal.Interrupted,
		pe.Kind == portal.Unauthorized && pe.StatusCode != 403 && pe.StatusCode != 404:
		return v.store(queue.CompanionPostponed(time.Now(), i, told(pe)))
	}
	return settle(queue.CompanionNot, told(pe), wordsOf("", pe))
}

// store keeps a fact about a companion and reports whether the visit goes on.
func (v *visit) store(t queue.Transition) bool {
	it, err := v.w.store.Apply(v.it.ID, t)
	if err != nil {
		var te *queue.TransitionError
		if !errors.As(err, &te) {
			v.w.journal.notStored(&v.it, err)
			v.unstored = true
		}
		return false
	}
	v.it = it
	return true
}

// unusable is a companion that will never be one.
type unusable struct {
	why   string
	words queue.Words
}

func (e *unusable) Error() string { return e.why }

// posting prepares the one request for a companion.
func (v *visit) posting(c *queue.Companion) (func(context.Context) error, error) {
	if v.f.Enricher == nil {
		return nil, &unusable{"nothing can be added to deliveries here", queue.Say(SayNoEnricher)}
	}
	id, number := v.it.ID, v.it.Delivery.ID
	if !c.Note {
		return func(ctx context.Context) error {
			return v.f.Enricher.Attach(ctx, v.f.Project, number, attachmentName(c.File), portal.Body{
				Open: func() (io.ReadCloser, error) { return v.w.spool.OpenCompanion(id, c) }, Size: c.Size,
			})
		}, nil
	}
	file, err := v.w.spool.OpenCompanion(id, c)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, 4*portal.MaxNote+1))
	if err != nil {
		return nil, err
	}
	level, text := readNote(data)
	if err := portal.CheckNote(level, text); err != nil {
		return nil, &unusable{err.Error(), unfitWords(err)}
	}
	return func(ctx context.Context) error {
		return v.f.Enricher.AddNote(ctx, v.f.Project, number, "", level, text)
	}, nil
}

// noteWords are the words that a note's first line may begin with to say how serious it is.
var noteWords = map[string]portal.Level{
	"info": portal.LevelInfo, "warning": portal.LevelWarning, "error": portal.LevelError,
	"waarschuwing": portal.LevelWarning, "fout": portal.LevelError,
}

// readNote makes text of a note file, in whatever encoding editors on an
// office's PC save (UTF-8, UTF-16 with its mark, else Windows-1252). A note is
// of level info, unless it begins with "warning:" or "error:".
func readNote(data []byte) (portal.Level, string) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		if text, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data); err == nil {
			data = text
		}
	case !utf8.Valid(data):
		if text, err := charmap.Windows1252.NewDecoder().Bytes(data); err == nil {
			data = text
		}
	}
	text := strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n"))
	if word, rest, found := strings.Cut(text, ":"); found {
		if level, known := noteWords[strings.ToLower(strings.TrimSpace(word))]; known {
			return level, strings.TrimSpace(rest)
		}
	}
	return portal.LevelInfo, text
}

// hadOutcome is why a companion was not added that still waited when its document had its outcome.
const hadOutcome = "the document had its outcome before it could be added"

// companionsOf is what a receipt says of the companions. One that still waits
// when the document has its outcome was not added.
func companionsOf(it *queue.Item) []archive.ReceiptCompanion {
	var all []archive.ReceiptCompanion
	for _, c := range it.Companions {
		r := archive.ReceiptCompanion{File: c.File, SHA256: c.SHA256, Size: c.Size, Outcome: string(c.State), Why: c.Why, At: c.At}
		switch {
		case c.State == queue.CompanionAdding:
			r.Outcome = string(queue.CompanionMaybe)
		case c.State == queue.CompanionWaiting && it.State.End():
			r.Outcome = string(queue.CompanionNot)
			if r.Why == "" {
				r.Why = hadOutcome
			}
		case c.State == queue.CompanionWaiting:
			r.Outcome = "waiting"
		}
		all = append(all, r)
	}
	return all
}

// companionFiles are the companions that lie beside the document's file, by
// name: of one that was renamed since they stay where they are.
func companionFiles(it *queue.Item) []string {
	var files []string
	for _, c := range it.Companions {
		if _, beside := tailOf(it, &c); beside {
			files = append(files, c.File)
		}
	}
	return files
}

// tailOf is what comes behind the document's name in that of a companion beside it.
func tailOf(it *queue.Item, c *queue.Companion) (tail string, beside bool) {
	if len(c.File) <= len(it.File) || !strings.EqualFold(c.File[:len(it.File)], it.File) {
		return "", false
	}
	return c.File[len(it.File):], true
}

// tails are those of all its companions.
func tails(it *queue.Item) []string {
	var all []string
	for _, file := range companionFiles(it) {
		all = append(all, file[len(it.File):])
	}
	return all
}
