package watch

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"
)

// signature is what must stay the same while a file settles.
type signature struct {
	size int64
	mod  time.Time
	id   identity
}

func (s signature) same(o signature) bool {
	return s.size == o.size && s.mod.Equal(o.mod) && s.id.same(o.id)
}

// look is one look at one document: what it was like, and the moments on our clock between which that was found out.
type look struct {
	rel           string
	sig           signature
	before, after time.Time
}

// phase is how far an entry has come with its present signature.
type phase uint8

const (
	settling phase = iota // not offered yet
	waiting               // NotYet: offered again when unchanged for askAfter, if that is above zero
	retrying              // Retry: offered again at the next scan
	taken                 // not offered again
)

// entry is what the book knows of one document.
type entry struct {
	rel      string
	sig      signature
	since    time.Time // when we first saw this signature, on our monotonic clock
	phase    phase
	reason   string
	words    Words         // of the reason
	reasoned time.Time     // when reason became what it is
	askAfter time.Duration // phase waiting
	scan     uint64        // the last scan that saw it
}

// offer is an entry that is due to be handed over.
type offer struct {
	*entry
	unchanged time.Duration
}

// book holds one entry per document that lies in the folder. It is pure: looks and decisions go in, offers and times come out. Only the worker
// uses it.
type book struct {
	settle  time.Duration
	entries map[string]*entry
	scan    uint64 // number of the scan under way
	files   int    // documents seen in it
}

func newBook(settle time.Duration) *book {
	return &book{settle: settle, entries: make(map[string]*entry)}
}

// begin starts a scan.
func (b *book) begin() {
	b.scan++
	b.files = 0
}

// saw notes a look and says whether the document is now due.
func (b *book) saw(l look) (offer, bool) {
	b.files++
	e := b.entries[l.rel]
	if e == nil {
		e = &entry{rel: l.rel, sig: l.sig, since: l.after}
		b.entries[l.rel] = e
		e.scan = b.scan
		return offer{}, false
	}
	e.scan = b.scan
	if !e.sig.same(l.sig) {
		*e = entry{rel: e.rel, sig: l.sig, since: l.after, scan: b.scan}
		return offer{}, false
	}
	unchanged := l.before.Sub(e.since)
	return offer{entry: e, unchanged: unchanged}, e.isDue(unchanged, b.settle)
}

// isDue says whether a document that has been unchanged for this long is to be offered.
func (e *entry) isDue(unchanged, settle time.Duration) bool {
	if unchanged < settle {
		return false
	}
	switch e.phase {
	case settling, retrying:
		return true
	case waiting:
		return e.askAfter > 0 && unchanged >= e.askAfter
	default:
		return false
	}
}

// keep notes that the document rel is there although it could not be looked at.
func (b *book) keep(rel string) {
	if e := b.entries[rel]; e != nil {
		e.scan = b.scan
	}
}

// finish ends a complete listing: documents that it did not show are gone. Those below a folder in unread are kept, for nobody knows.
func (b *book) finish(unread []string) {
	for rel, e := range b.entries {
		if e.scan != b.scan && !below(rel, unread) {
			delete(b.entries, rel)
		}
	}
}

// below says whether rel lies below one of the folders.
func below(rel string, folders []string) bool {
	return slices.ContainsFunc(folders, func(dir string) bool { return strings.HasPrefix(rel, dir+"/") })
}

// forget drops entries, so that what has their names is seen anew.
func (b *book) forget(names map[string]struct{}) {
	for rel := range names {
		delete(b.entries, path.Clean(rel))
	}
}

// decide notes the handler's answer to an offer.
func (b *book) decide(o offer, d Decision, now time.Time) {
	e := o.entry
	if d.Outcome == Taken {
		d.Reason = ""
	}
	e.words = d.Words
	if e.reason != d.Reason || e.reasoned.IsZero() {
		e.reason, e.reasoned = d.Reason, now
	}
	switch {
	case d.Outcome == Taken:
		e.phase = taken
	case d.Outcome == NotYet && (d.AskAgainAfter <= 0 || d.AskAgainAfter > o.unchanged):
		e.phase, e.askAfter = waiting, d.AskAgainAfter
	default:
		e.phase = retrying
	}
}

// next says when the first entry that the last scan saw becomes due by the passing of time alone.
func (b *book) next() (at time.Time, ok bool) {
	for _, e := range b.entries {
		due := e.since
		switch {
		case e.scan != b.scan:
			continue
		case e.phase == settling:
			due = due.Add(b.settle)
		case e.phase == waiting && e.askAfter > 0:
			due = due.Add(max(b.settle, e.askAfter))
		default:
			continue
		}
		if !ok || due.Before(at) {
			at, ok = due, true
		}
	}
	return at, ok
}

// lists gives the entries that settle and those that wait.
func (b *book) lists() (settle, wait []Waiting) {
	for _, e := range b.entries {
		switch e.phase {
		case settling:
			settle = append(settle, Waiting{Rel: e.rel, Reason: "has not been unchanged for long enough yet", Since: e.since})
		case waiting, retrying:
			wait = append(wait, Waiting{Rel: e.rel, Reason: e.reason, Words: e.words, Since: e.reasoned})
		}
	}
	return settle, wait
}

// inOrder sorts offers by file time and then name.
func inOrder(offers []offer) {
	slices.SortFunc(offers, func(a, b offer) int { return cmp.Or(a.sig.mod.Compare(b.sig.mod), cmp.Compare(a.rel, b.rel)) })
}
