package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// things are how things stand.
type things struct {
	conditions []Condition
	digest     Digest
	since      []time.Time
	err        error
}

func (s *things) Conditions() ([]Condition, error) { return s.conditions, s.err }
func (s *things) Digest(since time.Time) (Digest, error) {
	s.since = append(s.since, since)
	return s.digest, s.err
}

// setup is a Notifier whose messages stay in its outbox: nothing is sent by look.
func setup(t *testing.T, s *things, adjust func(*Options)) *Notifier {
	t.Helper()
	o := Options{
		Webhook: Webhook{URL: "http://127.0.0.1:1"}, DigestAt: "07:00", Language: "en", Host: "server",
		Mail: Mail{To: []string{"office@example.org"}}, Source: s, StateFile: filepath.Join(t.TempDir(), "notify.json"),
	}
	if adjust != nil {
		adjust(&o)
	}
	return New(o)
}

// pass looks every minute, as Run does.
func pass(n *Notifier, d time.Duration) {
	for range d / lookEvery {
		n.look(time.Now())
		time.Sleep(lookEvery) // in the bubble
	}
}

func kinds(n *Notifier) (all []Kind) {
	for _, m := range n.state.Outbox {
		all = append(all, m.Kind)
	}
	return all
}

var offline = Condition{Code: "folder-offline", Subject: "zwolle", Text: "folder zwolle can't be read", Hint: "check the server"}

func TestAlertsAndRecoveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &things{}
		n := setup(t, s, func(o *Options) { o.DigestAt = "" })

		s.conditions = []Condition{offline}
		pass(n, 3*time.Minute)
		s.conditions = nil
		pass(n, time.Hour)
		if got := kinds(n); len(got) != 0 {
			t.Fatalf("a short one was told: %v", got)
		}

		held := Condition{Code: "held-duplicate", Text: "1 document"}
		s.conditions = []Condition{offline, held}
		pass(n, 6*time.Hour)
		if got := kinds(n); !slices.Equal(got, []Kind{KindAlert}) {
			t.Fatalf("two that last: told %v", got)
		}
		text := n.state.Outbox[0].Text
		for _, want := range []string{offline.Text, offline.Hint, held.Text} {
			if !strings.Contains(text, want) {
				t.Errorf("the alert lacks %q:\n%s", want, text)
			}
		}

		// over for a moment only: it is the same one
		s.conditions = []Condition{held}
		pass(n, 2*time.Minute)
		s.conditions = []Condition{offline, held}
		pass(n, time.Hour)
		if got := kinds(n); len(got) != 1 {
			t.Fatalf("one that flickers: told %v", got)
		}

		// a restart repeats nothing
		n = New(n.o)
		pass(n, time.Hour)
		if got := kinds(n); len(got) != 1 {
			t.Fatalf("after a restart: told %v", got)
		}

		s.conditions = nil
		pass(n, time.Hour)
		if got := kinds(n); !slices.Equal(got, []Kind{KindAlert, KindRecovery}) {
			t.Fatalf("when all is over: told %v", got)
		}
		if last := n.state.Outbox[1]; len(last.Conditions) != 2 {
			t.Errorf("the recovery is about %v", last.Conditions)
		}
	})
}

func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &things{digest: Digest{Folders: []Folder{
			{Name: "zwolle", Environment: "demo", Delivered: 12, Failed: []Document{{"put\x1b[31m.xml", "not valid"}}, To: []string{"zwolle@example.org"}},
			{Name: "assen", Environment: "demo", Waiting: 3},
		}}}
		n := setup(t, s, nil)
		began := time.Now()
		pass(n, 3*24*time.Hour)
		if len(s.since) != 3 && len(s.since) != 2 {
			t.Fatalf("%d digests in three days", len(s.since))
		}
		if !s.since[0].Equal(began) || s.since[1].Sub(s.since[0]) > 24*time.Hour+time.Minute {
			t.Errorf("they are since %v; begun at %v", s.since, began)
		}
		whole, part := n.state.Outbox[0], n.state.Outbox[1]
		if !strings.Contains(whole.Subject, "12 delivered, 1 failed, 3 under way") || !strings.Contains(whole.Text, "assen") {
			t.Errorf("the digest is %q:\n%s", whole.Subject, whole.Text)
		}
		if strings.ContainsRune(whole.Text, '\x1b') {
			t.Error("a file's name brought a control character into the text")
		}
		if !slices.Equal(part.To, []string{"zwolle@example.org"}) || !part.NoPost || strings.Contains(part.Text, "assen") || !strings.Contains(part.Text, "zwolle") {
			t.Errorf("the folder's part goes to %v (post: %t):\n%s", part.To, !part.NoPost, part.Text)
		}

		// not running at the time of the digest: it comes at the next start, once
		n = New(n.o)
		before := len(s.since)
		time.Sleep(30 * time.Hour)
		pass(n, time.Hour)
		if len(s.since) != before+1 {
			t.Errorf("%d digests after a day without the daemon", len(s.since)-before)
		}
	})
}

func TestDigestThatCannotBeMadeComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &things{}
		n := setup(t, s, nil)
		pass(n, time.Hour)
		s.err = errors.New("the queue can't be read")
		pass(n, 48*time.Hour)
		if got := kinds(n); len(got) != 0 {
			t.Fatalf("told %v", got)
		}
		s.err = nil
		pass(n, 2*time.Minute)
		if got := kinds(n); !slices.Equal(got, []Kind{KindDigest}) {
			t.Errorf("told %v", got)
		}
	})
}

// server is a mail server that keeps what it gets.
type server struct {
	mu      sync.Mutex
	refuse  bool
	letters []string
	to      []string
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }

type session struct {
	s  *server
	to []string
}

func (c *session) AuthMechanisms() []string                  { return []string{sasl.Plain} }
func (c *session) Auth(string) (sasl.Server, error)          { return nil, errors.New("not offered") }
func (c *session) Mail(string, *smtp.MailOptions) error      { return nil }
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error { c.to = append(c.to, to); return nil }
func (c *session) Reset()                                    {}
func (c *session) Logout() error                             { return nil }
func (c *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.refuse {
		return &smtp.SMTPError{Code: 451, Message: "later"}
	}
	c.s.letters, c.s.to = append(c.s.letters, string(data)), append(c.s.to, c.to...)
	return err
}

func startMailServer(t *testing.T) (*server, int) {
	t.Helper()
	s := &server{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(s)
	srv.Domain, srv.AllowInsecureAuth = "localhost", true
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-ended })
	return s, l.Addr().(*net.TCPAddr).Port
}

// TestSend: each way is used once, also when the other fails and is tried again.
func TestSend(t *testing.T) {
	letters, port := startMailServer(t)
	letters.refuse = true
	var posted []map[string]any
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]any
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		posted = append(posted, m)
	}))
	defer hook.Close()
	n := New(Options{
		Mail:    Mail{Host: "127.0.0.1", Port: port, From: "brodaemon@example.org", To: []string{"office@example.org"}},
		Webhook: Webhook{URL: hook.URL}, Language: "nl", Host: "server", StateFile: filepath.Join(t.TempDir(), "notify.json"),
	})
	n.state.put(n.message(KindAlert, []Condition{{Code: "x", Text: "Map Zwolle is niet bereikbaar – €"}}, time.Now()))
	n.send(t.Context())
	if f := n.Failing(); f == nil || !strings.Contains(f.Text, "451") || f.N != 1 {
		t.Errorf("a mail server that refuses is %+v", f)
	}
	letters.mu.Lock()
	letters.refuse = false
	letters.mu.Unlock()
	n.send(t.Context())
	if len(letters.letters) != 0 {
		t.Error("it was tried again at once")
	}
	n = New(n.o) // the outbox outlives a restart
	if len(n.state.Outbox) != 1 {
		t.Fatalf("%d messages wait after a restart", len(n.state.Outbox))
	}
	n.state.Outbox[0].Next = time.Time{}
	n.send(t.Context())
	if f := n.Failing(); f != nil || len(n.state.Outbox) != 0 {
		t.Errorf("it is still failing: %+v, %d messages wait", f, len(n.state.Outbox))
	}
	if len(letters.letters) != 1 || !slices.Equal(letters.to, []string{"office@example.org"}) || !strings.Contains(letters.letters[0], "Auto-Submitted: auto-generated") {
		t.Errorf("mailed %d times, to %v:\n%s", len(letters.letters), letters.to, strings.Join(letters.letters, "\n"))
	}
	if len(posted) != 1 || posted[0]["kind"] != "alert" || !strings.Contains(posted[0]["text"].(string), "€") {
		t.Errorf("posted %v", posted)
	}
}

// TestSecretsStaySecret: neither the password nor the webhook's address is in an error.
func TestSecretsStaySecret(t *testing.T) {
	_, port := startMailServer(t)
	hook := httptest.NewServer(http.NotFoundHandler())
	o := Options{
		Mail:    Mail{Host: "127.0.0.1", Port: port, Username: "u", Password: func() (string, error) { return "hush-hush", nil }, From: "a@example.org", To: []string{"b@example.org"}},
		Webhook: Webhook{URL: hook.URL + "/T00/hush-hush"},
	}
	for round := range 2 {
		for way, err := range Test(context.Background(), o) {
			if err == nil || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %v", way, err)
			}
		}
		if round == 0 {
			hook.Close() // then nobody answers
		}
	}
}

func TestStateThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notify.json")
	for _, text := range []string{"", "{", "[]", `{"told":null}`, "\x00\x00"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n := New(Options{StateFile: file})
		n.state.put(Message{Subject: "x"})
		n.state.Told["a"] = Condition{Code: "a"}
		if err := n.state.write(file); err != nil {
			t.Fatal(err)
		}
		if again := New(Options{StateFile: file}); len(again.state.Outbox) != 1 || len(again.state.Told) != 1 {
			t.Errorf("after %q: %+v", text, again.state)
		}
	}
}

func TestOutboxIsBounded(t *testing.T) {
	var s state
	for i := range 3 * outboxMax {
		s.put(Message{Tries: i})
	}
	if len(s.Outbox) != outboxMax || s.Outbox[outboxMax-1].Tries != 3*outboxMax-1 {
		t.Errorf("%d messages, the last is %d", len(s.Outbox), s.Outbox[len(s.Outbox)-1].Tries)
	}
}
