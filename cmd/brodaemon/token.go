package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brodaemon/internal/account"
	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/daemon"
	"brodaemon/internal/doctor"
	"brodaemon/internal/portal"
	"brodaemon/internal/secret"
)

func newTokenCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Keep the secrets of the portal's tokens",
		Long: `A token of the portal is a user name, which stands in the configuration, and a secret,
which the portal shows once. The secret is looked for in the token's password_file, if
one is configured and there, then in the systemd credential brodaemon.NAME, then in the
protected store in the data folder, which "token set" fills.`,
		Example: "  brodaemon token set zwolle\n  brodaemon token test zwolle",
	}
	cmd.AddCommand(newTokenSetCommand(g), newTokenListCommand(g), newTokenTestCommand(g), newTokenRemoveCommand(g))
	return cmd
}

// configuredToken finds a token by name, or says which there are.
func configuredToken(c *config.Config, name string) (config.Token, error) {
	if t, ok := c.Token(name); ok {
		return t, nil
	}
	names := make([]string, 0, len(c.Tokens))
	for _, t := range c.Tokens {
		names = append(names, t.Name)
	}
	there := "the configuration has none"
	if len(names) > 0 {
		there = "the configuration has " + strings.Join(names, ", ")
	}
	return config.Token{}, fmt.Errorf("there is no token %q: %s. Describe it under tokens, with the user name that the portal showed; %w", name, there, errUsage)
}

func newTokenSetCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "set NAME", Short: "Store a token's secret", Args: cobra.ExactArgs(1),
		Long: `Store a token's secret in the protected store in the data folder: on Windows encrypted
for this machine, on Linux in a file that only the data folder's account can read. It is
asked for twice, without showing it, or read as one line from standard input. A running
brodaemon uses the new secret within a second; it is never shown again.`,
		Example: "  brodaemon token set zwolle\n  brodaemon token set zwolle < secret.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			t, err := configuredToken(c, args[0])
			if err != nil {
				return err
			}
			if err := storeCounts(t); err != nil {
				return err
			}
			s, err := askSecret(cmd, t)
			if err != nil {
				return err
			}
			return storeSecret(cmd, c, t, s)
		},
	}
}

// storeCounts refuses to store what would never be looked for.
func storeCounts(t config.Token) error {
	if t.PasswordFile == "" {
		return nil
	}
	if _, err := os.Lstat(t.PasswordFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return exit(exitNotSo, "token %s has its secret from password_file %s, which goes before the protected store: write the new secret there, or take password_file out of the configuration first",
		t.Name, t.PasswordFile)
}

// askSecret asks twice on a terminal and reads one line otherwise.
func askSecret(cmd *cobra.Command, t config.Token) (secret.String, error) {
	in, isFile := cmd.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		content, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 64<<10))
		if err != nil {
			return secret.String{}, fmt.Errorf("read the secret from standard input: %w", err)
		}
		s, err := secret.Parse(content)
		if err != nil {
			return s, exit(exitNotSo, "standard input %w", err)
		}
		return s, nil
	}
	first, err := askHidden(cmd, in, fmt.Sprintf("Secret of token %s (%s), not shown: ", t.Name, line(t.Username)))
	if err != nil {
		return first, err
	}
	second, err := askHidden(cmd, in, "The same once more: ")
	if err != nil {
		return second, err
	}
	if !first.Equal(second) {
		return secret.String{}, exit(exitNotSo, "the two are not the same; nothing was stored")
	}
	return first, nil
}

// askHidden reads a line without echo. An end by a signal puts the echo back.
func askHidden(cmd *cobra.Command, in *os.File, prompt string) (secret.String, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return secret.String{}, fmt.Errorf("ask for the secret: %w", err)
	}
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case <-cmd.Context().Done():
		_ = term.Restore(fd, before) // all that can be done
		fmt.Fprintln(cmd.ErrOrStderr())
		return secret.String{}, exit(exitNotSo, "interrupted; nothing was stored")
	case a := <-answered:
		fmt.Fprintln(cmd.ErrOrStderr())
		if errors.Is(a.err, io.EOF) {
			return secret.String{}, exit(exitNotSo, "nothing was entered; nothing was stored")
		}
		if a.err != nil {
			return secret.String{}, fmt.Errorf("ask for the secret: %w", a.err)
		}
		s, err := secret.Parse(a.text)
		if err != nil {
			return s, exit(exitNotSo, "what was entered %w", err)
		}
		return s, nil
	}
}

