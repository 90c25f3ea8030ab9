package queue

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Transition is one change of an item. The only ways to make one are the
// constructors below, and those of confirm.go, companion.go and retain.go, so these files are
// the complete list of what can happen to a document. A Transition may be applied again after a [*TransitionError];
// what it does when it fits is the same every time.
type Transition struct {
	name  string
	from  []State
	to    State              // "" = the state stays
	guard func(*Item) string // why it does not fit, "" = fits
	apply func(*Item)
	at    time.Time
	note  string
	words Words // of the note
	mute  bool  // not worth a line in the timeline
	part  bool  // a part of a step: its failed tries are counted on
}

// Name is the word of the timeline, for logs.
func (t Transition) Name() string { return t.name }

// perform changes it, or says why not.
func (t Transition) perform(it *Item) error {
	if !slices.Contains(t.from, it.State) {
		return &TransitionError{ID: it.ID, Transition: t.name, State: it.State}
	}
	if t.guard != nil {
		if why := t.guard(it); why != "" {
			return &TransitionError{ID: it.ID, Transition: t.name, State: it.State, Why: why}
		}
	}
	if t.to != "" {
		// a step forward: what was said of the step before is over
		it.State = t.to
		it.NextAttempt, it.LastError, it.LastKind = time.Time{}, "", ""
		if !t.part {
			it.Attempts = 0
		}
	}
	if t.apply != nil {
		t.apply(it)
	}
	if it.State.End() && it.Times.Settled.IsZero() {
		it.Times.Settled = t.at.UTC()
		it.Hold, it.HoldReason, it.Intent = "", "", ""
	}
	if !t.mute {
		it.say(t.at.UTC(), t.name, t.note, t.words)
	}
	return nil
}

var (
	underWay = []State{Queued, Validated, Opened, Attached, Submitted}
	ends     = []State{Delivered, Rejected, Cancelled}
)

// Why a transition does not fit, as a person may be told ([TransitionError.Why]).
const (
	WhyInDoubt = "it may have been submitted already; answer that first with `brodaemon queue resolve`"
	WhyClear   = "no submission of it is in doubt"
	WhyFiled   = "it is filed already"
	WhyNotHeld = "it is not held"
	whyHeld    = "it is held ("
)

// BecauseHeld reports whether it is the item's hold that a transition does not go with.
func (e *TransitionError) BecauseHeld() bool { return strings.HasPrefix(e.Why, whyHeld) }

func notHeld(it *Item) string {
	if it.Hold != "" {
		return whyHeld + string(it.Hold) + ")"
	}
	return ""
}

func noIntent(it *Item) string {
	if it.Uncertain() {
		return WhyInDoubt
	}
	return ""
}

func hasIntent(it *Item) string {
	if !it.Uncertain() {
		return WhyClear
	}
	return ""
}

// answered ends an item's uncertainty: what became of the submit call is clear now.
func answered(it *Item) {
	it.Intent, it.Lookups = "", 0
	if it.Hold == HoldUncertain {
		it.Hold, it.HoldReason = "", ""
	}
}

// DocumentValid: the portal called the document valid. ignored are the errors
// it gave that the folder's configuration tolerates.
func DocumentValid(at time.Time, ignored []string) Transition {
	return Transition{name: "validated", from: []State{Queued}, to: Validated, at: at, apply: func(it *Item) {
		it.Times.Validated = at.UTC()
		it.IgnoredErrors = ignored
		it.Tries++
	}}
}

// UploadOpened stores the reference of a new upload.
func UploadOpened(at time.Time, ref Upload) Transition {
	return Transition{name: "opened", from: []State{Validated}, to: Opened, at: at, part: true,
		note: fmt.Sprintf("upload %d", ref.ID), apply: func(it *Item) {
			it.Upload, it.SourceDocument = &ref, nil
		}}
}

// DocumentAttached stores that the upload holds the document, under the name
// that was given to the portal.
func DocumentAttached(at time.Time, ref SourceDocument, filename string) Transition {
	return Transition{name: "attached", from: []State{Opened}, to: Attached, at: at, part: true, apply: func(it *Item) {
		it.SourceDocument, it.Filename = &ref, filename
	}}
}

