package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	batchSize  = 512  // names asked for at once, so that a listing that breaks off has shown something
	maxDepth   = 32   // sub-folders below each other; more is a loop made by the file server
	maxIgnored = 1000 // entries that are never taken of which the first sight is remembered
)

// scan is the result of one look at the folder.
type scan struct {
	trouble *trouble  // nil: the whole folder was read
	listed  bool      // at least a part of it was
	ended   time.Time // when the listing ended
	remote  bool      // on a network file system

	offers       []offer   // documents that are due, in order
	troubled     []Waiting // entries that could not be looked at
	ignored      []Ignored // the oldest entries that are never taken
	ignoredCount int

	unread     []string                 // sub-folders of which the content is not known
	companions map[string]companionSeen // companion file → what it travels with, and whether it has settled
}

// trouble is why a folder is offline.
type trouble struct {
	cause Cause
	text  string
	words Words // what is said beyond the cause
}

// found is one name in a listing. info is nil where the system must be asked for it separately.
type found struct {
	name string
	info fs.FileInfo
}

// folder is one directory to be listed; rel is "." for the watched folder itself.
type folder struct {
	rel   string
	depth int
}

// list reads the folder and, if wanted, its sub-folders, and enters in the book what it sees.
func (w *worker) list(ctx context.Context, root *os.Root, s *scan) {
	w.book.begin()
	l := &lister{worker: w, ctx: ctx, root: root, scan: s}
	l.folders = []folder{{rel: "."}}
	for len(l.folders) > 0 && ctx.Err() == nil {
		next := l.folders[len(l.folders)-1]
		l.folders = l.folders[:len(l.folders)-1]
		if err := l.listFolder(next); err != nil {
			l.unreadable(next, err)
		}
	}
	if ctx.Err() != nil {
		return
	}
	s.listed = s.trouble == nil || s.trouble.cause == CausePartial
	if s.trouble == nil {
		w.book.finish(s.unread)
		l.orphans()
		l.finishCompanions()
		l.rememberIgnored()
	}
	inOrder(s.offers)
}

// lister is one listing under way.
type lister struct {
	*worker
	ctx      context.Context
	root     *os.Root
	scan     *scan
	excluded []fs.FileInfo // the excluded directories, once asked for
	asked    bool
	folders  []folder // still to be listed
}

