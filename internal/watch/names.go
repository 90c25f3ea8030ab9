package watch

import (
	"path"
	"strings"
)

// Why is a fixed word for why an entry is never taken.
type Why string

// The reasons for never taking an entry.
const (
	WhyName      Why = "name"      // its name matches no pattern
	WhyTemporary Why = "temporary" // the name of a temporary or hidden file: its writer never finished it
	WhyLink      Why = "link"      // a symbolic link
	WhySpecial   Why = "special"   // a pipe, a device, a socket
	WhyFolder    Why = "folder"    // a sub-folder, where sub-folders are not looked into
	WhyDepth     Why = "depth"     // a sub-folder too deep down
	WhyOrphan    Why = "orphan"    // a companion file without its document
)

// String says it in plain English.
func (w Why) String() string {
	switch w {
	case WhyName:
		return "its name matches no pattern of this folder"
	case WhyTemporary:
		return "it has the name of a temporary or hidden file"
	case WhyLink:
		return "it is a link, and links are not followed"
	case WhySpecial:
		return "it is not an ordinary file"
	case WhyFolder:
		return "it is a sub-folder, and this folder is not watched with its sub-folders"
	case WhyDepth:
		return "it lies too many sub-folders deep"
	case WhyOrphan:
		return "it belongs to a document that is not here"
	default:
		return string(w)
	}
}

// nameKind is what a base name alone tells.
type nameKind uint8

const (
	documentName  nameKind = iota
	companionName          // travels with a document
	otherName              // matches no pattern
	temporaryName          // junk that somebody may miss one day
	systemName             // junk that nobody misses
	ourOwn                 // brodaemon's
)

// The names below are in lower case. Those of systemNames belong to file servers and operating systems and are never mentioned.
var (
	systemNames = set("thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", ".localized", ".directory", "lost+found",
		"@eadir", "@recycle", "@recently-snapshot", ".snapshot", ".snapshots", "#snapshot", "~snapshot", "#recycle", ".recycle",
		"$recycle.bin", "recycler", "system volume information", ".trash", ".trashes", ".spotlight-v100", ".fseventsd")
	systemPrefixes = []string{"._", ".nfs", ".fuse_hidden", ".smbdelete", ".trash-"}

	temporaryPrefixes = []string{"~", "."}
	temporarySuffixes = []string{"~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload",
		".swp", ".swo", ".swx", ".lnk"}

	ourPrefixes = []string{".brodaemon-"}
	ourSuffixes = []string{".reason.txt", ".receipt.json"}
)

func set(names ...string) map[string]struct{} {
	m := make(map[string]struct{}, len(names))
	for _, name := range names {
		m[name] = struct{}{}
	}
	return m
}

// WouldTake says whether a file of this base name is taken by a folder with these include patterns, and if not, why, in plain English.
func WouldTake(name string, include []string) (ok bool, why string) {
	switch classify(name, lowered(include)) {
	case documentName:
		return true, ""
	case companionName:
		return false, "it has the name of a companion file, which travels with its document"
	case otherName:
		return false, WhyName.String()
	case temporaryName:
		return false, WhyTemporary.String()
	case systemName:
		return false, "it has the name of a system file"
	default:
		return false, "it has the name of one of brodaemon's own files"
	}
}

// classify judges a base name; include is in lower case.
func classify(name string, include []string) nameKind {
	lower := strings.ToLower(name)
	_, isSystem := systemNames[lower]
	switch {
	case hasPrefix(lower, ourPrefixes) || hasSuffix(lower, ourSuffixes):
		return ourOwn
	case isSystem || hasPrefix(lower, systemPrefixes):
		return systemName
	case hasPrefix(lower, temporaryPrefixes) || hasSuffix(lower, temporarySuffixes):
		return temporaryName
	}
	if base, ok := companionOf(lower); ok && matches(base, include) {
		return companionName
	}
	if matches(lower, include) {
		return documentName
	}
	return otherName
}

// companionOf gives the name of the document that a companion file travels with: x.xml for x.xml.note.txt and x.xml.attach.pdf.
func companionOf(name string) (document string, ok bool) {
	lower := strings.ToLower(name)
	if len(lower) != len(name) {
		name = lower // a letter that changes its length; names are compared without case anyway
	}
	if strings.HasSuffix(lower, ".note.txt") {
		return name[:len(name)-len(".note.txt")], true
	}
	if i := strings.Index(lower, ".attach."); i > 0 {
		return name[:i], true
	}
	return "", false
}

func matches(lower string, include []string) bool {
	for _, pattern := range include {
		if ok, err := path.Match(pattern, lower); ok && err == nil {
			return true
		}
	}
	return false
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func hasSuffix(name string, suffixes []string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

// lowered gives the patterns in lower case.
func lowered(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = strings.ToLower(p)
	}
	return out
}
