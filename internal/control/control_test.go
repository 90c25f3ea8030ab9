package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		os.Exit(child(job))
	}
	// The pipe library keeps one goroutine for as long as the process lives.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Microsoft/go-winio.ioCompletionProcessor"))
}

// start serves handler for dataDir and returns a function that stops it and gives
// Serve's result.
func start(t *testing.T, dataDir string, handler http.HandlerFunc) (stop func() error) {
	t.Helper()
	l, err := Listen(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	letGo := ready(t, dataDir)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, handler) }()
	stop = sync.OnceValue(func() error { letGo(); cancel(); return <-served })
	t.Cleanup(func() { stop() })
	return stop
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.URL.Path) }

// get asks the daemon of dataDir and returns its answer.
func get(t *testing.T, dataDir, path string) (string, error) {
	t.Helper()
	client := Client(dataDir)
	defer client.CloseIdleConnections()
	response, err := client.Get(BaseURL + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestAskAndStop(t *testing.T) {
	dir := dataFolder(t)
	if _, err := get(t, dir, "status"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before: %v, want ErrNotRunning", err)
	}
	stop := start(t, dir, hello)
	for range 3 {
		if answer, err := get(t, dir, "status"); err != nil || answer != "hello /status" {
			t.Fatalf("answer %q, error %v", answer, err)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := get(t, dir, "status"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("afterwards: %v, want ErrNotRunning", err)
	}
}

func TestStartAgainAndAgain(t *testing.T) {
	dir := dataFolder(t)
	for range 5 {
		stop := start(t, dir, hello)
		if _, err := get(t, dir, ""); err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoDataFoldersAreTwoDaemons(t *testing.T) {
	a, b := dataFolder(t), dataFolder(t)
	start(t, a, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a") })
	if _, err := get(t, b, ""); !errors.Is(err, ErrNotRunning) {
		t.Errorf("b answers without being there: %v", err)
	}
	start(t, b, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "b") })
	for dir, want := range map[string]string{a: "a", b: "b"} {
		if got, err := get(t, dir, ""); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	dir := dataFolder(t)
	start(t, dir, hello)
	if l, err := Listen(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, %v; want ErrInUse", l, err)
	}
	if answer, err := get(t, dir, "x"); err != nil || answer != "hello /x" {
		t.Errorf("the first daemon afterwards: %q, %v", answer, err)
	}
}

func TestOfManyAtOnceOneListens(t *testing.T) {
	dir := dataFolder(t)
	type result struct {
		l   net.Listener
		err error
	}
	results := make(chan result)
	for range 8 {
		go func() {
			l, err := Listen(dir)
			results <- result{l, err}
		}()
	}
	listening := 0
	for range 8 {
		switch r := <-results; {
		case r.err == nil:
			listening++
			defer r.l.Close()
		case !errors.Is(r.err, ErrInUse):
			t.Errorf("got %v, want ErrInUse", r.err)
		}
	}
	if listening != 1 {
		t.Errorf("%d listen at once", listening)
	}
}

func TestStopLetsARequestFinish(t *testing.T) {
	dir := dataFolder(t)
	reached, proceed := make(chan bool), make(chan bool)
	stop := start(t, dir, func(w http.ResponseWriter, r *http.Request) {
		reached <- true
		<-proceed
		io.WriteString(w, "done")
	})
	type result struct {
		answer string
		err    error
	}
	asked := make(chan result)
	go func() {
		answer, err := get(t, dir, "")
		asked <- result{answer, err}
	}()
	<-reached
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	waitUntil(t, "no call is taken any more", func() bool {
		// On Windows the pipe stays busy for as long as a connection is open.
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		conn, err := Dial(ctx, dir)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(proceed)
	if r := <-asked; r.err != nil || r.answer != "done" {
		t.Errorf("the request under way got %q, %v", r.answer, r.err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestStopCutsOffARequestThatDoesNotFinish(t *testing.T) {
	dir := dataFolder(t)
	reached, ended := make(chan bool), make(chan bool)
	stop := start(t, dir, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		reached <- true
		<-r.Context().Done()
		close(ended)
	})
	asked := make(chan error)
	go func() {
		_, err := get(t, dir, "")
		asked <- err
	}()
	<-reached
	begun := time.Now()
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(begun); took > stopGrace+10*time.Second { // the request would go on for ever
		t.Errorf("stop took %v", took)
	}
	<-ended
	if err := <-asked; err == nil {
		t.Error("a request that was cut off has an answer")
	}
}

func TestServeTellsThatItsListenerFailed(t *testing.T) {
	l, err := Listen(dataFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- Serve(context.Background(), l, http.NotFoundHandler()) }()
	l.Close()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "control socket") {
		t.Errorf("got %v, want an error", err)
	}
}

func TestServeWithAContextThatHasEnded(t *testing.T) {
	dir := dataFolder(t)
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Serve(ctx, l, http.NotFoundHandler()); err != nil {
		t.Error(err)
	}
	if _, err := Dial(context.Background(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("still there: %v", err)
	}
}

func TestDialObeysItsContext(t *testing.T) {
	dir := dataFolder(t)
	start(t, dir, hello)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if conn, err := Dial(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want the context's end", conn, err)
	}
}

func TestNoDataFolder(t *testing.T) {
	missing := dataFolder(t) + "-absent"
	if _, err := Dial(context.Background(), missing); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dial: %v, want ErrNotRunning", err)
	}
}

// A proxy that is set for the portal must not see these requests.
func TestClientUsesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	dir := dataFolder(t)
	start(t, dir, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.example.org/", http.StatusFound)
	})
	client := Client(dir)
	defer client.CloseIdleConnections()
	response, err := client.Post(BaseURL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusFound {
		t.Errorf("status %d: the redirect was followed", response.StatusCode)
	}
}

// waitUntil polls for something that another goroutine brings about.
func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}
