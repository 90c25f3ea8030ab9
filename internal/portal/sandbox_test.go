package portal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
)

const (
	mine    = portal.ProjectID(sandbox.DefaultProject)
	another = portal.ProjectID(sandbox.NeighbourProject)
)

// groundLevel is an addition to a well that the sandbox knows.
func groundLevel(broID, reference string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:brocom="http://www.broservices.nl/xsd/brocommon/3.0">
  <brocom:requestReference>` + reference + `</brocom:requestReference>
  <brocom:deliveryAccountableParty>12345678</brocom:deliveryAccountableParty>
  <brocom:broId>` + broID + `</brocom:broId>
  <brocom:qualityRegime>IMBRO</brocom:qualityRegime>
  <sourceDocument><GMW_GroundLevel><eventDate><brocom:date>2026-01-17</brocom:date></eventDate></GMW_GroundLevel></sourceDocument>
</registrationRequest>
`
}

// ways are over a socket and in the process.
var ways = map[string]func(*testing.T, *sandbox.Server) *portal.Client{
	"socket": func(t *testing.T, s *sandbox.Server) *portal.Client {
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		transport, err := portal.NewTransport("", 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(transport.CloseIdleConnections)
		return newClient(t, server.URL, transport)
	},
	"in process": func(t *testing.T, s *sandbox.Server) *portal.Client {
		return newClient(t, "https://portal.example", s.Transport())
	},
}

func newClient(t *testing.T, address string, transport http.RoundTripper) *portal.Client {
	t.Helper()
	c, err := portal.New(portal.Options{
		BaseURL: address, Username: sandbox.DefaultUsername, Version: "test", Transport: transport,
		Secret:  func() (secret.String, error) { return secret.New(sandbox.DefaultSecret), nil },
		Timeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// settings is the default sandbox, in which nothing takes time, with changes.
func settings(change ...func(*sandbox.Options)) sandbox.Options {
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{}
	for _, f := range change {
		f(&o)
	}
	return o
}

func body(s string) portal.Body {
	return portal.Body{Size: int64(len(s)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }}
}

func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// attached opens an upload with one document in it.
func attached(t *testing.T, c *portal.Client, document string) portal.Upload {
	t.Helper()
	upload, err := c.OpenUpload(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.AddSourceDocument(t.Context(), upload, "put-17.xml", body(document))
	if err != nil || ref.ID == "" {
		t.Fatalf("added as %+v, %v", ref, err)
	}
	return upload
}

func kindOf(t *testing.T, err error) *portal.Error {
	t.Helper()
	var e *portal.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *portal.Error", err)
	}
	if strings.Contains(e.Error(), sandbox.DefaultSecret) {
		t.Errorf("the error shows the secret: %v", e)
	}
	return e
}

// A document from its validation to the register, with each shape of answer
// that the real portal may have.
func TestSandboxDelivery(t *testing.T) {
	shapes := map[string]func(*sandbox.Options){
		"default": func(*sandbox.Options) {},
		"empty errors": func(o *sandbox.Options) {
			o.ValidErrors, o.FineErrors, o.KvKType = sandbox.ErrorsEmpty, sandbox.ErrorsEmpty, sandbox.KvKNumber
		},
		"null errors": func(o *sandbox.Options) {
			o.ValidErrors, o.FineErrors, o.ClosedKey = sandbox.ErrorsNull, sandbox.ErrorsNull, sandbox.ClosedKeyAbsent
		},
		"strict types": func(o *sandbox.Options) { o.ContentType, o.EmptyListStatus = sandbox.ContentTypeStrict, 200 },
	}
	for way, connect := range ways {
		for shape, change := range shapes {
			t.Run(way+"/"+shape, func(t *testing.T) {
				s := sandbox.New(settings(change))
				c := connect(t, s)
				document := groundLevel("GMW000000100001", "put-17")

				if v, err := c.Validate(t.Context(), mine, body(document)); err != nil || !v.Valid || len(v.Errors) != 0 {
					t.Fatalf("validation %+v, %v", v, err)
				}
				ref, err := c.Submit(t.Context(), mine, attached(t, c, document), "archief")
				if err != nil || len(ref.ID) != 10 {
					t.Fatalf("submitted as %+v, %v", ref, err)
				}
				if n := s.Submissions(fingerprint(document)); n != 1 {
					t.Errorf("submitted %d times", n)
				}
				d, err := c.Delivery(t.Context(), mine, ref.ID)
				if err != nil || d.ID != ref.ID || d.Verdict() != portal.VerdictRegistered {
					t.Fatalf("delivery %+v (%s), %v", d, d.Verdict(), err)
				}
				if got := d.Documents[0]; got.BROID != "GMW000000100001" || got.TransactionID == "" || got.RequestReference != "put-17" || len(got.Errors) != 0 {
					t.Errorf("document %+v", got)
				}
				var back bytes.Buffer
				if _, err := c.SourceDocumentBytes(t.Context(), mine, d.Documents[0].ID, &back); err != nil || back.String() != document {
					t.Errorf("the portal has %q, %v", back.String(), err)
				}
				if waiting, err := c.DeliveriesAwaiting(t.Context(), mine, portal.ActionCheck); err != nil || len(waiting) != 0 {
					t.Errorf("waiting %q, %v", waiting, err)
				}
				if projects, err := c.Projects(t.Context()); err != nil || len(projects) == 0 || projects[0].ID != mine || projects[0].Owner.KvK != "12345678" {
					t.Errorf("projects %+v, %v", projects, err)
				}
				if rows, err := c.Transactions(t.Context(), "GMW000000100001"); err != nil || len(rows) == 0 {
					t.Errorf("transactions %+v, %v", rows, err)
				}
				if rows, err := c.Transactions(t.Context(), "GMW000000999999"); err != nil || len(rows) != 0 {
					t.Errorf("transactions of nothing: %+v, %v", rows, err)
				}
			})
		}
	}
}

// Whatever happens to a submission: an error that is called certain means that
// there is no delivery, and there is never more than one.
func TestSandboxFaultsAtSubmit(t *testing.T) {
	faults := []sandbox.Fault{
		{Kind: sandbox.Answer}, {Kind: sandbox.Answer, Status: 429, RetryAfter: 3 * time.Second}, {Kind: sandbox.Answer, Status: 408},
		{Kind: sandbox.Answer, Status: 400}, {Kind: sandbox.Answer, Status: 500},
		{Kind: sandbox.Refuse}, {Kind: sandbox.Reset}, {Kind: sandbox.Hang, Delay: 50 * time.Millisecond}, {Kind: sandbox.HTMLPage},
		{Kind: sandbox.Redirect}, {Kind: sandbox.ProcessThenDrop}, {Kind: sandbox.ProcessThenAnswer},
		{Kind: sandbox.ProcessThenAnswer, Status: 504}, {Kind: sandbox.HangThenProcess, Delay: 50 * time.Millisecond},
		{Kind: sandbox.SlowBody, Delay: time.Millisecond}, {Kind: sandbox.TruncatedBody}, {Kind: sandbox.BrokenJSON},
		{Kind: sandbox.NoLocation}, {Kind: sandbox.RelativeLocation}, {Kind: sandbox.ForeignLocation},
		{Kind: sandbox.ForeignLocation, Location: "http://127.0.0.1:1/api/v2/1255/leveringen/0000000001"},
	}
	for way, connect := range ways {
		for _, f := range faults {
			t.Run(fmt.Sprintf("%s/%s %d", way, f.Kind, f.Status), func(t *testing.T) {
				s := sandbox.New(settings())
				c := connect(t, s)
				document := groundLevel("GMW000000100002", "put-18")
				upload := attached(t, c, document)
				f.Op = sandbox.OpSubmit
				s.Inject(f)
				ref, err := c.Submit(t.Context(), mine, upload, "")
				n := s.Submissions(fingerprint(document))
				if n > 1 || s.Count(sandbox.OpSubmit) != 1 {
					t.Fatalf("%d deliveries after %d requests", n, s.Count(sandbox.OpSubmit))
				}
				if err == nil {
					if n != 1 {
						t.Errorf("a success without a delivery: %+v", ref)
					}
					if d, err := c.Delivery(t.Context(), mine, ref.ID); err != nil || d.Verdict() != portal.VerdictRegistered {
						t.Errorf("delivery %+v, %v", d, err)
					}
					return
				}
				if e := kindOf(t, err); n == 1 && !e.MaybeDone {
					t.Errorf("there is a delivery, and this is called certain: %v", e)
				} else if e.MaybeDone && (f.Status == 400 || f.Status == 429) {
					t.Errorf("a clear no leaves doubt: %v", e)
				} else if f.Kind == sandbox.Refuse && way == "in process" && e.MaybeDone {
					t.Errorf("nothing was sent, and it leaves doubt: %v", e)
				}
			})
		}
	}
}

// Every fault at every call gives an *Error or a right result, and one request.
func TestSandboxRefusals(t *testing.T) {
	long := strings.Repeat(" ", 2000)
	document := groundLevel("GMW000000100003", "put-19")
	cases := []struct {
		name   string
		change func(*sandbox.Options)
		do     func(*testing.T, *portal.Client, *sandbox.Server) error
		kind   portal.Kind
		code   int
	}{
		{"another's project", nil, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			_, err := c.OpenUpload(t.Context(), another)
			return err
		}, portal.Unauthorized, 401},
		{"another's project, 404", func(o *sandbox.Options) { o.OutsideProject = 404 }, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			_, err := c.Validate(t.Context(), another, body(document))
			return err
		}, portal.Unauthorized, 404},
		{"no such project", nil, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			_, err := c.OpenUpload(t.Context(), 999)
			return err
		}, portal.Unauthorized, 404},
		{"token revoked", func(o *sandbox.Options) { o.ErrorBody = sandbox.ErrorBodyHTML }, func(t *testing.T, c *portal.Client, s *sandbox.Server) error {
			upload := attached(t, c, document)
			s.RevokeToken(sandbox.DefaultUsername)
			_, err := c.Submit(t.Context(), mine, upload, "")
			return err
		}, portal.Unauthorized, 401},
		{"right withdrawn", func(o *sandbox.Options) { o.ErrorBody = sandbox.ErrorBodyEmpty }, func(t *testing.T, c *portal.Client, s *sandbox.Server) error {
			s.WithdrawRight(sandbox.DefaultUsername, sandbox.DefaultProject)
			_, err := c.OpenUpload(t.Context(), mine)
			return err
		}, portal.Unauthorized, 403},
		{"malformed", func(o *sandbox.Options) { o.ErrorBody = sandbox.ErrorBodyText }, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			_, err := c.Validate(t.Context(), mine, body("<registrationRequest>"))
			return err
		}, portal.Refused, 400},
		{"too large", func(o *sandbox.Options) { o.MaxDocument = 1000 }, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			_, err := c.Validate(t.Context(), mine, body(document+long))
			return err
		}, portal.Refused, 413},
		{"unknown upload", nil, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			upload := attached(t, c, document)
			upload.URL = strings.Replace(upload.URL, fmt.Sprint(upload.ID), "987654", 1)
			upload.ID = 987654
			_, err := c.Submit(t.Context(), mine, upload, "")
			return err
		}, portal.Gone, 404},
		{"delivered before", nil, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			upload := attached(t, c, document)
			if _, err := c.Submit(t.Context(), mine, upload, ""); err != nil {
				t.Fatal(err)
			}
			_, err := c.Submit(t.Context(), mine, upload, "")
			return err
		}, portal.Conflict, 409},
		{"added to what was delivered", nil, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			upload := attached(t, c, document)
			if _, err := c.Submit(t.Context(), mine, upload, ""); err != nil {
				t.Fatal(err)
			}
			_, err := c.AddSourceDocument(t.Context(), upload, "put-20.xml", body(document))
			return err
		}, portal.Conflict, 409},
		{"unknown delivery", nil, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			_, err := c.Delivery(t.Context(), mine, "0000999999")
			return err
		}, portal.Gone, 404},
		{"document removed", func(o *sandbox.Options) { o.RegisteredDocument = sandbox.RegisteredDocumentGone }, func(t *testing.T, c *portal.Client, _ *sandbox.Server) error {
			ref, err := c.Submit(t.Context(), mine, attached(t, c, document), "")
			if err != nil {
				t.Fatal(err)
			}
			d, err := c.Delivery(t.Context(), mine, ref.ID)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.SourceDocumentBytes(t.Context(), mine, d.Documents[0].ID, io.Discard)
			return err
		}, portal.Gone, 404},
	}
	for way, connect := range ways {
		for _, test := range cases {
			t.Run(way+"/"+test.name, func(t *testing.T) {
				if test.change == nil {
					test.change = func(*sandbox.Options) {}
				}
				s := sandbox.New(settings(test.change))
				e := kindOf(t, test.do(t, connect(t, s), s))
				if e.Kind != test.kind || e.StatusCode != test.code || e.MaybeDone {
					t.Errorf("got %s %d, maybe %t: %v; want %s %d", e.Kind, e.StatusCode, e.MaybeDone, e, test.kind, test.code)
				}
			})
		}
	}
}

// Verdicts on documents that are not to be registered.
func TestSandboxVerdicts(t *testing.T) {
	completed, fine := groundLevel("GMW000000100091", "put-21"), groundLevel("GMW000000100004", "put-22")
	cases := []struct {
		name     string
		change   func(*sandbox.Options)
		document string
		valid    bool
		verdict  portal.Verdict
	}{
		{"completed object", func(*sandbox.Options) {}, completed, false, portal.VerdictRefused},
		{"by 400", func(o *sandbox.Options) { o.InvalidStatus, o.ErrorsShape = 400, sandbox.ErrorsAsObjects }, completed, false, portal.VerdictRefused},
		{"by 422", func(o *sandbox.Options) { o.InvalidStatus, o.ErrorsShape = 422, sandbox.ErrorsAsText }, completed, false, portal.VerdictRefused},
		{"half state", func(o *sandbox.Options) { o.HalfState = sandbox.HalfStateSilent }, fine, true, portal.VerdictOdd},
		{"half state with errors", func(o *sandbox.Options) { o.HalfState = sandbox.HalfStateErrors }, fine, true, portal.VerdictRefused},
		{"waits for a person", func(o *sandbox.Options) { o.HoldBefore = "VASTSTELLEN" }, fine, true, portal.VerdictPending},
		{"unknown word", func(o *sandbox.Options) {
			o.HoldBefore, o.UnknownStatus, o.UnknownDocumentStatus = "VASTSTELLEN", "IETS_NIEUWS", "ANDERS"
		}, fine, true, portal.VerdictPending},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			s := sandbox.New(settings(test.change))
			c := ways["in process"](t, s)
			v, err := c.Validate(t.Context(), mine, body(test.document))
			if err != nil || v.Valid != test.valid || (len(v.Errors) == 0) != test.valid {
				t.Errorf("validation %+v, %v", v, err)
			}
			ref, err := c.Submit(t.Context(), mine, attached(t, c, test.document), "")
			if err != nil {
				t.Fatal(err)
			}
			d, err := c.Delivery(t.Context(), mine, ref.ID)
			if err != nil || d.Verdict() != test.verdict {
				t.Errorf("delivery %+v is %s, %v; want %s", d, d.Verdict(), err, test.verdict)
			}
			if test.name == "waits for a person" {
				if waiting, err := c.DeliveriesAwaiting(t.Context(), mine, portal.ActionApprove); err != nil || len(waiting) != 1 || waiting[0] != ref.ID {
					t.Errorf("waiting %q, %v; want %s", waiting, err, ref.ID)
				}
			}
		})
	}
}
