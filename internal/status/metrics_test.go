package status

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"brodaemon/internal/queue"
)

// scrape reads /metrics: name{labels} → value, and the help of each name.
func scrape(t *testing.T, h http.Handler) (values map[string]float64, help map[string]string) {
	t.Helper()
	w := get(h, "/metrics")
	wantCode(t, w, http.StatusOK)
	values, help = map[string]float64{}, map[string]string{}
	for text := range strings.Lines(w.Body.String()) {
		text = strings.TrimSpace(text)
		if rest, ok := strings.CutPrefix(text, "# HELP "); ok {
			name, say, _ := strings.Cut(rest, " ")
			help[name] = say
			continue
		}
		if strings.HasPrefix(text, "#") || text == "" {
			continue
		}
		i := strings.LastIndexByte(text, ' ')
		value, err := strconv.ParseFloat(text[i+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, twice := values[text[:i]]; twice {
			t.Errorf("%s is there twice", text[:i])
		}
		values[text[:i]] = value
	}
	return values, help
}

func TestMetricsNamesAndLabels(t *testing.T) {
	m := NewMetrics()
	m.ObserveRequest("validate", "200", 300*time.Millisecond)
	server, _, _ := setup(t, func(o *Options) { o.Metrics = m })
	values, help := scrape(t, server)
	want := map[string]string{ // contract §6
		"brodaemon_items": "folder,state", "brodaemon_held_items": "folder,hold", "brodaemon_outcomes_total": "folder,outcome",
		"brodaemon_oldest_waiting_seconds": "folder", "brodaemon_portal_requests_total": "code,operation",
		"brodaemon_portal_request_duration_seconds": "operation", "brodaemon_folder_online": "folder",
		"brodaemon_folder_watch_events": "folder", "brodaemon_last_scan_timestamp_seconds": "folder",
		"brodaemon_token_paused": "token", "brodaemon_portal_up": "",
	}
	names := regexp.MustCompile(`(\w+)="`)
	got := map[string]string{}
	for series := range values {
		name, labels, _ := strings.Cut(series, "{")
		if !strings.HasPrefix(name, "brodaemon_") {
			if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
				t.Errorf("got %s, which nobody asked for", name)
			}
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		var list []string
		for _, m := range names.FindAllStringSubmatch(labels, -1) {
			if m[1] != "le" {
				list = append(list, m[1])
			}
		}
		slices.Sort(list)
		got[name] = strings.Join(list, ",")
	}
	for name, labels := range want {
		if l, ok := got[name]; !ok || l != labels {
			t.Errorf("%s: got labels %q (there: %t), want %q", name, l, ok, labels)
		}
		if help[name] == "" {
			t.Errorf("%s has no help", name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("got %v, which the contract does not name", got)
	}
}

func TestMetricsValues(t *testing.T) {
	m := NewMetrics()
	m.ObserveRequest("validate", "200", 300*time.Millisecond)
	m.ObserveRequest("validate", "200", 3*time.Second)
	m.ObserveRequest("submit", "timeout", time.Minute)
	server, source, _ := setup(t, func(o *Options) { o.Metrics = m })
	source.snapshot.Folders[0].OldestFrom = time.Now().Add(-time.Hour)
	values, help := scrape(t, server)
	for series, want := range map[string]float64{
		`brodaemon_items{folder="zwolle",state="delivered"}`:                              1203, // moved or not
		`brodaemon_items{folder="zwolle",state="validated"}`:                              1,
		`brodaemon_items{folder="zwolle",state="cancelled"}`:                              0,
		`brodaemon_items{folder="assen",state="queued"}`:                                  1,
		`brodaemon_held_items{folder="assen",hold="uncertain"}`:                           1,
		`brodaemon_held_items{folder="assen",hold="duplicate"}`:                           1,
		`brodaemon_held_items{folder="assen",hold="person"}`:                              0,
		`brodaemon_held_items{folder="zwolle",hold="uncertain"}`:                          0,
		`brodaemon_outcomes_total{folder="zwolle",outcome="delivered"}`:                   0,
		`brodaemon_outcomes_total{folder="assen",outcome="duplicate"}`:                    0,
		`brodaemon_oldest_waiting_seconds{folder="assen"}`:                                0,
		`brodaemon_folder_online{folder="zwolle"}`:                                        1,
		`brodaemon_folder_online{folder="assen"}`:                                         0,
		`brodaemon_folder_watch_events{folder="zwolle"}`:                                  1,
		`brodaemon_folder_watch_events{folder="assen"}`:                                   0,
		`brodaemon_last_scan_timestamp_seconds{folder="zwolle"}`:                          float64(morning.Unix()),
		`brodaemon_last_scan_timestamp_seconds{folder="assen"}`:                           0,
		`brodaemon_token_paused{token="zwolle"}`:                                          0,
		`brodaemon_token_paused{token="assen"}`:                                           1,
		`brodaemon_portal_up`:                                                             0,
		`brodaemon_portal_requests_total{code="200",operation="validate"}`:                2,
		`brodaemon_portal_requests_total{code="timeout",operation="submit"}`:              1,
		`brodaemon_portal_request_duration_seconds_count{operation="validate"}`:           2,
		`brodaemon_portal_request_duration_seconds_sum{operation="validate"}`:             3.3,
		`brodaemon_portal_request_duration_seconds_bucket{operation="validate",le="0.5"}`: 1,
	} {
		if got, ok := values[series]; !ok || got != want {
			t.Errorf("%s: got %v (there: %t), want %v", series, got, ok, want)
		}
	}
	if got := values[`brodaemon_oldest_waiting_seconds{folder="zwolle"}`]; got < 3600 || got > 3700 {
		t.Errorf("oldest: got %v s, want an hour", got)
	}
	wantText(t, help["brodaemon_items"], "whether or not their file has been moved")

	source.snapshot.Portals[1].Up = true
	if values, _ := scrape(t, server); values["brodaemon_portal_up"] != 1 {
		t.Error("brodaemon_portal_up is not 1 when all are up")
	}
}

func TestOutcomesAreCountedOnce(t *testing.T) {
	item := func(state queue.State, code string) *queue.Item {
		it := &queue.Item{ID: 1, Folder: "zwolle", State: state}
		if code != "" {
			it.Report = &queue.Report{Code: code}
		}
		return it
	}
	cases := []struct {
		name          string
		before, after *queue.Item
		outcome       string
	}{
		{"new", nil, item(queue.Queued, ""), ""},
		{"on its way", item(queue.Queued, ""), item(queue.Validated, ""), ""},
		{"delivered", item(queue.Submitted, ""), item(queue.Delivered, ""), "delivered"},
		{"filed", item(queue.Delivered, ""), item(queue.Delivered, ""), ""},
		{"rejected", item(queue.Queued, ""), item(queue.Rejected, "not-valid"), "rejected"},
		{"cancelled", item(queue.Submitted, ""), item(queue.Cancelled, "cancelled"), "cancelled"},
		{"new and a duplicate", nil, item(queue.Rejected, queue.DuplicateCode), "duplicate"},
		{"new and rejected", nil, item(queue.Rejected, "document-empty"), "rejected"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := NewMetrics()
			server, _, _ := setup(t, func(o *Options) { o.Metrics = m })
			m.ItemChanged(c.before, c.after)
			values, _ := scrape(t, server)
			for _, outcome := range outcomeNames {
				want := 0.0
				if outcome == c.outcome {
					want = 1
				}
				if got, ok := values[`brodaemon_outcomes_total{folder="zwolle",outcome="`+outcome+`"}`]; got != want || !ok {
					t.Errorf("%s: got %v (there: %t), want %v", outcome, got, ok, want)
				}
			}
		})
	}
}

func TestMetricsOfABrokenQueue(t *testing.T) {
	m := NewMetrics()
	m.ObserveRequest("validate", "503", time.Second)
	server, source, _ := setup(t, func(o *Options) { o.Metrics = m })
	source.err = errors.New("the queue file is damaged")
	values, _ := scrape(t, server)
	if values[`brodaemon_portal_requests_total{code="503",operation="validate"}`] != 1 || values["go_goroutines"] == 0 {
		t.Error("the counters are not served while the queue can't be read")
	}
}

// Two servers may show one Metrics, as after a change of configuration.
func TestMetricsOutliveAServer(t *testing.T) {
	m := NewMetrics()
	m.ObserveRequest("validate", "200", time.Second)
	for range 2 {
		server, _, _ := setup(t, func(o *Options) { o.Metrics = m })
		if values, _ := scrape(t, server); values[`brodaemon_portal_requests_total{code="200",operation="validate"}`] != 1 {
			t.Error("the count is lost")
		}
	}
}

func TestMetricsTakeAnyName(t *testing.T) {
	m := NewMetrics()
	bad := "a\xff\"\n{}"
	m.ObserveRequest(bad, bad, -time.Second)
	m.ItemChanged(nil, &queue.Item{Folder: bad, State: queue.Delivered})
	server, source, _ := setup(t, func(o *Options) { o.Metrics = m })
	source.snapshot.Folders[0].Name, source.snapshot.Tokens[0].Name = bad, bad
	source.snapshot.Counts[0].Folder, source.snapshot.Counts[0].State = bad, bad
	values, _ := scrape(t, server)
	for _, series := range []string{
		`brodaemon_portal_requests_total{code="a�\"\n{}",operation="a�\"\n{}"}`, `brodaemon_outcomes_total{folder="a�\"\n{}",outcome="delivered"}`,
		`brodaemon_folder_online{folder="a�\"\n{}"}`, `brodaemon_token_paused{token="a�\"\n{}"}`,
	} {
		if values[series] != 1 && !strings.HasPrefix(series, "brodaemon_token") {
			t.Errorf("%s: got %v, want 1", series, values[series])
		}
		if _, ok := values[series]; !ok {
			t.Errorf("got no %s", series)
		}
	}
}

func TestMetricsFromManyGoroutines(t *testing.T) {
	m := NewMetrics()
	server, _, _ := setup(t, func(o *Options) { o.Metrics = m })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				m.ObserveRequest("validate", "200", time.Millisecond)
				m.ItemChanged(nil, &queue.Item{Folder: "zwolle", State: queue.Delivered})
			}
			get(server, "/metrics")
			get(server, "/")
		})
	}
	wg.Wait()
	values, _ := scrape(t, server)
	if got := values[`brodaemon_outcomes_total{folder="zwolle",outcome="delivered"}`]; got != 400 {
		t.Errorf("got %v, want 400", got)
	}
}
