package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
)

func newBackupCommand(g *globals) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write queue, spool and configuration to a tar file, also while the daemon runs", Args: cobra.ExactArgs(1),
		Long: `Write the queue, the documents under way and the configuration to a tar file, as
they belong together at one moment. The daemon goes on working meanwhile, or may be
stopped. Secrets are not in it. The file is there whole or not at all; one that
exists is kept unless --force is given.

It is for a lost disk or machine. Of what happened after it was made it knows
nothing, so documents that were not submitted yet are held when it is put back, see
docs/operation.md. To move to another machine, move the data folder itself.`,
		Example: "  brodaemon backup /backup/brodaemon-$(date +%F).tar",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			size, err := backUp(cmd.Context(), c, args[0], force)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes\n", args[0], size)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that exists")
	return cmd
}

// backUp writes beside the file first and gives it its name when it is whole and on disk.
func backUp(ctx context.Context, c *config.Config, file string, force bool) (int64, error) {
	if _, err := os.Lstat(file); err == nil && !force {
		return 0, exit(exitCantWrite, "%s exists; give another name, or --force to replace it", file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*.part") // mode 0600
	if err != nil {
		return 0, &exitError{exitCantWrite, err}
	}
	defer os.Remove(f.Name()) // gone already when all went well
	defer f.Close()
	if err := writeBackup(ctx, c, f); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, &exitError{exitCantWrite, err}
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return 0, &exitError{exitCantWrite, err}
	}
	return info.Size(), nil
}

// writeBackup has the daemon write it, or does so itself while none runs.
func writeBackup(ctx context.Context, c *config.Config, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(control.BaseURL, "/")+"/api/v1/backup", nil)
	if err != nil {
		return err
	}
	resp, err := control.Client(c.DataDir).Do(req)
	if errors.Is(err, control.ErrNotRunning) {
		return backUpAtRest(c, w)
	}
	if err != nil {
		return exit(exitUnavailable, "the daemon does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var said struct {
			Error string `json:"error"`
		}
		if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said) != nil || said.Error == "" {
			said.Error = "the daemon answered " + resp.Status
		}
		return exit(exitNotSo, "%s", said.Error)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return exit(exitCantWrite, "the backup is not whole, see the daemon's log: %w", err)
	}
	return nil
}

func backUpAtRest(c *config.Config, w io.Writer) error {
	// while it is open for reading no daemon can start on it
	store, err := queue.Open(c.DataDir, queue.Options{ReadOnly: true})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return exit(exitNotSo, "there is nothing to back up: brodaemon has not run yet with data folder %s", c.DataDir)
	case errors.Is(err, queue.ErrLocked):
		return exit(exitUnavailable, "a daemon has the queue open but does not answer: it may be starting or stopping; try again")
	case err != nil:
		return dataError(err)
	}
	defer store.Close()
	return dataError(daemon.WriteBackup(c, store, w))
}
