package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
)

func newQueueCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "queue", Short: "Look at the documents, and act on them",
		Example: "  brodaemon queue list\n  brodaemon queue show 17",
	}
	cmd.AddCommand(
		newQueueListCommand(g), newQueueShowCommand(g), newQueueRetryCommand(g),
		newActCommand(g, "hold", "Keep documents back", "held back"),
		newActCommand(g, "release", "Let held documents go", "let go"),
		newActCommand(g, "cancel", "Give documents up: they go to failed/", "given up"),
		newQueueResolveCommand(g), newQueueRebuildCommand(g), newQueueCompactCommand(g),
	)
	return cmd
}

func newQueueListCommand(g *globals) *cobra.Command {
	var f queue.Filter
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List documents: what is where and why", Args: cobra.NoArgs,
		Example: "  brodaemon queue list --state submitted --folder zwolle\n  brodaemon queue list --json --limit 0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.State = queue.State(state)
			if state != "" && !slices.Contains(queue.States, f.State) {
				return fmt.Errorf("there is no state %q; the states are %v; %w", state, queue.States, errUsage)
			}
			if f.Limit < 0 {
				return fmt.Errorf("--limit must be 0 (all) or more; %w", errUsage)
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			if _, ok := c.Folder(f.Folder); f.Folder != "" && !ok {
				return fmt.Errorf("there is no folder %q in the configuration; %w", f.Folder, errUsage)
			}
			r, err := openReader(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer r.Close()
			rows, err := r.Rows(cmd.Context(), f)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			printRows(cmd.OutOrStdout(), rows)
			if f.Limit > 0 && len(rows) == f.Limit {
				fmt.Fprintf(cmd.ErrOrStderr(), "the first %d; --limit 0 shows all\n", f.Limit)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only documents in this `state`")
	cmd.Flags().StringVar(&f.Folder, "folder", "", "only documents of this `folder`")
	cmd.Flags().IntVar(&f.Limit, "limit", 1000, "at most this `many`; 0 = all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func printRows(w io.Writer, rows []status.Row) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no documents")
		return
	}
	var table strings.Builder
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tFOLDER\tFILE\tTYPE\tSTATE\tBRO-ID\tDELIVERY\tNEXT\tWHY")
	for _, r := range rows {
		state := r.State
		if r.Hold != "" {
			state += " (held: " + r.Hold + ")"
		}
		next := "-"
		if !r.NextAttempt.IsZero() {
			next = r.NextAttempt.Local().Format("01-02 15:04:05")
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Folder, shortened(line(r.File), 60), dash(line(r.Type)), state, dash(line(r.BROID)), dash(line(r.DeliveryID)), next, shortened(line(r.LastError), 100))
	}
	tw.Flush()
	fmt.Fprint(w, fitted(table.String(), "WHY", columnsOf(w)))
}

// columnsOf is how wide the terminal behind w is; 0 if it is none.
func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0 // a file or a pipe gets all of it
	}
	return columns
}

// fitted shortens the last column of a table, which begins at its heading, so that
// no line is wider than the terminal; 20 letters of it stay in any case.
func fitted(table, last string, columns int) string {
	if columns <= 0 {
		return table
	}
	head, _, _ := strings.Cut(table, "\n")
	columns = max(columns, strings.Index(head, last)+20)
	var b strings.Builder
	for line := range strings.Lines(table) {
		b.WriteString(shortened(strings.TrimRight(line, " \n"), columns))
		b.WriteByte('\n')
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func shortened(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func newQueueShowCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one document with its whole timeline", Args: cobra.ExactArgs(1),
		Example: "  brodaemon queue show 17",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := queue.ParseID(args[0])
			if err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			r, err := openReader(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer r.Close()
			d, err := r.Detail(cmd.Context(), id)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), d)
			}
			printDetail(cmd.OutOrStdout(), d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func printDetail(w io.Writer, d status.Detail) {
	fmt.Fprintf(w, "Document %s: %s/%s\n\n", d.ID, d.Folder, line(d.File))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(tw, "  %s\t%s\n", name, line(value))
		}
	}
	state := d.State
	if d.Hold != "" {
		state += ", held (" + d.Hold + ")"
	}
	row("state", state)
	row("why", d.LastError)
	if !d.NextAttempt.IsZero() {
		row("next attempt", local(d.NextAttempt))
	}
	row("portal", d.Environment)
	row("project", d.Project)
	row("type", d.Type)
	row("request", d.Request)
	row("document", d.SubDocument)
	row("reference", d.RequestReference)
	row("accountable party", d.AccountableParty)
	row("BRO-ID", d.BROID)
	row("delivery", d.DeliveryID)
	if d.DeliveryStatus != "" {
		row("portal says", d.DeliveryStatus+", document "+d.DocumentStatus)
	}
	row("transaction", d.TransactionID)
	row("upload", d.UploadID)
	row("same as", d.DuplicateOf)
	row("corrects", d.Previous)
	row("size", fmt.Sprintf("%d bytes", d.Size))
	row("sha256", d.SHA256)
	for _, c := range d.Companions {
		row("companion", strings.TrimSuffix(c.File+": "+c.Outcome+", "+c.Why, ", "))
	}
	if d.Confirmed {
		row("confirmed", local(d.Times.Confirmed)+", found again in the public register")
	}
	row("filed", d.Filed)
	row("with", d.Beside)
	if !d.Times.Removed.IsZero() {
		row("removed", local(d.Times.Removed)+", file and receipt, being older than retention.done")
	}
	tw.Flush()
	for _, e := range d.Errors {
		fmt.Fprintf(w, "  error: %s\n", line(e))
	}
	for _, e := range d.IgnoredErrors {
		fmt.Fprintf(w, "  tolerated: %s\n", line(e))
	}
	fmt.Fprintln(w, "\n  Timeline")
	tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range d.Timeline {
		times := ""
		if e.Count > 1 {
			times = fmt.Sprintf(" (%d times)", e.Count)
		}
		fmt.Fprintf(tw, "  %s\t%s%s\t%s\n", local(e.At), e.What, times, line(e.Detail))
	}
	tw.Flush()
}

