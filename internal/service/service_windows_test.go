package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

func TestAccounts(t *testing.T) {
	for user, want := range map[string]struct {
		qualified string
		password  bool
	}{
		"": {"", false}, "LocalSystem": {"", false}, "jan": {`.\jan`, true}, `OFFICE\jan`: {`OFFICE\jan`, true}, "jan@office.example.org": {"jan@office.example.org", true},
		`OFFICE\svc-bro$`: {`OFFICE\svc-bro$`, false}, `NT AUTHORITY\NetworkService`: {`NT AUTHORITY\NetworkService`, false}, `NT SERVICE\brodaemon`: {`NT SERVICE\brodaemon`, false},
	} {
		if got := qualified(user); got != want.qualified {
			t.Errorf("%q is written %q, want %q", user, got, want.qualified)
		}
		if got := NeedsPassword(user); got != want.password {
			t.Errorf("%q needs a password: %v", user, got)
		}
	}
}

// execute runs the handler as the service manager would.
func execute(program func(context.Context) error) (requests chan svc.ChangeRequest, changes chan svc.Status, ended chan [2]any) {
	requests, changes, ended = make(chan svc.ChangeRequest), make(chan svc.Status, 100), make(chan [2]any, 1)
	go func() {
		specific, code := handler{context.Background(), program}.Execute(nil, requests, changes)
		ended <- [2]any{specific, code}
	}()
	return requests, changes, ended
}

func TestRunningIsSaidBeforeAnythingSlow(t *testing.T) {
	gate := make(chan bool)
	requests, changes, ended := execute(func(ctx context.Context) error {
		<-gate // the program never gets further
		<-ctx.Done()
		return nil
	})
	if s := <-changes; s.State != svc.Running || s.Accepts&svc.AcceptPreShutdown == 0 || s.Accepts&svc.AcceptStop == 0 {
		t.Errorf("first status %+v", s)
	}
	close(gate)
	requests <- svc.ChangeRequest{Cmd: svc.PreShutdown}
	if s := <-changes; s.State != svc.StopPending || s.WaitHint == 0 {
		t.Errorf("after the request to stop: %+v", s)
	}
	if got := <-ended; got != [2]any{false, uint32(0)} {
		t.Errorf("ended with %v", got)
	}
}

func TestStopSaysThatItGoesOn(t *testing.T) {
	gate := make(chan bool)
	requests, changes, ended := execute(func(ctx context.Context) error { <-gate; return nil })
	<-changes
	requests <- svc.ChangeRequest{Cmd: svc.Stop}
	var last uint32
	for deadline := time.After(10 * time.Second); last < 2; {
		select {
		case s := <-changes:
			last = s.CheckPoint
		case <-deadline:
			t.Fatal("no progress is said while stopping")
		}
	}
	close(gate)
	<-ended
}

func TestFaultIsTheServicesOwnExitCode(t *testing.T) {
	_, _, ended := execute(func(context.Context) error { return &FaultError{78, errors.New("faulty")} })
	if got := <-ended; got != [2]any{true, uint32(78)} {
		t.Errorf("ended with %v", got)
	}
}

// The configuration's folder is closed at a start while it has what %ProgramData%
// passes on, and left alone once a person has set anything.
func TestOwnAccessList(t *testing.T) {
	for list, own := range map[string]bool{
		"D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)": false, // as in %ProgramData%
		"D:AI(A;OICI;0x1301bf;;;S-1-5-21-1-2-3-1104)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)":                      true,
		"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)": true,
		"D:PAI(A;OICIID;FA;;;SY)":             true,
		"O:SY":                                false, // no list: everybody
	} {
		sd, err := windows.SecurityDescriptorFromString(list)
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		if got, err := hasOwnList(sd); err != nil || got != own {
			t.Errorf("%s: own list %v, %v; want %v", list, got, err, own)
		}
	}
}
