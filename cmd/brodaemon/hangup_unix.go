//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"brodaemon/internal/daemon"
)

// reloadOnHangup makes SIGHUP take over the changed configuration, until stop is
// called. What came of it is in the log: there is nobody else to tell.
func reloadOnHangup(ctx context.Context, d *daemon.Daemon) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-hangups:
				_, _ = d.Reload(ctx)
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
	}
}
