package portal

import "encoding/json"

// Everything the portal spells stands in this file and nowhere else: paths,
// names in queries, keys in JSON, status words.

// apiBase comes before each path of the table.
const apiBase = "/api/v2"

// paths of the acts. {project} and {id} are filled in.
var paths = map[Op]string{
	OpValidate:           "/{project}/validatie",
	OpOpenUpload:         "/{project}/uploads",
	OpSubmit:             "/{project}/leveringen",
	OpDelivery:           "/{project}/leveringen/{id}",
	OpDeliveriesAwaiting: "/{project}/leveringen",
	OpProjects:           "/projecten",
	OpSourceDocument:     "/{project}/brondocumenten/{id}",
	OpTransactions:       "/transacties/", // with this slash, in the one client that calls it
}

const (
	// pathValidateAtLarge validates without a project, for tokens of the
	// organisation-wide validation service.
	pathValidateAtLarge = "/validatie"
	// pathOfDocuments comes behind the address of an upload.
	pathOfDocuments = "/brondocumenten"
	// Of enrichment. {level} is one of levelWords, {name} a file name.
	pathNoteOnDelivery = "/{project}/leveringen/{id}/{level}"
	pathNoteOnDocument = "/{project}/brondocumenten/{id}/{level}"
	pathAttachment     = "/{project}/leveringen/{id}/attachments/{name}"
)

// levelWords are the portal's words for the levels of a note, as they stand in paths.
var levelWords = map[Level]string{LevelInfo: "info", LevelWarning: "warnings", LevelError: "errors"}

// The segments before the id in a Location.
const (
	segmentUpload   = "uploads"
	segmentDocument = "brondocumenten"
	segmentDelivery = "leveringen"
)

// Names in queries.
const (
	queryFilename    = "filename"
	queryLabel       = "labels"
	queryAction      = "actie"
	querySearchField = "zoekveld"
	querySearchText  = "zoektekst"

	searchByBROID = "broId"
)

// The words of a validation.
const (
	wordValid   = "VALIDE"
	wordInvalid = "NIET_VALIDE"
)

// DeliveryStatus is the last step that a delivery has finished. The steps have
// a fixed order and each may wait for people. A word that is not listed here
// is kept as the portal spelled it.
type DeliveryStatus string

// The known words. Recorded answers show the first and the last; the others
// come from manuals and other clients.
const (
	DeliveryReceived  DeliveryStatus = "AANGELEVERD"
	DeliveryValidated DeliveryStatus = "GEVALIDEERD"
	DeliveryChecked   DeliveryStatus = "GECONTROLEERD"
	DeliveryApproved  DeliveryStatus = "VASTGESTELD"
	DeliveryForwarded DeliveryStatus = "DOORGELEVERD"
)

// DocumentStatus is the outcome of the last step for one document. A word that
// is not listed here, such as the unknown one for a refusal by the national
// register, is kept as the portal spelled it.
type DocumentStatus string

// The known words, two for most steps.
const (
	DocumentRecognised   DocumentStatus = "GELDIG"
	DocumentUnrecognised DocumentStatus = "ONGELDIG"
	DocumentValid        DocumentStatus = wordValid
	DocumentInvalid      DocumentStatus = wordInvalid
	DocumentChecked      DocumentStatus = "GOEDGEKEURD"
	DocumentDisapproved  DocumentStatus = "AFGEKEURD"
	DocumentApproved     DocumentStatus = "GEACCORDEERD"
	DocumentRegistered   DocumentStatus = "OPGENOMEN_LVBRO"
)

// Action is what a delivery waits for, see Client.DeliveriesAwaiting. Only
// ActionCheck was ever seen in use; the others follow the names of the steps.
type Action string

const (
	ActionValidate Action = "VALIDEREN"
	ActionCheck    Action = "CONTROLEREN"
	ActionApprove  Action = "VASTSTELLEN"
	ActionForward  Action = "DOORLEVEREN"
)

// wireValidation is the answer to a validation. Status is a text here, but a
// number in error answers, hence raw.
type wireValidation struct {
	Status json.RawMessage `json:"status"`
	Errors json.RawMessage `json:"errors"`
}

// wireSubmit is the order to deliver an upload. Its id must be a JSON integer.
type wireSubmit struct {
	Upload int64 `json:"upload"`
}

// wireDelivery is a delivery as the portal tells it.
type wireDelivery struct {
	Identifier  text            `json:"identifier"`
	Status      json.RawMessage `json:"status"`
	LastChanged text            `json:"lastChanged"`
	Documents   []wireDocument  `json:"brondocuments"` // an English plural of the Dutch word
}

type wireDocument struct {
	ID               text            `json:"id"`
	Status           text            `json:"status"`
	LastChanged      text            `json:"lastChanged"`
	FileName         text            `json:"filename"`
	RequestReference text            `json:"requestReference"`
	BROID            text            `json:"broId"`
	TransactionID    text            `json:"transactionId"`
	Errors           json.RawMessage `json:"errors"`
}

type wireProject struct {
	ID     text `json:"projectId"`
	Name   text `json:"projectNaam"`
	Closed bool `json:"closed"`
	Owner  struct {
		KvK  text `json:"kvkNummer"`
		Name text `json:"naam"`
	} `json:"bronhouder"`
}

type wireTransactions struct {
	Rows json.RawMessage `json:"transacties"`
}

type wireTransaction struct {
	BROID         text `json:"broId"`
	TransactionID text `json:"transactionId"`
	ObjectID      text `json:"objectIdBronhouder"`
}

// keysOfWords are the keys under which error answers say what is wrong, the
// most telling first; also those of one error in a list of objects.
var keysOfWords = []string{"errors", "message", "melding", "detail", "defaultMessage", "omschrijving", "error_description", "title", "error"}
