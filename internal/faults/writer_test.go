package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

// TestWriters saves documents in every odd way at once. Each must be delivered
// as a whole, once, and none may be called faulty on the way.
func TestWriters(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f")
	s.start()
	const chunk = 40 * time.Millisecond
	writers := map[string]func(t *testing.T, at string, data []byte){
		// longer than settle, with pauses below it
		"chunks": func(t *testing.T, at string, data []byte) {
			f := create(t, at)
			inChunks(t, f, data, chunk)
			mustDo(t, f.Close())
		},
		// pauses above settle: the file looks at rest, but is cut off
		"long pauses": func(t *testing.T, at string, data []byte) {
			f := create(t, at)
			for i, part := range thirds(data) {
				if i > 0 {
					time.Sleep(time.Second) // the writer's own pace
				}
				_, err := f.Write(part)
				mustDo(t, err)
			}
			mustDo(t, f.Close())
		},
		// opened and closed for each part
		"reopened": func(t *testing.T, at string, data []byte) {
			for i, part := range thirds(data) {
				if i > 0 {
					time.Sleep(time.Second) // the writer's own pace
				}
				f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
				mustDo(t, err)
				_, err = f.Write(part)
				mustDo(t, err)
				mustDo(t, f.Close())
			}
		},
		// the whole length first, as zeros; filled front to back, with the old time kept
		"preallocated": func(t *testing.T, at string, data []byte) {
			f := create(t, at)
			mustDo(t, f.Truncate(int64(len(data))))
			fill(t, f, at, data, []int{0, 1, 2})
			mustDo(t, f.Close())
		},
		"preallocated, filled back to front, closed between": func(t *testing.T, at string, data []byte) {
			mustDo(t, os.WriteFile(at, make([]byte, len(data)), 0o644))
			f, err := os.OpenFile(at, os.O_WRONLY, 0)
			mustDo(t, err)
			fill(t, f, at, data, []int{2, 1, 0})
			mustDo(t, f.Close())
		},
		"preserved time stamps": func(t *testing.T, at string, data []byte) {
			mustDo(t, os.WriteFile(at, data, 0o644))
			mustDo(t, os.Chtimes(at, time.Time{}, time.Date(1998, 4, 1, 12, 0, 0, 0, time.UTC)))
		},
		"a clock that is days ahead": func(t *testing.T, at string, data []byte) {
			mustDo(t, os.WriteFile(at, data, 0o644))
			mustDo(t, os.Chtimes(at, time.Time{}, time.Now().Add(72*time.Hour)))
		},
		"a clock that is days behind": func(t *testing.T, at string, data []byte) {
			mustDo(t, os.WriteFile(at, data, 0o644))
			mustDo(t, os.Chtimes(at, time.Time{}, time.Now().Add(-72*time.Hour)))
		},
		"a temporary name first": func(t *testing.T, at string, data []byte) {
			temporary := at + ".tmp"
			f := create(t, temporary)
			inChunks(t, f, data, chunk)
			mustDo(t, f.Close())
			mustDo(t, os.Rename(temporary, at))
		},
		"a temporary name of the document's own kind": func(t *testing.T, at string, data []byte) {
			temporary := filepath.Join(filepath.Dir(at), "~"+filepath.Base(at))
			f := create(t, temporary)
			inChunks(t, f, data, chunk)
			mustDo(t, f.Close())
			mustDo(t, os.Rename(temporary, at))
		},
		// on a local disk a lease tells that a program has it open for writing
		"whole, but kept open": func(t *testing.T, at string, data []byte) {
			f := create(t, at)
			_, err := f.Write(data)
			mustDo(t, err)
			time.Sleep(2 * time.Second) // the writer's own pace
			mustDo(t, f.Close())
		},
		"renamed while it settles": func(t *testing.T, at string, data []byte) {
			before := filepath.Join(filepath.Dir(at), "before-"+filepath.Base(at))
			mustDo(t, os.WriteFile(before, data, 0o644))
			time.Sleep(200 * time.Millisecond) // less than settle
			mustDo(t, os.Rename(before, at))
		},
		"upper and lower case": func(t *testing.T, at string, data []byte) {
			mustDo(t, os.WriteFile(at, data, 0o644))
			time.Sleep(200 * time.Millisecond) // less than settle
			mustDo(t, os.Rename(at, filepath.Join(filepath.Dir(at), "CASE.XML")))
		},
	}
	i := 0
	var all [][]byte
	t.Run("write", func(t *testing.T) {
		for name, write := range writers {
			i++
			at, data := s.path("f", fmt.Sprintf("w%d.xml", i)), s.newDocument(name, 200_000)
			all = append(all, data)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				write(t, at, data)
			})
		}
	})
	s.filed(s.path("f", "done"), all...)
	s.settled()
	if failed := s.hashes(s.path("f", "failed")); len(failed) != 0 {
		t.Errorf("in failed/: %v", failed)
	}
	items, err := s.d.Items(queue.Filter{})
	if err != nil || len(items) != len(all) {
		t.Errorf("%d items for %d documents, %v", len(items), len(all), err)
	}
}

