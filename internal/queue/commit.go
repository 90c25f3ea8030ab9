package queue

import (
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ledgerPause is how long lines of the ledger that nobody waits for may lie
// unsynced while nothing else happens.
const ledgerPause = 5 * time.Second

// commitLoop writes what callers hand over. While one commit waits for the
// disk the next callers gather, so that under load a commit is shared and with
// a single caller nothing waits (bbolt's own Batch always waits for company).
func (s *Store) commitLoop() {
	defer close(s.stopped)
	var idle <-chan time.Time
	for {
		var batch []*operation
		select {
		case first, ok := <-s.ops:
			if !ok {
				return
			}
			batch = append(batch, first)
		case <-idle:
			_ = s.ledger.flush() // the next line that matters says so if it fails
			idle = nil
			continue
		}
	gather:
		for len(batch) < maxShared {
			select {
			case op, ok := <-s.ops:
				if !ok {
					break gather
				}
				batch = append(batch, op)
			default:
				break gather
			}
		}
		s.commit(batch)
		if s.ledger.tooLong() {
			if err := s.ledger.shorten(); err != nil {
				s.ledger.digest = s.ledger.size // not again at once; nothing is lost by a long ledger
			}
		}
		if !s.ledger.dirty {
			idle = nil
		} else if idle == nil {
			idle = time.After(ledgerPause)
		}
	}
}

// commit writes a batch. An operation that fails does so alone: all of it is
// rolled back and repeated without the one, so that nothing it wrote before it
// failed can stay.
func (s *Store) commit(batch []*operation) {
	pending := batch
	for len(pending) > 0 {
		failed, err := s.attempt(pending)
		if len(failed) == 0 {
			for _, op := range pending {
				op.err = errors.Join(op.err, err)
			}
			s.committed.Store(&commitResult{time.Now(), err})
			break
		}
		rest := make([]*operation, 0, len(pending)-1)
		for _, op := range pending {
			if failed[op] {
				op.err = err
			} else {
				rest = append(rest, op)
			}
		}
		pending = rest
	}
	for _, op := range batch {
		if op.stored && op.changes != nil && s.changed != nil {
			if before, after := op.changes(); after != nil {
				s.changed(before, after)
			}
		}
		close(op.done)
	}
}

// attempt runs operations in one transaction, and returns those that keep it
// from succeeding. With none, err is what became of all of them.
//
// What the ledger must hold is written to it before the commit, and synced at
// the same time as it, so that an intent costs one sync more but no more time.
// Where the ledger has no room only the operations fail that must be in it;
// the lines of the others are written later.
func (s *Store) attempt(ops []*operation) (failed map[*operation]bool, err error) {
	var running *operation // also when it panics
	var records []record
	var durable map[*operation]bool
	was := s.ledger.mark()
	var synced chan error
	err = s.transact(func(tx *bolt.Tx) (err error) {
		for _, op := range ops {
			running = op
			if err := op.run(tx); err != nil {
				return err
			}
		}
		running = nil
		if records, durable, err = recordsOf(ops); err != nil || len(records) == 0 {
			return err
		}
		if err := s.ledger.append(records); err != nil {
			if len(durable) > 0 {
				return err
			}
			s.ledger.postpone(records)
		}
		if err := putLast(tx, s.ledger.last); err != nil {
			return err
		}
		if len(durable) > 0 {
			synced = make(chan error, 1)
			go func() { synced <- s.ledger.flush() }()
		}
		return nil // and now it commits
	})
	var syncErr error
	if synced != nil {
		syncErr = <-synced
	}
	switch {
	case running != nil:
		return map[*operation]bool{running: true}, err
	case err != nil && len(durable) > 0 && s.ledger.last == was.last:
		return durable, err // the ledger could not be written
	case err != nil:
		s.ledger.takeBack(was)
		return nil, err
	}
	for _, op := range ops {
		op.stored = true
		if durable[op] {
			op.err = syncErr
		}
	}
	return nil, nil
}

// recordsOf are the lines that operations add to the ledger, and which of the
// operations must wait for theirs.
func recordsOf(ops []*operation) (records []record, durable map[*operation]bool, err error) {
	wait := func(op *operation) {
		if durable == nil {
			durable = map[*operation]bool{}
		}
		durable[op] = true
	}
	for _, op := range ops {
		if op.folder != "" {
			m := op.memory
			records = append(records, record{Key: whatFolder + " " + op.folder, What: whatFolder, At: time.Now().UTC(), Folder: &m})
			wait(op)
			continue
		}
		if op.changes == nil {
			continue
		}
		before, after := op.changes()
		if after == nil {
			continue
		}
		keep, durably := worthKeeping(before, after)
		if !keep {
			continue
		}
		rec, err := newRecord(after)
		if err != nil {
			return nil, nil, err
		}
		records = append(records, rec)
		if durably {
			wait(op)
		}
	}
	return records, durable, nil
}

// transact is db.Update behind [guard].
func (s *Store) transact(run func(tx *bolt.Tx) error) error {
	err := guard(func() error { return s.db.Update(run) })
	if errors.Is(err, ErrDamaged) || errors.Is(err, errFault) {
		return fmt.Errorf("write queue: %w", err)
	}
	return err
}
