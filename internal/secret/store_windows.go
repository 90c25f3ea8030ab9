package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"brodaemon/internal/account"
)

const storedSuffix = ".dpapi"

// entropy goes into the encryption beside the machine's own key, so that other
// programs' blobs are not taken for ours, nor one token's for another's. It is
// no secret: the access list keeps other accounts of this machine out.
func entropy(name string) []byte { return []byte("brodaemon token secret 1\x00" + name) }

func seal(name string, text String) ([]byte, error) {
	plain := []byte(text.Reveal())
	salt := entropy(name)
	var out windows.DataBlob
	// for the machine, because the service's account is not the administrator's who types the secret in
	err := windows.CryptProtectData(blob(plain), nil, blob(salt), 0, nil, windows.CRYPTPROTECT_LOCAL_MACHINE|windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	clear(plain)
	if err != nil {
		return nil, fmt.Errorf("encrypt it for this machine: %w", err)
	}
	return take(out), nil
}

func unseal(name string, content []byte) ([]byte, error) {
	if len(content) == 0 {
		return nil, errors.New("the file is empty: store the secret again")
	}
	salt := entropy(name)
	var out windows.DataBlob
	err := windows.CryptUnprotectData(blob(content), nil, blob(salt), 0, nil, windows.CRYPTPROTECT_UI_FORBIDDEN, &out)
	if err != nil {
		return nil, fmt.Errorf("it can't be decrypted; was it stored on another machine, or is the file damaged? Store the secret again: %w", err)
	}
	return take(out), nil
}

func blob(data []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(data)), Data: &data[0]}
}

// take copies what Windows allocated, and frees it.
func take(b windows.DataBlob) []byte {
	defer windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data)))
	return append([]byte(nil), unsafe.Slice(b.Data, b.Size)...)
}

// makeStore opens the store's folder, and makes it if it is not there, for the
// system, administrators, this account, the data folder's owner and the account
// that the service was given. An old one
// gets the access list anew: the service may have another account since.
func makeStore(dataDir string) (*os.Root, error) {
	path := filepath.Join(dataDir, StoreFolder)
	sd, err := account.AccessList(dataDir, true)
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	err = windows.CreateDirectory(name, account.Attributes(sd))
	if errors.Is(err, fs.ErrExist) {
		err = account.Protect(path, sd)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "make the protected store", Path: path, Err: err}
	}
	return os.OpenRoot(path)
}

func createPrivate(dir *os.Root, name string) (*os.File, error) {
	path := filepath.Join(dir.Name(), name)
	sd, err := account.AccessList(filepath.Dir(dir.Name()), false)
	if err != nil {
		return nil, err
	}
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(p, windows.GENERIC_WRITE, 0, account.Attributes(sd), windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// replaceWithin is how long a reader, or a virus scanner, may hold the old file
// open: until then it can't be replaced here, and nobody reads for so long.
const replaceWithin = 2 * time.Second

// replace returns only when the new name is on disk, since a folder can't be
// synced here.
func replace(dir *os.Root, from, to string) error {
	old, err := windows.UTF16PtrFromString(filepath.Join(dir.Name(), from))
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(filepath.Join(dir.Name(), to))
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(replaceWithin); ; time.Sleep(10 * time.Millisecond) {
		err := windows.MoveFileEx(old, name, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
		switch {
		case err == nil:
			return nil
		case !isHeld(err) || time.Now().After(deadline):
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}

func syncFolder(*os.Root) error { return nil }

// openWithin is how long a stored file can't be opened while it is being replaced.
const openWithin = 300 * time.Millisecond

func isHeld(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}

func readPrivate(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	for deadline := time.Now().Add(openWithin); isHeld(err) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		file, err = os.Open(path)
	}
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
