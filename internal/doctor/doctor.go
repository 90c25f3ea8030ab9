// Package doctor looks whether everything that brodaemon needs is as it should
// be, and says of what is not what to do about it: the account, the data folder,
// the running daemon, each watched folder, each portal, each token.
//
// What it promises:
//
//   - It leaves things as they were. In a folder it makes, renames, moves and
//     removes files of its own, whose names no watcher ever takes
//     (.brodaemon-doctor-…); it never touches a document, opens the queue for
//     reading only, and submits nothing. What a killed doctor left is cleared
//     away by a later one.
//   - It ends. Every step has a time limit; a share or a portal that does not
//     answer is a finding, and does not hold up the others.
//   - It shows no secret.
//
// What it can't do: see with another account's eyes. Rights, shares, proxies and
// credentials may differ for the service, so it says which account it ran under,
// and `doctor --as-service` insists on the right one.
//
// [FindRights] is for `token test`, too.
package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"brodaemon/internal/account"
	"brodaemon/internal/portal"
	"brodaemon/internal/secret"
)

// Options say what is to be checked. Only Language may be empty.
type Options struct {
	Language string // nl or en
	Version  string
	File     string // the configuration, which was found good
	DataDir  string
	// CheckDisk says why a data folder is not on a local disk.
	CheckDisk   func(path string) error
	Folders     []Folder
	Portals     []Portal
	Tokens      []Token
	SecretFiles []SecretFile // other than the tokens'
	Page        string       // address of the status page, "" for none
	// Offline leaves out what needs the network beyond the folders.
	Offline bool
	// AsService makes it a fault to run under another account than the service's,
	// and says what a share sees of it.
	AsService bool
	// Limit is the time that each step may take; 0 is ten seconds.
	Limit time.Duration
}

// Folder is a watched folder.
type Folder struct {
	Name, Path, DoneDir, FailedDir string
	Poll                           bool // as configured
}

// Portal is a portal, or the same one by other settings.
type Portal struct {
	Address     string // without a path
	Environment string
	CAFile      string
	Registry    string // public services, "" for none
}

// Token is a token and what it is used for.
type Token struct {
	Name   string
	Source secret.Source
	Uses   []Use
}

// Use is one project at one portal that a token is used for; project 0 is none.
type Use struct {
	Folders  []string // that deliver with it, may be none
	Enriches []string // folders that add companion files with it, may be none
	Project  portal.ProjectID
	Address  string
	Client   func() (TokenPortal, error)
}

// SecretFile is a password file that the configuration names.
type SecretFile struct{ Field, Path string }

// Group is what belongs together under one heading.
type Group struct {
	Title   string   `json:"title"`
	Results []Result `json:"results"`
}

// Result is one line of the report.
type Result struct {
	Check   string `json:"check"`   // a fixed word, such as folder.read
	Subject string `json:"subject"` // name of the folder or token, a path, an address
	OK      bool   `json:"ok"`
	Text    string `json:"text"`   // what was found
	Remedy  string `json:"remedy"` // what to do; beside OK it is advice, or empty
	Label   string `json:"-"`      // the check in words
}

// limit is what each step may take unless the Options say otherwise.
const limit = 10 * time.Second

// skewTolerance is how far two clocks may be apart. Sign-on to file servers
// (Kerberos) fails at five minutes; a machine that keeps time is within seconds.
const skewTolerance = 2 * time.Minute

// checker is one run.
type checker struct {
	o      Options
	lang   language
	daemon daemonState

	mu     sync.Mutex
	memory queueState // guarded by mu: a check that was given up on may still write it
}

func (c *checker) remember(m queueState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.memory = m
}

func (c *checker) remembered() queueState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory
}

// checkConfig repeats what loading it has shown already, so that the report is whole.
func (c *checker) checkConfig(t *track) {
	t.ok("config.file", "config.good", len(c.o.Folders), len(c.o.Tokens))
}

