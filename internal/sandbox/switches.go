package sandbox

import (
	"cmp"
	"net/http"
	"sync"
	"time"
)

// A Choice is the value of a switch that knows a few words. The empty Choice is the default of every switch; the other words
// are these constants, named after their switch.
type Choice string

const (
	WithdrawnAll            Choice = "all"
	ErrorBodyEmpty          Choice = "empty"
	ErrorBodyHTML           Choice = "html"
	ErrorBodyText           Choice = "text"
	ErrorsEmpty             Choice = "empty" // ValidErrors, FineErrors: []
	ErrorsNull              Choice = "null"  // ValidErrors, FineErrors: null
	ClosingLineFirst        Choice = "first"
	ClosingLineAbsent       Choice = "absent"
	UnknownObjectsAdopted   Choice = "adopt"
	SupplierCheckValidation Choice = "validation"
	FileNamesKept           Choice = "kept"
	DuplicateNamesReplace   Choice = "replace"
	DuplicateNamesRefused   Choice = "refuse"
	MalformedUploadRefused  Choice = "refuse"
	ResubmitSame            Choice = "same"
	ResubmitNew             Choice = "new"
	EmptyUploadAccepted     Choice = "accept"
	ContentTypeStrict       Choice = "strict"
	ErrorsAsObjects         Choice = "objects"
	ErrorsAsText            Choice = "text"
	HalfStateSilent         Choice = "silent"
	HalfStateErrors         Choice = "errors"
	RegisteredDocumentGone  Choice = "gone"
	EnrichmentOnly          Choice = "enrichment" // ListRight, ProjectsRight
	ClosedKeyAbsent         Choice = "absent"
	KvKNumber               Choice = "number"
	TransactionsEmptyList   Choice = "empty-list"
)

// Switches are what a client cannot know about the real portal. The zero value of each field is its default; S-numbers are
// those of the conformance suite.
type Switches struct {
	// S2. The answer to a known token at a project that is not its own: 401 (default), 403 or 404.
	OutsideProject int
	// S2. The answer to a token that lacks the right (a validation token at uploads, a withdrawn authorisation): 403
	// (default) or 401.
	NoRight int
	// S2, S23. The answer to any call for a closed project: 401 (default), 403 or 404.
	ClosedProject int
	// S23. What a withdrawn authorisation stops: uploads, documents and deliveries, or with WithdrawnAll validation and
	// reading too.
	Withdrawn Choice
	// S2. Leave the WWW-Authenticate header out of a 401.
	NoChallenge bool
	// S3. The body of a failure: JSON with a numeric status, or ErrorBodyEmpty, ErrorBodyHTML, ErrorBodyText.
	ErrorBody Choice

	// S4. The errors of a VALIDE answer: no such key, or ErrorsEmpty, ErrorsNull.
	ValidErrors Choice
	// S4. The HTTP status of NIET_VALIDE: 200 (default), 400 or 422.
	InvalidStatus int
	// S4. What is no XML, or has a root that no type of object knows: 400 (default) with the body of S3, or 200 with
	// NIET_VALIDE and the parser's words.
	MalformedStatus int
	// S4. How long a validation takes.
	ValidationDelay time.Duration
	// S4. Where the closing line of the errors stands: last, or ClosingLineFirst, ClosingLineAbsent.
	ClosingLine Choice

	// S5. A BRO-ID that nobody registered: an error text, or with UnknownObjectsAdopted taken for a registered object of
	// this supplier from then on.
	UnknownObjects Choice
	// S5. Where it matters that an object has another supplier: in validations and deliveries, or with
	// SupplierCheckValidation in validations only, which then warn of what would go well (as the real ones have done).
	SupplierCheck Choice
	// S5. Compare deliveryAccountableParty with the data owner of the project.
	CheckParty bool

	// S4, S7. The most bytes of a document, otherwise 413: 0 is 20 MB, negative is no limit.
	MaxDocument int64
	// S7. A file name that does not end in .xml: replaced by twelve hex digits and .xml, or FileNamesKept.
	FileNames Choice
	// S7. The same file name twice in one upload: both kept, or DuplicateNamesReplace (the later takes the place of the
	// earlier), DuplicateNamesRefused (400).
	DuplicateNames Choice
	// S7. A document that is not well-formed or of no known kind: taken, and ONGELDIG in the delivery, or
	// MalformedUploadRefused (400).
	MalformedUpload Choice
	// S7. A document for an upload that has been delivered: 409 (default), 400 or 404.
	DeliveredUpload int

	// S8. A delivery of an upload that does not exist: 404 (default), 400 or 422.
	UnknownUpload int
	// S8. A second delivery of one upload: 409, or ResubmitSame (201 with the same delivery), ResubmitNew (201 with
	// another delivery of the same documents).
	Resubmit Choice
	// S8. A delivery of an upload without documents: 400, or EmptyUploadAccepted.
	EmptyUpload Choice
	// S7, S8. Content types: any, or with ContentTypeStrict only application/xml or text/xml for documents and
	// application/json for deliveries, otherwise 415.
	ContentType Choice

	// S10. The errors of a document that is fine: no such key, or ErrorsEmpty, ErrorsNull.
	FineErrors Choice
	// S10. The shape of a document's errors: a list of strings, or ErrorsAsObjects ([{"message": …}]), ErrorsAsText.
	ErrorsShape Choice
	// S10. The zone of lastChanged. nil: Europe/Amsterdam where the machine knows it, else one hour east of Greenwich.
	Zone *time.Location

	// S11. The durations. A step that is under way keeps the time that was planned for it.
	Timeline Timeline
	// S11. The step before which every delivery waits for a person: "" (default, none), VALIDEREN, CONTROLEREN,
	// VASTSTELLEN or DOORLEVEREN.
	HoldBefore string
	// S11. How long it waits there if nobody approves it; 0 is for ever.
	HoldFor time.Duration
	// S11. How long a document marked BRODAEMON-HANDMATIG waits before VASTSTELLEN; 0 is 30 s, negative is for ever.
	ManualWait time.Duration
	// S11. A word shown instead of GECONTROLEERD, of which no client has heard.
	UnknownStatus string
	// S11. A word shown instead of GOEDGEKEURD.
	UnknownDocumentStatus string

	// S12. A delivery that ends as DOORGELEVERD while its documents are not OPGENOMEN_LVBRO: off, or HalfStateSilent,
	// HalfStateErrors (with an error text).
	HalfState Choice
	// S12. How long the half state lasts before the documents are registered after all; 0 is for ever.
	HalfStateFor time.Duration

	// S13. The status of a delivery that holds an invalid document: GEVALIDEERD (default) or AANGELEVERD.
	InvalidDelivery string
	// S16. Do not judge a document again when it is passed on to the register.
	NoRevalidation bool
	// S16. The status of a document that the register refuses, which nobody has seen: AFGEKEURD by default.
	RefusedDocument string
	// S16. The status of its delivery: DOORGELEVERD (default, the step has run) or VASTGESTELD.
	RefusedDelivery string

	// S18. The bytes of a document once it is registered: kept, or RegisteredDocumentGone (404).
	RegisteredDocument Choice
	// S19. The HTTP status of a list without deliveries: 404 (default), or 200 with [].
	EmptyListStatus int
	// S19. Which tokens may list deliveries: delivery and enrichment tokens, or EnrichmentOnly.
	ListRight Choice
	// S20. Which tokens may list projects: delivery and enrichment tokens, or EnrichmentOnly.
	ProjectsRight Choice
	// S20. The key closed of an open project: there, or ClosedKeyAbsent.
	ClosedKey Choice
	// S20. The type of kvkNummer: a string, or KvKNumber.
	KvKType Choice
	// S21. The transactions of an unknown BRO-ID: an empty body, or TransactionsEmptyList.
	UnknownTransactions Choice

	// S24. Requests per second that the public services bear; 0 is 3, negative is no limit.
	RegistryRate int
	// S24. The HTTP status of the rejection for an unknown object: 200 (default), 400 or 404.
	RegistryUnknown int
	// S24. How long after its registration an object shows there.
	RegistryDelay time.Duration
}

