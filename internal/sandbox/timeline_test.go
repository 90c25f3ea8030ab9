package sandbox

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestDefaultTimelineToTheMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Default())
		id := c.deliver(well("klok"))
		start := time.Now()
		for _, step := range []struct {
			at   time.Duration
			want string
		}{
			{0, "AANGELEVERD GELDIG"},
			{time.Second - time.Millisecond, "AANGELEVERD GELDIG"},
			{time.Second, "GEVALIDEERD VALIDE"},
			{2*time.Second - time.Millisecond, "GEVALIDEERD VALIDE"},
			{2 * time.Second, "GECONTROLEERD GOEDGEKEURD"},
			{3 * time.Second, "VASTGESTELD GEACCORDEERD"},
			{4*time.Second - time.Millisecond, "VASTGESTELD GEACCORDEERD"},
			{8 * time.Second, ""}, // registered by now, see below
			{8250 * time.Millisecond, "DOORGELEVERD OPGENOMEN_LVBRO"},
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			if got := c.status(id); step.want != "" && got != step.want {
				t.Errorf("after %v: %s, want %s", step.at, got, step.want)
			}
		}
		d, _ := c.server.Delivery(id)
		registered := d.Documents[0].Changed.Sub(start)
		if registered < 4*time.Second || registered > 8*time.Second {
			t.Errorf("registered after %v, want 4 to 8 s", registered)
		}
		if lag := d.Changed.Sub(d.Documents[0].Changed); lag != 250*time.Millisecond {
			t.Errorf("the delivery is %v behind its document, want 250ms", lag)
		}
	})
}

// However late one looks, everything has happened at its own time.
func TestEventsHappenAtTheirOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Default()
		o.Timeline.ForwardSpread = 0
		c := newClient(t, o)
		start := time.Now()
		first := c.deliver(level("GMW000000100001", "2024-01-01"))
		second := c.deliver(level("GMW000000100001", "2024-01-02"))
		time.Sleep(30 * 24 * time.Hour)
		for id, want := range map[string]time.Duration{first: 4250 * time.Millisecond, second: 16250 * time.Millisecond} {
			d, ok := c.server.Delivery(id)
			if got := d.Changed.Sub(start); !ok || got != want {
				t.Errorf("delivery %s ended after %v, want %v", id, got, want)
			}
		}
	})
}

func TestWaitingForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(func(o *Options) { o.HoldBefore = actionApprove; o.HoldFor = 72 * time.Hour }))
		waiting, approved := c.deliver(well("wacht")), c.deliver(well("akkoord"))
		rejected, early := c.deliver(well("afgekeurd")), c.deliver(well(MarkManual))
		time.Sleep(72*time.Hour - time.Second)
		if d, _ := c.server.Delivery(waiting); !d.Held || d.Waiting != actionApprove {
			t.Errorf("after 72 h less a second: %+v", d)
		}
		if !c.server.Approve(approved) || !c.server.Reject(rejected, "Nee.") {
			t.Error("nothing to approve or reject")
		}
		if c.server.Approve(rejected) || c.server.Reject(approved) || c.server.Approve("0000000009") {
			t.Error("approved or rejected what has ended, or does not exist")
		}
		if got := c.status(approved); got != "DOORGELEVERD OPGENOMEN_LVBRO" {
			t.Errorf("approved: %s", got)
		}
		time.Sleep(2 * time.Second)
		for id, want := range map[string]string{
			waiting: "DOORGELEVERD OPGENOMEN_LVBRO", rejected: "GECONTROLEERD AFGEKEURD", early: "DOORGELEVERD OPGENOMEN_LVBRO",
		} {
			if got := c.status(id); got != want {
				t.Errorf("in the end %s is %s, want %s", id, got, want)
			}
		}
	})
}

func TestApprovedBeforeItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Default()
		o.HoldBefore = actionForward
		c := newClient(t, o)
		id := c.deliver(well("vooraf"))
		if !c.server.Approve(id) {
			t.Fatal("nothing to approve")
		}
		time.Sleep(time.Minute)
		if got := c.status(id); got != "DOORGELEVERD OPGENOMEN_LVBRO" {
			t.Errorf("approved beforehand: %s", got)
		}
	})
}

func TestManualMarkWaitsAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(nil))
		id := c.deliver(well("put " + MarkManual))
		time.Sleep(30*time.Second - time.Millisecond)
		if got := c.status(id); got != "GECONTROLEERD GOEDGEKEURD" {
			t.Errorf("before 30 s: %s", got)
		}
		time.Sleep(time.Millisecond)
		if got := c.status(id); got != "DOORGELEVERD OPGENOMEN_LVBRO" {
			t.Errorf("after 30 s: %s", got)
		}
	})
}

// A document that is registered late must not stand for one that is not yet decided on.
func TestLateRegistrationDoesNotEndTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, defaults(func(o *Options) {
			o.HalfState, o.HalfStateFor = HalfStateSilent, time.Minute
			o.Timeline.PerObject = time.Hour
		}))
		id := c.deliver(well("meteen"), level("GMW000000100001", "2024-01-01"), level("GMW000000100001", "2024-01-02"))
		time.Sleep(30 * time.Minute)
		if got := c.status(id); got != "VASTGESTELD OPGENOMEN_LVBRO OPGENOMEN_LVBRO GEACCORDEERD" {
			t.Errorf("while the last waits for its object: %s", got)
		}
		time.Sleep(31 * time.Minute)
		if got := c.status(id); got != "DOORGELEVERD OPGENOMEN_LVBRO OPGENOMEN_LVBRO OPGENOMEN_LVBRO" {
			t.Errorf("in the end: %s", got)
		}
	})
}

