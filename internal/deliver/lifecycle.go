package deliver

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// visit is one document under way: the Worker brings it forward, step after
// step, until it has to wait for something.
type visit struct {
	w        *Worker
	f        *folder
	it       queue.Item
	errand   errand             // with which the token was let through
	secret   uint64             // number of the secret with which the call in hand is made
	unsaved  []queue.Transition // facts that are stored together with the next one
	armed    bool               // this visit stored the intent and has not called yet
	stopping context.Context    // done: begin no further step
	unstored bool               // what happened could not be stored
	enriched bool               // the companions had their turn
	free     func()             // gives the document's place at the portal to another; may be called twice
}

// run is the life of a document at the portal, top to bottom.
func (v *visit) run(ctx context.Context) {
	defer v.leaveGates()
	for v.stopping.Err() == nil || v.armed {
		var more bool
		switch {
		case v.it.Portal != v.f.endpoint.Address:
			more = v.otherPortal()
		case v.it.Upload != nil && projectOf(&v.it) != v.f.Project.String():
			more = v.otherProject()
		case v.it.State == queue.Queued:
			more = v.validate(ctx)
		case v.it.State == queue.Validated:
			more = v.openUpload(ctx)
		case v.it.State == queue.Opened:
			more = v.attach(ctx)
		case v.it.State == queue.Attached && v.armed:
			more = v.submit(ctx)
		case v.it.State == queue.Attached && v.it.Uncertain() && v.w.uncalled.has(&v.it):
			more = v.takeBack()
		case v.it.State == queue.Attached && v.it.Uncertain():
			more = v.lookUp(ctx)
		case v.it.State == queue.Attached:
			more = v.intend()
		case v.it.State == queue.Submitted && v.it.CompanionsWait() && !v.enriched:
			more = v.enrich(ctx)
		case v.it.State == queue.Submitted:
			more = v.follow(ctx)
		}
		if !more {
			return
		}
	}
}

// validate asks the portal whether the document is valid. It may be repeated freely.
func (v *visit) validate(ctx context.Context) (more bool) {
	began := time.Now()
	verdict, err := v.f.Portal.Validate(v.request(ctx), v.f.Project, v.body())
	v.w.crash("validate-answered")
	if err != nil {
		return v.failed("validate", err)
	}
	v.passed(portal.OpValidate)
	ignored := []string(nil)
	if !verdict.Valid {
		if !tolerated(verdict.Errors, v.f.Tolerated) {
			return v.keep("outcome-stored", queue.Refused(time.Now(), queue.Report{Code: "not-valid", Errors: verdict.Errors}))
		}
		ignored = verdict.Errors
	}
	valid := queue.DocumentValid(time.Now(), ignored)
	if time.Since(began) < quick {
		return v.note(valid)
	}
	return v.keep("", valid)
}

// quick is how long a validation may take to be asked for again rather than be
// stored by itself: the fact is then stored with the next one, which spares the
// disk. One that took minutes is kept at once.
const quick = time.Second

// openUpload may be repeated freely: an upload that is never submitted does
// nothing (portal-api Q4). Its reference is stored with the next fact.
func (v *visit) openUpload(ctx context.Context) (more bool) {
	upload, err := v.f.Portal.OpenUpload(v.request(ctx), v.f.Project)
	v.w.crash("upload-answered")
	if err != nil {
		return v.failed("open upload", err)
	}
	v.passed(portal.OpOpenUpload)
	return v.note(queue.UploadOpened(time.Now(), queue.Upload{ID: upload.ID, URL: upload.URL, Project: v.f.Project.String()}))
}

// attach adds the document to the upload. When that fails in any way the
// upload is left alone and a new one is opened, so that no upload ever holds
// the document twice. The intent to submit is stored together with its success.
func (v *visit) attach(ctx context.Context) (more bool) {
	upload := portal.Upload{ID: v.it.Upload.ID, URL: v.it.Upload.URL}
	name := v.filename()
	ref, err := v.f.Portal.AddSourceDocument(v.request(ctx), upload, name, v.body())
	v.w.crash("attach-answered")
	if err != nil {
		return v.failed("upload", err)
	}
	v.passed(portal.OpAddSourceDocument)
	attached := queue.DocumentAttached(time.Now(), queue.SourceDocument{ID: ref.ID, URL: ref.URL}, name)
	if v.stopping.Err() != nil {
		return v.keep("", attached)
	}
	return v.arm(attached)
}

// intend stores that the upload is about to be submitted.
func (v *visit) intend() (more bool) { return v.arm() }

