//go:build unix

package main

import (
	"context"

	"brodaemon/internal/event"
)

// openEventLog has nothing to open: events are lines of the journal.
func openEventLog() (tell func(event.Event, string), done func()) {
	return func(event.Event, string) {}, func() {}
}

func serviceContext(ctx context.Context) context.Context { return ctx }
