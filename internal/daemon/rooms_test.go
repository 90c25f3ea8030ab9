package daemon_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
}

const module = "brodaemon"

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRooms holds the imports against the list in docs/architecture.md.
func TestRooms(t *testing.T) {
	allowed := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\S+)\s+→(.*)$`).FindAllStringSubmatch(readDoc(t, "architecture.md"), -1) {
		allowed[m[1]] = strings.Fields(m[2])
	}
	room := func(path string) string {
		path = strings.TrimPrefix(path, module+"/")
		return strings.TrimPrefix(path, "internal/")
	}
	seen := map[string]bool{}
	for _, p := range listPackages(t) {
		name := room(p.ImportPath)
		seen[name] = true
		list, ok := allowed[name]
		if !ok {
			t.Errorf("docs/architecture.md does not list %s", name)
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module+"/") && !slices.Contains(list, room(imported)) {
				t.Errorf("%s imports %s, which docs/architecture.md does not allow", name, room(imported))
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("docs/architecture.md lists %s, which does not exist", name)
		}
	}
}

// TestEveryRoomHasAManual: a package comment that says more than its name.
func TestEveryRoomHasAManual(t *testing.T) {
	for _, p := range listPackages(t) {
		if len(p.Doc) < 40 { // go list gives the first sentence
			t.Errorf("%s has no package comment that says what it is for: %q", p.ImportPath, p.Doc)
		}
	}
}

// TestDependencies: each direct dependency has its line in docs/architecture.md, and no line is left of one that is gone.
func TestDependencies(t *testing.T) {
	doc := readDoc(t, "architecture.md")
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	direct := strings.Fields(string(out))
	for _, path := range direct {
		if !strings.Contains(doc, "| `"+path+"` |") {
			t.Errorf("docs/architecture.md does not say why %s", path)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z.]+\\.[a-z]+/[^`]+)` \\|").FindAllStringSubmatch(doc, -1) {
		if !slices.Contains(direct, m[1]) {
			t.Errorf("docs/architecture.md tells of %s, which is no direct dependency", m[1])
		}
	}
}
