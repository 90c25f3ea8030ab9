package queue

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Get returns one item; [ErrNotFound] if there is none of that number.
func (s *Store) Get(id ID) (Item, error) {
	var it Item
	err := s.view(func(tx *bolt.Tx) (err error) {
		it, err = get(tx, id)
		return err
	})
	return it, err
}

// Due returns up to limit items of a folder's lane that may be worked on at
// now and that skip (nil: none) does not refuse, the longest waiting first; and, when there
// are none, the time of the next one (zero: nothing waits for a time).
func (s *Store) Due(folder string, lane Lane, now time.Time, limit int, skip func(ID) bool) (items []Item, next time.Time, err error) {
	prefix := lanePrefix(folder, lane)
	err = s.view(func(tx *bolt.Tx) error {
		items, next = nil, time.Time{}
		c := tx.Bucket(bucketDue).Cursor()
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix) && len(items) < limit; key, _ = c.Next() {
			at := time.Unix(0, int64(binary.BigEndian.Uint64(key[len(prefix):])))
			if at.After(now) {
				next = at
				return nil
			}
			id := keyID(key)
			if skip != nil && skip(id) {
				continue
			}
			it, err := get(tx, id)
			if err != nil {
				continue // unreadable: set aside at the next start
			}
			items = append(items, it)
		}
		return nil
	})
	return items, next, err
}

// BySource returns the newest item made from a file of a folder that can be read.
func (s *Store) BySource(folder, file string) (it Item, found bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		newest(tx, bucketSource, joined(folder, file), func(last *Item) bool {
			it, found = *last, true
			return false
		})
		return nil
	})
	return it, found, err
}

// Filter chooses items. A zero field chooses all.
type Filter struct {
	State  State
	Hold   Hold
	Folder string
	Open   bool      // only items for which something is still to be done
	Since  time.Time // only items that came in at that moment or later; zero = all
	Search string    // part of file, BRO-ID, reference, delivery or hash, whatever the case
	Limit  int       // 0 = no limit
	Newest bool      // newest first instead of oldest first
}

func (f Filter) matches(it *Item) bool {
	if f.State != "" && it.State != f.State || f.Hold != "" && it.Hold != f.Hold || f.Folder != "" && it.Folder != f.Folder {
		return false
	}
	if it.Times.Queued.Before(f.Since) {
		return false
	}
	if f.Search == "" {
		return true
	}
	texts := []string{it.File, it.BROID, it.RequestReference, it.SHA256, it.ID.String(), it.ObjectID}
	if it.Delivery != nil {
		texts = append(texts, it.Delivery.ID)
	}
	return strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(f.Search))
}

// Each calls do with every item that the filter chooses, in the order of their
// numbers, until do returns false. It reads in portions, so that no
// transaction stays open while do runs; an item that changes meanwhile is
// given as it was or as it is.
func (s *Store) Each(f Filter, do func(Item) bool) error {
	const portion = 200
	bucket := bucketItems
	if f.Open {
		bucket = bucketOpen
	}
	var from []byte
	given := 0
	for {
		var items []Item
		more := false
		err := s.view(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucket).Cursor()
			looked := 0
			for key := seek(c, from, f.Newest); key != nil; key = step(c, f.Newest) {
				from = bytes.Clone(key)
				if it, err := get(tx, keyID(key)); err == nil && f.matches(&it) {
					items = append(items, it)
				}
				if looked++; looked == portion {
					more = true
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, it := range items {
			if f.Limit > 0 && given == f.Limit || !do(it) {
				return nil
			}
			given++
		}
		if !more {
			return nil
		}
	}
}

// seek goes to the key after from (before it, when backwards).
func seek(c *bolt.Cursor, from []byte, backwards bool) []byte {
	if from == nil {
		if backwards {
			key, _ := c.Last()
			return key
		}
		key, _ := c.First()
		return key
	}
	key, _ := c.Seek(from)
	if backwards {
		if key == nil {
			key, _ = c.Last()
		}
		if key != nil && bytes.Compare(key, from) >= 0 {
			key, _ = c.Prev()
		}
		return key
	}
	if bytes.Equal(key, from) {
		key, _ = c.Next()
	}
	return key
}

func step(c *bolt.Cursor, backwards bool) []byte {
	if backwards {
		key, _ := c.Prev()
		return key
	}
	key, _ := c.Next()
	return key
}

// List is Each into a slice.
func (s *Store) List(f Filter) ([]Item, error) {
	var items []Item
	err := s.Each(f, func(it Item) bool {
		items = append(items, it)
		return true
	})
	return items, err
}

// Count is how many items a folder has in a state.
type Count struct {
	Folder string `json:"folder"`
	State  State  `json:"state"`
	Hold   Hold   `json:"hold,omitempty"`
	Filed  bool   `json:"filed"`
	N      int    `json:"n"`
}

// Counts returns how many items there are, at the cost of one short read
// however many there are.
func (s *Store) Counts() ([]Count, error) {
	var counts []Count
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketCounts).ForEach(func(key, value []byte) error {
			p := strings.Split(string(key), "\x00")
			if len(p) == 4 && len(value) == 8 {
				counts = append(counts, Count{Folder: p[0], State: State(p[1]), Hold: Hold(p[2]), Filed: p[3] == "filed", N: int(binary.BigEndian.Uint64(value))})
			}
			return nil
		})
	})
	return counts, err
}

