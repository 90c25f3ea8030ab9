package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Knob describes one switch for a command that offers it by name.
type Knob struct {
	Name    string
	Default string // what [Default] does; "" is nothing
	Values  string // what it takes: "401 | 403", "duration", "number", "text"
	Help    string
}

// Knobs lists every switch that [Options.ParseKnob] sets, in the order of the conformance suite.
func Knobs() []Knob {
	list := make([]Knob, len(knobs))
	for i, k := range knobs {
		list[i] = k.Knob
	}
	return list
}

// ParseKnob sets one switch by its name. The error says what there is instead.
func (o *Options) ParseKnob(name, value string) error {
	i := slices.IndexFunc(knobs, func(k knob) bool { return k.Name == name })
	if i < 0 {
		return fmt.Errorf("set %s: no such switch; there are %s", name, strings.Join(knobNames(), ", "))
	}
	if err := knobs[i].set(o, value); err != nil {
		return fmt.Errorf("set %s=%s: %w", name, value, err)
	}
	return nil
}

func knobNames() []string {
	names := make([]string, len(knobs))
	for i, k := range knobs {
		names[i] = k.Name
	}
	return names
}

type knob struct {
	Knob
	set func(o *Options, value string) error
}

var knobs = []knob{
	status("outside-project", "answer to a token at a project that is not its own", func(o *Options) *int { return &o.OutsideProject }, 401, 403, 404),
	status("no-right", "answer to a token without the right", func(o *Options) *int { return &o.NoRight }, 403, 401),
	status("closed-project", "answer to every call for a closed project", func(o *Options) *int { return &o.ClosedProject }, 401, 403, 404),
	choice("withdrawn", "what a withdrawn authorisation stops", func(o *Options) *Choice { return &o.Withdrawn }, "deliver", WithdrawnAll),
	inverse("challenge", "send WWW-Authenticate with a 401", func(o *Options) *bool { return &o.NoChallenge }),
	choice("error-body", "body of a failure", func(o *Options) *Choice { return &o.ErrorBody }, "json", ErrorBodyEmpty, ErrorBodyHTML, ErrorBodyText),

	choice("valid-errors", "errors of a VALIDE answer", func(o *Options) *Choice { return &o.ValidErrors }, "absent", ErrorsEmpty, ErrorsNull),
	status("invalid-status", "HTTP status of NIET_VALIDE", func(o *Options) *int { return &o.InvalidStatus }, 200, 400, 422),
	status("malformed-status", "answer to a validation of what is no XML or of no known kind; 200 is NIET_VALIDE", func(o *Options) *int { return &o.MalformedStatus }, 400, 200, 422),
	duration("validation-delay", "how long a validation takes", 0, func(o *Options) *time.Duration { return &o.ValidationDelay }),
	choice("closing-line", "where the closing line of the errors stands", func(o *Options) *Choice { return &o.ClosingLine }, "last", ClosingLineFirst, ClosingLineAbsent),

	choice("unknown-objects", "a BRO-ID that nobody registered", func(o *Options) *Choice { return &o.UnknownObjects }, "refuse", UnknownObjectsAdopted),
	choice("supplier-check", "where it matters that an object has another supplier", func(o *Options) *Choice { return &o.SupplierCheck }, "everywhere", SupplierCheckValidation),
	boolean("check-party", "compare deliveryAccountableParty with the data owner of the project", func(o *Options) *bool { return &o.CheckParty }),

	integer("max-document", "most bytes of a document; negative: no limit", "20971520", func(o *Options, n int64) { o.MaxDocument = n }),
	choice("file-names", "file names that do not end in .xml", func(o *Options) *Choice { return &o.FileNames }, "replace", FileNamesKept),
	choice("duplicate-names", "the same file name twice in one upload", func(o *Options) *Choice { return &o.DuplicateNames }, "accept", DuplicateNamesReplace, DuplicateNamesRefused),
	choice("malformed-upload", "an uploaded document that is no XML or of no known kind", func(o *Options) *Choice { return &o.MalformedUpload }, "accept", MalformedUploadRefused),
	status("delivered-upload", "answer to a document for an upload that was delivered", func(o *Options) *int { return &o.DeliveredUpload }, 409, 400, 404),

	status("unknown-upload", "answer to a delivery of an unknown upload", func(o *Options) *int { return &o.UnknownUpload }, 404, 400, 422),
	choice("resubmit", "a second delivery of one upload", func(o *Options) *Choice { return &o.Resubmit }, "refuse", ResubmitSame, ResubmitNew),
	choice("empty-upload", "a delivery of an upload without documents", func(o *Options) *Choice { return &o.EmptyUpload }, "refuse", EmptyUploadAccepted),
	choice("content-type", "whether content types matter", func(o *Options) *Choice { return &o.ContentType }, "any", ContentTypeStrict),

	choice("fine-errors", "errors of a document of a delivery that is fine", func(o *Options) *Choice { return &o.FineErrors }, "absent", ErrorsEmpty, ErrorsNull),
	choice("errors-shape", "shape of the errors of a document of a delivery", func(o *Options) *Choice { return &o.ErrorsShape }, "strings", ErrorsAsObjects, ErrorsAsText),

	{Knob{"timeline", "demo", "demo | instant", "all durations at once: the pace of the demo portal, or none"}, setTimeline},
	duration("timeline.validate", "from submission to GEVALIDEERD", time.Second, func(o *Options) *time.Duration { return &o.Timeline.Validate }),
	duration("timeline.check", "to GECONTROLEERD", time.Second, func(o *Options) *time.Duration { return &o.Timeline.Check }),
	duration("timeline.approve", "to VASTGESTELD", time.Second, func(o *Options) *time.Duration { return &o.Timeline.Approve }),
	duration("timeline.forward", "to OPGENOMEN_LVBRO, at least", time.Second, func(o *Options) *time.Duration { return &o.Timeline.Forward }),
	duration("timeline.spread", "added to that in part, by the seed", 4*time.Second, func(o *Options) *time.Duration { return &o.Timeline.ForwardSpread }),
	duration("timeline.lag", "to DOORGELEVERD", 250*time.Millisecond, func(o *Options) *time.Duration { return &o.Timeline.Lag }),
	duration("timeline.per-object", "how long the register keeps one object to itself", 12*time.Second, func(o *Options) *time.Duration { return &o.Timeline.PerObject }),
	word("hold-before", "step before which every delivery waits for a person", "", func(o *Options) *string { return &o.HoldBefore }, actionValidate, actionCheck, actionApprove, actionForward),
	duration("hold-for", "how long it waits there if nobody approves it; 0 is for ever", 0, func(o *Options) *time.Duration { return &o.HoldFor }),
	duration("manual-wait", "how long a document marked "+MarkManual+" waits; negative is for ever", 30*time.Second, func(o *Options) *time.Duration { return &o.ManualWait }),
	text("unknown-status", "a word shown instead of GECONTROLEERD", "", func(o *Options) *string { return &o.UnknownStatus }),
	text("unknown-document-status", "a word shown instead of GOEDGEKEURD", "", func(o *Options) *string { return &o.UnknownDocumentStatus }),

	choice("half-state", "deliveries end while their documents are not registered", func(o *Options) *Choice { return &o.HalfState }, "off", HalfStateSilent, HalfStateErrors),
	duration("half-state-for", "until they are registered after all; 0 is for ever", 0, func(o *Options) *time.Duration { return &o.HalfStateFor }),
	word("invalid-delivery", "status of a delivery with an invalid document", statusValidated, func(o *Options) *string { return &o.InvalidDelivery }, statusValidated, statusSubmitted),
	inverse("revalidation", "judge a document again when it is passed on", func(o *Options) *bool { return &o.NoRevalidation }),
	text("refused-document", "status of a document that the register refuses", documentDisapproved, func(o *Options) *string { return &o.RefusedDocument }),
	word("refused-delivery", "status of its delivery", statusForwarded, func(o *Options) *string { return &o.RefusedDelivery }, statusForwarded, statusApproved),

	choice("registered-document", "the bytes of a document once it is registered", func(o *Options) *Choice { return &o.RegisteredDocument }, "kept", RegisteredDocumentGone),
	status("empty-list", "answer to a list without deliveries; 200 is []", func(o *Options) *int { return &o.EmptyListStatus }, 404, 200),
	choice("list-right", "tokens that may list deliveries", func(o *Options) *Choice { return &o.ListRight }, "all", EnrichmentOnly),
	choice("projects-right", "tokens that may list projects", func(o *Options) *Choice { return &o.ProjectsRight }, "all", EnrichmentOnly),
	choice("closed-key", "the key closed of an open project", func(o *Options) *Choice { return &o.ClosedKey }, "present", ClosedKeyAbsent),
	choice("kvk-type", "type of kvkNummer", func(o *Options) *Choice { return &o.KvKType }, "string", KvKNumber),
	choice("unknown-transactions", "transactions of an unknown BRO-ID", func(o *Options) *Choice { return &o.UnknownTransactions }, "empty-body", TransactionsEmptyList),

	integer("registry-rate", "requests per second that the public services bear; negative: no limit", "3", func(o *Options, n int64) { o.RegistryRate = int(max(-1, min(n, 1<<30))) }),
	status("registry-unknown", "HTTP status of the rejection for an unknown object", func(o *Options) *int { return &o.RegistryUnknown }, 200, 400, 404),
	duration("registry-delay", "how long after its registration an object shows there", 0, func(o *Options) *time.Duration { return &o.RegistryDelay }),

	onOff("keep-bodies", "on", "keep the bytes of documents", func(o *Options, on bool) { o.KeepBodies = on }),
	boolean("manage", "open the paths under /sandbox/", func(o *Options) *bool { return &o.Manage }),
	integer("seed", "seed of everything that would otherwise be random", "0", func(o *Options, n int64) { o.Seed = uint64(n) }),
	{Knob{"fault", "", "operation:kind[:part…]", "inject a fault, may be repeated; for example submit:process-then-drop or any:answer:status=503:times=3"}, addFault},
	{Knob{"chaos", "off", "off | bad-neighbour", "scatter faults over all calls, by the seed"}, setChaos},
	part("chaos.drop", "part of the requests that are done but not answered", func(o *Options) *float64 { return &o.Chaos.Drop }),
	part("chaos.bad-gateway", "part that are done and answered 502", func(o *Options) *float64 { return &o.Chaos.BadGateway }),
	part("chaos.unavailable", "part that are answered 503", func(o *Options) *float64 { return &o.Chaos.Unavailable }),
	part("chaos.too-many", "part that are answered 429", func(o *Options) *float64 { return &o.Chaos.TooMany }),
	part("chaos.reset", "part that meet a reset", func(o *Options) *float64 { return &o.Chaos.Reset }),
	part("chaos.broken-json", "part that are done and answered with broken JSON", func(o *Options) *float64 { return &o.Chaos.BrokenJSON }),
	part("chaos.slow", "part that are late", func(o *Options) *float64 { return &o.Chaos.Slow }),
	duration("chaos.max-delay", "how late at most", 2*time.Second, func(o *Options) *time.Duration { return &o.Chaos.MaxDelay }),
}