// UploadLost goes back to where a new upload is opened, because the portal
// does not know the one we have or could not add the document to it.
func UploadLost(at, next time.Time, kind, why string) Transition {
	return Transition{name: "upload-lost", from: []State{Opened, Attached}, at: at, note: why,
		guard: noIntent, apply: func(it *Item) {
			it.State = Validated
			it.Upload, it.SourceDocument = nil, nil
			it.Attempts++
			it.Tries++
			it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), kind
		}}
}

// SubmitIntended is stored before the submit call. From here on the item is
// uncertain until a clear answer is stored.
func SubmitIntended(at time.Time) Transition {
	return Transition{name: "submitting", from: []State{Attached}, at: at,
		guard: func(it *Item) string {
			if why := notHeld(it); why != "" {
				return why
			}
			return noIntent(it)
		},
		apply: func(it *Item) {
			it.Intent = IntentSubmit
			it.Submissions++
			it.NextAttempt = time.Time{} // its turn has come; after a crash it is looked up at once
		}}
}

// DeliverySubmitted stores the number of the delivery, from the portal's
// answer, from a look-up, or from a person (by says which).
func DeliverySubmitted(at time.Time, delivery, by string, next time.Time) Transition {
	note := "delivery " + delivery
	if by != "" {
		note += ", " + by
	}
	return Transition{name: "submitted", from: []State{Attached}, to: Submitted, at: at, note: note, words: Say(SayDelivery, delivery),
		guard: hasIntent, apply: func(it *Item) {
			answered(it)
			it.Delivery = &Delivery{ID: delivery}
			it.Times.Submitted = at.UTC()
			it.NextAttempt = next.UTC()
		}}
}

// SubmitRefused: the portal clearly answered that it did not take the upload.
// The item begins again with a new upload.
func SubmitRefused(at, next time.Time, kind, why string) Transition {
	return Transition{name: "submit-refused", from: []State{Attached}, at: at, note: why,
		guard: hasIntent, apply: func(it *Item) {
			it.State = Validated
			answered(it)
			it.Upload, it.SourceDocument = nil, nil
			it.Attempts++
			it.Tries++
			it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), kind
		}}
}

// SubmitPostponed: the call was certainly not processed (never sent, or
// answered with 401, 403 or 429), so the same upload can be submitted later.
func SubmitPostponed(at, next time.Time, kind, why string) Transition {
	return Transition{name: "submit-postponed", from: []State{Attached}, at: at, note: why,
		guard: hasIntent, apply: func(it *Item) {
			answered(it)
			it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), kind
		}}
}

// SubmitUnknown: there was no clear answer to the submit call. The item keeps
// its intent and is looked up at next.
func SubmitUnknown(at, next time.Time, why string) Transition {
	return Transition{name: "submit-unknown", from: []State{Attached}, at: at, note: why,
		guard: hasIntent, apply: func(it *Item) {
			it.Tries++
			it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), "uncertain"
		}}
}

// LookedUp: a look-up did not find the delivery; the next one is at next. With
// hold the item is from now on held as uncertain, while look-ups go on.
func LookedUp(at, next time.Time, hold bool, why string) Transition {
	return Transition{name: "looked-up", from: []State{Attached}, at: at, note: why,
		guard: hasIntent, apply: func(it *Item) {
			it.Lookups++
			it.NextAttempt = next.UTC()
			if hold && it.Hold == "" {
				it.Hold, it.HoldReason = HoldUncertain, clip(why)
			}
		}}
}

// NotDelivered is a person's answer for an uncertain item: the portal does not
// have it. It is submitted again, with the same upload, which the portal is
// likeliest to refuse if the answer was wrong; where nobody knows the upload any
// more it begins from the start.
func NotDelivered(at time.Time) Transition {
	return Transition{name: "resolved", from: []State{Attached}, at: at, note: "a person says it was not delivered", words: Say(SayNotDelivered),
		guard: hasIntent, apply: func(it *Item) {
			it.Intent, it.Lookups = "", 0
			it.Hold, it.HoldReason = "", ""
			it.NextAttempt, it.LastError, it.LastKind, it.Attempts = time.Time{}, "", "", 0
			if !it.UploadKnown() {
				it.State, it.Upload, it.Filename = Queued, nil, ""
			}
		}}
}

