package status

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/deliver"
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
		{queue.Say("watch.missing"), "het bestaat niet; controleer het pad, en of de share verbonden is"},
		{queue.Say("transactions", "GMW1", "2", "77", "may-not-list", "looked-up", "12", "put.xml"),
			"Upload 12 is ingediend, maar het antwoord kwam niet aan. Het portaal toont geen levering van put.xml. (Dit token mag de lijst van leveringen niet opvragen; dat er niets is gevonden zegt dus weinig.) Het transactieregister toont 2 transacties van GMW1; de nieuwste is 77."},
		{queue.Say("too-large", "1.5", "fault", "notXML", "map/put.xml", "x", "0", "1"),
			"put.xml is geen XML-bestand, ook al heet het misschien zo. Met 1.5 GB is het te groot om naar failed/ te worden verplaatst. Haal het hier weg."},
		{queue.Say("portal", "submit", "503 Service Unavailable", "unavailable", "onderhoud", "EOF", "maybe", "maintenance", "1m0s"),
			"indienen: 503 Service Unavailable: het portaal is niet bereikbaar of werkt nu niet (het portaal vraagt om 1 min te wachten): onderhoud (technische melding: EOF); de levering kan toch zijn gemaakt. Wat te doen: Wacht even. Blijft het zo, kijk dan of het portaal onderhoud meldt."},
		{queue.Say("same-object", "3", "", "B-1"), "Het registreert hetzelfde object als document 3 (dat niet meer kan worden gelezen en misschien is aangeleverd)."},
		{queue.Say("elsewhere", "zwolle", "production", "2", "other (127.0.0.1:1)"), "map zwolle levert nu aan bij productie, maar heeft nog documenten onderweg naar een ander portaal (127.0.0.1:1) (aantal: 2); zet het portaal van de map terug tot ze zijn afgehandeld, of zet ze stop"},
	} {
		if got, ok := say(c.words); !ok || got != c.want {
			t.Errorf("%q:\ngot  %q\nwant %q", c.words, got, c.want)
		}
	}
	for _, unknown := range []queue.Words{nil, {}, {"of a newer version"}, {"watch.unseen", "of a newer version"}, {"watch.unseen"}, {"portal"}, {"portal", "of a newer version"}, {"portal", "submit", "503", "of a newer version"}, {"portal", "submit", "", "", "", "", "", "of a newer version"},
		{"fault"}, {"register", "of a newer version"}, {"filing", "of a newer version", "x"}, {"delivery"}, {"bytes-gone", "/srv/x"}} {
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

// samples are particulars of codes that want something of them.
var samples = map[string][]string{
	"watch.unseen": {"watch.full", "no space left"}, "watch.partial": {"watch.server", "host is down"}, "watch.marker-write": {"watch.rights", "denied"},
	"may-not-list": {"looked-up", "12", "put.xml"}, "transactions": {"GMW1", "0", "–", "looked-up", "12", "put.xml"},
	"too-large": {"1.5", "fault", "pdf", "put.xml", "", "0", "1"}, "fault": {"incomplete", "put.xml", "x", "12", "1"},
	"portal": {"validate", "403 Forbidden", "no-right", "geen rechten", "", "", "right"}, "filing": {"full", "move the document: no space left"},
	"unfit": {"empty", "the note is empty"}, "register": {"rejected", "GMW1", "niet gevonden", ""},
}

// Each code is told in the page's language wherever a page tells it, and the
// English sentence only on an English page.
func TestPagesSayEachCodeInTheirLanguage(t *testing.T) {
	servers := map[string]*Server{}
	for _, language := range []string{"nl", "en"} { // made once: that takes longer than answering
		servers[language], _, _ = setup(t, func(o *Options) { o.Language = language })
	}
	for _, code := range append(keys(sayings), keys(composed)...) {
		particulars := samples[code]
		if particulars == nil {
			particulars = []string{"11", "22", "33", "44"}
		}
		words, sentence := queue.Say(queue.Code(code), particulars...), "sentence of ours on "+code
		dutch, ok := say(words)
		if !ok {
			t.Errorf("%s: no Dutch of %q", code, words)
			continue
		}
		for _, language := range []string{"nl", "en"} {
			source := sample()
			servers[language].source = source
			want, not := dutch, sentence
			if language == "en" {
				want, not = sentence, dutch
			}
			for page, parts := range placed(t, source, sentence, words) {
				body := html.UnescapeString(get(servers[language], page).Body.String())
				if n := strings.Count(body, shortened(want, 190)[:min(len(want), 100)]); n < parts {
					t.Errorf("%s in %s, %s: %q stands there %d times and not %d", code, language, page, want, n, parts)
				}
				if strings.Contains(body, not) {
					t.Errorf("%s in %s, %s: %q stands there", code, language, page, not)
				}
			}
		}
	}
}

// placed puts a sentence wherever pages tell one, and says how many places each page has.
func placed(t *testing.T, s *fakeSource, sentence string, words queue.Words) map[string]int {
	t.Helper()
	now := morning.Add(time.Hour)
	with := func(i int, steps ...queue.Transition) {
		t.Helper()
		it, err := s.items[i].With(steps...)
		if err != nil {
			t.Fatal(err)
		}
		s.items[i] = it
	}
	with(1, queue.Retry(now, now, "validate", "local", sentence).Saying(words)) // waits
	s.items[2].Hold, s.items[2].HoldReason, s.items[2].Upload = "", "", &queue.Upload{ID: 5}
	with(2, queue.LookedUp(now, now, true, sentence).Saying(words))                  // is held
	s.items[5].Companions = []queue.Companion{{File: "put-6.xml.note.txt", Size: 1}} // its companion is not added
	with(5, queue.Stuck(now, now, "", "", sentence).Saying(words), queue.CompanionSettled(now, 0, "put-6.xml.note.txt", queue.CompanionNot, sentence).Saying(words))
	s.items[0].Times.Filed, s.items[0].Filed = time.Time{}, ""
	with(0, queue.FilingFailed(now, now, sentence).Saying(words)) // can't be moved

	snap := &s.snapshot
	snap.Oldest.LastError, snap.OldestWords = sentence, words
	for _, p := range []*deliver.Pause{snap.Portals[1].Pause, snap.Tokens[1].Pause} {
		p.Reason, p.Words = sentence, words
	}
	f := &snap.Folders[0]
	f.Events, f.Polling, f.PollingWords = false, sentence, words
	f.NotTaken[0].Reason, f.NotTaken[0].Words = sentence, words
	snap.Conditions = nil
	// overview: four documents, the oldest, two pauses, polling, a file; each document: why and the timeline
	return map[string]int{"/": 9, "/items/1": 2, "/items/2": 2, "/items/3": 2, "/items/6": 4}
}

// The conditions that tell what was said do so in the page's language, with its advice.
func TestConditionsSayWhatWasSaid(t *testing.T) {
	refused := queue.Say("portal", "validate", "401 Unauthorized", "sign-on", "", "", "", "token")
	down := queue.Say("portal", "validate", "", "unavailable", "", "dial tcp: refused", "", "network")
	full := queue.Say("filing", "full", "move the document: no space left")
	for _, c := range []struct {
		c          Condition
		text, hint string
	}{
		{Condition{Code: "token-paused", Subject: "zwolle", Detail: "x", Words: refused}, "Token zwolle wordt geweigerd: controleren: 401 Unauthorized: de aanmelding is geweigerd", "open zijn. Laat daarna alles wat wacht opnieuw proberen."},
		{Condition{Code: "portal-down", Subject: "p", Detail: "x", Words: down}, "Er wordt nu niet aangeleverd aan p: controleren: het portaal is niet bereikbaar of werkt nu niet (technische melding: dial tcp: refused)", "Documenten wachten; het wordt vanzelf opnieuw geprobeerd."},
		{Condition{Code: "filing-failed", N: 2, Detail: "put.xml", Words: full}, "niet uit de map kunnen worden verplaatst: 2; als eerste put.xml: De schijf is vol.", "Meteen proberen kan met"},
		{Condition{Code: "environment-changed", Subject: "zwolle", Detail: "production"}, "Map zwolle levert nu aan bij een andere omgeving (productie)", "Zet het portaal van de map terug"},
	} {
		text, hint := Describe("nl", &c.c, &Snapshot{})
		if !strings.Contains(text, c.text) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s:\ntext %q\nhint %q", c.c.Code, text, hint)
		}
		c.c.Text, c.c.Hint = "in English", "advice"
		if text, hint := Describe("en", &c.c, &Snapshot{}); text != "in English" || hint != "advice" {
			t.Errorf("%s in English: %q, %q", c.c.Code, text, hint)
		}
	}
}

