package deliver

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
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

func TestDuplicates(t *testing.T) {
	for _, c := range []struct {
		name   string
		second []byte
		state  queue.State
		hold   queue.Hold
	}{
		{"the same bytes", newWell("a"), queue.Rejected, ""},
		{"the same content, written otherwise", bytes.ReplaceAll(bytes.ReplaceAll(newWell("a"), []byte("b:"), []byte("brocom:")), []byte(":b="), []byte(":brocom=")), queue.Queued, queue.HoldDuplicate},
		{"another reference only", bytes.ReplaceAll(newWell("a"), []byte(">test<"), []byte(">other<")), queue.Queued, queue.HoldDuplicate},
		{"the same object name", bytes.ReplaceAll(newWell("a"), []byte("</GMW_GroundLevel>"), []byte("<x>1</x></GMW_GroundLevel>")), queue.Queued, queue.HoldDuplicate},
		{"another object", newWell("b"), queue.Delivered, ""},
		{"an addition with that name", []byte(addition("GMW000000100001", "a")), queue.Delivered, ""},
	} {
		for _, wait := range []time.Duration{0, time.Hour, 1000 * time.Hour} { // the first is under way, delivered, long ago
			t.Run(c.name+" after "+wait.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t)
					s.portal.delay = time.Second
					s.save("zwolle", "a.xml", newWell("a"))
					s.pass(wait)
					if wait > time.Hour {
						s.restart()
					}
					s.save("zwolle", "b.xml", c.second)
					s.pass(time.Hour)
					second := s.want("b.xml", c.state, c.hold)
					want := 1
					if c.state == queue.Delivered {
						want = 2
					}
					if n := len(s.portal.deliveries()); n != want {
						t.Fatalf("%d deliveries, want %d", n, want)
					}
					if c.state == queue.Rejected {
						reason, err := os.ReadFile(second.Beside)
						if err != nil || !strings.Contains(string(reason), "a.xml") || wait > 0 && !strings.Contains(string(reason), "0000000001") {
							t.Errorf("the reason does not name the first delivery: %s (%v)", reason, err)
						}
					}
					if c.hold == queue.HoldDuplicate {
						if !s.exists("zwolle", "b.xml") {
							t.Error("a held document does not lie in the folder any more")
						}
						if _, err := s.worker.Release(second.ID); err != nil {
							t.Fatal(err)
						}
						s.pass(time.Hour)
						s.want("b.xml", queue.Delivered, "")
					}
				})
			})
		}
	}
}

func TestRetryByGesture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.verdict = portal.Validation{Errors: []string{"fout"}} })
		data := newWell("a")
		s.save("zwolle", "a.xml", data)
		s.pass(time.Minute)
		first := s.want("a.xml", queue.Rejected, "")

		// moved back unchanged, and still not valid: failed again, with its own reason
		if err := os.Rename(first.Filed, filepath.Join(s.dir, "zwolle", "a.xml")); err != nil {
			t.Fatal(err)
		}
		s.offer("zwolle", "a.xml", time.Minute)
		s.pass(time.Minute)
		second := s.want("a.xml", queue.Rejected, "")
		if second.ID == first.ID || second.Previous != first.ID {
			t.Fatalf("the second attempt is %s after %s, tied to %s", second.ID, first.ID, second.Previous)
		}

		// the corrected file under the same name succeeds
		s.portal.set(func(p *fakePortal) { p.verdict = portal.Validation{Valid: true} })
		s.save("zwolle", "a.xml", newWell("corrected"))
		s.pass(time.Minute)
		third := s.want("a.xml", queue.Delivered, "")
		if third.Previous != second.ID {
			t.Errorf("the third attempt is tied to %s, want %s", third.Previous, second.ID)
		}
		for _, reason := range []string{first.Beside, second.Beside} {
			if _, err := os.Stat(reason); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the old reason %s is still there (%v)", reason, err)
			}
		}
		found := 0
		err := filepath.WalkDir(filepath.Join(s.dir, "zwolle"), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				if got, _ := os.ReadFile(path); bytes.Equal(got, data) {
					found++
				}
			}
			return err
		})
		if err != nil || found != 1 {
			t.Errorf("the document that failed lies in %d places, want 1 (%v)", found, err)
		}
	})
}

func TestNotTakenUntilWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		whole := newWell("a")
		cut := whole[:len(whole)/2]
		if err := os.WriteFile(filepath.Join(s.dir, "zwolle", "a.xml"), cut, 0o644); err != nil {
			t.Fatal(err)
		}
		d := s.offer("zwolle", "a.xml", time.Minute)
		if d.Answer != NotYet || d.After != 30*time.Minute || d.Reason == "" {
			t.Fatalf("half a file: %+v", d)
		}
		s.pass(time.Hour)
		if n := s.portal.total(); n != 0 {
			t.Fatalf("the portal was called %d times for half a file", n)
		}
		if left, _ := os.ReadDir(filepath.Join(s.dir, "data", queue.SpoolName)); len(left) != 0 {
			t.Errorf("half a file left %v in the spool", left)
		}
		if d := s.save("zwolle", "a.xml", whole); d.Answer != Taken {
			t.Fatalf("the whole file: %+v", d)
		}
		s.pass(time.Minute)
		s.want("a.xml", queue.Delivered, "")

		if err := os.WriteFile(filepath.Join(s.dir, "zwolle", "b.xml"), cut, 0o644); err != nil {
			t.Fatal(err)
		}
		if d := s.offer("zwolle", "b.xml", 31*time.Minute); d.Answer != Taken {
			t.Fatalf("half a file for too long: %+v", d)
		}
		s.pass(time.Minute)
		it := s.want("b.xml", queue.Rejected, "")
		if !strings.HasPrefix(it.Report.Code, "document-") || !s.exists("zwolle", "failed", "b.xml") {
			t.Errorf("rejected as %+v", it.Report)
		}
	})
}

func TestWhatIsNoDocumentFailsAtOnce(t *testing.T) {
	for name, content := range map[string]string{
		"an answer": `<dispatchDataResponse xmlns="http://www.broservices.nl/xsd/dsgmw/1.1"/>`,
		"a zip":     "PK\x03\x04" + strings.Repeat("x", 100),
		"a doctype": `<!DOCTYPE x [<!ENTITY a "b">]><x/>`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				if d := s.save("zwolle", "a.xml", []byte(content)); d.Answer != Taken {
					t.Fatalf("Accept said %+v", d)
				}
				s.pass(time.Minute)
				it := s.want("a.xml", queue.Rejected, "")
				if got, err := os.ReadFile(it.Filed); err != nil || string(got) != content {
					t.Errorf("failed/ holds %q, %v", got, err)
				}
				if s.portal.total() != 0 {
					t.Error("the portal was asked")
				}
			})
		})
	}
}

func TestChangedWhileRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		path := filepath.Join(s.dir, "zwolle", "a.xml")
		if err := os.WriteFile(path, newWell("a"), 0o644); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		d := s.worker.Accept(context.Background(), Arrival{
			Folder: "zwolle", File: "a.xml", Size: info.Size(), ModTime: info.ModTime(), Unchanged: time.Minute,
			Open: func() (*os.File, error) {
				// somebody writes between the scan's look and ours
				return os.Open(path + touch(t, path))
			},
			Check: sameFile(info),
		})
		if d.Answer != Later {
			t.Errorf("Accept said %+v", d)
		}
		if items, _ := s.store.List(queue.Filter{}); len(items) != 0 {
			t.Errorf("it was queued: %+v", items)
		}
	})
}

func touch(t *testing.T, path string) string {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(" ")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// TestKnownFileIsNotReadAgain: after a restart every waiting file is offered
// again; it must cost neither reading nor a second item.
func TestKnownFileIsNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryReceived, portal.DocumentRecognised })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		s.restart()
		path := filepath.Join(s.dir, "zwolle", "a.xml")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		d := s.worker.Accept(context.Background(), Arrival{
			Folder: "zwolle", File: "a.xml", Size: info.Size(), ModTime: info.ModTime(),
			Open:  func() (*os.File, error) { t.Error("it was read again"); return os.Open(path) },
			Check: sameFile(info),
		})
		if d.Answer != Taken {
			t.Errorf("Accept said %+v", d)
		}
		// touched, but the same bytes: read, and known
		later := info.ModTime().Add(time.Hour)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
		if d := s.offer("zwolle", "a.xml", time.Minute); d.Answer != Taken {
			t.Errorf("touched: %+v", d)
		}
		// renamed while under way: the same document under its new name
		if err := os.Rename(path, filepath.Join(s.dir, "zwolle", "b.xml")); err != nil {
			t.Fatal(err)
		}
		if d := s.offer("zwolle", "b.xml", time.Minute); d.Answer != Taken {
			t.Errorf("renamed: %+v", d)
		}
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered })
		s.pass(2 * time.Hour)
		items, err := s.store.List(queue.Filter{})
		if err != nil || len(items) != 1 || items[0].State != queue.Delivered || filepath.Base(items[0].Filed) != "b.xml" {
			t.Fatalf("items: %+v, %v", items, err)
		}
	})
}

