package daemon_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"brodaemon/internal/daemon"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// allowNotes gives the folder a token that may add notes.
func (s *damageSite) allowNotes() {
	s.t.Helper()
	path := filepath.Join(s.dir, "config.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	text := strings.Replace(string(data), "password_file: secret }]", `password_file: secret }, { name: e, username: "`+sandbox.DefaultEnrichmentUsername+`", password_file: enrich }]`, 1)
	write(s.t, path, []byte(strings.Replace(text, "token: t,", "token: t, enrichment_token: e,", 1)), 0o600)
	write(s.t, filepath.Join(s.dir, "enrich"), []byte(sandbox.DefaultEnrichmentSecret), 0o600)
}

// makeOlder turns the data folder into what a brodaemon of queue format 1 left:
// no ledger, and spool files that end with the document.
func (s *damageSite) makeOlder() {
	s.t.Helper()
	s.setFormat("1")
	if err := os.Remove(s.data(queue.LedgerName)); err != nil {
		s.t.Fatal(err)
	}
	spool, err := filepath.Glob(filepath.Join(s.data(queue.SpoolName), "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range spool {
		data, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		_, end, described := bytes.Cut(data, []byte("\nbrodaemon-spool-1 "))
		if !described {
			continue // a companion
		}
		length, err := strconv.ParseInt(string(end[:16]), 16, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		write(s.t, path, data[:length], 0o600)
	}
}

// setFormat writes a number of a format into the queue file, without what only the present one has.
func (s *damageSite) setFormat(number string) {
	s.t.Helper()
	db, err := bolt.Open(s.data(queue.FileName), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		if string(meta.Get([]byte("schema"))) != "2" {
			return errors.New("the format is not 2 any more: does this test still make the one before?")
		}
		if number == "1" {
			for _, key := range []string{"ledger-id", "ledger-last", "rebuilt"} {
				if err := meta.Delete([]byte(key)); err != nil {
					return err
				}
			}
		}
		return meta.Put([]byte("schema"), []byte(number))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// The queue of the version before, stopped at any moment, is taken over: what was
// under way is delivered, once, with its companion, what was delivered is known.
func TestOlderQueueIsTakenOver(t *testing.T) {
	for _, point := range []string{"queued", "spool-kept", "validate-answered", "attach-answered", "submit-intended", "submit-answered", "submitted", "outcome-stored", "filed"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := newDamageSite(t, 1)
			s.allowNotes()
			s.save("past.xml", request("GMW", "", "past"))
			s.run(resting)
			write(t, filepath.Join(s.dir, "inbox", "new.xml.note.txt"), []byte("mind the tide"), 0o644)
			s.save("new.xml", request("GMW", "", "new"))
			s.stopAt(point)
			s.makeOlder()

			s.run(resting)
			s.wantOnce("new.xml")
			if point != "submit-intended" { // then the answer may be a person's
				if at := s.places(s.shas["new.xml"]); len(at) != 1 || !strings.HasPrefix(at[0], "done/") {
					t.Errorf("it lies at %v", at)
				}
			}
			s.run(s.answer)
			if n := s.portal.Submissions(s.shas["new.xml"]); n != 1 {
				t.Errorf("it was submitted %d times", n)
			}
			s.save("again.xml", request("GMW", "", "past"))
			s.run(resting)
			if n := s.portal.Submissions(s.shas["again.xml"]); n != 1 {
				t.Errorf("a copy of what the older version delivered was submitted: %d times", n)
			}
			for _, d := range s.portal.Deliveries() {
				mine := len(d.Documents) == 1 && d.Documents[0].SHA256 == s.shas["new.xml"]
				if len(d.Notes) > 1 || !mine && len(d.Notes) > 0 {
					t.Errorf("delivery %s has the notes %v", d.Identifier, d.Notes)
				}
				if mine && len(d.Notes) == 0 && (point == "queued" || point == "submitted") {
					t.Errorf("delivery %s lost its note: %+v", d.Identifier, s.item("new.xml").Companions)
				}
			}
			s.sound()
		})
	}
}

// The queue of a newer version is refused, and neither it nor its spool and
// ledger are touched.
func TestNewerQueueIsRefused(t *testing.T) {
	s := newDamageSite(t, 1)
	s.save("new.xml", request("GMW", "", "new"))
	s.stopAt("queued")
	s.setFormat("3")
	before := s.contents()
	for range 2 {
		d, err := s.start(nil, s.portal.Transport())
		if err == nil {
			d.Close()
			t.Fatal("it starts")
		}
		var start *daemon.StartError
		if !errors.As(err, &start) || start.Config || !strings.Contains(err.Error(), "another version of brodaemon") || !strings.Contains(err.Error(), s.data(queue.FileName)) {
			t.Errorf("it says: %v", err)
		}
	}
	after := s.contents()
	for name, data := range before {
		if !bytes.Equal(after[name], data) {
			t.Errorf("%s was changed", name)
		}
	}
	if n := s.portal.Submissions(s.shas["new.xml"]); n != 0 {
		t.Errorf("it was submitted %d times", n)
	}
}

// item is what the queue knows of a document.
func (s *damageSite) item(name string) (found queue.Item) {
	s.t.Helper()
	store, err := queue.Open(s.data(""), queue.Options{ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	items, err := store.List(queue.Filter{Search: name})
	if err != nil || len(items) == 0 {
		s.t.Fatalf("%s is not in the queue: %v", name, err)
	}
	return items[0]
}

// contents are the files of queue, ledger and spool.
func (s *damageSite) contents() map[string][]byte {
	s.t.Helper()
	files := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(s.data(queue.SpoolName), "*"))
	if err != nil || len(names) == 0 {
		s.t.Fatalf("the spool holds %v, %v", names, err)
	}
	for _, name := range append(names, s.data(queue.FileName), s.data(queue.LedgerName)) {
		data, err := os.ReadFile(name)
		if err != nil {
			s.t.Fatal(err)
		}
		files[name] = data
	}
	return files
}
