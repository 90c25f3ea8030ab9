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
	SayUnseen       Code = "watch.unseen"        // Words of the error follow
	SayOnlineOnly   Code = "watch.online-only"   // kept online only, not on this disk
	SayStillOpen    Code = "watch.still-open"    // by another program, and tried again
	SayChanged      Code = "watch.changed"       // since it was offered
	SayNotRegular   Code = "watch.not-regular"   // not an ordinary file
	SaySystem       Code = "watch.system"        // 1 what the system says
	SayOther        Code = "watch.other"         // 1 any other error, in its own words
	SayPartial      Code = "watch.partial"       // Words of the error follow
	SayNoAnswer     Code = "watch.no-answer"     // 1 since when
	SayOtherMarker  Code = "watch.marker-other"  // 1 the folder that the marker names
	SayMarkerDamage Code = "watch.marker-damage" // 1 the error
	SayMarkerWrite  Code = "watch.marker-write"  // Words of the error follow
	SayMarkerRecord Code = "watch.marker-record" // 1 the error
	SaySetToPoll    Code = "watch.set-to-poll"   // why there are no events: configured so
	SayNetworkDisk  Code = "watch.network-disk"  // 1 the kind of file system
	SayEventsFailed Code = "watch.events-failed" // 1 the error
	SayEventsLimit  Code = "watch.events-limit"  // of the system
	SayRenewed      Code = "watch.renewed"       // the watch is being made anew
	SayOffline      Code = "watch.offline"       // the folder is
)

// What error numbers mean to a person. 1 is always the system's own words.
const (
	AdviceMissing         Code = "watch.missing"
	AdviceNotAFolder      Code = "watch.not-a-folder"
	AdviceRights          Code = "watch.rights"
	AdviceReadOnly        Code = "watch.read-only"
	AdviceInputOutput     Code = "watch.input-output"
	AdviceStale           Code = "watch.stale"
	AdviceServer          Code = "watch.server"
	AdviceNotConnected    Code = "watch.not-connected"
	AdviceDiskGone        Code = "watch.disk-gone"
	AdviceNotReady        Code = "watch.not-ready"
	AdviceNoShare         Code = "watch.no-share"
	AdviceSignOn          Code = "watch.sign-on"
	AdviceTicket          Code = "watch.ticket"
	AdvicePasswordExpired Code = "watch.password-expired"
	AdviceAccountDisabled Code = "watch.account-disabled"
	AdviceChangePassword  Code = "watch.change-password"
	AdviceAccountLocked   Code = "watch.account-locked"
	AdviceNoController    Code = "watch.no-controller"
	AdviceTrustBroken     Code = "watch.trust-broken"
	AdviceOtherAccount    Code = "watch.other-account"
	AdviceWriteProtected  Code = "watch.write-protected"
	AdviceFull            Code = "watch.full"
	AdviceBusy            Code = "watch.busy"
	AdviceTooManyHere     Code = "watch.too-many-here"
	AdviceTooMany         Code = "watch.too-many"
	AdviceCircle          Code = "watch.circle"
	AdviceTooLong         Code = "watch.too-long"
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
	AdviceTicket:          "the file server refuses the sign-on; check the account and its ticket or password",
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
