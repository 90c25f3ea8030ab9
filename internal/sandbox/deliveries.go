package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A delivery is a levering. Its status is a word of its own and not derived from its stage, since a delivery can end in
// several ways at one stage.
type delivery struct {
	id        int64
	project   *Project
	upload    int64
	supplier  string
	label     string
	submitted time.Time
	changed   time.Time
	status    string
	documents []*document

	stage    stage // the last step that is complete
	ended    bool  // nothing will happen by itself any more
	held     bool  // waits for a person before the next step
	approved bool  // somebody approved it before it had to wait
	plan     int   // events of an older plan are void
	pending  int   // documents on which the register has not decided

	notes    []Note
	attached []attachment
}

type attachment struct {
	Attachment
	body *body
}

// identifier is the number as the wire has it.
func (d *delivery) identifier() string { return fmt.Sprintf("%010d", d.id) }

// submit answers POST …/leveringen: the point of no return, and the only call that must never be repeated blindly.
func (s *Server) submit(x *exchange) answer {
	if refusal, refused := x.wantType("application/json"); refused {
		return refusal
	}
	body, refusal, ok := x.readSmall(1 << 16)
	if !ok {
		return refusal
	}
	id, err := readSubmission(body)
	if err != nil {
		return x.fail(http.StatusBadRequest, err.Error())
	}
	return s.locked(x, func(p *state, now time.Time) answer {
		u := p.findUpload(x, id)
		switch {
		case u == nil:
			return x.fail(x.sw.UnknownUpload, "no such upload of this token in this project")
		case u.delivered != nil && x.sw.Resubmit == "":
			return x.fail(http.StatusConflict, "the upload has been delivered")
		case u.delivered != nil && x.sw.Resubmit == ResubmitSame:
			return x.created(u.delivered.path())
		case len(u.documents) == 0 && x.sw.EmptyUpload != EmptyUploadAccepted:
			return x.fail(http.StatusBadRequest, "the upload has no documents")
		}
		d := p.deliver(x, u, s.projects[x.route.project], now)
		p.advance(x.sw, now)
		return x.created(d.path())
	})
}

func (d *delivery) path() string {
	return fmt.Sprintf("/api/v2/%d/leveringen/%s", d.project.ID, d.identifier())
}

// deliver turns an upload into a delivery. The second time it does so with copies of the documents.
func (p *state) deliver(x *exchange, u *upload, owner *Project, now time.Time) *delivery {
	p.lastDelivery++
	d := &delivery{
		id: p.lastDelivery, project: owner, upload: u.id, supplier: x.token.supplier,
		label: x.r.URL.Query().Get("labels"), submitted: now, changed: now,
		status: statusSubmitted, documents: u.documents,
	}
	if u.delivered != nil {
		d.documents = p.copyDocuments(u.documents, now)
	}
	u.delivered = d
	p.deliveries[d.id] = d
	counted := make(map[[32]byte]bool, len(d.documents))
	for _, doc := range d.documents {
		p.byFilename[doc.filename] = d.id
		if doc.given != "" {
			p.byFilename[doc.given] = d.id
		}
		if !counted[doc.sha] {
			counted[doc.sha] = true
			p.counts(doc.sha).deliveries++
		}
	}
	p.begin(x.sw, d, now)
	p.forgetDeliveries()
	return d
}

func (p *state) copyDocuments(originals []*document, now time.Time) []*document {
	copies := make([]*document, len(originals))
	for i, original := range originals {
		p.lastDocument++
		copies[i] = &document{
			id: p.lastDocument, project: original.project, filename: original.filename, given: original.given,
			sha: original.sha, size: original.size, body: original.body, content: original.content,
			status: documentRecognised, changed: now,
		}
		if !original.content.wellFormed() {
			copies[i].status, copies[i].errors = original.status, original.errors
		}
		p.documents[copies[i].id] = copies[i]
	}
	return copies
}

