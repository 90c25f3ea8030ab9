package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"brodaemon/internal/control"
	"brodaemon/internal/secret"
)

// daemonState is what the running daemon says, as far as there is one.
type daemonState struct {
	running bool
	err     error // it is there but can't be asked
	status  daemonStatus
	tokens  map[string]daemonToken
}

// daemonStatus is the part of /api/v1/status that is of use here.
type daemonStatus struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	DataDir string `json:"data_dir"`
	Folders []struct {
		Name   string `json:"name"`
		Path   string `json:"path"`
		Online bool   `json:"online"`
		Cause  string `json:"cause"`
		Reason string `json:"reason"`
	} `json:"folders"`
}

type daemonToken struct {
	Name  string       `json:"name"`
	Place secret.Place `json:"source"`
	Since time.Time    `json:"since"`
	Error string       `json:"error"`
}

const maxAnswer = 16 << 20

// askDaemon asks over the control socket, within the time limit.
func askDaemon(ctx context.Context, dataDir string, limit time.Duration) (d daemonState) {
	if info, err := os.Stat(dataDir); err == nil && !info.IsDir() {
		return daemonState{} // that is told elsewhere
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := control.Client(dataDir)
	defer client.CloseIdleConnections()
	err := getJSON(ctx, client, control.BaseURL+"api/v1/status", &d.status)
	if errors.Is(err, control.ErrNotRunning) {
		return daemonState{}
	}
	if err != nil {
		return daemonState{err: err}
	}
	d.running = true
	var tokens []daemonToken
	if err := getJSON(ctx, client, control.BaseURL+"api/v1/tokens", &tokens); err == nil { // an older daemon does not know it
		d.tokens = map[string]daemonToken{}
		for _, t := range tokens {
			d.tokens[t.Name] = t
		}
	}
	return d
}

func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

// checkDaemon looks at the control socket and the status page.
func (c *checker) checkDaemon(t *track) {
	switch {
	case c.daemon.running:
		t.ok("daemon.control", "daemon.runs", c.daemon.status.PID, line(c.daemon.status.Version))
		if c.o.Version != "" && c.daemon.status.Version != c.o.Version {
			t.note("daemon.version", "daemon.other-version", "daemon.other-version.fix", line(c.daemon.status.Version), c.o.Version)
		}
	case errors.Is(c.daemon.err, os.ErrPermission):
		t.wrong("daemon.control", "daemon.closed", "daemon.closed.fix", plain(c.daemon.err))
	case c.daemon.err != nil:
		t.wrong("daemon.control", "daemon.silent", "daemon.silent.fix", plain(c.daemon.err))
	default:
		t.note("daemon.control", "daemon.none", "daemon.none.fix")
	}
	for _, f := range c.o.SecretFiles {
		t.begin("daemon.secret-file")
		if _, err := secret.ReadFile(f.Path); err != nil {
			t.wrong("daemon.secret-file", "file.unusable", "file.unusable.fix", f.Field, plain(err))
		} else {
			t.ok("daemon.secret-file", "file.good", f.Field, f.Path)
		}
	}
	if c.o.Page != "" {
		t.begin("daemon.page")
		c.checkPage(t)
	}
}

// checkPage finds out who has the status page's address.
func (c *checker) checkPage(t *track) {
	l, err := net.Listen("tcp", c.o.Page)
	if err == nil {
		_ = l.Close()
		if host, port, _ := net.SplitHostPort(c.o.Page); c.daemon.running && port != "0" {
			t.wrong("daemon.page", "page.not-served", "page.not-served.fix", net.JoinHostPort(host, port))
			return
		}
		t.ok("daemon.page", "page.free", c.o.Page)
		return
	}
	if served, who := c.servedBy(t.ctx); served {
		t.ok("daemon.page", "page.served", c.o.Page)
	} else if who != "" {
		t.wrong("daemon.page", "page.taken", "page.taken.fix", c.o.Page, who)
	} else {
		t.wrong("daemon.page", "page.unusable", "page.taken.fix", c.o.Page, plain(err))
	}
}

// servedBy asks whoever answers at the page's address for its data folder.
func (c *checker) servedBy(ctx context.Context) (ours bool, other string) {
	host, port, err := net.SplitHostPort(c.o.Page)
	if err != nil {
		return false, ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Limit/2)
	defer cancel()
	var said daemonStatus
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	if err := getJSON(ctx, client, "http://"+net.JoinHostPort(host, port)+"/api/v1/status", &said); err != nil || said.DataDir == "" {
		return false, ""
	}
	if filepath.Clean(said.DataDir) == filepath.Clean(c.o.DataDir) {
		return true, ""
	}
	return false, fmt.Sprintf("brodaemon, data_dir %s", line(said.DataDir))
}
