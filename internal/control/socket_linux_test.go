package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childVariable makes the test binary do a job in a process of its own.
const childVariable = "BRODAEMON_CONTROL_TEST_CHILD"

const nobody = 65534

// child does one job, "listen DIR" or "ask DIR" as another account, and tells on its
// standard output how it went.
func child(job string) int {
	verb, dir, _ := strings.Cut(job, " ")
	switch verb {
	case "listen":
		if _, err := Listen(dir); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("listening")
		io.Copy(io.Discard, os.Stdin) // until killed
	case "ask":
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			fmt.Println(err)
			return 1
		}
		response, err := Client(dir).Get(BaseURL)
		if err != nil {
			fmt.Println("refused:", err)
			return 0
		}
		fmt.Println("answered:", response.Status)
	}
	return 0
}

// dataFolder returns a folder as the daemon's data folder is. It is not t.TempDir,
// whose long names would make every socket a special case.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "brodaemon-control-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// ready is for Windows.
func ready(*testing.T, string) (letGo func()) { return func() {} }

// process starts the test binary with a job.
func process(t *testing.T, job string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+job)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

func TestSocketOfAKilledDaemonIsCleared(t *testing.T) {
	dir := dataFolder(t)
	cmd, out := process(t, "listen "+dir)
	if line, _ := out.ReadString('\n'); line != "listening\n" {
		t.Fatalf("the other daemon says %q", line)
	}
	if l, err := Listen(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("while it lives: %v, %v; want ErrInUse", l, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if info, err := os.Lstat(filepath.Join(dir, socketName)); err != nil || info.Mode().Type() != fs.ModeSocket {
		t.Fatalf("the killed daemon left no socket (%v, %v): this test shows nothing", info, err)
	}
	if _, err := Dial(context.Background(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("call to the killed daemon: %v, want ErrNotRunning", err)
	}
	start(t, dir, hello)
	if answer, err := get(t, dir, "x"); err != nil || answer != "hello /x" {
		t.Errorf("new daemon: %q, %v", answer, err)
	}
}

// Whoever answers on the socket keeps it, even without our lock.
func TestLiveSocketIsNeverTaken(t *testing.T) {
	dir := dataFolder(t)
	other, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	before, _ := os.Lstat(filepath.Join(dir, socketName))
	if l, err := Listen(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, %v; want ErrInUse", l, err)
	}
	after, err := os.Lstat(filepath.Join(dir, socketName))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket was replaced: %v", err)
	}
}

// A daemon that hangs has calls waiting until no more fit.
func TestHungSocketIsNeverTaken(t *testing.T) {
	dir := dataFolder(t)
	path := filepath.Join(dir, socketName)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if l, err := Listen(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("listen: %v, %v; want ErrInUse", l, err)
	}
	if _, err := Dial(context.Background(), dir); err == nil || errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "does not take the call") {
		t.Errorf("dial: %v, want an error that says that the daemon is there", err)
	}
}

func TestWhatIsNoSocketStays(t *testing.T) {
	dir := dataFolder(t)
	path := filepath.Join(dir, socketName)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("got %v, %v; want a refusal", l, err)
	}
	if data, err := os.ReadFile(path); string(data) != "mine" {
		t.Errorf("the file is %q, %v", data, err)
	}
}

func TestSocketIsPrivateFromTheStart(t *testing.T) {
	old := syscall.Umask(0) // with the freest umask, and no chmod after bind
	defer syscall.Umask(old)
	dir := dataFolder(t)
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(filepath.Join(dir, socketName))
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, error %v; want a socket with mode 0600", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("more than the socket was made: %v", entries)
	}
}

