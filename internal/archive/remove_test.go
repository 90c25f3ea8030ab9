package archive

import (
	"os"
	"path/filepath"
	"testing"
)

func attemptOf(d Document, p Placed) Attempt {
	return Attempt{ID: d.ID, SHA256: d.SHA256, Path: p.Path, Beside: p.Beside}
}

func (s *site) remove(e Attempt) error {
	_, err := s.a.Remove(s.t.Context(), e)
	return err
}

// What is old goes whole, whatever line the program is killed at; what can't be
// proved to be that document stays.
func TestRemove(t *testing.T) {
	const name = "put.xml"
	tests := map[string]struct {
		rel  string
		do   func(s *site, e Attempt) // what people did in done/ since
		left []string                 // in done/ afterwards
		gone bool
	}{
		"as it was filed":     {rel: name, do: func(*site, Attempt) {}, gone: true},
		"in a subfolder":      {rel: "sub/deep/put.xml", do: func(*site, Attempt) {}, gone: true},
		"document taken away": {rel: name, do: func(s *site, e Attempt) { must(s.t, os.Remove(e.Path)) }, gone: true},
		"both taken away":     {rel: name, do: func(s *site, e Attempt) { must(s.t, os.Remove(e.Path)); must(s.t, os.Remove(e.Beside)) }, gone: true},
		"receipt taken away":  {rel: name, do: func(s *site, e Attempt) { must(s.t, os.Remove(e.Beside)) }, left: []string{name}},
		"document changed":    {rel: name, do: func(s *site, e Attempt) { must(s.t, os.WriteFile(e.Path, []byte("<mine>"), 0o644)) }, left: []string{name, name + receiptSuffix}},
		"receipt of another": {rel: name, do: func(s *site, e Attempt) {
			must(s.t, os.WriteFile(e.Beside, []byte(`{"id":"8","sha256":"`+e.SHA256+`"}`), 0o644))
		}, left: []string{name, name + receiptSuffix}},
		"receipt no longer one": {rel: name, do: func(s *site, e Attempt) { must(s.t, os.WriteFile(e.Beside, []byte("see mail"), 0o644)) }, left: []string{name, name + receiptSuffix}},
		"a directory instead": {rel: name, do: func(s *site, e Attempt) {
			must(s.t, os.Remove(e.Path))
			must(s.t, os.Mkdir(e.Path, 0o755))
			must(s.t, os.WriteFile(filepath.Join(e.Path, "x"), nil, 0o644))
		}, left: []string{name + "/x", name + receiptSuffix}},
		"other files of that day": {rel: name, do: func(s *site, e Attempt) {
			must(s.t, os.WriteFile(filepath.Join(filepath.Dir(e.Path), "plan.pdf"), []byte("p"), 0o644))
		}, left: []string{"plan.pdf"}, gone: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ { // killed at every point, then repeated twice
				s := setup(t)
				d := s.document("7", tt.rel, "<old>")
				e := attemptOf(d, mustPlace(s, d, callDone))
				tt.do(s, e)
				point := s.until(n, func() { must(t, s.remove(e)) })
				for range 2 {
					gone, err := s.a.Remove(t.Context(), e)
					if err != nil || gone != tt.gone {
						t.Fatalf("after a crash at %q: gone %t, %v; want %t", point, gone, err, tt.gone)
					}
				}
				files := s.tree()
				for _, rel := range tt.left {
					if _, there := files[s.doneDay(filepath.FromSlash(rel))]; !there {
						t.Errorf("after a crash at %q: %s is gone", point, rel)
					}
				}
				if len(files) != len(tt.left) {
					t.Errorf("after a crash at %q there are %q, want %q", point, files, tt.left)
				}
				if _, err := os.Stat(filepath.Join(s.done, localDay)); (err == nil) != (len(tt.left) > 0) {
					t.Errorf("the directory of the day: %v, with %q left", err, tt.left)
				}
				if point == "" {
					break
				}
			}
		})
	}
}

// Companions that stand beside a document go with it.
func TestRemoveCompanions(t *testing.T) {
	s := setup(t)
	d := s.document("7", "put.xml", "<old>")
	s.save("put.xml.note.txt", "a note")
	d.Companions = []string{"put.xml.note.txt"}
	e := attemptOf(d, mustPlace(s, d, callDone))
	e.Tails = []string{".note.txt"}
	must(t, s.remove(e))
	if files := s.tree(); len(files) != 0 {
		t.Errorf("left are %q", files)
	}
}

// Nothing outside done/ is touched, and nothing while the share is away.
func TestRemoveElsewhere(t *testing.T) {
	s := setup(t)
	failed := s.failedAttempt("1", "bad.xml", "<bad>")
	d := s.document("2", "good.xml", "<good>")
	e := attemptOf(d, mustPlace(s, d, callDone))
	before := s.tree()
	for name, change := range map[string]func(e *Attempt){
		"document in failed/": func(e *Attempt) { e.Path = failed.Path },
		"reason in failed/":   func(e *Attempt) { e.Beside = failed.Beside },
		"escapes":             func(e *Attempt) { e.Path = filepath.Join(s.done, "..", "bad.xml") },
		"no path":             func(e *Attempt) { e.Path = "" },
		"done/ itself":        func(e *Attempt) { e.Path, e.Beside = s.done, s.done },
	} {
		other := e
		change(&other)
		if gone, err := s.a.Remove(t.Context(), other); gone || err != nil {
			t.Errorf("%s: gone %t, %v", name, gone, err)
		}
	}
	s.opt.Marker = ".brodaemon-folder" // which is not there
	away, err := New(s.opt)
	must(t, err)
	if gone, err := away.Remove(t.Context(), e); gone || err == nil {
		t.Errorf("without the marker: gone %t, %v", gone, err)
	}
	if now := s.tree(); len(now) != len(before) {
		t.Errorf("there are %q, were %q", now, before)
	}
	for _, odd := range []Attempt{{ID: "../x", SHA256: e.SHA256}, {ID: "1", SHA256: "x"}} {
		if _, err := s.a.Remove(t.Context(), odd); err == nil {
			t.Errorf("%+v is taken", odd)
		}
	}
}
