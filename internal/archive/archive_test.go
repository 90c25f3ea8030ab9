package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// settled is the moment of the outcome in these tests: late enough in UTC to be
// the next day in the folder's zone.
var (
	settled   = time.Date(2026, 11, 22, 23, 30, 5, 0, time.UTC)
	localDay  = "2026-11-23"
	amsterdam = time.FixedZone("CET", 3600)
	saved     = time.Date(2026, 11, 20, 8, 15, 0, 123456700, time.UTC) // time stamp of the files
)

// site is a folder with its archive.
type site struct {
	t                  *testing.T
	path, done, failed string
	a                  *Archive
	opt                Options
	met                map[string]bool // crash points
}

func setup(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zwolle")
	must(t, os.Mkdir(path, 0o755))
	s := &site{t: t, path: path, met: map[string]bool{}, opt: Options{
		Name: "zwolle", Path: path, DoneDir: filepath.Join(path, "done"), FailedDir: filepath.Join(path, "failed"),
		Language: "nl", Zone: amsterdam,
	}}
	for _, c := range change {
		c(&s.opt)
	}
	a, err := New(s.opt)
	must(t, err)
	// A test machine's disk is slow to sync; the tests that count syncs put it back.
	a.sys.syncFile = func(*os.File) error { return nil }
	a.sys.syncDir = func(dir string) error { _, err := os.Stat(dir); return err }
	s.a, s.done, s.failed = a, s.opt.DoneDir, s.opt.FailedDir
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sha(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// save puts a file in the folder.
func (s *site) save(rel, content string) {
	s.t.Helper()
	file := filepath.Join(s.path, filepath.FromSlash(rel))
	must(s.t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(s.t, os.WriteFile(file, []byte(content), 0o644))
	must(s.t, os.Chtimes(file, saved, saved))
}

// document is one whose bytes were delivered; what is in the folder is another matter.
func document(id, rel, content string) Document {
	return Document{
		ID: id, Rel: rel, SHA256: sha(content), Size: int64(len(content)), ModTime: saved,
		Spool: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

// saved puts a document in the folder and takes it up.
func (s *site) document(id, rel, content string) Document {
	s.t.Helper()
	s.save(rel, content)
	return document(id, rel, content)
}

func (s *site) doneDay(name string) string { return filepath.Join(s.done, localDay, name) }

// tree is every file below the folder and below done and failed, as path → content.
func (s *site) tree() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	for _, root := range []string{s.path, s.done, s.failed} {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(p)
			files[p] = string(text)
			return err
		})
		must(s.t, err)
	}
	return files
}

// check fails the test unless there is exactly one receipt or reason of the
// document, with the very bytes beside it, and no temporary file anywhere.
func (s *site) check(d Document, placed Placed) {
	s.t.Helper()
	var found []string
	files := s.tree()
	for file, text := range files {
		if strings.HasPrefix(filepath.Base(file), ".brodaemon-") {
			s.t.Errorf("temporary file left: %s", file)
		}
		own := strings.HasSuffix(file, receiptSuffix) && receiptOf([]byte(text), &d) ||
			strings.HasSuffix(file, reasonSuffix) && reasonOf([]byte(text), &d)
		if own {
			found = append(found, file)
		}
	}
	if len(found) != 1 {
		s.t.Fatalf("receipts of document %s: %q, want one", d.ID, found)
	}
	file := strings.TrimSuffix(strings.TrimSuffix(found[0], receiptSuffix), reasonSuffix)
	if got := sha(files[file]); got != d.SHA256 {
		s.t.Errorf("%s holds %q, which is not the document delivered", file, files[file])
	}
	if placed.Path != file || placed.Beside != found[0] {
		s.t.Errorf("placed says %s and %s, want %s and %s", placed.Path, placed.Beside, file, found[0])
	}
	fi, err := os.Stat(file)
	must(s.t, err)
	if !fi.ModTime().Equal(d.ModTime) {
		s.t.Errorf("%s has time %v, want %v", file, fi.ModTime(), d.ModTime)
	}
}

// count returns how many files have this content.
func count(files map[string]string, content string) int {
	n := 0
	for _, text := range files {
		if text == content {
			n++
		}
	}
	return n
}

func TestDoneMovesTheOriginal(t *testing.T) {
	s := setup(t)
	d := s.document("16", "put-16.xml", "<doc 16>")
	before, err := os.Stat(filepath.Join(s.path, "put-16.xml"))
	must(t, err)

	placed, err := s.a.Done(t.Context(), d, Receipt{Outcome: OutcomeDelivered, Type: "GMW"}, settled)
	must(t, err)
	s.check(d, placed)
	if want := s.doneDay("put-16.xml"); placed.Path != want || placed.Beside != want+".receipt.json" {
		t.Errorf("placed %+v, want %s", placed, want)
	}
	if placed.FromSpool || placed.SourceLeft != "" || placed.PutBack != "" {
		t.Errorf("placed %+v, want the original itself", placed)
	}
	after, err := os.Stat(placed.Path)
	must(t, err)
	if !os.SameFile(before, after) {
		t.Error("it is a copy, want the very file that was saved")
	}
	if exists(filepath.Join(s.path, "put-16.xml")) {
		t.Error("the original is still in the folder")
	}
	var r Receipt
	text, err := os.ReadFile(placed.Beside)
	must(t, err)
	must(t, json.Unmarshal(text, &r))
	if r.File != "put-16.xml" || r.Folder != "zwolle" || r.ID != "16" || r.SHA256 != d.SHA256 || r.Size != d.Size || r.Times.Filed.IsZero() {
		t.Errorf("receipt lacks what the archive knows: %s", text)
	}
}

func TestFailWritesTheReason(t *testing.T) {
	s := setup(t)
	d := s.document("15", "put-15.xml", "<doc 15>")
	placed, err := s.a.Fail(t.Context(), d, Reason{Code: NotValid, PortalErrors: []string{"Zandvang ontbreekt"}}, settled)
	must(t, err)
	s.check(d, placed)
	if want := filepath.Join(s.failed, "put-15.xml"); placed.Path != want || placed.Beside != want+".reason.txt" {
		t.Errorf("placed %+v, want %s", placed, want)
	}
	text, err := os.ReadFile(placed.Beside)
	must(t, err)
	for _, want := range []string{"Zandvang ontbreekt", "put-15.xml", "zwolle", "23 november 2026, 00:30", "2026-11-22T23:30:05Z"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("reason lacks %q:\n%s", want, text)
		}
	}
}

func TestSubfoldersAreKept(t *testing.T) {
	s := setup(t)
	one := s.document("1", "noord/a/put.xml", "one")
	two := s.document("2", "zuid/put.xml", "two")
	p1, err := s.a.Done(t.Context(), one, Receipt{}, settled)
	must(t, err)
	p2, err := s.a.Fail(t.Context(), two, Reason{Code: NotValid}, settled)
	must(t, err)
	if want := s.doneDay(filepath.Join("noord", "a", "put.xml")); p1.Path != want {
		t.Errorf("placed in %s, want %s", p1.Path, want)
	}
	if want := filepath.Join(s.failed, "zuid", "put.xml"); p2.Path != want {
		t.Errorf("placed in %s, want %s", p2.Path, want)
	}
	s.check(one, p1)
	s.check(two, p2)
}

// TestOriginals is about what may have happened to a file while it was under way.
func TestOriginals(t *testing.T) {
	const content, other = "<delivered>", "<corrected>" // of the same length
	tests := map[string]struct {
		do        func(s *site)
		left      Left
		fromSpool bool
		inFolder  map[string]string // what is in the folder afterwards
	}{
		"untouched": {do: func(*site) {}},
		"touched, the same bytes": {do: func(s *site) {
			later := saved.Add(time.Hour)
			must(s.t, os.Chtimes(filepath.Join(s.path, "put.xml"), later, later))
			must(s.t, os.Chtimes(filepath.Join(s.path, "put.xml"), saved, saved.Add(time.Second)))
		}},
		"gone": {
			do:   func(s *site) { must(s.t, os.Remove(filepath.Join(s.path, "put.xml"))) },
			left: LeftGone, fromSpool: true,
		},
		"longer now": {
			do:   func(s *site) { s.save("put.xml", content+"!") },
			left: LeftChanged, fromSpool: true, inFolder: map[string]string{"put.xml": content + "!"},
		},
		"other bytes of the same size, later": {
			do: func(s *site) {
				s.save("put.xml", other)
				must(s.t, os.Chtimes(filepath.Join(s.path, "put.xml"), settled, settled))
			},
			left: LeftChanged, fromSpool: true, inFolder: map[string]string{"put.xml": other},
		},
		"other bytes of the same size and time": {
			do:   func(s *site) { s.save("put.xml", other) },
			left: LeftChanged, fromSpool: true, inFolder: map[string]string{"put.xml": other},
		},
		"a directory now": {
			do: func(s *site) {
				must(s.t, os.Remove(filepath.Join(s.path, "put.xml")))
				s.save("put.xml/inside", "x")
			},
			left: LeftChanged, fromSpool: true, inFolder: map[string]string{"put.xml/inside": "x"},
		},
		"replaced at the very moment it is moved": {
			do: func(s *site) {
				rename := s.a.sys.rename
				s.a.sys.rename = func(from, to string) error {
					if filepath.Base(from) == "put.xml" && filepath.Dir(from) == s.path {
						s.save("put.xml", other)
					}
					return rename(from, to)
				}
			},
			left: LeftChanged, fromSpool: true, inFolder: map[string]string{"put.xml": other},
		},
		"replaced when it is moved, and saved again before it is put back": {
			do: func(s *site) {
				s.a.opt.Crash = func(point string) {
					if point == "archive.moved" {
						s.save("put.xml", "a third one")
					}
				}
				s.save("put.xml", other)
			},
			left: LeftChanged, fromSpool: true,
			inFolder: map[string]string{"put.xml": "a third one", "put__" + sha(other)[:8] + ".xml": other},
		},
		"removed at the very moment it is moved": {
			do: func(s *site) {
				rename := s.a.sys.rename
				s.a.sys.rename = func(from, to string) error {
					if filepath.Base(from) == "put.xml" && filepath.Dir(from) == s.path {
						must(s.t, os.Remove(from))
					}
					return rename(from, to)
				}
			},
			left: LeftGone, fromSpool: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			d := s.document("7", "put.xml", content)
			tt.do(s)
			info, _ := os.Stat(filepath.Join(s.path, "put.xml"))
			placed, err := s.a.Done(t.Context(), d, Receipt{}, settled)
			must(t, err)
			if tt.fromSpool {
				s.check(d, placed)
			} else if got := s.tree()[placed.Path]; got != content {
				t.Errorf("placed %q, want the original", got)
			} else if fi, _ := os.Stat(placed.Path); !fi.ModTime().Equal(info.ModTime()) {
				t.Errorf("time stamp %v, want the original's %v", fi.ModTime(), info.ModTime())
			}
			if placed.SourceLeft != tt.left || placed.FromSpool != tt.fromSpool {
				t.Errorf("placed %+v, want left %q, from the spool %v", placed, tt.left, tt.fromSpool)
			}
			got := map[string]string{}
			for file, text := range s.tree() {
				if !below(file, s.done) {
					rel, _ := filepath.Rel(s.path, file)
					got[filepath.ToSlash(rel)] = text
				}
			}
			if !maps.Equal(got, tt.inFolder) {
				t.Errorf("in the folder: %q, want %q", got, tt.inFolder)
			}
		})
	}
}

