// Package secret keeps passwords and token secrets from being shown by accident.
//
// A [String] holds the text and shows REDACTED wherever it is printed, logged
// or marshalled, also when it sits in a field of a larger struct, exported or
// not. Only [String.Reveal] gives the text, so that one search for Reveal finds
// every place where a secret leaves its wrapping.
//
// [Source] finds a token's secret. It owns the order of the places, which the
// daemon, the commands and doctor all go by:
//
//  1. the password file, if the configuration names one and it is there: who
//     writes it down wants it used ([ReadFile]; a file that others can read is
//     refused, and that is the end of the search);
//  2. the systemd credential brodaemon.NAME ([Credential]);
//  3. the protected store in the data folder ([Store]), which `token set` fills.
//
// On Linux the store holds the secret as text, in a file of mode 0600 in a
// folder of mode 0700, both of the account that the data folder belongs to. On
// Windows it is encrypted by DPAPI for this machine, so that a copy elsewhere
// (a backup) is of no use, with an access list for the system, administrators
// and the service's account, which is what keeps other accounts of this
// machine out.
//
// What it does not do: it neither encrypts nor wipes memory, and it remembers
// nothing: each call reads anew, so that a changed secret is found.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what everybody sees.
const redacted = "REDACTED"

// String is a secret text. The zero value is the empty secret.
//
// It cannot be compared with ==, which would take longer the more of a guess is
// right; use [String.Equal].
type String struct {
	// A pointer, because fmt calls no methods on what lies in an unexported
	// field of somebody else's struct: there it prints this address.
	text *string
	_    [0]func()
}

// New wraps a text.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{text: &text}
}

// Reveal gives the text itself. What it returns must go into no log, error or file.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty says whether there is no secret at all.
func (s String) Empty() bool { return s.text == nil }

// Equal compares in a time that depends on the lengths only.
func (s String) Equal(other String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String is REDACTED, or nothing for the empty secret, so that a status line
// can show that none is set.
func (s String) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// Format prints the same for every verb, %x and %#v too.
func (s String) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// MarshalText serves text formats, XML and zap's encoders. There is no
// UnmarshalText: a REDACTED that is read back must not become a password.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON writes "REDACTED" or "".
func (s String) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML writes REDACTED or "".
func (s String) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue serves log/slog.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
