package doctor

import (
	"errors"
	"strings"

	"brodaemon/internal/portal"
	"brodaemon/internal/secret"
)

// checkToken looks whether a token's secret can be had, and what the portal
// says to it.
func (c *checker) checkToken(t *track, tok Token) {
	t.begin("token.secret")
	theirs, asked := c.daemon.tokens[tok.Name]
	_, found, err := tok.Source.Read()
	switch {
	case errors.Is(err, secret.ErrNone) && asked && theirs.Error == "":
		// systemd gives credentials to the service alone
		t.note("token.secret", "secret.daemon-only", "secret.daemon-only.fix", string(theirs.Place))
		return
	case errors.Is(err, secret.ErrNone):
		t.wrong("token.secret", "secret.none", "secret.none.fix", tok.Name)
		return
	case err != nil:
		t.wrong("token.secret", "secret.unusable", "secret.unusable.fix", tok.Name, plain(err))
		return
	}
	t.ok("token.secret", "secret.good", c.lang.text("place."+string(found.Place)), found.Since.Local().Format("2006-01-02 15:04"))
	if found.MissingFile != "" {
		t.note("token.file", "secret.file-missing", "secret.file-missing.fix", found.MissingFile)
	}
	if asked {
		c.compareWithDaemon(t, found, theirs)
	}
	for _, use := range tok.Uses {
		if len(use.Folders) == 0 && len(use.Enriches) == 0 {
			t.ok("token.use", "token.unused")
		}
		if c.o.Offline || t.over() {
			return
		}
		c.checkUseOf(t, tok, use)
	}
}

func (c *checker) compareWithDaemon(t *track, found secret.Found, theirs daemonToken) {
	switch {
	case theirs.Error != "":
		t.wrong("token.daemon", "secret.daemon-cant", "secret.daemon-cant.fix", line(theirs.Error))
	case theirs.Place != found.Place:
		t.note("token.daemon", "secret.daemon-other", "secret.daemon-other.fix", c.lang.text("place."+string(theirs.Place)))
	}
}

// checkUseOf signs on. The calls have the client's time limits (CallLimit and
// ValidationLimit), so ours only guards against one that never returns.
func (c *checker) checkUseOf(t *track, tok Token, use Use) {
	const check = "token.sign-on"
	t.beginWithin(check, 2*ValidationLimit+3*c.o.Limit)
	where := use.Address
	if use.Project != 0 {
		where += ", project " + use.Project.String()
	}
	client, err := use.Client()
	if err != nil {
		t.wrong(check, "sign-on.failed", "", where, plain(err))
		return
	}
	r, err := FindRights(t.ctx, client, use.Project, false)
	if err != nil {
		t.wrong(check, "sign-on.unreached", "sign-on.unreached.fix", where, c.told(err))
		return
	}
	kind := c.lang.text("kind." + string(r.Kind))
	folders := strings.Join(use.Folders, ", ")
	switch {
	case !r.SignedOn:
		t.wrong(check, "sign-on.refused", "sign-on.refused.fix", where, c.told(r.Err), tok.Name)
	case use.Project != 0 && !r.InProject():
		t.wrong(check, "sign-on.no-project", "sign-on.no-project.fix", where, kind, use.Project.String())
	case len(use.Folders) > 0 && !r.Delivers():
		t.wrong(check, "sign-on.no-delivery", "sign-on.no-delivery.fix", where, kind, folders)
	case len(use.Enriches) > 0 && !r.Enriches():
		t.wrong(check, "sign-on.no-enrich", "sign-on.no-enrich.fix", where, kind, strings.Join(use.Enriches, ", "))
	default:
		t.ok(check, "sign-on.good", where, kind)
	}
}

// told is the portal's refusal in one line.
func (c *checker) told(err error) string {
	var fault *portal.Error
	if errors.As(err, &fault) && fault.Hint() != "" && c.lang == english {
		return plain(err) + " (" + fault.Hint() + ")"
	}
	return plain(err)
}

// What a call to the portal may take; for those who make the clients. Validating
// takes the portal longer than the rest.
const (
	CallLimit       = limit
	ValidationLimit = 3 * limit
)
