//go:build linuxroot

package watch

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The tests in this file mount file systems. They need root, and run with: go test -tags linuxroot

func (b *bench) mount(source, kind, options string) {
	b.t.Helper()
	if err := unix.Mount(source, b.dir, kind, 0, options); err != nil {
		b.t.Skipf("mount %s: %v", kind, err)
	}
	b.t.Cleanup(func() { _ = unix.Unmount(b.dir, unix.MNT_DETACH) })
}

func (b *bench) unmount() {
	b.t.Helper()
	if err := unix.Unmount(b.dir, 0); err != nil {
		b.t.Fatal(err)
	}
}

// quick makes the bench fit for real time.
func (b *bench) quick() {
	b.opt.Poll, b.opt.ScanInterval, b.opt.Settle, b.opt.IOTimeout = false, 200*time.Millisecond, 50*time.Millisecond, 200*time.Millisecond
}

// TestUnmountAndMountOver: both are silent, and both leave a folder that looks empty.
func TestUnmountAndMountOver(t *testing.T) {
	defer goleak.VerifyNone(t)
	b := newBench(t)
	b.quick()
	b.mount("tmpfs", "tmpfs", "")
	b.write("a.xml", "<a/>")
	b.start()
	defer b.stop()
	eventually(t, "a.xml", 5*time.Second, func() bool { return slices.Equal(b.rels(), []string{"a.xml"}) })

	b.mount("tmpfs", "tmpfs", "") // over the first
	eventually(t, "offline under a mount", 5*time.Second, func() bool { return b.f.State().Cause == CauseMarkerMissing })
	b.write("wrong.xml", "<w/>")
	b.unmount()
	eventually(t, "online again", 5*time.Second, func() bool { s := b.f.State(); return s.Online && s.Events })
	b.write("b.xml", "<b/>")
	eventually(t, "b.xml", 5*time.Second, func() bool { return slices.Contains(b.rels(), "b.xml") })

	b.unmount() // nothing keeps it busy
	eventually(t, "offline after unmounting", 5*time.Second, func() bool { return b.f.State().Cause == CauseMarkerMissing })
	b.want("in the end", "a.xml", "b.xml")
}

// TestHangingFileSystem mounts a FUSE file system that nobody serves: every call to it waits until its connection is closed.
func TestHangingFileSystem(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, release := range []bool{false, true} {
		t.Run(fmt.Sprintf("released=%v", release), func(t *testing.T) {
			b := newBench(t)
			b.quick()
			b.start()
			eventually(t, "online", 5*time.Second, func() bool { return b.f.State().Online })
			fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
			if err != nil {
				t.Skip(err)
			}
			defer fuse.Close()
			b.mount("hang", "fuse", fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse.Fd()))
			eventually(t, "offline", 5*time.Second, func() bool { return b.f.State().Cause == CauseNoAnswer })
			t.Log(b.f.State().Reason)
			if release {
				fuse.Close()
				eventually(t, "another reason", 5*time.Second, func() bool { return b.f.State().Cause == CauseUnreachable })
				t.Log(b.f.State().Reason)
				b.unmount()
				eventually(t, "online again", 5*time.Second, func() bool { return b.f.State().Online })
			}
			began := time.Now()
			b.stop()
			if took := time.Since(began); took > time.Second {
				t.Errorf("run took %s to end", took)
			}
		})
	}
}
