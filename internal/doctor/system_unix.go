//go:build unix

package doctor

import (
	"errors"

	"golang.org/x/sys/unix"

	"brodaemon/internal/account"
)

const onWindows = false

// runAsKey is the advice on how to run as another account.
const runAsKey = "account.other.unix"

// ownedByAdministrators is for Windows.
func ownedByAdministrators(account.Account) bool { return false }

// freeSpace is what this account may still use.
func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

func isOtherVolume(err error) bool { return errors.Is(err, unix.EXDEV) }