// Progressed stores what the portal says of a delivery that has no verdict yet.
func Progressed(at, next time.Time, status, documentStatus string) Transition {
	return Transition{name: "progressed", from: []State{Submitted}, at: at, note: status + ", document " + documentStatus,
		apply: func(it *Item) {
			it.Delivery.Status, it.Delivery.DocumentStatus = status, documentStatus
			it.LastError, it.LastKind, it.Attempts = "", "", 0
			it.NextAttempt = next.UTC()
			if it.Hold == HoldPerson && it.HoldReason != "" {
				it.Hold, it.HoldReason = "", "" // what we held it for is over
			}
		}}
}

// AskAgain: the portal said nothing new; it is asked again at next.
func AskAgain(at, next time.Time) Transition {
	return Transition{name: "asked", from: []State{Submitted}, at: at, mute: true, apply: func(it *Item) {
		it.NextAttempt = next.UTC()
	}}
}

// Stuck holds a submitted item for a person although the portal is still asked
// at next: the delivery is gone, or its state makes no sense.
func Stuck(at, next time.Time, status, documentStatus, why string) Transition {
	return Transition{name: "stuck", from: []State{Submitted}, at: at, note: why, apply: func(it *Item) {
		if status != "" {
			it.Delivery.Status, it.Delivery.DocumentStatus = status, documentStatus
		}
		it.Hold, it.HoldReason = HoldPerson, clip(why)
		it.NextAttempt = next.UTC()
	}}
}

// Registered: the register has taken the document up.
func Registered(at time.Time, status, documentStatus, broID, transactionID string) Transition {
	return Transition{name: "delivered", from: []State{Submitted}, to: Delivered, at: at, note: broID, apply: func(it *Item) {
		it.Delivery.Status, it.Delivery.DocumentStatus = status, documentStatus
		if broID != "" {
			it.BROID = broID
		}
		it.TransactionID = transactionID
	}}
}

// Refused: a person must change or decide something about this document.
func Refused(at time.Time, report Report) Transition {
	note := report.Code
	if len(report.Errors) > 0 {
		note += ": " + report.Errors[0]
	}
	return Transition{name: "rejected", from: underWay, to: Rejected, at: at, note: note,
		guard: noIntent, apply: func(it *Item) { it.Report = &report }}
}

// Retry: a step failed; it is tried again at next.
func Retry(at, next time.Time, step, kind, why string) Transition {
	return Transition{name: "retry", from: underWay, at: at, note: step + ": " + why,
		apply: func(it *Item) {
			it.Attempts++
			it.Tries++
			it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), kind
		}}
}

// Postponed: a step could not be tried, through no fault of the document; no
// attempt is counted.
func Postponed(at, next time.Time, kind, why string) Transition {
	return Transition{name: "postponed", from: underWay, at: at, note: why, apply: func(it *Item) {
		it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), kind
	}}
}

// FilingFailed: the move to done/ or failed/ did not succeed; again at next.
func FilingFailed(at, next time.Time, why string) Transition {
	return Transition{name: "filing-failed", from: ends, at: at, note: why, guard: notFiled, apply: func(it *Item) {
		it.Attempts++
		it.NextAttempt, it.LastError, it.LastKind = next.UTC(), clip(why), "filing"
	}}
}

// Filed: the document lies at path, its receipt or reason at beside.
func Filed(at time.Time, path, beside string) Transition {
	return Transition{name: "filed", from: ends, at: at, note: path, guard: notFiled, apply: func(it *Item) {
		it.Filed, it.Beside = path, beside
		it.Times.Filed = at.UTC()
		it.NextAttempt, it.LastError, it.LastKind, it.Attempts = time.Time{}, "", "", 0
	}}
}

func notFiled(it *Item) string {
	if !it.Times.Filed.IsZero() {
		return WhyFiled
	}
	return ""
}

