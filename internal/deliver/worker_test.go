package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

func TestDeliversByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		data := append([]byte("\xef\xbb\xbf"), newWell("put 17")...) // with a mark, which must arrive too
		if d := s.save("zwolle", "put-17.xml", data); d.Answer != Taken {
			t.Fatalf("Accept said %+v", d)
		}
		s.pass(time.Minute)
		it := s.want("put-17.xml", queue.Delivered, "")
		if it.BROID != "GMW000000000001" || it.Delivery.ID != "0000000001" || it.Open() {
			t.Errorf("the item is %+v", it)
		}
		if got := s.portal.bodies[it.Filename]; !bytes.Equal(got, data) {
			t.Errorf("the portal got %q", got)
		}
		for op, want := range map[portal.Op]int{
			portal.OpValidate: 1, portal.OpOpenUpload: 1, portal.OpAddSourceDocument: 1, portal.OpSubmit: 1, portal.OpDelivery: 1,
			portal.OpDeliveriesAwaiting: 0,
		} {
			if got := s.portal.count(op); got != want {
				t.Errorf("%s was called %d times, want %d", op, got, want)
			}
		}
		if s.exists("zwolle", "put-17.xml") || !strings.Contains(filepath.ToSlash(it.Filed), "/done/") {
			t.Errorf("it was filed as %s", it.Filed)
		}
		if left, _ := os.ReadDir(filepath.Join(s.dir, "data", queue.SpoolName)); len(left) != 0 {
			t.Errorf("the spool still holds %v", left)
		}
	})
}

