package queue

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newObject makes a document a registration of a new object.
func newObject(content, objectID string) func(*Item) {
	return func(it *Item) {
		it.NewObject, it.Content, it.ObjectID, it.AccountableParty = true, content, objectID, "12345678"
	}
}

func party(kvk string) func(*Item) { return func(it *Item) { it.AccountableParty = kvk } }

func project(number string) func(*Item) { return func(it *Item) { it.Project = number } }

func toPortal(address string) func(*Item) { return func(it *Item) { it.Portal = address } }

// earlier is a document that was there before, and what became of it.
type earlier struct {
	it  Item
	way []Transition
}

// The rules of contract §4 for what arrives. Numbers of earlier items are 1, 2, …
func TestAddRules(t *testing.T) {
	gml := newObject("content-1", "put-17")
	for _, tc := range []struct {
		name     string
		earlier  []earlier
		it       Item
		want     Verdict
		previous ID
		of       ID     // DuplicateOf
		says     string // in the reason
	}{
		{name: "nothing like it", it: arrival("a.xml"), want: Added},
		{name: "other bytes", earlier: []earlier{{arrival("b.xml"), nil}}, it: arrival("a.xml"), want: Added},
		{name: "faulty by itself", it: arrival("a.xml", func(it *Item) { it.Report = &Report{Code: "document-malformed"} }), want: AddedRejected},

		{name: "same bytes under way", earlier: []earlier{{arrival("b.xml", bytesOf("x")), way(Submitted)}}, it: arrival("a.xml", bytesOf("x")), want: AddedRejected, of: 1},
		{name: "same bytes held", earlier: []earlier{{arrival("b.xml", bytesOf("x")), []Transition{HeldBack(t0)}}}, it: arrival("a.xml", bytesOf("x")), want: AddedRejected, of: 1},
		{name: "same bytes in doubt", earlier: []earlier{{arrival("b.xml", bytesOf("x")), uncertain()}}, it: arrival("a.xml", bytesOf("x")), want: AddedRejected, of: 1},
		{name: "same bytes delivered", earlier: []earlier{{arrival("b.xml", bytesOf("x")), filed(Delivered)}}, it: arrival("a.xml", bytesOf("x")), want: AddedRejected, of: 1},
		{name: "same bytes delivered from another folder", earlier: []earlier{{arrival("b.xml", bytesOf("x"), inFolder("other")), filed(Delivered)}}, it: arrival("a.xml", bytesOf("x")), want: AddedRejected, of: 1},
		{name: "same file delivered and saved again", earlier: []earlier{{arrival("a.xml"), filed(Delivered)}}, it: arrival("a.xml"), want: AddedRejected, of: 1},
		{name: "same bytes under way to another portal", earlier: []earlier{{arrival("b.xml", bytesOf("x"), toPortal("https://other.example")), way(Submitted)}}, it: arrival("a.xml", bytesOf("x")), want: Added},
		{name: "same bytes delivered to another portal", earlier: []earlier{{arrival("a.xml", toPortal("https://other.example")), filed(Delivered)}}, it: arrival("a.xml"), want: Added},
		{name: "same file name in another folder", earlier: []earlier{{arrival("a.xml", inFolder("other"), bytesOf("y")), nil}}, it: arrival("a.xml"), want: Added},

		{name: "same bytes rejected before", earlier: []earlier{{arrival("a.xml"), filed(Rejected)}}, it: arrival("a.xml"), want: Added, previous: 1},
		{name: "same bytes rejected under another name", earlier: []earlier{{arrival("b.xml", bytesOf("x")), filed(Rejected)}}, it: arrival("a.xml", bytesOf("x")), want: Added, previous: 1},
		{name: "same bytes rejected in another folder", earlier: []earlier{{arrival("b.xml", bytesOf("x"), inFolder("other")), filed(Rejected)}}, it: arrival("a.xml", bytesOf("x")), want: Added},
		{name: "corrected", earlier: []earlier{{arrival("a.xml", bytesOf("wrong")), filed(Rejected)}}, it: arrival("a.xml"), want: Added, previous: 1},
		{name: "corrected before the wrong one was filed", earlier: []earlier{{arrival("a.xml", bytesOf("wrong")), way(Rejected)}}, it: arrival("a.xml"), want: Added, previous: 1},
		{name: "corrected twice", earlier: []earlier{{arrival("a.xml", bytesOf("wrong")), filed(Rejected)}, {arrival("a.xml", bytesOf("wrong too")), filed(Rejected)}}, it: arrival("a.xml"), want: Added, previous: 2},
		{name: "corrected again while the correction is under way", earlier: []earlier{{arrival("a.xml", bytesOf("wrong")), filed(Rejected)}, {arrival("a.xml", bytesOf("better")), way(Opened)}}, it: arrival("a.xml"), want: Added, previous: 1},
		{name: "a name used again after the correction was delivered", earlier: []earlier{{arrival("a.xml", bytesOf("wrong")), filed(Rejected)}, {arrival("a.xml", bytesOf("right")), filed(Delivered)}}, it: arrival("a.xml"), want: Added},
		{name: "given up before, tried again", earlier: []earlier{{arrival("a.xml"), filed(Cancelled)}}, it: arrival("a.xml"), want: Added, previous: 1},

		{name: "same bytes given up after it was submitted", earlier: []earlier{{arrival("b.xml", bytesOf("x")), append(submittedThenCancelled(), Filed(t0, "f", "r"))}}, it: arrival("a.xml", bytesOf("x")), want: AddedHeld, of: 1, previous: 1, says: "delivery 0000012345"},
		{name: "given up late, then delivered all the same", earlier: []earlier{
			{arrival("b.xml", bytesOf("x")), append(submittedThenCancelled(), Filed(t0, "f", "r"))},
			{arrival("b.xml", bytesOf("x")), append([]Transition{Released(t0)}, filed(Delivered)...)},
		}, it: arrival("a.xml", bytesOf("x")), want: AddedRejected, of: 2},

		{name: "new object, same content under way", earlier: []earlier{{arrival("b.xml", newObject("content-1", "x")), nil}}, it: arrival("a.xml", gml), want: AddedHeld, of: 1, says: "b.xml"},
		{name: "new object, same content delivered", earlier: []earlier{{arrival("b.xml", newObject("content-1", "x")), filed(Delivered)}}, it: arrival("a.xml", gml), want: AddedHeld, of: 1, says: "second object"},
		{name: "new object, same content in another folder", earlier: []earlier{{arrival("b.xml", newObject("content-1", "x"), inFolder("other")), nil}}, it: arrival("a.xml", gml), want: AddedHeld, of: 1},
		{name: "new object, same content given up late", earlier: []earlier{{arrival("b.xml", newObject("content-1", "x")), submittedThenCancelled()}}, it: arrival("a.xml", gml), want: AddedHeld, of: 1},
		{name: "new object, same content rejected", earlier: []earlier{{arrival("b.xml", gml), filed(Rejected)}}, it: arrival("a.xml", gml), want: Added},
		{name: "new object, same content given up in time", earlier: []earlier{{arrival("b.xml", gml), filed(Cancelled)}}, it: arrival("a.xml", gml), want: Added},
		{name: "new object, same content on another portal", earlier: []earlier{{arrival("b.xml", gml, toPortal("https://other.example")), filed(Delivered)}}, it: arrival("a.xml", gml), want: Added},
		{name: "new object, first copy held too", earlier: []earlier{{arrival("b.xml", gml), nil}, {arrival("c.xml", gml), nil}}, it: arrival("a.xml", gml), want: AddedHeld, of: 1},
		{name: "same content, but of an existing object", earlier: []earlier{{arrival("b.xml", func(it *Item) { it.Content = "content-1" }), filed(Delivered)}}, it: arrival("a.xml", func(it *Item) { it.Content = "content-1" }), want: Added},
		{name: "new object without content", earlier: []earlier{{arrival("b.xml", newObject("", "")), nil}}, it: arrival("a.xml", newObject("", "")), want: Added},

		{name: "new object of the same name", earlier: []earlier{{arrival("b.xml", newObject("content-0", "put-17")), filed(Delivered)}}, it: arrival("a.xml", gml), want: AddedHeld, of: 1, says: "put-17"},
		{name: "new object of the same name of another party", earlier: []earlier{{arrival("b.xml", newObject("content-0", "put-17"), party("87654321")), filed(Delivered)}}, it: arrival("a.xml", gml), want: Added},
		{name: "new object of the same name of another type", earlier: []earlier{{arrival("b.xml", newObject("content-0", "put-17"), func(it *Item) { it.Type = "CPT" }), filed(Delivered)}}, it: arrival("a.xml", gml), want: Added},
		{name: "new object of the same name, rejected", earlier: []earlier{{arrival("b.xml", newObject("content-0", "put-17")), filed(Rejected)}}, it: arrival("a.xml", gml), want: Added},
		{name: "new object of the same name, no party, same project", earlier: []earlier{{arrival("b.xml", newObject("content-0", "put-17"), party("")), nil}}, it: arrival("a.xml", gml, party("")), want: AddedHeld, of: 1},
		{name: "new object of the same name, no party, other project", earlier: []earlier{{arrival("b.xml", newObject("content-0", "put-17"), party(""), project("7")), nil}}, it: arrival("a.xml", gml, party("")), want: Added},
		{name: "requestReference alone proves nothing", earlier: []earlier{{arrival("b.xml", func(it *Item) { it.RequestReference = "registratie" }), filed(Delivered)}}, it: arrival("a.xml", func(it *Item) { it.RequestReference = "registratie" }), want: Added},
		{name: "same bytes count before same content", earlier: []earlier{{arrival("b.xml", gml, bytesOf("x")), nil}}, it: arrival("a.xml", gml, bytesOf("x")), want: AddedRejected, of: 1},
		{name: "texts that run into each other", earlier: []earlier{{arrival("b.xml", newObject("c", "7-put"), party("1")), nil}}, it: arrival("a.xml", newObject("d", "-put"), party("17")), want: Added},
		{name: "bytes nobody read", earlier: []earlier{{arrival("b.xml", func(it *Item) { it.SHA256 = "" }), filed(Rejected)}}, it: arrival("a.xml", func(it *Item) { it.SHA256 = "" }), want: Added},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			for _, e := range tc.earlier {
				it, _, err := s.addOne(t0, e.it, stays)
				if err != nil {
					t.Fatal(err)
				}
				if len(e.way) > 0 {
					apply(t, s, it.ID, e.way...)
				}
			}
			before := list(t, s, Filter{})
			it := add(t, s, tc.want, tc.it)
			if it.ID != ID(len(tc.earlier)+1) {
				t.Errorf("it got number %s", it.ID)
			}
			if it.Previous != tc.previous || it.DuplicateOf != tc.of {
				t.Errorf("previous %d, duplicate of %d; want %d and %d", it.Previous, it.DuplicateOf, tc.previous, tc.of)
			}
			switch tc.want {
			case Added:
				if it.State != Queued || it.Hold != "" || it.Report != nil {
					t.Errorf("state %s, hold %q, report %v", it.State, it.Hold, it.Report)
				}
			case AddedHeld:
				if it.State != Queued || it.Hold != HoldDuplicate || !strings.Contains(it.HoldReason, tc.says) || it.HoldReason == "" {
					t.Errorf("state %s, hold %q (%s), want it to say %q", it.State, it.Hold, it.HoldReason, tc.says)
				}
				wantNotDue(t, s, it.ID)
			case AddedRejected:
				if it.State != Rejected || it.Report == nil || it.Times.Settled.IsZero() {
					t.Fatalf("state %s, report %v", it.State, it.Report)
				}
				if tc.of != 0 && (it.Report.Code != DuplicateCode || it.Report.DuplicateOf != tc.of) {
					t.Errorf("report %v, want a duplicate of %d", *it.Report, tc.of)
				}
			}
			if stored, err := s.Get(it.ID); err != nil {
				t.Error(err)
			} else {
				wantSame(t, "what Add returned and what is stored", it, stored)
			}
			for _, old := range before { // what was there is as it was
				if now, _ := s.Get(old.ID); encoded(t, now) != encoded(t, old) {
					t.Errorf("document %s was changed by another's arrival", old.ID)
				}
			}
		})
	}
}

