// Command brodaemon delivers BRO source documents that people save in a folder
// to the Bronhouderportaal. `brodaemon demo` shows it without a token or a
// network; README.md says how to begin for real.
//
// This package holds the commands: each parses its flags, calls the rooms
// under internal/, and prints. What decides anything about a document is not here.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // Windows has no time zones that Go reads, small Linux systems neither

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/daemon"
	"brodaemon/internal/portal"
	"brodaemon/internal/registry"
)

// Exit codes, as scripts of offices rely on them (contract §2).
const (
	exitOK          = 0
	exitNotSo       = 1  // the thing asked for is not so: an invalid document, a failed check
	exitUsage       = 2  // wrong use
	exitUnavailable = 69 // daemon or portal out of reach
	exitCantWrite   = 73
	exitNoAccess    = 77 // sign-on refused
	exitConfig      = 78 // configuration wrong
)

// exitError is an error with the exit code it ends the program with. An empty
// message prints nothing: the command has said it all.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

var errSaid = errors.New("")

func exit(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		// the first signal asks for an orderly end; a second one, by default, ends at once
		<-ctx.Done()
		stop()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program for one command line.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(errOut, "brodaemon: %s\n", text)
	}
	return exitCode(err)
}

// exitCode is the one table from errors to exit codes.
func exitCode(err error) int {
	var said *exitError
	var start *daemon.StartError
	var faults *config.Error
	var pe *portal.Error
	var asked *registry.Error
	switch {
	case errors.As(err, &said):
		return said.code
	case errors.As(err, &faults), errors.Is(err, errConfig):
		return exitConfig
	case errors.As(err, &start) && start.Config:
		return exitConfig
	case errors.As(err, &start):
		return exitCantWrite
	case errors.Is(err, control.ErrNotRunning):
		return exitUnavailable
	case errors.As(err, &pe):
		switch pe.Kind {
		case portal.Unauthorized:
			return exitNoAccess
		case portal.Unavailable, portal.RateLimited, portal.Unexpected:
			return exitUnavailable
		}
		return exitNotSo
	case errors.As(err, &asked):
		switch asked.Kind {
		case registry.Unavailable, registry.RateLimited, registry.Unexpected:
			return exitUnavailable
		case registry.Local:
			return exitCantWrite
		}
		return exitNotSo
	case errors.Is(err, errUsage):
		return exitUsage
	}
	return exitNotSo
}

var (
	errUsage  = errors.New("see --help")
	errConfig = errors.New("the configuration can't be used")
)

// globals are the flags every command has.
type globals struct{ configFile string }

func newRoot() *cobra.Command {
	g := &globals{}
	root := &cobra.Command{
		Use:   "brodaemon",
		Short: "Deliver BRO source documents from a folder to the Bronhouderportaal",
		Long: `brodaemon watches folders for BRO source documents (XML) and delivers each one
to the Bronhouderportaal: once, unattended, with a receipt in done/ or a reason
in failed/.

Try it without a token or a network:  brodaemon demo`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&g.configFile, "config", "", "configuration `file` (else $"+config.FileVariable+", else the system's place for it)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; %w (%s --help)", err, errUsage, cmd.CommandPath())
	})
	root.AddCommand(
		newRunCommand(g), newDemoCommand(), newSandboxCommand(),
		newStatusCommand(g), newReloadCommand(g), newQueueCommand(g), newExportCommand(g),
		newValidateCommand(g), newDeliverCommand(g), newFolderCommand(g), newTokenCommand(g), newDoctorCommand(g), newNotifyCommand(g), newVersionCommand(),
		newProjectsCommand(g), newDeliveryCommand(g), newTransactionsCommand(g), newRegistrationsCommand(g),
		newCheckPortalCommand(g), newServiceCommand(g), newBackupCommand(g), newManualCommand(),
	)
	root.InitDefaultCompletionCmd() // here, so that it too wants its subcommand
	requireSubcommand(root)
	return root
}

// requireSubcommand makes an unknown or missing subcommand a wrong use instead
// of a page of help with exit code 0.
func requireSubcommand(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		requireSubcommand(c)
	}
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return fmt.Errorf("%w; write: %s; %w", err, cmd.UseLine(), errUsage)
			}
			return nil
		}
	}
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_ = cmd.Help()
				return &exitError{exitUsage, errSaid}
			}
			said := fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				said += fmt.Sprintf("; did you mean %q", near[0])
			}
			return fmt.Errorf("%s; %w", said, errUsage)
		}
	}
}

// load reads the configuration, wherever it is.
func (g *globals) load() (*config.Config, error) {
	c, err := config.Load(config.Find(g.configFile))
	var faults *config.Error
	if err != nil && !errors.As(err, &faults) {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	return c, err
}
