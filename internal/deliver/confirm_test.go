package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/queue"
	"brodaemon/internal/registry"
)

// fakeRegistry answers as told.
type fakeRegistry struct {
	mu     sync.Mutex
	answer func(n int, broID string) (registry.Object, error)
	asked  []string
	times  []time.Time
}

func (r *fakeRegistry) Address() string { return "https://publiek" }

func (r *fakeRegistry) Object(ctx context.Context, _, broID string) (registry.Object, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return registry.Object{}, &registry.Error{Kind: registry.Interrupted}
	}
	r.asked, r.times = append(r.asked, broID), append(r.times, time.Now())
	o, err := r.answer(len(r.asked), broID)
	o.BROID, o.Asked = broID, time.Now()
	return o, err
}

func (r *fakeRegistry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

func withRegistry(r *fakeRegistry) func(*Options) {
	return func(o *Options) { o.Folders[0].Registry = r }
}

var (
	present  = registry.Object{Party: "12345678", Status: "geregistreerd"}
	notThere = &registry.Error{What: "x", Kind: registry.Rejected, Detail: "Dit registratieobject bestaat niet."}
)

// receipt reads the receipt of an item.
func (s *site) receipt(it queue.Item) archive.Receipt {
	s.t.Helper()
	data, err := os.ReadFile(it.Beside)
	if err != nil {
		s.t.Fatal(err)
	}
	var r archive.Receipt
	if err := json.Unmarshal(data, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) wantConfirmed(file string, want bool) queue.Item {
	s.t.Helper()
	it := s.want(file, queue.Delivered, "")
	r := s.receipt(it)
	if got := !it.Times.Confirmed.IsZero(); got != want || r.Confirmed != want || r.Times.Confirmed.IsZero() == want {
		s.t.Fatalf("%s: confirmed %t in the queue, %t (%s) in the receipt; want %t; %+v", file, got, r.Confirmed, r.Times.Confirmed, want, it.Confirm)
	}
	if want && (it.Confirm != nil || !r.Times.Confirmed.Equal(it.Times.Confirmed.Truncate(time.Millisecond))) {
		s.t.Errorf("%s: left to do: %+v; receipt says %s, queue %s", file, it.Confirm, r.Times.Confirmed, it.Times.Confirmed)
	}
	return it
}

func TestConfirmsANewObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return present, nil }}
		s := newSite(t, withRegistry(r))
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(time.Minute)
		it := s.wantConfirmed("put.xml", true)
		if r.count() != 1 || r.asked[0] != it.BROID {
			t.Errorf("asked for %q, want once %s", r.asked, it.BROID)
		}
		if last := it.History[len(it.History)-1]; last.What != "confirmed" {
			t.Errorf("the timeline ends with %+v", last)
		}
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(it.Beside), ".*"))
		if len(left) != 0 {
			t.Errorf("left over: %q", left)
		}
		s.restart()
		s.pass(24 * time.Hour)
		if r.count() != 1 {
			t.Errorf("asked %d times, want no more after it was found", r.count())
		}
	})
}

// What the register has to show, for each kind of document.
func TestWhatConfirms(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	delivered := now.Add(-time.Minute)
	later, earlier := delivered.Add(10*time.Second), delivered.Add(-10*time.Second)
	cases := map[string]struct {
		it   queue.Item
		o    registry.Object
		want bool
	}{
		"new, there":                     {queue.Item{NewObject: true, AccountableParty: "1"}, registry.Object{Party: "1"}, true},
		"new, another's":                 {queue.Item{NewObject: true, AccountableParty: "1"}, registry.Object{Party: "2"}, false},
		"new, document names no party":   {queue.Item{NewObject: true}, registry.Object{Party: "2"}, true},
		"new, register names no party":   {queue.Item{NewObject: true, AccountableParty: "1"}, registry.Object{}, true},
		"new, deregistered":              {queue.Item{NewObject: true}, registry.Object{Deregistered: true}, false},
		"addition, moved":                {queue.Item{}, registry.Object{Registered: earlier, LastAddition: later}, true},
		"addition, the very second":      {queue.Item{}, registry.Object{LastAddition: delivered.Truncate(time.Second)}, true},
		"addition, not moved":            {queue.Item{}, registry.Object{Registered: earlier, LastAddition: earlier}, false},
		"addition, no times":             {queue.Item{}, registry.Object{}, false},
		"correction, moved":              {queue.Item{}, registry.Object{LastAddition: earlier, LastCorrection: later}, true},
		"closing, completed":             {queue.Item{}, registry.Object{LastAddition: earlier, Completed: later}, true},
		"addition to deregistered":       {queue.Item{}, registry.Object{LastAddition: later, Deregistered: true}, false},
		"register's clock is an hour on": {queue.Item{}, registry.Object{LastAddition: later, Asked: now.Add(time.Hour)}, false},
		"the same, moved by that clock":  {queue.Item{}, registry.Object{LastAddition: later.Add(time.Hour), Asked: now.Add(time.Hour)}, true},
		"register's clock is behind":     {queue.Item{}, registry.Object{LastAddition: later.Add(-time.Hour), Asked: now.Add(-time.Hour)}, true},
	}
	for name, c := range cases {
		c.it.BROID, c.it.Times.Submitted = "GMW000000000001", delivered
		if c.o.Asked.IsZero() {
			c.o.Asked = now
		}
		if why, _ := notAsDelivered(&c.it, c.o, now); (why == "") != c.want {
			t.Errorf("%s: got %q, want confirmed %t", name, why, c.want)
		}
	}
}

