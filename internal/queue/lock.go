package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// LockName is a file in the data folder that whoever writes to the queue, or
// puts another file in its place, holds locked meanwhile. The lock that bbolt
// has on queue.db can't serve for that: it goes with the file.
const LockName = "queue.lock"

// lockPause is how long is waited between two tries.
const lockPause = 50 * time.Millisecond

// takeLock waits up to timeout for the data folder's lock. Closing the file lets go.
func takeLock(dir string, timeout time.Duration) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, LockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, true, timeout); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockFile waits up to timeout for a lock on an open file: ErrLocked.
func lockFile(f *os.File, exclusive bool, timeout time.Duration) error {
	for end := time.Now().Add(timeout - lockPause); ; time.Sleep(lockPause) {
		held, err := tryLock(f, exclusive)
		switch {
		case err != nil:
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case held:
			return nil
		case !time.Now().Before(end):
			return ErrLocked
		}
	}
}

// skipSync leaves out every sync. Only tests that end no machine set it.
var skipSync = false

// syncFile makes what was written to a file durable.
func syncFile(f *os.File) error {
	if skipSync {
		return nil
	}
	return f.Sync()
}
