package main

import (
	"context"

	"brodaemon/internal/daemon"
)

// reloadOnHangup does nothing: Windows has no such signal. `brodaemon reload` does it there.
func reloadOnHangup(context.Context, *daemon.Daemon) (stop func()) { return func() {} }
