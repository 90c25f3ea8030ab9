package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"
)

// documents is how many filledFile holds.
const documents = 40

// filledFile is a queue file with enough documents for many pages of every kind.
func filledFile(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range documents {
		it := add(t, s, Added, arrival(fileName(i), about(fmt.Sprint("GLD", i/4))))
		if i%3 == 0 {
			apply(t, s, it.ID, way(Submitted)...)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeQueue(t *testing.T, dir string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantUnchanged(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file was changed: %d bytes, were %d (%v)", len(got), len(want), err)
	}
}

// A file that is no whole queue is refused, is left as it was, and can be
// opened again by the same process once it was mended.
func TestOpenDamaged(t *testing.T) {
	whole := filledFile(t)
	page := os.Getpagesize()
	zeroed := func(pages ...int) []byte {
		data := bytes.Clone(whole)
		for _, p := range pages {
			clear(data[p*page : (p+1)*page])
		}
		return data
	}
	foreign := func(build func(tx *bolt.Tx) error) []byte {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(build), db.Close()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	lacks := func(name []byte) []byte {
		return foreign(func(tx *bolt.Tx) error {
			for _, b := range allBuckets {
				if _, err := tx.CreateBucket(b); err != nil {
					return err
				}
			}
			return errors.Join(tx.Bucket(bucketMeta).Put(keySchema, schemaVersion), tx.DeleteBucket(name))
		})
	}
	for _, tc := range []struct {
		name string
		data []byte
	}{
		{"empty", nil},
		{"one byte", []byte("x")},
		{"a line of text", []byte("this is no queue\n")},
		{"more than a page of text", bytes.Repeat([]byte("this is no queue\n"), 400)},
		{"much text", bytes.Repeat([]byte("this is no queue\n"), 20_000)},
		{"zeros", make([]byte, 64<<10)},
		{"cut to half", whole[:len(whole)/2]},
		{"cut to half a page", whole[:page/2]},
		{"cut to one page", whole[:page]},
		{"cut to two pages", whole[:2*page]},
		{"cut to three pages", whole[:3*page]},
		{"cut within a page", whole[:len(whole)/2+100]},
		{"both first pages zeroed", zeroed(0, 1)},
		{"all but the first pages zeroed", append(bytes.Clone(whole[:2*page]), make([]byte, len(whole)-2*page)...)},
		{"another program's", foreign(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("mail")); return err })},
		{"no items", lacks(bucketItems)},
		{"no index of bytes", lacks(bucketSHA)},
		{"no meta", lacks(bucketMeta)},
	} {
		for _, readOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,readOnly=%t", tc.name, readOnly), func(t *testing.T) {
				dir := t.TempDir()
				path := writeQueue(t, dir, tc.data)
				s, err := Open(dir, Options{ReadOnly: readOnly})
				if err == nil {
					_ = s.Close()
				}
				if !errors.Is(err, ErrDamaged) {
					t.Fatalf("got %v, want ErrDamaged", err)
				}
				if !strings.HasPrefix(err.Error(), "open queue ") || !strings.Contains(err.Error(), path) {
					t.Errorf("%q does not say what was opened", err)
				}
				wantUnchanged(t, path, tc.data)

				writeQueue(t, dir, whole) // mended in place: whatever lock was left would be on this very file
				s = openAt(t, dir, Options{Timeout: 100 * time.Millisecond})
				if n := len(list(t, s, Filter{})); n != documents {
					t.Errorf("%d documents after mending, want %d", n, documents)
				}
			})
		}
	}
}

// Whichever page is lost, nothing panics: Open says it, or what reads or writes
// that page does.
func TestOpenWithAnyPageLost(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("WINDOWS: a panic of bbolt leaves the file mapped until the program ends, so that it can't be written to or removed here")
	}
	whole := filledFile(t)
	page := os.Getpagesize()
	refused, worked := 0, 0
	for p := range len(whole) / page {
		if empty := make([]byte, page); bytes.Equal(whole[p*page:(p+1)*page], empty) {
			continue // never used
		}
		for name, spoil := range map[string]func([]byte){
			"zeroed": func(b []byte) { clear(b) },
			"noise": func(b []byte) {
				for i := range b {
					b[i] = byte(i*7 + p)
				}
			},
		} {
			if p < 2 && name == "noise" {
				continue // the same as zeroed: its checksum fails
			}
			dir := t.TempDir()
			data := bytes.Clone(whole)
			spoil(data[p*page : (p+1)*page])
			path := writeQueue(t, dir, data)
			s, err := Open(dir, Options{Timeout: 100 * time.Millisecond})
			if err != nil {
				refused++
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("page %d %s: %v, want ErrDamaged", p, name, err)
				}
				wantUnchanged(t, path, data)
				// bbolt panics on some of these while it holds the file: that must not lock it for ever
				writeQueue(t, dir, whole)
				if s, err = Open(dir, Options{Timeout: 100 * time.Millisecond}); err != nil {
					t.Errorf("page %d %s: after mending: %v", p, name, err)
				} else if err := s.Close(); err != nil {
					t.Error(err)
				}
				continue
			}
			worked++
			use(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("page %d %s: close: %v", p, name, err)
			}
		}
	}
	if refused == 0 || worked == 0 {
		t.Errorf("%d refused, %d worked: this test proves nothing", refused, worked)
	}
}

