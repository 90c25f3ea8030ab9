package deliver

import (
	"errors"
	"fmt"
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

// TestResolveWhilePortalIsAsked: a person's answer must not override the one
// that is on its way from the portal, else the document is submitted twice.
func TestResolveWhilePortalIsAsked(t *testing.T) {
	for name, resolve := range map[string]func(*Worker, queue.ID) (queue.Item, error){
		"not delivered": (*Worker).ResolveNotDelivered,
		"delivered":     func(w *Worker, id queue.ID) (queue.Item, error) { return w.ResolveDelivered(id, "77") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.portal.delay = 10 * time.Second
				s.save("zwolle", "a.xml", newWell("a"))
				s.pass(35 * time.Second) // the submit call is under way
				it := s.item("a.xml")
				if !it.Uncertain() || s.portal.count(portal.OpSubmit) != 1 {
					t.Fatalf("it is %s, %d submits", it.State, s.portal.count(portal.OpSubmit))
				}
				var te *queue.TransitionError
				if _, err := resolve(s.worker, it.ID); !errors.As(err, &te) {
					t.Errorf("resolved while the submit call was under way: %v", err)
				}
				s.pass(time.Hour)
				it = s.want("a.xml", queue.Delivered, "")
				if n := len(s.portal.deliveries()); n != 1 || it.Delivery.ID != "0000000001" {
					t.Errorf("submitted %d times, delivery %s", n, it.Delivery.ID)
				}
			})
		})
	}
}

// TestResolvedWithWrongNumber: the outcome of somebody else's document is not ours.
func TestResolvedWithWrongNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.save("zwolle", "other.xml", newWell("other"))
		s.pass(time.Minute)
		s.want("other.xml", queue.Delivered, "")
		s.portal.set(func(p *fakePortal) {
			p.hidden = true
			p.answer = fail(portal.OpSubmit, 2, false, &portal.Error{Kind: portal.Unavailable, MaybeDone: true})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(24 * time.Hour)
		it := s.want("a.xml", queue.Attached, queue.HoldUncertain)
		if _, err := s.worker.ResolveDelivered(it.ID, "1"); err != nil {
			t.Fatal(err)
		}
		s.pass(24 * time.Hour)
		it = s.want("a.xml", queue.Submitted, queue.HoldPerson)
		if !strings.Contains(it.HoldReason, "0000000001") || !s.exists("zwolle", "a.xml") {
			t.Errorf("held because %q", it.HoldReason)
		}
	})
}

// fullDisk is a Store whose writes fail while it is full.
type fullDisk struct {
	Store
	full atomic.Bool
}

func (f *fullDisk) Apply(id queue.ID, ts ...queue.Transition) (queue.Item, error) {
	if f.full.Load() {
		return queue.Item{}, errors.New("no space left on device")
	}
	return f.Store.Apply(id, ts...)
}

// failingSync is a Store of which some writes fail, of which the intents are
// stored all the same when stored says so.
type failingSync struct {
	Store
	fails  atomic.Int32
	stored bool
}

func (f *failingSync) Apply(id queue.ID, ts ...queue.Transition) (queue.Item, error) {
	if ts[len(ts)-1].Name() != "submitting" || f.fails.Add(-1) < 0 {
		return f.Store.Apply(id, ts...)
	}
	if f.stored {
		if _, err := f.Store.Apply(id, ts...); err != nil {
			return queue.Item{}, err
		}
	}
	return queue.Item{}, errors.New("input/output error")
}

// TestIntentWithoutCall: an intent that could not be stored properly, and so was
// not called for, makes nobody look for a delivery; and one that was called for
// is in doubt, whatever failed before it.
func TestIntentWithoutCall(t *testing.T) {
	for _, stored := range []bool{true, false} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("stored %t, answer lost %t", stored, lost), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t)
					s.halt()
					disk := &failingSync{stored: stored}
					disk.fails.Store(3)
					s.startWith(func(store Store) Store { disk.Store = store; return disk })
					s.portal.set(func(p *fakePortal) {
						p.hidden = true
						if lost {
							p.answer = fail(portal.OpSubmit, 1, true, &portal.Error{Kind: portal.Unavailable, MaybeDone: true})
						}
					})
					s.save("zwolle", "a.xml", newWell("a"))
					s.pass(24 * time.Hour)
					if lost {
						s.want("a.xml", queue.Attached, queue.HoldUncertain)
					} else if it := s.want("a.xml", queue.Delivered, ""); it.Lookups > 0 || s.portal.count(portal.OpDeliveriesAwaiting) > 0 {
						t.Errorf("it was looked up")
					}
					if n := len(s.portal.deliveries()); n != 1 {
						t.Errorf("submitted %d times", n)
					}
				})
			})
		}
	}
}

