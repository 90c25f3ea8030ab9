package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestSettling follows one file in a polled folder: settle 10 s, scan interval 30 s.
func TestSettling(t *testing.T) {
	tests := []struct {
		name string
		play func(b *bench)
	}{
		{"a file that lies there is taken when the settle time is over, not at the next interval", func(b *bench) {
			b.write("a.xml", "<a/>")
			b.start()
			pass(9 * time.Second)
			b.want("before the settle time")
			pass(2 * time.Second)
			b.want("after the settle time", "a.xml")
			pass(10 * time.Minute)
			b.want("long after", "a.xml")
		}},
		{"a file that comes later is first seen at the next scan", func(b *bench) {
			b.start()
			pass(time.Second)
			b.write("a.xml", "<a/>")
			pass(25 * time.Second)
			b.want("before the next scan")
			pass(19 * time.Second)
			b.want("one interval and the settle time later", "a.xml")
		}},
		{"a growing file waits", func(b *bench) {
			b.write("a.xml", "<a>")
			b.start()
			for range 10 {
				pass(9 * time.Second)
				b.append("a.xml", ".")
				b.want("while it grows")
			}
			pass(45 * time.Second)
			b.want("when it has stopped growing", "a.xml")
		}},
		{"a file of the same size with a new time settles again", func(b *bench) {
			b.write("a.xml", "<a/>")
			b.start()
			pass(9 * time.Second)
			b.chtime("a.xml", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
			pass(9 * time.Second)
			b.want("a settle time after it was first seen, but not after it changed")
			pass(15 * time.Second)
			b.want("later", "a.xml")
		}},
		{"an old time is no proof of age", func(b *bench) {
			b.write("a.xml", "<a/>")
			b.chtime("a.xml", time.Date(1994, 5, 1, 0, 0, 0, 0, time.UTC))
			b.start()
			pass(9 * time.Second)
			b.want("before the settle time")
			pass(2 * time.Second)
			b.want("after it", "a.xml")
		}},
		{"a time in the future does not matter", func(b *bench) {
			b.write("a.xml", "<a/>")
			b.chtime("a.xml", time.Date(2094, 5, 1, 0, 0, 0, 0, time.UTC))
			b.start()
			pass(11 * time.Second)
			b.want("after the settle time", "a.xml")
		}},
		{"rename into place", func(b *bench) {
			b.write("a.xml.tmp", "<a/>")
			b.start()
			pass(time.Minute)
			b.want("under its temporary name")
			b.rename("a.xml.tmp", "a.xml")
			pass(45 * time.Second)
			b.want("under its own name", "a.xml")
		}},
		{"an overwritten file is a new arrival", func(b *bench) {
			b.write("a.xml", "<a/>")
			b.start()
			pass(time.Minute)
			b.write("a.xml", "<a>2</a>")
			pass(time.Minute)
			b.want("after both", "a.xml", "a.xml")
			if want := []string{"<a/>", "<a>2</a>"}; !slices.Equal(b.contents, want) {
				b.t.Errorf("read %q, want %q", b.contents, want)
			}
		}},
		{"a file that is gone and comes again is a new arrival", func(b *bench) {
			b.write("a.xml", "<a/>")
			at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			b.chtime("a.xml", at)
			b.start()
			pass(time.Minute)
			b.remove("a.xml")
			pass(time.Minute)
			b.write("a.xml", "<a/>")
			b.chtime("a.xml", at)
			pass(time.Minute)
			b.want("after both", "a.xml", "a.xml")
		}},
		{"no settle time still needs two looks", func(b *bench) {
			b.opt.Settle = 0
			looks := 0
			b.fault = func(step, rel string) error {
				if step == "open" {
					looks++
				}
				return nil
			}
			b.answer = func(Arrival) Decision {
				if looks != 2 {
					b.t.Errorf("handed over after %d looks, want 2", looks)
				}
				return Decision{Outcome: Taken}
			}
			b.write("a.xml", "<a/>")
			b.start()
			pass(time.Second)
			b.want("soon", "a.xml")
		}},
		{"upper case", func(b *bench) {
			b.write("A.XML", "<a/>")
			b.start()
			pass(11 * time.Second)
			b.want("after the settle time", "A.XML")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { inBubble(t, func(t *testing.T, b *bench) { tt.play(b) }) })
	}
}

func TestArrivalsComeInOrderOfTimeAndName(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		for i, rel := range []string{"d.xml", "c.xml", "b.xml", "a.xml"} {
			b.write(rel, "<x/>")
			b.chtime(rel, at.Add(time.Duration(i/2)*time.Second))
		}
		b.start()
		pass(11 * time.Second)
		b.want("in one scan", "c.xml", "d.xml", "a.xml", "b.xml")
		a := b.got()[0]
		if a.Folder != "zwolle" || a.Path != b.path("c.xml") || a.Size != 4 || !a.ModTime.Equal(at) || a.Unchanged < 10*time.Second {
			t.Errorf("arrival %+v", a)
		}
	})
}

