package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"brodaemon/internal/sandbox"
)

func sum(document []byte) string {
	h := sha256.Sum256(document)
	return hex.EncodeToString(h[:])
}

func harmlessUnknownDocument(p *portal) {
	p.wantStatus(p.get(p.api("brondocumenten/999999999999")), http.StatusNotFound, "unknown document")
}

func fullDocumentBytes(p *portal) {
	doc := append([]byte("\xef\xbb\xbf"), newWell("bytes\r\nmet é")...)
	d := p.read(p.deliver(doc)).Brondocuments[0]
	a := p.get(p.api("brondocumenten/%d", d.ID))
	p.wantStatus(a, http.StatusOK, "read document back")
	if !bytes.Equal(a.body, doc) || a.header.Get("Content-Type") != "application/xml" {
		p.Errorf("the document came back as %q of type %q", a.body, a.header.Get("Content-Type"))
	}
	q := p.with(func(o *sandbox.Options) {
		o.RegisteredDocument = sandbox.RegisteredDocumentGone
		o.HoldBefore = "CONTROLEREN"
	})
	location := q.deliver(doc)
	path := p.api("brondocumenten/%d", q.read(location).Brondocuments[0].ID)
	p.wantStatus(q.get(path), http.StatusOK, "document before registration")
	q.Sandbox.Approve(location[len(location)-10:])
	q.settled(location)
	p.wantStatus(q.get(path), http.StatusNotFound, "document after registration")
}

func harmlessLists(p *portal) {
	a := p.get(p.api("leveringen?actie=CONTROLEREN"))
	p.wantStatusIn(a, []int{200, 403, 404}, "list of deliveries")
	var list []string
	if a.status == http.StatusOK {
		p.decode(a, &list)
	}
}

func fullLists(p *portal) {
	for _, action := range []string{"VALIDEREN", "CONTROLEREN", "VASTSTELLEN", "DOORLEVEREN"} {
		q := p.with(func(o *sandbox.Options) { o.HoldBefore = action })
		list := p.api("leveringen?actie=%s", action)
		p.wantStatus(q.get(list), http.StatusNotFound, "empty list")
		first, second := q.deliver(newWell("a")), q.deliver(newWell("b"))
		a := q.as(sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret).get(list)
		p.wantStatus(a, http.StatusOK, "list of those waiting for %s", action)
		var got []string
		p.decode(a, &got)
		if want := []string{first[len(first)-10:], second[len(second)-10:]}; !slices.Equal(got, want) {
			p.Errorf("waiting for %s: %q, want %q", action, got, want)
		}
		q.Sandbox.Approve(got[0])
		q.settled(first)
		got = nil
		p.decode(q.get(list), &got)
		if len(got) != 1 {
			p.Errorf("waiting for %s after one went on: %q", action, got)
		}
		q.Sandbox.Reject(got[0])
		p.wantStatus(q.get(list), http.StatusNotFound, "list after the last one was rejected")
	}
	p.wantStatus(p.get(p.api("leveringen?actie=OPETEN")), http.StatusBadRequest, "unknown action")
	p.wantStatus(p.as(sandbox.DefaultValidationUsername, sandbox.DefaultValidationSecret).get(p.api("leveringen?actie=CONTROLEREN")),
		http.StatusForbidden, "list with a validation token")
	q := p.with(func(o *sandbox.Options) { o.EmptyListStatus = 200; o.ListRight = sandbox.EnrichmentOnly })
	p.wantStatus(q.get(p.api("leveringen?actie=CONTROLEREN")), http.StatusForbidden, "list with a delivery token, list-right=enrichment")
	a := q.as(sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret).get(p.api("leveringen?actie=CONTROLEREN"))
	if p.wantStatus(a, http.StatusOK, "empty list as []"); string(a.body) != "[]" {
		p.Errorf("an empty list is %q", a.body)
	}
}

type projectJSON struct {
	ID     int    `json:"projectId"`
	Name   string `json:"projectNaam"`
	Closed *bool  `json:"closed"`
	Owner  struct {
		KvK  any    `json:"kvkNummer"`
		Name string `json:"naam"`
	} `json:"bronhouder"`
}

