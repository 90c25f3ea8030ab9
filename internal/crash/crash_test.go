package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const childDir, childJob = "BRODAEMON_TEST_CRASH_CATCH", "BRODAEMON_TEST_CRASH_JOB"

// The child catches crashes in a folder and then crashes, or not.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	last, err := Catch(dir)
	if err != nil {
		fmt.Println("error:", err)
	}
	if last != nil {
		fmt.Println("last:", last.Text)
	}
	switch os.Getenv(childJob) {
	case "panic":
		done := make(chan bool)
		go func() { // as it would be in the daemon: not on the main goroutine
			panicking(nil)
			done <- true
		}()
		<-done
	case "fatal":
		m := map[int]int{}
		for i := range 4 {
			go func() {
				for {
					m[i] = i
				}
			}()
		}
		select {}
	case "exit":
		os.Exit(70)
	}
	os.Exit(0)
}

// panicking writes to a map that may be nil.
func panicking(items map[string]int) { items["x"] = 1 }

func child(t *testing.T, dir, job string) (out string, failed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childJob+"="+job)
	data, err := cmd.Output()
	return string(data), err != nil
}

func TestCrashOfAChildIsSeenAtItsNextStart(t *testing.T) {
	for job, want := range map[string]string{"panic": "panic: assignment to entry in nil map", "fatal": "fatal error in internal/runtime/maps.fatal"} {
		t.Run(job, func(t *testing.T) {
			dir := t.TempDir()
			if out, failed := child(t, dir, job); !failed || out != "" {
				t.Fatalf("the first run: %q, failed %v", out, failed)
			}
			if out, failed := child(t, dir, ""); failed || !strings.HasPrefix(out, "last: "+want) {
				t.Fatalf("the second run: %q, failed %v", out, failed)
			}
			if out, failed := child(t, dir, ""); failed || out != "" {
				t.Errorf("the third run tells of it again: %q, failed %v", out, failed)
			}
			c := Recent(dir, time.Hour)
			if c == nil || !strings.HasPrefix(c.Text, want) {
				t.Fatalf("recent: %+v", c)
			}
			data, err := os.ReadFile(c.File)
			if err != nil || !strings.Contains(string(data), "goroutine ") {
				t.Errorf("the kept file has no stack: %q, %v", data, err)
			}
			if err := os.Remove(c.File); err != nil {
				t.Fatal(err)
			}
			if c := Recent(dir, time.Hour); c != nil {
				t.Errorf("told of after the file was moved away: %+v", c)
			}
		})
	}
}

func TestAnOrderlyEndIsNoCrash(t *testing.T) {
	dir := t.TempDir()
	for _, job := range []string{"", "exit", ""} {
		if out, _ := child(t, dir, job); out != "" {
			t.Errorf("%q: %q", job, out)
		}
	}
	if c := Recent(dir, time.Hour); c != nil {
		t.Errorf("recent: %+v", c)
	}
}

func TestTenAreKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.Local)
	for i := range 14 {
		if err := os.WriteFile(path, fmt.Appendf(nil, "junk\npanic: number %d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
		when := at.Add(time.Duration(i/2) * time.Hour) // two of one second each
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		c, err := putAway(dir, path)
		if err != nil || c == nil || c.Text != fmt.Sprintf("panic: number %d", i) {
			t.Fatalf("%d: %+v, %v", i, c, err)
		}
	}
	all, err := names(dir)
	if err != nil || len(all) != keep {
		t.Fatalf("%d are kept, %v: %v", len(all), err, all)
	}
	if name := filepath.Base(all[0]); name != "crash-2026-11-01T140000.2.log" && name != "crash-2026-11-01T140000.log" {
		t.Errorf("the oldest kept is %s", name)
	}
	if c := Recent(dir, time.Since(at)+time.Hour); c == nil || c.Text != "panic: number 13" && c.Text != "panic: number 12" {
		t.Errorf("recent: %+v", c)
	}
	if c := Recent(dir, time.Minute); c != nil {
		t.Errorf("an old crash is recent: %+v", c)
	}
}

func TestNoDataFolder(t *testing.T) {
	if _, err := Catch(filepath.Join(t.TempDir(), "absent")); err == nil || !strings.Contains(err.Error(), "crashes will not be seen") {
		t.Errorf("got %v", err)
	}
}
