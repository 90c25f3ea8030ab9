package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"brodaemon/internal/daemon"
	"brodaemon/internal/notify"
)

func newNotifyCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "notify", Short: "Messages to people", Example: "  brodaemon notify test"}
	cmd.AddCommand(newNotifyTestCommand(g))
	return cmd
}

func newNotifyTestCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "test", Short: "Send a test message", Args: cobra.NoArgs,
		Long: `Send a test message by mail and to the webhook, as far as they are configured, and
say how each went. Exit code 0: all were sent; 1: some were not.`,
		Example: "  brodaemon notify test",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			o := daemon.NotifyOptions(c)
			if !o.Wanted() {
				return exit(exitNotSo, "nobody is told anything: set notify.mail.host or notify.webhook.url in %s", c.File)
			}
			results := notify.Test(cmd.Context(), o)
			said := map[string]string{}
			failed := false
			for _, way := range slices.Sorted(maps.Keys(results)) {
				said[way] = "sent"
				if err := results[way]; err != nil {
					said[way], failed = err.Error(), true
				}
				if !asJSON {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", line(way), line(said[way]))
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), said); err != nil {
					return err
				}
			}
			if failed {
				return &exitError{exitNotSo, errSaid}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