// After a restart nobody knows whether the call was made.
func TestIntentWithoutCallAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.halt()
		disk := &failingSync{stored: true}
		disk.fails.Store(1)
		s.startWith(func(store Store) Store { disk.Store = store; return disk })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Millisecond)
		s.restart()
		s.pass(24 * time.Hour)
		s.want("a.xml", queue.Attached, queue.HoldUncertain)
		if n := len(s.portal.deliveries()); n != 0 {
			t.Errorf("submitted %d times", n)
		}
	})
}

// TestQueueCannotBeWritten: the portal and the share are not asked the same
// thing over and over while no answer can be stored.
func TestQueueCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.halt()
		disk := &fullDisk{}
		s.startWith(func(store Store) Store { disk.Store = store; return disk })
		s.portal.delay = time.Millisecond
		disk.full.Store(true)
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(10 * time.Minute)
		if n := s.portal.total(); n > 3*30 {
			t.Errorf("the portal was called %d times in ten minutes", n)
		}
		disk.full.Store(false)
		s.pass(time.Hour)
		s.want("a.xml", queue.Delivered, "")
		if n := len(s.portal.deliveries()); n != 1 {
			t.Errorf("submitted %d times", n)
		}
		began := time.Now()
		disk.full.Store(true)
		s.save("zwolle", "b.xml", newWell("b"))
		s.pass(time.Second)
		s.halt()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

// TestRetryAfterOutlastsOthers: answers that were on their way do not open a
// gate that the portal asked to keep shut for a time.
func TestRetryAfterOutlastsOthers(t *testing.T) {
	var g gate
	g.first, g.max, g.spread = time.Second, time.Minute, func(d time.Duration) time.Duration { return d }
	now := time.Now()
	g.shut(now, reason{text: "429"}, 2*time.Minute)
	g.pass(now.Add(time.Second))
	if ok, next := g.enter(now.Add(2 * time.Second)); ok || !next.Equal(now.Add(2*time.Minute)) {
		t.Errorf("it let one through, next %s", next.Sub(now))
	}
	if ok, _ := g.enter(now.Add(2 * time.Minute)); !ok {
		t.Error("nobody may try when the time is over")
	}
	if g.pass(now.Add(2*time.Minute)) == 0 || g.state() != nil {
		t.Error("the probe did not open it")
	}
	g.shut(now, reason{text: "429"}, 2*time.Minute)
	g.knock(now.Add(time.Second))
	if ok, _ := g.enter(now.Add(time.Second)); !ok || g.pass(now.Add(time.Second)) == 0 {
		t.Error("a person's retry does not open it")
	}
}

// TestUnlimitedIsSlowedDown: without a limit of ours, 429 makes one.
func TestUnlimitedIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.answer = fail(portal.OpValidate, 1, false, &portal.Error{StatusCode: 429, Kind: portal.RateLimited})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Second)
		if limit := s.worker.setup.Load().order[0].endpoint.limiter.Limit(); limit > 10 {
			t.Errorf("the limit is %v", float64(limit))
		}
		s.pass(time.Hour)
		s.want("a.xml", queue.Delivered, "")
	})
}

// TestProjectChanged: what is at the portal under one project is not asked for under another.
func TestProjectChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryReceived, portal.DocumentRecognised })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		s.want("a.xml", queue.Submitted, "")
		s.portal.set(func(p *fakePortal) {
			p.answer = fail(portal.OpValidate, 1000, false, &portal.Error{StatusCode: 404, Kind: portal.Unauthorized})
		})
		s.save("zwolle", "b.xml", newWell("b"))
		s.pass(time.Minute)
		s.halt()
		calls := s.portal.count(portal.OpDelivery)
		s.portal.set(func(p *fakePortal) {
			p.answer = nil
			p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered
		})
		s.opts.Folders[0].Project = 1300
		s.start()
		s.pass(3 * time.Hour)
		if it := s.want("a.xml", queue.Submitted, ""); s.portal.count(portal.OpDelivery) != calls+1 || !strings.Contains(it.LastError, "1255") {
			t.Errorf("asked %d times under another project; %q", s.portal.count(portal.OpDelivery)-calls, it.LastError)
		}
		// what was not at the portal yet goes to the project that was put right, and the receipt says so
		if it := s.want("b.xml", queue.Delivered, ""); ReceiptOf(&it, time.Now()).Project != "1300" {
			t.Errorf("its receipt names project %s", ReceiptOf(&it, time.Now()).Project)
		}
		s.halt()
		s.opts.Folders[0].Project = 1255
		s.start()
		s.pass(3 * time.Hour)
		s.want("a.xml", queue.Delivered, "")
	})
}

