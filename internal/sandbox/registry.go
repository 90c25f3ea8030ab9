package sandbox

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A registryService is one of the public BRO services: where it is, and what its answers are called.
type registryService struct {
	typ       string // of objects
	namespace string // behind "…/xsd/"
	element   string // that holds an object
}

// registryServices is keyed by the first three parts of the path.
var registryServices = map[string]*registryService{
	"/gm/gmw/v1":   {"GMW", "dsgmw/1.1", "GMW_PO"},
	"/gm/gmn/v1":   {"GMN", "dsgmn/1.0", "GMN_PO"},
	"/gm/gld/v1":   {"GLD", "dsgld/1.0", "GLD_O"},
	"/gm/gar/v1":   {"GAR", "dsgar/1.0", "GAR_O"},
	"/gm/frd/v1":   {"FRD", "dsfrd/1.0", "FRD_O"},
	"/sr/cpt/v1":   {"CPT", "dscpt/1.1", "CPT_O"},
	"/sr/bhrgt/v2": {"BHR-GT", "dsbhr-gt/2.1", "BHR_GT_O"},
	"/sr/bhrp/v2":  {"BHR-P", "dsbhr/2.0", "BHR_O"},
	"/sr/bhrg/v3":  {"BHR-G", "dsbhrg/3.1", "BHR_G_O"},
	"/sr/sfr/v2":   {"SFR", "dssfr/2.0", "SFR_O"},
	"/gu/guf/v1":   {"GUF", "dsguf/1.0", "GUF_PO"},
	"/gu/gpd/v1":   {"GPD", "dsgpd/1.0", "GPD_O"},
	"/ep/epc/v1":   {"EPC", "dsepc/1.0", "EPC_O"},
}

// routeRegistry reads the paths of the public services.
func routeRegistry(method, escapedPath string) route {
	parts := strings.Split(escapedPath, "/")
	if len(parts) < 5 {
		return route{op: OpOther}
	}
	service := registryServices[strings.Join(parts[:4], "/")]
	switch {
	case service == nil:
	case len(parts) == 6 && parts[4] == "objects":
		if name, err := url.PathUnescape(parts[5]); err == nil {
			return ask(method, http.MethodGet, route{op: OpRegistryObject, service: service, name: name})
		}
	case len(parts) == 5 && parts[4] == "bro-ids":
		return ask(method, http.MethodGet, route{op: OpRegistryIDs, service: service})
	}
	return route{op: OpOther}
}

// registryCall answers the public services: without credentials, but not more often than they bear.
func (s *Server) registryCall(x *exchange) answer {
	return s.locked(x, func(p *state, now time.Time) answer {
		if wait := p.registryWait(x.sw.RegistryRate, now); wait > 0 {
			a := x.fail(http.StatusTooManyRequests, "too many requests in one second")
			a.set("Retry-After", fmt.Sprint(int((wait+time.Second-1)/time.Second)))
			return a
		}
		if x.route.op == OpRegistryIDs {
			return p.registryIDs(x, now)
		}
		return p.registryObject(x, now)
	})
}

// registryWait is how long a caller has to wait; nothing when this call is within the rate, and then it counts.
func (p *state) registryWait(rate int, now time.Time) time.Duration {
	if rate < 0 {
		return 0
	}
	for len(p.registryCalls) > 0 && now.Sub(p.registryCalls[0]) >= time.Second {
		p.registryCalls = p.registryCalls[1:]
	}
	if len(p.registryCalls) >= rate {
		return time.Second - now.Sub(p.registryCalls[0])
	}
	p.registryCalls = append(p.registryCalls, now)
	return 0
}

// registryIDs lists the BRO-IDs of a data owner.
func (p *state) registryIDs(x *exchange, now time.Time) answer {
	owner := x.r.URL.Query().Get("bronhouder")
	if owner == "" {
		type message struct {
			Message string `json:"message"`
		}
		x.reason = "the query wants bronhouder"
		return jsonAnswer(http.StatusBadRequest, map[string][]message{"errors": {{"bronhouder is verplicht."}}})
	}
	ids := []string{}
	for _, o := range p.byOwner[typeOf{owner, x.route.service.typ}] {
		if o.visible(x.sw, now) && o.State != Deregistered {
			ids = append(ids, o.BROID)
		}
	}
	return jsonAnswer(http.StatusOK, map[string][]string{"broIds": ids})
}

