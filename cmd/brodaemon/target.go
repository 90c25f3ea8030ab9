package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/portal"
)

// targetFlags say whom a command asks: which portal, with which token, about
// which project. With one folder configured nothing need be said.
type targetFlags struct{ folder, token, project, environment string }

func (t *targetFlags) add(cmd *cobra.Command, withProject bool) {
	cmd.Flags().StringVar(&t.folder, "folder", "", "ask with the portal, token and project of this `folder`")
	cmd.Flags().StringVar(&t.token, "token", "", "ask with this `token` of the configuration")
	cmd.Flags().StringVar(&t.environment, "environment", "", "ask this `portal`: production, demo or acceptance, of those that the folders deliver to")
	if withProject {
		cmd.Flags().StringVar(&t.project, "project", "", "ask about the project of this `number`")
	}
}

// target is who is asked.
type target struct {
	*portal.Client
	folder  config.Folder // with the portal, token and project in force
	project portal.ProjectID
}

// open chooses the target and says on w who is asked, so that it is always
// visible which environment an answer is of.
func (t *targetFlags) open(c *config.Config, w io.Writer, withProject bool) (*target, error) {
	f, err := t.choose(c, withProject)
	if err != nil {
		return nil, err
	}
	client, err := daemon.NewClient(daemon.Options{Config: c, Version: readVersion().Version}, f)
	if err != nil {
		return nil, err
	}
	found := &target{Client: client, folder: f}
	if withProject {
		if found.project, err = portal.ParseProjectID(f.Project); err != nil {
			return nil, fmt.Errorf("%w; %w", err, errUsage)
		}
	}
	fmt.Fprintln(w, found.prompt(withProject))
	return found, nil
}

// prompt names the environment, the project and the token.
func (t *target) prompt(withProject bool) string {
	s := strings.ToUpper(t.folder.Portal.EnvironmentName()) + " · " + t.folder.Portal.BaseURL()
	if withProject {
		s += " · project " + t.folder.Project
	}
	return s + " · token " + t.folder.Token
}

// choose finds the one portal, token and project that the flags and the
// configuration leave.
func (t *targetFlags) choose(c *config.Config, withProject bool) (config.Folder, error) {
	if _, ok := c.Folder(t.folder); t.folder != "" && !ok {
		return config.Folder{}, fmt.Errorf("there is no folder %q in the configuration; the choices are:\n%s%w", t.folder, choices(c.Folders, withProject), errUsage)
	}
	if _, ok := c.Token(t.token); t.token != "" && !ok {
		return config.Folder{}, fmt.Errorf("there is no token %q in the configuration; there is %s; %w", t.token, tokenNames(c), errUsage)
	}
	if _, err := portal.ParseProjectID(t.project); t.project != "" && err != nil {
		return config.Folder{}, fmt.Errorf("--project: %w; %w", err, errUsage)
	}
	left := slices.Clone(c.Folders)
	left = slices.DeleteFunc(left, func(f config.Folder) bool {
		return t.folder != "" && f.Name != t.folder ||
			t.environment != "" && f.Portal.Environment != t.environment && f.Portal.EnvironmentName() != t.environment
	})
	// a token or project that no folder uses may still be asked about: for reading
	// and enriching there are tokens that deliver nothing
	left = narrow(left, t.project, func(f *config.Folder) *string { return &f.Project })
	left = enriching(left, t.token)
	left = narrow(left, t.token, func(f *config.Folder) *string { return &f.Token })
	left = distinct(left, withProject)
	switch {
	case len(left) == 1:
		return left[0], nil
	case len(c.Folders) == 0:
		return config.Folder{}, fmt.Errorf("the configuration has no folders, so it is not clear which portal to ask: add one; %w", errConfig)
	case len(left) == 0:
		return config.Folder{}, fmt.Errorf("no folder delivers to %s; the choices are:\n%s%w", t.environment, choices(c.Folders, withProject), errUsage)
	}
	return config.Folder{}, fmt.Errorf("say whom to ask, with --folder or with --token, --project and --environment; the choices are:\n%s%w", choices(left, withProject), errUsage)
}

// enriching has a token that folders add companion files with asked about their
// portals and projects, and about no other folder's.
func enriching(folders []config.Folder, token string) []config.Folder {
	uses := func(f config.Folder) bool { return f.Token == token || f.EnrichmentToken == token }
	if token == "" || !slices.ContainsFunc(folders, uses) {
		return folders
	}
	folders = slices.DeleteFunc(folders, func(f config.Folder) bool { return !uses(f) })
	for i := range folders {
		folders[i].Token = token
	}
	return folders
}

// narrow keeps the folders whose field is want; if none is, all of them, with
// want in its place.
func narrow(folders []config.Folder, want string, field func(*config.Folder) *string) []config.Folder {
	if want == "" {
		return folders
	}
	var kept []config.Folder
	for _, f := range folders {
		if *field(&f) == want {
			kept = append(kept, f)
		}
	}
	if kept != nil {
		return kept
	}
	for i := range folders {
		*field(&folders[i]) = want
	}
	return folders
}

// distinct leaves out folders that ask the same portal the same thing.
func distinct(folders []config.Folder, withProject bool) []config.Folder {
	seen := map[[3]string]bool{}
	return slices.DeleteFunc(folders, func(f config.Folder) bool {
		key := [3]string{f.Portal.BaseURL(), f.Token, f.Project}
		if !withProject {
			key[2] = ""
		}
		defer func() { seen[key] = true }()
		return seen[key]
	})
}

// choices are the folders with what they stand for, a line each.
func choices(folders []config.Folder, withProject bool) string {
	var b strings.Builder
	for i, f := range folders {
		if i == 20 {
			fmt.Fprintf(&b, "  … and %d more\n", len(folders)-i)
			break
		}
		fmt.Fprintf(&b, "  --folder %s: %s, token %s", f.Name, f.Portal.EnvironmentName(), f.Token)
		if withProject {
			fmt.Fprintf(&b, ", project %s", f.Project)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func tokenNames(c *config.Config) string {
	names := make([]string, len(c.Tokens))
	for i, t := range c.Tokens {
		names[i] = t.Name
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// ask runs a command's question: it loads the configuration, opens the target
// and adds hints to what the portal refuses.
func (t *targetFlags) ask(cmd *cobra.Command, g *globals, withProject bool, do func(ctx context.Context, at *target) error) error {
	c, err := g.load()
	if err != nil {
		return err
	}
	at, err := t.open(c, cmd.ErrOrStderr(), withProject)
	if err != nil {
		return err
	}
	return withHint(do(cmd.Context(), at))
}
