package status

import (
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
)

// Row is one line of `queue list --json` and of /api/v1/items. Its names are
// fixed (contract §5): scripts read them.
type Row struct {
	ID               string    `json:"id"`
	File             string    `json:"file"`
	Folder           string    `json:"folder"`
	State            string    `json:"state"`
	Hold             string    `json:"hold"`
	NextAttempt      time.Time `json:"next_attempt,omitzero"`
	LastError        string    `json:"last_error"`
	Attempts         int       `json:"attempts"`
	SHA256           string    `json:"sha256"`
	Type             string    `json:"type"`
	Request          string    `json:"request"`
	RequestReference string    `json:"requestReference"`
	BROID            string    `json:"broId"`
	DeliveryID       string    `json:"deliveryId"`
	Filed            string    `json:"filed"`
}

// RowOf is an item as a row.
func RowOf(it *queue.Item) Row {
	r := Row{
		ID: it.ID.String(), File: it.File, Folder: it.Folder, State: string(it.State), Hold: string(it.Hold),
		NextAttempt: it.NextAttempt, LastError: LastError(it), Attempts: it.Attempts, SHA256: it.SHA256,
		Type: it.Type, Request: it.Request, RequestReference: it.RequestReference, BROID: it.BROID, Filed: it.Filed,
	}
	if it.Delivery != nil {
		r.DeliveryID = it.Delivery.ID
	}
	return r
}

// LastError is why an item is where it is: why it is held, else what went
// wrong last, else why it ended.
func LastError(it *queue.Item) string {
	switch {
	case it.HoldReason != "":
		return it.HoldReason
	case it.LastError != "":
		return it.LastError
	case it.Report != nil && len(it.Report.Errors) > 0:
		return it.Report.Errors[0]
	case it.Report != nil && it.Report.DuplicateOf != 0:
		return it.Report.Code + " of document " + it.Report.DuplicateOf.String()
	case it.Report != nil && it.Report.Detail != "":
		return it.Report.Code + ": " + it.Report.Detail
	case it.Report != nil:
		return it.Report.Code
	}
	return ""
}

// Record is one document in `export`: the receipt's names and where it is.
type Record struct {
	archive.Receipt
	State string `json:"state"`
	Hold  string `json:"hold"`
	Filed string `json:"filed"` // path in done/ or failed/
}

// RecordOf is the proof of what became of an item, or of how far it is.
func RecordOf(it *queue.Item) Record {
	return Record{Receipt: deliver.ReceiptOf(it, it.Times.Filed), State: string(it.State), Hold: string(it.Hold), Filed: it.Filed}
}

// Detail is `queue show --json` and /api/v1/items/{id}: the receipt's names,
// those of the row that it lacks, and the timeline.
type Detail struct {
	archive.Receipt
	State          string        `json:"state"`
	Hold           string        `json:"hold"`
	HoldReason     string        `json:"hold_reason,omitempty"`
	NextAttempt    time.Time     `json:"next_attempt,omitzero"`
	LastError      string        `json:"last_error"`
	DeliveryStatus string        `json:"deliveryStatus,omitempty"` // the portal's own word
	DocumentStatus string        `json:"documentStatus,omitempty"`
	Previous       string        `json:"previous,omitempty"`
	Filed          string        `json:"filed"`
	Beside         string        `json:"beside,omitempty"` // its receipt or reason
	Timeline       []queue.Event `json:"timeline"`
}

// DetailOf is everything about an item that a person or a script may want.
func DetailOf(it *queue.Item) Detail {
	d := Detail{
		Receipt: deliver.ReceiptOf(it, it.Times.Filed),
		State:   string(it.State), Hold: string(it.Hold), HoldReason: it.HoldReason, NextAttempt: it.NextAttempt,
		LastError: LastError(it), Filed: it.Filed, Beside: it.Beside, Timeline: []queue.Event{},
	}
	if it.Delivery != nil {
		d.DeliveryStatus, d.DocumentStatus = it.Delivery.Status, it.Delivery.DocumentStatus
	}
	if it.Previous != 0 {
		d.Previous = it.Previous.String()
	}
	for _, e := range it.History {
		e.Words = nil // of the page alone
		d.Timeline = append(d.Timeline, e)
	}
	return d
}
