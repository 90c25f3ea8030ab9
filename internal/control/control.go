// Package control is the local line between a running brodaemon and the commands
// that need it: HTTP over a Unix socket in the data folder, or over a named pipe on
// Windows.
//
// Its promise: only the account that the daemon runs under and administrators get
// through. On Linux the socket has mode 0600 from its first moment in a folder that
// nobody else can write to, and each caller's account is asked of the kernel once
// more; on Windows the pipe's access list says the same and callers from other
// machines are refused. At most one daemon listens for a data folder: a second one
// gets ErrInUse, and what a killed one left behind is cleared away.
//
// What it does not do: it knows nothing of what is said over the line. The daemon
// brings the http.Handler; a command brings the requests, to addresses under BaseURL.
package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// BaseURL is the address that requests to the daemon begin with. Client takes every
// request to the daemon of its data folder, whatever the host.
const BaseURL = "http://brodaemon/"

var (
	// ErrNotRunning says that no daemon listens for this data folder.
	ErrNotRunning = errors.New("brodaemon is not running")
	// ErrInUse says that another daemon listens for this data folder already.
	ErrInUse = errors.New("another brodaemon is running with this data folder")
)

const (
	// dialTimeout bounds how long a command waits for a daemon that exists but does
	// not take its call.
	dialTimeout = 5 * time.Second
	// stopGrace is how long requests under way may take once the daemon stops. The
	// daemon as a whole has some twenty seconds (see Windows' service manager).
	stopGrace = 2 * time.Second
)

// Listen opens the line for the daemon of dataDir, which must exist. It fails with
// ErrInUse if a daemon has it already. Close the listener, or let Serve do it, to
// give it back; being killed instead does no harm.
func Listen(dataDir string) (net.Listener, error) {
	l, err := listen(dataDir)
	if err != nil {
		return nil, fmt.Errorf("open control socket for %s: %w", dataDir, err)
	}
	return l, nil
}

// Dial calls the daemon of dataDir. It fails with ErrNotRunning if there is none,
// which costs next to nothing, so it may be used to find out. It does not wait
// longer than ctx says, nor than five seconds.
func Dial(ctx context.Context, dataDir string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := dial(ctx, dataDir)
	if err != nil {
		return nil, fmt.Errorf("call the daemon of %s: %w", dataDir, err)
	}
	return conn, nil
}

// Client returns an HTTP client whose requests all go to the daemon of dataDir. Its
// errors carry ErrNotRunning as Dial's do. It sets no time limit on a request: some
// answers take as long as a delivery; use the request's context.
func Client(dataDir string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, dataDir) },
			// Nothing between two local processes is worth compressing, and a proxy
			// for this machine's other traffic has no place here.
			DisableCompression: true,
			Proxy:              nil,
			IdleConnTimeout:    30 * time.Second,
		},
		// The daemon sends nobody elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Serve answers requests on l with handler until ctx ends, and closes l. Requests
// that are under way then have two seconds to finish, after which they are cut off
// and their contexts end. It returns nil when it stopped because of ctx, and only
// after its connections are closed.
func Serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	select {
	case err := <-served:
		server.Close()
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-served
	if err != nil {
		return fmt.Errorf("close control socket: %w", err)
	}
	return nil
}
