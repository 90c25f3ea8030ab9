package sandbox

import (
	"encoding/hex"
	"net/http"
	"time"
)

// The most notes and files on one delivery or document; an enricher who repeats himself for weeks gets 400 at some point.
const maxRemarks = 1000

// note answers POST …/{leveringen|brondocumenten}/{id}/{info|warnings|errors}: the body is the text.
func (s *Server) note(x *exchange) answer {
	text, refusal, ok := x.readSmall(1 << 20)
	if !ok {
		return refusal
	}
	n := Note{Level: x.route.level, Text: string(text)}
	return s.locked(x, func(p *state, _ time.Time) answer {
		notes := p.notesOf(x)
		switch {
		case notes == nil:
			return x.notFound("no such delivery or document in this project")
		case len(*notes) >= maxRemarks:
			return x.fail(http.StatusBadRequest, "there are too many notes already")
		}
		*notes = append(*notes, n)
		return answer{status: http.StatusCreated}
	})
}

// notesOf is where the note of this request belongs; nil: nowhere.
func (p *state) notesOf(x *exchange) *[]Note {
	if x.route.onDoc {
		if doc := p.findDocument(x); doc != nil {
			return &doc.notes
		}
		return nil
	}
	if d := p.findDelivery(x); d != nil {
		return &d.notes
	}
	return nil
}

// attach answers POST …/leveringen/{id}/attachments/{filename}: the body is the file.
func (s *Server) attach(x *exchange) answer {
	x.body.keep = x.body.keep || s.portal.keepBodies
	if refusal, refused := x.readFile(); refused {
		return refusal
	}
	sum := x.body.digest()
	return s.locked(x, func(p *state, _ time.Time) answer {
		d := p.findDelivery(x)
		switch {
		case d == nil:
			return x.notFound("no such delivery in this project")
		case len(d.attached) >= maxRemarks:
			return x.fail(http.StatusBadRequest, "there are too many files already")
		}
		d.attached = append(d.attached, attachment{
			Attachment: Attachment{Name: x.route.name, Size: x.body.n, SHA256: hex.EncodeToString(sum[:])},
			body:       p.keep(x.body.kept),
		})
		return answer{status: http.StatusCreated}
	})
}
