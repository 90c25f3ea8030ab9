package watch

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// maxListed is how many files each list in a State names at most; the counts are of all.
const maxListed = 100

// State says how a folder fares: whether it can be read, how it is watched, and what lies in it and why. The lists are ordered by Since and
// then Rel, and hold at most a hundred names; the counts are of all.
type State struct {
	// Online means that the last scan read the whole folder and found its marker.
	Online bool
	// Cause and Reason say what is wrong while offline: a fixed word for programs (and translations), and plain English that also says
	// what to check. Both are empty while online.
	Cause  Cause
	Reason string
	// Words are what is said of it beyond the Cause, if anything.
	Words Words
	// Since is when the folder went online or offline.
	Since time.Time
	// Gap is the last time for which the folder was offline, once it is over.
	Gap Gap
	// Events means that events hurry the scans; otherwise Polling says why the folder is only polled.
	Events       bool
	Polling      string
	PollingWords Words
	// LastScan is when the last complete scan ended; zero before the first.
	LastScan time.Time
	// Files counts the documents that lay in the folder at the last complete scan.
	Files int
	// Settling are files that have not been unchanged for long enough yet.
	Settling      []Waiting
	SettlingCount int
	// Waiting are files that the handler did not take yet, and entries that cannot be looked at, each with the reason.
	Waiting      []Waiting
	WaitingCount int
	// Ignored are entries that will never be taken, for their name or kind. System files and brodaemon's own are not mentioned.
	Ignored      []Ignored
	IgnoredCount int
}

// Gap is a time for which a folder was offline: zero times if there was none. Cause is what it began with.
type Gap struct {
	From, Until time.Time
	Cause       Cause
}

// Waiting is a file that has not been taken yet. Since is when it began to wait for this reason.
type Waiting struct {
	Rel    string
	Reason string
	Words  Words // of the reason; nil where the handler gave none
	Since  time.Time
}

// Ignored is an entry that is never taken. Since is when this process first saw it.
type Ignored struct {
	Rel   string
	Why   Why
	Since time.Time
}

// Cause is a fixed word for what is wrong with a folder.
type Cause string

// The causes for being offline.
const (
	CauseStarting         Cause = "starting"          // not looked at yet
	CauseNoAnswer         Cause = "no-answer"         // a call to the share does not return
	CauseUnreachable      Cause = "unreachable"       // server, network or mount is gone
	CauseMissing          Cause = "missing"           // the folder does not exist
	CauseNotAFolder       Cause = "not-a-folder"      // something else has its name
	CauseNoPermission     Cause = "no-permission"     // this account may not read it
	CauseSignOn           Cause = "sign-on"           // the file server refuses the account
	CausePartial          Cause = "partial"           // the listing broke off
	CauseTrouble          Cause = "trouble"           // anything else the system reports
	CauseMarkerMissing    Cause = "marker-missing"    // readable, but without the marker that was there before
	CauseMarkerOther      Cause = "marker-other"      // the marker of another folder
	CauseMarkerDamaged    Cause = "marker-damaged"    // a marker that cannot be understood
	CauseMarkerUnwritable Cause = "marker-unwritable" // first use, but the marker cannot be written or recorded
)

// clone copies the lists, so that neither side can disturb the other.
func (s State) clone() State {
	s.Settling = slices.Clone(s.Settling)
	s.Waiting = slices.Clone(s.Waiting)
	s.Ignored = slices.Clone(s.Ignored)
	return s
}

// noAnswer is s while a call to the share does not return. The text stays the same as long as it is the same call.
func (s State) noAnswer(what string, since time.Time) State {
	s.Online = false
	s.Cause = CauseNoAnswer
	s.Words = say(SayNoAnswer, since.Format("2006-01-02 15:04:05"))
	s.Reason = fmt.Sprintf("the folder does not answer: the attempt to %s has been waiting since %s. Check that the file server and the network "+
		"work; files that wait here stay safe and are taken when it answers again", what, since.Format("2006-01-02 15:04:05"))
	return s
}

// oldestFirst orders a list of waiting files and cuts it.
func oldestFirst(list []Waiting) []Waiting {
	slices.SortFunc(list, func(a, b Waiting) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Rel, b.Rel)) })
	return slices.Clip(list[:min(len(list), maxListed)])
}

// oldestIgnored orders a list of ignored entries and cuts it.
func oldestIgnored(list []Ignored) []Ignored {
	slices.SortFunc(list, func(a, b Ignored) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Rel, b.Rel)) })
	return slices.Clip(list[:min(len(list), maxListed)])
}
