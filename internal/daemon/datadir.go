package daemon

import (
	"os"
	"path/filepath"
	"slices"

	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
)

// ourNames may stand in the data folder without the queue.
var ourNames = []string{queue.SpoolName, queue.LedgerName, "logs", secret.StoreFolder, "crash.log"}

// holdsForeign reports whether the folder holds something that is not
// brodaemon's and no queue which would tell that the folder is.
func holdsForeign(dir string, entries []os.DirEntry) bool {
	foreign := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !slices.Contains(ourNames, e.Name()) })
	_, err := os.Lstat(filepath.Join(dir, queue.FileName))
	return foreign && err != nil
}
