// Package notify tells people what they should know: by mail, and as JSON to a
// webhook.
//
// It sends three kinds of message. An alert, when something that needs a person
// (a [Condition]) has lasted for some minutes; conditions that come together are
// told in one message, each once. A recovery, when what was told is over. And a
// digest, once a day at a fixed time, which also comes when there is nothing to
// tell: silence would say the same as a daemon that no longer runs.
//
// Promises: what was told is remembered in a file, so a restart repeats nothing
// and forgets nothing; a message that can't be sent is tried again with growing
// waits until it is, or until it is a week old; a server that does not answer
// delays nothing else. Secrets and the webhook's address (often itself a secret)
// appear in no error.
//
// What it does not do: it does not know what a document or a queue is. A
// [Source] says how things stand.
package notify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Kind says what a message is for.
type Kind string

// The kinds of message.
const (
	KindAlert    Kind = "alert"
	KindRecovery Kind = "recovery"
	KindDigest   Kind = "digest"
	KindTest     Kind = "test"
)

// Condition is something a person should know. Code and Subject together are its identity.
type Condition struct {
	Code    string    `json:"code"`
	Subject string    `json:"subject,omitempty"`
	Text    string    `json:"text"` // a sentence in the configured language
	Hint    string    `json:"hint,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

func (c Condition) key() string { return c.Code + " " + c.Subject }

// Document is one document that a digest names.
type Document struct{ File, Why string }

// Folder is a folder's part of a digest.
type Folder struct {
	Name, Environment string
	To                []string // who gets this folder's part alone
	Delivered         int
	Failed            []Document // went to failed/ since the last digest
	Held              []Document // wait for a person
	Waiting           int        // under way
	Ignored           []Document // lie there and are never taken
	Offline           string     // why it can't be read now; "" = it can
}

// Digest is what happened in a time, and how things stand at its end.
type Digest struct {
	From, To   time.Time
	Folders    []Folder
	Conditions []Condition
}

// Source says how things stand. It is asked from one goroutine.
type Source interface {
	Conditions() ([]Condition, error)
	// Digest tells what happened since a moment.
	Digest(since time.Time) (Digest, error)
}

// Options are what a Notifier is made of.
type Options struct {
	Mail    Mail    // an empty Host is no mail
	Webhook Webhook // an empty URL is none
	// DigestAt is the time of day of the digest in hours and minutes, HH:MM local time; "" = no digest.
	DigestAt string
	Language string // nl or en
	Host     string // this machine's name, for the subject
	Source   Source
	// StateFile remembers what was told and what is still to be sent.
	StateFile string
	Logger    *zap.Logger // nil = none
}

const (
	lookEvery = time.Minute
	patience  = 5 * time.Minute // a condition that lasts no longer is told to nobody
	firstWait = time.Minute     // after a message could not be sent
	longest   = time.Hour
	tooOld    = 7 * 24 * time.Hour
	outboxMax = 100
)

// Notifier tells people. Make it with New.
type Notifier struct {
	o       Options
	log     *zap.Logger
	seen    map[string]time.Time // condition → first look that met it
	missing map[string]time.Time // told condition → first look that did not meet it

	mu      sync.Mutex
	state   state // only Run's goroutine writes it
	failing *Trouble
}

// Trouble says that messages can't be sent.
type Trouble struct {
	Since time.Time
	Text  string
	N     int // messages that wait
}

// New makes a Notifier. It reads what an earlier one left.
func New(o Options) *Notifier {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	n := &Notifier{o: o, log: o.Logger.Named("notify"), seen: map[string]time.Time{}, missing: map[string]time.Time{}}
	var err error
	if n.state, err = readState(o.StateFile); err != nil {
		n.log.Warn("what was told before is not known; it may be told again", zap.Error(err))
	}
	return n
}

// Wanted reports whether anybody is to be told anything.
func (o Options) Wanted() bool { return o.Mail.Host != "" || o.Webhook.URL != "" }

// Failing is nil while messages can be sent.
func (n *Notifier) Failing() *Trouble {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failing == nil {
		return nil
	}
	t := *n.failing
	return &t
}

// Run works until ctx ends, and returns nil then. Trouble with a server never ends it.
func (n *Notifier) Run(ctx context.Context) error {
	if !n.o.Wanted() {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		n.look(time.Now())
		n.send(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look puts into the outbox what is to be told now.
func (n *Notifier) look(now time.Time) {
	n.mu.Lock()
	next := n.state.clone()
	n.mu.Unlock()
	if conditions, err := n.o.Source.Conditions(); err != nil {
		n.log.Warn("how things stand is not known now", zap.Error(err))
	} else {
		n.compare(&next, conditions, now)
	}
	if n.digestDue(&next, now) {
		if d, err := n.o.Source.Digest(next.Digest); err != nil {
			n.log.Warn("the digest can't be made now", zap.Error(err))
		} else {
			d.From, d.To = next.Digest, now
			next.put(n.digests(d, now)...)
			next.Digest = now
		}
	}
	n.keep(next)
}

// compare finds which conditions began and ended.
func (n *Notifier) compare(s *state, conditions []Condition, now time.Time) {
	present := map[string]bool{}
	var began, ended []Condition
	for _, c := range conditions {
		key := c.key()
		present[key] = true
		delete(n.missing, key)
		if _, met := n.seen[key]; !met {
			n.seen[key] = now
		}
		_, told := s.Told[key]
		if !told && now.Sub(n.seen[key]) >= patience {
			began = append(began, c)
			s.Told[key] = c
		}
	}
	for key := range n.seen {
		if !present[key] {
			delete(n.seen, key)
		}
	}
	for key, c := range s.Told {
		if present[key] {
			continue
		}
		if _, known := n.missing[key]; !known {
			n.missing[key] = now // one that comes back at once was never over
		}
		if now.Sub(n.missing[key]) >= patience {
			ended = append(ended, c)
			delete(s.Told, key)
			delete(n.missing, key)
		}
	}
	if len(began) > 0 {
		s.put(n.message(KindAlert, began, now))
	}
	if len(ended) > 0 {
		slices.SortFunc(ended, func(a, b Condition) int { return a.Since.Compare(b.Since) })
		s.put(n.message(KindRecovery, ended, now))
	}
}

// digestDue reports whether the time of day of the digest has passed since the
// last one, also while the daemon did not run. The very first is a day after the first start.
func (n *Notifier) digestDue(s *state, now time.Time) bool {
	if n.o.DigestAt == "" {
		return false
	}
	if s.Digest.IsZero() {
		s.Digest = now
		return false
	}
	at, err := time.ParseInLocation("15:04", n.o.DigestAt, time.Local)
	if err != nil {
		return false // it was checked
	}
	local := now.In(time.Local)
	due := time.Date(local.Year(), local.Month(), local.Day(), at.Hour(), at.Minute(), 0, 0, time.Local)
	if due.After(now) {
		due = due.AddDate(0, 0, -1)
	}
	return s.Digest.Before(due)
}

// send tries what is in the outbox, each message at its time.
func (n *Notifier) send(ctx context.Context) {
	n.mu.Lock()
	waiting := slices.Clone(n.state.Outbox)
	n.mu.Unlock()
	var trouble error
	left := []Message{}
	for _, m := range waiting {
		now := time.Now()
		if now.Before(m.Next) || ctx.Err() != nil {
			left = append(left, m)
			continue
		}
		err := n.o.deliver(ctx, &m)
		switch {
		case err == nil:
			n.log.Info("told", zap.String("kind", string(m.Kind)), zap.String("subject", m.Subject))
			continue
		case now.Sub(m.At) > tooOld:
			n.log.Error("a message could not be sent for a week and is given up", zap.String("subject", m.Subject), zap.Error(err))
			continue
		}
		trouble = err
		m.Tries++
		m.Next = now.Add(min(firstWait<<min(m.Tries-1, 10), longest))
		left = append(left, m)
	}
	n.mu.Lock()
	next := n.state.clone()
	n.mu.Unlock()
	next.Outbox = left
	n.keep(next)
	n.judge(trouble, len(left))
}

// judge remembers whether messages can be sent.
func (n *Notifier) judge(trouble error, waiting int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case waiting == 0:
		n.failing = nil
	case trouble != nil && n.failing == nil:
		n.failing = &Trouble{Since: time.Now(), Text: trouble.Error(), N: waiting}
		n.log.Warn("a message can't be sent; trying again", zap.Error(trouble))
	case trouble != nil:
		n.failing.Text, n.failing.N = trouble.Error(), waiting
	}
}

// keep stores the state. Where that fails the worst is a message told twice after a restart.
func (n *Notifier) keep(next state) {
	n.mu.Lock()
	same := n.state.equal(&next)
	n.state = next
	n.mu.Unlock()
	if same {
		return
	}
	if err := next.write(n.o.StateFile); err != nil {
		n.log.Warn("what was told can't be stored; after a restart it may be told again", zap.Error(err))
	}
}

// Test sends a message to everybody who is ever told anything and returns, for
// each way, how it went. It needs no Notifier.
func Test(ctx context.Context, o Options) map[string]error {
	m := o.test(time.Now())
	results := map[string]error{}
	if o.Mail.Host != "" {
		results[fmt.Sprintf("mail to %v", m.To)] = o.Mail.send(ctx, &m)
	}
	if o.Webhook.URL != "" {
		results["webhook"] = o.Webhook.send(ctx, &m)
	}
	return results
}
