package sandbox

import (
	"container/heap"
	"slices"
	"time"
)

// stage is how far a delivery is: the last step that is complete.
type stage int

const (
	stageSubmitted stage = iota
	stageValidated
	stageChecked
	stageApproved
	stageForwarded
)

// nextAction is the step after a stage, in the words of ?actie=.
func (s stage) nextAction() string {
	return [...]string{actionValidate, actionCheck, actionApprove, actionForward, ""}[s]
}

// An event is something that will happen to a delivery at a time.
type event struct {
	at       time.Time
	order    int64 // among those at one time
	delivery *delivery
	plan     int       // void when the delivery has another plan by then
	document *document // the register decides on this document; nil: the delivery takes its next step
}

// eventQueue is a heap by time.
type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(e any)   { *q = append(*q, e.(event)) }
func (q *eventQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = event{}
	*q = (*q)[:last]
	return e
}

func (p *state) plan(at time.Time, d *delivery, doc *document) {
	p.events++
	heap.Push(&p.due, event{at: at, order: p.events, delivery: d, plan: d.plan, document: doc})
}

// advance carries out what has become due. Each event happens at its own time, however late anybody looks.
func (p *state) advance(sw *Switches, now time.Time) {
	for len(p.due) > 0 && !p.due[0].at.After(now) {
		e := heap.Pop(&p.due).(event)
		switch {
		case e.plan != e.delivery.plan:
		case e.document != nil:
			p.register(sw, e.delivery, e.document, e.at)
		default:
			p.step(sw, e.delivery, e.at)
		}
	}
}

// begin starts a delivery on its way. A document that was not recognised stops it where it stands.
func (p *state) begin(sw *Switches, d *delivery, at time.Time) {
	if slices.ContainsFunc(d.documents, func(doc *document) bool { return doc.status == documentUnrecognised }) {
		p.end(d)
		return
	}
	p.list(d)
	p.proceed(sw, d, at)
}

// proceed plans the next step of a delivery, or has it wait for a person.
func (p *state) proceed(sw *Switches, d *delivery, at time.Time) {
	wait, held := d.mustWait(sw)
	if held && d.approved {
		held, d.approved = false, false
	}
	d.held = held
	switch {
	case !held:
		p.planStep(sw, d, at)
	case wait > 0:
		p.planStep(sw, d, at.Add(wait))
	}
}

// mustWait says whether a person has to look before the next step, and for how long at most; zero is for ever.
func (d *delivery) mustWait(sw *Switches) (time.Duration, bool) {
	action := d.stage.nextAction()
	if sw.HoldBefore == action {
		return sw.HoldFor, true
	}
	marked := func(doc *document) bool { return doc.content.marked(MarkManual) }
	if action == actionApprove && slices.ContainsFunc(d.documents, marked) {
		return max(sw.ManualWait, 0), true
	}
	return 0, false
}

// planStep plans the completion of the next step for the time it takes after at.
func (p *state) planStep(sw *Switches, d *delivery, at time.Time) {
	switch d.stage {
	case stageSubmitted:
		p.plan(at.Add(sw.Timeline.Validate), d, nil)
	case stageValidated:
		p.plan(at.Add(sw.Timeline.Check), d, nil)
	case stageChecked:
		p.plan(at.Add(sw.Timeline.Approve), d, nil)
	case stageApproved:
		p.planRegistrations(sw, d, at)
	}
}

// planRegistrations gives each document its turn at the register. The register takes the documents about one object one
// after another.
func (p *state) planRegistrations(sw *Switches, d *delivery, at time.Time) {
	spread := time.Duration(0)
	if sw.Timeline.ForwardSpread > 0 {
		spread = time.Duration(p.dice(diceForward, d.id) % uint64(sw.Timeline.ForwardSpread))
	}
	turn := at.Add(sw.Timeline.Forward + spread)
	d.pending = len(d.documents)
	if d.pending == 0 {
		p.plan(turn.Add(sw.Timeline.Lag), d, nil)
		return
	}
	for _, doc := range d.documents {
		at := turn
		if o := p.objects[doc.content.broID]; o != nil {
			if o.busyUntil.After(at) {
				at = o.busyUntil
			}
			o.busyUntil = at.Add(sw.Timeline.PerObject)
		}
		p.plan(at, d, doc)
	}
}

// step completes the next step of a delivery.
func (p *state) step(sw *Switches, d *delivery, at time.Time) {
	switch d.stage {
	case stageSubmitted:
		if !p.validateAll(sw, d, at) {
			return
		}
		p.reach(sw, d, stageValidated, statusValidated, documentValid, at)
	case stageValidated:
		p.reach(sw, d, stageChecked, statusChecked, documentChecked, at)
	case stageChecked:
		p.reach(sw, d, stageApproved, statusApproved, documentApproved, at)
	case stageApproved: // the register has decided on every document
		p.end(d)
		refused := slices.ContainsFunc(d.documents, func(doc *document) bool { return doc.settled && doc.broID == "" })
		d.status, d.changed = statusForwarded, at
		if refused {
			d.status = sw.RefusedDelivery
		}
		d.stage = stageForwarded
	}
}

