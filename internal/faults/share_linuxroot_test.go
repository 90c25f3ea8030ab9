//go:build linuxroot

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brodaemon/internal/queue"
)

// bind shows one directory at another place, as a mounted share does, until the end of the test.
func bind(t testing.TB, from, to string) {
	t.Helper()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("SKIPPED: mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
}

// tmpfs mounts a small disk, until the end of the test.
func tmpfs(t testing.TB, at, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, options); err != nil {
		t.Skipf("SKIPPED: mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

// TestShareGoesAndReturns: the share of one folder goes away in each way that
// leaves something readable in its place, with documents at every stage. Nothing
// is taken from what is there instead and nothing is forgotten, also over a
// restart; the other folder goes on; after the return all is picked up.
func TestShareGoesAndReturns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		leave  func(t *testing.T, s *site, share string)
		come   func(t *testing.T, s *site, share string)
		hidden bool // what is saved in its place stays there, out of sight
	}{
		"unmounted": {
			func(t *testing.T, s *site, _ string) { mustDo(t, unix.Unmount(s.path("shaky"), 0)) },
			func(t *testing.T, s *site, share string) { bind(t, share, s.path("shaky")) },
			true,
		},
		"unmounted lazily while somebody writes": {
			func(t *testing.T, s *site, _ string) {
				f := create(t, s.path("shaky", "open.xml"))
				t.Cleanup(func() { f.Close() })
				mustDo(t, unix.Unmount(s.path("shaky"), unix.MNT_DETACH))
			},
			func(t *testing.T, s *site, share string) { bind(t, share, s.path("shaky")) },
			true,
		},
		"mounted over": {
			func(t *testing.T, s *site, _ string) { tmpfs(t, s.path("shaky"), "size=1m") },
			func(t *testing.T, s *site, _ string) { mustDo(t, unix.Unmount(s.path("shaky"), unix.MNT_DETACH)) },
			true,
		},
		"marker removed": {
			func(t *testing.T, _ *site, share string) {
				mustDo(t, os.Rename(filepath.Join(share, ".brodaemon-folder"), filepath.Join(share, "..", "marker-of-"+filepath.Base(share))))
			},
			func(t *testing.T, _ *site, share string) {
				mustDo(t, os.Rename(filepath.Join(share, "..", "marker-of-"+filepath.Base(share)), filepath.Join(share, ".brodaemon-folder")))
			},
			false,
		},
	}
	for name, tt := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s restart=%v", name, restart), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, "shaky", "steady")
				share := t.TempDir()
				bind(t, share, s.path("shaky"))
				s.start()
				s.online("shaky")
				s.filed(s.path("shaky", "done"), s.save(s.path("shaky", "before.xml")))

				// at the portal, and settling, when the share goes
				release := s.holdAt(queue.Submitted)
				atPortal := s.save(s.path("shaky", "at-portal.xml"))
				s.eventually("submitted", func() bool {
					items, _ := s.d.Items(queue.Filter{State: queue.Submitted})
					return len(items) == 1
				})
				settling := s.save(s.path("shaky", "settling.xml"))
				tt.leave(t, s, share)
				f := s.offline("shaky", "marker-missing")
				if !strings.Contains(f.Reason, "Check first that the share is connected") {
					t.Errorf("reason %q", f.Reason)
				}
				wrong := s.save(s.path("shaky", "in-the-wrong-place.xml"))
				if restart {
					s.halt()
					s.start()
					s.offline("shaky", "marker-missing")
				}
				// the portal is done with what it has; the other folder goes on
				release()
				s.filed(s.path("steady", "done"), s.saveMany(s.path("steady"), "s", 3)...)
				s.eventually("its outcome is known, and that it can't be moved", func() bool {
					items, _ := s.d.Items(queue.Filter{Folder: "shaky", State: queue.Delivered, Open: true})
					return len(items) == 1 && items[0].LastKind == "filing"
				})
				if c := s.condition("filing-failed"); c == nil || c.N != 1 {
					t.Errorf("the condition says %+v", c)
				}
				s.never(wrong)
				if _, err := os.Stat(s.path("shaky", "done")); tt.hidden && err == nil {
					t.Error("done/ was made in the wrong place")
				}

				waiting := s.saveMany(share, "saved-meanwhile-", 2)
				tt.come(t, s, share)
				s.online("shaky")
				came := time.Now()
				s.filed(s.path("shaky", "done"), append(waiting, atPortal)...)
				t.Logf("picked up and moved within %s of its return", time.Since(came).Round(10*time.Millisecond))
				// settling.xml may have been taken before the share went, or now: once, anyhow
				s.filed(s.path("shaky", "done"), settling)
				if tt.hidden {
					s.never(wrong)
				}
				if gap := s.folder("shaky").Gap; gap == nil || gap.Cause != "marker-missing" || !gap.Until.After(gap.From) {
					t.Errorf("status tells of %+v", gap)
				}
				items, err := s.d.Items(queue.Filter{Folder: "shaky"})
				mustDo(t, err)
				for _, it := range items {
					if it.File != "at-portal.xml" {
						continue
					}
					var words []string
					for _, e := range it.History {
						words = append(words, e.What)
					}
					story := strings.Join(words, " ")
					if !strings.Contains(story, "filing-failed") || !strings.HasSuffix(story, "filed") { // in between retry-now, unless it was about to be tried anyway
						t.Errorf("queue show tells: %s", story)
					}
				}
			})
		}
	}
}

