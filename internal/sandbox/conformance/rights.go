package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"brodaemon/internal/sandbox"
)

func harmlessBase(p *portal) {
	p.wantStatus(p.get("/api/v2/bestaat-niet"), http.StatusNotFound, "a path that does not exist")
}

func fullBase(p *portal) {
	for _, path := range []string{p.api("bestaat-niet"), p.api("uploads/"), "/api/v2/", "/api/v1/uploads", "/api/v2/projecten/", p.api("leveringen/x")} {
		p.wantStatus(p.get(path), http.StatusNotFound, "GET %s", path)
	}
	for _, path := range []string{"/api/v2/transacties", "/api/v2/transacties/"} {
		p.wantStatus(p.get(path+"?zoekveld=broId&zoektekst="+knownWell), http.StatusOK, "GET %s", path)
	}
	for _, path := range []string{p.api("uploads"), p.api("validatie"), "/api/v2/validatie"} {
		p.wantStatus(p.get(path), http.StatusMethodNotAllowed, "GET %s", path)
	}
	p.wantStatus(p.call(http.MethodDelete, p.api("leveringen/0000000001"), nil, ""), http.StatusMethodNotAllowed, "DELETE of a delivery")
}

func harmlessSignOn(p *portal) {
	path := p.api("leveringen/0000000001")
	p.wantStatus(p.as("", "").get(path), http.StatusUnauthorized, "without credentials")
	p.wantStatus(p.as(p.Username, "fout").get(path), http.StatusUnauthorized, "wrong secret")
	p.wantStatus(p.as("niemand|000000000|1", p.Password).get(path), http.StatusUnauthorized, "unknown username")
	p.wantStatusIn(p.get("/api/v2/999999999/leveringen/0000000001"), []int{401, 403, 404}, "a project that does not exist")
}

func fullSignOn(p *portal) {
	unknown := p.get("/api/v2/999999/leveringen/0000000001")
	p.wantStatus(unknown, http.StatusNotFound, "a project that does not exist")
	if got := p.as("", "").get(p.api("uploads")).header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic") {
		p.Errorf("WWW-Authenticate of a 401 is %q, want Basic", got)
	}
	for _, status := range []int{401, 403, 404} {
		q := p.with(func(o *sandbox.Options) { o.OutsideProject = status })
		p.wantStatus(q.get(fmt.Sprintf("/api/v2/%d/leveringen?actie=VALIDEREN", sandbox.NeighbourProject)), status, "project of somebody else")
	}
	for _, status := range []int{403, 401} {
		q := p.with(func(o *sandbox.Options) { o.NoRight = status })
		validator := q.as(sandbox.DefaultValidationUsername, sandbox.DefaultValidationSecret)
		p.wantStatus(validator.openUpload(), status, "validation token opens an upload")
		p.wantStatus(validator.submit("/1"), status, "validation token submits")
		p.wantValid(validator.validate(newWell("put")), "validation token validates")
		enricher := q.as(sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret)
		p.wantStatus(enricher.openUpload(), status, "enrichment token opens an upload")
		p.wantStatus(enricher.validate(newWell("put")), status, "enrichment token validates")
	}
	quiet := p.with(func(o *sandbox.Options) { o.NoChallenge = true })
	if got := quiet.as("", "").get(p.api("uploads")).header.Values("WWW-Authenticate"); len(got) > 0 {
		p.Errorf("WWW-Authenticate is %q, want none", got)
	}
}

