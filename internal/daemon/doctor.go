package daemon

import (
	"net/http"
	"slices"

	"brodaemon/internal/config"
	"brodaemon/internal/doctor"
	"brodaemon/internal/portal"
)

// DoctorOptions says what doctor has to look at for a configuration.
func DoctorOptions(o Options) (doctor.Options, error) {
	c := o.Config
	d := doctor.Options{
		Language: c.Language, Version: o.Version, File: c.File, DataDir: c.DataDir, CheckDisk: config.CheckDataDir, Page: c.Status.Listen,
	}
	portals := map[doctor.Portal]bool{}
	for _, f := range c.Folders {
		d.Folders = append(d.Folders, doctor.Folder{Name: f.Name, Path: f.Path, DoneDir: f.DoneDir, FailedDir: f.FailedDir, Poll: f.Watch == "poll"})
		p := doctor.Portal{Address: f.Portal.BaseURL(), Environment: f.Portal.EnvironmentName(), CAFile: f.Portal.CAFile, Registry: f.Portal.RegistryURL}
		if !portals[p] {
			portals[p] = true
			d.Portals = append(d.Portals, p)
		}
	}
	for _, t := range c.Tokens {
		uses, err := TokenUses(o, t, true)
		if err != nil {
			return d, err
		}
		d.Tokens = append(d.Tokens, doctor.Token{Name: t.Name, Source: TokenSource(c, t), Uses: uses})
	}
	for _, f := range []doctor.SecretFile{
		{Field: "status.password_file", Path: c.Status.PasswordFile},
		{Field: "notify.mail.password_file", Path: c.Notify.Mail.PasswordFile},
	} {
		if f.Path != "" {
			d.SecretFiles = append(d.SecretFiles, f)
		}
	}
	return d, nil
}

// TokenUses is where a token is used, or the common portal without a project if
// no folder uses it. The clients have the configured time limits, or, if quick,
// those of doctor.
func TokenUses(o Options, t config.Token, quick bool) ([]doctor.Use, error) {
	uses := []doctor.Use{}
	for _, f := range o.Config.Folders {
		delivers, enriches := f.Token == t.Name, f.EnrichmentToken == t.Name
		if !delivers && !enriches {
			continue
		}
		f.Token = t.Name // the client is to be this token's, whatever for
		project, err := portal.ParseProjectID(f.Project)
		if err != nil {
			return nil, &StartError{Config: true, Err: err}
		}
		same := func(u doctor.Use) bool { return u.Project == project && u.Address == f.Portal.BaseURL() }
		i := slices.IndexFunc(uses, same)
		if i < 0 {
			i = len(uses)
			uses = append(uses, doctor.Use{Project: project, Address: f.Portal.BaseURL(), Client: tokenClient(o, f, quick)})
		}
		if delivers {
			uses[i].Folders = append(uses[i].Folders, f.Name)
		}
		if enriches {
			uses[i].Enriches = append(uses[i].Enriches, f.Name)
		}
	}
	if len(uses) == 0 {
		f := config.Folder{Token: t.Name, Portal: o.Config.Common}
		uses = []doctor.Use{{Address: f.Portal.BaseURL(), Client: tokenClient(o, f, quick)}}
	}
	return uses, nil
}

func tokenClient(o Options, f config.Folder, quick bool) func() (doctor.TokenPortal, error) {
	if quick {
		f.Portal.Timeout, f.Portal.ValidationTimeout = doctor.CallLimit, doctor.ValidationLimit
	}
	return func() (doctor.TokenPortal, error) {
		return newClient(o, f, map[config.Portal]http.RoundTripper{}, credentials{}, nil)
	}
}
