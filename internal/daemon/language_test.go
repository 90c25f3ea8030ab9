package daemon

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/deliver"
	"brodaemon/internal/notify"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/status"
	"brodaemon/internal/watch"
)

const mixedOffice = `data_dir: data
language: %s
portal: { url: "http://127.0.0.1:9", requests_per_second: 1000 }
retry: { first: 20ms, max: 40ms }
tokens:
  - { name: goed, username: "%s", password_file: secret }
  - { name: fout, username: "%s", password_file: wrong }
folders:
  - { name: zwolle, path: zwolle, project: "%d", token: goed, settle: 10ms, scan_interval: 30ms, watch: poll }
  - { name: assen, path: assen, project: "%d", token: fout, settle: 10ms, scan_interval: 30ms }
  - { name: emmen, path: emmen, project: "%d", token: goed, settle: 10ms, scan_interval: 30ms }
  - { name: ver, path: ver, project: "%d", token: goed, settle: 10ms, scan_interval: 30ms, portal: { url: "http://127.0.0.1:7" } }
status: { listen: "" }
`

// english are words that a Dutch sentence does not have.
var english = regexp.MustCompile(`(?i)\b(the|and|this|what to do|cannot|can't|could|its|with|after|before|is not)\b`)

// tag, and what a browser does not show.
var tag = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>`)

// What goes wrong in an office is told in its language, on the page and in
// messages. Everything here came about by itself: nothing is made up.
func TestAnOfficeIsToldInItsLanguage(t *testing.T) {
	for _, language := range []string{"nl", "en"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			d := troubledOffice(t, language)
			pages := readPages(t, d, language)
			digest, err := standing{d}.Digest(time.Now().Add(-time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			told := digestText(&digest)
			want := map[string][]string{
				"nl": {
					"Het bestand is niet compleet: het einde van het document ontbreekt",
					"controleren: 401 Unauthorized: de aanmelding is geweigerd",
					"technische melding: dial tcp", "Controleer het netwerk, de firewall en de proxy",
					"zo is het ingesteld", "De map bestaat niet. Controleer het pad.",
					"de levering kan toch zijn gemaakt", "Het portaal toont geen levering van",
					"De inhoud is gelijk aan die van document", "is precies gelijk aan",
				},
				"en": {
					"the file is cut off", "validate: 401 Unauthorized: sign-on refused", "check network, firewall and proxy",
					"set to poll", "it does not exist; check the path", "the delivery may have been made all the same",
					"the portal shows no delivery of", "it has the same content as document", "is exactly the same as",
				},
			}[language]
			for _, sentence := range want {
				if !strings.Contains(pages+told, sentence) {
					t.Errorf("nobody is told %q", sentence)
				}
			}
			for _, sentence := range map[string][]string{
				"nl": {"De inhoud is gelijk aan", "De map bestaat niet", "Token fout wordt geweigerd", "ander portaal ("},
				"en": {"it has the same content", "it does not exist", "token fout is refused", "other ("},
			}[language] {
				if !strings.Contains(told, sentence) {
					t.Errorf("the digest does not say %q:\n%s", sentence, told)
				}
			}
			if language == "nl" {
				for _, l := range strings.Split(pages+"\n"+told, "\n") {
					if word := english.FindString(l); word != "" {
						t.Errorf("%q is English: %s", word, strings.TrimSpace(l))
					}
				}
			} else if strings.Contains(pages+told, "technische melding") {
				t.Error("Dutch in an English office")
			}
		})
	}
}

// troubledOffice runs until each of its troubles shows.
func troubledOffice(t *testing.T, language string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	settings := sandbox.Default()
	settings.Timeline = sandbox.Timeline{}
	portal := sandbox.New(settings)
	portal.Inject(sandbox.Fault{Op: sandbox.OpSubmit, Kind: sandbox.ProcessThenDrop, Times: 1})
	portal.Inject(sandbox.Fault{Op: sandbox.OpDeliveries, Kind: sandbox.Answer, Status: 403, Times: -1})
	portal.Inject(sandbox.Fault{Op: sandbox.OpDelivery, Kind: sandbox.Answer, Status: 404, Times: -1})
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"zwolle", "assen", "ver"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("secret", sandbox.DefaultSecret)
	put("wrong", "wrong-all-the-same")
	text := fmt.Sprintf(mixedOffice, language, sandbox.DefaultUsername, sandbox.DefaultUsername, sandbox.DefaultProject, sandbox.DefaultProject, sandbox.DefaultProject, sandbox.DefaultProject)
	c, err := config.Parse([]byte(text), filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Options{Config: c, Transport: func(p config.Portal) (http.RoundTripper, error) {
		if strings.HasSuffix(p.URL, ":7") {
			return http.DefaultTransport, nil // nobody listens there
		}
		return portal.Transport(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			t.Error(err)
		}
	})

	document := string(sampleDocument(t))
	put("zwolle/eerste.xml", document)
	first := waitForItem(t, d, "zwolle", "eerste.xml", func(it *queue.Item) bool { return it.Hold == queue.HoldUncertain })
	put("zwolle/half.xml", document[:len(document)/2])
	put("zwolle/zelfde.xml", document)
	put("zwolle/inhoud.xml", document+"\n")
	put("assen/put.xml", strings.Replace(document, first.RequestReference, "assen", 1)+"\n\n")
	put("ver/put.xml", document+"\n\n\n")
	waitForItem(t, d, "zwolle", "zelfde.xml", func(it *queue.Item) bool { return it.State == queue.Rejected })
	waitForItem(t, d, "zwolle", "inhoud.xml", func(it *queue.Item) bool { return it.Hold == queue.HoldDuplicate })
	it := waitForItem(t, d, "assen", "put.xml", func(it *queue.Item) bool { return it.Hold == queue.HoldDuplicate }) // as one of the first
	if _, err := d.worker.Release(it.ID); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"assen", "ver"} {
		waitForItem(t, d, folder, "put.xml", func(it *queue.Item) bool { return it.LastError != "" })
	}
	waitFor(t, "the folders, the portal and the token show their trouble", func() bool {
		s, err := d.Status()
		if err != nil {
			t.Fatal(err)
		}
		met := map[string]bool{"half": len(s.Folders[0].NotTaken) == 1, "gone": s.Folders[2].Cause == string(watch.CauseMissing)}
		for _, c := range s.Conditions {
			met[c.Code] = true
		}
		return met["half"] && met["gone"] && met["portal-down"] && met["token-paused"]
	})
	return d
}

func waitForItem(t *testing.T, d *Daemon, folder, file string, so func(*queue.Item) bool) queue.Item {
	t.Helper()
	var found queue.Item
	waitFor(t, folder+"/"+file, func() bool {
		met := false
		if err := d.store.Each(queue.Filter{Folder: folder}, func(it queue.Item) bool {
			if it.File == file && so(&it) {
				found, met = it, true
			}
			return !met
		}); err != nil {
			t.Fatal(err)
		}
		return met
	})
	return found
}

func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) { // a look, not a wait for luck
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func sampleDocument(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "demo", "documents", "HB-09 boring.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readPages is what a person sees on the overview and of each document.
func readPages(t *testing.T, d *Daemon, language string) string {
	t.Helper()
	server := status.NewServer(status.Options{Source: d, Actor: d.worker, Language: language, Version: "1"})
	paths := []string{"/"}
	if err := d.store.Each(queue.Filter{}, func(it queue.Item) bool {
		paths = append(paths, "/items/"+it.ID.String())
		return true
	}); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range paths {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		all.WriteString(html.UnescapeString(tag.ReplaceAllString(w.Body.String(), "")))
	}
	return all.String()
}

// digestText is what a digest says, without what package notify adds.
func digestText(digest *notify.Digest) string {
	var b strings.Builder
	for _, c := range digest.Conditions {
		fmt.Fprintf(&b, "%s\n%s\n", c.Text, c.Hint)
	}
	for _, f := range digest.Folders {
		fmt.Fprintf(&b, "%s (%s) %s\n", f.Name, f.Environment, f.Offline)
		for _, doc := range append(append(f.Failed, f.Held...), f.Ignored...) {
			fmt.Fprintf(&b, "%s: %s\n", doc.File, doc.Why)
		}
	}
	return b.String()
}

// Why a file can't be read or kept is known by its error here alone.
func TestWordsOfWhatIsNotTaken(t *testing.T) {
	d := &Daemon{space: newSpace("/data")}
	for _, c := range []struct {
		err  error
		want queue.Code
	}{
		{d.space.named(), deliver.SayNoRoom},
		{fmt.Errorf("open put.xml: %w", watch.ErrBusy), queue.Code(watch.SayStillOpen)},
		{fmt.Errorf("check put.xml: %w", watch.ErrChanged), queue.Code(watch.SayChanged)},
		{&fs.PathError{Op: "open", Path: "put.xml", Err: fs.ErrPermission}, deliver.SayNotKept},
		{&fs.PathError{Op: "open", Path: "put.xml", Err: syscall.EINVAL}, queue.Code(watch.SaySystem)},
		{errors.New("the queue is closed"), deliver.SayNotKept},
	} {
		got := d.decided(deliver.Decision{Answer: deliver.Later, Reason: c.err.Error(), Err: c.err})
		if len(got.Words) == 0 || queue.Code(got.Words[0]) != c.want || got.Reason != c.err.Error() {
			t.Errorf("%v: words %q, reason %q; want code %s", c.err, got.Words, got.Reason, c.want)
		}
	}
	given := deliver.Decision{Answer: deliver.NotYet, Reason: "x", Words: queue.Say(deliver.SayBadName), Err: errors.New("y")}
	if got := d.decided(given); got.Words[0] != string(deliver.SayBadName) {
		t.Errorf("the Worker's own words became %q", got.Words)
	}
}
