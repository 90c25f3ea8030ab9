package watch

import (
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Companion files travel with a document. They settle as documents do. Those that have settled when their document is offered go along in
// Arrival.Companions; every settled one whose document was taken is offered by itself as well (Options.AcceptCompanion), so that one that
// was saved a little later, or could not be read the first time, still joins. The handler knows those it has.

// companion is what is known of one companion file, from scan to scan.
type companion struct {
	rel      string
	document string // in lower case
	exact    string // as the companion's name has it
	sig      signature
	since    time.Time // when we first saw this signature
	done     bool      // the handler has answered for good
	reason   string    // why it was not taken
	words    Words     // of the reason
	reasoned time.Time
}

// companionSeen is a companion in one scan.
type companionSeen struct {
	*companion
	document string // in lower case
	settled  bool
}

// companion notes a companion file. before is a moment before the listing showed it.
func (l *lister) companion(rel string, info fs.FileInfo, before time.Time) {
	if l.scan.companions == nil {
		l.scan.companions = make(map[string]companionSeen)
	}
	base, _ := companionOf(path.Base(rel))
	sig := signature{size: info.Size(), mod: info.ModTime()}
	if !l.scan.remote {
		sig.id = identify(info)
	}
	c := l.mates[rel]
	if c == nil || !c.sig.same(sig) {
		exact := path.Join(path.Dir(rel), base)
		c = &companion{rel: rel, document: strings.ToLower(exact), exact: exact, sig: sig, since: time.Now()}
		l.mates[rel] = c
	}
	l.scan.companions[rel] = companionSeen{c, c.document, before.Sub(c.since) >= l.opt.Settle}
}

// finishCompanions ends a complete listing: what it did not show is gone.
func (l *lister) finishCompanions() {
	for rel := range l.mates {
		if _, there := l.scan.companions[rel]; !there && !below(rel, l.scan.unread) {
			delete(l.mates, rel)
		}
	}
}

// settledCompanions are those of a scan by their document, in lower case.
func (s *scan) settledCompanions() map[string][]*companion {
	if len(s.companions) == 0 {
		return nil
	}
	all := make(map[string][]*companion)
	for _, c := range s.companions {
		if c.settled {
			all[c.document] = append(all[c.document], c.companion)
		}
	}
	return all
}

// handOverCompanions offers settled companions whose document was taken, in this scan or an earlier one.
func (w *worker) handOverCompanions(ctx context.Context, s *scan) {
	together := s.settledCompanions()
	if len(together) == 0 || w.opt.AcceptCompanion == nil {
		return
	}
	defer w.pulse.rest()
	began, limit := time.Now(), max(w.opt.ScanInterval, minAcceptTime)
	for rel, e := range w.book.entries {
		if e.phase != taken {
			continue
		}
		for _, c := range together[strings.ToLower(rel)] {
			if ctx.Err() != nil || time.Since(began) > limit {
				return
			}
			if c.done || !w.travels(c, rel) {
				continue
			}
			w.pulse.begin("read", c.rel, acceptFactor*w.opt.IOTimeout)
			d := w.opt.AcceptCompanion(ctx, rel, w.companionArrival(c))
			c.done = d.Outcome == Taken || d.Outcome == NotYet
			if d.Outcome != NotYet {
				d.Reason = "" // taken, or asked again at the next scan
			}
			c.words = d.Words
			if c.reason != d.Reason {
				c.reason, c.reasoned = d.Reason, time.Now()
			}
		}
	}
}

// travels says whether the companion goes with the document rel, whose name is alike but for upper and lower case: not if there is one of the very name.
func (w *worker) travels(c *companion, rel string) bool {
	return c.exact == rel || w.book.entries[c.exact] == nil
}

func (w *worker) companionArrival(c *companion) Arrival {
	return Arrival{
		Folder: w.opt.Name, Path: filepath.Join(w.opt.Path, filepath.FromSlash(c.rel)), Rel: c.rel,
		Size: c.sig.size, ModTime: c.sig.mod, Unchanged: time.Since(c.since), root: w.opt.Path, id: c.sig.id,
	}
}

// companionsWaiting are those that were not taken, with the reason.
func (w *worker) companionsWaiting() (wait []Waiting) {
	for _, c := range w.mates {
		if c.reason != "" {
			wait = append(wait, Waiting{Rel: c.rel, Reason: c.reason, Words: c.words, Since: c.reasoned})
		}
	}
	return wait
}

// nextCompanion says when the first companion of a document that lies here settles.
func (w *worker) nextCompanion() (at time.Time, ok bool) {
	for _, c := range w.mates {
		due := c.since.Add(w.opt.Settle)
		if !c.done && due.After(time.Now()) && (!ok || due.Before(at)) {
			at, ok = due, true
		}
	}
	return at, ok
}