func TestPutBackKeepsTheNewFilesTime(t *testing.T) {
	s := setup(t)
	d := document("7", "put.xml", "<delivered>")
	s.save("put.xml", "<corrected>")
	placed, err := s.a.Done(t.Context(), d, Receipt{}, settled)
	must(t, err)
	if want := filepath.Join(s.path, "put.xml"); placed.PutBack != want {
		t.Fatalf("put back at %q, want %q", placed.PutBack, want)
	}
	fi, err := os.Stat(placed.PutBack)
	must(t, err)
	if !fi.ModTime().Equal(saved) {
		t.Errorf("time stamp %v, want %v", fi.ModTime(), saved)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	mine := "<mine>"
	digits := sha(mine)[:8]
	tests := map[string]struct {
		taken []string // in done/<day>/
		want  string
	}{
		"name free":                       {nil, "put.xml"},
		"document there":                  {[]string{"put.xml"}, "put__" + digits + ".xml"},
		"only a receipt there":            {[]string{"put.xml.receipt.json"}, "put__" + digits + ".xml"},
		"with digits there too":           {[]string{"put.xml", "put__" + digits + ".xml"}, "put__" + digits + "-2.xml"},
		"counters there":                  {[]string{"put.xml", "put__" + digits + ".xml.receipt.json", "put__" + digits + "-2.xml", "put__" + digits + "-3.xml.receipt.json"}, "put__" + digits + "-4.xml"},
		"a directory of that name":        {[]string{"put.xml/inside"}, "put__" + digits + ".xml"},
		"a counter free between":          {[]string{"put.xml", "put__" + digits + ".xml", "put__" + digits + "-3.xml"}, "put__" + digits + "-2.xml"},
		"a receipt that can't be a reply": {[]string{"put.xml.receipt.json/inside"}, "put__" + digits + ".xml"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			for _, taken := range tt.taken {
				s.save("done/"+localDay+"/"+taken, "not mine: "+taken)
			}
			before := s.tree()
			d := s.document("9", "put.xml", mine)
			placed, err := s.a.Done(t.Context(), d, Receipt{}, settled)
			must(t, err)
			if got := filepath.Base(placed.Path); got != tt.want {
				t.Errorf("named %s, want %s", got, tt.want)
			}
			s.check(d, placed)
			after := s.tree()
			for file, text := range before {
				if after[file] != text {
					t.Errorf("%s was overwritten", file)
				}
			}
		})
	}
}

