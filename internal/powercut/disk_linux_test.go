//go:build linuxroot

package powercut

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// mounted shows the disk and takes it away at the end of the test.
func mounted(t *testing.T, d *Disk) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a file system")
	}
	dir := t.TempDir()
	unmount, err := d.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unmount)
	return dir
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func persist(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	must(t, f.Sync(), f.Close())
}

// What was synced is there, what was not is gone: bytes and names each by themselves.
func TestForgets(t *testing.T) {
	d := New()
	dir := mounted(t, d)
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"both", "bytes only", "name only", "neither"} {
		must(t, os.WriteFile(path(name), []byte("old"), 0o600))
		if name == "name only" {
			persist(t, dir) // makes "both" and "bytes only" durable too, as names
		}
	}
	persist(t, path("both"))
	persist(t, path("neither")) // its bytes, but nothing names them
	must(t, os.WriteFile(path("both"), []byte("new"), 0o600), os.Remove(path("bytes only")))

	after := d.Cut(Options{})
	if got, want := after.List(""), []string{"both", "bytes only", "name only"}; !slices.Equal(got, want) {
		t.Errorf("after the cut: %q, want %q", got, want)
	}
	if got := after.ReadFile("both"); string(got) != "old" {
		t.Errorf("both holds %q, want what was synced", got)
	}
	if got := after.ReadFile("name only"); len(got) != 0 {
		t.Errorf("name only holds %q, want nothing", got)
	}
	if _, err := os.ReadFile(path("both")); err == nil {
		t.Error("a disk without power still answers")
	}
}

// A rename has happened or not, and it has when one of its folders was synced.
func TestRenameIsOneAct(t *testing.T) {
	for _, synced := range []string{"", "from", "to"} {
		d := New()
		d.WriteFile("from/a", []byte("x"), 0o600)
		d.MakeDir("to")
		dir := mounted(t, d)
		must(t, os.Rename(filepath.Join(dir, "from/a"), filepath.Join(dir, "to/a")))
		want := "from"
		if synced != "" {
			persist(t, filepath.Join(dir, synced))
			want = "to"
		}
		after := d.Cut(Options{})
		if got := len(after.List("from")) + len(after.List("to")); got != 1 || len(after.List(want)) != 1 {
			t.Errorf("synced %q: from holds %v, to holds %v", synced, after.List("from"), after.List("to"))
		}
	}
}

// Of a write that was not synced some sectors may be left, and never anything else.
func TestTornWrites(t *testing.T) {
	d := New()
	d.WriteFile("f", bytes.Repeat([]byte("o"), 8*sector), 0o600)
	dir := mounted(t, d)
	f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.Write(bytes.Repeat([]byte("n"), 8*sector))
	must(t, err, f.Close())
	got := d.Cut(Options{Keep: 1, Torn: 1, Random: rand.New(rand.NewPCG(7, 7))}).ReadFile("f")
	if len(got) != 8*sector || !bytes.ContainsRune(got, 'o') || !bytes.ContainsRune(got, 'n') {
		t.Errorf("nothing is torn: %d bytes, %d of them new", len(got), bytes.Count(got, []byte("n")))
	}
	for i := 0; i < len(got); i += sector {
		if bytes.Count(got[i:i+sector], got[i:i+1]) != sector {
			t.Errorf("the sector at %d is torn in itself", i)
		}
	}
}
