package deliver

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

func (s *site) reconfigure() {
	s.t.Helper()
	if err := s.worker.Reconfigure(s.opts.Endpoints, s.opts.Folders, s.opts.Policy); err != nil {
		s.t.Fatal(err)
	}
}

// TestReconfigureWhileSubmitting: a call under way is neither cut off nor made again.
func TestReconfigureWhileSubmitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.delay = time.Minute })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(3*time.Minute + 30*time.Second) // the submit call is under way
		if s.portal.count(portal.OpSubmit) != 1 {
			t.Fatalf("%d submit calls are under way", s.portal.count(portal.OpSubmit))
		}
		for range 5 {
			s.opts.Folders[0].Label += "x"
			s.reconfigure()
			s.pass(time.Second)
		}
		s.pass(time.Hour)
		it := s.want("a.xml", queue.Delivered, "")
		if got := s.portal.deliveries(); len(got) != 1 {
			t.Errorf("delivered %d times: %v", len(got), got)
		}
		if slices.ContainsFunc(it.History, func(e queue.Event) bool { return e.What == "submit-unknown" }) {
			t.Error("the call under way was cut off")
		}
	})
}

// TestReconfigureFolders: a folder that came is served at once; of one that went nothing new is begun, and it goes on when it is back.
func TestReconfigureFolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		zwolle := s.opts.Folders[0]
		s.opts.Folders = append(s.opts.Folders, s.folder("assen", "assen"))
		s.reconfigure()
		s.save("assen", "b.xml", newWell("b"))
		s.pass(time.Hour)
		if it, _, _ := s.store.BySource("assen", "b.xml"); it.State != queue.Delivered {
			t.Errorf("the new folder's document is %s", it.State)
		}

		s.portal.set(func(p *fakePortal) {
			p.answer = fail(portal.OpValidate, 1000, false, &portal.Error{StatusCode: 503, Kind: portal.Unavailable})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Second)
		s.opts.Folders = s.opts.Folders[1:]
		s.reconfigure()
		s.portal.set(func(p *fakePortal) { p.answer = nil })
		calls := s.portal.total()
		s.pass(24 * time.Hour)
		s.want("a.xml", queue.Queued, "")
		if n := s.portal.total() - calls; n != 0 {
			t.Errorf("%d calls were made for a folder that is not configured", n)
		}
		if d := s.save("zwolle", "c.xml", newWell("c")); d.Answer != Later {
			t.Errorf("a file of it was %s", d.Answer)
		}

		s.opts.Folders = append(s.opts.Folders, zwolle)
		s.reconfigure()
		s.pass(3 * time.Hour)
		s.want("a.xml", queue.Delivered, "")
	})
}

// TestReconfigureTriesAgain: what was paused is tried at once, with the new settings.
func TestReconfigureTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.answer = fail(portal.OpValidate, 1000, false, &portal.Error{StatusCode: 401, Kind: portal.Unauthorized})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(5 * time.Hour)
		s.portal.set(func(p *fakePortal) { p.answer = nil })
		s.pass(time.Second)
		s.want("a.xml", queue.Queued, "")
		s.opts.Policy.FollowFirst = time.Second
		s.reconfigure()
		s.pass(5 * time.Second)
		s.want("a.xml", queue.Delivered, "")
	})
}

// TestReconfigureLimits: concurrency follows the configuration, for what begins after it.
func TestReconfigureLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.delay = time.Second })
		s.opts.Endpoints[0].Concurrency = 1
		s.reconfigure()
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			s.save("zwolle", name+".xml", newWell(name))
		}
		s.pass(3 * time.Second)
		if s.portal.most != 1 {
			t.Errorf("%d calls at once, with a concurrency of 1", s.portal.most)
		}
		s.opts.Endpoints[0].Concurrency = 3
		s.reconfigure()
		s.pass(time.Hour)
		if s.portal.most != 3 {
			t.Errorf("%d calls at once, with a concurrency of 3", s.portal.most)
		}
	})
}

// TestReconfigureRefused: a folder without its portal changes nothing.
func TestReconfigureRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		if err := s.worker.Reconfigure(nil, s.opts.Folders, Policy{}); err == nil {
			t.Error("a folder without a portal was accepted")
		}
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Hour)
		s.want("a.xml", queue.Delivered, "")
	})
}

// TestOtherPortalTakesNothing: documents for two portals are never under way from one folder at once.
func TestOtherPortalTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryReceived, portal.DocumentRecognised })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		s.want("a.xml", queue.Submitted, "")
		s.halt()
		calls := s.portal.total()
		demo := s.opts.Folders[0]
		s.opts.Endpoints = append(s.opts.Endpoints, Endpoint{Address: "https://production", Environment: "production", Concurrency: 4})
		s.opts.Folders[0].Endpoint = "https://production"
		s.start()
		if d := s.save("zwolle", "b.xml", newWell("b")); d.Answer != Later || !strings.Contains(d.Reason, "demo") {
			t.Errorf("b.xml was %s: %s", d.Answer, d.Reason)
		}
		if why := s.worker.Status()[0].Refused; !strings.Contains(why, "has documents (1) still under way to demo") {
			t.Errorf("the status says %q", why)
		}
		s.pass(24 * time.Hour)
		if n := s.portal.total() - calls; n != 0 {
			t.Errorf("%d calls were made", n)
		}
		// back again: it goes on at once
		s.opts.Folders[0] = demo
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered })
		s.reconfigure()
		s.pass(time.Minute)
		s.want("a.xml", queue.Delivered, "")
		s.opts.Folders[0].Endpoint = "https://production"
		s.reconfigure()
		if d := s.offer("zwolle", "b.xml", time.Minute); d.Answer != Taken {
			t.Errorf("b.xml was %s: %s", d.Answer, d.Reason)
		}
		s.pass(time.Hour)
		s.want("b.xml", queue.Delivered, "")
	})
}