// TestNameTakenMeanwhile: between looking and moving another one takes the name.
func TestNameTakenMeanwhile(t *testing.T) {
	for _, thief := range []string{"put.xml", "put.xml.receipt.json"} {
		t.Run(thief, func(t *testing.T) {
			s := setup(t)
			rename := s.a.sys.rename
			once := sync.OnceFunc(func() { s.save("done/"+localDay+"/"+thief, "not mine") })
			s.a.sys.rename = func(from, to string) error {
				if filepath.Base(to) == thief {
					once()
				}
				return rename(from, to)
			}
			d := s.document("9", "put.xml", "mine")
			placed, err := s.a.Done(t.Context(), d, Receipt{}, settled)
			must(t, err)
			s.check(d, placed)
			if want := "put__" + sha("mine")[:8] + ".xml"; filepath.Base(placed.Path) != want {
				t.Errorf("named %s, want %s", placed.Path, want)
			}
			if got := s.tree()[s.doneDay(thief)]; got != "not mine" {
				t.Errorf("%s now holds %q", thief, got)
			}
		})
	}
}

func TestThousandFilesOfOneName(t *testing.T) {
	s := setup(t)
	content := func(i int) string { return fmt.Sprintf("<document %d>", i) }
	for i := range 1000 {
		d := s.document(fmt.Sprint(i), "export.xml", content(i))
		_, err := s.a.Fail(t.Context(), d, Reason{Code: NotValid}, settled)
		must(t, err)
	}
	files := s.tree()
	if len(files) != 2000 {
		t.Errorf("%d files, want 1000 documents and 1000 reasons", len(files))
	}
	for i := range 1000 {
		if n := count(files, content(i)); n != 1 {
			t.Errorf("document %d is there %d times", i, n)
		}
	}
}

