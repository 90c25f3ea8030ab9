package queue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Why a queue was made again.
const (
	CauseDamaged = "damaged"     // it could not be read
	CauseLost    = "lost"        // it was not there
	CauseOlder   = "older-copy"  // it lacked what the ledger and the spool know
	CauseAsked   = "asked"       // somebody asked for it
	newName      = ".new"        // what is being made has this behind its name
	maxStored    = 1 << 20       // bytes of one stored item that salvaging looks at
	salvageStep  = 4 * maxStored // bytes that are looked through at once
)

// Rebuilt says what became of a queue that was made again.
type Rebuilt struct {
	At     time.Time `json:"at"`
	Cause  string    `json:"cause"`
	Detail string    `json:"detail,omitempty"` // what was wrong with the file
	Aside  string    `json:"aside,omitempty"`  // name of the old file in the data folder
	// LedgerLost: the ledger was lost or damaged too, so that what the spool holds is in doubt.
	LedgerLost bool `json:"ledgerLost"`

	Documents int `json:"documents"` // in the queue now
	Restored  int `json:"restored"`  // made again from the ledger, the spool or the old file
	Changed   int `json:"changed"`   // known, but brought up to date
	Held      int `json:"held"`      // may have been submitted: looked up and held
	Open      int `json:"open"`      // of those restored: still to be done
	// HeldIDs are the numbers of the held ones, so that it can be told when all are answered.
	HeldIDs []ID `json:"heldIds,omitempty"`
}

// count counts an item that was brought in.
func (r *Rebuilt) count(it *Item) {
	if it.Open() {
		r.Open++
	}
	if it.Hold == HoldUncertain && !slices.Contains(r.HeldIDs, it.ID) {
		r.Held++
		r.HeldIDs = append(r.HeldIDs, it.ID)
	}
}

func putRebuilt(tx *bolt.Tx, r *Rebuilt) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyRebuilt, data)
}

// Rebuilt returns what is remembered of the last time the queue was made again.
func (s *Store) Rebuilt() (r Rebuilt, found bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		data := tx.Bucket(bucketMeta).Get(keyRebuilt)
		if data == nil {
			return nil
		}
		found = true
		return json.Unmarshal(data, &r)
	})
	if err != nil {
		return r, found, fmt.Errorf("read what is remembered of the rebuilding: %w", err)
	}
	return r, found, nil
}

// Progress is told how far something is: done of total, in documents.
type Progress func(done, total int)

// Rebuild makes the queue of a data folder anew, whatever state it is in, and
// sets the old file aside. No other process may have it open: [ErrLocked]. When
// ctx ends first everything is as it was.
func Rebuild(ctx context.Context, dir string, timeout time.Duration, progress Progress) (Rebuilt, error) {
	fail := func(err error) (Rebuilt, error) {
		return Rebuilt{}, fmt.Errorf("rebuild the queue in %s: %w", dir, err)
	}
	lock, err := takeLock(dir, timeout)
	if err != nil {
		return fail(err)
	}
	known, err := readLedger(dir)
	if err == nil && !remains(dir) {
		if _, statErr := os.Stat(filepath.Join(dir, FileName)); statErr != nil {
			err = fmt.Errorf("there is nothing to rebuild it from: %w", statErr)
		}
	}
	var told *Rebuilt
	if err == nil {
		told, err = rebuild(ctx, dir, known, nil, progress)
	}
	if err = errors.Join(err, lock.Close()); err != nil {
		return fail(err)
	}
	// opening brings the ledger in line
	s, err := Open(dir, Options{Timeout: timeout})
	if err != nil {
		return fail(err)
	}
	return *told, s.Close()
}

// rebuilding is one making anew of a queue.
type rebuilding struct {
	dir   string
	r     *reading
	old   *bolt.DB // the old file, where it is sound
	tx    *bolt.Tx // on old
	after uint64   // lines of the ledger up to this one are in old
	same  bool     // old belongs to the ledger
	found map[string]Item
	doubt bool
	now   time.Time
	told  Rebuilt
	last  uint64 // greatest number seen
}

