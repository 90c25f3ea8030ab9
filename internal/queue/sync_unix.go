//go:build unix

package queue

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// letGo unlocks and closes a file that bbolt had mapped when it panicked:
// closing alone would not unlock it, since the map still holds it.
func letGo(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // it may not be locked yet
	_ = f.Close()                             // nothing was written to it
}
