package doctor

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// language chooses between the two texts of each key.
type language int

const (
	dutch language = iota
	english
)

// languageOf is Dutch if the name is not known, as the configuration's default is.
func languageOf(name string) language {
	if name == "en" {
		return english
	}
	return dutch
}

// text is a sentence of ours; args go in by their numbers (%[1]v), and not all
// of them need to be used.
func (l language) text(key string, args ...any) string {
	pair, ok := texts[key]
	if !ok {
		return key
	}
	if !strings.Contains(pair[l], "%") {
		return pair[l]
	}
	return fmt.Sprintf(pair[l], args...)
}

// direction says which of two clocks is ahead.
func (l language) direction(skew time.Duration) string {
	if skew > 0 {
		return l.text("clock.ahead")
	}
	return l.text("clock.behind")
}

// Words are what the printing of a report needs.
type Words struct{ OK, Note, Wrong, AllWell, Faults, Offline string }

// WordsOf gives them in a language; Faults takes a number.
func WordsOf(name string) Words {
	l := languageOf(name)
	return Words{l.text("word.ok"), l.text("word.note"), l.text("word.wrong"), l.text("word.all-well"), texts["word.faults"][l], l.text("word.not-asked")}
}

// line makes a text from outside fit for one line of a terminal.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// sizeOf is a number of bytes for people.
func sizeOf(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}
