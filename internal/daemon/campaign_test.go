package daemon_test

import (
	"bytes"
	"cmp"
	"encoding/json"
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
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// The campaign: the real program on real files, killed over and over while
// documents keep coming and the portal is a bad neighbour. The portal lives in
// the test's process, behind a socket, so that its bookkeeping survives.

var (
	campaignDocs  = flag.Int("crash.docs", 16, "documents of the campaign")
	campaignKills = flag.Int("crash.kills", 10, "times the daemon is killed in the campaign, at least")
	campaignWait  = flag.String("crash.wait", "3m", "how long everything may take to come to rest in the end")
	campaignSeed  = flag.Uint64("crash.seed", 0, "seed of the campaign; 0 is a new one")
)

// A campaign is a site whose daemon is killed again and again.
type campaign struct {
	*crashSite
	random  *rand.Rand
	program string
	address string // of the portal
	put     func(name string, data []byte)
	kinds   map[string]string // by file name: what must become of it
	begun   map[string]bool   // by hash: killed at least once between the intent and its answer
	peace   atomic.Bool       // the portal behaves
	faulty  atomic.Int64      // submit calls whose answer the portal spoiled
	kills   int
	atPoint map[string]int
}

func TestCrashCampaign(t *testing.T) {
	seed := cmp.Or(*campaignSeed, rand.Uint64())
	t.Logf("-crash.seed=%d", seed)
	c := newCampaign(t, seed)
	saved := 0
	for saved < *campaignDocs || c.kills < *campaignKills {
		// so many that they last as long as the kills do
		left, lives := *campaignDocs-saved, max(1, *campaignKills-c.kills)
		for range min(left, (left+lives-1)/lives+c.random.IntN(2)) {
			c.save(t, saved)
			saved++
		}
		c.live(t)
		if c.kills%500 == 0 {
			t.Logf("%d kills, %d documents saved", c.kills, saved)
		}
	}
	c.judge(t)
}

// trouble spoils one request in eight, as sandbox.BadNeighbour does, until there is peace.
func (c *campaign) trouble(op sandbox.Op, _ int) {
	faults := []sandbox.Fault{
		{Kind: sandbox.ProcessThenDrop}, {Kind: sandbox.ProcessThenDrop}, {Kind: sandbox.ProcessThenAnswer, Status: 502}, {Kind: sandbox.ProcessThenAnswer, Status: 500},
		{Kind: sandbox.Answer, Status: 503}, {Kind: sandbox.Answer, Status: 503}, {Kind: sandbox.Answer, Status: 429, RetryAfter: time.Second},
		{Kind: sandbox.Reset}, {Kind: sandbox.Reset}, {Kind: sandbox.BrokenJSON}, {Kind: sandbox.Delay, Delay: 50 * time.Millisecond}, {Kind: sandbox.NoLocation},
	}
	if i := rand.IntN(8 * len(faults)); i < len(faults) && !c.peace.Load() {
		f := faults[i]
		f.Op = op
		c.portal.Inject(f)
	}
}

// newCampaign is one with a portal and a configuration, and the program built.
func newCampaign(t *testing.T, seed uint64) *campaign {
	t.Helper()
	c := newBareCampaign(t, seed)
	c.configure(t)
	c.program = builtProgram(t)
	return c
}

func newBareCampaign(t *testing.T, seed uint64) *campaign {
	t.Helper()
	c := &campaign{random: rand.New(rand.NewPCG(seed, 1)), kinds: map[string]string{}, begun: map[string]bool{}, atPoint: map[string]int{}}
	o := sandbox.Default()
	o.Seed, o.KeepBodies = seed, false
	o.OnRequest = c.trouble
	o.Timeline = sandbox.Timeline{Validate: 5 * time.Millisecond, Check: 10 * time.Millisecond, Approve: 10 * time.Millisecond, Forward: 10 * time.Millisecond}
	for i := range 400 { // objects to add to, enough for nobody to wait long for his turn
		o.Objects = append(o.Objects, sandbox.Object{BROID: fmt.Sprintf("GMW%012d", 200001+i), Type: "GMW"})
	}
	o.Log = func(r sandbox.Request) {
		if r.Op == sandbox.OpSubmit && (r.Fault != "" || r.Status == 0) {
			c.faulty.Add(1)
		}
	}
	c.crashSite = &crashSite{dir: t.TempDir(), portal: sandbox.New(o), docs: map[string][]byte{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: c.portal}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	c.address = l.Addr().String()
	c.put = func(name string, data []byte) { c.putFile(t, name, data) }
	return c
}

func (c *campaign) configure(t *testing.T) {
	t.Helper()
	write(t, filepath.Join(c.dir, "secret"), []byte(sandbox.DefaultSecret), 0o600)
	write(t, filepath.Join(c.dir, "config.yaml"), c.text(), 0o600)
	if err := os.Mkdir(filepath.Join(c.dir, "inbox"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// text is the configuration: everything as quick as it may be.
func (c *campaign) text() []byte {
	return fmt.Appendf(nil, `data_dir: data
portal: { url: "http://%s", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders: [{ name: f, path: inbox, project: "%d", token: t, settle: 5ms, scan_interval: 20ms, incomplete_timeout: 100ms }]
retry: { first: 10ms, max: 200ms }
follow: { first: 10ms, max: 100ms }
status: { listen: "" }
log: { level: error }
`, c.address, sandbox.DefaultUsername, sandbox.DefaultProject)
}

// save puts the nth document into the folder.
func (c *campaign) save(t *testing.T, n int) {
	t.Helper()
	name, kind := fmt.Sprintf("put-%05d.xml", n), "delivered"
	var data []byte
	switch p := c.random.IntN(100); {
	case p < 5:
		kind, data = "failed", request("GMW", "", "BRODAEMON-ONGELDIG "+name)
	case p < 8:
		kind, data = "refused", request("GMW", "", "BRODAEMON-AFGEKEURD "+name)
	case p < 11:
		kind, data = "failed", append([]byte("<!-- "+name+" -->"), request("GMW", "", name)[:300]...)
	case p < 40:
		data = request("GMW", fmt.Sprintf("GMW%012d", 200001+c.random.IntN(400)), name)
	default:
		data = request("GMW", "", name)
	}
	c.docs[name], c.kinds[name] = data, kind
	c.put(name, data)
}

// putFile saves a file in one of the ways people's programs do.
func (c *campaign) putFile(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(c.dir, "inbox", name)
	if c.random.IntN(2) == 0 {
		write(t, path, data, 0o644)
		return
	}
	write(t, path+".tmp", data, 0o644)
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

// live runs the daemon once and kills it: mostly the program itself at any
// moment, else the test's daemon at a named point.
func (c *campaign) live(t *testing.T) {
	t.Helper()
	points := append(slices.Clone(deliver.CrashPoints), archive.CrashPoints...)
	point, wait := "", time.Duration(5+c.random.IntN(195))*time.Millisecond
	if c.random.IntN(5) == 0 {
		point = points[c.random.IntN(len(points))]
	}
	var out bytes.Buffer
	cmd := exec.Command(c.program, "--config", filepath.Join(c.dir, "config.yaml"), "run")
	if point != "" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd, wait = exec.Command(self), wait+500*time.Millisecond
		cmd.Env = append(os.Environ(), crashDir+"="+c.dir, fmt.Sprintf("%s=%s:%d", crashPoint, point, 1+c.random.IntN(3)))
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() }) // it may have ended by itself
	err := cmd.Wait()
	timer.Stop()
	var exit *exec.ExitError
	switch code := cmd.ProcessState.ExitCode(); {
	case err != nil && !errors.As(err, &exit):
		t.Fatal(err)
	case code == crashCode:
		c.atPoint[point]++
		c.kills++
	case code == 0 && point != "": // everything came to rest before the point
	case code == -1 || runtime.GOOS == "windows" && code == 1:
		c.kills++
	default:
		t.Fatalf("the daemon ended with %d: %s", code, out.String())
	}
	if _, err := os.Stat(filepath.Join(c.dir, "data", queue.FileName)); err == nil {
		for sha := range c.intended(t) {
			c.begun[sha] = true
		}
	}
}

// judge lets everything come to rest, counts, and holds the promises against it.
func (c *campaign) judge(t *testing.T) {
	t.Helper()
	c.peace.Store(true)
	c.portal.ClearFaults()
	t.Setenv(crashWait, *campaignWait)
	if code := c.run(t, ""); code != 0 {
		t.Fatalf("in the end the daemon ended with %d", code)
	}
	held := c.held(t)
	// a person looks in the portal and answers; a document that waited behind
	// another may come into doubt only then
	for range 20 {
		if c.resolve(t) == 0 {
			break
		}
		if code := c.run(t, ""); code != 0 {
			t.Fatalf("after the answers the daemon ended with %d", code)
		}
	}
	lost, doubled := 0, 0
	places := c.places(t)
	for name, data := range c.docs {
		sha := hashOf(data)
		submitted, at := c.portal.Submissions(sha), places[sha]
		if submitted > 1 {
			doubled++
			t.Errorf("%s was submitted %d times", name, submitted)
		}
		if len(at) != 1 {
			lost++
			t.Errorf("%s (%s) lies in %d places: %v", name, sha[:8], len(at), at)
			continue
		}
		place, _, _ := strings.Cut(at[0], "/")
		want := map[string]string{"delivered": "done 1", "refused": "failed 1", "failed": "failed 0"}[c.kinds[name]]
		if got := fmt.Sprintf("%s %d", place, submitted); got != want {
			t.Errorf("%s lies in %s, submitted %d times; want %s", name, place, submitted, want)
		}
	}
	c.noLeftovers(t)
	c.companions(t)
	c.soundQueue(t)
	met := 0
	for _, n := range c.atPoint {
		met += n
	}
	fmt.Printf("%s: %d documents, %d kills (%d at %d named points), %d lost, %d doubled, %d held as uncertain, %d submit answers spoiled by the portal\n",
		t.Name(), len(c.docs), c.kills, met, len(c.atPoint), lost, doubled, held, c.faulty.Load())
}

// companions: each receipt is whole and about the document beside it, each reason says something.
func (c *campaign) companions(t *testing.T) {
	t.Helper()
	for sha, paths := range c.places(t) {
		for _, at := range paths {
			path := filepath.Join(c.dir, "inbox", filepath.FromSlash(at))
			var receipt struct{ SHA256 string }
			if data, err := os.ReadFile(path + ".receipt.json"); err == nil {
				if err := json.Unmarshal(data, &receipt); err != nil || receipt.SHA256 != sha {
					t.Errorf("the receipt of %s is not whole: %v, %q", at, err, data)
				}
			}
			if info, err := os.Stat(path + ".reason.txt"); err == nil && info.Size() == 0 {
				t.Errorf("the reason of %s is empty", at)
			}
		}
	}
}

// held counts the documents that are held as uncertain, and wants an excuse for each.
func (c *campaign) held(t *testing.T) (n int) {
	t.Helper()
	unknown := 0
	for _, it := range c.items(t) {
		noAnswer := slices.ContainsFunc(it.History, func(e queue.Event) bool { return e.What == "submit-unknown" })
		if noAnswer {
			unknown++
		}
		if it.Hold != queue.HoldUncertain {
			continue
		}
		n++
		if it.Intent != queue.IntentSubmit {
			t.Errorf("%s is held as uncertain, but no intent to submit it is stored", it.File)
		}
		if !noAnswer && !c.begun[it.SHA256] {
			t.Errorf("%s is held as uncertain, but its answer was never lost", it.File)
		}
	}
	if spoiled := int(c.faulty.Load()); unknown > spoiled+c.kills {
		t.Errorf("%d submit answers are said to be unclear, but the portal spoiled only %d", unknown, spoiled)
	}
	return n
}

// resolve answers for every uncertain document as the portal's books say.
func (c *campaign) resolve(t *testing.T) (n int) {
	t.Helper()
	store, err := queue.Open(filepath.Join(c.dir, "data"), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	items, err := store.List(queue.Filter{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if !it.Uncertain() {
			continue
		}
		n++
		answer := queue.NotDelivered(time.Now())
		if d, found := c.portal.DeliveryByFilename(it.Filename); found {
			answer = queue.DeliverySubmitted(time.Now(), d.Identifier, "a person looked it up", time.Now())
		}
		if _, err := store.Apply(it.ID, answer); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (c *campaign) items(t *testing.T) []queue.Item {
	t.Helper()
	store, err := queue.Open(filepath.Join(c.dir, "data"), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	items, err := store.List(queue.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// soundQueue: the queue is whole, and it and the spool agree that nothing is left to do.
func (c *campaign) soundQueue(t *testing.T) {
	t.Helper()
	store, err := queue.Open(filepath.Join(c.dir, "data"), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, fault := range store.Check() {
		t.Errorf("queue: %v", fault)
	}
	open, err := store.List(queue.Filter{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range open {
		t.Errorf("%s is still %s, hold %q: %s", it.File, it.State, it.Hold, it.LastError+it.HoldReason)
	}
	spool, err := os.ReadDir(filepath.Join(c.dir, "data", queue.SpoolName))
	if err != nil {
		t.Fatal(err)
	}
	if len(spool) != len(open) {
		t.Errorf("%d files in the spool for %d open documents", len(spool), len(open))
	}
}
