package daemon

import (
	"context"
	"reflect"

	"brodaemon/internal/config"
	"brodaemon/internal/queue"
	"brodaemon/internal/watch"
)

// watcher is a watched folder at work.
type watcher struct {
	config config.Folder
	marker queue.FolderMemory // what its marker file is expected to say, from the start on
	folder *watch.Folder
	stop   context.CancelFunc // nil until it runs
	ended  chan struct{}
}

// newWatchers makes the watchers of a configuration. What is watched already in
// the same way stays as it is; the rest is new and does not run yet.
func (d *Daemon) newWatchers(c *config.Config, running []*watcher) ([]*watcher, error) {
	all := make([]*watcher, 0, len(c.Folders))
	for _, f := range c.Folders {
		same := false
		for _, old := range running {
			if same = watchedAlike(old.config, f); same {
				all = append(all, old)
				break
			}
		}
		if same {
			continue
		}
		w, err := d.newWatcher(f)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// watchedAlike compares what matters for watching.
func watchedAlike(a, b config.Folder) bool {
	for _, f := range []*config.Folder{&a, &b} {
		f.EnrichmentToken = ""
		f.Project, f.Token, f.IncompleteTimeout, f.Order, f.DocumentsPerDelivery = "", "", 0, "", 0
		f.Portal, f.Notify, f.IgnoreValidationErrors = config.Portal{}, nil, nil
	}
	return reflect.DeepEqual(a, b)
}

func (d *Daemon) newWatcher(f config.Folder) (*watcher, error) {
	memory, known, err := remembered(d.store, f)
	if err != nil {
		return nil, startError(err)
	}
	if !known {
		if id := d.foundMarker(f); id != "" {
			memory.Marker = id
		}
	}
	folder, err := watch.New(watch.Options{
		Name: f.Name, Path: f.Path, Exclude: []string{f.DoneDir, f.FailedDir}, Include: f.Include,
		Recursive: f.Recursive, Poll: f.Watch == "poll", ScanInterval: f.ScanInterval, Settle: f.Settle,
		Accept: d.accept, AcceptCompanion: d.acceptCompanion, OnState: d.folderChanged(f.Name), Logger: d.log,
		// Its text is made at first use and remembered in the queue before the marker is relied upon, so that a
		// folder that was used once is never taken for a new one.
		Marker: watch.Marker{ID: memory.Marker, Known: known, Written: func() error { return d.store.RememberFolder(f.Name, memory) }},
	})
	if err != nil {
		return nil, &StartError{Config: true, Err: err}
	}
	return &watcher{config: f, marker: memory, folder: folder, ended: make(chan struct{})}, nil
}

// startWatcher runs it until it is stopped or the daemon is. Its caller holds reloading.
func (d *Daemon) startWatcher(w *watcher) {
	ctx, stop := context.WithCancel(d.runs)
	w.stop = stop
	d.running.Go(func() error {
		defer close(w.ended)
		return w.folder.Run(ctx)
	})
}

// stopWatcher returns when it has ended; a share that does not answer does not delay that.
func (w *watcher) stopWatcher() {
	if w.stop != nil {
		w.stop()
		<-w.ended
	}
}

// watcher is that of a configured folder, nil if there is none.
func (d *Daemon) watcher(name string) *watcher {
	for _, w := range d.now.Load().watchers {
		if w.config.Name == name {
			return w
		}
	}
	return nil
}
