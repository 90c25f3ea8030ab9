package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/queue"
	"brodaemon/internal/status"
)

func newExportCommand(g *globals) *cobra.Command {
	var f queue.Filter
	var since, format string
	cmd := &cobra.Command{
		Use: "export", Short: "Write one row per document: the proof of delivery", Args: cobra.NoArgs,
		Long: `Write one row per document to standard output, oldest first: what it was, what
became of it, and the portal's reference numbers. It reads the queue, so it also
tells of documents whose receipts were moved or removed.

csv opens in Excel with a double click: UTF-8 with a mark, separated by semicolons
where the configured language is nl, else by commas. Times are in UTC.

--since takes a day (2026-11-01, local time), a moment (2026-11-01T06:00:00Z), or
a time that has passed (24h, 90d).`,
		Example: "  brodaemon export --since 2026-11-01 >november.csv\n  brodaemon export --since 24h --format json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if f.Since, err = parseSince(since, time.Now()); err != nil {
				return fmt.Errorf("--since: %w; %w", err, errUsage)
			}
			if format != "csv" && format != "json" {
				return fmt.Errorf("there is no format %q; the formats are csv and json; %w", format, errUsage)
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
			out := bufio.NewWriter(cmd.OutOrStdout())
			var sheet exporter = &csvExporter{separator: map[bool]rune{true: ';', false: ','}[c.Language == "nl"]}
			if format == "json" {
				sheet = &jsonExporter{}
			}
			if err := sheet.begin(out); err != nil {
				return err
			}
			if err := r.Records(cmd.Context(), f, sheet.add); err != nil {
				return err
			}
			if err := sheet.end(); err != nil {
				return err
			}
			return out.Flush()
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only documents that came in since that `time`")
	cmd.Flags().StringVar(&format, "format", "csv", "csv or json")
	cmd.Flags().StringVar(&f.Folder, "folder", "", "only documents of this `folder`")
	return cmd
}

// parseSince reads a day, a moment, or how long ago; "" is the zero time.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write a day (2026-11-01), a moment (2026-11-01T06:00:00Z), or how long ago (24h, 90d)", s)
}

// exporter writes records one after another, so that years of them need no memory.
type exporter interface {
	begin(w io.Writer) error
	add(r status.Record) error
	end() error
}

type jsonExporter struct {
	w io.Writer
	n int
}

func (e *jsonExporter) begin(w io.Writer) error { e.w = w; return nil }

func (e *jsonExporter) add(r status.Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	before := ",\n"
	if e.n == 0 {
		before = "["
	}
	e.n++
	_, err = fmt.Fprintf(e.w, "%s%s", before, text)
	return err
}

func (e *jsonExporter) end() error {
	text := "]\n"
	if e.n == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(e.w, text)
	return err
}

// column is one column of the sheet; its name is that of the receipt.
type column struct {
	name string
	of   func(r *status.Record) string
}

var columns = []column{
	{"id", func(r *status.Record) string { return r.ID }},
	{"file", func(r *status.Record) string { return r.File }},
	{"folder", func(r *status.Record) string { return r.Folder }},
	{"state", func(r *status.Record) string { return r.State }},
	{"hold", func(r *status.Record) string { return r.Hold }},
	{"outcome", func(r *status.Record) string { return string(r.Outcome) }},
	{"environment", func(r *status.Record) string { return r.Environment }},
	{"project", func(r *status.Record) string { return r.Project }},
	{"type", func(r *status.Record) string { return r.Type }},
	{"request", func(r *status.Record) string { return r.Request }},
	{"subDocument", func(r *status.Record) string { return r.SubDocument }},
	{"requestReference", func(r *status.Record) string { return r.RequestReference }},
	{"accountableParty", func(r *status.Record) string { return r.AccountableParty }},
	{"broId", func(r *status.Record) string { return r.BROID }},
	{"transactionId", func(r *status.Record) string { return r.TransactionID }},
	{"deliveryId", func(r *status.Record) string { return r.DeliveryID }},
	{"uploadId", func(r *status.Record) string { return r.UploadID }},
	{"documentId", func(r *status.Record) string { return r.DocumentID }},
	{"attempts", func(r *status.Record) string { return strconv.Itoa(r.Attempts) }},
	{"seen", func(r *status.Record) string { return cellTime(r.Times.Seen) }},
	{"queued", func(r *status.Record) string { return cellTime(r.Times.Queued) }},
	{"validated", func(r *status.Record) string { return cellTime(r.Times.Validated) }},
	{"submitted", func(r *status.Record) string { return cellTime(r.Times.Submitted) }},
	{"settled", func(r *status.Record) string { return cellTime(r.Times.Settled) }},
	{"filed", func(r *status.Record) string { return cellTime(r.Times.Filed) }},
	{"confirmed", func(r *status.Record) string { return cellTime(r.Times.Confirmed) }},
	{"removed", func(r *status.Record) string { return cellTime(r.Times.Removed) }},
	{"companions", func(r *status.Record) string {
		lines := make([]string, len(r.Companions))
		for i, c := range r.Companions {
			lines[i] = c.File + ": " + c.Outcome
		}
		return strings.Join(lines, "\n")
	}},
	{"errors", func(r *status.Record) string { return strings.Join(r.Errors, "\n") }},
	{"ignoredErrors", func(r *status.Record) string { return strings.Join(r.IgnoredErrors, "\n") }},
	{"duplicateOf", func(r *status.Record) string { return r.DuplicateOf }},
	{"size", func(r *status.Record) string { return strconv.FormatInt(r.Size, 10) }},
	{"sha256", func(r *status.Record) string { return r.SHA256 }},
	{"path", func(r *status.Record) string { return r.Filed }},
}

// cellTime is a time as a spreadsheet takes it for one.
func cellTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

type csvExporter struct {
	separator rune
	w         *csv.Writer
}

func (e *csvExporter) begin(w io.Writer) error {
	// without the mark Excel takes UTF-8 for the old character set of Windows
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	e.w = csv.NewWriter(w)
	e.w.Comma, e.w.UseCRLF = e.separator, true
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return e.w.Write(names)
}

func (e *csvExporter) add(r status.Record) error {
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = cell(c.of(&r))
	}
	return e.w.Write(row)
}

func (e *csvExporter) end() error {
	e.w.Flush()
	return e.w.Error()
}

// cell keeps a spreadsheet from taking a text for a formula: a file may be called =1+1.xml.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
