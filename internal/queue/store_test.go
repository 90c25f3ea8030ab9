package queue

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestApplyAllOrNothing(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	before := encoded(t, it)
	n := commits(t, s)
	got, err := s.Apply(it.ID, DocumentValid(t0, nil), UploadOpened(t0, Upload{ID: 1}), Filed(t0, "p", "b"))
	te := wantRefused(t, err, Item{ID: it.ID, State: Opened}) // what did not fit is the third, after the first two
	if te.Transition != "filed" {
		t.Errorf("refused %q", te.Transition)
	}
	if encoded(t, got) != before {
		t.Errorf("Apply returned %s, want the item as it is", encoded(t, got))
	}
	if stored, _ := s.Get(it.ID); encoded(t, stored) != before {
		t.Errorf("a refused chain left %s", encoded(t, stored))
	}
	if commits(t, s) != n {
		t.Error("a refused chain was written")
	}

	got = apply(t, s, it.ID, way(Attached)...)
	if got.State != Attached || len(got.History) != 4 {
		t.Errorf("state %s with %d events, want attached with 4", got.State, len(got.History))
	}
	if commits(t, s) != n+1 {
		t.Errorf("a chain took %d commits, want 1", commits(t, s)-n)
	}
}

func TestApplyUnknown(t *testing.T) {
	s := setup(t)
	if _, err := s.Apply(99, DocumentValid(t0, nil)); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := s.Get(99); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got := list(t, s, Filter{}); len(got) != 0 {
		t.Errorf("an item came into being: %v", names(got))
	}
}

// Of several actors that want the same step of one item, one makes it.
func TestApplyOnlyOneWins(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			got, err := s.Apply(it.ID, DocumentValid(t0, []string{fmt.Sprint(i)}))
			var te *TransitionError
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &te) && te.State == Validated && got.State == Validated:
				lost.Add(1)
			default:
				t.Errorf("got %v in state %s", err, got.State)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
	if got, _ := s.Get(it.ID); got.Tries != 1 || len(got.History) != 2 {
		t.Errorf("%d tries, %d events; want one of each beside the first event", got.Tries, len(got.History))
	}
}

// A transition may be applied again, and does the same then.
func TestTransitionCanBeRepeated(t *testing.T) {
	s := setup(t)
	a, b := add(t, s, Added, arrival("a.xml")), add(t, s, Added, arrival("b.xml"))
	opened := UploadOpened(t0, Upload{ID: 3})
	_, err := s.Apply(a.ID, opened)
	wantRefused(t, err, a)
	a = apply(t, s, a.ID, DocumentValid(t0, nil), opened)
	b = apply(t, s, b.ID, DocumentValid(t0, nil), opened)
	if a.State != Opened || b.State != Opened || *a.Upload != *b.Upload {
		t.Errorf("got %s with %v and %s with %v, want twice the same", a.State, a.Upload, b.State, b.Upload)
	}
}

// stalled opens a queue whose committing goroutine can be made to stand still
// after the next commit, so that what callers hand over meanwhile must gather.
func stalled(t *testing.T) (s *Store, stall, goOn func()) {
	var armed atomic.Bool
	gate := make(chan struct{})
	s = setup(t, Options{Changed: func(_, _ *Item) {
		if armed.CompareAndSwap(true, false) {
			<-gate
		}
	}})
	return s, func() { armed.Store(true) }, func() { close(gate) }
}

