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

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// TestFolderBack: a document whose moving has been put off for an hour is moved
// as soon as its folder is back, and its timeline says why.
func TestFolderBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.status, s.portal.doc = portal.DeliveryReceived, portal.DocumentRecognised
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		s.want("a.xml", queue.Submitted, "")
		// the share goes; the portal takes the document up
		root, away := filepath.Join(s.dir, "zwolle"), filepath.Join(s.dir, "away")
		if err := os.Rename(root, away); err != nil {
			t.Fatal(err)
		}
		left := time.Now()
		s.portal.mu.Lock()
		s.portal.status, s.portal.doc = portal.DeliveryForwarded, portal.DocumentRegistered
		s.portal.mu.Unlock()
		s.pass(12 * time.Hour)
		it := s.want("a.xml", queue.Delivered, "")
		if it.Filed != "" || it.LastKind != "filing" {
			t.Fatalf("filed %q, last error %q", it.Filed, it.LastError)
		}
		if err := os.Rename(away, root); err != nil {
			t.Fatal(err)
		}
		s.worker.FolderBack("zwolle", left, time.Now())
		s.worker.FolderBack("not configured", left, time.Now())
		s.pass(time.Second)
		it = s.want("a.xml", queue.Delivered, "")
		if it.Filed == "" {
			t.Errorf("it is still not moved: %s", it.LastError)
		}
		told := false
		for _, e := range it.History {
			told = told || e.What == "retry-now" && strings.Contains(e.Detail, "out of reach from")
		}
		if !told || len(s.portal.deliveries()) != 1 {
			t.Errorf("submitted %d times; timeline %+v", len(s.portal.deliveries()), it.History)
		}
	})
}

// TestNumberIsKeptUntilItIsStored: a queue that can't be written for a night,
// just when the portal gave the number of the delivery, makes nothing uncertain.
func TestNumberIsKeptUntilItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.halt()
		disk := &fullDisk{}
		s.startWith(func(store Store) Store { disk.Store = store; return disk })
		s.portal.hidden = true // no look-up could find it
		s.portal.answer = func(op portal.Op, _ int) (bool, error) {
			if op == portal.OpSubmit {
				disk.full.Store(true)
			}
			return true, nil
		}
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(8 * time.Hour)
		s.want("a.xml", queue.Attached, "")
		disk.full.Store(false)
		s.pass(time.Hour)
		s.want("a.xml", queue.Delivered, "")
		if n := len(s.portal.deliveries()); n != 1 {
			t.Errorf("submitted %d times", n)
		}
	})
}

// smallRoom refuses while it is shut.
type smallRoom struct {
	shut   atomic.Bool
	failed atomic.Int32
}

func (r *smallRoom) For(int64) error {
	if r.shut.Load() {
		return errors.New("disk-full")
	}
	return nil
}

func (r *smallRoom) Failed(err error) error { r.failed.Add(1); return err }

// TestNothingIsTakenWithoutRoom: a file waits in its folder, with the reason, and what is under way goes on.
func TestNothingIsTakenWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := &smallRoom{}
		s := newSite(t, func(o *Options) { o.Room = room })
		s.portal.delay = time.Second
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(500 * time.Millisecond)
		room.shut.Store(true)
		if d := s.save("zwolle", "b.xml", newWell("b")); d.Answer != Later || d.Reason != "disk-full" {
			t.Errorf("answer %+v", d)
		}
		s.pass(time.Hour)
		s.want("a.xml", queue.Delivered, "")
		if _, found, _ := s.store.BySource("zwolle", "b.xml"); found || !s.exists("zwolle", "b.xml") {
			t.Error("b.xml was taken, or is gone")
		}
		if spool, _ := os.ReadDir(filepath.Join(s.dir, "data", queue.SpoolName)); len(spool) != 0 {
			t.Errorf("the spool holds %v", spool)
		}
		room.shut.Store(false)
		s.offer("zwolle", "b.xml", time.Minute)
		s.pass(time.Hour)
		s.want("b.xml", queue.Delivered, "")
		if room.failed.Load() == 0 {
			t.Error("the room was not told of what could not be kept")
		}
	})
}
