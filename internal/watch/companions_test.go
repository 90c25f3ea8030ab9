package watch

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// mates notes the companions that are offered by themselves.
type mates struct {
	mu     sync.Mutex
	offers []string
	answer Decision
}

func (m *mates) accept(_ context.Context, document string, a Arrival) Decision {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offers = append(m.offers, document+" < "+a.Rel)
	return m.answer
}

func (m *mates) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.offers
	m.offers = nil
	slices.Sort(got)
	return got
}

func companionBench(t *testing.T) (*bench, *mates) {
	b, m := newBench(t), &mates{answer: Decision{Outcome: Taken}}
	b.opt.AcceptCompanion = m.accept
	return b, m
}

// withCompanions are the arrivals with the names of what went along.
func withCompanions(b *bench) (all []string) {
	for _, a := range b.got() {
		var names []string
		for _, c := range a.Companions {
			names = append(names, c.Rel)
		}
		slices.Sort(names)
		all = append(all, strings.Join(append([]string{a.Rel}, names...), " "))
	}
	return all
}

func TestCompanionsGoAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := companionBench(t)
		b.write("a.xml.note.txt", "note")
		b.write("A.XML.attach.pdf", "pdf")
		b.write("a.xml", "<a/>")
		b.write("b.xml", "<b/>")
		b.write("c.xml.note.txt", "orphan")
		b.start()
		pass(11 * time.Second)
		if got := withCompanions(b); !slices.Equal(got, []string{"a.xml A.XML.attach.pdf a.xml.note.txt", "b.xml"}) {
			t.Errorf("handed over %q", got)
		}
		for _, c := range b.got()[0].Companions {
			f, err := c.Open()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Check(f); err != nil {
				t.Error(err)
			}
			f.Close()
		}
		// each is offered by itself once, and then never again
		pass(time.Hour)
		if got := m.take(); !slices.Equal(got, []string{"a.xml < A.XML.attach.pdf", "a.xml < a.xml.note.txt"}) {
			t.Errorf("offered %q", got)
		}
		state := b.f.State()
		if state.WaitingCount != 0 || state.IgnoredCount != 1 || state.Ignored[0].Why != WhyOrphan {
			t.Errorf("state is %+v", state)
		}
	})
}

func TestCompanionThatSettlesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := companionBench(t)
		m.answer = Decision{Outcome: Retry, Reason: "not yet"}
		b.write("a.xml", "<a/>")
		b.start()
		pass(8 * time.Second)
		b.write("a.xml.note.txt", "note")
		pass(4 * time.Second)
		if got := withCompanions(b); !slices.Equal(got, []string{"a.xml"}) {
			t.Errorf("handed over %q: a companion that has not settled does not go along, nor keep its document", got)
		}
		pass(25 * time.Second)
		if got := m.take(); len(got) == 0 || got[0] != "a.xml < a.xml.note.txt" {
			t.Errorf("offered %q", got)
		}
		// asked again at each scan until there is an answer for good, whose reason is shown
		pass(35 * time.Second)
		if got := m.take(); len(got) == 0 {
			t.Error("not offered again")
		}
		m.mu.Lock()
		m.answer = Decision{Outcome: NotYet, Reason: "too late"}
		m.mu.Unlock()
		pass(time.Minute)
		m.take()
		pass(time.Hour)
		if got := m.take(); len(got) != 0 {
			t.Errorf("offered again: %q", got)
		}
		if state := b.f.State(); state.WaitingCount != 1 || state.Waiting[0].Reason != "too late" {
			t.Errorf("state is %+v", state)
		}
		// a changed one is another
		b.write("a.xml.note.txt", "another note")
		pass(time.Minute)
		if got := m.take(); len(got) != 1 {
			t.Errorf("changed: offered %q", got)
		}
		// gone, it is forgotten
		b.remove("a.xml.note.txt")
		pass(time.Minute)
		if state := b.f.State(); state.WaitingCount != 0 {
			t.Errorf("state is %+v", state)
		}
	})
}

// Where upper and lower case differ, a companion goes with the document of its very name, and with one only.
func TestCompanionOfTheVeryName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := companionBench(t)
		b.write("A.xml", "<a/>")
		b.write("a.xml", "<b/>")
		if len(b.entries()) != 2 {
			t.Skip("SKIPPED: this file system does not tell upper and lower case apart")
		}
		b.write("a.xml.note.txt", "note")
		b.start()
		pass(time.Minute)
		got := withCompanions(b)
		slices.Sort(got)
		if !slices.Equal(got, []string{"A.xml", "a.xml a.xml.note.txt"}) {
			t.Errorf("handed over %q", got)
		}
		if got := m.take(); !slices.Equal(got, []string{"a.xml < a.xml.note.txt"}) {
			t.Errorf("offered %q", got)
		}
	})
}

func (b *bench) entries() []os.DirEntry {
	list, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}
