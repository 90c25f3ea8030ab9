//go:build unix

package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brodaemon/internal/queue"
)

func TestDataDirIsClosed(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  os.FileMode
		holds string
		want  os.FileMode
		told  string // part of the line, or of the error
		fails bool
	}{
		{"closed", 0o700, "", 0o700, "", false},
		{"empty and readable", 0o755, "", 0o700, "is closed to them now", false},
		{"only logs and readable", 0o755, "logs", 0o700, "is closed to them now", false},
		{"the queue is lost, its ledger is there", 0o755, queue.LedgerName, 0o700, "is closed to them now", false},
		{"ours and readable", 0o750, queue.FileName, 0o700, "is closed to them now", false},
		{"somebody else's things in it", 0o755, "thesis.doc", 0o755, "chmod 700", true},
		{"others can write", 0o777, queue.FileName, 0o777, "see that nothing in it is foreign", true},
		{"its group can write", 0o770, "", 0o770, "can write", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.holds != "" {
				if err := os.WriteFile(filepath.Join(dir, c.holds), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, c.mode); err != nil {
				t.Fatal(err)
			}
			fixed, err := closeDataDir(dir)
			if (err != nil) != c.fails {
				t.Fatalf("got %v", err)
			}
			said := fixed
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, c.told) || c.told == "" && said != "" {
				t.Errorf("it says %q, want %q", said, c.told)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != c.want {
				t.Errorf("the mode is %v (%v), want %v", info.Mode().Perm(), err, c.want)
			}
		})
	}
}
