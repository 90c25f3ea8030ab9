package status

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/queue"
)

const (
	pageItems   = 100 // documents on the page unless more are asked for
	mostItems   = 1000
	lyingOnPage = 20 // files named per folder
	maxSearch   = 200
)

// overviewPage is the page at /.
type overviewPage struct {
	frame
	Status     Snapshot
	Conditions []conditionView
	Folders    []folderView
	Portals    []portalView
	Tokens     []tokenView
	Counts     countTable
	OldestWhy  string
	Filter     filterView
	Items      []itemView
	More       string // address with more documents, "" if there are none or no more are shown
	Most       bool   // there are more than are ever shown
}

// Mixed says that it must be looked at closely what is real.
func (p overviewPage) Mixed() bool { return len(p.Environments) > 1 }

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	snapshot, err := s.source.Status()
	if err != nil {
		s.trouble(w, r, http.StatusInternalServerError, s.language.text("trouble-queue", s.language.technical(err)))
		return
	}
	query := r.URL.Query()
	filter, err := pageFilter(query)
	if err != nil {
		s.trouble(w, r, http.StatusBadRequest, s.language.text("wrong-filter", s.language.technical(err)))
		return
	}
	p := overviewPage{frame: s.frame(r, s.language.text("title")), Status: snapshot}
	p.Live = true
	if n, err := strconv.Atoi(query.Get("retried")); err == nil {
		p.Said = s.language.text("retried", strconv.Itoa(n))
	}
	if err := s.list(r, &p, filter); err != nil {
		s.trouble(w, r, http.StatusInternalServerError, s.language.text("trouble-queue", s.language.technical(err)))
		return
	}
	p.fill(s.language, &snapshot)
	p.Filter = filterViewOf(filter, &snapshot)
	if n := len(p.Conditions); n > 0 {
		p.Title = "(" + strconv.Itoa(n) + ") " + p.Title
	}
	s.show(w, http.StatusOK, "overview.html", p)
}

// pageFilter is the page's choice of documents: newest first, and never all.
func pageFilter(q url.Values) (queue.Filter, error) {
	f, err := filterOf(q)
	if err != nil {
		return f, err
	}
	f.Newest = true
	switch {
	case q.Get("limit") == "":
		f.Limit = pageItems
	case f.Limit == 0 || f.Limit > mostItems:
		f.Limit = mostItems
	}
	f.Search = strings.TrimSpace(f.Search)
	if len(f.Search) > maxSearch {
		f.Search = strings.ToValidUTF8(f.Search[:maxSearch], "")
	}
	return f, nil
}

// list reads the documents, and one more to see whether there are any.
func (s *Server) list(r *http.Request, p *overviewPage, f queue.Filter) error {
	limit := f.Limit
	f.Limit++
	more := false
	err := s.source.Each(f, func(it queue.Item) bool {
		if len(p.Items) == limit {
			more = true
			return false
		}
		p.Items = append(p.Items, s.language.itemViewOf(&it))
		return r.Context().Err() == nil
	})
	p.Most = more && limit == mostItems
	if more && !p.Most {
		f.Limit = min(limit*5, mostItems)
		p.More = address(f)
	}
	return err
}