// arm stores facts and the intent. Where that fails no call is made; but the
// intent may stand in the file all the same (a disk that can't sync what it
// wrote), and this process alone knows that it means nothing.
func (v *visit) arm(ts ...queue.Transition) (more bool) {
	v.w.uncalled.forget(v.it.ID) // before the intent, so that it can never be said of one that was called for
	v.armed = true
	more = v.keep("submit-intended", append(ts, queue.SubmitIntended(time.Now()))...)
	if v.unstored {
		v.w.uncalled.add(v.it.ID, v.it.Submissions+1)
	}
	return more
}

// takeBack clears an intent that was stored although storing it failed, so that
// the call was never made.
func (v *visit) takeBack() (more bool) {
	now := time.Now()
	return v.keep("", queue.SubmitPostponed(now, now, string(portal.Local), "its submission was not begun, since the intent could not be stored properly").Saying(queue.Say(SayNotBegun))) && false
}

// submit makes the delivery. It is the one call that is never repeated without
// a clear answer: the intent is on disk, and whatever is not clear makes the
// document uncertain.
func (v *visit) submit(ctx context.Context) (more bool) {
	v.armed = false
	upload := portal.Upload{ID: v.it.Upload.ID, URL: v.it.Upload.URL}
	delivery, err := v.f.Portal.Submit(v.request(ctx), v.f.Project, upload, v.f.Label)
	v.w.crash("submit-answered")
	now := time.Now()
	if err != nil {
		return v.submitFailed(now, err)
	}
	v.passed(portal.OpSubmit)
	v.f.endpoint.numbers.add(delivery.ID, now)
	more = v.insist("submitted", queue.DeliverySubmitted(now, delivery.ID, "", now.Add(v.w.policy.follow(0))))
	return more && (v.w.policy.get().FollowFirst == 0 || v.it.CompanionsWait())
}

// submitFailed sorts out what a submit call without success means.
func (v *visit) submitFailed(now time.Time, err error) (more bool) {
	pe := asPortalError(err)
	v.tellGates(pe)
	next := now.Add(v.w.policy.backoff(v.it.Attempts + 1))
	switch {
	case pe.MaybeDone, pe.Kind == portal.Conflict:
		// a conflict says that the upload has been delivered before: by a call
		// of ours whose answer was lost
		return v.keep("", queue.SubmitUnknown(now, now.Add(v.w.policy.spread(min(v.w.policy.get().First, 5*time.Second))), told(pe)).Saying(wordsOf("submit", pe)))
	case pe.Kind == portal.Interrupted, pe.Kind == portal.Local, pe.Kind == portal.Unavailable:
		return v.keep("", queue.SubmitPostponed(now, next, string(pe.Kind), told(pe)).Saying(wordsOf("submit", pe)))
	case pe.Kind == portal.Unauthorized, pe.Kind == portal.RateLimited:
		return v.keep("", queue.SubmitPostponed(now, now, string(pe.Kind), told(pe)).Saying(wordsOf("submit", pe)))
	default:
		// clearly refused: the upload is of no use (expired, empty, unknown), the document is not to blame
		return v.keep("", queue.SubmitRefused(now, next, string(pe.Kind), told(pe)).Saying(wordsOf("submit", pe)))
	}
}

