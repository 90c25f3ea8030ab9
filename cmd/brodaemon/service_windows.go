package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"brodaemon/internal/event"
)

// openEventLog opens the system's event log. Without rights on it, events are in
// the log file only.
func openEventLog() (tell func(event.Event, string), done func()) {
	l, err := event.OpenLog()
	if err != nil {
		return func(event.Event, string) {}, func() {}
	}
	return func(e event.Event, text string) { _ = l.Write(e, text) }, func() { _ = l.Close() }
}

// serviceContext ends by the service manager's word only. Windows tells every
// process that somebody logs off, which Go takes for SIGTERM: a service goes on.
func serviceContext(ctx context.Context) context.Context {
	ctx = context.WithoutCancel(ctx)
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	return ctx
}