// address is the page with a filter.
func address(f queue.Filter) string {
	q := url.Values{}
	for name, value := range map[string]string{"state": string(f.State), "hold": string(f.Hold), "folder": f.Folder, "q": f.Search} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Open {
		q.Set("open", "1")
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	if len(q) == 0 {
		return "/#documents"
	}
	return "/?" + q.Encode() + "#documents"
}

// fill makes the views of a Snapshot.
func (p *overviewPage) fill(l language, s *Snapshot) {
	for i := range s.Conditions {
		p.Conditions = append(p.Conditions, l.conditionViewOf(&s.Conditions[i], s))
	}
	for i := range s.Folders {
		p.Folders = append(p.Folders, l.folderViewOf(&s.Folders[i]))
	}
	environments := map[string]string{} // by the portal's address
	for _, portal := range s.Portals {
		environments[portal.Address] = portal.Environment
		p.Portals = append(p.Portals, portalView{portal, l.environmentOf(portal.Environment)})
	}
	for _, token := range s.Tokens {
		p.Tokens = append(p.Tokens, tokenView{token, l.environmentOf(environments[token.Portal])})
	}
	for _, f := range p.Folders {
		if !slices.Contains(p.Environments, f.Environment) {
			p.Environments = append(p.Environments, f.Environment)
		}
	}
	p.Counts = countTableOf(s)
	if s.Oldest != nil {
		p.OldestWhy = l.sentence(s.Oldest.LastError, s.OldestWords)
	}
}

// conditionView is a Condition in the page's language.
type conditionView struct {
	Text, Hint string
	Since      time.Time
	Link       string // to the documents it is about
}

func (l language) conditionViewOf(c *Condition, s *Snapshot) conditionView {
	v := conditionView{Text: line(c.Text), Hint: line(c.Hint), Since: c.Since, Link: conditionLink(c)}
	text, known := translations["condition."+c.Code]
	if l == english || !known {
		return v
	}
	detail, _ := SplitAdvice(c.Detail)
	detail = line(detail)
	hint := translations["hint."+c.Code]
	switch what, advice, ok := adviceOf(c.Words); {
	case c.Code == "environment-changed":
		detail = archive.Environment("nl", detail)
	case ok && c.Code == "filing-failed":
		detail += ": " + what
	case ok && advice != "":
		detail, hint = what, advice+" "+cmp.Or(translations["then."+c.Code], hint)
	case ok:
		detail = what
	}
	if c.Code == "folder-offline" {
		for i := range s.Folders {
			if s.Folders[i].Name == c.Subject {
				detail = l.offlineReason(&s.Folders[i])
			}
		}
	}
	v.Text = strings.NewReplacer("{subject}", line(c.Subject), "{n}", strconv.Itoa(c.N), "{detail}", detail).Replace(text)
	v.Hint = hint
	return v
}

// Describe is a condition in a language, nl or en: what it is, and what to do about it.
func Describe(language string, c *Condition, s *Snapshot) (text, hint string) {
	v := languageOf(language).conditionViewOf(c, s)
	return v.Text, v.Hint
}

// WhyIgnored is in a language, nl or en, why a file that lies in a folder is never taken.
func WhyIgnored(language string, lying Lying) string {
	return languageOf(language).ignoredReason(lying)
}

func (l language) ignoredReason(lying Lying) string {
	if why, known := translations["ignored."+lying.Code]; known && l == dutch {
		return why
	}
	return lying.Reason
}

// conditionLink is where the documents of a condition are listed.
func conditionLink(c *Condition) string {
	switch c.Code {
	case "held-person", "held-uncertain", "held-duplicate":
		return address(queue.Filter{Hold: queue.Hold(strings.TrimPrefix(c.Code, "held-")), Open: true})
	case "folder-not-configured", "environment-changed":
		return address(queue.Filter{Folder: c.Subject, Open: true})
	case "delivery-slow":
		return address(queue.Filter{State: queue.Submitted, Open: true})
	}
	return ""
}

// offlineReason is why a folder can't be read, in the page's language where
// the cause has a name, and in the system's own words.
func (l language) offlineReason(f *Folder) string {
	cause, known := translations["cause."+f.Cause]
	if l == english || !known {
		return line(f.Reason)
	}
	said, ok := say(f.Words)
	switch {
	case !ok:
		return cause
	case noMore[f.Words.Code()]: // but what the system says
		if system := particulars(f.Words[1:]).at(1); system != "" {
			return cause + " (" + system + ")"
		}
		return cause
	case saysAll[f.Cause]:
		return said
	}
	return cause + " (" + said + ")"
}

// saysAll are the causes of which the words say what is wrong and what to look
// at; noMore are the words that say no more than the cause.
var (
	saysAll = map[string]bool{"unreachable": true, "no-permission": true, "sign-on": true, "trouble": true}
	noMore  = map[queue.Code]bool{"watch.missing": true, "watch.not-a-folder": true, "watch.rights": true, "watch.server": true, "watch.sign-on": true}
)

// folderView is a Folder as the page shows it.
type folderView struct {
	Folder
	Environment environment
	OfflineWhy  string
	PollingWhy  string
	NotTaken    []Lying
	Ignored     []Lying
	MoreWaiting int // not named
	MoreIgnored int
}

func (l language) folderViewOf(f *Folder) folderView {
	v := folderView{Folder: *f, Environment: l.environmentOf(f.Environment), OfflineWhy: l.offlineReason(f), PollingWhy: l.sentence(f.Polling, f.PollingWords)}
	v.NotTaken = slices.Clone(f.NotTaken[:min(len(f.NotTaken), lyingOnPage)])
	for i, lying := range v.NotTaken {
		v.NotTaken[i].Reason = l.sentence(lying.Reason, lying.Words)
	}
	v.Ignored = slices.Clone(f.Ignored[:min(len(f.Ignored), lyingOnPage)])
	v.MoreWaiting = max(f.NotTakenN, len(f.NotTaken)) - len(v.NotTaken)
	v.MoreIgnored = max(f.IgnoredN, len(f.Ignored)) - len(v.Ignored)
	for i, lying := range v.Ignored {
		v.Ignored[i].Reason = l.ignoredReason(lying)
	}
	return v
}

type portalView struct {
	Portal
	Environment environment
}

type tokenView struct {
	Token
	Environment environment
}

// countTable is how many documents each folder has in each state.
type countTable struct {
	States []queue.State
	Rows   []countRow
	Total  *countRow // nil with a single folder
}

type countRow struct {
	Folder   string
	ByState  []countCell
	Held     countCell
	Unfiled  countCell
	Total    countCell
	NotKnown bool // the folder is not configured any more
}

type countCell struct {
	N    int
	Link string
}

func countTableOf(s *Snapshot) countTable {
	table := countTable{States: queue.States}
	rows := map[string]*countRow{}
	var order []string
	add := func(folder string, known bool) *countRow {
		if rows[folder] == nil {
			rows[folder] = newCountRow(folder)
			rows[folder].NotKnown = !known
			order = append(order, folder)
		}
		return rows[folder]
	}
	for _, f := range s.Folders {
		add(f.Name, true)
	}
	total := newCountRow("")
	for _, c := range s.Counts {
		for _, row := range []*countRow{add(c.Folder, false), total} {
			row.count(c)
		}
	}
	for _, name := range order {
		table.Rows = append(table.Rows, *rows[name])
	}
	if len(order) > 1 {
		table.Total = total
	}
	return table
}

func newCountRow(folder string) *countRow {
	row := &countRow{Folder: folder, Total: countCell{Link: address(queue.Filter{Folder: folder})}}
	for _, state := range queue.States {
		row.ByState = append(row.ByState, countCell{Link: address(queue.Filter{Folder: folder, State: state})})
	}
	row.Unfiled.Link = address(queue.Filter{Folder: folder, Open: true})
	return row
}

func (row *countRow) count(c Count) {
	row.Total.N += c.N
	if i := slices.Index(queue.States, queue.State(c.State)); i >= 0 {
		row.ByState[i].N += c.N
	}
	if c.Hold != "" {
		row.Held.N += c.N
		link := address(queue.Filter{Folder: row.Folder, Hold: queue.Hold(c.Hold), Open: true})
		if row.Held.Link != "" && row.Held.Link != link {
			link = address(queue.Filter{Folder: row.Folder, Open: true}) // of several kinds: one link for all
		}
		row.Held.Link = link
	}
	if !c.Filed && queue.State(c.State).End() {
		row.Unfiled.N += c.N
	}
}

// filterView is the form above the table.
type filterView struct {
	queue.Filter
	States  []queue.State
	Holds   []queue.Hold
	Folders []string
	Active  bool // something is chosen
}

func filterViewOf(f queue.Filter, s *Snapshot) filterView {
	v := filterView{Filter: f, States: queue.States, Holds: holds}
	for _, folder := range s.Folders {
		v.Folders = append(v.Folders, folder.Name)
	}
	for _, c := range s.Counts { // of a folder that is not configured any more too
		if !slices.Contains(v.Folders, c.Folder) {
			v.Folders = append(v.Folders, c.Folder)
		}
	}
	v.Active = f.State != "" || f.Hold != "" || f.Folder != "" || f.Search != "" || f.Open
	return v
}

// itemView is a line of the table.
type itemView struct {
	Row
	Environment environment
	Kind        string // what went wrong last, in the page's words
	Why         string
	Queued      time.Time
	Waiting     bool // for a person
	Moving      bool // has its outcome, but its file is not moved
}

func (l language) itemViewOf(it *queue.Item) itemView {
	v := itemView{
		Row: RowOf(it), Environment: l.environmentOf(it.Environment), Queued: it.Times.Queued,
		Waiting: it.Hold != "", Moving: it.State.End() && it.Open(),
	}
	kind, why := l.outcomeOf(it)
	v.Kind, v.Why = kind, shortened(line(why), 200)
	return v
}

// outcomeOf is whyOf, and of a document that ended why it did.
func (l language) outcomeOf(it *queue.Item) (kind, said string) {
	kind, said = l.whyOf(it)
	switch {
	case said != "":
	case it.Report != nil && len(it.Report.Errors) == 0 && (it.State == queue.Rejected || it.State == queue.Cancelled):
		said = l.reason(it) // in words, not by its code
	default:
		said = LastError(it)
	}
	return kind, said
}

// WhyIn is in a language, nl or en, why a document is where it is.
func WhyIn(language string, it *queue.Item) string {
	kind, said := languageOf(language).outcomeOf(it)
	if kind != "" {
		return kind + ": " + said
	}
	return said
}

// WhyOffline is in a language, nl or en, why a folder can't be read.
func WhyOffline(language string, f *Folder) string { return languageOf(language).offlineReason(f) }

func shortened(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