// follow asks for the delivery's outcome. It may be repeated freely and has no end.
func (v *visit) follow(ctx context.Context) (more bool) {
	d, err := v.f.Portal.Delivery(v.request(ctx), v.f.Project, v.it.Delivery.ID)
	v.w.crash("outcome-answered")
	now := time.Now()
	age := now.Sub(v.it.Times.Submitted)
	if pe := asPortalError(err); err != nil && pe.Kind == portal.Gone {
		return v.deliveryGone(ctx, now, age)
	} else if err != nil {
		return v.failed("ask for outcome", err)
	}
	v.passed(portal.OpDelivery)
	doc, ours := v.ourDocument(d)
	next := now.Add(v.w.policy.follow(age))
	if !ours { // a person gave a wrong number
		why := "delivery " + v.it.Delivery.ID + " holds " + doc.FileName + " and not this document (" + v.it.Filename +
			"): look in the portal; if this one is not there, give it up with `brodaemon queue cancel` and save it again"
		return v.keep("", queue.Stuck(now, now.Add(v.w.policy.follow(max(age, v.w.policy.get().FollowMax))), "", "", why).Saying(queue.Say(SayWrongDelivery, v.it.Delivery.ID, doc.FileName, v.it.Filename))) && false
	}
	verdict, oddity, words := d.Verdict(), "", queue.Words(nil)
	switch {
	case verdict == portal.VerdictOdd:
		words = queue.Say(SayOdd, v.it.Delivery.ID, string(d.Status), string(doc.Status))
		oddity = "the portal says that delivery " + v.it.Delivery.ID + " was passed on (" + string(d.Status) +
			"), but not that the register took the document up (" + string(doc.Status) + "); look at it in the portal"
	case verdict == portal.VerdictRefused && registerFault(d, doc):
		verdict = portal.VerdictOdd
		words = queue.Say(SayRegisterFault, v.it.Delivery.ID, strings.TrimSpace(doc.Errors[0]))
		oddity = "delivery " + v.it.Delivery.ID + " was passed on, and then the register had a fault of its own (" + strings.TrimSpace(doc.Errors[0]) +
			"): it may still take the document up, so don't save it again; ask the BRO's service desk. Only when they say that it is not in the register, give it up with `brodaemon queue cancel` and save it again"
	}
	switch verdict {
	case portal.VerdictRegistered:
		return v.keep("outcome-stored", queue.Registered(now, string(d.Status), string(doc.Status), doc.BROID, doc.TransactionID))
	case portal.VerdictRefused:
		// the last words are kept like those on the way: `queue show` shows how far it came
		return v.keep("outcome-stored", queue.Progressed(now, now, string(d.Status), string(doc.Status)), queue.Refused(now, queue.Report{
			Code: refusalCode(d), Errors: doc.Errors, Detail: string(doc.Status),
		}))
	case portal.VerdictOdd:
		if age > v.w.policy.get().OddAfter {
			return v.keep("", queue.Stuck(now, next, string(d.Status), string(doc.Status), oddity).Saying(words)) && false
		}
	}
	if v.it.Delivery.Status == string(d.Status) && v.it.Delivery.DocumentStatus == string(doc.Status) && v.it.Hold == "" && v.it.LastError == "" {
		// nothing new: only the time of the next question is stored
		return v.keep("", queue.AskAgain(now, next)) && false
	}
	return v.keep("", queue.Progressed(now, next, string(d.Status), string(doc.Status))) && false
}

// deliveryGone is met when the portal does not know the delivery any more.
// Only when the project itself still answers is that said of the delivery
// (portal-api Q6); otherwise it is the token's or the project's trouble, and the
// delivery is asked about again at its own pace.
func (v *visit) deliveryGone(ctx context.Context, now time.Time, age time.Duration) (more bool) {
	next := now.Add(v.w.policy.follow(age))
	if !v.f.access.enterAlso(now, bring) { // the question that would tell is refused for now
		return v.keep("", queue.Postponed(now, next, string(portal.Gone), "the portal does not show delivery "+v.it.Delivery.ID+", and refuses this token for now").Saying(queue.Say(SayNotShown, v.it.Delivery.ID))) && false
	}
	defer v.f.access.leave(bring)
	if _, err := v.f.Portal.OpenUpload(v.request(ctx), v.f.Project); err != nil {
		pe := asPortalError(err)
		if pe.Kind == portal.Unauthorized {
			v.tellGates(pe)
			return v.keep("", queue.Postponed(now, next, string(pe.Kind), told(pe)).Saying(wordsOf("ask for outcome", pe))) && false
		}
		return v.failed("ask for outcome", err)
	}
	v.passed(portal.OpOpenUpload)
	why := "the portal no longer knows delivery " + v.it.Delivery.ID + ": the data owner may have removed it; ask them, then give it up with `brodaemon queue cancel`"
	return v.keep("", queue.Stuck(now, now.Add(v.w.policy.follow(max(age, v.w.policy.get().FollowMax))), "", "", why).Saying(queue.Say(SayDeliveryGone, v.it.Delivery.ID))) && false
}

// otherPortal: the folder's portal was changed in the configuration while this
// document was under way to another one. It must not arrive where it was not meant for.
func (v *visit) otherPortal() (more bool) {
	why := "this document is on its way to " + v.it.Environment + ", but folder " + v.f.Name + " now delivers to " +
		v.f.endpoint.Environment + ": change the folder's portal back until it is through, or give it up with `brodaemon queue cancel`"
	now := time.Now()
	return v.keep("", queue.Postponed(now, now.Add(v.w.policy.get().Max), configurationKind, why).
		Saying(queue.Say(SayOtherPortal, v.it.Environment, v.f.Name, v.f.endpoint.Environment))) && false
}

