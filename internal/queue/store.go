package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	boltErrors "go.etcd.io/bbolt/errors"
)

// FileName is the queue's name in the data folder.
const FileName = "queue.db"

// maxShared is how many calls share one commit at most, so that one slow
// commit never holds up an unbounded number of callers.
const maxShared = 64

// errReadOnly is met by a mistake in the program only.
var errReadOnly = errors.New("the queue is open for reading only")

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
	db       *bolt.DB
	dir      string
	lock     *os.File // of the data folder, see LockName; nil when reading only
	ledger   *ledger  // nil when reading only; only the committing goroutine uses it
	readOnly bool
	changed  func(before, after *Item)

	ops     chan *operation
	stopped chan struct{}
	closing sync.Once
	mu      sync.RWMutex // held for reading while an operation is handed over; Close takes it for writing
	closed  bool

	readyMu   sync.Mutex // one call of Ready at a time
	committed atomic.Pointer[commitResult]
}

// commitResult is how the last commit ended.
type commitResult struct {
	at  time.Time
	err error
}

// openFile opens a file with bbolt and makes errors of what it does not name or
// panics on.
func openFile(path string, timeout time.Duration, readOnly bool) (*bolt.DB, error) {
	var db *bolt.DB
	var file *os.File
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout: timeout, ReadOnly: readOnly, FreelistType: bolt.FreelistMapType,
			OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
				var err error
				file, err = os.OpenFile(name, flag, perm)
				return file, err
			},
		})
		return err
	})
	if err == nil {
		db.NoSync = skipSync
		return db, nil
	}
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, errFault):
		if file != nil {
			letGo(file) // a panic of bbolt leaves it open and locked
		}
	case errors.Is(err, boltErrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, boltErrors.ErrInvalid), errors.Is(err, boltErrors.ErrChecksum), errors.Is(err, boltErrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	case readOnly && statErr == nil && info.Size() < int64(2*os.Getpagesize()):
		return nil, fmt.Errorf("%w: it holds only %d bytes", ErrDamaged, info.Size())
	}
	return nil, err
}

// syncDB makes a file durable that was written without syncs.
func syncDB(db *bolt.DB) error {
	if skipSync {
		return nil
	}
	return db.Sync()
}

// checkBuckets accepts a whole queue and, unless filled is asked for, a file
// without any bucket, which the first start left that was stopped on the way.
func checkBuckets(tx *bolt.Tx, filled bool) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		first, _ := tx.Cursor().First()
		if first != nil || filled {
			return fmt.Errorf("%w: it lacks its bucket %q", ErrDamaged, bucketMeta)
		}
		return nil
	}
	if v := meta.Get(keySchema); !bytes.Equal(v, schemaVersion) && !bytes.Equal(v, schemaBefore) {
		return fmt.Errorf("it was written by another version of brodaemon (format %q, this one reads %q): install that version again, or a newer one", v, schemaVersion)
	}
	for _, name := range allBuckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: it lacks its bucket %q", ErrDamaged, name)
		}
	}
	return nil
}

// prepare makes the buckets of a new queue, and sets aside what can't be read,
// so that one bad item never stops the rest.
func prepare(db *bolt.DB) error {
	return guard(func() error {
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
	})
}

// errFault says that memory could not be read that the system maps to the file:
// the disk failed, or the file became shorter while it is open.
var errFault = errors.New("a part of the file could not be read")

// guard runs what uses the file. Pages that make no sense make bbolt panic,
// which becomes ErrDamaged, and where the disk can't read a page the system
// stops whoever looks at it, which becomes errFault: either would end the process.
func guard(run func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if fault, is := r.(interface{ Addr() uintptr }); is { // see debug.SetPanicOnFault
			err = fmt.Errorf("%w (memory fault at %#x)", errFault, fault.Addr())
		} else if r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return run()
}

// Close waits for the calls under way and closes the file. It may be called twice.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		if !s.readOnly {
			close(s.ops)
		}
	})
	<-s.stopped
	err := errors.Join(s.ledger.close(), s.db.Close())
	if s.lock != nil {
		err = errors.Join(err, ignoreClosed(s.lock.Close()))
	}
	return err
}

// operation is one caller's part of a commit. Its run must be able to run
// again from the start, because a commit that fails for one caller is repeated
// without it.
type operation struct {
	run     func(tx *bolt.Tx) error
	changes func() (before, after *Item) // nil = of no item
	folder  string                       // whose memory it is about, if any
	memory  FolderMemory
	stored  bool // it is in the file, whatever else went wrong
	err     error
	done    chan struct{}
}

// update hands run to the committing goroutine and waits until it is on disk.
func (s *Store) update(run func(tx *bolt.Tx) error, changes func() (before, after *Item)) error {
	return s.hand(run, changes).wait()
}

// hand is update without the waiting: what is handed over first is written first.
func (s *Store) hand(run func(tx *bolt.Tx) error, changes func() (before, after *Item)) *operation {
	return s.send(&operation{run: run, changes: changes, done: make(chan struct{})})
}

func (s *Store) send(op *operation) *operation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		op.err = ErrClosed
		close(op.done)
	case s.readOnly:
		op.err = errReadOnly
		close(op.done)
	default:
		s.ops <- op
	}
	return op
}

// wait returns how the operation ended, once it has.
func (op *operation) wait() error {
	<-op.done
	return op.err
}

// view is db.View behind [guard].
func (s *Store) view(run func(tx *bolt.Tx) error) error {
	err := guard(func() error { return s.db.View(run) })
	switch {
	case errors.Is(err, boltErrors.ErrDatabaseNotOpen):
		return ErrClosed
	case errors.Is(err, ErrDamaged), errors.Is(err, errFault):
		return fmt.Errorf("read queue: %w", err)
	}
	return err
}

// Apply performs the transitions on the item, all of them or none, and returns
// the item as it then is. It fails with a [*TransitionError] when one does not
// fit and with [ErrNotFound] when there is no such item. It may be repeated
// after any other error. When one of them is [SubmitIntended] the intent is in
// the queue and in the ledger when it returns, so that losing either forgets
// nothing.
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
	if after.Submissions > before.Submissions {
		setMark(s.dir, &after)
	}
	return after, nil
}
