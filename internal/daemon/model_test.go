package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"brodaemon/internal/config"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// The whole daemon (its watchers, queue, spool, archive and Worker; only the
// sockets are left out) against a plain model of what a folder promises: each
// content is submitted at most once, and none is lost. Random steps (people
// who save, rename and delete; a portal that lies; crashes; time) run in a
// bubble, where months pass in seconds. rapid prints the seed of a failure, and
// the steps are printed as a list.

var modelSteps = flag.Int("model.steps", 400, "steps of the model test, about")

// stepsPerCase is what a case has on average; it has from 10 to 60, the small numbers more often.
const stepsPerCase = 20

func TestDeliveredOnce(t *testing.T) {
	if err := flag.Set("rapid.checks", fmt.Sprint(max(1, *modelSteps/stepsPerCase))); err != nil {
		t.Fatal(err)
	}
	var steps, crashes, removed atomic.Int64
	told := false
	rapid.Check(t, func(rt *rapid.T) {
		// a failure ends a case by a panic, which must not leave the bubble
		var failure any
		var w *world
		synctest.Test(t, func(*testing.T) {
			w = newWorld(rt)
			defer w.end()
			defer func() { failure = recover() }()
			w.play()
		})
		steps.Add(int64(len(w.steps)))
		crashes.Add(int64(w.crashes))
		for _, it := range w.items {
			if !it.Times.Removed.IsZero() {
				removed.Add(1)
			}
		}
		if failure == nil {
			return
		}
		if !told && rt.Failed() { // before the case is made smaller: how it went when it was met first
			told = true
			t.Logf("failed after %d steps in all: %v\n%s", steps.Load(), failure, strings.Join(w.steps, "\n"))
		}
		rt.Logf("the steps:\n%s", strings.Join(w.steps, "\n"))
		panic(failure)
	})
	t.Logf("%d steps, %d crashes, %d documents removed for their age", steps.Load(), crashes.Load(), removed.Load())
}

// A world is one folder, the people who use it, a portal, and a daemon that
// lives, dies and lives again.
type world struct {
	*rapid.T
	dir    string // holds site, which a crash puts back as it was at its moment
	site   string
	config *config.Config
	portal *sandbox.Server
	life   *life // nil while the daemon is down
	steps  []string
	does   map[string]func(*world)
	began  time.Time

	docs    []*content // every content that was ever saved
	files   int        // file names given out
	crashes int
	faults  []string          // promises that were found broken, in words
	items   []queue.Item      // as the queue was last seen
	back    map[queue.ID]bool // filed documents that a person took away again
	refused map[string]bool   // delivery numbers that the data owner refused
	// released: a person let it go; a timeline that is old does not tell it any more
	released map[queue.ID]bool
	// refusing: for a while the register put errors on what it should have taken
	refusing bool

	mu        sync.Mutex
	uploads   map[string][]string // upload → file names of its documents
	submitted map[string]int      // file name → how often it was submitted
	doubt     map[string]bool     // file name → its submit answer was spoiled, or a crash came in between
}

// A content is one sequence of bytes that somebody saved.
type content struct {
	data  []byte
	sha   string
	kind  string // good, invalid, refused, broken
	same  string // what it registers: two of these make one object twice; "" for additions
	broID string
	name  string // file it was saved as last
	// dropped: the people themselves took it away before anybody could have seen it whole
	dropped bool
}

