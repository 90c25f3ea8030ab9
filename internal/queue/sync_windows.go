package queue

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// syncDir does nothing: Windows refuses to flush a folder's handle, and NTFS
// journals names itself.
func syncDir(string) error { return nil }

// letGo closes, and thereby unlocks, a file that bbolt had mapped when it
// panicked. The map stays until the program ends; the file can be renamed
// meanwhile, but not be made shorter.
func letGo(f *os.File) { _ = f.Close() }

// lockedBytes is where bbolt puts its lock: beyond the end of every file.
func lockedBytes() *windows.Overlapped {
	return &windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxUint32}
}

// tryLock locks an open file for this process, in the way bbolt does, so that
// the two see each other's locks. It does not wait.
func tryLock(f *os.File, exclusive bool) (held bool, err error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, lockedBytes())
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// unlock undoes tryLock; closing the file does too.
func unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, lockedBytes())
}

// freeSpace is how many bytes this account may still write in a folder.
func freeSpace(dir string) (uint64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, err
}
