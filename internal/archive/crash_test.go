package archive

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// killed is what the tests throw at a crash point. The code under test cleans
// nothing up in deferred calls, so this leaves on disk what a kill would.
type killed string

// until runs do and stops it at the n-th crash point (from 0). It returns that
// point, or "" if do got to its end before.
func (s *site) until(n int, do func()) (point string) {
	s.t.Helper()
	seen := 0
	s.a.opt.Crash = func(p string) {
		if !slices.Contains(CrashPoints, p) {
			s.t.Errorf("point %q is not in CrashPoints", p)
		}
		crashesSeen.Store(p, true)
		s.met[p] = true
		if seen == n {
			panic(killed(p))
		}
		seen++
	}
	defer func() {
		s.a.opt.Crash = nil
		if k, ok := recover().(killed); ok {
			point = string(k)
		}
	}()
	do()
	return ""
}

var crashesSeen sync.Map // of all scenarios

// scenario is a folder in some state, and a document to be filed from it.
type scenario struct {
	options func(o *Options)
	prepare func(s *site) Document
	call    func(s *site, d Document) (Placed, error)
	left    Left     // what the call that files it says of the original
	keep    []string // contents that must be there exactly once afterwards, beside the document's
}

func callDone(s *site, d Document) (Placed, error) {
	return s.a.Done(s.t.Context(), d, Receipt{Outcome: OutcomeDelivered}, settled)
}

func callFail(s *site, d Document) (Placed, error) {
	return s.a.Fail(s.t.Context(), d, Reason{Code: RefusedByPortal}, settled)
}

// onOtherVolume makes done/ and failed/ a volume of their own.
func onOtherVolume(s *site) {
	rename := s.a.sys.rename
	outside := func(p string) bool { return below(p, s.done) || below(p, s.failed) }
	s.a.sys.rename = func(from, to string) error {
		if outside(from) != outside(to) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: sysOtherVolume}
		}
		return rename(from, to)
	}
}

// withoutNoReplace is a file system that can only rename over what is there.
func withoutNoReplace(s *site) {
	s.a.sys.rename = func(string, string) error { return errors.ErrUnsupported }
}

var scenarios = map[string]scenario{
	"done": {
		prepare: func(s *site) Document { return s.document("5", "put.xml", "<document>") },
	},
	"failed": {
		prepare: func(s *site) Document { return s.document("5", "sub/put.xml", "<document>") },
		call:    callFail,
	},
	"original gone": {
		prepare: func(s *site) Document { return document("5", "put.xml", "<document>") },
		left:    LeftGone,
	},
	"original replaced, seen at once": {
		prepare: func(s *site) Document {
			s.save("put.xml", "<corrected document>")
			return document("5", "put.xml", "<document>")
		},
		left: LeftChanged,
		keep: []string{"<corrected document>"},
	},
	"original replaced, seen after the move": {
		prepare: func(s *site) Document {
			s.save("put.xml", "<Document>") // the same size and time
			return document("5", "put.xml", "<document>")
		},
		left: LeftChanged,
		keep: []string{"<Document>"},
	},
	"name taken": {
		prepare: func(s *site) Document {
			s.save("done/"+localDay+"/put.xml", "older")
			return s.document("5", "put.xml", "<document>")
		},
		keep: []string{"older"},
	},
	"first two names and a counter taken": {
		prepare: func(s *site) Document {
			for i, tag := range []string{"", "__" + sha("<document>")[:8], "__" + sha("<document>")[:8] + "-2"} {
				s.save("failed/put"+tag+".xml", fmt.Sprint("older ", i))
			}
			return s.document("5", "put.xml", "<document>")
		},
		call: callFail,
		keep: []string{"older 0", "older 1", "older 2"},
	},
	"with companions": {
		prepare: func(s *site) Document {
			s.save("put.xml.note.txt", "a note")
			s.save("put.xml.attach.pdf", "a report")
			d := s.document("5", "put.xml", "<document>")
			d.Companions = []string{"put.xml.note.txt", "put.xml.attach.pdf"}
			return d
		},
		keep: []string{"a note", "a report"},
	},
	"other volume": {
		options: func(o *Options) { o.DoneDir = filepath.Join(filepath.Dir(o.Path), "elsewhere") },
		prepare: func(s *site) Document {
			onOtherVolume(s)
			return s.document("5", "put.xml", "<document>")
		},
	},
	"other volume, original replaced": {
		options: func(o *Options) { o.DoneDir = filepath.Join(filepath.Dir(o.Path), "elsewhere") },
		prepare: func(s *site) Document {
			onOtherVolume(s)
			s.save("put.xml", "<Document>")
			return document("5", "put.xml", "<document>")
		},
		left: LeftChanged,
		keep: []string{"<Document>"},
	},
	"renaming replaces": {
		prepare: func(s *site) Document {
			withoutNoReplace(s)
			s.save("done/"+localDay+"/put.xml", "older")
			return s.document("5", "put.xml", "<document>")
		},
		keep: []string{"older"},
	},
	"renaming replaces, original replaced": {
		prepare: func(s *site) Document {
			withoutNoReplace(s)
			s.save("put.xml", "<Document>")
			return document("5", "put.xml", "<document>")
		},
		left: LeftChanged,
		keep: []string{"<Document>"},
	},
}

