package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
// in the delivery (portal-api Q2). Not finding it proves nothing: a delivery
// that needs nobody is listed for a moment only.
func (v *visit) lookUp(ctx context.Context) (more bool) {
	found, err := v.findDelivery(ctx)
	now := time.Now()
	if err != nil {
		pe := asPortalError(err)
		if pe.Kind == portal.Interrupted {
			return false
		}
		v.tellGates(pe)
		next := now.Add(v.w.policy.backoff(v.it.Attempts + 1))
		return v.keep("", queue.Retry(now, next, "look up the delivery", string(pe.Kind), told(pe))) && false
	}
	v.passed()
	if found != "" {
		return v.keep("submitted", queue.DeliverySubmitted(now, found, "found at the portal", now)) && false
	}
	hold := v.it.Lookups+1 >= lookups
	why := fmt.Sprintf("upload %d was being submitted when the answer was lost, and the portal does not list a delivery of %s", v.it.Upload.ID, v.it.Filename)
	if v.it.Filename == "" || !v.it.UploadKnown() {
		why = "the queue was lost and nobody knows whether this document was submitted, and the portal does not list a delivery of a file named …" + v.ending()
	}
	if hold {
		why += "; look in the portal, then answer with `brodaemon queue resolve " + v.it.ID.String() + " --delivery NUMBER` or `--not-delivered`"
	}
	return v.keep("", queue.LookedUp(now, now.Add(v.w.policy.lookup(v.it.Lookups)), hold, why)) && false
}

// findDelivery returns the number of the delivery that holds our document, or "".
func (v *visit) findDelivery(ctx context.Context) (string, error) {
	seen := map[string]bool{}
	for _, action := range actions {
		ids, err := v.f.Portal.DeliveriesAwaiting(v.request(ctx), v.f.Project, action)
		if err != nil {
			// a token that may deliver need not be allowed to see these lists
			// (portal-api §1.3): that is no refusal of the token, only no answer
			if pe := asPortalError(err); pe.Kind == portal.Unauthorized && pe.StatusCode == 403 {
				continue
			}
			return "", err
		}
		slices.Sort(ids) // numbers of ten digits: newest last
		slices.Reverse(ids)
		for _, id := range ids[:min(len(ids), maxListed)] {
			if seen[id] {
				continue
			}
			seen[id] = true
			d, err := v.f.Portal.Delivery(v.request(ctx), v.f.Project, id)
			var pe *portal.Error
			if errors.As(err, &pe) && (pe.Kind == portal.Gone || pe.Kind == portal.Unauthorized && pe.StatusCode == 403) {
				continue // removed meanwhile, or somebody else's
			}
			if err != nil {
				return "", err
			}
			for _, doc := range d.Documents {
				if v.isOurs(doc.FileName) {
					return id, nil
				}
			}
		}
	}
	return "", nil
}
