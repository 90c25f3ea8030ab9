package archive

import "golang.org/x/sys/windows"

// What the operating system says, for tests that let it say so.
const (
	sysBusy        = windows.ERROR_SHARING_VIOLATION
	sysFull        = windows.ERROR_DISK_FULL
	sysDenied      = windows.ERROR_ACCESS_DENIED
	sysGone        = windows.ERROR_NETNAME_DELETED
	sysOtherVolume = windows.ERROR_NOT_SAME_DEVICE
	sysTooLong     = windows.ERROR_FILENAME_EXCED_RANGE
)
