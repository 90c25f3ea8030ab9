package document

import (
	"bytes"
	"fmt"
	"io"
)

// chunk is how many bytes are asked of the reader at once.
const chunk = 32 << 10

// input turns the bytes of a file into a window of text. What stands in the
// window is UTF-8 and nothing but characters that XML allows, so the scanner
// need not look at either again; the first byte for which that does not hold
// ends the text, and its fault is given out when the scanner gets there.
//
// It also knows where in the file each character of the window stood.
type input struct {
	r   io.Reader
	enc *encoding

	raw  []byte // read, not yet decoded
	buf  []byte // room for raw
	size int64  // bytes read in all
	last bool   // r has ended

	win []byte // decoded text
	pos int    // win[:pos] is done with
	end error  // what follows the window: io.EOF, a *Fault, or an error of r

	base    int64 // offset in the file of win[0]
	breaks  int   // line ends before win[0]
	afterCR bool  // the character before win[0] was a CR
}

func newInput(r io.Reader) *input {
	return &input{r: r, enc: encUTF8, buf: make([]byte, chunk), win: make([]byte, 0, 2*chunk)}
}

// rest is the text that is in the window and not done with. It is valid until
// the next call of more.
func (in *input) rest() []byte { return in.win[in.pos:] }

// advance is done with the next n bytes of rest.
func (in *input) advance(n int) { in.pos += n }

// more makes rest longer. It returns io.EOF at the end of the file, the fault
// of the byte that cannot be read, or the error of the reader; rest is then as
// it was, and all later calls return the same.
func (in *input) more() error {
	if in.end != nil {
		return in.end
	}
	in.discard()
	for before := len(in.win); len(in.win) == before; {
		if in.end = in.decode(); in.end != nil {
			if len(in.win) > before {
				return nil
			}
			return in.end
		}
	}
	return nil
}

// decode brings what is in raw into the window, and reads if there is nothing
// to bring.
func (in *input) decode() error {
	out, used, fault := in.enc.decode(in.win, in.raw, in.last)
	in.win, in.raw = out, in.raw[used:]
	switch {
	case fault != nil:
		return in.place(fault, len(in.rest()))
	case used > 0:
		return nil
	case in.last:
		return io.EOF
	}
	return in.read()
}

// read adds to raw what one call of the reader gives.
func (in *input) read() error {
	kept := copy(in.buf, in.raw)
	for range 100 {
		n, err := in.r.Read(in.buf[kept:])
		in.size += int64(n)
		in.raw = in.buf[:kept+n]
		if err == io.EOF {
			in.last = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read document at byte %d: %w", in.size, err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("read document at byte %d: %w", in.size, io.ErrNoProgress)
}

// discard forgets the text that is done with, but for where it stood.
func (in *input) discard() {
	if in.pos == 0 {
		return
	}
	done := in.win[:in.pos]
	in.base += in.enc.width(done)
	in.breaks += lineEnds(in.afterCR, done)
	in.afterCR = done[len(done)-1] == '\r'
	in.win = in.win[:copy(in.win, in.win[in.pos:])]
	in.pos = 0
}

// place completes a fault with the place that rest()[i] has in the file.
func (in *input) place(f *Fault, i int) *Fault {
	before := in.win[:in.pos+i]
	f.Offset = in.base + in.enc.width(before)
	f.Line = 1 + in.breaks + lineEnds(in.afterCR, before)
	return f
}

// lineEnds counts LF, CR and CR LF as one each.
func lineEnds(afterCR bool, text []byte) int {
	n := bytes.Count(text, []byte{'\n'})
	if cr := bytes.Count(text, []byte{'\r'}); cr > 0 {
		n += cr - bytes.Count(text, []byte("\r\n"))
	}
	if afterCR && len(text) > 0 && text[0] == '\n' {
		n--
	}
	return n
}

// signatures are the beginnings of files that people mistake for documents.
var signatures = []struct {
	start string
	fault Fault
}{
	{"PK\x03\x04", Fault{Kind: ZIP, Detail: "ZIP"}},
	{"PK\x05\x06", Fault{Kind: ZIP, Detail: "ZIP"}},
	{"\x1F\x8B", Fault{Kind: ZIP, Detail: "gzip"}},
	{"7z\xBC\xAF\x27\x1C", Fault{Kind: ZIP, Detail: "7z"}},
	{"Rar!\x1A\x07", Fault{Kind: ZIP, Detail: "RAR"}},
	{"%PDF-", Fault{Kind: PDF}},
}

// open reads the beginning of the file, settles its encoding, and is done with
// the byte order mark and the XML declaration.
func (in *input) open() error {
	for len(in.raw) < maxDeclaration && !in.last {
		if err := in.read(); err != nil {
			return err
		}
	}
	for _, s := range signatures {
		if bytes.HasPrefix(in.raw, []byte(s.start)) {
			return in.place(&s.fault, 0)
		}
	}
	seen, fault := sniff(in.raw)
	if fault != nil {
		return in.place(fault, 0)
	}
	in.raw, in.base = in.raw[seen.mark:], int64(seen.mark)
	label, err := in.declaration(seen.enc)
	if err != nil {
		return err
	}
	enc, fault := seen.choose(label)
	if fault != nil {
		return in.place(fault, -in.pos)
	}
	in.enc = enc
	return nil
}
