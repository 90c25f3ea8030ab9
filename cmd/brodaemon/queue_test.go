package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"brodaemon/internal/status"
)

func TestTableFitsTheTerminal(t *testing.T) {
	var b strings.Builder
	printRows(&b, []status.Row{
		{ID: "1", Folder: "zwolle", File: "put één.xml", State: "queued", LastError: strings.Repeat("ë", 300)},
		{ID: "2", Folder: "zwolle", File: "put-2.xml", State: "delivered"},
	})
	whole := b.String()
	if n := strings.Count(whole, "ë"); n < 99 {
		t.Errorf("what is no terminal got %d letters of the reason", n)
	}
	if got := fitted(whole, "WHY", 0); got != whole {
		t.Errorf("without a terminal it was changed:\n%s", got)
	}
	for columns, want := range map[int]int{120: 120, 30: strings.Index(whole, "WHY") + 20} {
		widest := 0
		for line := range strings.Lines(fitted(whole, "WHY", columns)) {
			widest = max(widest, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
		}
		if widest != want {
			t.Errorf("%d columns: the widest line has %d, want %d", columns, widest, want)
		}
	}
	if got := fitted(whole, "WHY", 120); strings.Count(got, "\n") != 3 || !strings.Contains(got, "put-2.xml") {
		t.Errorf("got:\n%s", got)
	}
}
