package secret

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"brodaemon/internal/account"
)

// wide are the groups that hold everybody, or everybody of an office. A file
// that one of them can read is no secret. (Users is what a file in
// %ProgramData% inherits.)
var wide = []windows.WELL_KNOWN_SID_TYPE{
	windows.WinWorldSid, windows.WinBuiltinUsersSid, windows.WinAuthenticatedUserSid, windows.WinAnonymousSid,
	windows.WinBuiltinGuestsSid, windows.WinInteractiveSid, windows.WinNetworkSid, windows.WinLocalSid,
}

// wideInDomain are the last numbers of such groups of a domain: its users,
// guests and computers.
var wideInDomain = []uint32{513, 514, 515}

func isWide(sid *windows.SID) bool {
	for _, kind := range wide {
		if sid.IsWellKnown(kind) {
			return true
		}
	}
	return strings.HasPrefix(sid.String(), "S-1-5-21-") && slices.Contains(wideInDomain, sid.SubAuthority(uint32(sid.SubAuthorityCount())-1))
}

// reads are the rights that let somebody read a file's content, or take that right.
const reads = windows.FILE_READ_DATA | windows.GENERIC_READ | windows.GENERIC_ALL | windows.WRITE_DAC | windows.WRITE_OWNER

// checkPrivate refuses a file that everybody of the machine or the office may
// read. It asks the open file, so that the answer is about the bytes that are read.
func checkPrivate(file *os.File) error {
	who, err := openTo(windows.Handle(file.Fd()))
	if err != nil {
		return fmt.Errorf("find out who may read %s: %w", file.Name(), err)
	}
	if who != "" {
		return fmt.Errorf("%s may be read by %s: run `%s`", file.Name(), who, RemedyFor(file.Name()))
	}
	return nil
}

// RemedyFor is the command that leaves a file or folder to the system,
// administrators, this account and the service's. It names accounts by number,
// which is the same in every language.
func RemedyFor(path string) string {
	inherit := ""
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		inherit = "(OI)(CI)"
	}
	ids, err := account.Insiders(path)
	if err != nil {
		ids = []string{"S-1-5-18", "S-1-5-32-544"}
	}
	command := `icacls "` + path + `" /inheritance:r /grant:r`
	for _, id := range ids {
		command += " *" + id + ":" + inherit + "F"
	}
	return command
}

// OpenTo names the first wide group that may read a file or list a folder, ""
// if there is none.
func OpenTo(path string) (string, error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", err
	}
	return widest(sd)
}

func openTo(h windows.Handle) (string, error) {
	sd, err := windows.GetSecurityInfo(h, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", err
	}
	return widest(sd)
}

func widest(sd *windows.SECURITY_DESCRIPTOR) (string, error) {
	list, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && list == nil {
		return "everybody (it has no access list)", nil
	}
	if err != nil {
		return "", err
	}
	for i := range list.AceCount {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, uint32(i), &ace); err != nil {
			return "", err
		}
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 || ace.Mask&reads == 0 {
			continue
		}
		if sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart)); isWide(sid) {
			return nameOf(sid), nil
		}
	}
	return "", nil
}

func nameOf(sid *windows.SID) string {
	name, domain, _, err := sid.LookupAccount("")
	if err != nil {
		return sid.String()
	}
	return strings.TrimPrefix(domain+`\`+name, `\`)
}
