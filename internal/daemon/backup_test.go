package daemon_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"brodaemon/internal/config"
	"brodaemon/internal/control"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
)

// Backups are made while documents come and go; each is then put back beside a
// portal that has gone on, and nothing is submitted a second time.
func TestBackupWhileWorkingAndPutBack(t *testing.T) {
	site := newCrashSite(t, "")
	c, err := config.Load(filepath.Join(site.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	backups := runAndBackUp(t, site, c)
	for name, data := range site.docs {
		if n := site.portal.Submissions(hashOf(data)); n > 1 {
			t.Fatalf("%s was submitted %d times already", name, n)
		}
	}
	submitted := func() (n int) {
		for _, data := range site.docs {
			n += site.portal.Submissions(hashOf(data))
		}
		return n
	}
	before, tried := submitted(), 0
	for i, b := range backups {
		dir := filepath.Join(t.TempDir(), "data")
		unpack(t, b, dir)
		open := openAndWhole(t, dir)
		if open == 0 || tried == 3 {
			continue
		}
		tried++
		restored := *c
		restored.DataDir = dir
		putBack(t, &restored)
		if after := submitted(); after != before {
			t.Fatalf("backup %d of %d, with %d open documents, led to %d more submissions", i+1, len(backups), open, after-before)
		}
	}
	if tried == 0 {
		t.Fatal("no backup was made while a document was under way")
	}
}

// runAndBackUp delivers everything and makes backups meanwhile.
func runAndBackUp(t *testing.T, site *crashSite, c *config.Config) (backups [][]byte) {
	t.Helper()
	d, err := daemon.New(daemon.Options{Config: c, Version: "test", Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	client := control.Client(c.DataDir)
	defer client.CloseIdleConnections()
	for deadline := time.Now().Add(60 * time.Second); ; {
		resp, err := client.Get(control.BaseURL + "api/v1/backup")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s, %v: %s", resp.Status, err, b)
		}
		backups = append(backups, b)
		if done, err := atRest(d); err == nil && done {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not at rest in time")
		}
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, "backup.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("backup.tmp is left: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return backups
}

// unpack puts what is under data/ into dir.
func unpack(t *testing.T, backup []byte, dir string) {
	t.Helper()
	seen := map[string]bool{}
	for r := tar.NewReader(bytes.NewReader(backup)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[h.Name] = true
		name, inData := strings.CutPrefix(h.Name, "data/")
		switch {
		case h.Typeflag == tar.TypeDir:
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		case inData:
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name), data, 0o600)
		}
	}
	if !seen["RESTORE.txt"] || !seen["config/config.yaml"] || !seen["data/queue.db"] {
		t.Fatalf("the backup holds %v", seen)
	}
}

// openAndWhole counts the open documents of a backup that were not submitted in
// it, each of which must have its bytes, and no more files than documents.
func openAndWhole(t *testing.T, dir string) (open int) {
	t.Helper()
	store, err := queue.Open(dir, queue.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, fault := range store.Check() {
		t.Error(fault)
	}
	spool, err := queue.OpenSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	items, err := store.List(queue.Filter{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		f, err := spool.Open(&it)
		if err != nil {
			t.Errorf("document %s (%s): %v", it.ID, it.State, err)
			continue
		}
		f.Close()
		if !it.State.End() && !it.Submitted() {
			open++
		}
	}
	return open
}

// putBack runs a daemon on a queue that was put back, until nothing moves.
func putBack(t *testing.T, c *config.Config) {
	t.Helper()
	d, err := daemon.New(daemon.Options{Config: c, Version: "test", Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	waitUntil(t, "nothing moves any more", func() bool { done, err := atRest(d); return err == nil && done })
	s, err := d.Status()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Conditions) == 0 {
		t.Error("no condition tells of documents that are held")
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
