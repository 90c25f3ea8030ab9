package portal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"brodaemon/internal/secret"
)

const (
	testUser   = "0a1b2c3d4e5f|123456789|1234"
	testSecret = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
	project    = ProjectID(1255)
	document   = `<?xml version="1.0"?><registrationRequest/>`
)

// seen is what a test portal got.
type seen struct {
	mu   sync.Mutex
	list []received
}

type received struct {
	method, uri, user, password, agent, typ, accept string
	length                                          int64
	chunked                                         bool
	body                                            string
	bodyErr                                         error
}

func (s *seen) add(r *http.Request) received {
	body, err := io.ReadAll(r.Body)
	got := received{
		method: r.Method, uri: r.RequestURI, agent: r.UserAgent(),
		typ: r.Header.Get("Content-Type"), accept: r.Header.Get("Accept"),
		length: r.ContentLength, chunked: len(r.TransferEncoding) > 0, body: string(body), bodyErr: err,
	}
	got.user, got.password, _ = r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, got)
	return got
}

func (s *seen) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.list...)
}

// serve starts a portal that notes each request and then answers by answer.
func serve(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *seen) {
	t.Helper()
	log := new(seen)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.add(r)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server, log
}

// client makes a Client for an address; change may set further Options.
func client(t *testing.T, address string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{
		BaseURL: address, Username: testUser, Version: "1.2.3",
		Secret:  func() (secret.String, error) { return secret.New(testSecret), nil },
		Timeout: 20 * time.Second, ValidationTimeout: 20 * time.Second,
	}
	for _, f := range change {
		f(&o)
	}
	if o.Transport == nil && o.CAFile == "" {
		transport, err := NewTransport("", 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(transport.CloseIdleConnections)
		o.Transport = transport
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bodyOf(s string) Body {
	return Body{Size: int64(len(s)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }}
}

func uploadAt(c *Client) Upload {
	return Upload{ID: 42, URL: c.base.String() + "/api/v2/1255/uploads/42"}
}

// acts calls each method once, with arguments that are in order.
var acts = []struct {
	op   Op
	call func(context.Context, *Client) error
}{
	{OpValidate, func(ctx context.Context, c *Client) error {
		_, err := c.Validate(ctx, project, bodyOf(document))
		return err
	}},
	{OpOpenUpload, func(ctx context.Context, c *Client) error { _, err := c.OpenUpload(ctx, project); return err }},
	{OpAddSourceDocument, func(ctx context.Context, c *Client) error {
		_, err := c.AddSourceDocument(ctx, uploadAt(c), "a.xml", bodyOf(document))
		return err
	}},
	{OpSubmit, func(ctx context.Context, c *Client) error {
		_, err := c.Submit(ctx, project, uploadAt(c), "")
		return err
	}},
	{OpDelivery, func(ctx context.Context, c *Client) error {
		_, err := c.Delivery(ctx, project, "0000182700")
		return err
	}},
	{OpDeliveriesAwaiting, func(ctx context.Context, c *Client) error {
		_, err := c.DeliveriesAwaiting(ctx, project, ActionCheck)
		return err
	}},
	{OpProjects, func(ctx context.Context, c *Client) error { _, err := c.Projects(ctx); return err }},
	{OpSourceDocument, func(ctx context.Context, c *Client) error {
		_, err := c.SourceDocumentBytes(ctx, project, "418700", new(bytes.Buffer))
		return err
	}},
	{OpTransactions, func(ctx context.Context, c *Client) error {
		_, err := c.Transactions(ctx, "GLD000000054400")
		return err
	}},
}

// fault is the *Error in err; a test that wanted one stops without it. It also
// sees to what holds for every error: no secret in it, and one line.
func fault(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want an *Error", err, err)
	}
	shown := e.Error() + "\n" + e.Hint() + "\n" + e.Detail
	for wrapped := error(e); wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		shown += "\n" + wrapped.Error()
	}
	for _, s := range []string{testSecret, basicAuth()} {
		if strings.Contains(shown, s) {
			t.Errorf("the error shows a secret: %s", shown)
		}
	}
	if strings.ContainsAny(e.Error(), "\r\n\x00\x1b") {
		t.Errorf("the error is not one clean line: %q", e.Error())
	}
	return e
}

func basicAuth() string {
	r, _ := http.NewRequest(http.MethodGet, "http://x", nil)
	r.SetBasicAuth(testUser, testSecret)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

// quiet swallows what a server says about connections that tests broke.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
