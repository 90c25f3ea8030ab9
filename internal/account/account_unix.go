//go:build unix

package account

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Current is the account this process runs under, with the groups it really has.
func Current() (Account, error) {
	a := lookup(os.Geteuid())
	a.Group = groupName(os.Getegid())
	numbers, err := os.Getgroups()
	if err != nil {
		return a, fmt.Errorf("find out the groups of this account: %w", err)
	}
	a.Groups = nil
	for _, n := range numbers {
		if n != os.Getegid() {
			a.Groups = append(a.Groups, groupName(n))
		}
	}
	return a, nil
}

// OwnerOf is the account that a file or folder belongs to, with the groups that
// the machine lists for it.
func OwnerOf(path string) (Account, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Account{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Account{}, fmt.Errorf("the owner of %s can't be found out here", path)
	}
	return lookup(int(stat.Uid)), nil
}

// Service knows of no service: under systemd the data folder's owner is the one.
func Service() (Account, bool) { return Account{}, false }

// lookup fills in what the machine's list of accounts says.
func lookup(uid int) Account {
	a := Account{ID: strconv.Itoa(uid)}
	u, err := user.LookupId(a.ID)
	if err != nil {
		return a
	}
	a.Name = u.Username
	if gid, err := strconv.Atoi(u.Gid); err == nil {
		a.Group = groupName(gid)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return a
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil && id != u.Gid {
			a.Groups = append(a.Groups, groupName(gid))
		}
	}
	return a
}

func groupName(gid int) string {
	g, err := user.LookupGroupId(strconv.Itoa(gid))
	if err != nil {
		return strconv.Itoa(gid)
	}
	return fmt.Sprintf("%s (%d)", g.Name, gid)
}

// IDs are the numbers that a process must have to be the account: uid, primary
// group, and all groups.
func (a Account) IDs() (uid, gid uint32, groups []uint32, err error) {
	u, err := user.LookupId(a.ID)
	if err != nil {
		return 0, 0, nil, err
	}
	number := func(text string) uint32 {
		n, parseErr := strconv.ParseUint(text, 10, 32)
		if parseErr != nil && err == nil {
			err = parseErr
		}
		return uint32(n)
	}
	uid, gid = number(u.Uid), number(u.Gid)
	ids, lookupErr := u.GroupIds()
	if lookupErr != nil {
		return 0, 0, nil, lookupErr
	}
	for _, id := range ids {
		groups = append(groups, number(id))
	}
	return uid, gid, groups, err
}

// MakeDataDir makes the data folder, closed to others. One that is there is left
// as it is. It may be repeated.
func MakeDataDir(path string) error { return os.MkdirAll(path, 0o700) }
