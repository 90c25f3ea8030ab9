package queue

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// LedgerName is the ledger's name in the data folder.
//
// The ledger is what outlives the queue file: a text file to which the Store
// appends one line for every fact without which a document could be submitted
// twice, or a person's word be forgotten. Each line is a JSON object that holds
// the whole item as it then was, without its timeline, so that no line needs
// another to be understood:
//
//	{"sum":"0c5f…","n":17,"key":"9f3a…","at":"2026-…","what":"submitting","item":{…}}
//
// sum is the CRC-32C of what follows it. n counts the lines without a gap, and
// the queue remembers the n of the last line it has taken part in, which tells
// an older copy of either file. key is the item's name in the spool, unique
// over all queues. The first line is the head; in a ledger that was written
// anew it is followed by one line per document, which count up to its n.
const LedgerName = "ledger.jsonl"

const (
	ledgerFormat = 1
	ledgerNew    = ".new" // a ledger on its way to its name
	whatHead     = "ledger"
	whatFolder   = "folder"
)

// record is one line of the ledger.
type record struct {
	N      uint64          `json:"n"`
	Key    string          `json:"key"`
	At     time.Time       `json:"at,omitzero"`
	What   string          `json:"what"`
	Item   json.RawMessage `json:"item,omitempty"`
	Folder *FolderMemory   `json:"folder,omitempty"`
}

// head is the first line.
type head struct {
	N      uint64    `json:"n"` // the lines that follow and have no greater number are the digest
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Format int       `json:"format"`
	Digest int       `json:"digest"` // how many lines those are
	About  string    `json:"about"`
}

const ledgerAbout = "what brodaemon must not forget of each document, should the queue file be lost; keep this file beside it"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumHead = `{"sum":"` // eight hexadecimal digits and `",` follow

// encodeLine makes the text of a line from an object.
func encodeLine(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	rest := append(body[1:], '\n')
	line := make([]byte, 0, len(rest)+len(sumHead)+10)
	line = append(line, sumHead...)
	line = hex.AppendEncode(line, binary.BigEndian.AppendUint32(nil, crc32.Checksum(rest[:len(rest)-1], castagnoli)))
	line = append(line, `",`...)
	return append(line, rest...), nil
}

// splitLine checks a line and returns its number and its key, as it is written.
// It does not understand the rest, so that reading a long ledger costs little.
func splitLine(line []byte) (n uint64, key []byte, ok bool) {
	const begin = len(sumHead) + 8 + 2
	if len(line) < begin+4 || !bytes.HasPrefix(line, []byte(sumHead)) || line[len(line)-1] != '\n' {
		return 0, nil, false
	}
	rest := line[begin : len(line)-1]
	var want [10]byte
	hex.Encode(want[:8], binary.BigEndian.AppendUint32(nil, crc32.Checksum(rest, castagnoli)))
	want[8], want[9] = '"', ','
	if !bytes.Equal(line[len(sumHead):begin], want[:]) {
		return 0, nil, false
	}
	rest, found := bytes.CutPrefix(rest, []byte(`"n":`))
	digits, rest, cut := bytes.Cut(rest, []byte(`,"key":"`))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	end := bytes.IndexByte(rest, '"')
	for end > 0 && rest[end-1] == '\\' { // only a folder's name may hold one
		next := bytes.IndexByte(rest[end+1:], '"')
		if next < 0 {
			return 0, nil, false
		}
		end += 1 + next
	}
	if !found || !cut || err != nil || end < 0 {
		return 0, nil, false
	}
	return n, rest[:end], true
}

// place is where a line stands.
type place struct {
	n    uint64
	at   int64
	size int
}

// reading is what one look through a ledger found.
type reading struct {
	missing bool
	id      string           // "" if its head can't be read
	last    uint64           // the greatest number
	newest  map[string]place // by key: its line with the greatest number
	good    int64            // bytes up to the end of the last sound line
	digest  int64            // bytes of the digest
	torn    bool             // after the last sound line there is something, without a line's end: a write that did not finish
	faults  []string         // what else is wrong: something may be missing
}

// whole reports whether nothing is missing but what was never finished.
func (r *reading) whole() bool { return !r.missing && len(r.faults) == 0 && r.id != "" }

