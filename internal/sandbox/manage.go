package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// manageCall answers POST /sandbox/{verb}[/{argument}], see ServeHTTP. It exists for tests that run brodaemon and the
// sandbox as processes of their own, and for a person who plays the data owner with curl.
func (s *Server) manageCall(x *exchange) answer {
	if !s.manage {
		return x.notFound("the paths under /sandbox/ are not open")
	}
	s.mu.Lock()
	known := s.findToken(x.r) != nil // revoked or not: somebody has to restore it
	s.mu.Unlock()
	if !known {
		return x.fail(http.StatusUnauthorized, "unknown username or secret")
	}
	verb, argument, _ := strings.Cut(x.route.name, "/")
	if argument == "" {
		body, refusal, ok := x.readSmall(1 << 16)
		if !ok {
			return refusal
		}
		argument = strings.TrimSpace(string(body))
	}
	done, err := s.manageVerb(verb, argument)
	switch {
	case err != nil:
		return x.fail(http.StatusBadRequest, err.Error())
	case !done:
		return x.notFound("no such verb, delivery, token or project: " + verb)
	}
	return answer{status: http.StatusNoContent}
}

func (s *Server) manageVerb(verb, argument string) (done bool, err error) {
	switch verb {
	case "approve":
		return s.Approve(argument), nil
	case "reject":
		return s.Reject(argument, "Het brondocument is door de bronhouder afgekeurd."), nil
	case "delete":
		return s.DeleteDelivery(argument), nil
	case "revoke":
		return s.RevokeToken(argument), nil
	case "restore":
		return s.RestoreToken(argument), nil
	case "close", "open":
		project, err := strconv.Atoi(argument)
		return err == nil && s.setClosed(project, verb == "close"), err
	case "fault":
		f, err := ParseFault(argument)
		if err == nil {
			s.Inject(f)
		}
		return true, err
	case "clear-faults":
		s.ClearFaults()
		return true, nil
	case "set":
		return true, s.setSwitch(argument)
	}
	return false, nil
}

// setSwitch changes one of the Switches by its knob; the other knobs count at the start only.
func (s *Server) setSwitch(assignment string) error {
	name, value, _ := strings.Cut(assignment, "=")
	if slices.Contains([]string{"keep-bodies", "manage", "seed", "fault"}, name) || strings.HasPrefix(name, "chaos") {
		return fmt.Errorf("set %s: this switch counts at the start only", name)
	}
	var err error
	s.Change(func(sw *Switches) {
		o := Options{Switches: *sw}
		if err = o.ParseKnob(name, value); err == nil {
			*sw = o.Switches
		}
	})
	return err
}