func storeSecret(cmd *cobra.Command, c *config.Config, t config.Token, s secret.String) error {
	_, err := os.Stat(c.DataDir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err := daemon.PrepareDataDir(c.DataDir); err != nil {
		return &exitError{exitCantWrite, err}
	}
	if err := secret.StoreIn(c.DataDir).Set(t.Name, s); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return exit(exitCantWrite, "%w; do this as the account that %s belongs to, or as root (Windows: from a prompt opened with \"Run as administrator\")", err, c.DataDir)
		}
		return &exitError{exitCantWrite, err}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "the secret of token %s is stored\n", t.Name)
	if me, err := account.Current(); fresh && err == nil {
		fmt.Fprintf(out, "the data folder %s was made for it and belongs to %s: brodaemon must run as that account\n", c.DataDir, line(me.String()))
	}
	switch theirs, err := daemonTokens(cmd.Context(), c); {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintf(out, "next: brodaemon token test %s\n", t.Name)
	case err != nil:
		fmt.Fprintf(out, "whether a running brodaemon uses it can't be told (%s); next: brodaemon token test %s\n", line(err.Error()), t.Name)
	default:
		tellDaemonsPlace(out, theirs, t.Name)
	}
	if len(foldersOf(c, t.Name)) == 0 && len(enrichedBy(c, t.Name)) == 0 {
		fmt.Fprintf(out, "no folder uses this token yet: name it in folders[].token, or in folders[].enrichment_token if it is for companion files\n")
	}
	return nil
}

// tellDaemonsPlace says what the running daemon makes of a new secret.
func tellDaemonsPlace(out io.Writer, theirs []daemon.TokenPlace, name string) {
	i := slices.IndexFunc(theirs, func(p daemon.TokenPlace) bool { return p.Name == name })
	switch {
	case i < 0:
		fmt.Fprintf(out, "the running brodaemon does not know this token yet: brodaemon reload; next: brodaemon token test %s\n", name)
	case theirs[i].Error != "":
		fmt.Fprintf(out, "the running brodaemon can't read it: %s\n", line(theirs[i].Error))
	case theirs[i].Place != secret.PlaceStore:
		fmt.Fprintf(out, "the running brodaemon does not use it: it has its secret from another place (%s), which goes before the store\n", theirs[i].Place)
	default:
		fmt.Fprintf(out, "the running brodaemon uses it from now on; next: brodaemon token test %s, and brodaemon queue retry --all if documents wait for it\n", name)
	}
}

// daemonTokens asks the running daemon where it finds the secrets.
func daemonTokens(ctx context.Context, c *config.Config) (places []daemon.TokenPlace, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = newClient(c).call(ctx, http.MethodGet, "/api/v1/tokens", nil, &places)
	return places, err
}

func foldersOf(c *config.Config, token string) []string {
	names := []string{}
	for _, f := range c.Folders {
		if f.Token == token {
			names = append(names, f.Name)
		}
	}
	return names
}

// enrichedBy are the folders that add companion files with a token of their own for it.
func enrichedBy(c *config.Config, token string) []string {
	names := []string{}
	for _, f := range c.Folders {
		if f.EnrichmentToken == token {
			names = append(names, f.Name)
		}
	}
	return names
}

// usedBy is for people: the folders that deliver with a token, then those that enrich with it.
func usedBy(folders, enriches []string) string {
	names := slices.Clone(folders)
	for _, name := range enriches {
		names = append(names, name+" (companions)")
	}
	return strings.Join(names, ", ")
}

// tokenRow is one line of `token list --json`.
type tokenRow struct {
	Name       string       `json:"name"`
	Username   string       `json:"username"`
	Source     secret.Place `json:"source"`
	Since      time.Time    `json:"since,omitzero"`
	Folders    []string     `json:"folders"`  // that deliver with it
	Enriches   []string     `json:"enriches"` // that add companion files with it
	Configured bool         `json:"configured"`
	Problem    string       `json:"problem,omitempty"` // why the secret can't be had, as this account
	// Daemon is where the running daemon has it from, "" if none could be asked.
	Daemon secret.Place `json:"daemon,omitempty"`
}

func newTokenListCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens, where their secrets come from, and which folders use them", Args: cobra.NoArgs,
		Long: `List the tokens of the configuration, and what else lies in the protected store. SECRET
FROM is what this account sees: file, credential, store or none. Secrets are never shown.`,
		Example: "  brodaemon token list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			rows, err := tokenRows(cmd.Context(), c)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			return printTokens(cmd.OutOrStdout(), rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func tokenRows(ctx context.Context, c *config.Config) ([]tokenRow, error) {
	theirs, _ := daemonTokens(ctx, c) // without a daemon only the own view is told
	rows := []tokenRow{}
	for _, t := range c.Tokens {
		_, found, err := daemon.TokenSource(c, t).Read()
		row := tokenRow{Name: t.Name, Username: t.Username, Source: found.Place, Folders: foldersOf(c, t.Name), Enriches: enrichedBy(c, t.Name), Configured: true}
		if !found.Since.IsZero() {
			row.Since = found.Since.UTC().Truncate(time.Second)
		}
		if err != nil && !errors.Is(err, secret.ErrNone) {
			row.Problem = err.Error()
		}
		for _, p := range theirs {
			if p.Name == t.Name {
				row.Daemon = p.Place
			}
		}
		rows = append(rows, row)
	}
	stored, err := secret.StoreIn(c.DataDir).Names()
	if err != nil && !errors.Is(err, fs.ErrPermission) { // that was said of each token already
		return nil, err
	}
	for _, name := range stored {
		if _, ok := c.Token(name); !ok {
			rows = append(rows, tokenRow{Name: name, Source: secret.PlaceStore, Folders: []string{}, Enriches: []string{}})
		}
	}
	return rows, nil
}

func printTokens(w io.Writer, rows []tokenRow) error {
	if len(rows) == 0 {
		fmt.Fprintln(w, "there are no tokens in the configuration")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "TOKEN\tUSER NAME\tSECRET FROM\tSINCE\tFOLDERS")
	for _, r := range rows {
		folders := usedBy(r.Folders, r.Enriches)
		switch {
		case !r.Configured:
			folders = "(not in the configuration: brodaemon token remove " + r.Name + ")"
		case folders == "":
			folders = "-"
		}
		username := line(r.Username)
		if username == "" {
			username = "-"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.Name, username, r.Source, local(r.Since), folders)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Problem != "" {
			fmt.Fprintf(w, "! %s\n", line(r.Problem))
		}
		if r.Configured && r.Source == secret.PlaceNone && r.Daemon != "" && r.Daemon != secret.PlaceNone {
			fmt.Fprintf(w, "  the running brodaemon has the secret of %s from: %s\n", r.Name, r.Daemon)
		}
		if r.Configured && r.Source == secret.PlaceNone && (r.Daemon == "" || r.Daemon == secret.PlaceNone) {
			fmt.Fprintf(w, "! token %s has no secret: brodaemon token set %s\n", r.Name, r.Name)
		}
	}
	return nil
}

