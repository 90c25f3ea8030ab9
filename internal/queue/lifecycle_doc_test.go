package queue

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func lifecyclePage(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/lifecycle.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}

// section is the text under a heading of the page, up to the next heading of its kind.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/lifecycle.md has no heading %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	text, _, _ := strings.Cut(after, "\n"+level+" ")
	return text
}

func TestLifecycleDiagram(t *testing.T) {
	_, rest, found := strings.Cut(lifecyclePage(t), "```mermaid\nstateDiagram-v2\n")
	diagram, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/lifecycle.md has no mermaid diagram")
	}
	arrow := regexp.MustCompile(`^(\[\*\]|[a-z]+) --> (\[\*\]|[a-z]+)(?:: ([a-z-]+))?$`)
	drawn := map[Edge]bool{}
	ends := map[State]bool{}
	begins := map[State]bool{}
	for line := range strings.Lines(diagram) {
		m := arrow.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil:
			t.Errorf("not an arrow: %q", line)
		case m[1] == "[*]":
			begins[State(m[2])] = true
		case m[2] == "[*]":
			ends[State(m[1])] = true
		default:
			e := Edge{Name: m[3], From: State(m[1]), To: State(m[2])}
			if drawn[e] {
				t.Errorf("%v is drawn twice", e)
			}
			drawn[e] = true
		}
	}
	for _, e := range Edges() {
		if !drawn[e] {
			t.Errorf("%s --> %s: %s happens, but is not drawn", e.From, e.To, e.Name)
		}
		delete(drawn, e)
	}
	for e := range drawn {
		t.Errorf("%s --> %s: %s is drawn, but does not happen", e.From, e.To, e.Name)
	}
	for _, s := range States {
		if ends[s] != s.End() {
			t.Errorf("%s is drawn as an end: %t, want %t", s, ends[s], s.End())
		}
		if want := s == Queued || s == Rejected; begins[s] != want { // what Add makes
			t.Errorf("%s is drawn as a beginning: %t, want %t", s, begins[s], want)
		}
	}
}

// Every state has its prose, in the order of a document's life.
func TestLifecycleStates(t *testing.T) {
	states := section(t, lifecyclePage(t), "## The states")
	var headings []string
	for line := range strings.Lines(states) {
		if name, found := strings.CutPrefix(line, "### "); found {
			headings = append(headings, strings.TrimSpace(name))
		}
	}
	var want []string
	for _, s := range States {
		want = append(want, fmt.Sprintf("`%s`", s))
	}
	if !slices.Equal(headings, want) {
		t.Errorf("the headings are %v, want %v", headings, want)
	}
	for _, s := range States {
		text := section(t, "\n"+states, fmt.Sprintf("### `%s`", s))
		for _, part := range []string{"**Certain:**", "**Next:**", "**A crash**"} {
			if strings.Count(text, part) != 1 {
				t.Errorf("%s: no, or more than one, %s", s, part)
			}
		}
	}
}

// tableRows are the cells of the first table whose first column is called head.
func tableRows(t *testing.T, page, head string) (rows [][]string) {
	t.Helper()
	inside := false
	for line := range strings.Lines(page) {
		if inside && !strings.HasPrefix(line, "|") {
			break
		}
		inside = inside || strings.HasPrefix(line, "| "+head+" |")
		if !inside || strings.HasPrefix(line, "|--") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 2 {
		t.Fatalf("docs/lifecycle.md has no table that begins with %q", head)
	}
	return rows[1:]
}

func TestLifecycleHolds(t *testing.T) {
	var got []string
	for _, row := range tableRows(t, lifecyclePage(t), "hold") {
		got = append(got, strings.Trim(row[0], "`"))
	}
	if want := []string{string(HoldPerson), string(HoldUncertain), string(HoldDuplicate)}; !slices.Equal(got, want) {
		t.Errorf("the holds are %v, want %v", got, want)
	}
}

// The table of what a person can do, row by row, against the transitions of
// the commands; and no situation that can be met is missing in it.
func TestLifecycleCommands(t *testing.T) {
	commands := []Transition{RetryNow(t0, "a person"), HeldBack(t0), Released(t0), CancelledBy(t0, Report{}), NotDelivered(t0)}
	yes := map[bool]string{true: "yes", false: "no"}
	told := map[combo]bool{}
	for _, row := range tableRows(t, lifecyclePage(t), "state") {
		if len(row) != 4+len(commands) {
			t.Fatalf("the row %v has %d cells", row, len(row))
		}
		for state := range strings.FieldsSeq(row[0]) {
			c := combo{state: State(strings.Trim(state, "`")), hold: Hold(strings.Trim(row[1], "`–")), intent: row[2] == "yes", filed: row[3] == "yes"}
			if told[c] {
				t.Errorf("%s is told twice", c)
			}
			told[c] = true
			it := c.item(1)
			for i, tr := range commands {
				_, err := it.With(tr)
				if want := yes[err == nil]; row[4+i] != want {
					t.Errorf("%s: %s is told as %q, but is %q (%v)", c, tr.Name(), row[4+i], want, err)
				}
			}
		}
	}
	for _, c := range combos() {
		if c.canBeMet() && !told[c] {
			t.Errorf("%s is not told", c)
		}
		if !c.canBeMet() && told[c] {
			t.Errorf("%s is told, but can't be met", c)
		}
	}
}

// canBeMet: what the transitions can lead to.
func (c combo) canBeMet() bool {
	switch {
	case c.state.End():
		return c.hold == "" && !c.intent
	case c.filed, c.intent && c.state != Attached:
		return false
	}
	switch c.hold {
	case HoldDuplicate:
		return c.state == Queued
	case HoldUncertain:
		return c.intent
	}
	return true
}

// canBeMet is no guess: it is what all transitions, applied again and again to
// what Add makes, lead to.
func TestWhatCanBeMet(t *testing.T) {
	seen := map[combo]bool{}
	todo := []Item{combo{state: Queued}.item(1), combo{state: Queued, hold: HoldDuplicate}.item(1), combo{state: Rejected}.item(1)}
	for len(todo) > 0 {
		it := todo[0]
		todo = todo[1:]
		c := combo{state: it.State, hold: it.Hold, intent: it.Intent != "", filed: it.Filed != ""}
		// the Worker does nothing with a held duplicate: only people do
		byPeople := []Transition{RetryNow(t0, "p"), HeldBack(t0), Released(t0), CancelledBy(t0, Report{})}
		if seen[c] {
			continue
		}
		seen[c] = true
		var next []Transition
		if c.hold == HoldDuplicate {
			next = byPeople
		} else {
			for _, row := range transitionTable {
				next = append(next, row.t)
			}
		}
		for _, tr := range next {
			if after, err := it.With(tr); err == nil {
				todo = append(todo, after)
			}
		}
	}
	for _, c := range combos() {
		if seen[c] != c.canBeMet() {
			t.Errorf("%s: reached %t, canBeMet %t", c, seen[c], c.canBeMet())
		}
	}
}

func TestLifecycleWords(t *testing.T) {
	text := section(t, lifecyclePage(t), "## The words of the timeline")
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
	var told []string
	for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(first, -1) {
		told = append(told, m[1])
	}
	want := []string{"queued", "restored", "doubted"} // of AddAll, and of making a queue again
	for _, row := range transitionTable {
		want = append(want, row.t.Name())
	}
	slices.Sort(told)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(told, want) {
		t.Errorf("told are %v\nwant %v", told, want)
	}
}
