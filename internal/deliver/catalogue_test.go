package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
)

// This file holds the Worker, with the real client and the real queue, against
// the sandbox, for every call and every way in which a portal can lie or be silent.

// against is a site whose portal is a sandbox.
type against struct {
	*site
	server *sandbox.Server
	line   *line
	secret *changing
	docs   map[string][]byte // saved, by file name
	// repeatable is how many submit calls may be made again, because it was clear that they did nothing
	// or because a person said so.
	repeatable int
}

// line is the network between the two. It keeps the hosts that were asked, and
// can rewrite answers, for what the sandbox has no fault.
type line struct {
	http.RoundTripper
	mu      sync.Mutex
	hosts   map[string]int
	rewrite func(*http.Request, *http.Response)
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.hosts[r.URL.Host]++
	rewrite := l.rewrite
	l.mu.Unlock()
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && rewrite != nil {
		rewrite(r, resp)
	}
	return resp, err
}

// changing is a token's secret that can be put right.
type changing struct {
	mu    sync.Mutex
	text  string
	count uint64
}

func (c *changing) set(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.count = text, c.count+1
}

func (c *changing) get() (secret.String, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return secret.New(c.text), nil
}

func (c *changing) version() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

const portalHost = "portal.example"

// newAgainst starts a site with a sandbox. adjust may change the sandbox's options.
func newAgainst(t *testing.T, adjust ...func(*sandbox.Options)) *against {
	t.Helper()
	o := sandbox.Default()
	o.LogSize = -1
	for _, change := range adjust {
		change(&o)
	}
	a := &against{server: sandbox.New(o), secret: &changing{text: sandbox.DefaultSecret}, docs: map[string][]byte{}}
	a.line = &line{RoundTripper: a.server.Transport(), hosts: map[string]int{}}
	a.site = newSite(t, func(o *Options) {
		o.Folders[0].Portal = a.client(t, sandbox.DefaultUsername, a.secret.get)
		o.Folders[0].SecretVersion = a.secret.version
	})
	return a
}

func (a *against) client(t *testing.T, username string, get func() (secret.String, error)) *portal.Client {
	t.Helper()
	c, err := portal.New(portal.Options{BaseURL: "https://" + portalHost, Username: username, Secret: get, Version: "test", Transport: a.line})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// saved saves a document about a new object.
func (a *against) saved(file string) { a.saveAs(file, wellDocument(file)) }

func (a *against) saveAs(file string, data []byte) {
	a.docs[file] = data
	a.save("zwolle", file, data)
}

func wellDocument(name string) []byte {
	return []byte(strings.ReplaceAll(string(newWell(name)), "GMW_GroundLevel", "GMW_Construction"))
}

// submissions is how many deliveries of a file's content the portal has.
func (a *against) submissions(file string) int {
	sum := sha256.Sum256(a.docs[file])
	return a.server.Submissions(hex.EncodeToString(sum[:]))
}

// settled checks what must hold for every document at the end of a cell.
func (a *against) settled(files ...string) {
	a.t.Helper()
	for _, file := range files {
		it := a.want(file, queue.Delivered, "")
		if n := a.submissions(file); n != 1 {
			a.t.Errorf("%s is at the portal %d times", file, n)
		}
		if it.Filed == "" {
			a.t.Errorf("%s is not filed: %s", file, it.LastError)
		}
	}
	a.sane()
}

// sane checks what must hold at any moment.
func (a *against) sane() {
	a.t.Helper()
	for file := range a.docs {
		if n := a.submissions(file); n > 1 {
			a.t.Errorf("%s is at the portal %d times", file, n)
		}
	}
	if a.exists("zwolle", "failed") {
		left, _ := os.ReadDir(filepath.Join(a.dir, "zwolle", "failed"))
		a.t.Errorf("failed/ holds %v", left)
	}
	a.line.mu.Lock()
	defer a.line.mu.Unlock()
	if len(a.line.hosts) > 1 {
		a.t.Errorf("other hosts were asked: %v", a.line.hosts)
	}
	if n := a.server.Count(sandbox.OpSubmit); n > len(a.docs)+a.repeatable {
		a.t.Errorf("%d submit calls for %d documents, of which %d may be repeated", n, len(a.docs), a.repeatable)
	}
}

// lie is one way of misbehaving, and what it makes of a submit call: clear (it
// is known that it did nothing, or what it did), made (the delivery is there,
// and its answer was lost), or doubt (it is not there, and the answer does not say so).
type lie struct {
	name  string
	fault sandbox.Fault
	after submitAfter
}

type submitAfter string

const (
	clear submitAfter = "clear"
	made  submitAfter = "made"
	doubt submitAfter = "doubt"
)

func lies() []lie {
	all := []lie{
		{"connection refused", sandbox.Fault{Kind: sandbox.Refuse}, clear},
		{"reset before", sandbox.Fault{Kind: sandbox.Reset}, doubt},
		{"dropped after", sandbox.Fault{Kind: sandbox.ProcessThenDrop}, made},
		{"time-out, not processed", sandbox.Fault{Kind: sandbox.Hang}, doubt},
		{"time-out while it is processed", sandbox.Fault{Kind: sandbox.HangThenProcess}, made},
		{"slow body", sandbox.Fault{Kind: sandbox.SlowBody, Delay: 2 * time.Second}, clear},
		{"body slower than the time-out", sandbox.Fault{Kind: sandbox.SlowBody, Delay: 2 * time.Minute}, clear},
		{"truncated body", sandbox.Fault{Kind: sandbox.TruncatedBody}, made},
		{"HTML with 200", sandbox.Fault{Kind: sandbox.HTMLPage}, doubt},
		{"broken JSON", sandbox.Fault{Kind: sandbox.BrokenJSON}, clear},
		{"redirect to another host", sandbox.Fault{Kind: sandbox.Redirect}, doubt},
		{"redirect to the same host", sandbox.Fault{Kind: sandbox.Redirect, Status: 307, Location: "https://" + portalHost + "/elders"}, doubt},
		{"Location missing", sandbox.Fault{Kind: sandbox.NoLocation}, made},
		{"Location relative", sandbox.Fault{Kind: sandbox.RelativeLocation}, clear},
		{"Location foreign", sandbox.Fault{Kind: sandbox.ForeignLocation}, made},
		{"429", sandbox.Fault{Kind: sandbox.Answer, Status: 429}, clear},
		{"429 with seconds", sandbox.Fault{Kind: sandbox.Answer, Status: 429, RetryAfter: 90 * time.Second}, clear},
		{"429 with a date", sandbox.Fault{Kind: sandbox.Answer, Status: 429, RetryAfter: 90 * time.Second, RetryAfterDate: true}, clear},
		{"408", sandbox.Fault{Kind: sandbox.Answer, Status: 408}, doubt},
		{"503 with Retry-After", sandbox.Fault{Kind: sandbox.Answer, Status: 503, RetryAfter: 10 * time.Minute}, doubt},
	}
	for _, status := range []int{500, 502, 503, 504} {
		all = append(all,
			lie{fmt.Sprintf("%d before", status), sandbox.Fault{Kind: sandbox.Answer, Status: status}, doubt},
			lie{fmt.Sprintf("%d after", status), sandbox.Fault{Kind: sandbox.ProcessThenAnswer, Status: status}, made})
	}
	return all
}

// call is one that the Worker makes for a document.
type call struct {
	name string
	op   sandbox.Op
	// lost: the document's submit call is answered by nothing, so that it is looked up.
	lost bool
}

var workerCalls = []call{
	{"validate", sandbox.OpValidate, false},
	{"open upload", sandbox.OpOpenUpload, false},
	{"add document", sandbox.OpAddDocument, false},
	{"submit", sandbox.OpSubmit, false},
	{"ask for outcome", sandbox.OpDelivery, false},
	{"look up in lists", sandbox.OpDeliveries, true},
	{"look up by number", sandbox.OpDelivery, true},
}

// TestCatalogueOfLies: every call × every lie, told once and told for six hours.
func TestCatalogueOfLies(t *testing.T) {
	for _, c := range workerCalls {
		for _, l := range lies() {
			t.Run(c.name+"/"+l.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { tell(t, c, l) })
			})
		}
	}
}

