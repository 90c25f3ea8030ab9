package status

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/queue"
)

// hostile is a name or a message as somebody could make one who means harm.
const hostile = "</td></title></textarea><script>alert(1)</script>\" onmouseover='x()' `{{.}}` \n<img src=x onerror=y()>\u202efdp.exe javascript:z()"

// hostileSource has it in every text that comes from outside.
func hostileSource() *fakeSource {
	s := sample()
	for i := range s.items {
		it := &s.items[i]
		it.File, it.Folder, it.RequestReference, it.BROID, it.ObjectID, it.Type = hostile, hostile, hostile, hostile, hostile, hostile
		it.Environment, it.Portal, it.Project, it.Filename, it.Filed, it.Beside = hostile, hostile, hostile, hostile, hostile, hostile
		it.LastError, it.LastKind, it.IgnoredErrors = hostile, hostile, []string{hostile}
		it.History = append(it.History, queue.Event{What: hostile, Detail: hostile, At: morning})
		if it.Hold != "" {
			it.HoldReason = hostile
		}
		if it.State == queue.Rejected {
			it.Report = &queue.Report{Code: hostile, Errors: []string{hostile}, Detail: hostile}
		}
		if it.Delivery != nil {
			it.Delivery = &queue.Delivery{ID: hostile, Status: hostile, DocumentStatus: hostile}
		}
	}
	for i := range s.snapshot.Folders {
		f := &s.snapshot.Folders[i]
		f.Name, f.Path, f.Project, f.Token, f.Environment, f.Reason, f.Polling = hostile, hostile, hostile, hostile, hostile, hostile, hostile
		f.NotTaken, f.Ignored = []Lying{{File: hostile, Reason: hostile}}, []Lying{{File: hostile, Code: hostile, Reason: hostile}}
	}
	for i := range s.snapshot.Conditions {
		c := &s.snapshot.Conditions[i]
		c.Text, c.Hint, c.Subject, c.Detail = hostile, hostile, hostile, hostile
	}
	for i := range s.snapshot.Tokens {
		s.snapshot.Tokens[i].Name, s.snapshot.Tokens[i].Portal = hostile, hostile
	}
	for i := range s.snapshot.Portals {
		s.snapshot.Portals[i].Address, s.snapshot.Portals[i].Environment = hostile, hostile
	}
	for i := range s.snapshot.Counts {
		s.snapshot.Counts[i].Folder = hostile
	}
	s.snapshot.Oldest = &Row{ID: "2", File: hostile, Folder: hostile, State: hostile, Hold: hostile, LastError: hostile}
	return s
}

// tags are those of a page; what stands between them is text.
var tags = regexp.MustCompile(`(?s)<[^<>]*>`)

var (
	quoted        = regexp.MustCompile(`"[^"]*"`)
	scriptAddress = regexp.MustCompile(`\s(?:href|src|action|formaction)="\s*javascript:`)
)

// wantOwnMarkup fails when a page has markup that no template of ours makes.
func wantOwnMarkup(t *testing.T, body string) {
	t.Helper()
	if n := strings.Count(body, "<script"); n != 1 {
		t.Errorf("got %d scripts, want only our own", n)
	}
	for _, tag := range tags.FindAllString(body, -1) {
		name := strings.ToLower(tag)
		for _, bad := range []string{"<img", "</textarea", "<style", "<iframe", "<object", "<base"} {
			if strings.HasPrefix(name, bad) {
				t.Errorf("got the tag %q", tag)
			}
		}
		// In an attribute that is no address, such as the value of an option, the same text does nothing.
		unquoted := quoted.ReplaceAllString(name, `""`)
		if strings.Contains(unquoted, " on") || strings.Contains(unquoted, "style=") || scriptAddress.MatchString(name) {
			t.Errorf("got a handler, a style or a script address in the tag %q", tag)
		}
	}
	if strings.ContainsRune(tags.ReplaceAllString(body, ""), '\u202e') {
		t.Error("a character that turns the direction of the text is in the page")
	}
	if strings.Contains(body, "ZgotmplZ") {
		t.Error("a value was put where it can't be made safe")
	}
}

