// Package demo shows brodaemon at work without a token and without a network:
// it starts the sandbox portal and the daemon on a fresh folder, saves sample
// documents there as an office would, good and bad ones, and tells live what
// happens to each until it has its outcome.
//
// Everything in it is the real thing but the portal: the same daemon, watching
// a real folder, over a real connection to 127.0.0.1. The folder, its
// configuration and the queue stay afterwards, to look at.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
	"brodaemon/internal/demo/documents"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// Options say how to show it.
type Options struct {
	Dir     string // where; "" = a new folder among the temporary ones. It must be empty or not exist.
	Once    bool   // end when every sample has its outcome
	Version string
	Out     io.Writer
}

// ErrUnfinished is returned by Run with Once when a sample had no outcome in time.
var ErrUnfinished = errors.New("not every sample had its outcome in time")

// patience is how long Once waits for all outcomes; they take some ten seconds.
const patience = 2 * time.Minute

// The duplicate: the same bytes saved a second time under another name, some
// time after the first, as happens to people.
const (
	original   = "put-17.xml"
	duplicate  = "put-17 (kopie).xml"
	afterwards = 1500 * time.Millisecond
)

const (
	folderName = "zwolle"
	configText = `# Made by "brodaemon demo". The portal is a sandbox on this machine that lives as long as the demo runs.
data_dir: data
language: nl
portal:
  url: http://%s
  requests_per_second: 50
tokens:
  - name: demo
    username: "%s"
    password_file: demo.secret
folders:
  - name: zwolle
    path: zwolle
    project: "%d"
    token: demo
    scan_interval: 1s
    settle: 500ms
    incomplete_timeout: 4s
retry:  { first: 1s, max: 1m }
follow: { first: 500ms, max: 2s }
status: { listen: "127.0.0.1:0" }
`
)

// Run shows the demo until ctx ends, or with Once until it is over.
func Run(ctx context.Context, o Options) error {
	s, err := newStage(o)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.servePortal(ctx) })
	g.Go(func() error { return s.daemon.Run(ctx) })
	g.Go(func() error { s.screen.run(ctx); return nil })
	g.Go(func() error {
		err := s.play(ctx)
		if err != nil || o.Once {
			stop()
		}
		return err
	})
	err = g.Wait()
	s.screen.drain()
	if s.over {
		fmt.Fprintf(o.Out, "\nStopped. Everything is still in %s\n", s.dir)
	}
	return err
}

// stage is everything the demo needs, set up.
type stage struct {
	Options
	dir      string // absolute
	inbox    string
	listener net.Listener
	portal   *sandbox.Server
	daemon   *daemon.Daemon
	screen   *screen
	over     bool // all samples had their outcome and the visitor watched on
}

func newStage(o Options) (s *stage, err error) {
	s = &stage{Options: o, screen: newScreen(o.Out)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = freshDir(o.Dir); err != nil {
		return s, err
	}
	s.inbox = filepath.Join(s.dir, folderName)
	opts := sandbox.Default()
	opts.Timeline.PerObject = 2 * time.Second // a demo is short
	s.portal = sandbox.New(opts)
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return s, fmt.Errorf("open an address for the sandbox portal: %w", err)
	}
	file := filepath.Join(s.dir, "config.yaml")
	err = errors.Join(
		os.MkdirAll(s.inbox, 0o755),
		os.WriteFile(filepath.Join(s.dir, "demo.secret"), []byte(sandbox.DefaultSecret+"\n"), 0o600),
		os.WriteFile(file, fmt.Appendf(nil, configText, s.listener.Addr(), sandbox.DefaultUsername, sandbox.DefaultProject), 0o644),
	)
	if err != nil {
		return s, fmt.Errorf("set up the demo: %w", err)
	}
	c, err := config.Load(file)
	if err != nil {
		return s, fmt.Errorf("set up the demo: %w", err)
	}
	log, err := s.log()
	if err != nil {
		return s, err
	}
	s.daemon, err = daemon.New(daemon.Options{Config: c, Version: o.Version, Logger: log, Changed: s.screen.changed})
	return s, err
}

// freshDir makes the demo's folder.
func freshDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "brodaemon-demo-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty: give an empty or new folder for the demo", dir)
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// log keeps the daemon's log beside the rest instead of on the screen.
func (s *stage) log() (*zap.Logger, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "brodaemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("set up the demo: %w", err)
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.ISO8601TimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(ec), zapcore.AddSync(f), zapcore.InfoLevel)), nil
}