func newWorld(rt *rapid.T) *world {
	base := "/dev/shm" // what matters here is order, not the disk
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = os.TempDir()
	}
	dir, err := os.MkdirTemp(base, "brodaemon-model")
	if err != nil {
		rt.Fatal(err)
	}
	w := &world{
		T: rt, dir: dir, site: filepath.Join(dir, "site"), began: time.Now(), does: stepsByName, back: map[queue.ID]bool{}, refused: map[string]bool{}, released: map[queue.ID]bool{},
		uploads: map[string][]string{}, submitted: map[string]int{}, doubt: map[string]bool{},
	}
	o := sandbox.Default()
	o.KeepBodies, o.LogBodies, o.Log = false, true, w.heard
	o.Timeline.ForwardSpread, o.Timeline.PerObject = 0, 0
	w.portal = sandbox.New(o)
	w.must(os.MkdirAll(filepath.Join(w.site, "inbox"), 0o755))
	w.must(os.WriteFile(filepath.Join(dir, "secret"), []byte(sandbox.DefaultSecret), 0o600))
	text := fmt.Sprintf(`data_dir: site/data
language: en
portal: { url: "http://127.0.0.1:1", requests_per_second: 1000, concurrency: %d }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders: [{ name: f, path: site/inbox, project: "%d", token: t, watch: poll, settle: 10s, scan_interval: 60s, incomplete_timeout: 30m }]
retry: { first: 30s, max: 20m }
follow: { first: 5s, max: 20m }
status: { listen: "" }
retention: { done: %d, history: %d }
`, rapid.IntRange(1, 4).Draw(rt, "concurrency"), sandbox.DefaultUsername, sandbox.DefaultProject,
		rapid.SampledFrom([]int{0, 1, 30}).Draw(rt, "days in done"), rapid.SampledFrom([]int{0, 1, 60}).Draw(rt, "days of history"))
	file := filepath.Join(dir, "config.yaml")
	w.must(os.WriteFile(file, []byte(text), 0o600))
	w.config, err = config.Load(file)
	w.must(err)
	return w
}

// end takes everything away, also after a failure.
func (w *world) end() {
	if w.life != nil {
		w.life.kill()
	}
	_ = os.RemoveAll(w.dir)
}

// Errorf notes a broken promise, so that a failure begins with what it is about.
func (w *world) Errorf(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
	w.T.Errorf(format, args...)
}

func (w *world) must(err error) {
	if err != nil {
		w.Fatal(err)
	}
}

// step writes the history.
func (w *world) step(format string, args ...any) {
	w.steps = append(w.steps, fmt.Sprintf("%12s  ", time.Since(w.began).Round(time.Second))+fmt.Sprintf(format, args...))
}

// heard keeps the portal's own account of what it did.
func (w *world) heard(r sandbox.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch r.Op {
	case sandbox.OpAddDocument:
		if q, err := url.ParseQuery(r.Query); err == nil && r.Processed/100 == 2 {
			upload := between(r.Path, "/uploads/", "/")
			w.uploads[upload] = append(w.uploads[upload], q.Get("filename"))
		}
	case sandbox.OpSubmit:
		for _, file := range w.uploads[digits(r.Body)] {
			if r.Processed/100 == 2 {
				w.submitted[file]++
			}
		}
		if r.Fault != "" {
			w.spoiled(digits(r.Body))
		}
	}
}

// doubts notes that the answer to a submission was lost.
func (w *world) doubts(upload string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoiled(upload)
}

func (w *world) spoiled(upload string) {
	for _, file := range w.uploads[upload] {
		w.doubt[file] = true
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// digits is the one number in a submission.
func digits(body []byte) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, string(body))
}

// A life is one run of the daemon, from its start to its end or its crash.
type life struct {
	w      *world
	daemon *Daemon
	stop   context.CancelFunc
	ended  chan struct{}
	grave  chan struct{} // closed once the disk is as it will be found again

	mu     sync.Mutex
	awaits string // the point at which it freezes; "" none
	trap   int    // how many points from now on it freezes; 0 never
	frozen string // the point at which it froze
	dead   bool
}

