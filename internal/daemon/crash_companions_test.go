package daemon_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
)

// What TestCrashAtEveryPoint looks at of companion files and of confirming.

// confirmPoints are met only where there is a public register, which is asked
// once a second and so makes these slow.
var confirmPoints = []string{"register-answered", "confirmed", "receipt-amended", "archive.amend-written", "archive.amended"}

// saveLate saves a companion file when its document is submitted, if the site wants one.
func saveLate(ctx context.Context, d *daemon.Daemon, dir string) {
	if _, err := os.Stat(filepath.Join(dir, "late")); err != nil {
		return
	}
	for ctx.Err() == nil {
		items, err := d.Items(queue.Filter{Search: "another.xml", State: queue.Submitted})
		if err == nil && len(items) > 0 {
			_ = os.WriteFile(filepath.Join(dir, "inbox", "another.xml.attach.pdf"), []byte("late"), 0o644)
			return
		}
		time.Sleep(5 * time.Millisecond) // polling a condition, bounded by ctx
	}
}

// confirming reports whether a document is still to be found in the public register.
func confirming(d *daemon.Daemon) (bool, error) {
	items, err := d.Items(queue.Filter{State: queue.Delivered})
	for _, it := range items {
		if it.Confirm != nil {
			return true, err
		}
	}
	return false, err
}

// checkCompanions: each was added at most once, the receipt says what became
// of it, and it lies beside its document.
func (s *crashSite) checkCompanions(t *testing.T, items []queue.Item) {
	t.Helper()
	for _, d := range s.portal.Deliveries() {
		if len(d.Notes) > 1 || len(d.Attached) > 1 {
			t.Errorf("delivery %s has %d notes and %d files", d.Identifier, len(d.Notes), len(d.Attached))
		}
	}
	for _, it := range items {
		if it.File != "another.xml" || it.State != queue.Delivered {
			continue
		}
		delivery, _ := s.portal.Delivery(it.Delivery.ID)
		for _, c := range receiptAt(t, it.Beside).Companions {
			count := len(delivery.Notes)
			if c.File != "another.xml.note.txt" {
				count = len(delivery.Attached)
			}
			switch {
			case c.Outcome == "added" && count != 1, c.Outcome == "not-added" && count != 0, c.Outcome == "waiting":
				t.Errorf("%s is %s (%s) by the receipt, and %d times at the portal", c.File, c.Outcome, c.Why, count)
			}
		}
		if _, err := os.Stat(it.Filed + ".note.txt"); err != nil {
			t.Errorf("the note does not lie beside its document: %v", err)
		}
	}
}

// checkConfirmed: where there is a register the receipts say so.
func (s *crashSite) checkConfirmed(t *testing.T, items []queue.Item) {
	t.Helper()
	for _, it := range items {
		if it.State != queue.Delivered {
			continue
		}
		if r := receiptAt(t, it.Beside); r.Confirmed == it.Times.Confirmed.IsZero() {
			t.Errorf("%s: confirmed at %s in the queue, %t in the receipt", it.File, it.Times.Confirmed, r.Confirmed)
		}
	}
}

func receiptAt(t *testing.T, path string) archive.Receipt {
	t.Helper()
	var r archive.Receipt
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// spoolFiles is how many files the spool holds for open documents.
func spoolFiles(open []queue.Item) int {
	n := len(open)
	for _, it := range open {
		n += len(it.Companions)
	}
	return n
}
