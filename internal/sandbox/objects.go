package sandbox

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// An object is a registration in the register, and what the register remembers of it. Guarded by Server.mu.
type object struct {
	Object
	regime       string
	events       map[string]bool // see content.event
	transactions []transaction
	busyUntil    time.Time // the register keeps it to itself until then

	registered, extended, completed, corrected, deregistered time.Time // zero: never
}

type transaction struct {
	BROID         string `json:"broId"`
	TransactionID string `json:"transactionId"`
	ObjectID      string `json:"objectIdBronhouder"`
}

// seedObject registers an object that was there before anybody delivered it: since yesterday.
func (p *state) seedObject(seed Object, at time.Time) *object {
	seed.Owner = cmp.Or(seed.Owner, p.defaultOwner)
	seed.State = cmp.Or(seed.State, Registered)
	if seed.Type == "" {
		seed.Type = typeByLetters(seed.BROID)
	}
	at = at.Add(-24 * time.Hour)
	o := &object{Object: seed, regime: "IMBRO", registered: at}
	switch seed.State {
	case Extended:
		o.extended = at
	case Completed:
		o.completed = at
	case Deregistered:
		o.deregistered = at
	}
	p.insert(o)
	return o
}

// typeByLetters guesses a type from the letters of a BRO-ID; for boreholes it takes the geotechnical ones.
func typeByLetters(broID string) string {
	letters := broID[:min(3, len(broID))]
	if letters == "BHR" {
		return "BHR-GT"
	}
	return letters
}

func (p *state) insert(o *object) {
	p.objects[o.BROID] = o
	key := typeOf{o.Owner, o.Type}
	p.byOwner[key] = append(p.byOwner[key], o)
}

// adopt takes an object nobody registered for one that is.
func (p *state) adopt(c *content, by claim) *object {
	o := Object{BROID: c.broID, Type: c.typ.name, Supplier: by.supplier, Owner: c.party}
	if by.project != nil {
		o.Owner = cmp.Or(o.Owner, by.project.Owner.KvK)
	}
	return p.seedObject(o, time.Now())
}

// enter puts a document into the register: a new object, or a change of an existing one.
func (p *state) enter(d *delivery, doc *document, at time.Time) {
	c := &doc.content
	o := p.objects[c.broID]
	if o == nil {
		o = p.newObject(d, c, at)
	}
	o.apply(c, at)
	p.lastTransaction++
	doc.broID = o.BROID
	doc.transaction = fmt.Sprintf("%s-%012d", c.typ.letters, p.lastTransaction)
	o.transactions = append(o.transactions, transaction{o.BROID, doc.transaction, o.ObjectID})
	p.counts(doc.sha).registered++
}

// newObject makes a registration under a number of its own, whether or not there is one like it already: a second identical
// document makes a second object, as in the real register.
func (p *state) newObject(d *delivery, c *content, at time.Time) *object {
	broID := c.broID // named, but unknown: only when nothing is checked again
	for broID == "" || p.objects[broID] != nil {
		n := max(p.lastNumber[c.typ.letters]+1, firstBROID)
		p.lastNumber[c.typ.letters] = n
		broID = fmt.Sprintf("%s%012d", c.typ.letters, n)
	}
	o := &object{
		Object: Object{
			BROID: broID, Type: c.typ.name, Owner: cmp.Or(c.party, d.project.Owner.KvK), Supplier: d.supplier,
			State: Registered, ObjectID: c.objectID,
		},
		regime: c.regime, registered: at,
	}
	p.insert(o)
	return o
}

// apply changes the object as the document says, as far as the sandbox understands it.
func (o *object) apply(c *content, at time.Time) {
	if o.events == nil {
		o.events = make(map[string]bool)
	}
	isNew := o.registered.Equal(at) && len(o.transactions) == 0
	switch c.request {
	case "deleteRequest":
		o.corrected = at
		delete(o.events, c.event())
		if strings.HasSuffix(c.subDocument, "_StartRegistration") || strings.HasSuffix(c.subDocument, "_Construction") {
			o.State, o.deregistered = Deregistered, at
		}
		return
	case "registrationRequest":
		if !isNew {
			o.State, o.extended = Extended, at
		}
	default:
		o.corrected = at
	}
	if c.eventDate != "" {
		o.events[c.event()] = true
		if before(o.LastEvent, c.eventDate) || o.LastEvent == "" {
			o.LastEvent = c.eventDate
		}
	}
	if c.request == "registrationRequest" && completes(c.subDocument) {
		o.State, o.completed = Completed, at
	}
}

// completes says whether a sub-document ends the registration of its object.
func completes(subDocument string) bool {
	for _, word := range []string{"_Closure", "_Removal", "_EndRegistration", "_EndReport", "_CompleteReport"} {
		if strings.Contains(subDocument, word) {
			return true
		}
	}
	return subDocument == "CPT" || subDocument == "GAR" || subDocument == "BHR_P"
}
