package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"go.uber.org/zap"

	"brodaemon/internal/config"
	"brodaemon/internal/deliver"
	"brodaemon/internal/event"
	"brodaemon/internal/status"
)

// ErrCannotReload says that there is nothing to reload from, or that the daemon
// is not running (any more).
var ErrCannotReload = errors.New("the configuration can't be reloaded now")

// Reload takes over the configuration as it now is in its file, without
// dropping work: documents that are being worked on end the step in hand with
// the old one. It returns, in a sentence each, what changed.
//
// A faulty configuration is refused whole, with all its faults, and everything
// stays as it was. So is one that would make documents go astray: another data
// folder, or another portal for a folder of which documents are under way.
func (d *Daemon) Reload(context.Context) ([]string, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.options.Load == nil || d.running == nil {
		return nil, ErrCannotReload
	}
	if d.supervisor != nil {
		d.supervisor.Reloading()
		defer func() { d.supervisor.Ready(d.summary()) }()
	}
	old := d.config()
	next, err := d.options.Load()
	if err == nil {
		err = d.mayReplace(next)
	}
	if err == nil {
		err = d.replace(next)
	}
	if err != nil {
		d.log.Error("the changed configuration is refused; the old one stays in force", zap.Error(err))
		d.tell(event.NotReloaded, err.Error())
		return nil, err
	}
	changes := changed(old, next)
	d.log.Info("configuration taken over", zap.Strings("changes", changes))
	d.tell(event.Reloaded, fmt.Sprintf("the configuration %s is in force: %s", next.File, strings.Join(changes, "; ")))
	return changes, nil
}

// mayReplace finds what is wrong with a configuration only because of the one before it.
func (d *Daemon) mayReplace(next *config.Config) error {
	old := d.config()
	var faults []config.Fault
	if next.DataDir != old.DataDir {
		faults = append(faults, config.Fault{
			Field: "data_dir", Value: next.DataDir, Problem: "the data folder can't be changed while brodaemon runs",
			Remedy: fmt.Sprintf("put %s back; or stop brodaemon, move the whole folder, and start it again", old.DataDir),
		})
	}
	for i, f := range next.Folders {
		n, to, err := deliver.Elsewhere(d.store, f.Name, f.Portal.BaseURL())
		if err != nil {
			return err
		}
		if n > 0 {
			faults = append(faults, config.Fault{
				Field: fmt.Sprintf("folders[%d].portal", i), Value: f.Portal.EnvironmentName(),
				Problem: fmt.Sprintf("folder %s has %s under way to %s", f.Name, documents(n), to),
				Remedy:  "change it back until they are through, or give them up with `brodaemon queue cancel`",
			})
		}
	}
	if len(faults) > 0 {
		return &config.Error{File: next.File, Faults: faults}
	}
	return nil
}

// replace puts a configuration in force. Everything that can fail comes first.
func (d *Daemon) replace(next *config.Config) error {
	old := d.now.Load()
	endpoints, folders, policy, err := d.deliverSetup(next)
	if err != nil {
		return err
	}
	watchers, err := d.newWatchers(next, old.watchers)
	if err != nil {
		return err
	}
	served, err := d.newPage(next, old.page)
	if err != nil {
		return err
	}
	if err := d.worker.Reconfigure(endpoints, folders, policy); err != nil {
		return err
	}

	teller := d.newTeller(next)
	d.now.Store(&arrangement{config: next, watchers: watchers, page: served, teller: teller})
	for _, w := range old.watchers {
		if !slices.Contains(watchers, w) {
			w.stopWatcher()
		}
	}
	for _, w := range watchers {
		if w.stop == nil {
			d.startWatcher(w)
		}
	}
	if old.page != served {
		old.page.stopPage()
		d.startPage(served)
	}
	d.changePage(served, next)
	old.teller.stopTeller()
	d.startTeller(teller)
	if d.options.Reloaded != nil {
		d.options.Reloaded(next)
	}
	return nil
}

// changed tells in a sentence each how two configurations differ.
func changed(old, next *config.Config) []string {
	said := []string{}
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	for _, f := range next.Folders {
		before, known := old.Folder(f.Name)
		switch {
		case !known:
			say("folder %s is new: %s, to %s, project %s", f.Name, f.Path, f.Portal.EnvironmentName(), f.Project)
		case !reflect.DeepEqual(before, f):
			say("folder %s changed", f.Name)
		}
	}
	for _, f := range old.Folders {
		if _, still := next.Folder(f.Name); !still {
			say("folder %s is no longer watched; its documents stay in the queue", f.Name)
		}
	}
	for _, t := range next.Tokens {
		before, known := old.Token(t.Name)
		switch {
		case !known:
			say("token %s is new", t.Name)
		case before != t:
			say("token %s changed", t.Name)
		}
	}
	for _, t := range old.Tokens {
		if _, still := next.Token(t.Name); !still {
			say("token %s is gone", t.Name)
		}
	}
	for _, section := range []struct {
		name      string
		old, next any
	}{
		{"language", old.Language, next.Language},
		{"retry", old.Retry, next.Retry},
		{"follow", old.Follow, next.Follow},
		{"status", old.Status, next.Status},
		{"notify", old.Notify, next.Notify},
		{"log", old.Log, next.Log},
		{"retention", old.Retention, next.Retention},
	} {
		if !reflect.DeepEqual(section.old, section.next) {
			say("%s changed", section.name)
		}
	}
	return said
}

// serveReload is POST /api/v1/reload of the control socket.
func (d *Daemon) serveReload(w http.ResponseWriter, r *http.Request) {
	changes, err := d.Reload(r.Context())
	switch {
	case errors.Is(err, ErrCannotReload):
		status.Fail(w, http.StatusConflict, err)
	case err != nil:
		status.Fail(w, http.StatusUnprocessableEntity, err)
	default:
		status.Answer(w, map[string]any{"changes": changes, "file": d.config().File})
	}
}
