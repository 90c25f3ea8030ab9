package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestDueLanes(t *testing.T) {
	s := setup(t)
	at := map[string]ID{}
	for name, way := range map[string][]Transition{
		"queued": nil, "validated": way(Validated), "opened": way(Opened), "attached": way(Attached),
		"intent": append(slices.Clone(way(Attached)), SubmitIntended(t0)), "in doubt": uncertain(),
		"submitted": way(Submitted), "delivered": way(Delivered), "rejected": way(Rejected), "cancelled": way(Cancelled),
		"filed": filed(Delivered), "held": {HeldBack(t0)}, "held at the portal": append(slices.Clone(way(Submitted)), HeldBack(t0)),
		"stuck": append(slices.Clone(way(Submitted)), Stuck(t0, t0, "", "", "gone")),
	} {
		it := add(t, s, Added, arrival(name))
		if len(way) > 0 {
			apply(t, s, it.ID, way...)
		}
		at[name] = it.ID
	}
	at["duplicate"] = add(t, s, AddedRejected, arrival("duplicate", bytesOf("queued"))).ID
	for lane, want := range map[Lane][]string{
		LaneAdvance: {"queued", "validated", "opened", "attached"},
		LaneFollow:  {"intent", "in doubt", "submitted", "stuck"},
		LaneFile:    {"delivered", "rejected", "cancelled", "duplicate"},
	} {
		var ids []ID
		for _, name := range want {
			ids = append(ids, at[name])
		}
		slices.Sort(ids)
		got := dueIDs(t, s, lane, t0.Add(time.Hour))
		slices.Sort(got)
		if !slices.Equal(got, ids) {
			t.Errorf("lane %c: %v, want %v (%v)", lane, got, ids, want)
		}
	}
	for _, lane := range []Lane{LaneFile, LaneFollow, LaneAdvance} {
		if items, next, err := s.Due("other", lane, t0.Add(time.Hour), 10, nil); len(items) != 0 || !next.IsZero() || err != nil {
			t.Errorf("another folder has %v, next %s, %v", names(items), next, err)
		}
		if items, _, _ := s.Due(home+"2", lane, t0.Add(time.Hour), 10, nil); len(items) != 0 {
			t.Errorf("a folder whose name begins alike has %v", names(items))
		}
	}
}

func TestDueTimes(t *testing.T) {
	s := setup(t)
	var ids []ID
	for i, wait := range []time.Duration{3, 1, 2} { // hours, not in the order of the numbers
		it := add(t, s, Added, arrival(fileName(i)))
		apply(t, s, it.ID, Postponed(t0, t0.Add(wait*time.Hour), "k", "w"))
		ids = append(ids, it.ID)
	}
	due := func(at time.Time, limit int, skip func(ID) bool) ([]ID, time.Time) {
		items, next, err := s.Due(home, LaneAdvance, at, limit, skip)
		if err != nil {
			t.Fatal(err)
		}
		var got []ID
		for _, it := range items {
			got = append(got, it.ID)
		}
		return got, next
	}
	hour := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Hour) }
	for _, tc := range []struct {
		name  string
		at    time.Time
		limit int
		skip  func(ID) bool
		want  []ID
		next  time.Time // looked at only where want is empty
	}{
		{"too early", hour(1).Add(-1), 9, nil, nil, hour(1)},
		{"on the dot", hour(1), 9, nil, ids[1:2], time.Time{}},
		{"longest waiting first", hour(9), 9, nil, []ID{ids[1], ids[2], ids[0]}, time.Time{}},
		{"limit", hour(9), 2, nil, []ID{ids[1], ids[2]}, time.Time{}},
		{"skip", hour(9), 1, func(id ID) bool { return id == ids[1] }, []ID{ids[2]}, time.Time{}},
		{"all that are due are skipped", hour(1), 1, func(id ID) bool { return id == ids[1] }, nil, hour(2)},
		{"all are skipped", hour(9), 1, func(ID) bool { return true }, nil, time.Time{}},
		{"limit of none", hour(9), 0, nil, nil, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, next := due(tc.at, tc.limit, tc.skip)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if len(tc.want) == 0 && !next.Equal(tc.next) {
				t.Errorf("next at %s, want %s", next, tc.next)
			}
		})
	}
	// a time so far that nanoseconds can't say it is far, not past
	apply(t, s, ids[0], Postponed(t0, time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), "k", "w"))
	if got, _ := due(hour(9), 9, nil); slices.Contains(got, ids[0]) {
		t.Error("what waits for the year 2400 is due")
	}
}

