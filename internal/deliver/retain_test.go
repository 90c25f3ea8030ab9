package deliver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/queue"
)

const day = 24 * time.Hour

func keeping(done, history time.Duration) func(*Options) {
	return func(o *Options) { o.Policy.KeepDone, o.Policy.KeepHistory = done, history }
}

// What is old goes; the memory of it stays, so that the same document is not
// delivered again. What a person has to act on stays whole.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, keeping(30*day, 60*day))
		s.save("zwolle", "good.xml", newWell("good"))
		s.save("zwolle", "bad.xml", []byte("no document"))
		s.pass(29 * day)
		good := s.want("good.xml", queue.Delivered, "")
		if _, err := os.Stat(good.Filed); err != nil || len(good.History) < 2 {
			t.Fatalf("after 29 days: %v, %d lines", err, len(good.History))
		}
		s.pass(3 * day)
		good = s.want("good.xml", queue.Delivered, "")
		for _, path := range []string{good.Filed, good.Beside, filepath.Dir(good.Filed)} {
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after 32 days %s: %v", path, err)
			}
		}
		if good.Times.Removed.IsZero() || good.History[len(good.History)-1].What != "removed" || len(good.History) < 2 {
			t.Errorf("removed %s, timeline %v", good.Times.Removed, good.History)
		}
		s.pass(40 * day)
		good, bad := s.want("good.xml", queue.Delivered, ""), s.want("bad.xml", queue.Rejected, "")
		for _, it := range []queue.Item{good, bad} {
			if len(it.History) != 1 || it.History[0].What != "timeline-dropped" || it.SHA256 == "" || it.Times.Settled.IsZero() {
				t.Errorf("%s after 72 days: %v", it.File, it.History)
			}
		}
		if good.Delivery == nil || good.BROID == "" {
			t.Errorf("the portal's numbers are gone: %+v", good)
		}
		for _, path := range []string{bad.Filed, bad.Beside} {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("what failed is gone: %v", err)
			}
		}
		s.save("zwolle", "again.xml", newWell("good"))
		s.pass(time.Hour)
		if it := s.want("again.xml", queue.Rejected, ""); it.Report.DuplicateOf != good.ID {
			t.Errorf("the same document again: %+v", it.Report)
		}
		s.restart()
		s.pass(10 * day)
		if it := s.want("good.xml", queue.Delivered, ""); len(it.History) != 1 || it.History[0].Count > 1 {
			t.Errorf("it was dropped again: %v", it.History)
		}
	})
}

// Nothing is old where nobody said after how long.
func TestRetentionIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.save("zwolle", "good.xml", newWell("good"))
		s.pass(1000 * day)
		it := s.want("good.xml", queue.Delivered, "")
		if _, err := os.Stat(it.Filed); err != nil || len(it.History) < 2 {
			t.Errorf("%v, %v", err, it.History)
		}
	})
}

// Nothing without a receipt is ever removed, and nothing while the share is away.
func TestRetentionLeavesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, keeping(30*day, 0))
		for _, name := range []string{"bare", "changed", "away"} {
			s.save("zwolle", name+".xml", newWell(name))
		}
		s.pass(day)
		bare, changed, away := s.item("bare.xml"), s.item("changed.xml"), s.item("away.xml")
		if err := os.Remove(bare.Beside); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(changed.Filed, []byte("my own notes"), 0o644); err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(s.dir, "zwolle")
		if err := os.Rename(root, root+".away"); err != nil {
			t.Fatal(err)
		}
		s.pass(40 * day)
		for _, it := range []queue.Item{bare, changed, away} {
			if now := s.item(it.File); !now.Times.Removed.IsZero() {
				t.Errorf("%s is called removed while the share is away", it.File)
			}
		}
		if err := os.Rename(root+".away", root); err != nil {
			t.Fatal(err)
		}
		s.pass(2 * time.Hour) // it does not wait for the next day
		if it := s.item("away.xml"); it.Times.Removed.IsZero() || s.exists(strings.TrimPrefix(it.Filed, s.dir)) {
			t.Error("what is old stays although the share is back")
		}
		for _, it := range []queue.Item{bare, changed} {
			now := s.item(it.File)
			if _, err := os.Stat(now.Filed); err != nil || !now.Times.Removed.IsZero() {
				t.Errorf("%s: %v, removed %s", it.File, err, now.Times.Removed)
			}
		}
	})
}

// A clock that was just set, perhaps by years, is no reason to remove anything.
func TestRetentionAndTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		s := newSite(t, keeping(30*day, 30*day), func(o *Options) {
			o.Policy.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		})
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(2 * day)
		for range 24 { // set forward by years just before a look, and back before the next
			s.pass(30 * time.Minute)
			ahead.Store(int64(10 * 365 * day))
			s.pass(time.Hour)
			ahead.Store(0)
			s.pass(30 * time.Minute)
		}
		it := s.want("put.xml", queue.Delivered, "")
		if _, err := os.Stat(it.Filed); err != nil || !it.Times.Removed.IsZero() || len(it.History) < 2 {
			t.Errorf("%v, removed %s, timeline %v", err, it.Times.Removed, it.History)
		}
	})
}

// brokenOnce is a queue that can't store that files were removed, the first time.
type brokenOnce struct {
	Store
	broken atomic.Int64
}

func (b *brokenOnce) Apply(id queue.ID, transitions ...queue.Transition) (queue.Item, error) {
	if transitions[0].Name() == "removed" && b.broken.Add(1) == 1 {
		return queue.Item{}, errors.New("the disk fails")
	}
	return b.Store.Apply(id, transitions...)
}

// Files that are gone without the queue knowing it, as a crash leaves them, are
// found out about at the next look.
func TestRetentionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, keeping(30*day, 0))
		s.halt()
		store := &brokenOnce{}
		s.startWith(func(real Store) Store { store.Store = real; return store })
		s.save("zwolle", "a.xml", newWell("a"))
		s.save("zwolle", "b.xml", newWell("b"))
		s.pass(31*day + 2*time.Hour)
		for _, file := range []string{"a.xml", "b.xml"} {
			it := s.want(file, queue.Delivered, "")
			if _, err := os.Lstat(it.Filed); !errors.Is(err, os.ErrNotExist) || it.Times.Removed.IsZero() {
				t.Errorf("%s: %v, removed %s", file, err, it.Times.Removed)
			}
		}
		if n := store.broken.Load(); n != 3 {
			t.Errorf("it was tried to store %d times, want 3 for two documents", n)
		}
	})
}
