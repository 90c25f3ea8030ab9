package main

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// withSummary is as much of an MSI as pin looks at.
func withSummary(code string, at uint64, content string) []byte {
	le := binary.LittleEndian
	text := append(le.AppendUint32(le.AppendUint32(nil, typeText), uint32(len(code)+1)), append([]byte(code), 0, 0)...)
	filetime := le.AppendUint64(le.AppendUint32(nil, typeFileTime), at)
	section := le.AppendUint32(nil, uint32(8+3*8+len(text)+2*len(filetime)))
	section = le.AppendUint32(section, 3)
	offset := 8 + 3*8
	for _, p := range []struct {
		id    uint32
		value []byte
	}{{packageCode, text}, {createTime, filetime}, {saveTime, filetime}} {
		section = le.AppendUint32(le.AppendUint32(section, p.id), uint32(offset))
		offset += len(p.value)
	}
	section = append(append(append(section, text...), filetime...), filetime...)
	set := append(make([]byte, 28), summaryFormat...)
	set = append(le.AppendUint32(set, 48), section...)
	return append([]byte(content), set...)
}

func TestPinMSI(t *testing.T) {
	at := time.Unix(1700000000, 0)
	make := func(code string, when uint64, content string) []byte {
		data := withSummary(code, when, content)
		if err := pin(data, at); err != nil {
			t.Fatal(err)
		}
		return data
	}
	first := make("{918C8E3A-F5D9-4531-AFFF-F24626ACB500}", 1, "the program")
	if !bytes.Equal(first, make("{6DD4B5E6-0CE8-4D65-A458-0EBDEAE61746}", 2, "the program")) {
		t.Error("two runs differ")
	}
	other := make("{918C8E3A-F5D9-4531-AFFF-F24626ACB500}", 1, "the PROGRAM")
	code := func(data []byte) string {
		p, err := summary(data)
		if err != nil {
			t.Fatal(err)
		}
		return string(p[packageCode][8 : 8+38])
	}
	if code(first) == code(other) || code(first) == "{00000000-0000-0000-0000-000000000000}" {
		t.Errorf("different packages have the code %s, %s", code(first), code(other))
	}
	if err := pin([]byte("no MSI"), at); err == nil {
		t.Error("what is no MSI was taken")
	}
	cut := withSummary("{918C8E3A-F5D9-4531-AFFF-F24626ACB500}", 1, "")
	if err := pin(cut[:len(cut)-40], at); err == nil {
		t.Error("a summary that is cut off was taken")
	}
}
