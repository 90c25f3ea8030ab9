package deliver

import (
	"context"
	"errors"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/queue"
)

// This file takes away what is older than people want to keep it (contract §3,
// retention): the files of delivered documents from done/, with their receipts,
// and the timelines of finished ones. The record of a document stays, since it
// is what keeps the same content from being delivered twice. Nothing at the
// portal and nothing that is under way depends on it.

const (
	// retainLook is how often it is looked whether the time for a round has come.
	retainLook = time.Hour
	// retainEvery is the time from one round of a folder to the next.
	retainEvery = 24 * time.Hour
	// clockMayDrift is how far the machine's clock and the time that really passes may part within
	// retainLook. Further, the clock was set; what is old is then judged at the next look, since a
	// clock that is wrong by years would take away everything.
	clockMayDrift = 10 * time.Minute
)

// ages are how long finished documents are kept; 0 is for ever.
type ages struct{ done, history time.Duration }

// retainFolder makes a folder's rounds until ctx ends: the first an hour after
// the start, then one a day. arrivals tells the folder from a later one of that name.
func (w *Worker) retainFolder(ctx, calls context.Context, name string, arrivals chan arrived) {
	looked, clock := time.Now(), w.policy.now()
	var last time.Time
	for {
		timer := time.NewTimer(retainLook)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		now := w.policy.now()
		steady := (now.Sub(clock) - time.Since(looked)).Abs() <= clockMayDrift
		looked, clock = time.Now(), now
		f, p := w.setup.Load().folders[name], w.policy.get()
		keep := ages{p.KeepDone, p.KeepHistory}
		if f == nil || f.arrivals != arrivals || !steady || keep == (ages{}) || !last.IsZero() && now.Sub(last) < retainEvery {
			continue
		}
		if w.retain(ctx, calls, f, keep, now) {
			last = now
		}
	}
}

// now is what the machine's clock says, apart from how much time really passed.
func (p *livePolicy) now() time.Time {
	if clock := p.get().Clock; clock != nil {
		return clock().Round(0)
	}
	return time.Now().Round(0)
}

// retain makes one round of a folder, document by document until ctx ends. It
// reports whether it came to its end; what it could not reach is tried again at
// the next look.
func (w *Worker) retain(ctx, calls context.Context, f *folder, keep ages, now time.Time) bool {
	var old []queue.ID
	err := w.store.Each(queue.Filter{Folder: f.Name}, func(it queue.Item) bool {
		if files, timeline := isOld(&it, keep, now); files || timeline {
			old = append(old, it.ID)
		}
		return ctx.Err() == nil
	})
	if err != nil {
		w.journal.queueTrouble(err)
		return false
	}
	for _, id := range old {
		if ctx.Err() != nil {
			return false
		}
		it, err := w.store.Get(id)
		if err != nil {
			continue // it can't be read any more: nothing is known of its age
		}
		files, timeline := isOld(&it, keep, now)
		var steps []queue.Transition
		if files {
			gone, err := f.Archive.Remove(calls, filedAttempt(&it))
			switch {
			case unreachable(err):
				w.journal.notRemoved(&it, err)
				return false // as the others will be
			case err != nil:
				w.journal.notRemoved(&it, err)
			case gone:
				w.crash("files-removed")
				steps = append(steps, queue.FilesRemoved(now))
			}
		}
		if timeline {
			steps = append(steps, queue.TimelineDropped(now))
		}
		if len(steps) == 0 {
			continue
		}
		var changed *queue.TransitionError
		if _, err := w.store.Apply(id, steps...); err != nil && !errors.As(err, &changed) {
			w.journal.notStored(&it, err)
			return false
		}
		w.crash("removed")
	}
	return true
}

// isOld says whether an item's files, and its timeline, are older than they are
// to be kept. What is not filed, or is still to be found in the public register,
// is never old.
func isOld(it *queue.Item, keep ages, now time.Time) (files, timeline bool) {
	if it.Open() || it.Confirm != nil {
		return false, false
	}
	older := func(age time.Duration) bool { return age > 0 && now.Sub(it.Times.Filed) >= age }
	return it.State == queue.Delivered && it.Times.Removed.IsZero() && older(keep.done), it.TimelineKept() && older(keep.history)
}

// unreachable reports whether it is no matter of one file, but of the folder, or of our being stopped.
func unreachable(err error) bool {
	var trouble *archive.Error
	return err != nil && (!errors.As(err, &trouble) || trouble.Kind == archive.Gone)
}

// filedAttempt is where an item lies that was filed.
func filedAttempt(it *queue.Item) archive.Attempt {
	return archive.Attempt{ID: it.ID.String(), SHA256: it.SHA256, Path: it.Filed, Beside: it.Beside, Tails: tails(it)}
}
