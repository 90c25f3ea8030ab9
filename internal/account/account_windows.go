package account

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Current is the account this process runs under.
func Current() (Account, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return Account{}, fmt.Errorf("find out which account this is: %w", err)
	}
	return describe(user.User.Sid), nil
}

// OwnerOf is the account that a file or folder belongs to. What an elevated
// administrator makes belongs to the group Administrators.
func OwnerOf(path string) (Account, error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return Account{}, fmt.Errorf("find out the owner of %s: %w", path, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return Account{}, fmt.Errorf("find out the owner of %s: %w", path, err)
	}
	if owner == nil {
		return Account{}, fmt.Errorf("%s has no owner", path)
	}
	return describe(owner), nil
}

// Service is the account that the Windows service brodaemon was given, if it is installed.
func Service() (Account, bool) {
	start, err := serviceStartName()
	if err != nil || start == "" {
		return Account{}, false
	}
	sid, err := sidOf(start)
	if err != nil {
		return Account{Name: start, Share: start}, true
	}
	return describe(sid), true
}

// serviceStartName asks the service manager with no more rights than any
// account has; package mgr would want those of an administrator.
func serviceStartName() (string, error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return "", err
	}
	defer windows.CloseServiceHandle(manager)
	name, err := windows.UTF16PtrFromString(ServiceName)
	if err != nil {
		return "", err
	}
	service, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_CONFIG)
	if err != nil {
		return "", err
	}
	defer windows.CloseServiceHandle(service)
	buf := make([]byte, 8<<10) // the documented maximum
	var needed uint32
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buf[0]))
	if err := windows.QueryServiceConfig(service, config, uint32(len(buf)), &needed); err != nil {
		return "", err
	}
	return windows.UTF16PtrToString(config.ServiceStartName), nil
}

// sidOf looks an account up as the service manager spells it.
func sidOf(start string) (*windows.SID, error) {
	if strings.EqualFold(start, "LocalSystem") {
		return windows.CreateWellKnownSid(windows.WinLocalSystemSid)
	}
	if local, ok := strings.CutPrefix(start, `.\`); ok {
		host, err := windows.ComputerName()
		if err != nil {
			return nil, err
		}
		start = host + `\` + local
	}
	sid, _, _, err := windows.LookupSID("", start)
	return sid, err
}

func describe(sid *windows.SID) Account {
	a := Account{ID: sid.String()}
	if name, domain, _, err := sid.LookupAccount(""); err == nil {
		a.Name = name
		if domain != "" {
			a.Name = domain + `\` + name
		}
	}
	a.Share = a.Name
	switch {
	case sid.IsWellKnown(windows.WinLocalSystemSid), sid.IsWellKnown(windows.WinNetworkServiceSid), strings.HasPrefix(a.ID, "S-1-5-80-"):
		a.Share = machineAccount() // a virtual account (NT SERVICE\…) is the machine too
	case sid.IsWellKnown(windows.WinLocalServiceSid):
		a.Share = "" // anonymous
	}
	return a
}

// machineAccount is what a file server sees of the system's own accounts.
func machineAccount() string {
	host, err := windows.ComputerName()
	if err != nil {
		return ""
	}
	var name *uint16
	var kind uint32
	if err := windows.NetGetJoinInformation(nil, &name, &kind); err != nil {
		return host + "$"
	}
	defer windows.NetApiBufferFree((*byte)(unsafe.Pointer(name)))
	if kind != windows.NetSetupDomainName {
		return ""
	}
	return windows.UTF16PtrToString(name) + `\` + host + "$"
}
