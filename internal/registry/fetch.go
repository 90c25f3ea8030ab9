package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxField bounds what one field, or one piece of markup, may hold.
	maxField = 1 << 20
	// maxAnswer bounds a whole answer. The largest seen were around 16 MB.
	maxAnswer = 1 << 30
	// maxRefusal bounds the body of an answer that says no.
	maxRefusal = 64 << 10
	// maxWords bounds what is shown of one.
	maxWords = 1000
	// maxRetryAfter caps what we can be told to wait.
	maxRetryAfter = time.Hour
)

var (
	errTooLong = fmt.Errorf("a field of more than %d bytes", maxField)
	errTooMuch = fmt.Errorf("more than %d bytes", maxAnswer)
)

// reply is a 2xx whose body is to be read, and then closed.
type reply struct {
	header http.Header
	body   *body
	close  func()
}

// get sends one request, when its turn has come. What is no 2xx is an error.
func (c *Client) get(ctx context.Context, what, op, path string, query url.Values, accept string) (*reply, *Error) {
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, &Error{What: what, Kind: Interrupted, Err: err}
	}
	u := *c.base
	u.Path, u.RawQuery = path, query.Encode()
	call, cancel := context.WithCancelCause(ctx)
	clock := time.AfterFunc(c.timeout, func() { cancel(fmt.Errorf("no answer within %s", c.timeout)) })
	stop := func() { clock.Stop(); cancel(nil) }
	req, err := http.NewRequestWithContext(call, http.MethodGet, u.String(), nil)
	if err != nil {
		stop()
		return nil, &Error{What: what, Kind: Unexpected, Err: err}
	}
	req.Header = http.Header{"User-Agent": {c.agent}, "Accept": {accept}}
	began := time.Now()
	resp, err := c.transport.RoundTrip(req) // no http.Client: redirects are not followed
	if err != nil {
		c.observed(op, "network", began)
		defer stop()
		return nil, lost(ctx, call, what, 0, err)
	}
	c.observed(op, strconv.Itoa(resp.StatusCode), began)
	r := &reply{
		header: resp.Header,
		body:   &body{src: resp.Body, progress: func() { clock.Reset(c.timeout) }, lost: func(err error) *Error { return lost(ctx, call, what, resp.StatusCode, err) }},
		close:  func() { resp.Body.Close(); stop() },
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 && !isHTML(resp.Header) {
		return r, nil
	}
	defer r.close()
	return nil, refusal(what, resp, r.body)
}

func (c *Client) observed(op, code string, began time.Time) {
	if c.observe != nil {
		c.observe(op, code, time.Since(began))
	}
}

// lost is the Error for an answer that did not come, or broke off.
func lost(caller, call context.Context, what string, code int, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if caller.Err() != nil {
		return &Error{What: what, Kind: Interrupted, Err: context.Cause(caller)}
	}
	if cause := context.Cause(call); cause != nil {
		err = cause
	}
	return &Error{What: what, StatusCode: code, Kind: Unavailable, Err: err}
}

// refusal is the Error for an answer that is not what was asked for.
func refusal(what string, resp *http.Response, b *body) *Error {
	data, _ := io.ReadAll(io.LimitReader(b, maxRefusal)) // what came is better than nothing
	e := &Error{What: what, StatusCode: resp.StatusCode, Kind: Unexpected, RetryAfter: retryAfter(resp.Header)}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		e.Kind = RateLimited
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusProxyAuthRequired, code < 300:
		e.Kind = Unavailable // below 300 it is a web page in place of an answer
	case code >= 400:
		e.Kind, e.Detail = refusalWords(data)
		if code == http.StatusNotFound || code == http.StatusGone {
			e.Kind = Rejected
		}
	}
	if e.Kind != Rejected {
		e.Detail = ""
		if !isHTML(resp.Header) {
			e.Detail = clean(string(data), 300)
		}
	}
	return e
}

// refusalWords finds the reason in the body of a 4xx: a rejection in XML, or
// errors in JSON. Without either it is not the service that answered.
func refusalWords(data []byte) (Kind, string) {
	if o, err := decodeObject(&body{src: io.NopCloser(bytes.NewReader(data))}); err == nil && o.rejected {
		return Rejected, o.reason
	}
	var said struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(data, &said) == nil && len(said.Errors) > 0 {
		var all []string
		for _, one := range said.Errors {
			all = append(all, one.Message)
		}
		return Rejected, clean(strings.Join(all, "; "), maxWords)
	}
	return Unexpected, ""
}

// retryAfter reads the header of that name, seconds or a date.
func retryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now := time.Now()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (kind == "text/html" || kind == "application/xhtml+xml")
}

// body hands an answer on piece by piece. It fails when the reader of it takes
// more than maxField without coming to the end of anything (see mark), so that
// no decoder gathers without bound.
type body struct {
	src      io.ReadCloser
	progress func()
	lost     func(error) *Error
	total    int64
	since    int64 // bytes since the last mark
	free     bool  // nothing is gathered: the bytes are only copied
}

func (b *body) mark() { b.since = 0 }

func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.total >= maxAnswer:
		return 0, errTooMuch
	case b.since > maxField && !b.free:
		return 0, errTooLong
	}
	if len(p) > 32<<10 {
		p = p[:32<<10]
	}
	n, err := b.src.Read(p)
	b.total += int64(n)
	b.since += int64(n)
	if n > 0 && b.progress != nil {
		b.progress()
	}
	if err != nil && err != io.EOF && b.lost != nil {
		return n, b.lost(err)
	}
	return n, err
}

// broken is the Error for a body that could not be read to its use.
func broken(what string, code int, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{What: what, StatusCode: code, Kind: Unexpected, Err: err}
}

// clean makes a text from outside one line, bounded.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Cf):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