// filled gives each number and word that is at its zero value its default.
func (sw Switches) filled() *Switches {
	sw.OutsideProject = cmp.Or(sw.OutsideProject, http.StatusUnauthorized)
	sw.NoRight = cmp.Or(sw.NoRight, http.StatusForbidden)
	sw.ClosedProject = cmp.Or(sw.ClosedProject, http.StatusUnauthorized)
	sw.InvalidStatus = cmp.Or(sw.InvalidStatus, http.StatusOK)
	sw.MalformedStatus = cmp.Or(sw.MalformedStatus, http.StatusBadRequest)
	sw.MaxDocument = bounded(sw.MaxDocument, defaultMaxDocument)
	sw.DeliveredUpload = cmp.Or(sw.DeliveredUpload, http.StatusConflict)
	sw.UnknownUpload = cmp.Or(sw.UnknownUpload, http.StatusNotFound)
	sw.ManualWait = cmp.Or(sw.ManualWait, 30*time.Second)
	sw.InvalidDelivery = cmp.Or(sw.InvalidDelivery, statusValidated)
	sw.RefusedDocument = cmp.Or(sw.RefusedDocument, documentDisapproved)
	sw.RefusedDelivery = cmp.Or(sw.RefusedDelivery, statusForwarded)
	sw.EmptyListStatus = cmp.Or(sw.EmptyListStatus, http.StatusNotFound)
	sw.RegistryUnknown = cmp.Or(sw.RegistryUnknown, http.StatusOK)
	sw.RegistryRate = cmp.Or(sw.RegistryRate, 3)
	if sw.Zone == nil {
		sw.Zone = portalZone()
	}
	return &sw
}

// portalZone is the likeliest zone of the portal's times, which carry none.
var portalZone = sync.OnceValue(func() *time.Location {
	if zone, err := time.LoadLocation("Europe/Amsterdam"); err == nil {
		return zone
	}
	return time.FixedZone("CET", 3600)
})
