package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// FileName is the queue's name in the data folder.
const FileName = "queue.db"

// maxShared is how many calls share one commit at most, so that one slow
// commit never holds up an unbounded number of callers.
const maxShared = 64

// Options says how a Store is opened.
type Options struct {
	// Timeout is how long to wait for another process to let go of the file. 0 means one second.
	Timeout time.Duration
	// ReadOnly opens for looking only; a queue that does not exist yet is an error then.
	ReadOnly bool
	// Changed, if not nil, is told of every change after it is on disk, in
	// order; before is nil for a new item. It runs on the committing goroutine:
	// it must be quick and must not call the Store.
	Changed func(before, after *Item)
}

// Store is the queue file. Its methods may be called from any goroutine.
type Store struct {
	db      *bolt.DB
	changed func(before, after *Item)

	ops     chan *operation
	stopped chan struct{}
	closing sync.Once
	mu      sync.RWMutex // held for reading while an operation is handed over; Close takes it for writing
	closed  bool
}

// Open opens or makes the queue in the data folder dir. It returns an error
// that wraps [ErrLocked] when another process has it open and [ErrDamaged] when
// the file can't be read as a queue; in both cases the file is left as it was.
func Open(dir string, opts Options) (s *Store, err error) {
	path := filepath.Join(dir, FileName)
	// bbolt takes an empty file as a new database (etcd-io/bbolt, Open): a
	// queue whose file was emptied must not begin anew as if nothing had been delivered.
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return nil, fmt.Errorf("open queue %s: %w: it is empty", path, ErrDamaged)
	} else if err != nil && opts.ReadOnly {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	if opts.Timeout == 0 {
		opts.Timeout = time.Second
	}
	defer func() {
		if r := recover(); r != nil { // bbolt panics on pages that make no sense
			s, err = nil, fmt.Errorf("open queue %s: %w: %v", path, ErrDamaged, r)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: opts.Timeout, ReadOnly: opts.ReadOnly, FreelistType: bolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, bolt.ErrTimeout):
		return nil, fmt.Errorf("open queue %s: %w", path, ErrLocked)
	case errors.Is(err, bolt.ErrInvalid), errors.Is(err, bolt.ErrChecksum), errors.Is(err, bolt.ErrVersionMismatch):
		return nil, fmt.Errorf("open queue %s: %w: %v", path, ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("open queue: %w", err)
	}
	if err := prepare(db, opts.ReadOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("open queue %s: %w", path, err), db.Close())
	}
	s = &Store{db: db, changed: opts.Changed, ops: make(chan *operation, maxShared), stopped: make(chan struct{})}
	if opts.ReadOnly {
		close(s.stopped)
		s.closed = true
		return s, nil
	}
	go s.commitLoop()
	return s, nil
}

// prepare makes the buckets of a new queue, checks the version of an old one,
// and sets aside what can't be read, so that one bad item never stops the rest.
func prepare(db *bolt.DB, readOnly bool) error {
	check := func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			if readOnly {
				return fmt.Errorf("%w: it has no buckets", ErrDamaged)
			}
			return nil
		}
		if v := meta.Get(keySchema); !bytes.Equal(v, schemaVersion) {
			return fmt.Errorf("it was written by another version of brodaemon (format %q, this one reads %q): install that version again, or a newer one", v, schemaVersion)
		}
		return nil
	}
	if err := db.View(check); err != nil || readOnly {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketMeta).Put(keySchema, schemaVersion); err != nil {
			return err
		}
		return setAsideUnreadable(tx)
	})
}

