package daemon_test

import (
	"strings"
	"testing"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
)

// A document that the public register does not show is a condition once it is
// no longer a matter of minutes, and stays one when it is looked up no more.
func TestNotConfirmedIsACondition(t *testing.T) {
	store, err := queue.Open(t.TempDir(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := config.Default()
	c.Folders = []config.Folder{{Name: "f", Project: "1255", Token: "t"}}
	add := func(sha string, settled time.Time, more ...queue.Transition) {
		t.Helper()
		added := store.AddAll(settled, []queue.Item{{Folder: "f", File: sha + ".xml", SHA256: sha, BROID: "GMW000000000001"}}, nil)[0]
		if added.Err != nil {
			t.Fatal(added.Err)
		}
		it := added.Item
		at := settled
		steps := append([]queue.Transition{
			queue.DocumentValid(at, nil), queue.UploadOpened(at, queue.Upload{ID: 1, URL: "u"}), queue.DocumentAttached(at, queue.SourceDocument{}, "a.xml"),
			queue.SubmitIntended(at), queue.DeliverySubmitted(at, "0000000001", "", at), queue.Registered(at, "s", "d", "GMW000000000001", "t"),
			queue.Filed(at, "p", "b"), queue.ConfirmAwaited(at, at),
		}, more...)
		if _, err := store.Apply(it.ID, steps...); err != nil {
			t.Fatal(err)
		}
	}
	told := func() (text string) {
		t.Helper()
		s, err := daemon.QueueSnapshot(c, store)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range s.Conditions {
			if one.Code == "not-confirmed" {
				text += one.Text
			}
		}
		return text
	}
	now := time.Now()
	miss := queue.NotConfirmed(now, now.Add(time.Hour), "it is not there")
	add("a", now.Add(-2*time.Hour), miss, miss)                                                          // not often enough
	add("b", now.Add(-time.Minute), miss, miss, miss)                                                    // not long enough
	add("c", now.Add(-2*time.Hour), miss, miss, miss, queue.Confirmed(now, ""), queue.ConfirmEnded(now)) // found
	if text := told(); text != "" {
		t.Errorf("told: %q", text)
	}
	add("d", now.Add(-2*time.Hour), miss, miss, miss)
	add("e", now.Add(-200*time.Hour), miss, miss, queue.NotConfirmed(now, time.Time{}, "it is still not there"))
	if text := told(); !strings.Contains(text, "2 documents of folder f") || !strings.Contains(text, "d.xml") || !strings.Contains(text, "it is not there") {
		t.Errorf("told: %q", text)
	}
}
