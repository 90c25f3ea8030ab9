package deliver

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/queue"
)

// file moves a document that has its outcome to done/ or failed/. A failure is
// tried again for ever and changes nothing at the portal. It reports whether
// what happened could be stored.
func (w *Worker) file(ctx context.Context, f *folder, it queue.Item) (stored bool) {
	// the archive wants the moment of the outcome, the same at each try: it names the dated folder
	now, settled := time.Now(), it.Times.Settled
	doc := archive.Document{
		ID: it.ID.String(), Rel: it.File, SHA256: it.SHA256, Size: it.Source.Size, ModTime: it.Source.ModTime,
		Spool:      func() (io.ReadCloser, error) { return w.spool.Open(&it) },
		Companions: companionFiles(&it),
	}
	var placed archive.Placed
	var err error
	if it.State == queue.Delivered {
		placed, err = f.Archive.Done(ctx, doc, ReceiptOf(&it, now), settled)
	} else {
		// the reasons of earlier attempts are overtaken by this one's, and their names free for it
		if err = w.settleEarlier(ctx, f, &it); err == nil {
			placed, err = f.Archive.Fail(ctx, doc, w.reasonOf(&it), settled)
		}
	}
	if err == nil {
		w.crash("archived")
		if it.State == queue.Delivered {
			err = w.settleEarlier(ctx, f, &it)
		}
	}
	if err != nil && errors.Is(context.Cause(ctx), ErrStopping) {
		return true // given back as it was
	}
	if err != nil {
		next := w.refile(f, &it, now, time.Now())
		why, words := err.Error(), filingWords(err)
		var trouble *archive.Error
		if errors.As(err, &trouble) {
			if hint := archive.Hint("en", trouble.Kind); hint != "" { // the sentence is English; the page has its words
				why += ". What to do: " + hint
			}
		}
		if w.spool.Missing(&it) && errors.Is(err, fs.ErrNotExist) {
			why = "it can't be filed: " + goneText(&it, f.path(&it)) + ", and it is filed by itself"
			words = queue.Say(SayFilingGone, f.path(&it), it.SHA256)
		}
		if _, err := w.store.Apply(it.ID, queue.FilingFailed(now, next, why).Saying(words)); err != nil {
			w.journal.notStored(&it, err)
			return false
		}
		return true
	}
	w.crash("reason-settled")
	filed, err := w.store.Apply(it.ID, append([]queue.Transition{queue.Filed(time.Now(), placed.Path, placed.Beside)}, w.awaitConfirmation(f, &it)...)...)
	if err != nil {
		w.journal.notStored(&it, err)
		return false
	}
	w.crash("filed")
	f.confirmSoon()
	f.forget(it.File)
	if err := w.spool.Remove(&filed); err != nil {
		w.journal.notStored(&filed, err) // found again at the next start
	}
	w.crash("spool-removed")
	return true
}

// settleEarlier takes away the reasons of the failed attempts that this one
// takes the place of.
func (w *Worker) settleEarlier(ctx context.Context, f *folder, it *queue.Item) error {
	for id := it.Previous; id != 0; {
		earlier, err := w.store.Get(id)
		if err != nil {
			return nil // past its retention: nothing is known of its reason
		}
		if earlier.Beside != "" && earlier.State != queue.Delivered {
			err := f.Archive.Settle(ctx, filedAttempt(&earlier))
			var trouble *archive.Error
			if errors.As(err, &trouble) || ctx.Err() != nil {
				return err
			}
			if err != nil { // it lies where this folder's failed/ no longer is: nothing to tidy
				w.journal.notSettled(&earlier, err)
			}
		}
		id = earlier.Previous
	}
	return nil
}

