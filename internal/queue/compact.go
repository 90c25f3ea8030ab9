package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// compactName is what a smaller file is called until it is whole.
const compactName = ".compact"

// ErrNoSpace says that the disk has too little room for what was asked.
var ErrNoSpace = errors.New("there is too little room on the disk")

// Compacted says what compacting came to.
type Compacted struct {
	Before    int64 `json:"before"` // bytes
	After     int64 `json:"after"`
	Documents int   `json:"documents"`
}

// Compact writes the queue file anew without the room that was left in it by
// what is gone. Nothing of what it holds changes, and the old file stays until
// the new one is whole and durable. No other process may have it open:
// [ErrLocked]. A damaged file is left as it is: [ErrDamaged].
func Compact(ctx context.Context, dir string, timeout time.Duration, progress Progress) (c Compacted, err error) {
	path := filepath.Join(dir, FileName)
	defer func() {
		if err != nil {
			err = fmt.Errorf("compact queue %s: %w", path, err)
		}
	}()
	lock, err := takeLock(dir, timeout)
	if err != nil {
		return c, err
	}
	defer func() { _ = lock.Close() }() // nothing was written to it
	old, err := inspect(path, timeout, true)
	if err != nil {
		return c, err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, old.Close())
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	c.Before = info.Size()
	if free, err := freeSpace(dir); err == nil && free < uint64(c.Before)+uint64(c.Before)/10 {
		return c, fmt.Errorf("%w: up to %d MB are needed beside the old file, and %d MB are free", ErrNoSpace, c.Before>>20+1, free>>20)
	}
	if err := ignoreMissing(os.Remove(path + compactName)); err != nil {
		return c, err
	}
	if err := c.copy(ctx, path+compactName, old, progress); err != nil {
		return c, errors.Join(err, ignoreMissing(os.Remove(path+compactName)))
	}
	crashAt("compact-copied")
	closed = true
	if err := old.Close(); err != nil {
		return c, err
	}
	if err := os.Rename(path+compactName, path); err != nil {
		return c, errors.Join(err, ignoreMissing(os.Remove(path+compactName)))
	}
	crashAt("compact-replaced")
	return c, syncDir(dir)
}

// copy writes all buckets of old into a new file, and compares what it holds.
func (c *Compacted) copy(ctx context.Context, path string, old *bolt.DB, progress Progress) error {
	db, err := openFile(path, lockPause, false)
	if err != nil {
		return err
	}
	db.NoSync = true
	err = guard(func() error {
		return old.View(func(from *bolt.Tx) error {
			total := 0
			for _, name := range allBuckets {
				total += from.Bucket(name).Stats().KeyN
			}
			done := 0
			for _, name := range allBuckets {
				if err := copyInParts(ctx, db, name, from.Bucket(name), func(n int) {
					if done += n; progress != nil {
						progress(done, total)
					}
				}); err != nil {
					return err
				}
			}
			c.Documents = from.Bucket(bucketItems).Stats().KeyN
			return nil
		})
	})
	if err = errors.Join(err, syncDB(db), db.Close()); err != nil {
		return err
	}
	again, err := inspect(path, lockPause, true)
	if err != nil {
		return fmt.Errorf("the new file is not sound: %w", err)
	}
	err = guard(func() error {
		return old.View(func(from *bolt.Tx) error {
			return again.View(func(to *bolt.Tx) error {
				for _, name := range allBuckets {
					if a, b := from.Bucket(name).Stats().KeyN, to.Bucket(name).Stats().KeyN; a != b {
						return fmt.Errorf("the new file is not sound: bucket %q has %d entries, not %d", name, b, a)
					}
				}
				return nil
			})
		})
	})
	if info, statErr := os.Stat(path); statErr == nil {
		c.After = info.Size()
	}
	return errors.Join(err, again.Close(), ctx.Err())
}

// copyInParts copies a bucket, some entries per transaction, so that memory
// stays bounded.
func copyInParts(ctx context.Context, db *bolt.DB, name []byte, from *bolt.Bucket, copied func(n int)) error {
	cursor := from.Cursor()
	key, value := cursor.First()
	for first := true; first || key != nil; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		err := db.Update(func(tx *bolt.Tx) error {
			to, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			to.FillPercent = 0.9
			for ; key != nil && n < perCommit; key, value = cursor.Next() {
				if err := to.Put(key, value); err != nil {
					return err
				}
				n++
			}
			return to.SetSequence(from.Sequence())
		})
		if err != nil {
			return err
		}
		copied(n)
		crashAt("compact-part")
	}
	return nil
}
