package status

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
)

// Metrics counts what only passes by: requests to the portal, and documents
// that get their outcome. The counts begin at zero with each start, as
// Prometheus expects. Its methods are quick and may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	outcomes *prometheus.CounterVec
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMetrics makes a Metrics with a registry of its own, which also tells how
// the process fares (names beginning with go_ and process_).
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "brodaemon_outcomes_total",
			Help: "Documents that got their outcome since this start.",
		}, []string{"outcome", "folder"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "brodaemon_portal_requests_total",
			Help: "Requests to the portal since this start. The code is the answer's HTTP status, or a word for why none came.",
		}, []string{"operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "brodaemon_portal_request_duration_seconds",
			Help:    "How long requests to the portal took, those without an answer too.",
			Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"operation"}),
	}
	m.registry.MustRegister(m.outcomes, m.requests, m.duration,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ObserveRequest counts one request to the portal: what it was for, the HTTP
// status of the answer ("200") or a word for why none came ("timeout"), and how
// long it took.
func (m *Metrics) ObserveRequest(op string, code string, d time.Duration) {
	op = label(op)
	if c, err := m.requests.GetMetricWithLabelValues(op, label(code)); err == nil {
		c.Inc()
	}
	if h, err := m.duration.GetMetricWithLabelValues(op); err == nil {
		h.Observe(d.Seconds())
	}
}

// ItemChanged counts the outcome of a document at the moment it gets one. It
// fits queue.Options.Changed; before is nil for a new item.
func (m *Metrics) ItemChanged(before, after *queue.Item) {
	if before != nil && before.State.End() {
		return
	}
	if outcome := string(deliver.Outcome(after)); outcome != "" {
		if c, err := m.outcomes.GetMetricWithLabelValues(outcome, label(after.Folder)); err == nil {
			c.Inc()
		}
	}
}

// outcomeNames are all that deliver.Outcome may say.
var outcomeNames = []string{"delivered", "rejected", "cancelled", "duplicate"}

// expect makes the outcomes of a folder be shown from the start, at zero: a
// counter that appears at one hides its first increase from Prometheus.
func (m *Metrics) expect(folder string) {
	for _, outcome := range outcomeNames {
		_, _ = m.outcomes.GetMetricWithLabelValues(outcome, folder) // fails on no valid label
	}
}

// label makes a text fit to be a label's value, which must be UTF-8.
func label(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// handler serves /metrics: the counters of m, and gauges read from source.
func (m *Metrics) handler(source Source) http.Handler {
	gauges := prometheus.NewRegistry()
	gauges.MustRegister(&gaugeCollector{source: source, metrics: m})
	// the gauges come first, since reading them tells which folders there are
	return promhttp.HandlerFor(prometheus.Gatherers{gauges, m.registry}, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	})
}

// The gauges of contract §6.
var (
	itemsDesc = prometheus.NewDesc("brodaemon_items",
		"Documents in the queue by state, whether or not their file has been moved yet. The end states (delivered, rejected, cancelled) hold every document that is remembered, so they grow.",
		[]string{"state", "folder"}, nil)
	heldDesc = prometheus.NewDesc("brodaemon_held_items",
		"Documents that wait for a person, by why.", []string{"hold", "folder"}, nil)
	oldestDesc = prometheus.NewDesc("brodaemon_oldest_waiting_seconds",
		"How long the longest waiting document without an outcome has been in the queue. 0 = none waits.", []string{"folder"}, nil)
	onlineDesc = prometheus.NewDesc("brodaemon_folder_online",
		"1 if the last look at the folder read all of it and found its marker.", []string{"folder"}, nil)
	eventsDesc = prometheus.NewDesc("brodaemon_folder_watch_events",
		"1 if events of the file system announce new files, 0 if the folder is only polled.", []string{"folder"}, nil)
	scanDesc = prometheus.NewDesc("brodaemon_last_scan_timestamp_seconds",
		"When the folder was last looked at completely, as Unix time. 0 = not since this start.", []string{"folder"}, nil)
	tokenDesc = prometheus.NewDesc("brodaemon_token_paused",
		"1 if a portal refuses the token, so that its documents wait.", []string{"token"}, nil)
	portalDesc = prometheus.NewDesc("brodaemon_portal_up",
		"1 if no portal that folders deliver to is left alone for being out of reach.", nil, nil)
)

// gaugeCollector reads the gauges when they are asked for.
type gaugeCollector struct {
	source  Source
	metrics *Metrics
}

// Describe names all gauges.
func (c *gaugeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{itemsDesc, heldDesc, oldestDesc, onlineDesc, eventsDesc, scanDesc, tokenDesc, portalDesc} {
		ch <- d
	}
}

// Collect reads them from one Snapshot. Without one the counters are still served.
func (c *gaugeCollector) Collect(ch chan<- prometheus.Metric) {
	s, err := c.source.Status()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(itemsDesc, err)
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		for i := range labels {
			labels[i] = label(labels[i])
		}
		m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(d, err)
		}
		ch <- m
	}
	now := time.Now()
	for _, f := range s.Folders {
		c.metrics.expect(label(f.Name))
		gauge(oldestDesc, secondsSince(f.OldestFrom, now), f.Name)
		gauge(onlineDesc, one(f.Online), f.Name)
		gauge(eventsDesc, one(f.Events), f.Name)
		gauge(scanDesc, unix(f.LastScan), f.Name)
	}
	for key, n := range countItems(&s) {
		gauge(itemsDesc, float64(n), key.word, key.folder)
	}
	for key, n := range countHeld(&s) {
		gauge(heldDesc, float64(n), key.word, key.folder)
	}
	paused := map[string]bool{} // a token of one name may be known at several portals
	up := true
	for _, t := range s.Tokens {
		paused[t.Name] = paused[t.Name] || t.Paused
	}
	for name, is := range paused {
		gauge(tokenDesc, one(is), name)
	}
	for _, p := range s.Portals {
		up = up && p.Up
	}
	gauge(portalDesc, one(up))
}

type countKey struct{ word, folder string }

// countItems counts by state, with a zero where a configured folder has none.
func countItems(s *Snapshot) map[countKey]int {
	n := map[countKey]int{}
	for _, f := range s.Folders {
		for _, state := range queue.States {
			n[countKey{string(state), f.Name}] = 0
		}
	}
	for _, c := range s.Counts {
		n[countKey{c.State, c.Folder}] += c.N
	}
	return n
}

// countHeld counts by kind of hold, likewise.
func countHeld(s *Snapshot) map[countKey]int {
	n := map[countKey]int{}
	for _, f := range s.Folders {
		for _, hold := range holds {
			n[countKey{string(hold), f.Name}] = 0
		}
	}
	for _, c := range s.Counts {
		if c.Hold != "" {
			n[countKey{c.Hold, c.Folder}] += c.N
		}
	}
	return n
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func secondsSince(t, now time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, now.Sub(t).Seconds())
}
