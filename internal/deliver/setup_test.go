package deliver

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// fakePortal answers as told, and keeps what was delivered. The zero value
// takes everything up at once. Package sandbox is the faithful portal; this one
// exists to give any answer at any call.
type fakePortal struct {
	mu sync.Mutex
	// answer is asked before each call; a non-nil error is the call's outcome.
	// done says whether the portal did what was asked all the same.
	answer  func(op portal.Op, n int) (done bool, err error)
	calls   map[portal.Op]int
	open    int              // calls under way
	most    int              // most calls under way at once
	uploads map[int64]string // upload → file name of its document
	bodies  map[string][]byte
	sent    []string // file names of the deliveries, in order
	status  portal.DeliveryStatus
	doc     portal.DocumentStatus
	errs    []string // of a delivered document
	hidden  bool     // deliveries are in no list
	verdict portal.Validation
	delay   time.Duration
	hangs   portal.Op // this call does what it was asked and then never answers
}

func newFakePortal() *fakePortal {
	return &fakePortal{
		calls: map[portal.Op]int{}, uploads: map[int64]string{}, bodies: map[string][]byte{},
		status: portal.DeliveryForwarded, doc: portal.DocumentRegistered, verdict: portal.Validation{Valid: true},
	}
}

// call counts, waits, and asks for the outcome.
func (p *fakePortal) call(ctx context.Context, op portal.Op) (done bool, err error) {
	p.mu.Lock()
	p.calls[op]++
	n := p.calls[op]
	p.open++
	p.most = max(p.most, p.open)
	answer, delay, hangs := p.answer, p.delay, p.hangs == op
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.open--
		p.mu.Unlock()
	}()
	if hangs {
		<-ctx.Done()
		return true, &portal.Error{Op: op, Kind: portal.Interrupted, MaybeDone: true, Err: context.Cause(ctx)}
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return false, &portal.Error{Op: op, Kind: portal.Interrupted, MaybeDone: true, Err: context.Cause(ctx)}
		}
	}
	if err := ctx.Err(); err != nil {
		return false, &portal.Error{Op: op, Kind: portal.Interrupted, Err: context.Cause(ctx)}
	}
	if answer == nil {
		return true, nil
	}
	return answer(op, n)
}

