package watch

import (
	"fmt"
	"os"
	"path/filepath"
)

// This file is for those who want to know beforehand how a folder would do.

// TryAlone opens the file at path as a settled file is opened before it is handed over, and closes it again. It fails with ErrBusy while
// another program has it open for writing, as far as the system can tell. It may block for as long as the share does.
func TryAlone(path string) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := openQuiet(root, filepath.Base(path))
	if err != nil {
		return err
	}
	return f.Close()
}

// RemoteFileSystem names the network file system that the directory at path is on, "" if it is on none or, as on Windows, that makes no
// difference for events. It may block for as long as the share does.
func RemoteFileSystem(path string) (string, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return "", err
	}
	defer root.Close()
	return remoteFileSystem(root), nil
}

// TryEvents says why the system would not tell of changes in the directory at path, nil if it would. It may block for as long as the share does.
func TryEvents(path string) error {
	src, err := newFsnotify()
	if err == nil {
		err = src.Add(path)
		if closeErr := src.Close(); err == nil {
			err = closeErr
		}
	}
	if limit := eventLimit(err); limit != "" {
		return fmt.Errorf("%s (%w)", limit, err)
	}
	return err
}
