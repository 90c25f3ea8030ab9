package queue

import (
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Documents about one object come to their turn one after another, however the
// one before ends, whatever holds it up, and over every restart.
func TestOrderPerObject(t *testing.T) {
	const gld = "GLD000000000001"
	late := t0.Add(1000 * time.Hour)
	three := func(t *testing.T) (*Store, []ID) {
		s := setup(t)
		var ids []ID
		for i := range 3 {
			ids = append(ids, add(t, s, Added, arrival(fileName(i), about(gld))).ID)
		}
		return s, ids
	}
	// advance is what of these documents may be brought to the portal now
	for _, tc := range []struct {
		name string
		head []Transition // of the first
		next []Transition // then, what ends its turn
	}{
		{"delivered", way(Submitted), []Transition{Registered(t0, "s", "d", gld, "")}},
		{"rejected by the validation", nil, way(Rejected)},
		{"rejected by the register", way(Submitted), []Transition{Refused(t0, Report{Code: "refused-by-register"})}},
		{"given up", way(Opened), way(Cancelled)},
		{"held, then given up", []Transition{HeldBack(t0)}, way(Cancelled)},
		{"held, let go, delivered", []Transition{HeldBack(t0)}, append([]Transition{Released(t0)}, way(Delivered)...)},
		{"in doubt, then found", uncertain(), []Transition{DeliverySubmitted(t0, "0000000001", "", t0), Registered(t0, "s", "d", gld, "")}},
		{"in doubt and held, then found", append(uncertain(), LookedUp(t0, t0, true, "?")), []Transition{DeliverySubmitted(t0, "0000000001", "", t0), Registered(t0, "s", "d", gld, "")}},
		{"stuck, then rejected", append(slices.Clone(way(Submitted)), Stuck(t0, t0, "", "", "gone")), way(Rejected)},
		{"waiting long for its next attempt", []Transition{Retry(t0, late.Add(time.Hour), "validate", "unavailable", "503")}, way(Rejected)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, ids := three(t)
			others := func() []ID { // the second and third, wherever they are due
				var due []ID
				for _, lane := range []Lane{LaneFollow, LaneAdvance} {
					for _, id := range dueIDs(t, s, lane, late) {
						if id != ids[0] {
							due = append(due, id)
						}
					}
				}
				return due
			}
			if len(tc.head) > 0 {
				apply(t, s, ids[0], tc.head...)
			}
			if due := others(); len(due) != 0 {
				t.Fatalf("%v are due before the first has its outcome", due)
			}
			s = reopen(t, s)
			if due := others(); len(due) != 0 {
				t.Fatalf("%v are due after a restart, before the first has its outcome", due)
			}
			apply(t, s, ids[0], tc.next...)
			if due := others(); !slices.Equal(due, ids[1:2]) {
				t.Fatalf("the first has its outcome: due are %v, want the second", due)
			}
			s = reopen(t, s)
			apply(t, s, ids[0], Filed(t0, "p", "b")) // takes no part in the order any more
			apply(t, s, ids[1], way(Submitted)...)
			wantDue(t, s, LaneAdvance, late)
			wantDue(t, s, LaneFollow, late, ids[1])
			apply(t, s, ids[1], Registered(t0, "s", "d", gld, ""))
			if due := others(); !slices.Equal(due, ids[2:]) {
				t.Fatalf("the second has its outcome: due are %v, want the third", due)
			}
		})
	}
}

