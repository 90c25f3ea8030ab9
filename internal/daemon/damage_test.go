package daemon_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/status"
)

// These tests stop a daemon at a moment of a document's life, do something to
// its queue file, its ledger, or both, start it again, and look how often the
// portal got each document and where it is.

// damageSite is a folder, a data folder and a portal that outlives both daemons.
type damageSite struct {
	t      *testing.T
	dir    string
	portal *sandbox.Server
	shas   map[string]string // of each document, by the name it was saved under
	seed   uint64
}

func newDamageSite(t *testing.T, seed uint64) *damageSite {
	t.Helper()
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{Check: 20 * time.Millisecond}
	s := &damageSite{t: t, dir: filepath.Join(t.TempDir(), "site"), portal: sandbox.New(o), shas: map[string]string{}, seed: seed}
	if err := os.MkdirAll(filepath.Join(s.dir, "inbox"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.dir, "secret"), []byte(sandbox.DefaultSecret), 0o600)
	write(t, filepath.Join(s.dir, "config.yaml"), fmt.Appendf(nil, `data_dir: data
portal: { url: "http://127.0.0.1:1", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders: [{ name: f, path: inbox, project: "%d", token: t, settle: 5ms, scan_interval: 10ms, watch: poll, incomplete_timeout: 50ms }]
retry: { first: 5ms, max: 50ms }
follow: { first: 5ms, max: 20ms }
status: { listen: "" }
`, sandbox.DefaultUsername, sandbox.DefaultProject), 0o600)
	return s
}

func (s *damageSite) data(name string) string { return filepath.Join(s.dir, "data", name) }

func (s *damageSite) save(name string, data []byte) {
	s.t.Helper()
	sum := sha256.Sum256(data)
	s.shas[name] = hex.EncodeToString(sum[:])
	write(s.t, filepath.Join(s.dir, "inbox", name), data, 0o644)
}

// wire is the way to the portal, which can be cut: nothing passes it then.
type wire struct {
	to  http.RoundTripper
	cut atomic.Bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.cut.Load() {
		return nil, errors.New("the machine is off")
	}
	return w.to.RoundTrip(r)
}

// start makes a daemon on the site.
func (s *damageSite) start(crash func(string), to http.RoundTripper) (*daemon.Daemon, error) {
	s.t.Helper()
	c, err := config.Load(filepath.Join(s.dir, "config.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	return daemon.New(daemon.Options{Config: c, Version: "test", Crash: crash, Transport: func(config.Portal) (http.RoundTripper, error) { return to, nil }})
}

// run lets a daemon work until until says so, and stops it.
func (s *damageSite) run(until func(*daemon.Daemon) bool) {
	s.t.Helper()
	d, err := s.start(nil, s.portal.Transport())
	if err != nil {
		s.t.Fatalf("start: %v", err)
	}
	s.work(d, until)
}

func (s *damageSite) work(d *daemon.Daemon, until func(*daemon.Daemon) bool) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	for ctx.Err() == nil && !until(d) {
		time.Sleep(3 * time.Millisecond) // polling a condition, bounded by ctx
	}
	late := ""
	if ctx.Err() != nil {
		items, err := d.Items(queue.Filter{Open: true})
		late = fmt.Sprint("it did not come to rest in time: ", err)
		for _, it := range items {
			late += fmt.Sprintf("; %s %s %s hold %q %s %s", it.ID, it.File, it.State, it.Hold, it.HoldReason, it.LastError)
		}
		if st, err := d.Status(); err == nil {
			late += fmt.Sprintf("; folder %+v", st.Folders)
		}
	}
	stop()
	if err := errors.Join(<-ended, d.Close()); err != nil {
		s.t.Error(err)
	}
	if late != "" {
		s.t.Fatal(late)
	}
}

func resting(d *daemon.Daemon) bool {
	done, err := atRest(d)
	return err == nil && done
}

// stopAt runs a daemon until a document is at the point, and leaves behind what
// a SIGKILL at that moment would.
func (s *damageSite) stopAt(point string) {
	s.t.Helper()
	w := &wire{to: s.portal.Transport()}
	at, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d, err := s.start(func(met string) {
		if met == point {
			once.Do(func() { close(at) })
			<-release
		}
	}, w)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	select {
	case <-at:
	case <-time.After(30 * time.Second):
		stop()
		s.t.Fatalf("the daemon never came to %s", point)
	}
	w.cut.Store(true)
	left := s.dir + ".left"
	copyTree(s.t, s.dir, left)
	stop()
	close(release)
	if err := errors.Join(<-ended, d.Close()); err != nil {
		s.t.Error(err)
	}
	if err := errors.Join(os.RemoveAll(s.dir), os.Rename(left, s.dir)); err != nil {
		s.t.Fatal(err)
	}
}

// faults are what can happen to the queue file; older is a copy from before.
// copyTree copies files with their times, which are a part of what a document is known by.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		there := filepath.Join(to, rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(there, info.Mode().Perm())
		case !info.Mode().IsRegular():
			return nil // the control socket
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(there, data, info.Mode().Perm()), os.Chtimes(there, info.ModTime(), info.ModTime()))
	})
	if err != nil {
		t.Fatal(err)
	}
}

