package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newManualCommand writes manual pages and shell completions from the commands
// themselves, for packages. cobra's own writer would bring a Markdown library.
func newManualCommand() *cobra.Command {
	var date string
	cmd := &cobra.Command{
		Use: "manual DIR", Short: "Write manual pages and shell completions to a folder", Args: cobra.ExactArgs(1), Hidden: true,
		Example: "  brodaemon manual dist/manual --date 2026-11-23",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := time.Parse(time.DateOnly, date)
			if err != nil {
				return fmt.Errorf("--date: %w; %w", err, errUsage)
			}
			return writeManual(cmd.Root(), args[0], at)
		},
	}
	cmd.Flags().StringVar(&date, "date", time.Now().UTC().Format(time.DateOnly), "`date` that the pages bear")
	return cmd
}

func writeManual(root *cobra.Command, dir string, at time.Time) error {
	man, completions := filepath.Join(dir, "man1"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return dataError(err)
		}
	}
	if err := writePages(root, man, at); err != nil {
		return dataError(err)
	}
	for name, write := range map[string]func(string) error{
		"brodaemon.bash": func(f string) error { return root.GenBashCompletionFileV2(f, true) },
		"_brodaemon":     root.GenZshCompletionFile,
		"brodaemon.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
		"brodaemon.ps1":  root.GenPowerShellCompletionFileWithDesc,
	} {
		if err := write(filepath.Join(completions, name)); err != nil {
			return dataError(err)
		}
	}
	return nil
}

// writePages writes a page for cmd and for each command under it.
func writePages(cmd *cobra.Command, dir string, at time.Time) error {
	if cmd.Hidden || cmd.Name() == "help" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, pageName(cmd)+".1"), []byte(page(cmd, at)), 0o644); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if err := writePages(c, dir, at); err != nil {
			return err
		}
	}
	return nil
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page is a manual page in the man macros (man(7)).
func page(cmd *cobra.Command, at time.Time) string {
	var b strings.Builder
	section := func(name string) { fmt.Fprintf(&b, ".SH %s\n", name) }
	fmt.Fprintf(&b, ".TH %q 1 %q brodaemon \"User Commands\"\n", strings.ToUpper(pageName(cmd)), at.Format(time.DateOnly))
	section("NAME")
	fmt.Fprintf(&b, "%s \\- %s\n", roff(pageName(cmd)), roff(cmd.Short))
	section("SYNOPSIS")
	fmt.Fprintf(&b, ".B %s\n", roff(cmd.UseLine()))
	section("DESCRIPTION")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	paragraphs(&b, long)
	options(&b, "OPTIONS", cmd.NonInheritedFlags())
	options(&b, "OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	if cmd.HasExample() {
		section("EXAMPLES")
		fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(cmd.Example))
	}
	if !cmd.HasParent() {
		section("EXIT STATUS")
		b.WriteString("0 ok; 1 the thing asked for is not so; 2 wrong use; 69 daemon or portal out of reach; 73 cannot write; 77 sign\\-on refused; 78 configuration wrong.\n")
		section("FILES")
		b.WriteString("/etc/brodaemon/config.yaml, /var/lib/brodaemon\n")
	}
	var also []string
	if cmd.HasParent() {
		also = append(also, pageName(cmd.Parent()))
	}
	for _, c := range cmd.Commands() {
		if !c.Hidden && c.Name() != "help" {
			also = append(also, pageName(c))
		}
	}
	if len(also) > 0 {
		section("SEE ALSO")
		for i, name := range also {
			comma := ","
			if i == len(also)-1 {
				comma = ""
			}
			fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(name), comma)
		}
	}
	return b.String()
}

// paragraphs keeps empty lines as such, and lines that begin with a blank as they are.
func paragraphs(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			b.WriteString(".PP\n")
		case strings.HasPrefix(line, " "):
			fmt.Fprintf(b, ".br\n%s\n", roff(line))
		default:
			fmt.Fprintln(b, roff(line))
		}
	}
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.Name != "date" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
	})
}

// roff keeps a text from being read as a command of the formatter.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
