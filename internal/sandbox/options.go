package sandbox

import "time"

// Options say what a [Server] starts with. The zero value is a portal that knows nobody: every call is a 401. [Default]
// gives one that can be used at once.
type Options struct {
	Tokens   []Token
	Projects []Project
	Objects  []Object // registered before the portal opened

	// Seed feeds everything that would otherwise be random: durations, invented file names, Chaos. The same seed and the
	// same order of calls give the same portal.
	Seed uint64

	// Switches are the questions nobody has answered about the real portal, and the durations.
	Switches

	// KeepBodies keeps the bytes of documents and attachments, so that GET brondocumenten can give them back; otherwise
	// only their length and SHA-256 are kept.
	KeepBodies bool
	// MaxKeptBytes bounds what KeepBodies may hold; the oldest bytes go first. 0: 256 MB. Negative: no bound.
	MaxKeptBytes int64
	// MaxDeliveries bounds the finished deliveries, and the uploads, that are remembered; the oldest go first and are a 404
	// from then on. The counts of Submissions stay. 0: 100,000. Negative: no bound.
	MaxDeliveries int
	// LogSize is how many requests [Server.Requests] remembers. 0: 1,000. Negative: all of them.
	LogSize int
	// LogBodies keeps the body of each request in that log as well, when the call read one.
	LogBodies bool

	// Chaos scatters faults; its zero value scatters none.
	Chaos Chaos
	// Faults are injected before the first request, as by [Server.Inject].
	Faults []Fault

	// OnRequest is called before anything is done for a request, with its operation and how manieth of that operation it
	// is, counted from 1. It is where a test revokes a token "between any two calls"; it may call the Server.
	OnRequest func(op Op, n int)
	// Log is called once for every request, after its work and just before its answer leaves. It may be called by
	// several goroutines at once.
	Log func(Request)

	// Manage opens the paths under /sandbox/ by which another process can approve a delivery, inject a fault or revoke a
	// token, see [Server.ServeHTTP]. Off by default.
	Manage bool
}

// A TokenKind is one of the three kinds of token that the portal gives out.
type TokenKind string

const (
	// DeliveryToken (aanlevertoken) belongs to a supplier and his projects: validate, deliver, follow.
	DeliveryToken TokenKind = "aanlever"
	// ValidationToken (validatietoken) may validate and nothing else.
	ValidationToken TokenKind = "validatie"
	// EnrichmentToken (verrijkingstoken) may read deliveries and put notes and files on them.
	EnrichmentToken TokenKind = "verrijking"
)

// A Token is one pair of credentials.
type Token struct {
	Username string // three parts with pipes between them, as the portal makes them
	Secret   string // compared byte for byte
	Kind     TokenKind
	Projects []int
	// Supplier is the organisation that delivers with it; an object takes additions from its own supplier only. Empty:
	// the middle part of the username, or all of it when it has no parts.
	Supplier string
}

// A Project is one project of a data owner (bronhouder).
type Project struct {
	ID     int
	Name   string
	Owner  DataOwner
	Closed bool
}

// A DataOwner is the organisation a registration belongs to (bronhouder).
type DataOwner struct {
	KvK  string // number at the chamber of commerce, eight digits
	Name string
}

// An ObjectState is how far the registration of an object is.
type ObjectState string

const (
	Registered   ObjectState = "geregistreerd"
	Extended     ObjectState = "aangevuld"
	Completed    ObjectState = "voltooid"
	Deregistered ObjectState = "uit registratie genomen" // a flag of its own on the wire, not a state
)

// An Object is a registration in the register behind the portal.
type Object struct {
	BROID    string      // three letters and twelve digits
	Type     string      // "GMW", "GLD", "BHR-GT", …; empty: taken from the letters
	Owner    string      // KvK number of the data owner; empty: that of the first project
	Supplier string      // who may add to it; empty: anybody
	State    ObjectState // empty: Registered
	// LastEvent is the date of its newest event, as far as known ("2025", "2025-02", "2025-02-03"); an earlier one is refused.
	LastEvent string
	// ObjectID is the name the supplier gave it (objectIdAccountableParty).
	ObjectID string
}

