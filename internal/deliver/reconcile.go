package deliver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// lookups is how often an uncertain delivery is looked up before a person is
// asked. A delivery is listed while it waits for a step at the portal, and an
// automatic one passes through them in seconds, so more would not help; but the
// portal may be slow in listing it.
const lookups = 3

// actions are what deliveries are listed by: all the steps of the portal.
var actions = []portal.Action{portal.ActionValidate, portal.ActionCheck, portal.ActionApprove, portal.ActionForward}

// maxListed bounds how many listed deliveries one look-up reads, newest first.
const maxListed = 200

// lookUp finds out whether the upload was submitted although its answer was
// lost: by the file name we gave the document, which is unique and comes back
// in the delivery (portal-api Q2). It looks at the deliveries that the portal
// lists and, for as long as no person was asked, at those whose numbers the lost
// one may have (see numbers). Not finding it proves nothing: a delivery that
// needs nobody is listed for a moment only, numbers may have run on, and a portal
// that hung may make the delivery later still.
func (v *visit) lookUp(ctx context.Context) (more bool) {
	found, refused, err := v.findDelivery(ctx)
	now := time.Now()
	if err != nil {
		pe := asPortalError(err)
		if pe.Kind == portal.Interrupted {
			return false
		}
		v.tellGates(pe)
		next := now.Add(v.w.policy.backoff(v.it.Attempts + 1))
		return v.keep("", queue.Retry(now, next, "look up the delivery", string(pe.Kind), told(pe)).Saying(wordsOf("", pe))) && false
	}
	if found != "" {
		v.f.endpoint.numbers.add(found, v.submitBegan())
		return v.keep("submitted", queue.DeliverySubmitted(now, found, "found at the portal", now).Saying(queue.Say(queue.SayDeliveryFound, found))) && false
	}
	hold := v.it.Lookups+1 >= lookups
	words := queue.Say(SayLookedUp, strconv.FormatInt(v.it.Upload.ID, 10), v.it.Filename)
	why := fmt.Sprintf("upload %d was being submitted when the answer was lost, and the portal shows no delivery of %s", v.it.Upload.ID, v.it.Filename)
	if v.it.Filename == "" || !v.it.UploadKnown() {
		words = queue.Say(SayLookedUpLost, v.ending())
		why = "the queue was lost and nobody knows whether this document was submitted, and the portal shows no delivery of a file named …" + v.ending()
	}
	if refused == len(actions) {
		words = queue.Say(SayMayNotList, words...)
		why += " (it does not let this token list deliveries)"
	}
	if hold && v.it.Hold == "" { // it is what the person will read
		hint, of := v.registerHint(ctx)
		if why += hint; of != nil {
			words = append(of, words...)
		}
	}
	if hold {
		why += "; look in the portal, then answer with `brodaemon queue resolve " + v.it.ID.String() + " --delivery NUMBER` or `--not-delivered`"
	}
	return v.keep("", queue.LookedUp(now, now.Add(v.w.policy.lookup(v.it.Lookups)), hold, why).Saying(words)) && false
}

// findDelivery returns the number of the delivery that holds our document, or
// "". refused is how many lists this token may not see: that is no refusal of
// the token (portal-api §1.3), only no answer.
func (v *visit) findDelivery(ctx context.Context) (number string, refused int, err error) {
	seen := map[string]bool{}
	for _, action := range actions {
		ids, err := v.f.Portal.DeliveriesAwaiting(v.request(ctx), v.f.Project, action)
		if err != nil {
			pe := asPortalError(err)
			if pe.Kind != portal.Unauthorized || pe.StatusCode == 0 {
				return "", refused, err
			}
			refused++
			ids = nil
		}
		v.portalAnswered(time.Now(), portal.OpDeliveriesAwaiting)
		slices.Sort(ids) // numbers of ten digits: newest last
		slices.Reverse(ids)
		if number, err = v.among(ctx, ids[:min(len(ids), maxListed)], seen); number != "" || err != nil {
			return number, refused, err
		}
	}
	if v.it.Lookups >= lookups {
		return "", refused, nil // a person was asked; only the lists may still bring something new
	}
	if err := v.f.endpoint.numbers.recall(v.w.store, v.it.Portal); err != nil {
		return "", refused, err
	}
	number, err = v.among(ctx, v.f.endpoint.numbers.near(v.submitBegan()), seen)
	return number, refused, err
}

// among looks for our document in deliveries, each of which is asked for once.
// One that is not there, or is somebody else's, is none of ours, whichever way
// the portal says so.
func (v *visit) among(ctx context.Context, ids []string, seen map[string]bool) (string, error) {
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		d, err := v.f.Portal.Delivery(v.request(ctx), v.f.Project, id)
		if err != nil {
			if pe := asPortalError(err); pe.Kind == portal.Gone || pe.Kind == portal.Unauthorized && pe.StatusCode != 0 {
				v.portalAnswered(time.Now(), portal.OpDelivery)
				continue
			}
			return "", err
		}
		v.passed(portal.OpDelivery)
		if slices.ContainsFunc(d.Documents, func(doc portal.SourceDocument) bool { return v.isOurs(doc.FileName) }) {
			return id, nil
		}
	}
	return "", nil
}

// submitBegan is when the intent of the submission in doubt was stored.
func (v *visit) submitBegan() time.Time {
	for _, e := range slices.Backward(v.it.History) {
		if e.What == "submitting" {
			return e.At
		}
	}
	return time.Now()
}

// registerHint tells the person who is asked what the register of transactions
// has about the object. It proves nothing, neither way: a row names no file and
// no delivery, and the register learns of a delivery late or never. So it costs
// nothing but a sentence when it can't be had (portal-api Q21).
func (v *visit) registerHint(ctx context.Context) (text string, words queue.Words) {
	if v.it.BROID == "" {
		return "", nil
	}
	rows, err := v.f.Portal.Transactions(v.request(ctx), v.it.BROID)
	switch {
	case err != nil:
		return "", nil
	case len(rows) == 0:
		return "; the register shows no transactions of " + v.it.BROID, queue.Words{string(SayTransactions), v.it.BROID, "0", "–"}
	}
	newest := rows[0]
	for _, row := range rows {
		if row.TransactionID > newest.TransactionID {
			newest = row
		}
	}
	return fmt.Sprintf("; the register shows %d transactions of %s, the newest %s", len(rows), v.it.BROID, newest.TransactionID),
		queue.Words{string(SayTransactions), v.it.BROID, strconv.Itoa(len(rows)), newest.TransactionID}
}