// RetryNow: a person, or the end of an outage, asks for the next attempt at once.
func RetryNow(at time.Time, by string) Transition {
	return Transition{name: "retry-now", from: States, at: at, note: by, mute: by == "",
		guard: func(it *Item) string {
			if it.Hold != "" && !(it.Hold == HoldUncertain || it.State == Submitted) {
				return notHeld(it) + "; let it go with `brodaemon queue release`"
			}
			return notFiled(it)
		},
		apply: func(it *Item) {
			it.NextAttempt = time.Time{}
			if it.Hold != "" || it.Times.Queued.After(at) { // the latter where the clock was ahead
				it.NextAttempt = at.UTC() // a held item is worked on only at a time that is set
			}
		}}
}

// HeldBack: a person wants it kept back.
func HeldBack(at time.Time) Transition {
	return Transition{name: "held", from: underWay, at: at,
		guard: func(it *Item) string {
			if it.Hold == HoldUncertain {
				return noIntent(it)
			}
			return ""
		},
		apply: func(it *Item) {
			if it.Hold == "" {
				it.Hold, it.HoldReason, it.NextAttempt = HoldPerson, "", time.Time{}
			}
		}}
}

// PutBack: the queue is a copy of an earlier moment, so the document may have
// been submitted since; a person has to look.
func PutBack(at, copied time.Time) Transition {
	why := "this queue was put back from a copy of " + copied.UTC().Format(time.RFC3339) +
		"; look in done/ and in the portal whether the document was delivered since, then release or cancel it"
	return Transition{name: "held", from: []State{Queued, Validated, Opened, Attached}, at: at, note: why, guard: noIntent,
		words: Say(SayPutBack, copied.UTC().Format(time.RFC3339)),
		apply: func(it *Item) {
			if it.Hold == "" {
				it.Hold, it.HoldReason, it.NextAttempt = HoldPerson, why, time.Time{}
			}
		}}
}

// BytesGone: the document's copy in the spool is gone, and its file is not what
// was taken; a person has to look.
func BytesGone(at time.Time, why string) Transition {
	return Transition{name: "held", from: []State{Queued, Validated, Opened, Attached}, at: at, note: why, guard: noIntent,
		apply: func(it *Item) {
			if it.Hold == "" {
				it.Hold, it.HoldReason, it.NextAttempt = HoldPerson, clip(why), time.Time{}
			}
		}}
}

// Released: a person lets it go.
func Released(at time.Time) Transition {
	return Transition{name: "released", from: underWay, at: at,
		guard: func(it *Item) string {
			switch it.Hold {
			case "":
				return WhyNotHeld
			case HoldUncertain:
				return noIntent(it)
			}
			return ""
		},
		apply: func(it *Item) {
			it.Hold, it.HoldReason, it.NextAttempt = "", "", time.Time{}
		}}
}

// CancelledBy: a person gives it up; it goes to failed/.
func CancelledBy(at time.Time, report Report) Transition {
	return Transition{name: "cancelled", from: underWay, to: Cancelled, at: at, guard: noIntent,
		apply: func(it *Item) { it.Report = &report }}
}

// SourceChanged: the file in the folder was touched, or renamed to file, with
// the very same bytes; this is where it is now.
func SourceChanged(at time.Time, file string, source Source) Transition {
	return Transition{name: "source-moved", from: States, at: at, note: file, guard: notFiled, apply: func(it *Item) {
		it.File, it.Source = stored(file), source
	}}
}

// Edge is one arrow of the lifecycle's diagram.
type Edge struct {
	Name string
	From State
	To   State
}

// Edges lists every change of state that the constructors allow, for the
// diagram in docs/lifecycle.md and the test that holds the two together.
func Edges() []Edge {
	var at time.Time
	var edges []Edge
	for _, t := range []Transition{
		DocumentValid(at, nil), UploadOpened(at, Upload{}), DocumentAttached(at, SourceDocument{}, ""),
		DeliverySubmitted(at, "", "", at), Registered(at, "", "", "", ""),
		Refused(at, Report{}), CancelledBy(at, Report{}),
	} {
		for _, from := range t.from {
			edges = append(edges, Edge{t.name, from, t.to})
		}
	}
	for _, from := range []State{Opened, Attached} {
		edges = append(edges, Edge{"upload-lost", from, Validated})
	}
	return append(edges, Edge{"submit-refused", Attached, Validated}, Edge{"resolved", Attached, Queued})
}
