package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// fsyncs counts, with strace, what one run of n documents costs more than one of n/2.
func fsyncs(ctx context.Context, n, underWay int) error {
	if _, err := exec.LookPath("strace"); err != nil {
		fmt.Print("fsyncs per document: not counted, there is no strace on this machine\n\n")
		return nil
	}
	for _, under := range []int{1, underWay} {
		few, err := countFsyncs(ctx, n/2, under)
		if err != nil {
			return err
		}
		many, err := countFsyncs(ctx, n, under)
		if err != nil {
			return err
		}
		fmt.Printf("fsyncs per document, %d under way: %.1f\n", under, float64(many-few)/float64(n-n/2))
	}
	fmt.Println()
	return nil
}

func countFsyncs(ctx context.Context, n, underWay int) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,msync,sync_file_range",
		self, "-child", "deliver", "-docs", strconv.Itoa(n), "-under-way", strconv.Itoa(underWay))
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("run under strace: %w: %.500s", err, out.String())
	}
	count := 0
	for _, line := range strings.Split(out.String(), "\n") {
		// a call that another thread interrupts is printed in two lines
		if (strings.Contains(line, "fsync(") || strings.Contains(line, "fdatasync(")) && !strings.Contains(line, "resumed") {
			count++
		}
	}
	return count, nil
}

// waiting is how many documents wait in the first measurement of memory, large
// how long the one document of the second is.
const (
	waiting = 10_000
	large   = 300 << 20
)

// memory measures a daemon in a process of its own.
func memory(ctx context.Context) error {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		fmt.Println("memory: not measured, this system has no /proc")
		return nil
	}
	idle, full, err := measureWaiting(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("memory of its own (RssAnon), at most: %.1f MB with an empty folder, %.1f MB with %d documents waiting\n", idle, full, waiting)
	small, big, err := measureLarge(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("memory of its own (RssAnon), at most: %.1f MB delivering a document of 5 kB, %.1f MB (%+.1f) one of %d MB\n", small, big, big-small, large>>20)
	return nil
}

// measureWaiting lets documents gather while the portal can't be reached.
func measureWaiting(ctx context.Context) (idle, full float64, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	dead := "http://" + l.Addr().String()
	_ = l.Close() // nobody answers there
	for _, n := range []int{0, waiting} {
		s, err := newSite(n, 4, dead)
		if s != nil {
			defer s.remove()
		}
		if err != nil {
			return 0, 0, err
		}
		peak, err := watchChild(ctx, s.dir, func(said string) bool { return said == "queued "+strconv.Itoa(n) })
		if err != nil {
			return 0, 0, err
		}
		idle, full = full, peak
	}
	return idle, full, nil
}

// measureLarge delivers a small and a large document to a sandbox in this process.
func measureLarge(ctx context.Context) (small, big float64, err error) {
	o := sandbox.Default()
	o.Timeline, o.KeepBodies = sandbox.Timeline{}, false
	if err := o.ParseKnob("max-document", strconv.Itoa(2*large)); err != nil {
		return 0, 0, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	srv := &http.Server{Handler: sandbox.New(o), ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	for _, size := range []int{0, large} {
		s, err := newSite(1, 4, "http://"+l.Addr().String())
		if s != nil {
			defer s.remove()
		}
		if err != nil {
			return 0, 0, err
		}
		if size > 0 {
			if err := writeLarge(filepath.Join(s.dir, "inbox", "bench-00000.xml"), size); err != nil {
				return 0, 0, err
			}
		}
		peak, err := watchChild(ctx, s.dir, func(said string) bool { return said == "filed 1" })
		if err != nil {
			return 0, 0, err
		}
		small, big = big, peak
	}
	return small, big, nil
}

// writeLarge writes an addition with that many bytes of measurements.
func writeLarge(path string, size int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgld/1.0" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0">
  <brocom:requestReference>bench large</brocom:requestReference>
  <brocom:broId>GLD000000100001</brocom:broId>
  <brocom:qualityRegime>IMBRO</brocom:qualityRegime>
  <sourceDocument><GLD_Addition>
`)
	for n := 0; n < size; {
		k, _ := fmt.Fprintf(w, "<point><time>2026-01-01T%02d:00:00Z</time><value uom=\"m\">%d.%03d</value><qualifier>goedgekeurd</qualifier></point>\n", n%24, n%97, n%1000)
		n += k
	}
	fmt.Fprint(w, "</GLD_Addition></sourceDocument></registrationRequest>\n")
	return errors.Join(w.Flush(), f.Close())
}

// watchChild runs a daemon on the site in another process until it says what
// until waits for, and returns the largest RssAnon seen, in MB.
func watchChild(ctx context.Context, dir string, until func(said string) bool) (peak float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", "daemon", "-arg", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	over := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if until(lines.Text()) {
				over <- true
				return
			}
		}
		over <- false
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		peak = max(peak, rssAnon(cmd.Process.Pid))
		select {
		case reached := <-over:
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
			if !reached {
				return peak, errors.New("the measured daemon ended by itself")
			}
			return peak, nil
		case <-tick.C:
		}
	}
}

// rssAnon is a process's memory of its own in MB; bbolt's mapped file is not in it.
func rssAnon(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return float64(kb) / 1024
		}
	}
	return 0
}

// childDaemon runs a daemon on a site and says how many documents are queued and filed.
func childDaemon(ctx context.Context, dir string) error {
	c, err := config.Load(filepath.Join(dir, "config.yaml"))
	if err != nil {
		return err
	}
	var queued, filed atomic.Int64
	d, err := daemon.New(daemon.Options{Config: c, Version: "bench", Changed: func(before, after *queue.Item) {
		if before == nil {
			fmt.Printf("queued %d\n", queued.Add(1))
		}
		if !after.Open() {
			fmt.Printf("filed %d\n", filed.Add(1))
		}
	}})
	if err != nil {
		return err
	}
	defer d.Close()
	if info, err := os.ReadDir(filepath.Join(dir, "inbox")); err == nil && len(info) == 0 {
		time.AfterFunc(2*time.Second, func() { fmt.Println("queued 0") }) // an empty folder: measured for a while
	}
	return d.Run(ctx)
}