func (r *reading) fault(format string, args ...any) {
	if len(r.faults) < 10 {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// maxLine bounds what is kept of one line in memory; an item is far smaller.
const maxLine = 8 << 20

// readLedger looks through the ledger of a data folder. A damaged one is no
// error: what is sound is told, and what is not. One of a newer version is.
func readLedger(dir string) (*reading, error) {
	r := &reading{newest: map[string]place{}}
	f, err := os.Open(filepath.Join(dir, LedgerName))
	if errors.Is(err, fs.ErrNotExist) {
		r.missing = true
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	var h head
	var at int64
	digest, next := 0, uint64(0)
	for number := 1; ; number++ {
		line, size, err := nextLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", LedgerName, err)
		}
		if size == 0 {
			break
		}
		n, key, ok := splitLine(line)
		switch {
		case !ok && err != nil:
			r.torn = true
		case !ok:
			r.fault("line %d is damaged", number)
			next = 0
		case number == 1:
			if json.Unmarshal(line, &h) != nil || h.What != whatHead {
				r.fault("its first line is not the first line of a ledger")
				h.What = "?"
				break
			}
			if h.Format > ledgerFormat {
				return nil, fmt.Errorf("%s was written by a newer version of brodaemon (format %d, this one reads %d): install that version again, or a newer one", LedgerName, h.Format, ledgerFormat)
			}
			r.id, r.last, r.digest = h.ID(), h.N, size
		default:
			if n <= h.N && h.What == whatHead {
				digest++
				r.digest = at + size
			} else {
				if next != 0 && n != next {
					r.fault("line %d is number %d, where %d should follow", number, n, next)
				}
				if next == 0 && h.What == whatHead && len(r.faults) == 0 && n != h.N+1 {
					r.fault("line %d is number %d, where %d should follow", number, n, h.N+1)
				}
				next = n + 1
			}
			r.last = max(r.last, n)
			if old, known := r.newest[string(key)]; !known || n >= old.n {
				r.newest[string(key)] = place{n, at, int(size)}
			}
		}
		at += size
		if ok {
			r.good = at
		}
		if err != nil {
			break
		}
	}
	if h.What == whatHead && digest != h.Digest {
		r.fault("%d documents should stand at its beginning, and %d do", h.Digest, digest)
	}
	if r.id == "" {
		r.fault("it has no first line")
	}
	return r, nil
}

// ID is what tells one ledger from another.
func (h *head) ID() string { return h.Key }

// nextLine reads up to and with a line's end. Of one that is too long only the
// size is right.
func nextLine(in *bufio.Reader) (line []byte, size int64, err error) {
	for {
		part, err := in.ReadSlice('\n')
		size += int64(len(part))
		if len(line)+len(part) <= maxLine {
			if line == nil && err == nil {
				return part, size, nil // as a rule: no copy
			}
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, size, err
		}
	}
}

// recordAt reads the line at a place.
func recordAt(f io.ReaderAt, p place) (record, error) {
	line := make([]byte, p.size)
	var rec record
	if _, err := f.ReadAt(line, p.at); err != nil {
		return rec, fmt.Errorf("read %s: %w", LedgerName, err)
	}
	err := json.Unmarshal(line, &rec)
	return rec, err
}

// item is the item that a line holds.
func (r *record) item() (Item, error) {
	it, err := decodeItem(r.Item)
	if err == nil && r.Key != ledgerKey(&it) {
		return it, fmt.Errorf("line %d of %s is of another document than it says", r.N, LedgerName)
	}
	return it, err
}

// ledgerKey is what an item is known by in the ledger.
func ledgerKey(it *Item) string {
	if it.Spool != "" {
		return it.Spool
	}
	return "document " + it.ID.String()
}

// newRecord makes the line of an item; its number is given when it is written.
func newRecord(it *Item) (record, error) {
	slim := *it
	slim.History = it.whyHeld()
	data, err := slim.encode()
	rec := record{Key: ledgerKey(it), Item: data, What: string(it.State)}
	if n := len(it.History); n > 0 {
		rec.What, rec.At = it.History[n-1].What, it.History[n-1].At
	}
	return rec, err
}

// worthKeeping reports whether a change is to be in the ledger, and whether the
// caller may go on only when it is there durably: before the submit call, and
// where a person's word would otherwise be forgotten. Of what is lost of the
// other lines the portal or the archive can be asked again.
func worthKeeping(before, after *Item) (keep, durable bool) {
	var old Item
	if before != nil {
		old = *before
	}
	switch {
	case after.Intent != "" && old.Intent == "":
		return true, true
	case after.State == Cancelled && old.State != Cancelled, after.Hold != old.Hold && before != nil:
		return true, true
	case after.Intent != old.Intent, after.Submissions != old.Submissions, after.Hold != old.Hold, after.State != old.State && (after.State.End() || after.State == Submitted):
		return true, false
	case old.Confirm != nil && after.Confirm == nil: // without a confirmation it was a person who ended the search
		return true, after.Times.Confirmed.IsZero()
	case after.Removing != old.Removing, !after.Times.Removed.Equal(old.Times.Removed):
		return true, false
	case after.Delivery != nil && (old.Delivery == nil || after.Delivery.ID != old.Delivery.ID), after.Filed != old.Filed, after.Open() != old.Open() && before != nil:
		return true, false
	}
	return false, false
}

// ledger is the open file. Only the committing goroutine uses it.
type ledger struct {
	dir    string
	f      *os.File
	id     string
	last   uint64 // the number of the last line
	size   int64
	digest int64 // bytes of its digest
	dirty  bool  // something is written and not synced

	late  []byte // lines that could not be written yet: nothing but a full disk explains them
	lost  bool   // there were too many
	sync  func(*os.File) error
	write func(*os.File, []byte) (int, error)
}

// maxLate bounds the lines that wait for room on the disk. Without them the
// ledger has a gap, which the next start sees and mends from the queue.
const maxLate = 4 << 20

// openLedger opens an old ledger for writing, without what was never finished.
func openLedger(dir string, r *reading) (*ledger, error) {
	f, err := os.OpenFile(filepath.Join(dir, LedgerName), os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledger{dir: dir, f: f, id: r.id, last: r.last, size: r.good, digest: r.digest}
	if err := f.Truncate(r.good); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// append writes lines and gives them their numbers. It syncs nothing.
func (l *ledger) append(records []record) error {
	text := l.late
	last := l.last
	for i := range records {
		last++
		records[i].N = last
		line, err := encodeLine(&records[i])
		if err != nil {
			return err
		}
		text = append(text, line...)
	}
	if l.f == nil { // it could not be opened after it was shortened
		if err := l.reopen(false); err != nil {
			return err
		}
	}
	write := l.write
	if write == nil {
		write = func(f *os.File, text []byte) (int, error) { return f.WriteAt(text, l.size) }
	}
	if n, err := write(l.f, text); err != nil || n < len(text) {
		// what was written of it must not stay: it would be a torn line in the middle
		return errors.Join(fmt.Errorf("write %s: %w", LedgerName, err), l.f.Truncate(l.size))
	}
	l.size, l.last, l.late, l.dirty = l.size+int64(len(text)), last, nil, true
	return nil
}

// postpone keeps lines until they can be written.
func (l *ledger) postpone(records []record) {
	for i := range records {
		l.last++
		records[i].N = l.last
		line, err := encodeLine(&records[i])
		if err != nil || l.lost || len(l.late)+len(line) > maxLate {
			l.lost, l.late = true, nil
			continue
		}
		l.late = append(l.late, line...)
	}
}

// ledgerMark is how far the ledger was at a moment.
type ledgerMark struct {
	last uint64
	size int64
	late []byte
}

func (l *ledger) mark() ledgerMark { return ledgerMark{l.last, l.size, l.late} }

// takeBack undoes what was appended since, for a transaction that failed. Where
// that fails too the lines stay: at the next start they make documents uncertain
// that are not.
func (l *ledger) takeBack(was ledgerMark) {
	if l.size != was.size && (l.f == nil || l.f.Truncate(was.size) != nil) {
		return
	}
	l.last, l.size, l.late = was.last, was.size, was.late
}

// flush makes what was appended durable.
func (l *ledger) flush() error {
	if !l.dirty || l.f == nil {
		return nil
	}
	if l.sync != nil {
		return l.sync(l.f)
	}
	if err := syncFile(l.f); err != nil {
		return fmt.Errorf("write %s: %w", LedgerName, err)
	}
	l.dirty = false
	return nil
}

func (l *ledger) close() error {
	if l == nil || l.f == nil {
		return nil
	}
	err := errors.Join(l.flush(), l.f.Close())
	l.f = nil
	return err
}

func newLedgerID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// writeLedger puts a ledger in the place of the one that is there: its head, and
// the lines that each calls its argument with. The old one stays until the new
// one is whole and durable.
func writeLedger(dir, id string, last uint64, each func(line func(text []byte) error) error) (err error) {
	path := filepath.Join(dir, LedgerName)
	f, err := os.OpenFile(path+ledgerNew, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			_ = os.Remove(path + ledgerNew) // whatever is left is written over the next time
			err = fmt.Errorf("write %s: %w", LedgerName, err)
		}
	}()
	// the head says how many lines follow, which is known only after them: it is
	// written last, over a place of its size
	h := head{N: last, Key: id, At: time.Now().UTC().Truncate(time.Second), What: whatHead, Format: ledgerFormat, Digest: 1e9, About: ledgerAbout}
	blank, err := encodeLine(&h)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 256<<10)
	if _, err := out.Write(blank); err != nil {
		return err
	}
	h.Digest = 0
	err = each(func(text []byte) error {
		h.Digest++
		_, err := out.Write(text)
		return err
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		return err
	}
	first, err := paddedHead(h, len(blank))
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(first, 0); err != nil {
		return err
	}
	if err := errors.Join(syncFile(f), f.Close()); err != nil {
		f = nil
		return err
	}
	f = nil
	if err := os.Rename(path+ledgerNew, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// paddedHead is the head's line, made as long as size by what it says of itself.
func paddedHead(h head, size int) ([]byte, error) {
	line, err := encodeLine(&h)
	for err == nil && len(line) < size {
		h.About += " "
		line, err = encodeLine(&h)
	}
	return line, err
}

// tooLong reports whether much of the ledger is superseded by later lines.
func (l *ledger) tooLong() bool {
	return l.late == nil && !l.lost && l.size > 3*l.digest+maxSuperseded
}

// maxSuperseded is how many bytes of superseded lines are left in peace. It is
// a variable for tests.
var maxSuperseded int64 = 32 << 20

// shorten writes the ledger anew with the last line of each document.
func (l *ledger) shorten() error {
	r, err := readLedger(l.dir)
	if err != nil || !r.whole() || r.last != l.last {
		return errors.Join(err, errors.New("the ledger is not as it was left"))
	}
	if err := l.flush(); err != nil {
		return err
	}
	// Windows gives no name away whose file is open
	if err := l.f.Close(); err != nil {
		return err
	}
	err = rewriteLedger(l.dir, r, l.last)
	return errors.Join(err, l.reopen(err == nil))
}

// rewriteLedger writes a ledger anew with the last line of each document.
func rewriteLedger(dir string, r *reading, last uint64) error {
	old, err := os.Open(filepath.Join(dir, LedgerName))
	if err != nil {
		return err
	}
	places := slices.SortedFunc(maps.Values(r.newest), func(a, b place) int { return cmp.Compare(a.at, b.at) })
	err = writeLedger(dir, r.id, last, func(line func([]byte) error) error {
		defer old.Close()
		for _, p := range places {
			text := make([]byte, p.size)
			if _, err := old.ReadAt(text, p.at); err != nil {
				return err
			}
			if err := line(text); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, ignoreClosed(old.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

// reopen goes on with the file that now has the ledger's name.
func (l *ledger) reopen(anew bool) error {
	f, err := os.OpenFile(filepath.Join(l.dir, LedgerName), os.O_RDWR, 0o600)
	if err != nil {
		l.f = nil
		return err
	}
	info, err := f.Stat()
	if err != nil {
		l.f = nil
		return errors.Join(err, f.Close())
	}
	l.f, l.size, l.dirty = f, info.Size(), false
	if anew {
		l.digest = l.size
	}
	return nil
}
