package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func defaultFile() string    { return "/etc/brodaemon/config.yaml" }
func defaultDataDir() string { return "/var/lib/brodaemon" }

func pathProblem(p string) (problem, remedy string) { return unixPathProblem(p) }

// foldPath returns a path in the form in which two can be compared.
func foldPath(p string) string { return p }

// driveTarget is for Windows.
func driveTarget(string) (unc string, mapped bool) { return "", false }

// networkTypes are file systems that keep their files elsewhere or in a process of
// their own, by the number that statfs gives (linux/magic.h).
var networkTypes = map[uint32]string{
	0x0000517b: "smb",
	0xff534d42: "cifs",
	0xfe534d42: "smb2",
	0x00006969: "nfs",
	0x65735546: "fuse",
	0x0000564c: "ncp",
	0x5346414f: "afs",
	0x6b414653: "afs",
	0x73757245: "coda",
	0x00c36400: "ceph",
	0x0bd00bd0: "lustre",
}

// CheckDataDir refuses a data folder on a network drive: the queue's database needs
// locks and memory maps that such drives do not keep. A folder that is not there
// yet is judged by the one that it would be made in.
func CheckDataDir(path string) error {
	dir, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("check data folder %s: %w", path, err)
	}
	var stat unix.Statfs_t
	for {
		err = unix.Statfs(dir, &stat)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err != nil {
		return fmt.Errorf("check data folder %s: ask for the file system of %s: %w", path, dir, err)
	}
	if kind, ok := networkTypes[uint32(stat.Type)]; ok {
		return &networkDriveError{path: path, kind: kind}
	}
	return nil
}
