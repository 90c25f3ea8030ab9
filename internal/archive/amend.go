package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Amend changes the receipt of a document that Done has filed: beside is its
// path, as [Placed] gave it. The new text replaces the old one whole, in one
// step: a crash leaves the one or the other. A receipt that is no longer there,
// that is another document's, or that lies outside done_dir since the
// configuration was changed, is left alone, and that is no error.
//
// After an error call it again; it may be repeated at any time. Errors are
// *[Error], or the cause of ctx.
func (a *Archive) Amend(ctx context.Context, d Document, beside string, change func(*Receipt)) error {
	if !goodID.MatchString(d.ID) || !goodSHA.MatchString(d.SHA256) {
		return fmt.Errorf("amend the receipt of document %q: its id or SHA-256 is not one", d.ID)
	}
	if !below(beside, a.opt.DoneDir) {
		return nil
	}
	if err := ended(ctx); err != nil {
		return err
	}
	if err := a.reachable(); err != nil {
		return err
	}
	own, err := owned(beside, &d, receiptOf)
	if err != nil || !own {
		return a.wrap("read the receipt", beside, err)
	}
	text, err := os.ReadFile(beside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a person was quicker
	}
	if err != nil {
		return a.wrap("read the receipt", beside, err)
	}
	var r Receipt
	if err := json.Unmarshal(text, &r); err != nil {
		return nil // not as we wrote it: a person's work, which is not ours to replace
	}
	change(&r)
	if text, err = r.Encode(); err != nil {
		return fmt.Errorf("write the receipt of %q: %w", r.File, err)
	}
	dir := filepath.Dir(beside)
	// the same name at each try, so that what a crash leaves is used up by the next
	temp := filepath.Join(dir, fmt.Sprintf(".brodaemon-%s-%s.amend", d.ID, d.SHA256[:8]))
	if err := a.writeNew(temp, text); err != nil {
		return a.wrap("write the receipt", temp, err)
	}
	a.crash("archive.amend-written")
	err = patiently(ctx, func() error { return os.Rename(temp, beside) })
	if err != nil {
		return errors.Join(a.wrap("replace the receipt", beside, err), ignoreMissing(os.Remove(temp)))
	}
	a.crash("archive.amended")
	return a.wrap("sync the directory", dir, a.sys.syncDir(dir))
}
