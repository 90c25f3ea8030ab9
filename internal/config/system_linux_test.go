package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckDataDirOnLocalDisk(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "not", "there", "yet")} {
		if err := CheckDataDir(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCheckDataDirThatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckDataDir(filepath.Join(file, "data")); err == nil {
		t.Error("a folder inside a file is accepted")
	}
}

// mountFUSE mounts a file system that nobody serves. statfs names its type all the
// same to an account that it does not belong to, which root is here.
func mountFUSE(t *testing.T) string {
	t.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: a FUSE mount needs /dev/fuse: %v", err)
	}
	t.Cleanup(func() { device.Close() })
	dir := t.TempDir()
	options := "fd=" + strconv.Itoa(int(device.Fd())) + ",rootmode=40000,user_id=65534,group_id=65534"
	if err := unix.Mount("brodaemon-test", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Skipf("SKIPPED: a FUSE mount needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestCheckDataDirOnNetworkDrive(t *testing.T) {
	dir := mountFUSE(t)
	err := CheckDataDir(dir)
	if err == nil || !strings.Contains(err.Error(), "network drive (fuse)") || !strings.Contains(err.Error(), "local disk") {
		t.Errorf("got %v, want a refusal that says what to do", err)
	}

	file := write(t, base+"data_dir: "+dir+"\n")
	_, err = Load(file)
	if err == nil || !strings.Contains(err.Error(), file+":10: data_dir") || !strings.Contains(err.Error(), "network drive (fuse)") {
		t.Errorf("Load: got %v, want a fault of data_dir", err)
	}
}

// Network drives that a test machine hardly has, by the numbers of linux/magic.h.
func TestNetworkTypes(t *testing.T) {
	for _, magic := range []int64{unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.NFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
		unix.NCP_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC} {
		if networkTypes[uint32(magic)] == "" {
			t.Errorf("%#x is not known as a network drive", magic)
		}
	}
	for _, magic := range []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC} {
		if kind := networkTypes[uint32(magic)]; kind != "" {
			t.Errorf("%#x passes for %s", magic, kind)
		}
	}
}
