package deliver

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
)

const (
	otherUsername = "3dce6fc98256|123456789|1300"
	otherSecret   = "8a4d0b1c2e3f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	otherProject  = 1300
)

// newPair is a site with two folders, each with a token and project of its own.
func newPair(t *testing.T, adjust ...func(*sandbox.Options)) *against {
	t.Helper()
	a := newAgainst(t, append([]func(*sandbox.Options){func(o *sandbox.Options) {
		o.Tokens = append(o.Tokens, sandbox.Token{Username: otherUsername, Secret: otherSecret, Kind: sandbox.DeliveryToken, Projects: []int{otherProject}})
		o.Projects = append(o.Projects, sandbox.Project{ID: otherProject, Name: "Assen", Owner: sandbox.DataOwner{KvK: "12345678"}})
	}}, adjust...)...)
	a.halt()
	other := a.folder("assen", "assen")
	other.Project = otherProject
	other.Portal = a.client(t, otherUsername, func() (secret.String, error) { return secret.New(otherSecret), nil })
	a.opts.Folders[0].SecretVersion = nil // looking at it every other second is most of what a synthetic day costs
	a.opts.Folders = append(a.opts.Folders, other)
	a.start()
	return a
}

// of counts the requests of a project since request number from.
func (a *against) of(project, from int) (n int) {
	for _, r := range a.server.Requests() {
		if r.Project == project && r.N > from {
			n++
		}
	}
	return n
}

func (a *against) lastRequest() int {
	all := a.server.Requests()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].N
}

// refusal is one way in which a token is refused, and how it is put right.
type refusal struct {
	name   string
	alter  func(*sandbox.Switches)
	refuse func(*sandbox.Server)
	mend   func(*against)
	// follows: what was delivered before can still be asked about.
	follows bool
	// validates: validating still works.
	validates bool
}

func refusals() []refusal {
	user, project := sandbox.DefaultUsername, sandbox.DefaultProject
	all := []refusal{
		{name: "token revoked", refuse: func(s *sandbox.Server) { s.RevokeToken(user) }, mend: func(a *against) { a.server.RestoreToken(user) }},
		{name: "secret changed at the portal", refuse: func(s *sandbox.Server) { s.ChangeSecret(user, "another") }, mend: func(a *against) { a.server.ChangeSecret(user, sandbox.DefaultSecret) }},
	}
	for _, status := range []int{401, 403, 404} {
		all = append(all, refusal{
			name: fmt.Sprintf("project closed, %d", status), alter: func(s *sandbox.Switches) { s.ClosedProject = status },
			refuse: func(s *sandbox.Server) { s.CloseProject(project) }, mend: func(a *against) { a.server.OpenProject(project) },
		})
	}
	for _, status := range []int{401, 403} {
		for _, what := range []sandbox.Choice{"", sandbox.WithdrawnAll} {
			all = append(all, refusal{
				name:   fmt.Sprintf("authorisation withdrawn (%s), %d", strings.ReplaceAll(string(what)+"deliver", "alldeliver", "all"), status),
				alter:  func(s *sandbox.Switches) { s.NoRight, s.Withdrawn = status, what },
				refuse: func(s *sandbox.Server) { s.WithdrawRight(user, project) },
				mend:   func(a *against) { a.server.GrantRight(user, project) }, follows: what == "", validates: what == "",
			})
		}
	}
	return all
}

// TestSignOn: every way of being refused × between every two calls of a
// document. The token pauses after its first refusal, burns no attempts, is
// tried seldom, and keeps nobody else waiting.
func TestSignOn(t *testing.T) {
	for _, r := range refusals() {
		for _, before := range []sandbox.Op{sandbox.OpValidate, sandbox.OpOpenUpload, sandbox.OpAddDocument, sandbox.OpSubmit, sandbox.OpDelivery} {
			t.Run(r.name+"/before "+string(before), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { refuseBefore(t, r, before) })
			})
		}
	}
}

