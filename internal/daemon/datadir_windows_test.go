package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"brodaemon/internal/account"
	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
)

// open lets everybody read a folder and what is made in it.
func open(t *testing.T, path string) {
	t.Helper()
	sd, err := windows.SecurityDescriptorFromString("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)(A;OICI;0x1200a9;;;WD)")
	if err != nil {
		t.Fatal(err)
	}
	if err := account.Protect(path, sd); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if who, err := secret.OpenTo(path); err != nil || who == "" {
		t.Skipf("SKIPPED: this system keeps no access lists (%q, %v)", who, err)
	}
}

func TestDataDirIsClosed(t *testing.T) {
	for _, c := range []struct {
		name, holds string
		opens       []string // folders, "" is the data folder
		told        string   // part of the line, or of the error
		fails       bool
	}{
		{"closed", "", nil, "", false},
		{"empty and open", "", []string{""}, "the data folder was open to", false},
		{"ours and open", queue.FileName, []string{""}, "the data folder was open to", false},
		{"tokens open", queue.FileName, []string{secret.StoreFolder}, "tokens was open to", false},
		{"somebody else's things in it", "thesis.doc", []string{""}, "icacls", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := account.MakeDataDir(dir); err != nil {
				t.Fatal(err)
			}
			if who, err := secret.OpenTo(dir); err != nil || who != "" {
				t.Skipf("SKIPPED: this system closes no folders (%q, %v)", who, err)
			}
			if c.holds != "" {
				if err := os.WriteFile(filepath.Join(dir, c.holds), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range c.opens {
				path := filepath.Join(dir, name)
				if err := account.MakeDataDir(path); err != nil {
					t.Fatal(err)
				}
				open(t, path)
			}
			fixed, err := closeDataDir(dir)
			if (err != nil) != c.fails {
				t.Fatalf("got %q, %v", fixed, err)
			}
			said := fixed
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, c.told) || c.told == "" && said != "" {
				t.Errorf("it says %q, want %q", said, c.told)
			}
			for _, name := range c.opens {
				if who, err := secret.OpenTo(filepath.Join(dir, name)); err != nil || (who != "") != c.fails {
					t.Errorf("%s is open to %q (%v) afterwards", filepath.Join(dir, name), who, err)
				}
			}
		})
	}
}
