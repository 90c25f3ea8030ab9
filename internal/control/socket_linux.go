package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketName is the socket's name in the data folder.
const socketName = "control.sock"

// maxAddress is the longest path that a socket address holds, its closing zero
// taken off (sun_path in unix(7)).
const maxAddress = 107

// listen takes the folder's lock first, so that of several daemons starting at once
// only one ever touches the socket.
func listen(dataDir string) (net.Listener, error) {
	dataDir, err := filepath.Abs(dataDir) // the socket is removed by this name, wherever the process is then
	if err != nil {
		return nil, err
	}
	folder, err := openFolder(dataDir)
	if err != nil {
		return nil, err
	}
	l, err := listenIn(folder, dataDir)
	if err != nil {
		folder.Close()
		return nil, err
	}
	return l, nil
}

func listenIn(folder *os.File, dataDir string) (net.Listener, error) {
	if err := checkFolder(folder); err != nil {
		return nil, err
	}
	err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	path := filepath.Join(dataDir, socketName)
	if err := removeStale(folder, path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: privateSocket}
	inner, err := config.Listen(context.Background(), "unix", address(folder, dataDir))
	if err != nil {
		return nil, err
	}
	inner.(*net.UnixListener).SetUnlinkOnClose(false) // listener.Close does it, by a path that holds
	l := &listener{UnixListener: inner.(*net.UnixListener), folder: folder, path: path}
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("the file system gave it mode %v; choose a data folder on a file system that keeps permissions", info.Mode().Perm())
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	l.socket = info
	return l, nil
}

// openFolder opens the data folder itself: to lock it, and to reach the socket in
// it by a short name.
func openFolder(dataDir string) (*os.File, error) {
	return os.OpenFile(dataDir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// checkFolder refuses a folder in which somebody else could put a socket of theirs.
func checkFolder(folder *os.File) error {
	info, err := folder.Stat()
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if owner != uint32(os.Geteuid()) {
		return fmt.Errorf("the folder belongs to account %d and this is account %d; run brodaemon as the account that the folder belongs to, or change that with chown",
			owner, os.Geteuid())
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others than its owner can write to the folder (mode %v); take that away with: chmod go-w %s", info.Mode().Perm(), folder.Name())
	}
	return nil
}

// removeStale clears away the socket of a daemon that was killed. Whoever still
// answers on it is left in peace, and so is what is no socket.
func removeStale(folder *os.File, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket; see what it is and move it away", path)
	}
	conn, err := net.DialTimeout("unix", address(folder, filepath.Dir(path)), dialTimeout)
	if err == nil {
		conn.Close()
		return ErrInUse
	}
	if errors.Is(err, unix.EAGAIN) { // more calls waiting than it takes: hung, but there
		return ErrInUse
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("find out whether a daemon still answers on %s: %w", path, err)
	}
	return os.Remove(path)
}

// address returns what the kernel shall know the socket by: its path, or, if that is
// longer than an address can be, the same file seen through our handle on the folder.
func address(folder *os.File, dataDir string) string {
	path := filepath.Join(dataDir, socketName)
	if len(path) <= maxAddress {
		return path
	}
	return "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/" + socketName
}

// privateSocket gives the socket its mode before it has a name: bind passes the mode
// of the socket on to the file that it makes. A umask would do it for every file that
// the process makes meanwhile, a chmod afterwards would be late.
func privateSocket(_, _ string, raw syscall.RawConn) error {
	var chmodErr error
	err := raw.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, chmodErr)
}

// listener is a Unix listener that takes calls from our own account and from root only.
type listener struct {
	*net.UnixListener
	folder *os.File    // holds the lock
	path   string      // of the socket
	socket os.FileInfo // as we made it

	close    sync.Once
	closeErr error
}

// Accept waits for the next call that may be taken. Others are hung up on.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if uid, err := caller(conn); err == nil && welcome(uid, uint32(os.Geteuid())) {
			return conn, nil
		}
		conn.Close()
	}
}

// caller returns the account at the other end of conn, as the kernel knows it.
func caller(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credentials *unix.Ucred
	var optionErr error
	err = raw.Control(func(fd uintptr) {
		credentials, optionErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, optionErr); err != nil {
		return 0, err
	}
	return credentials.Uid, nil
}

// welcome tells whether the account uid may give orders to the daemon of account own.
func welcome(uid, own uint32) bool { return uid == own || uid == 0 }

// Close stops listening, removes the socket and gives back the lock, in this order,
// so that a daemon that starts now finds either us or nothing. It may be repeated.
func (l *listener) Close() error {
	l.close.Do(func() {
		l.closeErr = errors.Join(l.UnixListener.Close(), l.removeOwn(), l.folder.Close())
	})
	return l.closeErr
}

// removeOwn removes the socket if it is still ours: with the folder restored from a
// copy, or emptied by hand, it may be another's by now.
func (l *listener) removeOwn() error {
	info, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.socket != nil && !os.SameFile(info, l.socket) {
		return nil
	}
	return os.Remove(l.path)
}

// dial calls the socket in dataDir.
func dial(ctx context.Context, dataDir string) (net.Conn, error) {
	var d net.Dialer
	path := filepath.Join(dataDir, socketName)
	if len(path) <= maxAddress {
		conn, err := d.DialContext(ctx, "unix", path)
		return conn, explain(err)
	}
	folder, err := openFolder(dataDir)
	if err != nil {
		return nil, explain(err)
	}
	defer folder.Close()
	conn, err := d.DialContext(ctx, "unix", address(folder, dataDir))
	return conn, explain(err)
}

// explain says what it means that the daemon cannot be called.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run this command as the account that brodaemon runs under, or as root", err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w; the daemon is there but does not take the call, see its log", err)
	}
	return err
}
