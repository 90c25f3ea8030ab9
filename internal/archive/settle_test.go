package archive

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// failedAttempt files a document in failed/.
func (s *site) failedAttempt(id, rel, content string) Attempt {
	s.t.Helper()
	d := s.document(id, rel, content)
	placed, err := s.a.Fail(s.t.Context(), d, Reason{Code: NotValid}, settled)
	must(s.t, err)
	return Attempt{ID: id, SHA256: d.SHA256, Path: placed.Path, Beside: placed.Beside}
}

func TestSettle(t *testing.T) {
	tests := map[string]struct {
		rel  string
		do   func(s *site, e Attempt) // what happened in failed/ since
		want map[string]string        // in failed/ afterwards
	}{
		"document still there": {
			rel: "put.xml", do: func(*site, Attempt) {},
			want: map[string]string{"superseded/put.xml": "<old>"},
		},
		"in a subfolder": {
			rel: "sub/put.xml", do: func(*site, Attempt) {},
			want: map[string]string{"superseded/sub/put.xml": "<old>"},
		},
		"document moved back": {
			rel: "put.xml", do: func(s *site, e Attempt) { must(s.t, os.Remove(e.Path)) },
			want: map[string]string{},
		},
		"reason thrown away": {
			rel: "put.xml", do: func(s *site, e Attempt) { must(s.t, os.Remove(e.Beside)) },
			want: map[string]string{"superseded/put.xml": "<old>"},
		},
		"both thrown away": {
			rel: "put.xml", do: func(s *site, e Attempt) {
				must(s.t, os.Remove(e.Path))
				must(s.t, os.Remove(e.Beside))
			},
			want: map[string]string{},
		},
		"document edited in failed/": {
			rel: "put.xml", do: func(s *site, e Attempt) { must(s.t, os.WriteFile(e.Path, []byte("edited"), 0o644)) },
			want: map[string]string{"put.xml": "edited"},
		},
		"another attempt has the names": {
			rel: "put.xml", do: func(s *site, e Attempt) {
				must(s.t, os.Remove(e.Path))
				must(s.t, os.WriteFile(e.Path, []byte("<newer>"), 0o644))
				must(s.t, os.WriteFile(e.Beside, []byte("line\r\nbrodaemon 2 sha256:"+sha("<newer>")+"\r\n"), 0o644))
			},
			want: map[string]string{"put.xml": "<newer>", "put.xml.reason.txt": "line\r\nbrodaemon 2 sha256:" + sha("<newer>") + "\r\n"},
		},
		"moved back unchanged, and failed again": {
			rel: "put.xml", do: func(s *site, e Attempt) {
				must(s.t, os.WriteFile(e.Beside, []byte("line\r\nbrodaemon 2 sha256:"+e.SHA256+"\r\n"), 0o644))
			},
			want: map[string]string{"put.xml": "<old>", "put.xml.reason.txt": "line\r\nbrodaemon 2 sha256:" + sha("<old>") + "\r\n"},
		},
		"superseded name taken": {
			rel: "put.xml", do: func(s *site, e Attempt) { s.save("failed/superseded/put.xml", "<older still>") },
			want: map[string]string{"superseded/put.xml": "<older still>", "superseded/put__" + sha("<old>")[:8] + ".xml": "<old>"},
		},
	}
	inFailed := func(s *site) map[string]string {
		got := map[string]string{}
		for file, text := range s.tree() {
			rel, err := filepath.Rel(s.failed, file)
			must(s.t, err)
			got[filepath.ToSlash(rel)] = text
		}
		return got
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// killed at every point, then repeated twice
			for n := 0; ; n++ {
				s := setup(t)
				e := s.failedAttempt("1", tt.rel, "<old>")
				tt.do(s, e)
				point := s.until(n, func() { must(t, s.a.Settle(t.Context(), e)) })
				for range 2 {
					must(t, s.a.Settle(t.Context(), e))
					if got := inFailed(s); !maps.Equal(got, tt.want) {
						t.Fatalf("after a crash at %q: %q, want %q", point, got, tt.want)
					}
				}
				if point == "" {
					break
				}
			}
		})
	}
}

// TestSettleElsewhere: what is not in failed/ is not touched. Neither does it
// keep the document that was delivered at last from being filed.
func TestSettleElsewhere(t *testing.T) {
	s := setup(t)
	e := s.failedAttempt("1", "put.xml", "<old>")
	done := mustPlace(s, s.document("2", "good.xml", "<good>"), callDone)
	before := s.tree()
	for name, change := range map[string]func(e *Attempt){
		"document in done/": func(e *Attempt) { e.Path = done.Path },
		"receipt in done/":  func(e *Attempt) { e.Beside = done.Beside },
		"escapes":           func(e *Attempt) { e.Path = filepath.Join(s.failed, "..", "x.xml") },
		"no path":           func(e *Attempt) { e.Path = "" },
		"failed/ itself":    func(e *Attempt) { e.Path = s.failed },
	} {
		other := e
		change(&other)
		if err := s.a.Settle(t.Context(), other); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if after := s.tree(); !maps.Equal(before, after) {
			t.Errorf("%s: files %q, want %q", name, after, before)
		}
	}
	for name, bad := range map[string]Attempt{
		"no id":   {SHA256: e.SHA256, Path: e.Path, Beside: e.Beside},
		"no hash": {ID: e.ID, Path: e.Path, Beside: e.Beside},
	} {
		if err := s.a.Settle(t.Context(), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSettledNameIsFreeAgain: a later document may fail under a
// name that Settle has freed.
func TestSettledNameIsFreeAgain(t *testing.T) {
	s := setup(t)
	old := s.failedAttempt("1", "put.xml", "<old>")
	must(t, s.a.Settle(t.Context(), old))
	newer := s.failedAttempt("2", "put.xml", "<newer>")
	if newer.Path != old.Path {
		t.Errorf("placed at %s, want %s", newer.Path, old.Path)
	}
	must(t, s.a.Settle(t.Context(), old)) // repeated late
	if got := s.tree()[newer.Path]; got != "<newer>" || !exists(newer.Beside) {
		t.Errorf("a late repetition took the newer attempt away: %q", s.tree())
	}
}