func TestCommitsAreShared(t *testing.T) {
	for _, tc := range []struct{ callers, commits int }{{1, 1}, {2, 1}, {maxShared, 1}, {maxShared + 1, 2}, {100, 2}} {
		t.Run(fmt.Sprint(tc.callers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, stall, goOn := stalled(t)
				first := add(t, s, Added, arrival("first.xml"))
				var ids []ID
				for i := range tc.callers {
					ids = append(ids, add(t, s, Added, arrival(fileName(i))).ID)
				}
				var wg sync.WaitGroup
				stall()
				wg.Go(func() { apply(t, s, first.ID, DocumentValid(t0, nil)) })
				synctest.Wait()
				n := commits(t, s)
				for _, id := range ids {
					wg.Go(func() {
						if _, err := s.Apply(id, DocumentValid(t0, nil)); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
				if commits(t, s) != n {
					t.Fatal("something was written while the goroutine stood still: this test proves nothing")
				}
				goOn()
				wg.Wait()
				if got := commits(t, s) - n; got != tc.commits {
					t.Errorf("%d callers took %d commits, want %d", tc.callers, got, tc.commits)
				}
				if got := list(t, s, Filter{State: Validated}); len(got) != tc.callers+1 {
					t.Errorf("%d of %d changes are there", len(got), tc.callers+1)
				}
			})
		})
	}
}

// In a bubble time passes only where somebody waits for it.
func TestLoneCallerDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		start := time.Now()
		it := add(t, s, Added, arrival("a.xml"))
		apply(t, s, it.ID, DocumentValid(t0, nil))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("a lone caller waited %s for company", waited)
		}
	})
}

// One caller that fails, in whatever way and place, takes nothing of its own to
// the file and nothing of the others from it.
func TestCommitWithoutTheFailed(t *testing.T) {
	junk := func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put([]byte("junk"), []byte("x")) }
	failed := errors.New("failed after it wrote")
	for _, tc := range []struct {
		name string
		run  func(tx *bolt.Tx) error
		want error
	}{
		{"error", func(tx *bolt.Tx) error { return errors.Join(junk(tx), failed) }, failed},
		{"panic", func(tx *bolt.Tx) error {
			if err := junk(tx); err != nil {
				return err
			}
			panic("page 7 makes no sense")
		}, ErrDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, stall, goOn := stalled(t)
				first := add(t, s, Added, arrival("first.xml"))
				var ids []ID
				for i := range 10 {
					ids = append(ids, add(t, s, Added, arrival(fileName(i))).ID)
				}
				var wg sync.WaitGroup
				stall()
				wg.Go(func() { apply(t, s, first.ID, DocumentValid(t0, nil)) })
				synctest.Wait()
				n := commits(t, s)
				for i, id := range ids {
					if i%3 == 0 {
						wg.Go(func() {
							if err := s.update(tc.run, nil); !errors.Is(err, tc.want) {
								t.Errorf("the failing caller got %v, want %v", err, tc.want)
							}
						})
					}
					wg.Go(func() {
						if _, err := s.Apply(id, DocumentValid(t0, nil)); err != nil {
							t.Errorf("a caller beside the failing one got %v", err)
						}
					})
				}
				synctest.Wait()
				goOn()
				wg.Wait()
				if got := commits(t, s) - n; got != 1 {
					t.Errorf("%d commits, want 1", got)
				}
				for _, id := range ids {
					if it, _ := s.Get(id); it.State != Validated || it.Tries != 1 || len(it.History) != 2 {
						t.Errorf("document %s is %s after %d tries, want validated after 1", id, it.State, it.Tries)
					}
				}
				_ = s.view(func(tx *bolt.Tx) error {
					if tx.Bucket(bucketMeta).Get([]byte("junk")) != nil {
						t.Error("what the failing caller wrote is there")
					}
					return nil
				})
			})
		})
	}
}

