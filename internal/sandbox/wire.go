package sandbox

// The Dutch words of the wire. They are not shared with the client on purpose, see the package comment.

// Statuses of a delivery (levering): the last step that is complete.
const (
	statusSubmitted = "AANGELEVERD"
	statusValidated = "GEVALIDEERD"
	statusChecked   = "GECONTROLEERD"
	statusApproved  = "VASTGESTELD"
	statusForwarded = "DOORGELEVERD"
)

// Statuses of a source document (brondocument) in a delivery.
const (
	documentRecognised   = "GELDIG"
	documentUnrecognised = "ONGELDIG"
	documentValid        = "VALIDE"
	documentInvalid      = "NIET_VALIDE"
	documentChecked      = "GOEDGEKEURD"
	documentApproved     = "GEACCORDEERD"
	documentDisapproved  = "AFGEKEURD"
	documentRegistered   = "OPGENOMEN_LVBRO"
)

// The steps of a delivery as the query parameter actie names them.
const (
	actionValidate = "VALIDEREN"
	actionCheck    = "CONTROLEREN"
	actionApprove  = "VASTSTELLEN"
	actionForward  = "DOORLEVEREN"
)

// Error texts, as far as they were seen in real answers.
const (
	textClosingLine  = "Er zijn 1 of meer fouten geconstateerd in het brondocument."
	textNoObject     = "dit registratieobject bestaat niet."
	textCompleted    = "Dit registratieobject heeft de registratiestatus voltooid."
	textDeregistered = "dit registratieobject is uit registratie genomen."
	textNotSupplier  = "U bent niet als dataleverancier van dit object geregistreerd."
	textSystemFault  = "Er is een fout in het BRO-systeem geconstateerd."
)

// The marks by which a document asks for its fate, see the package comment.
const (
	MarkInvalid = "BRODAEMON-ONGELDIG"
	MarkRefused = "BRODAEMON-AFGEKEURD"
	MarkManual  = "BRODAEMON-HANDMATIG"
)

// markedErrors are what a document with MarkInvalid is told: two of the sort that real wells get.
var markedErrors = []string{
	"Zandvang (SedimentSump) ontbreekt: het moet aanwezig zijn als de buis volgens de opgave een zandvang heeft.",
	"Stabiliteit van de put (GroundwaterMonitoringWell.wellStability) mag niet aanwezig zijn: het maaiveld is als stabiel opgegeven.",
}

// The layout of lastChanged: no zone, up to six digits of a second, trailing zeros trimmed.
const lastChangedLayout = "2006-01-02T15:04:05.999999"
