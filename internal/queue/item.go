package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// Bounds on what one item remembers, so that a document that is retried for a
// year stays small. The first events and the latest are the ones people need.
const (
	maxHistory = 200
	maxText    = 4 << 10 // bytes of one error or note
)

// Upload, and the two types below it, are the portal's references as they were
// received. The queue stores them and never reads them.
type Upload struct {
	ID      int64  `json:"id"`
	URL     string `json:"url"`
	Project string `json:"project,omitempty"` // under which it was opened
}

// SourceDocument is the reference of the document inside its upload.
type SourceDocument struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
}

// Delivery is the reference of a submitted delivery and what the portal last said of it.
type Delivery struct {
	ID             string `json:"id"`
	Status         string `json:"status,omitempty"`         // the portal's own word, unknown ones too
	DocumentStatus string `json:"documentStatus,omitempty"` // likewise, of the document
}

// Intent is what is about to be done at the portal and can't be repeated.
type Intent string

// IntentSubmit is stored before the submit call, and cleared by its clear answer.
const IntentSubmit Intent = "submit"

// Source is the file in the watched folder as it was when its bytes were taken.
type Source struct {
	Size    int64     `json:"size"`
	ModTime time.Time `json:"modTime,omitzero"`
}

// Times are the moments of a document's life, in UTC.
type Times struct {
	Seen      time.Time `json:"seen,omitzero"`
	Queued    time.Time `json:"queued,omitzero"`
	Validated time.Time `json:"validated,omitzero"`
	Submitted time.Time `json:"submitted,omitzero"`
	Settled   time.Time `json:"settled,omitzero"` // reached an end state
	Filed     time.Time `json:"filed,omitzero"`
	Confirmed time.Time `json:"confirmed,omitzero"` // found again in the public register
	Removed   time.Time `json:"removed,omitzero"`   // taken out of done/ for its age
}

