package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/portal"
)

func newCheckPortalCommand(g *globals) *cobra.Command {
	var at targetFlags
	var out string
	var production bool
	cmd := &cobra.Command{
		Use: "check-portal", Short: "Try the harmless calls on a real portal and print a report to send in", Args: cobra.NoArgs,
		Long: `Much of what brodaemon assumes about the portal was never documented. This command
makes the calls that change nothing (validations, questions, calls that must be
refused, and one upload that is opened and never submitted), and prints each answer
as it came beside what is assumed. Nothing is delivered. The report holds no secret
and no user name; it does hold the project's number and what the portal shows of it,
such as the names of projects: read it before you send it in.

Use it on the demo portal. On production it wants to be told twice:
--environment production --production.

Exit code 0: every answer was as assumed; 1: some were not, and the report says which.`,
		Example: "  brodaemon check-portal --out report.md\n  brodaemon check-portal --folder zwolle",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			f, err := at.choose(c, true)
			if err != nil {
				return err
			}
			if f.Portal.EnvironmentName() == "production" && !(production && at.environment == "production") {
				return fmt.Errorf("this is the production portal: use a demo token, or say twice that you mean it, with --environment production --production; %w", errUsage)
			}
			if production && f.Portal.EnvironmentName() != "production" {
				return fmt.Errorf("--production, but %s is not the production portal; %w", f.Portal.EnvironmentName(), errUsage)
			}
			if out != "" {
				if _, err := os.Lstat(out); err == nil {
					return exit(exitCantWrite, "%s is there already; give another name with --out", out)
				}
				if err := canWriteBeside(out); err != nil { // before the portal is troubled
					return exit(exitCantWrite, "%s can't be written: %w; give another place with --out", out, err)
				}
			}
			t, err := at.open(c, cmd.ErrOrStderr(), true)
			if err != nil {
				return err
			}
			return checkPortal(cmd, t, out)
		},
	}
	at.add(cmd, true)
	cmd.Flags().StringVar(&out, "out", "", "write the report to this `file`")
	cmd.Flags().BoolVar(&production, "production", false, "really ask the production portal (with --environment production)")
	return cmd
}

// checkPause keeps the calls apart: they are no load to anybody.
const checkPause = 200 * time.Millisecond

// checkPortal does the checks one after another and prints the report.
func checkPortal(cmd *cobra.Command, t *target, out string) error {
	ctx := cmd.Context()
	var findings []portal.Finding
	for i, check := range portal.Checks() {
		if i > 0 {
			select {
			case <-ctx.Done():
				return exit(exitNotSo, "interrupted: %w", context.Cause(ctx))
			case <-time.After(checkPause):
			}
		}
		f := check.Do(ctx, t.Client, t.project)
		mark := "as assumed"
		if f.News != "" {
			mark = "NEWS: " + line(f.News)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "  %s: %d, %s\n", check.Name, f.Code, mark)
		var pe *portal.Error
		if i == 0 && errors.As(f.Err, &pe) {
			return withHint(f.Err) // not reached, or no secret: nothing more would come of it
		}
		findings = append(findings, f)
	}
	var report bytes.Buffer
	news := writeReport(&report, t, findings)
	if out == "" {
		if _, err := cmd.OutOrStdout().Write(report.Bytes()); err != nil {
			return exit(exitCantWrite, "write the report: %w", err)
		}
	} else if err := writeNewFile(out, report.Bytes()); err != nil {
		return exit(exitCantWrite, "write the report: %w", err)
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "report written to %s: read it, then send it in\n", out)
	}
	if news > 0 {
		return exit(exitNotSo, "%d of %d answers were not as assumed", news, len(findings))
	}
	return nil
}

// canWriteBeside tries whether a file can be made where path is to be.
func canWriteBeside(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".brodaemon-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// writeNewFile writes a file whole or not at all, and replaces none.
func writeNewFile(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".brodaemon-*.tmp") // readable by this account only
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already", path)
	}
	return os.Rename(temp.Name(), path)
}

// writeReport prints the report and says how many answers were not as assumed.
func writeReport(w io.Writer, t *target, findings []portal.Finding) (news int) {
	v := readVersion()
	for _, f := range findings {
		if f.News != "" {
			news++
		}
	}
	fmt.Fprintf(w, "# What the portal answers\n\nbrodaemon %s · %s · %s · project %s · %s\n\n", v.Version, t.folder.Portal.EnvironmentName(),
		t.folder.Portal.BaseURL(), t.folder.Project, time.Now().UTC().Format(time.RFC3339))
	fmt.Fprintf(w, "%d calls, %d answers not as assumed. Nothing was delivered. Secret and user name are left out.\n\n", len(findings), news)
	fmt.Fprintf(w, "| call | answer | settles | as assumed |\n|---|---|---|---|\n")
	for _, f := range findings {
		asAssumed := "yes"
		if f.News != "" {
			asAssumed = "NO"
		}
		fmt.Fprintf(w, "| %s | %d | %s | %s |\n", f.Name, f.Code, strings.Join(f.Settles, " "), asAssumed)
	}
	for _, f := range findings {
		fmt.Fprintf(w, "\n## %s (%s; %s)\n\n- call: `%s %s`\n- assumed: %s\n", f.Name, f.Behaviour, strings.Join(f.Settles, ", "), f.Method, f.Path, f.Assumed)
		if f.News != "" {
			fmt.Fprintf(w, "- NEWS: %s\n", line(f.News))
		}
		if f.Code == 0 {
			fmt.Fprintf(w, "- no answer\n")
			continue
		}
		fmt.Fprintf(w, "- answer: %d after %d ms, %d bytes\n", f.Code, f.Took.Milliseconds(), f.Size)
		for _, name := range f.HeaderNames() {
			fmt.Fprintf(w, "- %s: `%s`\n", name, line(f.Header[name]))
		}
		if f.Body != "" {
			fmt.Fprintf(w, "\n%s\n", indented(f.Body))
		}
	}
	return news
}

// indented is a body as a block of code, without what could act on a terminal.
func indented(body string) string {
	var b strings.Builder
	for one := range strings.Lines(strings.ReplaceAll(body, "\r\n", "\n")) {
		b.WriteString("    " + line(strings.TrimSuffix(one, "\n")) + "\n")
	}
	return b.String()
}
