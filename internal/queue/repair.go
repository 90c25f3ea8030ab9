package queue

import (
	"bytes"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// setAsideUnreadable looks at the open items, the only ones that are worked
// on. If one can't be read, all unreadable ones are taken out of the items and
// the indexes are made anew. What an unreadable item was known by stays in the
// indexes for duplicates, since it may have been delivered.
func setAsideUnreadable(tx *bolt.Tx) error {
	sound := true
	eachID(tx, bucketOpen, nil, func(id ID) bool {
		_, err := get(tx, id)
		sound = err == nil
		return sound
	})
	if sound {
		return nil
	}
	bad := map[ID]bool{}
	err := tx.Bucket(bucketItems).ForEach(func(key, data []byte) error {
		if _, err := get(tx, keyID(key)); err == nil {
			return nil
		}
		bad[keyID(key)] = true
		return tx.Bucket(bucketAside).Put(key, bytes.Clone(data))
	})
	if err != nil {
		return err
	}
	for id := range bad {
		if err := tx.Bucket(bucketItems).Delete(idKey(id)); err != nil {
			return err
		}
	}
	if err := holdBehind(tx, bad); err != nil {
		return err
	}
	return reindex(tx)
}

// holdBehind keeps back the document that was to follow an unreadable one
// about the same object: nobody knows whether its turn has come.
func holdBehind(tx *bolt.Tx, bad map[ID]bool) error {
	var prefix []byte // of the object whose last item was bad
	var before ID     // that item
	var held []Item
	err := tx.Bucket(bucketObjects).ForEach(func(key, _ []byte) error {
		id, object := keyID(key), key[:len(key)-8]
		if bad[id] {
			prefix, before = bytes.Clone(object), id
			return nil
		}
		if prefix != nil && bytes.Equal(object, prefix) {
			it, err := get(tx, id)
			if err != nil {
				return err
			}
			if it.Hold == "" {
				why := fmt.Sprintf("document %s about the same object came before it and can't be read any more: look in the portal what became of that one", before)
				it.Hold, it.HoldReason = HoldPerson, why
				it.say(time.Now().UTC(), "held", why, Say(SayBehindLost, before.String()))
				held = append(held, it)
			}
		}
		prefix = nil
		return nil
	})
	if err != nil {
		return err
	}
	for _, it := range held {
		data, err := it.encode()
		if err == nil {
			err = tx.Bucket(bucketItems).Put(idKey(it.ID), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reindex makes the indexes that depend on where items are anew from the items.
func reindex(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketOpen, bucketDue, bucketObjects, bucketSource, bucketCounts} {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketItems).ForEach(func(key, _ []byte) error {
		it, err := get(tx, keyID(key))
		if err != nil {
			return err
		}
		return addMoving(tx, &it)
	})
}