// plan is one document that is to be made again.
type plan struct {
	id   ID
	key  string
	line place // in the ledger; size 0 = not there
	file *spoolFile
	old  bool // it is in the old file
}

// rebuild makes the new file beside the old one and then puts it in its place,
// so that a crash at any moment leaves one or the other. cause is what is wrong
// with the old file; nil means that somebody asked.
func rebuild(ctx context.Context, dir string, r *reading, cause error, progress Progress) (*Rebuilt, error) {
	b := &rebuilding{dir: dir, r: r, now: time.Now().UTC(), found: map[string]Item{}}
	b.told = Rebuilt{At: b.now, Cause: CauseAsked}
	b.doubt = !r.whole() || r.torn
	b.told.LedgerLost = b.doubt
	word := "replaced"
	path := filepath.Join(dir, FileName)
	switch {
	case cause == nil:
		var err error
		if b.old, err = inspect(path, lockPause, true); err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			if b.told.Detail = err.Error(); errors.Is(err, ErrDamaged) {
				word = "damaged"
			}
		}
	case errors.Is(cause, ErrLost):
		b.told.Cause = CauseLost
	default:
		word, b.told.Cause, b.told.Detail = "damaged", CauseDamaged, cause.Error()
	}
	guardFile, err := b.guardOld(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = guardFile.Close() }() // nothing was written to it
	if b.old != nil {
		if b.tx, err = b.old.Begin(false); err != nil {
			return nil, errors.Join(err, b.old.Close())
		}
		defer b.closeOld()
		id, last := ledgerOf(b.tx)
		b.same, b.after = id == r.id && id != "", last
		b.last = b.tx.Bucket(bucketItems).Sequence()
	} else if err := b.salvage(ctx); err != nil {
		return nil, err
	}
	err = b.build(ctx, path+newName, progress)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, ignoreMissing(os.Remove(path+newName)))
	}
	b.closeOld()
	_ = guardFile.Close() // Windows replaces no file that is open
	if err := b.swap(path, word); err != nil {
		return nil, err
	}
	return &b.told, nil
}

