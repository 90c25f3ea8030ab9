package daemon

import (
	"context"
	"fmt"
	"time"

	"brodaemon/internal/crash"
	"brodaemon/internal/event"
	"brodaemon/internal/status"
	"brodaemon/internal/watch"
)

// A condition becomes an event when it was there at two looks one after
// another, and its end likewise: what comes and goes within seconds is in the
// log, but wakes nobody.
const lookPace = 5 * time.Second

// crashShown is how long a crash stays a condition if nobody moves its file away.
const crashShown = 7 * 24 * time.Hour

// seen is a condition as the event watcher knows it.
type seen struct {
	status.Condition
	told   bool // its beginning was told
	absent bool // it was missing at the last look
}

// subjectChanges reports whether a condition is named after the first of several
// documents, so that its subject is no part of what it is.
func subjectChanges(c *status.Condition) bool {
	return c.Code == "delivery-slow" || c.Code == "filing-failed"
}

// conditionWatch makes events of conditions that begin and end.
type conditionWatch struct {
	known map[string]*seen
	tell  func(e event.Event, text string)
}

func newConditionWatch(tell func(event.Event, string)) *conditionWatch {
	return &conditionWatch{known: map[string]*seen{}, tell: tell}
}

// look compares what is with what was.
func (w *conditionWatch) look(now []status.Condition) {
	present := map[string]bool{}
	for _, c := range now {
		key := c.Code + "\x00" + c.Subject
		if c.Code == "crashed" || subjectChanges(&c) {
			key = c.Code
		}
		present[key] = true
		w.see(key, c)
	}
	for key, s := range w.known {
		switch {
		case present[key]:
		case s.told && !s.absent:
			s.absent = true
		default:
			delete(w.known, key)
			if s.told {
				_, ended := event.OfCondition(s.Code)
				w.tellOf(ended, s.Condition, "over: ")
			}
		}
	}
}

func (w *conditionWatch) see(key string, c status.Condition) {
	began, _ := event.OfCondition(c.Code)
	s := w.known[key]
	switch {
	case s == nil:
		w.known[key] = &seen{Condition: c}
		return
	case !s.told, began == event.Held && c.N > s.N: // one more held document is news
		w.tellOf(began, c, "")
		s.told = true
	}
	s.Condition, s.absent = c, false
}

func (w *conditionWatch) tellOf(e event.Event, c status.Condition, before string) {
	if c.Code == "crashed" {
		return // told once, at the start
	}
	text := before + c.Text
	if c.Hint != "" && before == "" {
		text += "; " + c.Hint
	}
	w.tell(e, text)
}

// watchConditions tells of conditions until ctx ends.
func (d *Daemon) watchConditions(ctx context.Context) error {
	w := newConditionWatch(d.tell)
	tick := time.NewTicker(lookPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s, err := d.Status()
		if err != nil {
			continue // the Worker tells of a queue that can't be read
		}
		w.look(settled(s))
	}
}

// settled leaves out folders that were not looked at yet.
func settled(s status.Snapshot) []status.Condition {
	starting := map[string]bool{}
	for _, f := range s.Folders {
		starting[f.Name] = f.Cause == string(watch.CauseStarting)
	}
	var all []status.Condition
	for _, c := range s.Conditions {
		if c.Code != "folder-offline" || !starting[c.Subject] {
			all = append(all, c)
		}
	}
	return all
}

// crashCondition tells of the last crash for a week, or until a person has
// moved its file away.
func crashCondition(dataDir string) []status.Condition {
	c := crash.Recent(dataDir, crashShown)
	if c == nil {
		return nil
	}
	return []status.Condition{{
		Code: "crashed", Text: fmt.Sprintf("brodaemon crashed on %s and was started again: %s", c.At.Local().Format("2006-01-02 15:04:05"), c.Text),
		Hint: "nothing is lost; report it with the file " + c.File + " and move that file away", Since: c.At.UTC(), Detail: c.Text,
		Subject: c.At.Local().Format("2006-01-02 15:04:05"),
	}}
}
