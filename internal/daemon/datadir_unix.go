//go:build unix

package daemon

import (
	"fmt"
	"os"
	"syscall"
)

// closeDataDir sees to it that no other account can look into the data folder:
// it holds every document under way, what the portal said of them, and the
// control socket. One that others can read is put right if it is certainly ours
// (nothing but ours in it, or our queue), and fixed says what was done. Anything else
// is refused: what others could write to may hold what others put there, and a
// folder that also serves something else is not ours to close. What lies in it
// (tokens, logs) can't be reached by others through a closed folder, whatever its mode.
func closeDataDir(dir string) (fixed string, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the data folder: %w", err)
	}
	mode := info.Mode().Perm()
	if mode&0o077 == 0 {
		return "", nil
	}
	remedy := fmt.Sprintf("close it with `chmod 700 %s`, or set data_dir to a folder of its own", dir)
	switch owner := info.Sys().(*syscall.Stat_t).Uid; {
	case owner != uint32(os.Geteuid()):
		return "", fmt.Errorf("the data folder %s is open to other accounts (mode %v) and belongs to account %d, while this is account %d: %s", dir, mode, owner, os.Geteuid(), remedy)
	case mode&0o022 != 0:
		return "", fmt.Errorf("other accounts can write to the data folder %s (mode %v): see that nothing in it is foreign, then %s", dir, mode, remedy)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("look into the data folder: %w", err)
	}
	if holdsForeign(dir, entries) {
		return "", fmt.Errorf("the data folder %s is open to other accounts (mode %v) and holds other things than brodaemon's: %s", dir, mode, remedy)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", fmt.Errorf("close the data folder to other accounts: %w: %s", err, remedy)
	}
	if info, err = os.Stat(dir); err != nil || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("the file system does not keep other accounts out of the data folder %s: choose one that keeps permissions", dir)
	}
	return fmt.Sprintf("the data folder was open to other accounts (mode %v); it is closed to them now", mode), nil
}