// setAsideUnreadable looks at the open items, the only ones that are worked on.
func setAsideUnreadable(tx *bolt.Tx) error {
	var bad []ID
	eachID(tx, bucketOpen, nil, func(id ID) bool {
		if _, err := get(tx, id); err != nil {
			bad = append(bad, id)
		}
		return true
	})
	for _, id := range bad {
		key := idKey(id)
		if data := tx.Bucket(bucketItems).Get(key); data != nil {
			if err := tx.Bucket(bucketAside).Put(key, bytes.Clone(data)); err != nil {
				return err
			}
		}
		if err := errors.Join(tx.Bucket(bucketItems).Delete(key), tx.Bucket(bucketOpen).Delete(key)); err != nil {
			return err
		}
		for _, bucket := range [][]byte{bucketDue, bucketObjects} {
			if err := deleteID(tx.Bucket(bucket), id); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteID removes every key of an index that ends in id. It reads the whole
// bucket and is for repair only.
func deleteID(b *bolt.Bucket, id ID) error {
	var keys [][]byte
	for c, key := b.Cursor(), []byte(nil); ; {
		if key == nil {
			key, _ = c.First()
		} else {
			key, _ = c.Next()
		}
		if key == nil {
			break
		}
		if len(key) >= 8 && keyID(key) == id {
			keys = append(keys, bytes.Clone(key))
		}
	}
	for _, key := range keys {
		if err := b.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the calls under way and closes the file. It may be called twice.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		already := s.closed
		s.closed = true
		s.mu.Unlock()
		if !already {
			close(s.ops)
		}
	})
	<-s.stopped
	return s.db.Close()
}

// operation is one caller's part of a commit. Its run must be able to run
// again from the start, because a commit that fails for one caller is repeated
// without it.
type operation struct {
	run     func(tx *bolt.Tx) error
	changes func() (before, after *Item)
	err     error
	done    chan struct{}
}

// update hands run to the committing goroutine and waits until it is on disk.
func (s *Store) update(run func(tx *bolt.Tx) error, changes func() (before, after *Item)) error {
	op := &operation{run: run, changes: changes, done: make(chan struct{})}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return ErrClosed
	}
	s.ops <- op
	s.mu.RUnlock()
	<-op.done
	return op.err
}

// commitLoop writes what callers hand over. While one commit waits for the
// disk the next callers gather, so that under load a commit is shared and with
// a single caller nothing waits (bbolt's own Batch always waits for company).
func (s *Store) commitLoop() {
	defer close(s.stopped)
	for first := range s.ops {
		batch := []*operation{first}
	gather:
		for len(batch) < maxShared {
			select {
			case op, ok := <-s.ops:
				if !ok {
					break gather
				}
				batch = append(batch, op)
			default:
				break gather
			}
		}
		s.commit(batch)
	}
}

func (s *Store) commit(batch []*operation) {
	pending := batch
	for len(pending) > 0 {
		var failed *operation
		err := s.transact(func(tx *bolt.Tx) error {
			failed = nil
			for _, op := range pending {
				if err := op.run(tx); err != nil {
					failed = op
					return err
				}
			}
			return nil
		})
		if failed == nil {
			for _, op := range pending {
				op.err = err
			}
			break
		}
		// roll all of it back and repeat without the one that failed, so that
		// nothing it wrote before it failed can stay
		failed.err = err
		rest := make([]*operation, 0, len(pending)-1)
		for _, op := range pending {
			if op != failed {
				rest = append(rest, op)
			}
		}
		pending = rest
	}
	for _, op := range batch {
		if op.err == nil && op.changes != nil && s.changed != nil {
			if before, after := op.changes(); after != nil {
				s.changed(before, after)
			}
		}
		close(op.done)
	}
}

// transact is db.Update with bbolt's panics turned into errors.
func (s *Store) transact(run func(tx *bolt.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("write queue: %w: %v", ErrDamaged, r)
		}
	}()
	return s.db.Update(run)
}

// view is db.View with bbolt's panics turned into errors.
func (s *Store) view(run func(tx *bolt.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("read queue: %w: %v", ErrDamaged, r)
		}
	}()
	return s.db.View(run)
}

// Apply performs the transitions on the item, all of them or none, and returns
// the item as it then is. It fails with a [*TransitionError] when one does not
// fit and with [ErrNotFound] when there is no such item. It may be repeated
// after any other error.
func (s *Store) Apply(id ID, transitions ...Transition) (Item, error) {
	var before, after Item
	err := s.update(func(tx *bolt.Tx) error {
		var err error
		if before, err = get(tx, id); err != nil {
			return err
		}
		after = before.clone()
		for _, t := range transitions {
			if err := t.perform(&after); err != nil {
				return err
			}
		}
		return put(tx, &before, &after)
	}, func() (*Item, *Item) { return &before, &after })
	if err != nil {
		var te *TransitionError
		if errors.As(err, &te) || errors.Is(err, ErrNotFound) {
			return before, err
		}
		return before, fmt.Errorf("store document %s: %w", id, err)
	}
	return after, nil
}

// Verdict says what [Store.Add] made of an arrival.
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

