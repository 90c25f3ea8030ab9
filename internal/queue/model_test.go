package queue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what a queue should be, without file, index or lock: a map of items,
// looked through from end to end for every question.
type model struct {
	dir   string
	store *Store
	items map[ID]Item
	clock time.Time
}

// Whatever arrives and happens, in whatever order and over whatever restarts,
// the queue and the plain map agree.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "queue-model")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{dir: dir, items: map[ID]Item{}, clock: t0}
		m.open(t)
		defer func() { _ = m.store.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"add":        m.add,
			"add again":  m.add, // more often than once in a while
			"step":       m.step,
			"step on":    m.step,
			"anything":   m.anything,
			"chain":      m.chain,
			"time":       func(t *rapid.T) { m.clock = m.clock.Add(rapid.SampledFrom(waits).Draw(t, "wait")) },
			"stop,start": m.restart,
			"look":       m.look,
		})
		m.restart(t)
		m.look(t)
		for _, fault := range m.store.Check() {
			t.Error(fault)
		}
	})
}

func (m *model) open(t *rapid.T) {
	s, err := Open(m.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.store = s
}

func (m *model) restart(t *rapid.T) {
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

var (
	waits   = []time.Duration{0, time.Second, time.Minute, time.Hour}
	folders = []string{home, "deventer"}
	files   = []string{"a.xml", "b.xml", "sub/c.xml", "d\xff.xml"}
)

// ids are the items in the order of their numbers.
func (m *model) ids() []ID { return slices.Sorted(maps.Keys(m.items)) }

func (m *model) draw(t *rapid.T) (Item, bool) {
	if len(m.items) == 0 {
		return Item{}, false
	}
	return m.items[rapid.SampledFrom(m.ids()).Draw(t, "id")], true
}

func (m *model) add(t *rapid.T) {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
	a := Item{
		Folder: pick("folder", folders...), File: pick("file", files...), Portal: pick("portal", "p", "p", "p", "q"), Project: "1",
		SHA256: pick("bytes", "1", "2", "3", "4", ""), Type: "GMN", BROID: pick("bro", "", "GLD1", "gld1", "GLD2"),
		Ordered: yes("ordered"), Source: Source{Size: 1, ModTime: t0.Add(rapid.SampledFrom(waits).Draw(t, "touched"))},
	}
	if a.BROID == "" && yes("new") {
		a.NewObject, a.Content, a.ObjectID = true, pick("content", "", "c1", "c2"), pick("object", "", "o1", "o2")
		a.AccountableParty = pick("party", "", "", "1")
	}
	if rapid.IntRange(0, 9).Draw(t, "faulty") == 0 {
		a.Report = &Report{Code: "document-malformed"}
	}
	goneFile := pick("gone", files...)
	moved := func(old Item) bool { return old.File == stored(goneFile) }
	want := m.expect(a, moved)
	got, verdict, err := m.store.addOne(m.clock, a, moved)
	if err != nil {
		t.Fatal(err)
	}
	if verdict != want.verdict || got.Previous != want.it.Previous || got.DuplicateOf != want.it.DuplicateOf {
		t.Fatalf("%s, previous %d, duplicate of %d (%s); want %s, %d, %d", verdict, got.Previous, got.DuplicateOf, got.HoldReason, want.verdict, want.it.Previous, want.it.DuplicateOf)
	}
	switch verdict {
	case Known:
		if got.ID != want.it.ID {
			t.Fatalf("known as %s, want %s", got.ID, want.it.ID)
		}
		if got.File != stored(a.File) && got.File != a.File || !got.Source.ModTime.Equal(a.Source.ModTime) {
			t.Fatalf("known, but as %s of %s", got.File, got.Source.ModTime)
		}
	case Added, AddedHeld, AddedRejected:
		if got.ID != ID(len(m.items)+1) || got.Hold != want.it.Hold || got.State != want.it.State {
			t.Fatalf("number %s, hold %q, state %s; want hold %q, state %s", got.ID, got.Hold, got.State, want.it.Hold, want.it.State)
		}
	}
	if m.items[got.ID], err = m.store.Get(got.ID); err != nil {
		t.Fatal(err)
	}
}

type expected struct {
	verdict Verdict
	it      Item // what matters of it
}

// expect is contract §4 in words of a map.
func (m *model) expect(a Item, moved func(Item) bool) expected {
	var twins, contents, objects []Item // in the order of their numbers
	var previousBySource, previousByBytes ID
	for _, id := range m.ids() {
		it := m.items[id]
		samePortal := it.Portal == a.Portal
		sameBytes := samePortal && a.SHA256 != "" && it.SHA256 == a.SHA256
		if sameBytes {
			twins = append(twins, it)
		}
		if samePortal && a.NewObject && it.NewObject && it.Blocks() {
			if a.Content != "" && it.Content == a.Content {
				contents = append(contents, it)
			}
			if a.ObjectID != "" && it.ObjectID == a.ObjectID && it.AccountableParty == a.AccountableParty {
				objects = append(objects, it)
			}
		}
		if it.Folder == a.Folder && it.State.End() {
			failed := it.ID
			if it.State == Delivered {
				failed = 0
			}
			if it.File == stored(a.File) {
				previousBySource = failed
			}
			if sameBytes {
				previousByBytes = failed
			}
		}
	}
	for _, exact := range []bool{true, false} {
		for _, twin := range slices.Backward(twins) {
			if !twin.Open() || twin.Folder != a.Folder {
				continue
			}
			if exact && twin.File == stored(a.File) || !exact && twin.Blocks() && moved(twin) {
				return expected{Known, twin}
			}
		}
	}
	e := expected{Added, Item{State: Queued, Previous: max(previousBySource, previousByBytes)}}
	reject := func(of ID) expected {
		e.verdict, e.it.State, e.it.DuplicateOf = AddedRejected, Rejected, of
		return e
	}
	hold := func(of ID) expected {
		e.verdict, e.it.Hold, e.it.DuplicateOf = AddedHeld, HoldDuplicate, of
		return e
	}
	if a.Report != nil {
		return reject(0)
	}
	for _, twin := range twins {
		if twin.Blocks() && twin.State != Cancelled {
			return reject(twin.ID)
		}
	}
	for _, twin := range slices.Backward(twins) {
		if twin.Blocks() {
			return hold(twin.ID)
		}
	}
	for _, same := range [][]Item{contents, objects} {
		for _, it := range same {
			if it.State != Cancelled {
				return hold(it.ID)
			}
		}
		if len(same) > 0 {
			return hold(same[len(same)-1].ID)
		}
	}
	return e
}

// apply does the same to both and compares.
func (m *model) apply(t *rapid.T, id ID, transitions ...Transition) {
	before := m.items[id]
	want, wantErr := before.With(transitions...)
	got, err := m.store.Apply(id, transitions...)
	var te *TransitionError
	if (err == nil) != (wantErr == nil) || err != nil && !errors.As(err, &te) {
		t.Fatalf("the queue says %v, the model %v", err, wantErr)
	}
	m.same(t, got, want)
	if m.items[id], err = m.store.Get(id); err != nil {
		t.Fatal(err)
	}
	m.same(t, m.items[id], want)
}

func (m *model) same(t *rapid.T, got, want Item) {
	g, err := got.encode()
	if err != nil {
		t.Fatal(err)
	}
	w, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Fatalf("got %s\nwant %s", g, w)
	}
}

// step brings an item a step further on its way.
func (m *model) step(t *rapid.T) {
	it, ok := m.draw(t)
	if !ok {
		return
	}
	at := m.clock
	switch it.State {
	case Queued:
		m.apply(t, it.ID, DocumentValid(at, nil))
	case Validated:
		m.apply(t, it.ID, UploadOpened(at, Upload{ID: 1}))
	case Opened:
		m.apply(t, it.ID, DocumentAttached(at, SourceDocument{URL: "u"}, "n"))
	case Attached:
		if it.Intent == "" {
			m.apply(t, it.ID, SubmitIntended(at))
		} else {
			m.apply(t, it.ID, DeliverySubmitted(at, "0000000001", "", at))
		}
	case Submitted:
		m.apply(t, it.ID, Registered(at, "s", "d", "GLD1", "tx"))
	default:
		m.apply(t, it.ID, Filed(at, "p", "b"))
	}
}

// anything tries one transition, fitting or not.
func (m *model) anything(t *rapid.T) {
	if it, ok := m.draw(t); ok {
		m.apply(t, it.ID, m.drawTransition(t))
	}
}

func (m *model) chain(t *rapid.T) {
	if it, ok := m.draw(t); ok {
		m.apply(t, it.ID, m.drawTransition(t), m.drawTransition(t), m.drawTransition(t))
	}
}

func (m *model) drawTransition(t *rapid.T) Transition {
	at := m.clock
	next := at.Add(rapid.SampledFrom(waits).Draw(t, "next"))
	return rapid.SampledFrom([]Transition{
		UploadLost(at, next, "k", "w"), SubmitIntended(at), SubmitRefused(at, next, "k", "w"), SubmitPostponed(at, next, "k", "w"),
		SubmitUnknown(at, next, "w"), LookedUp(at, next, rapid.Bool().Draw(t, "hold"), "w"), NotDelivered(at),
		Progressed(at, next, "s", "d"), AskAgain(at, next), Stuck(at, next, "s", "d", "w"), Refused(at, Report{Code: "c"}),
		Retry(at, next, "s", "k", "w"), Postponed(at, next, "k", "w"), FilingFailed(at, next, "w"), RetryNow(at, "p"),
		HeldBack(at), Released(at), CancelledBy(at, Report{Code: "cancelled"}),
		SourceChanged(at, rapid.SampledFrom(files).Draw(t, "to"), Source{Size: 2, ModTime: t0}),
	}).Draw(t, "transition")
}

// look asks the queue everything and answers it from the map.
func (m *model) look(t *rapid.T) {
	for id, want := range m.items {
		got, err := m.store.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		m.same(t, got, want)
	}
	m.lookList(t)
	m.lookCounts(t)
	for _, folder := range folders {
		for _, lane := range []Lane{LaneFile, LaneFollow, LaneAdvance} {
			m.lookDue(t, folder, lane)
		}
		for _, file := range files {
			var want ID
			for _, id := range m.ids() {
				if it := m.items[id]; it.Folder == folder && stored(it.File) == stored(file) {
					want = id
				}
			}
			if got, found, err := m.store.BySource(folder, file); err != nil || found != (want != 0) || got.ID != want {
				t.Fatalf("%s of %s is %s, %v; want %s", file, folder, got.ID, err, want)
			}
		}
	}
	for _, folder := range append(folders, "") {
		var want ID
		for _, id := range slices.Backward(m.ids()) {
			if it := m.items[id]; (folder == "" || it.Folder == folder) && !it.State.End() {
				want = id
			}
		}
		if got, found, err := m.store.Oldest(folder); err != nil || found != (want != 0) || got.ID != want && found {
			t.Fatalf("oldest of %q is %s, %v; want %s", folder, got.ID, err, want)
		}
	}
}

func (m *model) lookList(t *rapid.T) {
	f := Filter{
		State: rapid.SampledFrom(append(States, "", "", "")).Draw(t, "state"), Hold: rapid.SampledFrom([]Hold{"", "", HoldPerson, HoldDuplicate, HoldUncertain}).Draw(t, "hold"),
		Folder: rapid.SampledFrom(append(folders, "")).Draw(t, "folder"), Open: rapid.Bool().Draw(t, "open"),
		Limit: rapid.IntRange(0, 5).Draw(t, "limit"), Newest: rapid.Bool().Draw(t, "newest"),
		Search: rapid.SampledFrom([]string{"", "", "", "A.XML", "gld"}).Draw(t, "search"),
	}
	var want []ID
	for _, id := range m.ids() {
		it := m.items[id]
		found := strings.Contains(strings.ToLower(it.File+"|"+it.BROID), strings.ToLower(f.Search))
		if (f.State == "" || it.State == f.State) && (f.Hold == "" || it.Hold == f.Hold) && (f.Folder == "" || it.Folder == f.Folder) &&
			(!f.Open || it.Filed == "") && found {
			want = append(want, id)
		}
	}
	if f.Newest {
		slices.Reverse(want)
	}
	if f.Limit > 0 && len(want) > f.Limit {
		want = want[:f.Limit]
	}
	items, err := m.store.List(f)
	if err != nil {
		t.Fatal(err)
	}
	var got []ID
	for _, it := range items {
		got = append(got, it.ID)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v: %v, want %v", f, got, want)
	}
}

func (m *model) lookCounts(t *rapid.T) {
	want := map[Count]int{}
	for _, it := range m.items {
		want[Count{Folder: it.Folder, State: it.State, Hold: it.Hold, Filed: it.Filed != ""}]++
	}
	counts, err := m.store.Counts()
	if err != nil {
		t.Fatal(err)
	}
	got := map[Count]int{}
	for _, c := range counts {
		n := c.N
		c.N = 0
		got[c] += n
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("counts %v, want %v", got, want)
	}
}

// lookDue says in words of a map what may be worked on: what has its outcome
// is filed; what is, or may be, at the portal is asked about; the rest is
// brought there, each in its turn. What is held waits, but for the portal's
// answer where one is asked for.
func (m *model) lookDue(t *rapid.T, folder string, lane Lane) {
	type entry struct {
		at time.Time
		id ID
	}
	var all []entry
	for _, id := range m.ids() {
		it := m.items[id]
		asked := it.State == Submitted || it.State == Attached && it.Intent != ""
		ended := it.State == Delivered || it.State == Rejected || it.State == Cancelled
		itsLane := LaneAdvance
		if ended {
			itsLane = LaneFile
		} else if asked {
			itsLane = LaneFollow
		}
		held := it.Hold != "" && !(asked && !it.NextAttempt.IsZero())
		if it.Folder != folder || itsLane != lane || it.Filed != "" || held || m.waitsItsTurn(it) {
			continue
		}
		at := it.NextAttempt
		if at.IsZero() {
			at = it.Times.Queued
		}
		all = append(all, entry{at, id})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	skipped := ID(rapid.IntRange(0, len(m.items)).Draw(t, "skip"))
	limit := rapid.SampledFrom([]int{1, 1000}).Draw(t, "limit")
	var want []ID
	var next time.Time
	for _, e := range all {
		if e.at.After(m.clock) {
			next = e.at
			break
		}
		if e.id != skipped && len(want) < limit {
			want = append(want, e.id)
		}
	}
	items, gotNext, err := m.store.Due(folder, lane, m.clock, limit, func(id ID) bool { return id == skipped })
	if err != nil {
		t.Fatal(err)
	}
	var got []ID
	for _, it := range items {
		got = append(got, it.ID)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("due in lane %c of %s: %v, want %v of %s", lane, folder, got, want, fmt.Sprint(all))
	}
	if len(want) == 0 && !gotNext.Equal(next) {
		t.Fatalf("next in lane %c of %s: %s, want %s", lane, folder, gotNext, next)
	}
}

// waitsItsTurn: an earlier document about the same object has no outcome yet.
func (m *model) waitsItsTurn(it Item) bool {
	inOrder := func(it Item) bool {
		return it.Ordered && !it.NewObject && it.BROID != "" && !slices.Contains([]State{Delivered, Rejected, Cancelled}, it.State)
	}
	if !inOrder(it) {
		return false
	}
	for _, other := range m.items {
		if other.ID < it.ID && inOrder(other) && other.Portal == it.Portal && strings.EqualFold(other.BROID, it.BROID) {
			return true
		}
	}
	return false
}
