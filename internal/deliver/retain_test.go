package deliver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/registry"
)

const day = 24 * time.Hour

// agrees is a portal that is heard all the time, and has the same clock.
func agrees() portal.ClockCheck { return portal.ClockCheck{At: time.Now()} }

func keeping(done, history time.Duration) func(*Options) {
	return func(o *Options) {
		o.Policy.KeepDone, o.Policy.KeepHistory = done, history
		for i := range o.Folders {
			o.Folders[i].Clock = agrees
		}
	}
}

// wantKept fails unless an item's files, or its record of their removal, are as wanted.
func (s *site) wantKept(file string, want bool) queue.Item {
	s.t.Helper()
	it := s.item(file)
	for _, path := range []string{it.Filed, it.Beside} {
		if _, err := os.Lstat(path); (err == nil) != want {
			s.t.Errorf("%s: %v, want it kept: %t", path, err, want)
		}
	}
	if it.Times.Removed.IsZero() != want || it.Removing {
		s.t.Errorf("%s: removed %s, removing %t; want it kept: %t", file, it.Times.Removed, it.Removing, want)
	}
	return it
}

// What is old goes; the memory of it stays, so that the same document is not
// delivered again. What a person has to act on stays whole.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, keeping(30*day, 60*day))
		s.save("zwolle", "good.xml", newWell("good"))
		s.save("zwolle", "bad.xml", []byte("no document"))
		s.pass(29 * day)
		if good := s.wantKept("good.xml", true); len(good.History) < 2 {
			t.Fatalf("after 29 days: %d lines", len(good.History))
		}
		s.pass(3 * day)
		good := s.wantKept("good.xml", false)
		if _, err := os.Lstat(filepath.Dir(good.Filed)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder of the day: %v", err)
		}
		if good.History[len(good.History)-1].What != "removed" || len(good.History) < 2 {
			t.Errorf("timeline %v", good.History)
		}
		s.pass(40 * day)
		good, bad := s.want("good.xml", queue.Delivered, ""), s.wantKept("bad.xml", true)
		if len(good.History) != 1 || good.History[0].What != "timeline-dropped" || good.Delivery == nil || good.BROID == "" || good.Times.Settled.IsZero() {
			t.Errorf("after 72 days: %+v", good)
		}
		if len(bad.History) < 2 {
			t.Errorf("the timeline of what failed: %v", bad.History)
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

// Nothing is old where nobody said after how long, nor while the public register
// does not show it.
func TestRetentionIsOff(t *testing.T) {
	for name, how := range map[string]func(*Options){
		"not asked for": keeping(0, 0),
		"not confirmed": func(o *Options) {
			keeping(30*day, 30*day)(o)
			o.Folders[0].Registry = &fakeRegistry{answer: func(int, string) (registry.Object, error) { return registry.Object{}, notThere }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, how)
				s.save("zwolle", "good.xml", newWell("good"))
				s.pass(1000 * day)
				if it := s.wantKept("good.xml", true); len(it.History) < 2 {
					t.Errorf("timeline %v", it.History)
				}
			})
		})
	}
}

// Nothing without a receipt is ever removed, and nothing while the share is away.
// What people took away themselves is not called removed.
func TestRetentionLeavesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, keeping(30*day, 0))
		for _, name := range []string{"bare", "changed", "taken", "old"} {
			s.save("zwolle", name+".xml", newWell(name))
		}
		s.pass(day)
		bare, changed, taken := s.item("bare.xml"), s.item("changed.xml"), s.item("taken.xml")
		for _, path := range []string{bare.Beside, taken.Filed, taken.Beside} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(changed.Filed, []byte("my own notes"), 0o644); err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(s.dir, "zwolle")
		if err := os.Rename(root, root+".away"); err != nil {
			t.Fatal(err)
		}
		s.pass(40 * day)
		for _, file := range []string{"bare.xml", "changed.xml", "taken.xml", "old.xml"} {
			if now := s.item(file); !now.Times.Removed.IsZero() || now.Removing {
				t.Errorf("%s is called removed while the share is away", file)
			}
		}
		if err := os.Rename(root+".away", root); err != nil {
			t.Fatal(err)
		}
		s.pass(2 * time.Hour) // it does not wait for the next day
		s.wantKept("old.xml", false)
		s.wantKept("changed.xml", true)
		for _, it := range []queue.Item{bare, taken} {
			now := s.item(it.File)
			if _, err := os.Stat(now.Filed); (err == nil) != (it.ID == bare.ID) || !now.Times.Removed.IsZero() || now.Removing {
				t.Errorf("%s: %v, removed %s", it.File, err, now.Times.Removed)
			}
		}
	})
}

