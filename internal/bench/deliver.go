package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// result is what one run came to.
type result struct {
	took     time.Duration
	requests int64
}

// newPortal is a sandbox whose first status is final.
func newPortal() *sandbox.Server {
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{}
	o.KeepBodies = false
	return sandbox.New(o)
}

// line is the way to the portal: it counts, and takes its time.
type line struct {
	to       http.RoundTripper
	latency  time.Duration
	requests atomic.Int64
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.requests.Add(1)
	if l.latency > 0 {
		time.Sleep(l.latency)
	}
	return l.to.RoundTrip(r)
}

// sample is document number n: a new well of some 5 kB.
func sample(n int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0" xmlns:gmwcom="http://www.broservices.nl/xsd/gmwcommon/1.1">
  <brocom:requestReference>bench %d</brocom:requestReference>
  <brocom:deliveryAccountableParty>12345678</brocom:deliveryAccountableParty>
  <brocom:qualityRegime>IMBRO</brocom:qualityRegime>
  <sourceDocument>
    <GMW_Construction>
      <objectIdAccountableParty>bench-%d</objectIdAccountableParty>
      <deliveryContext codeSpace="urn:bro:gmw:DeliveryContext">publiekeTaak</deliveryContext>
`, n, n)
	for i := 0; b.Len() < 4900; i++ {
		fmt.Fprintf(&b, "      <monitoringTube><tubeNumber>%d</tubeNumber><tubeTopDiameter uom=\"mm\">25</tubeTopDiameter><gmwcom:note>%d</gmwcom:note></monitoringTube>\n", i, n)
	}
	b.WriteString("    </GMW_Construction>\n  </sourceDocument>\n</registrationRequest>\n")
	return b.Bytes()
}

// runBare sends the five requests of each document and keeps nothing.
func runBare(ctx context.Context, n, underWay int, latency time.Duration) (result, error) {
	way := &line{to: newPortal().Transport(), latency: latency}
	client := &http.Client{Transport: way}
	docs := make([][]byte, n)
	for i := range docs {
		docs[i] = sample(i)
	}
	start := time.Now()
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range underWay {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := bareDelivery(ctx, client, docs[i], i); err != nil {
					return err
				}
			}
		})
	}
	err := g.Wait()
	return result{time.Since(start), way.requests.Load()}, err
}

const portalURL = "http://127.0.0.1:8790"

func bareDelivery(ctx context.Context, client *http.Client, doc []byte, n int) error {
	base := portalURL + "/api/v2/" + strconv.Itoa(sandbox.DefaultProject)
	if _, err := call(ctx, client, http.MethodPost, base+"/validatie", doc); err != nil {
		return err
	}
	upload, err := call(ctx, client, http.MethodPost, base+"/uploads", nil)
	if err != nil {
		return err
	}
	if _, err := call(ctx, client, http.MethodPost, upload+"/brondocumenten?filename=bench"+strconv.Itoa(n)+".xml", doc); err != nil {
		return err
	}
	id := upload[strings.LastIndex(upload, "/")+1:]
	delivery, err := call(ctx, client, http.MethodPost, base+"/leveringen", []byte(`{"upload": `+id+`}`))
	if err != nil {
		return err
	}
	_, err = call(ctx, client, http.MethodGet, delivery, nil)
	return err
}

// call returns the Location of the answer, and fails unless all is well.
func call(ctx context.Context, client *http.Client, method, url string, body []byte) (string, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(sandbox.DefaultUsername+":"+sandbox.DefaultSecret)))
	req.Header.Set("Content-Type", "application/xml")
	if strings.HasSuffix(url, "/leveringen") {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode/100 != 2 {
		return "", fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, answer)
	}
	if method == http.MethodGet {
		var d struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(answer, &d); err != nil || d.Status != "DOORGELEVERD" {
			return "", fmt.Errorf("%s: the first status is %q: %v", url, d.Status, err)
		}
	}
	return resp.Header.Get("Location"), nil
}

// site is a folder full of documents and a configuration for it.
type site struct {
	dir    string
	config *config.Config
}

// newSite makes one with n documents; its portal is at url.
func newSite(n, underWay int, url string) (*site, error) {
	dir, err := os.MkdirTemp("", "brodaemon-bench-")
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir}
	inbox := filepath.Join(dir, "inbox")
	if err := os.MkdirAll(inbox, 0o755); err != nil {
		return s, err
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(inbox, fmt.Sprintf("bench-%05d.xml", i)), sample(i), 0o644); err != nil {
			return s, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(sandbox.DefaultSecret), 0o600); err != nil {
		return s, err
	}
	file := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`data_dir: data
portal: { url: "%s", concurrency: %d, requests_per_second: 1000 }
tokens: [{ name: bench, username: "%s", password_file: secret }]
folders: [{ name: bench, path: inbox, project: "%d", token: bench, settle: 10ms, scan_interval: 1s }]
status: { listen: "" }
`, url, underWay, sandbox.DefaultUsername, sandbox.DefaultProject)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return s, err
	}
	if s.config, err = config.Load(file); err != nil {
		return s, err
	}
	for i := range s.config.Folders {
		s.config.Folders[i].Portal.RequestsPerSecond = 0 // no limit, which no configuration can say
	}
	return s, nil
}

// left are the sites that were measured. They are removed when all is over: on
// ext4 a file is slow to make shortly after many were deleted.
var left []string

func (s *site) remove() { left = append(left, s.dir) }

func removeSites() {
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}

// runDaemon delivers the documents of a full folder, from the daemon's start to
// the last document in done/.
func runDaemon(ctx context.Context, n, underWay int, latency time.Duration) (result, error) {
	s, err := newSite(n, underWay, portalURL)
	if s != nil {
		defer s.remove()
	}
	if err != nil {
		return result{}, err
	}
	way := &line{to: newPortal().Transport(), latency: latency}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var filed atomic.Int64
	d, err := daemon.New(daemon.Options{
		Config: s.config, Version: "bench",
		Transport: func(config.Portal) (http.RoundTripper, error) { return way, nil },
		Policy:    &deliver.Policy{First: time.Second, Max: time.Minute, FollowMax: time.Minute, OddAfter: time.Minute},
		Changed: func(_, after *queue.Item) {
			if !after.Open() && filed.Add(1) == int64(n) {
				stop()
			}
		},
	})
	if err != nil {
		return result{}, err
	}
	defer d.Close()
	start := time.Now()
	if err := d.Run(ctx); err != nil {
		return result{}, err
	}
	took := time.Since(start)
	if got := filed.Load(); got != int64(n) {
		return result{}, fmt.Errorf("%d of %d documents were filed", got, n)
	}
	done, err := filepath.Glob(filepath.Join(s.dir, "inbox", "done", "*", "*.xml"))
	if err != nil || len(done) != n {
		return result{}, fmt.Errorf("%d of %d documents lie in done/ (%v)", len(done), n, err)
	}
	return result{took, way.requests.Load()}, nil
}

// deliverOnce is the child that strace counts.
func deliverOnce(ctx context.Context, n, underWay int) error {
	_, err := runDaemon(ctx, n, underWay, 0)
	return err
}