// Event is one line of an item's timeline.
type Event struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`             // the name of the transition
	Detail string    `json:"detail,omitempty"` // the error, the portal's word, who decided
	Count  int       `json:"count,omitempty"`  // > 1: the same again, last at At
	Words  Words     `json:"words,omitempty"`  // what Detail, or the end of it, says in any language
}

// Report says why an item ended as Rejected or Cancelled, in the terms from
// which a reason for people is made.
type Report struct {
	Code        string   `json:"code"` // a code of package archive
	Errors      []string `json:"errors,omitempty"`
	Detail      string   `json:"detail,omitempty"`
	Offset      int64    `json:"offset,omitempty"` // bytes from the start of the file
	Line        int      `json:"line,omitempty"`
	DuplicateOf ID       `json:"duplicateOf,omitempty"`
}

// Item is one document and everything that is known of it. It is stored as
// JSON, since an administrator may have to read it; keys of the item itself
// that this version does not know are kept as they were.
type Item struct {
	ID     ID     `json:"id"`
	Folder string `json:"folder"` // configured name
	File   string `json:"file"`   // path below the folder, with slashes
	// Environment is the portal this document is meant for, as people call it;
	// Portal is the same as an address. Both are fixed when the item is made.
	Environment string `json:"environment,omitempty"`
	Portal      string `json:"portal,omitempty"`
	Project     string `json:"project,omitempty"`

	SHA256 string `json:"sha256"`
	Source Source `json:"source"`
	Spool  string `json:"spool,omitempty"` // name of its bytes in the spool, see Spool

	Type             string `json:"type,omitempty"`
	Version          string `json:"version,omitempty"`
	Request          string `json:"request,omitempty"`
	SubDocument      string `json:"subDocument,omitempty"`
	RequestReference string `json:"requestReference,omitempty"`
	AccountableParty string `json:"accountableParty,omitempty"`
	BROID            string `json:"broId,omitempty"` // of the document, and once delivered of the register
	ObjectID         string `json:"objectId,omitempty"`
	Content          string `json:"content,omitempty"`   // fingerprint of the sourceDocument's content
	NewObject        bool   `json:"newObject,omitempty"` // a second delivery would make a second object
	Ordered          bool   `json:"ordered,omitempty"`   // one after another with others of the same BRO-ID

	State       State     `json:"state"`
	Hold        Hold      `json:"hold,omitempty"`
	HoldReason  string    `json:"holdReason,omitempty"`
	Intent      Intent    `json:"intent,omitempty"`
	NextAttempt time.Time `json:"nextAttempt,omitzero"`
	LastError   string    `json:"lastError,omitempty"`
	LastKind    string    `json:"lastKind,omitempty"`    // the error's kind, for `queue retry --reason`
	Attempts    int       `json:"attempts,omitempty"`    // failed tries of the present step
	Tries       int       `json:"tries,omitempty"`       // all tries at the portal, for the receipt
	Lookups     int       `json:"lookups,omitempty"`     // times an uncertain delivery was looked up
	Submissions int       `json:"submissions,omitempty"` // times a submission was intended

	Filename       string          `json:"filename,omitempty"` // unique name given to the portal
	Upload         *Upload         `json:"upload,omitempty"`
	SourceDocument *SourceDocument `json:"sourceDocument,omitempty"`
	Delivery       *Delivery       `json:"delivery,omitempty"`
	TransactionID  string          `json:"transactionId,omitempty"`
	IgnoredErrors  []string        `json:"ignoredErrors,omitempty"`
	Report         *Report         `json:"report,omitempty"`
	Companions     []Companion     `json:"companions,omitempty"` // files that travel with the document
	DuplicateOf    ID              `json:"duplicateOf,omitempty"`
	Previous       ID              `json:"previous,omitempty"` // the attempt this one corrects

	Times  Times  `json:"times"`
	Filed  string `json:"filed,omitempty"`  // path of the document in done/ or failed/
	Beside string `json:"beside,omitempty"` // path of its receipt or reason
	// Removing: its files were about to be taken out of done/ for their age.
	Removing bool `json:"removing,omitempty"`
	// Confirm: it is still to be found again in the public register.
	Confirm *Confirmation `json:"confirm,omitempty"`
	History []Event       `json:"history,omitempty"`

	unknown map[string]json.RawMessage
}

// Submitted reports whether a delivery of this item exists at the portal.
func (it *Item) Submitted() bool { return it.Delivery != nil }

// Open reports whether something is still to be done for the item, be it only filing it.
func (it *Item) Open() bool { return it.Times.Filed.IsZero() }

// Blocks reports whether a second delivery of the same content would be, or
// might be, a double one: the item is under way, delivered, or was submitted
// without having been refused.
func (it *Item) Blocks() bool {
	switch it.State {
	case Rejected:
		return false
	case Cancelled:
		return it.Submitted()
	default:
		return true
	}
}

// Uncertain reports whether a submit was begun and its outcome is not known.
func (it *Item) Uncertain() bool { return it.Intent == IntentSubmit && it.State == Attached }

// UploadKnown reports whether the item has an upload at the portal that can be
// submitted. One that was made again after its queue was lost may be uncertain
// without: nobody knows any more which upload it was in.
func (it *Item) UploadKnown() bool { return it.Upload != nil && it.Upload.ID != 0 }

// doubt makes the item one that may have been submitted, of which nothing else
// is known: it is looked up at once, and held meanwhile.
func (it *Item) doubt(at time.Time, code Code, why string) {
	it.State, it.Intent, it.Lookups = Attached, IntentSubmit, 0
	if it.Upload == nil {
		it.Upload = &Upload{Project: it.Project}
	}
	it.Hold, it.HoldReason, it.NextAttempt = HoldUncertain, clip(why), at.UTC()
	it.say(at.UTC(), "doubted", why, Say(code))
}

// note appends to the timeline; the same event again only counts.
func (it *Item) note(at time.Time, what, detail string) { it.say(at, what, detail, nil) }

// say is note with the words of the detail.
func (it *Item) say(at time.Time, what, detail string, words Words) {
	detail = clip(detail)
	if n := len(it.History); n > 0 {
		last := &it.History[n-1]
		if last.What == what && last.Detail == detail {
			last.At = at
			if words != nil { // an older version had none
				last.Words = words
			}
			last.Count = max(last.Count, 1) + 1
			return
		}
	}
	if len(it.History) >= maxHistory {
		// keep the first half, which tells how it began, and drop the oldest of the rest
		it.History = append(it.History[:maxHistory/2], it.History[maxHistory/2+1:]...)
	}
	it.History = append(it.History, Event{At: at, What: what, Detail: detail, Words: words})
}

// clone returns a copy that shares nothing that a transition changes in place.
func (it *Item) clone() Item {
	c := *it
	c.History = append([]Event(nil), it.History...)
	if it.Delivery != nil {
		d := *it.Delivery
		c.Delivery = &d
	}
	return c // Confirm is replaced as a whole, never changed
}

// clip bounds a text and makes it what JSON keeps as it is.
func clip(s string) string {
	if len(s) <= maxText {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// MarshalLogObject writes what identifies the item in a log line.
func (it *Item) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("id", it.ID.String())
	enc.AddString("folder", it.Folder)
	enc.AddString("file", it.File)
	enc.AddString("state", string(it.State))
	if it.Delivery != nil {
		enc.AddString("delivery", it.Delivery.ID)
	}
	if it.BROID != "" {
		enc.AddString("bro_id", it.BROID)
	}
	return nil
}

// itemFields is Item without its methods, for the plain JSON form.
type itemFields Item

var knownKeys = func() []string {
	var keys []string
	t := reflect.TypeFor[itemFields]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" {
			keys = append(keys, name)
		}
	}
	return keys
}()

// known is as tolerant of upper and lower case as encoding/json is: a key that
// was read into a field must not be kept beside it and override it later.
func known(key string) bool {
	return slices.ContainsFunc(knownKeys, func(k string) bool { return strings.EqualFold(k, key) })
}

// encode is the stored form.
func (it *Item) encode() ([]byte, error) {
	plain, err := json.Marshal((*itemFields)(it))
	if err != nil || len(it.unknown) == 0 {
		return plain, err
	}
	rest, err := json.Marshal(it.unknown)
	if err != nil {
		return nil, err
	}
	// both are objects with at least one key: join them into one
	return append(append(plain[:len(plain)-1], ','), rest[1:]...), nil
}

// decodeItem reads the stored form. It accepts what a newer version added and
// what an older one left out, and refuses what can't be an item: nothing that
// it accepts can surprise a transition.
func decodeItem(data []byte) (Item, error) {
	var it Item
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode((*itemFields)(&it)); err != nil || strict.InputOffset() != int64(len(data)) {
		it = Item{}
		if err := json.Unmarshal(data, (*itemFields)(&it)); err != nil {
			return Item{}, fmt.Errorf("read stored item: %w", err)
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(data, &all); err != nil {
			return Item{}, fmt.Errorf("read stored item: %w", err)
		}
		maps.DeleteFunc(all, func(key string, _ json.RawMessage) bool { return known(key) })
		it.unknown = all
	}
	switch {
	case it.ID == 0:
		return Item{}, errors.New("read stored item: it has no number")
	case !slices.Contains(States, it.State):
		return Item{}, fmt.Errorf("read stored item: it has no state that is known, but %q", it.State)
	case (it.State == Opened || it.State == Attached) && it.Upload == nil:
		return Item{}, fmt.Errorf("read stored item: it is %s without an upload", it.State)
	case it.State == Submitted && it.Delivery == nil:
		return Item{}, errors.New("read stored item: it is submitted without a delivery")
	}
	return it, nil
}

// With returns the item as it would be after the transitions; nothing is
// stored. The Worker goes on with it where a fact is cheap to find out again
// and is stored together with the next one.
func (it *Item) With(transitions ...Transition) (Item, error) {
	after := it.clone()
	for _, t := range transitions {
		if err := t.perform(&after); err != nil {
			return *it, err
		}
	}
	return after, nil
}
