package sandbox

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A token is a Token and what became of it. Guarded by Server.mu, except for the parts that never change.
type token struct {
	Token
	supplier  string
	revoked   bool
	withdrawn map[int]bool // by project
}

func newToken(t Token) *token {
	supplier := t.Supplier
	if supplier == "" {
		supplier = t.Username
		if parts := strings.Split(t.Username, "|"); len(parts) == 3 {
			supplier = parts[1]
		}
	}
	t.Projects = slices.Clone(t.Projects)
	return &token{Token: t, supplier: supplier, withdrawn: map[int]bool{}}
}

// authorise refuses a request that has no right to its answer. Order: who (401), which project (404, 401), what (403),
// and only then whether the path and method mean anything.
func (s *Server) authorise(x *exchange) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.findToken(x.r)
	if t == nil || t.revoked {
		return x.fail(http.StatusUnauthorized, "unknown username or secret, or a revoked token"), true
	}
	x.token = t
	if x.route.project != 0 {
		if refusal, refused := s.authoriseProject(x); refused {
			return refusal, true
		}
	}
	if x.route.op == OpOther {
		return x.unknownPath(), true
	}
	if !mayDo(t.Kind, x.route.op, x.sw) {
		return x.fail(x.sw.NoRight, fmt.Sprintf("a token of kind %s may not %s", t.Kind, x.route.op)), true
	}
	return answer{}, false
}

func (s *Server) findToken(r *http.Request) *token {
	username, secret, ok := r.BasicAuth()
	if !ok {
		return nil
	}
	t := s.tokens[username]
	if t == nil || subtle.ConstantTimeCompare([]byte(secret), []byte(t.Secret)) != 1 {
		return nil
	}
	return t
}

// authoriseProject is the part that looks at the project in the path.
func (s *Server) authoriseProject(x *exchange) (answer, bool) {
	p := s.projects[x.route.project]
	switch {
	case p == nil:
		return x.notFound("no such project"), true
	case !slices.Contains(x.token.Projects, p.ID):
		return x.fail(x.sw.OutsideProject, "this token is not for that project"), true
	case p.Closed:
		return x.fail(x.sw.ClosedProject, "the project is closed"), true
	case x.token.withdrawn[p.ID] && (x.sw.Withdrawn == WithdrawnAll || delivers(x.route.op)):
		return x.fail(x.sw.NoRight, "the authorisation for this project has been withdrawn"), true
	}
	return answer{}, false
}

func delivers(op Op) bool {
	return op == OpOpenUpload || op == OpAddDocument || op == OpSubmit
}

// mayDo is the table of rights by kind of token.
func mayDo(kind TokenKind, op Op, sw *Switches) bool {
	switch op {
	case OpValidate:
		return kind == DeliveryToken || kind == ValidationToken
	case OpOpenUpload, OpAddDocument, OpSubmit:
		return kind == DeliveryToken
	case OpNote, OpAttach:
		return kind == EnrichmentToken
	case OpDeliveries:
		return kind == EnrichmentToken || kind == DeliveryToken && sw.ListRight != EnrichmentOnly
	case OpProjects:
		return kind == EnrichmentToken || kind == DeliveryToken && sw.ProjectsRight != EnrichmentOnly
	}
	return kind == EnrichmentToken || kind == DeliveryToken
}

// RevokeToken makes every call with this username a 401, as deleting the token in the portal does. It reports whether there
// is such a token.
func (s *Server) RevokeToken(username string) bool { return s.setRevoked(username, true) }

// RestoreToken undoes RevokeToken.
func (s *Server) RestoreToken(username string) bool { return s.setRevoked(username, false) }

func (s *Server) setRevoked(username string, revoked bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[username]
	if t == nil {
		return false
	}
	t.revoked = revoked
	return true
}

// ChangeSecret gives a token another secret, as a reset in the portal does; the old one is a 401 from then on.
func (s *Server) ChangeSecret(username, secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[username]
	if t == nil {
		return false
	}
	t.Secret = secret
	return true
}

// WithdrawRight takes back the authorisation (machtiging) of a token for a project; what that stops is Switches.Withdrawn.
// It reports whether there is such a token.
func (s *Server) WithdrawRight(username string, project int) bool {
	return s.setWithdrawn(username, project, true)
}

// GrantRight undoes WithdrawRight.
func (s *Server) GrantRight(username string, project int) bool {
	return s.setWithdrawn(username, project, false)
}

func (s *Server) setWithdrawn(username string, project int, withdrawn bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[username]
	if t == nil {
		return false
	}
	t.withdrawn[project] = withdrawn
	return true
}

// CloseProject closes a project: no token works for it any more, see Switches.ClosedProject. It reports whether there is
// such a project.
func (s *Server) CloseProject(id int) bool { return s.setClosed(id, true) }

// OpenProject undoes CloseProject.
func (s *Server) OpenProject(id int) bool { return s.setClosed(id, false) }

func (s *Server) setClosed(id int, closed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[id]
	if p == nil {
		return false
	}
	p.Closed = closed
	return true
}