func TestTenThousandFilesAtOnceAllArriveOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		const n = 10000
		b.writeMany(n)
		b.opt.Accept = func(_ context.Context, a Arrival) Decision { // without reading them
			b.arrivals = append(b.arrivals, a)
			time.Sleep(10 * time.Millisecond)
			return Decision{Outcome: Taken}
		}
		b.start()
		pass(3 * time.Minute)
		seen := map[string]bool{}
		for _, a := range b.arrivals {
			seen[a.Rel] = true
		}
		if len(b.arrivals) != n || len(seen) != n {
			t.Errorf("%d arrivals of %d files, want %d of each", len(b.arrivals), len(seen), n)
		}
		if s := b.wantState("at the end", ""); s.Files != n || s.SettlingCount != 0 || s.WaitingCount != 0 {
			t.Errorf("files %d, settling %d, waiting %d", s.Files, s.SettlingCount, s.WaitingCount)
		}
	})
}

func TestDecisions(t *testing.T) {
	notYet := func(after time.Duration) Decision {
		return Decision{Outcome: NotYet, Reason: "not complete", AskAgainAfter: after}
	}
	tests := []struct {
		name    string
		answers []Decision // one after another; the last is repeated
		play    func(b *bench)
	}{
		{"not yet waits for a change", []Decision{notYet(0), {Outcome: Taken}}, func(b *bench) {
			pass(time.Hour)
			b.want("unchanged", "a.xml")
			if s := b.f.State(); s.WaitingCount != 1 || s.Waiting[0].Rel != "a.xml" || s.Waiting[0].Reason != "not complete" {
				b.t.Errorf("waiting %+v", s.Waiting)
			}
			b.append("a.xml", "</a>")
			pass(time.Minute)
			b.want("changed", "a.xml", "a.xml")
			if s := b.f.State(); s.WaitingCount != 0 {
				b.t.Errorf("waiting %+v after it was taken", s.Waiting)
			}
		}},
		{"not yet is asked again once after the time it named", []Decision{notYet(30 * time.Minute), {Outcome: Taken}}, func(b *bench) {
			pass(29 * time.Minute)
			b.want("before that time", "a.xml")
			pass(61 * time.Second)
			b.want("after it", "a.xml", "a.xml")
			if got := b.got()[1].Unchanged; got < 30*time.Minute || got > 30*time.Minute+time.Second {
				b.t.Errorf("asked again after %s unchanged", got)
			}
			pass(time.Hour)
			b.want("later", "a.xml", "a.xml")
		}},
		{"a file that changes while it waits starts its time anew", []Decision{notYet(30 * time.Minute)}, func(b *bench) {
			pass(20 * time.Minute)
			b.append("a.xml", ".")
			pass(20 * time.Minute)
			b.want("after the change", "a.xml", "a.xml")
			if got := b.got()[1].Unchanged; got > 15*time.Second {
				b.t.Errorf("unchanged for %s right after it settled", got)
			}
		}},
		{"a time that has passed means the next scan, so that nothing is forgotten", []Decision{notYet(time.Second), {Outcome: Taken}}, func(b *bench) {
			pass(15 * time.Second)
			b.want("at first", "a.xml")
			pass(30 * time.Second)
			b.want("at the next scan", "a.xml", "a.xml")
		}},
		{"retry is offered at the next scan", []Decision{{Outcome: Retry, Reason: "disk full"}, {Outcome: Retry, Reason: "disk full"}, {Outcome: Taken}}, func(b *bench) {
			pass(15 * time.Second)
			b.want("at first", "a.xml")
			first := b.f.State()
			if first.WaitingCount != 1 || first.Waiting[0].Reason != "disk full" {
				b.t.Errorf("waiting %+v", first.Waiting)
			}
			pass(33 * time.Second)
			b.want("one interval later", "a.xml", "a.xml")
			if again := b.f.State(); !again.Waiting[0].Since.Equal(first.Waiting[0].Since) {
				b.t.Errorf("waits since %s, was %s: the same reason must keep its time", again.Waiting[0].Since, first.Waiting[0].Since)
			}
			b.f.ScanSoon()
			pass(time.Second)
			b.want("after a scan was asked for", "a.xml", "a.xml", "a.xml")
			pass(time.Hour)
			b.want("later", "a.xml", "a.xml", "a.xml")
		}},
		{"an empty decision loses nothing", []Decision{{}, {Outcome: Taken}}, func(b *bench) {
			pass(time.Minute)
			b.want("at the next scan", "a.xml", "a.xml")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				n := 0
				b.answer = func(Arrival) Decision {
					d := tt.answers[min(n, len(tt.answers)-1)]
					n++
					return d
				}
				b.write("a.xml", "<a>")
				b.start()
				tt.play(b)
			})
		})
	}
}

