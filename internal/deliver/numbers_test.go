package deliver

import (
	"fmt"
	"testing"
	"time"
)

func TestNumbersNear(t *testing.T) {
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct {
		name        string
		known       map[int64]int // number → second
		at          int
		first, last string // "" = none
	}{
		{"nothing known", nil, 10, "", ""},
		{"one before", map[int64]int{100: 5}, 10, "0000000101", "0000000125"},
		{"only one after", map[int64]int{100: 20}, 10, "0000000075", "0000000099"},
		{"only a low one after", map[int64]int{3: 20}, 10, "0000000001", "0000000026"},
		{"ours are left out", map[int64]int{100: 5, 102: 12, 103: 13}, 10, "0000000101", "0000000127"},
		{"one that was under way beside it came first", map[int64]int{100: 5, 101: 11}, 10, "0000000102", "0000000126"},
		{"many between: where the time lies", map[int64]int{1000: 0, 2000: 100}, 50, "0000001488", "0000001512"},
		{"many between, right after", map[int64]int{1000: 0, 2000: 100}, 0, "0000001001", "0000001025"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n numbers
			for number, s := range c.known {
				n.add(fmt.Sprintf("%010d", number), at(s))
			}
			ids := n.near(at(c.at))
			if c.first == "" {
				if len(ids) > 0 {
					t.Fatalf("got %v", ids)
				}
				return
			}
			if len(ids) != neighbours || ids[0] != c.first || ids[len(ids)-1] != c.last {
				t.Errorf("got %v, want %s … %s", ids, c.first, c.last)
			}
		})
	}
}

func TestNumbersAreBounded(t *testing.T) {
	var n numbers
	n.add("none", time.Now())
	n.add("-4", time.Now())
	for i := range 10 * remembered {
		n.add(fmt.Sprint(i+1), time.Now())
		n.add(fmt.Sprint(i+1), time.Now())
	}
	if len(n.known) != remembered || n.known[0].n != 9*remembered+1 {
		t.Errorf("%d are kept, from %d on", len(n.known), n.known[0].n)
	}
}
