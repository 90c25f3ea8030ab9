package queue

import (
	"slices"
	"strings"
	"testing"
)

// Words stand in the timeline alone and are found by the sentence they belong
// to; what an older version wrote, or changed, has none and never those of another sentence.
func TestWordsGoWithTheirSentence(t *testing.T) {
	it := Item{ID: 7, Folder: "f", File: "a.xml", SHA256: "aa", State: Queued}
	after, err := it.With(
		Retry(t0, t0, "validate", "local", "the first").Saying(Say("one", "1", "", "")),
		Postponed(t0, t0, "local", "the second").Saying(Say("two", strings.Repeat("x", 2*maxText))),
	)
	if err != nil {
		t.Fatal(err)
	}
	data, err := after.encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := decodeItem(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := read.WordsOf("the first"); !slices.Equal(got, Words{"one", "1"}) { // after its step
		t.Errorf("the first: %q", got)
	}
	if got := read.WordsOf(read.LastError); got.Code() != "two" || len(got[1]) > maxText+len("…") {
		t.Errorf("the second: code %q, %d bytes", got.Code(), len(got[1]))
	}
	for _, other := range []string{"", "third", "first"} {
		if got := read.WordsOf(other); got != nil {
			t.Errorf("%q has words %q", other, got)
		}
	}

	// an older version knows no words, and says something else
	for i := range read.History {
		read.History[i].Words = nil
	}
	older, err := read.With(Postponed(t0, t0, "local", "the third"))
	if err != nil {
		t.Fatal(err)
	}
	if got := older.WordsOf(older.LastError); got != nil || got.Code() != "" {
		t.Errorf("of an older version: %q", got)
	}
}

// A document that is made again from the ledger is held in the same words.
func TestTheLedgerKeepsWhyADocumentIsHeld(t *testing.T) {
	it := Item{ID: 7, Folder: "f", File: "a.xml", SHA256: "aa", Spool: "0123456789abcdef01234567", State: Queued}
	held, err := it.With(HeldBack(t0), Released(t0), PutBack(t0, t0))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := newRecord(&held)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rec.item()
	if err != nil {
		t.Fatal(err)
	}
	if got := again.WordsOf(again.HoldReason); got.Code() != SayPutBack || len(again.History) != 1 {
		t.Errorf("words %q, timeline %v", got, again.History)
	}
	released, err := held.With(Released(t0))
	if err != nil {
		t.Fatal(err)
	}
	if rec, err = newRecord(&released); err != nil || strings.Contains(string(rec.Item), "history") {
		t.Errorf("a document that is not held has a timeline in the ledger: %s, %v", rec.Item, err)
	}
}

// Only a line that names what failed ends in a sentence that has its words.
func TestWordsOfTheEndOfALine(t *testing.T) {
	words := Say("a code")
	for what, want := range map[string]bool{"retry": true, "companion-not-added": true, "postponed": false, "rejected": false} {
		it := Item{History: []Event{{What: what, Detail: "validate: it failed", Words: words}}}
		if got := it.WordsOf("it failed") != nil; got != want {
			t.Errorf("%s: %t, want %t", what, got, want)
		}
	}
}

// A line of an older version, without words, gets them when the same happens again.
func TestWordsOfTheSameAgain(t *testing.T) {
	it := Item{History: []Event{{What: "postponed", Detail: "it waits"}}}
	it.say(t0, "postponed", "it waits", Say("a code"))
	if len(it.History) != 1 || it.History[0].Count != 2 || it.WordsOf("it waits") == nil {
		t.Errorf("%+v", it.History)
	}
}
