package watch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

// TestEventsHurryTheScan plays with a fake source; the scan interval is an hour, so that only events explain what happens.
func TestEventsHurryTheScan(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		src := newFakeSource()
		b.withSource(src)
		b.opt.ScanInterval = time.Hour
		scans := b.countScans()
		b.start()
		pass(time.Second)
		if s := b.f.State(); !s.Events || s.Polling != "" {
			t.Errorf("events %v, polling %q", s.Events, s.Polling)
		}
		if got := src.WatchList(); !slices.Equal(got, []string{b.dir}) {
			t.Errorf("watched %q", got)
		}
		if n := scans(); n != 1 {
			t.Errorf("%d scans at the start, want 1", n)
		}

		b.write("a.xml", "<a/>")
		for range 5 {
			src.event()
		}
		pass(eventQuiet / 2)
		if n := scans(); n != 1 {
			t.Errorf("%d scans before events have paused, want 1", n)
		}
		pass(eventQuiet)
		if n := scans(); n != 2 {
			t.Errorf("%d scans after events have paused, want 2", n)
		}
		pass(11 * time.Second)
		b.want("a settle time after the event", "a.xml")
	})
}

func TestConstantEventsDoNotStarveTheScan(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		src := newFakeSource()
		b.withSource(src)
		b.opt.ScanInterval = time.Hour
		scans := b.countScans()
		b.start()
		pass(time.Second)
		before := scans()
		for range 200 { // ten seconds without a pause
			src.event()
			pass(50 * time.Millisecond)
		}
		if n := scans() - before; n < 8 || n > 11 {
			t.Errorf("%d scans in ten seconds of events, want one per second", n)
		}
	})
}

func TestOverflowMeansScanNow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		src := newFakeSource()
		made := b.withSource(src)
		b.opt.ScanInterval = time.Hour
		scans := b.countScans()
		b.start()
		pass(time.Second)
		before := scans()
		src.fail(fmt.Errorf("wrapped: %w", fsnotify.ErrEventOverflow))
		pass(minRest)
		if n := scans() - before; n != 1 {
			t.Errorf("%d scans, want 1", n)
		}
		if src.isClosed() || made.Load() != 1 {
			t.Errorf("an overflow must not cost the source")
		}
	})
}

func TestFailedSourceIsMadeAnew(t *testing.T) {
	tests := []struct {
		name string
		fail func(s *fakeSource)
	}{
		{"an error", func(s *fakeSource) { s.fail(errors.New("the specified network name is no longer available")) }},
		{"many errors", func(s *fakeSource) {
			for range 20 {
				s.fail(errors.New("trouble"))
			}
		}},
		{"closed events", func(s *fakeSource) { close(s.events) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				first, second := newFakeSource(), newFakeSource()
				b.withSource(first, second)
				b.opt.ScanInterval = time.Hour
				scans := b.countScans()
				b.start()
				pass(time.Second)
				before := scans()
				tt.fail(first)
				pass(eventBackoff / 2)
				if s := b.f.State(); s.Events || !strings.HasPrefix(s.Polling, "events failed") {
					t.Errorf("events %v, polling %q", s.Events, s.Polling)
				}
				if !first.isClosed() || scans() == before {
					t.Errorf("closed %v, %d scans after the failure", first.isClosed(), scans()-before)
				}
				pass(eventBackoff)
				if s := b.f.State(); !s.Events {
					t.Errorf("no events again: %q", s.Polling)
				}
				b.write("a.xml", "<a/>")
				second.event()
				pass(15 * time.Second)
				b.want("by the second source", "a.xml")
			})
		})
	}
}

func TestFailingSourceIsTriedLessAndLess(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		made := b.withSource() // every one fails
		b.start()
		pass(24 * time.Hour)
		if made.Load() < 24 || made.Load() > 24+13 {
			t.Errorf("tried %d times in a day, want some at first and then one an hour", made.Load())
		}
		b.write("a.xml", "<a/>")
		pass(time.Minute)
		b.want("by polling alone", "a.xml")
	})
}

