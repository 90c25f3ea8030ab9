package archive

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// old is a document that was filed, as one to be removed. *begun counts how often it was begun.
func (s *site) old(d Document, p Placed, begun *int) Old {
	return Old{
		Attempt: Attempt{ID: d.ID, SHA256: d.SHA256, Path: p.Path, Beside: p.Beside},
		Begun:   *begun > 0,
		Begin:   func() error { *begun++; return nil },
	}
}

func (s *site) filedOld(rel, content string) (Old, *int) {
	begun := new(int)
	d := s.document("7", rel, content)
	return s.old(d, mustPlace(s, d, callDone), begun), begun
}

func (s *site) write(path, text string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s.t, os.WriteFile(path, []byte(text), 0o644))
}

// What is old goes whole, whatever line the program is killed at; what can't be
// proved to be that document stays, and nothing is called removed that was not.
func TestRemove(t *testing.T) {
	const name = "put.xml"
	tests := map[string]struct {
		rel     string
		do      func(s *site, e *Old) // what happened in done/ since
		left    []string              // in done/ afterwards
		removed bool
	}{
		"as it was filed":     {rel: name, do: func(*site, *Old) {}, removed: true},
		"in a subfolder":      {rel: "sub/deep/put.xml", do: func(*site, *Old) {}, removed: true},
		"document taken away": {rel: name, do: func(s *site, e *Old) { must(s.t, os.Remove(e.Path)) }, removed: true},
		"both taken away": {rel: name, do: func(s *site, e *Old) {
			must(s.t, os.Remove(e.Path))
			must(s.t, os.Remove(e.Beside))
		}},
		"receipt taken away":    {rel: name, do: func(s *site, e *Old) { must(s.t, os.Remove(e.Beside)) }, left: []string{name}},
		"document changed":      {rel: name, do: func(s *site, e *Old) { s.write(e.Path, "<mine>") }, left: []string{name, name + receiptSuffix}},
		"receipt of another":    {rel: name, do: func(s *site, e *Old) { s.write(e.Beside, `{"id":"8","sha256":"`+e.SHA256+`"}`) }, left: []string{name, name + receiptSuffix}},
		"receipt no longer one": {rel: name, do: func(s *site, e *Old) { s.write(e.Beside, "see mail") }, left: []string{name, name + receiptSuffix}},
		"a directory instead": {rel: name, do: func(s *site, e *Old) {
			must(s.t, os.Remove(e.Path))
			s.write(filepath.Join(e.Path, "x"), "x")
		}, left: []string{name + "/x", name + receiptSuffix}},
		"an empty directory instead": {rel: name, do: func(s *site, e *Old) {
			must(s.t, os.Remove(e.Path))
			must(s.t, os.Mkdir(e.Path, 0o755))
		}, left: []string{name + receiptSuffix}},
		"other files of that day": {rel: name, do: func(s *site, e *Old) { s.write(filepath.Join(filepath.Dir(e.Path), "plan.pdf"), "p") }, left: []string{"plan.pdf"}, removed: true},
		"its companions": {rel: name, do: func(s *site, e *Old) {
			s.write(e.Path+".note.txt", "a note")
			s.write(filepath.Join(filepath.Dir(e.Path), "put.xml.attach__"+e.SHA256[:8]+".pdf"), "a plan") // its first name was taken
			s.write(e.Path+".attach.pdf", "somebody's")
			e.Companions = []OldCompanion{{".note.txt", sha("a note")}, {".attach.pdf", sha("a plan")}}
		}, left: []string{name + ".attach.pdf"}, removed: true},
		"a companion that was edited": {rel: name, do: func(s *site, e *Old) {
			s.write(e.Path+".note.txt", "a note: keep this")
			e.Companions = []OldCompanion{{".note.txt", sha("a note")}}
		}, left: []string{name + ".note.txt"}, removed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ { // killed at every point, then repeated twice
				s := setup(t)
				e, begun := s.filedOld(tt.rel, "<old>")
				tt.do(s, &e)
				point := s.until(n, func() { _, err := s.a.Remove(t.Context(), e); must(t, err) })
				for range 2 {
					e.Begun = *begun > 0
					removed, err := s.a.Remove(t.Context(), e)
					if err != nil || removed != tt.removed {
						t.Fatalf("after a crash at %q: removed %t, %v; want %t", point, removed, err, tt.removed)
					}
				}
				if (*begun > 0) != tt.removed {
					t.Errorf("begun %d times", *begun)
				}
				files := s.tree()
				for _, rel := range tt.left {
					if _, there := files[s.doneDay(filepath.FromSlash(rel))]; !there {
						t.Errorf("after a crash at %q: %s is gone", point, rel)
					}
				}
				if len(files) != len(tt.left) {
					t.Errorf("after a crash at %q there are %q, want %q", point, files, tt.left)
				}
				if _, err := os.Stat(filepath.Join(s.done, localDay)); tt.removed && (err == nil) != (len(tt.left) > 0) {
					t.Errorf("the directory of the day: %v, with %q left", err, tt.left)
				}
				if point == "" {
					break
				}
			}
		})
	}
}

