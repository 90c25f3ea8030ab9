package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"brodaemon/internal/event"
	"brodaemon/internal/status"
)

func TestConditionsBecomeEventsOnceEach(t *testing.T) {
	var told []string
	w := newConditionWatch(func(e event.Event, text string) { told = append(told, fmt.Sprintf("%d %s", e.ID, text)) })
	offline := status.Condition{Code: "folder-offline", Subject: "zwolle", Text: "zwolle is gone", Hint: "wait"}
	other := status.Condition{Code: "folder-offline", Subject: "assen", Text: "assen is gone"}
	held := func(n int) status.Condition {
		return status.Condition{Code: "held-person", Text: fmt.Sprintf("%d held", n), N: n}
	}
	slow := func(subject string) status.Condition {
		return status.Condition{Code: "delivery-slow", Subject: subject, Text: "slow " + subject}
	}
	steps := []struct {
		name string
		now  []status.Condition
		want []string
	}{
		{"nothing", nil, nil},
		{"seen once", []status.Condition{offline}, nil},
		{"gone again: nobody is told", nil, nil},
		{"back", []status.Condition{offline}, nil},
		{"seen twice", []status.Condition{offline}, []string{"200 zwolle is gone; wait"}},
		{"still there", []status.Condition{offline, other}, nil},
		{"another subject is another event", []status.Condition{offline, other}, []string{"200 assen is gone"}},
		{"missing once", []status.Condition{other}, nil},
		{"there again: it never ended", []status.Condition{offline, other}, nil},
		{"missing", []status.Condition{other}, nil},
		{"missing twice", []status.Condition{other}, []string{"201 over: zwolle is gone"}},
		{"held", []status.Condition{other, held(1)}, nil},
		{"held still", []status.Condition{other, held(1)}, []string{"400 1 held"}},
		{"one more is news", []status.Condition{other, held(2)}, []string{"400 2 held"}},
		{"one less is not", []status.Condition{other, held(1)}, nil},
		{"the oldest slow delivery", []status.Condition{other, held(1), slow("5")}, nil},
		{"has another number now", []status.Condition{other, held(1), slow("6")}, []string{"420 slow 6"}},
		{"and again", []status.Condition{other, held(1), slow("7")}, nil},
		{"a crash was told at the start", []status.Condition{other, held(1), slow("7"), {Code: "crashed", Text: "crash"}}, nil},
		{"and is not told again", []status.Condition{other, held(1), slow("7"), {Code: "crashed", Text: "crash"}}, nil},
	}
	for _, s := range steps {
		told = nil
		w.look(s.now)
		if !reflect.DeepEqual(told, s.want) {
			t.Errorf("%s: told %q, want %q", s.name, told, s.want)
		}
	}
}

// A message is sent for a matter, not for each document that is the oldest of it
// in turn.
func TestConditionsOfMessagesStayTheSame(t *testing.T) {
	told := func(code, subject string) string {
		s := &status.Snapshot{Conditions: []status.Condition{{Code: code, Subject: subject, Text: "text"}}}
		c := conditionsIn("en", s)
		return c[0].Code + " " + c[0].Subject
	}
	if first, second := told("delivery-slow", "5"), told("delivery-slow", "6"); first != second {
		t.Errorf("%q and %q are two matters", first, second)
	}
	if first, second := told("folder-offline", "zwolle"), told("folder-offline", "assen"); first == second {
		t.Errorf("two folders are one matter, %q", first)
	}
}

func TestAFolderThatWasNotLookedAtYetIsNoEvent(t *testing.T) {
	s := status.Snapshot{
		Folders:    []status.Folder{{Name: "a", Cause: "starting"}, {Name: "b", Cause: "missing"}},
		Conditions: []status.Condition{{Code: "folder-offline", Subject: "a"}, {Code: "folder-offline", Subject: "b"}},
	}
	if got := settled(s); len(got) != 1 || got[0].Subject != "b" {
		t.Errorf("got %+v", got)
	}
}

// Every condition of the running daemon that the code makes has Dutch words.
func TestCrashConditionHasItsWords(t *testing.T) {
	if crashCondition(t.TempDir()) != nil {
		t.Error("a crash where none was")
	}
	dir := t.TempDir()
	writeCrash(t, dir)
	c := crashCondition(dir)
	if len(c) != 1 || c[0].Code != "crashed" || !strings.Contains(c[0].Text, "panic: test") || !strings.Contains(c[0].Hint, "crash-") {
		t.Errorf("got %+v", c)
	}
}

func writeCrash(t *testing.T, dir string) {
	t.Helper()
	name := "crash-" + time.Now().Add(-time.Hour).Format("2006-01-02T150405") + ".log"
	if err := os.WriteFile(filepath.Join(dir, name), []byte("panic: test\n\ngoroutine 1 [running]:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
