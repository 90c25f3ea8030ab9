package portal

import (
	"fmt"
	"strconv"
	"strings"
)

// ProjectID is the number of a project at the portal. 0 is no project.
type ProjectID int64

// ParseProjectID reads a number as a configuration gives it, digits only.
func ParseProjectID(s string) (ProjectID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || s[0] == '+' {
		return 0, fmt.Errorf("%q is not a project number: it is a whole number such as 1255", s)
	}
	return ProjectID(n), nil
}

// String is the number in digits.
func (p ProjectID) String() string { return strconv.FormatInt(int64(p), 10) }

// Upload refers to an open upload: a container at the portal that takes
// documents and is then submitted as one delivery.
type Upload struct {
	ID  int64  `json:"id"`
	URL string `json:"url"`
}

// SourceDocumentRef refers to a document in an upload. Both fields are empty
// when the portal did not say; nothing depends on them.
type SourceDocumentRef struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
}

// DeliveryRef refers to a delivery. The ID is the portal's number with its
// leading zeros, such as 0000182614.
type DeliveryRef struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

// checkID refuses what can be no id of the portal before it becomes part of an
// address.
func checkID(id string) error {
	ok := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_'
	}
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool { return !ok(r) }) {
		return fmt.Errorf("%q is not a number of the portal, such as 0000182614", clean(id, 80))
	}
	return nil
}

// sameID compares two ids whatever their leading zeros.
func sameID(a, b string) bool {
	return strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0")
}