// A machine whose clock is wrong removes nothing: neither when it was just set,
// nor when it stays wrong, nor from the start.
func TestRetentionAndTheClock(t *testing.T) {
	const years = 10 * 365 * day
	for name, tc := range map[string]struct {
		ahead   time.Duration                                      // of the machine's clock, from the second day on
		heard   func(skew, silent time.Duration) portal.ClockCheck // skew now, and how long ago it was set
		removed bool
	}{
		"right, and the portal agrees": {0, func(skew, _ time.Duration) portal.ClockCheck { return portal.ClockCheck{At: time.Now()} }, true},
		"the portal was never heard":   {0, func(time.Duration, time.Duration) portal.ClockCheck { return portal.ClockCheck{} }, false},
		"the portal was heard days ago": {0, func(time.Duration, time.Duration) portal.ClockCheck {
			return portal.ClockCheck{At: time.Now().Add(-2 * day)}
		}, false},
		"wrong, and the portal disagrees": {years, func(skew, _ time.Duration) portal.ClockCheck {
			return portal.ClockCheck{At: time.Now().Add(skew), Skew: skew}
		}, false},
		"behind, and the portal disagrees": {-years, func(skew, _ time.Duration) portal.ClockCheck {
			return portal.ClockCheck{At: time.Now().Add(skew), Skew: skew}
		}, false},
		"set after the portal agreed": {years, func(_, silent time.Duration) portal.ClockCheck {
			return portal.ClockCheck{At: time.Now().Add(-silent)}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ahead atomic.Int64
				set := time.Now()
				s := newSite(t, keeping(30*day, 30*day), func(o *Options) {
					o.Policy.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
					o.Folders[0].Clock = func() portal.ClockCheck { return tc.heard(time.Duration(ahead.Load()), time.Since(set)) }
				})
				s.save("zwolle", "put.xml", newWell("put"))
				s.pass(day)
				set = time.Now()
				ahead.Store(int64(tc.ahead))
				s.pass(40 * day)
				it := s.wantKept("put.xml", !tc.removed)
				if len(it.History) < 2 != tc.removed {
					t.Errorf("timeline %v", it.History)
				}
			})
		})
	}
}

// A clock that was years behind when a document was filed makes it no older
// than its file.
func TestAgeOfAFile(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	it := queue.Item{State: queue.Delivered, Times: queue.Times{Filed: now.Add(-9000 * day)}, History: make([]queue.Event, 2)}
	for _, c := range []struct {
		saved time.Time
		want  bool
	}{
		{now.Add(-10 * day), false},
		{now.Add(-40 * day), true},
		{now.Add(10 * day), true}, // the other clock was wrong
	} {
		it.Source.ModTime = c.saved
		if files, timeline := isOld(&it, ages{30 * day, 30 * day}, now); files != c.want || timeline != c.want {
			t.Errorf("saved %s: %t, %t; want %t", c.saved, files, timeline, c.want)
		}
	}
}

// Whoever switches it off, or changes the folder, stops the round that is under way.
func TestRetentionIsSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowArchive{}
		s := newSite(t, keeping(30*day, 0), func(o *Options) {
			slow.Archive = o.Folders[0].Archive
			o.Folders[0].Archive = slow
		})
		for i := range 20 {
			s.save("zwolle", fmt.Sprintf("%d.xml", i), newWell(fmt.Sprint(i)))
		}
		s.pass(30 * day)
		for slow.removed.Load() == 0 {
			s.pass(time.Second)
		}
		policy := s.opts.Policy
		policy.KeepDone = 0
		if err := s.worker.Reconfigure(s.opts.Endpoints, s.opts.Folders, policy); err != nil {
			t.Fatal(err)
		}
		s.pass(100 * day)
		if n := slow.removed.Load(); n > 2 {
			t.Errorf("%d were removed, most of them after it was switched off", n)
		}
	})
}

// slowArchive takes ten seconds for each removal, and counts them.
type slowArchive struct {
	Archive
	removed atomic.Int64
}

func (a *slowArchive) Remove(ctx context.Context, old archive.Old) (bool, error) {
	a.removed.Add(1)
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-time.After(10 * time.Second):
		return a.Archive.Remove(ctx, old)
	}
}