func TestOrderApartFromEachOther(t *testing.T) {
	late := t0.Add(time.Hour)
	for _, tc := range []struct {
		name   string
		second Item
		waits  bool
	}{
		{"same object", arrival("b.xml", about("GLD1")), true},
		{"same object, other case", arrival("b.xml", about("gld1")), true},
		{"same object, from another folder", arrival("b.xml", about("GLD1"), inFolder("other")), true},
		{"another object", arrival("b.xml", about("GLD2")), false},
		{"an object whose name begins alike", arrival("b.xml", about("GLD11")), false},
		{"same object on another portal", arrival("b.xml", about("GLD1"), toPortal("https://other.example")), false},
		{"a folder without order", arrival("b.xml", func(it *Item) { it.BROID = "GLD1" }), false},
		{"a new object", arrival("b.xml", about(""), newObject("c", "n")), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			first := add(t, s, Added, arrival("a.xml", about("GLD1")))
			second := add(t, s, Added, tc.second)
			items, _, err := s.Due(second.Folder, LaneAdvance, late, 10, func(id ID) bool { return id == first.ID })
			if err != nil {
				t.Fatal(err)
			}
			if waits := len(items) == 0; waits != tc.waits {
				t.Errorf("waits: %t, want %t", waits, tc.waits)
			}
			apply(t, s, first.ID, way(Rejected)...)
			if items, _, _ = s.Due(second.Folder, LaneAdvance, late, 10, nil); len(items) != 1 || items[0].ID != second.ID {
				t.Errorf("the first is out of the way, but the second is not due")
			}
		})
	}
}

// The one behind may leave first; that gives nobody a turn.
func TestOrderWhenOneBehindLeaves(t *testing.T) {
	s := setup(t)
	var ids []ID
	for i := range 3 {
		ids = append(ids, add(t, s, Added, arrival(fileName(i), about("GLD1"))).ID)
	}
	apply(t, s, ids[1], way(Cancelled)...)
	wantDue(t, s, LaneAdvance, t0, ids[0])
	apply(t, s, ids[0], way(Rejected)...)
	wantDue(t, s, LaneAdvance, t0, ids[2])
}

// One that is held when its turn comes keeps its turn.
func TestOrderHeldWhenItsTurnComes(t *testing.T) {
	s := setup(t)
	var ids []ID
	for i := range 3 {
		ids = append(ids, add(t, s, Added, arrival(fileName(i), about("GLD1"))).ID)
	}
	apply(t, s, ids[1], HeldBack(t0))
	apply(t, s, ids[0], way(Rejected)...)
	wantDue(t, s, LaneAdvance, t0)
	apply(t, s, ids[1], Released(t0))
	wantDue(t, s, LaneAdvance, t0, ids[1])
}

// A change of one whose turn has not come does not give it one.
func TestOrderChangedWhileWaiting(t *testing.T) {
	s := setup(t)
	first := add(t, s, Added, arrival("a.xml", about("GLD1")))
	second := add(t, s, Added, arrival("b.xml", about("GLD1")))
	for _, tr := range []Transition{
		RetryNow(t0, "a person"), SourceChanged(t0, "c.xml", Source{Size: 1}), HeldBack(t0), Released(t0), Postponed(t0, t0, "k", "w"),
	} {
		apply(t, s, second.ID, tr)
		wantDue(t, s, LaneAdvance, t0, first.ID)
	}
}

// An unreadable item behind one that ends must not keep that one from its end.
func TestOrderNextCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := add(t, s, Added, arrival("a.xml", about("GLD1")))
	second := add(t, s, Added, arrival("b.xml", about("GLD1")))
	third := add(t, s, Added, arrival("c.xml", about("GLD1")))
	overwrite(t, s, second.ID, "{torn")
	if _, err := s.Apply(first.ID, way(Rejected)...); err != nil {
		t.Errorf("the first can't end: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir) // sets the second aside
	got, err := s.Get(third.ID)
	if err != nil || got.Hold != HoldPerson || got.HoldReason == "" {
		t.Errorf("the third: hold %q (%s), %v; want it held, since nobody knows what became of the second", got.Hold, got.HoldReason, err)
	}
	apply(t, s, third.ID, Released(t0))
	wantDue(t, s, LaneAdvance, t0, third.ID)
}

// The index of turns sorts by number, not by how a number is written.
func TestOrderBeyondNumbersOfOneDigit(t *testing.T) {
	s := setup(t)
	err := s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketItems).SetSequence(254) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []ID
	for i := range 4 {
		ids = append(ids, add(t, s, Added, arrival(fileName(i), about("GLD1"))).ID)
	}
	for _, id := range ids {
		wantDue(t, s, LaneAdvance, t0, id)
		apply(t, s, id, way(Rejected)...)
	}
}
