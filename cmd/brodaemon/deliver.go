package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
	"brodaemon/internal/watch"
)

func newDeliverCommand(g *globals) *cobra.Command {
	var folder string
	var wait, asJSON bool
	cmd := &cobra.Command{
		Use: "deliver FILE…", Short: "Put copies of documents into a folder, safely", Args: cobra.MinimumNArgs(1),
		Long: `Copy documents into a watched folder under a temporary name and then rename them, so
that the daemon never sees half a file. With --wait each is followed to its outcome;
exit code 0 then means that all were delivered. What --wait can't wait for (a person
must decide) ends it with exit code 1.`,
		Example: "  brodaemon deliver --folder zwolle --wait put-17.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			if folder == "" {
				return fmt.Errorf("say which folder with --folder; %w", errUsage)
			}
			f, err := chooseFolder(c, folder)
			if err != nil {
				return err
			}
			if err := matchesFolder(f, args); err != nil {
				return err
			}
			remote := newClient(c)
			if err := readyToPut(cmd.Context(), remote, f, args); err != nil {
				return err
			}
			sent := make([]*sending, 0, len(args))
			for _, file := range args {
				before := newestID(cmd.Context(), remote, f)
				s, err := put(file, f)
				if err != nil {
					return err
				}
				s.after = before
				sent = append(sent, s)
				if !asJSON {
					fmt.Fprintf(cmd.OutOrStdout(), "%s put into folder %s (%s, project %s)\n", line(s.file), f.Name, f.Portal.EnvironmentName(), f.Project)
				}
			}
			if wait {
				if err := follow(cmd, remote, f, sent, asJSON); err != nil {
					return err
				}
			}
			if asJSON {
				return printSent(cmd.OutOrStdout(), sent)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "the `folder` to put them into (required)")
	cmd.Flags().BoolVar(&wait, "wait", false, "follow each to its outcome")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// sending is one file that was put into a folder.
type sending struct {
	file   string // its name there
	sha256 string
	row    *status.Row // once it is in the queue
	lying  string      // why it is not in the queue yet, where the daemon says so
	after  queue.ID    // the newest document in the queue before it was put: older ones are not this one
}

// newestID is 0 where there is no document, or no daemon; the latter is told
// when the document is waited for.
func newestID(ctx context.Context, remote *client, f config.Folder) queue.ID {
	var rows []status.Row
	q := url.Values{"folder": {f.Name}, "limit": {"1"}, "newest": {"1"}}
	if err := remote.call(ctx, http.MethodGet, "/api/v1/items?"+q.Encode(), nil, &rows); err != nil || len(rows) == 0 {
		return 0
	}
	id, _ := queue.ParseID(rows[0].ID) // the daemon made it
	return id
}

// matchesFolder refuses names that the folder would never take.
func matchesFolder(f config.Folder, files []string) error {
	for _, file := range files {
		if ok, _ := watch.WouldTake(filepath.Base(file), f.Include); !ok {
			return exit(exitNotSo, "%s would never be taken from folder %s, which takes %s, and no temporary or system names", line(file), f.Name, strings.Join(f.Include, ", "))
		}
	}
	return nil
}

// readyToPut finds out beforehand what would stop the second file after the
// first was put: then nothing is put at all. A folder that the daemon finds
// offline may be the empty place of a share that is not connected, in which a
// document would be lost from sight.
func readyToPut(ctx context.Context, remote *client, f config.Folder, files []string) error {
	now, err := remote.Status(ctx) // without a daemon nobody can tell
	for _, at := range now.Folders {
		starting := at.Cause == string(watch.CauseStarting) // it has not been looked at yet
		if err == nil && at.Name == f.Name && !at.Online && at.Reason != "" && !starting {
			return exit(exitCantWrite, "nothing was put into folder %s, which is offline: %s", f.Name, at.Reason)
		}
	}
	seen := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		if other, ok := seen[strings.ToLower(name)]; ok {
			return fmt.Errorf("%s and %s would have the same name in folder %s: deliver them one after the other; %w", line(other), line(file), f.Name, errUsage)
		}
		seen[strings.ToLower(name)] = file
		if info, err := os.Stat(file); err != nil {
			return exit(exitNotSo, "%w", err)
		} else if !info.Mode().IsRegular() {
			return exit(exitNotSo, "%s is not a file", line(file))
		}
		if err := free(filepath.Join(f.Path, name)); err != nil {
			return err
		}
	}
	return nil
}

// free refuses a name that is taken in the folder.
func free(target string) error {
	if _, err := os.Lstat(target); err == nil {
		return exit(exitCantWrite, "%s lies in the folder already; it is left as it is, and nothing was put over it", line(target))
	}
	return nil
}

