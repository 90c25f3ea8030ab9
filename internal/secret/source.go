package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Place is one of the places a secret may come from.
type Place string

const (
	PlaceNone       Place = "none"
	PlaceFile       Place = "file"       // the password file of the configuration
	PlaceCredential Place = "credential" // handed over by systemd
	PlaceStore      Place = "store"      // the protected store
)

// ErrNone says that a token has a secret in none of the places.
var ErrNone = errors.New("no secret")

// Source says where the secret of one token is looked for. The package comment
// has the order. The zero File and Store are places that are not looked in.
type Source struct {
	Name  string // of the token
	File  string // the configured password file, "" for none
	Store Store
}

// Found says where a secret was found, or which place decided that it can't be had.
type Found struct {
	Place Place
	Path  string    // of the file that holds it, "" for PlaceNone
	Since time.Time // when that file was last written; zero if that can't be told
	// MissingFile is the configured password file if it is not there, so that
	// the search went on.
	MissingFile string
}

// Read finds the secret and reads it. It may be called at any time and by many
// goroutines; each call looks anew. Its error is ErrNone when there is none, and
// tells otherwise why the place that counts can't be used: a place that is there
// but faulty is never passed over for a later one, whose secret would be older.
func (s Source) Read() (String, Found, error) {
	found := Found{Place: PlaceNone}
	if s.File != "" {
		text, err := ReadFile(s.File)
		if !errors.Is(err, fs.ErrNotExist) {
			found.at(PlaceFile, s.File)
			return text, found, err
		}
		found.MissingFile = s.File
	}
	text, ok, err := Credential(s.Name)
	if ok || err != nil {
		found.at(PlaceCredential, credentialPath(s.Name))
		return text, found, err
	}
	if s.Store != (Store{}) {
		text, err = s.Store.Get(s.Name)
		if !errors.Is(err, fs.ErrNotExist) {
			found.at(PlaceStore, s.Store.path(s.Name))
			return text, found, err
		}
	}
	missing := ""
	if found.MissingFile != "" {
		missing = fmt.Sprintf(" (its password_file %s is not there either)", found.MissingFile)
	}
	return String{}, found, fmt.Errorf("token %s has %w in the protected store%s: give it one with `brodaemon token set %s`", s.Name, ErrNone, missing, s.Name)
}

func (f *Found) at(place Place, path string) {
	f.Place, f.Path = place, path
	if info, err := os.Stat(path); err == nil {
		f.Since = info.ModTime()
	}
}
