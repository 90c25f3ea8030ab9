package portal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"brodaemon/internal/portal"
	"brodaemon/internal/sandbox"
)

// The checks deliver nothing, hold no credentials, and find on a default
// sandbox what is assumed.
func TestChecksOnTheSandbox(t *testing.T) {
	s := sandbox.New(settings())
	for _, c := range []*portal.Client{newClient(t, "https://portal.example", s.Transport()), enricher(t, s)} {
		for _, check := range portal.Checks() {
			f := check.Do(t.Context(), c, mine)
			if f.Code == 0 || f.Err != nil {
				t.Errorf("%s: no answer: %v", check.Name, f.Err)
			}
			if f.News != "" && (check.Behaviour != "S4" && check.Behaviour != "S5" && check.Behaviour != "S6") {
				t.Errorf("%s: %s", check.Name, f.News)
			}
			all := f.Body + f.Path
			for _, name := range f.HeaderNames() {
				all += f.Header[name]
			}
			for _, hidden := range []string{sandbox.DefaultSecret, sandbox.DefaultUsername, sandbox.DefaultEnrichmentSecret, sandbox.DefaultEnrichmentUsername} {
				if strings.Contains(all, hidden) {
					t.Errorf("%s: credentials in the finding: %s", check.Name, all)
				}
			}
		}
	}
	if n := len(s.Deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
	if n := s.Count(sandbox.OpSubmit) + s.Count(sandbox.OpAddDocument); n != 0 {
		t.Errorf("%d calls that do more than ask", n)
	}
	if n := s.Count(sandbox.OpOpenUpload); n != 2 {
		t.Errorf("%d uploads were opened, want one by each", n)
	}
}

// With a delivery token nothing is news on the sandbox; what is not as assumed is.
func TestChecksFindNews(t *testing.T) {
	s := sandbox.New(settings())
	c := newClient(t, "https://portal.example", s.Transport())
	for _, check := range portal.Checks() {
		if f := check.Do(t.Context(), c, mine); f.News != "" {
			t.Errorf("%s: %s", check.Name, f.News)
		}
	}
	s = sandbox.New(settings(func(o *sandbox.Options) { o.ErrorBody = sandbox.ErrorBodyHTML; o.InvalidStatus = 422 }))
	c = newClient(t, "https://portal.example", s.Transport())
	var news []string
	for _, check := range portal.Checks() {
		if f := check.Do(t.Context(), c, mine); f.News != "" {
			news = append(news, check.Behaviour)
		}
	}
	for _, want := range []string{"S3", "S5", "S10"} {
		if !slices.Contains(news, want) {
			t.Errorf("news are of %q, want %s among them", news, want)
		}
	}
}

// What comes back is bounded, and without the credentials that a portal repeats.
func TestFindingIsBoundedAndClean(t *testing.T) {
	s := sandbox.New(settings(func(o *sandbox.Options) {
		f, err := sandbox.ParseFault("projects:answer:status=200:body=" + sandbox.DefaultSecret + " " + sandbox.DefaultUsername + strings.Repeat("x", 100000))
		if err != nil {
			t.Fatal(err)
		}
		o.Faults = append(o.Faults, f)
	}))
	c := newClient(t, "https://portal.example", s.Transport())
	for _, check := range portal.Checks() {
		if check.Behaviour != "S20" {
			continue
		}
		f := check.Do(t.Context(), c, mine)
		if len(f.Body) > 4<<10 || strings.Contains(f.Body, sandbox.DefaultSecret) || strings.Contains(f.Body, sandbox.DefaultUsername) || !strings.Contains(f.Body, "xxx") {
			t.Errorf("the body is %.300q", f.Body)
		}
	}
}

// The checks and the harmless part of the conformance suite are about the same
// behaviours: each is read from the source, since a program can't hold the suite.
func TestChecksCoverTheConformanceSuite(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "sandbox", "conformance", "conformance.go"))
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{}
	for _, c := range portal.Checks() {
		checked[c.Behaviour] = true
		if len(c.Settles) == 0 || c.Assumed == "" {
			t.Errorf("%s says not what it settles or assumes", c.Name)
		}
	}
	rows := regexp.MustCompile(`\{"(S\d+)", "[^"]*", (\w+), \w+\}`).FindAllStringSubmatch(string(source), -1)
	if len(rows) < 20 {
		t.Fatalf("%d behaviours found in the suite", len(rows))
	}
	for _, row := range rows {
		if row[2] != "nil" && !checked[row[1]] {
			t.Errorf("the harmless part of %s has no check", row[1])
		}
	}
}
