// Package archive puts a document that has its outcome in its place: a
// delivered one into done/<local date>/ with a receipt beside it, any other one
// into failed/ with a reason that the person who saved it can act on.
//
//	done/2026-11-23/put-16.xml
//	done/2026-11-23/put-16.xml.receipt.json
//	failed/put-15.xml
//	failed/put-15.xml.reason.txt
//	failed/superseded/put-15.xml          failed once; a later attempt succeeded
//
// Promises, whatever line the program is killed at and whatever people do in
// the folder meanwhile:
//
//   - Nothing is ever overwritten. A taken name gets the first eight digits of
//     the document's SHA-256 (put-16__3f9a1c2e.xml), and a counter after that.
//   - The document beside a receipt or reason has the bytes that were delivered.
//     It is the original file, renamed, with its own time stamp, if that is still
//     those bytes, else a copy from the spool. An original that was changed is
//     left, or put back, in the folder as the new document it is.
//   - A call that failed or was cut short is repeated with the same arguments,
//     as often as it takes, and ends with one document and one receipt. A call
//     that is repeated after it succeeded changes nothing.
//   - A receipt or reason stands under its own name whole or not at all.
//   - Nothing is ever removed from done/ but by Remove, which takes away only what
//     it can prove to be the document meant.
//
// An outcome is filed in these steps; each leaves on disk what the next call
// needs to go on from there. Temporary names begin with ".brodaemon-" and lie in
// the directory the document goes to. Only an original on another volume, which
// can't be renamed, is first copied there from the spool and then taken aside
// where it is, compared and removed.
//
//	1  the receipt is written and synced as .brodaemon-<id>-<digits>.tmp
//	2  the original is renamed to .brodaemon-<id>-<digits>.moved and its bytes
//	   are compared; else the spool is copied to .brodaemon-<id>-<digits>.copy
//	3  the receipt is renamed to its name, which claims that name
//	4  the document is renamed to its name
//	5  the two directories are synced
//
// The check comes after the first renaming because only then nobody can swap
// the file any more: people save into the folder, not under hidden names.
//
// What it does not do: it never talks to the portal or the queue, keeps nothing
// in memory between calls, decides no outcome, and never gives up or retries a
// failed call by itself, except for the two seconds a virus scanner or indexer
// may hold a file. The caller keeps the item as not yet filed and calls again.
package archive

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Options describe one watched folder. All paths are absolute.
type Options struct {
	Name      string // the folder's configured name, for receipts and reasons
	Path      string // the watched folder; never created here
	DoneDir   string // inside Path, or elsewhere; on another volume files are copied
	FailedDir string

	// Marker is the name of a file that stands in Path as long as the share is
	// there. Without it nothing is written, so that nothing ends up in the empty
	// directory a share was mounted on. "" means no such check.
	Marker string

	Language string         // "nl" or "en", of reasons and hints; "" is "nl"
	Zone     *time.Location // of the dated folders and of times in reasons; nil is time.Local

	// Crash, if set, is called at each of CrashPoints, for tests that stop the program there.
	Crash func(point string)
}

// CrashPoints are the points at which Options.Crash is called: after each step
// that changed something on disk.
var CrashPoints = []string{
	"archive.receipt-written",       // the receipt or reason, under its temporary name
	"archive.moved",                 // the original, under its temporary name
	"archive.put-back",              // a changed original is in the folder again
	"archive.copied",                // the spool copy, under its temporary name
	"archive.original-taken",        // other volume only: the original, under a temporary name where it was
	"archive.original-removed",      // other volume only: the original
	"archive.reserved",              // some network file systems only: a name is reserved
	"archive.receipt-named",         // the receipt or reason has its name
	"archive.document-named",        // the document has its name
	"archive.target-synced",         // the directory of the document
	"archive.synced",                // the directory it came from
	"archive.companion-moved",       // one companion file
	"archive.superseded",            // Settle: the earlier document is in superseded/
	"archive.earlier-reason-gone",   // Settle: its reason is removed
	"archive.amend-written",         // Amend: the new receipt, under its temporary name
	"archive.amended",               // Amend: the receipt is the new one
	"archive.old-document-removed",  // Remove: the document is gone
	"archive.old-companion-removed", // Remove: one of its companions
	"archive.old-receipt-removed",   // Remove: its receipt
}

