// Package sdnotify speaks to systemd from inside a service: that it is ready,
// that it stops, that it reloads, and that it is alive (sd_notify(3)); and it
// knows whether a stream goes to the journal.
//
// Where systemd did not ask for it, as on Windows or in a terminal, every call
// does nothing. No call blocks for longer than a moment, and a message that
// can't be sent is no reason to stop: what systemd then does is its to decide.
package sdnotify

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier is the line to systemd. The zero Notifier says nothing to nobody.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// New finds out from the environment what systemd asked of this process.
func New() *Notifier {
	n := &Notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	if !strings.HasPrefix(n.socket, "/") && !strings.HasPrefix(n.socket, "@") {
		n.socket = ""
	}
	pid := os.Getenv("WATCHDOG_PID")
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Watchdog is how long systemd waits for a sign of life before it restarts the
// service; 0 = it does not watch.
func (n *Notifier) Watchdog() time.Duration { return n.watchdog }

// Ready says that the service does its work.
func (n *Notifier) Ready(status string) { n.send("READY=1\nSTATUS=" + line(status)) }

// Status says in one line how it goes.
func (n *Notifier) Status(status string) { n.send("STATUS=" + line(status)) }

// Alive is the sign of life.
func (n *Notifier) Alive() { n.send("WATCHDOG=1") }

// Reloading says that the configuration is read anew; Ready ends it.
func (n *Notifier) Reloading() {
	n.send("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10))
}

// Stopping says that the service is on its way out.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// line keeps a text from being taken for another message.
func line(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

func (n *Notifier) send(message string) {
	if n.socket == "" {
		return
	}
	conn, err := net.DialTimeout("unixgram", n.socket, time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // systemd itself may be busy
	_, _ = conn.Write([]byte(message))
}