// TestCrashAndRepeat kills a filing at every point, kills the repeated call at
// every point as well, and then lets it end. A last repetition changes nothing.
func TestCrashAndRepeat(t *testing.T) {
	for name, sc := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for first := 0; ; first++ {
				var point string
				for second := 0; ; second++ {
					var again string
					point, again = sc.crashTwice(t, first, second)
					if t.Failed() {
						t.Fatalf("after crashes at %q and %q", point, again)
					}
					if again == "" {
						break
					}
				}
				if point == "" {
					break
				}
			}
		})
	}
}

func (sc scenario) crashTwice(t *testing.T, first, second int) (point, again string) {
	t.Helper()
	call := sc.call
	if call == nil {
		call = callDone
	}
	s := setup(t, func(o *Options) {
		if sc.options != nil {
			sc.options(o)
		}
	})
	d := sc.prepare(s)
	point = s.until(first, func() { mustPlace(s, d, call) })
	again = s.until(second, func() { mustPlace(s, d, call) })

	placed := mustPlace(s, d, call)
	s.check(d, placed)
	files := s.tree()
	// Two files each: the document and its receipt. Nothing else may have come or gone.
	if want := 2 + len(sc.keep); len(files) != want {
		t.Errorf("%d files, want %d: %q", len(files), want, slices.Sorted(maps.Keys(files)))
	}
	for _, content := range append(sc.keep, "<document>") {
		if n := count(files, content); n != 1 {
			t.Errorf("%q is there %d times: %q", content, n, files)
		}
	}

	// A call that finds all done, or the original removed by an earlier one, can't know better.
	if placed.SourceLeft != sc.left && placed.SourceLeft != "" && !s.met["archive.original-removed"] {
		t.Errorf("original left because %q, want %q", placed.SourceLeft, sc.left)
	}

	if last := mustPlace(s, d, call); last.Path != placed.Path || last.Beside != placed.Beside {
		t.Errorf("repeated after it was done: %+v, want %+v", last, placed)
	}
	if now := s.tree(); !maps.Equal(now, files) {
		t.Errorf("a repeated call changed the folder: %q, was %q", now, files)
	}
	return point, again
}

func mustPlace(s *site, d Document, call func(*site, Document) (Placed, error)) Placed {
	s.t.Helper()
	placed, err := call(s, d)
	must(s.t, err)
	return placed
}

// TestCrashPointsAreAllMet keeps the list honest. It runs the scenarios once more.
func TestCrashPointsAreAllMet(t *testing.T) {
	for _, sc := range scenarios {
		sc.crashTwice(t, 1000, 1000)
	}
	s := setup(t)
	e := s.failedAttempt("1", "put.xml", "<old>")
	s.until(1000, func() { must(t, s.a.Settle(t.Context(), e)) })
	d := s.document("7", "done.xml", "<done>")
	placed := mustPlace(s, d, callDone)
	s.until(1000, func() { must(t, s.a.Amend(t.Context(), d, placed.Beside, confirm)) })
	old := s.old(d, placed, new(int))
	s.write(placed.Path+".note.txt", "a note")
	old.Companions = []OldCompanion{{".note.txt", sha("a note")}}
	s.until(1000, func() { _, err := s.a.Remove(t.Context(), old); must(t, err) })
	for _, point := range CrashPoints {
		if _, ok := crashesSeen.Load(point); !ok {
			t.Errorf("%s was never met", point)
		}
	}
}

