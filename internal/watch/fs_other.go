//go:build !windows && !linux

package watch

import "os"

// remoteFileSystem cannot tell; the scans find everything anyway.
func remoteFileSystem(*os.Root) string { return "" }

// hasWriter cannot tell; that the file has settled must do.
func hasWriter(*os.File) bool { return false }

// eventLimit knows of none.
func eventLimit(error) string { return "" }
