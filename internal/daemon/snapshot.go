package daemon

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
	"brodaemon/internal/watch"
)

// oddAfter is how long a delivery may contradict itself before a person is
// asked (portal-api Q11: "some minutes").
const oddAfter = 10 * time.Minute

// Status is how it is going now.
func (d *Daemon) Status() (status.Snapshot, error) {
	now := d.now.Load()
	s, err := QueueSnapshot(now.config, d.store)
	if err != nil {
		return s, err
	}
	s.Running, s.Version, s.Started, s.PID = true, d.version, d.started.UTC(), os.Getpid()
	s.UnderWay = d.worker.UnderWay()
	for i := range s.Folders {
		watched(&s.Folders[i], now.watchers[i].folder.State())
	}
	s.Portals, s.Tokens = d.gates()
	s.Conditions = append(append(d.conditions(&s), d.tellerTrouble()...), s.Conditions...)
	return s, nil
}

// EmptySnapshot is what can be said before brodaemon ran for the first time.
func EmptySnapshot(c *config.Config) status.Snapshot {
	s := status.Snapshot{
		DataDir: c.DataDir, Folders: []status.Folder{}, Portals: []status.Portal{}, Tokens: []status.Token{},
		Counts: []status.Count{}, Conditions: []status.Condition{},
	}
	for _, f := range c.Folders {
		s.Folders = append(s.Folders, status.Folder{
			Name: f.Name, Path: f.Path, Environment: f.Portal.EnvironmentName(), Project: f.Project, Token: f.Token,
			NotTaken: []status.Lying{}, Ignored: []status.Lying{},
		})
	}
	return s
}

// QueueSnapshot is what can be said without a running daemon.
func QueueSnapshot(c *config.Config, store *queue.Store) (status.Snapshot, error) {
	s := EmptySnapshot(c)
	counts, err := store.Counts()
	if err != nil {
		return s, err
	}
	s.Counts = status.CountsOf(counts)
	if err := fillOldest(&s, store, counts); err != nil {
		return s, err
	}
	if s.Conditions, err = queueConditions(c, store, counts); err != nil {
		return s, err
	}
	rebuilt, err := rebuiltConditions(c, store)
	s.Conditions = append(rebuilt, s.Conditions...)
	return s, err
}

