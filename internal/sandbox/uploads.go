package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// openUpload answers POST …/uploads. A body is neither wanted nor minded.
func (s *Server) openUpload(x *exchange) answer {
	if _, refusal, ok := x.readSmall(1 << 16); !ok {
		return refusal
	}
	return s.locked(x, func(p *state, _ time.Time) answer {
		p.lastUpload++
		u := &upload{id: p.lastUpload, project: x.route.project, username: x.token.Username}
		p.uploads[u.id] = u
		p.forgetUploads()
		return x.created(fmt.Sprintf("/api/v2/%d/uploads/%d", u.project, u.id))
	})
}

// forgetUploads drops the oldest uploads when there are too many. Documents that were delivered live on in their delivery.
func (p *state) forgetUploads() {
	for int64(len(p.uploads)) > p.maxRemember {
		if u := p.uploads[p.oldestUpload]; u != nil {
			if u.delivered == nil {
				for _, d := range u.documents {
					p.forgetDocument(d)
				}
			}
			delete(p.uploads, u.id)
		}
		p.oldestUpload++
	}
}

func (p *state) forgetDocument(d *document) {
	delete(p.documents, d.id)
	p.giveUp(d.body)
}

// findUpload gives the upload of a path or a delivery; only the token that opened it sees it.
func (p *state) findUpload(x *exchange, id int64) *upload {
	u := p.uploads[id]
	if u == nil || u.project != x.route.project || u.username != x.token.Username {
		return nil
	}
	return u
}

// addDocument answers POST …/uploads/{n}/brondocumenten.
func (s *Server) addDocument(x *exchange) answer {
	if refusal, refused := x.wantType("application/xml", "text/xml"); refused {
		return refusal
	}
	if refusal, refused := s.uploadOpen(x); refused {
		return refusal
	}
	x.body.keep = x.body.keep || s.portal.keepBodies
	c, refusal, ok := x.readDocument()
	if !ok {
		return refusal
	}
	if !c.wellFormed() && x.sw.MalformedUpload == MalformedUploadRefused {
		return x.fail(http.StatusBadRequest, c.parserText())
	}
	return s.locked(x, func(p *state, now time.Time) answer {
		u, refusal, refused := p.openUploadOf(x)
		if refused {
			return refusal
		}
		d := p.newDocument(x, c, now)
		if refusal, refused := u.add(x, p, d); refused {
			return refusal
		}
		return x.created(fmt.Sprintf("/api/v2/%d/uploads/%d/brondocumenten/%d", u.project, u.id, d.id))
	})
}

// uploadOpen looks before a large body is read whether there is any use in it.
func (s *Server) uploadOpen(x *exchange) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, refusal, refused := s.portal.openUploadOf(x)
	return refusal, refused
}

// openUploadOf gives the upload that the path names, if documents may still be added to it.
func (p *state) openUploadOf(x *exchange) (*upload, answer, bool) {
	u := p.findUpload(x, x.route.id)
	switch {
	case u == nil:
		return nil, x.notFound("no such upload of this token in this project"), true
	case u.delivered != nil:
		return nil, x.fail(x.sw.DeliveredUpload, "the upload has been delivered"), true
	}
	return u, answer{}, false
}

// newDocument makes a document of the body just read. It is in no upload yet.
func (p *state) newDocument(x *exchange, c content, now time.Time) *document {
	p.lastDocument++
	given := x.r.URL.Query().Get("filename")
	d := &document{
		id: p.lastDocument, project: x.route.project,
		filename: given, given: given,
		sha: x.body.digest(), size: x.body.n,
		content: c, status: documentRecognised, changed: now,
	}
	if given == "" || x.sw.FileNames != FileNamesKept && !strings.EqualFold(given[max(0, len(given)-4):], ".xml") {
		d.filename = p.inventedName(d.id)
	}
	if !c.wellFormed() {
		d.status = documentUnrecognised
		d.errors = []string{c.parserText(), textClosingLine}
	}
	return d
}

// add puts a document into the upload, as the switch for equal names has it.
func (u *upload) add(x *exchange, p *state, d *document) (answer, bool) {
	same := -1
	if d.given != "" && x.sw.DuplicateNames != "" {
		same = slices.IndexFunc(u.documents, func(other *document) bool { return other.given == d.given })
	}
	switch {
	case same >= 0 && x.sw.DuplicateNames == DuplicateNamesRefused:
		return x.fail(http.StatusBadRequest, "the upload already has a document of that name"), true
	case same >= 0:
		p.forgetDocument(u.documents[same])
		u.documents[same] = d
	default:
		u.documents = append(u.documents, d)
	}
	d.body = p.keep(x.body.kept)
	p.documents[d.id] = d
	return answer{}, false
}

// readSubmission reads the body of POST …/leveringen: an object with an integer named upload, other keys do not matter.
func readSubmission(body []byte) (int64, error) {
	var wanted struct {
		Upload json.RawMessage `json:"upload"`
	}
	if err := json.Unmarshal(body, &wanted); err != nil {
		return 0, fmt.Errorf("the body is no JSON object: %w", err)
	}
	var id int64
	if len(wanted.Upload) == 0 || bytes.Equal(wanted.Upload, []byte("null")) {
		return 0, fmt.Errorf("the body has no upload")
	}
	if err := json.Unmarshal(wanted.Upload, &id); err != nil {
		return 0, fmt.Errorf("upload is not an integer: %w", err)
	}
	return id, nil
}
