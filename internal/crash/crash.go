// Package crash makes crashes of the program seen. A Windows service has no
// standard error, so the runtime's last words would be lost; and a program that
// is started again within seconds hides that it crashed.
//
// [Catch] has the runtime write them to crash.log in the data folder too. At
// the next start Catch keeps that file under a dated name
// (crash-2026-11-23T140503.log) and tells of it; [Recent] goes on telling for a
// while. The ten newest are kept. A person who has seen one moves it away.
//
// What it sees: panics, fatal errors of the runtime, and the signal with which
// systemd's watchdog ends a program that hangs. What it can't see: being killed
// outright (kill -9, out of memory, power), which leaves nothing behind.
package crash

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// FileName is where the runtime writes, in the data folder.
const FileName = "crash.log"

const (
	layout  = "2006-01-02T150405" // no colons: Windows
	keep    = 10
	maxText = 300
)

// Crash is one that happened.
type Crash struct {
	At   time.Time // when the file was written
	Text string    // the first line that says what it was
	File string    // the file that is kept, with its path
}

// Catch begins to catch crashes of this process in dataDir, which must exist,
// and returns the crash of the last run, nil if it had none. It is called once,
// before anything else that can fail. An error means that crashes are not
// caught or an old one could not be put away; the program can go on.
func Catch(dataDir string) (*Crash, error) {
	path := filepath.Join(dataDir, FileName)
	last, err := putAway(dataDir, path)
	f, openErr := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if openErr != nil {
		return last, errors.Join(err, fmt.Errorf("crashes will not be seen: %w", openErr))
	}
	defer f.Close() // the runtime keeps a handle of its own
	if catchErr := debug.SetCrashOutput(f, debug.CrashOptions{}); catchErr != nil {
		err = errors.Join(err, fmt.Errorf("crashes will not be seen: %w", catchErr))
	}
	return last, err
}

// putAway keeps what the last run left. Ended in the middle, it leaves crash.log
// as it was, or both; then the same crash is told of twice.
func putAway(dataDir, path string) (*Crash, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the crash of the last run: %w", err)
	}
	c := &Crash{At: info.ModTime(), Text: firstLine(path), File: path}
	kept := freeName(dataDir, info.ModTime())
	if err := move(path, kept); err != nil {
		return c, fmt.Errorf("put the crash of the last run away: %w", err)
	}
	c.File = kept
	return c, tidy(dataDir)
}

// freeName is a dated name that no file has.
func freeName(dataDir string, at time.Time) string {
	for n := 1; ; n++ {
		name := "crash-" + at.Local().Format(layout)
		if n > 1 {
			name += fmt.Sprintf(".%d", n)
		}
		path := filepath.Join(dataDir, name+".log")
		if _, err := os.Lstat(path); err != nil {
			return path
		}
	}
}

// move renames, or copies where a viewer on Windows keeps the file from being renamed.
func move(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		return nil
	}
	data, readErr := os.ReadFile(from)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	if writeErr := os.WriteFile(to, data, 0o600); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	return os.Truncate(from, 0)
}

// firstLine is what the runtime said it was. Of some fatal errors it writes only
// the stack here (the text goes to standard error alone): then the function that
// stopped says most.
func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	first, function := "", ""
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() {
		text := clip(strings.TrimSpace(lines.Text()))
		for _, begin := range []string{"panic:", "fatal error:", "SIG", "runtime:"} {
			if strings.HasPrefix(text, begin) {
				return text
			}
		}
		switch {
		case first == "":
			first = text
		case function == "" && strings.HasPrefix(first, "goroutine "):
			function = text
		}
	}
	switch {
	case function != "":
		return "fatal error in " + function
	case first == "":
		return "unknown"
	}
	return first
}

func clip(text string) string {
	if len(text) > maxText {
		return strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// names are the kept files, the oldest first.
func names(dataDir string) ([]string, error) {
	entries, err := os.ReadDir(dataDir)
	if err != nil {
		return nil, err
	}
	var all []string // sorted, as ReadDir is
	for _, e := range entries {
		if _, ok := date(e.Name()); ok && e.Type().IsRegular() {
			all = append(all, filepath.Join(dataDir, e.Name()))
		}
	}
	return all, nil
}

func date(path string) (time.Time, bool) {
	name, ok := strings.CutPrefix(filepath.Base(path), "crash-")
	if !ok || len(name) < len(layout) || !strings.HasSuffix(name, ".log") {
		return time.Time{}, false
	}
	at, err := time.ParseInLocation(layout, name[:len(layout)], time.Local)
	return at, err == nil
}

// tidy keeps the newest only.
func tidy(dataDir string) error {
	all, err := names(dataDir)
	for len(all) > keep {
		err = errors.Join(err, os.Remove(all[0]))
		all = all[1:]
	}
	return err
}

// Recent is the newest crash that is kept and not older than age, nil if there
// is none: none happened, or a person moved the file away. It costs little and
// may be asked often.
func Recent(dataDir string, age time.Duration) *Crash {
	all, err := names(dataDir)
	if err != nil || len(all) == 0 {
		return nil
	}
	path := all[len(all)-1]
	at, ok := date(path)
	if !ok || time.Since(at) > age {
		return nil
	}
	return &Crash{At: at, Text: firstLine(path), File: path}
}
