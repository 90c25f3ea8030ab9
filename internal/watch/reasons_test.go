package watch

import (
	"strings"
	"testing"
)

// Every error number that is explained says what it means and what to check.
func TestEveryErrorNumberIsExplained(t *testing.T) {
	for errno, e := range errnoTexts {
		_, text, words := explain(errno)
		if advices[e.advice] == "" || !strings.HasPrefix(text, advices[e.advice]) || words[0] != string(e.advice) {
			t.Errorf("%d (%v): %q, %q", int(errno), errno, text, words)
		}
	}
}
