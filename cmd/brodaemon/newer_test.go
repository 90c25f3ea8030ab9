package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"brodaemon/internal/event"
	"brodaemon/internal/queue"
)

// A queue that a newer version wrote keeps the service from starting, with an
// event, a line in the log, and a code that its manager sees.
func TestNewerQueueIsToldToTheService(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	config := "data_dir: data\ntokens: [{ name: t, username: u, password_file: secret }]\nfolders: [{ name: f, path: inbox, project: \"1\", token: t }]\nstatus: { listen: \"\" }\n"
	data := filepath.Join(dir, "data")
	for _, err := range []error{
		os.WriteFile(file, []byte(config), 0o600), os.WriteFile(filepath.Join(dir, "secret"), []byte(strings.Repeat("x", 64)), 0o600),
		os.Mkdir(filepath.Join(dir, "inbox"), 0o700), os.Mkdir(data, 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := queue.Open(data, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(data, queue.FileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("99")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}

	var ids []int
	var log strings.Builder
	p := &program{globals: &globals{configFile: file}, output: &log, tell: func(e event.Event, text string) {
		ids = append(ids, e.ID)
		if !strings.Contains(text, "another version of brodaemon") || !strings.Contains(text, "install that version again") {
			t.Errorf("event %d says: %s", e.ID, text)
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // if it starts after all, it stops
	err = p.run(ctx)
	if code := exitCode(err); code != exitCantWrite {
		t.Errorf("exit code %d: %v", code, err)
	}
	if len(ids) != 1 || ids[0] != event.NoStart.ID || !strings.Contains(log.String(), `"event": 103`) {
		t.Errorf("events %v, log %s", ids, log.String())
	}
}
