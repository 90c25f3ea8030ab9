package queue

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// SpoolName is the spool's folder in the data folder.
const SpoolName = "spool"

const (
	partSuffix = ".part" // written, but not known to be in the queue
	fullSuffix = ".xml"
)

// Spool keeps the bytes of the documents under way, one file each, on the
// local disk: they are what is delivered, whatever happens to the file in the
// watched folder meanwhile. After the bytes each file says whose they are, so
// that an item can be made again from it (trailer.go).
//
// A document is first a Draft with a name ending in .part. Only when the item
// that refers to it is in the queue is it renamed. So after a crash a .part
// without an item is an arrival that was never taken (its file is still in the
// watched folder) and may go, whereas a full file without an item means that
// the queue is older than the spool: [Open] makes its item again.
type Spool struct{ dir string }

// OpenSpool makes the spool's folder if needed.
func OpenSpool(dataDir string) (*Spool, error) {
	dir := filepath.Join(dataDir, SpoolName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := syncDir(dataDir); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Spool{dir: dir}, nil
}

// Draft is a document on its way into the spool. Write to it, Describe it, then
// seal it, add its item to the queue, then Keep it; Discard it on any failure.
type Draft struct {
	*os.File
	spool *Spool
	name  string
}

// NewDraft begins a file of a new, unique name.
func (s *Spool) NewDraft() (*Draft, error) {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	name := hex.EncodeToString(b[:])
	f, err := os.OpenFile(filepath.Join(s.dir, name+partSuffix), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write to spool: %w", err)
	}
	return &Draft{File: f, spool: s, name: name}, nil
}

// SealAll makes the bytes and the names of drafts durable, for little more than
// the price of one: the bytes are synced side by side, the names together. It
// returns an error, or nil, for each.
func (s *Spool) SealAll(drafts ...*Draft) []error {
	errs := make([]error, len(drafts))
	var wg sync.WaitGroup
	for i, d := range drafts {
		wg.Go(func() { errs[i] = errors.Join(d.Sync(), d.Close()) })
	}
	wg.Wait()
	names := syncDir(s.dir)
	for i := range errs {
		if err := errors.Join(errs[i], names); err != nil {
			errs[i] = fmt.Errorf("write to spool: %w", err)
		}
	}
	return errs
}

// Name is what Item.Spool is to hold.
func (d *Draft) Name() string { return d.name }

// Keep says that item id, which refers to the draft, is in the queue. A crash
// before it leaves a .part that [Spool.Recover] keeps. An error is no loss (on
// Windows the draft can't be renamed while the Worker reads it): [Spool.Open]
// finds the bytes under either name. The draft must not be discarded then.
func (d *Draft) Keep(id ID) error {
	err := os.Rename(filepath.Join(d.spool.dir, d.name+partSuffix), filepath.Join(d.spool.dir, fullName(id, d.name)))
	if err != nil {
		return fmt.Errorf("keep in spool: %w", err)
	}
	return nil
}

// fullName holds the item's number too, so that a file tells whose it is.
func fullName(id ID, name string) string { return id.String() + "-" + name + fullSuffix }

// Discard removes the draft; the item was not added.
func (d *Draft) Discard() {
	_ = d.Close() // closed already or about to go
	_ = os.Remove(filepath.Join(d.spool.dir, d.name+partSuffix))
}

// Content is the bytes of one document: exactly those that arrived.
type Content struct {
	*io.SectionReader
	file *os.File
}

// Close closes the spool file.
func (c *Content) Close() error { return c.file.Close() }

// Open opens the bytes of an item; Size of what it returns is their number. It
// may be called any number of times.
func (s *Spool) Open(it *Item) (*Content, error) {
	f, err := s.open(it)
	if err != nil {
		return nil, fmt.Errorf("read from spool: %w", err)
	}
	t, err := readTrailer(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read from spool: %w", err), f.Close())
	}
	return &Content{io.NewSectionReader(f, 0, t.length(it)), f}, nil
}

// open finds the file under either of its names.
func (s *Spool) open(it *Item) (*os.File, error) {
	full := filepath.Join(s.dir, fullName(it.ID, it.Spool))
	f, err := os.Open(full)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(filepath.Join(s.dir, it.Spool+partSuffix))
	}
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(full) // it was kept between the two looks
	}
	return f, err
}

