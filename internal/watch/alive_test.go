package watch

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A share that blocks for hours is reported as offline, and is no reason to restart the program.
func TestAliveWhileTheShareBlocks(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		gate := make(chan bool)
		b.fault = func(step, _ string) error {
			if step == "open" {
				<-gate
			}
			return nil
		}
		b.start()
		for range 20 {
			pass(10 * time.Minute)
			if err := b.f.Alive(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		b.wantState("meanwhile", CauseNoAnswer)
		close(gate)
		synctest.Wait()
	})
}

func TestAliveAtRestAndAfterwards(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.opt.ScanInterval = 2 * time.Hour
		b.start()
		for range 30 {
			pass(10 * time.Minute)
			if err := b.f.Alive(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		b.stop()
		pass(5 * time.Hour)
		if err := b.f.Alive(time.Minute); err != nil {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestNotAliveWhenItsLoopStandsStill(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		gate := make(chan bool)
		b.opt.OnState = func(_, _ State) { <-gate } // a part of the program that never returns
		b.start()
		pass(time.Second)
		if err := b.f.Alive(time.Minute); err != nil {
			t.Errorf("at once: %v", err)
		}
		pass(2 * time.Minute)
		if err := b.f.Alive(time.Minute); err == nil || !strings.Contains(err.Error(), "zwolle") {
			t.Errorf("got %v, want an error that names the folder", err)
		}
		close(gate)
		synctest.Wait()
	})
}
