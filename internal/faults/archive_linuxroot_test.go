//go:build linuxroot

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brodaemon/internal/queue"
)

// TestArchiveTrouble: documents have their outcome, and can't be moved, in each
// way. They are delivered once, wait with a reason, and are moved when it is mended.
func TestArchiveTrouble(t *testing.T) {
	t.Parallel()
	today := time.Now().Format(time.DateOnly)
	tests := map[string]struct {
		rules []rule
		kind  string // what the hint says
	}{
		"done/ can't be made":             {[]rule{{op: "mkdir", name: "done", errno: syscall.EACCES}}, "permission"},
		"the day's folder on a full disk": {[]rule{{op: "mkdir", name: today, errno: syscall.ENOSPC}}, "full"},
		"receipts not allowed":            {[]rule{{op: "create", name: ".brodaemon-*.tmp", errno: syscall.EACCES}}, "permission"},
		"receipts on a read-only disk":    {[]rule{{op: "create", name: ".brodaemon-*.tmp", errno: syscall.EROFS}}, "read-only"},
		"no room for receipts":            {[]rule{{op: "create", name: ".brodaemon-*.tmp", errno: syscall.ENOSPC}}, "full"},
		"the document is held":            {[]rule{{op: "rename", name: "*.xml", errno: syscall.EBUSY}}, "another program"},
		"the place is held":               {[]rule{{op: "rename-to", name: "d*.xml", errno: syscall.EBUSY}}, "another program"},
		"not allowed to take it":          {[]rule{{op: "rename", name: "*.xml", errno: syscall.EACCES}}, "permission"},
		"receipts can't be named":         {[]rule{{op: "rename-to", name: "*.receipt.json", errno: syscall.EIO}}, "out of reach"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "f")
			share := mountFaults(t, s.path("f"))
			for _, r := range tt.rules {
				share.add(&r)
			}
			all := s.saveMany(share.backing, "d", 6)
			s.start()
			s.eventually("all wait to be moved", func() bool {
				items, _ := s.d.Items(queue.Filter{State: queue.Delivered, Open: true})
				n := 0
				for _, it := range items {
					if it.LastKind == "filing" {
						n++
					}
				}
				return n == len(all)
			})
			items, err := s.d.Items(queue.Filter{Open: true})
			mustDo(t, err)
			c := s.condition("filing-failed")
			if c == nil || c.N != len(all) || !strings.Contains(strings.ToLower(items[0].LastError), tt.kind) {
				t.Errorf("condition %+v, last error %q, which does not speak of %q", c, items[0].LastError, tt.kind)
			}
			t.Log(items[0].LastError)
			s.once(all...)
			share.heal()
			s.retryAll()
			s.filed(filepath.Join(share.backing, "done"), all...)
			s.settled()
			s.noTraces(share.backing)
		})
	}
}

// noTraces fails if temporary files of ours are left.
func (s *site) noTraces(dir string) {
	s.Helper()
	for _, pattern := range []string{".brodaemon-*.*", "done/.brodaemon-*", "done/*/.brodaemon-*"} {
		if left, _ := filepath.Glob(filepath.Join(dir, pattern)); len(left) != 0 {
			s.Errorf("left over: %v", left)
		}
	}
}

// TestDoneOnAnotherVolume: done/ is mounted from elsewhere, small, fills up,
// becomes read-only, and is taken away and replaced. Every document ends there
// once, and nothing that lies there is overwritten.
func TestDoneOnAnotherVolume(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f")
	done := s.path("f", "done")
	mustDo(t, os.Mkdir(done, 0o755))
	tmpfs(t, done, "size=1m")
	s.start()
	s.online("f")
	first := s.saveMany(s.path("f"), "first", 5)
	s.filed(done, first...)

	waits := func(what, says string) {
		t.Helper()
		s.eventually(what, func() bool {
			c := s.condition("filing-failed")
			return c != nil && strings.Contains(strings.ToLower(c.Text), says)
		})
		t.Log(s.condition("filing-failed").Text)
	}
	hog := fillUp(t, done)
	full := s.saveMany(s.path("f"), "full", 3)
	waits("a full disk", "full")
	s.once(first...)
	mustDo(t, os.Remove(hog))
	s.retryAll()
	s.filed(done, full...)

	mustDo(t, unix.Mount("", done, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	readOnly := s.saveMany(s.path("f"), "read-only", 3)
	waits("a read-only disk", "read-only file system. what to do: the disk or share is read-only")
	mustDo(t, unix.Mount("", done, "", unix.MS_REMOUNT, ""))
	s.retryAll()
	s.filed(done, readOnly...)

	// it goes: what comes next lies in the directory underneath
	mustDo(t, unix.Unmount(done, unix.MNT_DETACH))
	under := s.saveMany(s.path("f"), "under", 2)
	s.filed(done, under...)
	// done/ itself is removed
	mustDo(t, os.RemoveAll(done))
	anew := s.saveMany(s.path("f"), "anew", 2)
	s.filed(done, anew...)
	s.settled()
	s.once(append(append(append(first, full...), readOnly...), under...)...)
	s.noTraces(s.path("f"))
}

// fillUp fills a disk to its last byte and returns the file that does.
func fillUp(t testing.TB, dir string) string {
	t.Helper()
	at := filepath.Join(dir, "hog")
	f, err := os.Create(at)
	mustDo(t, err)
	for _, size := range []int{1 << 20, 4096, 1} {
		piece := make([]byte, size)
		for {
			if _, err := f.Write(piece); err != nil {
				break
			}
		}
	}
	mustDo(t, f.Close())
	return at
}

// TestOneNameOverAndOver: an office that saves export.xml again and again, and
// people's own files that stand in done/ already. Nothing is overwritten.
func TestOneNameOverAndOver(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f")
	day := s.path("f", "done", time.Now().Format(time.DateOnly))
	mustDo(t, os.MkdirAll(day, 0o755))
	theirs := map[string]string{"export.xml": "theirs", "export.xml.receipt.json": "{}"}
	for name, text := range theirs {
		mustDo(t, os.WriteFile(filepath.Join(day, name), []byte(text), 0o644))
	}
	s.start()
	var all [][]byte
	for i := range 15 {
		all = append(all, s.save(s.path("f", "export.xml")))
		s.eventually(fmt.Sprint("export ", i, " has left"), func() bool { _, err := os.Stat(s.path("f", "export.xml")); return err != nil })
	}
	s.filed(s.path("f", "done"), all...)
	for name, text := range theirs {
		if got, err := os.ReadFile(filepath.Join(day, name)); string(got) != text {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
