package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// taken takes a document in as the Worker does, with all that its spool file says.
func taken(t testing.TB, sp *Spool, s *Store, want Verdict, a Item) Item {
	t.Helper()
	d, err := sp.NewDraft()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, "<"+a.File+"/>"); err != nil {
		t.Fatal(err)
	}
	a.Source.Size = int64(len(a.File) + 3)
	a.Spool = d.Name()
	if err := errors.Join(d.Describe(a), d.spool.SealAll(d)[0]); err != nil {
		t.Fatal(err)
	}
	it := add(t, s, want, a)
	if err := d.Keep(it.ID); err != nil {
		t.Fatal(err)
	}
	return it
}

// stages are the ways to each moment of a document's life that matters here.
var stages = []struct {
	name string
	way  []Transition
	// what is known when only the ledger and the spool are left, and when nothing but the spool is
	state State
	held  bool // in doubt, or was begun: never to be submitted without a look
}{
	{"queued", nil, Queued, false},
	{"attached", way(Attached), Queued, false},
	{"intended", append(slices.Clone(way(Attached)), SubmitIntended(t0)), Attached, true},
	{"unknown", uncertain(), Attached, true},
	{"submitted", way(Submitted), Submitted, false},
	{"refused", append(slices.Clone(way(Attached)), SubmitIntended(t0), SubmitRefused(t0, t0, "k", "no")), Attached, true},
	{"delivered", way(Delivered), Delivered, false},
	{"rejected", way(Rejected), Rejected, false},
	{"cancelled", way(Cancelled), Cancelled, false},
	{"filed", filed(Delivered), Delivered, false},
}

// populate makes a data folder with a document at each stage, and closes it.
func populate(t testing.TB) (dir string, items map[string]Item) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := OpenSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	items = map[string]Item{}
	for _, st := range stages {
		it := taken(t, sp, s, Added, arrival(st.name+".xml"))
		if len(st.way) > 0 {
			it = apply(t, s, it.ID, st.way...)
		}
		if !it.Open() {
			if err := sp.Remove(&it); err != nil {
				t.Fatal(err)
			}
		}
		items[st.name] = it
	}
	if err := errors.Join(s.RememberFolder(home, FolderMemory{Path: "p", Marker: "m"}), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, items
}

// mayBeSubmitted reports whether the Worker would submit the item by itself.
func mayBeSubmitted(it *Item) bool {
	return !it.State.End() && it.State != Submitted && !it.Uncertain() && it.Hold == ""
}

