package event

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The numbers are in people's monitoring: this list may grow, and nothing in it may change.
func TestNumbersNeverChange(t *testing.T) {
	want := "100 started 101 stopped 102 configuration-wrong 103 not-started 104 failed 105 crashed 106 reloaded 107 not-reloaded " +
		"200 folder-offline 201 folder-online 300 portal-down 301 portal-up 310 token-paused 311 token-works " +
		"400 held 401 none-held 410 filing-failed 411 filing-works 420 delivery-slow 421 deliveries-go 430 spool-strays 431 no-spool-strays " +
		"440 folder-not-configured 441 folder-configured 500 disk-full 501 disk-room 900 condition 901 condition-over"
	var got []string
	last := 0
	for _, e := range All {
		got = append(got, fmt.Sprintf("%d %s", e.ID, e.Name))
		if e.ID <= last || e.ID > 1000 { // the system's message file knows 1 to 1000
			t.Errorf("%d is out of order, doubled, or above 1000", e.ID)
		}
		last = e.ID
	}
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestPairsBeginBadlyAndEndWell(t *testing.T) {
	for code := range pairs {
		began, ended := OfCondition(code)
		if began.Level == Info || ended.Level != Info || ended.ID != began.ID+1 {
			t.Errorf("%s: %+v, %+v", code, began, ended)
		}
	}
	if began, _ := OfCondition("no such code"); began.ID != 900 {
		t.Errorf("an unknown condition is %d", began.ID)
	}
}

// docs/operation.md has one line per event, with what it means and what to do.
func TestDocumented(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	level := map[Level]string{Info: "information", Warning: "warning", Error: "error"}
	for _, e := range All {
		do := e.Do
		if do == "" {
			do = "nothing"
		}
		if row := fmt.Sprintf("| %d | %s | %s | %s | %s |", e.ID, e.Name, level[e.Level], e.Means, do); !strings.Contains(string(data), row+"\n") {
			t.Errorf("docs/operation.md lacks this line:\n%s", row)
		}
	}
}
