package daemon_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// samplesDir holds real and made documents of all types; it is not part of the project.
var samplesDir = filepath.Join("..", "..", "..", "shared", "samples")

// TestSamples delivers every request among the samples and refuses every file
// that is none.
func TestSamples(t *testing.T) {
	files := map[string]string{} // name in the folder → path
	err := filepath.WalkDir(samplesDir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, ".xml") {
			rel, _ := filepath.Rel(samplesDir, path)
			files[strings.ReplaceAll(filepath.ToSlash(rel), "/", "+")] = path
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Skipf("NOT TESTED: the sample documents are not there (%s): %v", samplesDir, err)
	}
	total := len(files)
	requests := 0
	// A portal refuses an event that lies before the last one of its object. The samples are no history, so those that meet
	// this go to another portal, which knows nothing of the others.
	for round := 0; len(files) > 0; round++ {
		if round == 3 {
			t.Fatalf("these were refused for their dates even among few others: %v", files)
		}
		files = deliverSamples(t, files, &requests)
	}
	t.Logf("%d files, %d of them requests", total, requests)
	if requests < 60 {
		t.Errorf("only %d requests among the samples", requests)
	}
}

// deliverSamples gives the files to a daemon with a new portal, checks what became of each, and returns those refused for
// their dates. It adds the delivered ones to requests.
func deliverSamples(t *testing.T, files map[string]string, requests *int) (early map[string]string) {
	t.Helper()
	early = map[string]string{}
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{}
	o.LogSize = -1
	o.UnknownObjects = sandbox.UnknownObjectsAdopted // the samples' BRO-IDs are not in the register
	portal := sandbox.New(o)
	d, inbox := startDaemon(t, portal)
	for name, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(inbox, name), data, 0o644)
	}
	releaseDuplicates(t, d, len(files))
	items, err := d.Items(queue.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		data, err := os.ReadFile(files[it.File])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(it.Filed); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: what was filed as %s is not the original (%v)", it.File, it.Filed, err)
		}
		sum := sha256.Sum256(data)
		submitted := portal.Submissions(hex.EncodeToString(sum[:]))
		rejected, sent := "", 0
		switch {
		case strings.HasPrefix(it.File, "response+"):
			rejected = "document-answer"
		case strings.HasPrefix(it.File, "cpt-body+"):
			rejected = "document-bare-body"
		case bytes.Contains(data, []byte("dispatchDocument>")):
			rejected = "not-valid" // what should be the sourceDocument has another name: for the portal to refuse
		case it.Report != nil && strings.Contains(strings.Join(it.Report.Errors, ""), "mag niet voor de laatst geregistreerde"):
			early[it.File] = files[it.File]
			rejected = "not-valid"
		default:
			sent = 1
			*requests++
		}
		code := ""
		if it.Report != nil {
			code = it.Report.Code
		}
		if code != rejected || submitted != sent || (it.State == queue.Delivered) != (rejected == "") {
			t.Errorf("%s is %s (%s), submitted %d times; want %q, %d times", it.File, it.State, code, submitted, rejected, sent)
		}
		if beside, err := os.ReadFile(it.Beside); err != nil || len(beside) < 200 {
			t.Errorf("%s: beside it lies %q (%v)", it.File, beside, err)
		}
		if rejected != "" && !archive.ReasonCode(code).HasWords() {
			t.Errorf("%s: there are no words for %s", it.File, code)
		}
	}
	return early
}

// releaseDuplicates waits until n items are filed. Some samples are states of
// the same example, so they are held as duplicates: a person would decide.
func releaseDuplicates(t *testing.T, d *daemon.Daemon, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		items, err := d.Items(queue.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		filed := 0
		for _, it := range items {
			if !it.Open() {
				filed++
			}
			if it.Hold == queue.HoldDuplicate {
				_, _ = d.Worker().Release(it.ID) // it may be released already
			}
		}
		if filed == n {
			return
		}
		if time.Now().After(deadline) {
			for _, it := range items {
				if it.Open() {
					t.Logf("open: %s %s %s %s", it.File, it.State, it.Hold, it.LastError)
				}
			}
			t.Fatalf("%d of %d documents were filed in time", filed, n)
		}
		time.Sleep(20 * time.Millisecond) // polling a condition, with a deadline
	}
}

// startDaemon runs a daemon with one folder against an in-process portal until the test ends.
func startDaemon(t *testing.T, portal *sandbox.Server) (d *daemon.Daemon, inbox string) {
	t.Helper()
	dir := t.TempDir()
	inbox = filepath.Join(dir, "inbox")
	if err := os.Mkdir(inbox, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secret"), []byte(sandbox.DefaultSecret), 0o600)
	write(t, filepath.Join(dir, "config.yaml"), fmt.Appendf(nil, `data_dir: data
portal: { url: "http://127.0.0.1:8790", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders: [{ name: f, path: inbox, project: "%d", token: t, settle: 20ms, scan_interval: 50ms, incomplete_timeout: 100ms }]
retry: { first: 20ms, max: 200ms }
follow: { first: 20ms, max: 100ms }
status: { listen: "" }
`, sandbox.DefaultUsername, sandbox.DefaultProject), 0o600)
	c, err := config.Load(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d, err = daemon.New(daemon.Options{Config: c, Version: "test", Transport: func(config.Portal) (http.RoundTripper, error) {
		return portal.Transport(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, inbox
}
