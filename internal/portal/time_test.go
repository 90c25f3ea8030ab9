package portal

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hang is a transport that takes the request and then says nothing more.
func hang(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestTimeouts(t *testing.T) {
	for _, act := range acts {
		t.Run(string(act.op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var observed string
				portal := client(t, "https://portal.example", func(o *Options) {
					o.Transport, o.Timeout, o.ValidationTimeout = roundTrip(hang), 0, 0
					o.Observe = func(_ Op, code string, _ time.Duration) { observed = code }
				})
				want := 60 * time.Second
				if act.op == OpValidate {
					want = 5 * time.Minute
				}
				start := time.Now()
				e := fault(t, act.call(t.Context(), portal))
				if took := time.Since(start); took != want {
					t.Errorf("took %s, want %s", took, want)
				}
				if e.Kind != Unavailable || !e.MaybeDone || !errors.Is(e, os.ErrDeadlineExceeded) || errors.Is(e, context.DeadlineExceeded) {
					t.Errorf("got %s, maybe %t: %v", e.Kind, e.MaybeDone, e)
				}
				if observed != "timeout" {
					t.Errorf("observed %q", observed)
				}
			})
		})
	}
}

// The caller's own deadline is not the portal's fault.
func TestCallersDeadline(t *testing.T) {
	for _, act := range acts {
		synctest.Test(t, func(t *testing.T) {
			portal := client(t, "https://portal.example", func(o *Options) { o.Transport = roundTrip(hang) })
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errStopping)
			defer cancel()
			e := fault(t, act.call(ctx, portal))
			if e.Kind != Interrupted || !e.MaybeDone || !errors.Is(e, errStopping) || !errors.Is(e, context.DeadlineExceeded) {
				t.Errorf("%s: got %s, maybe %t: %v", act.op, e.Kind, e.MaybeDone, e)
			}
		})
	}
}

// A portal that reads slowly but steadily is not given up on; one that stops
// reading is.
func TestTimeoutCountsFromProgress(t *testing.T) {
	slowly := func(pieces int) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			buf := make([]byte, 10)
			for range pieces {
				select {
				case <-time.After(40 * time.Second):
				case <-r.Context().Done():
					return nil, context.Cause(r.Context())
				}
				if _, err := io.ReadFull(r.Body, buf); err != nil {
					return nil, err
				}
			}
			if pieces < 10 {
				<-r.Context().Done()
				return nil, context.Cause(r.Context())
			}
			return &http.Response{StatusCode: 201, Header: http.Header{}, Body: http.NoBody}, nil
		}
	}
	cases := []struct {
		name   string
		pieces int
		took   time.Duration
		ok     bool
	}{
		{"steadily", 10, 400 * time.Second, true},
		{"stops", 5, 260 * time.Second, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				portal := client(t, "https://portal.example", func(o *Options) { o.Transport, o.Timeout = slowly(c.pieces), time.Minute })
				start := time.Now()
				_, err := portal.AddSourceDocument(t.Context(), uploadAt(portal), "a.xml", bodyOf(strings.Repeat("x", 100)))
				if took := time.Since(start); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if (err == nil) != c.ok {
					t.Errorf("got %v", err)
				}
				if err != nil && fault(t, err).Kind != Unavailable {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A body that comes drop by drop is cut off too.
func TestSlowAnswer(t *testing.T) {
	for _, code := range []int{200, 400, 500} {
		synctest.Test(t, func(t *testing.T) {
			portal := client(t, "https://portal.example", func(o *Options) {
				o.Timeout = time.Minute
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: code, Header: http.Header{}, Body: drip{r.Context()}}, nil
				})
			})
			start := time.Now()
			_, err := portal.Delivery(t.Context(), project, "0000182700")
			e := fault(t, err)
			if took := time.Since(start); took != time.Minute {
				t.Errorf("%d: took %s, want a minute", code, took)
			}
			want := map[int]Kind{200: Unavailable, 400: Unexpected, 500: Unavailable}[code]
			if e.Kind != want || e.StatusCode != code {
				t.Errorf("%d: got %s: %v", code, e.Kind, e)
			}
		})
	}
}

// drip gives a blank each second for ever.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, context.Cause(d.ctx)
	}
}

func (drip) Close() error { return nil }

// The same with a real connection. Half a second is ample to send the request,
// so that it is the answer that is late.
func TestTimeoutOfARealConnection(t *testing.T) {
	cases := []struct {
		name string
		act  int
		code int
	}{
		{"no answer", 3, 0},
		{"half an answer", 4, 200},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			server, log := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.code != 0 {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, `{"status":`)
					w.(http.Flusher).Flush()
				}
				<-release
			})
			defer close(release)
			portal := client(t, server.URL, func(o *Options) { o.Timeout = 500 * time.Millisecond })
			e := fault(t, acts[c.act].call(t.Context(), portal))
			if e.Kind != Unavailable || !e.MaybeDone || e.StatusCode != c.code || !errors.Is(e, os.ErrDeadlineExceeded) {
				t.Errorf("got %s, maybe %t: %v", e.Kind, e.MaybeDone, e)
			}
			if n := len(log.all()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}
