//go:build unix && !linux

package archive

// renameNoReplace renames a file unless the new name is taken (fs.ErrExist). It
// returns errors.ErrUnsupported if the file system has no way to promise that.
func renameNoReplace(from, to string) error { return linkNoReplace(from, to) }
