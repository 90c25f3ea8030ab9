package demo

import (
	"testing"
	"time"
)

// stuckTerminal takes nothing until it is let go.
type stuckTerminal struct{ entered, free chan struct{} }

func (s *stuckTerminal) Write(p []byte) (int, error) {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.free
	return len(p), nil
}

// TestSlowTerminalHoldsUpNothing: say is called while the queue commits.
func TestSlowTerminalHoldsUpNothing(t *testing.T) {
	out := &stuckTerminal{make(chan struct{}, 1), make(chan struct{})}
	s := newScreen(out)
	s.say("a.xml", "taken", "")
	drained := make(chan struct{})
	go func() { s.drain(); close(drained) }()
	<-out.entered
	said := make(chan struct{})
	go func() { s.say("b.xml", "taken", ""); close(said) }()
	select {
	case <-said:
	case <-time.After(5 * time.Second):
		t.Error("a document waits for the terminal")
	}
	close(out.free)
	<-drained
}
