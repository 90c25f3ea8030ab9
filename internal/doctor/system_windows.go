package doctor

import (
	"errors"

	"golang.org/x/sys/windows"

	"brodaemon/internal/account"
)

const onWindows = true

// runAsKey is the advice on how to run as another account.
const runAsKey = "account.other.windows"

// ownedByAdministrators says that the owner is the group, as of all that an
// elevated administrator makes: it tells nothing about the service.
func ownedByAdministrators(a account.Account) bool { return a.ID == "S-1-5-32-544" }

// freeSpace is what this account may still use.
func freeSpace(dir string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return free, nil
}

func isOtherVolume(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }
