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
