package status

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/deliver"
	"brodaemon/internal/queue"
)

// documentPage is the page at /items/{id}.
type documentPage struct {
	frame
	Item        queue.Item
	Environment environment
	State       string
	Hold        string
	Meaning     []string // sentences on where it stands
	Kind        string
	Why         string
	Moving      bool
	Errors      []string
	Ignored     []string
	References  []reference
	Companions  []companionView
	Timeline    []eventView
	Acts        []string
}

// reference is one number or word by which the document is known somewhere.
type reference struct {
	Label string
	Value string
	Link  string
	Time  time.Time // instead of Value
}

func (s *Server) document(w http.ResponseWriter, r *http.Request) {
	it, ok := s.find(w, r)
	if !ok {
		return
	}
	p := s.documentPage(r, &it)
	if did := r.URL.Query().Get("did"); slices.Contains(acts, did) {
		p.Said = s.language.text("did." + did)
	}
	s.show(w, http.StatusOK, "document.html", p)
}

// find reads the item that the address names.
func (s *Server) find(w http.ResponseWriter, r *http.Request) (queue.Item, bool) {
	id, err := queue.ParseID(r.PathValue("id"))
	var it queue.Item
	if err == nil {
		it, err = s.source.Item(id)
	} else {
		err = fmt.Errorf("%w: %w", queue.ErrNotFound, err)
	}
	switch {
	case err == nil:
		return it, true
	case errors.Is(err, queue.ErrNotFound):
		s.trouble(w, r, http.StatusNotFound, s.language.text("no-document", line(r.PathValue("id"))))
	default:
		s.trouble(w, r, http.StatusInternalServerError, s.language.text("trouble-queue", s.language.technical(err)))
	}
	return it, false
}

func (s *Server) documentPage(r *http.Request, it *queue.Item) documentPage {
	l := s.language
	p := documentPage{
		frame: s.frame(r, fmt.Sprintf("%s %s", it.ID, line(it.File))), Item: *it, Environment: l.environmentOf(it.Environment),
		State: l.word("state", it.State), Meaning: l.meaning(it), Moving: it.State.End() && it.Open(),
		Ignored: it.IgnoredErrors, References: l.references(it), Acts: possibleActs(it),
	}
	p.Live = true
	p.Environments = []environment{p.Environment}
	if it.Hold != "" {
		p.Hold = l.word("hold", it.Hold)
	}
	p.Kind, p.Why = l.whyOf(it)
	p.Companions, p.Timeline = l.companions(it), l.timeline(it)
	if it.Report != nil {
		p.Errors = it.Report.Errors
	}
	return p
}

// whyOf is why a document waits: the kind of trouble in the page's words, and
// what was said about it.
func (l language) whyOf(it *queue.Item) (kind, said string) {
	switch {
	case it.HoldReason != "":
		return "", l.holdReason(it)
	case it.LastError != "":
		words := it.WordsOf(it.LastError)
		if it.LastKind != "" && words.Code() != deliver.SayLocal { // which says that itself
			kind = l.word("kind", it.LastKind)
		}
		return kind, l.sentence(it.LastError, words)
	}
	return "", ""
}

// holdReason is why a document is held.
func (l language) holdReason(it *queue.Item) string {
	return l.sentence(it.HoldReason, it.WordsOf(it.HoldReason))
}

// eventView is a line of the timeline as the page shows it.
type eventView struct {
	queue.Event
	Said string
}

// timeline is what happened to a document, in the page's language where the
// words are known.
func (l language) timeline(it *queue.Item) []eventView {
	all := make([]eventView, 0, len(it.History))
	for _, e := range it.History {
		all = append(all, eventView{e, l.eventDetail(it, &e)})
	}
	return all
}

func (l language) eventDetail(it *queue.Item, e *queue.Event) string {
	if l == dutch && e.What == "rejected" && it.Report != nil {
		said := l.reason(it)
		if len(it.Report.Errors) > 0 {
			said += " " + line(it.Report.Errors[0])
		}
		return said
	}
	said := l.sentence(e.Detail, e.Words)
	if l == dutch && len(e.Words) > 0 {
		for _, c := range it.Companions { // of which one it is said stands before it
			if strings.HasPrefix(e.Detail, c.File+": ") {
				return line(c.File) + ": " + said
			}
		}
	}
	return said
}

// companionView is a companion file as the page shows it.
type companionView struct {
	archive.ReceiptCompanion
	Said string // why it was not added
}

func (l language) companions(it *queue.Item) []companionView {
	var all []companionView
	for i, c := range DetailOf(it).Companions {
		words := deliver.CompanionWords(it, i)
		said := l.sentence(c.Why, words)
		if l == dutch && words == nil && it.Companions[i].State == queue.CompanionWaiting { // its failures are no lines of the timeline
			said = technical("", said)
		}
		all = append(all, companionView{c, said})
	}
	return all
}

