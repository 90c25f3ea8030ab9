package portal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Validation is the portal's verdict on a document. It is advice: the portal
// validates again when a delivery is passed on, against what is registered by then.
type Validation struct {
	Valid  bool     `json:"valid"`
	Errors []string `json:"errors,omitempty"` // in Dutch, in no particular order; may be there although Valid
	Raw    string   `json:"-"`                // the answer as it came, bounded
}

// parseValidation reads a verdict. It says false when the body holds none:
// nothing but the two known words is one.
func parseValidation(body []byte) (Validation, bool) {
	var w wireValidation
	if json.Unmarshal(content(body), &w) != nil {
		return Validation{}, false
	}
	v := Validation{Errors: texts(w.Errors), Raw: raw(body)}
	switch statusWord(w.Status) {
	case wordValid:
		v.Valid = true
		return v, true
	case wordInvalid:
		return v, true
	default:
		return Validation{}, false
	}
}

// Delivery is what the portal tells about one.
type Delivery struct {
	ID          string           `json:"id"`
	Status      DeliveryStatus   `json:"status"`
	LastChanged string           `json:"lastChanged,omitempty"` // a local time without a zone; not to be reckoned with
	Documents   []SourceDocument `json:"documents"`
	Raw         string           `json:"-"` // the answer as it came, bounded
}

// SourceDocument is one document of a delivery.
type SourceDocument struct {
	ID               string         `json:"id"`
	Status           DocumentStatus `json:"status"`
	LastChanged      string         `json:"lastChanged,omitempty"`
	FileName         string         `json:"fileName,omitempty"`         // may not be the one it was sent with
	RequestReference string         `json:"requestReference,omitempty"` // not unique, by far
	BROID            string         `json:"broId,omitempty"`            // from registration on
	TransactionID    string         `json:"transactionId,omitempty"`    // from registration on
	Errors           []string       `json:"errors,omitempty"`
}

// Registered says whether the national register has taken the document up. That
// is a fact that errors beside it do not undo.
func (d SourceDocument) Registered() bool { return d.Status == DocumentRegistered && d.BROID != "" }

// Refused says whether the document was turned down: it has errors, or a status
// that says so, and is not in the register.
func (d SourceDocument) Refused() bool {
	switch d.Status {
	case DocumentRegistered:
		return false
	case DocumentInvalid, DocumentUnrecognised, DocumentDisapproved:
		return true
	default:
		return len(d.Errors) > 0
	}
}

// Verdict is what a delivery's statuses come to.
type Verdict string

const (
	// VerdictPending: no outcome yet. Also every status that is not known.
	VerdictPending Verdict = "pending"
	// VerdictRegistered: every document is in the national register.
	VerdictRegistered Verdict = "registered"
	// VerdictRefused: a document was turned down and none is registered. The
	// portal stops a whole delivery for one document, so all must be delivered anew.
	VerdictRefused Verdict = "refused"
	// VerdictOdd: passed on to the register, yet not all documents are in it and
	// none has errors; or some documents are registered and others turned down.
	// The first passes by itself for a moment, since documents and delivery
	// change one after the other. If it stays, a person must look.
	VerdictOdd Verdict = "odd"
)

// Verdict weighs delivery and documents together. The delivery's own status is
// no proof by itself: DeliveryForwarded says that the last step ran, not how it
// ended.
func (d Delivery) Verdict() Verdict {
	registered, refused := 0, 0
	for _, document := range d.Documents {
		if document.Registered() {
			registered++
		}
		if document.Refused() {
			refused++
		}
	}
	forwarded := d.Status == DeliveryForwarded
	switch {
	case refused > 0 && registered > 0:
		return VerdictOdd
	case refused > 0:
		return VerdictRefused
	case forwarded && registered > 0 && registered == len(d.Documents):
		return VerdictRegistered
	case forwarded:
		return VerdictOdd
	default:
		return VerdictPending
	}
}

// parseDelivery makes a Delivery of what was decoded from body.
func parseDelivery(w *wireDelivery, body []byte) (Delivery, error) {
	d := Delivery{
		ID:          w.Identifier.String(),
		Status:      DeliveryStatus(statusWord(w.Status)),
		LastChanged: w.LastChanged.String(),
		Raw:         raw(body),
	}
	if d.Status == "" {
		return Delivery{}, errors.New("a delivery without a status")
	}
	for _, document := range w.Documents {
		d.Documents = append(d.Documents, SourceDocument{
			ID:               document.ID.String(),
			Status:           DocumentStatus(document.Status.String()),
			LastChanged:      document.LastChanged.String(),
			FileName:         document.FileName.String(),
			RequestReference: document.RequestReference.String(),
			BROID:            document.BROID.String(),
			TransactionID:    document.TransactionID.String(),
			Errors:           texts(document.Errors),
		})
	}
	return d, nil
}

// Project is one that the token may see.
type Project struct {
	ID     ProjectID `json:"id"`
	Name   string    `json:"name"`
	Closed bool      `json:"closed"`
	Owner  DataOwner `json:"dataOwner"`
}

// DataOwner is the organisation a project belongs to (bronhouder).
type DataOwner struct {
	KvK  string `json:"kvk"` // its number in the trade register
	Name string `json:"name"`
}

func parseProjects(list []wireProject) ([]Project, error) {
	projects := make([]Project, 0, len(list))
	for _, w := range list {
		id, err := strconv.ParseInt(w.ID.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a project whose number is %q", w.ID.String())
		}
		projects = append(projects, Project{
			ID: ProjectID(id), Name: w.Name.String(), Closed: w.Closed,
			Owner: DataOwner{KvK: w.Owner.KvK.String(), Name: w.Owner.Name.String()},
		})
	}
	return projects, nil
}

// Transaction is one row of the register of transactions: something that
// reached the national register.
type Transaction struct {
	BROID         string `json:"broId,omitempty"`
	TransactionID string `json:"transactionId,omitempty"`
	ObjectID      string `json:"objectId,omitempty"` // the data owner's own name of the object
	Raw           string `json:"-"`                  // the row as it came: little is known of its fields
}

func parseTransactions(w *wireTransactions) ([]Transaction, error) {
	var rows []json.RawMessage
	if len(w.Rows) == 0 {
		return nil, errors.New("no list of transactions")
	}
	if err := json.Unmarshal(w.Rows, &rows); err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	list := make([]Transaction, 0, len(rows))
	for _, row := range rows {
		var w wireTransaction
		if err := json.Unmarshal(row, &w); err != nil {
			return nil, fmt.Errorf("read a transaction: %w", err)
		}
		list = append(list, Transaction{BROID: w.BROID.String(), TransactionID: w.TransactionID.String(), ObjectID: w.ObjectID.String(), Raw: raw(row)})
	}
	return list, nil
}
