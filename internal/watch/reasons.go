package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// explanation is what an error number means to a person.
type explanation struct {
	cause Cause
	text  string
}

// Advice that several error numbers share.
const (
	adviceRights = "no permission; check that the account of this service may list the folder and may read, change, rename and remove what is in it"
	adviceServer = "the file server or the share cannot be reached; check that the server is on and that the network works"
	adviceSignOn = "the file server refuses the account or its password; check the account under which this service runs"
	adviceFull   = "the disk is full"
	adviceBusy   = "another program has it open"
)

// errNotAFolder stands for what os.OpenRoot reports without an error number.
var errNotAFolder = errors.New("it is not a folder; check the path")

// Explain puts an error of the file system in words: a fixed cause, and a plain sentence that says what is wrong and what to check, with the
// system's own words in brackets.
func Explain(err error) (Cause, string) {
	switch {
	case errors.Is(err, ErrBusy):
		return CauseTrouble, "another program still has the file open; it is tried again"
	case errors.Is(err, errNotAFolder):
		return CauseNotAFolder, err.Error()
	case errors.Is(err, ErrChanged), errors.Is(err, ErrNotRegular):
		return CauseTrouble, err.Error()
	}
	var errno syscall.Errno
	known := errors.As(err, &errno)
	if e, ok := errnoTexts[errno]; known && ok {
		return e.cause, fmt.Sprintf("%s (%v)", e.text, errno)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return CauseMissing, "it does not exist; check the path"
	case errors.Is(err, fs.ErrPermission):
		return CauseNoPermission, adviceRights
	case errors.Is(err, os.ErrDeadlineExceeded):
		return CauseUnreachable, adviceServer
	case known:
		return CauseTrouble, fmt.Sprintf("the system reports: %v", errno)
	default:
		return CauseTrouble, err.Error()
	}
}
