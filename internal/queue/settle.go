package queue

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// perCommit is how many items are brought in by one transaction.
const perCommit = 1000

// crashLines is how many lines the ledger may be ahead of the queue because of
// a crash between the two: those of one commit. More tell an older copy.
const crashLines = maxShared

// settle brings a queue that can be read in line with its ledger and the spool.
// Each part may be repeated: a crash in it leaves what the next start settles.
func (s *Store) settle(r *reading) (*Rebuilt, error) {
	var id string
	var last uint64
	if err := s.view(func(tx *bolt.Tx) error { id, last = ledgerOf(tx); return nil }); err != nil {
		return nil, err
	}
	same := id == r.id && r.whole()
	c := &catchUp{store: s, r: r, now: time.Now().UTC(), told: Rebuilt{Cause: CauseOlder, At: time.Now().UTC()}}
	if same {
		c.after = last
	}
	if !same && id == r.id { // damaged: what is sound of it counts as far as it is newer
		c.after = last
	}
	// what is not in the ledger was never submitted, unless the ledger lacks something
	c.doubt = id != "" && (!same || r.last < last)
	aside, err := s.SetAside()
	if err != nil {
		return nil, err
	}
	c.aside = aside
	if r.last > last || id != r.id || len(aside) > 0 {
		if err := c.lines(); err != nil {
			return nil, err
		}
	}
	// a ledger that is ahead and lacks something: what it lacks may be of any document
	c.suspectAll = r.last > last && id == r.id && !r.whole()
	if err := c.spool(); err != nil {
		return nil, err
	}
	if c.inserted {
		if err := s.transact(reindex); err != nil {
			return nil, err
		}
	}
	if same && r.last == last {
		var err error
		s.ledger, err = openLedger(s.dir, r)
		return c.report(int64(r.last)-int64(last), false), err
	}
	final := max(r.last, last)
	anew := !same || r.last < last
	if anew {
		if id == "" || r.id != "" {
			id = r.id
		}
		if id == "" {
			id = newLedgerID()
		}
		if !r.missing && len(r.faults) > 0 {
			if _, err := setAside(s.dir, LedgerName, "damaged", c.now); err != nil {
				return nil, err
			}
		}
		if err := s.writeLedger(id, final); err != nil {
			return nil, err
		}
		fresh, err := readLedger(s.dir)
		if err != nil {
			return nil, err
		}
		r = fresh
	}
	told := c.report(int64(r.last)-int64(last), anew)
	err = s.transact(func(tx *bolt.Tx) error {
		if err := tx.Bucket(bucketMeta).Put(keyLedgerID, []byte(r.id)); err != nil {
			return err
		}
		if told != nil {
			if err := putRebuilt(tx, told); err != nil {
				return err
			}
		}
		return putLast(tx, final)
	})
	if err == nil {
		s.ledger, err = openLedger(s.dir, r)
	}
	return told, err
}

// writeLedger writes a ledger from the queue: every document that is over or
// has been near a submission, and those whose spool file does not say whose it is.
func (s *Store) writeLedger(id string, last uint64) error {
	return writeLedger(s.dir, id, last, func(line func([]byte) error) error {
		put := func(rec record, err error) error {
			if err != nil {
				return err
			}
			rec.N = last
			text, err := encodeLine(&rec)
			if err != nil {
				return err
			}
			return line(text)
		}
		var failed error
		err := s.Each(Filter{}, func(it Item) bool {
			plain := it.State == Queued && it.Hold == "" && it.Submissions == 0 && describedIn(s.dir, &it)
			if !plain {
				failed = put(newRecord(&it))
			}
			return failed == nil
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		folders, err := s.folders()
		for name, m := range folders {
			err = errors.Join(err, put(record{Key: whatFolder + " " + name, What: whatFolder, At: time.Now().UTC(), Folder: &m}, nil))
		}
		return err
	})
}

// folders are all folders that are remembered.
func (s *Store) folders() (map[string]FolderMemory, error) {
	all := map[string]FolderMemory{}
	err := s.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).ForEach(func(key, value []byte) error {
			name, is := strings.CutPrefix(string(key), string(folderKey("")))
			var m FolderMemory
			if is && json.Unmarshal(value, &m) == nil {
				all[name] = m
			}
			return nil
		})
	})
	return all, err
}

