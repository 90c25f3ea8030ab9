package status

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// Source is what the pages and endpoints read. Its methods may be called at
// any time, from any goroutine.
type Source interface {
	Status() (Snapshot, error)
	// Each calls do with every item that the filter chooses until do returns false.
	Each(f queue.Filter, do func(queue.Item) bool) error
	Item(id queue.ID) (queue.Item, error)
}

// Actor is what people may do to a document; see package deliver for what each means.
type Actor interface {
	Retry(id queue.ID) (queue.Item, error)
	RetryAll(folder, reason string) (int, error)
	Hold(id queue.ID) (queue.Item, error)
	Release(id queue.ID) (queue.Item, error)
	Cancel(id queue.ID) (queue.Item, error)
	ResolveDelivered(id queue.ID, number string) (queue.Item, error)
	ResolveNotDelivered(id queue.ID) (queue.Item, error)
}

const (
	// maxItems is how many items one answer holds when the caller sets no limit.
	maxItems = 1000
	// maxForm is how many bytes an act may say.
	maxForm = 4 << 10
)

// API serves /api/v1: the same over the control socket, where only the own
// account and administrators come in and everything is allowed, and on the
// status page's address, where [Server] guards it. An error is
// {"error": "sentence"} with a fitting code.
//
// Items come one after another as they are read, so that a list of everything
// needs no memory; a list that breaks off lacks its closing bracket.
func API(source Source, actor Actor) http.Handler {
	a := api{source, actor}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", a.status)
	mux.HandleFunc("GET /api/v1/items", a.items)
	mux.HandleFunc("GET /api/v1/items/{id}", a.item)
	mux.HandleFunc("GET /api/v1/export", a.export)
	mux.HandleFunc("POST /api/v1/items/{id}/{act}", a.act)
	mux.HandleFunc("POST /api/v1/retry", a.retryAll)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		Fail(w, http.StatusNotFound, fmt.Errorf("there is nothing to %s here; see the documentation for what /api/v1 has", r.Method))
	})
	return mux
}

type api struct {
	source Source
	actor  Actor
}

func (a api) status(w http.ResponseWriter, _ *http.Request) {
	s, err := a.source.Status()
	if err != nil {
		Fail(w, http.StatusInternalServerError, err)
		return
	}
	Answer(w, s)
}

func (a api) items(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r.URL.Query())
	if err != nil {
		Fail(w, http.StatusBadRequest, err)
		return
	}
	list := rowWriter{w: w, out: bufio.NewWriter(w)}
	err = a.source.Each(filter, func(it queue.Item) bool {
		return list.add(RowOf(&it)) && r.Context().Err() == nil
	})
	list.end(err)
}

// export answers with a [Record] of every document that came in since a moment
// (RFC 3339; without one, of all), oldest first.
func (a api) export(w http.ResponseWriter, r *http.Request) {
	filter := queue.Filter{Folder: r.URL.Query().Get("folder")}
	if s := r.URL.Query().Get("since"); s != "" {
		var err error
		if filter.Since, err = time.Parse(time.RFC3339, s); err != nil {
			Fail(w, http.StatusBadRequest, fmt.Errorf("since: %q is not a moment such as 2026-11-23T00:00:00Z", s))
			return
		}
	}
	list := rowWriter{w: w, out: bufio.NewWriter(w)}
	err := a.source.Each(filter, func(it queue.Item) bool {
		return list.add(RecordOf(&it)) && r.Context().Err() == nil
	})
	list.end(err)
}

// rowWriter writes a JSON array piece by piece.
type rowWriter struct {
	w   http.ResponseWriter
	out *bufio.Writer
	n   int
	err error
}

func (l *rowWriter) add(row any) bool {
	before := ",\n"
	if l.n == 0 {
		setJSON(l.w)
		before = "["
	}
	l.n++
	if _, l.err = l.out.WriteString(before); l.err != nil {
		return false
	}
	var text []byte
	if text, l.err = encode(row); l.err == nil {
		_, l.err = l.out.Write(bytes.TrimSpace(text))
	}
	return l.err == nil
}

func (l *rowWriter) end(err error) {
	switch {
	case err != nil && l.n == 0:
		Fail(l.w, http.StatusInternalServerError, err)
		return
	case l.n == 0:
		setJSON(l.w)
		_, _ = l.out.WriteString("[]\n")
	case err == nil && l.err == nil:
		_, _ = l.out.WriteString("]\n")
	}
	_ = l.out.Flush() // the caller is gone
}

func (a api) item(w http.ResponseWriter, r *http.Request) {
	id, err := queue.ParseID(r.PathValue("id"))
	if err != nil {
		Fail(w, http.StatusBadRequest, err)
		return
	}
	it, err := a.source.Item(id)
	if err != nil {
		Fail(w, readCode(err), err)
		return
	}
	Answer(w, DetailOf(&it))
}

