package control

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

const childVariable = "BRODAEMON_CONTROL_TEST_CHILD"

func child(string) int { return 2 } // no test here needs another process

func dataFolder(t *testing.T) string { return t.TempDir() }

// ready makes a listener fit for calls under Wine, which connects the first caller
// to the instance that only keeps the pipe's name and that nobody serves. A call of
// ours takes that place. Windows keeps it closed, and nothing is done there.
func ready(t *testing.T, dataDir string) (letGo func()) {
	t.Helper()
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() != nil {
		return func() {}
	}
	conn, err := Dial(context.Background(), dataDir)
	if err != nil {
		t.Fatal(err)
	}
	return func() { conn.Close() }
}

func TestPipeName(t *testing.T) {
	dir := dataFolder(t)
	name, err := pipeName(dir)
	if err != nil || !strings.HasPrefix(name, `\\.\pipe\brodaemon-`) || strings.Count(name, `\`) != 4 {
		t.Errorf("got %q, %v", name, err)
	}
	for _, same := range []string{strings.ToUpper(dir), dir + `\`, dir + `\x\..`} {
		if other, _ := pipeName(same); other != name {
			t.Errorf("%s has the pipe %s, %s has %s", dir, name, same, other)
		}
	}
	if other, _ := pipeName(dataFolder(t)); other == name {
		t.Error("two folders have one pipe")
	}
}

func TestAccessList(t *testing.T) {
	list, err := accessList()
	if err != nil || !strings.HasPrefix(list, "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;S-1-") || strings.Contains(list, "WD") {
		t.Errorf("got %q, %v", list, err)
	}
}
