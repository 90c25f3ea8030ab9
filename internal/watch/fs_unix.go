//go:build !windows

package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchSubfolders says whether sub-folders get watches of their own.
const watchSubfolders = true

// listingDrift is how far the time in a listing may be from the time of the open file.
const listingDrift = time.Duration(0)

// identity is a file's number on its file system; the zero value means that it is not known. The device is left out, for it changes when the
// same disk is mounted again.
type identity uint64

// same says whether two identities may be of the same file.
func (i identity) same(o identity) bool { return i == o || i == 0 || o == 0 }

func identify(info fs.FileInfo) identity {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity(st.Ino)
	}
	return 0
}

// onlineOnly says whether the content of the file is elsewhere.
func onlineOnly(fs.FileInfo) bool { return false }

// openFolder opens a directory to be listed, and nothing else: opening a pipe would wait for a writer.
func openFolder(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
}

// readBatch gives up to n names. It does not ask for more than the names, for one entry that cannot be looked at would end the listing.
func readBatch(dir *os.File, n int) ([]found, error) {
	names, err := dir.Readdirnames(n)
	batch := make([]found, len(names))
	for i, name := range names {
		batch[i].name = name
	}
	return batch, err
}

// openRegular opens an ordinary file for reading. The last part of its name is never followed if it is a link; O_NONBLOCK keeps a pipe from
// making us wait.
func openRegular(root *os.Root, name string) (*os.File, error) {
	dir, err := openFolder(root, filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	conn, err := dir.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var openErr error
	err = conn.Control(func(dirfd uintptr) {
		for {
			fd, openErr = unix.Openat(int(dirfd), filepath.Base(name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if openErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	switch openErr {
	case nil:
	case unix.ELOOP, unix.ENXIO: // a link; a socket or a device without a driver
		return nil, ErrNotRegular
	case unix.EAGAIN, unix.EBUSY, unix.ETXTBSY: // a file server holds it for somebody
		return nil, fmt.Errorf("%w (%w)", ErrBusy, openErr)
	default:
		return nil, &fs.PathError{Op: "openat", Path: name, Err: openErr}
	}
	f := os.NewFile(uintptr(fd), filepath.Join(root.Name(), name))
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openQuiet is openRegular for a file that nobody is writing to.
func openQuiet(root *os.Root, name string) (*os.File, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	if hasWriter(f) {
		f.Close()
		return nil, ErrBusy
	}
	return f, nil
}

// syncFolder makes a new name in the folder durable, where the file system knows such a thing; file servers often do not.
func syncFolder(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EBADF) {
		return err
	}
	return nil
}

// errnoTexts puts the common error numbers in words.
var errnoTexts = map[syscall.Errno]explanation{
	unix.ENOENT:       {CauseMissing, AdviceMissing},
	unix.ENOTDIR:      {CauseNotAFolder, AdviceNotAFolder},
	unix.EACCES:       {CauseNoPermission, AdviceRights},
	unix.EPERM:        {CauseNoPermission, AdviceRights},
	unix.EROFS:        {CauseNoPermission, AdviceReadOnly},
	unix.EIO:          {CauseUnreachable, AdviceInputOutput},
	unix.ESTALE:       {CauseUnreachable, AdviceStale},
	unix.EHOSTDOWN:    {CauseUnreachable, AdviceServer},
	unix.EHOSTUNREACH: {CauseUnreachable, AdviceServer},
	unix.ENETUNREACH:  {CauseUnreachable, AdviceServer},
	unix.ENETDOWN:     {CauseUnreachable, AdviceServer},
	unix.ETIMEDOUT:    {CauseUnreachable, AdviceServer},
	unix.ECONNREFUSED: {CauseUnreachable, AdviceServer},
	unix.ECONNRESET:   {CauseUnreachable, AdviceServer},
	unix.ECONNABORTED: {CauseUnreachable, AdviceServer},
	unix.ENOTCONN:     {CauseUnreachable, AdviceNotConnected},
	unix.ENODEV:       {CauseUnreachable, AdviceDiskGone},
	unix.ENXIO:        {CauseUnreachable, AdviceDiskGone},
	unix.ENOSPC:       {CauseTrouble, AdviceFull},
	unix.EDQUOT:       {CauseTrouble, AdviceFull},
	unix.EBUSY:        {CauseTrouble, AdviceBusy},
	unix.ETXTBSY:      {CauseTrouble, AdviceBusy},
	unix.EMFILE:       {CauseTrouble, AdviceTooManyHere},
	unix.ENFILE:       {CauseTrouble, AdviceTooMany},
	unix.ELOOP:        {CauseTrouble, AdviceCircle},
	unix.ENAMETOOLONG: {CauseTrouble, AdviceTooLong},
}
