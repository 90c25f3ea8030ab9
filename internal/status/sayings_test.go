package status

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"brodaemon/internal/queue"
)

// source is the code of a room, without its tests, for every system.
func source(t *testing.T, room string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", room, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("the source of %s: %v, %d files", room, err, len(names))
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// constants are the values of a room's constants of one type ("queue.Code" where it is another room's).
func constants(t *testing.T, room, typ string) []string {
	t.Helper()
	var values []string
	for _, f := range source(t, room) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil || called(spec.Type) != typ {
				return true
			}
			for _, v := range spec.Values {
				if text, isText := literal(v); isText {
					values = append(values, text)
				}
			}
			return true
		})
	}
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", room, typ)
	}
	return values
}

// called is the name of a type or function.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return called(e.X) + "." + e.Sel.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(b.Value)
	return s, err == nil
}

func keys[K ~string, V any](m map[K]V) []string {
	var all []string
	for k := range maps.Keys(m) {
		all = append(all, string(k))
	}
	slices.Sort(all)
	return all
}

// Whatever other rooms can say by a code has Dutch, and nothing is left of a
// code that is gone.
func TestEveryCodeHasDutch(t *testing.T) {
	var codes []string
	for _, c := range []struct{ room, typ string }{{"queue", "Code"}, {"deliver", "queue.Code"}, {"watch", "Code"}} {
		codes = append(codes, constants(t, c.room, c.typ)...)
	}
	slices.Sort(codes)
	if twice := slices.Compact(slices.Clone(codes)); len(twice) != len(codes) {
		t.Errorf("a code means two things: %v", codes)
	}
	dutch := append(keys(sayings), keys(composed)...)
	slices.Sort(dutch)
	for _, c := range []struct {
		of         string
		used, said []string
	}{
		{"codes", codes, dutch},
		{"what went wrong at the portal", constants(t, "portal", "Meaning"), keys(meanings)},
		{"advice on the portal", constants(t, "portal", "Advice"), keys(advices)},
		{"acts at the portal", slices.DeleteFunc(constants(t, "portal", "Op"), func(op string) bool { return op == "check" }), keys(operations)},
		{"unfit companions", constants(t, "portal", "UnfitWord"), keys(unfits)},
		{"public register", constants(t, "registry", "Kind"), keys(registerTroubles)},
		{"faults of which more may come", unfinished(t), keys(faults)},
	} {
		slices.Sort(c.used)
		if !slices.Equal(c.used, c.said) {
			t.Errorf("%s:\nin use   %q\nin Dutch %q", c.of, c.used, c.said)
		}
	}
	for _, kind := range constants(t, "archive", "Kind") {
		if s, ok := say(queue.Say("filing", kind, "x")); !ok || strings.HasPrefix(s, "(") {
			t.Errorf("no Dutch advice on filing trouble %q: %s", kind, s)
		}
	}
	for _, kind := range constants(t, "document", "FaultKind") {
		if s, ok := say(queue.Say("fault", kind, "put.xml", "detail", "5", "1")); !ok || strings.Contains(s, "kan niet worden aangeleverd (") {
			t.Errorf("no Dutch of its own for fault %q: %s", kind, s)
		}
	}
}

// unfinished are the kinds of fault of which Fault.Final says no.
func unfinished(t *testing.T) []string {
	var names, values []string
	for _, f := range source(t, "document") {
		ast.Inspect(f, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncDecl); ok && fn.Name.Name == "Final" {
				ast.Inspect(fn, func(n ast.Node) bool {
					if c, ok := n.(*ast.CaseClause); ok {
						for _, e := range c.List {
							names = append(names, called(e))
						}
					}
					return true
				})
			}
			return true
		})
	}
	for _, f := range source(t, "document") {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == 1 && len(spec.Values) == 1 && slices.Contains(names, spec.Names[0].Name) {
				if v, isText := literal(spec.Values[0]); isText {
					values = append(values, v)
				}
			}
			return true
		})
	}
	return values
}

// What a person reads is never said without its words: each transition that
// gives a reason, and each answer to a file, has them where it is made.
func TestNothingIsSaidWithoutWords(t *testing.T) {
	reasons := []string{
		"UploadLost", "SubmitRefused", "SubmitPostponed", "SubmitUnknown", "LookedUp", "Stuck", "Retry", "Postponed",
		"FilingFailed", "BytesGone", "NotConfirmed", "Confirmed", "CompanionSettled",
	}
	met := map[string]bool{}
	for _, f := range source(t, "deliver") {
		worded := map[ast.Node]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name == "Saying" {
					worded[n.X] = true
				}
			case *ast.CallExpr:
				name, is := strings.CutPrefix(called(n.Fun), "queue.")
				if is && slices.Contains(reasons, name) {
					met[name] = true
					if !worded[n] {
						t.Errorf("queue.%s is used without Saying", name)
					}
				}
				if is && name == "Say" {
					if text, isText := literal(n.Args[0]); isText {
						t.Errorf("%q is said by a text that no list has", text)
					}
				}
			case *ast.CompositeLit:
				if called(n.Type) == "Decision" {
					wantFields(t, n, "Reason", "Words", "Err")
				}
			}
			return true
		})
	}
	for _, name := range reasons {
		if !met[name] {
			t.Errorf("queue.%s is not used any more", name)
		}
	}
	for _, f := range source(t, "watch") {
		ast.Inspect(f, func(n ast.Node) bool {
			if n, ok := n.(*ast.CompositeLit); ok && called(n.Type) == "Waiting" {
				for _, e := range n.Elts {
					if s, isText := literal(e.(*ast.KeyValueExpr).Value); isText && strings.HasPrefix(s, "has not been unchanged") {
						return true // counted only
					}
				}
				wantFields(t, n, "Reason", "Words")
			}
			return true
		})
	}
}