// otherProject: the same for the folder's project, once the document is at the
// portal under the old one. Before that it simply goes to the new one.
func (v *visit) otherProject() (more bool) {
	why := "this document is at the portal under project " + projectOf(&v.it) + ", but folder " + v.f.Name + " now delivers to project " +
		v.f.Project.String() + ": change the folder's project back until it is through, or give it up with `brodaemon queue cancel`"
	now := time.Now()
	return v.keep("", queue.Postponed(now, now.Add(v.w.policy.get().Max), configurationKind, why).
		Saying(queue.Say(SayOtherProject, projectOf(&v.it), v.f.Name, v.f.Project.String()))) && false
}

// failed stores what an unsuccessful step means for the document. The table is
// that of docs/lifecycle.md.
func (v *visit) failed(step string, err error) (more bool) {
	now := time.Now()
	pe := asPortalError(err)
	if pe.Kind == portal.Interrupted {
		return false // we are stopping: given back as it was
	}
	next := now.Add(v.w.policy.backoff(v.it.Attempts + 1))
	v.tellGates(pe)
	switch {
	case pe.Kind == portal.Local && v.w.spool.Missing(&v.it):
		return v.bytesGone(now, next)
	case pe.Kind == portal.Unauthorized, pe.Kind == portal.RateLimited:
		v.forgetUpload()
		return v.keep("", queue.Postponed(now, now, string(pe.Kind), told(pe)).Saying(wordsOf(step, pe))) && false
	case pe.Kind == portal.Refused && (v.it.State == queue.Queued || v.it.State == queue.Opened):
		return v.keep("outcome-stored", queue.Refused(now, queue.Report{Code: "refused-by-portal", Errors: portalWords(pe), Detail: pe.Error()}))
	case v.it.State == queue.Opened:
		return v.keep("", queue.UploadLost(now, next, string(pe.Kind), told(pe)).Saying(wordsOf(step, pe))) && false
	default:
		return v.keep("", queue.Retry(now, next, step, string(pe.Kind), told(pe)).Saying(wordsOf(step, pe))) && false
	}
}

// bytesGone is met when somebody removed the document's copy from the spool. The
// file in the folder does as well, if it holds the very bytes; else a person is
// asked. A share that blocks must not keep the document's place at the portal.
func (v *visit) bytesGone(now, next time.Time) (more bool) {
	v.forgetUpload()
	v.free()
	err := v.w.spoolAgain(v.f, &v.it)
	switch path := v.f.path(&v.it); {
	case err == nil:
		return v.keep("", queue.Postponed(now, now, string(portal.Local), "its copy in the spool was gone and was made again from "+path).Saying(queue.Say(SayCopyAgain, path))) && false
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, queue.ErrNotThese):
		return v.keep("", queue.Retry(now, next, "make its copy in the spool again", string(portal.Local), err.Error()).Saying(queue.Say(SayLocal, "copy", err.Error()))) && false
	default:
		return v.keep("", queue.BytesGone(now, goneText(&v.it, path)+", then `brodaemon queue release "+v.it.ID.String()+"`; or give it up with `brodaemon queue cancel`").Saying(queue.Say(SayBytesGone, path, v.it.SHA256))) && false
	}
}

// goneText says what is missing and what would help.
func goneText(it *queue.Item, path string) string {
	return "somebody removed the document's copy from the spool, and " + path + " is not there or does not hold the same bytes (SHA-256 " + it.SHA256 +
		"): put that file back there"
}

// path is where the document was saved.
func (f *folder) path(it *queue.Item) string {
	return filepath.Join(f.Root, filepath.FromSlash(it.File))
}

// spoolAgain makes the document's copy in the spool from its file in the folder.
func (w *Worker) spoolAgain(f *folder, it *queue.Item) error {
	info, err := os.Lstat(f.path(it))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return queue.ErrNotThese
	}
	file, err := os.Open(f.path(it))
	if err != nil {
		return err
	}
	defer file.Close()
	return w.spool.Restore(it, file)
}

// forgetUpload leaves an upload alone that was opened in this visit and is not stored yet.
func (v *visit) forgetUpload() {
	v.unsaved = slices.DeleteFunc(v.unsaved, func(t queue.Transition) bool { return t.Name() == "opened" })
}

