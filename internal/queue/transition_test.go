package queue

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// combo is everything a transition looks at.
type combo struct {
	state  State
	hold   Hold
	intent bool
	filed  bool
}

func (c combo) String() string {
	return fmt.Sprintf("%s,hold=%s,intent=%t,filed=%t", c.state, c.hold, c.intent, c.filed)
}

// uncertain: only an attached item's intent means anything.
func (c combo) uncertain() bool { return c.intent && c.state == Attached }

func combos() (all []combo) {
	for _, state := range States {
		for _, hold := range []Hold{"", HoldPerson, HoldUncertain, HoldDuplicate} {
			for _, intent := range []bool{false, true} {
				for _, filed := range []bool{false, true} {
					all = append(all, combo{state, hold, intent, filed})
				}
			}
		}
	}
	return all
}

// item is a document in that situation, be it one that can be reached or not.
func (c combo) item(id ID) Item {
	it := arrival(fmt.Sprintf("%d.xml", id))
	it.ID, it.State, it.Hold = id, c.state, c.hold
	it.Times.Queued = t0
	if c.hold != "" {
		it.HoldReason = "because"
	}
	if c.intent {
		it.Intent = IntentSubmit
	}
	if slices.Contains([]State{Opened, Attached, Submitted, Delivered}, c.state) {
		it.Upload = &Upload{ID: 7, URL: "u"}
	}
	if slices.Contains([]State{Submitted, Delivered}, c.state) {
		it.Delivery = &Delivery{ID: "0000000001"}
	}
	it.NextAttempt, it.LastError, it.LastKind, it.Attempts = t0.Add(time.Hour), "it failed", "unavailable", 3
	it.note(t0, "queued", "")
	it.Companions = []Companion{{File: "a.xml.note.txt", Note: true}, {File: "a.xml.attach.pdf", State: CompanionAdding}, {File: "a.xml.attach.x", State: CompanionAdded}}
	if c.state.End() {
		it.Times.Settled = t0
	}
	if c.filed {
		it.Times.Filed, it.Filed, it.Beside = t0, "done/a.xml", "done/a.xml.receipt.json"
		if c.state == Delivered {
			it.Confirm = &Confirmation{Next: t0}
		}
	}
	return it
}

const anyUnderWay = "queued validated opened attached submitted"

