// Package account tells which account this process runs under, which one owns
// the data folder, and on Windows which one the service was given, so that a
// secret can be stored for the right one and doctor can say what the service
// will see.
//
// It asks the system and, but for [MakeDataDir] and what sets access lists on Windows, changes nothing. What can't be
// found out is left empty: an account that exists only as a number still has its ID.
package account

// ServiceName is the name of brodaemon's service, on Windows and for systemd.
const ServiceName = "brodaemon"

// Account is one account of this machine or its domain.
type Account struct {
	Name string // as people know it: brodaemon, or OFFICE\svc-bro
	ID   string // what the system goes by: the uid, or the SID
	// Group and Groups are the primary group and all further ones, each as
	// "name (number)"; empty where they could not be found out, and on Windows.
	Group  string
	Groups []string
	// Share is the account that a file server sees. On Windows the machine's own
	// account stands in for the system's (OFFICE\HOST$); elsewhere it is empty,
	// because there the mount decides.
	Share string
}

// String is the name, or the ID where there is none.
func (a Account) String() string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

// Same says whether both are one account.
func (a Account) Same(b Account) bool { return a.ID == b.ID }
