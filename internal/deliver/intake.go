package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"brodaemon/internal/archive"
	"brodaemon/internal/document"
	"brodaemon/internal/queue"
)

// Arrival is a file that a watched folder offers.
type Arrival struct {
	Folder    string
	File      string // path below the folder, with slashes
	Size      int64
	ModTime   time.Time
	Seen      time.Time     // when it was first seen
	Unchanged time.Duration // how long size and time have been the same, on our clock
	Open      func() (*os.File, error)
	Check     func(*os.File) error // after reading: an error means that it changed meanwhile
	// Companions are the files that were saved with it, as far as they have settled too.
	Companions []Companion
}

// Answer says what became of an offered file.
type Answer string

const (
	// Taken: the file is in the queue; don't offer it again while it is as it is.
	Taken Answer = "taken"
	// NotYet: it is not whole; offer it when it changes, or after Decision.After unchanged.
	NotYet Answer = "not yet"
	// Later: it could not be read or kept just now; offer it at the next scan.
	Later Answer = "later"
)

// Decision is an Answer with its reason.
type Decision struct {
	Answer Answer
	Reason string
	After  time.Duration
	// Words are those of the Reason. nil: it is an error of reading the file or of keeping it, which Err holds.
	Words queue.Words
	Err   error
}

// Accept takes a file in: one pass over its bytes makes the spool copy, the
// hash, the head and the fingerprint; what they say is written behind the copy.
// The copy is then made durable and its item
// stored by keepArrivals, in the order of the calls; nothing more is read from
// the folder. Accept may be called any number of times with the same file, from
// one goroutine per folder.
func (w *Worker) Accept(ctx context.Context, a Arrival) Decision {
	f := w.setup.Load().folders[a.Folder]
	if f == nil {
		return Decision{Answer: Later, Reason: "folder " + a.Folder + " is not configured", Words: queue.Say(SayNoFolder, a.Folder)}
	}
	if !utf8.ValidString(a.File) {
		// it could be read and delivered, but never be found again by the name that the queue stores
		return Decision{Answer: NotYet, Reason: "its name is not valid UTF-8: rename it", Words: queue.Say(SayBadName)}
	}
	if t := f.trouble.Load(); t != nil && time.Since(t.at) < pauseAfterTrouble {
		return later(t.err)
	}
	if why := w.goesElsewhere(f); why.text != "" {
		return Decision{Answer: Later, Reason: why.text, Words: why.words}
	}
	known, err := w.known(a)
	switch {
	case err != nil:
		return w.notTaken(a, err)
	case known:
		return Decision{Answer: Taken}
	}
	if err := w.room.For(a.Size); err != nil {
		return w.notTaken(a, err)
	}
	draft, err := w.spool.NewDraft()
	if err != nil {
		return w.notTaken(a, err)
	}
	it, decision := w.read(a, f, draft)
	if decision.Answer != Taken {
		draft.Discard()
		return decision
	}
	it.Spool = draft.Name()
	if err := draft.Describe(it); err != nil {
		draft.Discard()
		return w.notTaken(a, err)
	}
	taken := arrived{Arrival: a, item: it, draft: draft, of: f}
	taken.item.Companions, taken.companions = w.takeCompanions(a)
	select {
	case f.arrivals <- taken:
		w.journal.taken(a)
		return decision
	case <-ctx.Done():
		draft.Discard()
		taken.discardCompanions()
		return Decision{Answer: Later, Reason: ErrStopping.Error(), Words: queue.Say(SayStopping)}
	}
}

// arrived is a document that was read and copied, but is not in the queue yet.
type arrived struct {
	Arrival
	item       queue.Item
	draft      *queue.Draft
	of         *folder
	companions []*queue.Draft // one for each of item.Companions; nil where its bytes are of no use
}

// together is how many arrivals are made durable at once when they come fast.
const together = 16

// trouble is why arrivals of a folder could not be kept last; for a while
// nothing is taken from it then, and the reason is shown with its files.
type trouble struct {
	err error
	at  time.Time
}

const pauseAfterTrouble = 5 * time.Second

// keepArrivals stores what Accept took from a folder, until ctx ends.
func (w *Worker) keepArrivals(ctx context.Context, arrivals <-chan arrived) {
	for {
		select {
		case <-ctx.Done():
			return // what is left is offered again at the next start
		case first := <-arrivals:
			w.keep(gather(first, arrivals))
		}
	}
}

