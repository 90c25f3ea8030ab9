//go:build unix

package secret

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestStoreIsClosedToOthers(t *testing.T) {
	defer unix.Umask(unix.Umask(0)) // nothing may depend on it
	data := t.TempDir()
	s := StoreIn(data)
	// a folder that was opened up by hand is closed again
	if err := errors.Join(os.Mkdir(s.Dir(), 0o755), os.Chmod(s.Dir(), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := s.Set("zwolle", New(text)); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, s.Dir()); mode.Perm() != 0o700 {
		t.Errorf("the folder has mode %v", mode)
	}
	if mode := modeOf(t, s.path("zwolle")); mode.Perm() != 0o600 {
		t.Errorf("the file has mode %v", mode)
	}
	if err := os.Chmod(s.path("zwolle"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("zwolle"); err == nil || !got.Empty() || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("open to others: got %v, %v; want it refused with the remedy", got, err)
	}
}

// Root stores for the account that the data folder belongs to.
func TestRootStoresForTheServiceAccount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: acting for another account needs root")
	}
	const nobody = 65534
	data := t.TempDir()
	if err := os.Chown(data, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	s := StoreIn(data)
	for range 2 { // made, and there already
		if err := s.Set("zwolle", New(text)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{s.Dir(), s.path("zwolle")} {
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != nobody || st.Gid != nobody {
				t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
			}
		}
	}
}

// That account could put a link in the place of the store: root must write to
// no other place by it.
func TestLinkInThePlaceOfTheStore(t *testing.T) {
	data, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Chmod(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	s := StoreIn(data)
	if err := os.Symlink(elsewhere, s.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := s.Set("zwolle", New(text)); err == nil {
		t.Error("the link was followed")
	}
	entries, err := os.ReadDir(elsewhere)
	if err != nil || len(entries) != 0 || modeOf(t, elsewhere).Perm() != 0o755 {
		t.Errorf("elsewhere: %v, %v, %v", entries, modeOf(t, elsewhere), err)
	}
	if err := errors.Join(os.Remove(s.Dir()), s.Set("zwolle", New(text))); err != nil {
		t.Fatal(err)
	}
	target := write(t, elsewhere, "x", "somebody else's")
	if err := errors.Join(os.Remove(s.path("zwolle")), os.Symlink(target, s.path("zwolle"))); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("zwolle"); err == nil || !got.Empty() {
		t.Errorf("a linked secret: %v, %v; want it refused", got, err)
	}
	if err := errors.Join(os.Remove(s.path("zwolle")), syscall.Mkfifo(s.path("zwolle"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("zwolle"); err == nil || !strings.Contains(err.Error(), "not an ordinary file") {
		t.Errorf("a pipe: %v", err)
	}
}

// A full disk leaves the old secret as it was.
func TestStoreOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: a small file system needs root")
	}
	data := t.TempDir()
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=32k,mode=700"); err != nil {
		t.Skipf("SKIPPED: no tmpfs here: %v", err)
	}
	defer func() {
		if err := unix.Unmount(data, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	s := StoreIn(data)
	if err := s.Set("zwolle", New("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "filler"), make([]byte, 64<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := s.Set("zwolle", New("new")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	if got, err := s.Get("zwolle"); err != nil || got.Reveal() != "old" {
		t.Errorf("got %q, %v; want the old one", got.Reveal(), err)
	}
	if entries, err := os.ReadDir(s.Dir()); err != nil || len(entries) != 1 {
		t.Errorf("left in the store: %v, %v", entries, err)
	}
}
