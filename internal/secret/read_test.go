package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	cases := []struct {
		name, content, want, fault string
	}{
		{name: "bare", content: text, want: text},
		{name: "line end", content: text + "\n", want: text},
		{name: "windows line end", content: text + "\r\n", want: text},
		{name: "blanks belong to it", content: " a b \n", want: " a b "},
		{name: "utf-8 mark", content: "\xef\xbb\xbf" + text + "\r\n", want: text},
		{name: "not ascii", content: "wachtwoord-é€\n", want: "wachtwoord-é€"},
		{name: "largest", content: strings.Repeat("a", maxSize), want: strings.Repeat("a", maxSize)},
		{name: "empty", content: "", fault: "is empty"},
		{name: "only a line end", content: "\n", fault: "is empty"},
		{name: "only blanks", content: "  \t \n", fault: "is empty"},
		{name: "two line ends", content: text + "\n\n", fault: "more than one line"},
		{name: "two lines", content: text + "\n" + text + "\n", fault: "more than one line"},
		{name: "utf-16", content: "\xff\xfea\x00b\x00", fault: "UTF-16"},
		{name: "zero bytes", content: "ab\x00cd", fault: "no text"},
		{name: "invalid utf-8", content: "ab\xffcd", fault: "no text"},
		{name: "too large", content: strings.Repeat("a", maxSize+1), fault: "larger than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "token.secret", c.content)
			got, err := ReadFile(path)
			if c.fault == "" {
				if err != nil || got.Reveal() != c.want {
					t.Fatalf("got %q, %v; want %q", got.Reveal(), err, c.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v; want an error with %q and the path", err, c.fault)
			}
			if !got.Empty() {
				t.Error("an error came with a secret")
			}
			if strings.Contains(err.Error(), text) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestReadFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: got %v, want fs.ErrNotExist", err)
	}
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "not an ordinary file") {
		t.Errorf("folder: got %v", err)
	}
}

func TestCredential(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "brodaemon.zwolle", text+"\n")
	write(t, dir, "brodaemon.leeg", "")
	write(t, filepath.Dir(dir), "brodaemon.elsewhere", text)

	t.Run("no credentials given", func(t *testing.T) {
		t.Setenv(credentialsDirectory, "")
		if got, ok, err := Credential("zwolle"); ok || err != nil || !got.Empty() {
			t.Errorf("got %v, %v, %v", got, ok, err)
		}
	})
	t.Setenv(credentialsDirectory, dir)
	if got, ok, err := Credential("zwolle"); !ok || err != nil || got.Reveal() != text {
		t.Errorf("zwolle: got %q, %v, %v", got.Reveal(), ok, err)
	}
	if got, ok, err := Credential("meppel"); ok || err != nil || !got.Empty() {
		t.Errorf("of another name: got %v, %v, %v; want none", got, ok, err)
	}
	if _, ok, err := Credential("leeg"); ok || err == nil {
		t.Errorf("empty: got %v, %v; want an error", ok, err)
	}
	for _, name := range []string{"", ".", "..", "../elsewhere", `..\elsewhere`, "a/b", "c:d", "a\x00b"} {
		if _, ok, err := Credential(name); ok || err == nil {
			t.Errorf("%q: got %v, %v; want it refused", name, ok, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", text, text + "\r\n", "a\nb", "\xef\xbb\xbfa", "\xff\xfea\x00", "\ufeff\ufeff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := parse(content)
		if err != nil {
			return
		}
		if strings.TrimSpace(got) == "" || strings.ContainsAny(got, "\r\n\x00") || len(got) > maxSize {
			t.Errorf("accepted %q", got)
		}
		if again, err := parse([]byte(got + "\n")); err != nil || again != got {
			t.Errorf("%q written with a line end reads as %q, %v", got, again, err)
		}
	})
}
