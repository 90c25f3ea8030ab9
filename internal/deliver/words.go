package deliver

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/document"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
	"brodaemon/internal/registry"
)

// This file makes the words of what the Worker says (see [queue.Words]). Where
// a sentence ends in what another room said, the last particulars are the words
// of that.

// What is said of a document under way.
const (
	SayPortal        queue.Code = "portal"         // 1 act, 2 answer, 3 portal.Meaning, 4 what the portal said, 5 the error, 6 "maybe", 7 portal.Advice, 8 wait
	SayLocal         queue.Code = "local"          // 1 the step, 2 the error
	SayNotBegun      queue.Code = "not-begun"      //
	SayWrongDelivery queue.Code = "wrong-delivery" // 1 number, 2 the file in it, 3 the name we gave
	SayOdd           queue.Code = "odd"            // 1 number, 2 its status, 3 that of the document
	SayRegisterFault queue.Code = "register-fault" // 1 number, 2 the register's words
	SayDeliveryGone  queue.Code = "delivery-gone"  // 1 number
	SayNotShown      queue.Code = "not-shown"      // 1 number
	SayOtherPortal   queue.Code = "other-portal"   // 1 the document's environment, 2 folder, 3 the folder's environment
	SayOtherProject  queue.Code = "other-project"  // 1 the document's project, 2 folder, 3 the folder's project
	SayCopyAgain     queue.Code = "copy-again"     // 1 path
	SayBytesGone     queue.Code = "bytes-gone"     // 1 path, 2 SHA-256
	SayLookedUp      queue.Code = "looked-up"      // 1 upload, 2 name at the portal
	SayLookedUpLost  queue.Code = "looked-up-lost" // 1 end of the name at the portal
	SayMayNotList    queue.Code = "may-not-list"   // words of the look-up follow
	SayTransactions  queue.Code = "transactions"   // 1 BRO-ID, 2 how many the register shows, 3 the newest; words of the look-up follow
	SayFiling        queue.Code = "filing"         // 1 archive.Kind, 2 the error
	SayFilingOther   queue.Code = "filing-other"   // 1 the error
	SayFilingGone    queue.Code = "filing-gone"    // 1 path, 2 SHA-256
	SayFolderBack    queue.Code = "folder-back"    // 1 from, 2 until
)

// What is said of a document in the public register.
const (
	SayDeregistered queue.Code = "deregistered" // 1 BRO-ID
	SayOtherParty   queue.Code = "other-party"  // 1 BRO-ID, 2 the register's party, 3 the document's
	SayNotMoved     queue.Code = "not-moved"    // 1 BRO-ID, 2 moment of the delivery, 3 last moment in its history
	SayRegister     queue.Code = "register"     // 1 registry.Kind, 2 what was asked for, 3 the register's words, 4 the error
	SayConfirmed    queue.Code = "confirmed"    // 1 the register's status, 2 its address
)

// What is said of a file that is not taken yet.
const (
	SayNoFolder     queue.Code = "no-folder"     // 1 folder
	SayBadName      queue.Code = "bad-name"      //
	SayElsewhere    queue.Code = "elsewhere"     // 1 folder, 2 its environment, 3 documents under way, 4 to which environment
	SayFault        queue.Code = "fault"         // 1 document.FaultKind, 2 file, 3 particular, 4 byte, 5 line
	SayTooLarge     queue.Code = "too-large"     // 1 GB; words of its fault follow
	SayReadChanged  queue.Code = "read-changed"  // while it was being read
	SayNotKept      queue.Code = "not-kept"      // 1 the error
	SayStopping     queue.Code = "stopping"      //
	SayNoRoom       queue.Code = "no-room"       // 1 data folder
	SayNotInQueue   queue.Code = "not-in-queue"  // the companion's document
	SayOtherContent queue.Code = "other-content" // of a companion; 1 document
	SayMaybeBefore  queue.Code = "maybe-before"  // a companion may have been added before the queue was lost
	SayTooLate      queue.Code = "too-late"      // for a companion; 1 document
	SayTooMany      queue.Code = "too-many"      // companions; 1 document, 2 how many
)

// What is said of a companion file.
const (
	SayNoteEmpty    queue.Code = "file-empty"  //
	SayNoteLarge    queue.Code = "note-large"  // 1 bytes that a note may have
	SayFileLarge    queue.Code = "file-large"  // 1 MB that a file may have
	SayUnfit        queue.Code = "unfit"       // 1 portal.UnfitWord, 2 the English of it
	SayAddStopped   queue.Code = "add-stopped" //
	SayAddLost      queue.Code = "add-lost"    // the queue was lost after the submission
	SayNoEnricher   queue.Code = "no-enricher" //
	SayNotReadAgain queue.Code = "not-read"    // 1 the error
	SayHadOutcome   queue.Code = "had-outcome" // the document, before it could be added
)

// stamp is a moment as particular of a sentence.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// reason is why something is left alone.
type reason struct {
	text  string
	words queue.Words
}

// reasonOf is what people are told of a failure; see told.
func reasonOf(pe *portal.Error) reason { return reason{told(pe), wordsOf("", pe)} }

// wordsOf are the words of told. The step names what failed on our side.
func wordsOf(step string, pe *portal.Error) queue.Words {
	why := ""
	if pe.Err != nil {
		why = pe.Err.Error()
	}
	if pe.Op == "" {
		return queue.Say(SayLocal, step, why)
	}
	answer, said := pe.Answer()
	maybe, wait := "", ""
	if pe.MaybeDone {
		maybe = "maybe"
	}
	if pe.Kind == portal.RateLimited && pe.RetryAfter > 0 { // as the English says it
		wait = pe.RetryAfter.Round(time.Second).String()
	}
	return queue.Say(SayPortal, string(pe.Op), answer, string(pe.Meaning()), said, why, maybe, string(pe.Advice()), wait)
}

// faultWords are those of what is wrong with a file.
func faultWords(file string, f *document.Fault) queue.Words {
	return queue.Say(SayFault, string(f.Kind), file, f.Detail, strconv.FormatInt(f.Offset, 10), strconv.Itoa(f.Line))
}

// filingWords are those of why a document could not be filed.
func filingWords(err error) queue.Words {
	var trouble *archive.Error
	if !errors.As(err, &trouble) {
		return queue.Say(SayFilingOther, err.Error())
	}
	return queue.Say(SayFiling, string(trouble.Kind), fmt.Sprintf("%s: %v", trouble.Op, trouble.Err))
}

// registerWords are those of a failed question to the public register.
func registerWords(e *registry.Error) queue.Words {
	why := ""
	if e.Err != nil {
		why = e.Err.Error()
	}
	return queue.Say(SayRegister, string(e.Kind), e.What, e.Detail, why)
}

// unfitWords are those of what portal.CheckNote and CheckAttachmentName say.
func unfitWords(err error) queue.Words {
	var u *portal.Unfit
	if !errors.As(err, &u) {
		return queue.Say(SayNotReadAgain, err.Error())
	}
	return queue.Say(SayUnfit, string(u.Word), err.Error())
}

// CompanionWords are those of why companion i of an item was not added, as its
// receipt says it; nil where nothing is known but the sentence.
func CompanionWords(it *queue.Item, i int) queue.Words {
	c := &it.Companions[i]
	if why, words := unfit(c); why != "" && why == c.Why {
		return words
	}
	if c.Why == "" && c.State == queue.CompanionWaiting && it.State.End() {
		return queue.Say(SayHadOutcome)
	}
	return it.WordsOf(c.Why)
}
