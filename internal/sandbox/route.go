package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Op names what a request asks for. Faults, counters and the log speak in these words.
type Op string

const (
	OpValidate       Op = "validate"        // POST …/validatie
	OpOpenUpload     Op = "open-upload"     // POST …/uploads
	OpAddDocument    Op = "add-document"    // POST …/uploads/{n}/brondocumenten
	OpSubmit         Op = "submit"          // POST …/leveringen
	OpDelivery       Op = "delivery"        // GET …/leveringen/{id}
	OpDeliveries     Op = "deliveries"      // GET …/leveringen?actie=
	OpSourceDocument Op = "source-document" // GET …/brondocumenten/{id}
	OpProjects       Op = "projects"        // GET …/projecten
	OpTransactions   Op = "transactions"    // GET …/transacties/
	OpNote           Op = "note"            // POST …/{leveringen|brondocumenten}/{id}/{info|warnings|errors}
	OpAttach         Op = "attach"          // POST …/leveringen/{id}/attachments/{name}
	OpRegistryObject Op = "registry-object" // GET /gm/gmw/v1/objects/{broId}
	OpRegistryIDs    Op = "registry-ids"    // GET /gm/gmw/v1/bro-ids
	OpPage           Op = "page"            // GET /
	OpManage         Op = "manage"          // POST /sandbox/…
	OpOther          Op = "other"           // a path or method nobody knows
)

// ops lists them for ParseFault.
var ops = []Op{
	OpValidate, OpOpenUpload, OpAddDocument, OpSubmit, OpDelivery, OpDeliveries, OpSourceDocument, OpProjects, OpTransactions,
	OpNote, OpAttach, OpRegistryObject, OpRegistryIDs, OpPage, OpManage, OpOther,
}

// A route is what a path and a method mean.
type route struct {
	op      Op
	api     bool   // under /api/v2: wants credentials
	allow   string // the method of a path that was asked with another one
	project int    // 0: none in the path
	id      int64  // of an upload, delivery or document
	onDoc   bool   // OpNote: on a document
	level   string // OpNote
	name    string // OpAttach: file name; OpRegistryObject: BRO-ID; OpManage: the rest of the path
	service *registryService
}

// routeOf never fails: what means nothing is OpOther.
func routeOf(method, escapedPath string) route {
	if rest, ok := strings.CutPrefix(escapedPath, "/api/v2/"); ok {
		rt := routeAPI(method, rest)
		rt.api = true
		return rt
	}
	if rest, ok := strings.CutPrefix(escapedPath, "/sandbox/"); ok {
		if rest, err := url.PathUnescape(rest); err == nil {
			return ask(method, http.MethodPost, route{op: OpManage, name: rest})
		}
	}
	if escapedPath == "/" {
		return ask(method, http.MethodGet, route{op: OpPage})
	}
	return routeRegistry(method, escapedPath)
}

// ask gives rt when the method is the one the path wants, and otherwise a route that says which one it wants.
func ask(method, want string, rt route) route {
	if method == want {
		return rt
	}
	return route{op: OpOther, allow: want, project: rt.project}
}

func routeAPI(method, rest string) route {
	switch rest {
	case "validatie":
		return ask(method, http.MethodPost, route{op: OpValidate})
	case "projecten":
		return ask(method, http.MethodGet, route{op: OpProjects})
	case "transacties", "transacties/":
		return ask(method, http.MethodGet, route{op: OpTransactions})
	}
	parts := strings.Split(rest, "/")
	project, err := strconv.Atoi(parts[0])
	if err != nil || project <= 0 || len(parts) < 2 {
		return route{op: OpOther}
	}
	rt := routeProject(method, parts[1:])
	rt.project = project
	return rt
}

// routeProject reads what follows the project number.
func routeProject(method string, parts []string) route {
	switch {
	case match(parts, "validatie"):
		return ask(method, http.MethodPost, route{op: OpValidate})
	case match(parts, "uploads"):
		return ask(method, http.MethodPost, route{op: OpOpenUpload})
	case match(parts, "leveringen"):
		if method == http.MethodGet {
			return route{op: OpDeliveries}
		}
		return ask(method, http.MethodPost, route{op: OpSubmit})
	}
	if len(parts) < 2 {
		return route{op: OpOther}
	}
	id, ok := number(parts[1])
	switch {
	case !ok:
		return route{op: OpOther}
	case match(parts, "uploads", "*", "brondocumenten"):
		return ask(method, http.MethodPost, route{op: OpAddDocument, id: id})
	case match(parts, "leveringen", "*"):
		return ask(method, http.MethodGet, route{op: OpDelivery, id: id})
	case match(parts, "brondocumenten", "*"):
		return ask(method, http.MethodGet, route{op: OpSourceDocument, id: id})
	case match(parts, "leveringen", "*", "attachments", "*"):
		name, err := url.PathUnescape(parts[3])
		if err != nil || name == "" {
			return route{op: OpOther}
		}
		return ask(method, http.MethodPost, route{op: OpAttach, id: id, name: name})
	case len(parts) == 3 && (parts[0] == "leveringen" || parts[0] == "brondocumenten"):
		switch parts[2] {
		case "info", "warnings", "errors":
			return ask(method, http.MethodPost, route{op: OpNote, id: id, level: parts[2], onDoc: parts[0] == "brondocumenten"})
		}
	}
	return route{op: OpOther}
}

// match compares path parts; "*" stands for any one part.
func match(parts []string, pattern ...string) bool {
	if len(parts) != len(pattern) {
		return false
	}
	for i, want := range pattern {
		if want != "*" && parts[i] != want {
			return false
		}
	}
	return true
}

// number reads an id; deliveries have theirs padded with zeros.
func number(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}
