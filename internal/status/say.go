package status

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"brodaemon/internal/archive"
	"brodaemon/internal/deliver"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// sentence is what was said, on one line: on a Dutch page in Dutch where its
// words are known, else as it was said, which is in English or in the words of
// the system or the portal.
func (l language) sentence(said string, words queue.Words) string {
	if l == dutch {
		if s, ok := say(words); ok {
			return s
		}
	}
	return l.said(said)
}

// say is what words say, in Dutch. It fails on a code that it does not know, as
// one of a newer version that wrote the queue.
func say(words queue.Words) (string, bool) {
	if len(words) == 0 {
		return "", false
	}
	of := particulars(words[1:])
	if compose := composed[words.Code()]; compose != nil {
		return compose(of)
	}
	text, known := sayings[words.Code()]
	if !known {
		return "", false
	}
	return of.fill(text)
}

// composed are the sentences that depend on what is known.
var composed map[queue.Code]func(particulars) (string, bool)

func init() { // they say words too
	composed = map[queue.Code]func(particulars) (string, bool){
		queue.SaySameBytes:   func(of particulars) (string, bool) { return of.same("same-bytes"), true },
		queue.SaySameContent: func(of particulars) (string, bool) { return of.same("same-content"), true },
		queue.SaySameObject:  func(of particulars) (string, bool) { return of.same("same-object"), true },
		deliver.SayPortal: func(of particulars) (string, bool) {
			s, ok := portalSentence(of)
			advice, known := advices[portal.Advice(of.at(7))]
			return advised(s, advice), ok && (known || of.at(7) == "")
		},
		deliver.SayLocal: func(of particulars) (string, bool) {
			return advised(technical("er ging op deze computer iets mis", of.at(2)), advices[portal.AdviseDisk]), true
		},
		deliver.SayTransactions: func(of particulars) (string, bool) {
			text := "{4...} Het transactieregister toont {2} transacties van {1}; de nieuwste is {3}."
			if of.at(2) == "0" {
				text = "{4...} Het transactieregister toont geen transacties van {1}."
			}
			return of.fill(text)
		},
		deliver.SayFiling: func(of particulars) (string, bool) {
			hint := archive.Hint("nl", archive.Kind(of.at(1)))
			return technical(hint, of.at(2)), hint != "" || archive.Kind(of.at(1)) == archive.Other
		},
		deliver.SayFault: faultSentence,
		deliver.SayUnfit: func(of particulars) (string, bool) {
			text, known := unfits[portal.UnfitWord(of.at(1))]
			return text, known
		},
		deliver.SayRegister: func(of particulars) (string, bool) {
			trouble, known := registerTroubles[of.at(1)]
			s := "Openbaar register, " + of.at(2) + ": " + trouble
			if of.at(3) != "" {
				s += ": " + of.at(3)
			}
			return technical(s, of.at(4)), known
		},
	}
}

// particulars are what words are about; the first is number 1.
type particulars []string

// at is a particular, fit for one line; "" if there is none.
func (of particulars) at(n int) string {
	if n > len(of) {
		return ""
	}
	return line(of[n-1])
}

// fill puts the particulars into a text. What it puts in is not looked at again.
// It fails where one is missing that the sentence can't do without.
func (of particulars) fill(text string) (s string, ok bool) {
	ok = true
	pairs := []string{" ({1})", ""} // an error that the system said nothing of
	if of.at(1) != "" {
		pairs = nil
	}
	for n := 1; n <= 8; n++ {
		name := "{" + strconv.Itoa(n)
		if rest := name + "...}"; strings.Contains(text, rest) {
			inner, known := say(queue.Words(of[min(n-1, len(of)):]))
			pairs, ok = append(pairs, rest, inner), ok && known
		}
		if lacks := of.at(n) == "" && (n > 1 || !strings.Contains(text, " ({1})")); lacks {
			ok = ok && !strings.Contains(text, name+"}") && !strings.Contains(text, name+"@}") && !strings.Contains(text, name+"&}")
		}
		pairs = append(pairs, name+"@}", moment(of.at(n)), name+"&}", archive.Environment("nl", of.at(n)), name+"}", of.at(n))
	}
	return strings.NewReplacer(pairs...).Replace(text), ok
}

