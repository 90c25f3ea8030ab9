package portal_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/sandbox"
	"brodaemon/internal/secret"
)

// enricher is a client with the sandbox's enrichment token.
func enricher(t *testing.T, s *sandbox.Server) *portal.Client {
	t.Helper()
	c, err := portal.New(portal.Options{
		BaseURL: "https://portal.example", Username: sandbox.DefaultEnrichmentUsername, Version: "test", Transport: s.Transport(),
		Secret:  func() (secret.String, error) { return secret.New(sandbox.DefaultEnrichmentSecret), nil },
		Timeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// delivered makes a delivery that waits to be checked.
func delivered(t *testing.T, s *sandbox.Server) (number, document string) {
	t.Helper()
	c := newClient(t, "https://portal.example", s.Transport())
	upload, err := c.OpenUpload(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.AddSourceDocument(t.Context(), upload, "a.xml", body(groundLevel("GMW000000100001", "r")))
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Submit(t.Context(), mine, upload, "")
	if err != nil {
		t.Fatal(err)
	}
	return d.ID, ref.ID
}

func waiting(o *sandbox.Options) { o.HoldBefore = "CONTROLEREN" }

func TestEnriching(t *testing.T) {
	s := sandbox.New(settings(waiting))
	number, document := delivered(t, s)
	c := enricher(t, s)
	levels := map[portal.Level]string{portal.LevelInfo: "info", portal.LevelWarning: "warnings", portal.LevelError: "errors"}
	for _, level := range portal.Levels {
		if err := c.AddNote(t.Context(), mine, number, "", level, "over de levering: é"); err != nil {
			t.Fatal(err)
		}
		if err := c.AddNote(t.Context(), mine, number, document, level, "over het document"); err != nil {
			t.Fatal(err)
		}
	}
	name := "rapport 100% #1?x=é+&.pdf"
	if err := c.Attach(t.Context(), mine, number, name, body("%PDF")); err != nil {
		t.Fatal(err)
	}
	d, _ := s.Delivery(number)
	if len(d.Notes) != 3 || len(d.Documents[0].Notes) != 3 || len(d.Attached) != 1 {
		t.Fatalf("got %+v", d)
	}
	for i, level := range portal.Levels {
		if d.Notes[i] != (sandbox.Note{Level: levels[level], Text: "over de levering: é"}) || d.Documents[0].Notes[i].Level != levels[level] {
			t.Errorf("notes are %+v and %+v", d.Notes, d.Documents[0].Notes)
		}
	}
	if d.Attached[0].Name != name || d.Attached[0].Size != 4 {
		t.Errorf("attached %+v, want %q of 4 bytes", d.Attached[0], name)
	}
}

// What went wrong is told apart, and says what to do.
func TestEnrichingRefused(t *testing.T) {
	s := sandbox.New(settings(waiting))
	number, _ := delivered(t, s)
	plain := newClient(t, "https://portal.example", s.Transport())
	cases := map[string]struct {
		do   func() error
		kind portal.Kind
		hint string
	}{
		"token of another kind": {func() error { return plain.AddNote(t.Context(), mine, number, "", portal.LevelInfo, "x") }, portal.Unauthorized, "verrijkingstoken"},
		"file, likewise":        {func() error { return plain.Attach(t.Context(), mine, number, "a.pdf", body("x")) }, portal.Unauthorized, "verrijkingstoken"},
		"unknown delivery": {func() error {
			return enricher(t, s).AddNote(t.Context(), mine, "0000000099", "", portal.LevelInfo, "x")
		}, portal.Gone, "check the number"},
		"unknown document":  {func() error { return enricher(t, s).AddNote(t.Context(), mine, number, "99", portal.LevelInfo, "x") }, portal.Gone, "check the number"},
		"another's project": {func() error { return enricher(t, s).AddNote(t.Context(), another, number, "", portal.LevelInfo, "x") }, portal.Unauthorized, "token"},
		"no text":           {func() error { return enricher(t, s).AddNote(t.Context(), mine, number, "", portal.LevelInfo, "\n") }, portal.Local, "nothing was sent"},
		"no level":          {func() error { return enricher(t, s).AddNote(t.Context(), mine, number, "", "fatal", "x") }, portal.Local, "nothing was sent"},
		"no name":           {func() error { return enricher(t, s).Attach(t.Context(), mine, number, "..", body("x")) }, portal.Local, "nothing was sent"},
		"path for a name":   {func() error { return enricher(t, s).Attach(t.Context(), mine, number, "a/b", body("x")) }, portal.Local, "nothing was sent"},
		"empty file":        {func() error { return enricher(t, s).Attach(t.Context(), mine, number, "a", body("")) }, portal.Local, "nothing was sent"},
	}
	for name, c := range cases {
		var e *portal.Error
		if err := c.do(); !errors.As(err, &e) || e.Kind != c.kind || e.MaybeDone || !strings.Contains(e.Hint(), c.hint) {
			t.Errorf("%s: got %v (%+v), want %s, certainly not done, with a hint of %q", name, err, e, c.kind, c.hint)
		}
	}
	if d, _ := s.Delivery(number); len(d.Notes)+len(d.Attached) != 0 {
		t.Errorf("something was added: %+v", d)
	}
}

// An answer that is lost leaves it open; nothing is sent a second time.
func TestEnrichingWithoutAnswer(t *testing.T) {
	for _, kind := range []sandbox.FaultKind{"process-then-drop", "process-then-answer", "answer"} {
		s := sandbox.New(settings(waiting))
		number, _ := delivered(t, s)
		f, err := sandbox.ParseFault("note:" + string(kind) + map[bool]string{true: ":status=503"}[kind != "process-then-drop"])
		if err != nil {
			t.Fatal(err)
		}
		s.Inject(f)
		err = enricher(t, s).AddNote(t.Context(), mine, number, "", portal.LevelInfo, "x")
		var e *portal.Error
		if !errors.As(err, &e) || e.Kind != portal.Unavailable || !e.MaybeDone || !strings.Contains(e.Error(), "may have been added") || !strings.Contains(e.Hint(), "before you repeat it") {
			t.Errorf("%s: got %v, want unavailable and maybe done", kind, err)
		}
		if n := s.Count(sandbox.OpNote); n != 1 {
			t.Errorf("%s: %d requests, want 1", kind, n)
		}
	}
}

// A file that is shorter than announced is never added whole, and its length is announced.
func TestAttachedFileIsStreamed(t *testing.T) {
	s := sandbox.New(settings(waiting))
	number, _ := delivered(t, s)
	var length int64
	c, err := portal.New(portal.Options{
		BaseURL: "https://portal.example", Username: sandbox.DefaultEnrichmentUsername,
		Secret: func() (secret.String, error) { return secret.New(sandbox.DefaultEnrichmentSecret), nil },
		Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			length = r.ContentLength
			return s.Transport().RoundTrip(r)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	short := portal.Body{Size: 100, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("ten bytes!")), nil }}
	var e *portal.Error
	if err := c.Attach(t.Context(), mine, number, "a.pdf", short); !errors.As(err, &e) || e.Kind != portal.Local {
		t.Errorf("got %v, want local", err)
	}
	if d, _ := s.Delivery(number); len(d.Attached) != 0 || length != 100 {
		t.Errorf("attached %+v with length %d", d.Attached, length)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNumbersAsPeopleTypeThem(t *testing.T) {
	for given, want := range map[string]string{"182614": "0000182614", " 0000182614 ": "0000182614", "": "", "0": "", "12345678901": "", "x1": "", "-1": ""} {
		if got, err := portal.ParseDeliveryNumber(given); got != want || (err == nil) != (want != "") {
			t.Errorf("delivery %q: got %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]string{"gmw000000100001": "GMW000000100001", " GLD000000000001": "GLD000000000001", "GMW1": "", "GMW00000010000x": "", "1MW000000100001": "", "": "", "ĠW000000100001": ""} {
		if got, err := portal.ParseBROID(given); got != want || (err == nil) != (want != "") {
			t.Errorf("BRO-ID %q: got %q, %v", given, got, err)
		}
	}
}

func TestWordsOfStatuses(t *testing.T) {
	for _, s := range []portal.DeliveryStatus{portal.DeliveryReceived, portal.DeliveryValidated, portal.DeliveryChecked, portal.DeliveryApproved, portal.DeliveryForwarded} {
		if strings.Contains(s.Plain(), "does not know") {
			t.Errorf("%s has no words", s)
		}
	}
	if got := portal.DeliveryStatus("BEVROREN").Plain(); !strings.Contains(got, "does not know") {
		t.Errorf("an unknown word is explained as %q", got)
	}
	if got := portal.DocumentStatus("").Plain(); !strings.Contains(got, "no status") {
		t.Errorf("no word is explained as %q", got)
	}
}
