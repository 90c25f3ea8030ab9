package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	skipSync = true // these tests kill no machine
	if task := os.Getenv(crashTask); task != "" {
		os.Exit(crashingProcess(task))
	}
	goleak.VerifyTestMain(m)
}

// t0 is when everything in these tests happens, unless they say otherwise.
var t0 = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

const (
	home   = "zwolle"
	portal = "https://portal.example"
)

// setup opens a new queue and, when the test is over, checks and closes it.
func setup(t testing.TB, opts ...Options) *Store {
	t.Helper()
	return openAt(t, t.TempDir(), opts...)
}

func openAt(t testing.TB, dir string, opts ...Options) *Store {
	t.Helper()
	s, err := Open(dir, append(opts, Options{})[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !s.isClosed() {
			wantSound(t, s)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *Store) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// reopen is a stop and a start.
func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	dir := dirOf(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openAt(t, dir)
}

func dirOf(s *Store) string { return filepath.Dir(s.db.Path()) }

func wantSound(t testing.TB, s *Store) {
	t.Helper()
	for _, err := range s.Check() {
		t.Errorf("the queue is not sound: %v", err)
	}
}

// arrival is a document as the Worker hands it to Add. Its bytes are different
// for every file name.
func arrival(file string, change ...func(*Item)) Item {
	it := Item{
		Folder: home, File: file, Environment: "demo", Portal: portal, Project: "1255",
		SHA256: hashOf(file), Source: Source{Size: 1234, ModTime: t0.Add(-time.Hour)},
		Spool: hashOf(file)[:24], Times: Times{Seen: t0.Add(-time.Minute)},
		Type: "GMN_StartRegistration", Request: "registrationRequest",
	}
	for _, c := range change {
		c(&it)
	}
	return it
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// about makes a document one about an existing object, which takes its turn.
func about(broID string) func(*Item) {
	return func(it *Item) { it.BROID, it.Ordered = broID, true }
}

func bytesOf(text string) func(*Item) { return func(it *Item) { it.SHA256 = hashOf(text) } }

func inFolder(name string) func(*Item) { return func(it *Item) { it.Folder = name } }

func stays(Item) bool { return false }

// add stores an arrival that must be accepted as verdict.
func add(t testing.TB, s *Store, want Verdict, a Item) Item {
	t.Helper()
	it, got, err := s.addOne(t0, a, stays)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("Add(%s) = %s (%s), want %s", a.File, got, it.HoldReason, want)
	}
	return it
}

// addOne is AddAll for one arrival.
func (s *Store) addOne(at time.Time, a Item, moved func(Item) bool) (Item, Verdict, error) {
	r := s.AddAll(at, []Item{a}, moved)[0]
	return r.Item, r.Verdict, r.Err
}

// apply performs transitions that must fit.
func apply(t testing.TB, s *Store, id ID, transitions ...Transition) Item {
	t.Helper()
	it, err := s.Apply(id, transitions...)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// way is the shortest way of a new item to a state.
func way(to State) []Transition {
	forward := []Transition{
		DocumentValid(t0, nil),
		UploadOpened(t0, Upload{ID: 7, URL: "https://portal.example/uploads/7"}),
		DocumentAttached(t0, SourceDocument{ID: "70"}, "put.xml"),
		SubmitIntended(t0),
		DeliverySubmitted(t0, "0000012345", "", t0),
		Registered(t0, "DOORGELEVERD", "OPGENOMEN_LVBRO", "GMN000000000001", "tx-1"),
	}
	switch to {
	case Queued:
		return nil
	case Validated:
		return forward[:1]
	case Opened:
		return forward[:2]
	case Attached:
		return forward[:3]
	case Submitted:
		return forward[:5]
	case Delivered:
		return forward
	case Rejected:
		return []Transition{Refused(t0, Report{Code: "not-valid", Errors: []string{"no"}})}
	case Cancelled:
		return []Transition{CancelledBy(t0, Report{Code: "cancelled"})}
	}
	panic("no way to " + string(to))
}

// uncertain is the way to an item whose submit call had no clear answer.
func uncertain() []Transition {
	return append(slices.Clone(way(Attached)), SubmitIntended(t0), SubmitUnknown(t0, t0.Add(time.Minute), "time-out"))
}

// filed is the way to a state, and into done/ or failed/.
func filed(to State) []Transition {
	return append(slices.Clone(way(to)), Filed(t0, "done/x.xml", "done/x.xml.receipt.json"))
}

// submittedThenCancelled is the way of a document that a person gave up too late.
func submittedThenCancelled() []Transition {
	return append(slices.Clone(way(Submitted)), CancelledBy(t0, Report{Code: "cancelled"}))
}

// dueIDs are the items of a lane that are due at a time.
func dueIDs(t testing.TB, s *Store, lane Lane, at time.Time) []ID {
	t.Helper()
	items, _, err := s.Due(home, lane, at, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []ID
	for _, it := range items {
		ids = append(ids, it.ID)
	}
	return ids
}

func wantDue(t testing.TB, s *Store, lane Lane, at time.Time, want ...ID) {
	t.Helper()
	if got := dueIDs(t, s, lane, at); !slices.Equal(got, want) {
		t.Errorf("due in lane %c: %v, want %v", lane, got, want)
	}
}

// wantRefused checks that err is the refusal of a transition of it.
func wantRefused(t testing.TB, err error, it Item) *TransitionError {
	t.Helper()
	var te *TransitionError
	if !errors.As(err, &te) {
		t.Fatalf("got error %v, want a *TransitionError", err)
	}
	if te.ID != it.ID || te.State != it.State {
		t.Errorf("refusal of document %s in state %s, want %s in %s", te.ID, te.State, it.ID, it.State)
	}
	return te
}

// commits grows by one with every transaction that reached the file.
func commits(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// overwrite puts data in an item's place, as a damaged disk would.
func overwrite(t testing.TB, s *Store, id ID, data string) {
	t.Helper()
	err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketItems).Put(idKey(id), []byte(data)) })
	if err != nil {
		t.Fatal(err)
	}
}

func list(t testing.TB, s *Store, f Filter) []Item {
	t.Helper()
	items, err := s.List(f)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// encoded is the stored form, to compare items by all they hold.
func encoded(t testing.TB, it Item) string {
	t.Helper()
	data, err := it.encode()
	if err != nil {
		t.Fatalf("encode %+v: %v", it, err)
	}
	return string(data)
}

func wantSame(t testing.TB, what string, got, want Item) {
	t.Helper()
	if g, w := encoded(t, got), encoded(t, want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func names(items []Item) (names []string) {
	for _, it := range items {
		names = append(names, it.File)
	}
	return names
}

func fileName(i int) string { return fmt.Sprintf("put-%03d.xml", i) }
