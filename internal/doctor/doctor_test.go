package doctor

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
	"brodaemon/internal/watch"
)

// setup is a data folder and a watched folder in which all is well.
func setup(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	data, folder := filepath.Join(dir, "data"), filepath.Join(dir, "zwolle")
	for _, path := range []string{data, folder} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return Options{
		Language: "en", DataDir: data, Limit: 5 * time.Second,
		Folders: []Folder{{Name: "zwolle", Path: folder, DoneDir: filepath.Join(folder, "done"), FailedDir: filepath.Join(folder, "failed")}},
	}
}

// results gives those of one check, over all groups.
func results(groups []Group, check string) []Result {
	var all []Result
	for _, g := range groups {
		for _, r := range g.Results {
			if r.Check == check {
				all = append(all, r)
			}
		}
	}
	return all
}

// wantWrong wants exactly this check to be wrong, with a text and a remedy.
func wantWrong(t *testing.T, groups []Group, check, text, remedy string) {
	t.Helper()
	for _, g := range groups {
		for _, r := range g.Results {
			if !r.OK && r.Check != check {
				t.Errorf("%s is wrong, too: %s → %s", r.Check, r.Text, r.Remedy)
			}
		}
	}
	found := results(groups, check)
	if len(found) != 1 || found[0].OK || !strings.Contains(found[0].Text, text) || !strings.Contains(found[0].Remedy, remedy) {
		t.Errorf("%s: got %+v; want it wrong with %q → %q", check, found, text, remedy)
	}
}

func wantWell(t *testing.T, groups []Group) {
	t.Helper()
	for _, g := range groups {
		for _, r := range g.Results {
			if !r.OK {
				t.Errorf("%s %s is wrong: %s → %s", r.Check, r.Subject, r.Text, r.Remedy)
			}
		}
	}
}

