package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// ledgerOfDir reads a ledger that must be sound.
func ledgerOfDir(t testing.TB, dir string) *reading {
	t.Helper()
	r, err := readLedger(dir)
	if err != nil || !r.whole() {
		t.Fatalf("the ledger is not whole: %+v, %v", r, err)
	}
	return r
}

// The intent is in the ledger, with all that its item can be made again from,
// when Apply returns.
func TestIntentIsInTheLedger(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml", newObject("content", "put-1")))
	if n := len(ledgerOfDir(t, dirOf(s)).newest); n != 0 {
		t.Errorf("an arrival made %d lines", n)
	}
	it = apply(t, s, it.ID, append(way(Attached)[:3:3], SubmitIntended(t0))...)
	r := ledgerOfDir(t, dirOf(s))
	f, err := os.Open(filepath.Join(dirOf(s), LedgerName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := recordAt(f, r.newest[it.Spool])
	if err != nil {
		t.Fatal(err)
	}
	got, err := rec.item()
	if err != nil || !got.Uncertain() {
		t.Fatalf("%+v, %v", got, err)
	}
	it.History = nil
	wantSame(t, "the item in the ledger", got, it)
}

// Where the ledger has no room no submission begins; what the portal answered,
// and everything else, is stored all the same, and the lines follow when there
// is room again.
func TestLedgerWithoutRoom(t *testing.T) {
	s := setup(t)
	full := false
	s.ledger.write = func(f *os.File, text []byte) (int, error) {
		if full {
			n, _ := f.WriteAt(text[:len(text)/2], s.ledger.size)
			return n, syscall.ENOSPC
		}
		return f.WriteAt(text, s.ledger.size)
	}
	first := add(t, s, Added, arrival("a.xml"))
	apply(t, s, first.ID, append(way(Attached)[:3:3], SubmitIntended(t0))...)
	second := add(t, s, Added, arrival("b.xml"))
	apply(t, s, second.ID, way(Attached)...)
	third := add(t, s, Added, arrival("c.xml"))

	full = true
	if _, err := s.Apply(second.ID, SubmitIntended(t0)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an intent without room: %v", err)
	}
	if it, _ := s.Get(second.ID); it.Uncertain() || it.Submissions != 0 {
		t.Errorf("it is stored: %+v", it)
	}
	apply(t, s, first.ID, DeliverySubmitted(t0, "0000000001", "", t0))
	apply(t, s, third.ID, way(Rejected)...)
	ledgerOfDir(t, dirOf(s)) // no torn line stays

	full = false
	apply(t, s, second.ID, SubmitIntended(t0))
	r := ledgerOfDir(t, dirOf(s))
	if len(r.newest) != 3 || r.last != 4 {
		t.Errorf("%d documents, %d lines", len(r.newest), r.last)
	}

	// an end before there was room: the queue is ahead, and mends the ledger
	full = true
	apply(t, s, first.ID, Registered(t0, "", "", "GMN1", "tx"))
	s = reopen(t, s)
	r = ledgerOfDir(t, dirOf(s))
	if len(r.newest) != 3 {
		t.Errorf("%d documents after the next start", len(r.newest))
	}
	if err := os.Remove(s.db.Path()); err != nil {
		t.Fatal(err)
	}
	dir := dirOf(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _, err := OpenOrRebuild(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if it, err := s.Get(first.ID); err != nil || it.State != Delivered {
		t.Errorf("%s, %v", it.State, err)
	}
}

// One fsync for a whole batch, and none for lines that nobody waits for.
func TestLedgerSyncs(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	syncs := 0
	s.ledger.sync = func(f *os.File) error { syncs++; return f.Sync() }
	var items []Item
	for i := range 20 {
		it := add(t, s, Added, arrival(fileName(i)))
		items = append(items, apply(t, s, it.ID, way(Attached)...))
	}
	if syncs != 0 {
		t.Errorf("%d syncs before anything was intended", syncs)
	}
	var ops []*operation
	hold := make(chan struct{})
	ops = append(ops, s.hand(func(*bolt.Tx) error { <-hold; return nil }, nil)) // while it runs the others gather
	for i := range items {
		before, after := items[i], items[i].clone()
		if err := SubmitIntended(t0).perform(&after); err != nil {
			t.Fatal(err)
		}
		ops = append(ops, s.hand(func(tx *bolt.Tx) error { return put(tx, &before, &after) }, func() (*Item, *Item) { return &before, &after }))
	}
	close(hold)
	for _, op := range ops {
		if err := op.wait(); err != nil {
			t.Fatal(err)
		}
	}
	if syncs != 1 && syncs != 2 {
		t.Errorf("%d syncs for a batch of twenty", syncs)
	}
	had := syncs
	apply(t, s, items[0].ID, DeliverySubmitted(t0, "0000000001", "", t0))
	apply(t, s, items[0].ID, Registered(t0, "", "", "GMN1", "tx"))
	apply(t, s, items[0].ID, Filed(t0, "p", "b"))
	if syncs != had {
		t.Errorf("%d syncs for what the portal can be asked again", syncs-had)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A ledger that is mostly superseded is written anew, one line per document.
func TestLedgerIsShortened(t *testing.T) {
	old := maxSuperseded
	maxSuperseded = 20 << 10
	defer func() { maxSuperseded = old }()
	s := setup(t)
	for i := range 30 {
		it := add(t, s, Added, arrival(fileName(i)))
		for _, step := range append(way(Attached)[:3:3], SubmitIntended(t0), DeliverySubmitted(t0, "0000000001", "", t0), Registered(t0, "", "", "GMN1", "tx"), Filed(t0, "p", "b")) {
			apply(t, s, it.ID, step)
		}
	}
	r := ledgerOfDir(t, dirOf(s))
	if len(r.newest) != 30 || r.last != 120 {
		t.Errorf("%d documents, %d lines", len(r.newest), r.last)
	}
	info, err := os.Stat(filepath.Join(dirOf(s), LedgerName))
	if err != nil || info.Size() > 3*r.digest+maxSuperseded+10_000 || r.digest < 10_000 {
		t.Errorf("%d bytes, of which %d are the digest: %v", info.Size(), r.digest, err)
	}
	s = reopen(t, s)
	if again := ledgerOfDir(t, dirOf(s)); again.last != r.last || again.id != r.id {
		t.Errorf("after a restart %s %d, was %s %d", again.id, again.last, r.id, r.last)
	}
}

// Lines that nobody waits for are on disk after a while, also when nothing else happens.
func TestLedgerIsSyncedWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		syncs := 0
		s.ledger.sync = func(*os.File) error { syncs++; s.ledger.dirty = false; return nil }
		it := add(t, s, Added, arrival("a.xml"))
		apply(t, s, it.ID, way(Rejected)...)
		time.Sleep(2 * ledgerPause)
		synctest.Wait()
		if syncs != 1 {
			t.Errorf("%d syncs", syncs)
		}
		time.Sleep(10 * ledgerPause)
		synctest.Wait()
		if syncs != 1 {
			t.Errorf("%d syncs with nothing to do", syncs)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLedgerOfANewerVersion(t *testing.T) {
	dir, _ := populate(t)
	path := filepath.Join(dir, LedgerName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	newer, err := encodeLine(&head{Key: "x", What: whatHead, Format: ledgerFormat + 1})
	if err != nil {
		t.Fatal(err)
	}
	data = append(newer, rest...)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := OpenOrRebuild(dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("got %v", err)
		}
		wantUnchanged(t, path, data)
		_ = os.Remove(filepath.Join(dir, FileName)) // not even then
	}
}

// Whatever byte of a ledger changes, and wherever it ends, it is noticed, or
// nothing of what it says is different.
func TestLedgerDamageIsNoticed(t *testing.T) {
	dir, _ := populate(t)
	path := filepath.Join(dir, LedgerName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	was := ledgerOfDir(t, dir)
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(whole)
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			data = data[:at]
		} else {
			data[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := readLedger(dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.whole() && !r.torn && r.last == was.last {
			t.Fatalf("the damage at %d of %d was not noticed", at, len(whole))
		}
	})
}

// A spool file gives back exactly the document, with and without what stands
// behind it, and whatever the document ends with.
func TestTrailer(t *testing.T) {
	sp := openSpool(t, t.TempDir())
	hostile := fmt.Sprintf("{}"+footerForm, -1+1, 2, 0, '0')
	for _, text := range []string{"", "<a/>", strings.Repeat("x", 1<<20), "<a/>\n" + hostile, hostile} {
		for _, described := range []bool{true, false} {
			d := draft(t, sp, text)
			it := arrival("a.xml", func(it *Item) { it.Spool, it.ID, it.Source.Size = d.Name(), 7, int64(len(text)) })
			if described {
				if err := d.Describe(it); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := seal(d); err != nil {
				t.Fatal(err)
			}
			if err := d.Keep(7); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, sp, &it, text)
			c, err := sp.Open(&it)
			if err != nil || c.Size() != int64(len(text)) {
				t.Errorf("its size is said to be %d, %v", c.Size(), err)
			}
			if _, err := c.Seek(0, io.SeekEnd); err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if described {
				it.Submissions = 1
				setMark(filepath.Dir(sp.dir), &it)
				f := spoolFile{file: fullName(7, it.Spool), key: it.Spool}
				f.read(filepath.Dir(sp.dir))
				if got, ok := f.item(); !ok || got.SHA256 != it.SHA256 || f.mark != 1 {
					t.Errorf("it says %+v, mark %d", got, f.mark)
				}
				wantBytes(t, sp, &it, text)
			}
		}
	}
}