// A deleted delivery must not be registered by what was planned for it.
func TestNothingHappensToADeletedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Default())
		document := well("verwijderd")
		id := c.deliver(document)
		time.Sleep(3500 * time.Millisecond)
		if !c.server.DeleteDelivery(id) {
			t.Fatal("nothing to delete")
		}
		time.Sleep(time.Hour)
		if got := c.server.Registrations(hashOf(document)); got != 0 {
			t.Errorf("%d registrations, want none", got)
		}
		if got := c.server.Submissions(hashOf(document)); got != 1 {
			t.Errorf("%d submissions in the books, want the one", got)
		}
		if _, ok := c.server.DeliveryByFilename("put.xml"); ok {
			t.Error("a deleted delivery is found by its file name")
		}
	})
}

func TestSameSeedSamePortal(t *testing.T) {
	story := func(seed uint64) (s string) {
		synctest.Test(t, func(t *testing.T) {
			o := Default()
			o.Seed = seed
			o.FileNames = ""
			c := newClient(t, o)
			for i := range 5 {
				c.deliver(well(fmt.Sprint(i)))
			}
			time.Sleep(time.Minute)
			for _, d := range c.server.Deliveries() {
				s += fmt.Sprintln(d.Identifier, d.Changed.Sub(d.Submitted), d.Documents)
			}
		})
		return s
	}
	if a, b := story(1), story(1); a != b {
		t.Errorf("the same seed gave\n%s and\n%s", a, b)
	}
	if a, b := story(1), story(2); a == b {
		t.Errorf("another seed gave the same:\n%s", a)
	}
}

// Random stories: whatever happens, the lists say what the deliveries say, statuses only go forward, nothing is registered
// twice, and what has ended stays as it is.
func TestRandomStories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // without the Deadline that a bubble forbids
			o := Default()
			o.HoldBefore = rapid.SampledFrom([]string{"", actionValidate, actionCheck, actionApprove, actionForward}).Draw(rt, "hold before")
			o.HoldFor = time.Duration(rapid.IntRange(0, 20).Draw(rt, "hold for")) * time.Second
			o.HalfState = rapid.SampledFrom([]Choice{"", HalfStateSilent, HalfStateErrors}).Draw(rt, "half state")
			o.HalfStateFor = time.Duration(rapid.IntRange(0, 9).Draw(rt, "half state for")) * time.Second
			o.MaxDeliveries = 8
			c := newClient(t, o)
			var ids []string
			ended := map[string]string{}
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				pick := func() string {
					if len(ids) == 0 {
						return "0000000000"
					}
					return rapid.SampledFrom(ids).Draw(rt, "delivery")
				}
				switch rapid.IntRange(0, 6).Draw(rt, "act") {
				case 0, 1:
					name := fmt.Sprint("put ", len(ids), rapid.SampledFrom([]string{"", "", MarkInvalid, MarkRefused, MarkManual}).Draw(rt, "mark"))
					ids = append(ids, c.deliver(well(name), level("GMW000000100001", fmt.Sprintf("2024-01-%02d", 1+len(ids)))))
				case 2:
					c.server.Approve(pick())
				case 3:
					c.server.Reject(pick(), "Nee.")
				case 4:
					c.server.DeleteDelivery(pick())
				default:
					time.Sleep(time.Duration(rapid.IntRange(1, 12_000).Draw(rt, "wait")) * time.Millisecond)
				}
				c.checkStory(rt, ended)
			}
		})
	})
}

func (c *client) checkStory(t *rapid.T, ended map[string]string) {
	lists := map[string][]string{}
	for _, d := range c.server.Deliveries() {
		if d.Waiting != "" {
			lists[d.Waiting] = append(lists[d.Waiting], d.Identifier)
		} else if c.server.switches.Load().HalfStateFor == 0 {
			is := c.status(d.Identifier)
			if was := ended[d.Identifier]; was != "" && was != is {
				t.Fatalf("%s had ended as %s and is %s", d.Identifier, was, is)
			}
			ended[d.Identifier] = is
		}
		for _, doc := range d.Documents {
			registered := c.server.Registrations(doc.SHA256)
			if registered > 1 || (doc.BROID != "") != (registered == 1) || (doc.BROID != "") != (doc.Status == documentRegistered) {
				t.Fatalf("document %+v has %d registrations", doc, registered)
			}
		}
	}
	for _, action := range []string{actionValidate, actionCheck, actionApprove, actionForward} {
		status, _, body, err := c.try("GET", api("leveringen?actie=%s", action), nil)
		want := lists[action]
		if err != nil || (status == 200) != (len(want) > 0) || len(want) > 0 && string(body) != fmt.Sprintf(`["%s"]`, strings.Join(want, `","`)) {
			t.Fatalf("waiting for %s: %d %s, want %q", action, status, body, want)
		}
	}
}
