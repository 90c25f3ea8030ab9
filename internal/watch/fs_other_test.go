//go:build !linux

package watch

// declareRemote cannot: file systems are not told apart here.
func declareRemote(string) (restore func(), ok bool) { return nil, false }
