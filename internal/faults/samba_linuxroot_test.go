//go:build linuxroot

package faults

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brodaemon/internal/queue"
)

// samba is a file server in a network namespace of its own, and a mount of its
// one share. The server and the mount see nothing but each other.
type samba struct {
	t       testing.TB
	netns   string
	dir     string // configuration and state
	backing string // what the share shows, as the file server has it
	share   string // the same through the mount
	server  *exec.Cmd
}

var namespaces atomic.Int32

// newSamba starts both. They are gone at the end of the test, whatever happens.
func newSamba(t testing.TB) *samba {
	t.Helper()
	for _, tool := range []string{"smbd", "smbnetfs", "smbclient", "ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: a real file server: %v", err)
		}
	}
	m := &samba{t: t, netns: fmt.Sprintf("brofault-%d-%d", os.Getpid(), namespaces.Add(1)), dir: t.TempDir()}
	m.backing = filepath.Join(m.dir, "docs")
	mount := filepath.Join(m.dir, "mnt")
	m.share = filepath.Join(mount, "127.0.0.1", "docs")
	for _, dir := range []string{"docs", "mnt", "home/.smb", "state", "cache", "lock", "pid", "private", "ncalrpc"} {
		mustDo(t, os.MkdirAll(filepath.Join(m.dir, dir), 0o755))
	}
	mustDo(t, os.WriteFile(filepath.Join(m.dir, "smb.conf"), fmt.Appendf(nil, `[global]
server role = standalone server
interfaces = lo
bind interfaces only = yes
smb ports = 445
disable netbios = yes
map to guest = Bad User
guest account = root
load printers = no
state directory = %[1]s/state
cache directory = %[1]s/cache
lock directory = %[1]s/lock
pid directory = %[1]s/pid
private dir = %[1]s/private
ncalrpc dir = %[1]s/ncalrpc
[docs]
path = %[1]s/docs
guest ok = yes
read only = no
force user = root
`, m.dir), 0o600))
	mustDo(t, os.WriteFile(filepath.Join(m.dir, "home/.smb/smbnetfs.conf"), []byte("auth \"guest\" \"\"\nhost 127.0.0.1 visible=true\nsmb_timeout 3000\nreply_timeout 10\n"), 0o600))

	if out, err := exec.Command("ip", "netns", "add", m.netns).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: make a network namespace: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", m.netns).Run() })
	m.link("up")
	m.serve()
	client := m.begin("smbnetfs", "-f", mount)
	t.Cleanup(func() {
		_ = unix.Unmount(mount, unix.MNT_DETACH)
		end(client)
	})
	deadline := time.Now().Add(patience)
	for {
		if _, err := os.ReadDir(m.share); err == nil {
			return m
		}
		if time.Now().After(deadline) {
			t.Fatal("the share did not appear in time")
		}
		time.Sleep(100 * time.Millisecond) // polling a condition, with a deadline
	}
}

// begin starts a program inside the namespace, in a process group of its own.
func (m *samba) begin(name string, arg ...string) *exec.Cmd {
	m.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + m.netns, name}, arg...)...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(m.dir, "home"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: 0}
	mustDo(m.t, cmd.Start())
	return cmd
}

// end kills a program with its children.
func end(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}

func (m *samba) serve() {
	m.t.Helper()
	server := m.begin("smbd", "--foreground", "--no-process-group", "--debug-stdout", "--configfile="+filepath.Join(m.dir, "smb.conf"))
	m.server = server
	m.t.Cleanup(func() { end(server) })
}

// kill ends the server as a power cut would.
func (m *samba) kill() { end(m.server) }

// link sets the network between server and mount "up" or "down".
func (m *samba) link(state string) {
	m.t.Helper()
	if out, err := exec.Command("ip", "-n", m.netns, "link", "set", "lo", state).CombinedOutput(); err != nil {
		m.t.Fatalf("link %s: %v: %s", state, err, out)
	}
}

// holdOpen opens a file of the share from another client, for reading and writing, until release.
func (m *samba) holdOpen(name string) (release func()) {
	m.t.Helper()
	cmd := exec.Command("nsenter", "--net=/run/netns/"+m.netns, "smbclient", "-N", "//127.0.0.1/docs", "--configfile="+filepath.Join(m.dir, "smb.conf"))
	in, err := cmd.StdinPipe()
	mustDo(m.t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	mustDo(m.t, cmd.Start())
	m.t.Cleanup(func() { end(cmd) })
	_, err = io.WriteString(in, "open "+name+"\n")
	mustDo(m.t, err)
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) { // polling a condition, with a deadline
		locks, _ := exec.Command("smbstatus", "--locks", "--configfile="+filepath.Join(m.dir, "smb.conf")).CombinedOutput()
		if strings.Contains(string(locks), name) {
			break
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("the other client does not open %s: %s", name, locks)
		}
	}
	return func() { in.Close(); _ = cmd.Wait() }
}

