package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

const (
	// stopPatience is how long the program may take to stop; after that the
	// process ends all the same, which loses nothing.
	stopPatience = 20 * time.Second
	stopHint     = 5 * time.Second // said to the service manager again and again meanwhile
	// ExitFatal ends the process when the daemon ended by itself.
	ExitFatal = 70
)

// Run runs program as a Windows service until the service manager stops it.
// Whoever calls it by hand gets an error that says so. A program that ends with
// a *FaultError stops the service with that code; one that ends by itself in
// another way ends the process, so that the service manager's recovery fires.
func Run(ctx context.Context, program func(ctx context.Context) error) error {
	err := svc.Run(Name, handler{ctx, program})
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return fmt.Errorf("only the service manager runs this; by hand it is `brodaemon run`")
	}
	return err
}

type handler struct {
	ctx     context.Context
	program func(ctx context.Context) error
}

// Execute says that the service runs before the program begins: reading files
// and asking shares may take longer than the service manager waits.
func (h handler) Execute(_ []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown}
	changes <- running
	ended := make(chan error, 1)
	go func() { ended <- h.program(ctx) }()
	for {
		select {
		case err := <-ended:
			return endedByItself(err)
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				changes <- running
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				cancel()
				stop(ended, requests, changes)
				return false, 0
			}
		}
	}
}

// endedByItself reports a fault, or ends the process.
func endedByItself(err error) (bool, uint32) {
	var fault *FaultError
	switch {
	case errors.As(err, &fault):
		return true, uint32(fault.Code)
	case err != nil:
		os.Exit(ExitFatal)
	}
	return false, 0
}

// stop waits for the program and tells the service manager that it still goes on.
func stop(ended <-chan error, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) {
	status := svc.Status{State: svc.StopPending, WaitHint: uint32(stopHint.Milliseconds())}
	changes <- status
	deadline := time.NewTimer(stopPatience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-deadline.C:
			return
		case <-requests: // asked again, or how it goes
			changes <- status
		case <-tick.C:
			status.CheckPoint++
			changes <- status
		}
	}
}