// meaning says in sentences where a document stands.
func (l language) meaning(it *queue.Item) []string {
	var say []string
	switch {
	case it.State == queue.Rejected || it.State == queue.Cancelled:
		say = append(say, l.reason(it))
	case it.State == queue.Delivered && it.Environment != "production":
		say = append(say, l.text("means.practised"))
	case it.State == queue.Submitted || it.Hold == "" && !it.Uncertain():
		say = append(say, l.word("means", it.State))
	}
	switch {
	case it.Hold != "":
		say = append(say, l.text("hold-"+string(it.Hold)))
	case it.Uncertain():
		say = append(say, l.text("uncertain-searched"))
	}
	if it.Report != nil && it.Report.Offset > 0 {
		say = append(say, l.text("place-in-file", it.Report.Line, it.Report.Offset))
	}
	return say
}

// reason is why a document ended in failed/, in the words of the message that
// lies beside it there.
func (l language) reason(it *queue.Item) string {
	r := archive.Reason{File: it.File, Folder: it.Folder, Environment: it.Environment}
	if it.Report != nil {
		r.Code, r.Detail = archive.ReasonCode(it.Report.Code), it.Report.Detail
		if it.Report.DuplicateOf != 0 {
			r.DuplicateOf = archive.Earlier{ID: it.Report.DuplicateOf.String(), File: l.text("called", it.Report.DuplicateOf)}
		}
	}
	if it.Delivery != nil {
		r.DeliveryID = it.Delivery.ID
	}
	return r.Summary(l.code())
}

// references are all numbers and words of a document that somebody may ask for.
func (l language) references(it *queue.Item) []reference {
	d := DetailOf(it)
	list := []reference{
		{Label: "ref.id", Value: d.ID},
		{Label: "folder", Value: d.Folder},
		{Label: "ref.portal", Value: it.Portal},
		{Label: "ref.project", Value: d.Project},
		{Label: "ref.kind", Value: d.Type + " " + d.Request},
		{Label: "ref.sub-document", Value: d.SubDocument},
		{Label: "ref.reference", Value: d.RequestReference},
		{Label: "ref.party", Value: d.AccountableParty},
		{Label: "ref.object", Value: it.ObjectID},
		{Label: "ref.bro-id", Value: d.BROID},
		{Label: "ref.delivery", Value: d.DeliveryID},
		{Label: "ref.portal-status", Value: d.DeliveryStatus + " " + d.DocumentStatus},
		{Label: "ref.transaction", Value: d.TransactionID},
		{Label: "ref.upload", Value: d.UploadID},
		{Label: "ref.portal-doc", Value: d.DocumentID},
		{Label: "ref.portal-name", Value: it.Filename},
		{Label: "ref.size", Value: l.text("ref.bytes", d.Size)},
		{Label: "ref.sha256", Value: d.SHA256},
		{Label: "ref.previous", Value: d.Previous, Link: "/items/" + d.Previous},
		{Label: "ref.duplicate", Value: d.DuplicateOf, Link: "/items/" + d.DuplicateOf},
		{Label: "ref.seen", Time: it.Times.Seen},
		{Label: "ref.queued", Time: it.Times.Queued},
		{Label: "ref.validated", Time: it.Times.Validated},
		{Label: "ref.submitted", Time: it.Times.Submitted},
		{Label: "ref.settled", Time: it.Times.Settled},
		{Label: "ref.filed", Time: it.Times.Filed},
		{Label: "ref.confirmed", Time: d.Times.Confirmed},
		{Label: "ref.removed", Time: d.Times.Removed},
		{Label: "ref.place", Value: d.Filed},
		{Label: "ref.beside", Value: d.Beside},
	}
	return slices.DeleteFunc(list, func(r reference) bool { return line(r.Value) == "" && r.Time.IsZero() || r.Value == " " })
}

// possibleActs are those that the queue would accept at this moment; it has
// the rules, so it is asked.
func possibleActs(it *queue.Item) []string {
	now := time.Now()
	var possible []string
	for _, act := range []struct {
		name string
		t    queue.Transition
		also bool
	}{
		{"resolve", queue.NotDelivered(now), true},
		{"release", queue.Released(now), it.Hold != ""},
		{"release", queue.ConfirmWaived(now), true},
		{"retry", queue.RetryNow(now, ""), true},
		{"retry", queue.ConfirmAgain(now), true},
		{"hold", queue.HeldBack(now), it.Hold == ""},
		{"cancel", queue.CancelledBy(now, queue.Report{}), true},
	} {
		if _, err := it.With(act.t); err == nil && act.also {
			possible = append(possible, act.name)
		}
	}
	return possible
}

