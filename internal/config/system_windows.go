package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// programFolder returns %ProgramData%\brodaemon. A service has the variable; should
// it be missing, its usual value does.
func programFolder() string {
	base := os.Getenv("ProgramData")
	if base == "" {
		base = `C:\ProgramData`
	}
	return filepath.Join(base, "brodaemon")
}

func defaultFile() string    { return filepath.Join(programFolder(), "config.yaml") }
func defaultDataDir() string { return filepath.Join(programFolder(), "data") }

func pathProblem(p string) (problem, remedy string) { return windowsPathProblem(p) }

// foldPath returns a path in the form in which two can be compared.
func foldPath(p string) string { return strings.ToLower(p) }

// driveTarget returns what a mapped drive letter at the start of path stands for.
// Services do not see the drives that a person has mapped, so such a path works
// when it is tried by hand and fails when it matters. unc is the whole path by its
// real name, "" if Windows does not tell.
func driveTarget(path string) (unc string, mapped bool) {
	if !driveLetter.MatchString(path) || driveType(path[:2]) != windows.DRIVE_REMOTE {
		return "", false
	}
	share, err := connection(path[:2])
	if err != nil {
		return "", true
	}
	return filepath.Join(share, path[2:]), true
}

func driveType(drive string) uint32 {
	root, err := windows.UTF16PtrFromString(drive + `\`)
	if err != nil {
		return windows.DRIVE_UNKNOWN
	}
	return windows.GetDriveType(root)
}

var getConnection = windows.NewLazySystemDLL("mpr.dll").NewProc("WNetGetConnectionW")

// connection asks Windows for the share behind a drive letter such as "X:".
func connection(drive string) (share string, err error) {
	if err := getConnection.Find(); err != nil {
		return "", err
	}
	local, err := windows.UTF16PtrFromString(drive)
	if err != nil {
		return "", err
	}
	buffer := make([]uint16, windows.MAX_LONG_PATH)
	length := uint32(len(buffer))
	code, _, _ := getConnection.Call(uintptr(unsafe.Pointer(local)), uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(&length)))
	if code != 0 {
		return "", windows.Errno(code)
	}
	return windows.UTF16ToString(buffer), nil
}

// CheckDataDir refuses a data folder on a network drive: the queue's database needs
// locks and memory maps that such drives do not keep. A folder that is not there
// yet is judged by its drive.
func CheckDataDir(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("check data folder %s: %w", path, err)
	}
	if strings.HasPrefix(absolute, `\\`) && !localDevice(absolute) {
		return &networkDriveError{path: path, kind: "a share"}
	}
	volume := strings.TrimPrefix(strings.TrimPrefix(absolute, `\\?\`), `\\.\`)
	if !driveLetter.MatchString(volume) {
		return fmt.Errorf("check data folder %s: %w", path, errors.New("it has no drive letter"))
	}
	if driveType(volume[:2]) == windows.DRIVE_REMOTE {
		return &networkDriveError{path: path, kind: "a mapped drive"}
	}
	return nil
}

// localDevice tells a local path in its long form (\\?\C:\data) from a share.
func localDevice(path string) bool {
	return len(path) > 4 && (path[:4] == `\\?\` || path[:4] == `\\.\`) && driveLetter.MatchString(path[4:])
}
