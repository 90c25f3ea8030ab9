package service

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// The calls of the local security authority that give an account a right; x/sys
// lacks them (ntsecapi.h).
var (
	advapi32            = windows.NewLazySystemDLL("advapi32.dll")
	lsaOpenPolicy       = advapi32.NewProc("LsaOpenPolicy")
	lsaAddAccountRights = advapi32.NewProc("LsaAddAccountRights")
	lsaClose            = advapi32.NewProc("LsaClose")
	lsaNtStatusToError  = advapi32.NewProc("LsaNtStatusToWinError")
)

const (
	policyCreateAccount = 0x10
	policyLookupNames   = 0x800
	logOnAsService      = "SeServiceLogonRight"
)

// lsaObjectAttributes is LSA_OBJECT_ATTRIBUTES; every field but its length is unused.
type lsaObjectAttributes struct {
	length     uint32
	root       windows.Handle
	name       uintptr
	attributes uint32
	security   uintptr
	quality    uintptr
}

// allowLogon gives the account the right to log on as a service, as services.msc
// does when an account is chosen there. It may be repeated.
func allowLogon(sid *windows.SID) error {
	var attributes lsaObjectAttributes
	attributes.length = uint32(unsafe.Sizeof(attributes))
	var policy windows.Handle
	status, _, _ := lsaOpenPolicy.Call(0, uintptr(unsafe.Pointer(&attributes)), policyCreateAccount|policyLookupNames, uintptr(unsafe.Pointer(&policy)))
	if err := lsaError(status); err != nil {
		return err
	}
	defer func() { _, _, _ = lsaClose.Call(uintptr(policy)) }()
	right, err := windows.NewNTUnicodeString(logOnAsService)
	if err != nil {
		return err
	}
	status, _, _ = lsaAddAccountRights.Call(uintptr(policy), uintptr(unsafe.Pointer(sid)), uintptr(unsafe.Pointer(right)), 1)
	return lsaError(status)
}

func lsaError(status uintptr) error {
	if status == 0 {
		return nil
	}
	code, _, _ := lsaNtStatusToError.Call(status)
	return windows.Errno(code)
}
