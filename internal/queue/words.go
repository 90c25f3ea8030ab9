package queue

import "strings"

// Words are what a sentence of ours says, without a language: a fixed [Code] and
// the particulars it is about. They are kept beside the English sentence, so
// that package status can say the same in another language; a reader that does
// not know the code has the sentence. Whatever changes is a particular: a code,
// once stored, keeps its meaning.
type Words []string

// Code is the first of Words. Each package that speaks has its own, as
// constants; a test in package status finds them there and wants a translation
// of each.
type Code string

// Say makes Words. A particular is bounded as the sentence is; empty ones at the
// end are left out.
func Say(code Code, particulars ...string) Words {
	w := make(Words, 0, 1+len(particulars))
	w = append(w, string(code))
	for _, p := range particulars {
		w = append(w, clip(p))
	}
	for len(w) > 1 && w[len(w)-1] == "" {
		w = w[:len(w)-1]
	}
	return w
}

// Code is "" where nothing but the English sentence is known.
func (w Words) Code() Code {
	if len(w) == 0 {
		return ""
	}
	return Code(w[0])
}

// What the queue itself says of a document.
const (
	SaySameBytes      Code = "same-bytes"      // 1 number of the other document, 2 its file, "" if it can't be read, 3 the object's own id, 4 the other's delivery
	SaySameContent    Code = "same-content"    // likewise
	SaySameObject     Code = "same-object"     // likewise
	SaySameCancelled  Code = "same-cancelled"  // likewise; the other was submitted and then cancelled here
	SayPutBack        Code = "put-back"        // 1 moment of the copy
	SaySinceCopy      Code = "since-copy"      // 1 moment of the copy, 2 when it was put back
	SayBehindLost     Code = "behind-lost"     // 1 number of the document that can't be read
	SayQueueLost      Code = "queue-lost"      //
	SayBytesLost      Code = "bytes-lost"      // the queue was lost, and the spool does not have it
	SayBegunLost      Code = "begun-lost"      // the queue was lost, and the spool file says that a submission was begun
	SayBegunOlder     Code = "begun-older"     // the queue was an older copy, and the spool file says that one was begun
	SayLedgerOlder    Code = "ledger-older"    // the queue was an older copy, and the ledger is damaged
	SayFromLedger     Code = "from-ledger"     //
	SayFromSpool      Code = "from-spool"      //
	SayFromRemains    Code = "from-remains"    // from what was left of the queue file
	SayNotDelivered   Code = "not-delivered"   // a person says so
	SayPersonAsked    Code = "person-asked"    //
	SayPersonLooked   Code = "person-looked"   // and the warning ends
	SayClockWrong     Code = "clock-wrong"     // when the next attempt was set
	SayDelivery       Code = "delivery"        // 1 number
	SayDeliveryFound  Code = "delivery-found"  // 1 number; found at the portal
	SayDeliveryPerson Code = "delivery-person" // 1 number; a person looked it up
)

// Saying gives the transition the words of what its line in the timeline says,
// or of the last part of that.
func (t Transition) Saying(w Words) Transition {
	t.words = w
	return t
}

// whyHeld is the line of the timeline that has the words of the HoldReason, if any.
func (it *Item) whyHeld() []Event {
	for i := len(it.History) - 1; i >= 0 && it.HoldReason != ""; i-- {
		if e := it.History[i]; len(e.Words) > 0 && e.Detail == it.HoldReason {
			return []Event{e}
		}
	}
	return nil
}

// WordsOf finds the words of what is said of the item (its HoldReason or
// LastError, or why a companion was not added) in the timeline, where they
// stand; nil where the sentence is all there is, as in items of older versions.
// They are there alone, so that no version can change the one without the other.
func (it *Item) WordsOf(sentence string) Words {
	if sentence == "" {
		return nil
	}
	for i := len(it.History) - 1; i >= 0; i-- {
		e := &it.History[i]
		named := e.What == "retry" || strings.HasPrefix(e.What, "companion-") // their lines begin with what failed, and then say it
		if len(e.Words) > 0 && (e.Detail == sentence || named && strings.HasSuffix(e.Detail, ": "+sentence)) {
			return e.Words
		}
	}
	return nil
}
