package watch

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

// arrivalOf describes a file as a scan would.
func arrivalOf(t *testing.T, b *bench, rel string) Arrival {
	t.Helper()
	info, err := os.Lstat(b.path(rel))
	if err != nil {
		t.Fatal(err)
	}
	return Arrival{Folder: "zwolle", Path: b.path(rel), Rel: rel, Size: info.Size(), ModTime: info.ModTime(), root: b.dir, id: identify(info)}
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name string
		play func(b *bench) // between the look and the opening
		want error
	}{
		{"as it was", func(b *bench) {}, nil},
		{"gone", func(b *bench) { b.remove("sub/a.xml") }, fs.ErrNotExist},
		{"its folder gone", func(b *bench) { b.remove("sub") }, fs.ErrNotExist},
		{"grown", func(b *bench) { b.append("sub/a.xml", ".") }, ErrChanged},
		{"another time", func(b *bench) { b.chtime("sub/a.xml", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) }, ErrChanged},
		{"a folder", func(b *bench) { b.remove("sub/a.xml"); b.write("sub/a.xml/x", "") }, ErrNotRegular},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.write("sub/a.xml", "<a/>")
			a := arrivalOf(t, b, "sub/a.xml")
			tt.play(b)
			f, err := a.Open()
			if !errors.Is(err, tt.want) {
				t.Fatalf("open: %v, want %v", err, tt.want)
			}
			if err != nil {
				if !strings.HasPrefix(err.Error(), "open sub/a.xml: ") {
					t.Errorf("error %q does not name the file", err)
				}
				return
			}
			defer f.Close()
			if data, err := io.ReadAll(f); string(data) != "<a/>" || err != nil {
				t.Errorf("read %q, %v", data, err)
			}
			if err := a.Check(f); err != nil {
				t.Errorf("check: %v", err)
			}
			b.append("sub/a.xml", ".")
			if err := a.Check(f); !errors.Is(err, ErrChanged) {
				t.Errorf("check after a change: %v", err)
			}
		})
	}
}

func TestOpenAnArrivalMadeByHand(t *testing.T) {
	b := newBench(t)
	b.write("a.xml", "<a/>")
	a := arrivalOf(t, b, "a.xml")
	f, err := Arrival{Path: a.Path, Rel: a.Rel, Size: a.Size, ModTime: a.ModTime}.Open()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestExplain(t *testing.T) {
	tests := []struct {
		err   error
		cause Cause
		says  string
	}{
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, CauseMissing, "does not exist"},
		{fs.ErrPermission, CauseNoPermission, "no permission"},
		{os.ErrDeadlineExceeded, CauseUnreachable, "cannot be reached"},
		{ErrBusy, CauseTrouble, "still has the file open"},
		{errors.New("odd"), CauseTrouble, "odd"},
	}
	for errno, e := range errnoTexts {
		tests = append(tests, struct {
			err   error
			cause Cause
			says  string
		}{&fs.PathError{Op: "open", Path: "x", Err: errno}, e.cause, advices[e.advice]})
	}
	for _, tt := range tests {
		if cause, text := Explain(tt.err); cause != tt.cause || !strings.Contains(text, tt.says) {
			t.Errorf("Explain(%v) = %q, %q", tt.err, cause, text)
		}
	}
}