func (p *fakePortal) Validate(ctx context.Context, _ portal.ProjectID, body portal.Body) (portal.Validation, error) {
	if _, err := p.call(ctx, portal.OpValidate); err != nil {
		return portal.Validation{}, err
	}
	if _, err := readBody(body); err != nil {
		return portal.Validation{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verdict, nil
}

func (p *fakePortal) OpenUpload(ctx context.Context, _ portal.ProjectID) (portal.Upload, error) {
	if _, err := p.call(ctx, portal.OpOpenUpload); err != nil {
		return portal.Upload{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := int64(len(p.uploads) + 1)
	p.uploads[id] = ""
	return portal.Upload{ID: id, URL: fmt.Sprint("https://portal/uploads/", id)}, nil
}

func (p *fakePortal) AddSourceDocument(ctx context.Context, u portal.Upload, name string, body portal.Body) (portal.SourceDocumentRef, error) {
	done, err := p.call(ctx, portal.OpAddSourceDocument)
	data, bodyErr := readBody(body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if done && bodyErr == nil {
		p.uploads[u.ID] = name
		p.bodies[name] = data
	}
	if err == nil {
		err = bodyErr
	}
	return portal.SourceDocumentRef{ID: fmt.Sprint(u.ID)}, err
}

func (p *fakePortal) Submit(ctx context.Context, _ portal.ProjectID, u portal.Upload, _ string) (portal.DeliveryRef, error) {
	done, err := p.call(ctx, portal.OpSubmit)
	p.mu.Lock()
	defer p.mu.Unlock()
	if done {
		p.sent = append(p.sent, p.uploads[u.ID])
	}
	return portal.DeliveryRef{ID: fmt.Sprintf("%010d", len(p.sent))}, err
}

func (p *fakePortal) Delivery(ctx context.Context, _ portal.ProjectID, id string) (portal.Delivery, error) {
	if _, err := p.call(ctx, portal.OpDelivery); err != nil {
		return portal.Delivery{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, name := range p.sent {
		if fmt.Sprintf("%010d", i+1) == id {
			doc := portal.SourceDocument{ID: id, Status: p.doc, FileName: name, Errors: p.errs}
			if p.doc == portal.DocumentRegistered {
				doc.BROID, doc.TransactionID = fmt.Sprintf("GMW%012d", i+1), "GMW-000000000001"
			}
			return portal.Delivery{ID: id, Status: p.status, Documents: []portal.SourceDocument{doc}}, nil
		}
	}
	return portal.Delivery{}, &portal.Error{Op: portal.OpDelivery, StatusCode: 404, Kind: portal.Gone}
}

func (p *fakePortal) DeliveriesAwaiting(ctx context.Context, _ portal.ProjectID, _ portal.Action) ([]string, error) {
	if _, err := p.call(ctx, portal.OpDeliveriesAwaiting); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for i := range p.sent {
		if !p.hidden {
			ids = append(ids, fmt.Sprintf("%010d", i+1))
		}
	}
	return ids, nil
}

func (p *fakePortal) Transactions(ctx context.Context, _ string) ([]portal.Transaction, error) {
	_, err := p.call(ctx, portal.OpTransactions)
	return nil, err
}

func (p *fakePortal) count(op portal.Op) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[op]
}

func (p *fakePortal) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		n += c
	}
	return n
}

func (p *fakePortal) deliveries() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.sent...)
}

// set changes how it answers from now on.
func (p *fakePortal) set(change func(*fakePortal)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func readBody(b portal.Body) ([]byte, error) {
	r, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err == nil && int64(len(data)) != b.Size {
		err = fmt.Errorf("the body is %d bytes long, not %d", len(data), b.Size)
	}
	return data, err
}

// fail is an answer function that gives err for the first times calls of op.
func fail(op portal.Op, times int, done bool, err *portal.Error) func(portal.Op, int) (bool, error) {
	return func(got portal.Op, n int) (bool, error) {
		if got == op && n <= times {
			e := *err
			e.Op = op
			return done, &e
		}
		return true, nil
	}
}

// site is a Worker at work in a bubble, with a real queue and a real archive.
type site struct {
	t      *testing.T
	dir    string
	portal *fakePortal
	store  *queue.Store
	worker *Worker
	stop   func()
	ended  chan struct{}
	opts   Options
}

var testPolicy = Policy{
	First: 30 * time.Second, Max: time.Hour, FollowFirst: 5 * time.Second, FollowMax: time.Hour,
	OddAfter: 10 * time.Minute, Jitter: func() float64 { return 0.5 },
}

// quickDir is a folder in memory where the system has one: these tests are about
// decisions, and syncing to a real disk is most of what they would wait for.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "brodaemon-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// newSite starts a Worker with one folder, "zwolle". adjust may change the
// options before.
func newSite(t *testing.T, adjust ...func(*Options)) *site {
	t.Helper()
	s := &site{t: t, dir: quickDir(t), portal: newFakePortal()}
	s.opts = Options{
		Endpoints: []Endpoint{{Address: "https://portal", Environment: "demo", Concurrency: 4}},
		Folders:   []Folder{s.folder("zwolle", "zwolle")},
		Policy:    testPolicy,
	}
	for _, a := range adjust {
		a(&s.opts)
	}
	s.start()
	t.Cleanup(s.close)
	return s
}

func (s *site) folder(name, token string) Folder {
	s.t.Helper()
	root := filepath.Join(s.dir, name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		s.t.Fatal(err)
	}
	files, err := archive.New(archive.Options{Name: name, Path: root, DoneDir: filepath.Join(root, "done"), FailedDir: filepath.Join(root, "failed"), Language: "en"})
	if err != nil {
		s.t.Fatal(err)
	}
	return Folder{
		Name: name, Root: root, Project: 1255, Token: token, Endpoint: "https://portal", Portal: s.portal, Archive: files,
		Ordered: true, IncompleteTimeout: 30 * time.Minute,
		Tolerated: []string{"U bent niet als dataleverancier van dit object geregistreerd."},
	}
}

func (s *site) start() {
	s.t.Helper()
	s.startWith(func(store Store) Store { return store })
}

// startWith is start with the Worker's store wrapped.
func (s *site) startWith(wrap func(Store) Store) {
	s.t.Helper()
	data := filepath.Join(s.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		s.t.Fatal(err)
	}
	var err error
	if s.store, err = queue.Open(data, queue.Options{}); err != nil {
		s.t.Fatal(err)
	}
	spool, err := queue.OpenSpool(data)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := spool.Recover(s.store); err != nil {
		s.t.Fatal(err)
	}
	s.opts.Store, s.opts.Spool = wrap(s.store), spool
	if s.worker, err = New(s.opts); err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ended = stop, make(chan struct{})
	worker := s.worker
	go func() {
		defer close(s.ended)
		if err := worker.Run(ctx); err != nil {
			s.t.Error(err)
		}
	}()
}

// halt stops the Worker and closes the queue.
func (s *site) halt() {
	if s.stop == nil {
		return
	}
	s.stop()
	<-s.ended
	s.stop = nil
	if faults := s.store.Check(); len(faults) > 0 {
		s.t.Errorf("queue: %v", faults)
	}
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
}

func (s *site) close() { s.halt() }

// restart is halt and start.
func (s *site) restart() {
	s.t.Helper()
	s.halt()
	s.start()
}

// save writes a file into a folder and offers it, as a watcher would.
func (s *site) save(folder, file string, data []byte) Decision {
	s.t.Helper()
	path := filepath.Join(s.dir, folder, file)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		s.t.Fatal(err)
	}
	return s.offer(folder, file, time.Minute)
}

func (s *site) offer(folder, file string, unchanged time.Duration) Decision {
	s.t.Helper()
	path := filepath.Join(s.dir, folder, file)
	info, err := os.Stat(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.worker.Accept(context.Background(), Arrival{
		Folder: folder, File: file, Size: info.Size(), ModTime: info.ModTime(), Seen: time.Now(), Unchanged: unchanged,
		Open: func() (*os.File, error) { return os.Open(path) }, Check: sameFile(info),
	})
}

// sameFile is a Check as package watch has one.
func sameFile(was os.FileInfo) func(*os.File) error {
	return func(f *os.File) error {
		if now, err := f.Stat(); err != nil || now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime()) {
			return fmt.Errorf("it changed (%v)", err)
		}
		return nil
	}
}

// pass lets time go by until everything has come to rest.
func (s *site) pass(d time.Duration) {
	time.Sleep(d) // in the bubble
	synctest.Wait()
}

// item is the newest item of a file.
func (s *site) item(file string) queue.Item {
	s.t.Helper()
	it, found, err := s.store.BySource("zwolle", file)
	if err != nil || !found {
		s.t.Fatalf("no item of %s: %v", file, err)
	}
	return it
}

// want fails unless the newest item of file is in state, held as hold.
func (s *site) want(file string, state queue.State, hold queue.Hold) queue.Item {
	s.t.Helper()
	it := s.item(file)
	if it.State != state || it.Hold != hold {
		s.t.Fatalf("%s is %s, hold %q (%s); want %s, hold %q", file, it.State, it.Hold, it.LastError+it.HoldReason, state, hold)
	}
	return it
}

func (s *site) exists(parts ...string) bool {
	_, err := os.Lstat(filepath.Join(append([]string{s.dir}, parts...)...))
	return err == nil
}

// newWell is a document that registers a new object.
func newWell(name string) []byte {
	return []byte(strings.Replace(addition("", name), "  <b:broId></b:broId>\n", "", 1))
}

func addition(broID, name string) string {
	return fmt.Sprintf(`<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">
  <b:requestReference>test</b:requestReference>
  <b:deliveryAccountableParty>12345678</b:deliveryAccountableParty>
  <b:broId>%s</b:broId>
  <b:qualityRegime>IMBRO</b:qualityRegime>
  <sourceDocument><GMW_GroundLevel><objectIdAccountableParty>%s</objectIdAccountableParty></GMW_GroundLevel></sourceDocument>
</registrationRequest>`, broID, name)
}
