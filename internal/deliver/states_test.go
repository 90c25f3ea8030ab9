package deliver

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// TestStrangeStates: what a portal may say of a delivery that no client has
// heard yet, and states that contradict themselves.
func TestStrangeStates(t *testing.T) {
	for _, c := range []struct {
		name  string
		alter func(*sandbox.Switches)
		held  bool          // a person is asked meanwhile
		ends  time.Duration // after which it is delivered all the same
	}{
		{"unknown status of the delivery", func(s *sandbox.Switches) { s.UnknownStatus = "IN_BEHANDELING_BIJ_DERDEN" }, false, time.Hour},
		{"unknown status of the document", func(s *sandbox.Switches) { s.UnknownDocumentStatus = "ONDER_VOORBEHOUD" }, false, time.Hour},
		{"a person approves after two weeks", func(s *sandbox.Switches) { s.HoldBefore, s.HoldFor = "VASTSTELLEN", 14*24*time.Hour }, false, 15 * 24 * time.Hour},
		{"half state for five minutes", func(s *sandbox.Switches) {
			s.HalfState, s.HalfStateFor = sandbox.HalfStateSilent, 5*time.Minute
		}, false, time.Hour},
		{"half state for a day", func(s *sandbox.Switches) {
			s.HalfState, s.HalfStateFor = sandbox.HalfStateSilent, 24*time.Hour
		}, true, 27 * time.Hour},
		{"the register has a fault for five minutes", func(s *sandbox.Switches) {
			s.HalfState, s.HalfStateFor = sandbox.HalfStateErrors, 5*time.Minute
		}, false, time.Hour},
		{"the register has a fault for a day", func(s *sandbox.Switches) {
			s.HalfState, s.HalfStateFor = sandbox.HalfStateErrors, 24*time.Hour
		}, true, 27 * time.Hour},
		{"errors empty where all is well", func(s *sandbox.Switches) { s.FineErrors = sandbox.ErrorsEmpty }, false, time.Hour},
		{"errors null where all is well", func(s *sandbox.Switches) { s.FineErrors = sandbox.ErrorsNull }, false, time.Hour},
		{"errors empty in a validation", func(s *sandbox.Switches) { s.ValidErrors = sandbox.ErrorsEmpty }, false, time.Hour},
		{"errors null in a validation", func(s *sandbox.Switches) { s.ValidErrors = sandbox.ErrorsNull }, false, time.Hour},
		{"validation takes just under five minutes", func(s *sandbox.Switches) { s.ValidationDelay = 5*time.Minute - time.Second }, false, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgainst(t, func(o *sandbox.Options) { c.alter(&o.Switches) })
				a.saved("a.xml")
				a.pass(30 * time.Minute)
				a.sane()
				if it := a.item("a.xml"); (it.Hold != "") != c.held {
					t.Errorf("after half an hour it is %s, hold %q: %s", it.State, it.Hold, it.HoldReason)
				}
				requests := len(a.server.Requests())
				a.pass(c.ends)
				a.settled("a.xml")
				if n := len(a.server.Requests()) - requests; n > int(c.ends/time.Hour)+10 {
					t.Errorf("%d requests in %s", n, c.ends)
				}
			})
		})
	}
}

// TestEndlessHalfState: a person is asked, and asking the portal goes on.
func TestEndlessHalfState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t, func(o *sandbox.Options) { o.HalfState = sandbox.HalfStateSilent })
		a.saved("a.xml")
		a.pass(7 * 24 * time.Hour)
		it := a.want("a.xml", queue.Submitted, queue.HoldPerson)
		if !strings.Contains(it.HoldReason, it.Delivery.ID) || !strings.Contains(it.HoldReason, "DOORGELEVERD") {
			t.Errorf("held because %q", it.HoldReason)
		}
		a.sane()
	})
}

// TestEndlessFaultOfRegister: what the register says of itself is no reason to
// put a document into failed/, where it would be saved again.
func TestEndlessFaultOfRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t, func(o *sandbox.Options) { o.HalfState = sandbox.HalfStateErrors })
		a.saved("a.xml")
		a.pass(7 * 24 * time.Hour)
		it := a.want("a.xml", queue.Submitted, queue.HoldPerson)
		if !strings.Contains(it.HoldReason, it.Delivery.ID) || !strings.Contains(it.HoldReason, "BRO-systeem") {
			t.Errorf("held because %q", it.HoldReason)
		}
		if len(it.History) > 20 {
			t.Errorf("its timeline has %d lines", len(it.History))
		}
		a.sane()
	})
}

// TestValidationTooSlow: a validation that never comes in time is an outage of
// validating, and is over when it is over.
func TestValidationTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t, func(o *sandbox.Options) { o.ValidationDelay = 6 * time.Minute })
		a.saved("a.xml")
		a.saved("b.xml")
		a.pass(24 * time.Hour)
		a.want("a.xml", queue.Queued, "")
		if n := a.server.Count(sandbox.OpValidate); n < 10 || n > 24*12 {
			t.Errorf("validated %d times in a day", n)
		}
		a.server.Change(func(s *sandbox.Switches) { s.ValidationDelay = 4 * time.Minute })
		a.pass(2 * time.Hour)
		a.settled("a.xml", "b.xml")
	})
}