// catchUp brings into a queue what it does not know yet.
type catchUp struct {
	store      *Store
	r          *reading
	after      uint64        // lines up to this one are in the queue
	doubt      bool          // what no line tells of may have been submitted
	suspectAll bool          // even what the queue knows may have been
	aside      map[ID][]byte // what could not be read as an item
	now        time.Time
	inserted   bool
	told       Rebuilt
}

// report is what is worth saying of it.
func (c *catchUp) report(ahead int64, anew bool) *Rebuilt {
	if c.told.Restored == 0 && c.told.Held == 0 && (c.told.Changed == 0 || ahead <= crashLines && !anew) {
		return nil
	}
	return &c.told
}

// lines brings in the lines that are newer than the queue, in their order.
func (c *catchUp) lines() error {
	if c.r.missing {
		return nil
	}
	f, err := os.Open(filepath.Join(c.store.dir, LedgerName))
	if err != nil {
		return err
	}
	defer f.Close()
	places := slices.Collect(maps.Values(c.r.newest))
	if len(c.aside) == 0 { // else any line may be of what can't be read
		places = slices.DeleteFunc(places, func(p place) bool { return p.n <= c.after })
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	for part := range slices.Chunk(places, perCommit) {
		err := c.store.transact(func(tx *bolt.Tx) error {
			for _, p := range part {
				rec, err := recordAt(f, p)
				if err == nil && (p.n > c.after || c.isAside(tx, &rec)) {
					err = c.line(tx, &rec)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// isAside reports whether a line is of a document that the queue has, but can't read.
func (c *catchUp) isAside(tx *bolt.Tx, rec *record) bool {
	it, err := rec.item()
	return err == nil && tx.Bucket(bucketItems).Get(idKey(it.ID)) == nil && isAside(tx, &it)
}

func (c *catchUp) line(tx *bolt.Tx, rec *record) error {
	if rec.What == whatFolder && rec.Folder != nil {
		return putFolder(tx, strings.TrimPrefix(rec.Key, whatFolder+" "), rec.Folder)
	}
	it, err := rec.item()
	if err != nil {
		return nil // its sum was right: another version wrote what this one does not understand
	}
	old, found := findKey(tx, &it)
	if !found {
		c.told.Restored++
		c.inserted = true
		it.say(c.now, "restored", "from the ledger", Say(SayFromLedger))
		if c.doubt && !it.State.End() && it.State != Submitted && !it.Uncertain() {
			it.doubt(c.now, SayQueueLost, whyLost) // a later line of it may be among those that are lost
		}
		c.told.count(&it)
		return insert(tx, &it)
	}
	if c.after == 0 && rank(&it) < rank(&old) || sameFacts(&old, &it) {
		return nil
	}
	// of which number it is in this queue, and what happened to it, the queue knows best
	it.ID, it.History = old.ID, old.clone().History
	it.Submissions = max(it.Submissions, old.Submissions)
	it.say(c.now, "restored", "from the ledger: "+rec.What, Say(SayFromLedger))
	askSoon(&it, c.now)
	c.told.Changed++
	c.told.count(&it)
	return put(tx, &old, &it)
}

// askSoon makes a document in doubt, or at the portal, due now.
func askSoon(it *Item, now time.Time) {
	if it.Uncertain() || it.State == Submitted {
		it.NextAttempt = now
	}
}

// spool makes the items of spool files that the queue does not know, and takes
// the word of those that know of more submissions than the queue.
func (c *catchUp) spool() error {
	files, err := listSpool(c.store.dir)
	if err != nil {
		return err
	}
	open := map[string]ID{}
	err = c.store.Each(Filter{Open: true}, func(it Item) bool {
		open[it.Spool] = it.ID
		return true
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(files, perCommit) {
		err := c.store.transact(func(tx *bolt.Tx) error {
			for i := range part {
				if err := c.file(tx, &part[i], open); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *catchUp) file(tx *bolt.Tx, f *spoolFile, open map[string]ID) error {
	if id, known := open[f.key]; known {
		it, err := get(tx, id)
		if err != nil {
			return nil // it is set aside
		}
		f.read(c.store.dir)
		if code, why := c.suspicion(&it, f.mark); why != "" {
			old := it.clone()
			it.Submissions = max(it.Submissions, f.mark)
			it.doubt(c.now, code, why)
			c.told.count(&it)
			return put(tx, &old, &it)
		}
		return nil
	}
	if f.part && !c.doubt { // never taken; its file is where it was
		return nil
	}
	if it, err := get(tx, f.id); err == nil && it.Spool == f.key {
		return nil // it is filed, and the spool comes to that later
	}
	f.read(c.store.dir)
	it, ok := f.item()
	if !ok {
		return nil
	}
	if filed, found := findKey(tx, &it); found && filed.Spool == f.key {
		return nil
	}
	c.told.Restored++
	c.inserted = true
	return restoreFromSpool(tx, it, f, c.doubt, c.now, &c.told)
}

// suspicion is why an item that was not submitted, as far as the queue knows, may have been.
func (c *catchUp) suspicion(it *Item, mark int) (code Code, why string) {
	switch {
	case it.State.End(), it.State == Submitted, it.Uncertain():
		return "", ""
	case mark > it.Submissions:
		return SayBegunOlder, "the queue was an older copy of itself: the document's spool file says that a submission was begun of which the queue knew nothing" + whatToDo
	case c.suspectAll && it.Hold != HoldDuplicate:
		return SayLedgerOlder, "the queue was an older copy of itself and the ledger beside it is damaged, so that nobody knows whether this document was submitted meanwhile" + whatToDo
	}
	return "", ""
}

const whatToDo = "; look in the portal for a delivery of this document, then answer with `brodaemon queue resolve ID --delivery NUMBER` or `--not-delivered`"

const whyLost = "the queue was lost, and so was the ledger or a part of it, so that nobody knows whether this document was submitted" + whatToDo

// restoreFromSpool makes the item of a spool file again. With doubt it may have been submitted.
func restoreFromSpool(tx *bolt.Tx, it Item, f *spoolFile, doubt bool, now time.Time, told *Rebuilt) error {
	it.ID = f.id
	it.ID = freeNumber(tx, &it)
	if err := takeFromAside(tx, it.ID); err != nil {
		return err
	}
	at := it.Times.Seen
	if at.IsZero() {
		at = now
	}
	if it.Report == nil && (doubt || f.mark > 0) {
		it.Times.Queued = at
		it.Submissions = max(it.Submissions, f.mark)
		it.note(at, "queued", "")
		it.say(now, "restored", "from the spool", Say(SayFromSpool))
		code, why := SayQueueLost, whyLost
		if !doubt {
			code, why = SayBegunLost, "the queue was lost, and this document's spool file says that a submission of it was begun"+whatToDo
		}
		it.doubt(now, code, why)
		told.count(&it)
		return insert(tx, &it)
	}
	a := &addition{at: at, arrival: &it, item: it}
	if err := bump(tx, it.ID); err != nil {
		return err
	}
	if err := a.enter(tx); err != nil {
		return err
	}
	before := a.item.clone()
	a.item.say(now, "restored", "from the spool", Say(SayFromSpool))
	told.count(&a.item)
	return put(tx, &before, &a.item)
}

// findKey finds the item that has the same spool name.
func findKey(tx *bolt.Tx, it *Item) (old Item, found bool) {
	key := ledgerKey(it)
	if old, err := get(tx, it.ID); err == nil && ledgerKey(&old) == key {
		return old, true
	}
	eachID(tx, bucketSHA, shaPrefix(it), func(id ID) bool {
		other, err := get(tx, id)
		if err == nil && it.Spool != "" && other.Spool == it.Spool {
			old, found = other, true
		}
		return !found
	})
	return old, found
}

// insert stores an item that the queue does not have, under its own number if
// that is free.
func insert(tx *bolt.Tx, it *Item) error {
	it.ID = freeNumber(tx, it)
	if err := errors.Join(bump(tx, it.ID), takeFromAside(tx, it.ID)); err != nil {
		return err
	}
	return put(tx, nil, it)
}

// freeNumber is the number of it, or the next one if that is of another
// document or none. A document that could not be read and is made again keeps
// its number: its receipt may lie in the archive already, and is known by it.
func freeNumber(tx *bolt.Tx, it *Item) ID {
	items := tx.Bucket(bucketItems)
	if it.ID != 0 && items.Get(idKey(it.ID)) == nil && (tx.Bucket(bucketAside).Get(idKey(it.ID)) == nil || isAside(tx, it)) {
		return it.ID
	}
	return ID(items.Sequence() + 1)
}

// isAside reports whether what was set aside under the number of it is it: the
// bytes may be damaged anywhere, so they must only not name another document.
func isAside(tx *bolt.Tx, it *Item) bool {
	data := tx.Bucket(bucketAside).Get(idKey(it.ID))
	if data == nil {
		return false
	}
	named := spoolNamed.FindSubmatch(data)
	return named == nil || string(named[1]) == it.Spool
}

var spoolNamed = regexp.MustCompile(`"spool":"([0-9a-f]{24})"`)

// takeFromAside forgets the unreadable form of a document that is made again.
func takeFromAside(tx *bolt.Tx, id ID) error {
	return tx.Bucket(bucketAside).Delete(idKey(id))
}

// bump keeps a number from being given to another document.
func bump(tx *bolt.Tx, id ID) error {
	if items := tx.Bucket(bucketItems); items.Sequence() < uint64(id) {
		return items.SetSequence(uint64(id))
	}
	return nil
}

// rank orders what can be known of a document by how final it is.
func rank(it *Item) int {
	switch {
	case !it.Open():
		return 4
	case it.State.End():
		return 3
	case it.State == Submitted:
		return 2
	case it.Uncertain():
		return 1
	}
	return 0
}

// sameFacts compares what the ledger holds of two items.
func sameFacts(a, b *Item) bool {
	facts := func(it *Item) string {
		c := *it
		c.ID, c.History, c.NextAttempt, c.LastError, c.LastKind, c.Attempts, c.Lookups = 1, nil, time.Time{}, "", "", 0, 0
		data, err := c.encode()
		if err != nil {
			return fmt.Sprint(err)
		}
		return string(data)
	}
	return facts(a) == facts(b)
}

func putFolder(tx *bolt.Tx, name string, m *FolderMemory) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(folderKey(name), data)
}

// spoolFile is a file in the spool.
type spoolFile struct {
	file string
	key  string
	id   ID
	part bool

	seen bool
	text json.RawMessage
	mark int
}

// listSpool are the spool's files that have a name of its own, by number; those
// without one come last.
func listSpool(dir string) ([]spoolFile, error) {
	entries, err := os.ReadDir(filepath.Join(dir, SpoolName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look through spool: %w", err)
	}
	var files []spoolFile
	for _, e := range entries {
		if key, id, part := parseName(e.Name()); key != "" && e.Type().IsRegular() {
			files = append(files, spoolFile{file: e.Name(), key: key, id: id, part: part})
		}
	}
	slices.SortStableFunc(files, func(a, b spoolFile) int { return cmp.Compare(a.id-1, b.id-1) }) // 0-1 is the greatest
	return files, nil
}

// read reads what the file says of itself; one that can't be read says nothing.
func (f *spoolFile) read(dir string) {
	if f.seen {
		return
	}
	f.seen = true
	file, err := os.Open(filepath.Join(dir, SpoolName, f.file))
	if err != nil {
		return
	}
	defer file.Close()
	if t, err := readTrailer(file); err == nil && t.content >= 0 {
		f.text, f.mark = t.item, t.mark
	}
}

// item is the item as it arrived.
func (f *spoolFile) item() (Item, bool) {
	var it Item
	if f.text == nil || json.Unmarshal(f.text, (*itemFields)(&it)) != nil || it.Spool != f.key || it.Folder == "" {
		return Item{}, false
	}
	it.State, it.History = Queued, nil
	return it, true
}

// describedIn reports whether an item could be made again from its spool file.
func describedIn(dir string, it *Item) bool {
	for _, name := range []string{fullName(it.ID, it.Spool), it.Spool + partSuffix} {
		f := spoolFile{file: name, key: it.Spool}
		if f.read(dir); f.text != nil {
			return true
		}
	}
	return false
}

// setAside gives a file of the data folder a name with the date, and returns
// it. The file also keeps its own name where the system can do that, so that
// there is no moment without one.
func setAside(dir, name, word string, at time.Time) (string, error) {
	stamp := at.UTC().Format("2006-01-02T150405Z")
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.%s-%s", name, word, stamp)
		if n > 1 {
			aside += fmt.Sprintf("-%d", n)
		}
		path := filepath.Join(dir, aside)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		err := os.Link(filepath.Join(dir, name), path)
		if err != nil {
			err = os.Rename(filepath.Join(dir, name), path)
		}
		if err != nil {
			return "", fmt.Errorf("set %s aside: %w", name, err)
		}
		return aside, syncDir(dir)
	}
}
