package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a clock that stands still until it is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) advance(d time.Duration) { c.set(c.Now().Add(d)) }

var amsterdam = time.FixedZone("CET", 3600)

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, amsterdam)} }

func newWriter(t *testing.T, c *clock, o Options) *Writer {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "logs")
	}
	o.Now = c.Now
	w := New(o)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

func line(t *testing.T, w *Writer, text string) {
	t.Helper()
	if n, err := w.Write([]byte(text + "\n")); err != nil || n != len(text)+1 {
		t.Fatalf("write: %d, %v; it must never fail", n, err)
	}
}

func files(t *testing.T, w *Writer) []string {
	t.Helper()
	entries, err := os.ReadDir(w.opt.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func read(t *testing.T, w *Writer, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.opt.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestNewNameEachDayByTheLocalDate(t *testing.T) {
	c := newClock()
	w := newWriter(t, c, Options{})
	c.set(time.Date(2026, 11, 23, 23, 59, 59, 0, amsterdam)) // 22:59 UTC
	line(t, w, "before")
	c.advance(2 * time.Second) // a new day here, not yet in UTC
	line(t, w, "after")
	want(t, "files", files(t, w), []string{"brodaemon-2026-11-23.log", "brodaemon-2026-11-24.log"})
	want(t, "the 23rd", read(t, w, "brodaemon-2026-11-23.log"), "before\n")
	want(t, "the 24th", read(t, w, "brodaemon-2026-11-24.log"), "after\n")
}

func TestNewNameAtASize(t *testing.T) {
	c := newClock()
	w := newWriter(t, c, Options{MaxSize: 80}) // a file holds 10
	for i := range 4 {
		line(t, w, fmt.Sprintf("line%d", i)) // 6 bytes
	}
	want(t, "files", files(t, w), []string{"brodaemon-2026-11-23.2.log", "brodaemon-2026-11-23.3.log", "brodaemon-2026-11-23.4.log", "brodaemon-2026-11-23.log"})
	want(t, "the second", read(t, w, "brodaemon-2026-11-23.2.log"), "line1\n")
}

func TestAStartGoesOnInTheLastFileThatHasRoom(t *testing.T) {
	c := newClock()
	o := Options{Dir: t.TempDir(), MaxSize: 800}
	w := newWriter(t, c, o)
	line(t, w, strings.Repeat("x", 90))
	line(t, w, "second file")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = newWriter(t, c, o)
	line(t, w, "after a start")
	want(t, "files", files(t, w), []string{"brodaemon-2026-11-23.2.log", "brodaemon-2026-11-23.log"})
	want(t, "the second", read(t, w, "brodaemon-2026-11-23.2.log"), "second file\nafter a start\n")
}

func TestKeptByAge(t *testing.T) {
	c := newClock()
	w := newWriter(t, c, Options{MaxAge: 48 * time.Hour})
	for range 5 {
		line(t, w, "x")
		if err := os.Chtimes(w.Current(), c.Now(), c.Now()); err != nil {
			t.Fatal(err)
		}
		c.advance(24 * time.Hour)
	}
	line(t, w, "x")
	want(t, "files", files(t, w), []string{"brodaemon-2026-11-26.log", "brodaemon-2026-11-27.log", "brodaemon-2026-11-28.log"})
}

func TestKeptByTotalSizeAndNothingElseIsTouched(t *testing.T) {
	c := newClock()
	w := newWriter(t, c, Options{MaxSize: 800}) // files of 100
	others := []string{"notes.txt", "brodaemon-2026-11-22.1.log", "brodaemon-2026-11-22.02.log", "brodaemon-2026-13-40.log", "brodaemon-2026-11-22.log.zip"}
	if err := os.MkdirAll(w.opt.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(w.opt.Dir, name), bytes.Repeat([]byte("y"), 500), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		line(t, w, fmt.Sprintf("%079d", i))
		var total int64
		for _, k := range w.list() {
			total += k.size
		}
		if total > 800 {
			t.Fatalf("%d bytes are kept after line %d, 800 were allowed", total, i)
		}
	}
	left := files(t, w)
	for _, name := range others {
		if !strings.Contains(strings.Join(left, " "), name) {
			t.Errorf("%s was removed", name)
		}
	}
	want(t, "the last line", read(t, w, filepath.Base(w.Current())), fmt.Sprintf("%079d\n", 199))
	if n := len(w.list()); n < 5 {
		t.Errorf("only %d files are kept where 8 fit", n)
	}
}

// The folder can't be made; later it can.
func TestMissingLinesAreCountedAndToldOf(t *testing.T) {
	c := newClock()
	parent := t.TempDir()
	blocked := filepath.Join(parent, "logs")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	w := newWriter(t, c, Options{Dir: blocked})
	for range 3 {
		line(t, w, "lost")
		c.advance(2 * openPace)
	}
	want(t, "missing", w.Missing(), 3)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	line(t, w, "kept")
	got := read(t, w, "brodaemon-2026-11-23.log")
	if !strings.Contains(got, "3 lines are missing since 2026-11-23T12:00:00+01:00") || !strings.HasSuffix(got, "\nkept\n") || strings.Contains(got, "lost") {
		t.Errorf("got %q", got)
	}
	want(t, "missing afterwards", w.Missing(), 0)
}

func TestOldFileIsWrittenOnWhileNoNewOneCanBeOpened(t *testing.T) {
	if os.Getuid() == 0 || os.PathSeparator == '\\' {
		// root and Windows ignore a folder's mode: a folder of every name that would be tried
		c := newClock()
		w := newWriter(t, c, Options{})
		line(t, w, "first day")
		for n := 1; n <= tries; n++ {
			if err := os.Mkdir(filepath.Join(w.opt.Dir, fileName("2026-11-24", n)), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		c.advance(24 * time.Hour)
		line(t, w, "second day")
		line(t, w, "again")
		want(t, "the first day's file", read(t, w, "brodaemon-2026-11-23.log"), "first day\nsecond day\nagain\n")
		if err := os.Remove(filepath.Join(w.opt.Dir, fileName("2026-11-24", 1))); err != nil {
			t.Fatal(err)
		}
		c.advance(2 * openPace)
		line(t, w, "there")
		want(t, "the second day's file", read(t, w, "brodaemon-2026-11-24.log"), "there\n")
		return
	}
	c := newClock()
	w := newWriter(t, c, Options{})
	line(t, w, "first day")
	if err := os.Chmod(w.opt.Dir, 0o500); err != nil {
		t.Fatal(err)
	}
	c.advance(24 * time.Hour)
	line(t, w, "second day")
	want(t, "the first day's file", read(t, w, "brodaemon-2026-11-23.log"), "first day\nsecond day\n")
	if err := os.Chmod(w.opt.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// A viewer that holds the present file, and one that holds the next one, cost no line.
func TestAViewerHoldsFilesOverASwitch(t *testing.T) {
	c := newClock()
	w := newWriter(t, c, Options{MaxAge: time.Hour})
	line(t, w, "one")
	viewer, err := os.Open(w.Current()) // on Windows this keeps the file from being removed or renamed
	if err != nil {
		t.Fatal(err)
	}
	defer viewer.Close()
	c.advance(24 * time.Hour)
	line(t, w, "two")
	line(t, w, "three")
	want(t, "the new file", read(t, w, "brodaemon-2026-11-24.log"), "two\nthree\n")
	got := make([]byte, 100)
	if n, _ := viewer.Read(got); string(got[:n]) != "one\n" {
		t.Errorf("the viewer sees %q", got[:n])
	}
}

func TestManyWritersLoseNoLine(t *testing.T) {
	c := newClock()
	w := newWriter(t, c, Options{MaxSize: 1 << 20})
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			for j := range 200 {
				line(t, w, fmt.Sprintf("%d-%d", i, j))
				if i == 0 {
					c.advance(10 * time.Minute) // over midnights
				}
			}
		})
	}
	g.Wait()
	n := 0
	for _, name := range files(t, w) {
		n += strings.Count(read(t, w, name), "\n")
	}
	want(t, "lines", n, 8*200)
	if len(files(t, w)) < 2 {
		t.Error("no midnight was crossed")
	}
}

func TestNothingIsKeptAfterClose(t *testing.T) {
	w := newWriter(t, newClock(), Options{})
	line(t, w, "x")
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	line(t, w, "late")
	want(t, "content", read(t, w, "brodaemon-2026-11-23.log"), "x\n")
	if err := w.Sync(); err != nil {
		t.Error(err)
	}
}
