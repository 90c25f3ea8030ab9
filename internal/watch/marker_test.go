package watch

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMarkerIsWrittenAtFirstUseOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		written := 0
		b.opt.Marker.Written = func() error {
			if _, id, err := ReadMarker(b.dir); err != nil || id != "7c2d" {
				t.Errorf("recorded before it was there: id %q, %v", id, err)
			}
			written++
			return nil
		}
		b.start()
		pass(10 * time.Minute)
		b.wantState("at first use", "")
		if written != 1 {
			t.Errorf("recorded %d times", written)
		}
		name, id, err := ReadMarker(b.dir)
		if name != "zwolle" || id != "7c2d" || err != nil {
			t.Errorf("marker of %q with id %q, %v", name, id, err)
		}
		text, err := os.ReadFile(b.path(MarkerName))
		if err != nil || !strings.Contains(string(text), "Do not delete") || !strings.Contains(string(text), "Niet verwijderen") {
			t.Errorf("marker %s, %v", text, err)
		}
		if _, err := os.Lstat(b.path(markerTemp)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the temporary file is left: %v", err)
		}

		// Removed later, and a restart: it must not come back by itself.
		b.remove(MarkerName)
		pass(time.Minute)
		b.wantState("removed", CauseMarkerMissing)
		b.stop()
		b.opt.Marker.Known = true
		b.start()
		pass(time.Minute)
		b.wantState("after a restart", CauseMarkerMissing)
		if _, err := os.Lstat(b.path(MarkerName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the marker was written again: %v", err)
		}
		mustInit(b, "7c2d")
		pass(time.Minute)
		b.wantState("after folder init", "")
	})
}

func TestFolderIsNotUsedBeforeItsMarkerIsRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		var full atomic.Bool
		full.Store(true)
		b.opt.Marker.Written = func() error {
			if full.Load() {
				return errors.New("open queue: disk full")
			}
			return nil
		}
		b.write("a.xml", "<a/>")
		b.start()
		pass(10 * time.Minute)
		if s := b.wantState("not recorded", CauseMarkerUnwritable); !strings.Contains(s.Reason, "disk full") {
			t.Errorf("reason %q", s.Reason)
		}
		b.want("not recorded")
		full.Store(false)
		pass(2 * time.Minute)
		b.wantState("recorded", "")
		b.want("recorded", "a.xml")
	})
}

func TestMarkerThatIsThereIsRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		written := 0
		b.opt.Marker.Written = func() error { written++; return nil }
		mustInit(b, "7c2d")
		b.start()
		pass(time.Minute)
		b.wantState("at the start", "")
		if written != 1 {
			t.Errorf("recorded %d times", written)
		}
	})
}

func TestMarkerOfAnotherFolderIsNotOverwritten(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := InitMarker(b.dir, "deventer", "other"); err != nil {
			t.Fatal(err)
		}
		b.write("a.xml", "<a/>")
		b.start()
		pass(time.Hour)
		b.wantState("another folder", CauseMarkerOther)
		b.want("another folder")
		if name, id, err := ReadMarker(b.dir); name != "deventer" || id != "other" || err != nil {
			t.Errorf("marker of %q with id %q, %v", name, id, err)
		}
	})
}

func TestMarkerThatCannotBeWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.fault = func(step, rel string) error {
			if step == "write the marker of" {
				return &fs.PathError{Op: "open", Path: markerTemp, Err: fs.ErrPermission}
			}
			return nil
		}
		b.start()
		pass(time.Minute)
		if s := b.wantState("read-only", CauseMarkerUnwritable); !strings.Contains(s.Reason, "no permission") {
			t.Errorf("reason %q", s.Reason)
		}
	})
}

func TestInitMarker(t *testing.T) {
	b := newBench(t)
	b.write(markerTemp, "left by a crash")
	for range 2 {
		if err := InitMarker(b.dir, "zwolle", "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := InitMarker(b.dir, "zwolle", "2"); err != nil {
		t.Fatal(err)
	}
	if _, id, err := ReadMarker(b.dir); id != "2" || err != nil {
		t.Errorf("id %q, %v", id, err)
	}
	if err := InitMarker(b.path("nowhere"), "zwolle", "1"); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "write marker") {
		t.Errorf("in a missing folder: %v", err)
	}
	b.remove(MarkerName)
	if _, _, err := ReadMarker(b.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing marker: %v", err)
	}
}

// FuzzParseMarker: whatever lies there, a marker that is accepted has an id and reads back the same.
func FuzzParseMarker(f *testing.F) {
	for _, seed := range []string{`{"about":"x","folder":"zwolle","id":"7c2d","since":"2026-11-23T08:00:00Z"}`, `{"id":""}`, `null`, "", "\x00\x00", `{"id":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMarker(data)
		if err != nil {
			if !errors.Is(err, errMarkerDamaged) {
				t.Errorf("error %v is not about a damaged marker", err)
			}
			return
		}
		if m.ID == "" {
			t.Error("a marker without an id was accepted")
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseMarker(again); err != nil || back.ID != m.ID || back.Folder != m.Folder {
			t.Errorf("read back as %+v, %v; want %+v", back, err, m)
		}
	})
}