func refuseBefore(t *testing.T, r refusal, before sandbox.Op) {
	var a *against
	refused := 0
	a = newPair(t, func(o *sandbox.Options) {
		if r.alter != nil {
			r.alter(&o.Switches)
		}
		o.HoldBefore, o.HoldFor = "VASTSTELLEN", 10*time.Minute
		o.OnRequest = func(op sandbox.Op, _ int) {
			if op == before && refused == 0 {
				refused = a.server.Count(sandbox.OpValidate) + 1
				r.refuse(a.server)
			}
		}
	})
	a.repeatable = 40 // a refusal is a clear answer
	a.saved("first.xml")
	a.pass(time.Minute)
	if refused == 0 {
		t.Fatal("the token was not refused")
	}
	from := a.lastRequest()
	for i := range 4 {
		a.saved(fmt.Sprintf("%d.xml", i))
		a.docs["assen"+fmt.Sprint(i)] = wellDocument(fmt.Sprint("assen", i))
		a.save("assen", fmt.Sprintf("%d.xml", i), wellDocument(fmt.Sprint("assen", i)))
	}
	a.pass(24 * time.Hour)
	a.sane()
	for i := range 4 { // others are not concerned
		if it, found, err := a.store.BySource("assen", fmt.Sprintf("%d.xml", i)); err != nil || !found || it.State != queue.Delivered {
			t.Errorf("document %d of the other token is %s (%v)", i, it.State, err)
		}
	}
	files := []string{"first.xml"}
	for i := range 4 {
		file := fmt.Sprintf("%d.xml", i)
		files = append(files, file)
		if it := a.item(file); it.Attempts != 0 || it.Hold != "" || it.State.End() || it.Delivery != nil {
			t.Errorf("%s: %d attempts, %s, hold %q", file, it.Attempts, it.State, it.Hold)
		}
	}
	// a 404 to an upload may be said of that upload, so it is left alone; the next call shows that the project is meant
	if it := a.item("first.xml"); it.Attempts > 1 || it.Attempts == 1 && !strings.HasSuffix(r.name, "404") {
		t.Errorf("the first one used up %d attempts: %s", it.Attempts, it.LastError)
	}
	status := a.worker.Status()
	if status[0].TokenPause == nil || status[1].TokenPause != nil || status[0].PortalPause != nil {
		t.Errorf("status is %+v", status)
	}
	// after half a minute, one, two … an hour: some thirty probes in a day; twice as many where each right is found out
	// about by itself, and one validation of each document where that is still allowed
	bound := 31
	if strings.HasSuffix(r.name, "403") || strings.HasSuffix(r.name, "404") || r.validates {
		bound = 2 * 31
	}
	if n := a.of(sandbox.DefaultProject, from); n > bound+4 {
		t.Errorf("%d requests for the refused token in a day", n)
	}
	if r.follows && before == sandbox.OpDelivery {
		a.want("first.xml", queue.Delivered, "")
	}
	r.mend(a)
	a.pass(75 * time.Minute) // at the latest after the longest interval, by itself
	if p := a.worker.Status()[0].TokenPause; p != nil {
		t.Errorf("it is still paused: %+v", p)
	}
	a.pass(time.Hour)
	a.settled(files...)
}

// TestPauseEndsAtOnce: after a changed secret, and after `queue retry --all`.
func TestPauseEndsAtOnce(t *testing.T) {
	for name, mend := range map[string]func(*against){
		"secret changed": func(a *against) { a.secret.set("the new one") },
		"retry --all": func(a *against) {
			a.server.ChangeSecret(sandbox.DefaultUsername, "a wrong one")
			if n, err := a.worker.RetryAll("", ""); err != nil || n != 20 {
				a.t.Errorf("retried %d, %v", n, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgainst(t)
				a.server.ChangeSecret(sandbox.DefaultUsername, "the new one")
				var files []string
				for i := range 20 {
					files = append(files, fmt.Sprintf("%d.xml", i))
					a.saved(files[i])
				}
				a.pass(36 * time.Hour)
				a.secret.set("a wrong one") // tried once, and at once
				before := len(a.server.Requests())
				a.pass(10 * time.Second)
				if n := len(a.server.Requests()) - before; n != 1 {
					t.Errorf("a changed secret that is wrong led to %d requests", n)
				}
				a.pass(20 * time.Minute)
				mend(a)
				a.pass(30 * time.Second)
				a.settled(files...)
			})
		})
	}
}

// TestMissingSecret: nothing is sent without one, and its coming is noticed.
func TestMissingSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t)
		a.secret.set("")
		a.saved("a.xml")
		a.pass(24 * time.Hour)
		if n := len(a.server.Requests()); n != 0 {
			t.Errorf("%d requests without a secret", n)
		}
		if it := a.want("a.xml", queue.Queued, ""); it.Attempts != 0 || a.worker.Status()[0].TokenPause == nil {
			t.Errorf("%d attempts, %+v", it.Attempts, a.worker.Status()[0])
		}
		a.secret.set(sandbox.DefaultSecret)
		a.pass(30 * time.Second)
		a.settled("a.xml")
	})
}

