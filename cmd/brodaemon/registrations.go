package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/portal"
	"brodaemon/internal/registry"
)

func newRegistrationsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "registrations", Short: "Look at registrations in the BRO, at its public services",
		Example: "  brodaemon registrations show GMW000000100001\n  brodaemon registrations list --owner 27376655 --type GMW",
	}
	cmd.AddCommand(newRegistrationsListCommand(g), newRegistrationsShowCommand(g))
	return cmd
}

const registrationsLong = `

The public BRO services are asked, without a token, at most once a second. Which they
are follows portal.registry_url of the configuration, or with --environment production
those of the BRO itself; then no configuration is needed.`

// registryFlags say whose public services are asked.
type registryFlags struct{ folder, environment string }

func (r *registryFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.folder, "folder", "", "ask the services that belong to this `folder`'s portal")
	cmd.Flags().StringVar(&r.environment, "environment", "", "ask the services of this `portal`, such as production")
}

// open finds the services and says on w which they are.
func (r *registryFlags) open(g *globals, w io.Writer) (*registry.Client, error) {
	p, err := r.choose(g)
	if err != nil {
		return nil, err
	}
	if p.RegistryURL == "" {
		return nil, fmt.Errorf("no public BRO services are known for %s: set portal.registry_url, or ask those of the BRO itself with --environment production; %w", p.EnvironmentName(), errUsage)
	}
	client, err := daemon.NewRegistry(daemon.Options{Version: readVersion().Version}, p)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "%s · public BRO services %s\n", strings.ToUpper(p.EnvironmentName()), client.Address())
	return client, nil
}

func (r *registryFlags) choose(g *globals) (config.Portal, error) {
	if r.environment != "" && r.folder == "" {
		p, ok := config.PublicPortal(r.environment)
		if !ok {
			return p, fmt.Errorf("--environment %s: it is production, demo or acceptance; %w", r.environment, errUsage)
		}
		if p.RegistryURL != "" {
			return p, nil
		}
	}
	c, err := g.load()
	if err != nil {
		return config.Portal{}, err
	}
	if _, ok := c.Folder(r.folder); r.folder != "" && !ok {
		return config.Portal{}, fmt.Errorf("there is no folder %q in the configuration; the choices are:\n%s%w", r.folder, choices(c.Folders, false), errUsage)
	}
	found := map[string]config.Portal{}
	for _, f := range c.Folders {
		if (r.folder == "" || f.Name == r.folder) && (r.environment == "" || f.Portal.Environment == r.environment) {
			found[f.Portal.RegistryURL] = f.Portal
		}
	}
	if len(found) > 1 {
		delete(found, "") // those of the other folders are meant
	}
	switch len(found) {
	case 0:
		return c.Common, nil
	case 1:
		for _, p := range found {
			return p, nil
		}
	}
	return config.Portal{}, fmt.Errorf("the folders have different public services: say which with --folder or --environment; the choices are:\n%s%w", choices(c.Folders, false), errUsage)
}

func newRegistrationsShowCommand(g *globals) *cobra.Command {
	var at registryFlags
	var asJSON, asXML bool
	var typ string
	cmd := &cobra.Command{
		Use: "show BRO-ID", Short: "Show a registration: whose it is, its status and history", Args: cobra.ExactArgs(1),
		Long:    `Show a registration as the register gives it: type, accountable party, quality regime, status and history; or with --xml all of it, as it came.` + registrationsLong,
		Example: "  brodaemon registrations show GMW000000100001\n  brodaemon registrations show GMW000000100001 --xml > GMW000000100001.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := portal.ParseBROID(args[0])
			if err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			if asJSON && asXML {
				return fmt.Errorf("give --json or --xml, not both; %w", errUsage)
			}
			if typ, err = registryType(typ); err != nil {
				return err
			}
			client, err := at.open(g, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if asXML {
				return politely(cmd, func(ctx context.Context) error {
					_, err := client.ObjectXML(ctx, typ, id, cmd.OutOrStdout())
					return err
				})
			}
			var o registry.Object
			err = politely(cmd, func(ctx context.Context) error {
				o, err = client.Object(ctx, typ, id)
				return err
			})
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd.OutOrStdout(), o)
			}
			return printObject(cmd.OutOrStdout(), o)
		},
	}
	at.add(cmd)
	cmd.Flags().StringVar(&typ, "type", "", "`type` of the registration, where the BRO-ID leaves it open (BHR-GT, BHR-P, BHR-G)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&asXML, "xml", false, "print the original answer")
	return cmd
}

// registryType checks a type of registration; "" is any.
func registryType(typ string) (string, error) {
	if typ == "" {
		return "", nil
	}
	name, ok := registry.KnownType(typ)
	if !ok {
		return "", fmt.Errorf("--type %s: there is no public service for it; there are %s; %w", line(typ), strings.Join(registry.Types(), ", "), errUsage)
	}
	return name, nil
}

