//go:build !windows

package watch

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOpenNeverFollowsLinksNorWaitsForPipes puts other things in the place of a file that was offered.
func TestOpenNeverFollowsLinksNorWaitsForPipes(t *testing.T) {
	tests := []struct {
		name string
		put  func(t *testing.T, b *bench, path string) error
	}{
		{"a link to a file beside it", func(t *testing.T, b *bench, path string) error { return os.Symlink("other.xml", path) }},
		{"a link to a file elsewhere", func(t *testing.T, b *bench, path string) error { return os.Symlink(b.dir+"-secret", path) }},
		{"a pipe", func(t *testing.T, b *bench, path string) error { return unix.Mkfifo(path, 0o644) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.write("a.xml", "<a/>")
			a := arrivalOf(t, b, "a.xml")
			for _, rel := range []string{"other.xml", "../inbox-secret"} { // as like the file as can be
				b.write(rel, "<b/>")
				b.chtime(rel, a.ModTime)
			}
			b.remove("a.xml")
			if err := tt.put(t, b, b.path("a.xml")); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				f, err := a.Open()
				if err == nil {
					f.Close()
				}
				done <- err
			}()
			select {
			case err := <-done:
				if !errors.Is(err, ErrNotRegular) {
					t.Errorf("open: %v, want %v", err, ErrNotRegular)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("open waits")
			}
		})
	}
}

func TestOpenNoticesAnotherFileOfTheSameSizeAndTime(t *testing.T) {
	b := newBench(t)
	b.write("a.xml", "<a/>")
	a := arrivalOf(t, b, "a.xml")
	b.write("b.xml", "<b/>")
	b.chtime("b.xml", a.ModTime)
	b.rename("b.xml", "a.xml")
	if _, err := a.Open(); !errors.Is(err, ErrChanged) {
		t.Errorf("open: %v, want %v", err, ErrChanged)
	}
}

// TestOddEntriesAreNeverTaken: links (also to folders), pipes and folders that are named like documents.
func TestOddEntriesAreNeverTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.Recursive = true
		b.write("a.xml", "<a/>")
		b.write("../outside/secret.xml", "<s/>")
		b.write("folder.xml/inner.xml", "<i/>")
		for _, err := range []error{
			os.Symlink("a.xml", b.path("link.xml")),
			os.Symlink("nowhere", b.path("dangling.xml")),
			os.Symlink("../outside", b.path("linked")),
			os.Symlink(".", b.path("loop")),
			unix.Mkfifo(b.path("pipe.xml"), 0o644),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		b.start()
		pass(time.Hour)
		b.want("after an hour", "a.xml", "folder.xml/inner.xml")
		want := map[string]Why{"link.xml": WhyLink, "dangling.xml": WhyLink, "linked": WhyLink, "loop": WhyLink, "pipe.xml": WhySpecial}
		s := b.wantState("after an hour", "")
		if s.IgnoredCount != len(want) {
			t.Errorf("ignored %+v", s.Ignored)
		}
		for _, i := range s.Ignored {
			if want[i.Rel] != i.Why {
				t.Errorf("%s is ignored for %q, want %q", i.Rel, i.Why, want[i.Rel])
			}
		}
	})
}

func TestFileReplacedByAnotherOfTheSameSizeAndTimeIsNew(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		b.write("a.xml", "<a/>")
		b.chtime("a.xml", at)
		b.start()
		pass(time.Minute)
		b.write("b.part", "<b/>")
		b.chtime("b.part", at)
		b.rename("b.part", "a.xml")
		pass(time.Minute)
		b.want("replaced", "a.xml", "a.xml")
	})
}

func TestExcludedDirectoryIsKnownUnderAnyPath(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.write("a.xml", "<a/>")
		b.write("done/old.xml", "<o/>")
		b.chtime("a.xml", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
		if err := os.Symlink(b.dir, b.dir+"-linked"); err != nil {
			t.Fatal(err)
		}
		b.opt.Path, b.opt.Recursive = b.dir+"-linked", true
		b.opt.Exclude = []string{b.path("done")}
		b.start()
		pass(time.Minute)
		b.want("watched through a link", "a.xml")
	})
}
