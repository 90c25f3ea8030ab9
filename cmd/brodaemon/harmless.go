package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// harmless writes log lines to w with everything spelled out that a terminal
// would obey and the encoder lets pass: file names come from others, and may hold
// marks that turn the direction of writing. Each Write is one whole line, as zap
// makes it.
type harmless struct{ w io.Writer }

func (h harmless) Write(line []byte) (int, error) {
	text := string(line)
	if strings.IndexFunc(text, acts) < 0 {
		return h.w.Write(line)
	}
	var b strings.Builder
	for _, r := range text {
		if acts(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	if _, err := io.WriteString(h.w, b.String()); err != nil {
		return 0, err
	}
	return len(line), nil
}

// acts reports whether a character does something instead of being seen.
func acts(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && !unicode.IsPrint(r) }
