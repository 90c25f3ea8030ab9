package portal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRaw bounds the raw answer that is kept with a result.
	maxRaw = 64 << 10
	// maxErrors and maxErrorText bound what is kept of a list of errors. The
	// register itself stops at 99.
	maxErrors    = 500
	maxErrorText = 4 << 10
	// maxField bounds a field that is kept as text.
	maxField = 1 << 10
)

// refusal is the Error for an answer that is not 2xx.
func (a *answer) refusal() *Error {
	e := &Error{Op: a.op, StatusCode: a.code, Kind: kindOf(a.op, a.code), MaybeDone: leavesDoubt(a.code), Detail: a.words()}
	if e.Kind == RateLimited || e.Kind == Unavailable {
		e.RetryAfter = retryAfter(a.header, time.Now())
	}
	if a.code/100 == 3 {
		e.Err = a.scrub.err(a.redirect())
	}
	return e
}

// redirect says where the answer would have sent us, as far as the host.
func (a *answer) redirect() error {
	ref, err := url.Parse(a.location)
	if a.location == "" || err != nil {
		return errors.New("a redirect, which is not followed")
	}
	return fmt.Errorf("a redirect to %s, which is not followed", clean(origin(a.url.ResolveReference(ref)), 200))
}

// unreadable is the Error for a 2xx that does not say what it should: what
// broke off or is a maintenance page will pass, anything else needs a look.
func (a *answer) unreadable(err error) *Error {
	switch {
	case isPage(a.header, a.body):
		return &Error{Op: a.op, StatusCode: a.code, Kind: Unavailable, MaybeDone: true, Detail: a.words(),
			RetryAfter: retryAfter(a.header, time.Now()), Err: errors.New("a web page in place of an answer")}
	case a.broken != nil:
		return a.broken
	default:
		// what can't be understood is quoted as far as it shows what it is
		return &Error{Op: a.op, StatusCode: a.code, Kind: Unexpected, MaybeDone: true, Detail: clean(a.words(), 200), Err: a.scrub.err(err)}
	}
}

// decode reads the JSON of a 2xx.
func (a *answer) decode(into any) error {
	var err error
	switch {
	case a.broken != nil || isPage(a.header, a.body):
	case a.more:
		err = fmt.Errorf("an answer of more than %d MB", len(a.body)>>20)
	case a.empty():
		err = errors.New("an empty answer")
	default:
		if err = json.Unmarshal(content(a.body), into); err == nil {
			return nil
		}
		err = fmt.Errorf("read JSON: %w", err)
	}
	return a.unreadable(err)
}

// empty says whether the body came whole and has nothing in it.
func (a *answer) empty() bool { return a.broken == nil && !a.more && len(content(a.body)) == 0 }

// content is a body without a byte order mark and blanks around it.
func content(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
}

// isPage says whether a body is a web page, such as a proxy or a portal under
// maintenance sends, with any code. Some servers call everything HTML; what is
// JSON is JSON all the same.
func isPage(h http.Header, body []byte) bool {
	body = content(body)
	if len(body) == 0 {
		return false
	}
	return isHTML(h) && !json.Valid(body) || hasPrefixFold(body, "<!doctype html") || hasPrefixFold(body, "<html")
}

// isHTML says whether the headers announce a web page.
func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (kind == "text/html" || kind == "application/xhtml+xml")
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// words are the portal's own, taken out of whatever form the body has.
func (a *answer) words() string {
	return wordsOf(a.header, []byte(a.scrub.text(string(a.body[:min(len(a.body), maxErrorBody)]))))
}

func wordsOf(h http.Header, body []byte) string {
	body = content(body)
	var fields map[string]json.RawMessage
	switch {
	case len(body) == 0:
		return ""
	case json.Unmarshal(body, &fields) == nil:
		for _, key := range keysOfWords {
			if said := texts(fields[key]); len(said) > 0 {
				return clean(strings.Join(said, "; "), maxWords)
			}
		}
		return clean(string(body), maxWords)
	case isPage(h, body):
		return clean(pageText(string(body)), maxWords)
	default:
		return clean(string(body), maxWords)
	}
}

// raw is a body as it is kept with a result: text, bounded.
func raw(body []byte) string { return cut(strings.ToValidUTF8(string(body), "\ufffd"), maxRaw) }

// text takes a JSON string or number as text; null is empty. The portal gives
// ids now as the one, now as the other.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case string(b) == "null":
	case json.Unmarshal(b, &s) == nil:
		*t = text(s)
	case b[0] == '-' || b[0] >= '0' && b[0] <= '9':
		*t = text(b)
	default:
		return fmt.Errorf("a text or number was expected, not %.20q", b)
	}
	return nil
}

func (t text) String() string { return clean(string(t), maxField) }

// statusWord is a status that is a text; an absent one, or the number of an
// error answer, is none.
func statusWord(status json.RawMessage) string {
	var word string
	if json.Unmarshal(status, &word) != nil {
		return ""
	}
	return clean(word, maxField)
}

// texts reads a list of errors in any of the shapes that were seen or feared:
// absent, null, a list of texts, a list of objects, one text, one object. A
// number or false says nothing.
func texts(value json.RawMessage) []string {
	var decoded any
	if len(value) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	if decoder.Decode(&decoded) != nil {
		return nil
	}
	items, isList := decoded.([]any)
	if !isList {
		items = []any{decoded}
		switch decoded.(type) {
		case json.Number, bool:
			return nil
		}
	}
	var all []string
	for i, item := range items {
		if len(all) == maxErrors {
			return append(all, fmt.Sprintf("… %d more", len(items)-i))
		}
		if s := clean(sentence(item), maxErrorText); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// sentence makes one line of one error. Of an object the field that looks like
// a message comes first, then the others.
func sentence(item any) string {
	switch v := item.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case map[string]any:
		return fieldsInWords(v)
	default:
		encoded, err := json.Marshal(v)
		if err != nil || string(encoded) == "[]" {
			return ""
		}
		return string(encoded)
	}
}

func fieldsInWords(fields map[string]any) string {
	message, messageKey := "", ""
	for _, key := range keysOfWords {
		if s, ok := fields[key].(string); ok && s != "" {
			message, messageKey = s, key
			break
		}
	}
	var rest []string
	for key, value := range fields {
		if key == messageKey && message != "" {
			continue
		}
		if s := nested(value); s != "" {
			rest = append(rest, key+": "+s)
		}
	}
	slices.Sort(rest)
	others := strings.Join(rest, ", ")
	switch {
	case message == "":
		return others
	case others == "":
		return message
	default:
		return message + " (" + others + ")"
	}
}

// nested is the value of one field; what is deeper stays JSON.
func nested(value any) string {
	if _, ok := value.(map[string]any); !ok {
		return sentence(value)
	}
	encoded, err := json.Marshal(value)
	if err != nil || string(encoded) == "{}" {
		return ""
	}
	return string(encoded)
}
