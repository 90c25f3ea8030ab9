package daemon

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"brodaemon/internal/status"
)

// The reserve of the data folder's disk: as long as less than this would be
// left, nothing new is taken in, so that what is under way can still be stored
// step by step to its end. A small disk keeps a twentieth.
const (
	reserveMost  = 64 << 20 // bytes
	reserveShare = 20
)

// failureCounts is how long a write that failed for want of room is remembered
// where the disk itself shows none (a quota does not show).
const failureCounts = 2 * time.Minute

// roomMade is by how much the free space must have grown since, in bytes, to be taken for an end of it.
const roomMade = 1 << 20

// errDiskFull is why a document is not taken in. It holds no figure: it is said
// of each file again at each scan, and is to be logged once.
var errDiskFull = errors.New("disk-full")

// space keeps the intake from filling the disk that the queue needs. It is the
// Worker's deliver.Room.
type space struct {
	dir string
	ask func(dir string) (free, total uint64, err error) // bytes that this account may use; of the whole disk

	mu      sync.Mutex
	since   time.Time // of the shortage
	refused uint64    // largest document that did not fit since then, bytes
	failed  time.Time // last write that failed
	had     uint64    // bytes free just after that
}

func newSpace(dir string) *space { return &space{dir: dir, ask: diskSpace} }

func reserveOf(total uint64) uint64 { return min(reserveMost, total/reserveShare) }

// For fails while a document of so many bytes would eat into the reserve. What
// can't be asked counts as room: the writing shows.
func (s *space) For(size int64) error {
	free, total, err := s.ask(s.dir)
	if err != nil || free >= reserveOf(total)+uint64(max(size, 0)) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short()
	s.refused = max(s.refused, uint64(max(size, 0)))
	return s.named()
}

// Failed names an error of a write that there was no room for, and returns any
// other as it is.
func (s *space) Failed(err error) error {
	if !noRoom(err) {
		return err
	}
	free, _, _ := s.ask(s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short()
	s.failed, s.had = time.Now(), free
	return s.named()
}

func (s *space) short() {
	if s.since.IsZero() {
		s.since = time.Now()
	}
}

func (s *space) named() error {
	return fmt.Errorf("%w: the disk with the data folder %s has too little room; it is taken in as soon as there is room", errDiskFull, s.dir)
}

// condition tells of a shortage as it is now; nil if there is none.
func (s *space) condition() *status.Condition {
	free, total, err := s.ask(s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	isShort := err == nil && free < reserveOf(total)+s.refused
	isFailing := !s.failed.IsZero() && time.Since(s.failed) < failureCounts && free <= s.had+roomMade
	if !isShort && !isFailing {
		s.since, s.refused, s.failed = time.Time{}, 0, time.Time{}
		return nil
	}
	s.short()
	return &status.Condition{
		Code: "disk-full",
		Text: fmt.Sprintf("the disk with the data folder %s is full or nearly full: %s free, of which %s are kept for the documents under way; nothing new is taken in",
			s.dir, megabytes(free), megabytes(reserveOf(total))),
		Hint:  "make room on that disk; documents wait safely in their folders, and are taken in by themselves when there is room",
		Since: s.since.UTC(), Subject: s.dir, Detail: megabytes(free),
	}
}

func megabytes(n uint64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d MB", n>>20)
}
