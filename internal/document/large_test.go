package document

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// maxHeap is what reading may cost at any moment, garbage included.
const maxHeap = 8 << 20

// generated is a document made while it is read: a beginning, as many units
// as make it size bytes long, and an end. It looks at the heap as it goes.
type generated struct {
	size     int64
	unit     func(buf []byte, i int) []byte // appends the i-th unit
	end      string
	buf      []byte
	made     int64
	i        int
	nextLook int64
	peak     uint64
}

func (g *generated) Read(p []byte) (int, error) {
	for len(g.buf) < len(p) && g.end != "" {
		before := len(g.buf)
		if g.made >= g.size {
			g.buf, g.end = append(g.buf, g.end...), ""
		} else {
			g.buf = g.unit(g.buf, g.i)
			g.i++
		}
		g.made += int64(len(g.buf) - before)
	}
	if g.made > g.nextLook {
		g.peak = max(g.peak, heap())
		g.nextLook = g.made + 2<<20
	}
	n := copy(p, g.buf)
	g.buf = g.buf[:copy(g.buf, g.buf[n:])]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func same(text string) func([]byte, int) []byte {
	return func(buf []byte, _ int) []byte { return append(buf, text...) }
}

// point is a measurement of a GLD_Addition, about as large as they are.
func point(buf []byte, i int) []byte {
	return fmt.Appendf(buf, `<wml2:point><wml2:MeasurementTVP>
      <wml2:time>2016-01-%02dT%02d:15:00+01:00</wml2:time>
      <wml2:value uom="m">%d.%03d</wml2:value>
      <wml2:metadata><wml2:TVPMeasurementMetadata>
        <wml2:qualifier><swe:Category><swe:codeSpace xlink:href="urn:bro:gld:StatusQualityControl"/>
          <swe:value>goedgekeurd</swe:value></swe:Category></wml2:qualifier>
        <wml2:qualifier><swe:Quantity><swe:uom code="m"/><swe:value>0.01</swe:value></swe:Quantity></wml2:qualifier>
        <wml2:interpolationType xlink:href="http://www.opengis.net/def/waterml/2.0/interpolationType/Discontinuous"/>
      </wml2:TVPMeasurementMetadata></wml2:metadata>
    </wml2:MeasurementTVP></wml2:point>
`, 1+i%28, i%24, i%7, i%1000)
}

const (
	gldStart = `<registrationRequest xmlns="http://www.broservices.nl/xsd/isgld/1.0" xmlns:wml2="http://www.opengis.net/waterml/2.0"` +
		` xmlns:swe="http://www.opengis.net/swe/2.0" xmlns:xlink="http://www.w3.org/1999/xlink"><sourceDocument><GLD_Addition>`
	gldEnd = `</GLD_Addition></sourceDocument></registrationRequest>`
)

// However large a document is, and wherever its size comes from, it takes a few
// megabytes of memory to read.
func TestMemory(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name       string
		size       int64
		start, end string
		unit       func([]byte, int) []byte
		kind       FaultKind // if it is not to be read
	}{
		{"ten years of measurements", 300 * mb, "", "", point, ""},
		{"one text", 60 * mb, "<values>", "</values>", same("-1.25,40.5,NaN -1.50,43,goedgekeurd;"), ""},
		{"one text in the way of numbers", 20 * mb, "<values>", "</values>", same("&#48;.&#x31;&lt;"), ""},
		{"one CDATA section", 20 * mb, "<values><![CDATA[", "]]></values>", same("<a>1]] ]> "), ""},
		{"one comment", 20 * mb, "<!--", "-->", same("- <a> & "), ""},
		{"one instruction", 20 * mb, "<?a ", "?>", same("? <a> & "), ""},
		{"white space", 20 * mb, "", "", same("  \r\n"), ""},
		{"names that never recur", 10 * mb, "", "", func(b []byte, i int) []byte {
			return fmt.Appendf(b, "<n%dxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx a%d='%d'/>", i, i, i)
		}, ""},
		{"namespaces that never recur", 10 * mb, "", "", func(b []byte, i int) []byte {
			return fmt.Appendf(b, "<a xmlns='urn:%d'><p:b xmlns:p='urn:x:%d'/></a>", i, i)
		}, ""},
		{"tags just below the limit", 10 * mb, "", "", same("<a b='" + strings.Repeat("&lt; ", 200_000) + "'/>"), ""},
		{"one tag", 20 * mb, "<a b='", "'/>", same("value "), TagTooLarge},
		{"one field of the head", 20 * mb, "</GLD_Addition></sourceDocument><dateToBeCorrected>", "</dateToBeCorrected>", same("2020"), HeadTooLarge},
		{"one object id", 20 * mb, "<objectIdAccountableParty>", "</objectIdAccountableParty>", same("B-17"), HeadTooLarge},
		{"open elements", 20 * mb, "", "", same("<a>"), TooDeep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size := tt.size
			if testing.Short() || raceDetector {
				size /= 10
			}
			runtime.GC()
			before := heap()
			g := &generated{size: size, unit: tt.unit, end: tt.end + gldEnd, buf: []byte(gldStart + tt.start)}
			g.made = int64(len(g.buf))
			doc, err := Read(g)
			if grown := int64(max(g.peak, heap())) - int64(before); grown > maxHeap {
				t.Errorf("the heap grew by %d kB", grown>>10)
			}
			if tt.kind != "" {
				if f, ok := err.(*Fault); !ok || f.Kind != tt.kind {
					t.Fatalf("got %v, want %s", err, tt.kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if doc.Size != g.made || doc.Size < size || doc.SubDocument != "GLD_Addition" {
				t.Errorf("%+v, made %d bytes", doc, g.made)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	text := func(start string, unit func([]byte, int) []byte, end string) []byte {
		buf := []byte(gldStart + start)
		for i := 0; len(buf) < 2<<20; i++ {
			buf = unit(buf, i)
		}
		return append(buf, end+gldEnd...)
	}
	measurements := text("", point, "")
	for name, data := range map[string][]byte{
		"small":        []byte(addition),
		"measurements": measurements,
		"UTF-16":       inUTF16LE(measurements),
		"one text":     text("<values>", same("-1.25,40.5,NaN -1.50,43,goedgekeurd;"), "</values>"),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
