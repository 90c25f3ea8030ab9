package portal

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Body is a document to send. Open is called once per call, and what it gives
// is closed before the call returns. Size is its length in bytes, above zero;
// it goes before the document as Content-Length, and a document of another
// length is not sent whole.
type Body struct {
	Open func() (io.ReadCloser, error)
	Size int64
}

var errBodyClosed = errors.New("the call has ended")

// sizedBody hands out exactly size bytes or fails. It holds back the last piece
// until it has seen that nothing follows, so that the portal never has a whole
// request with a part of a document in it.
//
// It is no type that net/http can rewind, and the requests have no GetBody: once
// a byte of it was taken, net/http cannot send the request a second time.
//
// The transport reads it on a goroutine of its own, possibly still after it has
// returned; hence the mutex, and hence Close, after which nothing is read any more.
type sizedBody struct {
	size     int64
	progress func() // called after each piece; may be nil

	mu       sync.Mutex
	src      io.ReadCloser
	given    int64
	complete bool
	closed   bool
	fault    error
}

// open opens the document.
func (b Body) open() (*sizedBody, error) {
	if b.Open == nil || b.Size <= 0 {
		return nil, errors.New("the document is empty")
	}
	src, err := b.Open()
	if err != nil {
		return nil, fmt.Errorf("open document: %w", err)
	}
	if src == nil {
		return nil, errors.New("open document: nothing to read from")
	}
	return &sizedBody{size: b.Size, src: src}, nil
}

// Read implements io.Reader.
func (b *sizedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, errBodyClosed
	case b.fault != nil:
		return 0, b.fault
	case b.complete:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if left := b.size - b.given; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := readSome(b.src, p)
	if int64(n) == b.size-b.given {
		err = b.expectEnd(err)
		b.complete = err == nil
	} else if err == io.EOF {
		err = fmt.Errorf("the document ends after %d of %d bytes: %w", b.given+int64(n), b.size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		b.fault = err
		return 0, err
	}
	b.given += int64(n)
	if b.progress != nil {
		b.progress()
	}
	return n, nil
}

// expectEnd sees to it that nothing follows the last byte.
func (b *sizedBody) expectEnd(err error) error {
	var extra [1]byte
	if err == nil {
		var n int
		if n, err = readSome(b.src, extra[:]); n > 0 {
			return fmt.Errorf("the document is longer than its %d bytes", b.size)
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// readSome reads at least one byte or gives an error, also from a reader that
// now and then returns nothing at all.
func readSome(r io.Reader, p []byte) (int, error) {
	for range 100 {
		n, err := r.Read(p)
		if n < 0 || n > len(p) {
			return 0, errors.New("read document: a reader that counts wrong")
		}
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("read document: %w", err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, fmt.Errorf("read document: %w", io.ErrNoProgress)
}

// Close implements io.Closer; it may be called more than once.
func (b *sizedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.src.Close()
}

// state says whether a piece was handed out, whether all were, and what was
// wrong with the document.
func (b *sizedBody) state() (touched, complete bool, fault error) {
	if b == nil {
		return false, false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.given > 0, b.complete, b.fault
}