// TestSameFileEveryNight: the same bytes under the same name, many at once.
func TestSameFileEveryNight(t *testing.T) {
	s := setup(t)
	const n, workers = 240, 8
	var group sync.WaitGroup
	var mu sync.Mutex
	placed := map[string]Placed{}
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				id := fmt.Sprint(i)
				p, err := s.a.Fail(t.Context(), document(id, "export.xml", "always the same"), Reason{Code: DuplicateDocument}, settled)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				placed[id] = p
				mu.Unlock()
			}
		})
	}
	group.Wait()
	files := s.tree()
	if got := count(files, "always the same"); got != n || len(files) != 2*n {
		t.Fatalf("%d documents in %d files, want %d in %d", got, len(files), n, 2*n)
	}
	for id, p := range placed {
		d := document(id, "export.xml", "always the same")
		if !reasonOf([]byte(files[p.Beside]), &d) {
			t.Errorf("%s is not the reason of document %s", p.Beside, id)
		}
	}
	// One of them again, as after a crash: it must find its own among them all.
	p, err := s.a.Fail(t.Context(), document("237", "export.xml", "always the same"), Reason{Code: DuplicateDocument}, settled)
	must(t, err)
	if p.Path != placed["237"].Path || len(s.tree()) != 2*n {
		t.Errorf("repeated call says %+v, want %+v and no new file", p, placed["237"])
	}
}