func harmlessProjects(p *portal) {
	a := p.get("/api/v2/projecten")
	p.wantStatusIn(a, []int{200, 401, 403}, "projects")
	if a.status != http.StatusOK {
		return
	}
	var list []projectJSON
	p.decode(a, &list)
	if !slices.ContainsFunc(list, func(project projectJSON) bool { return project.ID == p.Project }) {
		p.Errorf("project %d is not among those of the token: %+v", p.Project, list)
	}
}

func fullProjects(p *portal) {
	var list []projectJSON
	p.decode(p.get("/api/v2/projecten"), &list)
	if len(list) != 1 || list[0].ID != p.Project || list[0].Name == "" || list[0].Owner.KvK != "12345678" || list[0].Owner.Name == "" ||
		list[0].Closed == nil || *list[0].Closed {
		p.Errorf("projects are %+v", list)
	}
	q := p.with(func(o *sandbox.Options) { o.Projects[0].Closed = true })
	list = nil
	q.decode(q.get("/api/v2/projecten"), &list)
	if len(list) != 1 || list[0].Closed == nil || !*list[0].Closed {
		p.Errorf("projects with a closed one are %+v", list)
	}
	if a := q.get("/api/v2/projecten?projectsToInclude=open"); string(a.body) != "[]" {
		p.Errorf("open projects are %s, want none", a.body)
	}
	odd := p.with(func(o *sandbox.Options) {
		o.ProjectsRight, o.ClosedKey, o.KvKType = sandbox.EnrichmentOnly, sandbox.ClosedKeyAbsent, sandbox.KvKNumber
	})
	p.wantStatus(odd.get("/api/v2/projecten"), http.StatusForbidden, "projects with a delivery token")
	list = nil
	odd.decode(odd.as(sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret).get("/api/v2/projecten"), &list)
	if len(list) != 1 || list[0].Closed != nil || list[0].Owner.KvK != 12345678.0 {
		p.Errorf("projects are %+v, want no key closed and a number", list)
	}
}

type transactionsJSON struct {
	Transactions []struct {
		BROID         string `json:"broId"`
		TransactionID string `json:"transactionId"`
		ObjectID      string `json:"objectIdBronhouder"`
	} `json:"transacties"`
}

func harmlessTransactions(p *portal) {
	a := p.get("/api/v2/transacties/?zoekveld=broId&zoektekst=" + unknownWell)
	p.wantStatusIn(a, []int{200, 204, 401, 403, 404}, "transactions of an unknown BRO-ID")
}

func fullTransactions(p *portal) {
	doc := p.registered(newWell("put 17"))
	addition := p.registered(groundLevel(doc.BROID, "2024-01-01"))
	var got transactionsJSON
	p.decode(p.get("/api/v2/transacties/?zoekveld=broId&zoektekst="+doc.BROID), &got)
	if len(got.Transactions) != 2 || got.Transactions[0].TransactionID != doc.TransactionID || got.Transactions[1].TransactionID != addition.TransactionID ||
		got.Transactions[1].BROID != doc.BROID || got.Transactions[1].ObjectID != "put 17" {
		p.Errorf("transactions are %+v", got)
	}
	a := p.get("/api/v2/transacties/?zoekveld=broId&zoektekst=" + unknownWell)
	if p.wantStatus(a, http.StatusOK, "unknown BRO-ID"); len(a.body) > 0 {
		p.Errorf("transactions of an unknown BRO-ID are %q, want an empty body", a.body)
	}
	a = p.with(func(o *sandbox.Options) { o.UnknownTransactions = sandbox.TransactionsEmptyList }).get("/api/v2/transacties/?zoekveld=broId&zoektekst=" + unknownWell)
	if string(a.body) != `{"transacties":[]}` {
		p.Errorf("transactions of an unknown BRO-ID are %q", a.body)
	}
	p.wantStatus(p.get("/api/v2/transacties/?zoekveld=kleur"), http.StatusBadRequest, "unknown search field")
}