func (w *world) start() {
	l := &life{w: w, ended: make(chan struct{}), grave: make(chan struct{})}
	var err error
	l.daemon, err = New(Options{
		Config: w.config, Version: "model", Crash: l.point,
		Transport: func(config.Portal) (http.RoundTripper, error) { return &line{l, w.portal.Transport()}, nil },
	})
	if err != nil {
		w.Fatalf("the daemon does not start: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	w.life = l
	g, ctx := errgroup.WithContext(ctx)
	l.daemon.reloading.Lock()
	l.daemon.work(ctx, g)
	l.daemon.reloading.Unlock()
	go func() {
		defer close(l.ended)
		if err := g.Wait(); err != nil {
			panic(err)
		}
	}()
	synctest.Wait()
	w.look()
}

// point is a moment at which the program may end. It then stands still: in this
// goroutine here, and in every other at its next point or as soon as it waits.
func (l *life) point(name string) {
	l.mu.Lock()
	if l.trap > 0 {
		if l.trap--; l.trap == 0 {
			l.frozen = name
		}
	}
	if l.awaits == name && l.frozen == "" {
		l.frozen = name
	}
	frozen := l.frozen != "" && !l.dead
	l.mu.Unlock()
	if frozen {
		<-l.grave
	}
}

func (l *life) set(trap int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trap, l.awaits = trap, ""
}

func (l *life) await(point string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaits = point
}

func (l *life) froze() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.frozen
}

// kill ends a life without a farewell. What its goroutines still do reaches
// nobody: the portal does not hear them, and the caller puts the disk back.
func (l *life) kill() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	close(l.grave)
	l.stop()
	<-l.ended
	synctest.Wait()
	_ = l.daemon.Close() // its own trouble is of no interest any more
	l.w.life = nil
}

// line is the wire between a life and the portal.
type line struct {
	life  *life
	inner http.RoundTripper
}

func (n *line) RoundTrip(r *http.Request) (*http.Response, error) {
	n.life.point("request")
	n.life.mu.Lock()
	dead := n.life.dead
	n.life.mu.Unlock()
	if dead {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, io.ErrUnexpectedEOF
	}
	var body []byte
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/leveringen") {
		body, _ = io.ReadAll(r.Body) // of a few bytes, from memory
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := n.inner.RoundTrip(r)
	if body != nil && (err != nil || !clearly(res.StatusCode)) {
		n.life.w.doubts(digits(body))
	}
	n.life.point("answer")
	return res, err
}

// clearly reports whether a status says for certain whether a delivery was made.
func clearly(status int) bool {
	return status == http.StatusCreated || status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusConflict
}

// crash drops everything the daemon has in memory, at this very moment.
func (w *world) crash() {
	if w.life == nil {
		return
	}
	synctest.Wait() // everybody stands still or waits: the disk does not change under the copy
	w.crashes++
	w.look()
	for _, it := range w.items {
		if it.Uncertain() {
			w.doubt[it.Filename] = true
		}
	}
	kept := filepath.Join(w.dir, "kept")
	w.must(copyTree(w.site, kept))
	w.life.kill()
	w.must(os.RemoveAll(w.site))
	w.must(os.Rename(kept, w.site))
}

// halt stops it in good order.
func (w *world) halt() {
	if w.life == nil {
		return
	}
	l := w.life
	l.set(0)
	l.stop()
	<-l.ended
	w.look()
	for _, fault := range l.daemon.store.Check() {
		w.Errorf("queue: %v", fault)
	}
	w.must(l.daemon.Close())
	w.life = nil
}

// look remembers the queue as it is.
func (w *world) look() {
	if w.life == nil {
		return
	}
	items, err := w.life.daemon.store.List(queue.Filter{})
	w.must(err)
	w.items = items
	for _, it := range items {
		if slices.ContainsFunc(it.History, func(e queue.Event) bool { return e.What == "released" }) {
			w.released[it.ID] = true
		}
	}
}

// copyTree copies files with their time stamps.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(target, info.Mode().Perm())
		case !info.Mode().IsRegular():
			return nil // the control socket
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, data, info.Mode().Perm()); err != nil {
			return err
		}
		return os.Chtimes(target, info.ModTime(), info.ModTime())
	})
}

// play is one case: a life full of trouble, then peace, then the reckoning.
func (w *world) play() {
	w.start()
	n := rapid.IntRange(10, 60).Draw(w.T, "steps")
	for range n {
		name := rapid.SampledFrom(stepNames).Draw(w.T, "step")
		w.does[name](w)
		w.settle()
	}
	w.peace()
	w.reckon()
	if rapid.Bool().Draw(w.T, "answer what is held") {
		w.answerAll()
		w.reckon()
	}
}

