package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Validate has the portal judge a document. A project of 0 asks the
// organisation-wide validation service, which tokens for it may use.
//
// It changes nothing at the portal and may be repeated freely. The verdict
// counts whatever the status code, 2xx or 4xx, it comes with: which one the
// portal uses for an invalid document was never recorded.
func (c *Client) Validate(ctx context.Context, project ProjectID, body Body) (Validation, error) {
	path := paths[OpValidate]
	if project == 0 {
		path = pathValidateAtLarge
	}
	r, err := c.request(OpValidate, path, project, "", nil)
	if err == nil {
		err = r.carry(body, typeXML)
	}
	if err != nil {
		return Validation{}, local(OpValidate, err)
	}
	r.timeout = c.validation
	a, err := c.exchange(ctx, r)
	if err != nil {
		return Validation{}, err
	}
	if a.ok() || a.code/100 == 4 {
		if v, ok := parseValidation(a.body); ok && a.broken == nil {
			return v, nil
		}
	}
	if !a.ok() {
		return Validation{}, a.refusal()
	}
	if err := a.decode(new(wireValidation)); err != nil {
		return Validation{}, err
	}
	return Validation{}, a.unreadable(errors.New("neither valid nor invalid"))
}

// OpenUpload opens a container for documents. It may be repeated freely: an
// upload that is never submitted does nothing. How long it lives is not known,
// so it should be used at once.
func (c *Client) OpenUpload(ctx context.Context, project ProjectID) (Upload, error) {
	r, err := c.request(OpOpenUpload, paths[OpOpenUpload], project, "", nil)
	if err != nil {
		return Upload{}, local(OpOpenUpload, err)
	}
	r.method, r.typ = http.MethodPost, typeXML // without content; as other clients do it
	a, err := c.exchange(ctx, r)
	if err != nil {
		return Upload{}, err
	}
	if !a.ok() {
		return Upload{}, a.refusal()
	}
	upload, err := resolveUpload(a.url, a.location)
	if err != nil {
		return Upload{}, a.unreadable(err)
	}
	return upload, nil
}

// AddSourceDocument adds a document to an upload that is not submitted yet.
// After a failure in doubt (MaybeDone) the upload may hold the document already:
// leave that upload and open another; nothing is delivered by either.
//
// The name should be unique within the upload, in ASCII, and end in .xml; others
// may be replaced by the portal. It does not come back reliably.
func (c *Client) AddSourceDocument(ctx context.Context, upload Upload, filename string, body Body) (SourceDocumentRef, error) {
	r, err := c.requestTo(upload, filename)
	if err == nil {
		err = r.carry(body, typeXML)
	}
	if err != nil {
		return SourceDocumentRef{}, local(OpAddSourceDocument, err)
	}
	a, err := c.exchange(ctx, r)
	if err != nil {
		return SourceDocumentRef{}, err
	}
	switch {
	case !a.ok():
		return SourceDocumentRef{}, a.refusal()
	case isPage(a.header, a.body):
		return SourceDocumentRef{}, a.unreadable(nil)
	case !a.sent:
		return SourceDocumentRef{}, a.unreadable(errors.New("a yes before the whole document was sent"))
	case a.location == "":
		return SourceDocumentRef{}, nil // seen from one client only, and nothing depends on it
	}
	address, id, err := resolveLocation(a.url, a.location, segmentDocument)
	if err != nil {
		return SourceDocumentRef{}, a.unreadable(err)
	}
	return SourceDocumentRef{ID: id, URL: address}, nil
}