func setTimeline(o *Options, value string) error {
	switch value {
	case "instant":
		o.Timeline = Timeline{}
	case "demo":
		o.Timeline = DefaultTimeline()
	default:
		return wants("instant", "demo")
	}
	return nil
}

func addFault(o *Options, value string) error {
	f, err := ParseFault(value)
	if err != nil {
		return err
	}
	o.Faults = append(o.Faults, f)
	return nil
}

func setChaos(o *Options, value string) error {
	switch value {
	case "off":
		o.Chaos = Chaos{}
	case "bad-neighbour":
		o.Chaos = BadNeighbour()
	default:
		return wants("off", "bad-neighbour")
	}
	return nil
}

func wants(values ...string) error {
	return fmt.Errorf("want %s", strings.Join(values, ", "))
}

// status is a switch of a few HTTP statuses, the default first.
func status(name, help string, field func(*Options) *int, values ...int) knob {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.Itoa(v)
	}
	return knob{Knob{name, texts[0], strings.Join(texts, " | "), help}, func(o *Options, value string) error {
		i := slices.Index(texts, value)
		if i < 0 {
			return wants(texts...)
		}
		*field(o) = values[i]
		return nil
	}}
}

// choice is a switch of a few words; the default has a word here and none in the options.
func choice(name, help string, field func(*Options) *Choice, standard string, others ...Choice) knob {
	texts := []string{standard}
	for _, c := range others {
		texts = append(texts, string(c))
	}
	return knob{Knob{name, standard, strings.Join(texts, " | "), help}, func(o *Options, value string) error {
		switch i := slices.Index(texts, value); i {
		case -1:
			return wants(texts...)
		case 0:
			*field(o) = ""
		default:
			*field(o) = others[i-1]
		}
		return nil
	}}
}

