package portal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Plain says in English where a delivery stands; for a word that is not known
// it says only that.
func (s DeliveryStatus) Plain() string {
	switch s {
	case DeliveryReceived:
		return "handed in; the portal has not validated it yet"
	case DeliveryValidated:
		return "validated; it waits to be checked"
	case DeliveryChecked:
		return "checked; it waits to be approved"
	case DeliveryApproved:
		return "approved; it waits to be passed on to the register"
	case DeliveryForwarded:
		return "passed on to the register"
	case "":
		return "the portal gave no status"
	default:
		return "a status that brodaemon does not know"
	}
}

// Plain says in English where one document of a delivery stands.
func (s DocumentStatus) Plain() string {
	switch s {
	case DocumentRecognised:
		return "recognised as a source document"
	case DocumentUnrecognised:
		return "not recognised as a source document"
	case DocumentValid:
		return "valid"
	case DocumentInvalid:
		return "not valid"
	case DocumentChecked:
		return "found good by the one who checked it"
	case DocumentDisapproved:
		return "turned down"
	case DocumentApproved:
		return "approved"
	case DocumentRegistered:
		return "in the register"
	case "":
		return "the portal gave no status"
	default:
		return "a status that brodaemon does not know"
	}
}

// Plain says in English what statuses come to.
func (v Verdict) Plain() string {
	switch v {
	case VerdictRegistered:
		return "done: every document is in the register"
	case VerdictRefused:
		return "turned down: nothing of it is in the register; what is wrong stands with the documents, and all of them must be delivered anew"
	case VerdictOdd:
		return "passed on, but not every document is in the register: this is so for a moment only; if it stays, look in the portal"
	default:
		return "under way"
	}
}

// Actions lists what a delivery can wait for, in the order of the steps.
var Actions = []Action{ActionValidate, ActionCheck, ActionApprove, ActionForward}

// ParseAction reads one, whatever its case.
func ParseAction(s string) (Action, error) {
	if a := Action(strings.ToUpper(s)); slices.Contains(Actions, a) {
		return a, nil
	}
	return "", fmt.Errorf("there is no action %q; a delivery waits for one of %s", clean(s, 80), joinWords(Actions))
}

func joinWords[T ~string](words []T) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return strings.Join(all, ", ")
}

// deliveryDigits is how long the portal's numbers of deliveries are.
const deliveryDigits = 10

// ParseDeliveryNumber checks and completes the number of a delivery as a person
// types it: the portal's have ten digits with zeros in front (recorded answers),
// which people leave out.
func ParseDeliveryNumber(s string) (string, error) {
	s = strings.TrimSpace(s)
	digits := s != "" && strings.Trim(s, "0123456789") == ""
	if !digits || len(s) > deliveryDigits || strings.Trim(s, "0") == "" {
		return "", fmt.Errorf("%q is not a delivery number: the portal shows it as up to ten digits, such as 0000182614", clean(s, 80))
	}
	return strings.Repeat("0", deliveryDigits-len(s)) + s, nil
}

// Others are the fields of the row that the other fields do not show, as the
// portal gave them: little is known of them.
func (t Transaction) Others() map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(t.Raw), &all) != nil {
		return nil
	}
	for _, key := range []string{"broId", "transactionId", "objectIdBronhouder"} {
		delete(all, key)
	}
	return all
}

// ParseBROID checks the number of a registration as a person types it: three
// letters and twelve digits (XSD). Small letters become capitals.
func ParseBROID(s string) (string, error) {
	id := strings.ToUpper(strings.TrimSpace(s))
	const letters, length = 3, 15
	ok := len(id) == length
	for i := 0; ok && i < length; i++ {
		if i < letters {
			ok = id[i] >= 'A' && id[i] <= 'Z'
		} else {
			ok = id[i] >= '0' && id[i] <= '9'
		}
	}
	if !ok {
		return "", fmt.Errorf("%q is not a BRO-ID: three letters and twelve digits, such as GMW000000100001", clean(s, 80))
	}
	return id, nil
}