func TestForget(t *testing.T) {
	for _, forget := range []bool{true, false} {
		t.Run(fmt.Sprintf("forget=%v", forget), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.write("a.xml", "<a/>")
				b.start()
				pass(time.Minute)
				b.want("at first", "a.xml")
				// Away and back between two scans: size, time and file are the same.
				if err := os.Rename(b.path("a.xml"), b.dir+"-failed"); err != nil {
					t.Fatal(err)
				}
				if forget {
					b.f.Forget("a.xml")
				}
				if err := os.Rename(b.dir+"-failed", b.path("a.xml")); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				if forget {
					b.want("moved back", "a.xml", "a.xml")
				} else {
					b.want("never seen away", "a.xml")
				}
			})
		})
	}
}

// TestOffline goes through everything that makes a folder offline, and back.
func TestOffline(t *testing.T) {
	tests := []struct {
		name  string
		cause Cause
		brk   func(b *bench)
		mend  func(b *bench)
		says  []string
	}{
		{"the marker is gone", CauseMarkerMissing,
			func(b *bench) { b.rename(MarkerName, "elsewhere") },
			func(b *bench) { b.rename("elsewhere", MarkerName) },
			[]string{"Check first", "Do not simply", "brodaemon folder init zwolle"}},
		{"the marker of another folder", CauseMarkerOther,
			func(b *bench) { b.write(MarkerName, `{"folder":"deventer","id":"other"}`) },
			func(b *bench) { mustInit(b, "7c2d") },
			[]string{"another folder seems to be here", `"deventer"`}},
		{"a damaged marker", CauseMarkerDamaged,
			func(b *bench) { b.write(MarkerName, "\x00\x00") },
			func(b *bench) { mustInit(b, "7c2d") },
			[]string{"damaged", "Check first"}},
		{"a directory in place of the marker", CauseMarkerDamaged,
			func(b *bench) { b.remove(MarkerName); b.write(MarkerName+"/x", "") },
			func(b *bench) { b.remove(MarkerName); mustInit(b, "7c2d") },
			[]string{"not an ordinary file"}},
		{"the folder is gone", CauseMissing,
			func(b *bench) { b.rename("../inbox", "../away") },
			func(b *bench) { b.rename("../away", "../inbox") },
			[]string{"open folder", "does not exist"}},
		{"a file in place of the folder", CauseNotAFolder,
			func(b *bench) { b.rename("../inbox", "../away"); b.write("../inbox", "") },
			func(b *bench) { b.remove("../inbox"); b.rename("../away", "../inbox") },
			[]string{"not a folder"}},
		{"an empty folder in its place, as under a share that is not mounted", CauseMarkerMissing,
			func(b *bench) { b.rename("../inbox", "../away"); b.write("x", ""); b.remove("x") },
			func(b *bench) { b.remove("../inbox"); b.rename("../away", "../inbox") },
			[]string{"share is not connected"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.write("a.xml", "<a/>")
				b.start()
				pass(time.Minute)
				b.wantState("before", "")

				tt.brk(b)
				since := time.Now()
				pass(40 * time.Second)
				s := b.wantState("broken", tt.cause)
				for _, word := range tt.says {
					if !strings.Contains(s.Reason, word) {
						t.Errorf("reason %q does not say %q", s.Reason, word)
					}
				}
				if s.Since.Before(since) || s.LastScan.After(since) || s.Files != 1 {
					t.Errorf("offline since %s, last scan %s, files %d", s.Since, s.LastScan, s.Files)
				}
				pass(time.Hour)
				b.want("nothing is taken while offline", "a.xml")
				if n := len(b.told()); n != 2 {
					t.Errorf("told of %d states, want online and offline: %+v", n, b.told())
				}

				tt.mend(b)
				pass(40 * time.Second)
				gap := b.wantState("mended", "").Gap
				if gap.From != s.Since || gap.Until.Sub(gap.From) < time.Hour || gap.Cause != tt.cause {
					t.Errorf("it says it was offline %+v", gap)
				}
				pass(time.Minute)
				b.want("nothing was forgotten", "a.xml")
				if n := len(b.told()); n != 3 || !b.told()[2].Online {
					t.Errorf("told of %d states, want three: %+v", n, b.told())
				}
			})
		})
	}
}

