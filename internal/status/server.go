package status

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"brodaemon/internal/deliver"
	"brodaemon/internal/secret"
)

// Options are what a Server is made of.
type Options struct {
	Source   Source
	Actor    Actor
	Password secret.String // of everybody who acts; empty = the server is read-only
	Language string        // of the page: nl or en
	Version  string
	Metrics  *Metrics // what /metrics counts; nil = a new one, which counts nothing
	// Ready says why no document can be taken in at this moment, such as a queue
	// that can't be written. nil = nothing can be wrong.
	Ready func() error
	// Names are host names, with or without a port, by which the page may be
	// asked for beside localhost, this machine's name and the address that is
	// listened on. The configured status.listen belongs here.
	Names []string
}

// Server serves the status page and all that stands beside it. Make it with
// [NewServer]. It may be used by any number of goroutines.
type Server struct {
	source   Source
	actor    Actor
	version  string
	ready    func() error
	language language
	entry    *entry
	pages    *template.Template
	handler  http.Handler
}

const (
	retryAfter = "10" // seconds, as guessEvery
	stopWithin = 2 * time.Second
)

//go:embed web
var web embed.FS

// NewServer makes a Server. It starts nothing and opens nothing.
func NewServer(o Options) *Server {
	s := &Server{
		source: o.Source, actor: o.Actor, version: o.Version, ready: o.Ready,
		language: languageOf(o.Language), entry: newEntry(o.Password),
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	s.pages = template.Must(template.New("").Funcs(s.language.functions()).ParseFS(web, "web/*.html")) // embedded, so a test finds any fault

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.overview)
	mux.HandleFunc("GET /items/{id}", s.document)
	mux.HandleFunc("GET /items/{id}/{act}", s.askAct)
	mux.HandleFunc("POST /items/{id}/{act}", s.doAct)
	mux.HandleFunc("GET /retry", s.askRetryAll)
	mux.HandleFunc("POST /retry", s.doRetryAll)
	mux.HandleFunc("GET /sign-in", s.askSignIn)
	mux.HandleFunc("POST /sign-in", s.doSignIn)
	mux.HandleFunc("POST /sign-out", s.signOut)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", o.Metrics.handler(o.Source))
	for _, asset := range []struct{ name, kind string }{
		{"style.css", "text/css; charset=utf-8"}, {"page.js", "text/javascript; charset=utf-8"}, {"icon.svg", "image/svg+xml"},
	} {
		mux.HandleFunc("GET /"+asset.name, serveAsset(asset.name, asset.kind))
	}
	mux.Handle("/api/", s.guardedAPI(API(o.Source, o.Actor)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.trouble(w, r, http.StatusNotFound, s.language.text("nothing-here"))
	})
	s.handler = secure(s.language, mux, ownNames(o.Names))
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers requests on l with a [Server], or with one that changes, until
// ctx ends, lets those in hand finish for at most two seconds, and returns nil
// then. It closes l. Any error it returns means that serving ended by itself.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      2 * time.Minute, // a list of everything over a slow line
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // it logs what clients do wrong
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serve the status page: %w", err), server.Close())
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close() // whoever is still being answered has had the time
	}
	<-ended
	return nil
}

// guardedAPI lets everybody read and only those with the password act.
func (s *Server) guardedAPI(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !s.mayAct(w, r) {
			return
		}
		api.ServeHTTP(w, r)
	})
}

// healthz says that the process answers at all.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

// readyz says whether documents are watched for and can be taken in, and if
// not, why.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	var why []string
	if s.ready != nil {
		if err := s.ready(); err != nil {
			why = append(why, line(err.Error()))
		}
	}
	snapshot, err := s.source.Status()
	if err != nil {
		why = append(why, "the queue can't be read: "+line(err.Error()))
	}
	for _, f := range snapshot.Folders {
		if !f.Online {
			why = append(why, fmt.Sprintf("folder %s is not being watched: %s", line(f.Name), line(f.Reason)))
		}
	}
	if len(why) > 0 {
		plain(w, http.StatusServiceUnavailable, strings.Join(why, "\n")+"\n")
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // the caller is gone
}

// serveAsset serves a file of the page. Browsers ask each time whether it is
// still the same, so that a new version never meets an old style sheet.
func serveAsset(name, kind string) http.HandlerFunc {
	data, err := web.ReadFile("web/" + name)
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(data))
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	}
}

// frame is what every page has around its content.
type frame struct {
	Title        string
	Language     string
	Version      string
	Now          time.Time
	Environments []environment
	CanSignIn    bool // a password is configured
	SignedIn     bool
	Live         bool   // the page shows what changes: it is fetched again every few seconds
	Path         string // of this page, to come back to after signing in
	Said         string // what became of an act
	Wrong        string // what did not
}

func (s *Server) frame(r *http.Request, title string) frame {
	return frame{
		Title: title, Language: s.language.code(), Version: s.version, Now: time.Now(), Path: r.URL.RequestURI(),
		CanSignIn: s.entry.open, SignedIn: s.entry.hasSession(r),
	}
}

// show renders a page, whole or not at all.
func (s *Server) show(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "this page can't be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the caller is gone
}

// trouble is the page for what does not work.
func (s *Server) trouble(w http.ResponseWriter, r *http.Request, code int, sentence string) {
	f := s.frame(r, s.language.text("trouble"))
	f.Wrong = sentence
	s.show(w, code, "trouble.html", struct{ frame }{f})
}

// pauseView is whether a portal or token works, in a word, and if not, why.
type pauseView struct {
	Good  bool
	Word  string
	Pause *deliver.Pause
	Now   time.Time
}

// functions are what the templates call beside their data.
func (l language) functions() template.FuncMap {
	return template.FuncMap{
		"t": l.text, "word": l.word, "line": line, "sentence": l.sentence, "local": local, "utc": utc, "ago": l.ago, "due": l.due,
		"pause": func(good bool, p *deliver.Pause, yes, no string, now time.Time) pauseView {
			if good {
				return pauseView{Good: true, Word: yes}
			}
			return pauseView{Word: no, Pause: p, Now: now}
		},
	}
}
