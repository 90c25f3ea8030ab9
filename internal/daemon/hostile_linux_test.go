package daemon_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"brodaemon/internal/sandbox"
)

// TestHostileInput puts everything into the folder that should never lie there,
// and looks at the real program from outside: what is in order is delivered,
// what is not has a clear reason, no memory runs away, and no name does harm
// where it is shown.
func TestHostileInput(t *testing.T) {
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{}
	s := newProgramSite(t, sandbox.New(o), sandbox.DefaultSecret)
	inbox := filepath.Join(s.dir, "inbox")
	put := func(name string, data []byte) { write(t, filepath.Join(inbox, name), data, 0o644) }

	bomb := `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><r>&c;</r>`
	start, end := `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1"><sourceDocument>`, `</sourceDocument></registrationRequest>`
	rejected := map[string]string{ // file → part of its reason's code
		"bomb.xml": "doctype", "external.xml": "doctype", "undeclared.xml": "not-well-formed",
		"deep.xml": "too-deep", "wide.xml": "tag-too-large", "longname.xml": "", "longattributes.xml": "",
	}
	put("bomb.xml", []byte(bomb))
	put("external.xml", []byte(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>`))
	put("undeclared.xml", []byte(start+"<a>&x;</a>"+end))
	put("deep.xml", []byte(start+strings.Repeat("<a>", 2_000_000)))
	put("wide.xml", append([]byte(start+"<a"), append(attributes(3_000_000), "/>"+end...)...))
	put("longname.xml", []byte(start+"<"+strings.Repeat("n", 20<<20)+"/>"+end))
	put("longattributes.xml", []byte(start+`<a b="`+strings.Repeat("v", 20<<20)+`"/>`+end))

	names := []string{
		"x..%2f..%2fetc%2fpasswd.xml", "C:\\windows\\..\\x.xml", "quote\"and'.xml", "line\nbreak.xml", "\x1b[31mred\x1b]0;title\a.xml",
		"<script>alert(1)<!--.xml", "{{.Secret}}.xml", "$(reboot).xml", "right\u202eleft.xml", "-rf.xml", "blank .xml",
	}
	for i, name := range names {
		put(name, request("GMW", "", fmt.Sprint("put ", i)))
	}
	put("bad\x1b[2J.xml", []byte("no xml"))

	// never taken
	outside := filepath.Join(s.dir, "outside.xml")
	write(t, outside, request("GMW", "", "outside"), 0o644)
	for name, target := range map[string]string{"link.xml": outside, "dangling.xml": "/nowhere", "loop.xml": "loop.xml", "zero.xml": "/dev/zero"} {
		if err := os.Symlink(target, filepath.Join(inbox, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(inbox, "pipe.xml"), 0o644); err != nil {
		t.Fatal(err)
	}
	// a socket's address is short, so it is made by a short name and then moved
	short, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	l, err := net.Listen("unix", filepath.Join(short, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Rename(filepath.Join(short, "s"), filepath.Join(inbox, "socket.xml")); err != nil {
		t.Logf("no socket could be put there: %v", err)
	}
	if err := syscall.Mknod(filepath.Join(inbox, "device.xml"), syscall.S_IFCHR|0o644, 1<<8|5); err != nil {
		t.Logf("no device could be put there (it takes root): %v", err)
	}
	if err := os.Mkdir(filepath.Join(inbox, "folder.xml"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, begins := range map[string]string{"sparse.xml": "", "image.xml": "MZ\x90 not xml"} {
		f, err := os.Create(filepath.Join(inbox, name))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(f, begins)
		if err := f.Truncate(5 << 30); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}

	began := time.Now()
	s.start(t)
	s.until(t, "everything has its outcome", func() bool {
		lying := 0
		for _, name := range append(names, "bad\x1b[2J.xml") {
			if _, err := os.Lstat(filepath.Join(inbox, name)); err == nil {
				lying++
			}
		}
		for name := range rejected {
			if _, err := os.Lstat(filepath.Join(inbox, name)); err == nil {
				lying++
			}
		}
		status := s.get(t, "/api/v1/status", "")
		return lying == 0 && strings.Contains(status, "sparse.xml") && strings.Contains(status, "image.xml")
	})
	t.Logf("it took %s", time.Since(began).Round(time.Millisecond))
	if kB := s.peakMemory(t); kB > 150<<10 {
		t.Errorf("the program took %d MB of memory", kB>>10)
	} else {
		t.Logf("%d MB of memory at most", kB>>10)
	}
	if n := s.dataSize(t); n > 64<<20 {
		t.Errorf("the data folder takes %d MB", n>>20)
	}
	s.checkRejected(t, rejected)
	for _, name := range []string{"link.xml", "dangling.xml", "pipe.xml", "folder.xml", "sparse.xml", "image.xml"} {
		if _, err := os.Lstat(filepath.Join(inbox, name)); err != nil {
			t.Errorf("%s was taken: %v", name, err)
		}
	}
	s.look(t)
	page := s.get(t, "/", "")
	for _, harm := range []string{"<script>alert", "\x1b", "\u202e"} {
		if strings.Contains(page, harm) {
			t.Errorf("the page holds %q", harm)
		}
	}
	for _, args := range [][]string{{"status"}, {"queue", "list"}, {"queue", "show", "12"}, {"queue", "show", "14"}} {
		harmless(t, strings.Join(args, " "), s.program(t, args...))
	}
	s.mu.Lock()
	log := s.logged.String()
	s.mu.Unlock()
	harmless(t, "the log", log)
	reasons, _ := filepath.Glob(filepath.Join(inbox, "failed", "*.reason.txt"))
	for _, path := range reasons {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, "a reason", strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n"))
	}
	if len(reasons) != len(rejected)+1 {
		t.Errorf("%d reasons", len(reasons))
	}
}

// harmless fails where a text would do something to a terminal.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u202e') {
			t.Errorf("%s holds %q: …%q", what, r, text[max(0, i-60):min(len(text), i+20)])
			return
		}
	}
}

// attributes are n bytes of attributes that never recur.
func attributes(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, " a%d='%d'", i, i)
	}
	return b
}

// checkRejected holds each file's code against what is wrong with it.
func (s *programSite) checkRejected(t *testing.T, rejected map[string]string) {
	t.Helper()
	var items []struct {
		File, State string
		LastError   string `json:"last_error"`
	}
	if err := json.Unmarshal([]byte(s.program(t, "queue", "list", "--json")), &items); err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		code, wrong := rejected[it.File]
		switch {
		case wrong && (it.State != "rejected" || !strings.Contains(it.LastError, code)):
			t.Errorf("%s is %s because of %q, want %s", it.File, it.State, it.LastError, code)
		case !wrong && it.State != "delivered" && !strings.HasPrefix(it.File, "bad"):
			t.Errorf("%q is %s: %s", it.File, it.State, it.LastError)
		}
	}
}

// peakMemory is the most memory that the daemon ever took, in kB.
func (s *programSite) peakMemory(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("VmHWM:"))
	fields := strings.Fields(string(rest))
	kB, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kB
}

// dataSize is what the data folder holds, in bytes.
func (s *programSite) dataSize(t *testing.T) (n int64) {
	t.Helper()
	_ = filepath.WalkDir(filepath.Join(s.dir, "data"), func(_ string, e os.DirEntry, err error) error {
		if info, infoErr := e.Info(); err == nil && infoErr == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