// Many goroutines at once, some of whose calls can't fit.
func TestConcurrentCalls(t *testing.T) {
	s := setup(t)
	const documents, rounds = 12, 15
	var ids []ID
	for i := range documents {
		ids = append(ids, add(t, s, Added, arrival(fileName(i), about(fmt.Sprint("GLD", i%4)))).ID)
	}
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			for range rounds {
				if _, err := s.Apply(id, Retry(t0, t0, "validate", "unavailable", "503")); err != nil {
					t.Error(err)
				}
				_, err := s.Apply(id, Retry(t0, t0, "x", "x", "x"), Filed(t0, "never", "never"))
				wantRefused(t, err, Item{ID: id, State: Queued})
			}
		})
		wg.Go(func() {
			for range rounds {
				if _, err := s.Get(id); err != nil {
					t.Error(err)
				}
				if _, _, err := s.Due(home, LaneAdvance, t0, i+1, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if it, _ := s.Get(id); it.Tries != rounds || it.Filed != "" {
			t.Errorf("document %s: %d tries, filed %q; want %d and none", id, it.Tries, it.Filed, rounds)
		}
	}
}

// What returned nil before the queue was closed is there afterwards, and what
// did not is not.
func TestCloseWhileCallsAreUnderWay(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	const callers = 8
	var ids []ID
	for i := range callers {
		ids = append(ids, add(t, s, Added, arrival(fileName(i))).ID)
	}
	done := make([]int, callers)
	started := make(chan struct{}, callers)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			for {
				_, err := s.Apply(id, Retry(t0, t0, "validate", "unavailable", "503"))
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("got %v, want ErrClosed", err)
					}
					return
				}
				if done[i]++; done[i] == 3 {
					started <- struct{}{}
				}
			}
		})
	}
	for range callers {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	s = openAt(t, dir)
	for i, id := range ids {
		if it, err := s.Get(id); err != nil || it.Tries != done[i] {
			t.Errorf("document %s: %d tries (%v), want %d", id, it.Tries, err, done[i])
		}
	}
}

func TestClosed(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Apply":          func() error { _, err := s.Apply(it.ID, DocumentValid(t0, nil)); return err },
		"Add":            func() error { _, _, err := s.addOne(t0, arrival("b.xml"), stays); return err },
		"Get":            func() error { _, err := s.Get(it.ID); return err },
		"Due":            func() error { _, _, err := s.Due(home, LaneAdvance, t0, 1, nil); return err },
		"BySource":       func() error { _, _, err := s.BySource(home, "a.xml"); return err },
		"Each":           func() error { return s.Each(Filter{}, func(Item) bool { return true }) },
		"Counts":         func() error { _, err := s.Counts(); return err },
		"Oldest":         func() error { _, _, err := s.Oldest(""); return err },
		"Folder":         func() error { _, _, err := s.Folder(home); return err },
		"RememberFolder": func() error { return s.RememberFolder(home, FolderMemory{}) },
		"Ready":          s.Ready,
		"SetAside":       func() error { _, err := s.SetAside(); return err },
		"Check":          func() error { return errors.Join(s.Check()...) },
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

// Everything brodaemon does with time in its tests rests on this.
func TestWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		it, _, err := s.addOne(time.Now(), arrival("a.xml"), nil)
		if err != nil {
			t.Fatal(err)
		}
		next := time.Now().Add(7 * 24 * time.Hour)
		apply(t, s, it.ID, Retry(time.Now(), next, "validate", "unavailable", "503"))
		wantDue(t, s, LaneAdvance, time.Now())
		time.Sleep(time.Until(next)) // a week, at once
		wantDue(t, s, LaneAdvance, time.Now(), it.ID)
		s = reopen(t, s)
		wantDue(t, s, LaneAdvance, time.Now(), it.ID)
	})
}

// Changed is told of every change that is on disk, in order, and of nothing else.
func TestChanged(t *testing.T) {
	type change struct {
		before, after State
		file          string
	}
	var got []change
	s := setup(t, Options{Changed: func(before, after *Item) {
		c := change{after: after.State, file: after.File}
		if before != nil {
			c.before = before.State
		}
		got = append(got, c)
	}})
	it := add(t, s, Added, arrival("a.xml"))
	apply(t, s, it.ID, DocumentValid(t0, nil), UploadOpened(t0, Upload{ID: 1}))
	_, _ = s.Apply(it.ID, DocumentValid(t0, nil))                                                                   // refused
	_, _ = s.Apply(99, DocumentValid(t0, nil))                                                                      // unknown
	add(t, s, Known, arrival("a.xml"))                                                                              // nothing new
	add(t, s, Known, arrival("a.xml", func(it *Item) { it.Source.ModTime = t0 }))                                   // touched
	if _, _, err := s.addOne(t0, arrival("b.xml", bytesOf("a.xml")), func(Item) bool { return true }); err != nil { // renamed
		t.Fatal(err)
	}
	if err := s.RememberFolder(home, FolderMemory{Path: "/p"}); err != nil {
		t.Fatal(err)
	}
	want := []change{{"", Queued, "a.xml"}, {Queued, Opened, "a.xml"}, {Opened, Opened, "a.xml"}, {Opened, Opened, "b.xml"}}
	if !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}