func create(t *testing.T, at string) *os.File {
	t.Helper()
	f, err := os.Create(at)
	mustDo(t, err)
	return f
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func thirds(data []byte) [][]byte {
	n := len(data) / 3
	return [][]byte{data[:n], data[n : 2*n], data[2*n:]}
}

// inChunks writes for about a second and a half.
func inChunks(t *testing.T, f *os.File, data []byte, pause time.Duration) {
	t.Helper()
	for size := len(data)/36 + 1; len(data) > 0; {
		n := min(size, len(data))
		_, err := f.Write(data[:n])
		mustDo(t, err)
		data = data[n:]
		time.Sleep(pause) // the writer's own pace
	}
}

// fill writes the thirds of data in that order, with a second between them, and
// sets the file's time back after each, so that size and time stay the same.
func fill(t *testing.T, f *os.File, at string, data []byte, order []int) {
	t.Helper()
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	mustDo(t, os.Chtimes(at, time.Time{}, old))
	parts := thirds(data)
	for _, i := range order {
		time.Sleep(time.Second) // the writer's own pace
		_, err := f.WriteAt(parts[i], int64(i*len(parts[0])))
		mustDo(t, err)
		mustDo(t, os.Chtimes(at, time.Time{}, old))
	}
}

// TestSavedAgainAtOnce: the same name is saved over and over, now with a pause
// longer than settle, now without. Whatever version is delivered is a whole one,
// none twice, and the last one is among them.
func TestSavedAgainAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "f")
	s.start()
	at := s.path("f", "again.xml")
	var all [][]byte
	for i := range 24 {
		data := s.newDocument(fmt.Sprint("version ", i), 20_000)
		all = append(all, data)
		switch i % 3 {
		case 0: // in place
			mustDo(t, os.WriteFile(at, data, 0o644))
		case 1: // in its place
			mustDo(t, os.WriteFile(at+".tmp", data, 0o644))
			mustDo(t, os.Rename(at+".tmp", at))
		case 2: // in pieces
			f := create(t, at)
			for _, part := range thirds(data) {
				_, err := f.Write(part)
				mustDo(t, err)
				time.Sleep(20 * time.Millisecond) // the writer's own pace
			}
			mustDo(t, f.Close())
		}
		time.Sleep(time.Duration(i%5) * 150 * time.Millisecond) // the writer's own pace
	}
	s.filed(s.path("f", "done"), all[len(all)-1])
	s.settled()
	sent := 0
	for _, data := range all {
		n := s.portal.Submissions(hashOf(data))
		if n > 1 {
			t.Errorf("a version was submitted %d times", n)
		}
		sent += n
	}
	if have := len(s.hashes(s.path("f", "done"))); have != sent {
		t.Errorf("%d versions were submitted, %d lie in done/", sent, have)
	}
	t.Logf("%d of %d versions were delivered", sent, len(all))
}

// TestTamperedWhileUnderWay: at each stage of its life the file is rewritten,
// renamed, deleted or made unreadable. What was taken is delivered, as it was
// taken; a changed file is a new document.
func TestTamperedWhileUnderWay(t *testing.T) {
	t.Parallel()
	stages := []queue.State{queue.Queued, queue.Submitted}
	acts := map[string]func(t *testing.T, s *site, at string) (again []byte){
		"rewritten": func(t *testing.T, s *site, at string) []byte {
			data := s.newDocument("rewritten", 5000)
			mustDo(t, os.WriteFile(at, data, 0o644))
			return data
		},
		"rewritten with the same size and time": func(t *testing.T, s *site, at string) []byte {
			was, err := os.ReadFile(at)
			mustDo(t, err)
			info, err := os.Stat(at)
			mustDo(t, err)
			data := bytes.Replace(was, []byte("<depth>1</depth>"), []byte("<depth>2</depth>"), 1)
			s.isWhole("rewritten", data)
			mustDo(t, os.WriteFile(at+".tmp", data, 0o644))
			mustDo(t, os.Chtimes(at+".tmp", time.Time{}, info.ModTime()))
			mustDo(t, os.Rename(at+".tmp", at))
			return nil // the same object: it is held or refused as a duplicate, not delivered
		},
		"renamed": func(t *testing.T, _ *site, at string) []byte {
			mustDo(t, os.Rename(at, at[:len(at)-4]+"-renamed.xml"))
			return nil
		},
		"deleted":         func(t *testing.T, _ *site, at string) []byte { mustDo(t, os.Remove(at)); return nil },
		"made unreadable": func(t *testing.T, _ *site, at string) []byte { mustDo(t, os.Chmod(at, 0)); return nil },
		"cut to nothing":  func(t *testing.T, _ *site, at string) []byte { mustDo(t, os.Truncate(at, 0)); return nil },
		"made a folder": func(t *testing.T, _ *site, at string) []byte {
			mustDo(t, os.Remove(at))
			mustDo(t, os.Mkdir(at, 0o755))
			return nil
		},
	}
	for _, stage := range stages {
		for name, act := range acts {
			t.Run(fmt.Sprintf("%s when %s", name, stage), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, "f")
				release := s.holdAt(stage)
				s.start()
				data := s.newDocument("first", 5000)
				at := s.path("f", "put.xml")
				mustDo(t, os.WriteFile(at, data, 0o644))
				s.eventually("it is "+string(stage), func() bool {
					items, _ := s.d.Items(queue.Filter{State: stage})
					return len(items) == 1
				})
				again := act(t, s, at)
				release()
				s.filed(s.path("f", "done"), data)
				if again != nil {
					s.filed(s.path("f", "done"), again)
				}
			})
		}
	}
}

// holdAt keeps documents from getting past a state until release.
func (s *site) holdAt(stage queue.State) (release func()) {
	s.Helper()
	if stage == queue.Queued {
		remove := s.portal.Inject(sandbox.Fault{Op: sandbox.OpValidate, Kind: sandbox.Refuse, Times: -1})
		return func() { remove(); s.retryAll() }
	}
	s.portal.Change(func(w *sandbox.Switches) { w.HoldBefore = "VASTSTELLEN" })
	return func() {
		s.portal.Change(func(w *sandbox.Switches) { w.HoldBefore = "" })
		for _, d := range s.portal.Deliveries() {
			s.portal.Approve(d.Identifier)
		}
	}
}

func (s *site) retryAll() {
	s.Helper()
	_, err := s.d.Worker().RetryAll("", "")
	s.must(err)
}
