//go:build unix

package secret

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFileOpenToOthersIsRefused(t *testing.T) {
	cases := []struct {
		mode os.FileMode
		ok   bool
	}{
		{0o600, true}, {0o400, true}, {0o700, true},
		{0o640, false}, {0o604, false}, {0o644, false}, {0o620, false}, {0o602, false}, {0o610, false}, {0o601, false},
	}
	for _, c := range cases {
		t.Run(c.mode.String(), func(t *testing.T) {
			path := write(t, t.TempDir(), "token.secret", text)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			got, err := ReadFile(path)
			if c.ok {
				if err != nil || got.Reveal() != text {
					t.Errorf("got %q, %v", got.Reveal(), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
				t.Errorf("got %v; want it refused with the remedy", err)
			}
			if !got.Empty() {
				t.Error("the refused secret was returned all the same")
			}
		})
	}
}

// systemd shows its own credentials with rights for the group.
func TestCredentialModeIsNotChecked(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "brodaemon.zwolle", text)
	if err := os.Chmod(path, 0o440); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil {
		t.Error("an ordinary file of mode 0440 was accepted")
	}
	t.Setenv(credentialsDirectory, dir)
	if got, ok, err := Credential("zwolle"); !ok || err != nil || got.Reveal() != text {
		t.Errorf("Credential: got %q, %v, %v", got.Reveal(), ok, err)
	}
	if got, err := ReadFile(path); err != nil || got.Reveal() != text {
		t.Errorf("ReadFile in the credentials directory: got %q, %v", got.Reveal(), err)
	}
}

func TestNamedPipeDoesNotHang(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "not an ordinary file") {
		t.Errorf("got %v", err)
	}
}
