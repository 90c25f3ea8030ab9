package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Remove takes a document that Done has filed out of done/ for good: its
// companions, itself, its receipt, and then the directories of the day if they
// are empty. It is for documents that are older than people want to keep them.
//
// It reports whether nothing of the document is left there, be it because a
// person was quicker. What it can't prove to be that document stays: one without
// its receipt, or with other bytes than the receipt speaks of, or outside
// done_dir since the configuration was changed. That is no error.
//
// The receipt goes last, so that a call that was cut short can be repeated; so
// must one be that gave an error. Errors are *[Error], or the cause of ctx.
func (a *Archive) Remove(ctx context.Context, e Attempt) (gone bool, err error) {
	d := Document{ID: e.ID, SHA256: e.SHA256}
	if !goodID.MatchString(e.ID) || !goodSHA.MatchString(e.SHA256) {
		return false, fmt.Errorf("remove document %q: its id or SHA-256 is not one", e.ID)
	}
	for _, path := range []string{e.Path, e.Beside} {
		if !below(path, a.opt.DoneDir) {
			return false, nil
		}
	}
	if err := ended(ctx); err != nil {
		return false, err
	}
	if err := a.reachable(); err != nil {
		return false, err
	}
	own, err := owned(e.Beside, &d, receiptOf)
	if err != nil {
		return false, a.wrap("read the receipt", e.Beside, err)
	}
	if !own {
		if exists(e.Beside) || exists(e.Path) {
			return false, nil
		}
		a.removeEmpty(filepath.Dir(e.Path))
		return true, nil
	}
	sum, err := hashFile(ctx, e.Path)
	switch {
	case missing(err): // a person took it, or an earlier call did
	case errors.Is(err, errNotRegular), err == nil && sum != d.SHA256:
		return false, nil
	case err != nil:
		return false, a.wrap("check the document", e.Path, err)
	}
	for _, tail := range e.Tails {
		if err := a.removeFile(ctx, e.Path+tail); err != nil {
			return false, a.wrap("remove a companion", e.Path+tail, err)
		}
	}
	if err := a.removeFile(ctx, e.Path); err != nil {
		return false, a.wrap("remove the document", e.Path, err)
	}
	a.crash("archive.old-document-removed")
	if err := a.removeFile(ctx, e.Beside); err != nil {
		return false, a.wrap("remove the receipt", e.Beside, err)
	}
	a.crash("archive.old-receipt-removed")
	a.removeEmpty(filepath.Dir(e.Path))
	return true, nil
}

// removeFile waits for a scanner that holds the file. One that is not there is
// no error; a directory of that name stays.
func (a *Archive) removeFile(ctx context.Context, path string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil
	}
	return patiently(ctx, func() error { return ignoreMissing(os.Remove(path)) })
}

// removeEmpty removes a directory below done/ and those above it, as long as
// nothing is in them. Whatever keeps one is no harm.
func (a *Archive) removeEmpty(dir string) {
	for ; below(dir, a.opt.DoneDir); dir = filepath.Dir(dir) {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() || os.Remove(dir) != nil {
			return
		}
	}
}