// act posts to the daemon and says how it went, for each of several documents.
func act(cmd *cobra.Command, g *globals, args []string, path, done string, form url.Values, asJSON bool) error {
	ids := make([]queue.ID, 0, len(args))
	for _, a := range args {
		id, err := queue.ParseID(a)
		if err != nil {
			return fmt.Errorf("%w; %w", err, errUsage)
		}
		ids = append(ids, id)
	}
	c, err := g.load()
	if err != nil {
		return err
	}
	remote := newClient(c)
	rows := []status.Row{}
	var failed error
	for _, id := range ids {
		var row status.Row
		err := remote.call(cmd.Context(), http.MethodPost, "/api/v1/items/"+id.String()+"/"+path, form, &row)
		if err = notRunning(err); err != nil {
			if code := exitCode(err); code != exitNotSo {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "brodaemon: %v\n", err)
			failed = &exitError{exitNotSo, errSaid}
			continue
		}
		rows = append(rows, row)
		if !asJSON {
			fmt.Fprintf(cmd.OutOrStdout(), "document %s (%s/%s) %s\n", row.ID, row.Folder, line(row.File), done)
		}
	}
	if asJSON {
		if err := printJSON(cmd.OutOrStdout(), rows); err != nil {
			return err
		}
	}
	return failed
}

func newActCommand(g *globals, name, short, done string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: name + " ID…", Short: short, Args: cobra.MinimumNArgs(1),
		Example: "  brodaemon queue " + name + " 17 18",
		RunE: func(cmd *cobra.Command, args []string) error {
			return act(cmd, g, args, name, done, nil, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// reasons are the kinds of error after which a document waits by itself, as
// `queue retry --reason` names them.
var reasons = []string{
	string(portal.Unavailable), string(portal.RateLimited), string(portal.Unauthorized), string(portal.Gone), string(portal.Conflict),
	string(portal.Refused), string(portal.Unexpected), string(portal.Local), string(portal.Interrupted), "uncertain", "filing",
}

func newQueueRetryCommand(g *globals) *cobra.Command {
	var all, asJSON bool
	var folder, reason string
	cmd := &cobra.Command{
		Use: "retry ID… | --all", Short: "Try documents now instead of at their next attempt",
		Long: `Try documents now. A portal or token that is left alone after failures is tried at
once too. --reason chooses by the kind of the last error: ` + strings.Join(reasons, ", ") + `.`,
		Example: "  brodaemon queue retry 17\n  brodaemon queue retry --all --folder zwolle",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return fmt.Errorf("give numbers or --all, not both; %w", errUsage)
			case !all && len(args) == 0:
				return fmt.Errorf("give the numbers of documents, or --all; %w", errUsage)
			case !all && (folder != "" || reason != ""):
				return fmt.Errorf("--folder and --reason go with --all; %w", errUsage)
			case reason != "" && !slices.Contains(reasons, reason):
				return fmt.Errorf("there is no reason %q; the reasons are %s; %w", reason, strings.Join(reasons, ", "), errUsage)
			case !all:
				return act(cmd, g, args, "retry", "is tried now", nil, asJSON)
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			if _, ok := c.Folder(folder); folder != "" && !ok {
				return fmt.Errorf("there is no folder %q in the configuration; %w", folder, errUsage)
			}
			var answer struct {
				Retried int `json:"retried"`
			}
			err = newClient(c).call(cmd.Context(), http.MethodPost, "/api/v1/retry", url.Values{"folder": {folder}, "reason": {reason}}, &answer)
			if err != nil {
				return notRunning(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), answer)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d waiting documents are tried now\n", answer.Retried)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every waiting document")
	cmd.Flags().StringVar(&folder, "folder", "", "with --all: only of this `folder`")
	cmd.Flags().StringVar(&reason, "reason", "", "with --all: only with this `kind` of last error")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func newQueueResolveCommand(g *globals) *cobra.Command {
	var delivery string
	var not, asJSON bool
	cmd := &cobra.Command{
		Use: "resolve ID --delivery NUMBER | --not-delivered", Short: "Answer for a document that may have been submitted", Args: cobra.ExactArgs(1),
		Long: `When the portal's answer to a submission was lost and the portal could not say
what became of it, the document is held as "uncertain". Look in the portal, then
answer here. After --not-delivered the document is submitted again: be sure, since
a double registration can never be erased.`,
		Example: "  brodaemon queue resolve 17 --delivery 0000182614\n  brodaemon queue resolve 17 --not-delivered",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (delivery != "") == not {
				return fmt.Errorf("give either --delivery NUMBER or --not-delivered; %w", errUsage)
			}
			form := url.Values{"delivery": {delivery}}
			done := "is delivery " + delivery + "; it is followed from now on"
			if not {
				form, done = url.Values{"not-delivered": {"yes"}}, "is submitted again"
			}
			return act(cmd, g, args, "resolve", done, form, asJSON)
		},
	}
	cmd.Flags().StringVar(&delivery, "delivery", "", "the delivery's `number` in the portal")
	cmd.Flags().BoolVar(&not, "not-delivered", false, "the portal does not have it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
