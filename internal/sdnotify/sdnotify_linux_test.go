package sdnotify

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return conn
}

func next(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestMessages(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@brodaemon-test-%d", os.Getpid())} {
		conn := listen(t, name)
		n := New()
		n.Ready("watches 2 folders\nMAINPID=1")
		if got := next(t, conn); got != "READY=1\nSTATUS=watches 2 folders MAINPID=1" {
			t.Errorf("got %q", got)
		}
		n.Reloading()
		if got := next(t, conn); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") || strings.HasSuffix(got, "=0") {
			t.Errorf("got %q", got)
		}
		n.Alive()
		n.Stopping()
		if got := next(t, conn) + next(t, conn); got != "WATCHDOG=1STOPPING=1" {
			t.Errorf("got %q", got)
		}
	}
}

func TestNobodyAsked(t *testing.T) {
	for _, socket := range []string{"", "relative", filepath.Join(t.TempDir(), "absent")} {
		t.Setenv("NOTIFY_SOCKET", socket)
		New().Ready("x")
	}
	(&Notifier{}).Alive()
}

func TestWatchdogIsOfThisProcess(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"2000000", fmt.Sprint(os.Getpid()), 2 * time.Second}, {"2000000", "", 2 * time.Second},
		{"2000000", "1", 0}, {"", "", 0}, {"-5", "", 0}, {"x", "", 0},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got := New().Watchdog(); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestToJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1))
	if ToJournal(f) {
		t.Error("another stream is taken for the journal")
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	if !ToJournal(f) {
		t.Error("the journal is not known")
	}
}
