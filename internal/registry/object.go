package registry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Object is what the register tells of one registration: the head of it, and
// its history. The rest of it is in [Client.ObjectXML].
type Object struct {
	BROID    string `json:"broId"`
	Type     string `json:"type"`             // the type of its service, such as GMW
	Form     string `json:"form"`             // the element that holds it, such as GMW_PO
	Party    string `json:"accountableParty"` // KvK number of the accountable party
	Regime   string `json:"qualityRegime"`    // IMBRO or IMBRO/A
	ObjectID string `json:"objectId"`         // the party's own name of it, where it is published
	Status   string `json:"status"`           // registrationStatus, in the register's word
	// Deregistered (uit registratie genomen): it was taken out of the register;
	// then little more than the BRO-ID is given.
	Deregistered bool    `json:"deregistered"`
	History      []Field `json:"registrationHistory"` // as it came, in its order

	// Times of the history; zero where there is none, or it can't be read.
	Registered     time.Time `json:"-"`
	LastAddition   time.Time `json:"-"`
	LastCorrection time.Time `json:"-"`
	Completed      time.Time `json:"-"`

	// Asked is the moment of the answer by the service's clock; ours if it gave none.
	Asked time.Time `json:"-"`
}

// Field is one element of the history: its name without prefix, and its text.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

const (
	opObject = "registry_object"
	opIDs    = "registry_ids"
	// maxDepth and maxHistory bound what an answer can make us keep.
	maxDepth   = 200
	maxHistory = 100
)

// Object asks for one registration. typ is its type if that is known, else "".
// The answer is read no further than to the end of its history. broID must be
// one by shape; it becomes part of an address.
func (c *Client) Object(ctx context.Context, typ, broID string) (Object, error) {
	var found Object
	err := c.each(typ, broID, func(s service) *Error {
		r, fault := c.get(ctx, broID, opObject, s.path+"/objects/"+url.PathEscape(broID), nil, "application/xml")
		if fault != nil {
			return fault
		}
		defer r.close()
		o, err := decodeObject(r.body)
		switch {
		case err != nil:
			return broken(broID, http.StatusOK, err)
		case o.rejected:
			return &Error{What: broID, StatusCode: http.StatusOK, Kind: Rejected, Detail: o.reason}
		case !strings.EqualFold(o.BROID, broID):
			return broken(broID, http.StatusOK, fmt.Errorf("an answer about %q", clean(o.BROID, 80)))
		}
		found = o.Object
		found.Type, found.Asked = s.typ, time.Now()
		if at, err := http.ParseTime(r.header.Get("Date")); err == nil {
			found.Asked = at
		}
		return nil
	})
	return found, err
}

// ObjectXML copies the original answer about one registration to w and gives
// the number of bytes written, also beside an error.
func (c *Client) ObjectXML(ctx context.Context, typ, broID string, w io.Writer) (int64, error) {
	var written int64
	err := c.each(typ, broID, func(s service) *Error {
		r, fault := c.get(ctx, broID, opObject, s.path+"/objects/"+url.PathEscape(broID), nil, "application/xml")
		if fault != nil {
			return fault
		}
		defer r.close()
		r.body.free = true
		first := bufio.NewReaderSize(r.body, maxRefusal)
		head, _ := first.Peek(maxRefusal) // its end, or trouble, shows again below
		if o, err := decodeObject(&body{src: io.NopCloser(bytes.NewReader(head))}); err == nil && o.rejected {
			return &Error{What: broID, StatusCode: http.StatusOK, Kind: Rejected, Detail: o.reason}
		}
		out := &writer{w: w}
		n, err := io.Copy(out, first)
		written += n
		switch {
		case out.err != nil:
			return &Error{What: broID, Kind: Local, Err: out.err}
		case err != nil:
			return broken(broID, http.StatusOK, err)
		case n == 0:
			return broken(broID, http.StatusOK, errors.New("an empty answer"))
		}
		return nil
	})
	return written, err
}

