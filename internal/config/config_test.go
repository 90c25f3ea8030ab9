package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// base is a valid configuration; tests add to it or change it.
const base = `
tokens:
  - name: office
    username: "0dce6fc98256|123456789|1234"
folders:
  - name: office
    path: in
    project: "1255"
    token: office
`

// write puts a configuration into a fresh folder and returns its file.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(text), filepath.Join(t.TempDir(), "config.yaml"))
	if err != nil {
		t.Fatalf("a valid configuration is refused:\n%v", err)
	}
	return c
}

// faultsOf returns the faults of a configuration that must have some.
func faultsOf(t *testing.T, text string) []Fault {
	t.Helper()
	c, err := Parse([]byte(text), "config.yaml")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got configuration %+v, error %v; want an *Error", c, err)
	}
	if c != nil {
		t.Errorf("a faulty configuration is returned beside its error: %+v", c)
	}
	if len(e.Faults) == 0 {
		t.Fatal("an *Error without faults")
	}
	return e.Faults
}

func TestLoadFillsInDefaults(t *testing.T) {
	file := write(t, base)
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	want := Default()
	want.File = file
	want.Tokens = []Token{{Name: "office", Username: "0dce6fc98256|123456789|1234"}}
	want.Folders = []Folder{{
		Name: "office", Path: filepath.Join(dir, "in"), Project: "1255", Token: "office",
		DoneDir: filepath.Join(dir, "in", "done"), FailedDir: filepath.Join(dir, "in", "failed"),
		Include: []string{"*.xml"}, Watch: "auto",
		ScanInterval: 30 * time.Second, Settle: 10 * time.Second, IncompleteTimeout: 30 * time.Minute,
		Order: "object", DocumentsPerDelivery: 1,
		Portal:                 Portal{Environment: "demo", Concurrency: 4, RequestsPerSecond: 10, Timeout: time.Minute, ValidationTimeout: 5 * time.Minute},
		IgnoreValidationErrors: []string{"U bent niet als dataleverancier van dit object geregistreerd."},
	}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestLoadReadsEveryKind(t *testing.T) {
	c := mustParse(t, strings.Replace(base, "token: office\n", `token: office
    include: ["*.xml", "*.gml"]
    recursive: true
    settle: 300ms
    incomplete_timeout: 1d12h
    ignore_validation_errors: []
    notify: [desk@example.org]
`, 1)+`
language: en
portal: { concurrency: 8, requests_per_second: 0.5, label: "archief 2026" }
status: { listen: "", password_file: page.secret }
log: { max_size: 500MB, max_age: 30d }
retention: { done: 365, history: 730d }
`)
	f := c.Folders[0]
	dir := filepath.Dir(c.File)
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"include", f.Include, []string{"*.xml", "*.gml"}},
		{"recursive", f.Recursive, true},
		{"settle", f.Settle, 300 * time.Millisecond},
		{"incomplete_timeout", f.IncompleteTimeout, 36 * time.Hour},
		{"ignore_validation_errors", f.IgnoreValidationErrors, []string{}},
		{"notify", f.Notify, []string{"desk@example.org"}},
		{"language", c.Language, "en"},
		{"concurrency of the folder", f.Portal.Concurrency, 8},
		{"requests_per_second", c.Common.RequestsPerSecond, 0.5},
		{"label", c.Common.Label, "archief 2026"},
		{"listen", c.Status.Listen, ""},
		{"password_file", c.Status.PasswordFile, filepath.Join(dir, "page.secret")},
		{"max_size", c.Log.MaxSize, Size(500 << 20)},
		{"max_age", c.Log.MaxAge, 30 * day},
		{"retention.done", c.Retention.Done, Days(365)},
		{"retention.history", c.Retention.History, Days(730)},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s: got %#v, want %#v", check.what, check.got, check.want)
		}
	}
}

// Whole sections commented out leave a key with nothing behind it.
func TestNullIsTheDefault(t *testing.T) {
	c := mustParse(t, base+"portal:\nlanguage:\nretry: ~\nlog: { level: }\n")
	want := Default()
	if c.Common != want.Common || c.Language != want.Language || c.Retry != want.Retry || c.Log != want.Log {
		t.Errorf("got %+v, want the defaults", c)
	}
}

func TestNumbersInQuotesAndWithout(t *testing.T) {
	for _, project := range []string{`1255`, `"1255"`, `'1255'`, `0012`} {
		c := mustParse(t, strings.Replace(base, `"1255"`, project, 1))
		if want := strings.Trim(project, `"'`); c.Folders[0].Project != want {
			t.Errorf("project: %s became %q, want %q", project, c.Folders[0].Project, want)
		}
	}
}

func TestByteOrderMarkAndUTF16(t *testing.T) {
	mustParse(t, "\ufeff"+base)
	wide := []byte{0xff, 0xfe}
	for _, r := range base {
		wide = append(wide, byte(r), byte(r>>8))
	}
	mustParse(t, string(wide))
}

func TestLookups(t *testing.T) {
	c := mustParse(t, base+"portal: { label: common }\n")
	if f, ok := c.Folder("office"); !ok || f.Name != "office" {
		t.Errorf("Folder(office) = %+v, %v", f, ok)
	}
	if _, ok := c.Folder("nowhere"); ok {
		t.Error("there is a folder nowhere")
	}
	if tok, ok := c.Token("office"); !ok || tok.Name != "office" {
		t.Errorf("Token(office) = %+v, %v", tok, ok)
	}
	if _, ok := c.Token(""); ok {
		t.Error("there is a token without a name")
	}
	if got := c.Portal("nowhere"); got != c.Common {
		t.Errorf("Portal of an unknown folder = %+v, want the common one", got)
	}
}

func TestLoadOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "absent.yaml")
	_, err := Load(missing)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v, want fs.ErrNotExist in it", err)
	}
	for _, want := range []string{missing, "--config", FileVariable, defaultFile()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing file: %q does not mention %q", err, want)
		}
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestLoadUnreadableFile(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("SKIPPED: permissions do not stop this account from reading")
	}
	file := write(t, base)
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "account") {
		t.Errorf("got %v, want a permission error that speaks of the account", err)
	}
}

func TestLoadBoundsTheFile(t *testing.T) {
	_, err := Load(write(t, base+strings.Repeat("#", maxFileSize)))
	if err == nil || !strings.Contains(err.Error(), "larger than 1024 KiB") {
		t.Errorf("got %v, want a fault about the size", err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv(FileVariable, "")
	if got := Find(""); got != defaultFile() {
		t.Errorf("nothing given: %q, want %q", got, defaultFile())
	}
	t.Setenv(FileVariable, "from-environment.yaml")
	if got := Find(""); got != "from-environment.yaml" {
		t.Errorf("variable given: %q", got)
	}
	if got := Find("from-flag.yaml"); got != "from-flag.yaml" {
		t.Errorf("flag given: %q", got)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(base))
	for _, c := range faultCases {
		f.Add([]byte(c.text))
	}
	if example, err := os.ReadFile(filepath.Join("..", "..", "config.example.yaml")); err == nil {
		f.Add(example)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "config.yaml")
		if err == nil {
			checkInvariants(t, c)
			return
		}
		var e *Error
		if c != nil || !errors.As(err, &e) || len(e.Faults) == 0 {
			t.Fatalf("got configuration %v and error %v, want one of both, and an *Error with faults", c, err)
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != len(e.Faults) {
			t.Errorf("%d faults on %d lines:\n%v", len(e.Faults), lines, err)
		}
		for _, fault := range e.Faults {
			if fault.Problem == "" || fault.Remedy == "" {
				t.Errorf("a fault without problem or remedy: %+v", fault)
			}
		}
	})
}

// checkInvariants states what the rest of brodaemon relies on.
func checkInvariants(t *testing.T, c *Config) {
	t.Helper()
	if !filepath.IsAbs(c.DataDir) || len(c.Folders) == 0 {
		t.Errorf("accepted without an absolute data folder or without folders: %+v", c)
	}
	for _, f := range c.Folders {
		if !filepath.IsAbs(f.Path) || !filepath.IsAbs(f.DoneDir) || !filepath.IsAbs(f.FailedDir) || f.Path == f.DoneDir || f.Path == f.FailedDir || f.DoneDir == f.FailedDir {
			t.Errorf("accepted with bad paths: %+v", f)
		}
		if _, ok := c.Token(f.Token); !ok || f.Name == "" || f.Project == "" || len(f.Include) == 0 {
			t.Errorf("accepted with something missing: %+v", f)
		}
		p := c.Portal(f.Name)
		if p.BaseURL() == "" || p.Concurrency < 1 || !(p.RequestsPerSecond > 0) || p.Timeout <= 0 || p.ValidationTimeout <= 0 || f.Settle <= 0 || f.ScanInterval <= 0 {
			t.Errorf("accepted with bad portal settings or times: %+v", f)
		}
	}
}

// A file full of faults, or of whatever makes checking dear, is answered all the same.
func TestHostileFilesTakeNoTime(t *testing.T) {
	fill := func(entry string) string { return strings.Repeat(entry, (maxFileSize-200)/len(entry)) }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxFileSize-200; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"unknown keys":   numbered("q%d: 1\n"),
		"empty folders":  "folders: [" + fill("~,") + "]",
		"nested folders": strings.Split(base, "folders:")[0] + "folders:\n" + numbered("- {name: f%[1]d, path: d/%[1]d, project: 1, token: office, recursive: true}\n"),
		"patterns":       inFolder("include: [" + fill(`"[a",`) + "]"),
		"open lists":     fill("["),
		"open maps":      fill("{a: "),
		"long key":       fill("x") + ": 1\n",
		"long value":     "language: " + fill("x") + "\n",
		"dashes":         fill("- "),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := Parse([]byte(text), "config.yaml"); err == nil {
				t.Error("accepted")
			}
			// what grows with the square of the file's size takes many minutes; a slow machine does not
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAThousandFolders(t *testing.T) {
	var b strings.Builder
	b.WriteString(strings.Split(base, "folders:")[0] + "folders:\n")
	for i := range maxEntries {
		fmt.Fprintf(&b, "  - { name: f%d, path: d/%d, project: 1, token: office, recursive: true }\n", i, i)
	}
	if c := mustParse(t, b.String()); len(c.Folders) != maxEntries {
		t.Errorf("%d folders, want %d", len(c.Folders), maxEntries)
	}
	faults := faultsOf(t, b.String()+"  - { name: more, path: more, project: 1, token: office }\n")
	if len(faults) != 1 || faults[0].Field != "folders" || !strings.Contains(faults[0].Problem, "more than 1000") {
		t.Errorf("got %v, want one fault of folders", faults[0])
	}
}
