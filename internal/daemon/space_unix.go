//go:build unix

package daemon

import (
	"errors"

	"golang.org/x/sys/unix"
)

// diskSpace gives the bytes that are free for this account, and the size, of the disk that dir is on.
func diskSpace(dir string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	block := uint64(st.Bsize)
	return uint64(st.Bavail) * block, uint64(st.Blocks) * block, nil
}

// noRoom reports whether a write failed because the disk, or the account's share of it, is full.
func noRoom(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
