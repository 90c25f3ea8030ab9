package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testBase = "http://portal.test"

// defaults is the default sandbox without delays, changed.
func defaults(change func(*Options)) Options {
	o := Default()
	o.Timeline = Timeline{}
	if change != nil {
		change(&o)
	}
	return o
}

// A client speaks to a server in this process.
type client struct {
	testing.TB
	server *Server
	http   *http.Client
}

func newClient(t testing.TB, o Options) *client {
	s := New(o)
	return &client{t, s, &http.Client{Transport: s.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (c *client) request(method, path string, body []byte) *http.Request {
	if strings.HasPrefix(path, "/") {
		path = testBase + path
	}
	req, err := http.NewRequestWithContext(c.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	req.SetBasicAuth(DefaultUsername, DefaultSecret)
	return req
}

// try does one call; status 0 is no whole answer.
func (c *client) try(method, path string, body []byte) (status int, header http.Header, answer []byte, err error) {
	res, err := c.http.Do(c.request(method, path, body))
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, res.Header, answer, err
	}
	return res.StatusCode, res.Header, answer, nil
}

func (c *client) must(status int, method, path string, body []byte) (http.Header, []byte) {
	c.Helper()
	got, header, answer, err := c.try(method, path, body)
	if err != nil || got != status {
		c.Fatalf("%s %s: got %d %q (%s), %v; want %d", method, path, got, answer, header.Get(reasonHeader), err, status)
	}
	return header, answer
}

func api(format string, args ...any) string {
	return fmt.Sprintf("/api/v2/%d/", DefaultProject) + fmt.Sprintf(format, args...)
}

// deliver delivers documents together and returns the number of the delivery.
func (c *client) deliver(documents ...[]byte) string {
	c.Helper()
	header, _ := c.must(201, "POST", api("uploads"), nil)
	upload := header.Get("Location")
	for _, document := range documents {
		c.must(201, "POST", upload+"/brondocumenten?filename=put.xml", document)
	}
	header, _ = c.must(201, "POST", api("leveringen"), []byte(`{"upload":`+upload[strings.LastIndexByte(upload, '/')+1:]+`}`))
	location := header.Get("Location")
	return location[len(location)-10:]
}

// status asks over the wire: delivery, then documents.
func (c *client) status(identifier string) string {
	c.Helper()
	_, body := c.must(200, "GET", api("leveringen/%s", identifier), nil)
	var d deliveryJSON
	if err := json.Unmarshal(body, &d); err != nil {
		c.Fatal(err)
	}
	words := []string{d.Status}
	for _, doc := range d.Documents {
		words = append(words, doc.Status)
	}
	return strings.Join(words, " ")
}

// gmw is a made-up request about a well.
func gmw(reference, broID, sub, inner string) []byte {
	if broID != "" {
		broID = "<b:broId>" + broID + "</b:broId>"
	}
	return fmt.Appendf(nil, `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">`+
		`<b:requestReference>%s</b:requestReference>%s<b:qualityRegime>IMBRO</b:qualityRegime><sourceDocument><%s>%s</%s></sourceDocument></registrationRequest>`,
		reference, broID, sub, inner, sub)
}

func well(name string) []byte {
	return gmw("nieuw "+name, "", "GMW_Construction", "<objectIdAccountableParty>"+name+"</objectIdAccountableParty>")
}

func level(broID, date string) []byte {
	return gmw("maaiveld", broID, "GMW_GroundLevel", "<eventDate><b:date>"+date+"</b:date></eventDate>")
}

func hashOf(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}
