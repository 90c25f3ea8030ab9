package daemon_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// office is a daemon whose configuration can be changed.
type office struct {
	t      *testing.T
	dir    string
	portal *sandbox.Server
	daemon *daemon.Daemon

	mu   sync.Mutex
	text string
}

func newOffice(t *testing.T, text string) *office {
	t.Helper()
	settings := sandbox.Default()
	settings.Timeline = sandbox.Timeline{}
	o := &office{t: t, dir: t.TempDir(), portal: sandbox.New(settings), text: text}
	if err := os.Mkdir(filepath.Join(o.dir, "zwolle"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(o.dir, "secret"), []byte(sandbox.DefaultSecret), 0o600)
	c, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	o.daemon, err = daemon.New(daemon.Options{
		Config: c, Load: o.load,
		Transport: func(config.Portal) (http.RoundTripper, error) { return o.portal.Transport(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.daemon.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, o.daemon.Close()); err != nil {
			t.Error(err)
		}
	})
	waitUntil(t, "the daemon runs", func() bool { _, err := o.daemon.Reload(ctx); return err == nil })
	return o
}

func (o *office) load() (*config.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return config.Parse([]byte(o.text), filepath.Join(o.dir, "config.yaml"))
}

// reload replaces pairs of old and new words in the configuration and reloads it.
func (o *office) reload(pairs ...string) ([]string, error) {
	o.t.Helper()
	o.mu.Lock()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(o.text, pairs[i]) {
			o.t.Errorf("the configuration has no %q", pairs[i])
		}
	}
	o.text = strings.NewReplacer(pairs...).Replace(o.text)
	o.mu.Unlock()
	return o.daemon.Reload(context.Background())
}

func (o *office) mustReload(pairs ...string) []string {
	o.t.Helper()
	changes, err := o.reload(pairs...)
	if err != nil {
		o.t.Fatal(err)
	}
	return changes
}

func (o *office) page(address, path string) (string, error) {
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func waitUntil(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // a look, not a wait for luck
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const officeConfig = `data_dir: data
language: en
portal: { url: "http://127.0.0.1:9", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders:
  - { name: zwolle, path: zwolle, project: "%d", token: t, settle: 10ms, scan_interval: 30ms, watch: poll }
status: { listen: "%s" }
`

// TestReloadPage: the page moves to another address and changes its language; an address that is taken is refused whole.
func TestReloadPage(t *testing.T) {
	first, second := freeAddress(t), freeAddress(t)
	o := newOffice(t, fmt.Sprintf(officeConfig, sandbox.DefaultUsername, sandbox.DefaultProject, first))
	if body, err := o.page(first, "/"); err != nil || !strings.Contains(body, "Nothing needs attention") && !strings.Contains(body, "Needs attention") {
		t.Fatalf("%v: %.200s", err, body)
	}
	o.mustReload("language: en", "language: nl")
	if body, err := o.page(first, "/"); err != nil || !strings.Contains(body, `lang="nl"`) {
		t.Errorf("after a change of language: %v: %.200s", err, body)
	}
	o.mustReload(first, second)
	if _, err := o.page(second, "/healthz"); err != nil {
		t.Error(err)
	}
	if _, err := o.page(first, "/healthz"); err == nil {
		t.Error("the old address still answers")
	}
	busy, err := net.Listen("tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := o.reload(second, first, "language: nl", "language: en"); err == nil || !strings.Contains(err.Error(), "open the status page") {
		t.Errorf("an address that is taken: %v", err)
	}
	if body, err := o.page(second, "/"); err != nil || !strings.Contains(body, `lang="nl"`) {
		t.Errorf("after a refused change: %v: %.200s", err, body)
	}
	o.mustReload(`"`+first+`"`, `""`)
	if _, err := o.page(second, "/healthz"); err == nil {
		t.Error("there is still a page")
	}
}

// TestReloadRefusedWhole: nothing of a faulty configuration is taken over, and what is in force goes on.
func TestReloadRefusedWhole(t *testing.T) {
	o := newOffice(t, fmt.Sprintf(officeConfig, sandbox.DefaultUsername, sandbox.DefaultProject, ""))
	good := o.text
	for name, pairs := range map[string][]string{
		"a key that is not known": {"language: en", "langage: nl"},
		"the data folder":         {"data_dir: data", "data_dir: other"},
		"a page's password":       {`listen: ""`, `listen: "127.0.0.1:0", password_file: nowhere`},
	} {
		t.Run(name, func(t *testing.T) {
			o.mu.Lock()
			o.text = strings.Replace(good, "settle: 10ms", "settle: 11ms", 1)
			o.mu.Unlock()
			if _, err := o.reload(pairs...); err == nil {
				t.Error("it was taken over")
			}
			if _, err := os.Stat(filepath.Join(o.dir, "other")); err == nil {
				t.Error("the other data folder was made")
			}
		})
	}
	o.mu.Lock()
	o.text = good
	o.mu.Unlock()
	if changes := o.mustReload(); len(changes) > 0 {
		t.Errorf("something had been taken over: %v", changes)
	}
}

// TestReloadGoesOn: documents saved all the time while the configuration changes all the time are each delivered once.
func TestReloadGoesOn(t *testing.T) {
	t.Parallel() // it is mostly waiting
	o := newOffice(t, fmt.Sprintf(officeConfig, sandbox.DefaultUsername, sandbox.DefaultProject, ""))
	const n = 60
	done := make(chan struct{})
	go func() {
		defer close(done)
		settle, other := "settle: 10ms", "settle: 11ms"
		concurrency, fewer := "requests_per_second: 1000", "requests_per_second: 999, concurrency: 2"
		for range 30 {
			o.mustReload(settle, other, concurrency, fewer)
			settle, other, concurrency, fewer = other, settle, fewer, concurrency
		}
	}()
	hashes := make([]string, n)
	for i := range n {
		data := fmt.Appendf(nil, `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">
<b:requestReference>r</b:requestReference><b:deliveryAccountableParty>12345678</b:deliveryAccountableParty><b:qualityRegime>IMBRO</b:qualityRegime>
<sourceDocument><GMW_Construction><objectIdAccountableParty>well %d</objectIdAccountableParty></GMW_Construction></sourceDocument>
</registrationRequest>`, i)
		sum := sha256.Sum256(data)
		hashes[i] = hex.EncodeToString(sum[:])
		write(t, filepath.Join(o.dir, "zwolle", fmt.Sprintf("put-%d.xml", i)), data, 0o644)
	}
	<-done
	waitUntil(t, "everything is delivered and filed", func() bool {
		items, err := o.daemon.Items(queue.Filter{})
		filed := 0
		for _, it := range items {
			if it.State == queue.Delivered && it.Filed != "" {
				filed++
			}
		}
		return err == nil && filed == n
	})
	for i, hash := range hashes {
		if submitted := o.portal.Submissions(hash); submitted != 1 {
			t.Errorf("document %d was submitted %d times", i, submitted)
		}
	}
}
