// Package queue is brodaemon's memory: which documents it has, how far each
// one is, and what happened to it. Everything else in the program may be
// killed at any line; what this package has written is what is true afterwards.
//
// It keeps three things in the data folder:
//
//   - queue.db, a bbolt file with one [Item] per document and the indexes that
//     find items by due time, by source file, by content and by object;
//   - spool/, one file per document under way, which holds the very bytes that
//     are delivered, and whose they are (see [Spool]);
//   - ledger.jsonl, a text with a line for every fact that must outlive the queue
//     file (see [LedgerName]).
//
// When queue.db is lost, damaged, or an older copy, [OpenOrRebuild] makes it
// again from the other two. What may have been submitted is then uncertain, and
// is looked up and held, never sent again.
//
// An Item has a [State], which is the last durable fact about it, and moves on
// only by a [Transition] that [Store.Apply] accepts: a transition that does not
// start from the item's present state fails with a [*TransitionError] and
// changes nothing. Waiting for a later attempt (Item.NextAttempt) and waiting
// for a person (Item.Hold) are not states.
//
// Promises: a call that returned nil is on disk. Several calls that arrive
// while another is being written share one commit, so that many documents cost
// few fsyncs. Readers never block writers and never keep a transaction open
// after they returned.
//
// What it does not do: it never talks to the portal and never touches a watched
// folder. The Worker in package deliver decides; this package remembers.
package queue

import (
	"errors"
	"fmt"
	"strconv"
)

// ID names one item for people and scripts: a number that grows by one, never
// used twice in one queue.
type ID uint64

// ParseID reads what [ID.String] prints.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not the number of a document in the queue: numbers are shown by `brodaemon queue list`", s)
	}
	return ID(n), nil
}

// String is the decimal number.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// MarshalText makes an ID a JSON string, so that no script rounds it.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText. An empty text is no item (0).
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 || string(text) == "0" {
		*id = 0
		return nil
	}
	parsed, err := ParseID(string(text))
	*id = parsed
	return err
}

// State is the last durable fact about a document.
type State string

// The states, in the order of a document's life. Each comment says what is
// certain, who moves it on, and what a crash at this point leaves behind.
const (
	// Queued: the bytes are in the spool, the item is in the queue. The Worker
	// has the portal validate it. After a crash it is validated again, which is free.
	Queued State = "queued"
	// Validated: the portal called it valid (or its only errors are on the
	// folder's list of tolerated ones). The Worker opens an upload. After a
	// crash another upload is opened; an upload nobody submits does nothing.
	Validated State = "validated"
	// Opened: Item.Upload is the reference of an upload at the portal. The
	// Worker adds the document to it. After a crash during that call the upload
	// may hold the document already; the portal refuses or takes a second copy
	// of it, so a failed addition always begins with a new upload.
	Opened State = "opened"
	// Attached: the upload holds the document. The Worker stores Item.Intent and
	// submits the upload. A crash in between leaves the intent: such an item is
	// uncertain, is looked up at the portal, and is never simply sent again.
	Attached State = "attached"
	// Submitted: Item.Delivery is the number of the delivery at the portal. The
	// Worker asks until there is a verdict. After a crash it asks on.
	Submitted State = "submitted"
	// Delivered (an end): the register has taken the document up.
	Delivered State = "delivered"
	// Rejected (an end): a person must change or decide something; Item.Report says what.
	Rejected State = "rejected"
	// Cancelled (an end): a person gave it up.
	Cancelled State = "cancelled"
)

// States lists all states in the order of a document's life.
var States = []State{Queued, Validated, Opened, Attached, Submitted, Delivered, Rejected, Cancelled}

// End reports whether nothing more happens at the portal. An item in an end
// state still has to be filed (Item.Filed).
func (s State) End() bool { return s == Delivered || s == Rejected || s == Cancelled }

// Hold says that an item waits for a person, and why.
type Hold string

const (
	// HoldPerson: a person asked to keep it back, or something only a person can judge.
	HoldPerson Hold = "person"
	// HoldUncertain: it may have been submitted and the portal could not say; only `queue resolve` answers it.
	HoldUncertain Hold = "uncertain"
	// HoldDuplicate: it would make a second object in the register; `queue release` or `queue cancel` decides.
	HoldDuplicate Hold = "duplicate"
)

// Errors that callers test with errors.Is.
var (
	ErrNotFound = errors.New("no such document in the queue")
	ErrLocked   = errors.New("the queue is open in another process")
	ErrDamaged  = errors.New("the queue file is damaged")
	ErrLost     = errors.New("the queue file is gone")
	ErrUnread   = errors.New("the disk can't read the queue file") // which may be sound
	ErrClosed   = errors.New("the queue is closed")
)

// TransitionError says that a transition did not fit the item as it is now:
// another actor was first, or a person asked for something that can't be. The
// item is unchanged.
type TransitionError struct {
	ID         ID
	Transition string
	State      State
	Why        string // empty when it is the state that did not fit
}

func (e *TransitionError) Error() string {
	why := e.Why
	if why == "" {
		why = fmt.Sprintf("it is %s", e.State)
	}
	done := e.Transition
	if done == "retry-now" {
		done = "tried now"
	}
	return fmt.Sprintf("document %s can't be %s: %s", e.ID, done, why)
}
