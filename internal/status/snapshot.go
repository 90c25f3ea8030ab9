package status

import (
	"time"

	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
)

// Snapshot is the answer to "how is it going?": what `status` prints, what the
// page shows, and /api/v1/status.
type Snapshot struct {
	Running    bool        `json:"running"` // a daemon answered; else it was read from the queue file
	Version    string      `json:"version"`
	Started    time.Time   `json:"started,omitzero"`
	PID        int         `json:"pid,omitempty"`
	DataDir    string      `json:"data_dir"`
	UnderWay   int         `json:"under_way"` // documents being worked on at this moment
	Folders    []Folder    `json:"folders"`
	Portals    []Portal    `json:"portals"`
	Tokens     []Token     `json:"tokens"`
	Counts     []Count     `json:"counts"`
	Oldest     *Row        `json:"oldest,omitempty"` // the document waiting longest
	OldestFrom time.Time   `json:"oldest_since,omitzero"`
	Conditions []Condition `json:"conditions"`
	// OldestWords are those of its LastError, for the page.
	OldestWords queue.Words `json:"-"`
}

// Folder is one watched folder.
type Folder struct {
	Name        string    `json:"name"`
	Path        string    `json:"path"`
	Environment string    `json:"environment"`
	Project     string    `json:"project"`
	Token       string    `json:"token"`
	Online      bool      `json:"online"`
	Cause       string    `json:"cause,omitempty"`  // why it is offline: a fixed word of package watch
	Reason      string    `json:"reason,omitempty"` // the same in a sentence, and what to check
	Since       time.Time `json:"since,omitzero"`
	Gap         *Gap      `json:"last_offline,omitempty"` // the last time it was offline, once that is over
	Events      bool      `json:"events"`
	Polling     string    `json:"polling,omitempty"` // why there are no events
	LastScan    time.Time `json:"last_scan,omitzero"`
	Files       int       `json:"files"`    // documents lying there at the last scan
	Settling    int       `json:"settling"` // not unchanged for long enough yet
	NotTaken    []Lying   `json:"not_taken"`
	Ignored     []Lying   `json:"ignored"` // lie there and are never taken
	IgnoredN    int       `json:"ignored_count"`
	NotTakenN   int       `json:"not_taken_count"`
	// Words say more of the Cause, PollingWords of Polling; for the page.
	Words        queue.Words `json:"-"`
	PollingWords queue.Words `json:"-"`
	OldestFrom   time.Time   `json:"oldest_since,omitzero"` // since when its longest waiting document has been in the queue
}

// Gap is a time for which a folder was offline, and the cause it began with.
type Gap struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Cause string    `json:"cause"`
}

// Lying is a file in a folder that is not in the queue, and why.
type Lying struct {
	File   string    `json:"file"`
	Code   string    `json:"code,omitempty"` // why it is ignored: a fixed word of package watch
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Words are those of the Reason, for the page.
	Words queue.Words `json:"-"`
}

// Portal is one portal that documents go to.
type Portal struct {
	Address     string         `json:"address"`
	Environment string         `json:"environment"`
	Up          bool           `json:"up"`
	Pause       *deliver.Pause `json:"pause,omitempty"`
}

// Token is one token at one portal.
type Token struct {
	Name   string         `json:"name"`
	Portal string         `json:"portal"`
	Paused bool           `json:"paused"`
	Pause  *deliver.Pause `json:"pause,omitempty"`
}

// Count is how many documents a folder has in a state.
type Count struct {
	Folder string `json:"folder"`
	State  string `json:"state"`
	Hold   string `json:"hold,omitempty"`
	Filed  bool   `json:"filed"`
	N      int    `json:"n"`
}

// Condition is something an administrator should know, with what to do about
// it. Text and Hint say it in English; Subject, N and Detail are the parts from
// which the page makes the same in the configured language.
type Condition struct {
	Code    string    `json:"code"`
	Text    string    `json:"text"`
	Hint    string    `json:"hint,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Subject string    `json:"subject,omitempty"` // name of the folder or token, address of the portal, number of the delivery
	N       int       `json:"n,omitempty"`       // how many documents it is about
	Detail  string    `json:"detail,omitempty"`  // what the portal, the system or the folder said
	// Words are what was said of it, for the page.
	Words queue.Words `json:"-"`
}

// CountsOf turns the queue's counts into the page's.
func CountsOf(counts []queue.Count) []Count {
	all := make([]Count, 0, len(counts))
	for _, c := range counts {
		all = append(all, Count{Folder: c.Folder, State: string(c.State), Hold: string(c.Hold), Filed: c.Filed, N: c.N})
	}
	return all
}