func TestHostileTextsStayTexts(t *testing.T) {
	for _, language := range []string{"nl", "en"} {
		server, _, _ := setup(t, func(o *Options) { o.Language, o.Source = language, hostileSource() })
		cookie := signIn(t, server)
		for _, path := range []string{
			"/", "/items/1", "/items/2", "/items/3", "/items/4", "/items/5", "/items/6", "/items/3/resolve", "/items/6/cancel", "/items/4/release",
			"/items/1/retry", "/retry?folder=" + url.QueryEscape(hostile), "/sign-in?to=" + url.QueryEscape(hostile), "/?q=" + url.QueryEscape(hostile) + "&folder=" + url.QueryEscape(hostile),
			"/items/" + url.PathEscape(hostile), "/?state=" + url.QueryEscape(hostile), "/?limit=1",
		} {
			t.Run(language+" "+path[:min(len(path), 20)], func(t *testing.T) {
				w := request{path: path, cookies: cookie}.send(server)
				if w.Code == http.StatusInternalServerError {
					t.Fatalf("got code %d: %s", w.Code, w.Body)
				}
				wantOwnMarkup(t, w.Body.String())
			})
		}
	}
}

// FuzzHostileText looks for a text that becomes markup on the page.
func FuzzHostileText(f *testing.F) {
	f.Add(hostile)
	f.Add("\"><svg/onload=x>")
	f.Add("\x00\xff\u2028'")
	f.Add("jAvAsCript:")
	f.Fuzz(func(t *testing.T, text string) {
		s := sample()
		for i := range s.items {
			s.items[i].File, s.items[i].LastError, s.items[i].BROID, s.items[i].Folder = text, text, text, text
		}
		s.snapshot.Folders[0].Name = text
		server := NewServer(Options{Source: s, Actor: &fakeActor{}})
		for _, path := range []string{"/", "/items/2"} {
			w := get(server, path)
			wantCode(t, w, http.StatusOK)
			wantOwnMarkup(t, w.Body.String())
		}
	})
}

func TestOverviewInBothLanguages(t *testing.T) {
	for language, want := range map[string][]string{
		"en": {
			`<html lang="en">`, "Needs attention", "host is down", "a condition this page has no words for", "read it in English",
			"DEMO – not real", "PRODUCTION", "delivers to several environments", "never reaches the BRO",
			"with events of the file system", "offline", "half.xml", "it is not complete yet", "plan.pdf", "and 30 more",
			"Waiting longest", "portal not available", "Being worked on now: 2", "the portal is out of reach", "refused, documents wait",
			">1203<", "newest first", "0000182614", "GMW000000012345", "document 2", "(3) brodaemon",
		},
		"nl": {
			`<html lang="nl">`, "Aandacht nodig", "Map assen kan niet worden gelezen: De bestandsserver of de schijf is niet bereikbaar",
			"Documenten waarvan niet zeker is of ze zijn ingediend: 1", "geef per document het antwoord",
			"a condition this page has no words for", "read it in English",
			"DEMO – niet echt", "PRODUCTIE", "komt nooit in de BRO", "verschillende omgevingen", "met meldingen van het bestandssysteem",
			"de naam past bij geen patroon van deze map", "Wacht het langst", "Nu onder handen: 2", "het portaal is niet bereikbaar", "afgewezen",
		},
	} {
		t.Run(language, func(t *testing.T) {
			server, _, _ := setup(t, func(o *Options) { o.Language = language })
			w := get(server, "/")
			wantCode(t, w, http.StatusOK)
			body := html.UnescapeString(w.Body.String())
			for _, part := range want {
				if !strings.Contains(strings.ToLower(body), strings.ToLower(part)) {
					t.Errorf("got no %q in:\n%s", part, body)
				}
			}
			if first, table := strings.Index(body, `id="conditions"`), strings.Index(body, `id="folders"`); first < 0 || first > table {
				t.Errorf("the conditions are not on top: at %d, the folders at %d", first, table)
			}
		})
	}
}

func TestAllWell(t *testing.T) {
	server, source, _ := setup(t, nil)
	source.snapshot.Conditions, source.snapshot.Oldest, source.items = nil, nil, nil
	source.snapshot.Folders = source.snapshot.Folders[1:] // production only
	body := get(server, "/").Body.String()
	wantText(t, body, "Nothing needs attention", "Nothing waits", "No documents found", "<title>brodaemon</title>")
	wantNoText(t, body, "several environments")
}

