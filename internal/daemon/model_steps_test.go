package daemon

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// The steps of the model test: what people, the portal and the machine do.

var stepsByName = map[string]func(*world){
	// people who save
	"save": (*world).saveNew, "save more": (*world).saveNew, "addition": (*world).saveAddition, "invalid": (*world).saveInvalid,
	"refused": (*world).saveRefused, "broken": (*world).saveBroken, "same bytes again": (*world).saveSameBytes,
	"reformatted": (*world).saveReformatted, "change": (*world).change, "rename": (*world).rename, "delete": (*world).remove,
	"back from failed": (*world).moveBack, "corrected": (*world).correct,
	// the portal
	"fault": (*world).fault, "fault of submit": (*world).faultOfSubmit, "lost answer": (*world).lostAnswer, "switch": (*world).alter,
	"token": (*world).token, "project": (*world).project, "data owner": (*world).dataOwner,
	// people who act
	"act": (*world).act, "act again": (*world).act, "resolve": (*world).resolveOne,
	// the machine
	"crash at the submit": (*world).trapAtSubmit, "crash at a point": (*world).trap, "crash soon": (*world).trap, "crash now": (*world).crashNow, "restart": (*world).restart, "down": (*world).down,
	"seconds": func(w *world) { w.wait(time.Second, time.Minute) }, "some seconds": func(w *world) { w.wait(time.Second, time.Minute) },
	"minutes": func(w *world) { w.wait(time.Minute, time.Hour) }, "some minutes": func(w *world) { w.wait(time.Minute, 15*time.Minute) },
	"hours": func(w *world) { w.wait(time.Hour, 12*time.Hour) },
}

var stepNames = slices.Sorted(maps.Keys(stepsByName))

func pick[T any](w *world, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(w.T, label)
}

// pickItem draws by number, so that a drawn document is not printed whole.
func pickItem(w *world, from []queue.Item) queue.Item {
	return from[rapid.IntRange(0, len(from)-1).Draw(w.T, "which")]
}

