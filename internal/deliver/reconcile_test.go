package deliver

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// TestFoundByNumber: a delivery that is in no list any more is found by the
// numbers behind the last one that is known, among those of others, also after
// a restart.
func TestFoundByNumber(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarted %v", restarted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newPair(t, func(o *sandbox.Options) { o.Timeline = sandbox.Timeline{} }) // listed for no moment
				a.repeatable = 10                                                             // the others'
				a.saved("before.xml")
				a.pass(time.Minute)
				for i := range 10 { // others deliver, and their numbers are not ours to see
					a.save("assen", fmt.Sprintf("%d.xml", i), wellDocument(fmt.Sprint("assen", i)))
				}
				a.pass(time.Minute)
				if restarted {
					a.restart()
				}
				a.server.Inject(sandbox.Fault{Op: sandbox.OpSubmit, Kind: sandbox.ProcessThenDrop})
				calls := a.server.Count(sandbox.OpDelivery) + a.server.Count(sandbox.OpDeliveries)
				a.saved("a.xml")
				a.pass(time.Minute)
				a.settled("before.xml", "a.xml")
				it := a.item("a.xml")
				if !hasEvent(it, "submitted", "found at the portal") || it.Lookups != 0 {
					t.Errorf("the timeline is %+v", it.History)
				}
				if n := a.server.Count(sandbox.OpDelivery) + a.server.Count(sandbox.OpDeliveries) - calls; n > len(actions)+neighbours+2 {
					t.Errorf("%d questions", n)
				}
				if p := a.worker.Status()[0]; p.TokenPause != nil || p.PortalPause != nil {
					t.Errorf("numbers of others paused something: %+v", p)
				}
			})
		})
	}
}

func hasEvent(it queue.Item, what, detail string) bool {
	for _, e := range it.History {
		if e.What == what && strings.Contains(e.Detail, detail) && !e.At.IsZero() {
			return true
		}
	}
	return false
}

// TestLookUpIsBounded: a delivery that can't be found costs few questions, and
// ever fewer; the person who is asked learns what the register shows.
func TestLookUpIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t)
		a.saved("before.xml")
		a.pass(time.Minute)
		a.server.Inject(sandbox.Fault{Op: sandbox.OpSubmit, Kind: sandbox.Reset})
		before := len(a.server.Requests())
		data := bytes.Replace([]byte(addition("GMW000000100001", "a")), []byte("<GMW_GroundLevel>"), []byte("<GMW_GroundLevel><x/>"), 1)
		a.saveAs("a.xml", data)
		a.pass(24 * time.Hour)
		it := a.want("a.xml", queue.Attached, queue.HoldUncertain)
		if !strings.Contains(it.HoldReason, "the register shows no transactions of GMW000000100001") && !strings.Contains(it.HoldReason, "transactions of GMW000000100001, the newest") ||
			!strings.Contains(it.HoldReason, it.Filename) || !strings.Contains(it.HoldReason, fmt.Sprint(it.Upload.ID)) {
			t.Errorf("held because %q", it.HoldReason)
		}
		if n := a.server.Count(sandbox.OpTransactions); n > 1 {
			t.Errorf("the register was asked %d times", n)
		}
		// three look-ups with numbers, then some thirty with lists only
		if n := len(a.server.Requests()) - before; n > 4+3*(len(actions)+neighbours)+31*len(actions) {
			t.Errorf("%d requests in a day about a delivery that is not there", n)
		}
		// a person says that it is there, with a number that is another document's: nothing is taken for ours
		if _, err := a.worker.ResolveDelivered(it.ID, a.item("before.xml").Delivery.ID); err != nil {
			t.Fatal(err)
		}
		answered := time.Now()
		a.pass(time.Hour)
		it = a.want("a.xml", queue.Submitted, queue.HoldPerson)
		for _, e := range it.History {
			if e.What == "submitted" && (!e.At.Equal(answered.UTC()) || !strings.Contains(e.Detail, "a person")) {
				t.Errorf("the person's answer is told as %+v", e)
			}
		}
		a.sane()
	})
}