// TestFileServer: a real server is killed, or its cable cut, with documents at
// every stage.
func TestFileServer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		leave, come func(m *samba)
		causes      []string
	}{
		"killed":   {(*samba).kill, (*samba).serve, []string{"unreachable"}},
		"link cut": {func(m *samba) { m.link("down") }, func(m *samba) { m.link("up") }, []string{"no-answer", "unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newSamba(t)
			s := newSite(t, "server: path: "+m.share, "steady")
			s.start()
			s.online("server")
			if f := s.folder("server"); f.Events || !strings.Contains(f.Polling, "network file system") {
				t.Errorf("it is watched by events: %+v", f)
			}
			done := filepath.Join(m.backing, "done")
			s.filed(done, s.save(filepath.Join(m.share, "through-the-mount.xml")), s.save(filepath.Join(m.backing, "at-the-server.xml")))

			release := s.holdAt(queue.Submitted)
			under := s.saveMany(m.backing, "under-way", 3)
			s.eventually("submitted", func() bool {
				items, _ := s.d.Items(queue.Filter{State: queue.Submitted})
				return len(items) == len(under)
			})
			tt.leave(m)
			gone := time.Now()
			release()
			waiting := s.saveMany(m.backing, "waiting", 3)
			s.filed(s.path("steady", "done"), s.saveMany(s.path("steady"), "s", 3)...)
			s.within(2*patience, "offline", func() bool {
				f := s.folder("server")
				for _, cause := range tt.causes {
					if !f.Online && f.Cause == cause {
						return true
					}
				}
				return false
			})
			t.Logf("offline after %s: %s", time.Since(gone).Round(time.Millisecond), s.folder("server").Reason)
			s.filed(s.path("steady", "done"), s.saveMany(s.path("steady"), "later", 3)...)
			tt.come(m)
			back := time.Now()
			s.within(3*patience, "online", func() bool { return s.folder("server").Online })
			t.Logf("online %s after it was back", time.Since(back).Round(time.Millisecond))
			s.within(2*patience, "moved", func() bool { return len(s.hashes(done)) == 8 })
			s.filed(done, append(under, waiting...)...)
			if s.folder("server").Gap == nil {
				t.Error("status does not tell of it")
			}
		})
	}
}

// TestStopWithTheLinkCut: the daemon stops in time while calls to a real share wait.
func TestStopWithTheLinkCut(t *testing.T) {
	t.Parallel()
	m := newSamba(t)
	s := newSite(t, "server: path: "+m.share)
	s.start()
	s.online("server")
	release := s.holdAt(queue.Submitted)
	under := s.saveMany(m.backing, "under-way", 12)
	s.eventually("submitted", func() bool {
		items, _ := s.d.Items(queue.Filter{State: queue.Submitted})
		return len(items) == len(under)
	})
	m.link("down")
	release()
	s.eventually("outcomes", func() bool {
		items, _ := s.d.Items(queue.Filter{State: queue.Delivered})
		return len(items) == len(under)
	})
	s.halt() // holds the time against its limit
	m.link("up")
	s.within(2*patience, "the share answers again", func() bool { _, err := os.ReadDir(m.share); return err == nil })
	s.start()
	s.filed(filepath.Join(m.backing, "done"), under...)
}

// TestOpenAtAnotherClient: the document is delivered, and moved when the other
// client has closed it: the server refuses the rename until then.
func TestOpenAtAnotherClient(t *testing.T) {
	t.Parallel()
	m := newSamba(t)
	s := newSite(t, "server: path: "+m.share)
	data := s.save(filepath.Join(m.backing, "held.xml"))
	closeIt := m.holdOpen("held.xml")
	s.start()
	s.eventually("delivered, but in use", func() bool {
		items, _ := s.d.Items(queue.Filter{State: queue.Delivered, Open: true})
		return len(items) == 1 && strings.Contains(items[0].LastError, "device or resource busy")
	})
	if c := s.condition("filing-failed"); c == nil || !strings.Contains(c.Text, "busy") {
		t.Errorf("the condition says %+v", c)
	}
	if _, err := os.Stat(filepath.Join(m.backing, "held.xml")); err != nil {
		t.Error(err)
	}
	closeIt()
	s.filed(filepath.Join(m.backing, "done"), data)
}

// TestNamesOfTwoSystems: names that the server's system allows and its clients
// don't. What the mount shows of them is delivered; nothing is lost or overwritten.
func TestNamesOfTwoSystems(t *testing.T) {
	t.Parallel()
	m := newSamba(t)
	s := newSite(t, "server: path: "+m.share)
	names := []string{
		"con.xml", "NUL.xml", "com1.xml", "colon:name.xml", `back\slash.xml`, "question?.xml", "star*.xml", `quote".xml`, "pipe|.xml",
		"blank at the end .xml", "dot.at.the.end..xml", "Case.xml", "case.xml", "CASE.XML", "één ⟨naam⟩.xml", strings.Repeat("n", 251) + ".xml",
	}
	for _, name := range names {
		s.save(filepath.Join(m.backing, name))
	}
	before := s.hashes(m.backing)
	s.start()
	s.online("server")
	done := filepath.Join(m.backing, "done")
	s.within(2*patience, "all are delivered, or are named with a reason", func() bool {
		f := s.folder("server")
		return len(s.hashes(done))+f.NotTakenN+f.IgnoredN >= len(names)
	})
	s.settled()
	t.Logf("%d delivered, not taken %+v, ignored %+v", len(s.hashes(done)), s.folder("server").NotTaken, s.folder("server").Ignored)
	after := s.hashes(m.backing)
	for sum := range before {
		if len(after[sum]) != 1 {
			t.Errorf("%s lies in %v", s.whole[sum], after[sum])
		}
		if n := s.portal.Submissions(sum); n > 1 {
			t.Errorf("%s was submitted %d times", s.whole[sum], n)
		}
	}
}
