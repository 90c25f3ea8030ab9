package secret

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// StoreFolder is the store's folder in the data folder.
const StoreFolder = "tokens"

const (
	newSuffix = ".new"
	// newAge is how old the leavings of a `token set` that was killed are before
	// another one clears them away; a younger one may be at work.
	newAge = time.Minute
	// maxStored bounds a stored file; encrypted, a secret grows by some hundred bytes.
	maxStored = maxSize + 4<<10
)

// Store keeps secrets in the data folder, one file each. The zero value is no store.
type Store struct{ dataDir string }

// StoreIn is the store of a data folder. It touches nothing yet.
func StoreIn(dataDir string) Store { return Store{dataDir} }

// Dir is the folder that the secrets lie in.
func (s Store) Dir() string { return filepath.Join(s.dataDir, StoreFolder) }

func (s Store) path(name string) string { return filepath.Join(s.Dir(), name+storedSuffix) }

// Set stores a secret, in the place of any other of that name. A reader, and a
// crash at any moment, finds the old one or the new one whole. It may be
// repeated. The data folder must exist; on Unix what is made belongs to the
// account that the data folder belongs to, also if root does it.
func (s Store) Set(name string, text String) error {
	if err := checkName(name); err != nil {
		return err
	}
	if text.Empty() {
		return errors.New("store secret: it is empty")
	}
	if _, err := parse([]byte(text.Reveal())); err != nil {
		return fmt.Errorf("store secret: it %w", err)
	}
	if err := s.set(name, text); err != nil {
		return fmt.Errorf("store secret of token %s: %w", name, err)
	}
	return nil
}

func (s Store) set(name string, text String) error {
	sealed, err := seal(name, text)
	if err != nil {
		return err
	}
	dir, err := makeStore(s.dataDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := sweep(dir, name, newAge); err != nil {
		return err
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	temp := name + storedSuffix + "." + hex.EncodeToString(b[:]) + newSuffix
	if err := writeNew(dir, temp, sealed); err != nil {
		return errors.Join(err, ignoreMissing(dir.Remove(temp)))
	}
	if err := replace(dir, temp, name+storedSuffix); err != nil {
		return errors.Join(err, ignoreMissing(dir.Remove(temp)))
	}
	return syncFolder(dir)
}

// writeNew makes the file, closed to others from its first moment.
func writeNew(dir *os.Root, name string, content []byte) error {
	file, err := createPrivate(dir, name)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Get reads a stored secret. Without one the error wraps fs.ErrNotExist. A file
// that others can read is refused, as by [ReadFile].
func (s Store) Get(name string) (String, error) {
	if err := checkName(name); err != nil {
		return String{}, err
	}
	text, err := s.get(name)
	if err != nil {
		return String{}, fmt.Errorf("read secret of token %s from the protected store: %w", name, err)
	}
	return text, nil
}

func (s Store) get(name string) (String, error) {
	content, err := readPrivate(s.path(name), maxStored)
	if err != nil {
		return String{}, err
	}
	opened, err := unseal(name, content)
	if err != nil {
		return String{}, err
	}
	text, err := parse(opened)
	if err != nil {
		return String{}, fmt.Errorf("%s %w", s.path(name), err)
	}
	return New(text), nil
}

// Remove takes a secret away, with what a killed Set may have left of it.
// Without one the error wraps fs.ErrNotExist.
func (s Store) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	fail := func(err error) error {
		return fmt.Errorf("remove secret of token %s from the protected store: %w", name, err)
	}
	dir, err := os.OpenRoot(s.Dir())
	if err != nil {
		return fail(err)
	}
	defer dir.Close()
	if err := sweep(dir, name, 0); err != nil {
		return fail(err)
	}
	if err := dir.Remove(name + storedSuffix); err != nil {
		return fail(err)
	}
	return syncFolder(dir)
}

// Names lists the tokens that have a stored secret, sorted; none if there is no store yet.
func (s Store) Names() ([]string, error) {
	entries, err := os.ReadDir(s.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the protected store: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), storedSuffix); ok && checkName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// sweep removes what a Set of this name left that was killed at least so long ago.
func sweep(dir *os.Root, name string, age time.Duration) error {
	folder, err := dir.Open(".")
	if err != nil {
		return err
	}
	names, err := folder.Readdirnames(-1)
	if err := errors.Join(err, folder.Close()); err != nil {
		return err
	}
	for _, left := range names {
		if !strings.HasPrefix(left, name+storedSuffix+".") || !strings.HasSuffix(left, newSuffix) {
			continue
		}
		info, err := dir.Lstat(left)
		if err == nil && time.Since(info.ModTime()) >= age {
			err = dir.Remove(left)
		}
		if ignoreMissing(err) != nil {
			return err
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkName takes only what can be a file's name on every system and in one
// spelling: the configuration's rule for names of tokens, which is repeated here
// because this is where a name becomes part of a path.
func checkName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	if name == "" || len(name) > 64 || slices.Contains(deviceNames, name) ||
		strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(allowed, r) }) {
		return fmt.Errorf("%q can't be the name of a token: it is of small letters, digits, - and _, at most 64, and not a name that Windows keeps for a device", name)
	}
	return nil
}

// deviceNames are no names of files on Windows, with whatever ending.
var deviceNames = []string{"con", "prn", "aux", "nul",
	"com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9"}
