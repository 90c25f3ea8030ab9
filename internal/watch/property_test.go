package watch

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// version is one content under one name.
type version struct{ rel, content string }

// office is the model: what people did in the folder, and what was handed over.
type office struct {
	rt      *rapid.T
	b       *bench
	src     *fakeSource
	files   map[string]string // what lies there
	placed  map[version]int   // how often a version was put there
	written int

	mu    sync.Mutex
	taken map[version]int
	last  map[string]string // the version taken last, by name
}

// TestAnyInterleavingEndsWithEachFileTakenOnce saves, grows, renames and removes files in any order and at any pace, beside a folder that is
// scanned by interval, by events and on request. In the end each file that lies there was taken, in its final version, and no version was
// taken more often than it was put there.
//
// -rapid.checks=N tries more of them than the usual few.
func TestAnyInterleavingEndsWithEachFileTakenOnce(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("40"); err != nil {
			t.Fatal(err)
		}
		defer checks.Value.Set(checks.DefValue)
	}
	synctest.Test(t, func(t *testing.T) {
		noDeadline := struct{ testing.TB }{t} // rapid asks a *testing.T for its deadline, which is forbidden in a bubble
		rapid.Check(noDeadline, func(rt *rapid.T) {
			o := &office{rt: rt, b: newBench(t), src: newFakeSource(), files: map[string]string{}, placed: map[version]int{},
				taken: map[version]int{}, last: map[string]string{}}
			if rapid.Bool().Draw(rt, "events") {
				o.b.withSource(o.src)
			}
			o.b.opt.Accept = o.accept
			o.b.start()
			defer o.b.stop()
			rt.Repeat(map[string]func(*rapid.T){
				"save": o.save, "save again": o.save, "grow": o.grow, "rename": o.rename, "remove": o.remove,
				"wait": o.wait, "wait longer": o.wait, "scan soon": func(*rapid.T) { o.b.f.ScanSoon() }, "event": func(*rapid.T) { o.event() },
			})
			pass(2 * time.Minute)
			o.check()
		})
	})
}

func (o *office) accept(_ context.Context, a Arrival) Decision {
	f, err := a.Open()
	if err != nil {
		return Decision{Outcome: Retry, Reason: err.Error()}
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err == nil {
		err = a.Check(f)
	}
	if err != nil {
		return Decision{Outcome: Retry, Reason: err.Error()}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken[version{a.Rel, string(data)}]++
	o.last[a.Rel] = string(data)
	return Decision{Outcome: Taken}
}

func name(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"a.xml", "B.XML", "c.xml", "c.xml.tmp", "~$d.xml"}).Draw(rt, "name")
}

func (o *office) put(rel, content string) {
	o.files[rel] = content
	o.placed[version{rel, content}]++
}

// save writes a new version. Every version has a size of its own, for a size and a time that both stay the same cannot be told apart.
func (o *office) save(rt *rapid.T) {
	rel := name(rt)
	o.written++
	content := strings.Repeat("x", 100*o.written)
	o.b.write(rel, content)
	if rapid.Bool().Draw(rt, "old time") {
		o.b.chtime(rel, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	o.put(rel, content)
}

func (o *office) grow(rt *rapid.T) {
	rel := name(rt)
	if _, there := o.files[rel]; !there {
		return
	}
	o.b.append(rel, "y")
	o.put(rel, o.files[rel]+"y")
}

func (o *office) rename(rt *rapid.T) {
	from, to := name(rt), name(rt)
	content, there := o.files[from]
	if !there || from == to {
		return
	}
	o.b.rename(from, to)
	delete(o.files, from)
	o.put(to, content)
}

func (o *office) remove(rt *rapid.T) {
	rel := name(rt)
	o.b.remove(rel)
	delete(o.files, rel)
	if rapid.Bool().Draw(rt, "forget") {
		o.b.f.Forget(rel)
	}
}

func (o *office) wait(rt *rapid.T) {
	pass(time.Duration(rapid.IntRange(1, 40_000).Draw(rt, "ms")) * time.Millisecond)
}

func (o *office) event() {
	if len(o.src.WatchList()) > 0 {
		o.src.event()
	}
}

func (o *office) check() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for rel, content := range o.files {
		if classify(rel, []string{"*.xml"}) != documentName {
			continue
		}
		if n := o.taken[version{rel, content}]; n == 0 || o.last[rel] != content {
			o.rt.Errorf("%s with %d bytes lies there but was taken %d times; last taken: %d bytes", rel, len(content), n, len(o.last[rel]))
		}
	}
	for v, n := range o.taken {
		if n > o.placed[v] {
			o.rt.Errorf("%s with %d bytes was put there %d times and taken %d times", v.rel, len(v.content), o.placed[v], n)
		}
		if classify(v.rel, []string{"*.xml"}) != documentName {
			o.rt.Errorf("%s was taken", v.rel)
		}
	}
	entries, err := os.ReadDir(o.b.dir)
	if err != nil || len(entries) != len(o.files)+1 {
		o.rt.Errorf("%d entries in the folder, want %d and the marker (%v)", len(entries), len(o.files), err)
	}
	if s := o.b.f.State(); !s.Online || s.SettlingCount != 0 || s.WaitingCount != 0 {
		o.rt.Errorf("state at the end: %s", fmt.Sprintf("%+v", s))
	}
}