// A person is told in the page's language why an act was not done.
func TestRefusalsAreInThePagesLanguage(t *testing.T) {
	for _, c := range []struct {
		err      error
		nl, en   string
		nlHasNot string
	}{
		{&queue.TransitionError{ID: 5, Transition: "held", State: queue.Submitted, Why: deliver.WhyBusy}, "Probeer het over een minuut opnieuw.", deliver.WhyBusy, "asked"},
		{&queue.TransitionError{ID: 5, Transition: "held", State: queue.Submitted}, "Het document is ingediend, en dan kan dit niet.", "it is submitted", "submitted"},
		{&queue.TransitionError{ID: 5, State: queue.Attached, Why: queue.WhyInDoubt}, "Misschien is het al ingediend.", "answer that first", "answer"},
		{&queue.TransitionError{ID: 5, State: queue.Queued, Why: "it is held (person); let it go"}, "Het wordt vastgehouden.", "let it go", "held ("},
		{&queue.TransitionError{ID: 5, State: queue.Queued, Why: "of another kind"}, "(technische melding: of another kind)", "of another kind", "\x00"},
		{usageError{errors.New("no number")}, "zoals 0000182614", "no number", "no number"},
		{queue.ErrClosed, "brodaemon stopt", queue.ErrClosed.Error(), "closed"},
		{errors.New("disk on fire"), "(technische melding: disk on fire)", "disk on fire", "\x00"},
	} {
		if got := dutch.refusal(c.err); !strings.Contains(got, c.nl) || strings.Contains(got, c.nlHasNot) {
			t.Errorf("%v in Dutch: %q", c.err, got)
		}
		if got := english.refusal(c.err); !strings.Contains(got, c.en) {
			t.Errorf("%v in English: %q", c.err, got)
		}
	}
}

