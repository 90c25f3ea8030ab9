package doctor

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brodaemon/internal/watch"
)

const (
	// probePrefix begins the names of doctor's own files: no watcher ever takes a
	// name that begins with .brodaemon-
	probePrefix = ".brodaemon-doctor-"
	probeText   = "brodaemon doctor wrote this to see whether it can; it may be removed\n"
	// oldProbe is how old what a killed doctor left is before the next one removes it.
	oldProbe = time.Hour
	batch    = 500
)

func probeName() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return probePrefix + hex.EncodeToString(b[:])
}

// probe is doctor's own file in a folder, and everywhere it has been.
type probe struct {
	at      string   // where it is, "" once it is removed
	folders []string // made for it, outermost first
}

// clean removes whatever is left, however the checks ended.
func (p *probe) clean() {
	if p.at != "" {
		_ = os.Remove(p.at) // what can't be removed was reported, and the next doctor tries again
	}
	for _, dir := range slices.Backward(p.folders) {
		_ = os.Remove(dir)
	}
}

// checkFolder does in a folder what the daemon will do there, with a file of its own.
func (c *checker) checkFolder(t *track, f Folder) {
	if !c.checkRead(t, f) {
		c.checkDaemonsWord(t, f)
		return
	}
	c.checkMarker(t, f)
	c.checkDaemonsWord(t, f)
	p := &probe{}
	defer p.clean()
	if c.checkCreate(t, f, p) {
		c.checkUse(t, f, p)
	}
	c.checkEvents(t, f)
}

// checkRead lists the folder, and clears away what a killed doctor left in it.
func (c *checker) checkRead(t *track, f Folder) bool {
	t.begin("folder.read")
	n, err := readAll(t, "folder.read", f.Path)
	if err != nil {
		t.wrong("folder.read", "cause."+causeOf(err), causeOf(err)+".fix", f.Path, plain(err))
		return false
	}
	remote, err := watch.RemoteFileSystem(f.Path)
	switch {
	case err != nil:
		t.wrong("folder.read", "cause."+causeOf(err), causeOf(err)+".fix", f.Path, plain(err))
		return false
	case strings.HasPrefix(f.Path, `\\`):
		t.ok("folder.read", "read.share", n)
	case remote != "":
		t.ok("folder.read", "read.remote", n, remote)
	default:
		t.ok("folder.read", "read.local", n)
	}
	return true
}