// word is a switch of a few words of the wire; the empty word is the default.
func word(name, help, standard string, field func(*Options) *string, values ...string) knob {
	return knob{Knob{name, standard, strings.Join(values, " | "), help}, func(o *Options, value string) error {
		if value != "" && !slices.Contains(values, value) {
			return wants(values...)
		}
		*field(o) = value
		return nil
	}}
}

func text(name, help, standard string, field func(*Options) *string) knob {
	return knob{Knob{name, standard, "text", help}, func(o *Options, value string) error {
		*field(o) = value
		return nil
	}}
}

func duration(name, help string, standard time.Duration, field func(*Options) *time.Duration) knob {
	return knob{Knob{name, standard.String(), "duration", help}, func(o *Options, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return wants("a duration like 300ms, 2s or 1h")
		}
		*field(o) = d
		return nil
	}}
}

func integer(name, help, standard string, set func(*Options, int64)) knob {
	return knob{Knob{name, standard, "number", help}, func(o *Options, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return wants("a whole number")
		}
		set(o, n)
		return nil
	}}
}

func part(name, help string, field func(*Options) *float64) knob {
	return knob{Knob{name, "0", "0 to 1", help}, func(o *Options, value string) error {
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return wants("a number from 0 to 1")
		}
		*field(o) = f
		return nil
	}}
}

func boolean(name, help string, field func(*Options) *bool) knob {
	return onOff(name, "off", help, func(o *Options, on bool) { *field(o) = on })
}

// inverse is on by default; its field says off.
func inverse(name, help string, field func(*Options) *bool) knob {
	return onOff(name, "on", help, func(o *Options, on bool) { *field(o) = !on })
}

func onOff(name, standard, help string, set func(*Options, bool)) knob {
	return knob{Knob{name, standard, "on | off", help}, func(o *Options, value string) error {
		switch value {
		case "on", "true":
			set(o, true)
		case "off", "false":
			set(o, false)
		default:
			return wants("on", "off")
		}
		return nil
	}}
}
