package main

import (
	"bytes"
	"testing"
)

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"put-17.xml é €\n":              "put-17.xml é €\n",
		"right\u202eleft\n":             `right\u202eleft` + "\n",
		"\x1b[31m\x9b2J\u200b\tend\r\n": `\u001b[31m` + "\ufffd" + `2J\u200b` + "\tend\r\n",
	} {
		var b bytes.Buffer
		n, err := harmless{&b}.Write([]byte(in))
		if err != nil || n != len(in) || b.String() != want {
			t.Errorf("%q became %q (%d, %v)", in, b.String(), n, err)
		}
	}
}
