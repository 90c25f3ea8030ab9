//go:build unix

package secret

import (
	"fmt"
	"os"
)

// checkPrivate refuses a file that anybody but its owner has rights on. It asks
// the open file, so that the answer is about the bytes that are read.
func checkPrivate(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s may be used by others than its owner (mode %04o): run `chmod 600 %s`", file.Name(), mode, file.Name())
	}
	return nil
}

// OpenTo says by its mode who else than its owner has a right on a file or
// folder, "" if nobody.
func OpenTo(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("%04o", mode), nil
	}
	return "", nil
}

// RemedyFor is the command that closes a file or folder to all but its owner.
func RemedyFor(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "chmod 700 " + path
	}
	return "chmod 600 " + path
}
