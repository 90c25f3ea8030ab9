package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// patience is how long a test waits for what should come soon. It is generous,
// for several tests run side by side on a small machine.
const patience = 40 * time.Second

// site is a daemon with folders, and a portal that outlives it.
type site struct {
	testing.TB
	dir    string
	portal *sandbox.Server
	log    *observer.ObservedLogs
	// requests, set before start, is called before the portal's work on a request.
	requests func(op sandbox.Op, n int)

	d     *daemon.Daemon
	stop  context.CancelFunc
	ended chan error

	mu    sync.Mutex
	whole map[string]string // SHA-256 of every complete version ever saved → its name
}

// newSite lays out a site. Each folder is NAME or NAME: EXTRA, where EXTRA is
// more YAML for it, such as "path: /elsewhere"; its path is a directory of its
// name. The daemon is not started yet.
func newSite(t testing.TB, folders ...string) *site {
	t.Helper()
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{}
	o.LogSize = -1
	o.KeepBodies = false
	s := &site{TB: t, dir: t.TempDir(), whole: map[string]string{}}
	o.OnRequest = func(op sandbox.Op, n int) {
		if s.requests != nil {
			s.requests(op, n)
		}
	}
	s.portal = sandbox.New(o)
	var list strings.Builder
	for _, folder := range folders {
		name, extra, _ := strings.Cut(folder, ": ")
		if !strings.Contains(extra, "path:") {
			extra = strings.TrimSuffix("path: "+name+", "+extra, ", ")
			s.must(os.Mkdir(filepath.Join(s.dir, name), 0o755))
		}
		fmt.Fprintf(&list, "  - { name: %s, project: %q, token: t, settle: 300ms, scan_interval: 250ms, %s }\n", name, fmt.Sprint(sandbox.DefaultProject), extra)
	}
	s.must(os.WriteFile(filepath.Join(s.dir, "secret"), []byte(sandbox.DefaultSecret), 0o600))
	s.must(os.WriteFile(filepath.Join(s.dir, "config.yaml"), fmt.Appendf(nil, `data_dir: data
language: en
portal: { url: "http://127.0.0.1:8790", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders:
%sretry: { first: 50ms, max: 1h }
follow: { first: 20ms, max: 100ms }
status: { listen: "" }
`, sandbox.DefaultUsername, &list), 0o600))
	t.Cleanup(func() { // after every body the portal ever got is known
		s.noPartWasSent()
	})
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// start runs the daemon, until halt or the end of the test.
func (s *site) start() {
	s.Helper()
	c, err := config.Load(filepath.Join(s.dir, "config.yaml"))
	s.must(err)
	core, logs := observer.New(zap.InfoLevel)
	s.log = logs
	d, err := daemon.New(daemon.Options{
		Config: c, Version: "test", Logger: zap.New(core),
		Transport: func(config.Portal) (http.RoundTripper, error) { return s.portal.Transport(), nil },
	})
	s.must(err)
	ctx, stop := context.WithCancel(context.Background())
	s.d, s.stop, s.ended = d, stop, make(chan error, 1)
	ended := s.ended
	go func() { ended <- d.Run(ctx) }()
	s.Cleanup(s.halt)
}

// stopLimit is how long stopping may take, whatever blocks.
const stopLimit = 20 * time.Second

// halt stops the daemon, which must not take long. It may be called twice.
func (s *site) halt() {
	s.Helper()
	if s.stop == nil {
		return
	}
	began := time.Now()
	s.stop()
	s.stop = nil
	if err := <-s.ended; err != nil {
		s.Error(err)
	}
	if err := s.d.Close(); err != nil {
		s.Error(err)
	}
	if took := time.Since(began); took > stopLimit {
		s.Errorf("stopping took %s", took)
	} else {
		s.Logf("stopped within %s", took.Round(time.Millisecond))
	}
}

// path is a place in a folder (or another directory) of the site.
func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// serial makes every document another one.
var serial struct {
	sync.Mutex
	n int
}

// newDocument is a document that registers a new object, unlike any other, of at least size bytes.
func (s *site) newDocument(name string, size int) []byte {
	serial.Lock()
	serial.n++
	id := fmt.Sprintf("%d-%d", os.Getpid(), serial.n)
	serial.Unlock()
	head := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">
  <b:requestReference>test</b:requestReference>
  <b:deliveryAccountableParty>12345678</b:deliveryAccountableParty>
  <b:qualityRegime>IMBRO</b:qualityRegime>
  <sourceDocument><GMW_Construction><objectIdAccountableParty>%s</objectIdAccountableParty>`, id)
	const tail = "</GMW_Construction></sourceDocument>\n</registrationRequest>\n"
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len()+len(tail) < size; i++ {
		fmt.Fprintf(&b, "<depth>%d</depth>\n", i)
	}
	b.WriteString(tail)
	data := []byte(b.String())
	s.isWhole(name, data)
	return data
}

// isWhole says that these bytes are a complete version, which may be sent.
func (s *site) isWhole(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole[hashOf(data)] = name
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// eventually waits for what ok says.
func (s *site) eventually(what string, ok func() bool) {
	s.Helper()
	s.within(patience, what, ok)
}

func (s *site) within(limit time.Duration, what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) { // polling a condition, with a deadline
		if time.Now().After(deadline) {
			s.Fatalf("not in time: %s\n%s", what, s.story())
		}
	}
}

// story is what is known when a test gives up.
func (s *site) story() string {
	var b strings.Builder
	st, err := s.d.Status()
	fmt.Fprintf(&b, "status: %v\n", err)
	for _, c := range st.Conditions {
		fmt.Fprintf(&b, "! %s %s\n", c.Code, c.Text)
	}
	for _, f := range st.Folders {
		fmt.Fprintf(&b, "%s: online %v, %d files, %d settling, not taken %+v\n", f.Name, f.Online, f.Files, f.Settling, f.NotTaken)
	}
	items, _ := s.d.Items(queue.Filter{Open: true})
	for _, it := range items {
		fmt.Fprintf(&b, "%s %s %s: %s\n", it.ID, it.File, it.State, it.LastError)
	}
	return b.String()
}

// filed waits until every one of these was submitted once and lies in a done
// directory below the given one, as it was saved, with its receipt.
func (s *site) filed(done string, documents ...[]byte) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d documents in %s", len(documents), done), func() bool {
		have := s.hashes(done)
		for _, data := range documents {
			if len(have[hashOf(data)]) == 0 {
				return false
			}
		}
		return true
	})
	s.once(documents...)
	have := s.hashes(done)
	for _, data := range documents {
		at := have[hashOf(data)]
		if len(at) != 1 {
			s.Errorf("a document lies in %v", at)
		}
		s.eventually("the receipt beside "+at[0], func() bool {
			_, err := os.Stat(at[0] + ".receipt.json")
			return err == nil
		})
	}
}

// once fails unless each of these was submitted exactly once.
func (s *site) once(documents ...[]byte) {
	s.Helper()
	for _, data := range documents {
		if n := s.portal.Submissions(hashOf(data)); n != 1 {
			s.Errorf("%s was submitted %d times", s.whole[hashOf(data)], n)
		}
	}
}

// hashes are the XML files below a directory, by the hash of their bytes. A
// directory that is not there has none.
func (s *site) hashes(dir string) map[string][]string {
	found := map[string][]string{}
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(strings.ToLower(path), ".xml") || strings.HasPrefix(e.Name(), ".") {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil {
			found[hashOf(data)] = append(found[hashOf(data)], path)
		}
		return nil
	})
	return found
}

// settled waits until nothing is under way.
func (s *site) settled() {
	s.Helper()
	s.eventually("everything has its outcome and place", func() bool {
		open, err := s.d.Items(queue.Filter{Open: true, Limit: 1})
		return err == nil && len(open) == 0
	})
}

// noPartWasSent holds every body that the portal ever got against the complete versions.
func (s *site) noPartWasSent() {
	s.Helper()
	n := 0
	for _, r := range s.portal.Requests() {
		if r.Op != sandbox.OpValidate && r.Op != sandbox.OpAddDocument || r.BodySHA256 == "" {
			continue
		}
		n++
		if s.whole[r.BodySHA256] == "" {
			s.Errorf("%s got %d bytes that nobody saved as a whole (%s)", r.Op, r.BodySize, r.BodySHA256)
		}
	}
	s.Logf("%d bodies reached the portal, all complete versions", n)
}
