package sandbox

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"time"
)

// An answer is what the portal wants to say; how it reaches the client is another matter, see faults.go.
type answer struct {
	status      int
	contentType string
	location    string
	header      http.Header // more headers; usually nil
	body        []byte
}

// reasonHeader is the header in which the sandbox tells a person why it refused. The real portal has none such.
const reasonHeader = "X-Sandbox-Reason"

func jsonAnswer(status int, value any) answer {
	body, err := json.Marshal(value)
	if err != nil { // only own types come here
		return answer{status: http.StatusInternalServerError, contentType: "text/plain; charset=utf-8", body: []byte(err.Error())}
	}
	return answer{status: status, contentType: "application/json", body: body}
}

// created is the answer to what made something: 201, an absolute Location, an empty body.
func (x *exchange) created(path string) answer {
	return answer{status: http.StatusCreated, location: x.origin() + path}
}

// origin is scheme and host as this client wrote them, so that a Location leads it back here.
func (x *exchange) origin() string {
	scheme := x.r.URL.Scheme
	if scheme == "" {
		scheme = "http"
		if x.r.TLS != nil {
			scheme = "https"
		}
	}
	return scheme + "://" + x.r.Host
}

func (x *exchange) notFound(reason string) answer { return x.fail(http.StatusNotFound, reason) }

// unknownPath answers what means nothing: a path nobody knows, or a known one with another method.
func (x *exchange) unknownPath() answer {
	if x.route.allow != "" {
		return x.fail(http.StatusMethodNotAllowed, "this path wants "+x.route.allow)
	}
	return x.notFound("no such path")
}

// fail is a refusal in the shape of S3; the reason is for people only.
func (x *exchange) fail(status int, reason string) answer {
	x.reason = reason
	a := answer{status: status}
	switch x.sw.ErrorBody {
	case ErrorBodyEmpty:
	case ErrorBodyHTML:
		a.contentType = "text/html; charset=utf-8"
		a.body = fmt.Appendf(nil, "<!DOCTYPE html><html><head><title>%d</title></head><body><h1>HTTP Status %d – %s</h1></body></html>",
			status, status, html.EscapeString(http.StatusText(status)))
	case ErrorBodyText:
		a.contentType = "text/plain; charset=utf-8"
		a.body = []byte(http.StatusText(status))
	default:
		a = jsonAnswer(status, failure{
			Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000-07:00"),
			Status:    status, Error: http.StatusText(status), Path: x.r.URL.Path,
		})
	}
	if status == http.StatusUnauthorized && !x.sw.NoChallenge {
		a.set("WWW-Authenticate", `Basic realm="Bronhouderportaal BRO"`)
	}
	if status == http.StatusMethodNotAllowed {
		a.set("Allow", x.route.allow)
	}
	return a
}

type failure struct {
	Timestamp string `json:"timestamp"`
	Status    int    `json:"status"` // a number here, a word in a validation
	Error     string `json:"error"`
	Path      string `json:"path"`
}

func (a *answer) set(name, value string) {
	if a.header == nil {
		a.header = make(http.Header, 1)
	}
	a.header.Set(name, value)
}

// send records the request and writes the answer as it is.
func (x *exchange) send(a answer) {
	x.record(a.status)
	x.writeHeader(a)
	x.w.Write(a.body)
}

// writeHeader writes everything before the body, the length included.
func (x *exchange) writeHeader(a answer) {
	h := x.w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if x.reason != "" {
		h.Set(reasonHeader, x.reason)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.status < 200 || a.status > 999 { // a switch or fault set to nonsense; net/http would panic
		a.status = http.StatusInternalServerError
	}
	x.w.WriteHeader(a.status)
}
