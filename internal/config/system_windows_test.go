package config

import (
	"strings"
	"testing"
)

func TestCheckDataDir(t *testing.T) {
	if err := CheckDataDir(t.TempDir()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{`\\server\share\data`, `\\?\UNC\server\share\data`} {
		if err := CheckDataDir(path); err == nil || !strings.Contains(err.Error(), "network drive") {
			t.Errorf("%s: %v, want a refusal", path, err)
		}
	}
	if err := CheckDataDir(`\\?\C:\data`); err != nil {
		t.Errorf("a local path in its long form: %v", err)
	}
}

func TestDriveTarget(t *testing.T) {
	for _, path := range []string{`C:\`, `\\server\share\map`, `Q:\no\such\drive`} {
		if unc, mapped := driveTarget(path); mapped {
			t.Errorf("%s passes for a mapped drive of %q", path, unc)
		}
	}
	if share, err := connection("C:"); err == nil {
		t.Errorf("C: is said to be mapped to %q", share)
	}
}

func TestPathsIgnoreCase(t *testing.T) {
	faults := faultsOf(t, base+"  - { name: b, path: IN, project: 1, token: office }\n")
	if len(faults) != 1 || faults[0].Field != "folders[1].path" {
		t.Errorf("got %v, want one fault of the same folder", faults)
	}
}