// TestTrouble gives each step each kind of trouble and says what must become of the document.
func TestTrouble(t *testing.T) {
	unavailable := &portal.Error{StatusCode: 503, Kind: portal.Unavailable}
	unsent := &portal.Error{Kind: portal.Unavailable}
	lost := &portal.Error{StatusCode: 502, Kind: portal.Unavailable, MaybeDone: true}
	limited := &portal.Error{StatusCode: 429, Kind: portal.RateLimited, RetryAfter: 2 * time.Minute}
	refused := &portal.Error{StatusCode: 400, Kind: portal.Refused, Detail: "not good"}
	nobody := &portal.Error{StatusCode: 401, Kind: portal.Unauthorized}
	gone := &portal.Error{StatusCode: 404, Kind: portal.Gone}
	odd := &portal.Error{StatusCode: 200, Kind: portal.Unexpected}
	oddSubmit := &portal.Error{StatusCode: 201, Kind: portal.Unexpected, MaybeDone: true}
	conflict := &portal.Error{StatusCode: 409, Kind: portal.Conflict}
	spool := &portal.Error{Kind: portal.Local}
	for _, c := range []struct {
		name   string
		op     portal.Op
		err    *portal.Error
		done   bool // the portal did it all the same
		hidden bool
		times  int
		state  queue.State
		hold   queue.Hold
		sent   int
	}{
		{"validate unavailable", portal.OpValidate, unavailable, false, false, 3, queue.Delivered, "", 1},
		{"validate limited", portal.OpValidate, limited, false, false, 2, queue.Delivered, "", 1},
		{"validate sign-on", portal.OpValidate, nobody, false, false, 2, queue.Delivered, "", 1},
		{"validate unreadable", portal.OpValidate, odd, false, false, 2, queue.Delivered, "", 1},
		{"validate refused", portal.OpValidate, refused, false, false, 1, queue.Rejected, "", 0},
		{"validate spool", portal.OpValidate, spool, false, false, 2, queue.Delivered, "", 1},
		{"upload unavailable", portal.OpOpenUpload, lost, true, false, 2, queue.Delivered, "", 1},
		{"upload sign-on", portal.OpOpenUpload, nobody, false, false, 2, queue.Delivered, "", 1},
		{"upload refused", portal.OpOpenUpload, refused, false, false, 2, queue.Delivered, "", 1},
		{"upload unreadable", portal.OpOpenUpload, odd, true, false, 2, queue.Delivered, "", 1},
		{"attach lost", portal.OpAddSourceDocument, lost, true, false, 2, queue.Delivered, "", 1},
		{"attach gone", portal.OpAddSourceDocument, gone, false, false, 2, queue.Delivered, "", 1},
		{"attach refused", portal.OpAddSourceDocument, refused, false, false, 1, queue.Rejected, "", 0},
		{"attach limited", portal.OpAddSourceDocument, limited, false, false, 1, queue.Delivered, "", 1},
		{"attach sign-on", portal.OpAddSourceDocument, nobody, false, false, 1, queue.Delivered, "", 1},
		{"submit not sent", portal.OpSubmit, unsent, false, false, 2, queue.Delivered, "", 1},
		{"submit limited", portal.OpSubmit, limited, false, false, 2, queue.Delivered, "", 1},
		{"submit sign-on", portal.OpSubmit, nobody, false, false, 2, queue.Delivered, "", 1},
		{"submit refused", portal.OpSubmit, refused, false, false, 2, queue.Delivered, "", 1},
		{"submit upload gone", portal.OpSubmit, gone, false, false, 2, queue.Delivered, "", 1},
		{"submit lost, done, listed", portal.OpSubmit, lost, true, false, 1, queue.Delivered, "", 1},
		{"submit lost, done, not listed", portal.OpSubmit, lost, true, true, 1, queue.Attached, queue.HoldUncertain, 1},
		{"submit lost, not done", portal.OpSubmit, lost, false, false, 1, queue.Attached, queue.HoldUncertain, 0},
		{"submit unreadable, done, listed", portal.OpSubmit, oddSubmit, true, false, 1, queue.Delivered, "", 1},
		{"submit unreadable, not listed", portal.OpSubmit, oddSubmit, true, true, 1, queue.Attached, queue.HoldUncertain, 1},
		{"submit conflict, not listed", portal.OpSubmit, conflict, false, false, 1, queue.Attached, queue.HoldUncertain, 0},
		{"follow unavailable", portal.OpDelivery, unavailable, false, false, 3, queue.Delivered, "", 1},
		{"follow sign-on", portal.OpDelivery, nobody, false, false, 3, queue.Delivered, "", 1},
		{"follow unreadable", portal.OpDelivery, odd, false, false, 3, queue.Delivered, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.portal.set(func(p *fakePortal) {
					p.answer, p.hidden = fail(c.op, c.times, c.done, c.err), c.hidden
				})
				s.save("zwolle", "a.xml", newWell("a"))
				s.pass(5 * time.Hour)
				s.want("a.xml", c.state, c.hold)
				if got := len(s.portal.deliveries()); got != c.sent {
					t.Errorf("it was submitted %d times, want %d", got, c.sent)
				}
				// and again after a restart: nothing may be sent a second time
				s.restart()
				s.pass(48 * time.Hour)
				s.want("a.xml", c.state, c.hold)
				if got := len(s.portal.deliveries()); got != c.sent {
					t.Errorf("after a restart it was submitted %d times, want %d", got, c.sent)
				}
			})
		})
	}
}

func TestFailedGoesOnlyForTheDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.answer = func(op portal.Op, _ int) (bool, error) {
				return false, &portal.Error{Op: op, StatusCode: 503, Kind: portal.Unavailable}
			}
		})
		for i := range 20 {
			s.save("zwolle", fmt.Sprintf("%02d.xml", i), newWell(fmt.Sprint(i)))
		}
		s.pass(14 * 24 * time.Hour)
		if s.exists("zwolle", "failed") {
			t.Error("an outage of two weeks sent documents to failed/")
		}
		// while the portal is down, one document knocks, seldom
		if n := s.portal.total(); n > 2*14*24*12+40 {
			t.Errorf("the portal was called %d times in two weeks of outage", n)
		}
		s.portal.set(func(p *fakePortal) { p.answer = nil })
		s.pass(2 * time.Hour)
		for i := range 20 {
			s.want(fmt.Sprintf("%02d.xml", i), queue.Delivered, "")
		}
	})
}

func TestRefusedTokenPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *Options) { o.Endpoints[0].Concurrency = 2 })
		s.portal.set(func(p *fakePortal) {
			p.answer = func(op portal.Op, _ int) (bool, error) {
				return false, &portal.Error{Op: op, StatusCode: 401, Kind: portal.Unauthorized}
			}
		})
		for i := range 50 {
			s.save("zwolle", fmt.Sprintf("%02d.xml", i), newWell(fmt.Sprint(i)))
		}
		s.pass(time.Second)
		if n := s.portal.total(); n > 2 {
			t.Errorf("the token was tried %d times at once", n)
		}
		if st := s.worker.Status()[0]; st.TokenPause == nil || st.PortalPause != nil {
			t.Errorf("status is %+v", st)
		}
		s.pass(24 * time.Hour)
		if n := s.portal.total(); n > 2+8+24 {
			t.Errorf("a refused token was tried %d times in a day", n)
		}
		for i := range 50 {
			if it := s.item(fmt.Sprintf("%02d.xml", i)); it.Attempts != 0 || it.State != queue.Queued {
				t.Fatalf("%s used up %d attempts, is %s", it.File, it.Attempts, it.State)
			}
		}
		s.portal.set(func(p *fakePortal) { p.answer = nil })
		if _, err := s.worker.RetryAll("", ""); err != nil {
			t.Fatal(err)
		}
		s.pass(2 * time.Minute)
		if got := len(s.portal.deliveries()); got != 50 {
			t.Errorf("%d of 50 were delivered after the token worked again", got)
		}
	})
}

func TestOtherTokensGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := newFakePortal()
		s := newSite(t)
		s.halt()
		other := s.folder("assen", "assen")
		other.Portal = good
		s.opts.Folders = append(s.opts.Folders, other)
		s.start()
		s.portal.set(func(p *fakePortal) {
			p.answer = func(op portal.Op, _ int) (bool, error) {
				return false, &portal.Error{Op: op, StatusCode: 403, Kind: portal.Unauthorized}
			}
		})
		for i := range 10 {
			s.save("zwolle", fmt.Sprintf("%d.xml", i), newWell(fmt.Sprint(i)))
			s.save("assen", fmt.Sprintf("%d.xml", i), newWell(fmt.Sprint("assen", i)))
		}
		s.pass(time.Minute)
		if len(good.deliveries()) != 10 || len(s.portal.deliveries()) != 0 {
			t.Errorf("assen delivered %d, zwolle %d", len(good.deliveries()), len(s.portal.deliveries()))
		}
	})
}

func TestFairTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.halt()
		s.opts.Endpoints[0].Concurrency = 1
		s.opts.Folders = append(s.opts.Folders, s.folder("assen", "zwolle"))
		s.portal.delay = time.Second
		s.start()
		for i := range 30 {
			s.save("zwolle", fmt.Sprintf("%02d.xml", i), newWell(fmt.Sprint(i)))
		}
		for i := range 3 {
			s.save("assen", fmt.Sprintf("%02d.xml", i), newWell(fmt.Sprint("assen", i)))
		}
		s.pass(time.Minute) // enough for some ten documents
		items, err := s.store.List(queue.Filter{Folder: "assen", State: queue.Queued})
		if err != nil || len(items) > 0 {
			t.Errorf("%d of 3 documents of assen are kept waiting by the 30 of zwolle (%v)", len(items), err)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *Options) { o.Endpoints[0].Concurrency = 3 })
		s.portal.delay = time.Second
		for i := range 12 {
			s.save("zwolle", fmt.Sprintf("%02d.xml", i), newWell(fmt.Sprint(i)))
		}
		s.pass(5 * time.Minute)
		if s.portal.most != 3 {
			t.Errorf("%d calls were under way at once, want 3", s.portal.most)
		}
	})
}

func TestRequestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *Options) { o.Endpoints[0].RequestsPerSecond = 2 })
		for i := range 20 {
			s.save("zwolle", fmt.Sprintf("%02d.xml", i), newWell(fmt.Sprint(i)))
		}
		s.pass(10 * time.Second)
		if n := s.portal.total(); n > 2*10+4+1 {
			t.Errorf("%d requests in 10 s at 2 per second", n)
		}
	})
}

func TestOneAfterAnotherPerObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryValidated, portal.DocumentValid })
		s.save("zwolle", "1.xml", []byte(addition("GMW000000100001", "first")))
		s.save("zwolle", "2.xml", []byte(addition("GMW000000100001", "second")))
		s.save("zwolle", "3.xml", []byte(addition("GMW000000100002", "other")))
		s.pass(3 * time.Hour)
		s.want("1.xml", queue.Submitted, "")
		s.want("2.xml", queue.Queued, "")
		s.want("3.xml", queue.Submitted, "")
		s.restart()
		s.pass(3 * time.Hour)
		s.want("2.xml", queue.Queued, "")
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered })
		s.pass(3 * time.Hour)
		s.want("2.xml", queue.Delivered, "")
		if sent := s.portal.deliveries(); len(sent) != 3 || !strings.HasPrefix(sent[2], "2-") {
			t.Errorf("deliveries: %v", sent)
		}
	})
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		status portal.DeliveryStatus
		doc    portal.DocumentStatus
		errs   []string
		state  queue.State
		hold   queue.Hold
		code   string
	}{
		{"registered", portal.DeliveryForwarded, portal.DocumentRegistered, nil, queue.Delivered, "", ""},
		{"refused by the register", portal.DeliveryForwarded, "GEWEIGERD", []string{"bestaat reeds"}, queue.Rejected, "", "refused-by-register"},
		{"refused by the portal", portal.DeliveryReceived, portal.DocumentInvalid, []string{"fout"}, queue.Rejected, "", "refused-in-delivery"},
		{"disapproved", portal.DeliveryChecked, portal.DocumentDisapproved, nil, queue.Rejected, "", "refused-in-delivery"},
		{"waits for people", portal.DeliveryValidated, portal.DocumentValid, nil, queue.Submitted, "", ""},
		{"unknown words", "BEVROREN", "IETS_NIEUWS", nil, queue.Submitted, "", ""},
		{"passed on, not taken up", portal.DeliveryForwarded, portal.DocumentApproved, nil, queue.Submitted, queue.HoldPerson, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.portal.set(func(p *fakePortal) { p.status, p.doc, p.errs = c.status, c.doc, c.errs })
				s.save("zwolle", "a.xml", newWell("a"))
				s.pass(7 * 24 * time.Hour)
				it := s.want("a.xml", c.state, c.hold)
				if c.code != "" && it.Report.Code != c.code {
					t.Errorf("the report says %s, want %s", it.Report.Code, c.code)
				}
				if c.state != queue.Submitted {
					return
				}
				if it.Delivery.Status != string(c.status) || it.Delivery.DocumentStatus != string(c.doc) {
					t.Errorf("shown as %+v", it.Delivery)
				}
				if n := s.portal.count(portal.OpDelivery); n > 24*7+40 || n < 24*6 {
					t.Errorf("it was asked about %d times in a week", n)
				}
				// weeks later it goes through all the same
				s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered })
				s.pass(2 * time.Hour)
				s.want("a.xml", queue.Delivered, "")
			})
		})
	}
}

func TestHalfStatePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.doc = portal.DocumentApproved })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		s.want("a.xml", queue.Submitted, "")
		s.portal.set(func(p *fakePortal) { p.doc = portal.DocumentRegistered })
		s.pass(10 * time.Minute)
		s.want("a.xml", queue.Delivered, "")
	})
}

func TestDeliveryGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.answer = fail(portal.OpDelivery, 1<<30, false, &portal.Error{StatusCode: 404, Kind: portal.Gone})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Hour)
		it := s.want("a.xml", queue.Submitted, queue.HoldPerson)
		if _, err := s.worker.Cancel(it.ID); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.want("a.xml", queue.Cancelled, "")
		// saved again: it was submitted once, so a person must decide
		s.save("zwolle", "b.xml", newWell("a"))
		s.pass(time.Hour)
		s.want("b.xml", queue.Queued, queue.HoldDuplicate)
		if n := len(s.portal.deliveries()); n != 1 {
			t.Errorf("submitted %d times", n)
		}
	})
}

func TestTolerance(t *testing.T) {
	const supplier = "U bent niet als dataleverancier van dit object geregistreerd."
	for _, c := range []struct {
		name    string
		errs    []string
		state   queue.State
		ignored int
	}{
		{"only the tolerated one", []string{supplier}, queue.Delivered, 1},
		{"with the closing line", []string{closingLine, " " + supplier + "\n"}, queue.Delivered, 2},
		{"another error beside it", []string{supplier, "Zandvang ontbreekt."}, queue.Rejected, 0},
		{"only the closing line", []string{closingLine}, queue.Rejected, 0},
		{"no error at all", nil, queue.Rejected, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.portal.set(func(p *fakePortal) { p.verdict = portal.Validation{Errors: c.errs} })
				s.save("zwolle", "a.xml", newWell("a"))
				s.pass(time.Minute)
				it := s.want("a.xml", c.state, "")
				if len(it.IgnoredErrors) != c.ignored {
					t.Errorf("ignored: %q", it.IgnoredErrors)
				}
				if c.ignored > 0 {
					receipt, err := os.ReadFile(it.Beside)
					if err != nil || !strings.Contains(string(receipt), supplier) {
						t.Errorf("the receipt does not tell: %s %v", receipt, err)
					}
				}
			})
		})
	}
}

func TestStopGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.delay = 5 * time.Minute // a slow validation
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Second)
		start := time.Now()
		s.halt()
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("stopping took %s", took)
		}
		s.portal.delay = 0
		s.start()
		s.pass(time.Minute)
		it := s.want("a.xml", queue.Delivered, "")
		if it.Attempts != 0 || len(s.portal.deliveries()) != 1 {
			t.Errorf("attempts %d, deliveries %v", it.Attempts, s.portal.deliveries())
		}
	})
}

// TestStopDuringSubmit: the call hangs while we stop. Whether the portal did it
// can't be known; it must not be sent again.
func TestStopDuringSubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) { p.hidden, p.hangs = true, portal.OpSubmit })
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(time.Minute)
		if n := s.portal.count(portal.OpSubmit); n != 1 {
			t.Fatalf("the submit is not under way: %d", n)
		}
		start := time.Now()
		s.halt()
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("stopping took %s", took)
		}
		s.portal.set(func(p *fakePortal) { p.hangs = "" })
		s.start()
		s.pass(24 * time.Hour)
		s.want("a.xml", queue.Attached, queue.HoldUncertain)
		if n := len(s.portal.deliveries()); n != 1 {
			t.Errorf("it was submitted %d times", n)
		}
	})
}

func TestHoldBeforeSubmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.delay = 10 * time.Second
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(15 * time.Second) // validated, the upload is being opened
		id := s.item("a.xml").ID
		if _, err := s.worker.Hold(id); err != nil {
			t.Fatal(err)
		}
		s.pass(24 * time.Hour)
		if n := s.portal.count(portal.OpSubmit); n != 0 {
			t.Errorf("a held document was submitted")
		}
		if _, err := s.worker.Release(id); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Hour)
		s.want("a.xml", queue.Delivered, "")
	})
}