func TestDuePassesOverUnreadable(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := add(t, s, Added, arrival("a.xml")), add(t, s, Added, arrival("b.xml"))
	overwrite(t, s, a.ID, "null")
	wantDue(t, s, LaneAdvance, t0, b.ID)
	if got := list(t, s, Filter{}); len(got) != 1 {
		t.Errorf("listed %v", names(got))
	}
	if _, err := s.Get(a.ID); err == nil {
		t.Error("the unreadable item was read")
	}
}

func TestList(t *testing.T) {
	s := setup(t)
	for i := range 450 { // more than two portions
		a := arrival(fileName(i))
		if i%9 == 0 {
			a.Folder = "other"
		}
		it := add(t, s, Added, a)
		switch {
		case i%3 == 0:
			apply(t, s, it.ID, filed(Rejected)...)
		case i%5 == 0:
			apply(t, s, it.ID, HeldBack(t0))
		case i == 7:
			apply(t, s, it.ID, way(Submitted)...)
		}
	}
	all := list(t, s, Filter{})
	if len(all) != 450 {
		t.Fatalf("%d items", len(all))
	}
	for _, tc := range []struct {
		name   string
		f      Filter
		choose func(Item) bool
	}{
		{"state", Filter{State: Rejected}, func(it Item) bool { return it.State == Rejected }},
		{"hold", Filter{Hold: HoldPerson}, func(it Item) bool { return it.Hold == HoldPerson }},
		{"folder", Filter{Folder: "other"}, func(it Item) bool { return it.Folder == "other" }},
		{"open", Filter{Open: true}, func(it Item) bool { return it.Open() }},
		{"open in a folder", Filter{Open: true, Folder: "other"}, func(it Item) bool { return it.Open() && it.Folder == "other" }},
		{"file", Filter{Search: "PUT-01"}, func(it Item) bool { return strings.Contains(it.File, "put-01") }},
		{"delivery", Filter{Search: "0000012345"}, func(it Item) bool { return it.Delivery != nil }},
		{"hash", Filter{Search: hashOf(fileName(9))[:20]}, func(it Item) bool { return it.File == fileName(9) }},
		{"nothing", Filter{Search: "no such thing"}, func(Item) bool { return false }},
	} {
		var want []string
		for _, it := range all {
			if tc.choose(it) {
				want = append(want, it.File)
			}
		}
		limits := []int{0, 3}
		if tc.name == "open" {
			limits = []int{0, 1, 199, 200, 201}
		}
		for _, limit := range limits {
			for _, newest := range []bool{false, true} {
				f, want := tc.f, slices.Clone(want)
				f.Limit, f.Newest = limit, newest
				if newest {
					slices.Reverse(want)
				}
				if limit > 0 && len(want) > limit {
					want = want[:limit]
				}
				if got := names(list(t, s, f)); !slices.Equal(got, want) {
					t.Errorf("%s, limit %d, newest %t: %d items %.60v, want %d %.60v", tc.name, limit, newest, len(got), got, len(want), want)
				}
			}
		}
	}
}

// While do runs no transaction is open: it may change what it is given, and
// what comes after.
func TestEachMayBeUsedForChanging(t *testing.T) {
	s := setup(t)
	for i := range 250 {
		add(t, s, Added, arrival(fileName(i)))
	}
	seen := 0
	err := s.Each(Filter{Open: true}, func(it Item) bool {
		seen++
		apply(t, s, it.ID, filed(Rejected)...) // takes it out of the open ones
		return true
	})
	if err != nil || seen != 250 {
		t.Errorf("saw %d of 250, %v", seen, err)
	}
	if open := list(t, s, Filter{Open: true}); len(open) != 0 {
		t.Errorf("%d are still open", len(open))
	}
}

func TestCounts(t *testing.T) {
	s := setup(t)
	for i, way := range [][]Transition{nil, nil, {HeldBack(t0)}, way(Delivered), filed(Delivered), filed(Rejected)} {
		it := add(t, s, Added, arrival(fileName(i)))
		if len(way) > 0 {
			apply(t, s, it.ID, way...)
		}
	}
	add(t, s, Added, arrival("x.xml", inFolder("other")))
	want := []Count{
		{"other", Queued, "", false, 1},
		{home, Delivered, "", true, 1}, {home, Delivered, "", false, 1},
		{home, Queued, "", false, 2}, {home, Queued, HoldPerson, false, 1}, {home, Rejected, "", true, 1},
	}
	for range 2 {
		got, err := s.Counts()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
		s = reopen(t, s)
	}
}