func mustInit(b *bench, id string) {
	b.t.Helper()
	if err := InitMarker(b.dir, "zwolle", id); err != nil {
		b.t.Fatal(err)
	}
}

func TestOfflineByErrorOfTheSystem(t *testing.T) {
	tests := []struct {
		name  string
		step  string
		err   error
		cause Cause
	}{
		{"open", "open", &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, CauseNoPermission},
		{"marker", "read the marker of", &fs.PathError{Op: "open", Path: "x", Err: syscall.EIO}, CauseTrouble},
		{"list", "list", errors.New("broken"), CauseTrouble},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				var broken atomic.Bool
				b.fault = func(step, rel string) error {
					if broken.Load() && step == tt.step {
						return tt.err
					}
					return nil
				}
				b.write("a.xml", "<a/>")
				b.start()
				pass(time.Minute)
				broken.Store(true)
				pass(time.Minute)
				if s := b.f.State(); s.Online || s.Cause == CausePartial || s.Files != 1 {
					t.Errorf("online %v, cause %q, files %d", s.Online, s.Cause, s.Files)
				}
				if tt.name == "open" {
					b.wantState("broken", tt.cause)
				}
				broken.Store(false)
				pass(time.Minute)
				b.wantState("mended", "")
				b.want("nothing was forgotten", "a.xml")
			})
		})
	}
}

// TestOfflineFolderIsNotScannedInAHurry: a file that was about to settle when the folder went offline is due ever since, but that must not make
// the scans follow each other without a pause.
func TestOfflineFolderIsNotScannedInAHurry(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.ScanInterval = time.Hour
		scans := b.countScans()
		b.write("a.xml", "<a/>")
		b.start()
		pass(5 * time.Second)
		b.rename("../inbox", "../away")
		before := scans()
		pass(10 * time.Minute)
		b.wantState("away", CauseMissing)
		if n := scans() - before; n < 18 || n > 25 {
			t.Errorf("%d scans in ten minutes offline, want one each half minute", n)
		}
		b.rename("../away", "../inbox")
		pass(time.Minute)
		b.want("back", "a.xml")
	})
}

func TestFoldersThatAreTooDeepAreNotEntered(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.Recursive = true
		deep := strings.Repeat("d/", maxDepth)
		b.write(deep+"a.xml", "<a/>")
		b.write(deep+"d/b.xml", "<b/>")
		b.start()
		pass(time.Minute)
		b.want("after a minute", deep+"a.xml")
		if s := b.f.State(); s.IgnoredCount != 1 || s.Ignored[0].Rel != deep+"d" || s.Ignored[0].Why != WhyDepth {
			t.Errorf("ignored %+v", s.Ignored)
		}
	})
}

