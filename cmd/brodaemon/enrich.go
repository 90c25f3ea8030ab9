package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"brodaemon/internal/portal"
)

const enrichLong = `

It needs an enrichment token (verrijkingstoken): name it under tokens in the
configuration and give it here with --token. It is one request and never repeated:
if the answer is lost, look at the delivery in the portal before you repeat it.`

func newDeliveryNoteCommand(g *globals) *cobra.Command {
	var at targetFlags
	var word, document string
	cmd := &cobra.Command{
		Use: "note NUMBER --level info|warning|error [--document ID] TEXT", Short: "Put a note on a delivery (verrijken)", Args: cobra.ExactArgs(2),
		Long: `Put a note on a delivery, or with --document on one document of it, for those who
check and approve it. The text is the argument, or comes from standard input with -.` + enrichLong,
		Example: "  brodaemon delivery note 182614 --level warning 'Check the ground level of tube 2' --token checks\n  brodaemon delivery note 182614 --level info - --token checks < remarks.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := portal.ParseDeliveryNumber(args[0])
			if err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			if word == "" {
				return fmt.Errorf("say how serious the note is, with --level info, warning or error; %w", errUsage)
			}
			level, err := portal.ParseLevel(word)
			if err != nil {
				return fmt.Errorf("--level: %w; %w", err, errUsage)
			}
			text, err := noteText(cmd.InOrStdin(), args[1])
			if err != nil {
				return err
			}
			if err := portal.CheckNote(level, text); err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			return at.ask(cmd, g, true, func(ctx context.Context, t *target) error {
				if err := t.AddNote(ctx, t.project, number, document, level, text); err != nil {
					return t.enrichError(err)
				}
				on := "delivery " + number
				if document != "" {
					on = "document " + document
				}
				fmt.Fprintf(cmd.OutOrStdout(), "added to %s: a note of level %s\n", on, level)
				return nil
			})
		},
	}
	at.add(cmd, true)
	cmd.Flags().StringVar(&word, "level", "", "`level` of the note: info, warning or error")
	cmd.Flags().StringVar(&document, "document", "", "the `id` of one document of the delivery, as `delivery show` gives it")
	return cmd
}

// noteText is the argument, or with - what stands on standard input.
func noteText(in io.Reader, given string) (string, error) {
	if given != "-" {
		return given, nil
	}
	data, err := io.ReadAll(io.LimitReader(in, portal.MaxNote+1))
	if err != nil {
		return "", fmt.Errorf("read the note from standard input: %w", err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

func newDeliveryAttachCommand(g *globals) *cobra.Command {
	var at targetFlags
	cmd := &cobra.Command{
		Use: "attach NUMBER FILE", Short: "Add a file to a delivery (verrijken)", Args: cobra.ExactArgs(2),
		Long:    `Add a file to a delivery, under its own name, for those who check and approve it.` + enrichLong,
		Example: "  brodaemon delivery attach 182614 report.pdf --token checks",
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := portal.ParseDeliveryNumber(args[0])
			if err != nil {
				return fmt.Errorf("%w; %w", err, errUsage)
			}
			info, err := os.Stat(args[1])
			switch {
			case err != nil:
				return exit(exitNotSo, "%w", err)
			case !info.Mode().IsRegular():
				return exit(exitNotSo, "%s is not a file", args[1])
			case info.Size() == 0:
				return exit(exitNotSo, "%s is empty", args[1])
			}
			name := filepath.Base(args[1])
			if err := portal.CheckAttachmentName(name); err != nil {
				return exit(exitNotSo, "%s: %w", line(args[1]), err)
			}
			return at.ask(cmd, g, true, func(ctx context.Context, t *target) error {
				err := t.Attach(ctx, t.project, number, name, portal.Body{
					Open: func() (io.ReadCloser, error) { return os.Open(args[1]) }, Size: info.Size(),
				})
				if err != nil {
					return t.enrichError(err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "added to delivery %s: %s (%d bytes)\n", number, line(name), info.Size())
				return nil
			})
		},
	}
	at.add(cmd, true)
	return cmd
}

// enrichError says which token was not of the right kind.
func (t *target) enrichError(err error) error {
	if pe := portalError(err); pe != nil && pe.Kind == portal.Unauthorized && pe.StatusCode == http.StatusForbidden {
		return fmt.Errorf("token %s: %w", t.folder.Token, err)
	}
	return err
}