// Archive files the documents of one watched folder. It may be used by several
// goroutines at once, one at a time for each document.
type Archive struct {
	opt  Options
	zone *time.Location
	sys  system
}

// New checks the options and touches no file.
func New(o Options) (*Archive, error) {
	if o.Language == "" {
		o.Language = "nl"
	}
	if _, ok := languages[o.Language]; !ok {
		return nil, fmt.Errorf("archive of folder %s: language %q is not known: use nl or en", o.Name, o.Language)
	}
	if o.Name == "" {
		return nil, fmt.Errorf("archive of %s: the folder has no name", o.Path)
	}
	for _, dir := range []*string{&o.Path, &o.DoneDir, &o.FailedDir} {
		if !filepath.IsAbs(*dir) {
			return nil, fmt.Errorf("archive of folder %s: %q is not an absolute path", o.Name, *dir)
		}
		*dir = filepath.Clean(*dir)
	}
	if o.DoneDir == o.Path || o.FailedDir == o.Path || o.DoneDir == o.FailedDir {
		return nil, fmt.Errorf("archive of folder %s: the folder, done_dir and failed_dir must be three different directories", o.Name)
	}
	if o.Marker != "" && o.Marker != filepath.Base(o.Marker) {
		return nil, fmt.Errorf("archive of folder %s: marker %q is not a plain file name", o.Name, o.Marker)
	}
	zone := o.Zone
	if zone == nil {
		zone = time.Local
	}
	sys := realSystem
	sys.syncDir = newTogether(syncDir).syncDir
	return &Archive{opt: o, zone: zone, sys: sys}, nil
}

// Document is what is to be filed.
type Document struct {
	// ID is the document's number in the queue: letters, digits, "-" and "_", at
	// most 64. Together with SHA256 it is how a repeated call knows its own work.
	ID      string
	Rel     string    // where it was first seen: path below the folder, with slashes
	SHA256  string    // of the bytes delivered, 64 lower-case hex digits
	Size    int64     // of the same, in bytes
	ModTime time.Time // the file's own time stamp; a copy gets it too

	// Spool opens the bytes delivered. It is called only if the original can't
	// be used, and must be able to give them until the document is filed.
	Spool func() (io.ReadCloser, error)

	// Companions are files that came with the document, named as Rel is
	// (put-17.xml.note.txt), upper and lower case alike. Those that are still
	// there are moved to stand beside it; left behind in the folder they would
	// one day travel with another document of that name.
	Companions []string
}

// Left says why the original was not what was moved.
type Left string

// The values of Placed.SourceLeft.
const (
	LeftGone       Left = "gone"       // it is not in the folder any more
	LeftChanged    Left = "changed"    // other bytes now: a new document, still in the folder
	LeftUnreadable Left = "unreadable" // still in the folder; no permission to read it
)

// leftOtherVolume is for while it is being filed: it can't be renamed, but copied.
const leftOtherVolume Left = "other volume"

// Placed says where a document ended up. When a call found that an earlier one
// had finished, only Path and Beside are known.
type Placed struct {
	Path      string // of the document
	Beside    string // of its receipt or reason
	FromSpool bool   // it is the spool copy, not the original file itself
	// SourceLeft is empty if the original was moved, or was copied to another volume and removed.
	SourceLeft Left
	// PutBack is where a changed original went that was found out only after it
	// was taken: its old path, or beside it if that was taken meanwhile.
	PutBack string
	// CompanionsLeft could not be moved, since they are on another volume.
	CompanionsLeft []string
}

