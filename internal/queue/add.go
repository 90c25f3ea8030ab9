package queue

import (
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Verdict says what [Store.AddAll] made of an arrival.
type Verdict string

const (
	// Added: a new item, under way.
	Added Verdict = "added"
	// AddedHeld: a new item that waits for a person, since it would make a second object.
	AddedHeld Verdict = "held"
	// AddedRejected: a new item that only has to be filed to failed/.
	AddedRejected Verdict = "rejected"
	// Known: the very same file is in the queue already; nothing was added.
	Known Verdict = "known"
)

// DuplicateCode is the report's code of an item with the same bytes as an earlier one.
const DuplicateCode = "duplicate"

// Arrived is what [Store.AddAll] made of one arrival.
type Arrived struct {
	Item    Item
	Verdict Verdict
	Err     error
}

// AddAll stores new items, in their order, in shared commits. The caller fills
// what it knows of the file and the document, and leaves ID and State alone; an
// item that has a Report is stored as Rejected. Under one transaction it is
// decided what an arrival is, by the rules of contract §4 for duplicates, so that
// two arrivals at the same moment never both pass:
//
//   - the same bytes from the same file as an item that is not filed yet: Known;
//   - the same bytes as an item under way or delivered: rejected as a duplicate;
//   - the same bytes as one that was cancelled after it was submitted, or a new
//     object that equals, or has the same name as, one under way or delivered: held;
//   - the same, or as much, as an item that can't be read any more: held;
//   - otherwise added, tied to the earlier attempt from the same file or of the same bytes.
//
// moved is asked whether the file of an item under way is no longer where it
// was; if so an arrival of the same bytes is that file under a new name. It may
// take its time, on a share that hangs: no transaction waits for it.
//
// Each arrival stands by itself: an error of one concerns no other. (Only one
// for which moved had to be asked may come after those behind it.)
func (s *Store) AddAll(at time.Time, arrivals []Item, moved func(old Item) bool) []Arrived {
	additions := make([]*addition, len(arrivals))
	ops := make([]*operation, len(arrivals))
	for i, arrival := range arrivals {
		additions[i] = newAddition(at, arrival, moved)
		ops[i] = s.hand(additions[i].run, additions[i].changes)
	}
	all := make([]Arrived, len(arrivals))
	for i, a := range additions {
		all[i].Item, all[i].Verdict, all[i].Err = s.finish(a, ops[i], moved)
	}
	return all
}

func newAddition(at time.Time, arrival Item, moved func(old Item) bool) *addition {
	arrival.File = stored(arrival.File) // as it will be compared with the next time
	return &addition{at: at, arrival: &arrival, asks: moved != nil, gone: map[whereabouts]bool{}}
}

// finish waits for the addition, and answers what it asks.
func (s *Store) finish(a *addition, op *operation, moved func(old Item) bool) (Item, Verdict, error) {
	for {
		err := op.wait()
		switch {
		case errors.Is(err, errAsk):
			a.gone[a.question.whereabouts()] = moved(a.question)
			op = s.hand(a.run, a.changes)
		case err != nil:
			return Item{}, "", fmt.Errorf("store %s of folder %s: %w", a.arrival.File, a.arrival.Folder, err)
		default:
			return a.item, a.verdict, nil
		}
	}
}

// errAsk rolls an addition back that needs an answer of moved first.
var errAsk = errors.New("is the file still there?")

// whereabouts are what moved was asked about: an item's file under the name it
// had then. An arrival of the same moment may give it another.
type whereabouts struct {
	id   ID
	file string
}

func (it *Item) whereabouts() whereabouts { return whereabouts{it.ID, it.File} }

// addition is one arrival on its way into the queue.
type addition struct {
	at      time.Time
	arrival *Item
	asks    bool
	gone    map[whereabouts]bool

	before   *Item // of an item that was there already
	item     Item
	verdict  Verdict
	question Item // with errAsk: whose file it is about
}

// run may run again from the start.
func (a *addition) run(tx *bolt.Tx) error {
	a.before, a.item, a.verdict = nil, a.arrival.clone(), ""
	same, err := a.findSame(tx)
	if err != nil {
		return err
	}
	if same != nil {
		return a.touch(tx, same)
	}
	seq, err := tx.Bucket(bucketItems).NextSequence()
	if err != nil {
		return err
	}
	a.item.ID = ID(seq)
	return a.enter(tx)
}

// enter stores the item, which has its number, as a new one.
func (a *addition) enter(tx *bolt.Tx) error {
	a.item.Times.Queued = a.at.UTC()
	a.item.State = Queued
	a.item.Previous = findPrevious(tx, &a.item)
	a.item.note(a.at.UTC(), "queued", "")
	if err := a.judge(tx); err != nil {
		return err
	}
	return put(tx, nil, &a.item)
}

func (a *addition) changes() (before, after *Item) {
	if a.verdict == Known && a.before == nil {
		return nil, nil
	}
	return a.before, &a.item
}

// findSame is the item made from the very file that arrives, if that item is
// not filed yet: the file was seen again, touched, or renamed.
func (a *addition) findSame(tx *bolt.Tx) (*Item, error) {
	var same *Item
	var elsewhere []Item
	newest(tx, bucketSHA, shaPrefix(&a.item), func(other *Item) bool {
		switch {
		case !other.Open() || other.Folder != a.item.Folder:
		case other.File == a.item.File:
			same = other
		case other.Blocks():
			elsewhere = append(elsewhere, *other)
		}
		return same == nil
	})
	if same != nil || !a.asks {
		return same, nil
	}
	for i, other := range elsewhere {
		gone, answered := a.gone[other.whereabouts()]
		if !answered {
			a.question = other
			return nil, errAsk
		}
		if gone {
			return &elsewhere[i], nil
		}
	}
	return nil, nil
}

// touch stores where and how the file of an item is now, if that changed.
func (a *addition) touch(tx *bolt.Tx, it *Item) error {
	a.verdict = Known
	now := a.arrival
	if it.File != now.File || it.Source.Size != now.Source.Size || !it.Source.ModTime.Equal(now.Source.ModTime) {
		old := it.clone()
		if err := SourceChanged(a.at, now.File, now.Source).perform(it); err != nil {
			return err
		}
		if err := put(tx, &old, it); err != nil {
			return err
		}
		a.before = &old
	}
	a.item = *it
	return nil
}

// judge sets the state of a new item.
func (a *addition) judge(tx *bolt.Tx) error {
	it := &a.item
	if it.Report != nil {
		return a.reject(*it.Report)
	}
	if twin := findBlocking(tx, bucketSHA, shaPrefix(it), it.ID); twin != nil {
		switch {
		case twin.unreadable():
			a.hold(twin, SaySameBytes, "it has the same bytes as %s", twin.called())
		case twin.State == Cancelled:
			a.hold(twin, SaySameCancelled, "the same bytes were submitted as delivery %s (document %s) before that was cancelled here", twin.Delivery.ID, twin.ID)
		default:
			it.DuplicateOf = twin.ID
			return a.reject(Report{Code: DuplicateCode, DuplicateOf: twin.ID})
		}
		return nil
	}
	if same := findBlocking(tx, bucketContent, contentPrefix(it), it.ID); same != nil {
		a.hold(same, SaySameContent, "it has the same content as %s and would make a second object", same.called())
		return nil
	}
	if same := findBlocking(tx, bucketName, namePrefix(it), it.ID); same != nil {
		a.hold(same, SaySameObject, "it registers the same object (%s) as %s", it.ObjectID, same.called())
		return nil
	}
	if why, words := sinceCopy(tx, it, a.at); why != "" {
		a.verdict = AddedHeld
		it.Hold, it.HoldReason = HoldPerson, why
		it.say(a.at.UTC(), "held", why, words)
		return nil
	}
	a.verdict = Added
	return nil
}

func (a *addition) reject(report Report) error {
	a.verdict = AddedRejected
	return Refused(a.at, report).perform(&a.item)
}

func (a *addition) hold(of *Item, code Code, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	a.verdict = AddedHeld
	a.item.Hold, a.item.HoldReason, a.item.DuplicateOf = HoldDuplicate, why, of.ID
	a.item.say(a.at.UTC(), "held", why, Say(code, of.ID.String(), of.File, a.item.ObjectID, of.deliveryID()))
}

// findBlocking is the item under prefix that stands in the way of delivering
// another: best one that is under way or delivered, else one that was
// submitted and cancelled, else one that can't be read, of which nobody knows.
// Only items before number upto count: all there are, unless the queue is being
// made again. A nil prefix finds none.
func findBlocking(tx *bolt.Tx, bucket, prefix []byte, upto ID) *Item {
	if prefix == nil {
		return nil
	}
	var alive, cancelled, unreadable *Item
	eachID(tx, bucket, prefix, func(id ID) bool {
		if id >= upto {
			return false
		}
		other, err := get(tx, id)
		switch {
		case errors.Is(err, ErrNotFound) && tx.Bucket(bucketAside).Get(idKey(id)) == nil: // past its retention
		case err != nil:
			unreadable = &Item{ID: id}
		case other.Blocks() && other.State == Cancelled:
			cancelled = &other
		case other.Blocks():
			alive = &other
		}
		return alive == nil
	})
	for _, found := range []*Item{alive, cancelled, unreadable} {
		if found != nil {
			return found
		}
	}
	return nil
}

// unreadable says that nothing but the number is known.
func (it *Item) unreadable() bool { return it.State == "" }

func (it *Item) deliveryID() string {
	if it.Delivery == nil {
		return ""
	}
	return it.Delivery.ID
}

// called names an item in a reason.
func (it *Item) called() string {
	if it.unreadable() {
		return fmt.Sprintf("document %s, which can't be read any more and may have been delivered", it.ID)
	}
	return fmt.Sprintf("document %s (%s)", it.ID, it.File)
}

// findPrevious is the earlier attempt that a new item corrects: of the items
// from the same file, and of those with the same bytes from this folder, the
// last that has its outcome, if that was no success.
func findPrevious(tx *bolt.Tx, it *Item) ID {
	var previous ID
	lastEnded := func(other *Item) bool {
		if other.Folder != it.Folder || !other.State.End() {
			return true
		}
		if other.State != Delivered {
			previous = max(previous, other.ID)
		}
		return false
	}
	newest(tx, bucketSource, joined(it.Folder, it.File), lastEnded)
	newest(tx, bucketSHA, shaPrefix(it), lastEnded)
	return previous
}