func TestOverviewShowsNewestFirstAndBounded(t *testing.T) {
	cases := []struct {
		name, query string
		limit       int // asked of the source: one more than is shown
		more        bool
	}{
		{"plain", "", pageItems + 1, false},
		{"few", "?limit=2&folder=assen", 3, true},
		{"just as many", "?limit=3&folder=assen", 4, false},
		{"all is too many", "?limit=0", mostItems + 1, false},
		{"too many", "?limit=100000", mostItems + 1, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server, source, _ := setup(t, nil)
			w := get(server, "/"+c.query)
			wantCode(t, w, http.StatusOK)
			if !source.filter.Newest || source.filter.Limit != c.limit {
				t.Errorf("got filter %+v, want newest first and limit %d", source.filter, c.limit)
			}
			body := w.Body.String()
			if got := strings.Contains(body, "Show more"); got != c.more {
				t.Errorf("got a link to more: %t, want %t", got, c.more)
			}
			if c.more {
				wantText(t, body, "/?folder=assen&amp;limit=10#documents")
			}
		})
	}
}

func TestFilterFormKeepsItsChoice(t *testing.T) {
	server, source, _ := setup(t, nil)
	body := get(server, "/?state=attached&hold=uncertain&folder=assen&open=1&q=+put+").Body.String()
	wantText(t, body, `value="attached" selected`, `value="uncertain" selected`, `value="assen" selected`, `value="1" checked`, `name="q" value="put"`, "clear")
	want := queue.Filter{State: "attached", Hold: "uncertain", Folder: "assen", Open: true, Search: "put", Newest: true, Limit: pageItems + 1}
	if source.filter != want {
		t.Errorf("got filter %+v, want %+v", source.filter, want)
	}
	wantText(t, body, `href="/items/3"`)
	wantNoText(t, body, `href="/items/4"`)
	wantCode(t, get(server, "/?state=nosuch"), http.StatusBadRequest)
}

func TestPagesOfABrokenQueue(t *testing.T) {
	server, source, _ := setup(t, nil)
	source.err = errors.New("the queue file is damaged")
	for _, path := range []string{"/", "/items/1"} {
		w := get(server, path)
		wantCode(t, w, http.StatusInternalServerError)
		wantText(t, w.Body.String(), "the queue file is damaged")
	}
}

func TestDocumentPage(t *testing.T) {
	cases := []struct {
		path      string
		want, not []string
	}{
		{"/items/1", []string{"put-1.xml", "GMW000000012345", "0000182614", "4711", "77", "done/2026-11-23/put-1.xml.receipt.json", "abababab", "put 1",
			"not in the real BRO", "taken in", "moved", "2026-11-23T09:30:00Z"}, []string{"What you can do", "still to be moved"}},
		{"/items/2", []string{"the portal is out of reach", "503", "4 times", "failed attempts of this step: 4", "What you can do"}, []string{"GMW000"}},
		{"/items/3", []string{"uncertain", "the portal can't say", "It is not certain whether"}, nil},
		{"/items/4", []string{"has the same content as document 1", `href="/items/1"`, "which can never be undone"}, nil},
		{"/items/5", []string{"De waarde is niet toegestaan.", "still to be moved"}, nil},
		{"/items/6", []string{"0000182615", "The outcome of the portal and the BRO is awaited"}, nil},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			server, _, _ := setup(t, nil)
			w := request{path: c.path, cookies: signIn(t, server)}.send(server)
			wantCode(t, w, http.StatusOK)
			body := html.UnescapeString(w.Body.String())
			wantText(t, body, append(c.want, "DEMO – not real", "Timeline")...)
			wantNoText(t, body, c.not...)
		})
	}
}

