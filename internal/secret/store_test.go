package secret

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestStore(t *testing.T) {
	s := StoreIn(t.TempDir())
	if _, err := s.Get("zwolle"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before there is a store: got %v, want fs.ErrNotExist", err)
	}
	if names, err := s.Names(); len(names) != 0 || err != nil {
		t.Errorf("names before there is a store: %v, %v", names, err)
	}
	if err := s.Remove("zwolle"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove before there is a store: got %v, want fs.ErrNotExist", err)
	}
	for _, value := range []string{text, "another " + text, " blanks belong to it ", "wachtwoord-é€", strings.Repeat("x", maxSize)} {
		if err := s.Set("zwolle", New(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get("zwolle"); err != nil || got.Reveal() != value {
			t.Fatalf("got %d letters, %v; want the %d of %.20q", len(got.Reveal()), err, len(value), value)
		}
	}
	if err := s.Set("assen-demo_2", New("other")); err != nil {
		t.Fatal(err)
	}
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"assen-demo_2", "zwolle"}) {
		t.Errorf("names: %v, %v", names, err)
	}
	if err := s.Remove("zwolle"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("zwolle"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it was removed: got %v", err)
	}
	if got, err := s.Get("assen-demo_2"); err != nil || got.Reveal() != "other" {
		t.Errorf("the other one: %q, %v", got.Reveal(), err)
	}
}

func TestStoreRefusesWhatIsNoSecret(t *testing.T) {
	s := StoreIn(t.TempDir())
	for _, value := range []string{"", " ", "two\nlines", "a\x00b", "ab\xff", strings.Repeat("x", maxSize+1)} {
		err := s.Set("zwolle", New(value))
		if err == nil {
			t.Errorf("%.20q was stored", value)
		} else if len(value) > 3 && strings.Contains(err.Error(), value) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if names, _ := s.Names(); len(names) != 0 {
		t.Errorf("something was stored: %v", names)
	}
}

func TestStoreNames(t *testing.T) {
	dir := t.TempDir()
	s := StoreIn(filepath.Join(dir, "data"))
	if err := os.Mkdir(s.dataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`, "A", "é", "a b", "a.b", "con", "lpt1", "nul", strings.Repeat("a", 65), "a\x00"} {
		if err := s.Set(name, New(text)); err == nil {
			t.Errorf("set %q: it was taken", name)
		}
		if _, err := s.Get(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %q: %v, want it refused", name, err)
		}
		if err := s.Remove(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("remove %q: %v, want it refused", name, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
}

// A reader at any moment finds the old secret or the new one, whole.
func TestStoreIsNeverHalf(t *testing.T) {
	s := StoreIn(t.TempDir())
	values := []string{strings.Repeat("a", 3000), strings.Repeat("b", 100)}
	if err := s.Set("zwolle", New(values[0])); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		defer close(stop)
		for i := range 50 {
			if err := s.Set("zwolle", New(values[i%2])); err != nil {
				t.Errorf("set: %v", err)
			}
		}
	})
	for reading := true; reading; {
		select {
		case <-stop:
			reading = false
		case <-time.After(time.Millisecond): // on Windows a reader at every moment would shut the writer out
		}
		if got, err := s.Get("zwolle"); err != nil || !slices.Contains(values, got.Reveal()) {
			t.Fatalf("got %d letters, %v", len(got.Reveal()), err)
		}
	}
	wg.Wait()
	if entries, err := os.ReadDir(s.Dir()); err != nil || len(entries) != 1 {
		t.Errorf("left in the store: %v, %v", entries, err)
	}
}

// What a killed Set left is no secret of anybody's, and goes.
func TestStoreClearsWhatAKilledSetLeft(t *testing.T) {
	s := StoreIn(t.TempDir())
	if err := s.Set("zwolle", New(text)); err != nil {
		t.Fatal(err)
	}
	left := write(t, s.Dir(), "zwolle"+storedSuffix+".aabbcc"+newSuffix, "half")
	others := write(t, s.Dir(), "zwolle-2"+storedSuffix+".aabbcc"+newSuffix, "half")
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"zwolle"}) {
		t.Errorf("names: %v, %v", names, err)
	}
	if err := s.Set("zwolle", New("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("one that is at work may have lost its file: %v", err)
	}
	old := time.Now().Add(-2 * newAge)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	if err := s.Set("zwolle", New("newer")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	left = write(t, s.Dir(), "zwolle"+storedSuffix+".ddeeff"+newSuffix, "half")
	if err := s.Remove("zwolle"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed, but a copy is still there: %v", err)
	}
	if _, err := os.Stat(others); err != nil {
		t.Errorf("another token's is gone: %v", err)
	}
}

// The order of the places.
func TestSource(t *testing.T) {
	type places struct{ file, credential, store bool }
	cases := []struct {
		name  string
		there places
		want  Place
	}{
		{"all", places{true, true, true}, PlaceFile},
		{"no file", places{false, true, true}, PlaceCredential},
		{"store alone", places{false, false, true}, PlaceStore},
		{"file alone", places{true, false, false}, PlaceFile},
		{"credential alone", places{false, true, false}, PlaceCredential},
		{"none", places{}, PlaceNone},
	}
	for _, c := range cases {
		for _, configured := range []bool{true, false} {
			want := c.want
			if want == PlaceFile && !configured {
				continue
			}
			t.Run(c.name+map[bool]string{true: ", password_file configured"}[configured], func(t *testing.T) {
				dir, data := t.TempDir(), t.TempDir()
				t.Setenv(credentialsDirectory, dir)
				s := Source{Name: "zwolle", Store: StoreIn(data)}
				if configured {
					s.File = filepath.Join(data, "password")
				}
				if c.there.file {
					write(t, data, "password", string(PlaceFile))
				}
				if c.there.credential {
					write(t, dir, "brodaemon.zwolle", string(PlaceCredential))
				}
				if c.there.store {
					if err := s.Store.Set("zwolle", New(string(PlaceStore))); err != nil {
						t.Fatal(err)
					}
				}
				got, found, err := s.Read()
				if found.Place != want {
					t.Errorf("found in %s, want %s", found.Place, want)
				}
				if missing := configured && !c.there.file; (found.MissingFile != "") != missing {
					t.Errorf("MissingFile is %q", found.MissingFile)
				}
				if want == PlaceNone {
					if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "brodaemon token set zwolle") || !got.Empty() {
						t.Errorf("got %v, want ErrNone with what to do", err)
					}
					return
				}
				if err != nil || got.Reveal() != string(want) || found.Since.IsZero() || found.Path == "" {
					t.Errorf("got %q, %+v, %v", got.Reveal(), found, err)
				}
			})
		}
	}
}

// A place that is there but faulty is not passed over for an older secret.
func TestSourceStopsAtAFaultyPlace(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	t.Setenv(credentialsDirectory, dir)
	s := Source{Name: "zwolle", File: write(t, data, "password", ""), Store: StoreIn(data)}
	if err := s.Store.Set("zwolle", New("old")); err != nil {
		t.Fatal(err)
	}
	if got, found, err := s.Read(); err == nil || found.Place != PlaceFile || !got.Empty() {
		t.Errorf("empty file: got %v from %s, %v", got, found.Place, err)
	}
	s.File = ""
	write(t, dir, "brodaemon.zwolle", "two\nlines")
	if got, found, err := s.Read(); err == nil || found.Place != PlaceCredential || !got.Empty() {
		t.Errorf("faulty credential: got %v from %s, %v", got, found.Place, err)
	}
}

func TestStoredFileIsRefusedWhenDamaged(t *testing.T) {
	s := StoreIn(t.TempDir())
	if err := s.Set("zwolle", New(text)); err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{{}, []byte("\n"), bytes.Repeat([]byte("x"), 2*maxStored)} {
		if err := os.WriteFile(s.path("zwolle"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get("zwolle"); err == nil || !got.Empty() || strings.Contains(err.Error(), "xxx") {
			t.Errorf("%d bytes: got %v, %v", len(content), got, err)
		}
	}
}