// fillOldest finds the document that waits longest, of each folder and of all.
// It reads from the oldest on and stops as soon as every folder that has a
// waiting document has been met.
func fillOldest(s *status.Snapshot, store *queue.Store, counts []queue.Count) error {
	wanted := map[string]bool{}
	for _, n := range counts {
		if !n.State.End() && n.N > 0 {
			wanted[n.Folder] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return store.Each(queue.Filter{Open: true}, func(it queue.Item) bool {
		if it.State.End() || !wanted[it.Folder] {
			return true
		}
		delete(wanted, it.Folder)
		if s.Oldest == nil {
			row := status.RowOf(&it)
			s.Oldest, s.OldestFrom = &row, it.Times.Queued
			if row.LastError == it.HoldReason || row.LastError == it.LastError { // else it is the portal's own
				s.OldestWords = it.WordsOf(row.LastError)
			}
		}
		for i := range s.Folders {
			if s.Folders[i].Name == it.Folder {
				s.Folders[i].OldestFrom = it.Times.Queued
			}
		}
		return len(wanted) > 0
	})
}

// Each calls do with every item that f chooses, until do returns false.
func (d *Daemon) Each(f queue.Filter, do func(queue.Item) bool) error { return d.store.Each(f, do) }

func watched(f *status.Folder, w watch.State) {
	f.Online, f.Cause, f.Reason, f.Since = w.Online, string(w.Cause), w.Reason, w.Since.UTC()
	f.Words, f.PollingWords = queue.Words(w.Words), queue.Words(w.PollingWords)
	f.Events, f.Polling, f.LastScan = w.Events, w.Polling, w.LastScan.UTC()
	if !w.Gap.Until.IsZero() {
		f.Gap = &status.Gap{From: w.Gap.From.UTC(), Until: w.Gap.Until.UTC(), Cause: string(w.Gap.Cause)}
	}
	f.Files, f.Settling, f.NotTakenN, f.IgnoredN = w.Files, w.SettlingCount, w.WaitingCount, w.IgnoredCount
	for _, l := range w.Waiting {
		f.NotTaken = append(f.NotTaken, status.Lying{File: l.Rel, Reason: l.Reason, Words: queue.Words(l.Words), Since: l.Since.UTC()})
	}
	for _, l := range w.Ignored {
		f.Ignored = append(f.Ignored, status.Lying{File: l.Rel, Code: string(l.Why), Reason: l.Why.String(), Since: l.Since.UTC()})
	}
}

func (d *Daemon) gates() (portals []status.Portal, tokens []status.Token) {
	seenPortal, tokenAt := map[string]bool{}, map[string]int{}
	for _, f := range d.worker.Status() {
		if !seenPortal[f.Portal] {
			seenPortal[f.Portal] = true
			portals = append(portals, status.Portal{Address: f.Portal, Environment: f.Environment, Up: f.PortalPause == nil, Pause: f.PortalPause})
		}
		// a token is paused per project; it is shown as paused if it is for any
		if i, seen := tokenAt[f.Portal+" "+f.Token]; !seen {
			tokenAt[f.Portal+" "+f.Token] = len(tokens)
			tokens = append(tokens, status.Token{Name: f.Token, Portal: f.Portal, Paused: f.TokenPause != nil, Pause: f.TokenPause})
		} else if tokens[i].Pause == nil {
			tokens[i].Paused, tokens[i].Pause = f.TokenPause != nil, f.TokenPause
		}
	}
	return portals, tokens
}

// documents counts them in words.
func documents(n int) string {
	if n == 1 {
		return "1 document"
	}
	return fmt.Sprintf("%d documents", n)
}

// conditions are those of the running daemon.
func (d *Daemon) conditions(s *status.Snapshot) []status.Condition {
	all := []status.Condition{}
	if c := d.space.condition(); c != nil {
		all = append(all, *c)
	}
	for _, f := range s.Folders {
		if !f.Online && f.Cause != string(watch.CauseStarting) {
			all = append(all, status.Condition{
				Code: "folder-offline", Text: fmt.Sprintf("folder %s (%s) can't be read: %s", f.Name, f.Path, f.Reason),
				Since: f.Since, Subject: f.Name, Detail: f.Reason,
			})
		}
	}
	for _, f := range d.worker.Status() {
		if f.Refused != "" {
			all = append(all, status.Condition{
				Code: "environment-changed", Text: f.Refused, Subject: f.Folder, Detail: f.Environment,
				Hint: "`brodaemon queue list --folder " + f.Folder + "` shows them; nothing is taken from the folder until then",
			})
		}
	}
	for _, p := range s.Portals {
		if p.Pause != nil {
			what, advice := status.SplitAdvice(p.Pause.Reason)
			all = append(all, status.Condition{
				Code: "portal-down", Text: fmt.Sprintf("portal %s is left alone: %s", p.Address, what),
				Hint: also("documents wait; it is tried again by itself at "+p.Pause.Next.Local().Format("15:04:05"), advice), Since: p.Pause.Since.UTC(),
				Subject: p.Address, Detail: p.Pause.Reason, Words: p.Pause.Words,
			})
		}
	}
	for _, t := range s.Tokens {
		if t.Pause != nil {
			what, advice := status.SplitAdvice(t.Pause.Reason)
			if advice == "" {
				advice = "check the token and its project in the portal"
			}
			all = append(all, status.Condition{
				Code: "token-paused", Text: fmt.Sprintf("token %s is refused by %s: %s", t.Name, t.Portal, what),
				Hint: also(advice, "then `brodaemon queue retry --all`"), Since: t.Pause.Since.UTC(),
				Subject: t.Name, Detail: t.Pause.Reason, Words: t.Pause.Words,
			})
		}
	}
	if len(d.strays) > 0 {
		all = append(all, status.Condition{
			Code: "spool-strays", Text: fmt.Sprintf("the spool holds %d files that no document in the queue belongs to and that don't say whose they are, %s first", len(d.strays), d.strays[0]),
			Hint: "look whether these were delivered before saving them again; then take them out of the spool", Since: d.started.UTC(),
			N: len(d.strays), Detail: d.strays[0],
		})
	}
	return append(all, crashCondition(d.config().DataDir)...)
}

// queueConditions are those that the queue alone tells.
func queueConditions(c *config.Config, store *queue.Store, counts []queue.Count) ([]status.Condition, error) {
	all := []status.Condition{}
	held := map[queue.Hold]int{}
	submitted, unfiled := 0, 0
	configured := map[string]bool{}
	for _, f := range c.Folders {
		configured[f.Name] = true
	}
	lost := map[string]int{}
	for _, n := range counts {
		if n.Hold != "" {
			held[n.Hold] += n.N
		}
		if n.State == queue.Submitted {
			submitted += n.N
		}
		if n.State.End() && !n.Filed {
			unfiled += n.N
		}
		if !n.Filed && !configured[n.Folder] {
			lost[n.Folder] += n.N
		}
	}
	for _, h := range []struct {
		hold       queue.Hold
		text, hint string
	}{
		{queue.HoldUncertain, "%s may or may not have been submitted", "look in the portal, then answer with `brodaemon queue resolve`; see `brodaemon queue list --state attached`"},
		{queue.HoldDuplicate, "%s would register an object a second time", "decide with `brodaemon queue release` or `brodaemon queue cancel`"},
		{queue.HoldPerson, "%s held for a person", "see `brodaemon queue list`"},
	} {
		if n := held[h.hold]; n > 0 {
			all = append(all, status.Condition{Code: "held-" + string(h.hold), Text: fmt.Sprintf(h.text, documents(n)), Hint: h.hint, N: n})
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(lost)) {
		n := lost[folder]
		all = append(all, status.Condition{
			Code: "folder-not-configured", Text: fmt.Sprintf("%d documents of folder %s wait, but that folder is not configured any more", n, folder),
			Hint: "put the folder back into the configuration until they are through", Subject: folder, N: n,
		})
	}
	if unfiled > 0 {
		stuck, err := notFiled(store)
		if err != nil {
			return nil, err
		}
		all = append(all, stuck...)
	}
	unseen, err := notConfirmed(c, store)
	if err != nil {
		return nil, err
	}
	all = append(all, unseen...)
	if submitted > 0 {
		slow, err := slowDeliveries(c, store)
		if err != nil {
			return nil, err
		}
		all = append(all, slow...)
	}
	return all, nil
}

// notFiled tells of documents that have their outcome but can't be moved to
// done/ or failed/; the first one's reason stands for all.
func notFiled(store *queue.Store) ([]status.Condition, error) {
	n := 0
	var first queue.Item
	err := store.Each(queue.Filter{Open: true}, func(it queue.Item) bool {
		if it.State.End() && it.LastError != "" {
			if n == 0 {
				first = it
			}
			n++
		}
		return true
	})
	if err != nil || n == 0 {
		return nil, err
	}
	return []status.Condition{{
		Code: "filing-failed", Text: fmt.Sprintf("%s with an outcome can't be moved out of the folder: %s: %s", documents(n), first.File, first.LastError),
		Hint: "it is tried again by itself and changes nothing at the portal; `brodaemon queue retry --all` tries at once", Since: first.Times.Settled, N: n,
		Detail: first.File, Words: first.WordsOf(first.LastError),
	}}, nil
}

// slowDeliveries tells of deliveries without an outcome for longer than follow.alarm_after.
func slowDeliveries(c *config.Config, store *queue.Store) ([]status.Condition, error) {
	n := 0
	var first queue.Item
	limit := time.Now().Add(-c.Follow.AlarmAfter)
	err := store.Each(queue.Filter{Open: true}, func(it queue.Item) bool {
		if it.State == queue.Submitted && it.Times.Submitted.Before(limit) {
			if n == 0 {
				first = it
			}
			n++
		}
		return it.Times.Queued.Before(limit) // those that came later were submitted later still
	})
	if err != nil || n == 0 {
		return nil, err
	}
	return []status.Condition{{
		Code:  "delivery-slow",
		Text:  fmt.Sprintf("%d deliveries have had no outcome for more than %s; the oldest is %s (%s)", n, c.Follow.AlarmAfter, first.Delivery.ID, first.File),
		Hint:  "somebody at the data owner may have to approve them in the portal",
		Since: first.Times.Submitted, Subject: first.Delivery.ID, N: n, Detail: first.File,
	}}, nil
}

// also joins two pieces of advice, of which the second may be none.
func also(first, second string) string {
	if second == "" {
		return first
	}
	return first + "; " + second
}