// settle lets what can happen now happen, and springs the trap of a crash.
func (w *world) settle() {
	synctest.Wait()
	if w.life != nil && w.life.froze() != "" {
		w.step("  crash at %q", w.life.froze())
		w.crash()
		w.start()
	}
	w.look()
	w.once()
	w.inTurn()
}

// pass lets time go by, as long as the daemon lives.
func (w *world) pass(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
		time.Sleep(min(time.Until(until), 10*time.Minute))
		w.settle()
	}
}

// peace ends all trouble and lets time pass until nothing moves.
func (w *world) peace() {
	w.step("peace")
	w.portal.ClearFaults()
	w.portal.Change(func(s *sandbox.Switches) { *s = sandbox.Switches{Timeline: s.Timeline} })
	w.portal.RestoreToken(sandbox.DefaultUsername)
	w.portal.GrantRight(sandbox.DefaultUsername, sandbox.DefaultProject)
	w.portal.OpenProject(sandbox.DefaultProject)
	if w.life == nil {
		w.start()
	}
	w.life.set(0)
	w.rest()
}

func (w *world) rest() {
	for range 36 {
		w.approve()
		w.pass(time.Hour)
		if w.quiet() {
			return
		}
	}
}

// quiet reports whether nothing is left to happen by itself.
func (w *world) quiet() bool {
	for _, it := range w.items {
		if it.Open() && it.Hold == "" && !w.behind(&it) {
			return false
		}
	}
	s := w.life.daemon.watcher("f").folder.State()
	return s.Online && s.SettlingCount == 0 && s.WaitingCount == 0
}

// behind reports whether a document waits for one about the same object that is held.
func (w *world) behind(it *queue.Item) bool {
	return it.BROID != "" && it.State != queue.Submitted && slices.ContainsFunc(w.items, func(other queue.Item) bool {
		return other.BROID == it.BROID && other.ID < it.ID && other.Open() && (other.Hold != "")
	})
}

// approve plays the data owner for deliveries that wait for one.
func (w *world) approve() {
	for _, d := range w.portal.Deliveries() {
		if d.Held {
			w.portal.Approve(d.Identifier)
		}
	}
}

func (w *world) content(sha string) *content {
	for _, c := range w.docs {
		if c.sha == sha {
			return c
		}
	}
	return nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// once holds the first promise against the portal's own account.
func (w *world) once() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for file, n := range w.submitted {
		if n > 1 {
			w.Fatalf("%s was submitted %d times", file, n)
		}
	}
}

// inTurn holds the order against the queue: an addition is not submitted, nor
// about to be, while an earlier one about the same object has no outcome.
func (w *world) inTurn() {
	for i, it := range w.items {
		if c := w.content(it.SHA256); c == nil || c.broID == "" || it.Intent == "" && !it.Submitted() {
			continue
		}
		for _, before := range w.items[:i] {
			if before.BROID == it.BROID && !before.State.End() && !it.State.End() {
				w.Fatalf("document %s is %s (intent %q) before document %s about the same object has its outcome", it.ID, it.State, it.Intent, before.ID)
			}
		}
	}
}

// reckon holds all promises against the folder, the queue and the portal.
func (w *world) reckon() {
	w.look()
	w.once()
	for _, fault := range w.life.daemon.store.Check() {
		w.Errorf("queue: %v", fault)
	}
	w.reckonDeliveries()
	w.reckonPlaces()
	w.reckonItems()
	if w.Failed() {
		told := bytes.NewBufferString(strings.Join(w.faults, "\n") + "\n")
		for _, it := range w.items {
			fmt.Fprintf(told, "%s %s %.8s %s hold %q (%s) intent %q next %s error %q filed %q\n", it.ID, it.File, it.SHA256, it.State,
				it.Hold, it.HoldReason, it.Intent, it.NextAttempt.Sub(w.began), it.LastError, it.Filed)
			for _, e := range it.History {
				fmt.Fprintf(told, "    %12s %s %s\n", e.At.Sub(w.began).Round(time.Second), e.What, e.Detail)
			}
		}
		w.Fatalf("the queue in the end:\n%s", told.String())
	}
}

