package queue

import (
	"testing"
	"time"
)

// What is old loses its files and its timeline, but never its record: years
// later the same content must still be known.
func TestRetention(t *testing.T) {
	s := setup(t)
	old := add(t, s, Added, arrival("old.xml"))
	apply(t, s, old.ID, filed(Delivered)...)
	later := t0.Add(400 * 24 * time.Hour)
	got := apply(t, s, old.ID, FilesRemoved(later), TimelineDropped(later))
	if !got.Times.Removed.Equal(later) || got.Filed == "" || got.TimelineKept() || len(got.History) != 1 {
		t.Errorf("removed %s from %q, timeline %v", got.Times.Removed, got.Filed, got.History)
	}
	if _, err := s.Apply(old.ID, FilesRemoved(later)); err == nil {
		t.Error("it is removed twice")
	}
	if got := add(t, s, AddedRejected, arrival("new.xml", bytesOf("old.xml"))); got.DuplicateOf != old.ID {
		t.Errorf("duplicate of %s, want %s", got.DuplicateOf, old.ID)
	}
	for _, fault := range s.Check() {
		t.Error(fault)
	}
}

// A document that people may still have to look into keeps everything.
func TestRetentionWaits(t *testing.T) {
	for name, way := range map[string][]Transition{
		"not filed":                   way(Delivered),
		"looked for in the register":  append(filed(Delivered), ConfirmAwaited(t0, t0)),
		"not found in the register":   append(filed(Delivered), ConfirmAwaited(t0, t0), NotConfirmed(t0, time.Time{}, "it is not there")),
		"found, the receipt does not": append(filed(Delivered), ConfirmAwaited(t0, t0), Confirmed(t0, "it is there")),
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			it := add(t, s, Added, arrival("a.xml"))
			it = apply(t, s, it.ID, way...)
			for _, tr := range []Transition{FilesRemoved(t0), TimelineDropped(t0)} {
				if _, err := it.With(tr); err == nil {
					t.Errorf("%s fits", tr.Name())
				}
			}
		})
	}
}