// A document that the register does not show is looked up at growing intervals,
// over restarts, for a week, and never delivered again.
func TestNotInTheRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return registry.Object{}, notThere }}
		s := newSite(t, withRegistry(r))
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(time.Minute)
		first := s.wantConfirmed("put.xml", false)
		if first.Confirm == nil || first.Confirm.Misses == 0 || first.Confirm.Next.IsZero() {
			t.Fatalf("after a minute: %+v", first.Confirm)
		}
		for range 8 * 4 {
			s.restart()
			s.pass(6 * time.Hour)
		}
		it := s.wantConfirmed("put.xml", false)
		if !it.Confirm.Next.IsZero() || it.Confirm.Why == "" {
			t.Errorf("after eight days: %+v, want no next look", it.Confirm)
		}
		n := r.count()
		if n < 10 || n > 60 {
			t.Errorf("%d looks in a week", n)
		}
		for i := 2; i < n; i++ {
			if wait := r.times[i].Sub(r.times[i-1]); wait > 20*time.Hour {
				t.Errorf("wait %d was %s", i, wait)
			}
		}
		told := 0
		if err := s.store.EachUnconfirmed("zwolle", 10, func(queue.Item) bool { told++; return true }); err != nil || told != 1 {
			t.Errorf("%d unconfirmed, %v; want the one in vain to stay", told, err)
		}
		s.restart()
		s.pass(30 * 24 * time.Hour)
		if r.count() != n || len(s.portal.deliveries()) != 1 {
			t.Errorf("%d looks after the end, %d deliveries", r.count()-n, len(s.portal.deliveries()))
		}
	})
}

// After a week in vain the warning stays until a person deals with it: looks
// the document up again, or says to have looked into it. Nothing else is done.
func TestPersonAndTheRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return registry.Object{}, notThere }}
		s := newSite(t, withRegistry(r))
		s.save("zwolle", "found.xml", newWell("found"))
		s.save("zwolle", "never.xml", newWell("never"))
		s.pass(10 * 24 * time.Hour)
		looks := r.count()
		found, never := s.wantConfirmed("found.xml", false), s.wantConfirmed("never.xml", false)
		if _, err := s.worker.Retry(never.ID); err != nil {
			t.Fatal(err)
		}
		s.pass(30 * 24 * time.Hour)
		if n := r.count() - looks; n != 1 {
			t.Errorf("looked up %d times for one question, want once", n)
		}
		r.mu.Lock()
		r.answer = func(int, string) (registry.Object, error) { return present, nil }
		r.mu.Unlock()
		if _, err := s.worker.Retry(found.ID); err != nil {
			t.Fatal(err)
		}
		if it, err := s.worker.Release(never.ID); err != nil || it.Confirm != nil {
			t.Fatalf("%+v, %v", it.Confirm, err)
		}
		s.pass(24 * time.Hour)
		s.wantConfirmed("found.xml", true)
		s.wantConfirmed("never.xml", false)
		if err := s.store.EachUnconfirmed("zwolle", 10, func(it queue.Item) bool { t.Errorf("%s is still looked for", it.File); return true }); err != nil {
			t.Error(err)
		}
		for _, id := range []queue.ID{found.ID, never.ID} { // past all commands now
			for _, act := range []func(queue.ID) (queue.Item, error){s.worker.Retry, s.worker.Release, s.worker.Cancel, s.worker.Hold} {
				if _, err := act(id); err == nil {
					t.Errorf("document %s takes a command", id)
				}
			}
		}
		if n := len(s.portal.deliveries()); n != 2 {
			t.Errorf("%d deliveries, want 2", n)
		}
	})
}

// It may come late.
func TestConfirmedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(n int, _ string) (registry.Object, error) {
			if n < 4 {
				return registry.Object{}, notThere
			}
			return present, nil
		}}
		s := newSite(t, withRegistry(r))
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(24 * time.Hour)
		s.wantConfirmed("put.xml", true)
	})
}

// Services that are out of reach are left alone, and that is no miss; neither
// are others kept waiting by one object that can't be had.
func TestRegisterOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) {
			if down {
				return registry.Object{}, &registry.Error{Kind: registry.RateLimited, RetryAfter: 30 * time.Minute}
			}
			return present, nil
		}}
		s := newSite(t, withRegistry(r))
		for _, name := range []string{"a", "b", "c"} {
			s.save("zwolle", name+".xml", newWell(name))
		}
		s.pass(25 * time.Minute)
		if r.count() != 1 {
			t.Errorf("%d requests while told to wait half an hour, want 1", r.count())
		}
		for _, name := range []string{"a", "b", "c"} { // all the same they are filed
			if it := s.wantConfirmed(name+".xml", false); it.Confirm.Misses != 0 {
				t.Errorf("%s: %+v, want no miss", name, it.Confirm)
			}
		}
		r.mu.Lock()
		down = false
		r.mu.Unlock()
		s.pass(24 * time.Hour)
		for _, name := range []string{"a", "b", "c"} {
			s.wantConfirmed(name+".xml", true)
		}
	})
}

func TestOneObjectThatCantBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bad string
		r := &fakeRegistry{}
		r.answer = func(_ int, id string) (registry.Object, error) {
			if bad == "" {
				bad = id
			}
			if id == bad {
				return registry.Object{}, &registry.Error{Kind: registry.Unavailable, Err: errors.New("no answer within 1m0s")}
			}
			return present, nil
		}
		s := newSite(t, withRegistry(r))
		for _, name := range []string{"a", "b", "c"} {
			s.save("zwolle", name+".xml", newWell(name))
		}
		s.pass(48 * time.Hour)
		confirmed := 0
		for _, name := range []string{"a", "b", "c"} {
			if it := s.want(name+".xml", queue.Delivered, ""); !it.Times.Confirmed.IsZero() {
				confirmed++
			}
		}
		if confirmed != 2 {
			t.Errorf("%d confirmed, want the two that can be had", confirmed)
		}
	})
}

// A receipt that can't be replaced is replaced later; the queue knows it at once.
func TestReceiptOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return present, nil }}
		var f *failingAmend
		s := newSite(t, withRegistry(r), func(o *Options) {
			f = &failingAmend{Archive: o.Folders[0].Archive, fail: true}
			o.Folders[0].Archive = f
		})
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(10 * time.Minute)
		it := s.want("put.xml", queue.Delivered, "")
		if it.Times.Confirmed.IsZero() || it.Confirm == nil || !it.Confirm.Write || s.receipt(it).Confirmed {
			t.Fatalf("confirmed at %s, to do %+v", it.Times.Confirmed, it.Confirm)
		}
		s.halt()
		f.fail = false
		s.start()
		s.pass(24 * time.Hour)
		s.wantConfirmed("put.xml", true)
		if r.count() != 1 {
			t.Errorf("asked %d times, want once", r.count())
		}
	})
}

type failingAmend struct {
	Archive
	fail bool
}

func (f *failingAmend) Amend(ctx context.Context, d archive.Document, beside string, change func(*archive.Receipt)) error {
	if f.fail {
		return errors.New("the share is gone")
	}
	return f.Archive.Amend(ctx, d, beside, change)
}

// Where no register can be asked nothing is looked up.
func TestNothingToConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return present, nil }}
		s := newSite(t, withRegistry(r))
		s.portal.set(func(p *fakePortal) { p.errs = []string{"nee"}; p.doc = "AFGEKEURD" })
		s.save("zwolle", "refused.xml", newWell("refused"))
		s.pass(24 * time.Hour)
		s.want("refused.xml", queue.Rejected, "")
		if r.count() != 0 {
			t.Errorf("asked %d times about a rejected document", r.count())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(time.Hour)
		if it := s.wantConfirmed("put.xml", false); it.Confirm != nil {
			t.Errorf("without a register: %+v", it.Confirm)
		}
	})
}

// When the folder's portal was changed, its register is another one: it is not
// asked about what went to the portal before.
func TestRegisterOfAnotherPortal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return registry.Object{}, notThere }}
		s := newSite(t, withRegistry(r))
		s.save("zwolle", "put.xml", newWell("put"))
		s.pass(time.Minute)
		asked := r.count()
		s.opts.Endpoints = []Endpoint{{Address: "https://other", Environment: "production", Concurrency: 1}}
		s.opts.Folders[0].Endpoint = "https://other"
		if err := s.worker.Reconfigure(s.opts.Endpoints, s.opts.Folders, s.opts.Policy); err != nil {
			t.Fatal(err)
		}
		s.pass(48 * time.Hour)
		if r.count() != asked {
			t.Errorf("asked %d times about what another portal got", r.count()-asked)
		}
		if it := s.wantConfirmed("put.xml", false); it.Confirm == nil {
			t.Error("it is forgotten")
		}
	})
}

// A register that comes with a changed configuration is asked from then on, and
// one that went is not.
func TestRegisterComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRegistry{answer: func(int, string) (registry.Object, error) { return present, nil }}
		s := newSite(t)
		with := append([]Folder(nil), s.opts.Folders...)
		with[0].Registry = r
		if err := s.worker.Reconfigure(s.opts.Endpoints, with, s.opts.Policy); err != nil {
			t.Fatal(err)
		}
		s.save("zwolle", "one.xml", newWell("one"))
		s.pass(time.Minute)
		s.wantConfirmed("one.xml", true)
		if err := s.worker.Reconfigure(s.opts.Endpoints, s.opts.Folders, s.opts.Policy); err != nil {
			t.Fatal(err)
		}
		s.save("zwolle", "two.xml", newWell("two"))
		s.pass(time.Hour)
		s.wantConfirmed("two.xml", false)
		if r.count() != 1 {
			t.Errorf("asked %d times, want once", r.count())
		}
	})
}