// gather adds to first what is waiting already.
func gather(first arrived, more <-chan arrived) []arrived {
	all := []arrived{first}
	for len(all) < together {
		select {
		case next := <-more:
			all = append(all, next)
		default:
			return all
		}
	}
	return all
}

// keep makes arrivals of one folder durable: their bytes first, then their items.
func (w *Worker) keep(all []arrived) {
	drafts := make([]*queue.Draft, len(all))
	for i := range all {
		drafts[i] = all[i].draft
	}
	var sealed []arrived
	var items []queue.Item
	for i, err := range w.spool.SealAll(drafts...) {
		if err != nil {
			w.notKept(all[i], err)
			continue
		}
		w.sealCompanions(&all[i])
		sealed, items = append(sealed, all[i]), append(items, all[i].item)
	}
	w.crash("spool-written")
	for i, r := range w.store.AddAll(time.Now(), items, w.sourceGone(all[0].of)) {
		switch {
		case r.Err != nil:
			it, stands := w.stands(sealed[i])
			if !stands {
				w.notKept(sealed[i], r.Err)
				continue
			}
			r.Item = it
		case r.Verdict == queue.Known:
			sealed[i].draft.Discard()
			sealed[i].discardCompanions()
			continue
		}
		w.crash("queued")
		if r.Item.ID == 0 {
			continue // not known to be in the queue
		}
		if err := sealed[i].draft.Keep(r.Item.ID); err != nil {
			w.journal.notStored(&r.Item, err) // the spool finds it under its first name too
		}
		w.keepCompanions(&sealed[i], &r.Item)
		w.crash("spool-kept")
	}
	w.Wake()
}

// stands reports whether an arrival is in the queue although storing it is said
// to have failed: when the disk fails at the very last write of a commit nobody
// knows at first. Then its bytes must stay. Where that can't be found out they
// stay too: the next start removes them if no item needs them.
func (w *Worker) stands(a arrived) (queue.Item, bool) {
	it, found, err := w.store.BySource(a.Folder, a.File)
	if err != nil {
		return a.item, true
	}
	return it, found && it.Spool == a.draft.Name()
}

// notKept undoes an arrival; its file is where it was and is offered again.
func (w *Worker) notKept(a arrived, err error) {
	f := a.of
	a.draft.Discard()
	a.discardCompanions()
	err = w.room.Failed(err)
	f.trouble.Store(&trouble{err, time.Now()})
	w.journal.notTaken(a.Arrival, err)
	f.forget(a.File)
}

func (f *folder) forget(file string) {
	if f.Forget != nil {
		f.Forget(file)
	}
}

// known reports whether the file, unchanged, is under way already. It spares
// reading every file of a full folder again after each start.
func (w *Worker) known(a Arrival) (bool, error) {
	it, found, err := w.store.BySource(a.Folder, a.File)
	if err != nil || !found || !it.Open() {
		return false, err
	}
	return it.Source.Size == a.Size && it.Source.ModTime.Equal(a.ModTime), nil
}

