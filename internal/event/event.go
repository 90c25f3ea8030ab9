// Package event is the list of what an administrator's monitoring may want to
// know of brodaemon: each [Event] has a number that never changes, so that a
// rule in SCOM, Zabbix or a journal filter made today works after an upgrade.
//
// On Windows the number is the id in the Event Log (source brodaemon, 1 to 1000
// as the system's own message file allows); on Linux it stands in the journal
// line as event=NUMBER. docs/operation.md lists them for people, and a test
// holds that list against this one.
//
// What it does not do: it decides nothing. Package daemon says when one happens.
package event

// Level is how much an event matters.
type Level int

const (
	Info    Level = iota // nothing to do
	Warning              // something waits; it may go by by itself
	Error                // a person must act
)

// Event is one entry of the list.
type Event struct {
	ID    int
	Name  string // for logs and scripts
	Level Level
	Means string // in plain English, for the documentation
	Do    string // what a person does about it; "" = nothing
}

// What happens to the program itself.
var (
	Started     = Event{100, "started", Info, "brodaemon watches and delivers", ""}
	Stopped     = Event{101, "stopped", Info, "brodaemon was stopped in good order", ""}
	BadConfig   = Event{102, "configuration-wrong", Error, "brodaemon can't start: the configuration has faults, which the text lists", "mend the file it names, then `brodaemon service start`"}
	NoStart     = Event{103, "not-started", Error, "brodaemon can't start for another reason: a file, a lock, an address", "do what the text says, then `brodaemon service start`"}
	Failed      = Event{104, "failed", Error, "brodaemon ended by itself; the service manager starts it again", "report it with the log of that moment"}
	Crashed     = Event{105, "crashed", Error, "the last run ended in a crash; brodaemon runs again and lost nothing", "report it with the file that the text names, then move that file away"}
	Reloaded    = Event{106, "reloaded", Info, "a changed configuration is in force", ""}
	NotReloaded = Event{107, "not-reloaded", Warning, "a changed configuration has faults and is not in force; the one before it still is", "mend the faults that the text lists and reload again"}
)

// What comes and goes. Where two belong together the second says that the first is over.
var (
	FolderOffline  = Event{200, "folder-offline", Warning, "a folder or its share can't be read; documents wait there", "see whether the file server is up and the account may use the share"}
	FolderOnline   = Event{201, "folder-online", Info, "the folder can be read again", ""}
	PortalDown     = Event{300, "portal-down", Warning, "the portal can't be reached or is in trouble; documents wait", "if it lasts: see `brodaemon status`, the network and the proxy"}
	PortalUp       = Event{301, "portal-up", Info, "the portal answers again", ""}
	TokenPaused    = Event{310, "token-paused", Error, "the portal refuses a token; its documents wait", "check or renew the token in the portal, see Renewing a token"}
	TokenWorks     = Event{311, "token-works", Info, "the token works again", ""}
	Held           = Event{400, "held", Warning, "documents wait for a person's decision; told again when there are more", "`brodaemon queue list`, then release, cancel or resolve them"}
	NoneHeld       = Event{401, "none-held", Info, "no document is held for that reason any more", ""}
	FilingFailed   = Event{410, "filing-failed", Warning, "a document has its outcome but can't be moved to done/ or failed/", "see the text: rights, space, or a program that holds the file"}
	FilingWorks    = Event{411, "filing-works", Info, "moving to done/ and failed/ works again", ""}
	DeliverySlow   = Event{420, "delivery-slow", Warning, "a delivery has had no outcome for longer than follow.alarm_after", "somebody at the data owner may have to approve it in the portal"}
	DeliveriesGo   = Event{421, "deliveries-go", Info, "no delivery is slow any more", ""}
	SpoolStrays    = Event{430, "spool-strays", Error, "the spool holds documents that the queue does not know", "see Restoring, and look them up in the portal before saving them again"}
	NoSpoolStrays  = Event{431, "no-spool-strays", Info, "the spool and the queue agree again", ""}
	NotConfigured  = Event{440, "folder-not-configured", Warning, "documents wait of a folder that is not in the configuration any more", "put the folder back until they are through"}
	Configured     = Event{441, "folder-configured", Info, "all waiting documents have their folder again", ""}
	DiskFull       = Event{500, "disk-full", Error, "the data folder's disk is full or nearly so; nothing new is taken in", "make room"}
	DiskRoom       = Event{501, "disk-room", Info, "there is room on the disk again", ""}
	ConditionBegan = Event{900, "condition", Warning, "another condition that `brodaemon status` shows", "do what its text says"}
	ConditionEnded = Event{901, "condition-over", Info, "that condition is over", ""}
)

// All lists every event, by number.
var All = []Event{
	Started, Stopped, BadConfig, NoStart, Failed, Crashed, Reloaded, NotReloaded,
	FolderOffline, FolderOnline, PortalDown, PortalUp, TokenPaused, TokenWorks,
	Held, NoneHeld, FilingFailed, FilingWorks, DeliverySlow, DeliveriesGo, SpoolStrays, NoSpoolStrays, NotConfigured, Configured,
	DiskFull, DiskRoom, ConditionBegan, ConditionEnded,
}

// pairs tells of conditions by their code.
var pairs = map[string][2]Event{
	"folder-offline":        {FolderOffline, FolderOnline},
	"portal-down":           {PortalDown, PortalUp},
	"token-paused":          {TokenPaused, TokenWorks},
	"held-person":           {Held, NoneHeld},
	"held-uncertain":        {Held, NoneHeld},
	"held-duplicate":        {Held, NoneHeld},
	"filing-failed":         {FilingFailed, FilingWorks},
	"delivery-slow":         {DeliverySlow, DeliveriesGo},
	"spool-strays":          {SpoolStrays, NoSpoolStrays},
	"folder-not-configured": {NotConfigured, Configured},
	"disk-full":             {DiskFull, DiskRoom},
}

// OfCondition gives the events of a condition's beginning and end, by its code.
// Every condition has some: one without a number of its own is 900 and 901.
func OfCondition(code string) (began, ended Event) {
	if p, ok := pairs[code]; ok {
		return p[0], p[1]
	}
	return ConditionBegan, ConditionEnded
}
