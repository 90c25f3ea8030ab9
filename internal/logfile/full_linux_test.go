package logfile

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A disk that is really full, and has room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("brodaemon-test", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("SKIPPED: a full disk needs root to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	c := newClock()
	w := newWriter(t, c, Options{Dir: filepath.Join(dir, "logs")})
	text := strings.Repeat("z", 999)
	for range 200 {
		line(t, w, text)
	}
	if w.Missing() == 0 {
		t.Fatal("the disk did not become full")
	}
	lost := w.Missing()
	if lost < 100 {
		t.Errorf("only %d lines count as missing", lost)
	}
	before := read(t, w, filepath.Base(w.Current()))
	if !strings.HasSuffix(before, "z\n") {
		t.Errorf("half a line is left at the end: %q", before[len(before)-20:])
	}
	if err := unix.Mount("brodaemon-test", dir, "tmpfs", unix.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	line(t, w, "room again")
	got := strings.Split(strings.TrimSuffix(read(t, w, filepath.Base(w.Current())), "\n"), "\n")
	if last := got[len(got)-1]; last != "room again" {
		t.Errorf("the last line is %q", last)
	}
	for _, l := range got[:len(got)-2] {
		if l != text {
			t.Fatalf("a damaged line: %q", l)
		}
	}
	if told := got[len(got)-2]; !strings.Contains(told, "lines are missing since 2026-11-23T12:00:00+01:00: ") || !strings.Contains(told, "no space left") {
		t.Errorf("it is not told of: %q", told)
	}
	if n := len(got) - 2; n+lost != 200 {
		t.Errorf("%d written and %d missing of 200", n, lost)
	}
}
