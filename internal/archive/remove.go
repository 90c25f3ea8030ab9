package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Old is a delivered document that is older than people want to keep it.
type Old struct {
	Attempt // Tails are not looked at
	// Companions are those that may go with it: with these bytes only.
	Companions []OldCompanion
	// Begun: an earlier call had come to Begin.
	Begun bool
	// Begin is called once it is certain that the document is to be removed,
	// before anything is. If it fails, nothing is removed.
	Begin func() error
}

// OldCompanion is a file that came with a document and stands beside it.
type OldCompanion struct {
	Tail   string // what comes behind the document's name in its own
	SHA256 string
}

// Remove takes a document that Done has filed out of done/ for good: itself, its
// companions, its receipt, and then the directories of the day if they are empty.
//
// What it can't prove to be that document stays, and that is no error: one
// without its receipt, with other bytes than the receipt speaks of, behind a
// link, or outside done_dir since the configuration was changed. It reports
// whether it, or an earlier call that had begun, has removed it.
//
// The receipt goes last, so that a call that was cut short can be repeated; so
// must one be that gave an error. Errors are *[Error], or the cause of ctx, or
// Begin's.
func (a *Archive) Remove(ctx context.Context, e Old) (removed bool, err error) {
	d := Document{ID: e.ID, SHA256: e.SHA256}
	if !goodID.MatchString(e.ID) || !goodSHA.MatchString(e.SHA256) {
		return false, fmt.Errorf("remove document %q: its id or SHA-256 is not one", e.ID)
	}
	if !below(e.Path, a.opt.DoneDir) || filepath.Dir(e.Beside) != filepath.Dir(e.Path) {
		return false, nil
	}
	if err := ended(ctx); err != nil {
		return false, err
	}
	if err := a.Reachable(); err != nil {
		return false, err
	}
	if plain, err := a.plainPath(filepath.Dir(e.Path)); err != nil {
		return false, a.wrap("look at the directory", filepath.Dir(e.Path), err)
	} else if !plain {
		return false, nil
	}
	switch proved, err := a.proveOld(ctx, &d, &e); {
	case err != nil:
		return false, err
	case !proved && e.Begun && vanished(e.Beside) && vanished(e.Path):
		if err := a.Reachable(); err != nil { // it went while we looked
			return false, err
		}
		a.removeEmpty(filepath.Dir(e.Path))
		return true, nil
	case !proved:
		return false, nil
	}
	if err := e.Begin(); err != nil {
		return false, err
	}
	return a.removeOld(ctx, &e)
}

// removeOld removes what was proved to be the document.
func (a *Archive) removeOld(ctx context.Context, e *Old) (bool, error) {
	dir := filepath.Dir(e.Path)
	if err := a.removeFile(ctx, e.Path); err != nil {
		return false, a.wrap("remove the document", e.Path, err)
	}
	a.crash("archive.old-document-removed")
	for _, c := range e.Companions {
		if err := a.removeCompanion(ctx, e, c); err != nil {
			return false, a.wrap("remove a companion", e.Path+c.Tail, err)
		}
	}
	// the receipt must not be gone from the disk before the rest is: it alone shows what is left to do
	if err := a.sys.syncDir(dir); err != nil {
		return false, a.wrap("sync the directory", dir, err)
	}
	if err := a.removeFile(ctx, e.Beside); err != nil {
		return false, a.wrap("remove the receipt", e.Beside, err)
	}
	a.crash("archive.old-receipt-removed")
	if err := a.sys.syncDir(dir); err != nil {
		return false, a.wrap("sync the directory", dir, err)
	}
	a.removeEmpty(dir)
	return true, nil
}

// proveOld reports whether the receipt is the document's own, and the document
// beside it, if a person has not taken it away, is the one delivered.
func (a *Archive) proveOld(ctx context.Context, d *Document, e *Old) (bool, error) {
	own, err := owned(e.Beside, d, receiptOf)
	if err != nil || !own {
		return false, a.wrap("read the receipt", e.Beside, err)
	}
	same, err := sameBytes(ctx, e.Path, d.SHA256)
	if missing(err) { // a person took it, or a call that was cut short did
		return true, nil
	}
	return same, a.wrap("check the document", e.Path, err)
}

// sameBytes reports whether path is an ordinary file with these bytes, and
// still was when they had been read.
func sameBytes(ctx context.Context, path, sha256 string) (bool, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	sum, err := hashFile(ctx, path)
	if errors.Is(err, errNotRegular) || err == nil && sum != sha256 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	after, err := os.Lstat(path)
	return err == nil && os.SameFile(before, after) && after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()), err
}

// removeCompanion removes a companion under the name it was given, whichever of
// the possible ones that was. What has other bytes by now is a person's work.
func (a *Archive) removeCompanion(ctx context.Context, e *Old, c OldCompanion) error {
	names := newNames(filepath.Base(e.Path)+c.Tail, e.SHA256)
	for k := range maxCounter {
		path := filepath.Join(filepath.Dir(e.Path), names.at(k))
		switch same, err := sameBytes(ctx, path, c.SHA256); {
		case missing(err):
			if k > 0 {
				return nil // no later one was given
			}
		case err != nil:
			return err
		case same:
			if err := a.removeFile(ctx, path); err != nil {
				return err
			}
			a.crash("archive.old-companion-removed")
			return nil
		}
	}
	return nil
}

// removeFile waits for a scanner that holds the file. One that is not there is
// no error.
func (a *Archive) removeFile(ctx context.Context, path string) error {
	return patiently(ctx, func() error { return ignoreMissing(os.Remove(path)) })
}

// plainPath reports whether the directories from done/ down to dir are ones, and
// no links to somewhere else.
func (a *Archive) plainPath(dir string) (bool, error) {
	rel, err := filepath.Rel(a.opt.DoneDir, dir)
	if err != nil || rel == "." {
		return err == nil, nil
	}
	at := a.opt.DoneDir
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		at = filepath.Join(at, part)
		switch info, err := os.Lstat(at); {
		case missing(err):
			return true, nil // nothing is there, which is found out about elsewhere
		case err != nil:
			return false, err
		case !info.IsDir():
			return false, nil
		}
	}
	return true, nil
}

// removeEmpty removes a directory below done/ and those above it, as long as
// nothing is in them. Whatever keeps one is no harm.
func (a *Archive) removeEmpty(dir string) {
	for ; below(dir, a.opt.DoneDir); dir = filepath.Dir(dir) {
		if err := syscall.Rmdir(dir); err != nil && !missing(err) {
			return
		}
	}
}

// vanished reports whether a name is certainly free.
func vanished(path string) bool {
	_, err := os.Lstat(path)
	return missing(err)
}

// Reachable fails unless the watched folder and done/ are there. Its error is an *[Error].
func (a *Archive) Reachable() error {
	if err := a.reachable(); err != nil {
		return err
	}
	info, err := os.Stat(a.opt.DoneDir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		e := a.fault("find done_dir", a.opt.DoneDir, err)
		e.Kind, e.Hint = Gone, a.hint(Gone)
		return e
	}
	return nil
}
