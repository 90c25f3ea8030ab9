//go:build unix

package archive

import (
	"errors"
	"os"
	"syscall"
)

// dontWait keeps the opening of a pipe, should one stand there by now, from
// waiting for its writer.
const dontWait = syscall.O_NONBLOCK

// linkNoReplace gives the file its second name, which fails if that is taken,
// and then takes the first away. Killed in between, it leaves both names.
func linkNoReplace(from, to string) error {
	err := os.Link(from, to)
	for _, none := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS, syscall.EINVAL, syscall.EMLINK} {
		if errors.Is(err, none) {
			return errors.ErrUnsupported
		}
	}
	if err != nil {
		return err
	}
	if err := os.Remove(from); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// syncDir makes new and removed names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // some network file systems have no such thing, and nothing better
	}
	return err
}

// busy reports whether a file is only held by another program for the moment. A
// Linux client of an SMB share says so of a file that is open elsewhere.
func busy(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ETXTBSY)
}

func otherVolume(err error) bool { return errors.Is(err, syscall.EXDEV) }

func nameTooLong(err error) bool { return errors.Is(err, syscall.ENAMETOOLONG) }

var kinds = map[syscall.Errno]Kind{
	syscall.ENOSPC:       Full,
	syscall.EDQUOT:       Full,
	syscall.EACCES:       Permission,
	syscall.EPERM:        Permission,
	syscall.EROFS:        ReadOnly,
	syscall.ENOENT:       Gone,
	syscall.EIO:          Gone, // what a share says that lost its server
	syscall.ESTALE:       Gone,
	syscall.ENOTCONN:     Gone,
	syscall.EHOSTDOWN:    Gone,
	syscall.EHOSTUNREACH: Gone,
	syscall.ENETUNREACH:  Gone,
	syscall.ETIMEDOUT:    Gone,
	syscall.ECONNRESET:   Gone,
	syscall.EBUSY:        InUse,
	syscall.ETXTBSY:      InUse,
	syscall.EXDEV:        OtherVolume,
}

// kindOf is the kind of a system error, or "".
func kindOf(err error) Kind {
	var number syscall.Errno
	if errors.As(err, &number) {
		return kinds[number]
	}
	return ""
}
