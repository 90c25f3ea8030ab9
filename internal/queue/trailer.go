package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A spool file is the document's bytes, then the item as it was when it
// arrived (JSON in a line of its own), then a line of fixed length from which
// both are found:
//
//	brodaemon-spool-1 LENGTH SIZE SUM MARK
//
// LENGTH is the number of the document's bytes and SIZE that of the JSON's, in
// hexadecimal; SUM is the CRC-32C of the JSON. MARK is how often a submission
// of the document was intended, as far as the queue came to writing it here. It
// is not synced, and so proves nothing where it is missing; but one that is
// greater than what the queue knows tells that the queue is an older copy.
//
// Files of the first form end with the document.
const (
	footerForm = "\nbrodaemon-spool-1 %016x %08x %08x %c\n"
	footerSize = len("\nbrodaemon-spool-1 0123456789abcdef 01234567 01234567 0\n")
	markAt     = footerSize - 2
	maxMark    = 9
)

// trailer is what a spool file says of itself.
type trailer struct {
	size    int64 // of the file
	content int64 // of the document, -1 if there is no trailer
	item    json.RawMessage
	mark    int
}

// length is how many bytes of the file are the document's.
func (t *trailer) length(it *Item) int64 {
	if t.content < 0 || t.size == it.Source.Size { // in the latter case it is the document that ends like a trailer
		return t.size
	}
	return t.content
}

// readTrailer reads the end of a spool file. One that has none, or a torn one,
// is no error.
func readTrailer(f *os.File) (trailer, error) {
	info, err := f.Stat()
	if err != nil {
		return trailer{}, err
	}
	t := trailer{size: info.Size(), content: -1}
	if !info.Mode().IsRegular() {
		return t, errors.New("it is no file")
	}
	footer := make([]byte, footerSize)
	if t.size < int64(footerSize) {
		return t, nil
	}
	if _, err := f.ReadAt(footer, t.size-int64(footerSize)); err != nil {
		return t, err
	}
	var length, size int64
	var sum uint32
	var mark rune
	n, err := fmt.Sscanf(string(footer), footerForm, &length, &size, &sum, &mark)
	if err != nil || n != 4 || size > maxLine || length < 0 || length+1+size+int64(footerSize) != t.size {
		return t, nil
	}
	text := make([]byte, size)
	if _, err := f.ReadAt(text, length+1); err != nil {
		return t, err
	}
	if crc32.Checksum(text, castagnoli) != sum || mark < '0' || mark > '0'+maxMark {
		return t, nil
	}
	t.content, t.item, t.mark = length, text, int(mark-'0')
	return t, nil
}

// Describe ends the draft with what is needed to make the item again. Nothing
// may be written to the draft after it.
func (d *Draft) Describe(it Item) error {
	length, err := d.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	it.Spool, it.File, it.State, it.History = d.name, stored(it.File), Queued, nil
	text, err := json.Marshal((*itemFields)(&it))
	if err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	end := append([]byte{'\n'}, text...)
	end = fmt.Appendf(end, footerForm, length, len(text), crc32.Checksum(text, castagnoli), '0')
	if _, err := d.Write(end); err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	return nil
}

// setMark writes into an item's spool file how often its submission was
// intended. Failing is no harm: it is only a further witness.
func setMark(dir string, it *Item) {
	mark := byte('0' + min(it.Submissions, maxMark))
	for _, name := range []string{fullName(it.ID, it.Spool), it.Spool + partSuffix} {
		f, err := os.OpenFile(filepath.Join(dir, SpoolName, name), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return
		}
		if t, err := readTrailer(f); err == nil && t.content >= 0 {
			_, _ = f.WriteAt([]byte{mark}, t.size-int64(footerSize-markAt))
		}
		_ = f.Close()
		return
	}
}
