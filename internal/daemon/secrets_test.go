package daemon_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// The token's secret, one that is refused, and the page's password. Their
// characters differ in every encoding.
const (
	rightSecret  = "Juist/geheim+met&rare=tekens%5a4d0b1c"
	wrongSecret  = "Fout/geheim+met&rare=tekens%6b5e1c2d"
	pagePassword = "Pagina/wachtwoord+met&tekens%7c6f2d"
)

// TestSecretsStayHidden lets the real program live through a faulty day with a
// portal that repeats the credentials it was sent wherever it can, and looks
// for them in every byte that was written anywhere.
func TestSecretsStayHidden(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc and sends signals")
	}
	o := sandbox.Default()
	o.Tokens[0].Secret = rightSecret
	o.Timeline = sandbox.Timeline{}
	s := newProgramSite(t, &betrayer{portal: sandbox.New(o)}, wrongSecret)
	s.program(t, "--help")
	s.start(t)
	for i, data := range [][]byte{
		request("GMW", "", "put 1"), request("GMW", "GMW000000100001", "a"), request("GMW", "", sandbox.MarkInvalid),
		request("GMW", "", sandbox.MarkRefused), []byte("no xml"), request("GMW", "", "put 2"),
	} {
		write(t, filepath.Join(s.dir, "inbox", fmt.Sprintf("%d.xml", i)), data, 0o644)
	}
	s.until(t, "the wrong secret is refused", func() bool { return strings.Contains(s.get(t, "/api/v1/status", ""), `"paused":true`) })
	s.look(t)
	write(t, filepath.Join(s.dir, "secret"), []byte(rightSecret+"\n"), 0o600)
	s.until(t, "every document has its outcome or is held", func() bool {
		list := s.program(t, "queue", "list", "--json")
		return strings.Count(list, `"id"`) >= 6 && strings.Count(list, `"filed":""`)+strings.Count(list, `"filed": ""`) <= strings.Count(list, `"hold": "uncertain"`)+strings.Count(list, `"hold":"uncertain"`)
	})
	s.look(t)
	for id := 1; id <= 6; id++ {
		s.program(t, "queue", "show", fmt.Sprint(id))
		s.program(t, "queue", "show", fmt.Sprint(id), "--json")
	}
	s.program(t, "validate", filepath.Join(s.dir, "config.yaml"))
	s.crash(t)
	s.program(t, "status")
	s.search(t)
}

// programSite is a folder, a portal, the real program, and everything that was said.
type programSite struct {
	dir, bin string
	page     string
	cmd      *exec.Cmd

	mu     sync.Mutex
	said   bytes.Buffer
	logged bytes.Buffer // the part of it that the daemon wrote
}

// Write takes down what was said.
func (s *programSite) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(p)
}

// daemonOutput takes down what the daemon writes.
type daemonOutput struct{ *programSite }

func (o daemonOutput) Write(p []byte) (int, error) {
	_, _ = o.programSite.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.logged.Write(p)
}

func newProgramSite(t *testing.T, handler http.Handler, secret string) *programSite {
	t.Helper()
	program := builtProgram(t)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s := &programSite{dir: t.TempDir(), bin: program}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.page = l.Addr().String()
	l.Close()
	if err := os.Mkdir(filepath.Join(s.dir, "inbox"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.dir, "secret"), []byte(secret+"\n"), 0o600)
	write(t, filepath.Join(s.dir, "password"), []byte(pagePassword+"\n"), 0o600)
	write(t, filepath.Join(s.dir, "config.yaml"), fmt.Appendf(nil, `data_dir: data
language: nl
portal: { url: "%s", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders: [{ name: f, path: inbox, project: "%d", token: t, settle: 20ms, scan_interval: 50ms, incomplete_timeout: 100ms }]
retry: { first: 20ms, max: 200ms }
follow: { first: 20ms, max: 100ms }
log: { level: debug }
status: { listen: "%s", password_file: password }
`, server.URL, sandbox.DefaultUsername, sandbox.DefaultProject, s.page), 0o600)
	return s
}

// betrayer repeats the credentials of a request in whatever way an answer can,
// in most of the answers, and passes the other requests on.
type betrayer struct {
	portal http.Handler
	mu     sync.Mutex
	n      int
}

