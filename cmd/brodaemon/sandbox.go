package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/doctor"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
)

func newSandboxCommand() *cobra.Command {
	var listen, username, passwordFile string
	var project int
	var seed uint64
	var settings []string
	var manage, listSettings bool
	cmd := &cobra.Command{
		Use: "sandbox", Short: "Run a local Bronhouderportaal for trying out and for tests", Args: cobra.NoArgs,
		Long: `Run a portal with the delivery API v2 on this machine. It keeps everything in memory,
moves deliveries through the portal's steps on the clock, and misbehaves on request:
--set NAME=VALUE throws one of its switches, --list-settings explains them all.

It has a delivery token (aanlevertoken), which --username and --password-file change,
and prints two others with it: one that only validates and one for notes and files.

Three marks in objectIdAccountableParty choose a document's fate: BRODAEMON-ONGELDIG
is not valid, BRODAEMON-AFGEKEURD is refused by the register, BRODAEMON-HANDMATIG
waits for a person.`,
		Example: "  brodaemon sandbox\n  brodaemon sandbox --listen 127.0.0.1:9000 --set timeline=instant",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := sandbox.Default()
			if listSettings {
				return printSettings(cmd.OutOrStdout())
			}
			o.Seed, o.Manage = seed, manage
			if err := credentials(&o, project, username, passwordFile); err != nil {
				return err
			}
			for _, s := range settings {
				name, value, ok := strings.Cut(s, "=")
				if !ok {
					return fmt.Errorf("--set %s: it is NAME=VALUE; %w", s, errUsage)
				}
				if err := o.ParseKnob(name, value); err != nil {
					return fmt.Errorf("--%w; %w", err, errUsage)
				}
			}
			return serveSandbox(cmd.Context(), cmd.OutOrStdout(), listen, o)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8790", "`address` to listen on; this machine only, unless you know better")
	cmd.Flags().IntVar(&project, "project", sandbox.DefaultProject, "project `number`")
	cmd.Flags().StringVar(&username, "username", sandbox.DefaultUsername, "the token's user `name`")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`file` with the token's secret (default: a secret that is printed)")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of everything that is random")
	cmd.Flags().StringArrayVar(&settings, "set", nil, "throw a switch: `NAME=VALUE`, may be repeated")
	cmd.Flags().BoolVar(&listSettings, "list-settings", false, "explain the switches and end")
	cmd.Flags().BoolVar(&manage, "manage", false, "open /sandbox/, by which tests steer it from outside")
	return cmd
}

// credentials lays the flags over the sandbox's defaults.
func credentials(o *sandbox.Options, project int, username, passwordFile string) error {
	if project <= 0 {
		return fmt.Errorf("--project %d: it is a number above zero; %w", project, errUsage)
	}
	if username == "" || strings.Contains(username, ":") {
		return fmt.Errorf("--username %q: it may not be empty or hold a colon; %w", username, errUsage)
	}
	token := &o.Tokens[0]
	token.Username = username
	if passwordFile != "" {
		s, err := secret.ReadFile(passwordFile)
		if err != nil {
			return err
		}
		token.Secret = s.Reveal()
	}
	if project == sandbox.DefaultProject {
		return nil
	}
	for i := range o.Tokens {
		o.Tokens[i].Projects = []int{project}
	}
	o.Projects[0].ID = project
	return nil
}

func serveSandbox(ctx context.Context, out io.Writer, listen string, o sandbox.Options) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return &exitError{exitUnavailable, fmt.Errorf("listen on %s: %w; choose another address with --listen", listen, err)}
	}
	o.Log = func(r sandbox.Request) { fmt.Fprintln(out, requestLine(r)) }
	shown := o.Tokens[0].Secret
	if shown != sandbox.DefaultSecret {
		shown = "(from --password-file)"
	}
	fmt.Fprintf(out, `sandbox portal, nothing leaves this machine
  address   http://%s
  project   %d
  username  %s
  password  %s
  seed      %d
`, l.Addr(), o.Tokens[0].Projects[0], o.Tokens[0].Username, shown, o.Seed)
	for _, t := range o.Tokens[1:] {
		kind := doctor.ValidationToken
		if t.Kind == sandbox.EnrichmentToken {
			kind = doctor.EnrichmentToken
		}
		fmt.Fprintf(out, "also %s\n  username  %s\n  password  %s\n", kindWords[kind], t.Username, t.Secret)
	}
	fmt.Fprint(out, "Ctrl-C stops.\n\n")
	srv := &http.Server{Handler: sandbox.New(o), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func requestLine(r sandbox.Request) string {
	path := r.Path
	if r.Query != "" {
		path += "?" + r.Query
	}
	s := fmt.Sprintf("%s  %3d  %-4s %s  %d bytes", r.At.Format("15:04:05.000"), r.Status, r.Method, line(path), r.BodySize)
	if r.Fault != "" {
		s += "  fault: " + string(r.Fault)
	}
	if r.Reason != "" {
		s += "  (" + line(r.Reason) + ")"
	}
	return s
}

func printSettings(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tDEFAULT\tVALUES\tWHAT")
	for _, k := range sandbox.Knobs() {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", k.Name, k.Default, k.Values, k.Help)
	}
	return tw.Flush()
}
