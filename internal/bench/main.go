// Command bench measures brodaemon against the in-process sandbox:
//
//   - speed: documents of 5 kB through the whole daemon, and through a bare HTTP
//     client that sends the same five requests per document with the same number
//     under way and keeps nothing; for several latencies of the portal, in turns
//     within one run, so that the ratio is fair on a noisy machine;
//   - requests and fsyncs per document (fsyncs are counted by strace, if there is one);
//   - memory of the daemon's own (RssAnon) with ten thousand documents waiting,
//     and with one of 300 MB under way (Linux).
//
// docs/performance.md says how to read the figures.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

func main() {
	var (
		docs     = flag.Int("docs", 400, "documents per measurement without latency; fewer with latency")
		underWay = flag.Int("under-way", 2, "documents under way at once")
		rounds   = flag.Int("rounds", 3, "times each measurement is repeated; the median counts")
		only     = flag.String("only", "", "speed, fsyncs or memory; empty = all")
		child    = flag.String("child", "", "internal: what this process does for another")
		arg      = flag.String("arg", "", "internal: its argument")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	defer removeSites()
	var err error
	switch {
	case *child == "deliver":
		err = deliverOnce(ctx, *docs, *underWay)
	case *child == "daemon":
		err = childDaemon(ctx, *arg)
	default:
		err = measure(ctx, *only, *docs, *underWay, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		removeSites()
		os.Exit(1)
	}
}

func measure(ctx context.Context, only string, docs, underWay, rounds int) error {
	wanted := func(what string) bool { return only == "" || only == what }
	if wanted("speed") {
		if err := speed(ctx, docs, underWay, rounds); err != nil {
			return err
		}
	}
	if wanted("fsyncs") {
		if err := fsyncs(ctx, docs/4, underWay); err != nil {
			return err
		}
	}
	if wanted("memory") {
		return memory(ctx)
	}
	return nil
}

// speed compares the daemon with a bare client at several latencies.
func speed(ctx context.Context, docs, underWay, rounds int) error {
	fmt.Printf("documents per second, %d under way, median of %d rounds\n\n", underWay, rounds)
	fmt.Printf("  %-8s %10s %10s %7s %10s\n", "latency", "bare", "brodaemon", "ratio", "requests")
	for _, latency := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		n := docs
		if latency > 0 { // about five seconds per measurement
			n = min(docs, max(10, int(5*time.Second/(5*latency))*underWay))
		}
		var bare, own, ratios, requests []float64
		for range rounds {
			b, err := runBare(ctx, n, underWay, latency)
			if err != nil {
				return err
			}
			d, err := runDaemon(ctx, n, underWay, latency)
			if err != nil {
				return err
			}
			bare, own = append(bare, float64(n)/b.took.Seconds()), append(own, float64(n)/d.took.Seconds())
			ratios = append(ratios, b.took.Seconds()/d.took.Seconds())
			requests = append(requests, float64(d.requests)/float64(n))
		}
		fmt.Printf("  %-8s %10.1f %10.1f %7.2f %10.2f\n", latency, median(bare), median(own), median(ratios), median(requests))
	}
	fmt.Println()
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