// ReceiptOf is the receipt of an item as it is now, with the names that
// receipts, `queue show --json` and `export` share.
func ReceiptOf(it *queue.Item, filed time.Time) archive.Receipt {
	r := archive.Receipt{
		ID: it.ID.String(), File: it.File, Folder: it.Folder, Project: projectOf(it), SHA256: it.SHA256, Size: it.Source.Size,
		Type: it.Type, Request: it.Request, SubDocument: it.SubDocument, RequestReference: it.RequestReference,
		AccountableParty: it.AccountableParty, Outcome: archive.Outcome(Outcome(it)), Environment: it.Environment,
		BROID: it.BROID, TransactionID: it.TransactionID, Attempts: it.Tries, IgnoredErrors: it.IgnoredErrors,
		Times: archive.Times{
			Seen: it.Times.Seen, Queued: it.Times.Queued, Validated: it.Times.Validated,
			Submitted: it.Times.Submitted, Settled: it.Times.Settled, Filed: filed.UTC(), Confirmed: it.Times.Confirmed, Removed: it.Times.Removed,
		},
		Confirmed: !it.Times.Confirmed.IsZero(), Companions: companionsOf(it),
	}
	if it.Delivery != nil {
		r.DeliveryID = it.Delivery.ID
	}
	if it.UploadKnown() {
		r.UploadID = strconv.FormatInt(it.Upload.ID, 10)
	}
	if it.SourceDocument != nil {
		r.DocumentID = it.SourceDocument.ID
	}
	if it.Report != nil {
		r.Errors = it.Report.Errors
	}
	if it.DuplicateOf != 0 {
		r.DuplicateOf = it.DuplicateOf.String()
	}
	return r
}

// projectOf is the project a document is at the portal under; before it is
// there, the one it was taken in for.
func projectOf(it *queue.Item) string {
	if it.Upload != nil && it.Upload.Project != "" {
		return it.Upload.Project
	}
	return it.Project
}

// Outcome is the word for how an item ended: delivered, rejected, cancelled or
// duplicate; empty while it is under way.
func Outcome(it *queue.Item) string {
	switch {
	case it.State == queue.Rejected && it.Report != nil && it.Report.Code == queue.DuplicateCode:
		return "duplicate"
	case it.State.End():
		return string(it.State)
	}
	return ""
}

// reasonOf is what the file beside a failed document says.
func (w *Worker) reasonOf(it *queue.Item) archive.Reason {
	r := ReasonOf(it)
	if it.Report == nil || it.Report.DuplicateOf == 0 {
		return r
	}
	if first, err := w.store.Get(it.Report.DuplicateOf); err == nil {
		r.DuplicateOf.File, r.DuplicateOf.BROID, r.DuplicateOf.When = first.File, first.BROID, first.Times.Queued
		if first.Delivery != nil {
			r.DuplicateOf.DeliveryID = first.Delivery.ID
		}
	}
	return r
}

// ReasonOf says why an item ended in failed/, as far as the item itself knows:
// of the document it duplicates only the number.
func ReasonOf(it *queue.Item) archive.Reason {
	report := queue.Report{}
	if it.Report != nil {
		report = *it.Report
	}
	r := archive.Reason{
		Code: archive.ReasonCode(report.Code), ID: it.ID.String(), File: it.File, Folder: it.Folder,
		Environment: it.Environment, When: it.Times.Settled, SHA256: it.SHA256,
		PortalErrors: report.Errors, Detail: report.Detail, Offset: report.Offset, Line: report.Line,
		RequestReference: it.RequestReference, Type: it.Type, Request: it.Request, BROID: it.BROID, Project: projectOf(it),
	}
	if it.SourceDocument != nil {
		r.PortalDocumentID = it.SourceDocument.ID
	}
	if it.Delivery != nil {
		r.DeliveryID = it.Delivery.ID
	}
	if it.UploadKnown() {
		r.UploadID = strconv.FormatInt(it.Upload.ID, 10)
	}
	if report.DuplicateOf != 0 {
		r.DuplicateOf = archive.Earlier{ID: report.DuplicateOf.String()}
	}
	return r
}