// TestOneBadEntry: what can't be looked at, or opened, waits by itself.
func TestOneBadEntry(t *testing.T) {
	t.Parallel()
	for op, says := range map[string]string{"lookup": "cannot be looked at", "open": "input/output error"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "f")
			share := mountFaults(t, s.path("f"))
			undo := share.fail(op, "bad.xml", syscall.EIO)
			bad := s.save(filepath.Join(share.backing, "bad.xml"))
			good := s.saveMany(share.backing, "good", 5)
			s.start()
			s.filed(filepath.Join(share.backing, "done"), good...)
			s.eventually("bad.xml waits with its reason", func() bool {
				f := s.folder("f")
				return f.Online && len(f.NotTaken) == 1 && f.NotTaken[0].File == "bad.xml" && strings.Contains(f.NotTaken[0].Reason, says)
			})
			s.never(bad)
			undo()
			s.filed(filepath.Join(share.backing, "done"), bad)
		})
	}
}

// TestListingBreaksOff: a listing that fails half-way adds what it showed, and
// makes nothing gone: what was taken is not taken again, what settles goes on.
func TestListingBreaksOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f")
	share := mountFaults(t, s.path("f"))
	s.start()
	s.online("f")
	held := s.holdAt(queue.Submitted) // so that they stay in the folder
	first := s.saveMany(share.backing, "first", 30)
	s.eventually("all are submitted", func() bool {
		items, _ := s.d.Items(queue.Filter{State: queue.Submitted})
		return len(items) == len(first)
	})
	undo := share.add(&rule{op: "readdir", name: ".", after: 20, errno: syscall.EIO})
	f := s.offline("f", "partial")
	if !strings.Contains(f.Reason, "no proof that the rest is gone") {
		t.Errorf("reason %q", f.Reason)
	}
	more := s.saveMany(share.backing, "more", 30)
	taken := func() int {
		n := 0
		for _, data := range more {
			n += s.portal.Submissions(hashOf(data))
		}
		return n
	}
	scans := s.log.FilterMessage("folder offline").Len()
	time.Sleep(2 * time.Second) // let about eight listings break off
	if s.folder("f").Online || s.log.FilterMessage("folder offline").Len() != scans {
		t.Error("it went online, or said so again at each scan")
	}
	t.Logf("%d of %d new documents were seen in broken listings", taken(), len(more))
	undo()
	s.online("f")
	s.eventually("all are submitted", func() bool { return taken() == len(more) })
	held()
	s.eventually("approved", func() bool { // those of the later ones too
		for _, d := range s.portal.Deliveries() {
			s.portal.Approve(d.Identifier)
		}
		open, _ := s.d.Items(queue.Filter{Open: true, Limit: 1})
		return len(open) == 0
	})
	s.filed(filepath.Join(share.backing, "done"), append(first, more...)...)
}

// TestBlockedShare: calls to one share don't return. Only that folder is
// concerned: another one goes on, the status says so, and stopping is quick.
// When the share answers again everything is picked up.
func TestBlockedShare(t *testing.T) {
	t.Parallel()
	for _, released := range []bool{true, false} {
		t.Run(fmt.Sprintf("released=%v", released), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "blocked", "steady")
			share := mountFaults(t, s.path("blocked"))
			s.start()
			s.online("blocked")
			release := s.holdAt(queue.Submitted)
			under := s.saveMany(share.backing, "under-way", 12) // more than are moved at a time
			s.eventually("submitted", func() bool {
				items, _ := s.d.Items(queue.Filter{State: queue.Submitted})
				return len(items) == len(under)
			})
			share.hang("*", "*")
			release()
			waiting := s.saveMany(share.backing, "waiting", 3)
			steady := s.saveMany(s.path("steady"), "s", 5)
			s.filed(s.path("steady", "done"), steady...)
			f := s.offline("blocked", "no-answer")
			if !strings.Contains(f.Reason, "does not answer") {
				t.Errorf("reason %q", f.Reason)
			}
			s.filed(s.path("steady", "done"), s.saveMany(s.path("steady"), "later", 5)...)
			if !released {
				s.halt() // with scans and moves caught in the share; halt holds the time against its limit
				// What is caught stays so, as if its process had ended. The share is mounted anew.
				mustDo(t, unix.Unmount(share.at, unix.MNT_DETACH))
				mountFaultsOf(t, share.at, share.backing)
				s.start()
			} else {
				share.heal()
			}
			s.online("blocked")
			s.filed(filepath.Join(share.backing, "done"), append(under, waiting...)...)
		})
	}
}

// TestFolderMovedInWhole: with recursive, a tree that is moved in is found
// whole, also what is saved in it at the same moment.
func TestFolderMovedInWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f: recursive: true")
	s.start()
	s.online("f")
	away := s.path("away")
	var all [][]byte
	for i := range 5 {
		dir := filepath.Join(away, fmt.Sprint("a", i), "b", "c")
		mustDo(t, os.MkdirAll(dir, 0o755))
		all = append(all, s.saveMany(dir, fmt.Sprint("d", i, "-"), 10)...)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 { // nested folders made one by one
			dir := s.path("f", "burst", fmt.Sprint(i), "x")
			_ = os.MkdirAll(dir, 0o755)
		}
	})
	mustDo(t, os.Rename(away, s.path("f", "moved")))
	wg.Wait()
	for i := range 20 {
		all = append(all, s.save(s.path("f", "burst", fmt.Sprint(i), "x", "late.xml")))
	}
	s.filed(s.path("f", "done"), all...)
	s.settled()
	if left := s.hashes(s.path("f", "moved")); len(left) != 0 {
		t.Errorf("left in the tree: %v", left)
	}
}
