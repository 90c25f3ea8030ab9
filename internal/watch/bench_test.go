package watch

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// bench is a folder under test: its directory, its options, and what was handed over.
type bench struct {
	t   testing.TB
	dir string
	opt Options
	f   *Folder

	// fault is the seam; set it before start.
	fault func(step, rel string) error
	// answer decides on arrivals; nil means Taken.
	answer func(Arrival) Decision

	mu       sync.Mutex
	arrivals []Arrival
	contents []string
	states   []State

	cancel context.CancelFunc
	ended  chan error
}

// newBench makes a folder with a settle time of 10 s and a scan interval of 30 s that is polled.
func newBench(t testing.TB) *bench {
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "inbox")}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.opt = Options{
		Name: "zwolle", Path: b.dir, Include: []string{"*.xml"}, Poll: true,
		ScanInterval: 30 * time.Second, Settle: 10 * time.Second,
		Marker: Marker{ID: "7c2d"}, Accept: b.accept, OnState: b.onState,
	}
	return b
}

func (b *bench) accept(_ context.Context, a Arrival) Decision {
	content := "?"
	if f, err := a.Open(); err != nil {
		content = err.Error()
	} else {
		data, _ := io.ReadAll(f)
		if err := a.Check(f); err != nil {
			b.t.Errorf("check %s: %v", a.Rel, err)
		}
		f.Close()
		content = string(data)
	}
	b.mu.Lock()
	b.arrivals = append(b.arrivals, a)
	b.contents = append(b.contents, content)
	b.mu.Unlock()
	if b.answer != nil {
		return b.answer(a)
	}
	return Decision{Outcome: Taken}
}

func (b *bench) onState(old, new State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states = append(b.states, new)
}

// start lets the folder run; it is stopped at the end of the test.
func (b *bench) start() {
	b.t.Helper()
	f, err := New(b.opt)
	if err != nil {
		b.t.Fatal(err)
	}
	f.fault = b.fault
	b.f = f
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ended = cancel, make(chan error, 1)
	go func() { b.ended <- f.Run(ctx) }()
	b.t.Cleanup(b.stop)
}

func (b *bench) stop() {
	if b.cancel == nil {
		return
	}
	b.cancel()
	b.cancel = nil
	if err := <-b.ended; err != nil {
		b.t.Errorf("run: %v", err)
	}
}

// rels gives the names handed over so far, in order.
func (b *bench) rels() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var rels []string
	for _, a := range b.arrivals {
		rels = append(rels, a.Rel)
	}
	return rels
}

// got gives what was handed over so far, and told the states that were told of.
func (b *bench) got() []Arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrivals)
}

func (b *bench) told() []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.states)
}

// want says which names must have been handed over by now, and no others.
func (b *bench) want(when string, rels ...string) {
	b.t.Helper()
	if got := b.rels(); !slices.Equal(got, rels) {
		b.t.Errorf("%s: handed over %q, want %q", when, got, rels)
	}
}

// wantState says whether the folder must be online, and else for which cause it is not.
func (b *bench) wantState(when string, cause Cause) State {
	b.t.Helper()
	s := b.f.State()
	if s.Cause != cause || s.Online != (cause == "") || (s.Reason == "") != s.Online {
		b.t.Errorf("%s: online %v, cause %q, reason %q; want cause %q", when, s.Online, s.Cause, s.Reason, cause)
	}
	return s
}

func (b *bench) path(rel string) string { return filepath.Join(b.dir, filepath.FromSlash(rel)) }

func (b *bench) write(rel, content string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(rel)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(rel), []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// writeMany saves n documents, quickly: each is a hard link to one file.
func (b *bench) writeMany(n int) {
	b.t.Helper()
	b.write("../template", "<x/>")
	for i := range n {
		if err := os.Link(b.path("../template"), b.path(fmt.Sprintf("put-%05d.xml", i))); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) append(rel, content string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(rel), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) chtime(rel string, at time.Time) {
	b.t.Helper()
	if err := os.Chtimes(b.path(rel), at, at); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	if err := os.Rename(b.path(from), b.path(to)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) remove(rel string) {
	b.t.Helper()
	if err := os.RemoveAll(b.path(rel)); err != nil {
		b.t.Fatal(err)
	}
}

// inBubble runs a test with time of its own. Real files are fine in it, a real watcher is not.
func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newBench(t)) })
}

// pass lets time pass and everything that is due come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// eventually polls a condition in real time.
func eventually(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// fakeSource is a source made of plain channels.
type fakeSource struct {
	events chan fsnotify.Event
	errs   chan error
	closed chan struct{}

	mu     sync.Mutex
	dirs   []string
	addErr map[string]error
	gate   chan struct{} // Add waits until an event has been received through it, if set
}

func newFakeSource() *fakeSource {
	return &fakeSource{events: make(chan fsnotify.Event), errs: make(chan error), closed: make(chan struct{}), addErr: map[string]error{}}
}

func (s *fakeSource) Add(dir string) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.addErr[dir]; err != nil {
		return err
	}
	if !slices.Contains(s.dirs, dir) {
		s.dirs = append(s.dirs, dir)
	}
	return nil
}

func (s *fakeSource) WatchList() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dirs)
}

func (s *fakeSource) Events() <-chan fsnotify.Event { return s.events }
func (s *fakeSource) Errors() <-chan error          { return s.errs }
func (s *fakeSource) Close() error                  { close(s.closed); return nil }

func (s *fakeSource) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// unwatch makes the source lose a directory without a word.
func (s *fakeSource) unwatch(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs = slices.DeleteFunc(s.dirs, func(d string) bool { return d == dir })
}

// event says that something happened.
func (s *fakeSource) event() {
	select {
	case s.events <- fsnotify.Event{Name: "x", Op: fsnotify.Write}:
	case <-s.closed:
	}
}

// fail reports an error.
func (s *fakeSource) fail(err error) {
	select {
	case s.errs <- err:
	case <-s.closed:
	}
}

// withSource gives the folder events from a row of fakes; making more than these fails.
func (b *bench) withSource(sources ...*fakeSource) *atomic.Int32 {
	var made atomic.Int32
	b.opt.Poll = false
	b.opt.NewSource = func() (Source, error) {
		n := int(made.Add(1))
		if n > len(sources) {
			return nil, fmt.Errorf("source %d was not expected", n)
		}
		return sources[n-1], nil
	}
	return &made
}
