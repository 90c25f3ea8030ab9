package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"brodaemon/internal/config"
	"brodaemon/internal/crash"
	"brodaemon/internal/daemon"
	"brodaemon/internal/event"
	"brodaemon/internal/sdnotify"
)

func newRunCommand(g *globals) *cobra.Command {
	files := runtime.GOOS == "windows"
	cmd := &cobra.Command{
		Use: "run", Short: "Watch the folders and deliver until stopped", Args: cobra.NoArgs,
		Long: `Watch the configured folders and deliver what is saved there, until stopped by
SIGINT, SIGTERM or the service manager. It may be stopped at any moment: what was
under way goes on where it was at the next start.

The log goes to standard error, and on Windows to dated files in the data folder
too (logs/brodaemon-2026-11-23.log); --log-files asks for those elsewhere.`,
		Example: "  brodaemon --config /etc/brodaemon/config.yaml run",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := &program{globals: g, output: cmd.ErrOrStderr(), files: files, tell: func(event.Event, string) {}}
			return p.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&files, "log-files", files, "write dated log files in the data folder too")
	return cmd
}

// program is the daemon as `run` and `service run` drive it.
type program struct {
	*globals
	output io.Writer                 // of the log; nil = none
	files  bool                      // dated log files too
	tell   func(event.Event, string) // the system's event log, beside the log
	first  string                    // what was done before there was a log; "" = nothing
}

// run works until ctx ends. An error before anything was watched is a
// *daemon.StartError or a fault of the configuration; any other means that a part
// ended by itself.
func (p *program) run(ctx context.Context) error {
	c, err := p.load()
	if err != nil {
		p.tell(event.BadConfig, err.Error())
		return err
	}
	last, crashErr := catchCrashes(c.DataDir)
	log, err := newLogging(c, p.output, p.files)
	if err != nil {
		p.tell(event.BadConfig, err.Error())
		return err
	}
	defer log.Close()
	tell := func(e event.Event, text string) {
		log.event(e, text)
		p.tell(e, text)
	}
	if p.first != "" {
		log.Warn(p.first)
	}
	if crashErr != nil {
		log.Warn("a crash would not be seen at the next start", zap.Error(crashErr))
	}
	if last != nil {
		tell(event.Crashed, "the last run crashed at "+last.At.Local().Format("2006-01-02 15:04:05")+": "+last.Text+"; see "+last.File)
	}
	o := daemon.Options{
		Config: c, Version: readVersion().Version, Logger: log.Logger, Event: tell, Supervisor: sdnotify.New(), Load: p.load,
		Reloaded: func(c *config.Config) { _ = log.setLevel(c.Log) }, // it was checked
	}
	if testHooks != nil {
		testHooks(&o)
	}
	d, err := daemon.New(o)
	if err != nil {
		tell(startEvent(err), err.Error())
		return err
	}
	defer d.Close()
	stop := reloadOnHangup(ctx, d)
	defer stop()
	if err := d.Run(ctx); err != nil {
		return err
	}
	return d.Close()
}

// testHooks changes the daemon of a program that was built for tests (tag testhooks).
var testHooks func(*daemon.Options)

// catchCrashes needs the data folder before the daemon makes it. Where it can't
// be made the daemon says so itself.
func catchCrashes(dataDir string) (*crash.Crash, error) {
	if daemon.PrepareDataDir(dataDir) != nil {
		return nil, nil
	}
	return crash.Catch(dataDir)
}

func startEvent(err error) event.Event {
	var start *daemon.StartError
	if errors.As(err, &start) && start.Config {
		return event.BadConfig
	}
	return event.NoStart
}

// dataError makes a file trouble of our own exit with "cannot write".
func dataError(err error) error {
	if err == nil || os.IsNotExist(err) {
		return err
	}
	return &exitError{exitCantWrite, err}
}
