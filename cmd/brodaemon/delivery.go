package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"brodaemon/internal/portal"
)

func newDeliveryCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "delivery", Short: "Look at deliveries in the portal, and enrich them",
		Example: "  brodaemon delivery show 182614\n  brodaemon delivery list --action CONTROLEREN",
	}
	cmd.AddCommand(newDeliveryShowCommand(g), newDeliveryListCommand(g), newDeliveryNoteCommand(g), newDeliveryAttachCommand(g))
	return cmd
}

func newDeliveryShowCommand(g *globals) *cobra.Command {
	var at targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show NUMBER", Short: "Show what the portal says of a delivery", Args: cobra.ExactArgs(1),
		Long: `Show a delivery as the portal has it now: its status in plain words beside the
portal's own, each document, its errors, and where to look in the portal.`,
		Example: "  brodaemon delivery show 182614 --folder zwolle\n  brodaemon delivery show 182614 --project 1255 --token zwolle --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := portal.ParseDeliveryNumber(args[0])
			if err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			return at.ask(cmd, g, true, func(ctx context.Context, t *target) error {
				d, err := t.Delivery(ctx, t.project, number)
				if pe := portalError(err); pe != nil && pe.Kind == portal.Gone {
					return exit(exitNotSo, "%s has no delivery %s in project %s, or not any more: check the number and the project; the data owner (bronhouder) can delete one", t.folder.Portal.EnvironmentName(), number, t.folder.Project)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), deliveryJSON{d, t.folder.Portal.EnvironmentName(), t.folder.Project, d.Status.Plain(), d.Verdict()})
				}
				return printDelivery(cmd.OutOrStdout(), d, t)
			})
		},
	}
	at.add(cmd, true)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// deliveryJSON is the form of `delivery show --json`.
type deliveryJSON struct {
	portal.Delivery
	Environment string         `json:"environment"`
	Project     string         `json:"project"`
	Plain       string         `json:"plain"`
	Verdict     portal.Verdict `json:"verdict"`
}

func printDelivery(w io.Writer, d portal.Delivery, t *target) error {
	fmt.Fprintf(w, "Delivery %s (%s, project %s)\n\n", line(d.ID), t.folder.Portal.EnvironmentName(), t.folder.Project)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "  status\t%s: %s\n", line(string(d.Status)), d.Status.Plain())
	fmt.Fprintf(tw, "  altogether\t%s\n", d.Verdict().Plain())
	if d.LastChanged != "" {
		fmt.Fprintf(tw, "  last change\t%s (the portal's clock)\n", line(d.LastChanged))
	}
	// how the portal's own pages are addressed is not known, but that they find a delivery by its number
	fmt.Fprintf(tw, "  in the portal\t%s/ (search for %s)\n", t.folder.Portal.BaseURL(), line(d.ID))
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, doc := range d.Documents {
		fmt.Fprintf(w, "\n  Document %s\n", dash(line(doc.ID)))
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		row := func(name, value string) {
			if value != "" {
				fmt.Fprintf(tw, "    %s\t%s\n", name, line(value))
			}
		}
		row("status", string(doc.Status)+": "+doc.Status.Plain())
		row("file", doc.FileName)
		row("reference", doc.RequestReference)
		row("BRO-ID", doc.BROID)
		row("transaction", doc.TransactionID)
		row("last change", doc.LastChanged)
		if err := tw.Flush(); err != nil {
			return err
		}
		for _, e := range doc.Errors {
			fmt.Fprintf(w, "    error: %s\n", line(e))
		}
	}
	if len(d.Documents) == 0 {
		fmt.Fprintln(w, "\n  The portal names no documents of it.")
	}
	return nil
}

func newDeliveryListCommand(g *globals) *cobra.Command {
	var at targetFlags
	var word string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the deliveries of a project that wait for a step", Args: cobra.NoArgs,
		Long: `List the numbers of the deliveries of a project that wait for a step in the portal.
The portal knows no list of all deliveries; what went through by itself is not shown.
Steps: VALIDEREN, CONTROLEREN, VASTSTELLEN, DOORLEVEREN.`,
		Example: "  brodaemon delivery list --action CONTROLEREN\n  brodaemon delivery list --action VASTSTELLEN --folder zwolle --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			action, err := portal.ParseAction(word)
			if err != nil {
				return fmt.Errorf("--action: %w; %w", err, errUsage)
			}
			return at.ask(cmd, g, true, func(ctx context.Context, t *target) error {
				numbers, err := t.DeliveriesAwaiting(ctx, t.project, action)
				if pe := portalError(err); pe != nil && pe.StatusCode == http.StatusForbidden {
					return exit(exitNoAccess, "token %s may not list the deliveries of project %s: %w. An enrichment token (verrijkingstoken) for the project may, with --token NAME", t.folder.Token, t.folder.Project, err)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return streamJSON(cmd.OutOrStdout(), numbers)
				}
				if len(numbers) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "no deliveries of project %s wait for %s (the portal says the same for a project that is not there)\n", t.folder.Project, action)
				}
				for _, n := range numbers {
					fmt.Fprintln(cmd.OutOrStdout(), line(n))
				}
				return nil
			})
		},
	}
	at.add(cmd, true)
	cmd.Flags().StringVar(&word, "action", string(portal.ActionCheck), "the `step` they wait for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// jsonList prints a JSON array item by item, so that a long one appears while it comes.
type jsonList struct {
	w io.Writer
	n int
}

func (l *jsonList) add(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	before := "[\n  "
	if l.n++; l.n > 1 {
		before = ",\n  "
	}
	_, err = fmt.Fprintf(l.w, "%s%s", before, data)
	return err
}

// end closes the list. After a failure it is left open, so that nobody takes it for whole.
func (l *jsonList) end() error {
	text := "\n]\n"
	if l.n == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.w, text)
	return err
}

func streamJSON[T any](w io.Writer, items []T) error {
	l := jsonList{w: w}
	for _, item := range items {
		if err := l.add(item); err != nil {
			return err
		}
	}
	return l.end()
}
