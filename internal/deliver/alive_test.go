package deliver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/queue"
)

// standingStore answers no question before its gate is open.
type standingStore struct {
	Store
	gate chan bool
}

func (s standingStore) Due(string, queue.Lane, time.Time, int, func(queue.ID) bool) ([]queue.Item, time.Time, error) {
	<-s.gate
	return nil, time.Time{}, nil
}

func (s standingStore) Each(queue.Filter, func(queue.Item) bool) error { return nil }

func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan bool)
		w, err := New(Options{
			Store: standingStore{gate: gate}, Endpoints: []Endpoint{{Address: "http://p", Concurrency: 1}},
			Folders: []Folder{{Name: "f", Endpoint: "http://p"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		ask := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			return w.Alive(ctx)
		}
		if err := ask(); !errors.Is(err, errStandsStill) {
			t.Errorf("while a look at the queue never ends: %v", err)
		}
		close(gate)
		if err := ask(); err != nil {
			t.Errorf("when it goes on: %v", err)
		}
		time.Sleep(100 * time.Hour) // idle: nothing is due, nothing wakes it
		if err := ask(); err != nil {
			t.Errorf("after a long rest: %v", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