// Where nothing is known but a sentence of ours, as in the queue of an older
// version, a Dutch page says what it knows, and leaves English advice out.
func TestDutchPageSpeaksDutch(t *testing.T) {
	server, source, _ := setup(t, func(o *Options) { o.Language = "nl" })
	const refused = "validate: 401 Unauthorized: sign-on refused. What to do: check the token"
	s := &source.snapshot
	s.Oldest.LastError = refused
	s.Tokens[len(s.Tokens)-1].Pause.Reason = refused
	s.Conditions = []Condition{{Code: "token-paused", Subject: "assen", Detail: refused}}
	waiting, twin, broken := source.items[1], source.items[3], source.items[4]
	waiting.LastError, waiting.LastKind = refused, "unauthorized"
	waiting.History = append(waiting.History, queue.Event{What: "postponed", Detail: refused})
	waiting.Companions = []queue.Companion{{File: "put-2.xml.note.txt", State: queue.CompanionNot, Why: "add note: 403. What to do: ask"}}
	twin.Hold, twin.HoldReason, twin.DuplicateOf = queue.HoldDuplicate, "it registers the same object (B-1) as document 1 (put-1.xml)", 1
	twin.History = append(twin.History, queue.Event{What: "held", Detail: twin.HoldReason, Words: queue.Say(queue.SaySameObject, "1", "put-1.xml", "B-1")})
	broken.Report = &queue.Report{Code: "document-not-xml", Detail: "it begins with \"x\""}
	source.items[1], source.items[3], source.items[4] = waiting, twin, broken
	for path, want := range map[string]string{
		"/":        "Het registreert hetzelfde object als document 1 (put-1.xml).",
		"/?q=":     "is geen XML-bestand",
		"/items/2": "put-2.xml.note.txt: niet toegevoegd aan de levering",
		"/items/4": "Het registreert hetzelfde object als document 1 (put-1.xml).",
		"/items/5": "is geen XML-bestand",
	} {
		body := html.UnescapeString(get(server, path).Body.String())
		wantText(t, body, want)
		wantNoText(t, body, "What to do", "it registers the same", "document-not-xml: ")
	}
	english, _, _ := setup(t, func(o *Options) { o.Source = source })
	wantText(t, html.UnescapeString(get(english, "/items/2").Body.String()), "What to do: check the token", "not added to the delivery")
}