// reckonDeliveries: what the queue remembers of deliveries is what the portal
// did, and no two of them are the same thing without a person's word.
func (w *world) reckonDeliveries() {
	bySHA := map[string]int{}
	alive := map[string]int{} // what is registered → by how many that nobody released
	for _, it := range w.items {
		w.mu.Lock()
		n := w.submitted[it.Filename]
		w.mu.Unlock()
		bySHA[it.SHA256] += n
		if n > 0 && !it.Submitted() && !it.Uncertain() {
			w.Errorf("%s (document %s) was submitted, but the queue does not know it", it.File, it.ID)
		}
		c := w.content(it.SHA256)
		if c == nil {
			w.Errorf("document %s has bytes that nobody saved", it.ID)
			continue
		}
		if n > 0 && it.State != queue.Rejected && !w.released[it.ID] {
			alive["bytes "+c.sha]++
			if c.same != "" {
				alive["object "+c.same]++
			}
		}
	}
	for what, n := range alive {
		if n > 1 {
			w.Errorf("%d deliveries of %s, and nobody released one", n, what)
		}
	}
	for _, c := range w.docs {
		if n := w.portal.Submissions(c.sha); n != bySHA[c.sha] {
			w.Errorf("%s (%.8s) was submitted %d times, the queue's documents account for %d", c.name, c.sha, n, bySHA[c.sha])
		}
	}
}

// reckonPlaces: every content is somewhere, and every file is accounted for.
func (w *world) reckonPlaces() {
	places := map[string][]string{} // hash → paths below the folder
	inbox := w.path("")
	err := filepath.WalkDir(inbox, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".xml") {
			if err == nil && strings.Contains(e.Name(), "brodaemon-") && e.Name() != ".brodaemon-folder" {
				w.Errorf("left over: %s", path)
			}
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(inbox, path)
		places[hashOf(data)] = append(places[hashOf(data)], rel)
		return err
	})
	w.must(err)
	for _, c := range w.docs {
		waits := slices.ContainsFunc(w.items, func(it queue.Item) bool { return it.SHA256 == c.sha && it.Open() }) // its spool copy is looked at below
		old := slices.ContainsFunc(w.items, func(it queue.Item) bool { return it.SHA256 == c.sha && !it.Times.Removed.IsZero() })
		if !c.dropped && !waits && !old && len(places[c.sha]) == 0 {
			w.Errorf("LOST: %s (%.8s, %s) lies nowhere", c.name, c.sha, c.kind)
		}
	}
	owner := map[string]queue.Item{} // path and hash → the last document that is to lie there; a name may be given again
	for _, it := range w.items {
		if it.Filed != "" {
			owner[it.Filed+it.SHA256] = it
		} else {
			owner[w.path(it.File)+it.SHA256] = it
		}
	}
	for sha, paths := range places {
		if w.content(sha) == nil {
			w.Errorf("%v holds bytes that nobody saved", paths)
		}
		for _, rel := range paths {
			w.reckonFile(sha, rel, owner)
		}
	}
}

func (w *world) reckonFile(sha, rel string, owner map[string]queue.Item) {
	path := w.path(rel)
	switch top, rest, deep := strings.Cut(rel, string(filepath.Separator)); {
	case !deep:
		if _, known := owner[path+sha]; !known {
			w.Errorf("%s lies in the folder, and no document of the queue waits for it", rel)
		}
	case top == "failed" && strings.HasPrefix(rest, "superseded"):
	default:
		_, known := owner[path+sha]
		beside := map[string]string{"done": ".receipt.json", "failed": ".reason.txt"}[top]
		if !known {
			w.Errorf("%s belongs to no document of the queue", rel)
		} else if _, err := os.Stat(path + beside); err != nil {
			w.Errorf("beside %s: %v", rel, err)
		}
	}
}

