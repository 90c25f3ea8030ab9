//go:build unix

package archive

import "syscall"

// What the operating system says, for tests that let it say so.
const (
	sysBusy        = syscall.EBUSY
	sysFull        = syscall.ENOSPC
	sysDenied      = syscall.EACCES
	sysGone        = syscall.EIO
	sysOtherVolume = syscall.EXDEV
	sysTooLong     = syscall.ENAMETOOLONG
)
