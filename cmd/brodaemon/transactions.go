package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"brodaemon/internal/portal"
)

func newTransactionsCommand(g *globals) *cobra.Command {
	var at targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "transactions BRO-ID", Short: "Show what the BRO transaction register has about an object", Args: cobra.ExactArgs(1),
		Long: `Show what the BRO transaction register (transactieregister) has about an object, as
the portal gives it. It holds only what reached the national register: a delivery
that was turned down in the portal is not in it.`,
		Example: "  brodaemon transactions GMW000000100001\n  brodaemon transactions GMW000000100001 --folder zwolle --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := portal.ParseBROID(args[0])
			if err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			return at.ask(cmd, g, false, func(ctx context.Context, t *target) error {
				rows, err := t.Transactions(ctx, id)
				if err != nil {
					return err
				}
				if asJSON {
					l := jsonList{w: cmd.OutOrStdout()}
					for _, row := range rows {
						if err := l.add(transactionJSON{row, row.Others()}); err != nil {
							return err
						}
					}
					return l.end()
				}
				if len(rows) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "no transactions are known of %s\n", id)
					return nil
				}
				tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(tw, "BRO-ID\tTRANSACTION\tOBJECT\tOTHER")
				for _, row := range rows {
					fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", dash(line(row.BROID)), dash(line(row.TransactionID)), dash(line(row.ObjectID)), dash(line(othersInWords(row))))
				}
				return tw.Flush()
			})
		},
	}
	at.add(cmd, false)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// transactionJSON is a row of `transactions --json`.
type transactionJSON struct {
	portal.Transaction
	Other map[string]json.RawMessage `json:"other,omitempty"` // what else the portal told, in its own names
}

func othersInWords(t portal.Transaction) string {
	others := t.Others()
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(others)) {
		value := string(others[key])
		var text string
		if json.Unmarshal(others[key], &text) == nil {
			value = text
		}
		parts = append(parts, key+": "+shortened(value, 60))
	}
	return strings.Join(parts, ", ")
}
