package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// Mail is the mail server and who is written to.
type Mail struct {
	Host     string
	Port     int
	Username string
	// Password is asked for at each message, so that a changed one works at once. nil = none.
	Password func() (string, error)
	From     string
	To       []string
}

// Webhook is an address that gets each message as JSON, by POST. An answer from
// 200 to 299 is success; a redirect is not followed.
type Webhook struct{ URL string }

// Message is one message to people.
type Message struct {
	Kind       Kind        `json:"kind"`
	At         time.Time   `json:"at"`
	Subject    string      `json:"subject"`
	Text       string      `json:"text"`
	Conditions []Condition `json:"conditions,omitempty"`
	To         []string    `json:"to,omitempty"` // mail addresses
	Folder     string      `json:"folder,omitempty"`

	Mailed  bool      `json:"mailed,omitempty"` // the mail server has it
	Posted  bool      `json:"posted,omitempty"` // the webhook has it
	Tries   int       `json:"tries,omitempty"`
	Next    time.Time `json:"next,omitzero"`
	NoPost  bool      `json:"noPost,omitempty"` // for mail only: a part of what the webhook gets whole
	Host    string    `json:"host"`
	Version int       `json:"version"` // of this format
}

const (
	sendTimeout    = time.Minute
	messageVersion = 1
)

// deliver sends what of a message is not sent yet. It may be repeated: what was sent is noted in m.
func (o *Options) deliver(ctx context.Context, m *Message) error {
	var errs []error
	if o.Mail.Host != "" && !m.Mailed && len(m.To) > 0 {
		err := o.Mail.send(ctx, m)
		m.Mailed = err == nil
		errs = append(errs, err)
	}
	if o.Webhook.URL != "" && !m.Posted && !m.NoPost {
		err := o.Webhook.send(ctx, m)
		m.Posted = err == nil
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (a *Mail) send(ctx context.Context, m *Message) error {
	if err := a.dial(ctx, m); err != nil {
		return fmt.Errorf("send mail through %s: %w", net.JoinHostPort(a.Host, fmt.Sprint(a.Port)), err)
	}
	return nil
}

func (a *Mail) dial(ctx context.Context, m *Message) error {
	letter := mail.NewMsg()
	letter.SetMessageID()
	letter.SetDateWithValue(m.At)
	letter.Subject(m.Subject)
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // so that no answering machine answers (RFC 3834)
	letter.SetBodyString(mail.TypeTextPlain, m.Text)
	if err := errors.Join(letter.From(a.From), letter.To(m.To...)); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return client.DialAndSendWithContext(ctx, letter)
}

// client speaks TLS from the first byte on port 465, and STARTTLS elsewhere:
// always where a password is sent, and towards other machines where it is offered.
func (a *Mail) client() (*mail.Client, error) {
	opts := []mail.Option{mail.WithPort(a.Port), mail.WithTimeout(sendTimeout), mail.WithTLSPolicy(mail.TLSOpportunistic)}
	if a.Port == 465 {
		opts = append(opts, mail.WithSSL())
	}
	if a.Username != "" {
		password := ""
		if a.Password != nil {
			var err error
			if password, err = a.Password(); err != nil {
				return nil, err
			}
		}
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(a.Username), mail.WithPassword(password))
		if a.Port != 465 {
			opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
		}
	}
	return mail.NewClient(a.Host, opts...)
}

func (w *Webhook) send(ctx context.Context, m *Message) error {
	err := w.post(ctx, m)
	var address *url.Error // it would tell the whole address
	if errors.As(err, &address) {
		err = address.Err
	}
	if err != nil {
		return fmt.Errorf("post to the webhook at %s: %w", w.host(), err)
	}
	return nil
}

// host is as much of the address as may be told.
func (w *Webhook) host() string {
	if u, err := url.Parse(w.URL); err == nil {
		return u.Host
	}
	return "its address"
}

func (w *Webhook) post(ctx context.Context, m *Message) error {
	body, err := json.Marshal(struct {
		Kind       Kind        `json:"kind"`
		At         time.Time   `json:"at"`
		Host       string      `json:"host"`
		Subject    string      `json:"subject"`
		Text       string      `json:"text"` // the key that chat programs show
		Conditions []Condition `json:"conditions"`
	}{m.Kind, m.At.UTC(), m.Host, m.Subject, m.Subject + "\n\n" + m.Text, append([]Condition{}, m.Conditions...)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "brodaemon")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // only to show it
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answered %s %s", resp.Status, strings.Join(strings.Fields(string(said)), " "))
	}
	return nil
}