// brokenDisk is a queue that can't store a person's answer.
type brokenDisk struct{ Actor }

func (brokenDisk) ResolveDelivered(queue.ID, string) (queue.Item, error) {
	return queue.Item{}, errors.New("no space left on device")
}

// An answer that could not be stored is not called a wrong one, which would lead
// a person to say that the portal does not have the delivery.
func TestAnswerThatCantBeStored(t *testing.T) {
	_, err := resolve(brokenDisk{}, 5, "0000182614", "")
	if got := dutch.refusal(err); !strings.Contains(got, "no space left") || strings.Contains(got, "0000182614") {
		t.Errorf("it says %q", got)
	}
	_, err = resolve(brokenDisk{}, 5, "the blue one", "")
	if got := dutch.refusal(err); !strings.Contains(got, "zoals 0000182614") {
		t.Errorf("of a wrong number it says %q", got)
	}
}

// The words are the page's own: what programs read is as it was.
func TestWordsAreNotInJSON(t *testing.T) {
	_, source, _ := setup(t, nil)
	placed(t, source, "a sentence", queue.Say("bad-name"))
	server, _, _ := setup(t, func(o *Options) { o.Source = source })
	for _, path := range []string{"/api/v1/status", "/api/v1/items", "/api/v1/items/2", "/api/v1/items/6"} {
		body := get(server, path).Body.String()
		if !strings.Contains(body, "a sentence") || strings.Contains(strings.ToLower(body), "words") || strings.Contains(body, "bad-name") {
			t.Errorf("%s: %s", path, body)
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