func wantNotDue(t *testing.T, s *Store, id ID) {
	t.Helper()
	for _, lane := range []Lane{LaneFile, LaneFollow, LaneAdvance} {
		if slices.Contains(dueIDs(t, s, lane, t0.Add(1000*time.Hour)), id) {
			t.Errorf("document %s is due in lane %c", id, lane)
		}
	}
}

// The very file of an item that is not filed yet is that item, whatever its
// state: a folder is scanned again and again, and after every start.
func TestSameFileSeenAgain(t *testing.T) {
	touched := func(it *Item) { it.Source.ModTime = t0.Add(time.Hour) }
	inAnotherZone := func(it *Item) {
		it.Source.ModTime = it.Source.ModTime.In(time.FixedZone("CET", 3600))
	}
	states := map[string][]Transition{
		"queued": nil, "validated": way(Validated), "submitted": way(Submitted), "in doubt": uncertain(), "held": {HeldBack(t0)},
		"delivered": way(Delivered), "rejected": way(Rejected), "cancelled": way(Cancelled), "given up late": submittedThenCancelled(),
	}
	for name, way := range states {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			it := add(t, s, Added, arrival("a.xml"))
			if len(way) > 0 {
				it = apply(t, s, it.ID, way...)
			}
			for _, again := range []Item{arrival("a.xml"), arrival("a.xml", inAnotherZone)} {
				got := add(t, s, Known, again)
				wantSame(t, "seen again as it was", got, it)
			}
			stored, _ := s.Get(it.ID)
			wantSame(t, "seen again as it was, stored", stored, it)

			got := add(t, s, Known, arrival("a.xml", touched))
			if got.ID != it.ID || got.State != it.State || !got.Source.ModTime.Equal(t0.Add(time.Hour)) {
				t.Errorf("touched: number %s in state %s, time %s", got.ID, got.State, got.Source.ModTime)
			}
			if events := len(got.History) - len(it.History); events != 1 {
				t.Errorf("%d new events, want 1", events)
			}
			if all := list(t, s, Filter{}); len(all) != 1 {
				t.Errorf("%d items, want 1", len(all))
			}
		})
	}
}

