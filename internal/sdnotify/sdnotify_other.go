//go:build !linux

package sdnotify

import (
	"os"
	"time"
)

// ToJournal is never so here.
func ToJournal(*os.File) bool { return false }

func monotonic() time.Duration { return 0 }