// wantFields wants one of the others in a literal that has the first field.
func wantFields(t *testing.T, n *ast.CompositeLit, first string, others ...string) {
	t.Helper()
	var has []string
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			has = append(has, called(kv.Key))
		}
	}
	if slices.Contains(has, first) && !slices.ContainsFunc(others, func(o string) bool { return slices.Contains(has, o) }) {
		t.Errorf("a %s has a %s and none of %v", called(n.Type), first, others)
	}
}

// Every condition that the daemon makes has Dutch, and advice where the English has some.
func TestEveryConditionHasDutch(t *testing.T) {
	n := 0
	for _, f := range source(t, "daemon") {
		notify := regexp.MustCompile(`^[a-z-]+$`)
		ast.Inspect(f, func(node ast.Node) bool {
			lit, ok := node.(*ast.CompositeLit)
			if !ok {
				return true
			}
			code, hint := "", false
			for _, e := range lit.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				if s, isText := literal(kv.Value); isText && called(kv.Key) == "Code" && notify.MatchString(s) {
					code = s
				}
				hint = hint || called(kv.Key) == "Hint"
			}
			if code == "" {
				return true
			}
			n++
			if translations["condition."+code] == "" || hint && translations["hint."+code] == "" {
				t.Errorf("condition %s has no Dutch, or its advice none", code)
			}
			return true
		})
	}
	if n < 10 {
		t.Errorf("found %d conditions only", n)
	}
}

// What is filled into a Dutch sentence is what the words have, and is not looked at again.
func TestWordsAreFilledIn(t *testing.T) {
	for _, c := range []struct {
		words queue.Words
		want  string
	}{
		{queue.Say("delivery", "{2}"), "levering {2}"},
		{queue.Say("delivery", "a\x1b[31mb"), "levering a\uFFFD[31mb"},
		{queue.Say("watch.unseen", "watch.full", "no space left on device"), "kan niet worden bekeken: de schijf is vol (no space left on device)"},
		{queue.Say("watch.missing"), "het bestaat niet; kijk of de plaats klopt en of de share verbonden is"},
		{queue.Say("transactions", "GMW1", "2", "77", "may-not-list", "looked-up", "12", "put.xml"),
			"Upload 12 werd ingediend toen het antwoord verloren ging, en het portaal toont geen levering van put.xml. (Met dit token mogen leveringen niet worden opgevraagd.) Het register van transacties toont er 2 van GMW1; de nieuwste: 77."},
		{queue.Say("too-large", "1.5", "fault", "notXML", "map/put.xml", "x", "0", "1"),
			"put.xml is geen XML-bestand, ook al heet het misschien zo. Met 1.5 GB is het te groot om naar failed/ te worden verplaatst. Haal het hier weg."},
		{queue.Say("portal", "submit", "503 Service Unavailable", "unavailable", "onderhoud", "EOF", "maybe", "maintenance", "1m0s"),
			"indienen: 503 Service Unavailable: het portaal is niet bereikbaar of werkt nu niet, wacht 1m0s: onderhoud (technische melding: EOF); de levering kan toch zijn gemaakt. Wat te doen: Wacht even. Blijft het zo, kijk dan of het portaal onderhoud meldt."},
		{queue.Say("same-object", "3", "", "B-1"), "Het registreert hetzelfde object als document 3 (dat niet meer kan worden gelezen en misschien is aangeleverd)."},
		{queue.Say("elsewhere", "zwolle", "production", "2", "other (127.0.0.1:1)"), "map zwolle levert nu aan productie, maar heeft nog documenten onderweg naar ander portaal (127.0.0.1:1) (aantal: 2); zet het portaal van de map terug tot ze klaar zijn, of zet ze stop"},
	} {
		if got, ok := say(c.words); !ok || got != c.want {
			t.Errorf("%q:\ngot  %q\nwant %q", c.words, got, c.want)
		}
	}
	for _, unknown := range []queue.Words{nil, {}, {"of a newer version"}, {"watch.unseen", "of a newer version"}, {"watch.unseen"}} {
		if got, ok := say(unknown); ok {
			t.Errorf("%q says %q", unknown, got)
		}
	}
	// no number of particulars makes it fail
	for _, code := range append(keys(sayings), keys(composed)...) {
		for n := range 10 {
			w := queue.Words{code}
			for i := range n {
				w = append(w, fmt.Sprint(i))
			}
			_, _ = say(w)
		}
	}
}

// No template writes a sentence without asking for its language.
func TestTemplatesAskForTheLanguage(t *testing.T) {
	for _, name := range []string{"web/overview.html", "web/document.html"} {
		data, err := web.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range []string{".HoldReason", ".LastError", ".Detail", ".Polling "} {
			if strings.Contains(string(data), raw) {
				t.Errorf("%s shows %s as it is stored", name, raw)
			}
		}
	}
}