// transitionTable says, apart from the code, which transition fits where. from
// are the states; to is the state after, "" = the same; unless names what
// makes it not fit although the state does.
var transitionTable = []struct {
	constructor string
	t           Transition
	from        string
	to          State
	unless      func(c combo) bool
}{
	{"DocumentValid", DocumentValid(t0, []string{"tolerated"}), "queued", Validated, nil},
	{"UploadOpened", UploadOpened(t0, Upload{ID: 8}), "validated", Opened, nil},
	{"DocumentAttached", DocumentAttached(t0, SourceDocument{ID: "80"}, "a.xml"), "opened", Attached, nil},
	{"UploadLost", UploadLost(t0, t0, "k", "why"), "opened attached", Validated, combo.uncertain},
	{"SubmitIntended", SubmitIntended(t0), "attached", "", func(c combo) bool { return c.hold != "" || c.intent }},
	{"DeliverySubmitted", DeliverySubmitted(t0, "0000000002", "by", t0), "attached", Submitted, combo.certain},
	{"SubmitRefused", SubmitRefused(t0, t0, "k", "why"), "attached", Validated, combo.certain},
	{"SubmitPostponed", SubmitPostponed(t0, t0, "k", "why"), "attached", "", combo.certain},
	{"SubmitUnknown", SubmitUnknown(t0, t0, "why"), "attached", "", combo.certain},
	{"LookedUp", LookedUp(t0, t0, false, "why"), "attached", "", combo.certain},
	{"LookedUp", LookedUp(t0, t0, true, "why"), "attached", "", combo.certain},
	{"NotDelivered", NotDelivered(t0), "attached", "", combo.certain},
	{"Progressed", Progressed(t0, t0, "s", "d"), "submitted", "", nil},
	{"AskAgain", AskAgain(t0, t0), "submitted", "", nil},
	{"Stuck", Stuck(t0, t0, "s", "d", "why"), "submitted", "", nil},
	{"Registered", Registered(t0, "s", "d", "GMN1", "tx"), "submitted", Delivered, nil},
	{"Refused", Refused(t0, Report{Code: "c"}), anyUnderWay, Rejected, combo.uncertain},
	{"Retry", Retry(t0, t0, "step", "k", "why"), anyUnderWay, "", nil},
	{"Postponed", Postponed(t0, t0, "k", "why"), anyUnderWay, "", nil},
	{"FilingFailed", FilingFailed(t0, t0, "why"), "delivered rejected cancelled", "", combo.isFiled},
	{"Filed", Filed(t0, "p", "b"), "delivered rejected cancelled", "", combo.isFiled},
	{"CompanionTaken", CompanionTaken(t0, Companion{File: "a.xml.note.txt"}), anyUnderWay, "", nil},
	{"CompanionIntended", CompanionIntended(t0, 0), "submitted", "", nil},
	{"CompanionIntended", CompanionIntended(t0, 1), "", "", nil},
	{"CompanionSettled", CompanionSettled(t0, 0, "f", CompanionAdded, ""), anyUnderWay + " delivered rejected cancelled", "", combo.isFiled},
	{"CompanionSettled", CompanionSettled(t0, 1, "f", CompanionMaybe, "why"), anyUnderWay + " delivered rejected cancelled", "", combo.isFiled},
	{"CompanionSettled", CompanionSettled(t0, 2, "f", CompanionNot, "why"), "", "", nil},
	{"CompanionSettled", CompanionSettled(t0, 0, "f", CompanionNot, "why"), anyUnderWay + " delivered rejected cancelled", "", combo.isFiled},
	{"CompanionPostponed", CompanionPostponed(t0, 1, "why"), anyUnderWay + " delivered rejected cancelled", "", nil},
	{"ConfirmAwaited", ConfirmAwaited(t0, t0), "delivered", "", combo.isNotFiled},
	{"NotConfirmed", NotConfirmed(t0, t0, "why"), "delivered", "", combo.isNotFiled},
	{"NotConfirmed", NotConfirmed(t0, time.Time{}, "why"), "delivered", "", combo.isNotFiled},
	{"ConfirmPostponed", ConfirmPostponed(t0, t0, "why"), "delivered", "", combo.isNotFiled},
	{"Confirmed", Confirmed(t0, "by"), "delivered", "", combo.isNotFiled},
	{"ConfirmEnded", ConfirmEnded(t0), "delivered", "", combo.isNotFiled},
	{"ConfirmAgain", ConfirmAgain(t0), "delivered", "", combo.isNotFiled},
	{"ConfirmWaived", ConfirmWaived(t0), "delivered", "", combo.isNotFiled},
	// never for these items, which are still to be found in the public register; TestRetention has others
	{"RemovalIntended", RemovalIntended(t0), "", "", nil},
	{"FilesRemoved", FilesRemoved(t0), "", "", nil},
	{"TimelineDropped", TimelineDropped(t0), "", "", nil},
	{"RetryNow", RetryNow(t0, "a person"), anyUnderWay + " delivered rejected cancelled", "", notRetriable},
	{"RetryNow", RetryNow(t0, ""), anyUnderWay + " delivered rejected cancelled", "", notRetriable},
	{"HeldBack", HeldBack(t0), anyUnderWay, "", func(c combo) bool { return c.hold == HoldUncertain && c.uncertain() }},
	{"PutBack", PutBack(t0, t0), "queued validated opened attached", "", combo.uncertain},
	{"BytesGone", BytesGone(t0, "why"), "queued validated opened attached", "", combo.uncertain},
	{"Released", Released(t0), anyUnderWay, "", func(c combo) bool { return c.hold == "" || c.hold == HoldUncertain && c.uncertain() }},
	{"CancelledBy", CancelledBy(t0, Report{Code: "cancelled"}), anyUnderWay, Cancelled, combo.uncertain},
	{"SourceChanged", SourceChanged(t0, "b.xml", Source{Size: 9}), anyUnderWay + " delivered rejected cancelled", "", combo.isFiled},
}