func fullEnrichment(p *portal) {
	location := p.deliver(newWell("verrijkt"))
	id := location[len(location)-10:]
	doc := p.read(location).Brondocuments[0].ID
	enricher := p.as(sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret)
	for _, level := range []string{"info", "warnings", "errors"} {
		for _, path := range []string{p.api("leveringen/%s/%s", id, level), p.api("brondocumenten/%d/%s", doc, level)} {
			p.wantStatus(p.post(path, []byte("nee"), "text/plain"), http.StatusForbidden, "note by a delivery token")
			p.wantStatus(enricher.post(path, []byte("let op: "+level), "text/plain"), http.StatusCreated, "note %s", path)
		}
	}
	attachment := p.api("leveringen/%s/attachments/%s-rapport%%20%%2F1.pdf", id, id)
	p.wantStatus(p.post(attachment, []byte("%PDF"), ""), http.StatusForbidden, "attachment by a delivery token")
	p.wantStatus(enricher.post(attachment, []byte("%PDF"), ""), http.StatusCreated, "attachment")
	d, _ := p.Sandbox.Delivery(id)
	want := []sandbox.Note{{Level: "info", Text: "let op: info"}, {Level: "warnings", Text: "let op: warnings"}, {Level: "errors", Text: "let op: errors"}}
	if !slices.Equal(d.Notes, want) || !slices.Equal(d.Documents[0].Notes, want) {
		p.Errorf("notes are %v and %v", d.Notes, d.Documents[0].Notes)
	}
	if len(d.Attached) != 1 || d.Attached[0].Name != id+"-rapport /1.pdf" || d.Attached[0].SHA256 != sum([]byte("%PDF")) {
		p.Errorf("attachments are %+v", d.Attached)
	}
	p.wantStatus(enricher.post(p.api("leveringen/%s/praise", id), nil, "text/plain"), http.StatusNotFound, "unknown level")
	p.wantStatus(enricher.post(p.api("leveringen/0000000001/info"), nil, "text/plain"), http.StatusNotFound, "unknown delivery")
	p.wantStatus(enricher.post(p.api("brondocumenten/1/info"), nil, "text/plain"), http.StatusNotFound, "unknown document")
}

func fullPublicServices(p *portal) {
	p.Sandbox.Change(func(sw *sandbox.Switches) { sw.RegistryRate = -1 })
	anonymous := p.as("", "")
	doc := p.registered(newWell("openbaar"))
	object := "/gm/gmw/v1/objects/" + doc.BROID
	wantIn := func(a answer, words ...string) {
		p.Helper()
		for _, word := range words {
			if !bytes.Contains(a.body, []byte(word)) {
				p.Errorf("the public services say %s, want %s in it", a.body, word)
			}
		}
	}
	wantIn(anonymous.get(object), "dispatchDataResponse", "<brocom:responseType>dispatch<", doc.BROID, "<brocom:deliveryAccountableParty>12345678<",
		"registrationHistory", "geregistreerd", "objectRegistrationTime", "openbaar")
	p.registered(groundLevel(doc.BROID, "2024-01-01"))
	wantIn(anonymous.get(object+"?fullHistory=ja"), "aangevuld", "latestAdditionTime")
	p.registered(request("replaceRequest", "r", doc.BROID, "GMW_GroundLevel", eventDate("2024-01-01")))
	wantIn(anonymous.get(object), "<brocom:corrected>ja<", "latestCorrectionTime")
	wantIn(anonymous.get("/gm/gmw/v1/objects/"+completedWell), "voltooid", "registrationCompletionTime")
	wantIn(anonymous.get("/gm/gmw/v1/objects/"+deregisteredWell), "BRO_DO", "<brocom:deregistered>ja<")
	wantIn(anonymous.get("/gm/gld/v1/objects/GLD000000100001"), "http://www.broservices.nl/xsd/dsgld/", "GLD000000100001")
	for _, path := range []string{"/gm/gmw/v1/objects/" + unknownWell, "/gm/gld/v1/objects/" + doc.BROID} {
		a := anonymous.get(path)
		p.wantStatus(a, http.StatusOK, "unknown object")
		wantIn(a, "<brocom:responseType>rejection<", "Dit registratieobject bestaat niet.")
	}
	for _, status := range []int{400, 404} {
		q := p.with(func(o *sandbox.Options) { o.RegistryUnknown = status })
		p.wantStatus(q.get("/gm/gmw/v1/objects/"+unknownWell), status, "unknown object")
	}
	late := p.with(func(o *sandbox.Options) { o.RegistryDelay = time.Hour })
	wantIn(late.get("/gm/gmw/v1/objects/"+late.registered(newWell("later")).BROID), "rejection")

	var ids struct {
		BROIDs []string `json:"broIds"`
	}
	p.decode(anonymous.get("/gm/gmw/v1/bro-ids?bronhouder=12345678&registered=ja"), &ids)
	if !slices.Contains(ids.BROIDs, doc.BROID) || slices.Contains(ids.BROIDs, deregisteredWell) {
		p.Errorf("BRO-IDs of the data owner are %q", ids.BROIDs)
	}
	a := anonymous.get("/gm/gmw/v1/bro-ids")
	p.wantStatus(a, http.StatusBadRequest, "BRO-IDs of nobody")
	wantIn(a, `{"errors":[{"message":`)
	p.registryRate()
}