// ErrNotThese says that bytes are not those of the item.
var ErrNotThese = errors.New("it does not hold the bytes that were taken")

// Missing reports whether the file with the item's bytes is gone.
func (s *Spool) Missing(it *Item) bool {
	f, err := s.open(it)
	if err == nil {
		_ = f.Close() // nothing was written to it
	}
	return errors.Is(err, fs.ErrNotExist)
}

// Restore makes an item's file again from its bytes. It returns an error that
// wraps [ErrNotThese] when they are others; nothing is left then. A crash before
// the end leaves a file that [Spool.Recover] tells of.
func (s *Spool) Restore(it *Item, from io.Reader) (err error) {
	path := filepath.Join(s.dir, it.Spool+".again")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	d := &Draft{File: f, spool: s, name: it.Spool}
	defer func() {
		_ = f.Close() // closed already or about to go
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(from, it.Source.Size+1)); err != nil {
		return fmt.Errorf("make the copy in the spool again: %w", err)
	}
	if hex.EncodeToString(hash.Sum(nil)) != it.SHA256 {
		return ErrNotThese
	}
	if err := d.Describe(*it); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	if err := os.Rename(path, filepath.Join(s.dir, fullName(it.ID, it.Spool))); err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	setMark(filepath.Dir(s.dir), it)
	return syncDir(s.dir)
}

// Remove takes away the bytes of an item that is filed. It may be repeated.
func (s *Spool) Remove(it *Item) error {
	for _, name := range it.spoolNames() {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove from spool: %w", err)
		}
	}
	return nil
}

// Recover brings the spool in line with the queue after a stop at any moment,
// before anything new is accepted. It returns the names of files that belong to
// no item and don't say whose they are; they are left where they are.
func (s *Spool) Recover(store *Store) (strays []string, err error) {
	open := map[string]string{} // name of a draft → what it is to be called
	err = store.Each(Filter{Open: true}, func(it Item) bool {
		open[it.Spool] = fullName(it.ID, it.Spool)
		for _, c := range it.Companions {
			if c.Spool != "" {
				open[c.Spool] = companionName(it.ID, c.Spool)
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	aside, err := store.SetAside()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("look through spool: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		name, number, part := parseName(e.Name())
		companion := false
		if name == "" {
			name, number, companion = parseCompanion(e.Name())
		}
		if want, wanted := open[name]; name != "" && wanted {
			if e.Name() != want {
				err = errors.Join(err, os.Rename(path, filepath.Join(s.dir, want)))
			}
			continue
		}
		it, getErr := store.Get(number)
		switch {
		case part && len(aside) == 0:
			err = errors.Join(err, os.Remove(path))
		case companion && getErr == nil && it.hasSpooled(name):
			err = errors.Join(err, os.Remove(path)) // its item is filed
		case part, name == "", getErr != nil, it.Spool != name: // with some aside it may be of an item that can't be read
			strays = append(strays, e.Name())
		default:
			err = errors.Join(err, os.Remove(path)) // its item is filed
		}
	}
	if err != nil {
		err = fmt.Errorf("recover spool: %w", err)
	}
	return strays, err
}

// parseName takes the name of a spool file apart. name is "" where it is none.
func parseName(file string) (name string, id ID, part bool) {
	if name, part := strings.CutSuffix(file, partSuffix); part {
		return name, 0, true
	}
	number, rest, _ := strings.Cut(file, "-")
	name, full := strings.CutSuffix(rest, fullSuffix)
	id, err := ParseID(number)
	if !full || err != nil {
		return "", 0, false
	}
	return name, id, false
}
