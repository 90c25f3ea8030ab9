//go:build linuxroot

package watch

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// dammedSource is fsnotify with a consumer that stands still until it is opened.
type dammedSource struct {
	Source
	events   chan fsnotify.Event
	errs     chan error
	overflow *atomic.Int32
}

func newDammed(open <-chan struct{}, overflow *atomic.Int32) (Source, error) {
	real, err := newFsnotify()
	if err != nil {
		return nil, err
	}
	d := &dammedSource{Source: real, events: make(chan fsnotify.Event), errs: make(chan error), overflow: overflow}
	go func() {
		<-open
		events, errs := real.Events(), real.Errors()
		for events != nil || errs != nil {
			select {
			case e, ok := <-events:
				if !ok {
					events = nil
					continue
				}
				d.events <- e
			case err, ok := <-errs:
				if !ok {
					errs = nil
					continue
				}
				if err == fsnotify.ErrEventOverflow {
					d.overflow.Add(1)
				}
				d.errs <- err
			}
		}
	}()
	return d, nil
}

func (d *dammedSource) Events() <-chan fsnotify.Event { return d.events }
func (d *dammedSource) Errors() <-chan error          { return d.errs }

// TestEventOverflow: more files are made than the system's queue of events
// holds while nobody reads it. All are taken all the same, at once and not only
// at the next regular scan.
func TestEventOverflow(t *testing.T) {
	queued, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(queued)))
	if err != nil || limit > 100_000 {
		t.Skipf("SKIPPED: the queue of events holds %s", queued)
	}
	b := newBench(t)
	b.opt.Poll, b.opt.ScanInterval, b.opt.Settle = false, time.Hour, 50*time.Millisecond
	open := make(chan struct{})
	var overflow atomic.Int32
	b.opt.NewSource = func() (Source, error) { return newDammed(open, &overflow) }
	b.start()
	defer b.stop()
	eventually(t, "online", 5*time.Second, func() bool { s := b.f.State(); return s.Online && s.Events })
	n := limit + 4000
	for i := range n {
		f, err := os.Create(b.path(fmt.Sprintf("%06d.xml", i)))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if got := b.rels(); len(got) != 0 {
		t.Fatalf("%d files were taken without an event", len(got))
	}
	close(open)
	began := time.Now()
	eventually(t, "all files", time.Minute, func() bool { return len(b.rels()) >= n })
	rels := b.rels()
	slices.Sort(rels)
	if len(slices.Compact(rels)) != n || overflow.Load() == 0 {
		t.Errorf("%d different files of %d, %d overflows", len(slices.Compact(rels)), n, overflow.Load())
	}
	t.Logf("%d files, %d overflows, all taken after %s", n, overflow.Load(), time.Since(began).Round(time.Millisecond))
}

const limitedEnv = "BRODAEMON_TEST_INOTIFY_LIMIT"

// TestWatchLimits runs itself in a user namespace of its own, where the limits
// of inotify are set to nothing: the folder is polled, and says which setting to raise.
func TestWatchLimits(t *testing.T) {
	if limit := os.Getenv(limitedEnv); limit != "" {
		underLimit(t, limit)
		return
	}
	for _, limit := range []string{"max_inotify_instances", "max_inotify_watches"} {
		t.Run(limit, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestWatchLimits$", "-test.v")
			cmd.Env = append(os.Environ(), limitedEnv+"="+limit)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			switch {
			case err != nil && len(out) == 0:
				t.Skipf("SKIPPED: a user namespace: %v", err)
			case err != nil:
				t.Errorf("%v: %s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

func underLimit(t *testing.T, limit string) {
	if err := os.WriteFile("/proc/sys/user/"+limit, []byte("0"), 0); err != nil {
		t.Fatalf("set the limit: %v", err)
	}
	b := newBench(t)
	b.quick()
	b.write("a.xml", "<a/>")
	b.start()
	defer b.stop()
	eventually(t, "a.xml", 10*time.Second, func() bool { return slices.Equal(b.rels(), []string{"a.xml"}) })
	b.write("b.xml", "<b/>")
	eventually(t, "b.xml", 10*time.Second, func() bool { return len(b.rels()) == 2 })
	s := b.f.State()
	setting := map[string]string{"max_inotify_instances": "fs.inotify.max_user_instances", "max_inotify_watches": "fs.inotify.max_user_watches"}[limit]
	if s.Events || !s.Online || !strings.Contains(s.Polling, "sysctl -w "+setting+"=") {
		t.Errorf("online %v, events %v: %q", s.Online, s.Events, s.Polling)
	}
	t.Log(s.Polling)
}
