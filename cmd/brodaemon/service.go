package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brodaemon/internal/config"
	"brodaemon/internal/service"
)

func newServiceCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "service", Short: "Install, start and stop brodaemon as a service of the system",
		Long: `Install, start and stop brodaemon as a Windows service or a systemd unit.
All but status need an administrator (root).`,
		Example: "  brodaemon service install\n  brodaemon service start\n  brodaemon service status",
	}
	cmd.AddCommand(
		newServiceInstallCommand(g),
		serviceAct("uninstall", "Stop the service and take it out of the system; configuration and data stay", func(cmd *cobra.Command) error {
			return tellDone(cmd.OutOrStdout())(service.Uninstall(cmd.Context()))
		}),
		serviceAct("start", "Start the service and wait until it runs", func(cmd *cobra.Command) error { return service.Start(cmd.Context()) }),
		serviceAct("stop", "Stop the service and wait for it", func(cmd *cobra.Command) error { return service.Stop(cmd.Context()) }),
		serviceAct("restart", "Stop the service, wait, and start it", func(cmd *cobra.Command) error { return service.Restart(cmd.Context()) }),
		newServiceStatusCommand(),
		newServiceRunCommand(g),
	)
	return cmd
}

func serviceAct(name, short string, act func(*cobra.Command) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs, Example: "  brodaemon service " + name,
		RunE: func(cmd *cobra.Command, _ []string) error { return serviceError(act(cmd)) },
	}
}

// serviceError gives the exit codes: no rights is "cannot write", no manager "out of reach".
func serviceError(err error) error {
	switch {
	case errors.Is(err, service.ErrNoRights):
		return &exitError{exitCantWrite, err}
	case errors.Is(err, service.ErrNoManager):
		return &exitError{exitUnavailable, err}
	}
	return err
}

// tellDone prints what was done, also where it then went wrong.
func tellDone(w io.Writer) func([]string, error) error {
	return func(did []string, err error) error {
		for _, line := range did {
			fmt.Fprintln(w, line)
		}
		return err
	}
}

func newServiceInstallCommand(g *globals) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "install", Short: "Install brodaemon as a service that starts with the system", Args: cobra.NoArgs,
		Long: `Install brodaemon as a service that starts with the system. It is not started yet.

Windows: without --user it runs as LocalSystem, which a share sees as the account
of this machine (DOMAIN\MACHINE$). With --user it runs as that account; its
password is asked for without showing it, or read from standard input. A group
managed account (its name ends in $) needs none. The account gets the right to
log on as a service and rights on the data folder.

Linux: it runs as --user, or as the account brodaemon, which is made if needed. The
unit lets it write to /srv, /mnt, /media and to the folders of the configuration.`,
		Example: "  brodaemon service install\n  brodaemon service install --user 'OFFICE\\svc-bro$'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := installOptions(g, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			o.User = user
			if service.NeedsPassword(user) {
				if o.Password, err = askPassword(cmd, "Password of "+user+": "); err != nil {
					return err
				}
			}
			return serviceError(tellDone(cmd.OutOrStdout())(service.Install(cmd.Context(), o)))
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "`account` that the service runs as")
	return cmd
}

// installOptions are what the service is made of. A configuration that can't be
// read yet is no obstacle; it is said.
func installOptions(g *globals, out io.Writer) (service.Options, error) {
	exe, err := os.Executable()
	if err != nil {
		return service.Options{}, fmt.Errorf("find this program: %w", err)
	}
	o := service.Options{Executable: exe, DataDir: config.Default().DataDir}
	if file := config.Find(g.configFile); file != config.Find("") || os.Getenv(config.FileVariable) != "" {
		if o.ConfigFile, err = filepath.Abs(file); err != nil {
			return o, err
		}
	}
	c, err := g.load()
	if err != nil {
		fmt.Fprintf(out, "mind: the service will not start before this is mended: %v\n", err)
		return o, nil
	}
	o.DataDir = c.DataDir
	for _, f := range c.Folders {
		o.Folders = append(o.Folders, f.Path, f.DoneDir, f.FailedDir)
	}
	return o, nil
}

// askPassword reads one line without showing it, or from standard input where that is no terminal.
func askPassword(cmd *cobra.Command, prompt string) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("no password came from standard input (%v); %w", err, errUsage)
	}
	return line, nil
}

func newServiceStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say whether the service is installed and runs", Args: cobra.NoArgs,
		Long:    "Say whether the service is installed and runs. Exit code 1 if it does not run.\nHow the deliveries fare says `brodaemon status`.",
		Example: "  brodaemon service status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := service.Query(cmd.Context())
			if err != nil {
				return serviceError(err)
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(s)
			} else {
				printServiceStatus(cmd.OutOrStdout(), s)
			}
			if err == nil && !s.Running {
				return &exitError{exitNotSo, errSaid}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func printServiceStatus(w io.Writer, s service.Status) {
	fmt.Fprint(w, s.State)
	if s.PID != 0 {
		fmt.Fprintf(w, ", process %d", s.PID)
	}
	if s.Account != "" {
		fmt.Fprintf(w, ", account %s", s.Account)
	}
	fmt.Fprintln(w)
	if s.Detail != "" {
		fmt.Fprintln(w, s.Detail)
	}
}

// newServiceRunCommand is what the Windows service manager calls.
func newServiceRunCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run under the service manager; by hand use `brodaemon run`", Args: cobra.NoArgs, Hidden: true,
		Example: "  sc start brodaemon",
		RunE: func(cmd *cobra.Command, _ []string) error {
			tell, done := openEventLog()
			defer done()
			p := &program{globals: g, files: runtime.GOOS == "windows", tell: tell}
			if runtime.GOOS != "windows" {
				p.output = cmd.ErrOrStderr()
			}
			return service.Run(serviceContext(cmd.Context()), func(ctx context.Context) error {
				// before the configuration is read: the first one is an example, with faults
				did, err := service.CloseConfigFolder()
				if err != nil {
					did = err.Error()
				}
				p.first = did
				go service.Complete() // trouble with that is no reason not to run; `service install` says it
				err = p.run(ctx)
				if code := exitCode(err); err != nil && code == exitConfig {
					return &service.FaultError{Code: code, Err: err}
				}
				return err
			})
		},
	}
}
