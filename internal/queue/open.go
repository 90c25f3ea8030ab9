package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Open opens or makes the queue in the data folder dir. It returns an error
// that wraps [ErrLocked] when another process has it open, [ErrDamaged] when
// the file can't be read as a queue, and [ErrLost] when it is not there although
// ledger or spool say that there was one, and [ErrUnread] when the disk can't
// read it; in all of them everything is left as it was, and the path can be
// opened again when it was mended. A file of a newer
// version of brodaemon is an error of its own, and is left too.
//
// A sound file may still be an older copy of itself, or the last one written
// before a crash: what the ledger and the spool know beyond it is brought in.
func Open(dir string, opts Options) (*Store, error) {
	if opts.ReadOnly {
		return openReadOnly(dir, opts)
	}
	s, _, err := open(dir, opts, false)
	return s, err
}

// OpenOrRebuild is Open for whoever must go on: a file that is damaged or lost
// is set aside under a name with the date, never deleted, and made again from
// the ledger, the spool, and what can still be read of it. told says what was
// done in this start; nil is nothing worth mentioning.
func OpenOrRebuild(dir string, opts Options) (s *Store, told *Rebuilt, err error) {
	return open(dir, opts, true)
}

func openReadOnly(dir string, opts Options) (*Store, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) && remains(dir) {
			err = fmt.Errorf("%w, although its ledger or its spool is there: the next start of brodaemon makes it again", ErrLost)
		}
		return nil, fmt.Errorf("open queue %s: %w", path, err)
	}
	db, err := inspect(path, opts.patience(), true)
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", path, err)
	}
	s := &Store{db: db, dir: dir, stopped: make(chan struct{}), readOnly: true}
	close(s.stopped)
	return s, nil
}

// patience is how long to wait for another process.
func (o Options) patience() time.Duration {
	if o.Timeout == 0 {
		return time.Second
	}
	return o.Timeout
}

// remains reports whether something beside the queue file says that there was one.
func remains(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, LedgerName)); err == nil {
		return true
	}
	entries, err := os.ReadDir(filepath.Join(dir, SpoolName))
	return err == nil && len(entries) > 0
}

func open(dir string, opts Options, repair bool) (s *Store, told *Rebuilt, err error) {
	path := filepath.Join(dir, FileName)
	defer func() {
		if errors.Is(err, errFault) {
			err = unread(err)
		}
		if err != nil {
			err = fmt.Errorf("open queue %s: %w", path, err)
		}
	}()
	lock, err := takeLock(dir, opts.patience())
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	known, err := readLedger(dir)
	if err != nil {
		return nil, nil, err
	}
	fresh := false
	db, cause := inspect(path, opts.patience(), false)
	switch {
	case cause == nil:
		err = db.Close()
	case errors.Is(cause, fs.ErrNotExist) && !remains(dir):
		fresh = true
	case errors.Is(cause, fs.ErrNotExist):
		if _, statErr := os.Stat(dir); statErr != nil {
			return nil, nil, cause
		}
		cause = ErrLost
	case !errors.Is(cause, ErrDamaged):
		return nil, nil, cause
	}
	if cause != nil && !fresh {
		if !repair {
			return nil, nil, cause
		}
		told, err = rebuild(context.Background(), dir, known, cause, nil)
	}
	if err != nil {
		return nil, nil, err
	}
	if db, err = openFile(path, opts.patience(), false); err != nil {
		return nil, nil, err
	}
	if fresh {
		err = syncDir(dir)
	}
	s = &Store{db: db, dir: dir, lock: lock, changed: opts.Changed, ops: make(chan *operation, maxShared), stopped: make(chan struct{})}
	if err = errors.Join(err, prepare(db)); err == nil {
		var settled *Rebuilt
		if settled, err = s.settle(known); settled != nil && told == nil {
			told = settled
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.ledger.close(), db.Close())
	}
	go s.commitLoop()
	return s, told, nil
}

// inspect opens an old file for reading, with an error where it can't be a
// whole queue of this version, or one with filled.
//
// It is looked at without bbolt first, and without touching it: bbolt takes an
// empty one as a new database (etcd-io/bbolt, Open), may lengthen one that was
// cut short, and trusts what its pages say.
func inspect(path string, timeout time.Duration, filled bool) (*bolt.DB, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return nil, errors.Join(err, errors.New("it is no file"), f.Close())
	}
	if err = lockFile(f, false, timeout); err == nil {
		err = errors.Join(checkPages(readerOf(f), info.Size()), unlock(f))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, unread(err)
	}
	db, err := openFile(path, timeout, true)
	if err != nil {
		return nil, unread(err)
	}
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error { return checkBuckets(tx, filled) })
	})
	if errors.Is(err, errFault) {
		// bbolt may have met it under a lock of its own, and would wait for that for ever
		go func() { _ = db.Close() }()
		return nil, unread(err)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readerOf is a variable for tests, which let a disk fail.
var readerOf = func(f *os.File) io.ReaderAt { return f }

// unread says of an error that is the disk's, and not about what the file
// holds, what is to be done: a file that could not be read may be sound, and so
// is never set aside.
func unread(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrUnread):
		return err
	case errors.Is(err, errFault), errors.As(err, &path) && path.Op == "read":
		return fmt.Errorf("%w: %w; nothing was changed. See what is wrong with the disk (the system's log says more), and start again. "+
			"Only if the disk can never read the file again: give it another name (keep it), and start; the queue is then made again from its ledger and its spool", ErrUnread, err)
	}
	return err
}

// ledgerOf is which ledger a queue file belongs to, and how far.
func ledgerOf(tx *bolt.Tx) (id string, last uint64) {
	meta := tx.Bucket(bucketMeta)
	if v := meta.Get(keyLedgerLast); len(v) == 8 {
		last = binary.BigEndian.Uint64(v)
	}
	return string(meta.Get(keyLedgerID)), last
}

func putLast(tx *bolt.Tx, last uint64) error {
	return tx.Bucket(bucketMeta).Put(keyLedgerLast, binary.BigEndian.AppendUint64(nil, last))
}
