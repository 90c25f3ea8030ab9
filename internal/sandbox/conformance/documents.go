package conformance

import (
	"fmt"
	"strings"
)

// request is a made-up request for a GMW: kind is the root, sub the element in sourceDocument with inner inside.
func request(kind, reference, broID, sub, inner string) []byte {
	if broID != "" {
		broID = "<brocom:broId>" + broID + "</brocom:broId>"
	}
	reason := ""
	if kind != "registrationRequest" {
		reason = `<correctionReason codeSpace="urn:bro:gmw:CorrectionReason">eigenCorrectie</correctionReason>`
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<%[1]s xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0">
  <brocom:requestReference>%[2]s</brocom:requestReference>
  <brocom:deliveryAccountableParty>12345678</brocom:deliveryAccountableParty>
  %[3]s<brocom:qualityRegime>IMBRO</brocom:qualityRegime>%[4]s
  <sourceDocument><%[5]s>%[6]s</%[5]s></sourceDocument>
</%[1]s>
`, kind, reference, broID, reason, sub, inner)
}

// newWell registers a well that the supplier calls name.
func newWell(name string) []byte {
	return request("registrationRequest", "nieuw "+name, "", "GMW_Construction",
		"<objectIdAccountableParty>"+name+"</objectIdAccountableParty>")
}

// groundLevel adds an event of a date to a well.
func groundLevel(broID, date string) []byte {
	return request("registrationRequest", "maaiveld "+date, broID, "GMW_GroundLevel", eventDate(date))
}

func eventDate(date string) string {
	return "<eventDate><brocom:date>" + date + "</brocom:date></eventDate>"
}

// In a default sandbox; see sandbox.Default.
const (
	knownWell        = "GMW000000100001"
	otherKnownWell   = "GMW000000100002"
	completedWell    = "GMW000000100091"
	foreignWell      = "GMW000000100092"
	deregisteredWell = "GMW000000100093"
	unknownWell      = "GMW999999999999"
)

// malformed is cut off in the middle.
func malformed() []byte {
	whole := newWell("afgebroken")
	return whole[:len(whole)/2]
}

// foreignRoot is well-formed XML that is no request.
func foreignRoot() []byte { return []byte("<brief><aan>het portaal</aan></brief>") }

// large is a valid document of about size bytes.
func large(size int) []byte {
	return request("registrationRequest", "groot", "", "GMW_Construction",
		"<objectIdAccountableParty>groot</objectIdAccountableParty><opmerking>"+strings.Repeat("x", size)+"</opmerking>")
}
