package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/queue"
	"brodaemon/internal/status"
)

func newStatusCommand(g *globals) *cobra.Command {
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show on one screen how it is going", Args: cobra.NoArgs,
		Long: `Show folders, portals, tokens, how many documents are in which state, the document
that waits longest, and what needs a person. Without a running daemon it reads the
queue file.`,
		Example: "  brodaemon status --watch",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			for {
				r, err := openReader(cmd.Context(), c)
				if err != nil {
					return err
				}
				s, err := r.Status(cmd.Context())
				r.Close()
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(cmd.OutOrStdout(), s)
				} else {
					if watch {
						fmt.Fprint(cmd.OutOrStdout(), "\x1b[H\x1b[2J")
					}
					printStatus(cmd.OutOrStdout(), s, time.Now())
				}
				if err != nil || !watch {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(2 * time.Second):
				}
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every two seconds")
	return cmd
}

func printStatus(w io.Writer, s status.Snapshot, now time.Time) {
	if s.Running {
		fmt.Fprintf(w, "brodaemon %s runs since %s (process %d), %d documents being worked on\n", s.Version, local(s.Started), s.PID, s.UnderWay)
	} else {
		fmt.Fprintf(w, "no daemon runs; this is what the queue in %s says\n", s.DataDir)
	}
	for _, c := range s.Conditions {
		fmt.Fprintf(w, "\n! %s%s\n", line(c.Text), sinceText(c.Since))
		if c.Hint != "" {
			fmt.Fprintf(w, "  → %s\n", line(c.Hint))
		}
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FOLDER\tPORTAL\tPROJECT\tTOKEN\tIS\tLAST SCAN\tIN THE FOLDER")
	for _, f := range s.Folders {
		is, lying := "-", "-"
		if s.Running {
			is = "offline"
			if f.Online {
				is = "watched"
				if !f.Events {
					is = "polled"
				}
			}
			lying = fmt.Sprintf("%d (%d settling, %d not taken yet, %d ignored)", f.Files, f.Settling, f.NotTakenN, f.IgnoredN)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.Environment, f.Project, f.Token, is, ago(f.LastScan, now), lying)
	}
	tw.Flush()
	for _, f := range s.Folders {
		if f.Online && f.Gap != nil {
			fmt.Fprintf(w, "  %s was offline from %s until %s (%s); what was saved there meanwhile is taken in since\n", f.Name, local(f.Gap.From), local(f.Gap.Until), f.Gap.Cause)
		}
		for i, l := range f.NotTaken {
			if i == 5 {
				fmt.Fprintf(w, "  … and %d more in %s\n", f.NotTakenN-i, f.Name)
				break
			}
			fmt.Fprintf(w, "  %s/%s waits: %s\n", f.Name, line(l.File), line(l.Reason))
		}
	}
	printCounts(w, s)
	if s.Oldest != nil {
		why := s.Oldest.LastError
		if why == "" {
			why = "on its way"
		}
		fmt.Fprintf(w, "\nWaiting longest: document %s, %s/%s, %s since %s: %s\n", s.Oldest.ID, s.Oldest.Folder, line(s.Oldest.File), s.Oldest.State, local(s.OldestFrom), line(why))
	}
}

func printCounts(w io.Writer, s status.Snapshot) {
	total := map[string]int{}
	held, unfiled := 0, 0
	for _, c := range s.Counts {
		total[c.State] += c.N
		if c.Hold != "" {
			held += c.N
		}
		if !c.Filed && queue.State(c.State).End() {
			unfiled += c.N
		}
	}
	var parts []string
	for _, st := range queue.States {
		parts = append(parts, fmt.Sprintf("%d %s", total[string(st)], st))
	}
	fmt.Fprintf(w, "\nDocuments: %s\n", strings.Join(parts, ", "))
	if held > 0 {
		fmt.Fprintf(w, "           %d held for a person\n", held)
	}
	if unfiled > 0 {
		fmt.Fprintf(w, "           %d with their outcome, waiting to be moved to done/ or failed/\n", unfiled)
	}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// line makes a text from outside (a file name, the portal's words) safe for one
// line of a terminal.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, strings.ReplaceAll(s, "\n", " "))
}

func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func sinceText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " (since " + local(t) + ")"
}

func ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}