// listing is everything below a folder.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAllIsWellAndNothingIsLeft(t *testing.T) {
	for _, made := range []bool{false, true} {
		o := setup(t)
		f := o.Folders[0]
		if made {
			if err := os.MkdirAll(filepath.Join(f.DoneDir, "2026-11-23"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(f.FailedDir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(f.Path, "a.xml"), []byte("<a/>"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := listing(t, filepath.Dir(o.DataDir))
		groups := Run(t.Context(), o)
		wantWell(t, groups)
		if after := listing(t, filepath.Dir(o.DataDir)); !slices.Equal(before, after) {
			t.Errorf("before\n%v\nafter\n%v", before, after)
		}
		for _, check := range []string{"folder.read", "folder.marker", "folder.create", "folder.clock", "folder.open", "folder.rename", "folder.done",
			"folder.failed", "folder.delete", "folder.events", "data.folder", "data.space", "data.closed", "data.write", "data.queue", "daemon.control", "account.current"} {
			if found := results(groups, check); len(found) != 1 {
				t.Errorf("%s: %+v", check, found)
			}
		}
	}
}

// No watcher ever takes what doctor makes.
func TestProbesAreNeverTaken(t *testing.T) {
	for range 100 {
		if ok, why := watch.WouldTake(probeName(), []string{"*"}); ok || !strings.Contains(why, "own files") {
			t.Fatalf("taken: %v, %s", ok, why)
		}
	}
}

// What a killed doctor left is cleared away, once nobody can be using it.
func TestLeavingsAreClearedAway(t *testing.T) {
	o := setup(t)
	f := o.Folders[0]
	if err := os.Mkdir(f.DoneDir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * oldProbe)
	dir := filepath.Join(f.Path, probeName())
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, path := range []string{filepath.Join(f.Path, probeName()), filepath.Join(f.DoneDir, probeName()), filepath.Join(dir, probeName()), dir} {
		if path != dir {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		gone = append(gone, path)
	}
	young := filepath.Join(f.Path, probeName())
	if err := os.WriteFile(young, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantWell(t, Run(t.Context(), o))
	for _, path := range gone {
		if exists(path) {
			t.Errorf("%s is still there", path)
		}
	}
	if !exists(young) {
		t.Error("another doctor's file was taken away")
	}
}

func TestFolderFaults(t *testing.T) {
	marker := func(t *testing.T, f Folder, name, id string) {
		t.Helper()
		if err := watch.InitMarker(f.Path, name, id); err != nil {
			t.Fatal(err)
		}
	}
	remember := func(t *testing.T, o Options, id string) {
		t.Helper()
		store, err := queue.Open(o.DataDir, queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.RememberFolder("zwolle", queue.FolderMemory{Path: o.Folders[0].Path, Marker: id}); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name    string
		break_  func(t *testing.T, o *Options)
		check   string // "" for all well
		text    string
		remedy  string
		working bool // the other checks of the folder were made all the same
	}{
		{"marker in place", func(t *testing.T, o *Options) { marker(t, o.Folders[0], "zwolle", "one"); remember(t, *o, "one") }, "", "", "", true},
		{"marker missing", func(t *testing.T, o *Options) { remember(t, *o, "one") }, "folder.marker", "missing", "folder init zwolle", true},
		{"another marker", func(t *testing.T, o *Options) { marker(t, o.Folders[0], "zwolle", "two"); remember(t, *o, "one") }, "folder.marker", "another folder (zwolle)", "delivered twice", true},
		{"marker of another installation", func(t *testing.T, o *Options) { marker(t, o.Folders[0], "zwolle", "two") }, "folder.marker", "another installation", "folder init zwolle", true},
		{"marker damaged", func(t *testing.T, o *Options) {
			if err := os.WriteFile(filepath.Join(o.Folders[0].Path, watch.MarkerName), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "folder.marker", "can't be read", "folder init zwolle", true},
		{"folder missing", func(t *testing.T, o *Options) { o.Folders[0].Path += "-gone" }, "folder.read", "is not there", "share is connected", false},
		{"a file in its place", func(t *testing.T, o *Options) {
			if err := os.Remove(o.Folders[0].Path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(o.Folders[0].Path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "folder.read", "is not a folder", "check the path", false},
		{"a file in the place of done", func(t *testing.T, o *Options) {
			if err := os.WriteFile(o.Folders[0].DoneDir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "folder.done", "can't be moved", "rights", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := setup(t)
			c.break_(t, &o)
			groups := Run(t.Context(), o)
			if c.check == "" {
				wantWell(t, groups)
			} else {
				wantWrong(t, groups, c.check, c.text, c.remedy)
			}
			if made := len(results(groups, "folder.delete")) == 1; made != c.working {
				t.Errorf("the other checks were made: %v, want %v", made, c.working)
			}
			for _, path := range listing(t, filepath.Dir(o.DataDir)) {
				if strings.Contains(path, probePrefix) {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

func TestDataFolderFaults(t *testing.T) {
	cases := []struct {
		name         string
		break_       func(t *testing.T, o *Options)
		check        string
		text, remedy string
	}{
		{"not there yet", func(t *testing.T, o *Options) { o.DataDir += "/new/one" }, "", "", ""},
		{"a file in its place", func(t *testing.T, o *Options) {
			o.DataDir += "-file"
			if err := os.WriteFile(o.DataDir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "data.folder", "is not a folder", "data_dir"},
		{"damaged queue", func(t *testing.T, o *Options) {
			if err := os.WriteFile(filepath.Join(o.DataDir, queue.FileName), []byte(strings.Repeat("rubbish ", 4096)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "data.queue", "damaged", "queue rebuild"},
		{"on a network drive", func(t *testing.T, o *Options) {
			o.CheckDisk = func(string) error { return fmt.Errorf("cifs") }
		}, "data.disk", "cifs", "local disk"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := setup(t)
			root := filepath.Dir(o.DataDir)
			c.break_(t, &o)
			before := listing(t, root)
			groups := Run(t.Context(), o)
			if c.check == "" {
				wantWell(t, groups)
			} else {
				wantWrong(t, groups, c.check, c.text, c.remedy)
			}
			if after := listing(t, root); !slices.Equal(before, after) {
				t.Errorf("before\n%v\nafter\n%v", before, after)
			}
		})
	}
}

func TestQueueThatSomebodyElseHasOpen(t *testing.T) {
	o := setup(t)
	store, err := queue.Open(o.DataDir, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	wantWrong(t, Run(t.Context(), o), "data.queue", "does not answer", "restart the service")
}

func TestPageThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "something else") }))
	}()
	o := setup(t)
	o.Page = l.Addr().String()
	wantWrong(t, Run(t.Context(), o), "daemon.page", o.Page, "status.listen")
}

// A step that never returns is a finding, and holds up nothing else; what it does
// once it returns is of no effect on the report.
func TestAStepThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &checker{o: Options{Limit: 10 * time.Second}, lang: english}
		release, cleaned := make(chan struct{}), make(chan struct{})
		start := time.Now()
		g := c.group(t.Context(), "folder", "zwolle", func(tr *track) {
			defer close(cleaned)
			tr.begin("folder.read")
			time.Sleep(9 * time.Second) // slow, but within the limit
			tr.ok("folder.read", "events.good")
			tr.begin("folder.create")
			<-release
			if !tr.over() {
				t.Error("it was not told that nobody waits any more")
			}
			tr.ok("folder.create", "create.good")
		})
		if took := time.Since(start); took != 19*time.Second {
			t.Errorf("given up on after %s", took)
		}
		close(release)
		<-cleaned // it was not caught in its report
		if len(g.Results) != 2 || g.Results[1].OK || g.Results[1].Check != "folder.create" || !strings.Contains(g.Results[1].Text, "no answer within 10s") {
			t.Errorf("got %+v", g.Results)
		}
	})
}

func TestSecretFaults(t *testing.T) {
	o := setup(t)
	dir := filepath.Dir(o.DataDir)
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "none"))
	o.Tokens = []Token{{Name: "zwolle", Source: secret.Source{Name: "zwolle", Store: secret.StoreIn(o.DataDir)}}}
	wantWrong(t, Run(t.Context(), o), "token.secret", "no secret", "brodaemon token set zwolle")

	if err := secret.StoreIn(o.DataDir).Set("zwolle", secret.New("hush-hush")); err != nil {
		t.Fatal(err)
	}
	groups := Run(t.Context(), o)
	wantWell(t, groups)
	o.Tokens[0].Source.File = filepath.Join(dir, "password")
	groups = append(groups, Run(t.Context(), o)...)
	if found := results(groups, "token.file"); len(found) != 1 || !found[0].OK || found[0].Remedy == "" {
		t.Errorf("a password file that is not there: %+v", found)
	}
	if err := os.WriteFile(o.Tokens[0].Source.File, []byte("hush-hush\nhush-hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := Run(t.Context(), o)
	wantWrong(t, broken, "token.secret", "more than one line", "token set zwolle")
	if all := fmt.Sprintf("%+v", append(groups, broken...)); strings.Contains(all, "hush") {
		t.Error("the report shows a secret")
	}
}

// use is a token's use at a sandbox.
func use(t *testing.T, s *sandbox.Options, username, password string, folders ...string) Use {
	t.Helper()
	_, client := sandboxToken(t, func(o *sandbox.Options) {
		if s != nil {
			o.Switches = s.Switches
		}
	}, username, password)
	return Use{Folders: folders, Project: sandbox.DefaultProject, Address: "http://sandbox", Client: func() (TokenPortal, error) { return client, nil }}
}

func TestSignOn(t *testing.T) {
	cases := []struct {
		name               string
		username, password string
		folders            []string
		project            int
		text, remedy       string // "" for all well
		enriches           []string
	}{
		{"delivery", sandbox.DefaultUsername, sandbox.DefaultSecret, []string{"zwolle"}, sandbox.DefaultProject, "", "", nil},
		{"validation, for no folder", sandbox.DefaultValidationUsername, sandbox.DefaultValidationSecret, nil, sandbox.DefaultProject, "", "", nil},
		{"validation, for a folder", sandbox.DefaultValidationUsername, sandbox.DefaultValidationSecret, []string{"zwolle"}, sandbox.DefaultProject, "folder zwolle can't deliver", "aanlevertoken", nil},
		{"enrichment, for companions", sandbox.DefaultEnrichmentUsername, sandbox.DefaultEnrichmentSecret, nil, sandbox.DefaultProject, "", "", []string{"zwolle"}},
		{"delivery, for companions", sandbox.DefaultUsername, sandbox.DefaultSecret, nil, sandbox.DefaultProject, "folder zwolle can't add companion files", "verrijkingstoken", []string{"zwolle"}},
		{"wrong secret", sandbox.DefaultUsername, "hush-hush", []string{"zwolle"}, sandbox.DefaultProject, "refuses it", "token set t", nil},
		{"wrong project", sandbox.DefaultUsername, sandbox.DefaultSecret, []string{"zwolle"}, sandbox.NeighbourProject, "not for project 1256", "project number", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := setup(t)
			if err := secret.StoreIn(o.DataDir).Set("t", secret.New(c.password)); err != nil {
				t.Fatal(err)
			}
			u := use(t, nil, c.username, c.password, c.folders...)
			u.Project = portal.ProjectID(c.project)
			u.Enriches = c.enriches
			o.Tokens = []Token{{Name: "t", Source: secret.Source{Name: "t", Store: secret.StoreIn(o.DataDir)}, Uses: []Use{u}}}
			groups := Run(t.Context(), o)
			if c.text == "" {
				wantWell(t, groups)
			} else {
				wantWrong(t, groups, "token.sign-on", c.text, c.remedy)
			}
			if all := fmt.Sprintf("%+v", groups); strings.Contains(all, c.password) {
				t.Error("the report shows the secret")
			}
			o.Offline = true
			if found := results(Run(t.Context(), o), "token.sign-on"); len(found) != 0 {
				t.Errorf("offline, and asked all the same: %+v", found)
			}
		})
	}
}

// Every text that is asked for is there, in both languages with the same arguments.
func TestTexts(t *testing.T) {
	args := regexp.MustCompile(`%\[\d\][a-z]`)
	for key, pair := range texts {
		nl, en := args.FindAllString(pair[dutch], -1), args.FindAllString(pair[english], -1)
		slices.Sort(nl)
		slices.Sort(en)
		if !slices.Equal(slices.Compact(nl), slices.Compact(en)) {
			t.Errorf("%s: %v and %v", key, nl, en)
		}
		for _, s := range pair {
			if s == "" || strings.Contains(args.ReplaceAllString(s, ""), "%[") {
				t.Errorf("%s: %q", key, s)
			}
		}
	}
	used := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`t\.(ok|note|wrong|begin|beginWithin)\(([^\n]*)\n`)
	key := regexp.MustCompile(`"([a-z]+(?:[.-][a-z-]+)+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "texts.go" {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			for i, k := range key.FindAllStringSubmatch(m[2], -1) {
				name := k[1]
				if i == 0 && strings.HasPrefix(strings.TrimSpace(m[2]), `"`) {
					name = "check." + name
				}
				used[name] = true
			}
		}
	}
	if len(used) < 80 {
		t.Fatalf("found only %d texts in use; has the code's form changed?", len(used))
	}
	for name := range used {
		if _, ok := texts[name]; !ok {
			t.Errorf("there is no text %q", name)
		}
	}
}

func TestDutchReport(t *testing.T) {
	o := setup(t)
	o.Language = "nl"
	o.Folders[0].Path += "-weg"
	groups := Run(t.Context(), o)
	found := results(groups, "folder.read")
	if len(found) != 1 || found[0].OK || !strings.Contains(found[0].Text, "is er niet") || !strings.Contains(found[0].Remedy, "share gekoppeld") {
		t.Errorf("got %+v", found)
	}
	if len(groups) == 0 || !strings.HasPrefix(groups[2].Title, "Gegevensmap") {
		t.Errorf("got %+v", groups)
	}
}

func TestSkew(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ theirs, want time.Duration }{
		{0, 0}, {3 * time.Second, 0}, {-time.Second, -time.Second}, {10 * time.Second, 5 * time.Second}, {time.Hour, time.Hour - 5*time.Second},
	} {
		if got := skewOf(at.Add(c.theirs), at, at.Add(5*time.Second)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.theirs, got, c.want)
		}
	}
}