// TestSlowHandlerDoesNotKeepTheFolderFromBeingScanned lets the handler take longer for all files than a scan interval.
func TestSlowHandlerDoesNotKeepTheFolderFromBeingScanned(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.answer = func(Arrival) Decision { time.Sleep(7 * time.Second); return Decision{Outcome: Taken} }
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 20 {
			b.write(fmt.Sprintf("%02d.xml", i), "<x/>")
			b.chtime(fmt.Sprintf("%02d.xml", i), at.Add(time.Duration(i)*time.Second))
		}
		b.start()
		pass(30 * time.Second)
		b.write("old.xml", "<x/>")
		b.chtime("old.xml", at.Add(-time.Hour))
		pass(5 * time.Minute)
		got := b.rels()
		if i := slices.Index(got, "old.xml"); len(got) != 21 || i > 12 {
			t.Errorf("%d arrivals, the older file that came later as number %d; want it soon after a scan interval", len(got), i)
		}
	})
}

// TestPartialListing lets the second batch of a listing fail: what the first showed is used, and what it did not show is not forgotten.
func TestPartialListing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		const n = batchSize + 100
		lists := 0
		var broken atomic.Bool
		b.fault = func(step, rel string) error {
			if step == "open" {
				lists = 0
			}
			if step == "list" {
				if lists++; broken.Load() && lists == 3 { // opening, first batch, second batch
					return errors.New("getdents: remote trouble")
				}
			}
			return nil
		}
		b.writeMany(n)
		b.start()
		pass(time.Minute)
		if got := len(b.rels()); got != n {
			t.Fatalf("%d arrivals, want %d", got, n)
		}
		last := b.f.State().LastScan
		broken.Store(true)
		pass(2 * time.Minute)
		s := b.wantState("listing breaks off", CausePartial)
		if s.Files != n || s.LastScan.After(last.Add(40*time.Second)) {
			t.Errorf("files %d, last scan %s: a partial listing is not a good scan", s.Files, s.LastScan)
		}
		broken.Store(false)
		pass(2 * time.Minute)
		b.wantState("mended", "")
		if got := len(b.rels()); got != n {
			t.Errorf("%d arrivals, want %d: files that a partial listing did not show were forgotten", got, n)
		}
	})
}

func TestPartialListingAddsWhatItShows(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		lists := 0
		b.fault = func(step, rel string) error {
			if step == "open" {
				lists = 0
			}
			if step == "list" {
				if lists++; lists == 3 {
					return errors.New("getdents: remote trouble")
				}
			}
			return nil
		}
		b.writeMany(batchSize + 100)
		b.start()
		pass(2 * time.Minute)
		b.wantState("from the start", CausePartial)
		if got := len(b.rels()); got != batchSize && got != batchSize-1 { // the marker may be among them
			t.Errorf("%d arrivals, want those of the first batch of %d", got, batchSize)
		}
	})
}

func TestOneBadEntryHidesNoOther(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a listing tells everything here, so that there is no look at one entry that could fail")
	}
	inBubble(t, func(t *testing.T, b *bench) {
		var bad atomic.Value
		bad.Store("")
		b.fault = func(step, rel string) error {
			if step == "look at" && rel == bad.Load() {
				return errors.New("input/output error")
			}
			return nil
		}
		bad.Store("b.xml")
		for _, rel := range []string{"a.xml", "b.xml", "c.xml"} {
			b.write(rel, "<x/>")
			b.chtime(rel, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		b.start()
		pass(time.Minute)
		b.want("with a bad entry", "a.xml", "c.xml")
		s := b.wantState("with a bad entry", "")
		if s.WaitingCount != 1 || s.Waiting[0].Rel != "b.xml" || !strings.Contains(s.Waiting[0].Reason, "input/output error") {
			t.Errorf("waiting %+v", s.Waiting)
		}
		bad.Store("")
		pass(time.Minute)
		b.want("when it is good again", "a.xml", "c.xml", "b.xml")
		bad.Store("a.xml")
		pass(time.Minute)
		bad.Store("")
		pass(time.Minute)
		b.want("an entry that was bad for a while was not forgotten", "a.xml", "c.xml", "b.xml")
		if s := b.f.State(); s.WaitingCount != 0 {
			t.Errorf("waiting %+v", s.Waiting)
		}
	})
}

// TestBlockedShare lets a call to the share not return.
func TestBlockedShare(t *testing.T) {
	for _, step := range []string{"open", "read the marker of", "list", "look at", "read"} {
		t.Run(step, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				gate := make(chan struct{})
				var blocked atomic.Bool
				var inside atomic.Int32
				block := func(s string) {
					if blocked.Load() && s == step {
						inside.Add(1)
						<-gate
						inside.Add(-1)
					}
				}
				b.fault = func(s, rel string) error { block(s); return nil }
				b.answer = func(Arrival) Decision { block("read"); return Decision{Outcome: Taken} }
				b.write("a.xml", "<a/>")
				b.start()
				pass(time.Second)
				blocked.Store(true)
				pass(10 * time.Minute)
				s := b.wantState("blocked", CauseNoAnswer)
				if !strings.Contains(s.Reason, "does not answer") || !strings.Contains(s.Reason, step) {
					t.Errorf("reason %q", s.Reason)
				}
				b.f.ScanSoon()
				pass(time.Minute)
				if inside.Load() != 1 {
					t.Errorf("%d calls are caught, want 1", inside.Load())
				}
				if n := len(b.told()); n != 2 {
					t.Errorf("told of %d states, want online and offline: %+v", n, b.told())
				}

				blocked.Store(false)
				gate <- struct{}{}
				pass(time.Minute)
				b.wantState("free again", "")
				b.want("free again", "a.xml")

				blocked.Store(true)
				b.write("b.xml", "<b/>")
				pass(time.Minute)
				if inside.Load() != 1 {
					t.Fatalf("%d calls are caught, want 1", inside.Load())
				}
				began := time.Now()
				b.cancel()
				b.cancel = nil
				if err := <-b.ended; err != nil {
					t.Errorf("run: %v", err)
				}
				if took := time.Since(began); took >= time.Second {
					t.Errorf("run took %s to end", took)
				}
				taken := len(b.rels())
				gate <- struct{}{}
				pass(time.Minute)
				if got := len(b.rels()); got != taken {
					t.Errorf("%d arrivals after the end", got-taken)
				}
				synctest.Wait()
			})
		})
	}
}

func TestRunEndsPromptlyAndOnlyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.start()
		pass(time.Second)
		if err := b.f.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "zwolle") {
			t.Errorf("second run: %v", err)
		}
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("run took %s to end", took)
		}
		b.write("a.xml", "<a/>")
		b.f.ScanSoon()
		b.f.ScanSoon() // with nobody there
		pass(time.Hour)
		b.want("after the end")
	})
}

func TestIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.Exclude = []string{b.path("done"), b.path("failed")}
		for _, rel := range []string{"a.xml", "a.xml.note.txt", "A.XML.attach.pdf", "a.xml.attach.xml", "lost.xml.note.txt", "report.pdf", ".hidden.xml",
			"export.xml.tmp", "~$a.xml", "Thumbs.db", "._a.xml", "a.xml.reason.txt", "done/old.xml", "Failed/bad.xml", "map/b.xml", "@eaDir/c.xml"} {
			b.write(rel, "<x/>")
		}
		b.start()
		seen := time.Now()
		pass(25 * time.Hour)
		b.want("only the document", "a.xml")
		want := map[string]Why{
			"lost.xml.note.txt": WhyOrphan, "report.pdf": WhyName, ".hidden.xml": WhyTemporary, "export.xml.tmp": WhyTemporary,
			"~$a.xml": WhyTemporary, "map": WhyFolder,
		}
		s := b.f.State()
		if s.IgnoredCount != len(want) || len(s.Ignored) != len(want) {
			t.Errorf("%d ignored: %+v", s.IgnoredCount, s.Ignored)
		}
		for _, i := range s.Ignored {
			if want[i.Rel] != i.Why {
				t.Errorf("%s is ignored for %q, want %q", i.Rel, i.Why, want[i.Rel])
			}
			if i.Since.Sub(seen) > time.Second {
				t.Errorf("%s is ignored since %s, want %s", i.Rel, i.Since, seen)
			}
		}
		b.remove("report.pdf")
		pass(time.Minute)
		if s := b.f.State(); s.IgnoredCount != len(want)-1 {
			t.Errorf("%d ignored after one was removed", s.IgnoredCount)
		}
	})
}

func TestStateListsAreBoundedAndOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for i := range 300 {
			b.write(fmt.Sprintf("%03d.xml", i), "<x/>")
			b.write(fmt.Sprintf("%03d.pdf", i), "x")
		}
		b.answer = func(Arrival) Decision { return Decision{Outcome: NotYet, Reason: "because"} }
		b.start()
		pass(time.Second)
		if s := b.f.State(); s.SettlingCount != 300 || len(s.Settling) != maxListed || s.Settling[0].Rel == "" {
			t.Errorf("settling %d, listed %d", s.SettlingCount, len(s.Settling))
		}
		pass(time.Minute)
		s := b.f.State()
		if s.WaitingCount != 300 || len(s.Waiting) != maxListed || s.IgnoredCount != 300 || len(s.Ignored) != maxListed {
			t.Errorf("waiting %d, listed %d; ignored %d, listed %d", s.WaitingCount, len(s.Waiting), s.IgnoredCount, len(s.Ignored))
		}
		s.Waiting[0].Reason = "spoilt"
		if b.f.State().Waiting[0].Reason != "because" {
			t.Error("a caller can spoil the state")
		}
	})
}

func TestRecursive(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.Recursive = true
		b.opt.Exclude = []string{b.path("done"), b.path("a/failed")}
		for _, rel := range []string{"1.xml", "a/2.xml", "a/b/3.xml", "done/4.xml", "DONE2/5.xml", "a/failed/6.xml", "$RECYCLE.BIN/7.xml", ".snapshot/8.xml"} {
			b.write(rel, "<x/>")
			b.chtime(rel, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
		}
		b.start()
		pass(time.Minute)
		b.want("at first", "1.xml", "DONE2/5.xml", "a/2.xml", "a/b/3.xml")
		if got := b.got()[3].Path; got != filepath.Join(b.dir, "a", "b", "3.xml") {
			t.Errorf("path %q", got)
		}

		b.write("../tree/x/y/9.xml", "<x/>") // a whole tree is moved in
		b.rename("../tree", "tree")
		pass(time.Minute)
		b.want("a tree moved in", "1.xml", "DONE2/5.xml", "a/2.xml", "a/b/3.xml", "tree/x/y/9.xml")
		b.f.Forget("tree/x/y/9.xml")
		pass(time.Minute)
		if got := b.rels(); len(got) != 6 || got[5] != "tree/x/y/9.xml" {
			t.Errorf("after forgetting: %q", got)
		}
	})
}

func TestRecursiveUnreadableSubfolder(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.Recursive = true
		var broken atomic.Bool
		b.fault = func(step, rel string) error {
			if broken.Load() && step == "list" && rel == "sub" {
				return errors.New("stale handle")
			}
			return nil
		}
		b.write("1.xml", "<x/>")
		b.write("sub/deep/2.xml", "<x/>")
		b.start()
		pass(time.Minute)
		if n := len(b.rels()); n != 2 {
			t.Fatalf("%q", b.rels())
		}
		broken.Store(true)
		b.write("3.xml", "<x/>")
		pass(time.Minute)
		s := b.wantState("a sub-folder is broken", "")
		if s.WaitingCount != 1 || s.Waiting[0].Rel != "sub" || !strings.Contains(s.Waiting[0].Reason, "stale handle") {
			t.Errorf("waiting %+v", s.Waiting)
		}
		broken.Store(false)
		pass(time.Minute)
		if n := len(b.rels()); n != 3 {
			t.Errorf("%q: what lies in a sub-folder that cannot be read is not gone", b.rels())
		}
	})
}

func TestNewReportsAllFaults(t *testing.T) {
	_, err := New(Options{Path: "relative", Exclude: []string{"rel"}, Include: []string{"["}, Settle: -1, IOTimeout: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"name is empty", "not absolute", `"rel"`, `pattern "["`, "scan interval", "settle", "io timeout", "marker id", "accept"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v\ndoes not mention %q", err, word)
		}
	}
	b := newBench(t)
	b.opt.Exclude = []string{filepath.Dir(b.dir)}
	if _, err := New(b.opt); err == nil || !strings.Contains(err.Error(), "holds the folder itself") {
		t.Errorf("excluding the folder itself: %v", err)
	}
}

// BenchmarkScan looks at a folder in which ten thousand documents lie and wait.
func BenchmarkScan(b *testing.B) {
	bench := newBench(b)
	bench.writeMany(10000)
	f, err := New(bench.opt)
	if err != nil {
		b.Fatal(err)
	}
	w := newWorker(f)
	b.ReportAllocs()
	for b.Loop() {
		if s := w.scan(context.Background()); s.trouble != nil {
			b.Fatal(s.trouble.text)
		}
	}
}
