package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"brodaemon/internal/portal"
)

func portalError(err error) *portal.Error {
	var pe *portal.Error
	if errors.As(err, &pe) {
		return pe
	}
	return nil
}

func newProjectsCommand(g *globals) *cobra.Command {
	var at targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "projects", Short: "List the projects that a token may see", Args: cobra.NoArgs,
		Long: `List the projects that a token may see at its portal: number, name, data owner
(bronhouder), and whether the project is closed. Whether a token for delivering may
ask this differs; if it may not, that says nothing against the token.`,
		Example: "  brodaemon projects\n  brodaemon projects --token zwolle --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return at.ask(cmd, g, false, func(ctx context.Context, t *target) error {
				list, err := t.Projects(ctx)
				if pe := portalError(err); pe != nil && pe.StatusCode == http.StatusForbidden {
					return exit(exitNoAccess, "token %s may not list projects: %w. That says nothing against it for delivering; an enrichment token (verrijkingstoken) may, with --token NAME", t.folder.Token, err)
				}
				if err != nil {
					return err
				}
				if asJSON {
					if list == nil {
						list = []portal.Project{}
					}
					return printJSON(cmd.OutOrStdout(), list)
				}
				if len(list) == 0 {
					fmt.Fprintln(cmd.OutOrStdout(), "no projects")
					return nil
				}
				tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(tw, "PROJECT\tNAME\tDATA OWNER\tKVK\tSTATE")
				for _, p := range list {
					state := "open"
					if p.Closed {
						state = "closed"
					}
					fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", p.ID, dash(line(p.Name)), dash(line(p.Owner.Name)), dash(line(p.Owner.KvK)), state)
				}
				return tw.Flush()
			})
		},
	}
	at.add(cmd, false)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