// guardOld keeps other programs from the old file while it is read.
func (b *rebuilding) guardOld(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil || b.old != nil { // bbolt has its own lock on it
		return f, ignoreMissing(err)
	}
	if err := lockFile(f, false, lockPause); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (b *rebuilding) closeOld() {
	if b.old != nil {
		_ = b.tx.Rollback() // it was for reading
		_ = b.old.Close()
		b.old = nil
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// swap puts the new file in the place of the old one, which keeps another name.
func (b *rebuilding) swap(path, word string) error {
	if _, err := os.Lstat(path); err == nil {
		var err error
		if b.told.Aside, err = setAside(b.dir, FileName, word, b.now); err != nil {
			return err
		}
		// the name is chosen last; what the new file says of it is written now
		if err := b.tellAside(path + newName); err != nil {
			return err
		}
	}
	crashAt("rebuild-set-aside")
	if err := os.Rename(path+newName, path); err != nil {
		return err
	}
	crashAt("rebuild-replaced")
	return syncDir(b.dir)
}

func (b *rebuilding) tellAside(path string) error {
	db, err := openFile(path, lockPause, false)
	if err != nil {
		return err
	}
	return errors.Join(db.Update(func(tx *bolt.Tx) error { return putRebuilt(tx, &b.told) }), db.Close())
}

// build writes the new file.
func (b *rebuilding) build(ctx context.Context, path string, progress Progress) (err error) {
	plans, err := b.plans()
	if err != nil {
		return err
	}
	if err := ignoreMissing(os.Remove(path)); err != nil { // of a rebuilding that was stopped
		return err
	}
	db, err := openFile(path, lockPause, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.NoSync = true // once at the end is enough: until then it has no name that matters
	if err := prepare(db); err != nil {
		return err
	}
	var lines *os.File
	if !b.r.missing {
		if lines, err = os.Open(filepath.Join(b.dir, LedgerName)); err != nil {
			return err
		}
		defer lines.Close()
	}
	done := 0
	for part := range slices.Chunk(plans, perCommit) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if progress != nil {
			progress(done, len(plans))
		}
		err := guard(func() error {
			return db.Update(func(tx *bolt.Tx) error {
				for i := range part {
					if err := b.restore(tx, lines, &part[i]); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
		done += len(part)
		crashAt("rebuild-part")
	}
	if err := db.Update(func(tx *bolt.Tx) error { return b.finish(tx, lines) }); err != nil {
		return err
	}
	if progress != nil {
		progress(done, len(plans))
	}
	crashAt("rebuild-built")
	return syncDB(db)
}

// finish stores what is not about one document.
func (b *rebuilding) finish(tx *bolt.Tx, lines *os.File) error {
	if b.old != nil {
		if err := b.keepUnreadable(tx); err != nil {
			return err
		}
		err := b.tx.Bucket(bucketMeta).ForEach(func(key, value []byte) error {
			// that it was put back from a backup must not be forgotten: what it takes for waiting may have been submitted since
			if !bytes.HasPrefix(key, folderKey("")) && !bytes.Equal(key, keyCopied) && !bytes.Equal(key, keyPutBack) {
				return nil
			}
			return tx.Bucket(bucketMeta).Put(key, value)
		})
		if err != nil {
			return err
		}
	}
	for key, p := range b.r.newest {
		if !strings.HasPrefix(key, whatFolder+" ") {
			continue
		}
		rec, err := recordAt(lines, p)
		if err != nil {
			return err
		}
		if rec.Folder != nil && (b.old == nil || p.n > b.after) {
			if err := putFolder(tx, strings.TrimPrefix(rec.Key, whatFolder+" "), rec.Folder); err != nil {
				return err
			}
		}
	}
	if err := bump(tx, ID(b.last)); err != nil {
		return err
	}
	if err := reindex(tx); err != nil {
		return err
	}
	id, last := b.r.id, b.r.last
	if id != "" {
		if err := tx.Bucket(bucketMeta).Put(keyLedgerID, []byte(id)); err != nil {
			return err
		}
	}
	if b.same {
		last = max(last, b.after)
	}
	b.told.Documents = tx.Bucket(bucketItems).Stats().KeyN
	return errors.Join(putLast(tx, last), putRebuilt(tx, &b.told))
}

// keepUnreadable takes over what the old file could not read of single items,
// and what they were known by, since they may have been delivered.
func (b *rebuilding) keepUnreadable(tx *bolt.Tx) error {
	bad := map[ID]bool{}
	keep := func(key, data []byte) error {
		if tx.Bucket(bucketItems).Get(key) != nil {
			return nil // the ledger knew it
		}
		bad[keyID(key)] = true
		return tx.Bucket(bucketAside).Put(key, data)
	}
	if err := b.tx.Bucket(bucketAside).ForEach(keep); err != nil {
		return err
	}
	err := b.tx.Bucket(bucketItems).ForEach(func(key, data []byte) error {
		if _, err := get(b.tx, keyID(key)); err == nil {
			return nil
		}
		return keep(key, data)
	})
	if err != nil || len(bad) == 0 {
		return err
	}
	for _, name := range [][]byte{bucketSHA, bucketContent, bucketName} {
		err := b.tx.Bucket(name).ForEach(func(key, _ []byte) error {
			if !bad[keyID(key)] {
				return nil
			}
			return tx.Bucket(name).Put(key, []byte{})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// plans lists the documents that something knows of, in the order of their numbers.
func (b *rebuilding) plans() ([]plan, error) {
	all := map[string]*plan{}
	of := func(key string) *plan {
		if all[key] == nil {
			all[key] = &plan{key: key}
		}
		return all[key]
	}
	if b.old != nil {
		err := b.tx.Bucket(bucketItems).ForEach(func(key, _ []byte) error {
			it, err := get(b.tx, keyID(key))
			if err != nil {
				return nil // see keepUnreadable
			}
			p := of(ledgerKey(&it))
			p.old, p.id = true, it.ID
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for key, it := range b.found {
		of(key).id = it.ID
		b.last = max(b.last, uint64(it.ID))
	}
	files, err := listSpool(b.dir)
	if err != nil {
		return nil, err
	}
	for i := range files {
		p := of(files[i].key)
		p.file = &files[i]
		if files[i].id != 0 {
			p.id = files[i].id
		}
		b.last = max(b.last, uint64(files[i].id))
	}
	if err := b.planLines(of); err != nil {
		return nil, err
	}
	plans := make([]plan, 0, len(all))
	for _, p := range all {
		plans = append(plans, *p)
	}
	slices.SortFunc(plans, func(x, y plan) int { return cmp.Or(cmp.Compare(x.id-1, y.id-1), cmp.Compare(x.key, y.key)) })
	return plans, nil
}

func (b *rebuilding) planLines(of func(string) *plan) error {
	if b.r.missing {
		return nil
	}
	lines, err := os.Open(filepath.Join(b.dir, LedgerName))
	if err != nil {
		return err
	}
	defer lines.Close()
	for _, where := range slices.SortedFunc(maps.Values(b.r.newest), func(x, y place) int { return cmp.Compare(x.at, y.at) }) {
		rec, err := recordAt(lines, where)
		if err != nil {
			return err
		}
		it, err := rec.item()
		if err != nil {
			continue // a folder's, or what this version does not understand
		}
		p := of(rec.Key)
		p.line = where
		if p.id == 0 || p.file == nil && !p.old {
			p.id = it.ID
		}
		b.last = max(b.last, uint64(it.ID))
	}
	return nil
}

// restore makes one document again from the best that is known of it. About a
// submission the ledger has the last word, and the mark of the spool file after it.
func (b *rebuilding) restore(tx *bolt.Tx, lines *os.File, p *plan) error {
	mark := 0
	if p.file != nil {
		p.file.read(b.dir)
		mark = p.file.mark
	}
	if p.old && !(p.line.size > 0 && (!b.same || p.line.n > b.after)) {
		return b.keep(tx, p, mark)
	}
	if p.line.size > 0 {
		return b.fromLine(tx, lines, p, mark)
	}
	seen, salvaged := b.found[p.key]
	if salvaged && (b.doubt || p.file == nil) {
		return b.fromRemains(tx, seen, p.file != nil, mark)
	}
	if p.file == nil {
		return nil
	}
	it, ok := p.file.item()
	if !ok {
		return nil // it does not say whose it is: a stray
	}
	b.told.Restored++
	file := *p.file
	file.id, it.ID = p.id, p.id
	if freeNumber(tx, &it) != p.id {
		file.id = ID(b.last + 1)
	}
	b.last = max(b.last, uint64(file.id))
	return restoreFromSpool(tx, it, &file, b.doubt, b.now, &b.told)
}

// keep takes an item over from a sound old file.
func (b *rebuilding) keep(tx *bolt.Tx, p *plan, mark int) error {
	it, err := get(b.tx, p.id)
	if err != nil {
		return err
	}
	b.suspect(&it, mark, false)
	return b.put(tx, &it)
}

func (b *rebuilding) fromLine(tx *bolt.Tx, lines *os.File, p *plan, mark int) error {
	rec, err := recordAt(lines, p.line)
	if err != nil {
		return err
	}
	it, err := rec.item()
	if err != nil {
		return err
	}
	if p.old {
		old, err := get(b.tx, p.id)
		if err != nil {
			return err
		}
		if !b.same && rank(&it) < rank(&old) {
			it = old
		}
		it.ID, it.History = old.ID, old.History
	} else if seen, found := b.found[p.key]; found {
		it.History = seen.History
	}
	it.say(b.now, "restored", "from the ledger: "+rec.What, Say(SayFromLedger))
	b.told.Restored++
	b.suspect(&it, mark, b.doubt && p.file != nil)
	askSoon(&it, b.now)
	return b.put(tx, &it)
}

// fromRemains takes an item over that only a damaged file tells of. That it was
// submitted can be believed; that it was not can't.
func (b *rebuilding) fromRemains(tx *bolt.Tx, it Item, hasBytes bool, mark int) error {
	it.say(b.now, "restored", "from what was left of the queue file", Say(SayFromRemains))
	b.told.Restored++
	switch {
	case it.State.End(), it.State == Submitted:
	case hasBytes, it.Submissions > 0:
		it.Submissions = max(it.Submissions, mark)
		it.doubt(b.now, SayQueueLost, whyLost)
	default: // its bytes are gone, which happens only after it was filed
		it.doubt(b.now, SayBytesLost, "the queue was lost, and this document's bytes are no longer in the spool"+whatToDo)
	}
	askSoon(&it, b.now)
	return b.put(tx, &it)
}

// suspect makes a document uncertain whose submission is not ruled out.
func (b *rebuilding) suspect(it *Item, mark int, doubt bool) {
	if it.State.End() || it.State == Submitted || it.Uncertain() || !doubt && mark <= it.Submissions {
		return
	}
	it.Submissions = max(it.Submissions, mark)
	it.doubt(b.now, SayQueueLost, whyLost)
}

func (b *rebuilding) put(tx *bolt.Tx, it *Item) error {
	if freeNumber(tx, it) != it.ID {
		b.last++
		it.ID = ID(b.last)
	}
	b.told.count(it)
	return insert(tx, it)
}

// salvage looks through a damaged file for what was once an item, whatever the
// pages around it say, and keeps of each the version that is furthest on. With
// no file there, the one that was set aside last is looked through.
func (b *rebuilding) salvage(ctx context.Context) error {
	path := filepath.Join(b.dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		aside, _ := filepath.Glob(path + ".damaged-*")
		if len(aside) == 0 {
			return nil
		}
		f, err = os.Open(slices.Max(aside)) // the date is in the name
	}
	if err != nil {
		return err
	}
	defer f.Close()
	begin := []byte(`{"id":"`)
	buf := make([]byte, salvageStep+maxStored)
	for at := int64(0); ; at += salvageStep {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil // a part that the disk can't read any more: what was found counts
		}
		part := buf[:n]
		for from := 0; from < min(n, salvageStep); {
			i := bytes.Index(part[from:], begin)
			if i < 0 || from+i >= salvageStep {
				break
			}
			from += i
			b.consider(part[from:])
			from += len(begin)
		}
		if n < len(buf) {
			return nil
		}
	}
}

func (b *rebuilding) consider(text []byte) {
	var raw json.RawMessage
	if json.NewDecoder(bytes.NewReader(text[:min(len(text), maxStored)])).Decode(&raw) != nil {
		return
	}
	it, err := decodeItem(raw)
	if err != nil || it.Folder == "" || it.SHA256 == "" {
		return
	}
	key := ledgerKey(&it)
	if old, known := b.found[key]; !known || later(&it, &old) {
		b.found[key] = it
	}
}

// later reports whether a is a later version of an item than b.
func later(a, b *Item) bool {
	when := func(it *Item) (at time.Time, n int) {
		for _, e := range it.History {
			if n += max(e.Count, 1); e.At.After(at) {
				at = e.At
			}
		}
		return at, n
	}
	ta, na := when(a)
	tb, nb := when(b)
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Submissions, b.Submissions), ta.Compare(tb), cmp.Compare(na, nb)) > 0
}

// crashAt is called at the moments between two facts of rebuilding and
// compacting, for tests that end the program there.
var crashAt = func(point string) {}