func newTokenRemoveCommand(g *globals) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove a token's secret from the protected store", Args: cobra.ExactArgs(1),
		Long: `Remove a token's secret from the protected store. Documents that need it then wait. The
token itself stays at the portal: delete it there as well if it may have become known.`,
		Example: "  brodaemon token remove zwolle",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			name := args[0]
			store := secret.StoreIn(c.DataDir)
			names, err := store.Names()
			if err != nil {
				return dataError(err)
			}
			if !slices.Contains(names, name) {
				return exit(exitNotSo, "the protected store has no secret of token %q", name)
			}
			if !yes {
				if err := confirm(cmd, fmt.Sprintf("Remove the secret of token %s? Folders that use it: %s. [y/N] ", name, orNone(usedBy(foldersOf(c, name), enrichedBy(c, name))))); err != nil {
					return err
				}
			}
			if err := store.Remove(name); err != nil {
				return &exitError{exitCantWrite, err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the secret of token %s is removed; the token itself stays at the portal\n", name)
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask")
	return cmd
}

func orNone(names string) string {
	if names == "" {
		return "none"
	}
	return names
}

// confirm asks on a terminal; without one only --yes will do.
func confirm(cmd *cobra.Command, question string) error {
	in, isFile := cmd.InOrStdin().(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return fmt.Errorf("there is no terminal to ask on: add --yes; %w", errUsage)
	}
	fmt.Fprint(cmd.ErrOrStderr(), question)
	answer := make(chan string, 1)
	go func() {
		said, _ := bufio.NewReader(in).ReadString('\n') // what is no yes is a no
		answer <- said
	}()
	select {
	case <-cmd.Context().Done():
		fmt.Fprintln(cmd.ErrOrStderr())
	case said := <-answer:
		if slices.Contains([]string{"y", "yes", "j", "ja"}, strings.ToLower(strings.TrimSpace(said))) {
			return nil
		}
	}
	return exit(exitNotSo, "nothing was removed")
}

// tokenTest is one line of `token test --json`.
type tokenTest struct {
	Token    string      `json:"token"`
	Portal   string      `json:"portal"`
	Project  string      `json:"project"`
	Folders  []string    `json:"folders"`
	Enriches []string    `json:"enriches"`
	SignedOn bool        `json:"signed_on"`
	Kind     doctor.Kind `json:"kind"`
	Usable   bool        `json:"usable"` // for what the configuration wants of it
	Calls    tokenCalls  `json:"calls"`
	Error    string      `json:"error,omitempty"`
}

type tokenCalls struct {
	Validate   doctor.Answer `json:"validate"`
	AtLarge    doctor.Answer `json:"validate_without_project"`
	Projects   doctor.Answer `json:"list_projects"`
	Deliveries doctor.Answer `json:"list_deliveries"`
	Upload     doctor.Answer `json:"open_upload"`
}

func newTokenTestCommand(g *globals) *cobra.Command {
	var folder string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "test NAME", Short: "Sign on with a token, and say which kind it seems to be", Args: cobra.ExactArgs(1),
		Long: `Sign on with a token by having the portal validate a document without content, in each
project that the configuration uses it for. What else it may do tells which of the three
kinds of token it seems to be: delivery (aanlevertoken), validation (validatietoken) or
enrichment (verrijkingstoken). Nothing is delivered; at most an upload is opened and left
empty, which does nothing.

Exit code 0: it signs on and can do in its projects what the configuration uses it for;
1: not in all of them; 77: sign-on refused, or no secret; 69: the portal is out of reach.`,
		Example: "  brodaemon token test zwolle",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			t, err := configuredToken(c, args[0])
			if err != nil {
				return err
			}
			if err := seenByDaemonOnly(cmd.Context(), c, t); err != nil {
				return err
			}
			uses, err := daemon.TokenUses(daemon.Options{Config: c, Version: readVersion().Version}, t, false)
			if err != nil {
				return err
			}
			if folder != "" {
				if uses, err = useOf(c, uses, t, folder); err != nil {
					return err
				}
			}
			return testToken(cmd, t, uses, asJSON)
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "test it for this `folder` only")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// seenByDaemonOnly explains why a secret that works for the daemon is none here.
func seenByDaemonOnly(ctx context.Context, c *config.Config, t config.Token) error {
	if _, _, err := daemon.TokenSource(c, t).Read(); !errors.Is(err, secret.ErrNone) {
		return nil // it can be read, or the test says why not
	}
	theirs, _ := daemonTokens(ctx, c) // without a daemon there is nothing to explain
	for _, p := range theirs {
		if p.Name == t.Name && p.Error == "" {
			return exit(exitNoAccess, "the running brodaemon has the secret of token %s (%s), but this account does not see it, so it can't sign on; `brodaemon status` shows whether the portal refuses the token", t.Name, p.Place)
		}
	}
	return nil
}

// useOf keeps the use of one folder.
func useOf(c *config.Config, uses []doctor.Use, t config.Token, name string) ([]doctor.Use, error) {
	f, err := chooseFolder(c, name)
	if err != nil {
		return nil, err
	}
	for _, u := range uses {
		if slices.Contains(u.Folders, f.Name) || slices.Contains(u.Enriches, f.Name) {
			return []doctor.Use{u}, nil
		}
	}
	return nil, fmt.Errorf("folder %s does not use token %s but %s; %w", f.Name, t.Name, f.Token, errUsage)
}

func testToken(cmd *cobra.Command, t config.Token, uses []doctor.Use, asJSON bool) error {
	results := []tokenTest{}
	var failure error // the first counts: what stops one use mostly stops all
	for _, u := range uses {
		result, err := testUse(cmd.Context(), t, u)
		if failure == nil {
			failure = err
		}
		results = append(results, result)
		if !asJSON {
			printTokenTest(cmd.OutOrStdout(), result)
		}
	}
	if asJSON {
		if err := printJSON(cmd.OutOrStdout(), results); err != nil {
			return err
		}
	}
	return failure
}

// testUse tests a token in one project. Its error says why it can't be used there.
func testUse(ctx context.Context, t config.Token, u doctor.Use) (tokenTest, error) {
	r := tokenTest{Token: t.Name, Portal: u.Address, Folders: u.Folders, Enriches: u.Enriches, Kind: doctor.UnknownToken}
	if u.Project != 0 {
		r.Project = u.Project.String()
	}
	if r.Folders == nil {
		r.Folders = []string{}
	}
	if r.Enriches == nil {
		r.Enriches = []string{}
	}
	client, err := u.Client()
	if err != nil {
		return r, err
	}
	rights, err := doctor.FindRights(ctx, client, u.Project, true)
	r.Calls = tokenCalls{rights.Validate, rights.AtLarge, rights.Projects, rights.Deliveries, rights.Upload}
	r.SignedOn, r.Kind = rights.SignedOn, rights.Kind
	switch {
	case err != nil:
		err = withHint(err)
	case !rights.SignedOn:
		err = withHint(rights.Err)
	case u.Project != 0 && !rights.InProject():
		err = exit(exitNotSo, "token %s signs on to %s, but not for project %s: check the folder's project number, that the authorisation (machtiging) for it is in force, and that the project is open", t.Name, u.Address, u.Project)
	case rights.Kind == doctor.DeliveryToken && rights.Upload != doctor.Allowed && u.Project != 0:
		err = exit(exitNotSo, "token %s may not deliver in project %s now: has the authorisation (machtiging) been withdrawn?", t.Name, u.Project)
	case len(u.Folders) > 0 && !rights.Delivers():
		err = exit(exitNotSo, "token %s can't deliver for: %s. A delivery token (aanlevertoken) with an authorisation (machtiging) in force is needed for that", t.Name, strings.Join(u.Folders, ", "))
	case len(u.Enriches) > 0 && !rights.Enriches():
		err = exit(exitNotSo, "token %s can't add companion files for: %s. An enrichment token (verrijkingstoken), made by the data owner (bronhouder), is needed for that; until then documents are delivered without them", t.Name, strings.Join(u.Enriches, ", "))
	}
	r.Usable = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	return r, err
}

// withHint adds what a person can do to the portal's refusal.
func withHint(err error) error {
	var fault *portal.Error
	if errors.As(err, &fault) && fault.StatusCode == 0 && fault.Kind == portal.Unauthorized && fault.Err != nil {
		return &exitError{exitNoAccess, fault.Err} // no secret, and it says what to do
	}
	if errors.As(err, &fault) && fault.Hint() != "" {
		return fmt.Errorf("%w. What to do: %s", err, fault.Hint())
	}
	return err
}

func printTokenTest(w io.Writer, r tokenTest) {
	where := r.Portal
	if r.Project != "" {
		where += ", project " + r.Project
	}
	switch {
	case !r.SignedOn:
		fmt.Fprintf(w, "%s: token %s is not signed on\n", where, r.Token)
		return
	case r.Kind == doctor.UnknownToken:
		fmt.Fprintf(w, "%s: token %s signs on, but which kind it is can't be told\n", where, r.Token)
	default:
		fmt.Fprintf(w, "%s: token %s signs on and seems to be %s\n", where, r.Token, kindWords[r.Kind])
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, call := range []struct {
		what string
		said doctor.Answer
	}{
		{"validate in the project", r.Calls.Validate}, {"validate without a project", r.Calls.AtLarge}, {"list projects", r.Calls.Projects},
		{"list deliveries", r.Calls.Deliveries}, {"open an upload", r.Calls.Upload},
	} {
		if call.said != doctor.NotAsked {
			fmt.Fprintf(tw, "  %s\t%s\n", call.what, answerWords[call.said])
		}
	}
	tw.Flush()
}

var kindWords = map[doctor.Kind]string{
	doctor.DeliveryToken:   "a delivery token (aanlevertoken)",
	doctor.ValidationToken: "a validation token (validatietoken)",
	doctor.EnrichmentToken: "an enrichment token (verrijkingstoken)",
}

var answerWords = map[doctor.Answer]string{
	doctor.Allowed: "yes", doctor.Refused: "no (401)", doctor.Forbidden: "no (403, no right to it)", doctor.NoProject: "no (404, no such project for this token)",
}
