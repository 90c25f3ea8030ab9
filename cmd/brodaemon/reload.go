package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
)

func newReloadCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "reload", Short: "Take over the changed configuration without dropping work", Args: cobra.NoArgs,
		Long: `Have the running daemon read its configuration again. What is under way ends its
step with the old one and goes on with the new one. A faulty configuration is
refused whole, with all its faults, and the old one stays in force. The data
folder can't be changed this way, nor the portal of a folder of which documents
are under way; log.format takes effect at the next start.

Sending the daemon SIGHUP does the same; what came of it then stands in its log.`,
		Example: "  brodaemon reload",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return fmt.Errorf("%w\nnothing was taken over; a running daemon goes on with what it has", err)
			}
			var answer struct {
				File    string   `json:"file"`
				Changes []string `json:"changes"`
			}
			if err := newClient(c).call(cmd.Context(), http.MethodPost, "/api/v1/reload", nil, &answer); err != nil {
				return notRunning(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), answer)
			}
			out := cmd.OutOrStdout()
			if len(answer.Changes) == 0 {
				fmt.Fprintf(out, "%s was read again; nothing has changed in it\n", answer.File)
				return nil
			}
			fmt.Fprintf(out, "%s was taken over:\n", answer.File)
			for _, change := range answer.Changes {
				fmt.Fprintf(out, "  %s\n", line(change))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
