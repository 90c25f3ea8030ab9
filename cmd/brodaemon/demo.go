package main

import (
	"github.com/spf13/cobra"

	"brodaemon/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use: "demo", Short: "Show it at work, without a token or a network", Args: cobra.NoArgs,
		Long: `Start a sandbox portal and the daemon on a fresh folder with sample documents, good
and bad, and show live what happens to each. It goes on watching, so that you can
save files of your own there, until Ctrl-C.`,
		Example: "  brodaemon demo\n  brodaemon demo --once --dir /tmp/try",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Version, o.Out = readVersion().Version, cmd.OutOrStdout()
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "`folder` to use, empty or new (default: a new temporary one)")
	cmd.Flags().BoolVar(&o.Once, "once", false, "end with a summary once every sample has its outcome")
	return cmd
}