func TestCompanionsStandBesideTheDocument(t *testing.T) {
	s := setup(t)
	s.save("done/"+localDay+"/put.xml", "not mine")
	d := s.document("3", "put.xml", "mine")
	d.Companions = []string{"put.xml.note.txt", "put.xml.attach.pdf", "put.xml.attach.gone.pdf"}
	s.save("put.xml.note.txt", "a note")
	s.save("put.xml.attach.pdf", "a report")
	name := "put__" + sha("mine")[:8] + ".xml"
	s.save("done/"+localDay+"/"+name+".note.txt", "not mine either")

	for range 2 { // the second time there is nothing left to do
		placed, err := s.a.Done(t.Context(), d, Receipt{}, settled)
		must(t, err)
		s.check(d, placed)
		files := s.tree()
		for file, want := range map[string]string{
			name + ".attach.pdf":                        "a report",
			name + ".note.txt":                          "not mine either",
			name + ".note__" + sha("mine")[:8] + ".txt": "a note",
		} {
			if got := files[s.doneDay(file)]; got != want {
				t.Errorf("%s holds %q, want %q", file, got, want)
			}
		}
		if len(files) != 6 {
			t.Errorf("files: %q", slices.Sorted(maps.Keys(files)))
		}
	}
}

// Left behind, a companion would travel with the next document of that name,
// whatever that is about. Once a later attempt succeeded it goes where the
// earlier document goes.
func TestCompanionsOfAFailedDocument(t *testing.T) {
	s := setup(t)
	d := s.document("3", "put.xml", "mine")
	d.Companions = []string{"PUT.xml.note.txt"}
	s.save("PUT.xml.note.txt", "a note")
	placed, err := s.a.Fail(t.Context(), d, Reason{Code: NotValid}, settled)
	must(t, err)
	if files := s.tree(); files[filepath.Join(s.path, "failed", "put.xml.note.txt")] != "a note" || len(files) != 3 {
		t.Errorf("files: %q, want the note beside the document", files)
	}
	for range 2 {
		must(t, s.a.Settle(t.Context(), Attempt{ID: d.ID, SHA256: d.SHA256, Path: placed.Path, Beside: placed.Beside, Tails: []string{".note.txt", ".attach.gone"}}))
		if files := s.tree(); files[filepath.Join(s.path, "failed", "superseded", "put.xml.note.txt")] != "a note" || len(files) != 2 {
			t.Errorf("files: %q, want document and note in superseded/", files)
		}
	}
}