func (a api) act(w http.ResponseWriter, r *http.Request) {
	id, err := queue.ParseID(r.PathValue("id"))
	if err != nil {
		Fail(w, http.StatusBadRequest, err)
		return
	}
	if err := readForm(w, r); err != nil {
		Fail(w, http.StatusBadRequest, err)
		return
	}
	it, err := perform(a.actor, id, r.PathValue("act"), r.Form)
	if err != nil {
		Fail(w, actCode(err), err)
		return
	}
	Answer(w, RowOf(&it))
}

func (a api) retryAll(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		Fail(w, http.StatusBadRequest, err)
		return
	}
	n, err := a.actor.RetryAll(r.Form.Get("folder"), r.Form.Get("reason"))
	if err != nil {
		Fail(w, actCode(err), err)
		return
	}
	Answer(w, map[string]int{"retried": n})
}

// acts are the names of what can be done to one document.
var acts = []string{"retry", "hold", "release", "cancel", "resolve"}

var errNoSuchAct = errors.New("there is no such act; there are retry, hold, release, cancel and resolve")

// usageError is a wrong use by the caller.
type usageError struct{ error }

// perform does what a person wants.
func perform(actor Actor, id queue.ID, act string, form url.Values) (queue.Item, error) {
	switch act {
	case "retry":
		return actor.Retry(id)
	case "hold":
		return actor.Hold(id)
	case "release":
		return actor.Release(id)
	case "cancel":
		return actor.Cancel(id)
	case "resolve":
		return resolve(actor, id, form.Get("delivery"), form.Get("not-delivered"))
	default:
		return queue.Item{}, errNoSuchAct
	}
}

// resolve takes a person's answer only when it is clear, since "not delivered"
// makes the document be submitted again.
func resolve(actor Actor, id queue.ID, delivery, notDelivered string) (queue.Item, error) {
	switch {
	case delivery != "" && notDelivered == "":
		if _, err := portal.ParseDeliveryNumber(delivery); err != nil {
			return queue.Item{}, usageError{err}
		}
		return actor.ResolveDelivered(id, delivery)
	case delivery == "" && slices.Contains([]string{"yes", "1", "true"}, notDelivered):
		return actor.ResolveNotDelivered(id)
	default:
		return queue.Item{}, usageError{errors.New("say either delivery=NUMBER or not-delivered=yes")}
	}
}

// readForm takes the form that comes with an act. It refuses a body of another
// kind: an act must not go without what its caller said about it.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.ContentLength == 0:
	case err == nil && kind == "multipart/form-data":
		err = r.ParseMultipartForm(maxForm)
		if err != nil {
			return fmt.Errorf("read the form: %w", err)
		}
	case err != nil || kind != "application/x-www-form-urlencoded":
		return errors.New("send the details of an act as form fields (application/x-www-form-urlencoded), not as JSON or text")
	}
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("read the form: %w", err)
	}
	return nil
}

// filterOf reads the query of /api/v1/items, and of the page.
func filterOf(q url.Values) (queue.Filter, error) {
	f := queue.Filter{
		State: queue.State(q.Get("state")), Folder: q.Get("folder"), Search: q.Get("q"),
		Hold: queue.Hold(q.Get("hold")), Open: q.Get("open") != "", Newest: q.Get("newest") != "", Limit: maxItems,
	}
	if f.State != "" && !slices.Contains(queue.States, f.State) {
		return f, fmt.Errorf("there is no state %q; there are %v", f.State, queue.States)
	}
	if f.Hold != "" && !slices.Contains(holds, f.Hold) {
		return f, fmt.Errorf("there is no hold %q; there are %v", f.Hold, holds)
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return f, errors.New("limit must be a number, 0 for all")
		}
		f.Limit = n
	}
	return f, nil
}

// holds are all kinds of hold.
var holds = []queue.Hold{queue.HoldPerson, queue.HoldUncertain, queue.HoldDuplicate}

// readCode says how an error of a Source is answered.
func readCode(err error) int {
	if errors.Is(err, queue.ErrNotFound) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// actCode says how an error of an Actor is answered.
func actCode(err error) int {
	var te *queue.TransitionError
	var usage usageError
	switch {
	case errors.As(err, &te):
		return http.StatusConflict
	case errors.As(err, &usage):
		return http.StatusBadRequest
	case errors.Is(err, errNoSuchAct):
		return http.StatusNotFound
	case errors.Is(err, queue.ErrClosed):
		return http.StatusServiceUnavailable
	}
	return readCode(err)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

func setJSON(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/json") }

// Answer writes v as the API does.
func Answer(w http.ResponseWriter, v any) {
	text, err := encode(v)
	if err != nil {
		Fail(w, http.StatusInternalServerError, err)
		return
	}
	setJSON(w)
	_, _ = w.Write(text) // the caller is gone
}

// Fail writes err as the API does.
func Fail(w http.ResponseWriter, code int, err error) {
	setJSON(w)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // the caller is gone
}
