package daemon

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"brodaemon/internal/config"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
)

// backupFolder is where a backup is put together, in the data folder: its spool
// files are links to the real ones, which costs neither time nor room.
const backupFolder = "backup.tmp"

// backupRounds is how often a document may come or go while spool and queue are
// brought together before that counts as trouble.
const backupRounds = 20

// WriteBackup writes the queue, the spool and the configuration, as they belong
// together at one moment, to w as a tar file, while the daemon that has them open
// works on. Its entries lie under data/ and config/. Secrets are not in it. An
// error may come after part of it was written; then that part is of no use.
//
// One backup is made at a time. Being killed leaves backup.tmp in the data
// folder, which the next one removes.
func WriteBackup(c *config.Config, store *queue.Store, w io.Writer) error {
	dir := filepath.Join(c.DataDir, backupFolder)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, queue.SpoolName), 0o700); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	at := time.Now()
	err := gather(c, store, dir, at)
	if err == nil {
		err = pack(c, dir, w, at)
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return nil
}

// gather puts a copy of the queue in dir, and the spool files of every document
// that is open in that copy. A document that comes or goes in between makes it
// look again; files are gathered before the copy is made and after it.
func gather(c *config.Config, store *queue.Store, dir string, at time.Time) error {
	for range backupRounds {
		if err := linkSpool(c.DataDir, dir); err != nil {
			return err
		}
		file := filepath.Join(dir, queue.FileName)
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := store.CopyTo(file, at); err != nil {
			return err
		}
		if err := linkSpool(c.DataDir, dir); err != nil {
			return err
		}
		whole, err := keepOpen(dir)
		if err != nil || whole {
			return err
		}
	}
	return errors.New("documents come and go faster than they can be gathered; try again")
}

// linkSpool brings what is in the spool now into dir. A file that goes meanwhile is left out.
func linkSpool(dataDir, dir string) error {
	entries, err := os.ReadDir(filepath.Join(dataDir, queue.SpoolName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(dataDir, queue.SpoolName, e.Name()), filepath.Join(dir, queue.SpoolName, e.Name())
		err := os.Link(from, to)
		if err == nil || errors.Is(err, os.ErrExist) || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := copyFile(from, to); err != nil && !errors.Is(err, os.ErrNotExist) { // a file system without links
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}

// keepOpen removes the files of documents that are not open in the copied queue,
// and says whether every open one has its file.
func keepOpen(dir string) (whole bool, err error) {
	store, err := queue.Open(dir, queue.Options{ReadOnly: true})
	if err != nil {
		return false, err
	}
	defer store.Close()
	spool, err := queue.OpenSpool(dir)
	if err != nil {
		return false, err
	}
	wanted := map[string]bool{}
	whole = true
	err = store.Each(queue.Filter{Open: true}, func(it queue.Item) bool {
		if it.Spool == "" {
			return true
		}
		wanted[it.Spool] = true
		for _, c := range it.Companions {
			wanted[c.Spool] = true
		}
		f, err := spool.Open(&it)
		if err != nil {
			whole = false
			return false
		}
		_ = f.Close() // was read from only
		return true
	})
	if err != nil || !whole {
		return false, err
	}
	entries, err := os.ReadDir(filepath.Join(dir, queue.SpoolName))
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		_, after, numbered := strings.Cut(name, "-")
		if numbered {
			name = after
		}
		if !wanted[name] {
			if err := os.Remove(filepath.Join(dir, queue.SpoolName, e.Name())); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// restoreNote is the first entry of a backup.
const restoreNote = `A backup of brodaemon of %s, version of its format 1.

data/    the queue and the documents that were under way
config/  the configuration; secrets are not in this file

To put it back: stop brodaemon, put what is under data/ into an EMPTY data folder
that belongs to the account brodaemon runs under, put config.yaml in its place and
start. Documents that were not submitted when this was made are then held, since
they may have been submitted afterwards: look in done/ and in the portal, and then
"brodaemon queue release" or "brodaemon queue cancel" each. docs/operation.md says more.
`

// pack writes what was gathered.
func pack(c *config.Config, dir string, w io.Writer, at time.Time) error {
	t := tar.NewWriter(w)
	note := fmt.Appendf(nil, restoreNote, at.UTC().Format(time.RFC3339))
	if err := packBytes(t, "RESTORE.txt", note, at); err != nil {
		return err
	}
	if data, err := os.ReadFile(c.File); err == nil {
		if err := packBytes(t, "config/config.yaml", data, at); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := packFile(t, "data/"+queue.FileName, filepath.Join(dir, queue.FileName)); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(dir, queue.SpoolName))
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "data/" + queue.SpoolName + "/", Mode: 0o700, ModTime: at}); err != nil {
		return err
	}
	for _, e := range entries {
		if err := packFile(t, "data/"+queue.SpoolName+"/"+e.Name(), filepath.Join(dir, queue.SpoolName, e.Name())); err != nil {
			return err
		}
	}
	return t.Close()
}

func packBytes(t *tar.Writer, name string, data []byte, at time.Time) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: at}); err != nil {
		return err
	}
	_, err := io.Copy(t, bytes.NewReader(data))
	return err
}

func packFile(t *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// serveBackup is GET /api/v1/backup of the control socket. A failure after the
// first byte cuts the answer off, so that its reader does not take it for whole.
func (d *Daemon) serveBackup(w http.ResponseWriter, _ *http.Request) {
	if !d.backing.TryLock() {
		status.Fail(w, http.StatusConflict, errors.New("a backup is being made already"))
		return
	}
	defer d.backing.Unlock()
	out := &firstByte{ResponseWriter: w}
	w.Header().Set("Content-Type", "application/x-tar")
	if err := WriteBackup(d.config(), d.store, out); err != nil {
		d.log.Error("backup failed", zap.Error(err))
		if out.begun {
			panic(http.ErrAbortHandler)
		}
		status.Fail(w, http.StatusInternalServerError, err)
		return
	}
	d.log.Info("backup made")
}

// firstByte remembers whether anything was answered yet.
type firstByte struct {
	http.ResponseWriter
	begun bool
}

func (f *firstByte) Write(b []byte) (int, error) {
	f.begun = true
	return f.ResponseWriter.Write(b)
}

// holdCopied makes a queue that was put back from a backup safe to work on.
func holdCopied(store *queue.Store, log *zap.Logger) error {
	at, isCopy, err := store.CopiedAt()
	if err != nil || !isCopy {
		return err
	}
	n, err := store.HoldCopied(time.Now(), at)
	if err != nil {
		return err
	}
	log.Warn("the queue was put back from a backup; what was not submitted then is held, because it may have been submitted since",
		zap.Time("backup", at), zap.Int("held", n))
	return nil
}