// document writes one. objectID must be unique for what is to be another object.
func document(broID, objectID, space string) []byte {
	id, body := "", "GMW_Construction"
	if broID != "" {
		id, body = "<b:broId>"+broID+"</b:broId>", "GMW_GroundLevel"
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">%[1]s
  <b:requestReference>test</b:requestReference>%[1]s<b:deliveryAccountableParty>12345678</b:deliveryAccountableParty>
  %[2]s<b:qualityRegime>IMBRO</b:qualityRegime>
  <sourceDocument>%[1]s<%[3]s><objectIdAccountableParty>%[4]s</objectIdAccountableParty></%[3]s>%[1]s</sourceDocument>
</registrationRequest>
`, space, id, body, objectID)
}

// save puts bytes into the folder under a name.
func (w *world) save(name string, c content) {
	c.sha, c.name = hashOf(c.data), name
	w.leave(name)
	w.must(os.WriteFile(w.path(name), c.data, 0o644))
	w.must(os.Chtimes(w.path(name), time.Now(), time.Now())) // the bubble's clock, as a file server has its own
	if old := w.content(c.sha); old != nil {
		old.dropped, old.name = false, name
	} else {
		w.docs = append(w.docs, &c)
	}
	w.step("save %s: %s %.8s %s%s", name, c.kind, c.sha, c.same, c.broID)
}

// leave notes that a person takes away what lies under a name: bytes that
// brodaemon never took are gone then, by that person's will.
func (w *world) leave(name string) {
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		return
	}
	c := w.content(hashOf(data))
	if c == nil {
		w.Fatalf("%s holds bytes that nobody saved", name)
	}
	kept := slices.ContainsFunc(w.items, func(it queue.Item) bool { return it.SHA256 == c.sha && !w.back[it.ID] })
	c.dropped = !kept && w.copies(c.sha) == 1
}

func (w *world) copies(sha string) (n int) {
	for _, name := range w.inbox() {
		if data, err := os.ReadFile(w.path(name)); err == nil && hashOf(data) == sha {
			n++
		}
	}
	return n
}

// inbox lists the documents that lie in the folder, failed those in failed/.
func (w *world) inbox() []string  { return w.list("*.xml") }
func (w *world) failed() []string { return w.list("failed/*.xml") }

func (w *world) list(pattern string) (names []string) {
	paths, err := filepath.Glob(w.path(pattern))
	w.must(err)
	for _, p := range paths {
		rel, err := filepath.Rel(w.path(""), p)
		w.must(err)
		names = append(names, filepath.ToSlash(rel))
	}
	slices.Sort(names)
	return names
}

func (w *world) newName() string {
	w.files++
	return fmt.Sprintf("put-%d.xml", w.files)
}

func (w *world) saveNew() { w.save(w.newName(), w.newObject()) }

func (w *world) newObject() content {
	id := fmt.Sprintf("well %d", len(w.docs)+1)
	return content{data: document("", id, ""), kind: "good", same: id}
}

func (w *world) saveAddition() {
	id := pick(w, "object", "GMW000000100001", "GMW000000100002")
	w.save(w.newName(), content{data: document(id, fmt.Sprintf("addition %d", len(w.docs)), ""), kind: "good", broID: id})
}

func (w *world) saveInvalid() {
	id := fmt.Sprintf("%s %d", sandbox.MarkInvalid, len(w.docs))
	w.save(w.newName(), content{data: document("", id, ""), kind: "invalid", same: id})
}

func (w *world) saveRefused() {
	id := fmt.Sprintf("%s %d", sandbox.MarkRefused, len(w.docs))
	w.save(w.newName(), content{data: document("", id, ""), kind: "refused", same: id})
}

// saveBroken saves a document that is not whole, as one that is being written.
func (w *world) saveBroken() {
	whole := document("", fmt.Sprintf("broken %d", len(w.docs)), "")
	w.save(w.newName(), content{data: append(whole[:len(whole)-30:len(whole)-30], fmt.Sprint(len(w.docs))...), kind: "broken"})
}

// saveSameBytes saves what was saved before, mostly under another name.
func (w *world) saveSameBytes() {
	if len(w.docs) == 0 {
		return
	}
	c := *w.docs[rapid.IntRange(0, len(w.docs)-1).Draw(w.T, "content")]
	name := w.newName()
	if rapid.IntRange(0, 3).Draw(w.T, "where") == 0 {
		name = c.name
	}
	w.save(name, c)
}

// saveReformatted saves the same registration in other bytes.
func (w *world) saveReformatted() {
	var of []*content
	for _, c := range w.docs {
		if c.same != "" {
			of = append(of, c)
		}
	}
	if len(of) == 0 {
		return
	}
	c := *of[rapid.IntRange(0, len(of)-1).Draw(w.T, "content")]
	w.save(w.newName(), content{data: document("", c.same, fmt.Sprintf("\n<!-- %d -->\n", len(w.docs))), kind: c.kind, same: c.same})
}

// change saves other content under a name that is taken.
func (w *world) change() {
	if names := w.inbox(); len(names) > 0 {
		w.save(pick(w, "file", names...), w.newObject())
	}
}

func (w *world) rename() {
	if names := w.inbox(); len(names) > 0 {
		from, to := pick(w, "file", names...), w.newName()
		w.must(os.Rename(w.path(from), w.path(to)))
		w.step("rename %s to %s", from, to)
	}
}

func (w *world) remove() {
	if names := w.inbox(); len(names) > 0 {
		name := pick(w, "file", names...)
		w.leave(name)
		w.must(os.Remove(w.path(name)))
		w.step("delete %s", name)
	}
}

// moveBack moves a document from failed/ back into the folder, unchanged.
func (w *world) moveBack() {
	names := w.failed()
	if len(names) == 0 {
		return
	}
	name := pick(w, "file", names...)
	to := filepath.Base(name)
	w.leave(to)
	w.taken(name)
	w.must(os.Rename(w.path(name), w.path(to)))
	w.step("move %s back", name)
}

// taken notes that a person takes a document out of failed/.
func (w *world) taken(name string) {
	for _, it := range w.items {
		if it.Filed == w.path(name) {
			w.back[it.ID] = true
		}
	}
}

// correct saves other content under the name of a document that failed.
func (w *world) correct() {
	if names := w.failed(); len(names) > 0 {
		w.save(filepath.Base(pick(w, "file", names...)), w.newObject())
	}
}

var faultKinds = []sandbox.FaultKind{
	sandbox.Delay, sandbox.Answer, sandbox.Refuse, sandbox.Reset, sandbox.Hang, sandbox.HTMLPage, sandbox.Redirect,
	sandbox.ProcessThenDrop, sandbox.ProcessThenAnswer, sandbox.HangThenProcess, sandbox.SlowBody, sandbox.TruncatedBody,
	sandbox.BrokenJSON, sandbox.NoLocation, sandbox.RelativeLocation, sandbox.ForeignLocation,
}

var portalCalls = []sandbox.Op{
	sandbox.OpValidate, sandbox.OpOpenUpload, sandbox.OpAddDocument, sandbox.OpSubmit, sandbox.OpDelivery, sandbox.OpDeliveries,
}

func (w *world) fault()         { w.inject(pick(w, "call", portalCalls...)) }
func (w *world) faultOfSubmit() { w.inject(sandbox.OpSubmit) }

// lostAnswer: the delivery is made, and nobody hears of it.
func (w *world) lostAnswer() {
	kind := pick(w, "fault", sandbox.ProcessThenDrop, sandbox.ProcessThenAnswer, sandbox.HangThenProcess, sandbox.BrokenJSON, sandbox.NoLocation)
	w.portal.Inject(sandbox.Fault{Op: sandbox.OpSubmit, Kind: kind})
	w.step("portal: submit %s", kind)
}

func (w *world) inject(op sandbox.Op) {
	f := sandbox.Fault{Op: op, Kind: pick(w, "fault", faultKinds...), Times: rapid.IntRange(1, 3).Draw(w.T, "times")}
	switch f.Kind {
	case sandbox.Answer:
		f.Status = pick(w, "status", 401, 403, 429, 429, 500, 502, 503, 504)
	case sandbox.ProcessThenAnswer:
		f.Status = pick(w, "status", 500, 502, 503, 504)
	}
	if f.Status == 429 || f.Status == 503 {
		f.RetryAfter = pick(w, "retry after", 0, time.Second, 10*time.Minute)
		f.RetryAfterDate = rapid.Bool().Draw(w.T, "as a date")
	}
	switch f.Kind {
	case sandbox.Delay, sandbox.Hang, sandbox.HangThenProcess:
		f.Delay = pick(w, "delay", 100*time.Millisecond, 5*time.Second, 50*time.Second, 10*time.Minute)
	}
	w.portal.Inject(f)
	w.step("portal: %s %s ×%d status %d delay %s retry-after %s", f.Op, f.Kind, f.Times, f.Status, f.Delay, f.RetryAfter)
}

// switches are what nobody knows of the real portal (S2, S3, S8, S9, S11, S12, S13, S16, S19, S23 of the conformance suite).
var switches = map[string]func(*sandbox.Switches){
	"S2 closed project 403":      func(s *sandbox.Switches) { s.ClosedProject = 403 },
	"S2 closed project 404":      func(s *sandbox.Switches) { s.ClosedProject = 404 },
	"S2 no right 401":            func(s *sandbox.Switches) { s.NoRight = 401 },
	"S3 empty bodies":            func(s *sandbox.Switches) { s.ErrorBody = sandbox.ErrorBodyEmpty },
	"S3 html bodies":             func(s *sandbox.Switches) { s.ErrorBody = sandbox.ErrorBodyHTML },
	"S4 slow validation":         func(s *sandbox.Switches) { s.ValidationDelay = 4 * time.Minute },
	"S8 unknown upload 400":      func(s *sandbox.Switches) { s.UnknownUpload = 400 },
	"S8 unknown upload 422":      func(s *sandbox.Switches) { s.UnknownUpload = 422 },
	"S8 resubmit same":           func(s *sandbox.Switches) { s.Resubmit = sandbox.ResubmitSame },
	"S8 resubmit new":            func(s *sandbox.Switches) { s.Resubmit = sandbox.ResubmitNew },
	"S10 errors as text":         func(s *sandbox.Switches) { s.ErrorsShape = sandbox.ErrorsAsText },
	"S11 waits for approval":     func(s *sandbox.Switches) { s.HoldBefore = "VASTSTELLEN" },
	"S11 waits for validation":   func(s *sandbox.Switches) { s.HoldBefore, s.HoldFor = "VALIDEREN", 3*time.Hour },
	"S11 unknown word":           func(s *sandbox.Switches) { s.UnknownStatus = "IN_BEHANDELING" },
	"S11 unknown document word":  func(s *sandbox.Switches) { s.UnknownDocumentStatus = "ONDERWEG" },
	"S12 half state":             func(s *sandbox.Switches) { s.HalfState, s.HalfStateFor = sandbox.HalfStateSilent, 2*time.Hour },
	"S12 half state with errors": func(s *sandbox.Switches) { s.HalfState, s.HalfStateFor = sandbox.HalfStateErrors, 0 }, // the register's own fault: held
	"S12 half state for ever":    func(s *sandbox.Switches) { s.HalfState, s.HalfStateFor = sandbox.HalfStateSilent, 0 },
	"S16 refused unknown word":   func(s *sandbox.Switches) { s.RefusedDocument = "GEWEIGERD" },
	"S16 refused delivery":       func(s *sandbox.Switches) { s.RefusedDelivery = "VASTGESTELD" },
	"S16 no second judgement":    func(s *sandbox.Switches) { s.NoRevalidation = true },
	"S19 empty list 200":         func(s *sandbox.Switches) { s.EmptyListStatus = 200 },
	"S19 lists for others only":  func(s *sandbox.Switches) { s.ListRight = sandbox.EnrichmentOnly },
	"S23 withdrawn means all":    func(s *sandbox.Switches) { s.Withdrawn = sandbox.WithdrawnAll },
}

var switchNames = slices.Sorted(maps.Keys(switches))

func (w *world) alter() {
	name := pick(w, "switch", switchNames...)
	w.portal.Change(switches[name])
	w.refusing = w.refusing || name == "S12 half state with errors"
	w.step("portal: from now on %s", name)
}

func (w *world) token() {
	what := pick(w, "token", "revoke", "withdraw", "restore", "grant", "restore", "grant")
	switch what {
	case "revoke":
		w.portal.RevokeToken(sandbox.DefaultUsername)
	case "restore":
		w.portal.RestoreToken(sandbox.DefaultUsername)
	case "withdraw":
		w.portal.WithdrawRight(sandbox.DefaultUsername, sandbox.DefaultProject)
	case "grant":
		w.portal.GrantRight(sandbox.DefaultUsername, sandbox.DefaultProject)
	}
	w.step("portal: %s the token", what)
}

func (w *world) project() {
	if rapid.IntRange(0, 2).Draw(w.T, "closed") == 0 {
		w.portal.CloseProject(sandbox.DefaultProject)
		w.step("portal: close the project")
	} else {
		w.portal.OpenProject(sandbox.DefaultProject)
		w.step("portal: open the project")
	}
}

// dataOwner decides about one delivery that the queue knows of.
func (w *world) dataOwner() {
	var known []queue.Item
	for _, it := range w.items {
		if it.State == queue.Submitted {
			known = append(known, it)
		}
	}
	if len(known) == 0 {
		return
	}
	number := pickItem(w, known).Delivery.ID
	what := pick(w, "what", "approve", "reject", "delete")
	switch what {
	case "approve":
		w.portal.Approve(number)
	case "reject":
		w.refused[number] = w.portal.Reject(number, "Het brondocument is door de bronhouder afgekeurd.") || w.refused[number]
	case "delete":
		w.portal.DeleteDelivery(number)
	}
	w.step("data owner: %s delivery %s", what, number)
}

// act is a person at the command line.
func (w *world) act() {
	open := w.open()
	if w.life == nil || len(open) == 0 {
		return
	}
	it := pickItem(w, open)
	worker := w.life.daemon.worker
	what := pick(w, "command", "hold", "release", "release", "cancel", "cancel", "retry", "retry all")
	var err error
	switch what {
	case "hold":
		_, err = worker.Hold(it.ID)
	case "release":
		_, err = worker.Release(it.ID)
	case "cancel":
		_, err = worker.Cancel(it.ID)
	case "retry":
		_, err = worker.Retry(it.ID)
	case "retry all":
		_, err = worker.RetryAll("", "")
	}
	w.step("%s document %s (%s %s): %v", what, it.ID, it.State, it.Hold, err)
}

func (w *world) open() (open []queue.Item) {
	for _, it := range w.items {
		if it.Open() {
			open = append(open, it)
		}
	}
	return open
}

func (w *world) resolveOne() {
	var doubtful []queue.Item
	for _, it := range w.items {
		if it.Uncertain() {
			doubtful = append(doubtful, it)
		}
	}
	if w.life != nil && len(doubtful) > 0 {
		w.resolve(pickItem(w, doubtful))
	}
}

// resolve is a person who looks in the portal and answers truthfully.
func (w *world) resolve(it queue.Item) {
	worker := w.life.daemon.worker
	if d, found := w.portal.DeliveryByFilename(it.Filename); found {
		_, err := worker.ResolveDelivered(it.ID, d.Identifier)
		w.step("resolve document %s: delivery %s: %v", it.ID, d.Identifier, err)
		return
	}
	_, err := worker.ResolveNotDelivered(it.ID)
	w.step("resolve document %s: not delivered: %v", it.ID, err)
}

// answerAll ends every hold, as people would in the end; then nothing may wait any more.
func (w *world) answerAll() {
	w.step("people answer everything")
	for range 8 {
		left := 0
		for _, it := range w.open() {
			left++
			switch {
			case it.Uncertain():
				w.resolve(it)
			case it.Hold == queue.HoldDuplicate && it.ID%2 == 0, it.Hold == queue.HoldPerson && it.State == queue.Submitted:
				_, _ = w.life.daemon.worker.Cancel(it.ID)
			case it.Hold != "":
				_, _ = w.life.daemon.worker.Release(it.ID)
			}
		}
		if left == 0 {
			return
		}
		w.pass(time.Minute)
		w.rest()
	}
	for _, it := range w.open() {
		w.Errorf("document %s (%s) is still %s %s, although people answered everything: %s", it.ID, it.File, it.State, it.Hold, it.HoldReason+it.LastError)
	}
}

// trap makes the daemon crash some points from now on.
func (w *world) trap() {
	if w.life == nil {
		return
	}
	n := rapid.IntRange(1, 30).Draw(w.T, "points")
	w.life.set(n)
	w.step("it will crash after %d points", n)
}

// trapAtSubmit makes it crash around the one call that can't be repeated.
func (w *world) trapAtSubmit() {
	if w.life == nil {
		return
	}
	at := pick(w, "point", "submit-intended", "submit-answered", "submitted", "outcome-stored")
	w.life.await(at)
	w.step("it will crash at %q", at)
}

func (w *world) crashNow() {
	if w.life == nil {
		return
	}
	w.step("crash")
	w.crash()
	w.start()
}

func (w *world) restart() {
	w.step("stop and start")
	w.halt()
	w.start()
}

// down stops it, or crashes it, while people go on working and time passes.
func (w *world) down() {
	if rapid.Bool().Draw(w.T, "crash") {
		w.crash()
		w.step("crash; it stays down")
	} else {
		w.halt()
		w.step("stopped; it stays down")
	}
	for range rapid.IntRange(0, 4).Draw(w.T, "steps meanwhile") {
		name := pick(w, "step", "save", "rename", "delete", "change", "back from failed", "same bytes again", "reformatted", "minutes", "data owner", "years")
		if name == "years" {
			w.step("two years pass")
			time.Sleep(2 * 365 * 24 * time.Hour) // of the bubble; the queue must remember as long
			continue
		}
		w.does[name](w)
	}
	w.start()
	w.step("started")
}

func (w *world) wait(least, most time.Duration) {
	d := time.Duration(rapid.Int64Range(int64(least/time.Second), int64(most/time.Second)).Draw(w.T, "seconds")) * time.Second
	w.step("%s pass", strings.TrimSuffix(d.String(), "0s"))
	w.pass(d)
}
