package sandbox

import (
	"encoding/hex"
	"slices"
)

type deliveryJSON struct {
	Identifier  string         `json:"identifier"`
	Status      string         `json:"status"`
	LastChanged string         `json:"lastChanged"`
	Documents   []documentJSON `json:"brondocuments"`
}

type documentJSON struct {
	ID               int64  `json:"id"`
	Status           string `json:"status"`
	LastChanged      string `json:"lastChanged"`
	BROID            string `json:"broId,omitempty"`
	TransactionID    string `json:"transactionId,omitempty"`
	Filename         string `json:"filename"`
	RequestReference string `json:"requestReference,omitempty"`
	Errors           any    `json:"errors,omitempty"` // nil is left out; a nil slice is null
}

func (d *delivery) json(sw *Switches) deliveryJSON {
	j := deliveryJSON{
		Identifier: d.identifier(), Status: d.word(sw), LastChanged: d.changed.In(sw.Zone).Format(lastChangedLayout),
		Documents: make([]documentJSON, len(d.documents)),
	}
	for i, doc := range d.documents {
		j.Documents[i] = documentJSON{
			ID: doc.id, Status: d.documentWord(doc, sw), LastChanged: doc.changed.In(sw.Zone).Format(lastChangedLayout),
			BROID: doc.broID, TransactionID: doc.transaction,
			Filename: doc.filename, RequestReference: doc.content.reference,
			Errors: errorsJSON(doc.errors, sw),
		}
	}
	return j
}

// word is the status as it is shown, which the switches can make a word nobody knows.
func (d *delivery) word(sw *Switches) string {
	if d.status == statusChecked && sw.UnknownStatus != "" {
		return sw.UnknownStatus
	}
	return d.status
}

func (d *delivery) documentWord(doc *document, sw *Switches) string {
	if doc.status == documentChecked && sw.UnknownDocumentStatus != "" {
		return sw.UnknownDocumentStatus
	}
	return doc.status
}

// errorsJSON gives errors the shape that the switches want.
func errorsJSON(errors []string, sw *Switches) any {
	if len(errors) == 0 {
		switch sw.FineErrors {
		case ErrorsEmpty:
			return []string{}
		case ErrorsNull:
			return []string(nil)
		}
		return nil
	}
	switch sw.ErrorsShape {
	case ErrorsAsObjects:
		type message struct {
			Message string `json:"message"`
		}
		list := make([]message, len(errors))
		for i, text := range errors {
			list[i].Message = text
		}
		return list
	case ErrorsAsText:
		return errors[0]
	}
	return errors
}

// picture is the delivery for the books.
func (d *delivery) picture(sw *Switches) Delivery {
	pic := Delivery{
		Identifier: d.identifier(), Project: d.project.ID, Upload: d.upload, Label: d.label,
		Status: d.word(sw), Submitted: d.submitted, Changed: d.changed, Waiting: d.waitsFor(), Held: d.held,
		Documents: make([]SourceDocument, len(d.documents)), Notes: slices.Clone(d.notes),
	}
	for _, a := range d.attached {
		pic.Attached = append(pic.Attached, a.Attachment)
	}
	for i, doc := range d.documents {
		pic.Documents[i] = SourceDocument{
			ID: doc.id, Filename: doc.filename, Given: doc.given,
			SHA256: hex.EncodeToString(doc.sha[:]), Size: doc.size,
			Status: d.documentWord(doc, sw), Changed: doc.changed,
			RequestReference: doc.content.reference, BROID: doc.broID, TransactionID: doc.transaction,
			Errors: slices.Clone(doc.errors), Notes: slices.Clone(doc.notes),
		}
	}
	return pic
}