// TestNoRightToDeliver: a token that may follow and not upload asks for each
// delivery's outcome, and tries to deliver seldom, whatever it has to follow.
func TestNoRightToDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t, func(o *sandbox.Options) { o.HoldBefore, o.HoldFor = "CONTROLEREN", 6*time.Hour })
		var before, after []string
		for i := range 20 {
			before = append(before, fmt.Sprintf("before-%d.xml", i))
			a.saved(before[i])
		}
		a.pass(time.Minute)
		a.server.WithdrawRight(sandbox.DefaultUsername, sandbox.DefaultProject)
		for i := range 50 {
			after = append(after, fmt.Sprintf("after-%d.xml", i))
			a.saved(after[i])
		}
		uploads, validations := a.server.Count(sandbox.OpOpenUpload), a.server.Count(sandbox.OpValidate)
		a.pass(24 * time.Hour)
		a.settled(before...)
		if n := a.server.Count(sandbox.OpOpenUpload) - uploads; n < 24 || n > 40 {
			t.Errorf("%d uploads were tried in a day", n)
		}
		if n := a.server.Count(sandbox.OpValidate) - validations; n > 50 {
			t.Errorf("%d validations", n)
		}
		if p := a.worker.Status()[0].TokenPause; p == nil || p.Only != PausedDelivering || !strings.Contains(p.Reason, "no right") {
			t.Errorf("the pause is %+v", p)
		}
		a.server.GrantRight(sandbox.DefaultUsername, sandbox.DefaultProject)
		a.pass(12 * time.Hour)
		a.settled(append(before, after...)...)
	})
}

// TestListsRefused: a token that may not list deliveries is not paused for it.
func TestListsRefused(t *testing.T) {
	for _, status := range []int{401, 403} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgainst(t, func(o *sandbox.Options) { o.ListRight, o.NoRight = sandbox.EnrichmentOnly, status })
				a.server.Inject(sandbox.Fault{Op: sandbox.OpSubmit, Kind: sandbox.ProcessThenDrop})
				a.saved("a.xml")
				a.pass(time.Hour)
				it := a.want("a.xml", queue.Attached, queue.HoldUncertain)
				if !strings.Contains(it.HoldReason, "list deliveries") {
					t.Errorf("held because %q", it.HoldReason)
				}
				if p := a.worker.Status()[0]; p.TokenPause != nil || p.PortalPause != nil {
					t.Errorf("paused: %+v", p)
				}
				a.saved("b.xml")
				a.pass(time.Minute)
				a.settled("b.xml")
			})
		})
	}
}

// TestAccess follows one pause through what is learned about it.
func TestAccess(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	no := func(op portal.Op, status int) *portal.Error {
		return &portal.Error{Op: op, StatusCode: status, Kind: portal.Unauthorized}
	}
	a := newAccess(func(d time.Duration) time.Duration { return d })
	a.retime(testPolicy.First, testPolicy.Max)
	may := func(e errand) bool {
		ok, _ := a.enter(now, e)
		if ok {
			a.leave(e)
		}
		return ok
	}
	if !a.deny(now, portal.OpOpenUpload, no(portal.OpOpenUpload, 401), 0) || may(bring) || may(ask) {
		t.Fatal("401 does not pause everything")
	}
	if a.allowed(now, portal.OpDelivery); !may(ask) {
		t.Error("a delivery was shown, but following is still paused")
	}
	if p := a.state(); p == nil || p.Only != PausedDelivering {
		t.Errorf("the pause is %+v", p)
	}
	ok, _ := a.enter(now, bring)
	if !ok {
		t.Fatal("nobody may find out whether delivering works")
	}
	a.allowed(now, portal.OpValidate)
	if a.deny(now, portal.OpOpenUpload, no(portal.OpOpenUpload, 401), 0) || may(bring) || !may(ask) {
		t.Error("a second refusal of delivering is news, or pauses the wrong thing")
	}
	now = now.Add(time.Minute)
	if ok, _ = a.enter(now, bring); !ok {
		t.Error("it is not tried again")
	}
	if paused := a.allowed(now, portal.OpAddSourceDocument); paused == 0 || a.state() != nil {
		t.Errorf("an upload took a document, and the pause is %+v", a.state())
	}
}
