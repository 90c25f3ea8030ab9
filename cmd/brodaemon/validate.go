package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/document"
	"brodaemon/internal/portal"
)

// verdict is one line of `validate --json`.
type verdict struct {
	File   string   `json:"file"`
	Valid  bool     `json:"valid"`
	Local  bool     `json:"local,omitempty"` // refused here, before the portal was asked
	Errors []string `json:"errors"`
}

func newValidateCommand(g *globals) *cobra.Command {
	var folder string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "validate FILE…", Short: "Ask for the portal's verdict without delivering", Args: cobra.MinimumNArgs(1),
		Long: `Have the portal validate documents with a folder's token and project. Nothing is
delivered and the files stay where they are. Exit code 0: all are valid; 1: some are not.`,
		Example: "  brodaemon validate put-17.xml --folder zwolle",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			f, err := chooseFolder(c, folder)
			if err != nil {
				return err
			}
			client, err := daemon.NewClient(daemon.Options{Config: c, Version: readVersion().Version}, f)
			if err != nil {
				return err
			}
			verdicts := make([]verdict, 0, len(args))
			bad := 0
			for _, file := range args {
				v, err := validate(cmd.Context(), client, f, file)
				if err != nil {
					return err
				}
				if !v.Valid {
					bad++
				}
				verdicts = append(verdicts, v)
				if !asJSON {
					printVerdict(cmd.OutOrStdout(), v, f)
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), verdicts); err != nil {
					return err
				}
			}
			if bad > 0 {
				return exit(exitNotSo, "%d of %d documents are not valid", bad, len(args))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "the `folder` whose token and project are used; may be left out where there is one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// chooseFolder is the named folder, or the only one.
func chooseFolder(c *config.Config, name string) (config.Folder, error) {
	if name == "" {
		if len(c.Folders) == 1 {
			return c.Folders[0], nil
		}
		return config.Folder{}, fmt.Errorf("there are %d folders in the configuration: say which with --folder; %w", len(c.Folders), errUsage)
	}
	f, ok := c.Folder(name)
	if !ok {
		return f, fmt.Errorf("there is no folder %q in the configuration; %w", name, errUsage)
	}
	return f, nil
}

func validate(ctx context.Context, client *portal.Client, f config.Folder, file string) (verdict, error) {
	v := verdict{File: file, Errors: []string{}}
	project, err := portal.ParseProjectID(f.Project)
	if err != nil {
		return v, fmt.Errorf("folder %s: %w", f.Name, err)
	}
	size, err := readLocally(file, &v)
	if err != nil || v.Local {
		return v, err
	}
	answer, err := client.Validate(ctx, project, portal.Body{
		Open: func() (io.ReadCloser, error) { return os.Open(file) }, Size: size,
	})
	var pe *portal.Error
	switch {
	case errors.As(err, &pe) && pe.Kind == portal.Refused:
		v.Errors = append(v.Errors, pe.Error())
	case errors.As(err, &pe) && pe.Hint() != "":
		return v, fmt.Errorf("%w. What to do: %s", err, pe.Hint())
	case err != nil:
		return v, err
	default:
		v.Valid = answer.Valid
		v.Errors = append(v.Errors, answer.Errors...)
	}
	return v, nil
}

// readLocally finds what the daemon would refuse without asking the portal.
func readLocally(file string, v *verdict) (size int64, err error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, exit(exitNotSo, "%w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, exit(exitNotSo, "%s is not a file", file)
	}
	var fault *document.Fault
	if _, err := document.Read(in); errors.As(err, &fault) {
		v.Local = true
		v.Errors = append(v.Errors, fault.Error())
		return info.Size(), nil
	} else if err != nil {
		return 0, fmt.Errorf("read %s: %w", file, err)
	}
	return info.Size(), nil
}

func printVerdict(w io.Writer, v verdict, f config.Folder) {
	switch {
	case v.Valid:
		fmt.Fprintf(w, "%s: valid (%s, project %s)\n", line(v.File), f.Portal.EnvironmentName(), f.Project)
	case v.Local:
		fmt.Fprintf(w, "%s: not valid, the portal was not asked\n", line(v.File))
	default:
		fmt.Fprintf(w, "%s: not valid (%s, project %s)\n", line(v.File), f.Portal.EnvironmentName(), f.Project)
	}
	for _, e := range v.Errors {
		fmt.Fprintf(w, "  - %s\n", line(e))
	}
}