func (o *object) visible(sw *Switches, now time.Time) bool {
	return !o.registered.Add(sw.RegistryDelay).After(now)
}

// registryObject gives one object, or a rejection in the same envelope.
func (p *state) registryObject(x *exchange, now time.Time) answer {
	service := x.route.service
	o := p.objects[x.route.name]
	if o == nil || o.Type != service.typ || !o.visible(x.sw, now) {
		return rejection(service, x.sw.RegistryUnknown)
	}
	var b xmlText
	service.open(&b)
	b.element("brocom:responseType", "dispatch")
	b.element("brocom:dispatchTime", now.In(x.sw.Zone).Format(time.RFC3339))
	b.WriteString("<dispatchDocument>")
	if o.State == Deregistered {
		b.WriteString("<brocom:BRO_DO>")
		b.element("brocom:broId", o.BROID)
		b.element("brocom:deregistered", "ja")
		b.moment("brocom:deregistrationTime", o.deregistered, x.sw.Zone)
		b.WriteString("</brocom:BRO_DO>")
	} else {
		o.write(&b, service, x.sw.Zone)
	}
	b.WriteString("</dispatchDocument></dispatchDataResponse>\n")
	return answer{status: http.StatusOK, contentType: "application/xml", body: b.Bytes()}
}

func rejection(service *registryService, status int) answer {
	var b xmlText
	service.open(&b)
	b.element("brocom:responseType", "rejection")
	b.element("brocom:rejectionReason", "Dit registratieobject bestaat niet.")
	b.WriteString("</dispatchDataResponse>\n")
	return answer{status: status, contentType: "application/xml", body: b.Bytes()}
}

func (service *registryService) open(b *xmlText) {
	fmt.Fprintf(b, `%s<dispatchDataResponse xmlns="http://www.broservices.nl/xsd/%s" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0" xmlns:gml="http://www.opengis.net/gml/3.2">`,
		xml.Header, service.namespace)
}

// write gives the part of an object that tells who registered it and when.
func (o *object) write(b *xmlText, service *registryService, zone *time.Location) {
	fmt.Fprintf(b, `<%s gml:id="BRO_0001">`, service.element)
	b.element("brocom:broId", o.BROID)
	b.element("brocom:deliveryAccountableParty", o.Owner)
	b.element("brocom:qualityRegime", o.regime)
	if o.ObjectID != "" {
		b.element("objectIdAccountableParty", o.ObjectID)
	}
	b.WriteString("<registrationHistory>")
	b.moment("brocom:objectRegistrationTime", o.registered, zone)
	b.element("brocom:registrationStatus", string(o.State))
	b.moment("brocom:latestAdditionTime", o.extended, zone)
	b.moment("brocom:registrationCompletionTime", o.completed, zone)
	b.element("brocom:corrected", yesNo(!o.corrected.IsZero()))
	b.moment("brocom:latestCorrectionTime", o.corrected, zone)
	b.element("brocom:underReview", "nee")
	b.element("brocom:deregistered", "nee")
	b.element("brocom:reregistered", "nee")
	fmt.Fprintf(b, "</registrationHistory></%s>", service.element)
}

func yesNo(yes bool) string {
	if yes {
		return "ja"
	}
	return "nee"
}

// xmlText is a document in the making.
type xmlText struct{ bytes.Buffer }

func (b *xmlText) element(name, text string) {
	fmt.Fprintf(b, "<%s>", name)
	_ = xml.EscapeText(b, []byte(text)) // a buffer takes everything
	fmt.Fprintf(b, "</%s>", name)
}

// moment writes a time that happened; one that did not has no element.
func (b *xmlText) moment(name string, t time.Time, zone *time.Location) {
	if !t.IsZero() {
		b.element(name, t.In(zone).Format(time.RFC3339))
	}
}
