package queue

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is old loses its files and its timeline, but never its record: years
// later, and after the queue was lost, the same content must still be known.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	old := add(t, s, Added, arrival("old.xml"))
	apply(t, s, old.ID, filed(Delivered)...)
	later := t0.Add(400 * 24 * time.Hour)
	if _, err := s.Apply(old.ID, FilesRemoved(later)); err == nil {
		t.Error("it is called removed, and nobody was about to")
	}
	got := apply(t, s, old.ID, RemovalIntended(later))
	if !got.Removing || !got.TimelineKept() || got.History[len(got.History)-1].What != "removing" {
		t.Errorf("removing %t, timeline %v", got.Removing, got.History)
	}
	got = apply(t, s, old.ID, FilesRemoved(later))
	if !got.Times.Removed.Equal(later) || got.Removing || got.Filed == "" || got.History[len(got.History)-1].What != "removed" {
		t.Errorf("removed %s from %q, timeline %v", got.Times.Removed, got.Filed, got.History)
	}
	got = apply(t, s, old.ID, TimelineDropped(later))
	if got.TimelineKept() || len(got.History) != 1 || got.Delivery == nil {
		t.Errorf("%+v", got)
	}
	for _, tr := range []Transition{RemovalIntended(later), FilesRemoved(later)} {
		if _, err := s.Apply(old.ID, tr); err == nil {
			t.Errorf("%s fits again", tr.Name())
		}
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
		"rejected":                    filed(Rejected),
		"cancelled":                   filed(Cancelled),
		"looked for in the register":  append(filed(Delivered), ConfirmAwaited(t0, t0)),
		"not found in the register":   append(filed(Delivered), ConfirmAwaited(t0, t0), NotConfirmed(t0, time.Time{}, "it is not there")),
		"found, the receipt does not": append(filed(Delivered), ConfirmAwaited(t0, t0), Confirmed(t0, "it is there")),
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			it := add(t, s, Added, arrival("a.xml"))
			it = apply(t, s, it.ID, way...)
			for _, tr := range []Transition{RemovalIntended(t0), FilesRemoved(t0), TimelineDropped(t0)} {
				if _, err := it.With(tr); err == nil {
					t.Errorf("%s fits", tr.Name())
				}
			}
		})
	}
}

// What was removed, and what a person has let be, is still known after the
// queue file was lost.
func TestRetentionIsRemembered(t *testing.T) {
	for name, tc := range map[string]struct {
		way  []Transition
		want func(it *Item) bool
	}{
		"removed":   {[]Transition{RemovalIntended(t0), FilesRemoved(t0)}, func(it *Item) bool { return !it.Times.Removed.IsZero() && !it.Removing }},
		"removing":  {[]Transition{RemovalIntended(t0)}, func(it *Item) bool { return it.Removing }},
		"let be":    {[]Transition{ConfirmAwaited(t0, t0), NotConfirmed(t0, time.Time{}, "it is not there"), ConfirmWaived(t0)}, func(it *Item) bool { return it.Confirm == nil }},
		"confirmed": {[]Transition{ConfirmAwaited(t0, t0), Confirmed(t0, "it is there"), ConfirmEnded(t0)}, func(it *Item) bool { return it.Confirm == nil && !it.Times.Confirmed.IsZero() }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, dir)
			it := add(t, s, Added, arrival("a.xml"))
			apply(t, s, it.ID, filed(Delivered)...)
			for _, tr := range tc.way { // each by itself, as in life
				apply(t, s, it.ID, tr)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
				t.Fatal(err)
			}
			again, told, err := OpenOrRebuild(dir, Options{})
			if err != nil || told == nil {
				t.Fatal(told, err)
			}
			defer again.Close()
			if got, err := again.Get(it.ID); err != nil || !tc.want(&got) {
				t.Errorf("%v: removing %t, %+v, %+v", err, got.Removing, got.Times, got.Confirm)
			}
		})
	}
}