// use calls everything, on a queue that may be damaged. It only must not panic,
// and fail in no other way than damaged.
func use(t *testing.T, s *Store) {
	t.Helper()
	judge := func(err error) {
		t.Helper()
		var te *TransitionError
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotFound) && !errors.As(err, &te) && !strings.Contains(err.Error(), "read stored item") {
			t.Errorf("got %v", err)
		}
	}
	for id := ID(1); id <= documents; id += 7 {
		_, err := s.Get(id)
		judge(err)
		_, err = s.Apply(id, Retry(t0, t0, "s", "k", "w"))
		judge(err)
		_, err = s.Apply(id, Refused(t0, Report{}))
		judge(err)
		_, _, err = s.BySource(home, fileName(int(id)))
		judge(err)
	}
	for i := range 3 {
		_, _, err := s.addOne(t0, arrival(fmt.Sprint("new", i), about("GLD3")), stays)
		judge(err)
	}
	_, err := s.List(Filter{})
	judge(err)
	for _, lane := range []Lane{LaneFile, LaneFollow, LaneAdvance} {
		_, _, err = s.Due(home, lane, t0, 100, nil)
		judge(err)
	}
	_, err = s.Counts()
	judge(err)
	_ = s.Check()
}

// One of the two first pages may be lost: bbolt writes them in turn for that.
func TestOpenWithOneMetaPage(t *testing.T) {
	whole := filledFile(t)
	page := os.Getpagesize()
	for p := range 2 {
		dir := t.TempDir()
		data := bytes.Clone(whole)
		clear(data[p*page : (p+1)*page])
		writeQueue(t, dir, data)
		s := openAt(t, dir)
		if n := len(list(t, s, Filter{})); n < documents-1 { // the last commit may be the one that is lost
			t.Errorf("%d documents, want %d", n, documents)
		}
	}
}

func TestOpenOtherVersion(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keySchema, []byte("99")) }), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		_, err = Open(dir, Options{ReadOnly: readOnly})
		if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), `"99"`) {
			t.Errorf("got %v, want it to name the version, and not to call it damaged", err)
		}
		wantUnchanged(t, path, before)
	}
}

// What the very first start may leave when it is stopped on its way.
func TestOpenHalfMade(t *testing.T) {
	dir := t.TempDir()
	db, err := bolt.Open(filepath.Join(dir, FileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{ReadOnly: true}); !errors.Is(err, ErrDamaged) {
		t.Errorf("for reading only: %v, want ErrDamaged", err)
	}
	s := openAt(t, dir)
	add(t, s, Added, arrival("a.xml"))
}

func TestOpenMissing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		t.Errorf("for reading only: got %v, want that it does not exist", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("opening for reading only made %v", entries)
	}
	if _, err := Open(filepath.Join(dir, "no", "such", "folder"), Options{}); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		t.Errorf("without a folder: got %v, want that it does not exist", err)
	}
	if err := os.Mkdir(filepath.Join(dir, FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("with a folder in its place: got %v", err)
	}
}

