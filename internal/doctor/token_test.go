package doctor

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"brodaemon/internal/portal"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
)

// sandboxToken is a client of a sandbox with one of its tokens.
func sandboxToken(t *testing.T, alter func(*sandbox.Options), username, password string) (*sandbox.Server, *portal.Client) {
	t.Helper()
	o := sandbox.Default()
	if alter != nil {
		alter(&o)
	}
	s := sandbox.New(o)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c, err := portal.New(portal.Options{
		BaseURL: web.URL, Username: username, Secret: func() (secret.String, error) { return secret.New(password), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestFindRights(t *testing.T) {
	delivery := [2]string{sandbox.DefaultUsername, sandbox.DefaultSecret}
	validation := [2]string{sandbox.DefaultValidationUsername, sandbox.DefaultValidationSecret}
	enrichment := [2]string{sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret}
	const own, neighbour, none, nowhere = sandbox.DefaultProject, sandbox.NeighbourProject, 0, 999999
	listsForEnrichmentOnly := func(o *sandbox.Options) {
		o.ListRight, o.ProjectsRight = sandbox.EnrichmentOnly, sandbox.EnrichmentOnly
	}
	cases := []struct {
		name                string
		alter               func(*sandbox.Options)
		token               [2]string
		project             portal.ProjectID
		upload              bool
		kind                Kind
		inProject, delivers bool
		uploads             bool // an upload must have been opened; else none may be
	}{
		{"delivery", nil, delivery, own, true, DeliveryToken, true, true, true},
		{"delivery, gently", nil, delivery, own, false, DeliveryToken, true, true, false},
		{"delivery, no lists", listsForEnrichmentOnly, delivery, own, false, DeliveryToken, true, true, true},
		{"delivery, without a project", nil, delivery, none, true, DeliveryToken, false, false, false},
		{"delivery, the neighbours' project", nil, delivery, neighbour, true, DeliveryToken, false, false, false},
		{"delivery, the neighbours' project by 403", func(o *sandbox.Options) { o.OutsideProject = 403 }, delivery, neighbour, true, DeliveryToken, false, false, false},
		{"delivery, no such project", nil, delivery, nowhere, true, DeliveryToken, false, false, false},
		{"delivery, closed project", func(o *sandbox.Options) { o.Projects[0].Closed = true }, delivery, own, true, DeliveryToken, false, false, false},
		{"validation", nil, validation, own, true, ValidationToken, true, false, false},
		{"validation, gently", nil, validation, own, false, ValidationToken, true, false, false},
		{"validation, refusals by 401", func(o *sandbox.Options) { o.NoRight = 401 }, validation, own, true, ValidationToken, true, false, false},
		{"validation, without a project", nil, validation, none, true, ValidationToken, false, false, false},
		{"enrichment", nil, enrichment, own, true, EnrichmentToken, true, false, false},
		{"enrichment, no lists for others", listsForEnrichmentOnly, enrichment, own, true, EnrichmentToken, true, false, false},
		{"enrichment, refusals by 401", func(o *sandbox.Options) { o.NoRight = 401 }, enrichment, own, true, EnrichmentToken, true, false, false},
		{"enrichment, the neighbours' project", nil, enrichment, neighbour, true, EnrichmentToken, false, false, false},
		{"invalid by 400", func(o *sandbox.Options) { o.InvalidStatus = 400 }, delivery, own, true, DeliveryToken, true, true, true},
		{"failures without a body", func(o *sandbox.Options) { o.ErrorBody = sandbox.ErrorBodyEmpty }, validation, own, true, ValidationToken, true, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, client := sandboxToken(t, c.alter, c.token[0], c.token[1])
			r, err := FindRights(t.Context(), client, c.project, c.upload)
			if err != nil {
				t.Fatal(err)
			}
			if !r.SignedOn || r.Err != nil || r.Kind != c.kind || r.InProject() != c.inProject || r.Delivers() != c.delivers {
				t.Errorf("got %+v, in project %v, delivers %v", r, r.InProject(), r.Delivers())
			}
			harmless(t, s, c.uploads)
		})
	}
}

// harmless fails if anything was done that stays.
func harmless(t *testing.T, s *sandbox.Server, uploads bool) {
	t.Helper()
	opened := false
	for _, r := range s.Requests() {
		switch r.Op {
		case sandbox.OpSubmit, sandbox.OpAddDocument, sandbox.OpNote, sandbox.OpAttach, sandbox.OpOther:
			t.Errorf("%s %s was sent", r.Method, r.Path)
		case sandbox.OpOpenUpload:
			opened = opened || r.Status == http.StatusCreated
		}
	}
	if opened != uploads {
		t.Errorf("an upload was opened: %v, want %v", opened, uploads)
	}
}

func TestFindRightsOfAWithdrawnToken(t *testing.T) {
	for _, all := range []bool{false, true} {
		s, client := sandboxToken(t, func(o *sandbox.Options) {
			if all {
				o.Withdrawn = sandbox.WithdrawnAll
			}
		}, sandbox.DefaultUsername, sandbox.DefaultSecret)
		s.WithdrawRight(sandbox.DefaultUsername, sandbox.DefaultProject)
		r, err := FindRights(t.Context(), client, sandbox.DefaultProject, true)
		if err != nil || !r.SignedOn || r.Kind != DeliveryToken || r.Delivers() {
			t.Errorf("everything withdrawn %v: %+v, %v", all, r, err)
		}
		harmless(t, s, false)
	}
}

func TestFindRightsWhenRefused(t *testing.T) {
	s, client := sandboxToken(t, nil, sandbox.DefaultUsername, "wrong")
	r, err := FindRights(t.Context(), client, sandbox.DefaultProject, true)
	if err != nil || r.SignedOn || r.Err == nil || r.Kind != UnknownToken {
		t.Errorf("wrong secret: %+v, %v", r, err)
	}
	harmless(t, s, false)
	s.RevokeToken(sandbox.DefaultUsername)
	if r, err := FindRights(t.Context(), client, 0, true); err != nil || r.SignedOn {
		t.Errorf("revoked: %+v, %v", r, err)
	}
}

func TestFindRightsWhenThePortalIsDown(t *testing.T) {
	for _, status := range []int{503, 429, 500, 302} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		client, err := portal.New(portal.Options{
			BaseURL: web.URL, Username: "a|b|c", Secret: func() (secret.String, error) { return secret.New("x"), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := FindRights(t.Context(), client, 1255, true); err == nil || r.SignedOn {
			t.Errorf("%d: %+v, %v; want an error", status, r, err)
		}
		web.Close()
	}
}