// Oldest returns the item of a folder ("" = any) that has been in the queue
// longest without an outcome.
func (s *Store) Oldest(folder string) (it Item, found bool, err error) {
	err = s.Each(Filter{Open: true, Folder: folder}, func(candidate Item) bool {
		it, found = candidate, !candidate.State.End()
		return !found
	})
	return it, found, err
}

// FolderMemory is what the queue remembers of a watched folder between runs.
type FolderMemory struct {
	// Path is where the folder was when its marker was written.
	Path string `json:"path"`
	// Marker is the marker's content; see contract §4.
	Marker string `json:"marker"`
}

// Folder returns what is remembered of a folder; found is false before its first use.
func (s *Store) Folder(name string) (m FolderMemory, found bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		data := tx.Bucket(bucketMeta).Get(folderKey(name))
		if data == nil {
			return nil
		}
		found = true
		return json.Unmarshal(data, &m)
	})
	if err != nil {
		return m, found, fmt.Errorf("read what is remembered of folder %s: %w", name, err)
	}
	return m, found, nil
}

func folderKey(name string) []byte { return []byte("folder " + name) }

// RememberFolder stores m durably. It may be repeated.
func (s *Store) RememberFolder(name string, m FolderMemory) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	op := &operation{
		run: func(tx *bolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(folderKey(name), data)
		},
		folder: name, memory: m, done: make(chan struct{}),
	}
	return s.send(op).wait()
}

// SetAside returns what could not be read as an item, by number.
func (s *Store) SetAside() (map[ID][]byte, error) {
	aside := map[ID][]byte{}
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketAside).ForEach(func(key, value []byte) error {
			aside[keyID(key)] = bytes.Clone(value)
			return nil
		})
	})
	return aside, err
}

// Check compares every index with the items, and bbolt's own pages with each
// other. It reads everything and is for tests and repair, while nothing is
// written. An empty result means all is well.
func (s *Store) Check() []error {
	var faults []error
	err := s.view(func(tx *bolt.Tx) error {
		faults = checkIndexes(tx)
		for err := range tx.Check() { // last: it reads on a goroutine that guard does not cover
			faults = append(faults, err)
		}
		return nil
	})
	if err != nil {
		faults = append(faults, err)
	}
	return faults
}

func checkIndexes(tx *bolt.Tx) (faults []error) {
	want := map[string]bool{}
	counts := map[string]uint64{}
	_ = tx.Bucket(bucketItems).ForEach(func(key, _ []byte) error {
		it, err := get(tx, keyID(key))
		if err != nil {
			faults = append(faults, fmt.Errorf("item %s: %w", keyID(key), err))
			return nil
		}
		for _, e := range append(fixedEntries(&it), movingEntries(&it)...) {
			want[string(e.bucket)+"|"+string(e.key)] = true
		}
		if it.workable() && (!it.queuesForObject() || firstOfObject(tx, &it) == it.ID) {
			want[string(bucketDue)+"|"+string(dueKey(&it))] = true
		}
		counts[string(countKey(&it))]++
		return nil
	})
	for _, bucket := range [][]byte{bucketOpen, bucketDue, bucketObjects, bucketSHA, bucketContent, bucketName, bucketSource} {
		_ = tx.Bucket(bucket).ForEach(func(key, _ []byte) error {
			name := string(bucket) + "|" + string(key)
			if !want[name] && !keptAside(tx, bucket, key) {
				faults = append(faults, fmt.Errorf("index %q has an entry too many", name))
			}
			delete(want, name)
			return nil
		})
	}
	for name := range want {
		faults = append(faults, fmt.Errorf("index lacks %q", name))
	}
	_ = tx.Bucket(bucketCounts).ForEach(func(key, value []byte) error {
		if got := binary.BigEndian.Uint64(value); got != counts[string(key)] {
			faults = append(faults, fmt.Errorf("count %q is %d, should be %d", key, got, counts[string(key)]))
		}
		delete(counts, string(key))
		return nil
	})
	for key, n := range counts {
		faults = append(faults, fmt.Errorf("count %q is missing, should be %d", key, n))
	}
	return faults
}

// keptAside reports whether an entry belongs to an item that was set aside and
// still stands in the way of duplicates.
func keptAside(tx *bolt.Tx, bucket, key []byte) bool {
	switch string(bucket) {
	case string(bucketSHA), string(bucketContent), string(bucketName):
		return tx.Bucket(bucketAside).Get(idKey(keyID(key))) != nil
	}
	return false
}
