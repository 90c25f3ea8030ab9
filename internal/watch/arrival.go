package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What can keep an arrival from being read. Besides these, Open passes on fs.ErrNotExist and what the system reports; Explain puts it in words.
var (
	// ErrBusy means that another program still has the file open for writing.
	ErrBusy = errors.New("another program still has the file open")
	// ErrChanged means that the file is no longer the one that was offered. The folder will see and offer it anew.
	ErrChanged = errors.New("the file has changed since it was offered")
	// ErrNotRegular means that the name now belongs to a link, a folder, a pipe or a device.
	ErrNotRegular = errors.New("not an ordinary file")
)

// Arrival is a file that has settled.
type Arrival struct {
	// Folder is the configured name of the folder.
	Folder string
	// Path is the absolute path, for texts. Read the file through Open.
	Path string
	// Rel is the path below the folder, with slashes; the name for Folder.Forget. It holds whatever bytes the file system allows in names.
	Rel string
	// Size in bytes, and ModTime, as at the last look.
	Size    int64
	ModTime time.Time
	// Unchanged is how long the file has been the same, on our monotonic clock, as far as we have watched it.
	Unchanged time.Duration

	// Companions are the settled files that travel with it (put-17.xml.note.txt); theirs are empty.
	Companions []Arrival

	root string   // the watched folder
	id   identity // nothing where file numbers cannot be trusted
}

// Open opens the file for reading. It never follows a link, never waits for a pipe, and opens only an ordinary file that is still the one
// that was offered (else ErrNotRegular, ErrChanged). It fails with ErrBusy while another program has the file open for writing, as far as
// that can be found out: always on Windows and its shares; on Linux for local ext4, xfs, btrfs and tmpfs, where the account owns the file or
// has CAP_LEASE. On Windows others may rename and remove the file meanwhile. The caller closes it, soon. May be repeated.
func (a Arrival) Open() (*os.File, error) {
	f, err := a.open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a.Rel, err)
	}
	return f, nil
}

func (a Arrival) open() (*os.File, error) {
	dir, rel := a.root, filepath.FromSlash(a.Rel)
	if dir == "" { // an arrival made by hand
		dir, rel = filepath.Split(a.Path)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := openQuiet(root, rel)
	if err != nil {
		return nil, err
	}
	if err := a.compare(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Check says whether f, opened by Open, is still what was offered; ErrChanged if not. Call it after having read to the end: a file that was
// written to meanwhile must not be used.
func (a Arrival) Check(f *os.File) error {
	if err := a.compare(f); err != nil {
		return fmt.Errorf("check %s: %w", a.Rel, err)
	}
	return nil
}

func (a Arrival) compare(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	drift := info.ModTime().Sub(a.ModTime).Abs()
	if info.Size() != a.Size || drift > listingDrift {
		return ErrChanged
	}
	if !a.id.same(identify(info)) {
		return ErrChanged
	}
	return nil
}
