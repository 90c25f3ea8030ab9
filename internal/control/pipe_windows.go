package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// pipeName returns the name of the pipe for a data folder. Pipes live in one space
// for the whole machine, so the folder is in the name; as a digest, because a
// backslash cannot be.
func pipeName(dataDir string) (string, error) {
	folder, err := filepath.Abs(dataDir)
	if err != nil {
		return "", err
	}
	// The same folder by another spelling (8.3 names, a link) is the same daemon.
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	sum := sha256.Sum256([]byte(strings.ToLower(folder)))
	return `\\.\pipe\brodaemon-` + hex.EncodeToString(sum[:16]), nil
}

// accessList lets in the system, administrators and the account that this process
// runs under, and nobody else. Callers from other machines the library keeps out.
func accessList() (string, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("find out which account this is: %w", err)
	}
	return "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + user.User.Sid.String() + ")", nil
}

func listen(dataDir string) (net.Listener, error) {
	name, err := pipeName(dataDir)
	if err != nil {
		return nil, err
	}
	access, err := accessList()
	if err != nil {
		return nil, err
	}
	l, err := winio.ListenPipe(name, &winio.PipeConfig{SecurityDescriptor: access})
	// The first listener of a name owns it; whoever comes later is refused, even if
	// the first belongs to another account.
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrExist) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, ErrInUse
	}
	return l, err
}

func dial(ctx context.Context, dataDir string) (net.Conn, error) {
	name, err := pipeName(dataDir)
	if err != nil {
		return nil, err
	}
	conn, err := winio.DialPipeContext(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; run this command from a prompt opened with \"Run as administrator\", or as the account that brodaemon runs under", err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w; the daemon is there but does not take the call, see its log", err)
	case err != nil:
		return nil, err
	}
	return conn, nil
}
