package queue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCopyKnowsThatItIsOne(t *testing.T) {
	s := setup(t)
	add(t, s, Added, arrival("a.xml"))
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := s.CopyTo(path, t0); err != nil {
		t.Fatal(err)
	}
	add(t, s, Added, arrival("later.xml"))
	if _, isCopy, err := s.CopiedAt(); err != nil || isCopy {
		t.Errorf("the original takes itself for a copy: %v, %v", isCopy, err)
	}
	c := openAt(t, dir)
	if at, isCopy, err := c.CopiedAt(); err != nil || !isCopy || !at.Equal(t0) {
		t.Errorf("the copy: %v, %v, %v", at, isCopy, err)
	}
	if got := names(list(t, c, Filter{})); len(got) != 1 {
		t.Errorf("the copy holds %v", got)
	}
	for _, fault := range c.Check() {
		t.Error(fault)
	}
}

func TestOfACopyNothingIsSubmittedByItself(t *testing.T) {
	s := setup(t)
	ways := map[string][]Transition{
		"queued.xml": nil, "validated.xml": way(Validated), "opened.xml": way(Opened), "attached.xml": way(Attached),
		"uncertain.xml": uncertain(), "submitted.xml": way(Submitted), "delivered.xml": way(Delivered), "filed.xml": filed(Delivered), "held.xml": {HeldBack(t0)},
	}
	for name, w := range ways {
		it := add(t, s, Added, arrival(name))
		if w != nil {
			apply(t, s, it.ID, w...)
		}
	}
	dir := t.TempDir()
	if err := s.CopyTo(filepath.Join(dir, FileName), t0); err != nil {
		t.Fatal(err)
	}
	c := openAt(t, dir)
	if n, err := c.HoldCopied(t0.Add(time.Hour), t0); err != nil || n != 4 {
		t.Errorf("%d are held, %v; want 4", n, err)
	}
	for _, it := range list(t, c, Filter{}) {
		before, _ := s.Get(it.ID)
		switch it.File {
		case "queued.xml", "validated.xml", "opened.xml", "attached.xml":
			if it.Hold != HoldPerson || !strings.Contains(it.HoldReason, t0.UTC().Format(time.RFC3339)) || it.State != before.State {
				t.Errorf("%s: %s, hold %q, %q", it.File, it.State, it.Hold, it.HoldReason)
			}
			wantNotDue(t, c, it.ID)
		default:
			if it.Hold != before.Hold || it.State != before.State || len(it.History) != len(before.History) {
				t.Errorf("%s was changed: hold %q", it.File, it.Hold)
			}
		}
	}
	if _, isCopy, err := c.CopiedAt(); err != nil || isCopy {
		t.Errorf("it still takes itself for a copy: %v, %v", isCopy, err)
	}
	for _, fault := range c.Check() {
		t.Error(fault)
	}
}

func TestCopyThatFailsLeavesNothing(t *testing.T) {
	s := setup(t)
	path := filepath.Join(t.TempDir(), "absent", FileName)
	if err := s.CopyTo(path, t0); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file is left")
	}
}

// A copy that is rebuilt before it was ever started is a copy still.
func TestRebuiltCopyIsACopy(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	apply(t, s, it.ID, way(Attached)...)
	for name, do := range map[string]func(dir string) error{
		"rebuilt":   func(dir string) error { _, err := Rebuild(t.Context(), dir, time.Second, nil); return err },
		"compacted": func(dir string) error { _, err := Compact(t.Context(), dir, time.Second, nil); return err },
	} {
		dir := t.TempDir()
		if err := s.CopyTo(filepath.Join(dir, FileName), t0); err != nil {
			t.Fatal(err)
		}
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		c := openAt(t, dir)
		if at, isCopy, err := c.CopiedAt(); err != nil || !isCopy || !at.Equal(t0) {
			t.Errorf("%s: %v, %v, %v", name, at, isCopy, err)
		}
	}
}

// A document that came after the copy was made may have been submitted by the
// queue that was lost, and lie in its folder still: it is taken in, and held.
func TestFilesFromAfterTheCopyAreHeld(t *testing.T) {
	s := setup(t)
	dir := t.TempDir()
	if err := s.CopyTo(filepath.Join(dir, FileName), t0); err != nil {
		t.Fatal(err)
	}
	c := openAt(t, dir)
	back := t0.Add(48 * time.Hour)
	if _, err := c.HoldCopied(back, t0); err != nil {
		t.Fatal(err)
	}
	saved := func(at time.Time) func(*Item) { return func(it *Item) { it.Source.ModTime = at } }
	for _, again := range []string{"", "rebuilt "} {
		for _, tc := range []struct {
			name        string
			saved, seen time.Time
			want        Verdict
		}{
			{"between", t0.Add(time.Hour), back.Add(time.Minute), AddedHeld},
			{"between, seen late", t0.Add(time.Hour), back.AddDate(1, 0, 0), AddedHeld},
			{"an old time stamp", t0.AddDate(-1, 0, 0), back.Add(time.Minute), AddedHeld},
			{"an old time stamp, later", t0.AddDate(-1, 0, 0), back.AddDate(0, 1, 0), Added},
			{"after", back.Add(time.Hour), back.Add(2 * time.Hour), Added},
		} {
			it, got, err := c.addOne(tc.seen, arrival(again+tc.name+".xml", saved(tc.saved)), stays)
			if err != nil || got != tc.want || (got == AddedHeld) != (it.Hold == HoldPerson && strings.Contains(it.HoldReason, "portal")) {
				t.Errorf("%s%s: %s, hold %q %q, %v", again, tc.name, got, it.Hold, it.HoldReason, err)
			}
		}
		if again == "" {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Rebuild(t.Context(), dir, time.Second, nil); err != nil {
				t.Fatal(err)
			}
			c = openAt(t, dir)
		}
	}
}