// While one has it open for writing nobody else gets it, and is told so in time.
func TestOpenLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := openAt(t, dir)
		add(t, s, Added, arrival("a.xml"))
		for _, o := range []Options{{Timeout: 3 * time.Second}, {Timeout: 3 * time.Second, ReadOnly: true}, {}} {
			limit := o.Timeout
			if limit == 0 {
				limit = time.Second
			}
			start := time.Now()
			_, err := Open(dir, o)
			if !errors.Is(err, ErrLocked) || errors.Is(err, ErrDamaged) {
				t.Errorf("%+v: got %v, want ErrLocked", o, err)
			}
			if took := time.Since(start); took > limit || took < limit/2 {
				t.Errorf("%+v: it took %s, want at most %s, and some patience", o, took, limit)
			}
		}
		add(t, s, Added, arrival("b.xml")) // the one that has it is not disturbed

		// who lets go in time is waited for
		done := make(chan error)
		go func() {
			time.Sleep(time.Second)
			done <- s.Close()
		}()
		other, err := Open(dir, Options{Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := len(list(t, other, Filter{})); n != 2 {
			t.Errorf("%d documents, want 2", n)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenReadOnly(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	it := add(t, s, Added, arrival("a.xml"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	first := openAt(t, dir, Options{ReadOnly: true})
	second := openAt(t, dir, Options{ReadOnly: true}) // two may look at once
	for _, s := range []*Store{first, second} {
		if got := list(t, s, Filter{}); len(got) != 1 || got[0].ID != it.ID {
			t.Errorf("listed %v", names(got))
		}
		_, applyErr := s.Apply(it.ID, DocumentValid(t0, nil))
		_, _, addErr := s.addOne(t0, arrival("b.xml"), nil)
		for _, err := range []error{applyErr, addErr, s.Ready(), s.RememberFolder(home, FolderMemory{})} {
			if err == nil || errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "reading only") {
				t.Errorf("a change got %v, want that it is open for reading only", err)
			}
		}
	}
	wantUnchanged(t, filepath.Join(dir, FileName), before)
}

// One bad item never stops the rest: it is set aside, and what it was known by
// goes on keeping a second delivery away, since it may have been the first.
func TestBadItemIsSetAside(t *testing.T) {
	const torn = `{"id":"2","state":"subm`
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	head := add(t, s, Added, arrival("a.xml", about("GLD1")))
	bad := add(t, s, Added, arrival("b.xml", about("GLD2")))
	behind := add(t, s, Added, arrival("c.xml", about("GLD2")))
	last := add(t, s, Added, arrival("d.xml", about("GLD2")))
	badNew := add(t, s, Added, arrival("e.xml", newObject("content-1", "put-17")))
	ended := add(t, s, Added, arrival("f.xml"))
	apply(t, s, ended.ID, filed(Delivered)...)
	overwrite(t, s, bad.ID, torn)
	overwrite(t, s, badNew.ID, `{"id":"99","state":"queued"}`) // another's number
	overwrite(t, s, ended.ID, `null`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = openAt(t, dir) // and is sound afterwards, which is checked at the end
	wantSound(t, s)
	aside, err := s.SetAside()
	if err != nil || len(aside) != 2 || string(aside[bad.ID]) != torn { // the ledger has the one that ended
		t.Fatalf("set aside: %q, %v", aside, err)
	}
	if got := names(list(t, s, Filter{})); len(got) != 4 {
		t.Errorf("left are %v, want three and the one of the ledger", got)
	}
	if _, err := s.Get(bad.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the bad item: %v, want ErrNotFound", err)
	}
	counts, err := s.Counts()
	if want := fmt.Sprint([]Count{{home, Delivered, "", true, 1}, {home, Queued, "", false, 2}, {home, Queued, HoldPerson, false, 1}}); err != nil || fmt.Sprint(counts) != want {
		t.Errorf("counts %v, %v; want %s", counts, err, want)
	}
	if it, found, err := s.BySource(home, "b.xml"); found || err != nil {
		t.Errorf("the bad item's file is %s's, %v", it.ID, err)
	}

	// the one behind it waits for a person, since nobody knows whether its turn has come
	got, err := s.Get(behind.ID)
	if err != nil || got.Hold != HoldPerson || !strings.Contains(got.HoldReason, "document "+bad.ID.String()) {
		t.Errorf("the one behind it: hold %q (%s), %v", got.Hold, got.HoldReason, err)
	}
	wantDue(t, s, LaneAdvance, t0, head.ID)
	apply(t, s, behind.ID, Released(t0))
	wantDue(t, s, LaneAdvance, t0, head.ID, behind.ID)
	apply(t, s, behind.ID, way(Rejected)...)
	wantDue(t, s, LaneAdvance, t0, head.ID, last.ID)

	for name, a := range map[string]Item{
		"same file":            arrival("b.xml"),
		"same bytes elsewhere": arrival("copy.xml", bytesOf("b.xml")),
		"same content":         arrival("g.xml", newObject("content-1", "x")),
		"same object":          arrival("h.xml", newObject("content-2", "put-17")),
		"was delivered":        arrival("i.xml", bytesOf("f.xml")),
	} {
		it, verdict, err := s.addOne(t0, a, stays)
		if err != nil || verdict == Added {
			t.Errorf("%s: %s, %v; want it kept back", name, verdict, err)
		}
		if verdict == AddedHeld && (it.Hold != HoldDuplicate || it.DuplicateOf == 0) {
			t.Errorf("%s: hold %q (%s), duplicate of %s", name, it.Hold, it.HoldReason, it.DuplicateOf)
		}
	}
	s = reopen(t, s)
	if aside, _ := s.SetAside(); len(aside) != 2 {
		t.Errorf("after another start %d are set aside", len(aside))
	}
	add(t, s, Added, arrival("new.xml"))
}

// An unreadable item that is over is met only when something asks for it, and
// then it is doubt, not an error that keeps a document out for ever.
func TestBadItemWhileOpen(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old := add(t, s, Added, arrival("a.xml"))
	apply(t, s, old.ID, filed(Delivered)...)
	overwrite(t, s, old.ID, "x")
	it := add(t, s, AddedHeld, arrival("a.xml"))
	if it.DuplicateOf != old.ID || it.Hold != HoldDuplicate {
		t.Errorf("hold %q, duplicate of %s", it.Hold, it.DuplicateOf)
	}
	if got, found, err := s.BySource(home, "a.xml"); err != nil || !found || got.ID != it.ID {
		t.Errorf("by source: %s %t, %v", got.ID, found, err)
	}
	overwrite(t, s, it.ID, "x")
	if _, found, err := s.BySource(home, "a.xml"); err != nil || found {
		t.Errorf("by source, all unreadable: %t, %v", found, err)
	}
}

// failingDisk can't read one page.
type failingDisk struct {
	io.ReaderAt
	page, size int64
}

func (d failingDisk) ReadAt(p []byte, at int64) (int, error) {
	if from := d.page * d.size; at < from+d.size && at+int64(len(p)) > from {
		return 0, &fs.PathError{Op: "read", Path: FileName, Err: syscall.EIO}
	}
	return d.ReaderAt.ReadAt(p, at)
}

// A page that the disk can't read says nothing of what the file holds: it is
// never set aside for that, and nothing is made again.
func TestUnreadableDisk(t *testing.T) {
	dir := t.TempDir()
	whole := filledFile(t)
	path := writeQueue(t, dir, whole)
	defer func(was func(*os.File) io.ReaderAt) { readerOf = was }(readerOf)
	size := int64(os.Getpagesize())
	refused := 0
	for page := range int64(len(whole)) / size {
		readerOf = func(f *os.File) io.ReaderAt { return failingDisk{f, page, size} }
		for name, try := range map[string]func() error{
			"start":   func() error { s, _, err := OpenOrRebuild(dir, Options{}); return errors.Join(err, closed(s)) },
			"look":    func() error { s, err := Open(dir, Options{ReadOnly: true}); return errors.Join(err, closed(s)) },
			"rebuild": func() error { _, err := Rebuild(t.Context(), dir, time.Second, nil); return err },
			"compact": func() error { _, err := Compact(t.Context(), dir, time.Second, nil); return err },
		} {
			if inspected(path) == nil {
				continue // a page that nothing uses
			}
			err := try()
			refused++
			if !errors.Is(err, ErrUnread) || errors.Is(err, ErrDamaged) || !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "start again") {
				t.Errorf("page %d, %s: %v", page, name, err)
			}
			wantUnchanged(t, path, whole)
		}
	}
	if refused < 4 {
		t.Errorf("only %d were refused: this test proves nothing", refused)
	}
	if aside, _ := filepath.Glob(path + ".*"); len(aside) > 0 {
		t.Errorf("there is %v", aside)
	}
}

func inspected(path string) error {
	db, err := inspect(path, time.Second, true)
	if err == nil {
		err = db.Close()
	}
	return err
}

func closed(s *Store) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// A fault of the memory that the file is mapped to is the disk's too.
func TestFaultIsNoDamage(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("WINDOWS: a mapped file can't be made shorter")
	}
	db, err := openFile(writeQueue(t, t.TempDir(), filledFile(t)), time.Second, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := os.Truncate(db.Path(), int64(2*os.Getpagesize())); err != nil { // whoever looks at a page now gets SIGBUS, as with a bad sector
		t.Fatal(err)
	}
	err = guard(func() error { return db.View(func(tx *bolt.Tx) error { return checkBuckets(tx, true) }) })
	if !errors.Is(err, errFault) || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}
