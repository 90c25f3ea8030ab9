// Package config reads the configuration file.
//
// What it is for: turning one YAML file into a Config that the rest of
// brodaemon may trust. Load is strict, because a slip in this file makes the
// daemon deliver to the wrong place, or not at all: an unknown or doubled key, a
// wrong type and a value out of range are faults, and every fault is reported at
// once, with field, line, value and remedy (*Error).
//
// Its promise: a Config that Load or Parse returned is complete (defaults filled
// in, relative paths made absolute, per-folder portal settings resolved) and
// valid by every rule in docs/configuration.md. No input makes it panic.
//
// What it does not do: it holds no secrets, only the names of files that hold
// them; it does not look whether folders, files or hosts exist (that is the work
// of the daemon, which waits for what is not there yet).
// Two questions to the operating system are the exception, because their answer
// means that the file must be changed: whether data_dir lies on a network drive,
// and whether a Windows drive letter is a mapped one. Load asks them, Parse does not.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// FileVariable is the environment variable that names the configuration file.
const FileVariable = "BRODAEMON_CONFIG"

// maxFileSize bounds what Load reads. A thousand folders written out in full are
// half of it.
const maxFileSize = 1 << 20

// Config is a whole configuration. Treat it as read-only: a reload makes a new one.
type Config struct {
	DataDir   string    `yaml:"data_dir"` // absolute
	Language  string    `yaml:"language"` // nl or en
	Common    Portal    `yaml:"portal"`   // what a folder's own portal settings are laid over
	Tokens    []Token   `yaml:"tokens"`
	Folders   []Folder  `yaml:"folders"`
	Retry     Retry     `yaml:"retry"`
	Follow    Follow    `yaml:"follow"`
	Status    Status    `yaml:"status"`
	Notify    Notify    `yaml:"notify"`
	Log       Log       `yaml:"log"`
	Retention Retention `yaml:"retention"`

	// File is the file that this was read from, for messages.
	File string `yaml:"-"`
}

// Token names credentials for the portal. The password is elsewhere: in
// PasswordFile, else in the systemd credential brodaemon.NAME, else in the
// protected store.
type Token struct {
	Name         string `yaml:"name"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"` // absolute, or "" for the other places
}

// Folder is one watched folder.
type Folder struct {
	Name      string   `yaml:"name"`
	Path      string   `yaml:"path"`       // absolute
	Project   string   `yaml:"project"`    // the portal's project number, digits
	Token     string   `yaml:"token"`      // name of one of Config.Tokens
	DoneDir   string   `yaml:"done_dir"`   // absolute
	FailedDir string   `yaml:"failed_dir"` // absolute
	Include   []string `yaml:"include"`    // path.Match patterns for file names; upper and lower case count alike
	Recursive bool     `yaml:"recursive"`
	Watch     string   `yaml:"watch"` // auto or poll

	ScanInterval      time.Duration `yaml:"scan_interval"`
	Settle            time.Duration `yaml:"settle"`
	IncompleteTimeout time.Duration `yaml:"incomplete_timeout"`

	// EnrichmentToken names the token with which companion files are added to
	// deliveries; "" is Token.
	EnrichmentToken string `yaml:"enrichment_token"`

	Order                string `yaml:"order"`                  // object or none
	DocumentsPerDelivery int    `yaml:"documents_per_delivery"` // 1 in this version

	// Portal holds the settings in force for this folder: Config.Common with
	// what the folder sets itself laid over it.
	Portal Portal `yaml:"portal"`

	Notify                 []string `yaml:"notify"`
	IgnoreValidationErrors []string `yaml:"ignore_validation_errors"`
}

// Retry is the wait after a failed attempt: First, then growing, at most Max.
type Retry struct {
	First time.Duration `yaml:"first"`
	Max   time.Duration `yaml:"max"`
}

// Follow is the wait between two questions for a delivery's outcome, and how long
// a delivery may be without one before a person is told.
type Follow struct {
	First      time.Duration `yaml:"first"`
	Max        time.Duration `yaml:"max"`
	AlarmAfter time.Duration `yaml:"alarm_after"`
}

// Status is the status page and the endpoints beside it.
type Status struct {
	Listen       string `yaml:"listen"`        // host:port; "" is no page; port 0 is any free one
	PasswordFile string `yaml:"password_file"` // absolute; "" is a page that cannot act
}

// Notify says who is told what.
type Notify struct {
	Mail     Mail    `yaml:"mail"`
	Webhook  Webhook `yaml:"webhook"`
	DigestAt string  `yaml:"digest_at"` // HH:MM local time; "" is no digest
}