// readAll counts what lies in a directory; what a killed doctor left there goes.
func readAll(t *track, check, path string) (n int, err error) {
	dir, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if info, err := dir.Stat(); err != nil {
		return 0, err
	} else if !info.IsDir() {
		return 0, errNoFolder
	}
	for !t.over() {
		names, err := dir.Readdirnames(batch)
		for _, name := range names {
			n++
			if strings.HasPrefix(name, probePrefix) {
				removeOld(filepath.Join(path, name))
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		t.begin(check) // it moves on
	}
	return n, os.ErrDeadlineExceeded
}

var errNoFolder = errors.New("it is not a folder")

// removeOld removes a probe, a file or a folder with such a file in it, that
// nobody can be using any more. What can't be removed has another day.
func removeOld(path string) {
	info, err := os.Lstat(path)
	if err != nil || time.Since(info.ModTime()) < oldProbe {
		return
	}
	if info.IsDir() {
		inside, _ := filepath.Glob(filepath.Join(path, probePrefix+"*")) // the pattern is sound
		for _, name := range inside {
			_ = os.Remove(name)
		}
	}
	_ = os.Remove(path)
}

// causeOf sorts an error of the file system into what can be done about it.
func causeOf(err error) string {
	if errors.Is(err, errNoFolder) {
		return string(watch.CauseNotAFolder)
	}
	switch cause, _ := watch.Explain(err); cause {
	case watch.CauseMissing, watch.CauseNotAFolder, watch.CauseNoPermission, watch.CauseUnreachable, watch.CauseSignOn:
		return string(cause)
	default:
		return string(watch.CauseTrouble)
	}
}

// checkMarker compares the marker with what the queue remembers.
func (c *checker) checkMarker(t *track, f Folder) {
	t.begin("folder.marker")
	name, id, err := watch.ReadMarker(f.Path)
	queue := c.remembered()
	memory, known := queue.folders[f.Name]
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case missing && known:
		t.wrong("folder.marker", "marker.missing", "marker.missing.fix", f.Name)
	case missing && queue.read:
		t.ok("folder.marker", "marker.new")
	case missing:
		t.note("folder.marker", "marker.absent", "marker.missing.fix", f.Name)
	case err != nil:
		t.wrong("folder.marker", "marker.damaged", "marker.other.fix", f.Name, plain(err))
	case known && id != memory.Marker, !known && queue.read:
		t.wrong("folder.marker", "marker.other", "marker.other.fix", f.Name, line(name))
	case name != f.Name:
		t.wrong("folder.marker", "marker.other", "marker.other.fix", f.Name, line(name))
	default:
		t.ok("folder.marker", "marker.good")
	}
}

// checkDaemonsWord tells what the running daemon makes of the folder, which it
// may see with another account's eyes.
func (c *checker) checkDaemonsWord(t *track, f Folder) {
	if !c.daemon.running {
		return
	}
	for _, said := range c.daemon.status.Folders {
		switch {
		case said.Name != f.Name:
			continue
		case said.Path != f.Path:
			t.note("folder.daemon", "word.other-path", "word.stale.fix", line(said.Path))
		case said.Online:
			t.ok("folder.daemon", "word.online")
		case said.Reason == "":
			t.ok("folder.daemon", "word.starting") // it has not looked yet
		default:
			t.wrong("folder.daemon", "word.offline", "word.offline.fix", line(said.Reason))
		}
		return
	}
	t.note("folder.daemon", "word.unknown", "word.stale.fix")
}

// checkCreate writes the probe, and takes the file server's time from it.
func (c *checker) checkCreate(t *track, f Folder, p *probe) bool {
	t.begin("folder.create")
	if t.over() {
		return false
	}
	path := filepath.Join(f.Path, probeName())
	before := time.Now()
	p.at = path
	info, err := writeProbe(path)
	after := time.Now()
	if err != nil {
		t.wrong("folder.create", "create.failed", "rights.fix", plain(err))
		return false
	}
	t.ok("folder.create", "create.good")
	// two seconds are what some file servers round to
	skew := skewOf(info.ModTime(), before.Add(-2*time.Second), after.Add(2*time.Second))
	if skew.Abs() > skewTolerance {
		t.wrong("folder.clock", "clock.folder-off", "clock.off.fix", skew.Abs().Round(time.Second), c.lang.direction(skew))
	} else {
		t.ok("folder.clock", "clock.good", skew.Abs().Round(time.Second))
	}
	return true
}

func writeProbe(path string) (fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(file, probeText)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return os.Stat(path)
}

// checkUse does with the probe what is done with a document: it is opened alone,
// renamed, moved to done/ and failed/, and removed.
func (c *checker) checkUse(t *track, f Folder, p *probe) {
	t.begin("folder.open")
	if err := watch.TryAlone(p.at); err != nil {
		t.wrong("folder.open", "open.failed", "open.failed.fix", plain(err))
	} else {
		t.ok("folder.open", "open.good")
	}
	t.begin("folder.rename")
	if err := p.move(filepath.Join(f.Path, probeName())); err != nil {
		t.wrong("folder.rename", "rename.failed", "rights.fix", plain(err))
	} else {
		t.ok("folder.rename", "rename.good")
	}
	for _, place := range []struct{ check, dir string }{{"folder.done", f.DoneDir}, {"folder.failed", f.FailedDir}} {
		t.begin(place.check)
		if t.over() {
			return
		}
		c.checkPlace(t, place.check, place.dir, p)
	}
	t.begin("folder.delete")
	err := os.Remove(p.at)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		p.at = ""
		t.ok("folder.delete", "delete.good")
		return
	}
	t.wrong("folder.delete", "probe.left", "probe.left.fix", p.at, plain(err))
}

func (p *probe) move(to string) error {
	if err := os.Rename(p.at, to); err != nil {
		return err
	}
	p.at = to
	return nil
}

// checkPlace moves the probe into done/ or failed/. Where that is not there yet,
// a folder of doctor's own stands in for it.
func (c *checker) checkPlace(t *track, check, dir string, p *probe) {
	target, made := dir, false
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		err = errNoFolder
	case err == nil:
		_, err = readAll(t, check, dir)
	case errors.Is(err, fs.ErrNotExist):
		target, made = filepath.Join(nearestFolder(dir), probeName()), true
		if err = os.Mkdir(target, 0o700); err == nil {
			p.folders = append(p.folders, target)
		}
	}
	if err != nil {
		t.wrong(check, "place.unusable", "rights.fix", dir, plain(err))
		return
	}
	switch err := p.move(filepath.Join(target, probeName())); {
	case isOtherVolume(err):
		t.wrong(check, "place.other-volume", "place.other-volume.fix", dir)
	case err != nil:
		t.wrong(check, "place.unusable", "rights.fix", dir, plain(err))
	case made:
		t.ok(check, "place.will-be-made", dir)
	default:
		t.ok(check, "place.good", dir)
	}
}

// checkEvents says whether changes are told of or have to be looked for. Both
// are fine; it explains how soon a file is seen.
func (c *checker) checkEvents(t *track, f Folder) {
	t.begin("folder.events")
	if f.Poll {
		t.ok("folder.events", "events.set-to-poll")
		return
	}
	if remote, err := watch.RemoteFileSystem(f.Path); err == nil && remote != "" {
		t.ok("folder.events", "events.remote", remote)
		return
	}
	if err := watch.TryEvents(f.Path); err != nil {
		t.note("folder.events", "events.none", "events.none.fix", plain(err))
		return
	}
	t.ok("folder.events", "events.good")
}
