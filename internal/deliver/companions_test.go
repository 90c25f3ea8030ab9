package deliver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// fakeEnricher keeps what was added, and answers as told.
type fakeEnricher struct {
	mu     sync.Mutex
	answer func(n int) (done bool, err error)
	calls  int
	added  []string
}

func (e *fakeEnricher) add(ctx context.Context, what string) error {
	e.mu.Lock()
	e.calls++
	n, answer := e.calls, e.answer
	e.mu.Unlock()
	done, err := true, error(nil)
	if answer != nil {
		done, err = answer(n)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if done {
		e.added = append(e.added, what)
	}
	return err
}

func (e *fakeEnricher) AddNote(ctx context.Context, _ portal.ProjectID, delivery, document string, level portal.Level, text string) error {
	return e.add(ctx, fmt.Sprintf("%s %s%s: %s", delivery, document, level, text))
}

func (e *fakeEnricher) Attach(ctx context.Context, _ portal.ProjectID, delivery, name string, body portal.Body) error {
	data, err := readBody(body)
	if err != nil {
		return err
	}
	return e.add(ctx, fmt.Sprintf("%s %s: %s", delivery, name, data))
}

func (e *fakeEnricher) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := slices.Clone(e.added)
	slices.Sort(all)
	return all
}

func withEnricher(e *fakeEnricher) func(*Options) {
	return func(o *Options) { o.Folders[0].Enricher = e }
}

// mate writes a companion file and describes it as a watcher would.
func (s *site) mate(file, content string) Companion {
	s.t.Helper()
	path := filepath.Join(s.dir, "zwolle", file)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return Companion{File: file, Size: info.Size(), ModTime: info.ModTime(), Open: func() (*os.File, error) { return os.Open(path) }, Check: sameFile(info)}
}

// saveWith saves a document with companions and offers all of it.
func (s *site) saveWith(file string, data []byte, mates ...Companion) {
	s.t.Helper()
	path := filepath.Join(s.dir, "zwolle", file)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		s.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		s.t.Fatal(err)
	}
	d := s.worker.Accept(context.Background(), Arrival{
		Folder: "zwolle", File: file, Size: info.Size(), ModTime: info.ModTime(), Seen: time.Now(), Unchanged: time.Minute,
		Open: func() (*os.File, error) { return os.Open(path) }, Check: sameFile(info), Companions: mates,
	})
	if d.Answer != Taken {
		s.t.Fatalf("Accept said %+v", d)
	}
}

// outcomes are what the receipt says of the companions, "file outcome" in order.
func (s *site) outcomes(it queue.Item) (all []string) {
	s.t.Helper()
	for _, c := range s.receipt(it).Companions {
		all = append(all, c.File+" "+c.Outcome)
		if (c.Outcome == "added") != (c.Why == "") {
			s.t.Errorf("%s is %s because %q", c.File, c.Outcome, c.Why)
		}
	}
	return all
}

func (s *site) emptySpool() {
	s.t.Helper()
	if left, _ := os.ReadDir(filepath.Join(s.dir, "data", queue.SpoolName)); len(left) != 0 {
		s.t.Errorf("the spool still holds %v", left)
	}
}

func TestCompanionsTravelAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEnricher{}
		s := newSite(t, withEnricher(e))
		s.saveWith("put-17.xml", newWell("put"), s.mate("put-17.xml.note.txt", "Waarschuwing: maaiveld\r\ncontroleren"), s.mate("put-17.xml.attach.pdf", "%PDF"))
		s.pass(time.Minute)
		it := s.want("put-17.xml", queue.Delivered, "")
		if got, want := e.all(), []string{"0000000001 put-17.pdf: %PDF", "0000000001 warning: maaiveld\ncontroleren"}; !slices.Equal(got, want) {
			t.Errorf("added %q, want %q", got, want)
		}
		if got := s.outcomes(it); !slices.Equal(got, []string{"put-17.xml.note.txt added", "put-17.xml.attach.pdf added"}) {
			t.Errorf("the receipt says %q", got)
		}
		for _, tail := range []string{".note.txt", ".attach.pdf"} {
			if _, err := os.Stat(it.Filed + tail); err != nil {
				t.Errorf("not beside the document: %v", err)
			}
			if s.exists("zwolle", "put-17.xml"+tail) {
				t.Errorf("%s still lies in the folder", tail)
			}
		}
		s.emptySpool()
	})
}