func (p *portal) registryRate() {
	p.Helper()
	p.Sandbox.Change(func(sw *sandbox.Switches) { sw.RegistryRate = 3 })
	refused := 0
	for range 12 {
		a := p.get("/gm/gmw/v1/objects/" + knownWell)
		if a.status != http.StatusTooManyRequests {
			continue
		}
		refused++
		if got := a.header.Get("Retry-After"); got != "1" {
			p.Errorf("Retry-After is %q, want 1", got)
		}
	}
	if refused == 0 {
		p.Error("twelve requests at once were all answered, want 429 above three a second")
	}
}

func fullBooks(p *portal) {
	secret := newWell("boeken")
	location := p.deliver(secret, secret)
	p.deliver(newWell("iets anders"))
	p.as(p.Username, "verkeerd geheim").get(location)
	if got := p.Sandbox.Submissions(sum(secret)); got != 1 {
		p.Errorf("%d deliveries contain the document, want 1 although it is in there twice", got)
	}
	if got := p.Sandbox.Submissions(strings.ToUpper(sum(secret))); got != 1 {
		p.Errorf("%d deliveries for the hash in capitals, want 1", got)
	}
	for _, unknown := range []string{"", "xyz", sum([]byte("nooit"))} {
		if got := p.Sandbox.Submissions(unknown); got != 0 {
			p.Errorf("%d deliveries contain %q", got, unknown)
		}
	}
	if got := p.Sandbox.Count(sandbox.OpAddDocument); got != 3 {
		p.Errorf("%d documents were added, want 3", got)
	}
	requests := p.Sandbox.Requests()
	i := slices.IndexFunc(requests, func(r sandbox.Request) bool { return r.Op == sandbox.OpAddDocument })
	if i < 0 || requests[i].BodySHA256 != sum(secret) || requests[i].BodySize != int64(len(secret)) || requests[i].Status != 201 || requests[i].Method != "POST" || requests[i].Body != nil {
		p.Errorf("the log has %+v", requests)
	}
	if all := fmt.Sprintf("%+v", requests); strings.Contains(all, p.Password) || strings.Contains(all, p.Username) || strings.Contains(all, "geheim") {
		p.Errorf("the log holds credentials: %s", all)
	}
	if last := requests[len(requests)-1]; last.Status != http.StatusUnauthorized {
		p.Errorf("the last request was answered %d", last.Status)
	}
	if d, ok := p.Sandbox.DeliveryByFilename(p.read(location).Brondocuments[1].Filename); !ok || d.Identifier != location[len(location)-10:] {
		p.Errorf("by its file name the delivery is %+v", d)
	}
	q := p.with(func(o *sandbox.Options) { o.LogBodies, o.LogSize = true, 2 })
	q.deliver(secret)
	requests = q.Sandbox.Requests()
	if len(requests) != 2 || requests[0].Op != sandbox.OpAddDocument || !bytes.Equal(requests[0].Body, secret) || requests[1].Op != sandbox.OpSubmit || !json.Valid(requests[1].Body) {
		p.Errorf("the log of two has %+v", requests)
	}
}
