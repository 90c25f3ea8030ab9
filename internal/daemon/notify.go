package daemon

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/config"
	"brodaemon/internal/notify"
	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
	"brodaemon/internal/status"
)

// teller is a Notifier at work.
type teller struct {
	*notify.Notifier
	stop  context.CancelFunc // nil until it runs
	ended chan struct{}
}

// NotifyOptions are what the configuration says of messages, for the daemon and
// for the command that sends a test message.
func NotifyOptions(c *config.Config) notify.Options {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	o := notify.Options{
		Webhook: notify.Webhook{URL: c.Notify.Webhook.URL}, DigestAt: c.Notify.DigestAt, Language: c.Language, Host: host,
		StateFile: filepath.Join(c.DataDir, "notify.json"),
	}
	m := c.Notify.Mail
	o.Mail = notify.Mail{Host: m.Host, Port: m.Port, Username: m.Username, From: m.From, To: m.To}
	if m.PasswordFile != "" {
		o.Mail.Password = func() (string, error) {
			s, err := secret.ReadFile(m.PasswordFile)
			return s.Reveal(), err
		}
	}
	return o
}

func (d *Daemon) newTeller(c *config.Config) *teller {
	o := NotifyOptions(c)
	o.Source, o.Logger = standing{d}, d.log
	return &teller{Notifier: notify.New(o), ended: make(chan struct{})}
}

// startTeller runs it until it is stopped or the daemon is. Its caller holds reloading.
func (d *Daemon) startTeller(t *teller) {
	ctx, stop := context.WithCancel(d.runs)
	t.stop = stop
	d.running.Go(func() error {
		defer close(t.ended)
		return t.Run(ctx)
	})
}

func (t *teller) stopTeller() {
	if t.stop != nil {
		t.stop()
		<-t.ended
	}
}

// standing tells a Notifier how things stand.
type standing struct{ d *Daemon }

// Conditions are those of the status page, in the configured language.
func (s standing) Conditions() ([]notify.Condition, error) {
	snapshot, err := s.d.Status()
	return conditionsIn(s.d.config().Language, &snapshot), err
}

func conditionsIn(language string, s *status.Snapshot) []notify.Condition {
	var all []notify.Condition
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.Code == notifyFailed {
			continue // whoever can't be told can't be told that either
		}
		text, hint := status.Describe(language, c, s)
		subject := c.Subject
		if subjectChanges(c) {
			subject = "" // that another one is the first now is no news for a message
		}
		all = append(all, notify.Condition{Code: c.Code, Subject: subject, Text: text, Hint: hint, Since: c.Since})
	}
	return all
}

// ignoredFor is how long a file that is never taken may lie there before the digest names it (contract §4).
const ignoredFor = 24 * time.Hour

// Digest counts what happened since a moment, per folder.
func (s standing) Digest(since time.Time) (notify.Digest, error) {
	c := s.d.config()
	snapshot, err := s.d.Status()
	if err != nil {
		return notify.Digest{}, err
	}
	digest := notify.Digest{Conditions: conditionsIn(c.Language, &snapshot)}
	at := map[string]*notify.Folder{}
	digest.Folders = make([]notify.Folder, len(c.Folders))
	for i, f := range c.Folders {
		digest.Folders[i] = notify.Folder{Name: f.Name, Environment: archive.Environment(c.Language, f.Portal.EnvironmentName()), To: f.Notify}
		at[f.Name] = &digest.Folders[i]
	}
	for _, f := range snapshot.Folders {
		part := at[f.Name]
		if part == nil {
			continue
		}
		if !f.Online {
			part.Offline = status.WhyOffline(c.Language, &f)
		}
		for _, l := range f.Ignored {
			if time.Since(l.Since) > ignoredFor {
				part.Ignored = append(part.Ignored, notify.Document{File: l.File, Why: status.WhyIgnored(c.Language, l)})
			}
		}
	}
	err = s.d.store.Each(queue.Filter{}, func(it queue.Item) bool {
		part := at[it.Folder]
		if part == nil {
			return true
		}
		doc := notify.Document{File: it.File, Why: status.WhyIn(c.Language, &it)}
		recent := !it.Times.Settled.Before(since)
		switch {
		case it.State == queue.Delivered && recent:
			part.Delivered++
		case it.State.End() && recent:
			part.Failed = append(part.Failed, doc)
		case it.State.End():
		case it.Hold != "":
			part.Held = append(part.Held, doc)
		default:
			part.Waiting++
		}
		return true
	})
	return digest, err
}

// notifyFailed is the condition that messages can't be sent.
const notifyFailed = "notify-failed"

// tellerTrouble says that messages can't be sent.
func (d *Daemon) tellerTrouble() []status.Condition {
	t := d.now.Load().teller.Failing()
	if t == nil {
		return nil
	}
	return []status.Condition{{
		Code: notifyFailed, Text: "messages to people can't be sent: " + t.Text, Since: t.Since.UTC(), N: t.N, Detail: t.Text,
		Hint: "check notify in the configuration with `brodaemon notify test`; they are tried again by themselves",
	}}
}
