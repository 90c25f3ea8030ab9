package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Words are what a sentence says, without a language: a fixed word, then the
// particulars. They stand beside the English sentence for who shows it in
// another language. Where a sentence ends in what the system said, the last
// particulars are the Words of that.
type Words []string

// Code is a fixed word for a sentence of this package: the first of its Words.
type Code string

func say(code Code, particulars ...string) Words { return append(Words{string(code)}, particulars...) }

// What is said of a folder or a file, beside the advice below.
const (
	SayUnseen       Code = "unseen"        // Words of the error follow
	SayOnlineOnly   Code = "online-only"   // kept online only, not on this disk
	SayStillOpen    Code = "still-open"    // by another program, and tried again
	SayChanged      Code = "changed"       // since it was offered
	SayNotRegular   Code = "not-regular"   // not an ordinary file
	SaySystem       Code = "system"        // 1 what the system says
	SayOther        Code = "other"         // 1 any other error, in its own words
	SayPartial      Code = "partial"       // Words of the error follow
	SayNoAnswer     Code = "no-answer"     // 1 since when
	SayOtherMarker  Code = "marker-other"  // 1 the folder that the marker names
	SayMarkerDamage Code = "marker-damage" // 1 the error
	SayMarkerWrite  Code = "marker-write"  // Words of the error follow
	SayMarkerRecord Code = "marker-record" // 1 the error
	SaySetToPoll    Code = "set-to-poll"   // why there are no events: configured so
	SayNetworkDisk  Code = "network-disk"  // 1 the kind of file system
	SayEventsFailed Code = "events-failed" // 1 the error
	SayEventsLimit  Code = "events-limit"  // of the system
)

// What error numbers mean to a person. 1 is always the system's own words.
const (
	AdviceMissing         Code = "missing"
	AdviceNotAFolder      Code = "not-a-folder"
	AdviceRights          Code = "rights"
	AdviceReadOnly        Code = "read-only"
	AdviceInputOutput     Code = "input-output"
	AdviceStale           Code = "stale"
	AdviceServer          Code = "server"
	AdviceNotConnected    Code = "not-connected"
	AdviceDiskGone        Code = "disk-gone"
	AdviceNotReady        Code = "not-ready"
	AdviceNoShare         Code = "no-share"
	AdviceSignOn          Code = "sign-on"
	AdvicePasswordExpired Code = "password-expired"
	AdviceAccountDisabled Code = "account-disabled"
	AdviceChangePassword  Code = "change-password"
	AdviceAccountLocked   Code = "account-locked"
	AdviceNoController    Code = "no-controller"
	AdviceTrustBroken     Code = "trust-broken"
	AdviceOtherAccount    Code = "other-account"
	AdviceWriteProtected  Code = "write-protected"
	AdviceFull            Code = "full"
	AdviceBusy            Code = "busy"
	AdviceTooManyHere     Code = "too-many-here"
	AdviceTooMany         Code = "too-many"
	AdviceCircle          Code = "circle"
	AdviceTooLong         Code = "too-long"
)

var advices = map[Code]string{
	AdviceMissing:         "it does not exist; check the path, and that the share is connected",
	AdviceNotAFolder:      "it is not a folder; check the path",
	AdviceRights:          "no permission; check that the account of this service may list the folder and may read, change, rename and remove what is in it",
	AdviceReadOnly:        "the file system is read-only; check how it is mounted and whether the disk is in trouble",
	AdviceInputOutput:     "the disk or the file server reports a read or write error; check that the server can be reached",
	AdviceStale:           "the file server no longer knows this folder; it may have to be mounted again",
	AdviceServer:          "the file server or the share cannot be reached; check that the server is on and that the network works",
	AdviceNotConnected:    "the share is no longer connected; it may have to be mounted again",
	AdviceDiskGone:        "the disk or share is gone; check that it is connected",
	AdviceNotReady:        "the disk or share is not ready; check that it is connected",
	AdviceNoShare:         "the file server answers but has no share of this name; check the path",
	AdviceSignOn:          "the file server refuses the account or its password; check the account under which this service runs",
	AdvicePasswordExpired: "the password of the account has expired; set a new one",
	AdviceAccountDisabled: "the account is disabled",
	AdviceChangePassword:  "the password of the account must be changed",
	AdviceAccountLocked:   "the account is locked out",
	AdviceNoController:    "no domain controller can be reached to check the account",
	AdviceTrustBroken:     "the trust between this machine and the domain is broken",
	AdviceOtherAccount:    "this machine is already connected to the file server under another account; end that connection",
	AdviceWriteProtected:  "the disk is write-protected",
	AdviceFull:            "the disk is full",
	AdviceBusy:            "another program has it open",
	AdviceTooManyHere:     "this process has too many files open",
	AdviceTooMany:         "this machine has too many files open",
	AdviceCircle:          "its path goes through links that lead in a circle",
	AdviceTooLong:         "its path is too long",
}

// explanation is what an error number means to a person.
type explanation struct {
	cause  Cause
	advice Code
}

// errNotAFolder stands for what os.OpenRoot reports without an error number.
var errNotAFolder = errors.New("it is not a folder; check the path")

// Explain puts an error of the file system in words: a fixed cause, and a plain sentence that says what is wrong and what to check, with the
// system's own words in brackets.
func Explain(err error) (Cause, string) {
	cause, text, _ := explain(err)
	return cause, text
}

// WordsOf are what an error of the file system, or of Arrival.Open and Check, says.
func WordsOf(err error) Words {
	_, _, words := explain(err)
	return words
}

func explain(err error) (Cause, string, Words) {
	switch {
	case errors.Is(err, ErrBusy):
		return CauseTrouble, "another program still has the file open; it is tried again", say(SayStillOpen)
	case errors.Is(err, errNotAFolder):
		return CauseNotAFolder, err.Error(), say(AdviceNotAFolder)
	case errors.Is(err, ErrChanged):
		return CauseTrouble, err.Error(), say(SayChanged)
	case errors.Is(err, ErrNotRegular):
		return CauseTrouble, err.Error(), say(SayNotRegular)
	}
	var errno syscall.Errno
	known := errors.As(err, &errno)
	if e, ok := errnoTexts[errno]; known && ok {
		return e.cause, fmt.Sprintf("%s (%v)", advices[e.advice], errno), say(e.advice, errno.Error())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return CauseMissing, "it does not exist; check the path", say(AdviceMissing)
	case errors.Is(err, fs.ErrPermission):
		return CauseNoPermission, advices[AdviceRights], say(AdviceRights)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return CauseUnreachable, advices[AdviceServer], say(AdviceServer)
	case known:
		return CauseTrouble, fmt.Sprintf("the system reports: %v", errno), say(SaySystem, errno.Error())
	default:
		return CauseTrouble, err.Error(), say(SayOther, err.Error())
	}
}
