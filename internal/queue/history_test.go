package queue

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var historyItems = flag.Int("queue.history", 3000, "documents in the history that TestHistory measures with")

// TestHistory measures what years of history cost; -queue.history=100000 is some
// years. What is asserted is only that adding does not grow with it.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := *historyItems
	batch := func(from, count int) time.Duration {
		began := time.Now()
		arrivals := make([]Item, count)
		for i := range arrivals {
			name := fmt.Sprintf("h-%07d.xml", from+i)
			arrivals[i] = arrival(name, newObject("content of "+name, "put "+name))
		}
		var ids []ID
		for _, r := range s.AddAll(t0, arrivals, stays) {
			if r.Err != nil || r.Verdict != Added {
				t.Fatal(r.Verdict, r.Err)
			}
			ids = append(ids, r.Item.ID)
		}
		took := time.Since(began)
		for _, id := range ids {
			apply(t, s, id, filed(Delivered)...)
		}
		return took
	}
	const part = 500
	first := batch(0, part)
	last := first
	for from := part; from < n; from += part {
		last = batch(from, part)
	}
	if last > 20*first+time.Second {
		t.Errorf("adding %d took %s at first and %s after %d", part, first, last, n)
	}
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closing := time.Since(began)
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size() >> 20
	}
	measure := func(what string, do func() error) {
		began := time.Now()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
	}
	t.Logf("%d documents: queue %d MB, ledger %d MB; adding %d: %s at first, %s at last; closing %s", n, size(FileName), size(LedgerName), part, first, last, closing)
	open := func() error {
		s, err := Open(dir, Options{})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	measure("open", open)
	measure("compact", func() error { _, err := Compact(context.Background(), dir, time.Second, nil); return err })
	measure("open after it", open)
	if err := os.Remove(filepath.Join(dir, LedgerName)); err != nil {
		t.Fatal(err)
	}
	measure("open without a ledger", open)
	if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	measure("rebuild from the ledger", func() error {
		s, told, err := OpenOrRebuild(dir, Options{})
		if err != nil {
			return err
		}
		if told.Restored != n || told.Held != 0 {
			t.Errorf("%+v", told)
		}
		_, verdict, err := s.addOne(t0, arrival("copy.xml", bytesOf("h-0000001.xml")), stays)
		if verdict != AddedRejected {
			t.Errorf("a copy of an old document: %s, %v", verdict, err)
		}
		return s.Close()
	})
}