var queueFaults = []string{"none", "truncated", "one page", "halved", "zeroed", "garbled", "text", "deleted", "older"}

// ledgerFaults are what can happen to the ledger at the same time.
var ledgerFaults = []string{"none", "missing", "torn", "garbled"}

func (s *damageSite) spoil(name, fault string, older []byte) (spoiled []byte) {
	s.t.Helper()
	path := s.data(name)
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(s.seed, uint64(len(fault))))
	page := os.Getpagesize()
	switch fault {
	case "none":
		return data
	case "truncated":
		data = nil
	case "one page":
		data = data[:page]
	case "halved":
		data = data[:min(len(data)/2, 3*page+100)] // of a small queue all is in the first pages
	case "zeroed":
		clear(data)
	case "text":
		data = bytes.Repeat([]byte("this is no queue\n"), 2000)
	case "older":
		data = older
	case "torn":
		data = data[:len(data)/2+r.IntN(len(data)/2)]
	case "garbled":
		if name == queue.FileName {
			for range 1 + r.IntN(len(data)/page) {
				at := r.IntN(len(data)/page) * page
				for i := range page {
					data[at+i] = byte(r.Uint32())
				}
			}
		} else {
			data[r.IntN(len(data))] ^= 0x20
		}
	case "deleted", "missing":
		if err := os.Remove(path); err != nil {
			s.t.Fatal(err)
		}
		return nil
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return data
}

