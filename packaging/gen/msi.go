package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// summaryFormat marks the properties of an MSI's summary (FMTID_SummaryInformation).
var summaryFormat = []byte{0xe0, 0x85, 0x9f, 0xf2, 0xf9, 0x4f, 0x68, 0x10, 0xab, 0x91, 0x08, 0x00, 0x2b, 0x27, 0xb3, 0xd9}

// What differs from run to run: wixl takes a random code and the present time.
const (
	packageCode = 9
	createTime  = 12
	saveTime    = 13

	typeText     = 0x1e
	typeFileTime = 0x40
)

// pinMSI gives an MSI the time of SOURCE_DATE_EPOCH and a package code that
// follows from all its other bytes. It may be repeated.
func pinMSI(file string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := pin(data, time.Unix(seconds, 0)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, data, 0o644)
}

// pin works in place. The summary (some hundred bytes) lies in one piece, as
// wixl writes it; packaging/msi.sh reads it again with another program.
func pin(data []byte, at time.Time) error {
	p, err := summary(data)
	if err != nil {
		return err
	}
	const epoch = 11644473600 // seconds from 1601 to 1970
	fileTime := uint64(at.Unix()+epoch) * 10_000_000
	for _, id := range []uint32{createTime, saveTime} {
		v, ok := p[id]
		if !ok || len(v) < 12 || binary.LittleEndian.Uint32(v) != typeFileTime {
			return fmt.Errorf("its summary has no time %d", id)
		}
		binary.LittleEndian.PutUint64(v[4:], fileTime)
	}
	code := p[packageCode]
	const length = len("{00000000-0000-0000-0000-000000000000}")
	if len(code) < 8+length || binary.LittleEndian.Uint32(code) != typeText || code[8] != '{' || code[8+length-1] != '}' {
		return errors.New("its summary has no package code")
	}
	code = code[8 : 8+length]
	copy(code, "{00000000-0000-0000-0000-000000000000}")
	copy(code[1:], guid(string(data)))
	return nil
}

// summary finds each property's value, with its type before it, up to the end of the summary.
func summary(data []byte) (map[uint32][]byte, error) {
	i := bytes.Index(data, summaryFormat)
	if i < 0 || bytes.Count(data, summaryFormat) != 1 {
		return nil, errors.New("it has no summary, or more than one")
	}
	word := func(at int) int {
		if at < 0 || at+4 > len(data) {
			return -1
		}
		return int(binary.LittleEndian.Uint32(data[at:]))
	}
	const header = 44 // the section's place counts from the set's beginning, and stands behind the format
	section := i - (header - len(summaryFormat)) + word(i+len(summaryFormat))
	size, count := word(section), word(section+4)
	if size < 8 || count < 0 || count > 100 || section < 0 || section+size > len(data) {
		return nil, errors.New("its summary can't be read")
	}
	found := map[uint32][]byte{}
	for n := range count {
		id, offset := word(section+8+8*n), word(section+12+8*n)
		if offset < 0 || offset >= size {
			return nil, errors.New("its summary can't be read")
		}
		found[uint32(id)] = data[section+offset : section+size]
	}
	return found, nil
}