func TestCloseRemovesOnlyOurSocket(t *testing.T) {
	dir := dataFolder(t)
	path := filepath.Join(dir, socketName)
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("another's file is gone: %v", err)
	}
	os.Remove(path)

	l, err = Listen(dir)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	os.Remove(path)
	if err := l.Close(); err != nil {
		t.Errorf("close without a socket: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestLongDataFolder(t *testing.T) {
	for _, length := range []int{maxAddress - len(socketName) - 1, maxAddress - len(socketName), 600} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			dir := dataFolder(t)
			for len(dir) < length-201 {
				dir = filepath.Join(dir, strings.Repeat("d", 200))
			}
			dir = filepath.Join(dir, strings.Repeat("e", length-len(dir)-1))
			if len(dir) != length {
				t.Fatalf("the test's folder has %d letters, want %d", len(dir), length)
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := Dial(context.Background(), dir); !errors.Is(err, ErrNotRunning) {
				t.Errorf("before: %v, want ErrNotRunning", err)
			}
			stop := start(t, dir, hello)
			if answer, err := get(t, dir, "x"); err != nil || answer != "hello /x" {
				t.Errorf("answer %q, %v", answer, err)
			}
			if _, err := os.Lstat(filepath.Join(dir, socketName)); err != nil {
				t.Errorf("the socket is not in the data folder: %v", err)
			}
			if _, err := Listen(dir); !errors.Is(err, ErrInUse) {
				t.Errorf("second daemon: %v, want ErrInUse", err)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(filepath.Join(dir, socketName)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			// What a killed daemon leaves is a socket that nobody listens on.
			if err := unix.Mknod(filepath.Join(dir, socketName), unix.S_IFSOCK|0o600, 0); err != nil {
				t.Fatal(err)
			}
			start(t, dir, hello)
		})
	}
}

func TestRelativeDataFolder(t *testing.T) {
	dir := dataFolder(t)
	t.Chdir(filepath.Dir(dir))
	stop := start(t, filepath.Base(dir), hello)
	t.Chdir("/")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, socketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestUnsafeFolderIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o770, 0o702, 0o777 | fs.ModeSticky} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := dataFolder(t)
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			if l, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir) {
				t.Errorf("got %v, %v; want a refusal that says what to do", l, err)
			}
		})
	}
	for _, mode := range []fs.FileMode{0o700, 0o750, 0o755} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := dataFolder(t)
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			l, err := Listen(dir)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		})
	}
	t.Run("missing", func(t *testing.T) {
		if _, err := Listen(dataFolder(t) + "-absent"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("a file", func(t *testing.T) {
		file := filepath.Join(dataFolder(t), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(file); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("got %v, want ENOTDIR", err)
		}
	})
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: acting as another account needs root")
	}
}

func TestFolderOfAnotherAccountIsRefused(t *testing.T) {
	needRoot(t)
	dir := dataFolder(t)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "belongs to account 65534") {
		t.Errorf("got %v, %v; want a refusal", l, err)
	}
}

func TestOtherAccountIsRefused(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name   string
		mode   fs.FileMode // of the socket
		byMode bool        // what keeps the other account out
	}{
		{"by the socket's mode", 0o600, true},
		{"by the kernel's word, were the mode lost", 0o666, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := dataFolder(t)
			start(t, dir, func(http.ResponseWriter, *http.Request) { t.Error("a request of another account came through") })
			if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Join(dir, socketName), c.mode)); err != nil {
				t.Fatal(err)
			}
			cmd, out := process(t, "ask "+dir)
			answer, _ := io.ReadAll(out)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v: %s", err, answer)
			}
			text := string(answer)
			if !strings.HasPrefix(text, "refused:") || strings.Contains(text, "permission denied") != c.byMode {
				t.Errorf("the other account got %q, want a refusal, by the mode: %v", text, c.byMode)
			}
		})
	}
}

func TestWelcome(t *testing.T) {
	for _, c := range []struct {
		name     string
		uid, own uint32
		want     bool
	}{
		{"own account", 998, 998, true},
		{"root", 0, 998, true},
		{"another", 1000, 998, false},
		{"another, towards root", 1000, 0, false},
		{"unmapped", nobody, 998, false},
	} {
		if got := welcome(c.uid, c.own); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