// Whatever becomes of a companion, the document is delivered once, at once, and
// its receipt says what was not added.
func TestCompanionTrouble(t *testing.T) {
	fail := func(e portal.Error) func(int) (bool, error) {
		return func(int) (bool, error) { return false, &e }
	}
	lost := func(int) (bool, error) {
		return true, &portal.Error{Kind: portal.Unavailable, StatusCode: 502, MaybeDone: true}
	}
	later := func(e portal.Error) func(int) (bool, error) {
		return func(n int) (bool, error) {
			if n == 1 {
				return false, &e
			}
			return true, nil
		}
	}
	cases := map[string]struct {
		answer func(int) (bool, error)
		want   string
		calls  int
	}{
		"token of another kind": {fail(portal.Error{Kind: portal.Unauthorized, StatusCode: 403}), "not-added", 1},
		"no such delivery":      {fail(portal.Error{Kind: portal.Gone, StatusCode: 404}), "not-added", 1},
		"refused":               {fail(portal.Error{Kind: portal.Refused, StatusCode: 413}), "not-added", 1},
		"answer lost":           {lost, "maybe-added", 1},
		"not understood": {func(int) (bool, error) {
			return true, &portal.Error{Kind: portal.Unexpected, StatusCode: 302, MaybeDone: true}
		}, "maybe-added", 1},
		"not reached, once": {later(portal.Error{Kind: portal.Unavailable}), "added", 2},
		"too often, once":   {later(portal.Error{Kind: portal.RateLimited, StatusCode: 429}), "added", 2},
		"never reached":     {fail(portal.Error{Kind: portal.Unavailable}), "not-added", 2},
		"sign-on refused":   {fail(portal.Error{Kind: portal.Unauthorized, StatusCode: 401}), "not-added", 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &fakeEnricher{answer: c.answer}
				s := newSite(t, withEnricher(e))
				s.saveWith("put.xml", newWell("put"), s.mate("put.xml.note.txt", "hallo"))
				s.pass(7 * time.Second)
				s.want("put.xml", queue.Delivered, "")
				if len(s.portal.deliveries()) != 1 || s.portal.count(portal.OpSubmit) != 1 {
					t.Errorf("%d deliveries", len(s.portal.deliveries()))
				}
				s.pass(time.Minute)
				it := s.item("put.xml")
				if got := s.outcomes(it); !slices.Equal(got, []string{"put.xml.note.txt " + c.want}) {
					t.Errorf("the receipt says %q, want %s", got, c.want)
				}
				if e.calls != c.calls || len(e.added) > 1 {
					t.Errorf("%d calls, want %d; added %q", e.calls, c.calls, e.added)
				}
				for _, f := range s.worker.Status() {
					if f.PortalPause != nil || f.TokenPause != nil {
						t.Errorf("something is paused because of a companion: %+v", f)
					}
				}
				s.emptySpool()
			})
		})
	}
}

// A companion whose call hangs keeps no other document from being delivered.
func TestCompanionThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEnricher{answer: func(int) (bool, error) {
			time.Sleep(time.Hour)
			return true, nil
		}}
		s := newSite(t, withEnricher(e), func(o *Options) { o.Endpoints[0].Concurrency = 1 })
		s.saveWith("a.xml", newWell("a"), s.mate("a.xml.note.txt", "hallo"))
		s.pass(time.Second)
		s.saveWith("b.xml", newWell("b"))
		s.pass(time.Minute)
		s.want("a.xml", queue.Submitted, "")
		s.want("b.xml", queue.Delivered, "")
		s.pass(2 * time.Hour)
		s.want("a.xml", queue.Delivered, "")
	})
}

// One that is saved later joins as long as its document has no outcome.
func TestCompanionThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEnricher{}
		s := newSite(t, withEnricher(e))
		early := s.mate("put.xml.note.txt", "vroeg")
		if d := s.worker.AcceptCompanion("zwolle", "put.xml", early); d.Answer != Later {
			t.Errorf("before its document: %+v", d)
		}
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryValidated, portal.DocumentValid })
		s.saveWith("put.xml", newWell("put"), early)
		s.pass(time.Minute)
		s.want("put.xml", queue.Submitted, "")
		late := s.mate("put.xml.attach.foto.jpg", "laat")
		for range 3 { // the watcher may offer it again, also after a restart
			for _, c := range []Companion{early, late} {
				if d := s.worker.AcceptCompanion("zwolle", "put.xml", c); d.Answer != Taken {
					t.Errorf("%s: %+v", c.File, d)
				}
			}
			s.restart()
		}
		if d := s.worker.AcceptCompanion("zwolle", "put.xml", s.mate("put.xml.note.txt", "anders")); d.Answer != NotYet || !strings.Contains(d.Reason, "other content") {
			t.Errorf("changed: %+v", d)
		}
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered })
		s.pass(2 * time.Hour)
		it := s.want("put.xml", queue.Delivered, "")
		if got := e.all(); !slices.Equal(got, []string{"0000000001 info: vroeg", "0000000001 put-foto.jpg: laat"}) {
			t.Errorf("added %q", got)
		}
		if got := s.outcomes(it); len(got) != 2 {
			t.Errorf("the receipt says %q", got)
		}
		if d := s.worker.AcceptCompanion("zwolle", "put.xml", s.mate("put.xml.note.txt", "te laat")); d.Answer != Later {
			t.Errorf("after its document was filed: %+v", d)
		}
		s.emptySpool()
	})
}

