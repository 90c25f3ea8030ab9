package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// path makes a path absolute and plain. It must not be empty.
func (l *loader) path(field string, value *string) {
	if *value == "" {
		l.fault(field, "", "missing", "write the whole path of the folder")
		return
	}
	l.under(field, value, l.dir)
}

// optionalPath does the same for one that may be left out.
func (l *loader) optionalPath(field string, value *string) {
	if *value != "" {
		l.under(field, value, l.dir)
	}
}

// under resolves a path that counts from base.
func (l *loader) under(field string, value *string, base string) {
	if *value == "" {
		l.fault(field, "", "empty", "write a path, or leave the key out for its default")
		return
	}
	if problem, remedy := pathProblem(*value); problem != "" {
		l.fault(field, *value, problem, remedy)
		return
	}
	if !filepath.IsAbs(*value) {
		*value = filepath.Join(base, *value)
	}
	*value = filepath.Clean(*value)
}

var (
	driveLetter = regexp.MustCompile(`^[A-Za-z]:`)
	addressLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+://`)
	variable    = regexp.MustCompile(`%[A-Za-z_][A-Za-z0-9_()]*%`)
)

// commonPathProblem knows what is wrong with a path on any system.
func commonPathProblem(p string) (problem, remedy string) {
	switch {
	case strings.HasPrefix(p, "~"):
		return "~ does not stand for a home folder here", "write the whole path"
	case strings.Contains(p, "${"):
		return "variables are not filled in", "write the whole path"
	case addressLike.MatchString(p):
		return "this is an address, not a path", "write the path under which this machine sees it"
	}
	return "", ""
}

// unixPathProblem says why p cannot be meant as a path on Linux.
func unixPathProblem(p string) (problem, remedy string) {
	switch {
	case driveLetter.MatchString(p), strings.HasPrefix(p, `\\`), strings.HasPrefix(p, "//"):
		return "this is a Windows path", "mount the share on this machine and write the path of the mount, such as /srv/bro/zwolle"
	}
	return commonPathProblem(p)
}

