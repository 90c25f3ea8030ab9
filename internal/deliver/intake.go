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
}

// Accept takes a file in: one pass over its bytes makes the spool copy, the
// hash, the head and the fingerprint; then the item is stored. After Taken
// nothing of the file is needed any more to deliver it. Accept may be called
// any number of times with the same file, from one goroutine per folder.
func (w *Worker) Accept(ctx context.Context, a Arrival) Decision {
	f := w.folders[a.Folder]
	if f == nil {
		return Decision{Later, "folder " + a.Folder + " is not configured", 0}
	}
	known, err := w.known(a)
	switch {
	case err != nil:
		return w.notTaken(a, err)
	case known:
		return Decision{Answer: Taken}
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
	if it.Spool, err = draft.Seal(); err != nil {
		draft.Discard()
		return w.notTaken(a, err)
	}
	w.crash("spool-written")
	stored, verdict, err := w.store.Add(time.Now(), it, w.sourceGone(f))
	if err != nil {
		draft.Discard()
		return w.notTaken(a, err)
	}
	w.crash("queued")
	if verdict == queue.Known {
		draft.Discard()
		return decision
	}
	if err := draft.Keep(stored.ID); err != nil {
		w.journal.notStored(&stored, err) // the spool finds it under its first name too
	}
	w.crash("spool-kept")
	w.Wake()
	return decision
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
		return queue.Item{}, Decision{NotYet, fault.Error(), f.IncompleteTimeout}
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
		return queue.Item{}, w.notTaken(a, errors.New("it changed while it was being read"))
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

// notTaken leaves the file where it is, for a reason that lies with us or with the share.
func (w *Worker) notTaken(a Arrival, err error) Decision {
	w.journal.notTaken(a, err)
	return Decision{Answer: Later, Reason: err.Error()}
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
	return fmt.Sprintf("%.40s-%s-%.8s-%.8s.xml", clean, v.it.ID, v.it.SHA256, v.it.Spool)
}