func TestFolderMemory(t *testing.T) {
	s := setup(t)
	if _, found, err := s.Folder(home); found || err != nil {
		t.Fatalf("found %t, %v; want nothing", found, err)
	}
	want := FolderMemory{Path: "/srv/bro/zwolle", Marker: "m-1"}
	for range 2 {
		if err := s.RememberFolder(home, want); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s)
	if got, found, err := s.Folder(home); got != want || !found || err != nil {
		t.Errorf("got %v, %t, %v; want %v", got, found, err, want)
	}
	if _, found, _ := s.Folder(home + "2"); found {
		t.Error("another folder is remembered too")
	}
}

// Ready proves that the file can be written to by writing to it, but not at
// every call: how a commit ended stands for a while.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		want := func(calls int, after time.Duration, commitsWanted int) {
			t.Helper()
			time.Sleep(after)
			n := commits(t, s)
			for range calls {
				if err := s.Ready(); err != nil {
					t.Error(err)
				}
			}
			if got := commits(t, s) - n; got != commitsWanted {
				t.Errorf("%d commits, want %d", got, commitsWanted)
			}
		}
		want(100, 0, 1)
		want(100, readyFor-time.Second, 0)
		want(100, time.Second, 1)
		time.Sleep(readyFor)
		add(t, s, Added, arrival("a.xml"))
		want(100, readyFor/2, 0)

		// a commit that failed stands as long
		s.committed.Store(&commitResult{time.Now(), errors.New("no room")})
		if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("after a failed commit: %v", err)
		}
		want(1, readyFor, 1)
	})
}

// Numbers grow by one, and none is given twice, restarts and failed calls or not.
func TestNumbers(t *testing.T) {
	s := setup(t)
	var got []ID
	for i := range 6 {
		got = append(got, add(t, s, Added, arrival(fileName(i))).ID)
		if i%2 == 0 {
			s = reopen(t, s)
		}
	}
	if want := []ID{1, 2, 3, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A damaged index must be found, or the other tests' checks prove nothing.
func TestCheckFinds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(tx *bolt.Tx, it *Item) error
	}{
		{"due lacks", func(tx *bolt.Tx, it *Item) error { return tx.Bucket(bucketDue).Delete(dueKey(it)) }},
		{"open has too many", func(tx *bolt.Tx, _ *Item) error { return tx.Bucket(bucketOpen).Put(idKey(9), nil) }},
		{"count is wrong", func(tx *bolt.Tx, it *Item) error { return addCount(tx, countKey(it), 1) }},
		{"count is missing", func(tx *bolt.Tx, it *Item) error { return tx.Bucket(bucketCounts).Delete(countKey(it)) }},
		{"item can't be read", func(tx *bolt.Tx, it *Item) error { return tx.Bucket(bucketItems).Put(idKey(it.ID), []byte("{")) }},
		{"item under another's number", func(tx *bolt.Tx, it *Item) error {
			return tx.Bucket(bucketItems).Put(idKey(2), bytes.Clone(tx.Bucket(bucketItems).Get(idKey(it.ID))))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Open(t.TempDir(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			it := add(t, s, Added, arrival("a.xml"))
			if faults := s.Check(); len(faults) != 0 {
				t.Fatalf("faults before any damage: %v", faults)
			}
			if err := s.update(func(tx *bolt.Tx) error { return tc.damage(tx, &it) }, nil); err != nil {
				t.Fatal(err)
			}
			if len(s.Check()) == 0 {
				t.Error("Check found nothing")
			}
		})
	}
}