// A copy of a document is rejected once, not at every scan until it is filed.
func TestRejectedCopySeenAgain(t *testing.T) {
	for _, tc := range []struct {
		name string
		way  []Transition
	}{{"under way", nil}, {"delivered and filed", filed(Delivered)}} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			first := add(t, s, Added, arrival("a.xml", bytesOf("x")))
			if len(tc.way) > 0 {
				apply(t, s, first.ID, tc.way...)
			}
			second := add(t, s, AddedRejected, arrival("b.xml", bytesOf("x")))
			apply(t, s, second.ID, FilingFailed(t0, t0.Add(time.Minute), "failed/ is read-only"))
			if got := add(t, s, Known, arrival("b.xml", bytesOf("x"))); got.ID != second.ID {
				t.Errorf("it is document %s, want %s", got.ID, second.ID)
			}
			if all := list(t, s, Filter{}); len(all) != 2 {
				t.Errorf("%d items, want 2", len(all))
			}
		})
	}
}

func TestRenamedWhileUnderWay(t *testing.T) {
	gone := func(name string) func(Item) bool { return func(old Item) bool { return old.File == name } }
	renamed := arrival("b.xml", bytesOf("a.xml"))

	t.Run("renamed", func(t *testing.T) {
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		got, verdict, err := s.addOne(t0, renamed, gone("a.xml"))
		if err != nil || verdict != Known || got.ID != it.ID || got.File != "b.xml" {
			t.Fatalf("%s %s as %s, %v; want %s known as b.xml", verdict, got.ID, got.File, err, it.ID)
		}
		if last := got.History[len(got.History)-1]; last.What != "source-moved" || last.Detail != "b.xml" {
			t.Errorf("the timeline ends with %v", last)
		}
		if _, found, _ := s.BySource(home, "a.xml"); found {
			t.Error("it is still found under its old name")
		}
		if now, found, _ := s.BySource(home, "b.xml"); !found || now.ID != it.ID {
			t.Error("it is not found under its new name")
		}
	})
	t.Run("copied", func(t *testing.T) {
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		if got := add(t, s, AddedRejected, renamed); got.DuplicateOf != it.ID {
			t.Errorf("duplicate of %s", got.DuplicateOf)
		}
	})
	t.Run("nobody can say", func(t *testing.T) {
		s := setup(t)
		add(t, s, Added, arrival("a.xml"))
		if _, verdict, err := s.addOne(t0, renamed, nil); err != nil || verdict != AddedRejected {
			t.Errorf("%s, %v", verdict, err)
		}
	})
	t.Run("of two, the one that is gone", func(t *testing.T) {
		s := setup(t)
		first := add(t, s, Added, arrival("a.xml"))
		apply(t, s, first.ID, submittedThenCancelled()...)
		second := add(t, s, AddedHeld, arrival("c.xml", bytesOf("a.xml")))
		apply(t, s, second.ID, Released(t0))
		got, verdict, err := s.addOne(t0, renamed, gone("c.xml"))
		if err != nil || verdict != Known || got.ID != second.ID {
			t.Errorf("%s %s, %v; want %s known", verdict, got.ID, err, second.ID)
		}
	})
	t.Run("two of the same bytes at once", func(t *testing.T) { // one is the file under its new name, the other a copy of it
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		verdicts := map[Verdict]Item{}
		for _, r := range s.AddAll(t0, []Item{renamed, arrival("c.xml", bytesOf("a.xml"))}, gone("a.xml")) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			verdicts[r.Verdict] = r.Item
		}
		known, copied := verdicts[Known], verdicts[AddedRejected]
		if known.ID != it.ID || copied.DuplicateOf != it.ID || known.File == copied.File {
			t.Errorf("%s has become %s; %s is a duplicate of %s; want the one file known as document %s and the other a duplicate of it",
				known.ID, known.File, copied.File, copied.DuplicateOf, it.ID)
		}
	})
	t.Run("moved to another folder", func(t *testing.T) {
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		always := func(Item) bool { return true }
		got, verdict, err := s.addOne(t0, arrival("a.xml", inFolder("other")), always)
		if err != nil || verdict != AddedRejected || got.DuplicateOf != it.ID {
			t.Errorf("%s, duplicate of %s, %v", verdict, got.DuplicateOf, err)
		}
	})
	t.Run("filed under its old name", func(t *testing.T) {
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		apply(t, s, it.ID, filed(Delivered)...)
		_, verdict, err := s.addOne(t0, renamed, gone("a.xml"))
		if err != nil || verdict != AddedRejected {
			t.Errorf("%s, %v; want rejected: what is filed is over", verdict, err)
		}
	})
}