// One file that can't be removed keeps no other one, and a volume on which none
// can be is left alone until the next day.
func TestRetentionFails(t *testing.T) {
	for name, tc := range map[string]struct {
		bad   func(n int64) bool // which call fails
		tries [2]int64           // within three days, at least and at most
		left  int
	}{
		"one of them": {func(n int64) bool { return n%10 == 1 }, [2]int64{33, 40}, 0},
		"all of them": {func(int64) bool { return true }, [2]int64{40, 80}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := &failingArchive{bad: tc.bad}
				s := newSite(t, keeping(30*day, 0), func(o *Options) {
					failing.Archive = o.Folders[0].Archive
					o.Folders[0].Archive = failing
				})
				for i := range 30 {
					s.save("zwolle", fmt.Sprintf("%d.xml", i), newWell(fmt.Sprint(i)))
				}
				s.pass(33*day + 2*time.Hour)
				left := 0
				for i := range 30 {
					if s.item(fmt.Sprintf("%d.xml", i)).Times.Removed.IsZero() {
						left++
					}
				}
				if n := failing.calls.Load(); left != tc.left || n < tc.tries[0] || n > tc.tries[1] {
					t.Errorf("%d are left after %d tries; want %d after %v", left, n, tc.left, tc.tries)
				}
			})
		})
	}
}

type failingArchive struct {
	Archive
	bad   func(n int64) bool
	calls atomic.Int64
}

func (a *failingArchive) Remove(ctx context.Context, old archive.Old) (bool, error) {
	if a.bad(a.calls.Add(1)) {
		return false, &archive.Error{Op: "remove the document", Path: old.Path, Kind: archive.Gone, Err: errors.New("input/output error")}
	}
	return a.Archive.Remove(ctx, old)
}

// Killed at each of its moments, and started again, a removal is finished, and
// known to be ours.
func TestRetentionAndCrashes(t *testing.T) {
	for _, point := range []string{"removal-intended", "archive.old-document-removed", "archive.old-receipt-removed", "files-removed"} {
		t.Run(point, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dead := make(chan struct{})
				var crashed, armed atomic.Bool
				armed.Store(true)
				crash := func(at string) {
					if at == point && armed.Load() {
						crashed.Store(true)
						<-dead // stands still, as a program does that is no longer there
					}
				}
				s := newSite(t, keeping(30*day, 0), func(o *Options) {
					o.Crash, o.StopTimeout = crash, time.Second
					o.Folders[0].Archive = crashingArchive(t, o.Folders[0], crash)
				})
				s.save("zwolle", "put.xml", newWell("put"))
				s.pass(32 * day)
				if !crashed.Load() {
					t.Fatal("it was never met")
				}
				// what the dead one would do from here on reaches nobody: its queue is closed
				s.stop()
				<-s.ended
				s.stop = nil
				if err := s.store.Close(); err != nil {
					t.Fatal(err)
				}
				before := tree(t, filepath.Join(s.dir, "zwolle"))
				armed.Store(false)
				s.start()
				if now := tree(t, filepath.Join(s.dir, "zwolle")); len(now) != len(before) {
					t.Errorf("%v, was %v", now, before)
				}
				s.pass(2 * day)
				s.wantKept("put.xml", false)
				close(dead)
				synctest.Wait()
			})
		})
	}
}

// crashingArchive is the folder's archive with a hook.
func crashingArchive(t *testing.T, f Folder, crash func(string)) Archive {
	t.Helper()
	a, err := archive.New(archive.Options{
		Name: f.Name, Path: f.Root, DoneDir: filepath.Join(f.Root, "done"), FailedDir: filepath.Join(f.Root, "failed"), Language: "en", Crash: crash,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A companion that the portal has goes with its document; one that it does not
// have is nowhere else, and stays.
func TestRetentionOfCompanions(t *testing.T) {
	it := &queue.Item{ID: 7, File: "put.xml", Companions: []queue.Companion{
		{File: "elsewhere.note.txt", SHA256: "0", State: queue.CompanionAdded}, // its document was renamed: it lies where it was
		{File: "PUT.xml.note.txt", SHA256: "1", State: queue.CompanionAdded},
		{File: "put.xml.attach.a.pdf", SHA256: "2", State: queue.CompanionNot},
		{File: "put.xml.attach.b.pdf", SHA256: "3", State: queue.CompanionMaybe},
		{File: "put.xml.attach.c.pdf", State: queue.CompanionAdded}, // its bytes are not known
	}}
	got := (&Worker{}).oldFiles(it, time.Now()).Companions
	want := []archive.OldCompanion{{Tail: ".note.txt", SHA256: "1"}, {Tail: ".attach.b.pdf", SHA256: "3"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