// Run checks everything and returns the groups in a fixed order. It ends early
// with what it has when ctx ends.
func Run(ctx context.Context, o Options) []Group {
	if o.Limit == 0 {
		o.Limit = limit
	}
	c := &checker{o: o, lang: languageOf(o.Language)}
	c.daemon = askDaemon(ctx, o.DataDir, o.Limit)
	first := []Group{c.group(ctx, "config", o.File, c.checkConfig)}
	data := c.group(ctx, "data", o.DataDir, c.checkData) // the folders' checks need what it reads of the queue

	type job struct {
		heading, subject string
		work             func(*track)
	}
	me, _ := account.Current() // its failure is a finding
	jobs := []job{{"account", line(me.String()), c.checkAccount}, {"daemon", o.DataDir, c.checkDaemon}}
	for _, f := range o.Folders {
		jobs = append(jobs, job{"folder", f.Name, func(t *track) { c.checkFolder(t, f) }})
	}
	if !o.Offline {
		for _, p := range o.Portals {
			jobs = append(jobs, job{"portal", p.Address, func(t *track) { c.checkPortal(t, p) }})
		}
	}
	for _, tok := range o.Tokens {
		jobs = append(jobs, job{"token", tok.Name, func(t *track) { c.checkToken(t, tok) }})
	}
	groups := make([]Group, len(jobs))
	var wg sync.WaitGroup
	for i, j := range jobs {
		wg.Go(func() { groups[i] = c.group(ctx, j.heading, j.subject, j.work) })
	}
	wg.Wait()
	return append(append(first, groups[0], data), groups[1:]...)
}

// track is how the goroutine that does the checks of a group reports. Once it
// is given up on nobody listens any more, and all it has to do is clean up.
type track struct {
	ctx     context.Context
	c       *checker
	subject string
	events  chan event
	gone    chan struct{} // closed when it is given up on
}

type event struct {
	result *Result
	doing  string // the check that begins
	limit  time.Duration
}

func (t *track) send(e event) {
	select {
	case t.events <- e:
	case <-t.gone:
	}
}

// over says that nobody waits for more.
func (t *track) over() bool {
	select {
	case <-t.gone:
		return true
	default:
		return t.ctx.Err() != nil
	}
}

// begin names the check that comes, for when it does not return.
func (t *track) begin(check string) { t.send(event{doing: check}) }

// beginWithin is begin for a check with a time limit of its own, which it should
// have kept by itself long before ours.
func (t *track) beginWithin(check string, d time.Duration) {
	t.send(event{doing: check, limit: d + 2*time.Second})
}

// ok, note and wrong report a check; key is that of the text, args go into it.
func (t *track) ok(check, key string, args ...any) { t.report(check, true, key, "", args) }

// note is fine, with advice under the key remedy.
func (t *track) note(check, key, remedy string, args ...any) {
	t.report(check, true, key, remedy, args)
}

func (t *track) wrong(check, key, remedy string, args ...any) {
	t.report(check, false, key, remedy, args)
}

// report fills in the texts. The remedy takes the same args as the text, by
// their numbers.
func (t *track) report(check string, fine bool, key, remedy string, args []any) {
	r := &Result{Check: check, Subject: t.subject, OK: fine, Label: t.c.lang.text("check." + check), Text: t.c.lang.text(key, args...)}
	if remedy != "" {
		r.Remedy = t.c.lang.text(remedy, args...)
	}
	t.send(event{result: r})
}

// group runs the checks of one heading in a goroutine of their own, and gives up
// on it when a step takes longer than it may.
func (c *checker) group(ctx context.Context, heading, subject string, work func(*track)) Group {
	g := Group{Title: c.lang.text("group."+heading, subject), Results: []Result{}}
	t := &track{ctx: ctx, c: c, subject: subject, events: make(chan event), gone: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(t)
	}()
	doing, may := heading, c.o.Limit
	clock := time.NewTimer(may)
	defer clock.Stop()
	for {
		select {
		case e := <-t.events:
			if e.result != nil {
				g.Results = append(g.Results, *e.result)
			}
			if e.doing != "" {
				doing, may = e.doing, max(e.limit, c.o.Limit)
			}
			clock.Reset(may)
		case <-done:
			return g
		case <-clock.C:
			close(t.gone)
			g.Results = append(g.Results, Result{
				Check: doing, Subject: subject, Label: c.lang.text("check." + doing),
				Text: c.lang.text("no-answer", may), Remedy: c.lang.text("no-answer.fix"),
			})
			return g
		}
	}
}

// AllWell says whether nothing is wrong.
func AllWell(groups []Group) bool {
	for _, g := range groups {
		for _, r := range g.Results {
			if !r.OK {
				return false
			}
		}
	}
	return true
}

// plain is an error's text on one line.
func plain(err error) string { return line(fmt.Sprint(err)) }
