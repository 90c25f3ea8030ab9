package watch

import (
	"errors"
	"io"
	"os"
	"testing"
)

// TestOpenFindsAWriter keeps the file open for writing, as a slow exporter does; somebody who reads it is no obstacle.
func TestOpenFindsAWriter(t *testing.T) {
	b := newBench(t)
	b.write("a.xml", "<a/>")
	a := arrivalOf(t, b, "a.xml")
	writer, err := os.OpenFile(a.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Open(); !errors.Is(err, ErrBusy) {
		t.Errorf("open beside a writer: %v, want %v", err, ErrBusy)
	}
	writer.Close()
	reader, err := os.Open(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f, err := a.Open()
	if err != nil {
		t.Fatalf("open beside a reader: %v", err)
	}
	f.Close()
}

// TestOpenFileCanBeRenamed: our reading must not keep anybody from renaming the file.
func TestOpenFileCanBeRenamed(t *testing.T) {
	b := newBench(t)
	b.write("a.xml", "<a/>")
	f, err := arrivalOf(t, b, "a.xml").Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b.rename("a.xml", "b.xml")
	if data, err := io.ReadAll(f); string(data) != "<a/>" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
}
