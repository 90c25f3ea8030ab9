package archive

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames a file unless the new name is taken (fs.ErrExist). It
// returns errors.ErrUnsupported if the file system has no way to promise that.
func renameNoReplace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return linkNoReplace(from, to) // NFS and many a FUSE file system
	default:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
}