// TestFollowingDoesNotStarveDelivering: many deliveries to ask about leave room for a new document.
func TestFollowingDoesNotStarveDelivering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *Options) { o.Endpoints[0].Concurrency = 1; o.Policy.FollowMax = o.Policy.FollowFirst })
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryReceived, portal.DocumentRecognised })
		for _, name := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
			s.save("zwolle", name+".xml", newWell(name))
		}
		s.pass(time.Minute)
		s.portal.set(func(p *fakePortal) { p.delay = time.Second }) // more questions are due than can be asked
		s.pass(time.Minute)
		s.save("zwolle", "new.xml", newWell("new"))
		s.pass(time.Minute)
		s.want("new.xml", queue.Submitted, "")
	})
}

// TestWrongProjectOfOneFolder: a folder whose project the portal does not know
// does not keep another folder with the same token waiting.
func TestWrongProjectOfOneFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := newFakePortal()
		wrong.answer = func(op portal.Op, _ int) (bool, error) {
			return false, &portal.Error{Op: op, StatusCode: 404, Kind: portal.Unauthorized}
		}
		s := &site{t: t, dir: t.TempDir(), portal: newFakePortal()}
		good, bad := s.folder("zwolle", "token"), s.folder("wrong", "token")
		bad.Project, bad.Portal = 9999, wrong
		s.opts = Options{
			Endpoints: []Endpoint{{Address: "https://portal", Environment: "demo", Concurrency: 4}},
			Folders:   []Folder{good, bad}, Policy: testPolicy,
		}
		s.start()
		t.Cleanup(s.close)
		for i := range 20 {
			s.save("wrong", fmt.Sprint("w", i, ".xml"), newWell(fmt.Sprint("w", i)))
		}
		s.pass(time.Hour)
		for i := range 20 {
			s.save("zwolle", fmt.Sprint("g", i, ".xml"), newWell(fmt.Sprint("g", i)))
		}
		s.pass(2 * time.Minute)
		if n := len(s.portal.deliveries()); n != 20 {
			t.Errorf("%d of 20 documents of the other folder were delivered", n)
		}
		if n := wrong.total(); n > 30 {
			t.Errorf("the wrong project was asked for %d times in an hour", n)
		}
		for _, f := range s.worker.Status() {
			if (f.TokenPause != nil) != (f.Folder == "wrong") {
				t.Errorf("folder %s: %+v", f.Folder, f.TokenPause)
			}
		}
	})
}

// TestFoldersTakeTurns: a folder with a backlog leaves room for the others,
// also where one document is under way at a time.
func TestFoldersTakeTurns(t *testing.T) {
	for _, small := range []string{"zwolle", "assen"} {
		t.Run(small, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, func(o *Options) { o.Endpoints[0].Concurrency = 1 })
				s.halt()
				s.opts.Folders = append(s.opts.Folders, s.folder("assen", "assen"))
				s.start()
				s.portal.set(func(p *fakePortal) { p.delay = time.Second })
				large := map[string]string{"zwolle": "assen", "assen": "zwolle"}[small]
				for i := range 30 {
					s.save(large, fmt.Sprint("l", i, ".xml"), newWell(fmt.Sprint("l", i)))
				}
				s.pass(20 * time.Second)
				s.save(small, "s.xml", newWell("s"))
				s.pass(30 * time.Second)
				it, found, err := s.store.BySource(small, "s.xml")
				if err != nil || !found || it.State == queue.Queued {
					t.Errorf("it is %s (%v): the other folder keeps it waiting", it.State, err)
				}
			})
		})
	}
}

