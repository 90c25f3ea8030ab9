package sandbox

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"net/http"
)

// A bodyMeter reads the body of a request once, counts and hashes what goes by, and keeps it when asked.
type bodyMeter struct {
	src    io.Reader
	length int64 // as announced; -1: unknown
	n      int64
	err    error // the first error other than io.EOF
	sum    hash.Hash
	keep   bool
	kept   []byte
}

func (b *bodyMeter) open(r *http.Request, keep bool) {
	b.length, b.keep = r.ContentLength, keep
	b.src = r.Body
	if r.Body == nil {
		b.src = http.NoBody
	}
}

func (b *bodyMeter) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if n > 0 {
		if b.sum == nil {
			b.sum = sha256.New()
		}
		b.sum.Write(p[:n])
		b.n += int64(n)
		if b.keep {
			if b.kept == nil {
				b.kept = make([]byte, 0, min(max(b.length, int64(n)), 1<<20))
			}
			b.kept = append(b.kept, p[:n]...)
		}
	}
	if err != nil && err != io.EOF && b.err == nil {
		b.err = err
	}
	return n, err
}

// digest is the SHA-256 of what was read.
func (b *bodyMeter) digest() [sha256.Size]byte {
	if b.sum == nil {
		return sha256.Sum256(nil)
	}
	return [sha256.Size]byte(b.sum.Sum(nil))
}

// prefetch takes the body off the wire without looking at it, so that a server that hangs notices when its client gives up
// (net/http watches a connection only once the body is read).
func (b *bodyMeter) prefetch(limit int64) {
	data, err := io.ReadAll(io.LimitReader(b.src, limit))
	var tail io.Reader = b.src
	if err != nil {
		tail = failingReader{err}
	}
	b.src = io.MultiReader(bytes.NewReader(data), tail)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// readSmall reads a body that is not a document: at most limit bytes, and whole. Otherwise the answer says why not.
func (x *exchange) readSmall(limit int64) ([]byte, answer, bool) {
	data, err := io.ReadAll(io.LimitReader(&x.body, limit+1))
	switch {
	case err != nil:
		return nil, x.fail(http.StatusBadRequest, "the body broke off"), false
	case int64(len(data)) > limit:
		return nil, x.fail(http.StatusRequestEntityTooLarge, "the body is too large"), false
	}
	return data, answer{}, true
}

// readDocument reads a source document as it comes by. What it keeps is bounded by Switches.MaxDocument.
func (x *exchange) readDocument() (content, answer, bool) {
	var c content
	refusal, refused := x.readBounded(func(r io.Reader) { c = readContent(r) })
	return c, refusal, !refused
}

// readFile reads a body that nobody looks into.
func (x *exchange) readFile() (answer, bool) {
	return x.readBounded(func(io.Reader) {})
}

// readBounded lets look read of the body what it likes, and reads the rest itself. A body that is too large or not whole is
// refused.
func (x *exchange) readBounded(look func(io.Reader)) (answer, bool) {
	limit := x.sw.MaxDocument
	if x.r.ContentLength > limit {
		return x.fail(http.StatusRequestEntityTooLarge, "the document is too large"), true
	}
	limited := &io.LimitedReader{R: &x.body, N: limit}
	look(limited)
	_, _ = io.Copy(io.Discard, limited) // the meter keeps the error
	if limited.N == 0 {
		var more [1]byte
		if n, _ := x.body.Read(more[:]); n > 0 {
			return x.fail(http.StatusRequestEntityTooLarge, "the document is too large"), true
		}
	}
	if x.body.err != nil {
		return x.fail(http.StatusBadRequest, "the body broke off"), true
	}
	return answer{}, false
}
