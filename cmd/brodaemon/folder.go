package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"brodaemon/internal/control"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
)

func newFolderCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "folder", Short: "Look after watched folders", Example: "  brodaemon folder init zwolle"}
	cmd.AddCommand(&cobra.Command{
		Use: "init NAME", Short: "Write a folder's marker anew, after it was moved on purpose", Args: cobra.ExactArgs(1),
		Long: `Each watched folder holds a marker file, .brodaemon-folder. When it is missing the
folder counts as offline, since a share that is not mounted looks like an empty
folder. If the folder was moved or restored on purpose, and you see its documents
there, this writes the marker again.`,
		Example: "  brodaemon folder init zwolle",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			f, err := chooseFolder(c, args[0])
			if err != nil {
				return err
			}
			err = newClient(c).call(cmd.Context(), http.MethodPost, "/api/v1/folders/"+url.PathEscape(f.Name)+"/marker", nil, nil)
			if errors.Is(err, control.ErrNotRunning) {
				err = initMarkerOffline(c.DataDir, func(s *queue.Store) error { return daemon.InitMarker(s, f) })
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "folder %s (%s) has its marker\n", f.Name, f.Path)
			return nil
		},
	})
	return cmd
}

// initMarkerOffline opens the queue for writing; no daemon has it open.
func initMarkerOffline(dataDir string, do func(*queue.Store) error) error {
	if err := daemon.PrepareDataDir(dataDir); err != nil {
		return dataError(err)
	}
	store, err := queue.Open(dataDir, queue.Options{})
	if err != nil {
		return &exitError{exitCantWrite, err}
	}
	return dataError(errors.Join(do(store), store.Close()))
}