func TestResolve(t *testing.T) {
	uncertain := func(t *testing.T) (*site, queue.ID) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.hidden = true
			p.answer = fail(portal.OpSubmit, 1, true, &portal.Error{Kind: portal.Unavailable, MaybeDone: true})
		})
		s.save("zwolle", "a.xml", newWell("a"))
		s.pass(24 * time.Hour)
		return s, s.want("a.xml", queue.Attached, queue.HoldUncertain).ID
	}
	t.Run("delivered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, id := uncertain(t)
			for _, act := range []func(queue.ID) (queue.Item, error){s.worker.Release, s.worker.Cancel} {
				var te *queue.TransitionError
				if _, err := act(id); !errors.As(err, &te) {
					t.Errorf("an uncertain document could be released or cancelled: %v", err)
				}
			}
			if _, err := s.worker.ResolveDelivered(id, "12a"); err == nil {
				t.Error("12a was taken for a delivery number")
			}
			if _, err := s.worker.ResolveDelivered(id, "1"); err != nil {
				t.Fatal(err)
			}
			s.pass(time.Minute)
			it := s.want("a.xml", queue.Delivered, "")
			if it.Delivery.ID != "0000000001" {
				t.Errorf("delivery %s", it.Delivery.ID)
			}
			told := false
			for _, e := range it.History {
				told = told || strings.Contains(e.Detail, "a person")
			}
			if !told {
				t.Error("the timeline does not say that a person answered")
			}
		})
	})
	t.Run("not delivered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, id := uncertain(t)
			if _, err := s.worker.ResolveNotDelivered(id); err != nil {
				t.Fatal(err)
			}
			s.pass(time.Minute)
			s.want("a.xml", queue.Delivered, "")
			if n := s.portal.count(portal.OpOpenUpload); n != 1 {
				t.Errorf("%d uploads were opened; the same one must be submitted again", n)
			}
		})
	})
	t.Run("found later by itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := uncertain(t)
			s.portal.set(func(p *fakePortal) { p.hidden = false })
			s.pass(2 * time.Hour)
			s.want("a.xml", queue.Delivered, "")
		})
	})
}

// TestUncertainMakesObjectWait: what may have been delivered stands in the way
// of the next document about the same object.
func TestUncertainMakesObjectWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.set(func(p *fakePortal) {
			p.hidden = true
			p.answer = fail(portal.OpSubmit, 1, false, &portal.Error{Kind: portal.Unavailable, MaybeDone: true})
		})
		s.save("zwolle", "1.xml", []byte(addition("GMW000000100001", "first")))
		s.save("zwolle", "2.xml", []byte(addition("GMW000000100001", "second")))
		s.pass(24 * time.Hour)
		s.want("1.xml", queue.Attached, queue.HoldUncertain)
		s.want("2.xml", queue.Queued, "")
	})
}

func TestSpoolIsWhatIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.portal.delay = time.Minute
		data := newWell("a")
		s.save("zwolle", "a.xml", data)
		s.pass(time.Second)
		// the office saves something else under the same name while it is under way
		changed := newWell("changed")
		if err := os.WriteFile(filepath.Join(s.dir, "zwolle", "a.xml"), changed, 0o644); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Hour)
		items, err := s.store.List(queue.Filter{State: queue.Delivered})
		if err != nil || len(items) != 1 {
			t.Fatalf("%d delivered, %v", len(items), err)
		}
		if got, err := os.ReadFile(items[0].Filed); err != nil || !bytes.Equal(got, data) {
			t.Errorf("done/ holds %q, %v", got, err)
		}
		if got, err := os.ReadFile(filepath.Join(s.dir, "zwolle", "a.xml")); err != nil || !bytes.Equal(got, changed) {
			t.Errorf("the changed file is %q, %v", got, err)
		}
	})
}
