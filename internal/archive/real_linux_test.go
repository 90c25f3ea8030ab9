package archive

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutPrivilege runs do as an account that is not root, whose files the
// folder's are.
func (s *site) withoutPrivilege(do func()) {
	if os.Geteuid() != 0 {
		do()
		return
	}
	const nobody = 65534
	must(s.t, os.Chmod(filepath.Dir(filepath.Dir(s.path)), 0o755))
	must(s.t, filepath.WalkDir(filepath.Dir(s.path), func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, nobody, nobody)
	}))
	// The kernel keeps this for one thread; the archive starts no goroutines.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	must(s.t, unix.Setfsuid(nobody))
	defer func() { must(s.t, unix.Setfsuid(0)) }()
	do()
}

// TestUnreadableOriginal: the account may rename the file but not read it.
func TestUnreadableOriginal(t *testing.T) {
	s := setup(t)
	d := s.document("5", "put.xml", "<document>")
	original := filepath.Join(s.path, "put.xml")
	must(t, os.Chmod(original, 0))
	var placed Placed
	s.withoutPrivilege(func() { placed = mustPlace(s, d, callDone) })
	if placed.SourceLeft != LeftUnreadable || !placed.FromSpool || placed.PutBack != original || !exists(original) {
		t.Errorf("placed %+v, want the spool copy and the original left", placed)
	}
	must(t, os.Chmod(original, 0o644))
	s.check(d, placed)
}

// TestUnwritableTarget: the account may not write in done/, or not take from the folder.
func TestUnwritableTarget(t *testing.T) {
	for name, dir := range map[string]func(s *site) string{
		"done":       func(s *site) string { return s.doneDay("") },
		"the folder": func(s *site) string { return s.path },
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			mustPlace(s, s.document("4", "first.xml", "<first>"), callDone) // makes the directories
			d := s.document("5", "put.xml", "<document>")
			must(t, os.Chmod(dir(s), 0o555))
			s.withoutPrivilege(func() {
				for range 2 {
					_, err := s.a.Done(t.Context(), d, Receipt{}, settled)
					var fault *Error
					if !errors.As(err, &fault) || fault.Kind != Permission {
						t.Errorf("got %v, want kind %s", err, Permission)
					}
				}
			})
			if !exists(filepath.Join(s.path, "put.xml")) {
				t.Error("the document has left the folder")
			}
			must(t, os.Chmod(dir(s), 0o755))
			s.check(d, mustPlace(s, d, callDone))
		})
	}
}

// TestRealFullDisk fills a small file system and frees it again.
func TestRealFullDisk(t *testing.T) {
	s := setup(t)
	if err := unix.Mount("tmpfs", s.path, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("SKIPPED: a small file system to fill needs root: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(s.path, unix.MNT_DETACH)) })
	d := document("5", "put.xml", strings.Repeat("<document>", 1000))
	placed := mustPlace(s, s.document("4", "first.xml", "<first>"), callDone) // makes the directories
	hog := filepath.Join(s.path, "hog")
	f, err := os.Create(hog)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	must(t, f.Close())

	_, err = s.a.Done(t.Context(), d, Receipt{Outcome: OutcomeDelivered}, settled)
	var fault *Error
	if !errors.As(err, &fault) || fault.Kind != Full || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("got %v, want kind %s", err, Full)
	}
	entries, err := os.ReadDir(filepath.Dir(placed.Path))
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("the failed call left something: %v", entries)
	}
	must(t, os.Remove(hog))
	s.check(d, mustPlace(s, d, callDone))
}

// TestReadOnlyVolume: the share was mounted read-only.
func TestReadOnlyVolume(t *testing.T) {
	s := setup(t)
	if err := unix.Mount("tmpfs", s.path, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("SKIPPED: a file system to make read-only needs root: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(s.path, unix.MNT_DETACH)) })
	d := s.document("5", "put.xml", "<document>")
	must(t, unix.Mount("", s.path, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, err := s.a.Fail(t.Context(), d, Reason{Code: NotValid}, settled)
	var fault *Error
	if !errors.As(err, &fault) || fault.Kind != ReadOnly {
		t.Errorf("got %v, want kind %s", err, ReadOnly)
	}
	must(t, unix.Mount("", s.path, "", unix.MS_REMOUNT, ""))
	s.check(d, mustPlace(s, d, callFail))
}