// Add stores a new item, made from it: the caller fills what it knows of the
// file and the document, and leaves ID and State alone; an item that has a
// Report is stored as Rejected. Under one transaction Add decides what the
// arrival is, by the rules of contract §4 for duplicates, so that two arrivals
// at the same moment never both pass:
//
//   - the same bytes from the same file as an item under way: Known;
//   - the same bytes as an item under way or delivered: rejected as a duplicate;
//   - the same bytes as one that was cancelled after it was submitted, or a new
//     object that equals, or has the same name as, one under way or delivered: held;
//   - otherwise added, tied to the earlier attempt from the same file or of the same bytes.
//
// moved is asked whether the file of an item under way is no longer where it
// was; if so an arrival of the same bytes is that file under a new name.
func (s *Store) Add(at time.Time, arrival Item, moved func(old Item) bool) (Item, Verdict, error) {
	var before *Item
	var after Item
	var verdict Verdict
	err := s.update(func(tx *bolt.Tx) error {
		before, after = nil, arrival.clone()
		twin, err := findTwin(tx, &after)
		if err != nil {
			return err
		}
		if twin != nil && twin.Open() && twin.Folder == after.Folder {
			if twin.File == after.File || (moved != nil && moved(*twin)) {
				verdict = Known
				return touch(tx, at, twin, &after, &before)
			}
		}
		seq, err := tx.Bucket(bucketItems).NextSequence()
		if err != nil {
			return err
		}
		after.ID = ID(seq)
		after.Times.Queued = at.UTC()
		after.State = Queued
		if after.Previous, err = findPrevious(tx, &after); err != nil {
			return err
		}
		after.note(at.UTC(), "queued", "")
		if verdict, err = judge(tx, at, &after, twin); err != nil {
			return err
		}
		return put(tx, nil, &after)
	}, func() (*Item, *Item) { return before, &after })
	if err != nil {
		return Item{}, "", fmt.Errorf("store %s of folder %s: %w", arrival.File, arrival.Folder, err)
	}
	return after, verdict, nil
}

// touch stores where and how the file of twin is now, if that changed.
func touch(tx *bolt.Tx, at time.Time, twin, arrival *Item, before **Item) error {
	old := twin.clone()
	if twin.File != arrival.File || twin.Source != arrival.Source {
		if err := SourceChanged(at, arrival.File, arrival.Source).perform(twin); err != nil {
			return err
		}
		if err := put(tx, &old, twin); err != nil {
			return err
		}
	}
	*before = &old
	*arrival = *twin
	return nil
}

// judge sets the state of a new item.
func judge(tx *bolt.Tx, at time.Time, it, twin *Item) (Verdict, error) {
	reject := func(report Report) (Verdict, error) {
		return AddedRejected, Refused(at, report).perform(it)
	}
	hold := func(of ID, why string) (Verdict, error) {
		it.Hold, it.HoldReason, it.DuplicateOf = HoldDuplicate, why, of
		it.note(at.UTC(), "held", why)
		return AddedHeld, nil
	}
	switch {
	case it.Report != nil:
		return reject(*it.Report)
	case twin != nil && twin.State == Cancelled:
		return hold(twin.ID, fmt.Sprintf("the same bytes were submitted as delivery %s (document %s) before that was cancelled here", twin.Delivery.ID, twin.ID))
	case twin != nil:
		it.DuplicateOf = twin.ID
		return reject(Report{Code: DuplicateCode, DuplicateOf: twin.ID})
	}
	same, err := findBlocking(tx, it, bucketContent, joined(it.Portal, it.Content), it.NewObject && it.Content != "")
	if err != nil {
		return "", err
	}
	if same != nil {
		return hold(same.ID, fmt.Sprintf("it has the same content as document %s (%s) and would make a second object", same.ID, same.File))
	}
	prefix := namePrefix(it)
	same, err = findBlocking(tx, it, bucketName, prefix, prefix != nil)
	if err != nil {
		return "", err
	}
	if same != nil {
		return hold(same.ID, fmt.Sprintf("it registers the same object (%s) as document %s (%s)", it.ObjectID, same.ID, same.File))
	}
	return Added, nil
}

// findTwin is the item with the same bytes that stands in the way of delivering them.
func findTwin(tx *bolt.Tx, it *Item) (*Item, error) {
	return findBlocking(tx, it, bucketSHA, joined(it.Portal, it.SHA256), it.SHA256 != "")
}

func findBlocking(tx *bolt.Tx, it *Item, bucket, prefix []byte, wanted bool) (*Item, error) {
	if !wanted {
		return nil, nil
	}
	var found *Item
	var failed error
	eachID(tx, bucket, prefix, func(id ID) bool {
		other, err := get(tx, id)
		switch {
		case errors.Is(err, ErrNotFound): // set aside or past its retention
			return true
		case err != nil:
			failed = err
			return false
		case other.ID != it.ID && other.Blocks():
			found = &other
			return false
		// the same faulty file seen again before it could be filed
		case other.State == Rejected && other.Open() && other.Folder == it.Folder && other.File == it.File && other.SHA256 == it.SHA256:
			found = &other
			return false
		}
		return true
	})
	return found, failed
}

// findPrevious is the earlier attempt that a new item corrects: the last one
// from the same file, or one of the same bytes from this folder, that did not succeed.
func findPrevious(tx *bolt.Tx, it *Item) (ID, error) {
	var previous ID
	failedOnce := func(id ID) bool {
		other, err := get(tx, id)
		if err == nil && other.Folder == it.Folder && (other.State == Rejected || other.State == Cancelled) {
			previous = max(previous, id)
		}
		return true
	}
	eachID(tx, bucketSource, joined(it.Folder, it.File), failedOnce)
	eachID(tx, bucketSHA, joined(it.Portal, it.SHA256), failedOnce)
	return previous, nil
}