// Submit delivers an upload: the act that cannot be taken back. label, if not
// empty, is put on the delivery.
//
// It must be called at most once for the documents of an upload. An error with
// MaybeDone leaves open whether the delivery exists; then only looking it up, or
// a person, may decide what happens next. MaybeDone is
//
//   - false when nothing was sent: the host not found or not reached, TLS
//     trouble, no secret, the context ended before;
//   - false for a clear no: every 4xx but 408;
//   - true for everything else: no answer after something was sent, an answer
//     that broke off, 408, 5xx, a redirect, a 2xx without a Location of a
//     delivery on this host.
//
// A 2xx with such a Location is a success, even if its body broke off.
func (c *Client) Submit(ctx context.Context, project ProjectID, upload Upload, label string) (DeliveryRef, error) {
	query := url.Values{}
	if label != "" {
		query.Set(queryLabel, label)
	}
	r, err := c.request(OpSubmit, paths[OpSubmit], project, "", query)
	if err == nil {
		upload, err = c.ownUpload(upload)
	}
	if err == nil {
		order, _ := json.Marshal(wireSubmit{Upload: upload.ID}) // of a number; cannot fail
		err = r.carry(Body{
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(order)), nil },
			Size: int64(len(order)),
		}, typeJSON)
	}
	if err != nil {
		return DeliveryRef{}, local(OpSubmit, err)
	}
	a, err := c.exchange(ctx, r)
	if err != nil {
		return DeliveryRef{}, err
	}
	if !a.ok() {
		return DeliveryRef{}, a.refusal()
	}
	address, id, err := resolveLocation(a.url, a.location, segmentDelivery)
	if err != nil {
		return DeliveryRef{}, a.unreadable(err)
	}
	return DeliveryRef{ID: id, URL: address}, nil
}

// Delivery asks how far a delivery is. It may be repeated freely. A delivery
// that the portal does not have is Gone: the data owner may have deleted it, or
// the project may no longer be open to this token.
func (c *Client) Delivery(ctx context.Context, project ProjectID, id string) (Delivery, error) {
	a, err := c.ask(ctx, OpDelivery, project, id, nil)
	if err != nil {
		return Delivery{}, err
	}
	var w wireDelivery
	if err := a.decode(&w); err != nil {
		return Delivery{}, err
	}
	d, err := parseDelivery(&w, a.body)
	if err == nil && d.ID != "" && !sameID(d.ID, id) {
		err = fmt.Errorf("an answer about delivery %s instead of %s", d.ID, id)
	}
	if err != nil {
		return Delivery{}, a.unreadable(err)
	}
	if d.ID == "" {
		d.ID = id
	}
	return d, nil
}

// DeliveriesAwaiting lists the numbers of a project's deliveries that wait for
// an action. Portals answer 404 when there are none, so that none is returned
// also for a project that is not there: that a number is absent proves nothing.
func (c *Client) DeliveriesAwaiting(ctx context.Context, project ProjectID, action Action) ([]string, error) {
	a, err := c.ask(ctx, OpDeliveriesAwaiting, project, "", url.Values{queryAction: {string(action)}})
	var fault *Error
	switch {
	case errors.As(err, &fault) && fault.StatusCode == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case a.code == http.StatusNoContent:
		return nil, nil
	}
	var list []text
	if err := a.decode(&list); err != nil {
		return nil, err
	}
	numbers := make([]string, 0, len(list))
	for _, number := range list {
		if err := checkID(string(number)); err != nil {
			return nil, a.unreadable(err)
		}
		numbers = append(numbers, string(number))
	}
	return numbers, nil
}

// Projects lists what the token may see. Whether a token for delivering may ask
// this at all is not known, so Unauthorized does not mean that the token is bad.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	a, err := c.ask(ctx, OpProjects, 0, "", nil)
	if err != nil {
		return nil, err
	}
	var list []wireProject
	if err := a.decode(&list); err != nil {
		return nil, err
	}
	projects, err := parseProjects(list)
	if err != nil {
		return nil, a.unreadable(err)
	}
	return projects, nil
}

// SourceDocumentBytes copies a document at the portal to w and gives the number
// of bytes written, also beside an error. The portal removes documents once they
// are registered; then they are Gone.
func (c *Client) SourceDocumentBytes(ctx context.Context, project ProjectID, id string, w io.Writer) (int64, error) {
	r, err := c.request(OpSourceDocument, paths[OpSourceDocument], project, id, nil)
	if err != nil {
		return 0, local(OpSourceDocument, err)
	}
	r.accept, r.sink = "*/*", w
	a, err := c.exchange(ctx, r)
	switch {
	case err != nil:
		return 0, err
	case !a.ok():
		return 0, a.refusal()
	case a.broken != nil:
		return a.sunk, a.broken
	case a.sunk == 0:
		return 0, a.unreadable(errors.New("an empty document"))
	}
	return a.sunk, nil
}

