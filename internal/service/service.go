// Package service puts brodaemon under the system's service manager: the
// Windows service manager, or systemd.
//
// [Install], [Uninstall], [Start], [Stop], [Restart] and [Query] are what
// `brodaemon service …` does. kardianos/service registers the service; what it
// leaves out is done here: on Windows the account's right to log on, three
// recovery actions, delayed start, the wait for stop and start with a deadline
// of their own, and the rights of the data folder; on Linux our own unit
// (brodaemon.service, also what the packages carry), its drop-ins, the account.
//
// [Run] is the other side, on Windows: it runs the daemon under the service
// manager. It does not deduce that from its session but is told by the command
// (`brodaemon service run`), says that it runs before anything slow happens, and
// makes sure that recovery fires: the process ends without the service having
// said that it stopped.
//
// What it does not do: it knows nothing of what the daemon does.
package service

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	kardianos "github.com/kardianos/service"
)

// Name is the service's name on both systems.
const Name = "brodaemon"

const (
	displayName = "brodaemon: delivers to the Bronhouderportaal"
	description = "Delivers BRO source documents from watched folders to the Bronhouderportaal. See brodaemon status."
)

// Unit is the systemd unit as the packages carry it.
//
//go:embed brodaemon.service
var Unit string

// Errors that callers test with errors.Is.
var (
	ErrNotInstalled = errors.New("the service is not installed; install it with `brodaemon service install`")
	ErrInstalled    = errors.New("the service is installed already; to change it, uninstall it first (configuration and data stay)")
	ErrNoManager    = errors.New("there is no service manager here (systemd is not running): use `brodaemon run`")
	// ErrNoRights says what kind of prompt is needed.
	ErrNoRights = errors.New(noRights)
)

// FaultError is a fault with which starting again at once is of no use: the
// service stops with Code, which on Linux the unit knows (RestartPreventExitStatus).
type FaultError struct {
	Code int
	Err  error
}

func (e *FaultError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FaultError) Unwrap() error { return e.Err }

// Options say what is installed. Paths are absolute.
type Options struct {
	Executable string
	ConfigFile string // "" = the system's place for it
	DataDir    string
	Folders    []string // that the service must be able to write to
	User       string   // "" = the account brodaemon on Linux, LocalSystem on Windows
	Password   string   // Windows: of User, if it needs one
}

// Status is how the service fares.
type Status struct {
	Installed bool   `json:"installed"`
	Running   bool   `json:"running"`
	State     string `json:"state"` // in the service manager's words
	PID       int    `json:"pid,omitempty"`
	Account   string `json:"account,omitempty"`
	Detail    string `json:"detail,omitempty"` // what it says itself, or why it stopped
}

// How long Start and Stop wait. The service itself needs at most about fifteen
// seconds to stop, and none to start.
const (
	startTimeout = 100 * time.Second
	stopTimeout  = 45 * time.Second
	pollPace     = 100 * time.Millisecond
)

// Restart stops the service if it runs, and starts it.
func Restart(ctx context.Context) error {
	s, err := Query(ctx)
	if err != nil {
		return err
	}
	if !s.Installed {
		return ErrNotInstalled
	}
	if err := Stop(ctx); err != nil {
		return err
	}
	return Start(ctx)
}

// registration is the service as kardianos registers it.
func registration(o Options, dependencies []string, extra kardianos.KeyValue) (kardianos.Service, error) {
	arguments := []string{"service", "run"}
	if o.ConfigFile != "" {
		arguments = append([]string{"--config", o.ConfigFile}, arguments...)
	}
	s, err := kardianos.New(none{}, &kardianos.Config{
		Name: Name, DisplayName: displayName, Description: description,
		Executable: o.Executable, Arguments: arguments, UserName: o.User,
		Dependencies: dependencies, Option: extra,
	})
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoManager, err)
	}
	return s, nil
}

// none is never run: kardianos only registers, see Run.
type none struct{}

func (none) Start(kardianos.Service) error { return nil }
func (none) Stop(kardianos.Service) error  { return nil }
