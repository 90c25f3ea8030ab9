package archive

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what kept a document from being filed, in the terms of the person
// who can help. None of them is about the document itself.
type Kind string

// The kinds of [Error].
const (
	Full         Kind = "full"         // the disk, or the account's share of it
	Permission   Kind = "permission"   // not allowed
	ReadOnly     Kind = "read-only"    // the volume is read-only
	Gone         Kind = "gone"         // the folder, the share or the server is out of reach
	InUse        Kind = "in use"       // another program holds the file
	OtherVolume  Kind = "other volume" // a directory that must be on the same volume is not
	SpoolDamaged Kind = "spool"        // the private copy is not the bytes delivered, or can't be read
	Other        Kind = "other"        // the error text says what
)

// Error is a filing that has to be tried again. errors.Is and errors.As see its cause.
type Error struct {
	Op   string // what was being done: "move the document"
	Path string // to what
	Kind Kind
	Hint string // what a person can do about it, in the configured language
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("archive: %s: %v", e.Op, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

var errSpoolDamaged = errors.New("the spool copy is not the document that was delivered")

func (a *Archive) fault(op, path string, err error) *Error {
	kind := Other
	if errors.Is(err, errSpoolDamaged) {
		kind = SpoolDamaged
	} else if k := kindOf(err); k != "" {
		kind = k
	}
	return &Error{Op: op, Path: path, Kind: kind, Hint: a.hint(kind), Err: err}
}

// wrap makes an *Error of err, unless it is one, is nil, or says that ctx ended.
func (a *Archive) wrap(op, path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) || errors.Is(err, errStopped) {
		return err
	}
	return a.fault(op, path, err)
}

// errStopped marks the end of ctx, so that it is never taken for a fault of the disk.
var errStopped = errors.New("stopped before it was done")

type stopped struct{ cause error }

func (s stopped) Error() string   { return s.cause.Error() }
func (s stopped) Unwrap() []error { return []error{errStopped, s.cause} }

// ended returns nil while ctx goes on, and its cause after that.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return stopped{context.Cause(ctx)}
}

// Hint is what a person can do about a kind of trouble, in a language; "" for a kind that is not known.
func Hint(language string, k Kind) string { return wordsOf(language).hints[k] }

func (a *Archive) hint(k Kind) string { return languages[a.opt.Language].hints[k] }
