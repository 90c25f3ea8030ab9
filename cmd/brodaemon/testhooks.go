//go:build testhooks

package main

import (
	"os"
	"path/filepath"
	"time"

	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
)

// A program built for the tests of the service managers stops committing as
// soon as a file "hang" lies in its data folder, and panics once
// for one named "panic".
func init() {
	testHooks = func(o *daemon.Options) {
		dir := o.Config.DataDir
		o.Changed = func(_, _ *queue.Item) {
			if os.Remove(filepath.Join(dir, "panic")) == nil { // once
				panic("asked for by a test")
			}
			for {
				if _, err := os.Stat(filepath.Join(dir, "hang")); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}