// writer remembers that it was the writing that failed.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// each asks the services that can know the object until one gives it.
func (c *Client) each(typ, broID string, ask func(service) *Error) error {
	list := servicesFor(typ, broID)
	if len(list) == 0 {
		what := broID
		if typ != "" {
			what += " (" + typ + ")"
		}
		return &Error{What: what, Kind: NoService}
	}
	var last *Error
	for _, s := range list {
		if last = ask(s); last == nil {
			return nil
		}
		if last.Kind != Rejected {
			break
		}
	}
	return last
}

// decoded is an Object, or a rejection.
type decoded struct {
	Object
	rejected bool
	reason   string
}

// decodeObject reads a dispatchDataResponse. It goes by the local names of
// elements and by their depth: prefixes and namespaces differ by type and version.
func decodeObject(b *body) (decoded, error) {
	d := xml.NewDecoder(b)
	d.CharsetReader = func(label string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("an answer in %s, not in UTF-8", clean(label, 40))
	}
	o := decoded{}
	o.History = []Field{}
	dispatched := false
	var path []string
	var text strings.Builder
	for {
		token, err := d.Token()
		b.mark()
		if err == io.EOF && o.rejected {
			return o, nil
		}
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return o, fmt.Errorf("read XML: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(path) == maxDepth {
				return o, fmt.Errorf("elements more than %d deep", maxDepth)
			}
			path = append(path, t.Name.Local)
			text.Reset()
			if len(path) == 1 && t.Name.Local != "dispatchDataResponse" {
				return o, fmt.Errorf("it is a %s and no dispatchDataResponse", clean(t.Name.Local, 80))
			}
			if len(path) == 3 && path[1] == "dispatchDocument" {
				dispatched = true
				o.Form = clean(t.Name.Local, 80)
				o.Deregistered = t.Name.Local == "BRO_DO"
			}
		case xml.CharData:
			if text.Len() < maxWords {
				text.Write(t[:min(len(t), maxWords)])
			}
		case xml.EndElement:
			o.field(path, clean(text.String(), maxWords))
			text.Reset()
			ended := path
			path = path[:len(path)-1]
			if len(ended) == 4 && ended[3] == "registrationHistory" && o.BROID != "" || len(ended) == 3 && dispatched || len(path) == 0 && o.rejected {
				return o, nil // what follows is not for the sheet
			}
			if len(path) == 0 {
				return o, errors.New("neither an object nor a rejection")
			}
		}
	}
}

// field takes the text of an element at path.
func (o *decoded) field(path []string, value string) {
	name := path[len(path)-1]
	switch {
	case len(path) == 2 && name == "responseType":
		o.rejected = value == "rejection"
	case len(path) == 2 && name == "rejectionReason", len(path) == 3 && path[1] == "criterionError" && name == "specification":
		if value != "" && len(o.reason) < maxWords {
			o.reason = strings.TrimPrefix(o.reason+"; "+value, "; ")
		}
	case len(path) == 4 && path[1] == "dispatchDocument":
		o.head(name, value)
	case len(path) == 5 && path[1] == "dispatchDocument" && path[3] == "registrationHistory":
		o.history(name, value)
	}
}

func (o *decoded) head(name, value string) {
	switch name {
	case "broId":
		o.BROID = value
	case "deliveryAccountableParty":
		o.Party = value
	case "qualityRegime":
		o.Regime = value
	case "objectIdAccountableParty":
		o.ObjectID = value
	case "deregistered", "deregistrationTime": // of a BRO_DO, which has no history
		o.history(name, value)
	}
}

func (o *decoded) history(name, value string) {
	if len(o.History) < maxHistory {
		o.History = append(o.History, Field{clean(name, 80), value})
	}
	switch name {
	case "registrationStatus":
		o.Status = value
	case "deregistered":
		o.Deregistered = value == "ja"
	case "objectRegistrationTime":
		o.Registered = moment(value)
	case "latestAdditionTime":
		o.LastAddition = moment(value)
	case "latestCorrectionTime":
		o.LastCorrection = moment(value)
	case "registrationCompletionTime":
		o.Completed = moment(value)
	}
}

// moment reads a time with its zone; what has none proves nothing.
func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
