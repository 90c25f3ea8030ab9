package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// filing is one document on its way into its place. Its steps are in run, and
// in the package comment.
type filing struct {
	a          *Archive
	doc        Document
	dir        string // where the document goes
	source     string // where the original is, or was
	mark       string // what a name is reserved with, where that is needed
	suffix     string // of the receipt or reason
	text       []byte // of the same
	owned      func(text []byte, d *Document) bool
	companions []string
	names      names

	placed  Placed
	again   bool // something hints that an earlier call was cut short, or done
	touched bool // a name went from the original's directory
}

func (a *Archive) filing(d Document, base string) *filing {
	rel := filepath.FromSlash(d.Rel)
	return &filing{
		a:      a,
		doc:    d,
		dir:    filepath.Join(base, filepath.Dir(rel)),
		source: filepath.Join(a.opt.Path, rel),
		mark:   "reserved: " + ownMark(&d),
		names:  newNames(filepath.Base(rel), d.SHA256),
	}
}

// ownMark is a line that no other document has.
func ownMark(d *Document) string { return fmt.Sprintf("brodaemon %s sha256:%s", d.ID, d.SHA256) }

// temp is the document's temporary name of this kind, in the directory dir.
func (f *filing) temp(dir, kind string) string {
	return filepath.Join(dir, fmt.Sprintf(".brodaemon-%s-%s.%s", f.doc.ID, f.doc.SHA256[:8], kind))
}

func (f *filing) named(name string) string  { return filepath.Join(f.dir, name) }
func (f *filing) beside(name string) string { return filepath.Join(f.dir, name+f.suffix) }

func (f *filing) run(ctx context.Context) (Placed, error) {
	if err := f.a.reachable(); err != nil {
		return Placed{}, err
	}
	state, err := f.look()
	if err != nil {
		return Placed{}, err
	}
	own, err := f.earlier(state)
	if err != nil {
		return Placed{}, err
	}
	if own != "" {
		if whole, err := f.holds(ctx, own); err != nil || whole {
			return f.finish(ctx, own, err)
		}
	} else if err := f.writeBeside(); err != nil {
		return Placed{}, err
	}
	staged, err := f.stage(ctx, state)
	if err != nil {
		return Placed{}, err
	}
	ctx = context.WithoutCancel(ctx)
	name, err := f.name(ctx, own, staged)
	return f.finish(ctx, name, err)
}

// original is what stands where the document came from, as far as size and time tell.
type original int

const (
	asDelivered original = iota
	retimed              // the same size; only the bytes can tell
	changed
	gone
)

func (f *filing) look() (original, error) {
	fi, err := os.Lstat(f.source)
	switch {
	case missing(err):
		return gone, f.a.reachable() // not because the whole folder went just now
	case err != nil:
		return 0, f.a.wrap("look at the original", f.source, err)
	case !fi.Mode().IsRegular() || fi.Size() != f.doc.Size:
		return changed, nil
	case !fi.ModTime().Equal(f.doc.ModTime):
		return retimed, nil
	default:
		return asDelivered, nil
	}
}

// earlier returns the name an earlier call of the same filing has claimed, or "".
func (f *filing) earlier(state original) (string, error) {
	for k := range 2 {
		name := f.names.at(k)
		if own, err := f.owns(name); err != nil || own {
			f.again = true
			return name, err
		}
	}
	// Higher counters are rare, and to look at them all takes time. That is only
	// needed if something hints that this is not the first call.
	f.again = state != asDelivered || exists(f.temp(f.dir, "moved")) || exists(f.temp(f.dir, "copy"))
	if !f.again {
		return "", nil
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil && !missing(err) {
		return "", f.a.wrap("look for earlier work", f.dir, err)
	}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), f.suffix)
		if !ok || !f.names.has(name) {
			continue
		}
		if own, err := f.owns(name); err != nil || own {
			return name, err
		}
	}
	return "", nil
}

// owns reports whether the receipt or reason of this name is this document's.
func (f *filing) owns(name string) (bool, error) {
	own, err := owned(f.beside(name), &f.doc, f.owned)
	return own, f.a.wrap("look for earlier work", f.beside(name), err)
}

// maxBeside bounds what is read of a file that may not be ours, in bytes.
const maxBeside = 8 << 20

