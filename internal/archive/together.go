package archive

import "sync"

// together lets documents that are filed at the same time share the syncing of
// a directory. A sync that is asked for while one is running can't count on
// that one, so it waits for the next, with all others that came meanwhile.
type together struct {
	sync func(dir string) error

	mu      sync.Mutex
	next    map[string]*shared       // by directory: asked for, not begun
	running map[string]chan struct{} // by directory: holds one token, taken while a sync runs
}

type shared struct {
	done chan struct{}
	err  error
}

func newTogether(sync func(dir string) error) *together {
	return &together{sync: sync}
}

// syncDir returns when a sync of dir that began after the call has ended.
func (t *together) syncDir(dir string) error {
	t.mu.Lock()
	if s := t.next[dir]; s != nil {
		t.mu.Unlock()
		<-s.done
		return s.err
	}
	if t.next == nil {
		t.next, t.running = map[string]*shared{}, map[string]chan struct{}{}
	}
	s := &shared{done: make(chan struct{})}
	t.next[dir] = s
	turn := t.running[dir]
	if turn == nil {
		turn = make(chan struct{}, 1)
		t.running[dir] = turn
	}
	t.mu.Unlock()

	turn <- struct{}{}
	t.mu.Lock()
	delete(t.next, dir) // who comes from here on waits for another
	t.mu.Unlock()
	s.err = t.sync(dir)
	<-turn
	close(s.done)
	return s.err
}
