package queue

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// readyFor is how long the result of a commit answers for whether the queue can
// be written to.
const readyFor = 10 * time.Second

// Ready reports whether the queue can be written to. It goes by how the last
// commit ended; when that is long ago it makes an empty one.
func (s *Store) Ready() error {
	s.readyMu.Lock()
	defer s.readyMu.Unlock()
	if last := s.committed.Load(); last == nil || time.Since(last.at) >= readyFor {
		if err := s.update(func(tx *bolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keySchema, schemaVersion)
		}, nil); err != nil {
			return fmt.Errorf("the queue can't be written: %w", err)
		}
		return nil
	}
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return fmt.Errorf("the queue can't be written: %w", ErrClosed)
	}
	if last := s.committed.Load(); last.err != nil {
		return fmt.Errorf("the queue can't be written: %w", last.err)
	}
	return nil
}
