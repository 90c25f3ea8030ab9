package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// watchSubfolders says whether sub-folders get watches of their own. A watch is an open handle here, and people could not rename the folders
// above it any more. Changes in a sub-folder mostly show as an event of its parent; the scans find them anyway.
const watchSubfolders = false

// listingDrift is how far the time in a listing may be from the time of the open file: listings and file servers round it.
const listingDrift = 2 * time.Second

// identity is nothing here. File numbers come for free only with some listings, and creation times are made up by some file servers; size and
// time have to do.
type identity struct{}

func (identity) same(identity) bool { return true }

func identify(fs.FileInfo) identity { return identity{} }

// onlineOnly says whether the content of the file is in the cloud or on tape: opening it would fetch it, or fail for a service account.
func onlineOnly(info fs.FileInfo) bool {
	const elsewhere = windows.FILE_ATTRIBUTE_OFFLINE | windows.FILE_ATTRIBUTE_RECALL_ON_OPEN | windows.FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS
	data, ok := info.Sys().(*syscall.Win32FileAttributeData)
	return ok && data.FileAttributes&elsewhere != 0
}

// openFolder opens a directory to be listed.
func openFolder(root *os.Root, name string) (*os.File, error) { return root.Open(name) }

// readBatch gives up to n entries; their size and time come with the listing. They may lag behind while a program has the file open, which
// is why openQuiet asks for writers and Open compares again.
func readBatch(dir *os.File, n int) ([]found, error) {
	entries, err := dir.ReadDir(n)
	batch := make([]found, 0, len(entries))
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil {
			info = nil // it will be asked for by itself
		}
		batch = append(batch, found{name: e.Name(), info: info})
	}
	return batch, err
}

// openRegular opens an ordinary file for reading. Unlike os.Open, os.Root lets others rename and remove the file meanwhile.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, busy(err)
	}
	info, err = f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openQuiet is openRegular for a file that nobody is writing to. The probe is an open that tolerates other readers but no writer, so that
// somebody who merely looks at the file does not hold it up.
func openQuiet(root *os.Root, name string) (*os.File, error) {
	full := filepath.Join(root.Name(), name)
	p, err := windows.UTF16PtrFromString(full)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	h, err := windows.CreateFile(p, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return nil, busy(&fs.PathError{Op: "open", Path: name, Err: err})
	}
	if err := windows.CloseHandle(h); err != nil {
		return nil, &fs.PathError{Op: "close", Path: name, Err: err}
	}
	return openRegular(root, name)
}

// busy makes ErrBusy of a sharing or lock violation.
func busy(err error) error {
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	}
	return err
}

// syncFolder does nothing: a directory cannot be flushed here.
func syncFolder(*os.Root) error { return nil }

// remoteFileSystem is "" for shares too: the Windows client does pass on events from file servers, and when it does not the scans go on.
func remoteFileSystem(*os.Root) string { return "" }

// eventLimit knows of none.
func eventLimit(error) string { return "" }

// errnoTexts puts the common error numbers in words.
var errnoTexts = map[syscall.Errno]explanation{
	windows.ERROR_FILE_NOT_FOUND:               {CauseMissing, AdviceMissing},
	windows.ERROR_PATH_NOT_FOUND:               {CauseMissing, AdviceMissing},
	windows.ERROR_DIRECTORY:                    {CauseNotAFolder, AdviceNotAFolder},
	windows.ERROR_ACCESS_DENIED:                {CauseNoPermission, AdviceRights},
	windows.ERROR_NETWORK_ACCESS_DENIED:        {CauseNoPermission, AdviceRights},
	windows.ERROR_PRIVILEGE_NOT_HELD:           {CauseNoPermission, AdviceRights},
	windows.ERROR_NOT_READY:                    {CauseUnreachable, AdviceNotReady},
	windows.ERROR_BAD_UNIT:                     {CauseUnreachable, AdviceDiskGone},
	windows.ERROR_REM_NOT_LIST:                 {CauseUnreachable, AdviceServer},
	windows.ERROR_BAD_NETPATH:                  {CauseUnreachable, AdviceServer},
	windows.ERROR_NETWORK_BUSY:                 {CauseUnreachable, AdviceServer},
	windows.ERROR_DEV_NOT_EXIST:                {CauseUnreachable, AdviceServer},
	windows.ERROR_UNEXP_NET_ERR:                {CauseUnreachable, AdviceServer},
	windows.ERROR_NETNAME_DELETED:              {CauseUnreachable, AdviceServer},
	windows.ERROR_BAD_NET_NAME:                 {CauseUnreachable, AdviceNoShare},
	windows.ERROR_SEM_TIMEOUT:                  {CauseUnreachable, AdviceServer},
	windows.ERROR_NO_NET_OR_BAD_PATH:           {CauseUnreachable, AdviceServer},
	windows.ERROR_NO_NETWORK:                   {CauseUnreachable, AdviceServer},
	windows.ERROR_CONNECTION_REFUSED:           {CauseUnreachable, AdviceServer},
	windows.ERROR_NETWORK_UNREACHABLE:          {CauseUnreachable, AdviceServer},
	windows.ERROR_HOST_UNREACHABLE:             {CauseUnreachable, AdviceServer},
	windows.ERROR_CONNECTION_ABORTED:           {CauseUnreachable, AdviceServer},
	windows.ERROR_NOT_CONNECTED:                {CauseUnreachable, AdviceServer},
	windows.ERROR_INVALID_PASSWORD:             {CauseSignOn, AdviceSignOn},
	windows.ERROR_LOGON_FAILURE:                {CauseSignOn, AdviceSignOn},
	windows.ERROR_ACCOUNT_RESTRICTION:          {CauseSignOn, AdviceSignOn},
	windows.ERROR_INVALID_LOGON_HOURS:          {CauseSignOn, AdviceSignOn},
	windows.ERROR_PASSWORD_EXPIRED:             {CauseSignOn, AdvicePasswordExpired},
	windows.ERROR_ACCOUNT_DISABLED:             {CauseSignOn, AdviceAccountDisabled},
	windows.ERROR_PASSWORD_MUST_CHANGE:         {CauseSignOn, AdviceChangePassword},
	windows.ERROR_ACCOUNT_LOCKED_OUT:           {CauseSignOn, AdviceAccountLocked},
	windows.ERROR_LOGON_TYPE_NOT_GRANTED:       {CauseSignOn, AdviceSignOn},
	windows.ERROR_NO_LOGON_SERVERS:             {CauseSignOn, AdviceNoController},
	windows.ERROR_TRUSTED_RELATIONSHIP_FAILURE: {CauseSignOn, AdviceTrustBroken},
	windows.ERROR_SESSION_CREDENTIAL_CONFLICT:  {CauseSignOn, AdviceOtherAccount},
	windows.ERROR_SHARING_VIOLATION:            {CauseTrouble, AdviceBusy},
	windows.ERROR_LOCK_VIOLATION:               {CauseTrouble, AdviceBusy},
	windows.ERROR_DISK_FULL:                    {CauseTrouble, AdviceFull},
	windows.ERROR_HANDLE_DISK_FULL:             {CauseTrouble, AdviceFull},
	windows.ERROR_WRITE_PROTECT:                {CauseNoPermission, AdviceWriteProtected},
	windows.ERROR_FILENAME_EXCED_RANGE:         {CauseTrouble, AdviceTooLong},
}