func (s *stage) close() {
	if s.daemon != nil {
		_ = s.daemon.Close()
	}
	if s.listener != nil {
		_ = s.listener.Close()
	}
}

func (s *stage) servePortal(ctx context.Context) error {
	srv := &http.Server{Handler: s.portal, ReadHeaderTimeout: 10 * time.Second}
	done := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer done()
	if err := srv.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// play saves the samples, waits for their outcomes and tells how it ended.
func (s *stage) play(ctx context.Context) error {
	s.welcome()
	names, err := documents.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.save(name, name); err != nil {
			return err
		}
	}
	if err := pause(ctx, afterwards); err != nil {
		return nil
	}
	if err := s.save(original, duplicate); err != nil {
		return err
	}
	names = append(names, duplicate)
	if err := s.await(ctx, names); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.summary(names); err != nil {
		return err
	}
	if s.Once {
		return nil
	}
	s.over = true
	s.goOn()
	<-ctx.Done()
	return nil
}

// save writes a sample as a careful program would: under a temporary name first.
func (s *stage) save(sample, name string) error {
	data, err := documents.FS.ReadFile(sample)
	if err != nil {
		return err
	}
	temp := filepath.Join(s.inbox, name+".tmp")
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(s.inbox, name))
}

// await returns when every file has been filed.
func (s *stage) await(ctx context.Context, names []string) error {
	deadline := time.Now().Add(patience)
	for ctx.Err() == nil {
		filed, err := s.filed()
		if err != nil {
			return err
		}
		left := 0
		for _, name := range names {
			if _, ok := filed[name]; !ok {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		if s.Once && time.Now().After(deadline) {
			return fmt.Errorf("%w: %d are left; see %s", ErrUnfinished, left, s.dir)
		}
		s.tellWaiting()
		_ = pause(ctx, 200*time.Millisecond)
	}
	return nil
}

// filed returns the newest finished item of each file name.
func (s *stage) filed() (map[string]queue.Item, error) {
	items, err := s.daemon.Items(queue.Filter{})
	filed := map[string]queue.Item{}
	for _, it := range items {
		if !it.Open() {
			filed[it.File] = it
		}
	}
	return filed, err
}

// tellWaiting says of files that are not in the queue yet why they are not.
func (s *stage) tellWaiting() {
	snapshot, err := s.daemon.Status()
	if err != nil {
		return // told by the daemon's log
	}
	for _, f := range snapshot.Folders {
		for _, l := range f.NotTaken {
			s.screen.say(l.File, "waiting", l.Reason)
		}
	}
}

func (s *stage) welcome() {
	fmt.Fprintf(s.Out, `brodaemon demo

  everything     %s
  save files in  %s
  status page    http://%s/
  the portal     http://%s/   (a sandbox on this machine; nothing leaves it)

`, s.dir, s.inbox, s.daemon.PageAddress(), s.listener.Addr())
}

func (s *stage) goOn() {
	fmt.Fprintf(s.Out, `
The demo goes on. Save a file of your own in
  %s
and watch here what happens to it. Ctrl-C stops.
  more to try:  brodaemon --config %s status
                brodaemon --config %s queue list
`, s.inbox, filepath.Join(s.dir, "config.yaml"), filepath.Join(s.dir, "config.yaml"))
}

// summary prints what became of each sample and where it is.
func (s *stage) summary(names []string) error {
	filed, err := s.filed()
	if err != nil {
		return err
	}
	s.screen.drain()
	rows := [][]string{{"FILE", "OUTCOME", "BRO-ID", "NOW IN THE FOLDER"}}
	for _, name := range names {
		it := filed[name]
		where, err := filepath.Rel(s.inbox, it.Filed)
		if err != nil {
			where = it.Filed
		}
		broID := it.BROID
		if broID == "" || it.State != queue.Delivered {
			broID = "-"
		}
		rows = append(rows, []string{name, outcomeOf(&it), broID, where})
	}
	fmt.Fprintf(s.Out, "\nEvery sample has its outcome:\n\n")
	table(s.Out, rows)
	fmt.Fprintf(s.Out, "\nBeside each document in done/ lies its receipt (.receipt.json), beside each in failed/ the reason (.reason.txt), for instance\n")
	for _, name := range names {
		if it := filed[name]; it.State == queue.Rejected && it.Beside != "" {
			fmt.Fprintf(s.Out, "  %s\n", it.Beside)
			break
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// table prints rows in columns; the first row is the heading.
func table(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&b, "  %s%s", cell, strings.Repeat(" ", width[i]-len([]rune(cell))))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
