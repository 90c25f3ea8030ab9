package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"brodaemon/internal/watch"
)

// Supervisor is a service manager that is told how it goes; [*sdnotify.Notifier] is one.
type Supervisor interface {
	// Ready says that folders are watched and the queue is open.
	Ready(status string)
	Status(status string)
	// Reloading says that the configuration is being taken over; Ready ends it.
	Reloading()
	Alive()
	Stopping()
	// Watchdog is how long it waits for Alive before it ends this process; 0 = it does not.
	Watchdog() time.Duration
}

const (
	readyPatience = 10 * time.Second // for the folders' first look; a share that blocks delays a start no longer
	statusPace    = 30 * time.Second
)

// supervise tells the service manager that the daemon is ready, what it does,
// and, as long as its parts make progress, that it is alive.
func (d *Daemon) supervise(ctx context.Context) error {
	s := d.supervisor
	d.awaitFolders(ctx)
	s.Ready(d.summary())
	defer s.Stopping()
	pace := statusPace
	if w := s.Watchdog(); w > 0 {
		pace = min(pace, w/4)
	}
	tick := time.NewTicker(max(pace, time.Millisecond))
	defer tick.Stop()
	for {
		probe, cancel := context.WithTimeout(ctx, 2*pace)
		err := d.Alive(probe)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.log.Error("a part of brodaemon stands still", zap.Error(err))
			s.Status("stands still: " + err.Error())
		default:
			s.Alive()
			s.Status(d.summary())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// awaitFolders waits until each folder was looked at once, for a while.
func (d *Daemon) awaitFolders(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for ctx.Err() == nil {
		starting := false
		for _, w := range d.now.Load().watchers {
			starting = starting || w.folder.State().Cause == watch.CauseStarting
		}
		if !starting {
			return
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
}

// aliveGrace is how late a folder's goroutines may be. Generous: a machine that
// is short of everything for a minute is no reason to restart.
const aliveGrace = time.Minute

// Alive returns nil when the parts that must never stand still do their work:
// the Worker looks at the queue, every folder is looked after, and the queue
// commits. It asks each of them and waits for the answer, at the longest until
// ctx ends. What waits for a portal, a share or a disk with no room is alive.
func (d *Daemon) Alive(ctx context.Context) error {
	if err := d.worker.Alive(ctx); err != nil {
		return err
	}
	grace := aliveGrace
	if d.supervisor != nil && d.supervisor.Watchdog() > 0 {
		grace = min(grace, d.supervisor.Watchdog())
	}
	for _, w := range d.now.Load().watchers {
		if err := w.folder.Alive(grace); err != nil {
			return err
		}
	}
	return d.queueCommits(ctx)
}

var errNoCommit = errors.New("the queue does not answer any more: a commit takes for ever")

// queueCommits makes a commit. One that still goes on from an earlier call is
// waited for instead, so that a hanging disk collects no goroutines.
func (d *Daemon) queueCommits(ctx context.Context) error {
	d.mu.Lock()
	done := d.committing
	if done == nil {
		done = make(chan struct{})
		d.committing = done
		go func() {
			if err := d.store.Ready(); err != nil { // no room, say: that is told of elsewhere, and no standstill
				d.log.Debug("trial commit", zap.Error(err))
			}
			d.mu.Lock()
			d.committing = nil
			d.mu.Unlock()
			close(done)
		}()
	}
	d.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errNoCommit
	}
}

// summary is the state in one line, for `systemctl status`.
func (d *Daemon) summary() string {
	offline := 0
	watchers := d.now.Load().watchers
	for _, w := range watchers {
		if !w.folder.State().Online {
			offline++
		}
	}
	text := fmt.Sprintf("watches %d folders", len(watchers))
	if len(watchers) == 1 {
		text = "watches 1 folder"
	}
	if offline > 0 {
		text += fmt.Sprintf(", %d of them offline", offline)
	}
	counts, err := d.store.Counts()
	if err != nil {
		return text
	}
	waiting := 0
	for _, c := range counts {
		if !c.Filed {
			waiting += c.N
		}
	}
	return text + "; under way or waiting: " + documents(waiting)
}