// listFolder reads one directory in batches.
func (l *lister) listFolder(dir folder) error {
	if dir.rel != "." {
		l.watchFolder(dir.rel)
	}
	if err := l.touch("list", dir.rel); err != nil {
		return err
	}
	f, err := openFolder(l.root, filepath.FromSlash(dir.rel))
	if err != nil {
		return err
	}
	defer f.Close()
	for l.ctx.Err() == nil {
		before := time.Now()
		if err := l.touch("list", dir.rel); err != nil {
			return err
		}
		batch, err := readBatch(f, batchSize)
		for _, one := range batch {
			if l.ctx.Err() != nil {
				return l.ctx.Err()
			}
			l.enter(dir, one, before)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return l.ctx.Err()
}

// unreadable notes that a directory could not be listed to its end. A sub-folder of that kind waits like a file; the others go on.
func (l *lister) unreadable(dir folder, err error) {
	if dir.rel != "." {
		if !errors.Is(err, fs.ErrNotExist) {
			l.unknown(dir.rel, err)
		}
		return
	}
	l.scan.trouble = explained("list folder "+l.opt.Path, err)
	if l.book.files > 0 || len(l.folders) > 0 {
		why := l.scan.trouble
		l.scan.trouble = &trouble{CausePartial, "only a part of the folder could be listed, which is no proof that the rest is gone: " + why.text, say(SayPartial, why.words...)}
	}
}

// unknown notes an entry that is there but could not be looked at: what is known of it and of what lies below it is kept.
func (l *lister) unknown(rel string, err error) {
	l.book.keep(rel)
	l.scan.unread = append(l.scan.unread, rel)
	why := explained("", err)
	l.scan.troubled = append(l.scan.troubled, Waiting{Rel: rel, Reason: "cannot be looked at: " + why.text, Words: say(SayUnseen, why.words...), Since: l.firstSight("!" + rel)})
}

// enter deals with one name in a listing. before is a moment before the listing showed it.
func (l *lister) enter(dir folder, one found, before time.Time) {
	rel := path.Join(dir.rel, one.name)
	kind := classify(one.name, l.include)
	if kind == ourOwn || kind == systemName {
		return
	}
	if kind == temporaryName {
		l.ignore(rel, WhyTemporary)
		return
	}
	if one.info == nil {
		before = time.Now()
		info, err := l.stat(rel)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			l.unknown(rel, err)
			return
		}
		one.info = info
	}
	switch mode := one.info.Mode(); {
	case mode.IsDir():
		l.enterFolder(folder{rel, dir.depth + 1}, one.info)
	case mode&fs.ModeSymlink != 0:
		l.ignore(rel, WhyLink)
	case kind == documentName && onlineOnly(one.info):
		l.scan.troubled = append(l.scan.troubled, Waiting{Rel: rel, Since: l.firstSight("!" + rel), Words: say(SayOnlineOnly),
			Reason: "is kept online only and is not on this disk yet: open it once on this machine, or mark it as always available"})
	case !mode.IsRegular():
		l.ignore(rel, WhySpecial)
	case kind == otherName:
		l.ignore(rel, WhyName)
	case kind == companionName:
		l.companion(rel, one.info, before)
	default:
		l.document(rel, one.info, before)
	}
}

// stat asks for one entry without following links.
func (l *lister) stat(rel string) (fs.FileInfo, error) {
	if err := l.touch("look at", rel); err != nil {
		return nil, err
	}
	return l.root.Lstat(filepath.FromSlash(rel))
}

// document enters one document in the book.
func (l *lister) document(rel string, info fs.FileInfo, before time.Time) {
	sig := signature{size: info.Size(), mod: info.ModTime()}
	if !l.scan.remote {
		sig.id = identify(info)
	}
	if o, due := l.book.saw(look{rel: rel, sig: sig, before: before, after: time.Now()}); due {
		l.scan.offers = append(l.scan.offers, o)
	}
}

// enterFolder decides whether a sub-folder is listed too.
func (l *lister) enterFolder(dir folder, info fs.FileInfo) {
	switch {
	case l.isExcludedPath(dir.rel) || l.isExcluded(info):
	case !l.opt.Recursive:
		l.ignore(dir.rel, WhyFolder)
	case dir.depth > maxDepth:
		l.ignore(dir.rel, WhyDepth)
	default:
		l.folders = append(l.folders, dir)
	}
}

// isExcludedPath says whether rel is done or failed, by name. Upper and lower case are alike, because on most shares they are.
func (l *lister) isExcludedPath(rel string) bool {
	full := filepath.Join(l.opt.Path, filepath.FromSlash(rel))
	return slices.ContainsFunc(l.opt.Exclude, func(dir string) bool { return strings.EqualFold(filepath.Clean(dir), full) })
}

// isExcluded says whether a directory is done or failed under another name, by a linked path for instance.
func (l *lister) isExcluded(info fs.FileInfo) bool {
	if !l.asked {
		l.asked = true
		for _, dir := range l.opt.Exclude {
			if l.touch("look at", dir) != nil {
				continue
			}
			if one, err := os.Stat(dir); err == nil {
				l.excluded = append(l.excluded, one)
			}
		}
	}
	return slices.ContainsFunc(l.excluded, func(e fs.FileInfo) bool { return os.SameFile(e, info) })
}

// ignore notes an entry that is never taken.
func (l *lister) ignore(rel string, why Why) {
	l.scan.ignored = append(l.scan.ignored, Ignored{Rel: rel, Why: why})
}

// orphans ignores companion files that lie there without their document.
func (l *lister) orphans() {
	if len(l.scan.companions) == 0 {
		return
	}
	documents := make(map[string]struct{}, len(l.book.entries))
	for rel := range l.book.entries {
		documents[strings.ToLower(rel)] = struct{}{}
	}
	for rel, seen := range l.scan.companions {
		if _, there := documents[seen.document]; !there {
			l.ignore(rel, WhyOrphan)
		}
	}
}

// firstSight says since when this process has known of an entry that is not in the book, and remembers it.
func (w *worker) firstSight(key string) time.Time {
	if at, ok := w.ignored[key]; ok {
		return at
	}
	now := time.Now()
	if len(w.ignored) < maxIgnored {
		w.ignored[key] = now
	}
	return now
}

// rememberIgnored gives the ignored entries their first sight, forgets those that are gone, and keeps the oldest for the state.
func (l *lister) rememberIgnored() {
	s := l.scan
	present := make(map[string]struct{}, len(s.ignored)+len(s.troubled))
	for i := range s.ignored {
		s.ignored[i].Since = l.firstSight(s.ignored[i].Rel)
		present[s.ignored[i].Rel] = struct{}{}
	}
	for _, t := range s.troubled {
		present["!"+t.Rel] = struct{}{}
	}
	for key := range l.worker.ignored {
		if _, there := present[key]; !there {
			delete(l.worker.ignored, key)
		}
	}
	s.ignoredCount = len(s.ignored)
	s.ignored = oldestIgnored(s.ignored)
}

// explained turns an error into trouble: a cause and a sentence.
func explained(doing string, err error) *trouble {
	cause, text, words := explain(err)
	if doing != "" {
		text = fmt.Sprintf("%s: %s", doing, text)
	}
	return &trouble{cause, text, words}
}