// Mail is the mail server and its letters' head. An empty Host is no mail.
type Mail struct {
	Host         string   `yaml:"host"`
	Port         int      `yaml:"port"`
	Username     string   `yaml:"username"`
	PasswordFile string   `yaml:"password_file"` // absolute
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
}

// Webhook is an address that gets messages as JSON. An empty URL is none. The
// address may itself be a secret (many services put a key in its path): do not log it.
type Webhook struct {
	URL string `yaml:"url"`
}

// Log is how and how long is logged.
type Log struct {
	Level   string        `yaml:"level"`  // debug, info, warn or error
	Format  string        `yaml:"format"` // text or json
	MaxAge  time.Duration `yaml:"max_age"`
	MaxSize Size          `yaml:"max_size"`
}

// Retention is how long finished documents are kept; 0 is for ever.
type Retention struct {
	Done    Days `yaml:"done"`
	History Days `yaml:"history"`
}

// Default returns a configuration with every default and no tokens or folders.
func Default() *Config {
	return &Config{
		DataDir:  defaultDataDir(),
		Language: "nl",
		Common: Portal{
			Environment:       "demo",
			Concurrency:       4,
			RequestsPerSecond: 10,
			Timeout:           60 * time.Second,
			ValidationTimeout: 5 * time.Minute,
		},
		Retry:  Retry{First: 30 * time.Second, Max: time.Hour},
		Follow: Follow{First: 5 * time.Second, Max: time.Hour, AlarmAfter: 72 * time.Hour},
		Status: Status{Listen: "127.0.0.1:8480"},
		Notify: Notify{Mail: Mail{Port: 587}, DigestAt: "07:00"},
		Log:    Log{Level: "info", Format: "text", MaxAge: 90 * day, MaxSize: 1 << 30},
	}
}

// setDefaults gives f what holds for a folder that sets nothing itself. Its portal
// settings follow when the common ones are known.
func (f *Folder) setDefaults() {
	*f = Folder{
		DoneDir:              "done",
		FailedDir:            "failed",
		Include:              []string{"*.xml"},
		Watch:                "auto",
		ScanInterval:         30 * time.Second,
		Settle:               10 * time.Second,
		IncompleteTimeout:    30 * time.Minute,
		Order:                "object",
		DocumentsPerDelivery: 1,
		// The portal's validation is known to say this of documents whose
		// delivery it then accepts (bro-connector's and brostar's experience).
		IgnoreValidationErrors: []string{"U bent niet als dataleverancier van dit object geregistreerd."},
	}
}

// Find returns the configuration file to use: flag if it is given, else
// $BRODAEMON_CONFIG, else /etc/brodaemon/config.yaml or
// %ProgramData%\brodaemon\config.yaml. It does not look whether the file exists.
func Find(flag string) string {
	if flag != "" {
		return flag
	}
	if file := os.Getenv(FileVariable); file != "" {
		return file
	}
	return defaultFile()
}

// Load reads and checks the configuration in the file path. A fault in its content
// is an *Error with every fault in it; a missing file is fs.ErrNotExist. It may be
// called at any time, for a reload too: it changes nothing.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: find its folder: %w", path, err)
	}
	l := parse(data, path, filepath.Dir(absolute))
	l.checkSystem()
	return l.result()
}

// Parse reads and checks a configuration that is in memory already. Relative paths
// count from the folder of file, which need not exist; file also stands in messages.
// Unlike Load it asks the operating system nothing.
func Parse(data []byte, file string) (*Config, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: find its folder: %w", file, err)
	}
	return parse(data, file, filepath.Dir(absolute)).result()
}

// readFile returns the content of an ordinary file of bounded size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration file %s not found; it is looked for where --config says, else where $%s says, else at %s: %w",
			whole(path), FileVariable, defaultFile(), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w; the account that runs brodaemon must be able to read it", whole(path), err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read configuration %s: this is not a file; give the configuration file itself", whole(path))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w; the account that runs brodaemon must be able to read it", whole(path), err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", whole(path), err)
	}
	return data, nil
}

// whole returns path with its folder, so that a message does not depend on
// knowing the working folder (System32 for a Windows service).
func whole(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

// Folder returns the folder of that name.
func (c *Config) Folder(name string) (Folder, bool) {
	for _, f := range c.Folders {
		if f.Name == name {
			return f, true
		}
	}
	return Folder{}, false
}

// Token returns the token of that name.
func (c *Config) Token(name string) (Token, bool) {
	for _, t := range c.Tokens {
		if t.Name == name {
			return t, true
		}
	}
	return Token{}, false
}

// Portal returns the portal settings in force for the folder of that name, and the
// common ones for any other name.
func (c *Config) Portal(folder string) Portal {
	if f, ok := c.Folder(folder); ok {
		return f.Portal
	}
	return c.Common
}