func tell(t *testing.T, c call, l lie) {
	a := newAgainst(t, func(o *sandbox.Options) { o.LogBodies = true })
	a.saved("before.xml") // so that a number is known
	a.pass(time.Minute)
	a.settled("before.xml")

	if c.op == sandbox.OpSubmit {
		a.repeatable = map[submitAfter]int{clear: 1000, doubt: 2}[l.after]
	}
	fault := l.fault
	fault.Op = c.op
	a.told(c, fault, "once.xml")
	a.pass(3 * time.Hour)

	fault.Times = -1
	before := len(a.server.Requests())
	remove := a.told(c, fault, "outage.xml")
	a.pass(6 * time.Hour)
	a.sane()
	// two in five minutes (an upload and its document), and those of the beginning
	if n := len(a.server.Requests()) - before; n > 2*6*12+60 {
		t.Errorf("%d requests in six hours", n)
	}
	remove()
	a.pass(3 * time.Hour)

	if c.op == sandbox.OpSubmit && l.after == doubt {
		a.restart()
		a.pass(48 * time.Hour)
		a.leftInDoubt("once.xml")
		a.leftInDoubt("outage.xml")
	}
	a.settled("before.xml", "once.xml", "outage.xml")
	requests := len(a.server.Requests())
	a.restart()
	a.pass(48 * time.Hour)
	a.settled("before.xml", "once.xml", "outage.xml")
	if n := len(a.server.Requests()) - requests; n > 0 {
		t.Errorf("%d requests for documents that are delivered", n)
	}
}

// told plants the fault and saves a document that meets it.
func (a *against) told(c call, fault sandbox.Fault, file string) (remove func()) {
	if c.lost {
		a.server.Inject(sandbox.Fault{Op: sandbox.OpSubmit, Kind: sandbox.ProcessThenDrop})
	}
	remove = a.server.Inject(fault)
	a.saved(file)
	return remove
}

// leftInDoubt checks that a document waits for a person, and gives that
// person's answer.
func (a *against) leftInDoubt(file string) {
	a.t.Helper()
	it := a.want(file, queue.Attached, queue.HoldUncertain)
	if n := a.submissions(file); n != 0 {
		a.t.Errorf("%s is at the portal %d times", file, n)
	}
	calls := a.server.Count(sandbox.OpSubmit)
	answered := time.Now()
	if _, err := a.worker.ResolveNotDelivered(it.ID); err != nil {
		a.t.Fatal(err)
	}
	a.pass(time.Hour)
	if n := a.server.Count(sandbox.OpSubmit) - calls; n != 1 {
		a.t.Errorf("after the person's answer it was submitted %d times", n)
	}
	it = a.item(file)
	if !slices.ContainsFunc(it.History, func(e queue.Event) bool {
		return e.What == "resolved" && e.At.Equal(answered.UTC()) && strings.Contains(e.Detail, "person")
	}) {
		a.t.Errorf("the timeline does not tell the person's answer of %s: %+v", answered, it.History)
	}
}