// actPage asks whether an act is really meant.
type actPage struct {
	frame
	Item        queue.Item
	Environment environment
	Act         string
	Question    string
	Effects     []string
	Possible    bool
	Seen        string // how the document stood when the question was asked
	Back        string
}

func (s *Server) askAct(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(acts, r.PathValue("act")) {
		s.trouble(w, r, http.StatusNotFound, s.language.text("nothing-here"))
		return
	}
	if !s.pageMayAct(w, r, r.URL.Path) {
		return
	}
	if it, ok := s.find(w, r); ok {
		s.show(w, http.StatusOK, "act.html", s.actPage(r, &it))
	}
}

func (s *Server) actPage(r *http.Request, it *queue.Item) actPage {
	l, act := s.language, r.PathValue("act")
	p := actPage{
		frame: s.frame(r, l.text("ask."+act, it.ID)), Item: *it, Environment: l.environmentOf(it.Environment),
		Act: act, Question: l.text("ask."+act, it.ID), Effects: []string{l.text("effect." + act)},
		Possible: slices.Contains(possibleActs(it), act), Seen: seen(it), Back: "/items/" + it.ID.String(),
	}
	p.Environments = []environment{p.Environment}
	switch {
	case act == "release" && it.Hold == queue.HoldDuplicate:
		p.Effects = append(p.Effects, l.text("effect.twice"))
	case it.Unconfirmed() && (act == "release" || act == "retry"):
		p.Effects = []string{l.text("effect." + act + ".unconfirmed")}
	case act == "cancel" && it.Delivery != nil:
		p.Effects = []string{l.text("effect.followed", line(it.Delivery.ID))}
	}
	if !p.Possible {
		p.Wrong = l.text("cant", l.word("state", it.State))
	}
	return p
}

// seen is what a person decided upon: the document as it stood on their page.
func seen(it *queue.Item) string {
	s := fmt.Sprintf("%s %s %t", it.State, it.Hold, it.Uncertain())
	if it.Unconfirmed() {
		s += " unconfirmed"
	}
	return s
}

func (s *Server) doAct(w http.ResponseWriter, r *http.Request) {
	act := r.PathValue("act")
	if !slices.Contains(acts, act) {
		s.trouble(w, r, http.StatusNotFound, s.language.text("nothing-here"))
		return
	}
	if !s.pageMayAct(w, r, r.URL.Path) {
		return
	}
	if err := readForm(w, r); err != nil {
		s.trouble(w, r, http.StatusBadRequest, s.language.technical(err))
		return
	}
	it, ok := s.find(w, r)
	if !ok {
		return
	}
	if r.PostForm.Get("seen") != seen(&it) {
		p := s.actPage(r, &it)
		p.Wrong = s.language.text("changed")
		s.show(w, http.StatusConflict, "act.html", p)
		return
	}
	if _, err := perform(s.actor, it.ID, act, r.PostForm); err != nil {
		p := s.actPage(r, &it)
		p.Wrong = s.language.text("not-done", s.language.refusal(err))
		s.show(w, actCode(err), "act.html", p)
		return
	}
	http.Redirect(w, r, "/items/"+it.ID.String()+"?did="+act, http.StatusSeeOther)
}

// retryAllPage asks whether everything that waits is to be tried now.
type retryAllPage struct {
	frame
	Folder string
	Back   string
}

func (s *Server) askRetryAll(w http.ResponseWriter, r *http.Request) {
	if !s.pageMayAct(w, r, r.URL.RequestURI()) {
		return
	}
	s.showRetryAll(w, r, http.StatusOK, r.URL.Query().Get("folder"), "")
}

func (s *Server) showRetryAll(w http.ResponseWriter, r *http.Request, code int, folder, wrong string) {
	p := retryAllPage{s.frame(r, s.language.text("retry-all")), folder, address(queue.Filter{Folder: folder})}
	p.Wrong = wrong
	s.show(w, code, "retryall.html", p)
}

func (s *Server) doRetryAll(w http.ResponseWriter, r *http.Request) {
	if !s.pageMayAct(w, r, "/retry") {
		return
	}
	if err := readForm(w, r); err != nil {
		s.trouble(w, r, http.StatusBadRequest, s.language.technical(err))
		return
	}
	folder := r.PostForm.Get("folder")
	n, err := s.actor.RetryAll(folder, "")
	if err != nil {
		s.showRetryAll(w, r, actCode(err), folder, s.language.text("not-done", s.language.refusal(err)))
		return
	}
	q := url.Values{"retried": {strconv.Itoa(n)}}
	if folder != "" {
		q.Set("folder", folder)
	}
	http.Redirect(w, r, "/?"+q.Encode(), http.StatusSeeOther)
}
