//go:build unix

package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const storedSuffix = ".secret"

func seal(_ string, text String) ([]byte, error)      { return []byte(text.Reveal()), nil }
func unseal(_ string, content []byte) ([]byte, error) { return content, nil }

// makeStore opens the store's folder, and makes it if it is not there: closed to
// others and of the data folder's account. Everything goes through the opened
// data folder, so that a link which that account put there leads root nowhere else.
func makeStore(dataDir string) (*os.Root, error) {
	data, err := os.OpenRoot(dataDir)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	switch err := data.Mkdir(StoreFolder, 0o700); {
	case err == nil:
		if err := syncFolder(data); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	folder, err := data.Open(StoreFolder)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	info, err := folder.Stat()
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: see what it is and move it away", filepath.Join(dataDir, StoreFolder))
	}
	if err := handOver(data, folder); err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := folder.Chmod(0o700); err != nil {
			return nil, err
		}
	}
	return data.OpenRoot(StoreFolder)
}

// handOver gives a file to the account that the folder belongs to. Only root
// makes files for another.
func handOver(folder *os.Root, file *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := folder.Stat(".")
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}

func createPrivate(dir *os.Root, name string) (*os.File, error) {
	file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := handOver(dir, file); err != nil {
		return nil, errors.Join(err, file.Close(), dir.Remove(name))
	}
	return file, nil
}

func replace(dir *os.Root, from, to string) error { return dir.Rename(from, to) }

// syncFolder makes new and removed names survive a power cut.
func syncFolder(dir *os.Root) error {
	folder, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

// readPrivate reads a stored file that only its owner has rights on. It never
// waits for a pipe nor follows a link, should one stand there.
func readPrivate(path string, most int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not an ordinary file", path)
	}
	if err := checkPrivate(file); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, most+1))
}
