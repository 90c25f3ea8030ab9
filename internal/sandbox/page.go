package sandbox

import (
	"bytes"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"
)

// pageRows is how many deliveries and requests the page shows, the newest ones.
const pageRows = 200

// page answers GET /: what is going on, for somebody who opens the sandbox in a browser. It shows no credentials.
func (s *Server) page(x *exchange) answer {
	view := s.pageView(x)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, view); err != nil {
		return answer{status: http.StatusInternalServerError, contentType: "text/plain; charset=utf-8", body: []byte(err.Error())}
	}
	a := answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: b.Bytes()}
	a.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	a.set("Cache-Control", "no-store")
	return a
}

type pageView struct {
	Origin     string
	Now        time.Time
	Projects   []Project
	Total      int64
	Objects    int
	Deliveries []Delivery
	Requests   []Request
}

func (s *Server) pageView(x *exchange) pageView {
	view := pageView{Origin: x.origin()}
	requests := s.Requests()
	view.Requests = requests[max(0, len(requests)-pageRows/4):]
	slices.Reverse(view.Requests)
	s.locked(x, func(p *state, now time.Time) answer {
		view.Now = now
		view.Total = p.lastDelivery - firstDelivery + 1
		view.Objects = len(p.objects)
		for _, project := range s.projects {
			view.Projects = append(view.Projects, *project)
		}
		ids := slices.Sorted(maps.Keys(p.deliveries))
		for _, id := range slices.Backward(ids[max(0, len(ids)-pageRows):]) {
			view.Deliveries = append(view.Deliveries, p.deliveries[id].picture(x.sw))
		}
		return answer{}
	})
	slices.SortFunc(view.Projects, func(a, b Project) int { return a.ID - b.ID })
	return view
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.Format("02-01 15:04:05") },
}).Parse(`<!DOCTYPE html>
<html lang="nl"><head><meta charset="utf-8"><title>Zandbak Bronhouderportaal</title>
<meta name="viewport" content="width=device-width"><style>
body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .7em;border-bottom:1px solid #ddd;vertical-align:top}
th{background:#f3f3f3}.t{white-space:nowrap}.note{background:#fff4cf;padding:.6em 1em}.bad{color:#a00}.good{color:#060}small{color:#666}
</style></head><body>
<h1>Zandbak Bronhouderportaal</h1>
<p class="note">Dit is niet het Bronhouderportaal maar een nagebouwde omgeving om mee te proberen. Niets hiervan bereikt de BRO,
en alles verdwijnt als het programma stopt. De API staat op <code>{{.Origin}}/api/v2</code>.</p>
<h2>Projecten</h2>
<table><tr><th>Nummer</th><th>Naam</th><th>Bronhouder</th><th>Toegang</th></tr>
{{range .Projects}}<tr><td>{{.ID}}</td><td>{{.Name}}</td><td>{{.Owner.Name}} <small>KvK {{.Owner.KvK}}</small></td><td>{{if .Closed}}gesloten{{else}}open{{end}}</td></tr>
{{end}}</table>
<h2>Leveringen</h2>
<p>{{.Total}} aangeleverd, {{.Objects}} registratieobjecten; de nieuwste eerst. <a href="/">Verversen</a></p>
<table><tr><th>Levering</th><th>Project</th><th>Status</th><th>Gewijzigd</th><th>Brondocumenten</th></tr>
{{range .Deliveries}}<tr><td>{{.Identifier}}{{with .Label}}<br><small>{{.}}</small>{{end}}</td><td>{{.Project}}</td>
<td>{{.Status}}{{if .Held}}<br><small>wacht op een mens: {{.Waiting}}</small>{{end}}</td><td class="t">{{clock .Changed}}</td>
<td>{{range .Documents}}{{.Filename}} <span class="{{if .Errors}}bad{{else if .BROID}}good{{end}}">{{.Status}}</span>
{{with .BROID}}{{.}}{{end}} <small>{{.RequestReference}}</small>{{range .Errors}}<br><small class="bad">{{.}}</small>{{end}}<br>{{end}}</td></tr>
{{else}}<tr><td colspan="5">Nog geen leveringen.</td></tr>
{{end}}</table>
<h2>Laatste verzoeken</h2>
<table><tr><th>Tijd</th><th>Verzoek</th><th>Antwoord</th><th>Bijzonderheden</th></tr>
{{range .Requests}}<tr><td class="t">{{clock .At}}</td><td>{{.Method}} {{.Path}}{{with .Query}}?{{.}}{{end}}</td><td>{{if .Status}}{{.Status}}{{else}}geen{{end}}</td>
<td>{{.Reason}}{{with .Fault}} <b>{{.}}</b>{{end}}</td></tr>
{{end}}</table>
</body></html>
`))
