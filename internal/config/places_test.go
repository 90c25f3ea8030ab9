package config

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// folder describes one more folder under base, whose own folder is "in".
func folder(name, lines string) string {
	return "  - name: " + name + "\n    project: 1\n    token: office\n    " + strings.ReplaceAll(lines, "; ", "\n    ") + "\n"
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		name  string
		text  string
		field string // "" is a configuration without a fault
		want  string
	}{
		{"side by side", base + folder("b", "path: b"), "", ""},
		{"names that begin alike", base + folder("b", "path: in2"), "", ""},
		{"done elsewhere", inFolder("done_dir: ../archive"), "", ""},
		{"done of two folders together", inFolder("done_dir: ../archive") + folder("b", "path: b; done_dir: ../archive"), "", ""},
		{"nested, outer without subfolders", base + folder("b", "path: in/b"), "", ""},
		{"same path", base + folder("b", "path: ./in/../in/"), "folders[1].path", "folders[0].path is the same folder"},
		{"nested in one with subfolders", inFolder("recursive: true") + folder("b", "path: in/b"), "folders[1].path", "lies in folders[0].path"},
		{"with subfolders around another", base + folder("b", "path: .; recursive: true"), "folders[1].path", "folders[0].path lies in this folder"},
		{"done is path", inFolder("done_dir: ."), "folders[0].done_dir", "the watched folder itself"},
		{"done above path", inFolder("done_dir: ../../x/.."), "folders[0].done_dir", "one that it lies in"},
		{"failed is path", inFolder("failed_dir: ../in"), "folders[0].failed_dir", "the watched folder itself"},
		{"done empty", inFolder(`done_dir: ""`), "folders[0].done_dir", "empty"},
		{"done is failed", inFolder("failed_dir: done"), "folders[0].failed_dir", "done_dir is the same"},
		{"failed in done", inFolder("failed_dir: done/failed"), "folders[0].failed_dir", "one lies in the other"},
		{"done is another's path", inFolder("done_dir: ../b") + folder("b", "path: b"), "folders[0].done_dir", "folders[1].path"},
		{"failed is another's path, later", base + folder("b", "path: b; failed_dir: ../in"), "folders[1].failed_dir", "folders[0].path"},
		{"path in another's done", base + folder("b", "path: in/done/b"), "folders[0].done_dir", "folders[1].path lies in it"},
		{"done in another with subfolders", inFolder("done_dir: ../b/archive") + folder("b", "path: b; recursive: true"), "folders[0].done_dir", "watched with its subfolders"},
		{"done in another without subfolders", inFolder("done_dir: ../b/archive") + folder("b", "path: b"), "", ""},
		{"done is another's failed", inFolder("done_dir: ../archive") + folder("b", "path: b; failed_dir: ../archive"), "folders[1].failed_dir", "folders[0].done_dir is the same"},
		{"data in a folder", base + "data_dir: in/data\n", "folders[0].path", "data_dir"},
		{"folder in data", base + "data_dir: .\n", "folders[0].path", "data_dir"},
		{"failed in data", inFolder("failed_dir: ../data/failed") + "data_dir: data\n", "folders[0].failed_dir", "data_dir"},
		{"data beside", base + "data_dir: data\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.field == "" {
				mustParse(t, c.text)
				return
			}
			faults := faultsOf(t, c.text)
			if len(faults) != 1 || faults[0].Field != c.field || !strings.Contains(faults[0].Problem, c.want) {
				t.Errorf("got:\n%v\nwant one fault of %s with %q", &Error{"config.yaml", faults}, c.field, c.want)
			}
		})
	}
}

func TestPathsCountFromTheFile(t *testing.T) {
	t.Chdir(t.TempDir()) // a service's working folder is anywhere
	c, err := Parse([]byte(base+"data_dir: data\nportal: { ca_file: ../ca.pem }\n"), filepath.Join(t.TempDir(), "etc", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(c.File)
	if c.DataDir != filepath.Join(dir, "data") || c.Common.CAFile != filepath.Join(filepath.Dir(dir), "ca.pem") || c.Folders[0].Path != filepath.Join(dir, "in") {
		t.Errorf("got %s, %s, %s; want them in %s", c.DataDir, c.Common.CAFile, c.Folders[0].Path, dir)
	}
}

func TestPathsOfTheOtherKind(t *testing.T) {
	type check func(string) (string, string)
	for _, c := range []struct {
		name    string
		check   check
		path    string
		problem string
	}{
		{"unix: plain", unixPathProblem, "/srv/bro", ""},
		{"unix: relative", unixPathProblem, "bro/zwolle", ""},
		{"unix: backslash in a name", unixPathProblem, `/srv/a\b`, ""},
		{"unix: share", unixPathProblem, `\\server\share`, "Windows path"},
		{"unix: share with slashes", unixPathProblem, "//server/share", "Windows path"},
		{"unix: drive", unixPathProblem, `D:\bro`, "Windows path"},
		{"unix: home", unixPathProblem, "~/bro", "home folder"},
		{"unix: variable", unixPathProblem, "${HOME}/bro", "variables"},
		{"unix: address", unixPathProblem, "smb://server/share", "address"},
		{"windows: drive", windowsPathProblem, `D:\bro`, ""},
		{"windows: drive with slashes", windowsPathProblem, "D:/bro", ""},
		{"windows: share", windowsPathProblem, `\\server\share\map`, ""},
		{"windows: hidden share", windowsPathProblem, `\\server\share$\map`, ""},
		{"windows: share with slashes", windowsPathProblem, "//server/share", ""},
		{"windows: relative", windowsPathProblem, `bro\zwolle`, ""},
		{"windows: server only", windowsPathProblem, `\\server`, "no share"},
		{"windows: server and slash", windowsPathProblem, `\\server\`, "no share"},
		{"windows: no drive", windowsPathProblem, `\bro`, "neither a drive nor a server"},
		{"windows: no drive, slash", windowsPathProblem, "/srv/bro", "neither a drive nor a server"},
		{"windows: drive without backslash", windowsPathProblem, "D:bro", "no backslash"},
		{"windows: drive alone", windowsPathProblem, "D:", "no backslash"},
		{"windows: variable", windowsPathProblem, `%ProgramData%\bro`, "variables"},
		{"windows: per cent sign", windowsPathProblem, `D:\100% done`, ""},
		{"windows: address", windowsPathProblem, "file://server/share", "address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			problem, remedy := c.check(c.path)
			if c.problem == "" && problem != "" {
				t.Errorf("%s is refused: %s", c.path, problem)
			}
			if c.problem != "" && (!strings.Contains(problem, c.problem) || remedy == "") {
				t.Errorf("%s: problem %q, remedy %q; want %q and a remedy", c.path, problem, remedy, c.problem)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	abs := func(p string) string {
		if p != "" && runtime.GOOS == "windows" {
			return `C:` + filepath.FromSlash(p)
		}
		return p
	}
	for _, c := range []struct {
		outer, inner string
		want         bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/b", true},
		{"/a", "/ab", false},
		{"/a/b", "/a", false},
		{"/", "/a", true},
		{"/a", "", false},
		{"", "/a", false},
		{"", "", false},
	} {
		if got := within(newPlace("", abs(c.outer)), newPlace("", abs(c.inner))); got != c.want {
			t.Errorf("within(%s, %s) = %v, want %v", c.outer, c.inner, got, c.want)
		}
	}
}