func TestSystemLimitsMeanPolling(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has these limits")
	}
	tests := []struct {
		name   string
		err    error
		sysctl string
	}{
		{"too many directories", syscall.ENOSPC, "fs.inotify.max_user_watches"},
		{"too many watchers", fmt.Errorf("couldn't initialize inotify: %w", syscall.EMFILE), "fs.inotify.max_user_instances"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				src := newFakeSource()
				src.addErr[b.dir] = tt.err
				made := b.withSource(src)
				b.start()
				pass(30 * time.Second)
				s := b.wantState("at the limit", "")
				if s.Events || !strings.Contains(s.Polling, tt.sysctl) {
					t.Errorf("events %v, polling %q, want it to name %s", s.Events, s.Polling, tt.sysctl)
				}
				if made.Load() != 1 {
					t.Errorf("tried %d times within half a minute", made.Load())
				}
				b.write("a.xml", "<a/>")
				pass(time.Minute)
				b.want("by polling", "a.xml")
			})
		})
	}
}

// TestSilentlyDeadWatch covers what is reported neither as event nor as error: an unmounted folder, one that was mounted over, old age.
func TestSilentlyDeadWatch(t *testing.T) {
	tests := []struct {
		name string
		kill func(b *bench, s *fakeSource)
	}{
		{"the watch has left the list", func(b *bench, s *fakeSource) { s.unwatch(b.dir) }},
		{"another directory is there", func(b *bench, s *fakeSource) {
			b.rename("../inbox", "../old")
			b.write("x", "")
			b.remove("x")
			b.write(MarkerName, `{"id":"7c2d"}`)
		}},
		{"old age", func(b *bench, s *fakeSource) { pass(eventLife) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				first, second := newFakeSource(), newFakeSource()
				b.withSource(first, second)
				b.start()
				pass(time.Second)
				tt.kill(b, first)
				pass(time.Minute)
				if !first.isClosed() || second.isClosed() {
					t.Errorf("first closed %v, second closed %v", first.isClosed(), second.isClosed())
				}
				if got := second.WatchList(); !slices.Equal(got, []string{b.dir}) {
					t.Errorf("the second watches %q", got)
				}
				b.wantState("afterwards", "")
			})
		})
	}
}

func TestOfflineFolderHasNoSource(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		first, second := newFakeSource(), newFakeSource()
		b.withSource(first, second)
		b.start()
		pass(time.Second)
		b.rename("../inbox", "../away")
		pass(time.Minute)
		if s := b.wantState("away", CauseMissing); s.Events || s.Polling != whyOffline || !first.isClosed() {
			t.Errorf("events %v, polling %q, closed %v", s.Events, s.Polling, first.isClosed())
		}
		b.rename("../away", "../inbox")
		pass(time.Minute)
		if s := b.wantState("back", ""); !s.Events {
			t.Errorf("no events: %q", s.Polling)
		}
	})
}

// TestListenerDrainsWhileAddWaits lets Add return only after an event has been received, as on Windows, where one thread serves both.
func TestListenerDrainsWhileAddWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		src := newFakeSource()
		src.gate = make(chan struct{})
		b.withSource(src)
		b.start()
		go func() {
			for range 100 {
				src.event()
			}
			src.gate <- struct{}{}
		}()
		pass(time.Second)
		if s := b.wantState("after it", ""); !s.Events {
			t.Errorf("no events: %q", s.Polling)
		}
	})
}

func TestSubfoldersAreWatched(t *testing.T) {
	if !watchSubfolders {
		t.Skip("sub-folders get no watches here")
	}
	inBubble(t, func(t *testing.T, b *bench) {
		src, second := newFakeSource(), newFakeSource()
		b.withSource(src, second)
		b.opt.Recursive = true
		b.opt.Exclude = []string{b.path("done")}
		b.write("sub/deep/a.xml", "<a/>")
		b.write("done/b.xml", "<b/>")
		b.start()
		pass(time.Second)
		got := src.WatchList()
		slices.Sort(got)
		if want := []string{b.dir, b.path("sub"), b.path("sub/deep")}; !slices.Equal(got, want) {
			t.Errorf("watched %q, want %q", got, want)
		}
		src.mu.Lock()
		src.addErr[b.path("new")] = syscall.ENOENT // gone before it could be watched
		src.mu.Unlock()
		b.write("new/c.xml", "<c/>")
		pass(time.Minute)
		if s := b.f.State(); !s.Events || src.isClosed() {
			t.Errorf("a folder that is gone again cost the source: %q", s.Polling)
		}
	})
}