func (b *betrayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.n++
	n := b.n
	b.mu.Unlock()
	header := r.Header.Get("Authorization")
	user, secret, _ := r.BasicAuth()
	told := fmt.Sprintf("%s %s:%s %s %s", header, user, secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)))
	submit := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/leveringen")
	w.Header().Set("X-Echo", header)
	switch {
	case n > 200: // it comes to its senses, so that the day ends
	case submit && n%3 != 0: // seldom: what is uncertain stays so
	case n%7 == 0:
		http.Error(w, told, http.StatusInternalServerError)
		return
	case n%7 == 1:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintf(w, `{"status":502,"message":%q,"errors":[%q]}`, told, secret)
		return
	case n%7 == 2:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><body>%s</body></html>", told)
		return
	case n%7 == 3:
		w.Header().Set("Location", "http://"+url.QueryEscape(user)+":"+url.QueryEscape(secret)+"@elders.invalid/"+url.PathEscape(secret)+"?h="+url.QueryEscape(header))
		w.WriteHeader(http.StatusFound)
		return
	}
	b.portal.ServeHTTP(w, r)
}

func (s *programSite) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.bin, "--config", filepath.Join(s.dir, "config.yaml"), "run")
	out := daemonOutput{s}
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	s.until(t, "the page answers", func() bool {
		resp, err := http.Get("http://" + s.page + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// look takes down every page, and what the system shows of the process.
func (s *programSite) look(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/", "/metrics", "/readyz", "/api/v1/status", "/api/v1/items", "/api/v1/items/1", "/items/1", "/signin"} {
		s.get(t, path, "")
		s.get(t, path, pagePassword)
		s.get(t, path, "a wrong one")
	}
	s.program(t, "status", "--json")
	s.program(t, "queue", "list")
	for _, name := range []string{"cmdline", "environ"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write(data)
	}
}

// get takes an answer down, headers included, and returns its body.
func (s *programSite) get(t *testing.T, path, password string) string {
	t.Helper()
	req, _ := http.NewRequest(http.MethodGet, "http://"+s.page+path, nil)
	if password != "" {
		req.SetBasicAuth("x", password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(s, resp.Header, string(body))
	return string(body)
}

// program runs a command of the program and takes down what it prints.
func (s *programSite) program(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	out, err := exec.CommandContext(ctx, s.bin, append([]string{"--config", filepath.Join(s.dir, "config.yaml")}, args...)...).CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%v: %v", args, err)
	}
	_, _ = s.Write(out) // some fail, which must not betray anything either
	return string(out)
}

// crash ends the daemon in the way that says most.
func (s *programSite) crash(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !bytes.Contains(s.said.Bytes(), []byte("goroutine ")) {
		t.Error("it told nothing of its goroutines")
	}
}

// search looks for every secret in every form, in all that was said and written.
func (s *programSite) search(t *testing.T) {
	t.Helper()
	found := map[string][]byte{"(what was said)": s.said.Bytes()}
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || e.Name() == "secret" || e.Name() == "password" {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 || len(found[filepath.Join(s.dir, "data", queue.FileName)]) == 0 {
		t.Errorf("only %d files were found", len(found))
	}
	if !bytes.Contains(s.said.Bytes(), []byte("REDACTED")) {
		t.Error("nothing was taken out anywhere: the portal did not betray anything")
	}
	for name, form := range secretForms() {
		for where, data := range found {
			if i := bytes.Index(data, []byte(form)); i >= 0 {
				t.Errorf("%s stands in %s: …%q…", name, where, data[max(0, i-80):min(len(data), i+len(form)+20)])
			}
		}
	}
	for _, name := range []string{"data", filepath.Join("data", "control.sock")} {
		if info, err := os.Lstat(filepath.Join(s.dir, name)); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", name, info.Mode())
		}
	}
}

// secretForms is every form of every secret, by name.
func secretForms() map[string]string {
	forms := map[string]string{}
	for name, secret := range map[string]string{"the secret": rightSecret, "the refused secret": wrongSecret, "the page's password": pagePassword} {
		forms[name] = secret
		forms[name+" in a query"] = url.QueryEscape(secret)
		forms[name+" in a path"] = url.PathEscape(secret)
		forms[name+" in hex"] = hex.EncodeToString([]byte(secret))
		forms[name+" in capital hex"] = strings.ToUpper(hex.EncodeToString([]byte(secret)))
		for before := range 3 { // wherever it stands in what was encoded
			for kind, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
				text := encoding.EncodeToString(append(make([]byte, before), secret...))
				// the characters that its own bytes alone decide
				forms[fmt.Sprintf("%s in %s after %d bytes", name, kind, before)] = text[(before*8+5)/6 : (before+len(secret))*8/6]
			}
		}
	}
	return forms
}

func (s *programSite) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("not in time: %s\n%s", what, s.said.Bytes()[max(0, s.said.Len()-4000):])
		}
		time.Sleep(50 * time.Millisecond) // polling a condition, with a deadline
	}
}
