package queue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"
)

// The buckets of queue.db. All keys sort in the order in which they are read:
// numbers and times are big-endian. An index entry holds no value; the item's
// id is the end of its key. Only "items" is the truth: every other bucket can
// be made anew from it.
var (
	bucketItems   = []byte("items")       // id → JSON
	bucketOpen    = []byte("open")        // id: something is still to be done
	bucketDue     = []byte("due")         // folder, lane, time, id: may be worked on from that time
	bucketObjects = []byte("objects")     // portal and BRO-ID, id: open items about one object, in order
	bucketSHA     = []byte("by-sha256")   // portal and SHA-256, id
	bucketContent = []byte("by-content")  // portal and content fingerprint, id: new objects
	bucketName    = []byte("by-objectid") // portal, type, party, objectIdAccountableParty, id: new objects
	bucketSource  = []byte("by-source")   // folder and path, id
	bucketCounts  = []byte("counts")      // folder, state, hold → number of items
	bucketAside   = []byte("set-aside")   // id → what could not be read as an item
	bucketMeta    = []byte("meta")
	allBuckets    = [][]byte{bucketItems, bucketOpen, bucketDue, bucketObjects, bucketSHA, bucketContent, bucketName, bucketSource, bucketCounts, bucketAside, bucketMeta}
	keySchema     = []byte("schema")
	keyLedgerID   = []byte("ledger-id")   // of the ledger that belongs to this file
	keyLedgerLast = []byte("ledger-last") // the number of its last line that this file has taken part in
	keyRebuilt    = []byte("rebuilt")     // JSON of the last Rebuilt
	schemaVersion = []byte("2")           // a version that reads 1 only would send what stands behind a document in the spool
	schemaBefore  = []byte("1")           // without a ledger; becomes 2 when it is opened
	maxTime       = time.Unix(0, 1<<63-1)
)

// Lane separates kinds of work, so that a backlog of one never keeps another waiting.
type Lane byte

// The lanes, in the order in which the Worker looks at them.
const (
	LaneFile    Lane = 'a' // has its outcome, is to be filed
	LaneFollow  Lane = 'b' // is at the portal, is to be asked about
	LaneAdvance Lane = 'c' // is to be brought to the portal
)