// Whether a file is still there is asked of a share that may hang. Nothing
// else may wait for that.
func TestNothingWaitsForMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		it := add(t, s, Added, arrival("a.xml"))
		other := add(t, s, Added, arrival("other.xml"))
		asked, answer := make(chan struct{}), make(chan bool)
		var wg sync.WaitGroup
		wg.Go(func() {
			got, verdict, err := s.addOne(t0, arrival("b.xml", bytesOf("a.xml")), func(Item) bool {
				close(asked)
				return <-answer
			})
			if err != nil || verdict != AddedRejected || got.DuplicateOf != it.ID {
				t.Errorf("%s, duplicate of %s, %v", verdict, got.DuplicateOf, err)
			}
		})
		<-asked
		apply(t, s, other.ID, DocumentValid(t0, nil))
		// what it is asked about may change meanwhile: the answer counts for what is there then
		apply(t, s, it.ID, filed(Delivered)...)
		answer <- true
		wg.Wait()
	})
}

// Of several arrivals of the same bytes at one moment, one is taken.
func TestConcurrentAdds(t *testing.T) {
	for _, tc := range []struct {
		name string
		file func(int) string
		rest Verdict
	}{
		{"from one file", func(int) string { return "a.xml" }, Known},
		{"from several files", fileName, AddedRejected},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			var added, rest atomic.Int32
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					_, verdict, err := s.addOne(t0, arrival(tc.file(i), bytesOf("x")), stays)
					switch {
					case err != nil:
						t.Error(err)
					case verdict == Added:
						added.Add(1)
					case verdict == tc.rest:
						rest.Add(1)
					default:
						t.Errorf("got %s", verdict)
					}
				})
			}
			wg.Wait()
			if added.Load() != 1 || rest.Load() != 19 {
				t.Errorf("%d added, %d %s; want 1 and 19", added.Load(), rest.Load(), tc.rest)
			}
			if under := list(t, s, Filter{State: Queued}); len(under) != 1 {
				t.Errorf("%d are under way, want 1", len(under))
			}
		})
	}
	t.Run("two new objects with the same content", func(t *testing.T) {
		s := setup(t)
		var added, held atomic.Int32
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				_, verdict, err := s.addOne(t0, arrival(fileName(i), newObject("same", "")), stays)
				if err != nil {
					t.Error(err)
				}
				switch verdict {
				case Added:
					added.Add(1)
				case AddedHeld:
					held.Add(1)
				}
			})
		}
		wg.Wait()
		if added.Load() != 1 || held.Load() != 9 {
			t.Errorf("%d added, %d held; want 1 and 9", added.Load(), held.Load())
		}
	})
}

// Add keeps nothing of the caller's.
func TestAddCopies(t *testing.T) {
	s := setup(t)
	mine := arrival("a.xml")
	mine.History = make([]Event, 0, 8)
	it := add(t, s, Added, mine)
	if mine.ID != 0 || mine.State != "" || len(mine.History) != 0 {
		t.Errorf("the caller's item was changed: %+v", mine)
	}
	it.History[0].What = "scribbled"
	if stored, _ := s.Get(it.ID); stored.History[0].What != "queued" {
		t.Errorf("the stored item has event %q", stored.History[0].What)
	}
}

// A file name that is not UTF-8 can't be kept as it is, but must not tear the
// indexes apart.
func TestNameThatIsNotUTF8(t *testing.T) {
	s := setup(t)
	const name = "put-\xff\xfe.xml"
	it := add(t, s, Added, arrival(name))
	apply(t, s, it.ID, DocumentValid(t0, nil))
	wantSound(t, s)
	if got, found, err := s.BySource(home, name); err != nil || !found || got.ID != it.ID {
		t.Errorf("found %t %s, %v", found, got.ID, err)
	}
}