func TestOldest(t *testing.T) {
	s := setup(t)
	if _, found, err := s.Oldest(""); found || err != nil {
		t.Fatalf("found one in an empty queue, %v", err)
	}
	first := add(t, s, Added, arrival("a.xml"))
	second := add(t, s, Added, arrival("b.xml", inFolder("other")))
	third := add(t, s, Added, arrival("c.xml"))
	want := func(folder string, id ID) {
		t.Helper()
		it, found, err := s.Oldest(folder)
		if err != nil || found != (id != 0) || found && it.ID != id {
			t.Errorf("oldest of %q: %s %t, %v; want %s", folder, it.ID, found, err, id)
		}
	}
	want("", first.ID)
	apply(t, s, first.ID, way(Rejected)...) // has its outcome, though it is not filed
	want("", second.ID)
	want(home, third.ID)
	apply(t, s, second.ID, HeldBack(t0)) // waits for a person, but waits
	want("other", second.ID)
	apply(t, s, third.ID, filed(Delivered)...)
	want(home, 0)
}

func TestBySource(t *testing.T) {
	s := setup(t)
	add(t, s, Added, arrival("a.xml", inFolder("other")))
	add(t, s, Added, arrival("a.xml2"))
	if _, found, err := s.BySource(home, "a.xml"); found || err != nil {
		t.Fatalf("found one that is not there, %v", err)
	}
	first := add(t, s, Added, arrival("a.xml", bytesOf("1")))
	apply(t, s, first.ID, filed(Rejected)...)
	second := add(t, s, Added, arrival("a.xml", bytesOf("2")))
	for range 2 {
		if it, found, err := s.BySource(home, "a.xml"); err != nil || !found || it.ID != second.ID {
			t.Errorf("got %s, %t, %v; want %s", it.ID, found, err, second.ID)
		}
		apply(t, s, second.ID, HeldBack(t0))
		s = reopen(t, s)
	}
}

// What the queue is asked all the time must cost the same with ten documents
// and with ten thousand. Memory asked for is what can be counted without a
// clock: every item looked at takes some.
func TestCheapWhenFull(t *testing.T) {
	const many = 10_000
	filled := func(n int) *Store {
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		err = s.update(func(tx *bolt.Tx) error {
			for i := range n {
				it := arrival(fmt.Sprintf("%d.xml", i), about(fmt.Sprintf("GLD%d", i/3)))
				it.ID, it.State, it.Times.Queued = ID(i+1), Queued, t0
				if i%2 == 1 { // always the same file: an export that is overwritten
					it.File = "export.xml"
					it.State, it.Times.Filed = Delivered, t0
				}
				if err := put(tx, nil, &it); err != nil {
					return err
				}
			}
			return tx.Bucket(bucketItems).SetSequence(uint64(n))
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	few, lots := filled(10), filled(many)
	n := 0
	for name, call := range map[string]func(s *Store) error{
		"Due":      func(s *Store) error { _, _, err := s.Due(home, LaneAdvance, t0, 1, nil); return err },
		"Due late": func(s *Store) error { _, _, err := s.Due(home, LaneFollow, t0, 1, nil); return err },
		"BySource": func(s *Store) error { _, _, err := s.BySource(home, "export.xml"); return err },
		"Get":      func(s *Store) error { _, err := s.Get(1); return err },
		"Counts":   func(s *Store) error { _, err := s.Counts(); return err },
		"Apply":    func(s *Store) error { _, err := s.Apply(1, Postponed(t0, t0, "k", "w")); return err },
		"Add": func(s *Store) error {
			n++
			_, _, err := s.addOne(t0, arrival("export.xml", bytesOf(fmt.Sprint("new", n))), stays)
			return err
		},
	} {
		cost := func(s *Store) float64 {
			return testing.AllocsPerRun(5, func() {
				if err := call(s); err != nil {
					t.Fatal(err)
				}
			})
		}
		if a, b := cost(few), cost(lots); b > 3*a+100 {
			t.Errorf("%s: %.0f allocations with 10 documents, %.0f with %d", name, a, b, many)
		}
	}
}