// A long name was shortened, and so was its companion's.
func TestRemoveLongNames(t *testing.T) {
	s := setup(t)
	rel := strings.Repeat("n", 195) + ".xml"
	s.save(rel+".note.txt", "a note")
	d := s.document("7", rel, "<old>")
	d.Companions = []string{rel + ".note.txt"}
	e := s.old(d, mustPlace(s, d, callDone), new(int))
	e.Companions = []OldCompanion{{".note.txt", sha("a note")}}
	if removed, err := s.a.Remove(t.Context(), e); !removed || err != nil {
		t.Fatal(removed, err)
	}
	if files := s.tree(); len(files) != 0 {
		t.Errorf("left are %q", files)
	}
}

// The receipt outlives the rest on the disk, too, and what is called removed is.
func TestRemoveSyncs(t *testing.T) {
	s := setup(t)
	e, _ := s.filedOld("put.xml", "<old>")
	var there []int
	s.a.sys.syncDir = func(dir string) error {
		files, err := os.ReadDir(dir)
		there = append(there, len(files))
		return err
	}
	if removed, err := s.a.Remove(t.Context(), e); !removed || err != nil {
		t.Fatal(removed, err)
	}
	if len(there) != 2 || there[0] != 1 || there[1] != 0 {
		t.Errorf("synced with %v files there, want 1 (the receipt) and 0", there)
	}
}

// Nothing outside done/ is touched, nothing while the share or done/ is away,
// and nothing that could not be noted down first.
func TestRemoveElsewhere(t *testing.T) {
	s := setup(t)
	failed := s.failedAttempt("1", "bad.xml", "<bad>")
	e, begun := s.filedOld("good.xml", "<good>")
	before := s.tree()
	for name, change := range map[string]func(e *Old){
		"document in failed/": func(e *Old) { e.Path = failed.Path },
		"both in failed/":     func(e *Old) { e.Path, e.Beside = failed.Path, failed.Beside },
		"reason in failed/":   func(e *Old) { e.Beside = failed.Beside },
		"escapes":             func(e *Old) { e.Path = filepath.Join(s.done, "..", "bad.xml") },
		"no path":             func(e *Old) { e.Path = "" },
		"done/ itself":        func(e *Old) { e.Path, e.Beside = s.done, s.done },
	} {
		other := e
		change(&other)
		if removed, err := s.a.Remove(t.Context(), other); removed || err != nil {
			t.Errorf("%s: removed %t, %v", name, removed, err)
		}
	}
	fails := func(name string, e Old) {
		t.Helper()
		for _, e.Begun = range []bool{false, true} {
			if removed, err := s.a.Remove(t.Context(), e); removed || err == nil {
				t.Errorf("%s, begun %t: removed %t, %v", name, e.Begun, removed, err)
			}
		}
	}
	for name, change := range map[string]func(e *Old){
		"id":       func(e *Old) { e.ID = "../x" },
		"SHA-256":  func(e *Old) { e.SHA256 = "x" },
		"no begin": func(e *Old) { e.Begin = func() error { return errors.New("the queue is full") } },
	} {
		other := e
		change(&other)
		fails(name, other)
	}
	must(t, os.Rename(s.done, s.done+".away"))
	fails("done/ is away", e)
	must(t, os.Rename(s.done+".away", s.done))
	s.opt.Marker = ".brodaemon-folder" // which is not there
	here, err := New(s.opt)
	must(t, err)
	s.a = here
	fails("the marker is away", e)
	if now := s.tree(); len(now) != len(before) || *begun != 0 {
		t.Errorf("there are %q, were %q; begun %d times", now, before, *begun)
	}
}

// A day that was moved somewhere else, with a link left in its place, is not in done/ any more.
func TestRemoveBehindALink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("WINDOWS: making a link wants a right that ordinary accounts lack")
	}
	s := setup(t)
	e, begun := s.filedOld("put.xml", "<old>")
	day, cold := filepath.Dir(e.Path), filepath.Join(t.TempDir(), "cold")
	must(t, os.Rename(day, cold))
	must(t, os.Symlink(cold, day))
	for _, e.Begun = range []bool{false, true} {
		if removed, err := s.a.Remove(t.Context(), e); removed || err != nil || *begun > 0 {
			t.Errorf("removed %t, %v", removed, err)
		}
	}
	if _, err := os.Stat(e.Path); err != nil {
		t.Error(err)
	}
}

// A call that is to end does so, with nothing or all of a document gone.
func TestRemoveIsStopped(t *testing.T) {
	s := setup(t)
	e, begun := s.filedOld("put.xml", "<old>")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if removed, err := s.a.Remove(ctx, e); removed || !errors.Is(err, context.Canceled) || *begun > 0 || len(s.tree()) != 2 {
		t.Errorf("removed %t, %v; left %q", removed, err, s.tree())
	}
}
