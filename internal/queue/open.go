package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Open opens or makes the queue in the data folder dir. It returns an error
// that wraps [ErrLocked] when another process has it open, [ErrDamaged] when
// the file can't be read as a queue, and [ErrLost] when it is not there although
// ledger or spool say that there was one; in all three everything is left as it
// was, and the path can be opened again when it was mended. A file of a newer
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
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(err, errors.New("it is no file"), f.Close())
	}
	if err = lockFile(f, false, timeout); err == nil {
		err = errors.Join(checkPages(f), unlock(f))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	db, err := openFile(path, timeout, true)
	if err != nil {
		return nil, err
	}
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error { return checkBuckets(tx, filled) })
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
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
