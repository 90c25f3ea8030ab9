package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Attempt is one that has been filed by [Archive.Done] or [Archive.Fail].
type Attempt struct {
	ID     string
	SHA256 string
	Path   string // Placed.Path of that call
	Beside string // Placed.Beside of that call
	// Tails are the ends of the names of its companions (.note.txt), which stand
	// beside it and go with it.
	Tails []string
}

const supersededDir = "superseded"

// Settle clears failed/ of an attempt once a later one succeeded, so that it
// holds only what a person must act on. The reason goes; the document, if a
// person did not take it away, goes to failed/superseded/. What another attempt
// has put there under the same names meanwhile stays, and so does an attempt
// whose paths are not in this failed_dir: the configuration was changed since.
// It may be repeated, and must be after an error.
func (a *Archive) Settle(ctx context.Context, e Attempt) error {
	d := Document{ID: e.ID, SHA256: e.SHA256}
	if !goodID.MatchString(e.ID) || !goodSHA.MatchString(e.SHA256) {
		return fmt.Errorf("settle document %q: its id or SHA-256 is not one", e.ID)
	}
	for _, path := range []string{e.Path, e.Beside} {
		if !below(path, a.opt.FailedDir) {
			return nil
		}
	}
	if err := ended(ctx); err != nil {
		return err
	}
	if err := a.reachable(); err != nil {
		return err
	}
	own, err := owned(e.Beside, &d, reasonOf)
	if err != nil {
		return a.wrap("read the earlier reason", e.Beside, err)
	}
	if !own && exists(e.Beside) {
		return nil // both names belong to another attempt now
	}
	for _, tail := range e.Tails {
		if err := a.supersedeFile(ctx, &d, e.Path+tail); err != nil {
			return a.wrap("move a companion of the earlier document", e.Path+tail, err)
		}
	}
	if err := a.supersede(ctx, &d, e.Path); err != nil {
		return a.wrap("move the earlier document", e.Path, err)
	}
	if !own {
		return nil
	}
	err = patiently(ctx, func() error { return ignoreMissing(os.Remove(e.Beside)) })
	if err != nil {
		return a.wrap("remove the earlier reason", e.Beside, err)
	}
	a.crash("archive.earlier-reason-gone")
	return a.wrap("sync the directory", a.opt.FailedDir, a.sys.syncDir(filepath.Dir(e.Beside)))
}

// supersede moves the earlier document away, if it is still there. A file of
// other bytes is not that document, whatever its name: it stays.
func (a *Archive) supersede(ctx context.Context, d *Document, path string) error {
	base := filepath.Join(a.opt.FailedDir, supersededDir)
	if below(path, base) {
		return nil
	}
	sum, err := hashFile(ctx, path)
	switch {
	case missing(err), errors.Is(err, errNotRegular), err == nil && sum != d.SHA256:
		return nil
	case err != nil:
		return err
	}
	return a.supersedeFile(ctx, d, path)
}

// supersedeFile moves a file of failed/ to where it would be below superseded/.
// One that is not there is no error.
func (a *Archive) supersedeFile(ctx context.Context, d *Document, path string) error {
	base := filepath.Join(a.opt.FailedDir, supersededDir)
	if below(path, base) || !exists(path) {
		return nil
	}
	rel, err := filepath.Rel(a.opt.FailedDir, path)
	if err != nil {
		return err
	}
	to := filepath.Dir(filepath.Join(base, rel))
	if err := a.makeDir(to); err != nil {
		return err
	}
	names := newNames(filepath.Base(path), d.SHA256)
	for k := range maxCounter {
		err = a.move(ctx, path, filepath.Join(to, names.at(k)), "reserved: "+ownMark(d))
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return ignoreMissing(err)
	}
	a.crash("archive.superseded")
	return errors.Join(a.sys.syncDir(to), a.sys.syncDir(filepath.Dir(path)))
}