// The pair of credentials, and the project, that [Default] knows. They open nothing but a sandbox.
const (
	DefaultProject            = 1255
	DefaultUsername           = "0dce6fc98256|123456789|1234"
	DefaultSecret             = "5a4d0b1c2e3f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	DefaultValidationUsername = "1dce6fc98256|123456789|1235"
	DefaultValidationSecret   = "6a4d0b1c2e3f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	DefaultEnrichmentUsername = "2dce6fc98256|123456789|1236"
	DefaultEnrichmentSecret   = "7a4d0b1c2e3f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	// NeighbourProject exists, but none of the default tokens may touch it.
	NeighbourProject = 1256
)

// Default is a portal that can be used at once: project 1255 with one token of each kind, a second project that is
// somebody else's, documents kept, the timeline of [DefaultTimeline] and, for every type of object, these registrations
// (here for GMW):
//
//	GMW000000100001 … GMW000000100005   registered, free to add to
//	GMW000000100091                     completed
//	GMW000000100092                     registered by another supplier
//	GMW000000100093                     deregistered
func Default() Options {
	o := Options{
		Tokens: []Token{
			{Username: DefaultUsername, Secret: DefaultSecret, Kind: DeliveryToken, Projects: []int{DefaultProject}},
			{Username: DefaultValidationUsername, Secret: DefaultValidationSecret, Kind: ValidationToken, Projects: []int{DefaultProject}},
			{Username: DefaultEnrichmentUsername, Secret: DefaultEnrichmentSecret, Kind: EnrichmentToken, Projects: []int{DefaultProject}},
		},
		Projects: []Project{
			{ID: DefaultProject, Name: "Zandbak", Owner: DataOwner{KvK: "12345678", Name: "Waterschap Zandbak"}},
			{ID: NeighbourProject, Name: "Zandbak van de buren", Owner: DataOwner{KvK: "87654321", Name: "Gemeente Zandbak"}},
		},
		KeepBodies: true,
	}
	o.Timeline = DefaultTimeline()
	for _, typ := range []string{"GMW", "GLD", "GMN", "GAR", "FRD", "CPT", "BHR-GT", "SFR", "GUF", "GPD", "EPL", "EPC", "SAD", "SLD"} {
		o.Objects = append(o.Objects, defaultObjects(typ)...)
	}
	return o
}

func defaultObjects(typ string) []Object {
	letters := typ[:3]
	objects := make([]Object, 0, 8)
	for _, digits := range []string{"000000100001", "000000100002", "000000100003", "000000100004", "000000100005"} {
		objects = append(objects, Object{BROID: letters + digits, Type: typ})
	}
	return append(objects,
		Object{BROID: letters + "000000100091", Type: typ, State: Completed},
		Object{BROID: letters + "000000100092", Type: typ, Supplier: "987654321"},
		Object{BROID: letters + "000000100093", Type: typ, State: Deregistered},
	)
}

// A Timeline says how long each step of a delivery takes. Zero steps take no time: with the zero Timeline the first GET after
// a submission shows the end.
type Timeline struct {
	Validate time.Duration // submitted → GEVALIDEERD
	Check    time.Duration // → GECONTROLEERD
	Approve  time.Duration // → VASTGESTELD
	Forward  time.Duration // → document OPGENOMEN_LVBRO, at least
	// ForwardSpread is added to Forward in part: between nothing and all of it, by the seed and the number of the delivery.
	ForwardSpread time.Duration
	// Lag is how long the delivery itself is behind its last document at the end (seen: a quarter of a second).
	Lag time.Duration
	// PerObject is how long the register keeps an object to itself: the second addition to one object waits this much
	// longer than the first, the third twice as much.
	PerObject time.Duration
}

// DefaultTimeline is the pace of the demo portal as recorded: done after four to eight seconds, and after half a minute for
// the third of three additions to one object.
func DefaultTimeline() Timeline {
	return Timeline{
		Validate: time.Second, Check: time.Second, Approve: time.Second,
		Forward: time.Second, ForwardSpread: 4 * time.Second, Lag: 250 * time.Millisecond,
		PerObject: 12 * time.Second,
	}
}

const (
	defaultMaxDocument   = 20 << 20
	defaultMaxKept       = 256 << 20
	defaultMaxDeliveries = 100_000
	defaultLogSize       = 1000
)

// bounded turns the "0 is the default, negative is no bound" of an option into a number; no bound is the largest there is.
func bounded(value, standard int64) int64 {
	switch {
	case value == 0:
		return standard
	case value < 0:
		return int64(^uint64(0) >> 1)
	}
	return value
}