// TestNetworkFileSystemIsPolled declares the file system of the test a network file system.
func TestNetworkFileSystemIsPolled(t *testing.T) {
	b := newBench(t)
	restore, ok := declareRemote(b.dir)
	if !ok {
		t.Skip("file systems are not told apart here")
	}
	defer restore()
	inBubble(t, func(t *testing.T, b *bench) {
		made := b.withSource()
		b.write("a.xml", "<a/>")
		b.start()
		pass(time.Minute)
		if s := b.wantState("on a network file system", ""); s.Events || !strings.Contains(s.Polling, "network file system") || made.Load() != 0 {
			t.Errorf("events %v, polling %q, %d sources made", s.Events, s.Polling, made.Load())
		}
		b.want("by polling", "a.xml")
	})
}

// countScans counts how often the folder is opened.
func (b *bench) countScans() func() int {
	var opened []time.Time
	b.fault = func(step, rel string) error {
		if step == "open" {
			b.mu.Lock()
			opened = append(opened, time.Now())
			b.mu.Unlock()
		}
		return nil
	}
	return func() int {
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(opened)
	}
}

// The tests below use a real watcher in real time, with a scan interval of an hour: what arrives soon was brought by events.

func TestRealEvents(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := newBench(t)
	b.opt.Poll, b.opt.ScanInterval, b.opt.Settle = false, time.Hour, 50*time.Millisecond
	b.start()
	defer b.stop()
	eventually(t, "online with events", 5*time.Second, func() bool { s := b.f.State(); return s.Online && s.Events })

	b.write("a.xml", "<a/>")
	eventually(t, "a.xml", 5*time.Second, func() bool { return slices.Equal(b.rels(), []string{"a.xml"}) })
	b.write("b.part", "<b/>")
	b.rename("b.part", "b.xml")
	eventually(t, "b.xml", 5*time.Second, func() bool { return slices.Equal(b.rels(), []string{"a.xml", "b.xml"}) })

	// Renewing and losing a watch is survived: the directory is replaced by another one.
	b.rename("../inbox", "../old")
	b.write("c.xml", "<c/>")
	mustInit(b, "7c2d")
	b.f.ScanSoon()
	eventually(t, "c.xml in the new directory", 5*time.Second, func() bool { return slices.Contains(b.rels(), "c.xml") })
	b.write("d.xml", "<d/>")
	eventually(t, "d.xml by the new watch", 5*time.Second, func() bool { return slices.Contains(b.rels(), "d.xml") })
}

func TestRealEventsInSubfolders(t *testing.T) {
	if !watchSubfolders {
		t.Skip("sub-folders get no watches here")
	}
	defer goleak.VerifyNone(t)
	b := newBench(t)
	b.opt.Poll, b.opt.ScanInterval, b.opt.Settle, b.opt.Recursive = false, time.Hour, 50*time.Millisecond, true
	b.start()
	defer b.stop()
	eventually(t, "online", 5*time.Second, func() bool { return b.f.State().Events })
	b.write("x/y/z/a.xml", "<a/>") // folders and file at once
	eventually(t, "a.xml", 5*time.Second, func() bool { return slices.Contains(b.rels(), "x/y/z/a.xml") })
	b.write("x/y/z/b.xml", "<b/>")
	eventually(t, "b.xml", 5*time.Second, func() bool { return slices.Contains(b.rels(), "x/y/z/b.xml") })
}

// TestRealTenThousandFiles saves ten thousand files while the folder is watched by events alone.
func TestRealTenThousandFiles(t *testing.T) {
	b := newBench(t)
	count := make(map[string]int)
	b.opt.Poll, b.opt.ScanInterval, b.opt.Settle = false, time.Hour, 50*time.Millisecond
	b.opt.Accept = func(_ context.Context, a Arrival) Decision {
		b.mu.Lock()
		defer b.mu.Unlock()
		count[a.Rel]++
		return Decision{Outcome: Taken}
	}
	b.start()
	defer b.stop()
	const n = 10000
	b.writeMany(n)
	eventually(t, "ten thousand arrivals", 20*time.Second, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(count) == n
	})
	b.stop()
	for rel, times := range count {
		if times != 1 {
			t.Errorf("%s arrived %d times", rel, times)
		}
	}
}