// reckonItems: every document has its outcome, or waits for a reason that holds.
func (w *world) reckonItems() {
	for _, it := range w.items {
		c := w.content(it.SHA256)
		switch {
		case c == nil:
		case it.Open():
			w.reckonOpen(&it)
		case it.State == queue.Rejected:
			w.reckonRejected(&it, c)
		}
		if it.Filed == "" || w.back[it.ID] {
			continue
		}
		if !it.Times.Removed.IsZero() {
			w.reckonRemoved(&it)
			continue
		}
		if data, err := os.ReadFile(it.Filed); err != nil || hashOf(data) != it.SHA256 {
			if !w.superseded(&it) {
				w.Errorf("document %s does not lie at %s: %v", it.ID, it.Filed, err)
			}
		}
	}
}

// reckonRemoved: only what was delivered is taken away, when it is old, and whole.
func (w *world) reckonRemoved(it *queue.Item) {
	keep := w.config.Retention.Done.Duration()
	if it.State != queue.Delivered || keep == 0 || it.Times.Removed.Sub(it.Times.Filed) < keep {
		w.Errorf("document %s (%s) was removed %s after it was filed", it.ID, it.State, it.Times.Removed.Sub(it.Times.Filed))
	}
	for _, path := range []string{it.Filed, it.Beside} {
		if data, err := os.ReadFile(path); err == nil && (hashOf(data) == it.SHA256 || path == it.Beside && bytes.Contains(data, []byte(it.SHA256))) {
			w.Errorf("document %s was removed, and %s is there", it.ID, path)
		}
	}
}

func (w *world) superseded(it *queue.Item) bool {
	found := false
	_ = filepath.WalkDir(w.path("failed/superseded"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			data, _ := os.ReadFile(path)
			found = found || hashOf(data) == it.SHA256
		}
		return nil
	})
	return found
}

func (w *world) reckonOpen(it *queue.Item) {
	f, err := w.spool().Open(it)
	if err != nil {
		w.Errorf("document %s: %v", it.ID, err)
	} else {
		data, _ := io.ReadAll(f)
		_ = f.Close()
		if hashOf(data) != it.SHA256 {
			w.Errorf("document %s: its spool copy is not what was saved", it.ID)
		}
	}
	switch {
	case it.Hold == "" && !w.behind(it):
		w.Errorf("document %s (%s) is %s and not held, long after the last trouble: %s", it.ID, it.File, it.State, it.LastError)
	case it.Hold == queue.HoldUncertain && !w.doubt[it.Filename]:
		w.Errorf("document %s (%s) is held as uncertain, but its answer was never lost", it.ID, it.File)
	case (it.Hold == queue.HoldUncertain || it.Hold == queue.HoldDuplicate) && it.HoldReason == "":
		w.Errorf("document %s is held (%s) without a reason", it.ID, it.Hold)
	}
}

// reckonRejected: failed/ means that a person must change or decide something.
func (w *world) reckonRejected(it *queue.Item, c *content) {
	code := it.Report.Code
	ok := false
	switch {
	case code == queue.DuplicateCode:
		ok = slices.ContainsFunc(w.items, func(other queue.Item) bool { return other.SHA256 == it.SHA256 && other.ID < it.ID })
	case it.Delivery != nil && w.refused[it.Delivery.ID]:
		ok = strings.HasPrefix(code, "refused-")
	case w.refusing && code == "refused-by-register":
		ok = true
	case c.kind == "invalid":
		ok = code == "not-valid"
	case c.kind == "refused":
		ok = strings.HasPrefix(code, "refused-")
	case c.kind == "broken":
		ok = code != "not-valid" && !strings.HasPrefix(code, "refused-")
	}
	if !ok {
		w.Errorf("document %s (%s, %s) is in failed/ for %q: %v %s", it.ID, it.File, c.kind, code, it.Report.Errors, it.Report.Detail)
	}
}

func (w *world) spool() *queue.Spool {
	s, err := queue.OpenSpool(w.config.DataDir)
	w.must(err)
	return s
}

func (w *world) path(rel string) string {
	return filepath.Join(w.site, "inbox", filepath.FromSlash(rel))
}