// read makes the item from the file's bytes while copying them to draft.
func (w *Worker) read(a Arrival, f *folder, draft io.Writer) (queue.Item, Decision) {
	file, err := a.Open()
	if err != nil {
		return queue.Item{}, w.notTaken(a, err)
	}
	defer file.Close()
	hash := sha256.New()
	copied := &counter{w: io.MultiWriter(draft, hash)}
	tee := io.TeeReader(file, copied)
	doc, err := document.Read(tee)
	var fault *document.Fault
	if err != nil && !errors.As(err, &fault) {
		return queue.Item{}, w.notTaken(a, err)
	}
	if fault != nil && !fault.Final() && a.Unchanged < f.IncompleteTimeout {
		return queue.Item{}, Decision{Answer: NotYet, Reason: fault.Error(), After: f.IncompleteTimeout, Words: faultWords(a.File, fault)}
	}
	if fault != nil && a.Size > maxFaulty {
		return queue.Item{}, Decision{Answer: NotYet, Reason: fmt.Sprintf("%s; at %.1f GB it is too large to be moved to failed/ as well: take it away", fault.Error(), float64(a.Size)/1e9),
			Words: queue.Say(SayTooLarge, append([]string{fmt.Sprintf("%.1f", float64(a.Size)/1e9)}, faultWords(a.File, fault)...)...)}
	}
	if fault != nil { // it stopped early; the rest is wanted for the hash and the archive
		if _, err := io.Copy(io.Discard, tee); err != nil {
			return queue.Item{}, w.notTaken(a, err)
		}
	}
	if err := a.Check(file); err != nil {
		return queue.Item{}, w.notTaken(a, err)
	}
	if copied.n != a.Size {
		return queue.Item{}, w.notTaken(a, errReadChanged)
	}
	it := queue.Item{
		Folder: a.Folder, File: a.File,
		Environment: f.endpoint.Environment, Portal: f.endpoint.Address, Project: f.Project.String(),
		SHA256: hex.EncodeToString(hash.Sum(nil)),
		Source: queue.Source{Size: a.Size, ModTime: a.ModTime.UTC()},
		Times:  queue.Times{Seen: a.Seen.UTC()},
	}
	if fault != nil {
		it.Report = &queue.Report{Code: string(archive.DocumentReason(string(fault.Kind))), Detail: fault.Detail, Offset: fault.Offset, Line: fault.Line}
		return it, Decision{Answer: Taken}
	}
	describe(&it, doc, f.Ordered)
	return it, Decision{Answer: Taken}
}

// maxFaulty is the largest file that is copied although it can't be delivered.
// No document is that large; what is (a disk image, a preallocated file that
// nobody filled) would only fill the disk and keep the folder waiting.
const maxFaulty = 1 << 30

// describe fills in what the document says of itself.
func describe(it *queue.Item, doc *document.Document, ordered bool) {
	it.Type, it.Version, it.Request, it.SubDocument = doc.Type, doc.Version, doc.Request, doc.SubDocument
	it.RequestReference, it.AccountableParty = bounded(doc.RequestReference), bounded(doc.AccountableParty)
	it.BROID, it.ObjectID, it.Content = bounded(doc.BROID), bounded(doc.ObjectID), doc.ContentFingerprint
	it.NewObject = doc.NewObject()
	it.Ordered = ordered
}

// bounded cuts a field of the head that no real document has that long (the
// reader lets up to 1 MB through), so that no item in the queue is large.
func bounded(s string) string {
	const limit = 2000
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

// sourceGone tells Add whether the file of an item is no longer where it was,
// so that an arrival of the same bytes is that file renamed.
func (w *Worker) sourceGone(f *folder) func(queue.Item) bool {
	return func(old queue.Item) bool {
		_, err := os.Lstat(filepath.Join(f.Root, filepath.FromSlash(old.File)))
		return errors.Is(err, fs.ErrNotExist)
	}
}

var errReadChanged = errors.New("it changed while it was being read")

// later is the Decision on an error of reading a file or of keeping it.
func later(err error) Decision {
	d := Decision{Answer: Later, Reason: err.Error(), Err: err}
	if errors.Is(err, errReadChanged) {
		d.Words = queue.Say(SayReadChanged)
	}
	return d
}

// notTaken leaves the file where it is, for a reason that lies with us or with the share.
func (w *Worker) notTaken(a Arrival, err error) Decision {
	err = w.room.Failed(err)
	w.journal.notTaken(a, err)
	return later(err)
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// filename is the name given to the portal: plain ASCII that ends in .xml,
// unique (the item's number, its hash and its spool name stand in it), so that
// a delivery whose number was lost can be found by it (portal-api Q2, Q9).
func (v *visit) filename() string {
	base := strings.TrimSuffix(strings.ToLower(filepath.Base(v.it.File)), ".xml")
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, base)
	return fmt.Sprintf("%.40s-%s%s", clean, v.it.ID, v.ending())
}

// ending is the part of filename that is unique by itself, whatever number the
// item has.
func (v *visit) ending() string { return fmt.Sprintf("-%.8s-%.8s.xml", v.it.SHA256, v.it.Spool) }

// isOurs reports whether a name at the portal is the one that was given to this
// document. Where a lost queue forgot the name it is known by its ending.
func (v *visit) isOurs(name string) bool {
	if v.it.Filename == "" {
		return v.it.Spool != "" && strings.HasSuffix(name, v.ending())
	}
	return name == v.it.Filename
}
