package doctor

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDataFolderOpenToOthers(t *testing.T) {
	o := setup(t)
	if err := os.Chmod(o.DataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	wantWrong(t, Run(t.Context(), o), "data.closed", "0755", "chmod 700 "+o.DataDir)
}

func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: " + why + " needs root")
	}
}

func mount(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := unix.Mount(kind, dir, kind, 0, options); err != nil {
		t.Skipf("SKIPPED: no %s here: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

func TestReadOnlyFolder(t *testing.T) {
	o := setup(t)
	folder := o.Folders[0].Path
	if os.Geteuid() == 0 { // whom no mode stops
		mount(t, "tmpfs", folder, "size=64k")
		if err := unix.Mount("", folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	wantWrong(t, Run(t.Context(), o), "folder.create", "can't be made", "rights")
}

func TestFullFolder(t *testing.T) {
	needRoot(t, "a small file system")
	o := setup(t)
	folder := o.Folders[0].Path
	mount(t, "tmpfs", folder, "size=4k,mode=700")
	if err := os.WriteFile(folder+"/filler", make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	groups := Run(t.Context(), o)
	wantWrong(t, groups, "folder.create", "no space left", "the disk is full")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

func TestDoneOnAnotherVolume(t *testing.T) {
	needRoot(t, "a second file system")
	o := setup(t)
	done := o.Folders[0].DoneDir
	if err := os.Mkdir(done, 0o700); err != nil {
		t.Fatal(err)
	}
	mount(t, "tmpfs", done, "size=64k,mode=700")
	wantWrong(t, Run(t.Context(), o), "folder.done", "another disk", "same volume")
}

func TestLittleSpace(t *testing.T) {
	needRoot(t, "a small file system")
	o := setup(t)
	mount(t, "tmpfs", o.DataDir, "size=10m,mode=700")
	wantWrong(t, Run(t.Context(), o), "data.space", "10 MB", "free some space")
}

// A share whose server is gone: a FUSE mount that nobody serves. Every call waits.
func TestDeadShare(t *testing.T) {
	needRoot(t, "a FUSE mount")
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: a FUSE mount needs /dev/fuse: %v", err)
	}
	o := setup(t)
	mount(t, "fuse", o.Folders[0].Path, "fd="+strconv.Itoa(int(device.Fd()))+",rootmode=40000,user_id=0,group_id=0")
	defer device.Close() // ends the calls that wait
	o.Limit = 300 * time.Millisecond
	other := setup(t).Folders[0]
	other.Name = "assen"
	o.Folders = append(o.Folders, other)
	start := time.Now()
	groups := Run(t.Context(), o)
	for _, g := range groups {
		for _, r := range g.Results {
			if dead := r.Subject == "zwolle"; r.OK == dead || dead && !strings.Contains(r.Text, "no answer within 300ms") {
				t.Errorf("%s %s: %v, %s", r.Check, r.Subject, r.OK, r.Text)
			}
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if found := results(groups, "folder.delete"); len(found) != 1 || found[0].Subject != "assen" {
		t.Errorf("the other folder was not checked to its end: %+v", found)
	}
}

func TestRunUnderAnotherAccount(t *testing.T) {
	needRoot(t, "a folder of another account")
	o := setup(t)
	if err := os.Chown(o.DataDir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	groups := Run(t.Context(), o)
	wantWell(t, groups)
	if found := results(groups, "account.service"); len(found) != 1 || !strings.Contains(found[0].Text, "65534") || !strings.Contains(found[0].Remedy, "runuser -u") {
		t.Errorf("got %+v; want advice", found)
	}
	o.AsService = true
	groups = Run(t.Context(), o)
	wantWrong(t, groups, "account.service", "65534", "runuser -u")
	if found := results(groups, "account.share"); len(found) != 1 || !strings.Contains(found[0].Text, "uid 65534") {
		t.Errorf("got %+v", found)
	}
}
