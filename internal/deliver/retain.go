package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/queue"
)

// This file takes away what is older than people want to keep it (contract §3,
// retention): the files of delivered documents from done/, with their receipts,
// and the timelines of delivered ones. The record of a document stays, since it
// is what keeps the same content from being delivered twice. Nothing at the
// portal and nothing that is under way depends on it.
//
// What is removed can't be had back, and a clock that is wrong makes everything
// look old. So nothing is removed unless the portal, which has a clock of its
// own, has agreed with ours within the day.

const (
	// retainLook is how often it is looked whether the time for a round has come.
	retainLook = time.Hour
	// retainEvery is the time from one round of a folder to the next.
	retainEvery = 24 * time.Hour
	// clockHeard is how long ago the portal's clock may have been heard, and
	// clockMayDiffer how far ours may have been from it then, and may have been set since.
	clockHeard     = 24 * time.Hour
	clockMayDiffer = time.Hour
	// retainGivesUp is after how many failures in a row a round ends: it is not
	// one document then, but the rights or the volume.
	retainGivesUp = 20
)

// ages are how long finished documents are kept; 0 is for ever.
type ages struct{ done, history time.Duration }

func (w *Worker) ages() ages {
	p := w.policy.get()
	return ages{p.KeepDone, p.KeepHistory}
}

// now is what the machine's clock says, apart from how much time really passed.
func (p *livePolicy) now() time.Time {
	if clock := p.get().Clock; clock != nil {
		return clock().Round(0)
	}
	return time.Now().Round(0)
}

// retainFolder makes a folder's rounds until ctx ends: the first about an hour
// after the start, then one a day; also until the folder goes. arrivals tells it
// from a later one of that name.
func (w *Worker) retainFolder(ctx context.Context, name string, arrivals chan arrived) {
	var last time.Time
	for {
		timer := time.NewTimer(w.policy.spread(retainLook)) // so that folders come one after another
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		f := w.setup.Load().folders[name]
		if f == nil || f.arrivals != arrivals {
			return // should the folder come back, it is another one
		}
		due := w.ages() != (ages{}) && (last.IsZero() || time.Since(last) >= retainEvery)
		if due && w.clockIsRight(f) && f.Archive.Reachable() == nil && w.retain(ctx, f) {
			last = time.Now()
		}
	}
}

// clockIsRight reports whether the portal's clock agreed with this machine's not
// long ago, and ours was not set since.
func (w *Worker) clockIsRight(f *folder) bool {
	if f.Clock == nil {
		return false
	}
	heard := f.Clock()
	if heard.At.IsZero() {
		return false
	}
	passed := time.Since(heard.At) // whatever was done to the clock
	set := w.policy.now().Sub(heard.At.Round(0)) - passed
	return passed <= clockHeard && heard.Skew.Abs() <= clockMayDiffer && set.Abs() <= clockMayDiffer
}

// retain makes one round of a folder, document by document. It reports whether
// it came to its end: if not, because ctx ended, the folder went, or the
// configuration was changed, the next look begins another.
func (w *Worker) retain(ctx context.Context, f *folder) bool {
	keep, now := w.ages(), w.policy.now()
	old, err := w.findOld(ctx, f.Name, keep, now)
	if err != nil {
		w.journal.queueTrouble(err)
		return false
	}
	// in any order, so that those that can't be removed don't keep the same ones waiting each time
	rand.Shuffle(len(old), func(i, j int) { old[i], old[j] = old[j], old[i] })
	stayed, inARow := 0, 0
	var why error
	for _, id := range old {
		if ctx.Err() != nil || w.setup.Load().folders[f.Name] != f || w.ages() != keep || !w.clockIsRight(f) {
			return false
		}
		err := w.retainItem(ctx, f, id, keep, now)
		switch {
		case err == nil:
			inARow = 0
		case ctx.Err() != nil:
			return false
		case f.Archive.Reachable() != nil:
			w.journal.notRemoved(f, stayed+1, err)
			return false
		default:
			stayed++
			inARow++
			why = err
		}
		if inARow >= retainGivesUp {
			break
		}
	}
	if stayed > 0 {
		w.journal.notRemoved(f, stayed, why)
	}
	return true
}

// findOld lists what is old, a folder at a time: it looks at the whole queue.
func (w *Worker) findOld(ctx context.Context, folder string, keep ages, now time.Time) (old []queue.ID, err error) {
	w.aging.Lock()
	defer w.aging.Unlock()
	err = w.store.Each(queue.Filter{Folder: folder, State: queue.Delivered}, func(it queue.Item) bool {
		if files, timeline := isOld(&it, keep, now); files || timeline {
			old = append(old, it.ID)
		}
		return ctx.Err() == nil
	})
	return old, err
}

// retainItem removes of one document what is old. What can't be proved to be
// its files stays, without an error.
func (w *Worker) retainItem(ctx context.Context, f *folder, id queue.ID, keep ages, now time.Time) error {
	it, err := w.store.Get(id)
	if err != nil {
		return nil // it can't be read any more: nothing is known of its age
	}
	files, timeline := isOld(&it, keep, now)
	if files {
		removed, err := f.Archive.Remove(ctx, w.oldFiles(&it, now))
		if err != nil {
			return err
		}
		if removed {
			w.crash("files-removed")
			if err := w.note(id, queue.FilesRemoved(now)); err != nil {
				return err
			}
		}
	}
	if timeline {
		return w.note(id, queue.TimelineDropped(now))
	}
	return nil
}

// note stores a transition, if it still fits.
func (w *Worker) note(id queue.ID, t queue.Transition) error {
	_, err := w.store.Apply(id, t)
	var changed *queue.TransitionError
	if errors.As(err, &changed) {
		return nil
	}
	return err
}

// isOld says whether an item's files, and its timeline, are older than they are
// to be kept. Only a delivered document is ever old, and only once the public
// register shows it, if it is to be found there. It is no older than its file
// was: when that was saved its clock, and not ours, told the time.
func isOld(it *queue.Item, keep ages, now time.Time) (files, timeline bool) {
	if it.Open() || it.Confirm != nil || it.State != queue.Delivered {
		return false, false
	}
	from := it.Times.Filed
	if saved := it.Source.ModTime; saved.After(from) && saved.Before(now) {
		from = saved
	}
	older := func(age time.Duration) bool { return age > 0 && now.Sub(from) >= age }
	files = it.Times.Removed.IsZero() && (older(keep.done) || it.Removing && keep.done > 0)
	return files, it.TimelineKept() && older(keep.history)
}

// oldFiles are an item's files in done/. A companion whose content is nowhere
// else, since it was not added to the delivery, is none of them.
func (w *Worker) oldFiles(it *queue.Item, now time.Time) archive.Old {
	old := archive.Old{Attempt: filedAttempt(it), Begun: it.Removing}
	for _, c := range it.Companions {
		tail, beside := tailOf(it, &c)
		if beside && c.SHA256 != "" && (c.State == queue.CompanionAdded || c.State == queue.CompanionMaybe) {
			old.Companions = append(old.Companions, archive.OldCompanion{Tail: tail, SHA256: c.SHA256})
		}
	}
	old.Begin = func() error {
		if it.Removing {
			return nil
		}
		_, err := w.store.Apply(it.ID, queue.RemovalIntended(now))
		if err == nil {
			w.crash("removal-intended")
		}
		return err
	}
	return old
}

// filedAttempt is where an item lies that was filed.
func filedAttempt(it *queue.Item) archive.Attempt {
	return archive.Attempt{ID: it.ID.String(), SHA256: it.SHA256, Path: it.Filed, Beside: it.Beside, Tails: tails(it)}
}
