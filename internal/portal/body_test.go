package portal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// file is a document that counts how it is treated.
type file struct {
	io.Reader
	closed    atomic.Int64
	readAfter atomic.Bool
}

func (f *file) Read(p []byte) (int, error) {
	if f.closed.Load() > 0 {
		f.readAfter.Store(true)
	}
	return f.Reader.Read(p)
}

func (f *file) Close() error { f.closed.Add(1); return nil }

func TestSizedBody(t *testing.T) {
	broken := errors.New("bad sector")
	cases := []struct {
		name  string
		from  func(string) io.Reader
		size  int64
		fault string // "" is all well
	}{
		{"exact", whole, 1000, ""},
		{"exact, byte by byte", func(s string) io.Reader { return iotest.OneByteReader(whole(s)) }, 1000, ""},
		{"exact, data with EOF", func(s string) io.Reader { return iotest.DataErrReader(whole(s)) }, 1000, ""},
		{"exact, empty reads between", func(s string) io.Reader { return &hesitant{Reader: whole(s)} }, 1000, ""},
		{"one short", whole, 1001, "ends after 1000 of 1001 bytes"},
		{"one short, data with EOF", func(s string) io.Reader { return iotest.DataErrReader(whole(s)) }, 1001, "ends after 1000 of 1001 bytes"},
		{"one long", whole, 999, "longer than its 999 bytes"},
		{"one long, byte by byte", func(s string) io.Reader { return iotest.OneByteReader(whole(s)) }, 999, "longer than its 999 bytes"},
		{"much longer", whole, 1, "longer than its 1 bytes"},
		{"empty", func(string) io.Reader { return whole("") }, 1000, "ends after 0 of 1000 bytes"},
		{"broken", func(s string) io.Reader { return io.MultiReader(whole(s[:500]), iotest.ErrReader(broken)) }, 1000, "bad sector"},
		{"broken at the end", func(s string) io.Reader { return io.MultiReader(whole(s), iotest.ErrReader(broken)) }, 1000, "bad sector"},
		{"never anything", func(string) io.Reader { return stuck{} }, 1000, "multiple Read calls return no data"},
		{"counts wrong", func(string) io.Reader { return liar{} }, 1000, "counts wrong"},
	}
	text := strings.Repeat("0123456789", 100)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := &file{Reader: c.from(text)}
			b, err := Body{Size: c.size, Open: func() (io.ReadCloser, error) { return f, nil }}.open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(b)
			_, complete, fault := b.state()
			if c.fault == "" {
				if err != nil || string(got) != text || !complete || fault != nil {
					t.Errorf("got %d bytes, %v, complete %t, fault %v", len(got), err, complete, fault)
				}
			} else {
				if err == nil || !strings.Contains(err.Error(), c.fault) || !errors.Is(err, fault) || complete {
					t.Errorf("got %v, complete %t, fault %v; want %q", err, complete, fault, c.fault)
				}
				if int64(len(got)) >= c.size {
					t.Errorf("%d of %d bytes were given out: the request would be whole", len(got), c.size)
				}
				if _, again := b.Read(make([]byte, 10)); again == nil || again == io.EOF {
					t.Errorf("after its fault it reads on: %v", again)
				}
			}
			b.Close()
			b.Close()
			if _, err := b.Read(make([]byte, 1)); err != errBodyClosed || f.readAfter.Load() || f.closed.Load() != 1 {
				t.Errorf("closed %d times; read after: %v", f.closed.Load(), err)
			}
		})
	}
}

func whole(s string) io.Reader { return strings.NewReader(s) }

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

type liar struct{}

func (liar) Read(p []byte) (int, error) { return len(p) + 1, nil }

// hesitant returns nothing every other time.
type hesitant struct {
	io.Reader
	odd bool
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.odd = !h.odd; h.odd {
		return 0, nil
	}
	return h.Reader.Read(p)
}

