package daemon

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"brodaemon/internal/queue"
)

// A backup holds the companion files of what is under way, and no other's.
func TestBackupKeepsCompanions(t *testing.T) {
	dir := t.TempDir()
	store, err := queue.Open(dir, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spool, err := queue.OpenSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	draft := func(text string) *queue.Draft {
		d, err := spool.NewDraft()
		if err == nil {
			_, err = d.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	doc, note, other := draft("<a/>"), draft("a note"), draft("of a document that is gone")
	it := queue.Item{
		Folder: "f", File: "a.xml", SHA256: "aa", Spool: doc.Name(), Source: queue.Source{Size: 4},
		Companions: []queue.Companion{{File: "a.xml.note.txt", Note: true, Size: 6, Spool: note.Name()}},
	}
	err = errors.Join(doc.Describe(it), errors.Join(spool.SealAll(doc, note, other)...))
	added := store.AddAll(time.Now(), []queue.Item{it}, nil)[0]
	err = errors.Join(err, added.Err, doc.Keep(added.Item.ID), note.KeepCompanion(added.Item.ID), other.KeepCompanion(77), store.Close())
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := keepOpen(dir); err != nil || !whole {
		t.Fatalf("whole %t, %v", whole, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, queue.SpoolName, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("kept are %v, %v", left, err)
	}
}
