package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Companion is a file that was saved with a document and travels with it: a
// note or a file to be added to its delivery. Its bytes are in the spool as the
// document's are. It is posted once or not at all: the intent is on disk before
// the call (CompanionAdding), and one whose answer is lost is never posted again.
type Companion struct {
	File    string    `json:"file"`           // path below the folder, with slashes
	Note    bool      `json:"note,omitempty"` // its text is a note; else it is attached as a file
	Size    int64     `json:"size"`
	ModTime time.Time `json:"modTime,omitzero"`
	SHA256  string    `json:"sha256,omitempty"`
	Spool   string    `json:"spool,omitempty"` // name of its bytes; empty where they were not taken

	State CompanionState `json:"state,omitempty"`
	Why   string         `json:"why,omitempty"`
	At    time.Time      `json:"at,omitzero"` // when State became what it is
}

// CompanionState is the last certain fact about a companion.
type CompanionState string

const (
	// CompanionWaiting: nothing was sent yet.
	CompanionWaiting CompanionState = ""
	// CompanionAdding: the call was about to be made; without an answer it may have been.
	CompanionAdding CompanionState = "adding"
	// CompanionAdded (an end): the portal has it.
	CompanionAdded CompanionState = "added"
	// CompanionMaybe (an end): the answer was lost; the portal may have it.
	CompanionMaybe CompanionState = "maybe-added"
	// CompanionNot (an end): the portal does not have it, and Why says why.
	CompanionNot CompanionState = "not-added"
)

// Settled reports whether nothing more happens with it.
func (s CompanionState) Settled() bool {
	return s == CompanionAdded || s == CompanionMaybe || s == CompanionNot
}

// CompanionsWait reports whether something is still to be done for a companion.
func (it *Item) CompanionsWait() bool {
	return slices.ContainsFunc(it.Companions, func(c Companion) bool { return !c.State.Settled() })
}

// companion gives the transition function for one companion, by its number.
func companion(i int, change func(*Companion)) func(*Item) {
	return func(it *Item) {
		it.Companions = slices.Clone(it.Companions) // shared with the item as it was
		change(&it.Companions[i])
	}
}

func hasCompanion(i int, states ...CompanionState) func(*Item) string {
	return func(it *Item) string {
		if i < 0 || i >= len(it.Companions) || !slices.Contains(states, it.Companions[i].State) {
			return "it has no such companion file, or its turn is over"
		}
		return ""
	}
}

// CompanionTaken: a companion was saved while its document was under way, and joins it.
func CompanionTaken(at time.Time, c Companion) Transition {
	return Transition{name: "companion-taken", from: underWay, at: at, note: c.File, apply: func(it *Item) {
		it.Companions = append(slices.Clone(it.Companions), c)
	}}
}

// CompanionIntended is stored before companion i is posted.
func CompanionIntended(at time.Time, i int) Transition {
	return Transition{name: "companion-adding", from: []State{Submitted}, at: at, mute: true,
		guard: hasCompanion(i, CompanionWaiting), apply: companion(i, func(c *Companion) {
			c.State, c.At = CompanionAdding, at.UTC()
		})}
}

// CompanionSettled stores what became of companion i; file is its name, for the
// timeline. It fits in every state: a person may have given the document up meanwhile.
func CompanionSettled(at time.Time, i int, file string, state CompanionState, why string) Transition {
	note := file
	if why != "" {
		note += ": " + why
	}
	return Transition{name: "companion-" + string(state), from: append(slices.Clone(underWay), ends...), at: at, note: note,
		guard: func(it *Item) string {
			if why := notFiled(it); why != "" {
				return why
			}
			return hasCompanion(i, CompanionWaiting, CompanionAdding)(it)
		}, apply: companion(i, func(c *Companion) {
			c.State, c.Why, c.At = state, clip(why), at.UTC()
		})}
}

// CompanionPostponed: companion i was certainly not added, and is tried again
// when the delivery is asked about the next time.
func CompanionPostponed(at time.Time, i int, why string) Transition {
	return Transition{name: "companion-postponed", from: append(slices.Clone(underWay), ends...), at: at, mute: true,
		guard: hasCompanion(i, CompanionWaiting, CompanionAdding), apply: companion(i, func(c *Companion) {
			c.State, c.Why, c.At = CompanionWaiting, clip(why), at.UTC()
		})}
}

// companionSuffix is not that of documents, so that a companion in the spool is
// never taken for one.
const companionSuffix = ".companion"

func companionName(id ID, name string) string { return id.String() + "-" + name + companionSuffix }

// parseCompanion takes the name of a companion's spool file apart.
func parseCompanion(file string) (name string, id ID, ok bool) {
	number, rest, _ := strings.Cut(file, "-")
	name, ok = strings.CutSuffix(rest, companionSuffix)
	id, err := ParseID(number)
	if !ok || err != nil {
		return "", 0, false
	}
	return name, id, true
}

func (it *Item) hasSpooled(name string) bool {
	return slices.ContainsFunc(it.Companions, func(c Companion) bool { return c.Spool == name })
}

// Restored is when the item was made again after the queue was lost; zero if
// it never was. What is known of its companions may be older than that.
func (it *Item) Restored() time.Time {
	for i := len(it.History) - 1; i >= 0; i-- {
		if it.History[i].What == "restored" {
			return it.History[i].At
		}
	}
	return time.Time{}
}

// KeepCompanion is [Draft.Keep] for a companion of item id.
func (d *Draft) KeepCompanion(id ID) error {
	err := os.Rename(filepath.Join(d.spool.dir, d.name+partSuffix), filepath.Join(d.spool.dir, companionName(id, d.name)))
	if err != nil {
		return fmt.Errorf("keep in spool: %w", err)
	}
	return nil
}

// OpenCompanion opens the bytes of a companion of an item.
func (s *Spool) OpenCompanion(id ID, c *Companion) (*os.File, error) {
	f, err := os.Open(filepath.Join(s.dir, companionName(id, c.Spool)))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(filepath.Join(s.dir, c.Spool+partSuffix))
	}
	if err != nil {
		return nil, fmt.Errorf("read from spool: %w", err)
	}
	return f, nil
}

// spoolNames are the names that files of an item may have in the spool.
func (it *Item) spoolNames() []string {
	names := []string{fullName(it.ID, it.Spool), it.Spool + partSuffix}
	for _, c := range it.Companions {
		if c.Spool != "" {
			names = append(names, companionName(it.ID, c.Spool), c.Spool+partSuffix)
		}
	}
	return names
}