// What can't be added is not posted, and said.
func TestUselessCompanions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEnricher{}
		s := newSite(t, withEnricher(e))
		s.saveWith("put.xml", newWell("put"), s.mate("put.xml.note.txt", ""), s.mate("put.xml.attach.a", ""),
			s.mate("put.xml.attach.b", "goed"), s.mate("PUT.XML.NOTE.TXT", " \n"))
		s.pass(time.Minute)
		it := s.want("put.xml", queue.Delivered, "")
		if got := s.outcomes(it); !slices.Equal(got, []string{"put.xml.note.txt not-added", "put.xml.attach.a not-added", "put.xml.attach.b added", "PUT.XML.NOTE.TXT not-added"}) {
			t.Errorf("the receipt says %q", got)
		}
		if len(e.added) != 1 {
			t.Errorf("added %q", e.added)
		}
	})
	synctest.Test(t, func(t *testing.T) { // nobody can add anything
		s := newSite(t)
		s.saveWith("put.xml", newWell("put"), s.mate("put.xml.note.txt", "hallo"))
		s.pass(time.Minute)
		if got := s.outcomes(s.want("put.xml", queue.Delivered, "")); !slices.Equal(got, []string{"put.xml.note.txt not-added"}) {
			t.Errorf("the receipt says %q", got)
		}
	})
}

// A document that ends in failed/ takes its companions along, unposted.
func TestCompanionOfARefusedDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEnricher{}
		s := newSite(t, withEnricher(e))
		s.portal.set(func(p *fakePortal) { p.verdict = portal.Validation{Errors: []string{"nee"}} })
		s.saveWith("put.xml", newWell("put"), s.mate("put.xml.note.txt", "hallo"))
		s.pass(time.Minute)
		s.want("put.xml", queue.Rejected, "")
		if !s.exists("zwolle", "failed", "put.xml.note.txt") || s.exists("zwolle", "put.xml.note.txt") || e.calls != 0 {
			t.Errorf("the note is not beside the document, or was posted (%d calls)", e.calls)
		}
		s.emptySpool()
	})
}

// A stop at any moment: at most one post of each companion, and a receipt that
// says what is not certain.
func TestCompanionsAndRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEnricher{}
		s := newSite(t, withEnricher(e))
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryValidated, portal.DocumentValid })
		s.saveWith("put.xml", newWell("put"), s.mate("put.xml.attach.b", "x"), s.mate("put.xml.note.txt", "hallo"))
		s.pass(time.Second)
		it := s.want("put.xml", queue.Submitted, "")
		s.halt()
		// as a crash between intent and answer leaves it
		store, err := queue.Open(filepath.Join(s.dir, "data"), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if it.Companions[1].State != queue.CompanionAdded {
			t.Fatalf("companions are %+v", it.Companions)
		}
		late, err := store.Apply(it.ID, queue.CompanionTaken(time.Now(), queue.Companion{File: "put.xml.attach.c", Size: 1, Spool: "gone"}), queue.CompanionIntended(time.Now(), 2))
		if err != nil || late.Companions[2].State != queue.CompanionAdding {
			t.Fatal(late.Companions, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		s.portal.set(func(p *fakePortal) { p.status, p.doc = portal.DeliveryForwarded, portal.DocumentRegistered })
		s.start()
		s.pass(time.Hour)
		it = s.want("put.xml", queue.Delivered, "")
		if got := s.outcomes(it); !slices.Equal(got, []string{"put.xml.attach.b added", "put.xml.note.txt added", "put.xml.attach.c maybe-added"}) {
			t.Errorf("the receipt says %q", got)
		}
		if e.calls != 2 {
			t.Errorf("%d calls, want 2", e.calls)
		}
	})
}

func TestReadNote(t *testing.T) {
	cases := map[string]struct {
		level portal.Level
		text  string
	}{
		"hallo":                             {portal.LevelInfo, "hallo"},
		"\xef\xbb\xbfhallo\r\n":             {portal.LevelInfo, "hallo"},
		"\xff\xfeh\x00\xe9\x00":             {portal.LevelInfo, "hé"},
		"\xfe\xff\x00h\x00\xe9":             {portal.LevelInfo, "hé"},
		"h\xe9":                             {portal.LevelInfo, "hé"},
		"warning: let op":                   {portal.LevelWarning, "let op"},
		"FOUT:\r\nhet klopt niet\r\n: echt": {portal.LevelError, "het klopt niet\n: echt"},
		"Let op: fout: nee":                 {portal.LevelInfo, "Let op: fout: nee"},
		"error":                             {portal.LevelInfo, "error"},
		"":                                  {portal.LevelInfo, ""},
	}
	for given, want := range cases {
		if level, text := readNote([]byte(given)); level != want.level || text != want.text {
			t.Errorf("%q: got %s %q, want %s %q", given, level, text, want.level, want.text)
		}
	}
	for file, want := range map[string]string{
		"put-17.xml.attach.pdf": "put-17.pdf", "a/b/Put.XML.Attach.tekening.v2.dwg": "Put-tekening.v2.dwg", "put.xml.attach.xml": "put.xml", "x": "x",
	} {
		if got := attachmentName(file); got != want {
			t.Errorf("%s is called %s, want %s", file, got, want)
		}
	}
}