func idKey(id ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func keyID(key []byte) ID { return ID(binary.BigEndian.Uint64(key[len(key)-8:])) }

// joined makes the prefix of an index key from texts that may hold anything:
// a zero byte ends each, and zero bytes inside are replaced.
func joined(parts ...string) []byte {
	var key []byte
	for _, p := range parts {
		p = stored(p)
		// bbolt's keys end at 32 kB; a path or reference never comes near, a hostile one is cut
		if len(p) > 4096 {
			p = p[:4096]
		}
		key = append(key, strings.ReplaceAll(p, "\x00", "\x01")...)
		key = append(key, 0)
	}
	return key
}

// stored is a text as it comes back from an item's JSON, which can't hold
// bytes that are not UTF-8 (a file name may): a key made from the item in hand
// and one made from the stored item must be the same.
func stored(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func withID(prefix []byte, id ID) []byte {
	return binary.BigEndian.AppendUint64(prefix, uint64(id))
}

func lanePrefix(folder string, lane Lane) []byte { return append(joined(folder), byte(lane)) }

func dueKey(it *Item) []byte {
	at := it.NextAttempt
	if at.IsZero() {
		at = it.Times.Queued
	}
	if !it.Open() && it.Confirm != nil {
		at = it.confirmDue()
	}
	if at.After(maxTime) {
		at = maxTime // what lies beyond has no UnixNano
	}
	key := lanePrefix(it.Folder, it.lane())
	key = binary.BigEndian.AppendUint64(key, uint64(max(at.UnixNano(), 0)))
	return withID(key, it.ID)
}

func (it *Item) lane() Lane {
	switch {
	case !it.Open():
		return LaneConfirm
	case it.State.End():
		return LaneFile
	case it.State == Submitted, it.Uncertain():
		return LaneFollow
	default:
		return LaneAdvance
	}
}

// workable reports whether the Worker has anything to do for the item now or
// at its next attempt, apart from its place among others of the same object. A
// held item is worked on only where asking the portal can end the hold.
func (it *Item) workable() bool {
	if !it.Open() {
		return it.Confirm != nil
	}
	if it.Hold == "" || it.State.End() {
		return true
	}
	asking := it.Uncertain() || it.State == Submitted
	return asking && !it.NextAttempt.IsZero()
}

func objectPrefix(it *Item) []byte {
	return joined(it.Portal, strings.ToUpper(it.BROID))
}

// queuesForObject reports whether the item takes its turn among others of its BRO-ID.
func (it *Item) queuesForObject() bool {
	return it.Ordered && !it.NewObject && it.BROID != "" && !it.State.End()
}

// indexEntry is one key in one index bucket.
type indexEntry struct{ bucket, key []byte }

// fixedEntries are the entries an item has from its first day to its last.
func fixedEntries(it *Item) []indexEntry {
	var entries []indexEntry
	for _, e := range []indexEntry{
		{bucketSHA, shaPrefix(it)}, {bucketContent, contentPrefix(it)}, {bucketName, namePrefix(it)},
	} {
		if e.key != nil {
			entries = append(entries, indexEntry{e.bucket, withID(e.key, it.ID)})
		}
	}
	return entries
}

// shaPrefix is what items with the same bytes for the same portal share; nil
// where the bytes were not read.
func shaPrefix(it *Item) []byte {
	if it.SHA256 == "" {
		return nil
	}
	return joined(it.Portal, it.SHA256)
}

// contentPrefix is what new objects with the same content share; nil for other items.
func contentPrefix(it *Item) []byte {
	if !it.NewObject || it.Content == "" {
		return nil
	}
	return joined(it.Portal, it.Content)
}

// namePrefix is what makes two new objects look like the same one although
// their contents differ; nil where the document does not say.
func namePrefix(it *Item) []byte {
	if !it.NewObject || it.ObjectID == "" || it.Type == "" {
		return nil
	}
	party := it.AccountableParty
	if party == "" { // left out where the supplier is the data owner
		party = "project " + it.Project
	}
	return joined(it.Portal, it.Type, party, it.ObjectID)
}

// movingEntries are the entries that depend on where the item is.
func movingEntries(it *Item) []indexEntry {
	entries := []indexEntry{{bucketSource, withID(joined(it.Folder, it.File), it.ID)}}
	if it.Open() {
		entries = append(entries, indexEntry{bucketOpen, idKey(it.ID)})
	}
	if it.queuesForObject() {
		entries = append(entries, indexEntry{bucketObjects, withID(objectPrefix(it), it.ID)})
	}
	return entries
}

func countKey(it *Item) []byte {
	return []byte(strings.Join([]string{stored(it.Folder), string(it.State), string(it.Hold), filedWord(it)}, "\x00"))
}

func filedWord(it *Item) string {
	if it.Open() {
		return "open"
	}
	return "filed"
}

func addCount(tx *bolt.Tx, key []byte, delta int64) error {
	counts := tx.Bucket(bucketCounts)
	n := delta
	if v := counts.Get(key); len(v) == 8 {
		n += int64(binary.BigEndian.Uint64(v))
	}
	if n <= 0 {
		return counts.Delete(key)
	}
	return counts.Put(key, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// put writes an item and brings every index in line with it. before is nil for
// a new item. What an item's leaving its object queue means for the next one
// in it is done here too, so that no caller can forget it.
func put(tx *bolt.Tx, before, after *Item) error {
	data, err := after.encode()
	if err != nil {
		return err
	}
	if err := tx.Bucket(bucketItems).Put(idKey(after.ID), data); err != nil {
		return err
	}
	if before == nil {
		for _, e := range fixedEntries(after) {
			if err := tx.Bucket(e.bucket).Put(e.key, []byte{}); err != nil {
				return err
			}
		}
	} else {
		if err := dropMoving(tx, before); err != nil {
			return err
		}
	}
	if err := addMoving(tx, after); err != nil {
		return err
	}
	if before != nil && before.queuesForObject() && !after.queuesForObject() {
		return wakeNext(tx, before)
	}
	return nil
}

// addMoving enters an item where it now is; what is about the same object and
// came before it must be entered already.
func addMoving(tx *bolt.Tx, it *Item) error {
	for _, e := range movingEntries(it) {
		if err := tx.Bucket(e.bucket).Put(e.key, []byte{}); err != nil {
			return err
		}
	}
	if it.workable() && (!it.queuesForObject() || firstOfObject(tx, it) == it.ID) {
		if err := tx.Bucket(bucketDue).Put(dueKey(it), []byte{}); err != nil {
			return err
		}
	}
	return addCount(tx, countKey(it), 1)
}

func dropMoving(tx *bolt.Tx, before *Item) error {
	for _, e := range movingEntries(before) {
		if err := tx.Bucket(e.bucket).Delete(e.key); err != nil {
			return err
		}
	}
	if err := tx.Bucket(bucketDue).Delete(dueKey(before)); err != nil {
		return err
	}
	return addCount(tx, countKey(before), -1)
}

// firstOfObject is the item whose turn it is among those about the same object.
func firstOfObject(tx *bolt.Tx, it *Item) ID {
	prefix := objectPrefix(it)
	key, _ := tx.Bucket(bucketObjects).Cursor().Seek(prefix)
	if !bytes.HasPrefix(key, prefix) || len(key) != len(prefix)+8 {
		return 0
	}
	return keyID(key)
}

// wakeNext makes the next item about the object of done workable.
func wakeNext(tx *bolt.Tx, done *Item) error {
	id := firstOfObject(tx, done)
	if id == 0 {
		return nil
	}
	next, err := get(tx, id)
	if err != nil || !next.workable() {
		return nil // an unreadable one is set aside at the next start; it must not keep done from its outcome
	}
	return tx.Bucket(bucketDue).Put(dueKey(&next), []byte{})
}

func get(tx *bolt.Tx, id ID) (Item, error) {
	data := tx.Bucket(bucketItems).Get(idKey(id))
	if data == nil {
		return Item{}, fmt.Errorf("document %s: %w", id, ErrNotFound)
	}
	it, err := decodeItem(data)
	if err == nil && it.ID != id {
		return Item{}, fmt.Errorf("read stored item: number %s is stored as %s", it.ID, id)
	}
	return it, err
}

// eachID calls do with the ids under prefix until it returns false.
func eachID(tx *bolt.Tx, bucket, prefix []byte, do func(ID) bool) {
	c := tx.Bucket(bucket).Cursor()
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix) && len(key) == len(prefix)+8; key, _ = c.Next() {
		if !do(keyID(key)) {
			return
		}
	}
}

// newest calls do with the items under prefix, the latest first, until it
// returns false. What can't be read is passed over. A nil prefix has none.
func newest(tx *bolt.Tx, bucket, prefix []byte, do func(*Item) bool) {
	if prefix == nil {
		return
	}
	c := tx.Bucket(bucket).Cursor()
	key, _ := c.Seek(withID(bytes.Clone(prefix), math.MaxUint64))
	if key == nil {
		key, _ = c.Last()
	}
	if key != nil && !bytes.HasPrefix(key, prefix) { // it went past the last one
		key, _ = c.Prev()
	}
	for ; bytes.HasPrefix(key, prefix) && len(key) == len(prefix)+8; key, _ = c.Prev() {
		if it, err := get(tx, keyID(key)); err == nil && !do(&it) {
			return
		}
	}
}
