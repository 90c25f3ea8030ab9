package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"brodaemon/internal/account"
	"brodaemon/internal/secret"
)

// closeDataDir sees to it that nobody but the system, administrators, the
// folder's owner and the service's account can look into the data folder, nor
// into the tokens in it, which have a list of their own. One in %ProgramData%
// that somebody else made is open to every user of the machine. What is open is
// put right if it is certainly ours, and fixed says what was done; else it is
// refused, for the same reasons as on Unix. A list that can't be read is said and is no
// reason not to start.
func closeDataDir(dir string) (fixed string, err error) {
	who, err := secret.OpenTo(dir)
	switch {
	case err != nil:
		return fmt.Sprintf("whether the data folder is open to other accounts can't be found out: %v", err), nil
	case who != "":
		if fixed, err = closeOpenDataDir(dir, who); err != nil {
			return "", err
		}
	}
	return strings.TrimPrefix(fixed+closeTokens(dir), "; "), nil
}

func closeOpenDataDir(dir, who string) (fixed string, err error) {
	remedy := fmt.Sprintf("as an administrator run `%s`, or set data_dir to a folder of its own", secret.RemedyFor(dir))
	owner, ours, err := ownerIsOurs(dir)
	switch {
	case err != nil:
		return "", fmt.Errorf("the data folder %s is open to %s: %w: %s", dir, who, err, remedy)
	case !ours:
		return "", fmt.Errorf("the data folder %s is open to %s and belongs to %s, which is not brodaemon's account: see that nothing in it is foreign, then %s", dir, who, owner, remedy)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("look into the data folder: %w", err)
	}
	if holdsForeign(dir, entries) {
		return "", fmt.Errorf("the data folder %s is open to %s and holds other things than brodaemon's: %s", dir, who, remedy)
	}
	if err := account.Close(dir, dir); err != nil {
		return "", fmt.Errorf("the data folder %s is open to %s, and can't be closed to them: %w: %s", dir, who, err, remedy)
	}
	if still, err := secret.OpenTo(dir); err != nil || still != "" {
		return "", fmt.Errorf("the file system does not keep other accounts out of the data folder %s: choose one that keeps access lists, such as NTFS", dir)
	}
	return fmt.Sprintf("the data folder was open to %s; it is closed to them now", who), nil
}

// closeTokens only tries: a secret that others can read is refused when it is
// read, and its token waits.
func closeTokens(dir string) (fixed string) {
	path := filepath.Join(dir, secret.StoreFolder)
	who, err := secret.OpenTo(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && who == "":
		return ""
	case err != nil:
		return fmt.Sprintf("; whether %s is open to other accounts can't be found out: %v", path, err)
	}
	if err := account.Close(dir, path); err != nil {
		return fmt.Sprintf("; %s is open to %s, and can't be closed to them (%v): as an administrator run `%s`", path, who, err, secret.RemedyFor(path))
	}
	return fmt.Sprintf("; %s was open to %s; it is closed to them now", path, who)
}

// ownerIsOurs says whether the folder belongs to the system, administrators, this
// account or the service's.
func ownerIsOurs(dir string) (owner account.Account, ours bool, err error) {
	if owner, err = account.OwnerOf(dir); err != nil {
		return owner, false, err
	}
	me, err := account.Current()
	if err != nil {
		return owner, false, err
	}
	service, installed := account.Service()
	ours = owner.Same(me) || installed && owner.Same(service) || owner.ID == account.System || owner.ID == account.Administrators
	return owner, ours, nil
}
