package daemon_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"brodaemon/internal/archive"
	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// This test runs its own binary as a daemon, ends that process without any
// clean-up at every named crash point, starts it again, and looks where each
// document is and how often the portal got it.

var crashRounds = flag.Int("crash.rounds", 1, "times every crash point is met, each at another occurrence")

const (
	crashDir   = "BRODAEMON_TEST_CRASH_DIR"
	crashPoint = "BRODAEMON_TEST_CRASH_POINT" // NAME:N, the Nth time it is met; empty: never
	crashWait  = "BRODAEMON_TEST_CRASH_WAIT"  // how long it may take to come to rest; empty: a minute
	crashCode  = 99
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := crashingDaemon(dir, os.Getenv(crashPoint)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the real program, built once for all tests that run it.
var built building

type building struct {
	once sync.Once
	dir  string
	err  error
}

// builtProgram is the path of the real program.
func builtProgram(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "brodaemon"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.program(), "brodaemon/cmd/brodaemon")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return built.program()
}

func (b *building) program() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(b.dir, "brodaemon.exe")
	}
	return filepath.Join(b.dir, "brodaemon")
}

// crashingDaemon delivers until nothing moves any more, or ends at the point.
func crashingDaemon(dir, point string) error {
	file := filepath.Join(dir, "config.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	// not Load, which would not have the data folder on the disk of TestPowerCut
	c, err := config.Parse(text, file)
	if err != nil {
		return err
	}
	name, nth, _ := strings.Cut(point, ":")
	after, _ := strconv.Atoi(nth)
	var met atomic.Int64
	d, err := daemon.New(daemon.Options{
		Config: c, Version: "crash", Logger: zap.NewNop(),
		Crash: func(at string) {
			if at == name && met.Add(1) == int64(after) {
				os.Exit(crashCode)
			}
		},
	})
	if err != nil {
		return err
	}
	defer d.Close()
	patience, err := time.ParseDuration(cmp.Or(os.Getenv(crashWait), "1m"))
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	go saveLate(ctx, d, dir)
	go func() {
		defer stop()
		for ctx.Err() == nil {
			if done, err := atRest(d); err != nil || done {
				return
			}
			time.Sleep(20 * time.Millisecond) // polling a condition, bounded by ctx
		}
	}()
	if err := d.Run(ctx); err != nil {
		return err
	}
	if done, err := atRest(d); err != nil || !done {
		items, _ := d.Items(queue.Filter{Open: true})
		told := fmt.Sprintf("not at rest in time: %v", err)
		for _, it := range items {
			told += fmt.Sprintf("; %s %s %s %s", it.File, it.State, it.Hold, it.LastError)
		}
		return errors.New(told)
	}
	return nil
}

// atRest reports whether every document is filed or held, and no file lies in
// the folder that is not in the queue.
func atRest(d *daemon.Daemon) (bool, error) {
	items, err := d.Items(queue.Filter{Open: true})
	if err != nil {
		return false, err
	}
	for _, it := range items {
		if it.Hold == "" && !waitsForHeld(it, items) {
			return false, nil
		}
	}
	if busy, err := confirming(d); err != nil || busy {
		return false, err
	}
	s, err := d.Status()
	if err != nil {
		return false, err
	}
	for _, f := range s.Folders {
		// Files counts what the last scan saw; held documents still lie there
		if !f.Online || f.Settling > 0 || f.NotTakenN > 0 || f.Files > len(items) {
			return false, nil
		}
	}
	return true, nil
}

// waitsForHeld reports whether a document waits for its turn behind a held one about the same object.
func waitsForHeld(it queue.Item, items []queue.Item) bool {
	return it.BROID != "" && slices.ContainsFunc(items, func(other queue.Item) bool {
		return other.BROID == it.BROID && other.ID < it.ID && other.Hold != ""
	})
}

// crashSite is a folder with documents and a portal for it that outlives the daemon.
type crashSite struct {
	dir    string
	portal *sandbox.Server
	docs   map[string][]byte // by file name
}

func newCrashSite(t *testing.T, point string) *crashSite {
	t.Helper()
	o := sandbox.Default()
	o.RegistryRate = -1
	if strings.HasPrefix(point, "companion-") {
		o.HoldBefore, o.HoldFor = "CONTROLEREN", time.Second // time for one that comes late
	}
	o.Timeline = sandbox.Timeline{Validate: 50 * time.Millisecond, Check: 100 * time.Millisecond, Approve: 100 * time.Millisecond}
	s := &crashSite{dir: t.TempDir(), portal: sandbox.New(o), docs: map[string][]byte{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s.portal}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })

	s.docs["new.xml"] = request("GMW", "", "put 1")
	s.docs["another.xml"] = request("GMW", "", "put 2")
	s.docs["first.xml"] = request("GMW", "GMW000000100001", "a")
	s.docs["second.xml"] = request("GMW", "GMW000000100001", "b")
	s.docs["invalid.xml"] = request("GMW", "", "BRODAEMON-ONGELDIG")
	s.docs["cut.xml"] = request("GMW", "", "cut")[:300]
	inbox := filepath.Join(s.dir, "inbox")
	registry := ""
	if slices.Contains(confirmPoints, point) {
		registry = fmt.Sprintf(`, registry_url: "http://%s"`, l.Addr())
	}
	write(t, filepath.Join(s.dir, "enrich"), []byte(sandbox.DefaultEnrichmentSecret), 0o600)
	write(t, filepath.Join(s.dir, "secret"), []byte(sandbox.DefaultSecret), 0o600)
	write(t, filepath.Join(s.dir, "config.yaml"), fmt.Appendf(nil, `data_dir: data
portal: { url: "http://%s", requests_per_second: 1000%s }
tokens: [{ name: t, username: "%s", password_file: secret }, { name: e, username: "%s", password_file: enrich }]
folders: [{ name: f, path: inbox, project: "%d", token: t, enrichment_token: e, settle: 20ms, scan_interval: 50ms, incomplete_timeout: 100ms }]
retry: { first: 20ms, max: 200ms }
follow: { first: 20ms, max: 100ms }
status: { listen: "" }
`, l.Addr(), registry, sandbox.DefaultUsername, sandbox.DefaultEnrichmentUsername, sandbox.DefaultProject), 0o600)
	if err := os.Mkdir(inbox, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(inbox, "another.xml.note.txt"), []byte("a note"), 0o644)
	if strings.HasPrefix(point, "companion-") {
		write(t, filepath.Join(s.dir, "late"), nil, 0o600)
	}
	for name, data := range s.docs {
		write(t, filepath.Join(inbox, name), data, 0o644)
	}
	return s
}

