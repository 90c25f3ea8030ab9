package config

import (
	"errors"
	"fmt"
)

// networkDriveError is a data folder that is not on a local disk.
type networkDriveError struct {
	path string
	kind string // of file system or drive
}

func (e *networkDriveError) Error() string {
	return fmt.Sprintf("data folder %s is on a network drive (%s), where the queue's database is not safe; choose a folder on a local disk, such as %s",
		e.path, e.kind, defaultDataDir())
}

// checkSystem asks the operating system what only it can say about the paths.
// Whatever it cannot say now is left to the daemon, which waits for it.
func (l *loader) checkSystem() {
	if !l.isYAML {
		return
	}
	if network := (*networkDriveError)(nil); !l.faulted["data_dir"] && errors.As(CheckDataDir(l.cfg.DataDir), &network) {
		l.fault("data_dir", l.cfg.DataDir, fmt.Sprintf("this is on a network drive (%s), where the queue's database is not safe", network.kind),
			"choose a folder on a local disk, such as "+defaultDataDir())
	}
	for i, f := range l.cfg.Folders {
		at := fmt.Sprintf("folders[%d]", i)
		l.checkDrive(at+".path", f.Path)
		path := newPlace(at+".path", f.Path)
		if !within(path, newPlace(at+".done_dir", f.DoneDir)) {
			l.checkDrive(at+".done_dir", f.DoneDir)
		}
		if !within(path, newPlace(at+".failed_dir", f.FailedDir)) {
			l.checkDrive(at+".failed_dir", f.FailedDir)
		}
	}
}

// checkDrive refuses a mapped drive letter.
func (l *loader) checkDrive(field, path string) {
	unc, mapped := driveTarget(path)
	if !mapped || !l.isGiven(field) {
		return
	}
	remedy := `write the share's real name, \\server\share\…, which "net use" shows`
	if unc != "" {
		remedy = "write " + unc
	}
	l.fault(field, path, fmt.Sprintf("drive %s is a mapped drive, which a service does not see", path[:2]), remedy)
}