// places are the folders below the inbox in which a document lies, by its bytes.
func (s *damageSite) places(sha string) (at []string) {
	s.t.Helper()
	err := filepath.WalkDir(filepath.Join(s.dir, "inbox"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) == sha {
			rel, err := filepath.Rel(filepath.Join(s.dir, "inbox"), path)
			at = append(at, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// answer is the person who looks in the portal, and answers for what is held.
func (s *damageSite) answer(d *daemon.Daemon) bool {
	held, err := d.Items(queue.Filter{Hold: queue.HoldUncertain, Open: true})
	if err != nil {
		return false
	}
	for _, it := range held {
		number := ""
		for _, delivery := range s.portal.Deliveries() {
			if slices.ContainsFunc(delivery.Documents, func(doc sandbox.SourceDocument) bool { return doc.SHA256 == it.SHA256 }) {
				number = delivery.Identifier
			}
		}
		if number != "" {
			_, _ = d.Worker().ResolveDelivered(it.ID, number) // refused while it is being looked up: again
		} else {
			_, _ = d.Worker().ResolveNotDelivered(it.ID)
		}
	}
	return len(held) == 0 && resting(d)
}

// damagePoints are moments of a document's life at which the queue is spoilt.
var damagePoints = []string{
	"queued", "spool-kept", "validate-answered", "attach-answered", "submit-intended", "submit-answered", "submitted",
	"outcome-stored", "archived", "filed", "spool-removed",
}

// TestDamagedQueue goes through the table of queue faults, ledger faults and
// moments: all of it with -crash.rounds above 1, else a part that differs by day
// only in its random pages.
func TestDamagedQueue(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	n := 0
	for _, point := range damagePoints {
		for _, onLedger := range ledgerFaults {
			for _, onQueue := range queueFaults {
				if onQueue == "none" && onLedger == "none" {
					continue // TestCrashAtEveryPoint
				}
				n++
				if *crashRounds == 1 && n%8 != 0 {
					continue
				}
				for round := range *crashRounds {
					seed := seed + uint64(n*1000+round)
					t.Run(fmt.Sprintf("%s/queue %s/ledger %s/%d", point, onQueue, onLedger, seed), func(t *testing.T) {
						t.Parallel()
						damage(t, point, onQueue, onLedger, seed)
					})
				}
			}
		}
	}
}

func damage(t *testing.T, point, onQueue, onLedger string, seed uint64) {
	s := newDamageSite(t, seed)
	s.save("past.xml", request("GMW", "", "past"))
	s.run(resting)
	older, err := os.ReadFile(s.data(queue.FileName))
	if err != nil {
		t.Fatal(err)
	}
	s.save("new.xml", request("GMW", "", "new"))
	s.stopAt(point)
	spoiled := s.spoil(queue.FileName, onQueue, older)
	s.spoil(queue.LedgerName, onLedger, nil)

	d, err := s.start(nil, s.portal.Transport())
	if err != nil {
		t.Fatalf("the daemon does not start: %v", err)
	}
	// what lies beside the new file is the old one, as it was
	if onQueue != "none" && onQueue != "deleted" && onQueue != "older" {
		aside, _ := filepath.Glob(s.data(queue.FileName) + ".damaged-*")
		if len(aside) != 1 && !(onQueue == "garbled" && len(aside) == 0) {
			t.Fatalf("set aside is %v", aside)
		}
		if len(aside) == 1 {
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, spoiled) {
				t.Errorf("the file that was set aside is not the one that was damaged (%v)", err)
			}
			if st, err := d.Status(); err != nil || !slices.ContainsFunc(st.Conditions, hasCode("queue-rebuilt")) {
				t.Errorf("no condition says that the queue was made again: %v", err)
			}
		}
	}
	if onQueue == "deleted" {
		if st, err := d.Status(); err != nil || !slices.ContainsFunc(st.Conditions, hasCode("queue-rebuilt")) {
			t.Errorf("no condition says that the queue was made again: %v", err)
		}
	}
	s.work(d, resting)
	s.wantOnce("new.xml")
	s.run(s.answer)
	s.wantOnce("new.xml")
	if n := s.portal.Submissions(s.shas["new.xml"]); n != 1 {
		t.Errorf("after a person's answer it was submitted %d times", n)
	}
	if at := s.places(s.shas["new.xml"]); len(at) != 1 || !strings.HasPrefix(at[0], "done/") {
		t.Errorf("after a person's answer it lies at %v", at)
	}

	// what was delivered before is not delivered again, though it is saved again
	if onLedger == "none" || onQueue == "none" || onQueue == "older" {
		s.save("again.xml", request("GMW", "", "past"))
		s.run(resting)
		if n := s.portal.Submissions(s.shas["again.xml"]); n != 1 {
			t.Errorf("a copy of what was delivered long ago was submitted: %d times", n)
		}
	}
	s.sound()
}

func hasCode(code string) func(c status.Condition) bool {
	return func(c status.Condition) bool { return c.Code == code }
}

// wantOnce: submitted at most once, and in exactly one place.
func (s *damageSite) wantOnce(name string) {
	s.t.Helper()
	if n := s.portal.Submissions(s.shas[name]); n > 1 {
		s.t.Errorf("%s was submitted %d times", name, n)
	}
	if at := s.places(s.shas[name]); len(at) != 1 {
		s.t.Errorf("%s lies in %d places: %v", name, len(at), at)
	}
}

// sound: the queue's indexes, and no number twice.
func (s *damageSite) sound() {
	s.t.Helper()
	store, err := queue.Open(s.data(""), queue.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	for _, err := range store.Check() {
		s.t.Errorf("queue: %v", err)
	}
}