// TestSpoolFileGone: somebody cleaned up in the data folder.
func TestSpoolFileGone(t *testing.T) {
	gone := func(t *testing.T, change func(s *site, path string)) *site {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.answer = fail(portal.OpValidate, 1, false, &portal.Error{Kind: portal.Unavailable, RetryAfter: time.Hour})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		s.want("a.xml", queue.Queued, "")
		files, err := filepath.Glob(filepath.Join(s.dir, "data", "spool", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%v, %v", files, err)
		}
		if err := os.Remove(files[0]); err != nil {
			t.Fatal(err)
		}
		change(s, filepath.Join(s.dir, "zwolle", "a.xml"))
		s.pass(24 * time.Hour)
		return s
	}
	for name, c := range map[string]struct {
		change func(s *site, path string)
		held   bool
	}{
		"the file is there":    {func(*site, string) {}, false},
		"the file is gone too": {func(s *site, path string) { _ = os.Remove(path) }, true},
		"the file is another":  {func(s *site, path string) { _ = os.WriteFile(path, newWell("b"), 0o600) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := gone(t, c.change)
				if c.held {
					it := s.want("a.xml", queue.Queued, queue.HoldPerson)
					if !strings.Contains(it.HoldReason, "spool") || !strings.Contains(it.HoldReason, "release") || len(it.History) > 10 {
						t.Errorf("held because %q, %d events", it.HoldReason, len(it.History))
					}
					// a person puts it back
					if err := os.WriteFile(filepath.Join(s.dir, "zwolle", "a.xml"), newWell("a"), 0o600); err != nil {
						t.Fatal(err)
					}
					if _, err := s.worker.Release(it.ID); err != nil {
						t.Fatal(err)
					}
					s.pass(time.Hour)
				}
				s.want("a.xml", queue.Delivered, "")
				if all := s.portal.deliveries(); len(all) != 1 || !s.exists("zwolle", "done") || s.exists("zwolle", "a.xml") {
					t.Errorf("submitted %d times, or not filed", len(all))
				}
			})
		})
	}
	t.Run("given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := gone(t, func(s *site, path string) { _ = os.Remove(path) })
			it := s.want("a.xml", queue.Queued, queue.HoldPerson)
			if _, err := s.worker.Cancel(it.ID); err != nil {
				t.Fatal(err)
			}
			s.pass(24 * time.Hour)
			it = s.want("a.xml", queue.Cancelled, "")
			if !strings.Contains(it.LastError, "put that file back") {
				t.Errorf("it says %q", it.LastError)
			}
			if err := os.WriteFile(filepath.Join(s.dir, "zwolle", "a.xml"), newWell("a"), 0o600); err != nil {
				t.Fatal(err)
			}
			s.pass(24 * time.Hour)
			if it := s.item("a.xml"); it.Open() || !s.exists("zwolle", "failed", "a.xml") {
				t.Errorf("it is not filed: %s", it.LastError)
			}
		})
	})
}

// TestClockWasAhead: what was put off while the clock was years ahead does not
// wait for years.
func TestClockWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.answer = fail(portal.OpValidate, 1, false, &portal.Error{Kind: portal.Unavailable, RetryAfter: 30 * time.Minute})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.save("zwolle", "b.xml", newWell("b"))
		s.pass(time.Second)
		ahead := time.Now().AddDate(10, 0, 0)
		if _, err := s.store.Apply(s.item("a.xml").ID, queue.Postponed(ahead, ahead, "", "")); err != nil {
			t.Fatal(err)
		}
		// one that came in then, with its bytes in the spool
		b := s.item("b.xml")
		if _, err := s.worker.Cancel(b.ID); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		d, err := s.opts.Spool.NewDraft()
		if err == nil {
			_, err = d.Write(newWell("b"))
		}
		again := queue.Item{
			Folder: "zwolle", File: "c.xml", Portal: b.Portal, Environment: b.Environment, Project: b.Project, SHA256: b.SHA256,
			Source: b.Source, Type: b.Type, Request: b.Request, Spool: d.Name(),
		}
		if err := errors.Join(err, d.Describe(again), s.opts.Spool.SealAll(d)[0]); err != nil {
			t.Fatal(err)
		}
		added := s.store.AddAll(ahead, []queue.Item{again}, nil)[0]
		if err := errors.Join(added.Err, d.Keep(added.Item.ID)); err != nil {
			t.Fatal(err)
		}
		s.pass(3 * time.Hour)
		s.want("a.xml", queue.Delivered, "")
		s.want("c.xml", queue.Delivered, "")
		if n := len(s.portal.deliveries()); n != 2 {
			t.Errorf("submitted %d times", n)
		}
	})
}
