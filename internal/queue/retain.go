package queue

import "time"

// What becomes of a delivered document that is old. Its record stays for ever:
// it is what keeps the same content from being delivered again, years later.

func isSettledForGood(it *Item) string {
	switch {
	case it.Open():
		return isFiled(it)
	case it.Confirm != nil:
		return "the public register does not show it yet"
	}
	return ""
}

// RemovalIntended is stored before the first file of an old document is taken
// out of done/, so that it is known afterwards who did it, and the timeline says
// where they went if a crash comes in between.
func RemovalIntended(at time.Time) Transition {
	return Transition{name: "removing", from: []State{Delivered}, at: at,
		guard: func(it *Item) string {
			if !it.Times.Removed.IsZero() {
				return "it is removed already"
			}
			return isSettledForGood(it)
		},
		apply: func(it *Item) { it.Removing = true }}
}

// FilesRemoved: the document and its receipt are no longer in done/, since they
// are older than people want to keep them. Filed goes on saying where they were.
func FilesRemoved(at time.Time) Transition {
	return Transition{name: "removed", from: []State{Delivered}, at: at,
		guard: func(it *Item) string {
			if !it.Removing {
				return "it was not to be removed"
			}
			return isFiled(it)
		},
		apply: func(it *Item) { it.Removing, it.Times.Removed = false, at.UTC() }}
}

// TimelineDropped: what happened to a delivered document, line by line, is older
// than people want to keep it; one line that says so is left. What it was, its
// outcome, its moments and the portal's numbers stay.
func TimelineDropped(at time.Time) Transition {
	return Transition{name: timelineDropped, from: []State{Delivered}, at: at, guard: isSettledForGood, apply: func(it *Item) { it.History = nil }}
}

const timelineDropped = "timeline-dropped"

// TimelineKept reports whether there is a timeline that TimelineDropped would drop.
func (it *Item) TimelineKept() bool {
	return len(it.History) > 1 || len(it.History) == 1 && it.History[0].What != timelineDropped
}
