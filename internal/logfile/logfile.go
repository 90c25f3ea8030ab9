// Package logfile writes a log to dated files in one folder.
//
// A [Writer] begins a file of a new name each day (brodaemon-2026-11-23.log, by
// the local date) and whenever a file has reached its size (…-23.2.log, …-23.3.log).
// A file is never renamed, and the new one is open before the old one is let go:
// a viewer that holds a file, as they do on Windows, costs no line. Old files are
// removed by age and by the size of all together.
//
// Its promise: writing never fails and never stops the program. What can't be
// written because the disk is full or the folder is gone is dropped and counted,
// and the next line that can be written is preceded by one that says how many
// are missing and since when. A crash of the program loses nothing that Write
// returned for; a crash of the machine may lose what was not synced.
//
// What it does not do: it has no goroutine, so old files are looked for when
// something is written, at most once an hour; and it knows nothing of levels or
// formats, each Write being one line.
package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	prefix = "brodaemon-"
	suffix = ".log"
	layout = "2006-01-02"
)

// Options say where and how much is kept.
type Options struct {
	Dir     string        // made at the first line, closed to other accounts
	MaxAge  time.Duration // of the last line in a file; 0 = no limit
	MaxSize int64         // bytes of all files together; 0 = no limit
	// Missing makes the line that stands for lines that could not be written; nil = plain English.
	Missing func(at time.Time, n int, since time.Time, err error) []byte
	// Now is the clock; nil = time.Now. Its location decides what a day is.
	Now func() time.Time
}

// Times and sizes that need no setting.
const (
	largest  = 64 << 20    // of one file: what an editor still opens
	share    = 8           // and this part of MaxSize, so that removing the oldest file removes little
	tidyPace = time.Hour   // between two looks for old files
	openPace = time.Second // between two attempts to begin a file
	tries    = 20          // numbers tried for a new file when the first ones can't be opened
)

// Writer is the log's end. Its methods are safe from any goroutine.
type Writer struct {
	opt   Options
	limit int64 // of one file; 0 = none

	mu     sync.Mutex
	file   *os.File // nil: none could be opened yet
	day    string   // of file
	number int      // of file, 1 for the first of a day
	size   int64    // of file
	broken bool     // the file ends in the middle of a line
	closed bool

	opened time.Time // last attempt to begin a file
	failed bool      // and it failed
	tidied time.Time // last look for old files

	missing int       // lines that could not be written
	since   time.Time // the first of them
	why     error
}

// New makes a Writer. It touches nothing: a log that can't be written yet is no
// reason not to start.
func New(o Options) *Writer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Missing == nil {
		o.Missing = func(at time.Time, n int, since time.Time, err error) []byte {
			return fmt.Appendf(nil, "%s  WARN  log  %d lines are missing since %s: %v\n", at.Format(time.RFC3339), n, since.Format(time.RFC3339), err)
		}
	}
	w := &Writer{opt: o}
	if o.MaxSize > 0 {
		w.limit = min(largest, max(o.MaxSize/share, 1))
	} else {
		w.limit = largest
	}
	return w
}

// Write writes one line, or counts it as missing. It never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.opt.Now()
	if w.closed {
		return len(line), nil
	}
	w.choose(now, int64(len(line)))
	text := line
	if w.missing > 0 {
		// both or neither: the notice alone fits where no line does, again and again
		text = append(w.opt.Missing(now, w.missing, w.since, w.why), line...)
	}
	switch err := w.put(text); {
	case err == nil:
		w.missing = 0
	case w.missing == 0:
		w.missing, w.since, w.why = 1, now, err
	default:
		w.missing++
	}
	w.tidy(now, false)
	return len(line), nil
}

// Missing is how many lines could not be written and were not told of yet.
func (w *Writer) Missing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.missing
}

// Sync makes what was written durable. It may be repeated.
func (w *Writer) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	return w.file.Sync()
}

// Close syncs and lets go of the file. Lines that are written later are not
// kept, and that is no error. It may be repeated.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	return err
}

// put writes to the file and takes back a line that fits in part only.
func (w *Writer) put(line []byte) error {
	if w.file == nil {
		if w.why != nil {
			return w.why
		}
		return errors.New("no log file could be opened")
	}
	if w.broken {
		line = append([]byte{'\n'}, line...)
	}
	n, err := w.file.Write(line)
	if err == nil {
		w.size += int64(n)
		w.broken = false
		return nil
	}
	if n > 0 && w.file.Truncate(w.size) != nil {
		w.size += int64(n)
		w.broken = true
	}
	return err
}

// choose makes sure that the file is the one for now. While a new one can't be
// opened the old one is written on.
func (w *Writer) choose(now time.Time, length int64) {
	day := now.Format(layout)
	if w.file != nil && w.day == day && (w.size == 0 || w.size+length <= w.limit) {
		return
	}
	if pause := now.Sub(w.opened); w.failed && pause >= 0 && pause < openPace {
		return // it just failed
	}
	w.opened, w.failed = now, true
	number := 1
	if w.file != nil && w.day == day {
		number = w.number + 1
	} else if last := w.lastNumber(day); last > 0 {
		number = last
	}
	file, number, size, err := w.open(day, number, length)
	if err != nil {
		if w.file == nil {
			w.why = err
		}
		return
	}
	if w.file != nil {
		_ = w.file.Close() // nothing is lost: each write went to the system
	}
	w.file, w.day, w.number, w.size, w.broken, w.failed = file, day, number, size, false, false
	w.tidy(now, true)
}

// open opens the first file from number on that can be opened and has room.
// One that another program keeps to itself is passed over.
func (w *Writer) open(day string, number int, length int64) (*os.File, int, int64, error) {
	if err := os.MkdirAll(w.opt.Dir, 0o700); err != nil {
		return nil, 0, 0, err
	}
	var first error
	for range tries {
		file, err := os.OpenFile(filepath.Join(w.opt.Dir, fileName(day, number)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			if first == nil {
				first = err
			}
			number++
			continue
		}
		info, err := file.Stat()
		if err != nil {
			return nil, 0, 0, errors.Join(err, file.Close())
		}
		if size := info.Size(); size == 0 || size+length <= w.limit {
			return file, number, size, nil
		}
		_ = file.Close()
		number++
	}
	if first == nil {
		first = fs.ErrExist
	}
	return nil, 0, 0, first
}

// Current is the file that is written to, "" while there is none.
func (w *Writer) Current() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return ""
	}
	return w.file.Name()
}