// historyWords are names of the register's history in plain words.
var historyWords = map[string]string{
	"objectRegistrationTime": "registered", "registrationStatus": "status", "latestAdditionTime": "last addition",
	"registrationCompletionTime": "completed", "corrected": "corrected", "latestCorrectionTime": "last correction",
	"underReview": "under review", "underReviewTime": "under review since", "deregistered": "deregistered", "deregistrationTime": "deregistered at",
	"reregistered": "registered again", "reregistrationTime": "registered again at",
}

// valueWords are the register's words in plain ones.
var valueWords = map[string]string{"geregistreerd": "registered", "aangevuld": "added to", "voltooid": "completed", "ja": "yes", "nee": "no"}

func printObject(w io.Writer, o registry.Object) error {
	fmt.Fprintf(w, "Registration %s\n\n", line(o.BROID))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(tw, "  %s\t%s\n", name, line(value))
		}
	}
	row("type", o.Type+" ("+o.Form+")")
	row("accountable party", o.Party)
	row("quality regime", o.Regime)
	row("object", o.ObjectID)
	switch {
	case o.Deregistered:
		row("status", "deregistered: taken out of the register (uit registratie genomen)")
	case o.Status != "":
		row("status", inWords(o.Status))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\n  History")
	tw = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range o.History {
		name := historyWords[f.Name]
		if name == "" {
			name = f.Name
		}
		fmt.Fprintf(tw, "  %s\t%s\n", line(name), line(inWords(f.Value)))
	}
	return tw.Flush()
}

// inWords is a word of the register with its meaning, if that is known.
func inWords(value string) string {
	if plain := valueWords[value]; plain != "" {
		return value + " (" + plain + ")"
	}
	return value
}

func newRegistrationsListCommand(g *globals) *cobra.Command {
	var at registryFlags
	var owner, typ string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list --owner KVK", Short: "List the BRO-IDs registered for a data owner", Args: cobra.NoArgs,
		Long:    `List the BRO-IDs that are registered for a data owner (bronhouder), of one type or of all, as they come.` + registrationsLong,
		Example: "  brodaemon registrations list --owner 27376655 --type GMW\n  brodaemon registrations list --owner 27376655 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(owner) != 8 || strings.Trim(owner, "0123456789") != "" {
				return fmt.Errorf("--owner %q: it is the number of the data owner in the trade register (KvK), eight digits; %w", owner, errUsage)
			}
			typ, err := registryType(typ)
			if err != nil {
				return err
			}
			client, err := at.open(g, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			types := registry.Types()
			if typ != "" {
				types = []string{typ}
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			defer out.Flush()
			n, err := listRegistrations(cmd, client, out, types, owner, asJSON)
			if err != nil {
				return err
			}
			if n == 0 && !asJSON {
				fmt.Fprintf(out, "nothing is registered for %s\n", owner)
			}
			return out.Flush()
		},
	}
	at.add(cmd)
	cmd.Flags().StringVar(&owner, "owner", "", "`number` of the data owner in the trade register (KvK)")
	cmd.Flags().StringVar(&typ, "type", "", "only registrations of this `type`, such as GMW")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// registrationJSON is a row of `registrations list --json`.
type registrationJSON struct {
	BROID string `json:"broId"`
	Type  string `json:"type"`
}

// listRegistrations prints BRO-IDs as they come and says how many there were.
func listRegistrations(cmd *cobra.Command, client *registry.Client, out *bufio.Writer, types []string, owner string, asJSON bool) (n int, err error) {
	l := jsonList{w: out}
	for _, typ := range types {
		before := n
		err := politely(cmd, func(ctx context.Context) error {
			return client.IDs(ctx, typ, owner, func(id string) error {
				n++
				if asJSON {
					return l.add(registrationJSON{id, typ})
				}
				_, err := fmt.Fprintf(out, "%-15s  %s\n", line(id), typ)
				return err
			})
		})
		var fault *registry.Error
		if errors.As(err, &fault) && fault.Kind == registry.Rejected && len(types) > 1 && n == before {
			// one service that does not answer for this owner is no reason to hide the others
			fmt.Fprintf(cmd.ErrOrStderr(), "brodaemon: %v\n", err)
			continue
		}
		if err != nil {
			return n, err
		}
		if err := out.Flush(); err != nil {
			return n, err
		}
	}
	if asJSON {
		return n, l.end()
	}
	return n, nil
}

const (
	// longestWait is how long a command waits when it is told to come back later.
	longestWait = time.Minute
	// waitUnsaid is how long if it is not told how long.
	waitUnsaid = 5 * time.Second
)

// politely asks the public services, once more after the wait that they ask for.
func politely(cmd *cobra.Command, ask func(context.Context) error) error {
	ctx := cmd.Context()
	err := ask(ctx)
	var fault *registry.Error
	if !errors.As(err, &fault) || fault.Kind != registry.RateLimited || fault.RetryAfter > longestWait {
		return err
	}
	wait := fault.RetryAfter
	if wait <= 0 {
		wait = waitUnsaid
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "the public BRO services ask to wait; trying once more in %s\n", wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return err
	case <-timer.C:
		return ask(ctx)
	}
}