// TestCrashBetweenTheTwoHalvesOfALink: where renaming is linking and unlinking,
// a file may be left with both names.
func TestCrashBetweenTheTwoHalvesOfALink(t *testing.T) {
	for _, n := range []int{0, 1, 2} { // the receipt, the original, the document: which one is left with two names
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := setup(t)
			d := s.document("5", "put.xml", "<document>")
			calls := 0
			s.a.sys.rename = func(from, to string) error {
				calls++
				if calls == n+1 {
					must(t, os.Link(from, to))
					panic(killed("between"))
				}
				return renameNoReplace(from, to)
			}
			if s.until(1000, func() { mustPlace(s, d, callDone) }) != "between" {
				t.Fatal("the link was not cut short")
			}
			placed := mustPlace(s, d, callDone)
			s.check(d, placed)
			if files := s.tree(); len(files) != 2 {
				t.Errorf("files: %q", slices.Sorted(maps.Keys(files)))
			}
		})
	}
}

// TestDroppedAgainBeforeTheRepeat: the filing was finished but not yet known to
// be; meanwhile a person saves the same file again. That one is a new arrival.
func TestDroppedAgainBeforeTheRepeat(t *testing.T) {
	s := setup(t)
	d := s.document("5", "put.xml", "<document>")
	first := mustPlace(s, d, callDone)
	s.save("put.xml", "<document>")
	second := mustPlace(s, d, callDone)
	s.check(d, second)
	if second.Path != first.Path {
		t.Errorf("filed twice: %s and %s", first.Path, second.Path)
	}
	if got := s.tree()[filepath.Join(s.path, "put.xml")]; got != "<document>" {
		t.Error("the file saved again is not in the folder any more")
	}
}

// TestDocumentTakenAwayBeforeTheRepeat: the receipt must not stand alone.
func TestDocumentTakenAwayBeforeTheRepeat(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"removed": func(t *testing.T, file string) { must(t, os.Remove(file)) },
		"changed": func(t *testing.T, file string) { must(t, os.WriteFile(file, []byte("edited"), 0o644)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			d := s.document("5", "put.xml", "<document>")
			first := mustPlace(s, d, callDone)
			change(t, first.Path)
			before := count(s.tree(), "edited")
			second := mustPlace(s, d, callDone)
			s.check(d, second)
			if after := count(s.tree(), "edited"); after != before {
				t.Errorf("the edited file is there %d times, was %d", after, before)
			}
		})
	}
}

// TestOtherQueue: after a lost queue numbers begin anew. The same number with
// other bytes is another document.
func TestOtherQueue(t *testing.T) {
	s := setup(t)
	one := s.document("1", "put.xml", "<one>")
	p1 := mustPlace(s, one, callFail)
	two := s.document("1", "put.xml", "<two>")
	p2 := mustPlace(s, two, callFail)
	s.check(one, p1)
	s.check(two, p2)
	if p1.Path == p2.Path {
		t.Errorf("both are %s", p1.Path)
	}
}

// TestForeignReceipts: what looks like a receipt and is not ours is left alone.
func TestForeignReceipts(t *testing.T) {
	d := document("5", "put.xml", "<document>")
	for name, text := range map[string]string{
		"empty":              "",
		"not JSON":           "{",
		"another document's": `{"id":"6","sha256":"` + d.SHA256 + `"}`,
		"other bytes":        `{"id":"5","sha256":"` + sha("x") + `"}`,
		"a list":             `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			s.save("put.xml", "<document>")
			s.save("done/"+localDay+"/put.xml.receipt.json", text)
			placed := mustPlace(s, d, callDone)
			s.check(d, placed)
			if placed.Beside == s.doneDay("put.xml.receipt.json") {
				t.Error("the other receipt was taken for our own")
			}
			if got := s.tree()[s.doneDay("put.xml.receipt.json")]; got != text {
				t.Errorf("the other receipt is now %q", got)
			}
		})
	}
}

// TestReasonIsKnownInBothLanguages: the language may be changed between two calls.
func TestReasonIsKnownInBothLanguages(t *testing.T) {
	s := setup(t)
	d := s.document("5", "put.xml", "<document>")
	first := mustPlace(s, d, callFail)
	s.a.opt.Language = "en"
	second := mustPlace(s, d, callFail)
	s.check(d, second)
	if first.Path != second.Path || first.Beside != second.Beside {
		t.Errorf("filed twice: %+v and %+v", first, second)
	}
	text, err := os.ReadFile(first.Beside)
	must(t, err)
	if !strings.Contains(string(text), dutch.happened) {
		t.Error("the reason was written again")
	}
}
