package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/queue"
)

// repairPatience is how long the offline commands wait for a daemon that is stopping.
const repairPatience = 2 * time.Second

func newQueueRebuildCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "rebuild", Short: "Make the queue file anew from the ledger and the spool", Args: cobra.NoArgs,
		Long: `Make the queue file (queue.db) anew from the ledger, the spool and what can be read
of the old file, which is kept under another name. The daemon does this by itself
when it finds the file damaged or gone; by hand it is needed only where somebody
who knows brodaemon asks for it. The daemon must be stopped.

Nothing that was or may have been submitted is submitted again: such a document is
looked up in the portal and held until it is found, or until "queue resolve".
Ctrl-C ends it and leaves everything as it was.`,
		Example: "  brodaemon service stop\n  brodaemon queue rebuild\n  brodaemon service start",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			if err := stopped(cmd, c); err != nil {
				return err
			}
			say := newSayer(cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON)
			say.line("making %s anew; the old file is kept", filepath.Join(c.DataDir, queue.FileName))
			told, err := queue.Rebuild(cmd.Context(), c.DataDir, repairPatience, say.progress)
			say.end()
			if err != nil {
				return repairError(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), told)
			}
			say.line("%s in the queue, %d of them found again elsewhere than in the old file", counted(told.Documents), told.Restored)
			if told.Detail != "" {
				say.line("the old file was not sound: %s", told.Detail)
			}
			if told.Aside != "" {
				say.line("the old file is kept as %s", filepath.Join(c.DataDir, told.Aside))
			}
			if told.LedgerLost {
				say.line("the ledger was lost or damaged too: what was delivered earlier may be forgotten; save no document again before looking in the portal")
			}
			if told.Held > 0 {
				say.line("%s may have been submitted: looked up once the daemon runs, and held till then; see `brodaemon queue list`, then answer with `brodaemon queue resolve`", counted(told.Held))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

func newQueueCompactCommand(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "compact", Short: "Write the queue file smaller", Args: cobra.NoArgs,
		Long: `Write the queue file (queue.db) anew without the room that past documents left in
it. What it holds stays the same. The old file stays until the new one is whole, so
there must be room for both. The daemon must be stopped. Ctrl-C ends it and leaves
everything as it was.`,
		Example: "  brodaemon service stop\n  brodaemon queue compact\n  brodaemon service start",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			if err := stopped(cmd, c); err != nil {
				return err
			}
			say := newSayer(cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON)
			say.line("writing %s smaller", filepath.Join(c.DataDir, queue.FileName))
			told, err := queue.Compact(cmd.Context(), c.DataDir, repairPatience, say.progress)
			say.end()
			if err != nil {
				return repairError(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), told)
			}
			say.line("%s: %s before, %s now", counted(told.Documents), kilobytes(told.Before), kilobytes(told.After))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

func counted(n int) string {
	if n == 1 {
		return "1 document"
	}
	return fmt.Sprintf("%d documents", n)
}

func kilobytes(n int64) string { return fmt.Sprintf("%d kB", (n+1023)/1024) }

// stopped makes sure that no daemon runs on the data folder. (The queue's own
// lock is what really keeps it out; this says it more plainly.)
func stopped(cmd *cobra.Command, c *config.Config) error {
	err := newClient(c).call(cmd.Context(), "GET", "/api/v1/items?limit=1", nil, nil)
	if errors.Is(err, control.ErrNotRunning) {
		return nil
	}
	return exit(exitUnavailable, "the daemon runs with data folder %s, and this needs it stopped: stop it (`brodaemon service stop`, or Ctrl-C where it runs), then try again", c.DataDir)
}

// repairError says what went wrong, with its exit code.
func repairError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return exit(exitNotSo, "stopped; everything is as it was")
	case errors.Is(err, queue.ErrLocked):
		return exit(exitUnavailable, "%w: a daemon is starting or stopping, or another program holds the file; end it, then try again", err)
	case errors.Is(err, queue.ErrDamaged), errors.Is(err, queue.ErrLost):
		return exit(exitCantWrite, "%w; nothing was changed: `brodaemon queue rebuild` makes it anew", err)
	case errors.Is(err, fs.ErrNotExist):
		return exit(exitNotSo, "there is no queue yet: brodaemon has not run with this data folder, or it is another one (data_dir)")
	}
	return exit(exitCantWrite, "%w; the old file is as it was", err)
}

// sayer tells how far a long command is: with a bar on a terminal, else with a
// line now and then; with --json on standard error only, so that the summary
// can be read by a program.
type sayer struct {
	out  io.Writer
	bar  bool
	last time.Time
	open bool // the bar stands on the present line
}

func newSayer(out, errOut io.Writer, asJSON bool) *sayer {
	if asJSON {
		out = errOut
	}
	f, isFile := out.(*os.File)
	bar := false
	if isFile {
		info, err := f.Stat()
		bar = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &sayer{out: out, bar: bar, last: time.Now()}
}

func (s *sayer) line(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *sayer) progress(done, total int) {
	pause := 5 * time.Second
	if s.bar {
		pause = 100 * time.Millisecond
	}
	if done < total && time.Since(s.last) < pause || !s.bar && done == total {
		return
	}
	s.last = time.Now()
	share := 1.0
	if total > 0 {
		share = float64(done) / float64(total)
	}
	if !s.bar {
		fmt.Fprintf(s.out, "%d of %d (%.0f%%)\n", done, total, 100*share)
		return
	}
	const width = 40
	full := int(share * width)
	fmt.Fprintf(s.out, "\r[%s%s] %3.0f%%", strings.Repeat("#", full), strings.Repeat(".", width-full), 100*share)
	s.open = true
}

// end leaves the bar's line.
func (s *sayer) end() {
	if s.open {
		fmt.Fprintln(s.out)
		s.open = false
	}
}
