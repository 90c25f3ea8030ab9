package archive

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTogether: callers share a sync only if it began after they asked.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		fault := errors.New("no room")
		g := newTogether(func(dir string) error {
			begun.Add(1)
			time.Sleep(time.Second)
			if dir == "bad" {
				return fault
			}
			return nil
		})
		var wg sync.WaitGroup
		call := func(dir string, want error) {
			wg.Go(func() {
				if err := g.syncDir(dir); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", dir, err, want)
				}
			})
		}
		call("a", nil) // begins at once
		time.Sleep(time.Millisecond)
		start := time.Now()
		for range 10 { // asked for while that one runs: one more serves them all
			call("a", nil)
		}
		call("bad", fault) // another directory waits for nobody
		wg.Wait()
		if n := begun.Load(); n != 3 {
			t.Errorf("%d syncs, want 3", n)
		}
		if took := time.Since(start); took < 1900*time.Millisecond {
			t.Errorf("the ten returned after %s, before their own sync could have ended", took)
		}
	})
}
