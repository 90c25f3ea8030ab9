package archive

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var confirmedAt = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

func confirm(r *Receipt) { r.Confirmed, r.Times.Confirmed = true, confirmedAt }

func readReceipt(t *testing.T, path string) Receipt {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var r Receipt
	must(t, json.Unmarshal(data, &r))
	return r
}

// A receipt is replaced whole, whatever line the program is killed at, and
// nothing else in it changes.
func TestAmend(t *testing.T) {
	for n := range 3 {
		s := setup(t)
		d := s.document("5", "put.xml", "<document>")
		placed := mustPlace(s, d, callDone)
		before := readReceipt(t, placed.Beside)
		s.until(n, func() { must(t, s.a.Amend(t.Context(), d, placed.Beside, confirm)) })
		if now := readReceipt(t, placed.Beside); now.ID != "5" {
			t.Errorf("killed at point %d: the receipt is %+v", n, now)
		}
		for range 2 {
			must(t, s.a.Amend(t.Context(), d, placed.Beside, confirm))
		}
		after := readReceipt(t, placed.Beside)
		if !after.Confirmed || !after.Times.Confirmed.Equal(confirmedAt) {
			t.Errorf("got %+v", after)
		}
		after.Confirmed, after.Times.Confirmed = false, time.Time{}
		one, _ := before.Encode()
		two, _ := after.Encode()
		if string(one) != string(two) {
			t.Errorf("more was changed: %s\nwas %s", two, one)
		}
		if files := s.tree(); len(files) != 2 {
			t.Errorf("%d files, want the document and its receipt: %q", len(files), files)
		}
	}
}

// What is not the receipt of the document is left as it is, without complaint.
func TestAmendLeavesAlone(t *testing.T) {
	s := setup(t)
	d := s.document("5", "put.xml", "<document>")
	placed := mustPlace(s, d, callDone)
	text, err := os.ReadFile(placed.Beside)
	must(t, err)

	must(t, s.a.Amend(t.Context(), Document{ID: "6", SHA256: d.SHA256}, placed.Beside, confirm))
	must(t, s.a.Amend(t.Context(), d, filepath.Join(filepath.Dir(s.path), "elsewhere.receipt.json"), confirm))
	if now, err := os.ReadFile(placed.Beside); err != nil || string(now) != string(text) {
		t.Errorf("another's receipt became %s, %v", now, err)
	}
	must(t, os.Remove(placed.Beside))
	must(t, s.a.Amend(t.Context(), d, placed.Beside, confirm))
	if exists(placed.Beside) {
		t.Error("a receipt that was taken away came back")
	}
	must(t, os.WriteFile(placed.Beside, []byte(strings.Repeat("x", 10)), 0o644))
	must(t, s.a.Amend(t.Context(), d, placed.Beside, confirm))
}

// A full disk or a share that is gone is an *Error, and the receipt stays whole.
func TestAmendFails(t *testing.T) {
	s := setup(t)
	d := s.document("5", "put.xml", "<document>")
	placed := mustPlace(s, d, callDone)
	s.a.sys.syncFile = func(*os.File) error { return errors.New("the disk is full") }
	var e *Error
	if err := s.a.Amend(t.Context(), d, placed.Beside, confirm); !errors.As(err, &e) {
		t.Errorf("got %v, want an *Error", err)
	}
	if r := readReceipt(t, placed.Beside); r.Confirmed {
		t.Error("it was changed all the same")
	}
	if files := s.tree(); len(files) != 2 {
		t.Errorf("left over: %q", files)
	}
}