// TestRebuild: the queue file is lost or unreadable in every way. With the
// ledger each document is where it was, as far as that matters; without it each
// that is under way is in doubt.
func TestRebuild(t *testing.T) {
	page := os.Getpagesize()
	for _, onLedger := range []string{"sound", "missing", "torn", "garbled", "empty"} {
		for onQueue, spoil := range map[string]func([]byte) []byte{
			"deleted":   nil,
			"empty":     func([]byte) []byte { return nil },
			"zeroed":    func(b []byte) []byte { clear(b); return b },
			"cut":       func(b []byte) []byte { return b[:3*page] },
			"text":      func([]byte) []byte { return bytes.Repeat([]byte("no queue\n"), 3000) },
			"no metas":  func(b []byte) []byte { clear(b[:2*page]); return b },
			"root gone": func(b []byte) []byte { clear(b[2*page : len(b)/2]); return b },
		} {
			t.Run("queue "+onQueue+", ledger "+onLedger, func(t *testing.T) {
				dir, items := populate(t)
				path := filepath.Join(dir, FileName)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if spoil == nil {
					err = os.Remove(path)
				} else {
					data = spoil(data)
					err = os.WriteFile(path, data, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				spoilLedger(t, dir, onLedger)
				if _, err := Open(dir, Options{}); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrLost) {
					t.Fatalf("Open says %v", err)
				}
				s, told, err := OpenOrRebuild(dir, Options{})
				if err != nil || told == nil {
					t.Fatalf("%v, %v", told, err)
				}
				defer s.Close()
				wantSound(t, s)
				if spoil != nil {
					if kept, err := os.ReadFile(filepath.Join(dir, told.Aside)); err != nil || !bytes.Equal(kept, data) {
						t.Errorf("the old file is not kept as it was: %v", err)
					}
				}
				if told.LedgerLost != (onLedger != "sound") {
					t.Errorf("ledger lost: %t", told.LedgerLost)
				}
				sp := openSpool(t, dir)
				for _, st := range stages {
					was := items[st.name]
					now, err := s.Get(was.ID)
					switch {
					case errors.Is(err, ErrNotFound) && onLedger != "sound" && !was.Open():
						continue // nothing is left that knows of it
					case err != nil || now.Spool != was.Spool || now.File != was.File:
						t.Errorf("%s: %v", st.name, err)
						continue
					case was.Open():
						wantBytes(t, sp, &now, "<"+was.File+"/>")
					}
					begun := was.Submissions > 0 && st.name != "refused"
					if begun && mayBeSubmitted(&now) {
						t.Errorf("%s: it would be submitted again: %s", st.name, encoded(t, now))
					}
					if onLedger == "sound" {
						want := st.state
						if st.name == "refused" {
							want = Validated // the portal clearly did not take it
						}
						if now.State != want || now.Uncertain() != (st.held && st.name != "refused") {
							t.Errorf("%s: it is %s, uncertain %t", st.name, now.State, now.Uncertain())
						}
					} else if mayBeSubmitted(&now) && !slices.ContainsFunc(now.History, func(e Event) bool { return e.What == "restored" }) {
						t.Errorf("%s: it would be submitted: %s", st.name, encoded(t, now))
					}
				}
				if m, found, err := s.Folder(home); onLedger == "sound" && (err != nil || !found || m.Marker != "m") {
					t.Errorf("the folder is forgotten: %+v, %t, %v", m, found, err)
				}
				// no number is given twice
				fresh := add(t, s, Added, arrival("fresh.xml"))
				for name, was := range items {
					if fresh.ID <= was.ID && (onLedger == "sound" || was.Open()) {
						t.Errorf("number %s is given again, after %s of %s", fresh.ID, was.ID, name)
					}
				}
				if onLedger == "sound" { // what was done with long ago is still known
					if _, verdict, err := s.addOne(t0, arrival("copy.xml", bytesOf("filed.xml")), stays); err != nil || verdict != AddedRejected {
						t.Errorf("a copy of what was delivered: %s, %v", verdict, err)
					}
				}
				wantAnswerable(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				// once is enough
				s, told, err = OpenOrRebuild(dir, Options{})
				if err != nil || told != nil {
					t.Fatalf("the second start says %+v, %v", told, err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// wantAnswerable: of what is in doubt a person can give either answer.
func wantAnswerable(t testing.TB, s *Store) {
	t.Helper()
	for _, it := range list(t, s, Filter{Hold: HoldUncertain}) {
		for _, answer := range []Transition{DeliverySubmitted(t0, "0000000009", "a person", t0), NotDelivered(t0)} {
			after, err := it.With(answer)
			if err != nil {
				t.Errorf("document %s: %v", it.ID, err)
			}
			if after.State == Attached && !after.UploadKnown() {
				t.Errorf("document %s would be submitted with no upload", it.ID)
			}
		}
	}
}

func spoilLedger(t testing.TB, dir, how string) {
	t.Helper()
	path := filepath.Join(dir, LedgerName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch how {
	case "sound":
		return
	case "missing":
		err = os.Remove(path)
	case "torn":
		err = os.WriteFile(path, data[:len(data)*2/3], 0o600)
	case "garbled":
		data[len(data)/2] ^= 1
		err = os.WriteFile(path, data, 0o600)
	case "empty":
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An older copy of the queue, taken before each step, and the ledger or the
// spool file's mark: what was begun is never begun again.
func TestOlderCopy(t *testing.T) {
	for _, onLedger := range []string{"sound", "missing", "torn", "garbled"} {
		for from := range stages {
			t.Run(fmt.Sprintf("%s, ledger %s", stages[from].name, onLedger), func(t *testing.T) {
				dir := t.TempDir()
				s, err := Open(dir, Options{})
				if err != nil {
					t.Fatal(err)
				}
				sp := openSpool(t, dir)
				it := taken(t, sp, s, Added, arrival("a.xml"))
				steps := stages[from].way
				copies := [][]byte{}
				for i := 0; ; i++ {
					data, err := os.ReadFile(filepath.Join(dir, FileName))
					if err != nil {
						t.Fatal(err)
					}
					copies = append(copies, data)
					if i == len(steps) {
						break
					}
					it = apply(t, s, it.ID, steps[i])
				}
				later := taken(t, sp, s, Added, arrival("later.xml"))
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				ledger, err := os.ReadFile(filepath.Join(dir, LedgerName))
				if err != nil {
					t.Fatal(err)
				}
				for i, data := range copies {
					err := errors.Join(os.WriteFile(filepath.Join(dir, FileName), data, 0o600), os.WriteFile(filepath.Join(dir, LedgerName), ledger, 0o600))
					if err != nil {
						t.Fatal(err)
					}
					spoilLedger(t, dir, onLedger)
					s, _, err := OpenOrRebuild(dir, Options{})
					if err != nil {
						t.Fatal(err)
					}
					wantSound(t, s)
					got, err := s.Get(it.ID)
					if err != nil {
						t.Fatal(err)
					}
					if it.Submissions > got.Submissions && mayBeSubmitted(&got) && stages[from].name != "refused" {
						t.Errorf("copy %d: it would be submitted again: %s", i, encoded(t, got))
					}
					if onLedger == "sound" && worth(&it) && (got.State != it.State || got.Uncertain() != it.Uncertain() || got.Filed != it.Filed) {
						t.Errorf("copy %d: it is %s (uncertain %t), was %s", i, got.State, got.Uncertain(), it.State)
					}
					if other, err := s.Get(later.ID); err != nil || other.Spool != later.Spool {
						t.Errorf("copy %d: the document that came later is lost: %v", i, err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// worth reports whether the ledger knows the item's present state.
func worth(it *Item) bool { return it.Submissions > 0 || it.State.End() }

// The ledger is only evidence: losing it alone changes nothing.
func TestLedgerAloneLost(t *testing.T) {
	for _, how := range []string{"missing", "torn", "garbled", "empty"} {
		t.Run(how, func(t *testing.T) {
			dir, items := populate(t)
			spoilLedger(t, dir, how)
			s := openAt(t, dir)
			for name, was := range items {
				now, err := s.Get(was.ID)
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, name, now, was)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			// and what was written anew is as good as the old one
			if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
				t.Fatal(err)
			}
			s, told, err := OpenOrRebuild(dir, Options{})
			if err != nil || told == nil || told.LedgerLost {
				t.Fatalf("%+v, %v", told, err)
			}
			defer s.Close()
			for name, was := range items {
				if now, err := s.Get(was.ID); err != nil || was.Submissions > 0 && rank(&now) != rank(&was) {
					t.Errorf("%s: %v, %s", name, err, now.State)
				}
			}
			aside, _ := filepath.Glob(filepath.Join(dir, LedgerName) + ".damaged-*")
			if want := how != "missing"; len(aside) == 1 != want && how != "torn" {
				t.Errorf("set aside: %v", aside)
			}
		})
	}
}

// crashTask tells a process of this test what to do: "OPERATION NTH FOLDER".
const crashTask = "BRODAEMON_TEST_QUEUE_CRASH"

// crashingProcess ends itself, without any clean-up, at the nth crash point it meets.
func crashingProcess(task string) int {
	var what, dir string
	var nth int
	if _, err := fmt.Sscanf(task, "%s %d %s", &what, &nth, &dir); err != nil {
		return 1
	}
	n := 0
	crashAt = func(point string) {
		if n++; n == nth {
			fmt.Println(point)
			os.Exit(99)
		}
	}
	var err error
	switch what {
	case "open":
		var s *Store
		if s, _, err = OpenOrRebuild(dir, Options{}); err == nil {
			err = s.Close()
		}
	case "compact":
		_, err = Compact(context.Background(), dir, time.Second, nil)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// crashIn ends an operation at the nth crash point it meets and returns its
// name, "" if there are not so many.
func crashIn(t testing.TB, what string, nth int, dir string) (met string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", crashTask, what, nth, dir))
	out, err := cmd.CombinedOutput()
	switch code := cmd.ProcessState.ExitCode(); code {
	case 99:
		return strings.TrimSpace(string(out))
	case 0:
		return ""
	default:
		t.Fatalf("%s ended with %d: %s (%v)", what, code, out, err)
		return ""
	}
}

// Rebuilding that is ended at any moment is begun anew by the next start, with
// the same result, and the old file is still there.
func TestRebuildStopped(t *testing.T) {
	for nth := 1; ; nth++ {
		dir, items := populate(t)
		path := filepath.Join(dir, FileName)
		bad := bytes.Repeat([]byte("x"), 50_000)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		met := crashIn(t, "open", nth, dir)
		if met == "" {
			if nth < 5 {
				t.Errorf("only %d points were met", nth-1)
			}
			return
		}
		s, _, err := OpenOrRebuild(dir, Options{})
		if err != nil {
			t.Fatalf("after %s: %v", met, err)
		}
		wantSound(t, s)
		if n := len(list(t, s, Filter{})); n != len(items) {
			t.Errorf("after %s: %d documents, want %d", met, n, len(items))
		}
		aside, _ := filepath.Glob(path + ".damaged-*")
		if len(aside) == 0 {
			t.Errorf("after %s: the old file is gone", met)
		}
		for _, a := range aside {
			if kept, err := os.ReadFile(a); err != nil || !bytes.Equal(kept, bad) {
				t.Errorf("after %s: %s is not the old file (%v)", met, a, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// By hand, of a sound queue: nothing is lost but the file's name.
func TestRebuildByHand(t *testing.T) {
	dir, items := populate(t)
	told, err := Rebuild(context.Background(), dir, time.Second, func(done, total int) {
		if done > total || total != len(items) {
			t.Errorf("%d of %d", done, total)
		}
	})
	if err != nil || told.Held != 0 || told.Documents != len(items) || told.Restored != 0 || told.Cause != CauseAsked {
		t.Fatalf("%+v, %v", told, err)
	}
	if _, err := os.Stat(filepath.Join(dir, told.Aside)); err != nil {
		t.Error(err)
	}
	s := openAt(t, dir)
	for name, was := range items {
		now, err := s.Get(was.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, name, now, was)
	}

	// while it is open
	if _, err := Rebuild(context.Background(), dir, 100*time.Millisecond, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if _, err := Compact(context.Background(), dir, 100*time.Millisecond, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

// SIGINT leaves things as they were.
func TestRebuildAndCompactInterrupted(t *testing.T) {
	dir, _ := populate(t)
	before := namesIn(t, dir)
	data, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context, Progress) error{
		"rebuild": func(ctx context.Context, p Progress) error { _, err := Rebuild(ctx, dir, time.Second, p); return err },
		"compact": func(ctx context.Context, p Progress) error { _, err := Compact(ctx, dir, time.Second, p); return err },
	} {
		ctx, stop := context.WithCancel(context.Background())
		if err := do(ctx, func(int, int) { stop() }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if now := namesIn(t, dir); !slices.Equal(now, before) {
			t.Errorf("%s: the folder holds %v, held %v", name, now, before)
		}
		wantUnchanged(t, filepath.Join(dir, FileName), data)
	}
}

func namesIn(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCompact(t *testing.T) {
	dir, items := populate(t)
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		add(t, s, Added, arrival(fileName(i), func(it *Item) { it.RequestReference = strings.Repeat("x", 5000) }))
	}
	before := list(t, s, Filter{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	told, err := Compact(context.Background(), dir, time.Second, nil)
	if err != nil || told.After > told.Before || told.After == 0 || told.Documents != len(items)+200 {
		t.Fatalf("%+v, %v", told, err)
	}
	s = openAt(t, dir)
	after := list(t, s, Filter{})
	for i := range before {
		wantSame(t, "document "+before[i].ID.String(), after[i], before[i])
	}
	if fresh := add(t, s, Added, arrival("fresh.xml")); fresh.ID != before[len(before)-1].ID+1 {
		t.Errorf("the next number is %s", fresh.ID)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	for nth := 1; ; nth++ { // ended at any moment
		met := crashIn(t, "compact", nth, dir)
		s, told, err := OpenOrRebuild(dir, Options{})
		if err != nil || told != nil {
			t.Fatalf("after %s: %+v, %v", met, told, err)
		}
		if n := len(list(t, s, Filter{})); n != len(before)+1 {
			t.Errorf("after %s: %d documents", met, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if met == "" {
			break
		}
	}

	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Compact(context.Background(), dir, time.Second, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("of a damaged file: %v", err)
	}
}

// An item that can't be read is made again from the ledger and the spool, under
// its own number: its receipt may be in the archive already, and is known by it.
func TestUnreadableItemIsMadeAgain(t *testing.T) {
	for _, onLedger := range []string{"sound", "missing", "garbled"} {
		for _, what := range []string{"torn", "noise"} {
			t.Run(onLedger+" ledger, "+what, func(t *testing.T) {
				dir, items := populate(t)
				s, err := Open(dir, Options{})
				if err != nil {
					t.Fatal(err)
				}
				for _, it := range items {
					text := "\x01\x02"
					if what == "torn" {
						data, err := it.encode()
						if err != nil {
							t.Fatal(err)
						}
						text = string(data[:len(data)-3])
					}
					overwrite(t, s, it.ID, text)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, LedgerName)
				switch onLedger {
				case "missing":
					err = os.Remove(path)
				case "garbled": // the last line of each document is lost
					var data []byte
					data, err = os.ReadFile(path)
					lines := bytes.SplitAfter(data, []byte("\n"))
					err = errors.Join(err, os.WriteFile(path, append(bytes.Join(lines[:len(lines)/2], nil), "noise\n"...), 0o600))
				}
				if err != nil {
					t.Fatal(err)
				}
				s = openAt(t, dir)
				wantSound(t, s)
				for _, st := range stages {
					was := items[st.name]
					got, err := s.Get(was.ID)
					if errors.Is(err, ErrNotFound) && onLedger != "sound" && !was.Open() {
						continue // nothing tells of it any more, and it stands in the way of its duplicates
					}
					if err != nil || got.SHA256 != was.SHA256 {
						t.Errorf("%s: document %s is %s, %v", st.name, was.ID, got.File, err)
						continue
					}
					if onLedger == "sound" && got.State != st.state && st.name != "refused" { // clearly, so that it begins again
						t.Errorf("%s: it is %s", st.name, got.State)
					}
					if mayBeSubmitted(&got) && (onLedger != "sound" || st.held) && !(onLedger == "sound" && st.name == "refused") {
						t.Errorf("%s: it would be submitted", st.name)
					}
					if _, verdict, _ := s.addOne(t0, arrival("copy of "+st.name+".xml", bytesOf(st.name+".xml")), stays); verdict == Added && got.State != Rejected && got.State != Cancelled {
						t.Errorf("%s: its copy would be submitted", st.name)
					}
				}
				if aside, err := s.SetAside(); onLedger == "sound" && (err != nil || len(aside) > 0) {
					t.Errorf("still set aside: %d, %v", len(aside), err)
				}
			})
		}
	}
}
