package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// system is the seam at which tests let a call to the operating system fail.
type system struct {
	rename   func(from, to string) error // never replaces
	write    func(f *os.File, p []byte) (int, error)
	syncFile func(f *os.File) error
	syncDir  func(dir string) error
}

var realSystem = system{
	rename:   renameNoReplace,
	write:    (*os.File).Write,
	syncFile: (*os.File).Sync,
	syncDir:  syncDir,
}

// patience is how long a file may be held by another program before that is
// reported: the rest is a matter for the caller's next try.
const patience = 2 * time.Second

// patiently repeats do while another program holds the file, for at most patience.
func patiently(ctx context.Context, do func() error) error {
	wait := 10 * time.Millisecond
	var err error
	for deadline := time.Now().Add(patience); ; wait = min(2*wait, 250*time.Millisecond) {
		err = do()
		if err == nil || !busy(err) || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(wait):
		}
	}
}

// move renames a file within one volume and never replaces another. mark is
// what the name is reserved with where the file system has nothing better; ""
// is for a name that only one can want, and that was seen to be free.
func (a *Archive) move(ctx context.Context, from, to, mark string) error {
	return patiently(ctx, func() error {
		err := a.sys.rename(from, to)
		switch {
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		case mark == "":
			return os.Rename(from, to)
		default:
			return a.moveReserved(from, to, mark)
		}
	})
}

// moveReserved first makes a file of the new name, which only one can do, and
// then renames over that. The file holds mark, so that after a crash in
// between the reservation is known for ours.
func (a *Archive) moveReserved(from, to, mark string) error {
	if _, err := os.Lstat(from); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	switch {
	case err == nil:
		_, err = a.sys.write(f, []byte(mark))
		if err = errors.Join(err, f.Close()); err == nil {
			a.crash("archive.reserved")
			err = os.Rename(from, to)
		}
		if err != nil {
			return errors.Join(err, os.Remove(to))
		}
		return nil
	case errors.Is(err, fs.ErrExist) && contains(to, mark):
		return os.Rename(from, to)
	default:
		return err
	}
}

// contains reports whether the file holds exactly this short text.
func contains(path, text string) bool {
	fi, err := os.Lstat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() != int64(len(text)) {
		return false
	}
	got, err := os.ReadFile(path)
	return err == nil && string(got) == text
}

// exists reports whether the name is taken, by whatever it is. A name that
// can't be looked at counts as free: using it shows the error.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// missing reports whether err says that there is no such file, or that
// something else stands where its directory was.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

var errNotRegular = errors.New("not an ordinary file")

// hashFile returns the SHA-256 of a file in hex.
func hashFile(ctx context.Context, path string) (string, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !fi.Mode().IsRegular() {
		return "", fmt.Errorf("%s: %w", path, errNotRegular)
	}
	var f *os.File
	err = patiently(ctx, func() (err error) {
		f, err = os.OpenFile(path, os.O_RDONLY|dontWait, 0)
		return err
	})
	if err != nil {
		return "", err
	}
	defer f.Close()
	return copyHashed(io.Discard, &stoppable{ctx, f})
}

// copyHashed copies and returns the SHA-256 of what it copied, in hex.
func copyHashed(to io.Writer, from io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, h), from); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stoppable is a reader that fails when ctx ends.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := ended(s.ctx); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// writer lets the seam see what is written.
type writer struct {
	a *Archive
	f *os.File
}

func (w writer) Write(p []byte) (int, error) { return w.a.sys.write(w.f, p) }

// create makes a new file, in a directory that is made if need be. What people
// may do with the directory they may do with the file.
func (a *Archive) create(path string) (*os.File, error) {
	open := func() (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666) }
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := a.makeDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
		f, err = open()
	}
	if err != nil {
		return nil, err
	}
	if dir, err := os.Stat(filepath.Dir(path)); err == nil {
		_ = f.Chmod(dir.Mode().Perm() & 0o666) // not every share has permissions to set
	}
	return f, nil
}

// writeNew writes a file that survives a power cut once its directory is
// synced. When it fails it leaves nothing.
func (a *Archive) writeNew(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !missing(err) {
		return err
	}
	f, err := a.create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(writer{a, f}, bytes.NewReader(text))
	if err == nil {
		err = a.sys.syncFile(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// makeDir makes dir and those above it, down from the watched folder or from
// what done_dir and failed_dir lie in. What must be there already is not made:
// a share that is gone must not come back as an empty directory.
func (a *Archive) makeDir(dir string) error {
	fi, err := os.Stat(dir)
	switch {
	case err == nil && !fi.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case err == nil:
		return nil
	case !missing(err) || !a.mayMake(dir):
		return err
	}
	parent := filepath.Dir(dir)
	if err := a.makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) { // another filing may be first
		return err
	}
	// Whoever may save into the folder may take a failed document out again.
	if fi, err := os.Stat(parent); err == nil {
		_ = os.Chmod(dir, fi.Mode()&(fs.ModePerm|fs.ModeSetgid)) // not every share has permissions to set
	}
	return a.sys.syncDir(parent)
}

func (a *Archive) mayMake(dir string) bool {
	return dir == a.opt.DoneDir || dir == a.opt.FailedDir ||
		below(dir, a.opt.DoneDir) || below(dir, a.opt.FailedDir) || below(dir, a.opt.Path)
}

// below reports whether path lies in dir, at any depth.
func below(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
