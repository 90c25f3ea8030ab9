package watch

import (
	"errors"
	"os"
	"testing"
)

// declareRemote makes the file system on which dir lies count as a network file system.
func declareRemote(dir string) (restore func(), ok bool) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	number := fileSystemOf(f)
	remoteNames[number] = "testfs"
	return func() { delete(remoteNames, number) }, true
}

// TestOpenFindsAWriter keeps the file open for writing, as a slow exporter does.
func TestOpenFindsAWriter(t *testing.T) {
	b := newBench(t)
	b.write("a.xml", "<a/>")
	a := arrivalOf(t, b, "a.xml")
	dir, err := os.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if !leaseNames[fileSystemOf(dir)] {
		t.Skip("leases mean nothing on this file system")
	}
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
	defer f.Close()
	again, err := os.OpenFile(a.Path, os.O_WRONLY, 0) // no lease is left behind that would make this one wait
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