func (c combo) certain() bool { return !c.uncertain() }
func (c combo) isFiled() bool { return c.filed }

func (c combo) isNotFiled() bool { return !c.filed }

// notRetriable: what is held has no next attempt, but where the portal goes on being asked.
func notRetriable(c combo) bool {
	return c.filed || c.hold != "" && c.hold != HoldUncertain && c.state != Submitted
}

// Every transition in every situation: it fits and leads where the table says,
// or it is refused and not a byte of the item changes. What can be met in life
// is tried through the store too, as long as it is told apart by what is stored.
func TestTransitionTable(t *testing.T) {
	s := setup(t)
	var stored []Item // to be tried through the store
	var rows []int
	for row, r := range transitionTable {
		for _, c := range combos() {
			it := c.item(ID(len(stored) + 1))
			name := r.constructor + " of " + c.String()
			before := encoded(t, it)
			after, err := it.With(r.t)
			if encoded(t, it) != before {
				t.Fatalf("%s: With changed the item in hand", name)
			}
			if !fits(row, c) {
				te := wantRefused(t, err, it)
				if te.Transition != r.t.Name() || encoded(t, after) != before {
					t.Errorf("%s: refused %q, and returned %s", name, te.Transition, encoded(t, after))
				}
			} else if err != nil {
				t.Errorf("%s: %v, want it to fit", name, err)
			} else {
				wantOutcome(t, name, row, c, after)
			}
			if !c.filed && (c.hold == "" || c.hold == HoldUncertain) && c.intent == (c.state == Attached && c.hold != "") {
				stored, rows = append(stored, it), append(rows, row)
			}
		}
	}

	err := s.update(func(tx *bolt.Tx) error {
		for i := range stored {
			if err := put(tx, nil, &stored[i]); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range stored {
		tr := transitionTable[rows[i]].t
		dry, dryErr := it.With(tr)
		after, err := s.Apply(it.ID, tr)
		if (err == nil) != (dryErr == nil) {
			t.Errorf("%s of %s: Apply says %v, With %v", tr.Name(), it.State, err, dryErr)
		}
		now, getErr := s.Get(it.ID)
		if getErr != nil {
			t.Fatal(getErr)
		}
		wantSame(t, tr.Name()+": Apply and With", after, dry)
		wantSame(t, tr.Name()+": Apply and what is stored", after, now)
	}
}

func fits(row int, c combo) bool {
	r := transitionTable[row]
	return slices.Contains(strings.Fields(r.from), string(c.state)) && (r.unless == nil || !r.unless(c))
}

func wantOutcome(t *testing.T, name string, row int, c combo, after Item) {
	t.Helper()
	want := transitionTable[row].to
	if want == "" {
		want = c.state
	}
	if after.State != want {
		t.Errorf("%s leads to %s, want %s", name, after.State, want)
	}
	if want.End() && !c.state.End() && (after.Hold != "" || after.Intent != "" || after.HoldReason != "" || !after.Times.Settled.Equal(t0)) {
		t.Errorf("%s: has its outcome, but hold %q (%s), intent %q, settled %s", name, after.Hold, after.HoldReason, after.Intent, after.Times.Settled)
	}
	forward := want != c.state && !slices.Contains([]string{"UploadLost", "SubmitRefused"}, transitionTable[row].constructor)
	// opening an upload and adding to it are parts of one step, whose failed tries are counted on
	part := slices.Contains([]string{"UploadOpened", "DocumentAttached"}, transitionTable[row].constructor)
	if forward && (after.Attempts != 0 && !part || after.LastError != "" || after.LastKind != "") {
		t.Errorf("%s: a step forward, but %d attempts and %q are left from the step before", name, after.Attempts, after.LastError)
	}
}

// A constructor that is missing in the table would go untested.
func TestTransitionTableIsWhole(t *testing.T) {
	var decls []ast.Decl
	for _, name := range []string{"transition.go", "confirm.go", "companion.go", "retain.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, file.Decls...)
	}
	var inCode []string
	for _, d := range decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Type.Results == nil {
			continue
		}
		if name, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && name.Name == "Transition" {
			inCode = append(inCode, f.Name.Name)
		}
	}
	var inTable []string
	for _, row := range transitionTable {
		inTable = append(inTable, row.constructor)
	}
	slices.Sort(inCode)
	slices.Sort(inTable)
	if inTable = slices.Compact(inTable); !slices.Equal(inCode, inTable) {
		t.Errorf("the table has %v, the code %v", inTable, inCode)
	}
}

// Edges is what the constructors really do, found by trying all of them.
func TestEdgesAreTrue(t *testing.T) {
	tried := map[Edge]bool{}
	for _, row := range transitionTable {
		for _, c := range combos() {
			it := c.item(1)
			if after, err := it.With(row.t); err == nil && after.State != it.State {
				tried[Edge{row.t.Name(), it.State, after.State}] = true
			}
			if it.Upload != nil { // one of which nobody knows the upload any more
				it.Upload = &Upload{}
				if after, err := it.With(row.t); err == nil && after.State != it.State {
					tried[Edge{row.t.Name(), it.State, after.State}] = true
				}
			}
		}
	}
	said := map[Edge]bool{}
	for _, e := range Edges() {
		if said[e] {
			t.Errorf("%v is said twice", e)
		}
		said[e] = true
		if !tried[e] {
			t.Errorf("%v is said, but no transition does it", e)
		}
	}
	for e := range tried {
		if !said[e] {
			t.Errorf("%v happens, but is not said", e)
		}
	}
}

func TestTransitionErrorSaysWhatAndWhy(t *testing.T) {
	it := combo{state: Attached, intent: true}.item(12)
	for _, tc := range []struct {
		name string
		t    Transition
		want []string
	}{
		{"wrong state", Filed(t0, "p", "b"), []string{"document 12", "filed", "it is attached"}},
		{"uncertain", CancelledBy(t0, Report{}), []string{"document 12", "cancelled", "queue resolve"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := it.With(tc.t)
			wantRefused(t, err, it)
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

// The life of a document whose submit call had no clear answer: it is looked
// up, then held while it is looked up on, and never simply sent again.
func TestUncertain(t *testing.T) {
	later := t0.Add(time.Minute)
	heldUncertain := func(t *testing.T) (*Store, Item) {
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		apply(t, s, it.ID, uncertain()...)
		it = apply(t, s, it.ID, LookedUp(t0, later, true, "the portal does not say"))
		if it.Hold != HoldUncertain || it.Lookups != 1 || !it.Uncertain() {
			t.Fatalf("hold %q, %d look-ups, uncertain %t", it.Hold, it.Lookups, it.Uncertain())
		}
		return s, it
	}

	t.Run("looked up on while held", func(t *testing.T) {
		s, it := heldUncertain(t)
		wantDue(t, s, LaneFollow, later.Add(-1))
		wantDue(t, s, LaneFollow, later, it.ID)
		wantDue(t, s, LaneAdvance, later.Add(time.Hour))
		s = reopen(t, s)
		wantDue(t, s, LaneFollow, later, it.ID)
	})
	t.Run("a person asks to look now", func(t *testing.T) {
		s, it := heldUncertain(t)
		apply(t, s, it.ID, RetryNow(t0, "a person"))
		wantDue(t, s, LaneFollow, t0, it.ID)
		if it, _ = s.Get(it.ID); it.Hold != HoldUncertain || !it.Uncertain() {
			t.Errorf("asking again ended the doubt: hold %q, intent %q", it.Hold, it.Intent)
		}
	})
	t.Run("no way around the answer", func(t *testing.T) {
		s, it := heldUncertain(t)
		for _, tr := range []Transition{
			Released(t0), HeldBack(t0), CancelledBy(t0, Report{}), Refused(t0, Report{}),
			UploadLost(t0, t0, "", ""), SubmitIntended(t0), DocumentValid(t0, nil), UploadOpened(t0, Upload{}),
		} {
			_, err := s.Apply(it.ID, tr)
			wantRefused(t, err, it)
		}
	})
	for _, tc := range []struct {
		name string
		t    Transition
		want State
		lane Lane
	}{
		{"found", DeliverySubmitted(t0, "0000000009", "a look-up found it", t0), Submitted, LaneFollow},
		{"a person says not delivered", NotDelivered(t0), Attached, LaneAdvance},
		{"clearly refused", SubmitRefused(t0, t0, "refused", "expired"), Validated, LaneAdvance},
		{"clearly not processed", SubmitPostponed(t0, t0, "rate-limited", "429"), Attached, LaneAdvance},
	} {
		t.Run(tc.name+" ends it", func(t *testing.T) {
			s, it := heldUncertain(t)
			it = apply(t, s, it.ID, tc.t)
			if it.State != tc.want || it.Hold != "" || it.HoldReason != "" || it.Uncertain() || it.Lookups != 0 {
				t.Errorf("state %s, hold %q, uncertain %t, %d look-ups", it.State, it.Hold, it.Uncertain(), it.Lookups)
			}
			wantDue(t, s, tc.lane, t0, it.ID)
			_, err := s.Apply(it.ID, NotDelivered(t0))
			wantRefused(t, err, it)
		})
	}
}

// What a person holds back before the answer of a submit call arrives stays
// held, and is followed all the same.
func TestHeldDuringSubmit(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	apply(t, s, it.ID, append(way(Attached), SubmitIntended(t0))...)
	apply(t, s, it.ID, HeldBack(t0))
	it = apply(t, s, it.ID, DeliverySubmitted(t0, "0000000001", "", t0.Add(time.Second)))
	if it.State != Submitted || it.Hold != HoldPerson {
		t.Fatalf("state %s, hold %q", it.State, it.Hold)
	}
	wantDue(t, s, LaneFollow, t0.Add(time.Second), it.ID)
	it = apply(t, s, it.ID, Progressed(t0, t0, "s", "d"))
	if it.Hold != HoldPerson {
		t.Error("what a person holds was let go by the portal's answer")
	}
}

// A person's hold is not turned into another by a look-up, and an uncertain
// item that a person lets go is looked up, not sent.
func TestHeldByAPersonWhileInDoubt(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	apply(t, s, it.ID, append(way(Attached), SubmitIntended(t0))...)
	apply(t, s, it.ID, HeldBack(t0))
	wantNotDue(t, s, it.ID)
	it = apply(t, s, it.ID, SubmitUnknown(t0, t0, "time-out"), LookedUp(t0, t0, true, "not found"))
	if it.Hold != HoldPerson || it.HoldReason != "" || !it.Uncertain() {
		t.Errorf("hold %q (%s), uncertain %t", it.Hold, it.HoldReason, it.Uncertain())
	}
	it = apply(t, s, it.ID, Released(t0))
	wantDue(t, s, LaneFollow, t0, it.ID)
	wantDue(t, s, LaneAdvance, t0)
	it = apply(t, s, it.ID, LookedUp(t0, t0, true, "not found"))
	if it.Hold != HoldUncertain {
		t.Errorf("hold %q, want uncertain", it.Hold)
	}
}

// A document whose submit call was put off is submitted in its next visit: the
// wait is over when the intent is stored.
func TestSubmitIntendedEndsTheWait(t *testing.T) {
	it := combo{state: Attached}.item(1)
	after, err := it.With(SubmitIntended(t0))
	if err != nil {
		t.Fatal(err)
	}
	if !after.NextAttempt.IsZero() {
		t.Errorf("next attempt %s, want at once", after.NextAttempt)
	}
}

func TestStuck(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	apply(t, s, it.ID, way(Submitted)...)
	later := t0.Add(time.Hour)
	it = apply(t, s, it.ID, Stuck(t0, later, "", "", "the delivery is gone"))
	if it.Hold != HoldPerson || it.HoldReason == "" || it.Delivery.Status != "" {
		t.Errorf("hold %q (%s), status %q", it.Hold, it.HoldReason, it.Delivery.Status)
	}
	wantDue(t, s, LaneFollow, later.Add(-1))
	wantDue(t, s, LaneFollow, later, it.ID)
	apply(t, s, it.ID, RetryNow(t0, "a person"))
	wantDue(t, s, LaneFollow, t0, it.ID)
	it = apply(t, s, it.ID, Progressed(t0, later, "DOORGELEVERD", "AANGELEVERD"))
	if it.Hold != "" || it.HoldReason != "" {
		t.Errorf("it makes sense again, but is held: %q (%s)", it.Hold, it.HoldReason)
	}
}

// What failed before says nothing of the step after it.
func TestStepForwardForgetsTheFailure(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	apply(t, s, it.ID, Retry(t0, t0.Add(time.Second), "validate", "unavailable", "503"))
	it = apply(t, s, it.ID, Retry(t0, t0.Add(time.Minute), "validate", "unavailable", "503"))
	if it.Attempts != 2 || it.Tries != 2 || it.LastError != "503" || it.LastKind != "unavailable" {
		t.Errorf("after two failures: %d attempts, %d tries, %q (%s)", it.Attempts, it.Tries, it.LastError, it.LastKind)
	}
	it = apply(t, s, it.ID, Postponed(t0, t0.Add(time.Minute), "rate-limited", "429"))
	if it.Attempts != 2 {
		t.Errorf("being put off counted as an attempt: %d", it.Attempts)
	}
	it = apply(t, s, it.ID, DocumentValid(t0, nil))
	if it.Attempts != 0 || it.LastError != "" || it.LastKind != "" || !it.NextAttempt.IsZero() || it.Tries != 3 {
		t.Errorf("after success: %d attempts, %d tries, %q (%s), next %s", it.Attempts, it.Tries, it.LastError, it.LastKind, it.NextAttempt)
	}
}

// The times an item carries are UTC, whatever zone the caller's clock has.
func TestTimesAreUTC(t *testing.T) {
	s := setup(t)
	local := t0.In(time.FixedZone("CET", 3600))
	it, _, err := s.addOne(local, arrival("a.xml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	it = apply(t, s, it.ID, DocumentValid(local, nil), Retry(local, local, "s", "k", "w"), Refused(local, Report{}), Filed(local, "p", "b"))
	for name, at := range map[string]time.Time{
		"queued": it.Times.Queued, "validated": it.Times.Validated, "settled": it.Times.Settled, "filed": it.Times.Filed, "event": it.History[0].At,
	} {
		if at.Location() != time.UTC || !at.Equal(t0) {
			t.Errorf("%s: %s", name, at)
		}
	}
}

func TestParseID(t *testing.T) {
	for _, tc := range []struct {
		text string
		want ID
	}{{"1", 1}, {"18446744073709551615", 1<<64 - 1}, {"0", 0}, {"", 0}, {"-1", 0}, {"+1", 0}, {"x", 0}, {"1.0", 0}, {"18446744073709551616", 0}} {
		got, err := ParseID(tc.text)
		if got != tc.want || (err == nil) != (tc.want != 0) {
			t.Errorf("ParseID(%q) = %d, %v; want %d", tc.text, got, err, tc.want)
		}
		if err == nil && got.String() != tc.text {
			t.Errorf("ParseID(%q) prints as %s", tc.text, got)
		}
	}
	if _, err := ParseID("seven"); err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `"seven"`) {
		t.Errorf("got %v", err)
	}
}
