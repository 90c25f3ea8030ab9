//go:build linuxroot

package faults

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// TestDataDiskFills: the disk with the data folder fills up, to its last byte,
// at each stage of forty documents. Intake stops by name; nothing is lost, sent
// twice or made uncertain; when there is room all goes on by itself.
func TestDataDiskFills(t *testing.T) {
	t.Parallel()
	stages := map[string]sandbox.Op{
		"before anything":         "",
		"at the first validation": sandbox.OpValidate,
		"at an upload":            sandbox.OpAddDocument,
		"at a submission":         sandbox.OpSubmit,
		"while asking":            sandbox.OpDelivery,
	}
	for name, op := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "f")
			data := s.path("data")
			mustDo(t, os.Mkdir(data, 0o700))
			tmpfs(t, data, "size=8m,mode=0700")
			if op == "" { // a restart on a full disk
				s.start()
				s.online("f")
				s.halt()
			}
			var all [][]byte
			for i := range 40 {
				doc := s.newDocument(fmt.Sprint("d", i), 60_000)
				mustDo(t, os.WriteFile(s.path("f", fmt.Sprintf("d%02d.xml", i)), doc, 0o644))
				all = append(all, doc)
			}
			filled := make(chan string, 1)
			if op == "" {
				filled <- fillUp(t, data)
			} else {
				s.onRequest(op, 3, func() { filled <- fillUp(t, data) })
			}
			s.start()
			var hog string
			select {
			case hog = <-filled:
			case <-time.After(patience):
				t.Fatal("it never came to that")
			}
			// more to take in, now that there is no room
			for i := range 5 {
				doc := s.newDocument(fmt.Sprint("late", i), 60_000)
				mustDo(t, os.WriteFile(s.path("f", fmt.Sprintf("late%d.xml", i)), doc, 0o644))
				all = append(all, doc)
			}
			s.eventually("it says so by name", func() bool {
				f, c := s.folder("f"), s.condition("disk-full")
				return c != nil && f.NotTakenN > 0 && strings.HasPrefix(f.NotTaken[0].Reason, "disk-full: ")
			})
			c := s.condition("disk-full")
			if c.Subject != data || !strings.Contains(c.Text, "MB free") || c.Hint == "" || c.Since.IsZero() {
				t.Errorf("condition %+v", c)
			}
			t.Logf("%s; %d of %d submitted by then", c.Text, s.submitted(all), len(all))
			if _, err := s.d.Items(queue.Filter{}); err != nil {
				t.Errorf("the queue can't be read: %v", err)
			}
			mustDo(t, os.Remove(hog))
			// waits of what failed meanwhile end by themselves: nobody asks for a retry
			s.filed(s.path("f", "done"), all...)
			s.settled()
			s.eventually("the condition ends", func() bool { return s.condition("disk-full") == nil })
			s.halt()
			if spool, err := os.ReadDir(filepath.Join(data, "spool")); err != nil || len(spool) != 0 {
				t.Errorf("in the spool: %v, %v", spool, err)
			}
			s.start() // the queue file is sound
			if n, err := s.d.Items(queue.Filter{}); err != nil || len(n) != len(all) {
				t.Errorf("%d items for %d documents, %v", len(n), len(all), err)
			}
		})
	}
}

// onRequest does something once, in the middle of the portal's work on the nth request of a kind.
func (s *site) onRequest(op sandbox.Op, n int, do func()) {
	s.requests = func(at sandbox.Op, nth int) {
		if at == op && nth == n {
			do()
		}
	}
}

func (s *site) submitted(documents [][]byte) int {
	n := 0
	for _, data := range documents {
		n += s.portal.Submissions(hashOf(data))
	}
	return n
}

