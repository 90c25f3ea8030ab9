package doctor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"brodaemon/internal/portal"
)

// Kind is what a token seems to be for, judged by what it may do. The portal
// gives out three kinds and tells nobody which one a token is.
type Kind string

const (
	DeliveryToken   Kind = "delivery"   // aanlevertoken
	ValidationToken Kind = "validation" // validatietoken
	EnrichmentToken Kind = "enrichment" // verrijkingstoken
	UnknownToken    Kind = "unknown"
)

// TokenPortal is what finding out about a token asks of a portal. A
// [portal.Client] has it.
type TokenPortal interface {
	Validate(ctx context.Context, project portal.ProjectID, body portal.Body) (portal.Validation, error)
	Projects(ctx context.Context) ([]portal.Project, error)
	DeliveriesAwaiting(ctx context.Context, project portal.ProjectID, action portal.Action) ([]string, error)
	OpenUpload(ctx context.Context, project portal.ProjectID) (portal.Upload, error)
}

// Answer is how the portal took one of the calls.
type Answer string

const (
	Allowed   Answer = "allowed"
	Refused   Answer = "refused"    // 401: who is this?
	Forbidden Answer = "forbidden"  // 403: known, but has no right to it
	NoProject Answer = "no-project" // 404: not this project
	NotAsked  Answer = "not-asked"
)

// Rights is what a token turned out to be allowed.
type Rights struct {
	SignedOn   bool // the portal knows the user name and takes the secret
	Kind       Kind
	Validate   Answer // in the project
	AtLarge    Answer // validating without a project
	Projects   Answer // listing projects
	Deliveries Answer // listing deliveries of the project
	Upload     Answer // opening an upload
	Err        error  // the refusal, when it did not sign on
}

// InProject says whether the token works in the project: it may validate there
// or, for an enrichment token, which may not, list its deliveries.
func (r Rights) InProject() bool {
	return r.Validate == Allowed || r.Kind == EnrichmentToken && r.Deliveries == Allowed
}

// Delivers says whether documents of the project can be delivered, as far as was asked.
func (r Rights) Delivers() bool {
	return r.Kind == DeliveryToken && r.Validate == Allowed && (r.Upload == Allowed || r.Upload == NotAsked)
}

// request is a document that is well-formed and can't be delivered: it has no
// content. Any verdict on it proves that the token signed on.
const request = `<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0">
<brocom:requestReference>brodaemon: test of a token, not to be delivered</brocom:requestReference>
</registrationRequest>
`

func document() portal.Body {
	return portal.Body{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(request)), nil },
		Size: int64(len(request)),
	}
}

// Enriches says whether companion files can be added with it, as far as can be
// told without adding one: a token that validates is of another kind.
func (r Rights) Enriches() bool { return r.Kind == EnrichmentToken || r.Kind == UnknownToken }

// FindRights finds out what a token may do, by calls that change nothing: it
// validates a document of its own in the project (if that is not 0) and, where
// that is refused, without one; it lists projects and deliveries; and it opens
// an upload, which does nothing as long as nobody submits it (portal-api Q4).
// The upload is left out unless tryUpload says so, except where the kind can't
// be told without it. It never submits anything and may be repeated freely.
//
// What each kind may do is assumed as follows: a delivery token validates and
// opens uploads (certain); a validation token validates and nothing else; an
// enrichment token lists and does not validate. Which tokens may list is not
// known for certain, so a list that is refused decides nothing alone.
//
// An error means that the portal could not be asked to the end (out of reach,
// too many requests, no secret here). A refusal is no error but a result.
func FindRights(ctx context.Context, p TokenPortal, project portal.ProjectID, tryUpload bool) (Rights, error) {
	r := Rights{Kind: UnknownToken, Validate: NotAsked, AtLarge: NotAsked, Projects: NotAsked, Deliveries: NotAsked, Upload: NotAsked}
	ask := func(a *Answer, call func() error) error {
		err := call()
		answer, err := answerOf(err)
		if err != nil {
			return err
		}
		*a = answer
		return nil
	}
	validate := func(project portal.ProjectID) func() error {
		return func() error {
			_, err := p.Validate(ctx, project, document())
			if err != nil && r.Err == nil {
				r.Err = err
			}
			return err
		}
	}
	if project != 0 {
		if err := ask(&r.Validate, validate(project)); err != nil {
			return r, err
		}
	}
	if r.Validate != Allowed {
		if err := ask(&r.AtLarge, validate(0)); err != nil {
			return r, err
		}
	}
	if err := ask(&r.Projects, func() error { _, err := p.Projects(ctx); return err }); err != nil {
		return r, err
	}
	// where there is no such project, a portal that says "none" by 404 would seem to
	// allow it; and who was refused everything so far is not known
	unknown := r.Validate == Refused && r.AtLarge == Refused && r.Projects == Refused
	if project != 0 && r.Validate != NoProject && !unknown {
		if err := ask(&r.Deliveries, func() error {
			_, err := p.DeliveriesAwaiting(ctx, project, portal.ActionCheck)
			return err
		}); err != nil {
			return r, err
		}
	}
	if r.Validate == Allowed && (tryUpload || !r.lists()) {
		if err := ask(&r.Upload, func() error { _, err := p.OpenUpload(ctx, project); return err }); err != nil {
			return r, err
		}
	}
	r.judge()
	return r, nil
}

func (r *Rights) lists() bool { return r.Projects == Allowed || r.Deliveries == Allowed }

func (r *Rights) judge() {
	validates := r.Validate == Allowed || r.AtLarge == Allowed
	for _, a := range []Answer{r.Validate, r.AtLarge, r.Projects, r.Deliveries, r.Upload} {
		if a == Allowed || a == Forbidden {
			r.SignedOn = true // a 403 is said to who is known
		}
	}
	if r.SignedOn {
		r.Err = nil
	}
	switch {
	case r.Upload == Allowed, validates && r.lists():
		r.Kind = DeliveryToken
	case validates:
		r.Kind = ValidationToken
	case r.lists():
		r.Kind = EnrichmentToken
	}
}

// answerOf tells a refusal from a failure. A document that is refused was read
// by somebody who had signed on.
func answerOf(err error) (Answer, error) {
	var fault *portal.Error
	if err == nil || !errors.As(err, &fault) {
		return Allowed, err
	}
	switch {
	case fault.Kind == portal.Refused:
		return Allowed, nil
	case fault.Kind != portal.Unauthorized || fault.StatusCode == 0:
		return NotAsked, err
	case fault.StatusCode == http.StatusForbidden:
		return Forbidden, nil
	case fault.StatusCode == http.StatusUnauthorized:
		return Refused, nil
	default:
		return NoProject, nil
	}
}
