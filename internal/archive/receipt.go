package archive

import (
	"bytes"
	"encoding/json"
	"time"
)

const receiptSuffix = ".receipt.json"

// Outcome is how a document's life ended.
type Outcome string

// The outcomes a receipt knows.
const (
	OutcomeDelivered Outcome = "delivered"
	OutcomeRejected  Outcome = "rejected"
	OutcomeCancelled Outcome = "cancelled"
	OutcomeDuplicate Outcome = "duplicate"
)

// Receipt is the proof of what became of a document. Beside a document in done/
// it is a file; `queue show --json` and `export` show the same names. Every key
// is always there, empty if there is no value; only times that never came are
// left out. Numbers given by the portal are text, so that no program rounds
// them or drops their zeros.
type Receipt struct {
	ID               string     `json:"id"` // in the queue
	File             string     `json:"file"`
	Folder           string     `json:"folder"`
	Project          string     `json:"project"`
	SHA256           string     `json:"sha256"`
	Size             int64      `json:"size"` // bytes
	Type             string     `json:"type"`
	Request          string     `json:"request"`
	SubDocument      string     `json:"subDocument"`
	RequestReference string     `json:"requestReference"`
	AccountableParty string     `json:"accountableParty"`
	Outcome          Outcome    `json:"outcome"`
	Environment      string     `json:"environment"`
	BROID            string     `json:"broId"`
	TransactionID    string     `json:"transactionId"`
	DeliveryID       string     `json:"deliveryId"`
	UploadID         string     `json:"uploadId"`
	DocumentID       string     `json:"documentId"`
	Attempts         int        `json:"attempts"`
	Times            Times      `json:"times"`
	Errors           Messages   `json:"errors"`        // the portal's words
	IgnoredErrors    Messages   `json:"ignoredErrors"` // the same, tolerated by configuration
	DuplicateOf      string     `json:"duplicateOf"`   // id of the first document with these bytes
	Companions       Companions `json:"companions"`    // files that came with it
	Confirmed        bool       `json:"confirmed"`     // found again in the public register, at times.confirmed
}

// ReceiptCompanion says what became of a file that came with the document.
type ReceiptCompanion struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
	// Outcome is added, maybe-added (the answer was lost) or not-added; waiting
	// while the document is under way.
	Outcome string    `json:"outcome"`
	Why     string    `json:"why,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Companions are such files. As JSON they are a list, never null.
type Companions []ReceiptCompanion

// MarshalJSON implements json.Marshaler.
func (c Companions) MarshalJSON() ([]byte, error) {
	all := make([]ReceiptCompanion, len(c))
	for i, one := range c {
		if !one.At.IsZero() {
			one.At = one.At.UTC().Truncate(time.Millisecond)
		}
		all[i] = one
	}
	return encode(all, "")
}

// Times are the moments of a document's life. They are written in UTC, to the millisecond.
type Times struct {
	Seen      time.Time `json:"seen,omitzero"`
	Queued    time.Time `json:"queued,omitzero"`
	Validated time.Time `json:"validated,omitzero"`
	Submitted time.Time `json:"submitted,omitzero"`
	Settled   time.Time `json:"settled,omitzero"`   // has its outcome
	Filed     time.Time `json:"filed,omitzero"`     // is in done/ or failed/
	Confirmed time.Time `json:"confirmed,omitzero"` // was found again in the public register
	Removed   time.Time `json:"removed,omitzero"`   // was taken out of done/ for its age; never in a file, which went with it
}

// MarshalJSON writes the times in UTC.
func (t Times) MarshalJSON() ([]byte, error) {
	type fields Times // without this method
	f := fields(t)
	for _, moment := range []*time.Time{&f.Seen, &f.Queued, &f.Validated, &f.Submitted, &f.Settled, &f.Filed, &f.Confirmed, &f.Removed} {
		if !moment.IsZero() {
			*moment = moment.UTC().Truncate(time.Millisecond)
		}
	}
	return json.Marshal(f)
}

// Messages are lines from the portal. As JSON they are a list, never null.
type Messages []string

// MarshalJSON writes them with < and > as they are: a person may read it.
func (m Messages) MarshalJSON() ([]byte, error) {
	if m == nil {
		m = Messages{}
	}
	return encode([]string(m), "")
}

// encode is JSON with a line end, for people: < and > stay as they are.
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Encode is the text of the receipt file: indented JSON with a line end. It
// fails only on a time that has no RFC 3339 form (a year over 9999).
func (r Receipt) Encode() ([]byte, error) { return encode(r, "  ") }

// receiptOf reports whether text is the receipt of the document.
func receiptOf(text []byte, d *Document) bool {
	var r struct {
		ID     string `json:"id"`
		SHA256 string `json:"sha256"`
	}
	return json.Unmarshal(text, &r) == nil && r.ID == d.ID && r.SHA256 == d.SHA256
}
