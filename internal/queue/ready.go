package queue

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Ready reports whether the queue can be written to: it makes an empty commit.
func (s *Store) Ready() error {
	if err := s.update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keySchema, schemaVersion)
	}, nil); err != nil {
		return fmt.Errorf("the queue can't be written: %w", err)
	}
	return nil
}