// Done files a delivered document in done/<local date of at>/, with its
// receipt. The archive fills in the receipt's id, size and sha256, and file,
// folder and times.filed where they are empty.
//
// After an error call it again until there is none, with the same at (the
// moment of the outcome, not of the call): it names the dated folder in which
// an earlier call may have got half-way. Errors are *[Error], or the cause of ctx.
// ctx counts until the document is taken from its place; after that the call
// goes on to its end, which is short.
func (a *Archive) Done(ctx context.Context, d Document, r Receipt, at time.Time) (Placed, error) {
	if err := d.check(); err != nil {
		return Placed{}, err
	}
	r.ID, r.SHA256, r.Size = d.ID, d.SHA256, d.Size
	if r.File == "" {
		r.File = d.Rel
	}
	if r.Folder == "" {
		r.Folder = a.opt.Name
	}
	if r.Times.Filed.IsZero() {
		r.Times.Filed = time.Now()
	}
	text, err := r.Encode()
	if err != nil {
		return Placed{}, fmt.Errorf("write the receipt of %q: %w", d.Rel, err)
	}
	f := a.filing(d, filepath.Join(a.opt.DoneDir, at.In(a.zone).Format(time.DateOnly)))
	f.suffix, f.text, f.owned = receiptSuffix, text, receiptOf
	f.companions = d.Companions
	return f.run(ctx)
}

// Fail files a document that a person must change or decide about in failed/,
// with the reason. The archive fills in the reason's id and sha256, and file,
// folder and when (which is at) where they are empty. Repeating and errors are
// as for [Archive.Done].
func (a *Archive) Fail(ctx context.Context, d Document, r Reason, at time.Time) (Placed, error) {
	if err := d.check(); err != nil {
		return Placed{}, err
	}
	r.ID, r.SHA256 = d.ID, d.SHA256
	if r.File == "" {
		r.File = d.Rel
	}
	if r.Folder == "" {
		r.Folder = a.opt.Name
	}
	if r.When.IsZero() {
		r.When = at
	}
	f := a.filing(d, a.opt.FailedDir)
	f.suffix, f.text, f.owned = reasonSuffix, []byte(r.Text(a.opt.Language, a.zone)), reasonOf
	f.companions = d.Companions
	return f.run(ctx)
}

var goodID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
var goodSHA = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check refuses what could write outside the folder. The caller has made these
// values itself, so a fault here is a programming error, not a person's.
func (d *Document) check() error {
	switch {
	case !goodID.MatchString(d.ID):
		return fmt.Errorf("file document %q: its id is not 1 to 64 letters and digits", d.ID)
	case !goodSHA.MatchString(d.SHA256):
		return fmt.Errorf("file document %s: %q is not a SHA-256 in lower-case hex", d.ID, d.SHA256)
	case d.Spool == nil:
		return fmt.Errorf("file document %s: it has no spool copy", d.ID)
	}
	for _, rel := range append([]string{d.Rel}, d.Companions...) {
		if !localPath(rel) {
			return fmt.Errorf("file document %s: %q is not a path below the folder", d.ID, rel)
		}
	}
	for _, rel := range d.Companions {
		if path.Dir(rel) != path.Dir(d.Rel) || len(rel) <= len(d.Rel) || !strings.EqualFold(rel[:len(d.Rel)], d.Rel) {
			return fmt.Errorf("file document %s: %q is not named after %q", d.ID, rel, d.Rel)
		}
	}
	return nil
}

// localPath reports whether rel names a file below the folder, without "..".
func localPath(rel string) bool {
	return rel != "" && rel == path.Clean(rel) && rel != "." &&
		!strings.ContainsRune(rel, 0) && filepath.IsLocal(filepath.FromSlash(rel))
}

// reachable fails unless the watched folder itself is there.
func (a *Archive) reachable() error {
	look := a.opt.Path
	if a.opt.Marker != "" {
		look = filepath.Join(look, a.opt.Marker)
	}
	_, err := os.Stat(look)
	if err != nil {
		e := a.fault("find the folder", a.opt.Path, err)
		e.Kind, e.Hint = Gone, a.hint(Gone)
		return e
	}
	return nil
}

// crash is where a test stops the program.
func (a *Archive) crash(point string) {
	if a.opt.Crash != nil {
		a.opt.Crash(point)
	}
}
