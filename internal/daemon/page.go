package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"brodaemon/internal/config"
	"brodaemon/internal/secret"
	"brodaemon/internal/status"
)

// page is the status page's address and what answers there. A reload changes
// the answers and keeps the address, unless that is changed too.
type page struct {
	listener net.Listener
	listen   string // as configured
	handler  atomic.Pointer[pageHandler]
	stop     context.CancelFunc // nil until it is served
	ended    chan struct{}
}

type pageHandler struct {
	*status.Server
	language string
	password secret.String
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.Load().ServeHTTP(w, r) }

// newPage opens the status page's address, if one is configured; old, if it is
// served at the same address, is used again. What old answers is not changed
// yet: see changePage.
func (d *Daemon) newPage(c *config.Config, old *page) (*page, error) {
	if c.Status.Listen == "" {
		return nil, nil
	}
	handler, err := d.newPageHandler(c)
	if err != nil {
		return nil, err
	}
	if old != nil && old.listen == c.Status.Listen {
		return old, nil
	}
	l, err := net.Listen("tcp", c.Status.Listen)
	if err != nil {
		return nil, startError(fmt.Errorf("open the status page: %w; choose another address in status.listen, or \"\" for no page", err))
	}
	p := &page{listener: l, listen: c.Status.Listen, ended: make(chan struct{})}
	p.handler.Store(handler)
	return p, nil
}

func (d *Daemon) newPageHandler(c *config.Config) (*pageHandler, error) {
	h := &pageHandler{language: c.Language}
	if file := c.Status.PasswordFile; file != "" {
		var err error
		if h.password, err = secret.ReadFile(file); err != nil {
			return nil, &StartError{Config: true, Err: fmt.Errorf("status.password_file: %w", err)}
		}
	}
	h.Server = status.NewServer(status.Options{
		Source: d, Actor: d.worker, Password: h.password, Language: h.language, Version: d.version,
		Metrics: d.metrics, Ready: d.store.Ready, Names: []string{c.Status.Listen},
	})
	return h, nil
}

// changePage makes a page answer by the configuration. Who is signed in stays
// so as long as nothing changed that matters for the page.
func (d *Daemon) changePage(p *page, c *config.Config) {
	if p == nil {
		return
	}
	now := p.handler.Load()
	next, err := d.newPageHandler(c)
	if err != nil || next.language == now.language && next.password.Reveal() == now.password.Reveal() {
		return // the password file was readable a moment ago: what is there stays
	}
	p.handler.Store(next)
}

// startPage serves it until it is stopped or the daemon is. Its caller holds reloading.
func (d *Daemon) startPage(p *page) {
	if p == nil || p.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(d.runs)
	p.stop = stop
	d.running.Go(func() error {
		defer close(p.ended)
		return status.Serve(ctx, p.listener, p)
	})
}

// stopPage lets go of a page's address.
func (p *page) stopPage() {
	if p == nil {
		return
	}
	if p.stop != nil {
		p.stop()
		<-p.ended
		return
	}
	_ = p.listener.Close() // nobody was ever answered on it
}

func (d *Daemon) closePage() error {
	now := d.now.Load()
	if now == nil || now.page == nil {
		return nil
	}
	return closeListener(now.page.listener)()
}