// validateAll judges the documents. One that is not valid stops the whole delivery.
func (p *state) validateAll(sw *Switches, d *delivery, at time.Time) bool {
	ok := true
	for _, doc := range d.documents {
		doc.status, doc.changed = documentValid, at
		doc.errors = p.judge(sw, &doc.content, claim{supplier: d.supplier, project: d.project})
		if len(doc.errors) > 0 {
			doc.status = documentInvalid
			ok = false
		}
	}
	if !ok {
		p.end(d)
		d.status, d.changed = sw.InvalidDelivery, at
	}
	return ok
}

// reach records a completed step and goes on to the next.
func (p *state) reach(sw *Switches, d *delivery, stage stage, status, documentStatus string, at time.Time) {
	p.unlist(d)
	d.stage, d.status, d.changed = stage, status, at
	for _, doc := range d.documents {
		doc.status, doc.changed = documentStatus, at
	}
	p.list(d)
	p.proceed(sw, d, at)
}

// end says that nothing will happen to a delivery by itself any more.
func (p *state) end(d *delivery) {
	p.unlist(d)
	d.ended = true
	d.held = false
	p.finished = append(p.finished, d)
}

// register decides on one document at the moment it is passed on to the register.
func (p *state) register(sw *Switches, d *delivery, doc *document, at time.Time) {
	if sw.HalfState != "" && !doc.half {
		doc.half = true
		if sw.HalfState == HalfStateErrors {
			doc.errors, doc.changed = []string{textSystemFault}, at
		}
		if sw.HalfStateFor > 0 {
			p.plan(at.Add(sw.HalfStateFor), d, doc)
		}
		p.decided(sw, d, at)
		return
	}
	late := doc.half // the delivery has ended already
	doc.settled, doc.changed = true, at
	if doc.errors = p.refusal(sw, d, doc); len(doc.errors) > 0 {
		doc.status = sw.RefusedDocument
	} else {
		p.enter(d, doc, at)
		doc.status = documentRegistered
	}
	if !late {
		p.decided(sw, d, at)
	}
}

// decided counts down the documents of a delivery; after the last one the delivery itself follows.
func (p *state) decided(sw *Switches, d *delivery, at time.Time) {
	if d.pending--; d.pending == 0 {
		p.plan(at.Add(sw.Timeline.Lag), d, nil)
	}
}

// refusal is what the register has against a document that was valid before.
func (p *state) refusal(sw *Switches, d *delivery, doc *document) []string {
	if doc.content.marked(MarkRefused) {
		return []string{"Het brondocument is bij het doorleveren afgewezen door de landelijke voorziening BRO.", textClosingLine}
	}
	if sw.NoRevalidation {
		return nil
	}
	return p.judge(sw, &doc.content, claim{supplier: d.supplier, project: d.project})
}

// waitsFor is the step a delivery waits for; empty when it has ended.
func (d *delivery) waitsFor() string {
	if d.ended {
		return ""
	}
	return d.stage.nextAction()
}

// list enters a delivery among those that wait for its next step.
func (p *state) list(d *delivery) {
	key := stepOf{d.project.ID, d.waitsFor()}
	if key.action == "" {
		return
	}
	if p.waiting[key] == nil {
		p.waiting[key] = make(map[int64]bool)
	}
	p.waiting[key][d.id] = true
}

func (p *state) unlist(d *delivery) {
	delete(p.waiting[stepOf{d.project.ID, d.waitsFor()}], d.id)
}

// Approve lets a delivery go on that waits for a person, or spares it the next such wait. It reports whether there is such a
// delivery that has not ended.
func (s *Server) Approve(identifier string) bool {
	done := false
	s.act(identifier, func(p *state, d *delivery, now time.Time) {
		switch {
		case d.ended:
			return
		case d.held:
			d.held = false
			d.plan++
			p.planStep(s.switches.Load(), d, now)
		default:
			d.approved = true
		}
		done = true
	})
	return done
}

// Reject ends a delivery as a person does who disapproves of it: its documents become AFGEKEURD with these errors. It
// reports whether there is such a delivery that has not ended.
func (s *Server) Reject(identifier string, errors ...string) bool {
	done := false
	s.act(identifier, func(p *state, d *delivery, now time.Time) {
		if d.ended {
			return
		}
		p.end(d)
		d.plan++
		d.changed = now
		for _, doc := range d.documents {
			if !doc.settled {
				doc.status, doc.changed, doc.errors = documentDisapproved, now, slices.Clone(errors)
			}
		}
		done = true
	})
	return done
}