func write(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}

// request is a small document about a new object (no BRO-ID) or an addition.
func request(typ, broID, objectID string) []byte {
	low := strings.ToLower(typ)
	id, body := "", typ+"_Construction"
	if broID != "" {
		id, body = "  <b:broId>"+broID+"</b:broId>\n", typ+"_GroundLevel"
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/is%s/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">
  <b:requestReference>test</b:requestReference>
  <b:deliveryAccountableParty>12345678</b:deliveryAccountableParty>
%s  <b:qualityRegime>IMBRO</b:qualityRegime>
  <sourceDocument><%s><objectIdAccountableParty>%s</objectIdAccountableParty></%s></sourceDocument>
</registrationRequest>
`, low, id, body, objectID, body)
}

// run starts the daemon on the site and returns its exit code.
func (s *crashSite) run(t *testing.T, point string) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crashDir+"="+s.dir, crashPoint+"="+point)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code == 0 || code == crashCode {
		return code
	}
	t.Fatalf("the daemon ended with %v: %s", err, out.String())
	return 0
}

// intended are the documents, by hash, whose submission was begun when the
// daemon was stopped: only of these may the answer be lost.
func (s *crashSite) intended(t *testing.T) map[string]bool {
	t.Helper()
	return intendedIn(t, filepath.Join(s.dir, "data"))
}

func intendedIn(t *testing.T, dataDir string) map[string]bool {
	t.Helper()
	store, err := queue.Open(dataDir, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	begun := map[string]bool{}
	err = store.Each(queue.Filter{}, func(it queue.Item) bool {
		if it.Uncertain() {
			begun[it.SHA256] = true
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return begun
}

// check holds every document against the promises.
func (s *crashSite) check(t *testing.T, intended map[string]bool) {
	t.Helper()
	store, err := queue.Open(filepath.Join(s.dir, "data"), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, fault := range store.Check() {
		t.Errorf("queue: %v", fault)
	}
	items, err := store.List(queue.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	places := s.places(t)
	for name, data := range s.docs {
		sha := hashOf(data)
		submitted := s.portal.Submissions(sha)
		at := places[sha]
		if submitted > 1 {
			t.Errorf("%s was submitted %d times", name, submitted)
		}
		if len(at) != 1 {
			t.Errorf("%s lies in %d places: %v", name, len(at), at)
			continue
		}
		excused := slices.ContainsFunc(items, func(it queue.Item) bool {
			return it.SHA256 == sha && (it.Hold == queue.HoldUncertain && intended[sha] || waitsForHeld(it, items))
		})
		switch place, _, _ := strings.Cut(at[0], "/"); place {
		case "done":
			if submitted != 1 {
				t.Errorf("%s lies in done/ but was submitted %d times", name, submitted)
			}
		case "failed":
			if submitted != 0 {
				t.Errorf("%s lies in failed/ but was submitted", name)
			}
			if name != "invalid.xml" && name != "cut.xml" {
				t.Errorf("%s lies in failed/ although nothing is wrong with it", name)
			}
		default:
			if !excused {
				t.Errorf("%s still lies in the folder, and no lost answer excuses it", name)
			}
		}
	}
	spool, err := os.ReadDir(filepath.Join(s.dir, "data", queue.SpoolName))
	if err != nil {
		t.Fatal(err)
	}
	if open, _ := store.List(queue.Filter{Open: true}); len(spool) != spoolFiles(open) {
		t.Errorf("%d files in the spool for %d open documents: %v", len(spool), len(open), spool)
	}
	s.noLeftovers(t)
	s.checkCompanions(t, items)
	s.checkConfirmed(t, items)
}

// places says where the bytes of each document lie below the inbox.
func (s *crashSite) places(t *testing.T) map[string][]string {
	t.Helper()
	places := map[string][]string{}
	inbox := filepath.Join(s.dir, "inbox")
	err := filepath.WalkDir(inbox, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(inbox, path)
		sha := hashOf(data)
		places[sha] = append(places[sha], filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// noLeftovers: each document in done/ and failed/ has exactly its companion, and
// nothing of ours lies about.
func (s *crashSite) noLeftovers(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"done/*/*.xml", "failed/*.xml"} {
		files, _ := filepath.Glob(filepath.Join(s.dir, "inbox", pattern))
		for _, f := range files {
			beside, _ := filepath.Glob(f + ".*")
			beside = slices.DeleteFunc(beside, func(name string) bool {
				return strings.HasSuffix(name, ".note.txt") || strings.Contains(name, ".attach.")
			})
			if len(beside) != 1 {
				t.Errorf("beside %s lie %v", f, beside)
			}
		}
	}
	for _, pattern := range []string{"done/*/.brodaemon-*", "failed/.brodaemon-*", ".brodaemon-*.tmp"} {
		if left, _ := filepath.Glob(filepath.Join(s.dir, "inbox", pattern)); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
}

// elsewhere are the points that ordinary filing does not meet; packages archive
// and deliver test them.
var elsewhere = []string{
	"removal-intended", "files-removed",
	"archive.reserved", "archive.put-back", "archive.copied", "archive.original-taken", "archive.original-removed",
	"archive.superseded", "archive.earlier-reason-gone", "archive.old-document-removed", "archive.old-companion-removed", "archive.old-receipt-removed",
}

func TestCrashAtEveryPoint(t *testing.T) {
	points := append(slices.Clone(deliver.CrashPoints), archive.CrashPoints...)
	for _, point := range points {
		if slices.Contains(elsewhere, point) {
			continue
		}
		for round := range *crashRounds {
			nth := 1
			if round > 0 {
				nth = 1 + rand.IntN(4)
			}
			t.Run(fmt.Sprintf("%s/%d", point, round), func(t *testing.T) {
				t.Parallel()
				s := newCrashSite(t, point)
				if code := s.run(t, fmt.Sprintf("%s:%d", point, nth)); code != crashCode && nth == 1 {
					t.Fatalf("the daemon never came to %s", point)
				}
				intended := s.intended(t)
				if code := s.run(t, ""); code != 0 {
					t.Fatalf("after the restart the daemon ended with %d", code)
				}
				s.check(t, intended)
			})
		}
	}
}
