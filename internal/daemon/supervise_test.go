package daemon_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/event"
	"brodaemon/internal/queue"
)

// manager is a service manager that remembers what it was told.
type manager struct {
	mu       sync.Mutex
	ready    []string
	status   string
	alive    int
	stopping bool
	watchdog time.Duration
}

func (m *manager) Ready(s string) { m.mu.Lock(); defer m.mu.Unlock(); m.ready = append(m.ready, s) }
func (m *manager) Status(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = s
}
func (m *manager) Alive()                  { m.mu.Lock(); defer m.mu.Unlock(); m.alive++ }
func (m *manager) Reloading()              {}
func (m *manager) Stopping()               { m.mu.Lock(); defer m.mu.Unlock(); m.stopping = true }
func (m *manager) Watchdog() time.Duration { return m.watchdog }

func (m *manager) signs() (ready, alive int, status string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.ready), m.alive, m.status
}

// The service manager hears that the daemon is ready and alive, and nothing
// more of the latter once the queue does not commit any more.
func TestServiceManagerIsToldTheTruth(t *testing.T) {
	t.Parallel() // it is mostly waiting
	site := newCrashSite(t, "")
	c, err := config.Load(filepath.Join(site.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{watchdog: 400 * time.Millisecond}
	var hang atomic.Bool
	gate := make(chan struct{})
	var mu sync.Mutex
	var events []int
	d, err := daemon.New(daemon.Options{
		Config: c, Version: "test", Logger: zap.NewNop(), Supervisor: m,
		Changed: func(_, _ *queue.Item) {
			if hang.Load() {
				<-gate
			}
		},
		Event: func(e event.Event, _ string) { mu.Lock(); events = append(events, e.ID); mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	waitUntil(t, "every document has its outcome", func() bool { done, err := atRest(d); return err == nil && done })
	waitUntil(t, "ready and alive", func() bool { ready, alive, _ := m.signs(); return ready == 1 && alive > 2 })
	waitUntil(t, "a status line", func() bool { _, _, s := m.signs(); return strings.HasPrefix(s, "watches 1 folder; ") })

	hang.Store(true)
	write(t, filepath.Join(site.dir, "inbox", "late.xml"), request("GMW", "", "late"), 0o644)
	waitUntil(t, "it says that it stands still", func() bool { _, _, s := m.signs(); return strings.HasPrefix(s, "stands still: ") })
	_, before, _ := m.signs()
	time.Sleep(m.watchdog) // what must not happen in the time after which the manager would act
	if _, after, _ := m.signs(); after != before {
		t.Errorf("%d signs of life from a queue that stands still", after-before)
	}
	hang.Store(false)
	close(gate)
	waitUntil(t, "alive again", func() bool { _, alive, s := m.signs(); return alive > before && strings.HasPrefix(s, "watches") })

	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopping || len(m.ready) != 1 {
		t.Errorf("stopping %v, ready %d times", m.stopping, len(m.ready))
	}
	if len(events) < 2 || events[0] != event.Started.ID || events[len(events)-1] != event.Stopped.ID {
		t.Errorf("events %v", events)
	}
}
