package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mb = 1 << 20
		var free, total uint64 = 1000 * mb, 100_000 * mb
		var blind error
		s := newSpace("/data")
		s.ask = func(string) (uint64, uint64, error) { return free, total, blind }
		if err := s.For(900 * mb); err != nil || s.condition() != nil {
			t.Errorf("with room: %v, %v", err, s.condition())
		}
		if err := s.For(950 * mb); !errors.Is(err, errDiskFull) || strings.Contains(err.Error(), "1000") {
			t.Errorf("a document that leaves less than the reserve: %v", err)
		}
		began := time.Now()
		time.Sleep(time.Minute)
		c := s.condition()
		if c == nil || c.Code != "disk-full" || !c.Since.Equal(began) || c.Subject != "/data" || c.Detail != "1000 MB" {
			t.Fatalf("condition %+v", c)
		}
		if err := s.For(mb); err != nil {
			t.Errorf("a small one beside a large one that waits: %v", err)
		}
		free = 2000 * mb
		if c := s.condition(); c != nil {
			t.Errorf("with room again: %+v", c)
		}
		free = 63 * mb
		if c := s.condition(); c == nil || !strings.Contains(c.Text, "63 MB free, of which 64 MB are kept") || !c.Since.After(began) {
			t.Errorf("condition %+v", c)
		}
		if err := s.For(0); !errors.Is(err, errDiskFull) {
			t.Errorf("below the reserve: %v", err)
		}
		free, total = 3*mb, 40*mb // a small disk keeps a twentieth
		if err := s.For(mb); err != nil || s.condition() != nil {
			t.Errorf("on a small disk: %v, %v", err, s.condition())
		}
		if err := s.For(mb + 1); err == nil {
			t.Error("on a small disk, one byte too many")
		}
		free = 40 * mb
		s.condition()

		// a quota shows only in the writing
		other := errors.New("other")
		if err := s.Failed(other); err != other || s.condition() != nil {
			t.Errorf("another error: %v", err)
		}
		for _, full := range fullErrors {
			err := s.Failed(fmt.Errorf("write to spool: %w", &fs.PathError{Op: "write", Path: "x", Err: full}))
			if !errors.Is(err, errDiskFull) || s.condition() == nil {
				t.Errorf("%v: %v, %v", full, err, s.condition())
			}
		}
		free += 2 * mb
		if c := s.condition(); c != nil {
			t.Errorf("after room was made: %+v", c)
		}
		_ = s.Failed(fullErrors[0])
		time.Sleep(3 * time.Minute)
		if c := s.condition(); c != nil {
			t.Errorf("long after a failed write: %+v", c)
		}
		blind, free = errors.New("can't tell"), 0
		if err := s.For(mb); err != nil || s.condition() != nil {
			t.Errorf("where it can't be asked: %v, %v", err, s.condition())
		}
	})
	if free, total, err := diskSpace(t.TempDir()); err != nil || free == 0 || total < free {
		t.Errorf("this disk: %d of %d free, %v", free, total, err)
	}
	if _, _, err := diskSpace("/no/such/place"); err == nil {
		t.Error("a place that is not there has space")
	}
}