func harmlessFailureBody(p *portal) {
	a := p.as(p.Username, "fout").get(p.api("leveringen/0000000001"))
	p.wantStatus(a, http.StatusUnauthorized, "wrong secret")
	var body struct {
		Status any `json:"status"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.Status == nil {
		p.Logf("the body of a 401 is no JSON with a status: %.200q", a.body) // not known for certain
		return
	}
	if got, ok := body.Status.(float64); !ok || got != http.StatusUnauthorized {
		p.Errorf("status in the body of a 401 is %v (%T), want the number 401", body.Status, body.Status)
	}
}

func fullFailureBody(p *portal) {
	a := p.get(p.api("leveringen/0000000001"))
	var body map[string]any
	p.decode(a, &body)
	for key, want := range map[string]any{"status": 404.0, "error": "Not Found", "path": p.api("leveringen/0000000001")} {
		if body[key] != want {
			p.Errorf("%s in the body of a failure is %v, want %v", key, body[key], want)
		}
	}
	if stamp, _ := body["timestamp"].(string); stamp == "" {
		p.Errorf("no timestamp in %s", a.body)
	}
	for _, c := range []struct {
		choice            sandbox.Choice
		contentType, text string
	}{
		{sandbox.ErrorBodyEmpty, "", ""},
		{sandbox.ErrorBodyHTML, "text/html", "<html>"},
		{sandbox.ErrorBodyText, "text/plain", "Not Found"},
	} {
		a := p.with(func(o *sandbox.Options) { o.ErrorBody = c.choice }).get(p.api("leveringen/0000000001"))
		p.wantStatus(a, http.StatusNotFound, "unknown delivery, body %s", c.choice)
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, c.contentType) || !strings.Contains(string(a.body), c.text) {
			p.Errorf("body %s is %q of type %q", c.choice, a.body, got)
		}
		if c.choice == sandbox.ErrorBodyEmpty && len(a.body) > 0 {
			p.Errorf("body is %q, want none", a.body)
		}
	}
}

func fullRevocation(p *portal) {
	revocations := []struct {
		name       string
		take, give func(*sandbox.Server)
		status     int
	}{
		{"token", func(s *sandbox.Server) { s.RevokeToken(p.Username) }, func(s *sandbox.Server) { s.RestoreToken(p.Username) }, 401},
		{"secret", func(s *sandbox.Server) { s.ChangeSecret(p.Username, "anders") }, func(s *sandbox.Server) { s.ChangeSecret(p.Username, p.Password) }, 401},
		{"authorisation", func(s *sandbox.Server) { s.WithdrawRight(p.Username, p.Project) }, func(s *sandbox.Server) { s.GrantRight(p.Username, p.Project) }, 403},
		{"project", func(s *sandbox.Server) { s.CloseProject(p.Project) }, func(s *sandbox.Server) { s.OpenProject(p.Project) }, 401},
	}
	for _, r := range revocations {
		// Between any two calls: before the upload, before the document, before the submission.
		for _, before := range []sandbox.Op{sandbox.OpOpenUpload, sandbox.OpAddDocument, sandbox.OpSubmit} {
			var q *portal
			q = p.with(func(o *sandbox.Options) {
				o.OnRequest = func(op sandbox.Op, n int) {
					if op == before && n == 1 {
						r.take(q.Sandbox)
					}
				}
			})
			p.wantStatus(q.interrupted(before), r.status, "%s taken before %s", r.name, before)
			r.give(q.Sandbox)
			q.registered(newWell("daarna")) // and everything is as it was
			if got := len(q.Sandbox.Deliveries()); got != 1 {
				p.Errorf("%s taken before %s: %d deliveries, want only the later one", r.name, before, got)
			}
		}
	}
	location := p.deliver(newWell("verwijderd"))
	if !p.Sandbox.DeleteDelivery(location[strings.LastIndexByte(location, '/')+1:]) {
		p.Error("DeleteDelivery found no delivery")
	}
	p.wantStatus(p.get(location), http.StatusNotFound, "deleted delivery")
	if p.Sandbox.DeleteDelivery("0000000001") || p.Sandbox.RevokeToken("niemand") || p.Sandbox.CloseProject(1) {
		p.Error("something that does not exist was taken away")
	}
}

// interrupted delivers until the step that is refused, and returns that answer.
func (p *portal) interrupted(before sandbox.Op) answer {
	p.Helper()
	a := p.openUpload()
	if before == sandbox.OpOpenUpload {
		return a
	}
	upload := a.header.Get("Location")
	a = p.addDocument(upload, "", newWell("onderbroken"))
	if before == sandbox.OpAddDocument {
		return a
	}
	return p.submit(upload)
}