// TestSmallDiskKeepsItsReserve: intake stops before the disk is full, and what
// is under way then comes to its end on the reserve, without room being made.
func TestSmallDiskKeepsItsReserve(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f")
	data := s.path("data")
	mustDo(t, os.Mkdir(data, 0o700))
	tmpfs(t, data, "size=40m,mode=0700") // reserve 2 MB
	release := s.holdAt(queue.Submitted)
	s.start()
	s.online("f")
	var all [][]byte
	for i := range 14 {
		doc := s.newDocument(fmt.Sprint("d", i), 4_000_000)
		mustDo(t, os.WriteFile(s.path("f", fmt.Sprintf("d%02d.xml", i)), doc, 0o644))
		all = append(all, doc)
	}
	s.eventually("intake stops", func() bool { return s.condition("disk-full") != nil && s.folder("f").NotTakenN > 0 })
	free, err := diskFree(data)
	mustDo(t, err)
	if free < 1<<20 {
		t.Errorf("only %d bytes are left", free)
	}
	s.eventually("what was taken is submitted", func() bool {
		items, _ := s.d.Items(queue.Filter{})
		return len(items) > 5 && s.submitted(all) == len(items)
	})
	t.Logf("%d of %d taken, %d bytes free", s.submitted(all), len(all), free)
	release() // they are filed, which makes room for the others
	s.filed(s.path("f", "done"), all...)
	s.eventually("the condition ends", func() bool { return s.condition("disk-full") == nil })
}

func diskFree(dir string) (uint64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(dir, &st)
	return st.Bavail * uint64(st.Bsize), err
}

// TestDiskErrors runs the real program under strace, which makes chosen writes
// and syncs fail. The program may end or go on; afterwards, without faults, all
// is delivered once.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skipf("SKIPPED: failing system calls: %v", err)
	}
	program := filepath.Join(t.TempDir(), "brodaemon")
	build := exec.Command("go", "build", "-o", program, "brodaemon/cmd/brodaemon")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	for _, inject := range []string{
		"fdatasync:error=EIO:when=12+7", "fsync:error=EIO:when=8+5", "pwrite64:error=ENOSPC:when=30+11", "ftruncate:error=ENOSPC:when=1+2", "renameat2:error=EBUSY:when=2+3",
	} {
		t.Run(inject, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "f")
			address := s.listen()
			s.configure("127.0.0.1:8790", address)
			all := s.saveMany(s.path("f"), "d", 20)
			call, _, _ := strings.Cut(inject, ":")
			run := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+inject,
				program, "--config", s.path("config.yaml"), "run")
			var said bytes.Buffer
			run.Stdout, run.Stderr = &said, &said
			run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			mustDo(t, run.Start())
			ended := make(chan error, 1)
			go func() { ended <- run.Wait() }()
			gone := false
			for deadline := time.Now().Add(15 * time.Second); !gone && time.Now().Before(deadline) && len(s.hashes(s.path("f", "done"))) < len(all); {
				select {
				case err := <-ended:
					gone = true
					t.Logf("it ended: %v: %s", err, said.String())
				case <-time.After(100 * time.Millisecond):
				}
			}
			t.Logf("%d submitted, %d in done/ with faults", s.submitted(all), len(s.hashes(s.path("f", "done"))))
			_ = syscall.Kill(-run.Process.Pid, syscall.SIGKILL)
			if !gone {
				<-ended
			}
			if strings.Contains(said.String(), "panic") || strings.Contains(said.String(), "fatal error") {
				t.Errorf("it crashed: %s", said.String())
			}
			s.start()
			held := 0
			s.eventually("all have their place, or wait for a person with a lost answer", func() bool {
				items, _ := s.d.Items(queue.Filter{Open: true})
				held = 0
				for _, it := range items {
					if it.Hold == queue.HoldUncertain {
						held++
					}
				}
				return len(items) == held && len(s.hashes(s.path("f", "done")))+held == len(all)
			})
			for _, data := range all {
				if n := s.portal.Submissions(hashOf(data)); n > 1 {
					t.Errorf("submitted %d times", n)
				}
			}
			t.Logf("%d delivered, %d held as uncertain after the kill", len(all)-held, held)
		})
	}
}

// listen serves the portal on a loopback address, for a daemon in another process.
func (s *site) listen() (address string) {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	server := &http.Server{Handler: s.portal}
	go func() { _ = server.Serve(l) }()
	s.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// configure changes a word of the configuration.
func (s *site) configure(old, new string) {
	s.Helper()
	at := s.path("config.yaml")
	data, err := os.ReadFile(at)
	s.must(err)
	s.must(os.WriteFile(at, bytes.ReplaceAll(data, []byte(old), []byte(new)), 0o600))
}