func TestRefusedDocuments(t *testing.T) {
	good := document("1", "put.xml", "x")
	tests := map[string]func(d *Document){
		"escapes":                   func(d *Document) { d.Rel = "../put.xml" },
		"escapes further down":      func(d *Document) { d.Rel = "a/../../put.xml" },
		"absolute":                  func(d *Document) { d.Rel = "/etc/passwd" },
		"not clean":                 func(d *Document) { d.Rel = "a//put.xml" },
		"no file":                   func(d *Document) { d.Rel = "." },
		"empty":                     func(d *Document) { d.Rel = "" },
		"with a NUL":                func(d *Document) { d.Rel = "put\x00.xml" },
		"id with a path":            func(d *Document) { d.ID = "../1" },
		"no id":                     func(d *Document) { d.ID = "" },
		"no hash":                   func(d *Document) { d.SHA256 = "" },
		"hash in capitals":          func(d *Document) { d.SHA256 = strings.ToUpper(d.SHA256) },
		"no spool":                  func(d *Document) { d.Spool = nil },
		"companion elsewhere":       func(d *Document) { d.Companions = []string{"sub/put.xml.note.txt"} },
		"companion escapes":         func(d *Document) { d.Companions = []string{"put.xml/../../x"} },
		"companion is the document": func(d *Document) { d.Companions = []string{"put.xml"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			d := good
			change(&d)
			if _, err := s.a.Done(t.Context(), d, Receipt{}, settled); err == nil {
				t.Error("Done accepted it")
			}
			if _, err := s.a.Fail(t.Context(), d, Reason{}, settled); err == nil {
				t.Error("Fail accepted it")
			}
			if files := s.tree(); len(files) > 0 {
				t.Errorf("files were made: %q", files)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	root := t.TempDir()
	good := Options{Name: "a", Path: root, DoneDir: filepath.Join(root, "done"), FailedDir: filepath.Join(root, "failed")}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *Options){
		"language":      func(o *Options) { o.Language = "fr" },
		"no name":       func(o *Options) { o.Name = "" },
		"relative path": func(o *Options) { o.DoneDir = "done" },
		"done is path":  func(o *Options) { o.DoneDir = o.Path + string(filepath.Separator) },
		"one directory": func(o *Options) { o.FailedDir = o.DoneDir },
		"marker a path": func(o *Options) { o.Marker = filepath.Join("..", "x") },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReceiptText(t *testing.T) {
	r := Receipt{
		ID: "12", File: "sub/put-16.xml", Folder: "zwolle", Project: "1255", SHA256: sha("x"), Size: 1, Type: "GMW", Request: "registrationRequest",
		SubDocument: "GMW_Construction", RequestReference: "a <b> & c", AccountableParty: "12345678", Outcome: OutcomeDelivered,
		Environment: "demo", BROID: "GMW000000000012", TransactionID: "GMW-000000000034", DeliveryID: "0000182614", UploadID: "9007199254740993",
		DocumentID: "77", Attempts: 2,
		Times: Times{
			Seen:  time.Date(2026, 11, 23, 9, 0, 0, 0, amsterdam),
			Filed: time.Date(2026, 11, 23, 8, 0, 1, 2_345_678, time.UTC),
		},
		IgnoredErrors: Messages{"U bent <niet> geregistreerd."}, Confirmed: true,
	}
	const want = `{
  "id": "12",
  "file": "sub/put-16.xml",
  "folder": "zwolle",
  "project": "1255",
  "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
  "size": 1,
  "type": "GMW",
  "request": "registrationRequest",
  "subDocument": "GMW_Construction",
  "requestReference": "a <b> & c",
  "accountableParty": "12345678",
  "outcome": "delivered",
  "environment": "demo",
  "broId": "GMW000000000012",
  "transactionId": "GMW-000000000034",
  "deliveryId": "0000182614",
  "uploadId": "9007199254740993",
  "documentId": "77",
  "attempts": 2,
  "times": {
    "seen": "2026-11-23T08:00:00Z",
    "filed": "2026-11-23T08:00:01.002Z"
  },
  "errors": [],
  "ignoredErrors": [
    "U bent <niet> geregistreerd."
  ],
  "duplicateOf": "",
  "companions": [],
  "confirmed": true
}
`
	got, err := r.Encode()
	must(t, err)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// Others embed it: their own fields must not be lost.
	both, err := json.Marshal(struct {
		Receipt
		State string `json:"state"`
	}{r, "delivered"})
	must(t, err)
	if !bytes.Contains(both, []byte(`"state":"delivered"`)) || !bytes.Contains(both, []byte(`"errors":[]`)) {
		t.Errorf("embedded: %s", both)
	}
	if _, err := (Receipt{Times: Times{Seen: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}}).Encode(); err == nil {
		t.Error("a year that has no RFC 3339 form was encoded")
	}
}

// TestContextEndsBeforeAnythingIsMoved: a call that is stopped early leaves the folder as it was.
func TestContextEndsBeforeAnythingIsMoved(t *testing.T) {
	s := setup(t)
	d := s.document("1", "put.xml", "x")
	stopping := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopping)
	_, err := s.a.Done(ctx, d, Receipt{}, settled)
	if !errors.Is(err, stopping) {
		t.Errorf("got %v, want the cause", err)
	}
	if got := s.tree()[filepath.Join(s.path, "put.xml")]; got != "x" {
		t.Error("the original is not where it was")
	}
	placed, err := s.a.Done(t.Context(), d, Receipt{}, settled)
	must(t, err)
	s.check(d, placed)
}

// TestContextEndsAfterTheMove: once the original is taken the call is finished,
// even if a virus scanner is in the way.
func TestContextEndsAfterTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := setup(t)
		held := map[string]bool{}
		rename := s.a.sys.rename
		s.a.sys.rename = func(from, to string) error {
			if !held[to] && ctx.Err() != nil {
				held[to] = true
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: sysBusy}
			}
			return rename(from, to)
		}
		s.a.opt.Crash = func(point string) {
			if point == "archive.moved" {
				cancel()
			}
		}
		d := s.document("1", "put.xml", "x")
		placed, err := s.a.Done(ctx, d, Receipt{}, settled)
		must(t, err)
		s.check(d, placed)
		if len(held) != 2 {
			t.Errorf("held %d times, want when the receipt and the document are named", len(held))
		}
	})
}