func owned(path string, d *Document, is func([]byte, *Document) bool) (bool, error) {
	fi, err := os.Lstat(path)
	if missing(err) || nameTooLong(err) {
		return false, nil
	}
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxBeside {
		return false, err
	}
	text, err := os.ReadFile(path)
	if missing(err) || errors.Is(err, fs.ErrPermission) {
		return false, nil // ours could be read
	}
	return err == nil && is(text, d), err
}

// holds reports whether the document of this name has the bytes delivered.
func (f *filing) holds(ctx context.Context, name string) (bool, error) {
	sum, err := hashFile(ctx, f.named(name))
	if missing(err) || errors.Is(err, errNotRegular) {
		return false, nil
	}
	return sum == f.doc.SHA256, f.a.wrap("check the document", f.named(name), err)
}

// writeBeside writes the receipt or reason under its temporary name. It comes
// first, so that a full disk shows before anything is moved.
func (f *filing) writeBeside() error {
	to := f.temp(f.dir, "tmp")
	if err := f.a.writeNew(to, f.text); err != nil {
		return f.a.wrap("write the "+f.what(), to, err)
	}
	f.a.crash("archive.receipt-written")
	return nil
}

func (f *filing) what() string {
	if f.suffix == receiptSuffix {
		return "receipt"
	}
	return "reason"
}

// stage brings the document under a temporary name in its directory, with the
// bytes delivered, and returns that name.
func (f *filing) stage(ctx context.Context, state original) (string, error) {
	moved, copied := f.temp(f.dir, "moved"), f.temp(f.dir, "copy")
	left, err := f.takeOriginal(ctx, state, moved)
	if err != nil || left == "" {
		return moved, err
	}
	f.placed.FromSpool = true
	f.placed.SourceLeft = left
	if err := f.copySpool(ctx, copied); err != nil {
		return "", f.a.wrap("copy the document from the spool", copied, err)
	}
	f.a.crash("archive.copied")
	if left == leftOtherVolume {
		f.placed.SourceLeft, err = f.removeOriginal(ctx)
	}
	return copied, err
}

// takeOriginal renames the original to moved if it is the document delivered,
// and else says why not.
func (f *filing) takeOriginal(ctx context.Context, state original, moved string) (Left, error) {
	if exists(moved) { // an earlier call got here
		f.dropSecondName(moved)
	} else if left, err := f.moveOriginal(ctx, state, moved); left != "" || err != nil {
		return left, err
	}
	return f.verify(context.WithoutCancel(ctx), moved)
}

// dropSecondName ends a renaming that was cut short between the two halves of
// linkNoReplace.
func (f *filing) dropSecondName(moved string) {
	one, err1 := os.Lstat(f.source)
	two, err2 := os.Lstat(moved)
	if err1 == nil && err2 == nil && os.SameFile(one, two) {
		_ = os.Remove(f.source) // if it stays, it is refused as a duplicate
	}
}

func (f *filing) moveOriginal(ctx context.Context, state original, moved string) (Left, error) {
	if err := ended(ctx); err != nil {
		return "", err
	}
	switch {
	case state == changed:
		return LeftChanged, nil
	case state == gone && exists(f.temp(filepath.Dir(f.source), "moved")):
		return leftOtherVolume, nil // an earlier call was about to remove it
	case state == gone:
		return LeftGone, nil
	case state == retimed:
		if left, err := f.compare(ctx, f.source); left != "" || err != nil {
			return left, err
		}
	}
	err := f.a.move(ctx, f.source, moved, "")
	switch {
	case err == nil:
		f.a.crash("archive.moved")
		return "", nil
	case otherVolume(err):
		return leftOtherVolume, nil
	case missing(err):
		if now, lookErr := f.look(); lookErr == nil && now == gone {
			return LeftGone, nil
		}
	}
	return "", f.a.wrap("move the document", f.source, err)
}

// compare says whether the file has the bytes delivered (""), and else why not.
func (f *filing) compare(ctx context.Context, file string) (Left, error) {
	sum, err := hashFile(ctx, file)
	switch {
	case err == nil && sum == f.doc.SHA256:
		return "", nil
	case err == nil, errors.Is(err, errNotRegular):
		return LeftChanged, nil
	case missing(err):
		return LeftGone, nil
	case errors.Is(err, fs.ErrPermission):
		return LeftUnreadable, nil
	default: // the share may be in trouble: that says nothing of the file
		return "", f.a.wrap("read the document", file, err)
	}
}