// keep stores the facts, with those that were only noted before, and reports
// whether the visit goes on. When the item was changed by somebody else
// meanwhile (a person held or cancelled it), the visit ends.
func (v *visit) keep(point string, ts ...queue.Transition) bool {
	if point == "outcome-stored" {
		v.free() // the portal is done with it: the next one need not wait for our disk
	}
	it, err := v.w.store.Apply(v.it.ID, append(v.unsaved, ts...)...)
	v.unsaved = nil
	if err != nil {
		v.armed = false
		var te *queue.TransitionError
		if !errors.As(err, &te) {
			v.w.journal.notStored(&v.it, err)
			v.unstored = true
		}
		return false
	}
	v.it = it
	if point != "" {
		v.w.crash(point)
	}
	return !it.State.End() && it.Hold == "" && it.NextAttempt.IsZero() || it.State == queue.Submitted
}

// insist is keep for a fact that is told only once and can't be had again: a
// disk that is full, or a queue that can't be written, is waited for until the
// program stops.
func (v *visit) insist(point string, t queue.Transition) bool {
	more := v.keep(point, t)
	for v.unstored && v.stopping.Err() == nil {
		v.w.rest(v.stopping)
		v.unstored = false
		more = v.keep(point, t)
	}
	return more
}

// note goes on with a fact that is not stored yet.
func (v *visit) note(t queue.Transition) bool {
	it, err := v.it.With(t)
	if err != nil {
		return false
	}
	v.it = it
	v.unsaved = append(v.unsaved, t)
	return true
}

// request waits for the portal's turn and returns the context of one call. The
// wait ends with ctx; the call then fails at once, unsent.
func (v *visit) request(ctx context.Context) context.Context {
	_ = v.f.endpoint.limiter.Wait(ctx) // ctx is over: the call says so
	v.secret = v.f.access.current()    // before the call, so that a change during it is noticed
	return ctx
}

// body is the document as the portal client wants it.
func (v *visit) body() portal.Body {
	it := v.it
	return portal.Body{
		Open: func() (io.ReadCloser, error) { return v.w.spool.Open(&it) },
		Size: it.Source.Size,
	}
}

// ourDocument is the one document of the delivery. ours is false when that is
// certainly another one, by its name and by its id; either alone the portal may
// have changed or left out (portal-api Q10).
func (v *visit) ourDocument(d portal.Delivery) (doc portal.SourceDocument, ours bool) {
	ref := v.it.SourceDocument
	for _, doc := range d.Documents {
		if v.isOurs(doc.FileName) || ref != nil && doc.ID != "" && doc.ID == ref.ID {
			return doc, true
		}
	}
	if len(d.Documents) == 0 {
		return portal.SourceDocument{}, true
	}
	doc = d.Documents[0]
	return doc, doc.FileName == "" || doc.ID == "" || ref == nil || ref.ID == ""
}

// refusalCode says who refused: the register, when the delivery was passed on
// to it, else the portal or a person there.
func refusalCode(d portal.Delivery) string {
	if d.Status == portal.DeliveryForwarded || d.Status == portal.DeliveryApproved {
		return "refused-by-register"
	}
	return "refused-in-delivery"
}

// faultOfRegister is what the register says of itself, not of a document
// (portal-api §3).
const faultOfRegister = "Er is een fout in het BRO-systeem geconstateerd."

// registerFault reports whether nothing is said against the document, but that
// the register it was passed on to had a fault: nobody knows then whether the
// document is taken up later, so that delivering it again might register it twice.
func registerFault(d portal.Delivery, doc portal.SourceDocument) bool {
	switch doc.Status {
	case portal.DocumentInvalid, portal.DocumentUnrecognised, portal.DocumentDisapproved:
		return false
	}
	return d.Status == portal.DeliveryForwarded && tolerated(doc.Errors, []string{faultOfRegister})
}

// closingLine is the generic last error of a verdict (portal-api §3); alone it says nothing.
const closingLine = "Er zijn 1 of meer fouten geconstateerd in het brondocument."

// tolerated reports whether every error but the closing line is on the list.
func tolerated(errs, list []string) bool {
	matched := false
	for _, e := range errs {
		e = strings.TrimSpace(e)
		switch {
		case e == closingLine:
		case containsTrimmed(list, e):
			matched = true
		default:
			return false
		}
	}
	return matched
}

func containsTrimmed(list []string, want string) bool {
	for _, s := range list {
		if strings.TrimSpace(s) == want {
			return true
		}
	}
	return false
}

// portalWords are the portal's own words about a document it did not take.
func portalWords(pe *portal.Error) []string {
	if pe.Detail == "" {
		return nil
	}
	return []string{pe.Detail}
}
