package queue

import (
	"bytes"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Confirmation is what is still to be done, after a document was delivered and
// filed, to find it again in the public register. A filed item without one has
// nothing left to do.
type Confirmation struct {
	// Next is when it is looked up again; zero: never more, it was in vain.
	Next   time.Time `json:"next,omitzero"`
	Misses int       `json:"misses,omitempty"` // times the register did not show it
	Why    string    `json:"why,omitempty"`    // of the last time it did not succeed
	// Write: it was found; only the receipt is still to say so, at Next.
	Write bool `json:"write,omitempty"`
}

// LaneConfirm is the lane of filed items that are to be found again in the
// public register. It is no part of a document's life: it never holds up the other lanes.
const LaneConfirm Lane = 'd'

// confirmDue is where an item with a Confirmation stands in its lane; one that
// is looked up no more stands at the end of time, where it can be listed.
func (it *Item) confirmDue() time.Time {
	if it.Confirm.Next.IsZero() {
		return maxTime
	}
	return it.Confirm.Next
}

func isFiled(it *Item) string {
	if it.Open() {
		return "it is not filed yet"
	}
	return ""
}

func filedAndAwaited(it *Item) string {
	if it.Confirm == nil && !it.Open() {
		return "it is not looked for in the public register"
	}
	return isFiled(it)
}

// ConfirmAwaited: the document is to be looked up in the public register at
// next. It is applied together with Filed.
func ConfirmAwaited(at, next time.Time) Transition {
	return Transition{name: "confirm-awaited", from: []State{Delivered}, at: at, mute: true, guard: isFiled, apply: func(it *Item) {
		it.Confirm = &Confirmation{Next: next.UTC()}
	}}
}

// NotConfirmed: the register does not show it, or not as it was delivered. It
// is looked up again at next; zero: no more, and that stays a warning.
func NotConfirmed(at, next time.Time, why string) Transition {
	return Transition{name: "not-confirmed", from: []State{Delivered}, at: at, note: why, guard: filedAndAwaited, apply: func(it *Item) {
		c := *it.Confirm
		c.Misses++
		c.Why, c.Next = clip(why), time.Time{}
		if !next.IsZero() {
			c.Next = next.UTC()
		}
		it.Confirm = &c
	}}
}

// ConfirmPostponed: the register, or the receipt, is out of reach; again at next.
func ConfirmPostponed(at, next time.Time, why string) Transition {
	return Transition{name: "confirm-postponed", from: []State{Delivered}, at: at, mute: true, guard: filedAndAwaited, apply: func(it *Item) {
		c := *it.Confirm
		c.Why, c.Next = clip(why), next.UTC()
		it.Confirm = &c
	}}
}

// Confirmed: the public register has it. The receipt is still to say so.
func Confirmed(at time.Time, by string) Transition {
	return Transition{name: "confirmed", from: []State{Delivered}, at: at, note: by, guard: filedAndAwaited, apply: func(it *Item) {
		it.Times.Confirmed = at.UTC()
		it.Confirm = &Confirmation{Next: at.UTC(), Write: true}
	}}
}

// ConfirmEnded: nothing is left to do: the receipt says it, or is not there
// any more, or there is no register that could.
func ConfirmEnded(at time.Time) Transition {
	return Transition{name: "confirm-ended", from: []State{Delivered}, at: at, mute: true, guard: filedAndAwaited, apply: func(it *Item) {
		it.Confirm = nil
	}}
}

// Unconfirmed reports whether the item is filed and still to be found in the
// public register, or was looked for in vain.
func (it *Item) Unconfirmed() bool { return !it.Open() && it.Confirm != nil && !it.Confirm.Write }

func unconfirmed(it *Item) string {
	if !it.Open() && it.Confirm != nil && it.Confirm.Write {
		return "it is confirmed already"
	}
	return filedAndAwaited(it)
}

// ConfirmAgain: a person asks to look it up at once, also after it was looked
// for in vain.
func ConfirmAgain(at time.Time) Transition {
	return Transition{name: "confirm-again", from: []State{Delivered}, at: at, note: "a person asked for it", words: Say(SayPersonAsked), guard: unconfirmed, apply: func(it *Item) {
		c := *it.Confirm
		c.Next = at.UTC()
		it.Confirm = &c
	}}
}

// ConfirmWaived: a person has looked into it; it is not looked for any more,
// and stays a document that was not confirmed.
func ConfirmWaived(at time.Time) Transition {
	return Transition{name: "confirm-waived", from: []State{Delivered}, at: at, note: "a person has looked into it", words: Say(SayPersonLooked), guard: unconfirmed, apply: func(it *Item) {
		it.Confirm = nil
	}}
}

// EachUnconfirmed calls do with the filed items of a folder that are still to
// be found in the public register, or were looked for in vain, until it returns false.
// It reads at most limit of them.
func (s *Store) EachUnconfirmed(folder string, limit int, do func(Item) bool) error {
	var items []Item
	prefix := lanePrefix(folder, LaneConfirm)
	err := s.view(func(tx *bolt.Tx) error {
		items = nil
		c := tx.Bucket(bucketDue).Cursor()
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix) && len(items) < limit; key, _ = c.Next() {
			if it, err := get(tx, keyID(key)); err == nil {
				items = append(items, it)
			}
		}
		return nil
	})
	for _, it := range items {
		if err != nil || !do(it) {
			break
		}
	}
	return err
}
