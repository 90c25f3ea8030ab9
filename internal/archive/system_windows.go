package archive

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// renameNoReplace renames a file unless the new name is taken (fs.ErrExist).
// Windows does so when it is not told to replace; it is told to return only
// when the new name is on disk, since a directory can't be synced there.
func renameNoReplace(from, to string) error {
	old, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	name, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	if err := windows.MoveFileEx(old, name, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// dontWait is for systems whose directories can hold pipes.
const dontWait = 0

// syncDir does nothing: Windows refuses to sync a directory.
func syncDir(string) error { return nil }

// busy reports whether a file is only held by another program for the moment:
// virus scanners and indexers do so with every new file. Access denied is what
// they cause as well, so a true lack of permission is known two seconds later.
func busy(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

func otherVolume(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }

func nameTooLong(err error) bool { return errors.Is(err, windows.ERROR_FILENAME_EXCED_RANGE) }

var kinds = map[syscall.Errno]Kind{
	windows.ERROR_DISK_FULL:           Full,
	windows.ERROR_HANDLE_DISK_FULL:    Full,
	windows.ERROR_DISK_QUOTA_EXCEEDED: Full,
	windows.ERROR_ACCESS_DENIED:       Permission,
	windows.ERROR_WRITE_PROTECT:       ReadOnly,
	windows.ERROR_FILE_NOT_FOUND:      Gone,
	windows.ERROR_PATH_NOT_FOUND:      Gone,
	windows.ERROR_BAD_NETPATH:         Gone,
	windows.ERROR_UNEXP_NET_ERR:       Gone,
	windows.ERROR_NETNAME_DELETED:     Gone,
	windows.ERROR_BAD_NET_NAME:        Gone,
	windows.ERROR_SEM_TIMEOUT:         Gone,
	windows.ERROR_NETWORK_UNREACHABLE: Gone,
	windows.ERROR_HOST_UNREACHABLE:    Gone,
	windows.ERROR_NOT_READY:           Gone,
	windows.ERROR_SHARING_VIOLATION:   InUse,
	windows.ERROR_LOCK_VIOLATION:      InUse,
	windows.ERROR_NOT_SAME_DEVICE:     OtherVolume,
}

// kindOf is the kind of a system error, or "".
func kindOf(err error) Kind {
	var number syscall.Errno
	if errors.As(err, &number) {
		return kinds[number]
	}
	return ""
}