// verify looks at the original now that nobody else can reach it. If it is not
// the document delivered, it goes back to where it was.
func (f *filing) verify(ctx context.Context, taken string) (Left, error) {
	f.touched = true
	left, err := f.compare(ctx, taken)
	if left == "" || err != nil {
		return left, err
	}
	if err := f.putBack(ctx, taken); err != nil {
		return left, f.a.wrap("put the changed file back", taken, err)
	}
	f.a.crash("archive.put-back")
	return left, nil
}

// putBack gives a taken file its old name, or if that is taken meanwhile, one
// with digits of its own.
func (f *filing) putBack(ctx context.Context, taken string) error {
	digits := f.doc.SHA256
	if sum, err := hashFile(ctx, taken); err == nil {
		digits = sum
	}
	dir := filepath.Dir(f.source)
	if err := f.a.makeDir(dir); err != nil {
		return err
	}
	names := newNames(filepath.Base(f.source), digits)
	to := f.source
	for k := 1; ; k++ {
		err := f.a.move(ctx, taken, to, f.mark)
		if err == nil {
			f.placed.PutBack = to
			return nil
		}
		if !errors.Is(err, fs.ErrExist) || k > maxCounter {
			return err
		}
		to = filepath.Join(dir, names.at(k))
	}
}

// copySpool writes the bytes delivered to a temporary name, with the time stamp
// of the original.
func (f *filing) copySpool(ctx context.Context, to string) error {
	if sum, err := hashFile(ctx, to); err != nil || sum != f.doc.SHA256 {
		// not there, or cut short in an earlier call
		if err := os.Remove(to); err != nil && !missing(err) {
			return err
		}
		if err := f.writeCopy(ctx, to); err != nil {
			return errors.Join(err, ignoreMissing(os.Remove(to)))
		}
	}
	// The time comes after the closing, for Windows would set it again, and
	// before the sync, which makes both last.
	if !f.doc.ModTime.IsZero() {
		if err := os.Chtimes(to, time.Time{}, f.doc.ModTime); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.a.sys.syncFile(file), file.Close())
}

func (f *filing) writeCopy(ctx context.Context, to string) error {
	spool, err := f.doc.Spool()
	if err != nil {
		return fmt.Errorf("%w: %w", errSpoolDamaged, err)
	}
	defer spool.Close()
	file, err := f.a.create(to)
	if err != nil {
		return err
	}
	sum, err := copyHashed(writer{f.a, file}, &stoppable{ctx, spool})
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if sum != f.doc.SHA256 {
		return fmt.Errorf("%w: its SHA-256 is %s", errSpoolDamaged, sum)
	}
	return nil
}

func ignoreMissing(err error) error {
	if missing(err) {
		return nil
	}
	return err
}

// removeOriginal is for an original on another volume, once its copy is on
// disk. It is taken aside before it is looked at, for the same reason that it
// is looked at only after a move.
func (f *filing) removeOriginal(ctx context.Context) (Left, error) {
	taken := f.temp(filepath.Dir(f.source), "moved")
	if !exists(taken) {
		err := f.a.move(ctx, f.source, taken, "")
		if missing(err) {
			return LeftGone, nil
		}
		if err != nil {
			return "", f.a.wrap("move the document", f.source, err)
		}
		f.a.crash("archive.original-taken")
	}
	left, err := f.verify(context.WithoutCancel(ctx), taken)
	if left != "" || err != nil {
		return left, err
	}
	if err := f.a.sys.syncDir(f.dir); err != nil {
		return "", f.a.wrap("sync the directory", f.dir, err)
	}
	if err := os.Remove(taken); err != nil {
		return "", f.a.wrap("remove the copied document", taken, err)
	}
	f.a.crash("archive.original-removed")
	return "", nil
}

// maxCounter bounds the search for a free name.
const maxCounter = 1 << 20