// Transactions lists what the register of transactions has about an object. It
// shows only what reached the national register. Its fields are hardly known
// and not every token may ask, so it can confirm something but never exclude it.
func (c *Client) Transactions(ctx context.Context, broID string) ([]Transaction, error) {
	if err := checkID(broID); err != nil {
		return nil, local(OpTransactions, err)
	}
	a, err := c.ask(ctx, OpTransactions, 0, "", url.Values{querySearchField: {searchByBROID}, querySearchText: {broID}})
	if err != nil {
		return nil, err
	}
	if a.empty() {
		return nil, nil // the portal's way to say none
	}
	var w wireTransactions
	if err := a.decode(&w); err != nil {
		return nil, err
	}
	list, err := parseTransactions(&w)
	if err != nil {
		return nil, a.unreadable(err)
	}
	return list, nil
}

// ask sends a question (GET) and gives a 2xx answer.
func (c *Client) ask(ctx context.Context, op Op, project ProjectID, id string, query url.Values) (*answer, error) {
	r, err := c.request(op, paths[op], project, id, query)
	if err != nil {
		return nil, local(op, err)
	}
	a, err := c.exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	if !a.ok() {
		return nil, a.refusal()
	}
	return a, nil
}

// request fills in a path of the table.
func (c *Client) request(op Op, path string, project ProjectID, id string, query url.Values) (*request, error) {
	if strings.Contains(path, "{project}") {
		if project <= 0 {
			return nil, fmt.Errorf("%d is not a project number", project)
		}
		path = strings.ReplaceAll(path, "{project}", project.String())
	}
	if strings.Contains(path, "{id}") {
		if err := checkID(id); err != nil {
			return nil, err
		}
		path = strings.ReplaceAll(path, "{id}", id)
	}
	u := *c.base
	u.Path, u.RawQuery = apiBase+path, encode(query)
	return &request{op: op, method: http.MethodGet, url: &u, timeout: c.timeout}, nil
}

// requestTo is the request to add a document to an upload, at the address that
// the portal gave for it.
func (c *Client) requestTo(upload Upload, filename string) (*request, error) {
	own, err := c.ownUpload(upload)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(own.URL + pathOfDocuments)
	if err != nil {
		return nil, err
	}
	if filename != "" {
		u.RawQuery = encode(url.Values{queryFilename: {filename}})
	}
	return &request{op: OpAddSourceDocument, method: http.MethodPost, url: u, timeout: c.timeout}, nil
}

// ownUpload refuses an upload that is not this portal's: it may have been stored
// long ago, under another configuration. Credentials go to its address, and its
// number may be another upload's here.
func (c *Client) ownUpload(upload Upload) (Upload, error) {
	own, err := resolveUpload(c.base, upload.URL)
	switch {
	case upload.URL == "" || upload.ID <= 0:
		return Upload{}, errors.New("no upload is given")
	case err != nil:
		return Upload{}, fmt.Errorf("upload %d is not one of this portal: %w", upload.ID, err)
	case own.ID != upload.ID:
		return Upload{}, fmt.Errorf("upload %d does not go with its address %s", upload.ID, clean(own.URL, 200))
	}
	return own, nil
}

// carry gives the request a body.
func (r *request) carry(body Body, typ string) (err error) {
	r.method, r.typ = http.MethodPost, typ
	r.body, err = body.open()
	return err
}

// local is the Error for what failed before anything was sent.
func local(op Op, err error) *Error {
	return &Error{Op: op, Kind: Local, Err: scrubber{}.err(err)}
}

// encode makes a query in which a blank is %20, which every reader takes for one.
func encode(query url.Values) string { return strings.ReplaceAll(query.Encode(), "+", "%20") }
