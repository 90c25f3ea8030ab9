package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// keyCopied stands in the meta bucket of a copy: the moment it was made.
var keyCopied = []byte("copied")

// CopyTo writes a copy of the queue as it is at one moment to the new file path,
// while others go on reading and writing. The copy knows that it is one, see
// [Store.CopiedAt]. A failure leaves no usable file.
func (s *Store) CopyTo(path string, at time.Time) error {
	err := s.view(func(tx *bolt.Tx) error { return tx.CopyFile(path, 0o600) })
	if err == nil {
		err = guard(func() error { return markCopy(path, at) })
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copy queue: %w", err), remove(path))
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func markCopy(path string, at time.Time) (err error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyCopied, []byte(at.UTC().Format(time.RFC3339)))
	})
}

// CopiedAt says whether this queue is a copy that was put back, and of when.
// What happened since is not in it: documents that it takes for waiting may have
// been delivered. [Store.HoldCopied] makes it safe to work on.
func (s *Store) CopiedAt() (at time.Time, isCopy bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		text := tx.Bucket(bucketMeta).Get(keyCopied)
		if text == nil {
			return nil
		}
		isCopy = true
		var err error
		if at, err = time.Parse(time.RFC3339, string(text)); err != nil {
			at = time.Time{} // it is a copy all the same
		}
		return nil
	})
	return at, isCopy, err
}

// HoldCopied holds, for a person, every document of a copy that may have been
// submitted since the copy was made, and then forgets that it is a copy. It
// returns how many there were. Ended in the middle it is to be called again, as
// [Store.CopiedAt] then says. What the copy knows as submitted is followed as
// ever, and what it knows as uncertain is looked up.
func (s *Store) HoldCopied(now, copied time.Time) (held int, err error) {
	ids := []ID{}
	err = s.Each(Filter{Open: true}, func(it Item) bool {
		if slices.Contains([]State{Queued, Validated, Opened, Attached}, it.State) && it.Hold == "" && it.Intent == "" {
			ids = append(ids, it.ID)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := s.Apply(id, PutBack(now, copied)); err != nil {
			return held, err
		}
		held++
	}
	return held, s.update(func(tx *bolt.Tx) error {
		mark, err := json.Marshal(putBackMark{Copied: copied.UTC(), At: now.UTC()})
		if err != nil {
			return err
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(meta.Put(keyPutBack, mark), meta.Delete(keyCopied))
	}, nil)
}

// keyPutBack stands in the meta bucket of a queue that was put back from a copy.
var keyPutBack = []byte("put-back")

type putBackMark struct {
	Copied time.Time `json:"copied"`
	At     time.Time `json:"at"`
}

// putBackDoubt is how long after a queue was put back every file is in doubt
// that is older than that, whatever its age: time stamps may be preserved.
const putBackDoubt = 7 * 24 * time.Hour

// sinceCopy says why an arrival may have been submitted by the queue that this
// one was put back for: its file was saved, as far as its time tells, before
// that. Such a document may be at the portal and still lie in its folder.
func sinceCopy(tx *bolt.Tx, it *Item, at time.Time) (why string, words Words) {
	var m putBackMark
	if data := tx.Bucket(bucketMeta).Get(keyPutBack); data == nil || json.Unmarshal(data, &m) != nil {
		return "", nil
	}
	saved := it.Source.ModTime
	if !saved.Before(m.At) || saved.Before(m.Copied) && at.Sub(m.At) > putBackDoubt {
		return "", nil
	}
	return "the queue was put back from a copy of " + m.Copied.Format(time.RFC3339) + ", which does not know this file, and the file is older than that (" + m.At.Format(time.RFC3339) +
			"): it may have been submitted meanwhile; look in the portal, then release or cancel it",
		Say(SaySinceCopy, m.Copied.Format(time.RFC3339), m.At.Format(time.RFC3339))
}