// A document of the wrong size is never taken whole by the portal, and is
// called ours to look at.
func TestWrongSizeIsNotDelivered(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 20000)
	for _, content := range []string{document, large} {
		for name, size := range map[string]int64{"short": int64(len(content)) + 1, "long": int64(len(content)) - 1, "far too long": 7} {
			t.Run(fmt.Sprintf("%s of %d", name, len(content)), func(t *testing.T) {
				server, log := serve(t, reply(201, "", ""))
				portal := client(t, server.URL)
				f := &file{Reader: strings.NewReader(content)}
				body := Body{Size: size, Open: func() (io.ReadCloser, error) { return f, nil }}
				_, err := portal.AddSourceDocument(t.Context(), uploadAt(portal), "a.xml", body)
				if e := fault(t, err); e.Kind != Local {
					t.Errorf("got %s: %v", e.Kind, e)
				}
				server.Close() // waits for the handler
				for _, r := range log.all() {
					if r.bodyErr == nil {
						t.Errorf("the portal has a whole request of %d bytes", len(r.body))
					}
				}
				if f.closed.Load() != 1 || f.readAfter.Load() {
					t.Errorf("closed %d times, read after %t", f.closed.Load(), f.readAfter.Load())
				}
			})
		}
	}
}

func TestBodyThatCannotBeOpened(t *testing.T) {
	gone := errors.New("spool file is gone")
	cases := map[string]Body{
		"open fails":  {Size: 5, Open: func() (io.ReadCloser, error) { return nil, gone }},
		"empty":       {Size: 0, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }},
		"negative":    {Size: -1, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }},
		"no open":     {Size: 5},
		"opens blank": {Size: 5, Open: func() (io.ReadCloser, error) { return nil, nil }},
	}
	server, log := serve(t, reply(200, "application/json", `{"status":"VALIDE"}`))
	portal := client(t, server.URL)
	for name, body := range cases {
		_, err := portal.Validate(t.Context(), project, body)
		if e := fault(t, err); e.Kind != Local || e.MaybeDone || e.Hint() == "" {
			t.Errorf("%s: got %v", name, e)
		}
		if name == "open fails" && !errors.Is(err, gone) {
			t.Errorf("%s: the cause is lost: %v", name, err)
		}
	}
	if len(log.all()) != 0 {
		t.Errorf("%d requests", len(log.all()))
	}
}

// A document is closed when the call returns, however it went, and opened once.
func TestBodyIsClosed(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"yes":   reply(200, "application/json", `{"status":"VALIDE"}`),
		"no":    reply(400, "", ""),
		"early": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) },
		"lost":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer) // does not read the body itself
			t.Cleanup(server.Close)
			server.Config.ErrorLog = quiet()
			f := &file{Reader: bytes.NewReader(make([]byte, 100<<10))}
			opened := 0
			body := Body{Size: 100 << 10, Open: func() (io.ReadCloser, error) { opened++; return f, nil }}
			_, _ = client(t, server.URL).Validate(t.Context(), project, body)
			if opened != 1 || f.closed.Load() != 1 || f.readAfter.Load() {
				t.Errorf("opened %d, closed %d times, read after %t", opened, f.closed.Load(), f.readAfter.Load())
			}
		})
	}
}

// generated is a document that is made while it is read, and waits in the
// middle until the portal has the first part.
type generated struct {
	left    int64
	half    int64
	arrived <-chan struct{}
	sum     hash.Hash
	peak    uint64 // of the heap
}

func (g *generated) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	if g.left <= g.half && g.arrived != nil {
		<-g.arrived
		g.arrived = nil
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		g.peak = m.HeapAlloc
	}
	n := int(min(int64(len(p)), g.left))
	for i := range n {
		p[i] = byte(g.left) + byte(i)
	}
	g.sum.Write(p[:n])
	g.left -= int64(n)
	return n, nil
}

func (g *generated) Close() error { return nil }

func TestLargeDocumentIsStreamed(t *testing.T) {
	const size = 16 << 20
	arrived := make(chan struct{})
	sum := sha256.New()
	var length int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		length = r.ContentLength
		if n, err := io.CopyN(sum, r.Body, size/4); err != nil {
			t.Errorf("the first quarter: %d bytes, %v", n, err)
		}
		close(arrived) // a client that collects first would wait for this for ever
		_, _ = io.Copy(sum, r.Body)
		w.WriteHeader(201)
	}))
	t.Cleanup(server.Close)
	portal := client(t, server.URL)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := &generated{left: size, half: size / 2, arrived: arrived, sum: sha256.New()}
	_, err := portal.AddSourceDocument(t.Context(), uploadAt(portal), "a.xml", Body{Size: size, Open: func() (io.ReadCloser, error) { return g, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if length != size || !bytes.Equal(sum.Sum(nil), g.sum.Sum(nil)) {
		t.Errorf("length %d, or other bytes than were sent", length)
	}
	if g.peak > before.HeapAlloc+size/4 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, g.peak)
	}
}