// put copies a file into the folder: written whole and synced under a temporary
// name that the folder never takes, then given its name, never over another file.
func put(file string, f config.Folder) (*sending, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, exit(exitNotSo, "%w", err)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, exit(exitNotSo, "%s is not a file", file)
	}
	target := filepath.Join(f.Path, filepath.Base(file))
	if err := free(target); err != nil {
		return nil, err
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	temp := filepath.Join(f.Path, ".brodaemon-"+hex.EncodeToString(b[:])+".part")
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, &exitError{exitCantWrite, fmt.Errorf("put into folder %s: %w", f.Name, err)}
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, hash), in)
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil {
		// a link fails where the name exists; where the file system has no links a rename must do
		if err = os.Link(temp, target); err == nil || errors.Is(err, fs.ErrExist) {
			err = errors.Join(err, os.Remove(temp))
		} else {
			err = os.Rename(temp, target)
		}
	}
	if err != nil {
		_ = os.Remove(temp) // the first error counts
		return nil, &exitError{exitCantWrite, fmt.Errorf("put into folder %s: %w", f.Name, err)}
	}
	return &sending{file: filepath.Base(file), sha256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// waitShort is how often --wait looks.
const waitShort = 300 * time.Millisecond

// follow waits until every document has its outcome.
func follow(cmd *cobra.Command, remote *client, f config.Folder, sent []*sending, quiet bool) error {
	ctx := cmd.Context()
	last := map[*sending]string{}
	for {
		open, failed := 0, 0
		tellLying(ctx, remote, f, sent)
		for _, s := range sent {
			if err := s.refresh(ctx, remote, f); err != nil {
				if errors.Is(err, control.ErrNotRunning) {
					return exit(exitUnavailable, "the documents lie in folder %s, but no daemon runs that would deliver them: start it, they will be taken then", f.Name)
				}
				return err
			}
			said := s.say()
			if !quiet && said != last[s] {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", line(s.file), said)
			}
			last[s] = said
			switch {
			case s.row == nil, s.row.Filed == "" && s.row.Hold == "":
				open++
			case s.row.State != string(queue.Delivered):
				failed++
			}
		}
		if open == 0 {
			if failed > 0 {
				if quiet {
					_ = printSent(cmd.OutOrStdout(), sent) // the exit code is what counts
				}
				return exit(exitNotSo, "%d of %d documents were not delivered", failed, len(sent))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return exit(exitNotSo, "stopped waiting; the daemon goes on")
		case <-time.After(waitShort):
		}
	}
}

// refresh finds the document in the queue by its bytes; of several attempts the
// newest counts.
func (s *sending) refresh(ctx context.Context, remote *client, f config.Folder) error {
	var rows []status.Row
	q := url.Values{"folder": {f.Name}, "q": {s.sha256}, "limit": {"1"}, "newest": {"1"}}
	if err := remote.call(ctx, http.MethodGet, "/api/v1/items?"+q.Encode(), nil, &rows); err != nil {
		return err
	}
	if len(rows) > 0 {
		id, err := queue.ParseID(rows[0].ID)
		// an older one is this file all the same when the queue took it for that
		// document's file under a new name, or back under its old one
		adopted := rows[0].File == s.file && rows[0].Filed == ""
		if err == nil && (id > s.after || adopted) {
			s.row, s.after = &rows[0], min(s.after, id-1)
		}
	}
	return nil
}

// tellLying asks why the files that are not in the queue yet still lie in the
// folder; one that is cut off may lie there for half an hour.
func tellLying(ctx context.Context, remote *client, f config.Folder, sent []*sending) {
	if !slices.ContainsFunc(sent, func(s *sending) bool { return s.row == nil }) {
		return
	}
	now, err := remote.Status(ctx)
	if err != nil {
		return // asking for the documents tells
	}
	for _, at := range now.Folders {
		for _, lying := range at.NotTaken {
			for _, s := range sent {
				if at.Name == f.Name && s.row == nil && s.file == lying.File {
					s.lying = lying.Reason
				}
			}
		}
	}
}

func (s *sending) say() string {
	switch r := s.row; {
	case r == nil && s.lying != "":
		return "waiting to be taken: " + line(s.lying)
	case r == nil:
		return "waiting to be taken"
	case r.Hold != "":
		return "held (" + r.Hold + "): " + line(r.LastError)
	case r.Filed != "" && r.State == string(queue.Delivered):
		return "delivered as " + r.BROID + " (delivery " + r.DeliveryID + "), now " + line(r.Filed)
	case r.Filed != "":
		return r.State + ": " + line(r.LastError) + ", now " + line(r.Filed)
	case r.LastError != "":
		return r.State + ", waiting: " + line(r.LastError)
	default:
		return r.State
	}
}

func printSent(w io.Writer, sent []*sending) error {
	type answer struct {
		File   string      `json:"file"`
		SHA256 string      `json:"sha256"`
		Item   *status.Row `json:"item"`
	}
	all := make([]answer, 0, len(sent))
	for _, s := range sent {
		all = append(all, answer{s.file, s.sha256, s.row})
	}
	return printJSON(w, all)
}