// windowsPathProblem says why p cannot be meant as a path on Windows.
func windowsPathProblem(p string) (problem, remedy string) {
	slashed := strings.ReplaceAll(p, "/", `\`)
	drive := driveLetter.MatchString(p)
	_, afterShare, _ := strings.Cut(strings.TrimPrefix(slashed, `\\`), `\`)
	switch {
	case variable.MatchString(p):
		return "variables are not filled in", `write the whole path, such as C:\ProgramData\brodaemon\data`
	case drive && !strings.HasPrefix(slashed[2:], `\`):
		return "after the drive letter there is no backslash", `write it like D:\bro\zwolle`
	case strings.HasPrefix(slashed, `\\`) && strings.Trim(afterShare, `\`) == "":
		return "this names a server but no share", `write it like \\server\share\map`
	case strings.HasPrefix(slashed, `\`) && !strings.HasPrefix(slashed, `\\`):
		return "there is neither a drive nor a server in this path", `write it like D:\bro\zwolle or \\server\share\map`
	}
	return commonPathProblem(p)
}

// place is a directory that the configuration names, with the field that names it.
type place struct {
	field  string
	path   string
	folded string // path in the form that is compared
}

func newPlace(field, path string) place { return place{field, path, foldPath(path)} }

// neighbour is what a folder occupies in the file system.
type neighbour struct {
	at                 string // such as folders[1]
	path, done, failed place
	recursive          bool
}

// places checks that nothing that brodaemon writes can come back as an arrival,
// and that no document is seen in two folders.
func (l *loader) places() {
	neighbours := make([]neighbour, len(l.cfg.Folders))
	for i, f := range l.cfg.Folders {
		at := fmt.Sprintf("folders[%d]", i)
		n := neighbour{at, newPlace(at+".path", f.Path), newPlace(at+".done_dir", f.DoneDir), newPlace(at+".failed_dir", f.FailedDir), f.Recursive}
		neighbours[i] = n
		if l.faulted[n.path.field] {
			continue
		}
		l.ownPlaces(n)
		l.besideData(n)
		for _, earlier := range neighbours[:i] {
			if !l.faulted[earlier.path.field] && !l.faulted[n.path.field] {
				l.apart(n, earlier)
			}
		}
	}
}

// ownPlaces checks a folder's path, done_dir and failed_dir against each other.
func (l *loader) ownPlaces(n neighbour) {
	for _, dir := range []place{n.done, n.failed} {
		if l.faulted[dir.field] {
			continue
		}
		if within(dir, n.path) {
			l.fault(dir.field, dir.path, "this is the watched folder itself, or one that it lies in", "choose a folder inside path, such as done, or one elsewhere")
		} else if !sameVolume(dir.path, n.path.path) {
			l.fault(dir.field, dir.path, "this is on another drive or share than path", "choose a folder on the same drive or share; a file can be moved safely only there")
		}
	}
	if !l.faulted[n.done.field] && !l.faulted[n.failed.field] && overlap(n.done, n.failed) {
		l.fault(n.failed.field, n.failed.path, "done_dir is the same folder, or one lies in the other", "choose two folders side by side, such as done and failed")
	}
}

// besideData keeps documents and the data folder apart.
func (l *loader) besideData(n neighbour) {
	data := newPlace("data_dir", l.cfg.DataDir)
	for _, dir := range []place{n.path, n.done, n.failed} {
		if !l.faulted[data.field] && !l.faulted[dir.field] && overlap(data, dir) {
			l.fault(dir.field, dir.path, fmt.Sprintf("data_dir, %s, is the same folder, or one lies in the other", data.path), "keep the data folder apart from the documents")
			return
		}
	}
}

// apart checks that folder n and an earlier one do not see each other's files.
func (l *loader) apart(n, earlier neighbour) {
	around := within(earlier.path, n.path)
	inside := within(n.path, earlier.path)
	switch {
	case around && inside:
		l.fault(n.path.field, n.path.path, fmt.Sprintf("%s is the same folder", earlier.path.field), "watch a folder once; two would take each other's documents")
		return
	case around && earlier.recursive:
		l.fault(n.path.field, n.path.path, fmt.Sprintf("this lies in %s, which is watched with its subfolders", earlier.path.field), fmt.Sprintf("move one of the two, or set %s.recursive to false", earlier.at))
		return
	case inside && n.recursive:
		l.fault(n.path.field, n.path.path, fmt.Sprintf("%s lies in this folder, which is watched with its subfolders", earlier.path.field), fmt.Sprintf("move one of the two, or set %s.recursive to false", n.at))
		return
	}
	for _, dir := range []place{n.done, n.failed} {
		l.notWatchedBy(dir, earlier)
	}
	for _, dir := range []place{earlier.done, earlier.failed} {
		l.notWatchedBy(dir, n)
	}
	l.notMixed(n.done, earlier.failed)
	l.notMixed(n.failed, earlier.done)
}

// notWatchedBy checks that what is put away in dir is not taken as an arrival by n.
func (l *loader) notWatchedBy(dir place, n neighbour) {
	if l.faulted[dir.field] {
		return
	}
	below := within(n.path, dir)
	above := within(dir, n.path)
	switch {
	case below && above:
		l.fault(dir.field, dir.path, fmt.Sprintf("this is %s, so its documents would be taken again", n.path.field), "choose a folder that is not watched")
	case below && n.recursive:
		l.fault(dir.field, dir.path, fmt.Sprintf("this lies in %s, which is watched with its subfolders", n.path.field), "choose a folder that is not watched")
	case above:
		l.fault(dir.field, dir.path, fmt.Sprintf("%s lies in it", n.path.field), "choose a folder that is not watched, and has no watched one in it")
	}
}

// notMixed keeps one folder's done documents out of another's failed ones.
func (l *loader) notMixed(dir, other place) {
	if !l.faulted[dir.field] && !l.faulted[other.field] && overlap(dir, other) {
		l.fault(dir.field, dir.path, fmt.Sprintf("%s is the same folder, or one lies in the other", other.field), "keep done and failed documents apart")
	}
}

// overlap tells whether two directories are the same or one lies in the other.
func overlap(a, b place) bool { return within(a, b) || within(b, a) }

// within tells whether inner is outer or lies in it, by their names: links are not
// followed, because the folders may be out of reach now.
func within(outer, inner place) bool {
	if outer.folded == inner.folded || outer.folded == "" {
		return outer.folded != ""
	}
	rest, below := strings.CutPrefix(inner.folded, outer.folded)
	return below && (os.IsPathSeparator(rest[0]) || os.IsPathSeparator(outer.folded[len(outer.folded)-1]))
}

// sameVolume tells whether two paths are on the same drive or share, as far as
// their names show it. On Linux names do not show it.
func sameVolume(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(a), filepath.VolumeName(b))
}
