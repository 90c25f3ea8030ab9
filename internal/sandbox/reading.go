package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

type projectJSON struct {
	ID     int       `json:"projectId"`
	Name   string    `json:"projectNaam"`
	Closed *bool     `json:"closed,omitempty"`
	Owner  ownerJSON `json:"bronhouder"`
}

type ownerJSON struct {
	KvK  json.RawMessage `json:"kvkNummer"`
	Name string          `json:"naam"`
}

// listProjects answers GET /projecten: the projects of the token, by number. Closed ones are left out with
// ?projectsToInclude=open.
func (s *Server) listProjects(x *exchange) answer {
	onlyOpen := x.r.URL.Query().Get("projectsToInclude") == "open"
	return s.locked(x, func(*state, time.Time) answer {
		list := []projectJSON{}
		for _, id := range slices.Sorted(slices.Values(x.token.Projects)) {
			p := s.projects[id]
			if p == nil || onlyOpen && p.Closed {
				continue
			}
			list = append(list, p.json(x.sw))
		}
		return jsonAnswer(http.StatusOK, list)
	})
}

func (p *Project) json(sw *Switches) projectJSON {
	j := projectJSON{ID: p.ID, Name: p.Name, Owner: ownerJSON{Name: p.Owner.Name}}
	if closed := p.Closed; closed || sw.ClosedKey != ClosedKeyAbsent {
		j.Closed = &closed
	}
	if sw.KvKType == KvKNumber && json.Valid([]byte(p.Owner.KvK)) {
		j.Owner.KvK = json.RawMessage(p.Owner.KvK)
	} else {
		j.Owner.KvK, _ = json.Marshal(p.Owner.KvK) // a string always marshals
	}
	return j
}

// transactions answers GET /transacties/?zoekveld=broId&zoektekst=: what was registered under a BRO-ID, the newest last.
func (s *Server) transactions(x *exchange) answer {
	q := x.r.URL.Query()
	if q.Get("zoekveld") != "broId" {
		return x.fail(http.StatusBadRequest, "zoekveld: broId is the only one known")
	}
	type list struct {
		Transactions []transaction `json:"transacties"`
	}
	return s.locked(x, func(p *state, _ time.Time) answer {
		o := p.objects[q.Get("zoektekst")]
		switch {
		case o != nil:
			return jsonAnswer(http.StatusOK, list{append([]transaction{}, o.transactions...)})
		case x.sw.UnknownTransactions == TransactionsEmptyList:
			return jsonAnswer(http.StatusOK, list{[]transaction{}})
		}
		return answer{status: http.StatusOK}
	})
}
