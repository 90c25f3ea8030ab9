package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brodaemon/internal/secret"
)

// screen is a terminal, and all that was shown on it.
type screen struct {
	master *os.File
	mu     sync.Mutex
	shown  bytes.Buffer
	ended  chan struct{} // closed when nobody has the terminal any more
}

// openScreen gives the terminal and the file that a program has for it.
func openScreen(t *testing.T) (*screen, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no terminals here: %v", err)
	}
	s := &screen{master: master, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s, slave
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// until waits for a state of the terminal, and maybe of what is shown.
func (s *screen) until(t *testing.T, what string, so func(*unix.Termios) bool) {
	t.Helper()
	for deadline := time.Now().Add(scriptPatience); ; time.Sleep(5 * time.Millisecond) {
		state, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if so(state) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still waiting for %q; shown was:\n%s", what, s.text())
		}
	}
}

// answer types once the prompt is shown and, where the answer is hidden, the echo off.
func (s *screen) answer(t *testing.T, prompt, typed string, hidden bool) {
	t.Helper()
	s.until(t, prompt, func(state *unix.Termios) bool {
		return (!hidden || state.Lflag&unix.ECHO == 0) && strings.Contains(s.text(), prompt)
	})
	if _, err := io.WriteString(s.master, typed); err != nil {
		t.Fatal(err)
	}
}

// office is a configuration with one token and no secret.
func office(t *testing.T) (config string, store secret.Store) {
	t.Helper()
	dir := t.TempDir()
	config = filepath.Join(dir, "config.yaml")
	err := errors.Join(os.Mkdir(filepath.Join(dir, "data"), 0o700), os.WriteFile(config, []byte(`data_dir: data
language: en
portal: { url: "http://127.0.0.1:1" }
tokens: [{ name: office, username: "a|b|c" }]
folders: [{ name: f, path: f, project: "1", token: office }]
`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return config, secret.StoreIn(filepath.Join(dir, "data"))
}

// onScreen runs the program on a terminal; act types. It gives what was shown
// there, what was printed beside it, and the exit code.
func onScreen(t *testing.T, act func(s *screen), args ...string) (shown, out string, code int) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// testscript knows the program by its name
	link := filepath.Join(t.TempDir(), "brodaemon")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	s, slave := openScreen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*scriptPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, link, args...)
	var stdout bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, &stdout, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	act(s)
	err = cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	<-s.ended
	return s.text(), stdout.String(), cmd.ProcessState.ExitCode()
}

const typed = "hush-hush-5a4d"

func TestTokenSetOnATerminal(t *testing.T) {
	config, store := office(t)
	shown, out, code := onScreen(t, func(s *screen) {
		s.answer(t, "Secret of token office", typed+"\n", true)
		s.answer(t, "once more", typed+"\n", true)
	}, "--config", config, "token", "set", "office")
	if code != exitOK || !strings.Contains(out, "is stored") {
		t.Errorf("exit code %d, printed %q, shown %q", code, out, shown)
	}
	if strings.Contains(shown+out, "hush") {
		t.Errorf("the secret is shown: %q %q", shown, out)
	}
	if got, err := store.Get("office"); err != nil || got.Reveal() != typed {
		t.Errorf("stored: %q, %v", got.Reveal(), err)
	}
}

func TestTokenSetIsNotSure(t *testing.T) {
	cases := []struct {
		name string
		act  func(s *screen)
		said string
	}{
		{"another the second time", func(s *screen) {
			s.answer(t, "Secret of token office", typed+"\n", true)
			s.answer(t, "once more", typed+"x\n", true)
		}, "not the same; nothing was stored"},
		{"nothing", func(s *screen) { s.answer(t, "Secret of token office", "\n", true) }, "is empty"},
		{"Ctrl-C", func(s *screen) {
			s.answer(t, "Secret of token office", typed[:4]+"\x03", true)
			// the echo is put back, or the person's shell would not show what is typed next
			s.until(t, "the echo is on", func(state *unix.Termios) bool { return state.Lflag&unix.ECHO != 0 })
		}, "nothing was stored"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config, store := office(t)
			shown, out, code := onScreen(t, c.act, "--config", config, "token", "set", "office")
			if code != exitNotSo {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(shown, c.said) || strings.Contains(shown+out, "hush") {
				t.Errorf("shown %q, printed %q; want %q and no secret", shown, out, c.said)
			}
			if names, err := store.Names(); err != nil || len(names) != 0 {
				t.Errorf("stored: %v, %v", names, err)
			}
		})
	}
}

func TestTokenRemoveAsksFirst(t *testing.T) {
	for answer, removed := range map[string]bool{"n\n": false, "\n": false, "\x04": false, "y\n": true, "ja\n": true} {
		config, store := office(t)
		if err := store.Set("office", secret.New(typed)); err != nil {
			t.Fatal(err)
		}
		shown, out, code := onScreen(t, func(s *screen) {
			s.answer(t, "Remove the secret of token office? Folders that use it: f.", answer, false)
		}, "--config", config, "token", "remove", "office")
		names, err := store.Names()
		if err != nil || (len(names) == 0) != removed || (code == exitOK) != removed {
			t.Errorf("%q: exit code %d, left %v, %v; shown %q, printed %q", answer, code, names, err, shown, out)
		}
	}
}