// name gives the receipt and then the document the first name that is free for
// both, and returns it. own is the name that is claimed already, or "".
func (f *filing) name(ctx context.Context, own, staged string) (string, error) {
	receipt := f.temp(f.dir, "tmp")
	if own != "" {
		receipt = f.beside(own)
		if err := f.nameDocument(ctx, staged, own); err == nil || !errors.Is(err, fs.ErrExist) {
			return own, f.a.wrap("name the document", f.named(own), err)
		}
	}
	for k := f.free(0); k < maxCounter; k = f.free(k + 1) {
		name := f.names.at(k)
		err := f.a.move(ctx, receipt, f.beside(name), f.mark)
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case nameTooLong(err) && f.names.limit != shortLimit:
			f.names, k = f.names.short(), -1
			continue
		case err != nil:
			return "", f.a.wrap("name the "+f.what(), f.beside(name), err)
		}
		receipt = f.beside(name)
		f.a.crash("archive.receipt-named")
		if err := f.nameDocument(ctx, staged, name); err == nil || !errors.Is(err, fs.ErrExist) {
			return name, f.a.wrap("name the document", f.named(name), err)
		}
	}
	return "", f.a.wrap("name the document", f.named(f.names.at(0)), fmt.Errorf("more than %d files have this name", maxCounter))
}

func (f *filing) nameDocument(ctx context.Context, staged, name string) error {
	err := f.a.move(ctx, staged, f.named(name), f.mark)
	if err == nil {
		f.a.crash("archive.document-named")
	}
	return err
}

// free returns the first k from k on whose name looks free. Beyond the first
// two it goes in growing steps and then halves, since an office may save the
// same file every night for years.
func (f *filing) free(k int) int {
	for ; k < 2; k++ {
		if !f.taken(k) {
			return k
		}
	}
	low, high := k-1, k // low is taken
	for high < maxCounter && f.taken(high) {
		low, high = high, high+2*(high-low)
	}
	for high-low > 1 {
		if middle := (low + high) / 2; f.taken(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// taken reports whether a document or a receipt of that name is there, other
// than a reservation of our own.
func (f *filing) taken(k int) bool {
	for _, file := range []string{f.named(f.names.at(k)), f.beside(f.names.at(k))} {
		if exists(file) && !contains(file, f.mark) {
			return true
		}
	}
	return false
}

// finish makes the names last and clears away what an earlier call left. err is
// that of the step before.
func (f *filing) finish(ctx context.Context, name string, err error) (Placed, error) {
	if err != nil {
		return Placed{}, err
	}
	if f.again {
		if err := f.clear(ctx); err != nil {
			return Placed{}, err
		}
	}
	if err := f.a.sys.syncDir(f.dir); err != nil {
		return Placed{}, f.a.wrap("sync the directory", f.dir, err)
	}
	f.a.crash("archive.target-synced")
	if from := filepath.Dir(f.source); f.touched || f.again {
		if err := f.a.sys.syncDir(from); err != nil && !missing(err) {
			return Placed{}, f.a.wrap("sync the directory", from, err)
		}
		f.a.crash("archive.synced")
	}
	f.placed.Path, f.placed.Beside = f.named(name), f.beside(name)
	err = f.moveCompanions(ctx, name)
	return f.placed, err
}

// clear removes temporary files of calls that were cut short, once the document
// is safe without them. A file taken by such a call that has other bytes goes back.
func (f *filing) clear(ctx context.Context) error {
	for _, kind := range []string{"tmp", "copy"} {
		if err := os.Remove(f.temp(f.dir, kind)); err != nil && !missing(err) {
			return f.a.wrap("remove a temporary file", f.temp(f.dir, kind), err)
		}
	}
	for _, dir := range []string{f.dir, filepath.Dir(f.source)} {
		taken := f.temp(dir, "moved")
		if !exists(taken) {
			continue
		}
		if left, err := f.verify(ctx, taken); left != "" || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := f.a.sys.syncDir(f.dir); err != nil {
			return f.a.wrap("sync the directory", f.dir, err)
		}
		if err := os.Remove(taken); err != nil {
			return f.a.wrap("remove a temporary file", taken, err)
		}
	}
	return nil
}

// moveCompanions brings the files that came with the document to stand beside it.
func (f *filing) moveCompanions(ctx context.Context, name string) error {
	for _, rel := range f.companions {
		from := filepath.Join(f.a.opt.Path, filepath.FromSlash(rel))
		tail := path.Base(rel)[len(path.Base(f.doc.Rel)):]
		names := newNames(name+tail, f.doc.SHA256)
		for k := 0; k < maxCounter; k++ {
			err := f.a.move(ctx, from, f.named(names.at(k)), f.mark)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if otherVolume(err) {
				f.placed.CompanionsLeft = append(f.placed.CompanionsLeft, rel)
			} else if err == nil {
				f.a.crash("archive.companion-moved")
			} else if !missing(err) {
				return f.a.wrap("move a companion file", from, err)
			}
			break
		}
	}
	return nil
}