// forgetDeliveries drops the deliveries that ended longest ago when there are too many. One that has not ended stays.
func (p *state) forgetDeliveries() {
	for len(p.finished) > 0 {
		d := p.finished[0]
		forgotten := p.deliveries[d.id] == nil
		if !forgotten && int64(len(p.deliveries)) <= p.maxRemember {
			return
		}
		p.finished = p.finished[1:]
		if !forgotten {
			p.forget(d)
		}
	}
}

// forget removes a delivery and all that belongs to it. What it registered stays registered.
func (p *state) forget(d *delivery) {
	p.unlist(d)
	d.ended = true
	d.plan++
	delete(p.deliveries, d.id)
	for _, doc := range d.documents {
		p.forgetDocument(doc)
		for _, name := range []string{doc.filename, doc.given} {
			if p.byFilename[name] == d.id {
				delete(p.byFilename, name)
			}
		}
	}
	for _, a := range d.attached {
		p.giveUp(a.body)
	}
}

// DeleteDelivery removes a delivery as a data owner can in the portal: a 404 from then on, and nothing more happens to its
// documents. It reports whether there was such a delivery.
func (s *Server) DeleteDelivery(identifier string) bool {
	return s.act(identifier, func(p *state, d *delivery, _ time.Time) { p.forget(d) })
}

// act does something to a delivery whose number is given, padded or not.
func (s *Server) act(identifier string, do func(*state, *delivery, time.Time)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.portal.advance(s.switches.Load(), now)
	id, _ := number(identifier)
	d := s.portal.deliveries[id]
	if d == nil {
		return false
	}
	do(&s.portal, d, now)
	return true
}

// delivery answers GET …/leveringen/{identifier}.
func (s *Server) delivery(x *exchange) answer {
	return s.locked(x, func(p *state, _ time.Time) answer {
		d := p.findDelivery(x)
		if d == nil {
			return x.notFound("no such delivery in this project; it may have been deleted")
		}
		return jsonAnswer(http.StatusOK, d.json(x.sw))
	})
}

func (p *state) findDelivery(x *exchange) *delivery {
	if d := p.deliveries[x.route.id]; d != nil && d.project.ID == x.route.project {
		return d
	}
	return nil
}

// deliveries answers GET …/leveringen?actie=: the numbers of those that wait for a step, oldest first.
func (s *Server) deliveries(x *exchange) answer {
	action := x.r.URL.Query().Get("actie")
	switch action {
	case actionValidate, actionCheck, actionApprove, actionForward:
	default:
		return x.fail(http.StatusBadRequest, "actie wants VALIDEREN, CONTROLEREN, VASTSTELLEN or DOORLEVEREN")
	}
	return s.locked(x, func(p *state, _ time.Time) answer {
		waiting := p.waiting[stepOf{x.route.project, action}]
		if len(waiting) == 0 && x.sw.EmptyListStatus != http.StatusOK {
			return x.fail(x.sw.EmptyListStatus, "no delivery waits for this")
		}
		ids := make([]int64, 0, len(waiting))
		for id := range waiting {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		list := make([]string, len(ids))
		for i, id := range ids {
			list[i] = p.deliveries[id].identifier()
		}
		return jsonAnswer(http.StatusOK, list)
	})
}

// sourceDocument answers GET …/brondocumenten/{id}: the bytes as they were received.
func (s *Server) sourceDocument(x *exchange) answer {
	return s.locked(x, func(p *state, _ time.Time) answer {
		d := p.findDocument(x)
		switch {
		case d == nil:
			return x.notFound("no such document in this project")
		case d.body == nil || d.body.bytes == nil:
			return x.notFound("the bytes of this document are not kept")
		case d.broID != "" && x.sw.RegisteredDocument == RegisteredDocumentGone:
			return x.notFound("the document is registered and has been removed")
		}
		return answer{status: http.StatusOK, contentType: "application/xml", body: d.body.bytes}
	})
}

func (p *state) findDocument(x *exchange) *document {
	if d := p.documents[x.route.id]; d != nil && d.project == x.route.project {
		return d
	}
	return nil
}