// TestNameThatCannotBeStored: such a file stays where it is, and is told of.
func TestNameThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		d := s.worker.Accept(context.Background(), Arrival{
			Folder: "zwolle", File: "inv\xff.xml", Size: 1, Open: func() (*os.File, error) { return nil, errors.New("it was opened") },
		})
		if d.Answer != NotYet || !strings.Contains(d.Reason, "UTF-8") {
			t.Errorf("Accept said %+v", d)
		}
		s.pass(time.Hour)
		if items, _ := s.store.List(queue.Filter{}); len(items) != 0 {
			t.Errorf("it was queued: %+v", items)
		}
	})
}

// TestFailedAgainHasOneReason: a document that is moved back from failed/ and
// fails again lies there once, with one reason, under its own name.
func TestFailedAgainHasOneReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.verdict = portal.Validation{Errors: []string{"fout"}} })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		for range 3 {
			it := s.want("a.xml", queue.Rejected, "")
			if err := os.Rename(it.Filed, filepath.Join(s.dir, "zwolle", "a.xml")); err != nil {
				t.Fatal(err)
			}
			s.offer("zwolle", "a.xml", time.Minute)
			s.pass(time.Minute)
		}
		entries, err := os.ReadDir(filepath.Join(s.dir, "zwolle", "failed"))
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if err != nil || strings.Join(names, " ") != "a.xml a.xml.reason.txt" {
			t.Errorf("failed/ holds %q (%v)", names, err)
		}
	})
}

func TestFilingIsRetriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		blocker := filepath.Join(s.dir, "zwolle", "done") // a file where the folder should be
		if err := os.WriteFile(blocker, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(30 * 24 * time.Hour)
		it := s.want("a.xml", queue.Delivered, "")
		if !it.Open() || it.LastError == "" || !s.exists("zwolle", "a.xml") {
			t.Fatalf("filed as %q, last error %q", it.Filed, it.LastError)
		}
		if err := os.Remove(blocker); err != nil {
			t.Fatal(err)
		}
		s.pass(2 * time.Hour)
		if it := s.want("a.xml", queue.Delivered, ""); it.Open() {
			t.Errorf("it is still not filed: %s", it.LastError)
		}
		if n := len(s.portal.deliveries()); n != 1 {
			t.Errorf("it was submitted %d times", n)
		}
	})
}

func TestFilenames(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"put-17.xml", "put-17-7-"},
		{"PUT 17 (é).XML", "put_17____-7-"},
		{"sub/dir/x.xml", "x-7-"},
		{strings.Repeat("long", 50) + ".xml", strings.Repeat("long", 10) + "-7-"},
	} {
		v := visit{it: queue.Item{ID: 7, File: c.file, SHA256: strings.Repeat("a", 64), Spool: "0123456789abcdef"}}
		got := v.filename()
		if !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, ".xml") || len(got) > 80 {
			t.Errorf("%q became %q", c.file, got)
		}
	}
}

// halfFailing is a Store whose AddAll says that it failed, after it did not.
type halfFailing struct {
	Store
	times atomic.Int64 // that are still to be said so
	blind atomic.Bool  // and then what is in the queue can't be read either
}

var errDisk = errors.New("input/output error")

func (h *halfFailing) AddAll(at time.Time, items []queue.Item, moved func(queue.Item) bool) []queue.Arrived {
	all := h.Store.AddAll(at, items, moved)
	for i := range all {
		if h.times.Add(-1) >= 0 {
			all[i] = queue.Arrived{Err: errDisk}
		}
	}
	return all
}

func (h *halfFailing) BySource(folder, file string) (queue.Item, bool, error) {
	if h.blind.Load() {
		return queue.Item{}, false, errDisk
	}
	return h.Store.BySource(folder, file)
}

// TestStoredAlthoughItFailed: a document whose item stands in the queue keeps its bytes, whatever the disk said of it.
func TestStoredAlthoughItFailed(t *testing.T) {
	for _, blind := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.halt()
			disk := &halfFailing{}
			disk.times.Store(1)
			s.startWith(func(store Store) Store { disk.Store = store; return disk })
			s.portal.set(func(p *fakePortal) { p.delay = time.Second })
			s.save("zwolle", "a.xml", newWell("a"))
			disk.blind.Store(blind)
			s.pass(100 * time.Millisecond)
			disk.blind.Store(false)
			s.pass(time.Hour)
			s.want("a.xml", queue.Delivered, "")
			if n := len(s.portal.deliveries()); n != 1 {
				t.Errorf("submitted %d times", n)
			}
			if left, err := os.ReadDir(filepath.Join(s.dir, "data", "spool")); err != nil || len(left) != 0 {
				t.Errorf("%d files are left in the spool (%v)", len(left), err)
			}
		})
	}
}