// moment is a stamp in local time.
func moment(stamp string) string {
	if t, err := time.Parse(time.RFC3339, stamp); err == nil {
		return local(t)
	}
	return stamp
}

// same says which document another one is like, and in what.
func (of particulars) same(how string) string {
	other := of.at(1)
	if of.at(2) == "" {
		other += " (dat niet meer kan worden gelezen en misschien is aangeleverd)"
	} else {
		other += " (" + of.at(2) + ")"
	}
	return dutch.text(how, other)
}

// technical adds what only a specialist has to read.
func technical(s, why string) string {
	switch {
	case why == "":
		return s
	case s == "":
		return "(technische melding: " + why + ")"
	}
	return s + " (technische melding: " + why + ")"
}

func advised(s, advice string) string {
	if advice == "" {
		return s
	}
	return s + ". " + dutch.text("do", advice)
}

// portalSentence is what went wrong at the portal, without advice. It fails on
// a word that it does not know.
func portalSentence(of particulars) (s string, ok bool) {
	s, ok = operations[portal.Op(of.at(1))]
	if !ok {
		return "", false
	}
	meaning, ok := meanings[portal.Meaning(of.at(3))]
	ok = ok || of.at(3) == ""
	for _, part := range []string{of.at(2), meaning} {
		if part != "" {
			s += ": " + part
		}
	}
	if wait, err := time.ParseDuration(of.at(8)); err == nil && wait > 0 {
		s += " (het portaal vraagt om " + dutch.span(wait) + " te wachten)"
	}
	if of.at(4) != "" {
		s += ": " + of.at(4)
	}
	s = technical(s, of.at(5))
	switch op := portal.Op(of.at(1)); {
	case of.at(6) == "":
	case op == portal.OpSubmit:
		s += "; de levering kan toch zijn gemaakt"
	case op == portal.OpAddNote, op == portal.OpAttach:
		s += "; het kan toch zijn toegevoegd"
	}
	return s, ok
}

// adviceOf parts what words say of a portal from the advice, for a condition.
func adviceOf(words queue.Words) (what, advice string, ok bool) {
	if words.Code() != deliver.SayPortal {
		what, ok = say(words)
		return what, "", ok
	}
	of := particulars(words[1:])
	what, ok = portalSentence(of)
	advice, known := advices[portal.Advice(of.at(7))]
	return what, advice, ok && (known || of.at(7) == "")
}

// faultSentence says what is wrong with a file that waits.
func faultSentence(of particulars) (string, bool) {
	text, mayChange := faults[of.at(1)]
	if of.at(1) == "" || of.at(2) == "" {
		return "", false
	}
	if !mayChange {
		r := archive.Reason{Code: archive.DocumentReason(of.at(1)), File: of.at(2), Detail: of.at(3)}
		return r.Summary("nl"), true
	}
	place := particulars{of.at(1), of.at(2), of.at(3), fmt.Sprintf("regel %s, byte %s", of.at(5), of.at(4))}
	s, ok := place.fill(text)
	return s + " " + dutch.text("looked-at-again"), ok
}

// technical is an error as a page shows it.
func (l language) technical(err error) string {
	if l == dutch {
		return technical("", line(err.Error()))
	}
	return line(err.Error())
}

// unfit is why a document does not admit what a person wants, in Dutch.
func (l language) unfit(te *queue.TransitionError) string {
	key, known := map[string]string{
		queue.WhyInDoubt: "cant.in-doubt", queue.WhyClear: "cant.clear", queue.WhyFiled: "cant.filed", queue.WhyNotHeld: "cant.not-held",
	}[te.Why]
	switch {
	case known:
		return l.text(key)
	case te.BecauseHeld():
		return l.text("cant.held")
	}
	return technical(l.text("cant-in", l.word("state", te.State)), line(te.Why))
}

// refusal is why an act was not done.
func (l language) refusal(err error) string {
	var te *queue.TransitionError
	var usage usageError
	switch {
	case l == english:
		return line(err.Error())
	case errors.As(err, &te) && te.Why == deliver.WhyBusy:
		return l.text("busy")
	case errors.As(err, &te):
		return l.unfit(te)
	case errors.As(err, &usage):
		return l.text("bad-answer")
	case errors.Is(err, queue.ErrClosed):
		return l.text("stopping")
	}
	return l.technical(err)
}
