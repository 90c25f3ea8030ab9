package account

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Accounts that get at everything anyhow, by SID.
const (
	System         = "S-1-5-18"
	Administrators = "S-1-5-32-544"
)

// Insiders are those who may get at the data folder, by SID: the system,
// administrators, the folder's owner if it is there, the account that the service
// was given, and this account unless it acts as an administrator: who does so
// today should not be let in for ever.
func Insiders(dataDir string) ([]string, error) {
	me, err := Current()
	if err != nil {
		return nil, err
	}
	ids := []string{System, Administrators}
	if !windows.GetCurrentProcessToken().IsElevated() {
		ids = append(ids, me.ID)
	}
	if owner, err := OwnerOf(dataDir); err == nil {
		ids = append(ids, owner.ID)
	}
	if service, ok := Service(); ok && service.ID != "" {
		ids = append(ids, service.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// AccessList lets in the insiders of the data folder and nobody else; what the
// folder above would pass on is shut out (P). With forFolder, what is made in it
// has the same list.
func AccessList(dataDir string, forFolder bool) (*windows.SECURITY_DESCRIPTOR, error) {
	ids, err := Insiders(dataDir)
	if err != nil {
		return nil, err
	}
	inherit := ""
	if forFolder {
		inherit = "OICI"
	}
	list := "D:P"
	for _, id := range ids {
		list += "(A;" + inherit + ";FA;;;" + id + ")"
	}
	return windows.SecurityDescriptorFromString(list)
}

// Close gives a folder the [AccessList] of the data folder, as it is or in it.
// What lies in it and inherits has that list too. It may be repeated.
func Close(dataDir, folder string) error {
	sd, err := AccessList(dataDir, true)
	if err != nil {
		return err
	}
	return Protect(folder, sd)
}

// Protect replaces the access list of a file or folder and shuts out what the
// folder above would pass on.
func Protect(path string, sd *windows.SECURITY_DESCRIPTOR) error {
	list, _, err := sd.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
}

// Attributes wraps an access list for those calls that make something with it
// from its first moment on.
func Attributes(sd *windows.SECURITY_DESCRIPTOR) *windows.SecurityAttributes {
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	return sa
}

// MakeDataDir makes the data folder, closed to others; in %ProgramData% it would
// otherwise be readable by every user of the machine. One that is there is left
// as it is. It may be repeated.
func MakeDataDir(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	sd, err := AccessList(path, true)
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	err = windows.CreateDirectory(name, Attributes(sd))
	if info, statErr := os.Stat(path); errors.Is(err, fs.ErrExist) && statErr == nil && info.IsDir() {
		return nil // somebody else was quicker
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return nil
}