// What may have been submitted is never called still to be submitted.
func TestMeaning(t *testing.T) {
	uncertain := queue.Item{State: queue.Attached, Intent: queue.IntentSubmit}
	held := uncertain
	held.Hold = queue.HoldUncertain
	for _, c := range []struct {
		name string
		it   queue.Item
		want []string
	}{
		{"attached", queue.Item{State: queue.Attached}, []string{"means.attached"}},
		{"uncertain", uncertain, []string{"uncertain-searched"}},
		{"uncertain and held", held, []string{"hold-uncertain"}},
		{"held", queue.Item{State: queue.Queued, Hold: queue.HoldPerson}, []string{"hold-person"}},
		{"submitted and held", queue.Item{State: queue.Submitted, Hold: queue.HoldPerson}, []string{"means.submitted", "hold-person"}},
		{"delivered", queue.Item{State: queue.Delivered, Environment: "production"}, []string{"means.delivered"}},
		{"delivered for practice", queue.Item{State: queue.Delivered, Environment: "demo"}, []string{"means.practised"}},
	} {
		var want []string
		for _, key := range c.want {
			want = append(want, english.text(key))
		}
		if got := english.meaning(&c.it); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}

func TestUnknownDocumentAndAddress(t *testing.T) {
	server, _, _ := setup(t, nil)
	for _, path := range []string{"/items/99", "/items/x", "/items/-1", "/nothing", "/items", "/style.css/x", "/web/page.js"} {
		w := get(server, path)
		wantCode(t, w, http.StatusNotFound)
		wantText(t, w.Body.String(), "<html")
	}
}

func TestPossibleActs(t *testing.T) {
	cases := map[queue.ID]string{
		1: "", 2: "retry hold cancel", 3: "resolve retry", 4: "release cancel", 5: "retry", 6: "retry hold cancel",
	}
	for _, it := range sample().items {
		if got := strings.Join(possibleActs(&it), " "); got != cases[it.ID] {
			t.Errorf("document %s (%s %s): got %q, want %q", it.ID, it.State, it.Hold, got, cases[it.ID])
		}
	}
}

// A document that the public register does not show can be looked up, or let be.
func TestActsOnTheUnconfirmed(t *testing.T) {
	it := queue.Item{ID: 7, State: queue.Delivered, Times: queue.Times{Filed: morning}, Confirm: &queue.Confirmation{Misses: 9}}
	if got := strings.Join(possibleActs(&it), " "); got != "release retry" {
		t.Errorf("got %q", got)
	}
	it.Confirm.Write = true
	if got := possibleActs(&it); len(got) != 0 {
		t.Errorf("found: got %q", got)
	}
}

func TestEnvironments(t *testing.T) {
	cases := []struct{ name, label, class string }{
		{"production", "PRODUCTION", "production"},
		{"demo", "DEMO – not real", "trial"},
		{"acceptance", "ACCEPTANCE – not real", "trial"},
		{"other (127.0.0.1:8790)", "TRIAL on this machine (127.0.0.1:8790) – not real", "trial"},
		{"other (localhost:1)", "TRIAL on this machine (localhost:1) – not real", "trial"},
		{"other ([::1]:8790)", "TRIAL on this machine ([::1]:8790) – not real", "trial"},
		{"other (portal.example.org)", "OTHER PORTAL (portal.example.org)", "other"},
		{"something new", "OTHER PORTAL (something new)", "other"},
		{"", "UNKNOWN PORTAL", "other"},
	}
	for _, c := range cases {
		if got := english.environmentOf(c.name); got.Label != c.label || got.Class != c.class || got.Note == "" {
			t.Errorf("%q: got %+v, want %q, %q and a note", c.name, got, c.label, c.class)
		}
	}
}

func TestSpans(t *testing.T) {
	now := morning
	cases := []struct {
		t    time.Time
		want string
	}{
		{time.Time{}, ""}, {now, "0 s ago"}, {now.Add(-59 * time.Second), "59 s ago"}, {now.Add(-61 * time.Second), "1 min ago"},
		{now.Add(-47 * time.Hour), "47 h ago"}, {now.Add(-49 * time.Hour), "2 days ago"}, {now.Add(90 * time.Second), "in 1 min"},
		{now.Add(time.Millisecond), "in 1 s"},
	}
	for _, c := range cases {
		if got := english.ago(c.t, now); got != c.want {
			t.Errorf("%v: got %q, want %q", c.t.Sub(now), got, c.want)
		}
	}
}

// Every word is there in both languages, with the same things put in, and
// every word that a template asks for exists.
func TestTexts(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-z]`)
	for key, pair := range texts {
		nl, en := strings.Join(verbs.FindAllString(pair[dutch], -1), ""), strings.Join(verbs.FindAllString(pair[english], -1), "")
		if pair[dutch] == "" || pair[english] == "" || nl != en {
			t.Errorf("%s: got %q and %q", key, pair[dutch], pair[english])
		}
	}
	for key, text := range translations {
		if text == "" || strings.Count(text, "{") != strings.Count(text, "}") {
			t.Errorf("%s: got %q", key, text)
		}
	}
	entries, err := web.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\bt "([^"]+)"`)
	used := 0
	for _, e := range entries {
		data, err := web.ReadFile("web/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(data), -1) {
			used++
			if _, ok := texts[m[1]]; !ok {
				t.Errorf("%s asks for the text %q, which does not exist", e.Name(), m[1])
			}
		}
	}
	if used < 50 {
		t.Errorf("found only %d texts in the templates", used)
	}
	for _, state := range queue.States {
		for _, kind := range []string{"state.", "means."} {
			if _, ok := texts[kind+string(state)]; !ok && !(kind == "means." && (state == queue.Rejected || state == queue.Cancelled)) {
				t.Errorf("there is no text for %s%s", kind, state)
			}
		}
	}
	for _, act := range acts {
		for _, kind := range []string{"act.", "ask.", "did.", "effect."} {
			if _, ok := texts[kind+act]; !ok {
				t.Errorf("there is no text for %s%s", kind, act)
			}
		}
	}
	for _, hold := range holds {
		for _, kind := range []string{"hold.", "hold-"} {
			if _, ok := texts[kind+string(hold)]; !ok {
				t.Errorf("there is no text for %s%s", kind, hold)
			}
		}
	}
	for _, r := range english.references(&sample().items[0]) {
		if _, ok := texts[r.Label]; !ok {
			t.Errorf("there is no text for %s", r.Label)
		}
	}
}

// The pages load nothing from elsewhere and have nothing inline, so that the
// content security policy can forbid both.
func TestAssets(t *testing.T) {
	server, _, _ := setup(t, nil)
	for path, kind := range map[string]string{"/style.css": "text/css", "/page.js": "text/javascript", "/icon.svg": "image/svg+xml"} {
		w := get(server, path)
		wantCode(t, w, http.StatusOK)
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, kind) {
			t.Errorf("%s: got type %q", path, got)
		}
		again := request{path: path, header: map[string]string{"If-None-Match": w.Header().Get("ETag")}}.send(server)
		wantCode(t, again, http.StatusNotModified)
	}
	entries, _ := web.ReadDir("web")
	for _, e := range entries {
		data, _ := web.ReadFile("web/" + e.Name())
		text := strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")
		wantNoText(t, text, "http://", "https://", "@import", "url(", " style=", "onclick")
	}
	body := get(server, "/").Body.String()
	wantText(t, body, `<noscript><meta http-equiv="refresh"`, `<script src="/page.js" defer></script>`)
	wantNoText(t, get(server, "/sign-in").Body.String(), "refresh")
}