// TestErrorsInEveryShape: what the portal says against a document reaches the
// person, whatever its shape (portal-api Q12).
func TestErrorsInEveryShape(t *testing.T) {
	for name, c := range map[string]struct {
		shape  sandbox.Choice
		errors string // replaces what the sandbox says; empty = as it is
		want   string
	}{
		"list of texts":   {"", "", "landelijke voorziening"},
		"list of objects": {sandbox.ErrorsAsObjects, "", "landelijke voorziening"},
		"one text":        {sandbox.ErrorsAsText, "", "landelijke voorziening"},
		"one object":      {"", `{"code":7,"message":"filter ontbreekt"}`, "filter ontbreekt"},
		"mixed":           {"", `[null,"",{"omschrijving":"filter ontbreekt"},3]`, "filter ontbreekt"},
		"deep":            {"", `[[["filter ontbreekt"]]]`, "filter ontbreekt"},
		"a number":        {"", `3`, ""}, // says nothing; the status does
		"null":            {"", `null`, ""},
		"false":           {"", `false`, ""},
		"an empty list":   {"", `[]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgainst(t, func(o *sandbox.Options) { o.ErrorsShape = c.shape })
				if c.errors != "" {
					a.line.rewrite = replaceErrors(c.errors)
				}
				a.saveAs("a.xml", bytes.Replace(wellDocument("a"), []byte(">a<"), []byte(">"+sandbox.MarkRefused+"<"), 1))
				a.pass(time.Hour)
				it := a.want("a.xml", queue.Rejected, "")
				if n := a.submissions("a.xml"); n != 1 {
					t.Errorf("submitted %d times", n)
				}
				if it.Report.Code != "refused-by-register" {
					t.Errorf("the reason is %q", it.Report.Code)
				}
				// the last words are kept, too
				if it.Delivery.Status != "DOORGELEVERD" || it.Delivery.DocumentStatus != "AFGEKEURD" {
					t.Errorf("the item ends with %+v", *it.Delivery)
				}
				reason, err := os.ReadFile(it.Beside)
				if err != nil {
					t.Fatal(err)
				}
				said := strings.Join(it.Report.Errors, "\n")
				if c.want == "" && len(it.Report.Errors) > 0 || !strings.Contains(strings.ToLower(said), c.want) {
					t.Errorf("the portal's errors are read as %q", it.Report.Errors)
				}
				for _, e := range it.Report.Errors {
					if !strings.Contains(string(reason), e) {
						t.Errorf("the reason does not say %q:\n%s", e, reason)
					}
				}
			})
		})
	}
}

// replaceErrors puts errors in the place of those of each document of a delivery.
func replaceErrors(errors string) func(*http.Request, *http.Response) {
	return func(r *http.Request, resp *http.Response) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/leveringen/") {
			return
		}
		body, _ := io.ReadAll(resp.Body)
		if i := bytes.Index(body, []byte(`"errors":[`)); i >= 0 {
			end := i + bytes.IndexByte(body[i:], ']') + 1
			body = append(append(bytes.Clone(body[:i]), `"errors":`+errors...), body[end:]...)
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
}

// TestRefusedAfterSubmission: by a person at the portal, and by the register.
func TestRefusedAfterSubmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgainst(t, func(o *sandbox.Options) { o.HoldBefore = "VASTSTELLEN" })
		a.saved("a.xml")
		a.pass(time.Minute)
		it := a.want("a.xml", queue.Submitted, "")
		if !a.server.Reject(it.Delivery.ID, "verkeerde put") {
			t.Fatal("the sandbox does not know the delivery")
		}
		a.pass(2 * time.Hour)
		it = a.want("a.xml", queue.Rejected, "")
		if it.Report.Code != "refused-in-delivery" || !strings.Contains(strings.Join(it.Report.Errors, " "), "verkeerde put") {
			t.Errorf("the report is %+v", it.Report)
		}
		if !a.exists("zwolle", "failed", "a.xml") || !strings.HasSuffix(it.Beside, "a.xml.reason.txt") {
			t.Errorf("filed as %s, %s", it.Filed, it.Beside)
		}
		// the corrected file under the same name is a new attempt, and counts by itself
		a.server.Change(func(s *sandbox.Switches) { s.HoldBefore = "" })
		a.saveAs("a.xml", wellDocument("a, corrected"))
		a.pass(time.Hour)
		a.want("a.xml", queue.Delivered, "")
		if n := a.submissions("a.xml"); n != 1 {
			t.Errorf("submitted %d times", n)
		}
	})
}

// TestDeletedDelivery: the data owner removed it; only a person can say what
// that means, and nothing goes to failed/.
func TestDeletedDelivery(t *testing.T) {
	for name, withdraw := range map[string]bool{"token in order": false, "authorisation withdrawn as well": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgainst(t, func(o *sandbox.Options) { o.HoldBefore = "CONTROLEREN" })
				a.saved("a.xml")
				a.pass(time.Minute)
				it := a.want("a.xml", queue.Submitted, "")
				a.server.DeleteDelivery(it.Delivery.ID)
				if withdraw {
					a.server.WithdrawRight(sandbox.DefaultUsername, sandbox.DefaultProject)
				}
				requests := len(a.server.Requests())
				a.pass(24 * time.Hour)
				if n := len(a.server.Requests()) - requests; n > 100 {
					t.Errorf("%d requests in a day about a delivery that is gone", n)
				}
				if withdraw {
					a.want("a.xml", queue.Submitted, "")
					a.server.GrantRight(sandbox.DefaultUsername, sandbox.DefaultProject)
					a.pass(3 * time.Hour)
				}
				it = a.want("a.xml", queue.Submitted, queue.HoldPerson)
				if !strings.Contains(it.HoldReason, "data owner") {
					t.Errorf("held because %q", it.HoldReason)
				}
				a.sane()
				if _, err := os.Stat(filepath.Join(a.dir, "zwolle", "a.xml")); err != nil {
					t.Errorf("the file left its folder: %v", err)
				}
			})
		})
	}
}
