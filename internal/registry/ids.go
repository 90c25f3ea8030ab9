package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// IDs gives the BRO-IDs of one type that are registered for a data owner
// (bronhouder), one by one as they come; there may be many thousands. owner is
// a KvK number. What do returns ends it and is returned as it is.
func (c *Client) IDs(ctx context.Context, typ, owner string, do func(broID string) error) error {
	list := servicesFor(typ, "")
	what := typ + " of " + owner
	if typ == "" || len(list) == 0 {
		return &Error{What: what, Kind: NoService}
	}
	query := url.Values{"bronhouder": {owner}, "registered": {"ja"}}
	r, fault := c.get(ctx, what, opIDs, list[0].path+"/bro-ids", query, "application/json")
	if fault != nil {
		return fault
	}
	defer r.close()
	stop, err := decodeIDs(r.body, do)
	switch {
	case stop != nil:
		return stop
	case err != nil:
		return broken(what, http.StatusOK, err)
	}
	return nil
}

// decodeIDs reads {"broIds":[…]} as a stream. stop is an error of do.
func decodeIDs(b *body, do func(string) error) (stop, err error) {
	d := json.NewDecoder(b)
	next := func() json.Token {
		var t json.Token
		if err == nil {
			t, err = d.Token()
			b.mark()
		}
		return t
	}
	if next() != json.Delim('{') && err == nil {
		err = errors.New("it is no JSON object")
	}
	listed := false
	for err == nil && d.More() {
		key, _ := next().(string)
		switch key {
		case "broIds":
			listed = true
			if next() != json.Delim('[') && err == nil {
				err = errors.New("broIds is no list")
			}
			for err == nil && d.More() {
				id, ok := next().(string)
				if err == nil && !ok {
					err = errors.New("broIds holds something else than texts")
				}
				if err == nil {
					if stop := do(clean(id, 80)); stop != nil {
						return stop, nil
					}
				}
			}
			next()
		default:
			var rest json.RawMessage
			if err == nil {
				err = d.Decode(&rest)
				b.mark()
			}
			if kind, words := refusalWords(fmt.Appendf(nil, "{%q:%s}", key, rest)); err == nil && kind == Rejected {
				return nil, &Error{What: "bro-ids", Kind: Rejected, Detail: words}
			}
		}
	}
	next()
	if err == nil && !listed {
		err = errors.New("it has no broIds")
	}
	if err != nil {
		err = fmt.Errorf("read JSON: %w", err)
	}
	return nil, err
}

// KnownType says whether there is a public service for a type, whatever its case, and gives its name.
func KnownType(typ string) (string, bool) {
	for _, s := range services {
		if strings.EqualFold(s.typ, typ) {
			return s.typ, true
		}
	}
	return "", false
}
