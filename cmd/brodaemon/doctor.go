package main

import (
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/doctor"
)

func newDoctorCommand(g *globals) *cobra.Command {
	var folder string
	var asJSON, asService, offline bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything, and say what to do about what is wrong", Args: cobra.NoArgs,
		Long: `Check the configuration, the data folder, each folder, portal and token, as the account
this runs under. Each line says ok, or what is wrong and what to do. In the folders it
works with a file of its own; it takes, changes and submits nothing.

Rights and shares may look otherwise to the service's account. --as-service makes it a
fault to run under another one, and says what a file server sees of it; on Linux root
then checks as the account that the data folder belongs to.

Exit code 0: all is well; 1: something is wrong; 78: the configuration can't be used.`,
		Example: "  brodaemon doctor\n  sudo brodaemon doctor --as-service",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			if asService {
				if done, err := runAsService(cmd, c); done || err != nil {
					return err
				}
			}
			o, err := daemon.DoctorOptions(daemon.Options{Config: c, Version: readVersion().Version})
			if err != nil {
				return err
			}
			o.AsService, o.Offline = asService, offline
			if folder != "" {
				f, err := chooseFolder(c, folder)
				if err != nil {
					return err
				}
				keepFolder(&o, f)
			}
			groups := doctor.Run(cmd.Context(), o)
			if err := printDoctor(cmd.OutOrStdout(), groups, c, o.Offline, asJSON); err != nil {
				return err
			}
			if !doctor.AllWell(groups) {
				return &exitError{exitNotSo, errSaid}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "check this `folder` only, with its portal and token")
	cmd.Flags().BoolVar(&asService, "as-service", false, "check as the service's account, and say what a share sees of it")
	cmd.Flags().BoolVar(&offline, "offline", false, "leave out what needs the portal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// keepFolder leaves out what does not belong to one folder.
func keepFolder(o *doctor.Options, f config.Folder) {
	folders, portals, tokens := o.Folders, o.Portals, o.Tokens
	o.Folders, o.Portals, o.Tokens = nil, nil, nil
	for _, other := range folders {
		if other.Name == f.Name {
			o.Folders = append(o.Folders, other)
		}
	}
	for _, p := range portals {
		if p.Address == f.Portal.BaseURL() && p.CAFile == f.Portal.CAFile && p.Registry == f.Portal.RegistryURL {
			o.Portals = append(o.Portals, p)
		}
	}
	for _, t := range tokens {
		if t.Name != f.Token && t.Name != f.EnrichmentToken {
			continue
		}
		uses := t.Uses
		t.Uses = nil
		for _, u := range uses {
			if u.Project.String() == f.Project && u.Address == f.Portal.BaseURL() {
				t.Uses = append(t.Uses, u)
			}
		}
		o.Tokens = append(o.Tokens, t)
	}
}

func printDoctor(w io.Writer, groups []doctor.Group, c *config.Config, offline, asJSON bool) error {
	faults := 0
	all := []doctor.Result{}
	for _, g := range groups {
		for _, r := range g.Results {
			all = append(all, r)
			if !r.OK {
				faults++
			}
		}
	}
	if asJSON {
		return printJSON(w, all)
	}
	words := doctor.WordsOf(c.Language)
	marks, labels := 0, 0
	for _, mark := range []string{words.OK, words.Note, words.Wrong} {
		marks = max(marks, utf8.RuneCountInString(mark))
	}
	for _, r := range all {
		labels = max(labels, utf8.RuneCountInString(r.Label))
	}
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, line(g.Title))
		for _, r := range g.Results {
			mark := words.OK
			switch {
			case !r.OK:
				mark = words.Wrong
			case r.Remedy != "":
				mark = words.Note
			}
			fmt.Fprintf(w, "  %-*s  %-*s  %s\n", marks, mark, labels, r.Label, r.Text)
			if r.Remedy != "" {
				fmt.Fprintf(w, "  %-*s  %-*s  → %s\n", marks, "", labels, "", r.Remedy)
			}
		}
	}
	fmt.Fprintln(w)
	if offline {
		fmt.Fprintln(w, words.Offline)
	}
	if faults == 0 {
		fmt.Fprintln(w, words.AllWell)
	} else {
		fmt.Fprintf(w, words.Faults+"\n", faults)
	}
	return nil
}
