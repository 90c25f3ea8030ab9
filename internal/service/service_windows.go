package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	kardianos "github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"brodaemon/internal/account"
)

const noRights = "this needs an administrator: open a prompt with \"Run as administrator\""

// dependencies are started first: names are resolved, shares are reached.
var dependencies = []string{"Dnscache", "LanmanWorkstation"}

// recovery: at once after the first failure, then with patience, and every five
// minutes from then on; a day without failure makes the next one the first.
var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 60 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 300 * time.Second},
}

const (
	recoveryReset = 86400 // seconds
	// preshutdown is how long Windows waits for the service when it shuts down; stopping takes fifteen seconds at most.
	preshutdown = 20 * time.Second
	// settles is how long a start is watched: a faulty configuration shows at once.
	settles = 2 * time.Second
)

// Install registers the service to start at boot, and gives its account what it
// needs: the right to log on as a service, and rights on the data folder that
// others don't have. It does not start it. It returns what it did, for people;
// what could be set in part only is said there too.
func Install(_ context.Context, o Options) (did []string, err error) {
	if m, err := mgr.Connect(); err != nil {
		return nil, managerError(err)
	} else if s, err := m.OpenService(Name); err == nil {
		s.Close()
		m.Disconnect()
		return nil, ErrInstalled
	} else {
		m.Disconnect()
	}
	o.User = qualified(o.User)
	var owner *windows.SID
	if o.User != "" {
		if owner, _, _, err = windows.LookupSID("", lookupName(o.User)); err != nil {
			return nil, fmt.Errorf("account %s is not known on this machine: %w", o.User, err)
		}
		if err := allowLogon(owner); err != nil {
			did = append(did, fmt.Sprintf("could not give %s the right to log on as a service (%v): give it in secpol.msc, Local Policies, User Rights Assignment", o.User, err))
		}
	}
	closed, err := closeFolders(o, owner)
	did = append(did, closed...)
	if err != nil {
		return did, err
	}
	s, err := registration(o, dependencies, kardianos.KeyValue{"Password": o.Password, kardianos.StartType: kardianos.ServiceStartAutomatic})
	if err != nil {
		return did, err
	}
	if err := s.Install(); err != nil {
		return did, fmt.Errorf("register the service: %w", managerError(err))
	}
	did = append(did, "registered the service "+Name+" to start with Windows, as "+accountName(o.User))
	for _, trouble := range Complete() {
		did = append(did, "not set: "+trouble.Error())
	}
	return append(did, "start it now with: brodaemon service start"), nil
}

// Complete sets what the registration lacks: recovery, also where the service
// ends with an error code; delayed start; the time for a shutdown. It may be
// repeated. The service does it for itself when it starts, because an installer
// package can't; an account that may not is no fault.
func Complete() (troubles []error) {
	s, done, err := open(windows.SERVICE_CHANGE_CONFIG | windows.SERVICE_START) // a restart as action needs the right to start
	if err != nil {
		return []error{err}
	}
	defer done()
	try := func(what string, err error) {
		if err != nil {
			troubles = append(troubles, fmt.Errorf("%s: %w", what, err))
		}
	}
	try("recovery actions", s.SetRecoveryActions(recovery, recoveryReset))
	try("recovery after an error code", s.SetRecoveryActionsOnNonCrashFailures(true))
	delayed := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 1}
	try("delayed start", windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&delayed))))
	timeout := uint32(preshutdown.Milliseconds()) // SERVICE_PRESHUTDOWN_INFO
	try("time for a shutdown", windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, (*byte)(unsafe.Pointer(&timeout))))
	return troubles
}

// qualified writes a local account as the service manager wants it.
func qualified(user string) string {
	switch {
	case user == "", strings.EqualFold(user, "LocalSystem"):
		return ""
	case strings.ContainsAny(user, `\@`):
		return user
	}
	return `.\` + user
}

// lookupName is what the account database knows.
func lookupName(user string) string { return strings.TrimPrefix(user, `.\`) }

func accountName(user string) string {
	if user == "" {
		return "LocalSystem (which a share sees as this machine's own account)"
	}
	return user
}

// NeedsPassword tells whether an account has one that the service manager must
// know: not the built-in ones, virtual ones, nor a group managed account (name ends in $).
func NeedsPassword(user string) bool {
	user = qualified(user)
	domain, _, _ := strings.Cut(strings.ToUpper(user), `\`)
	return user != "" && domain != "NT AUTHORITY" && domain != "NT SERVICE" && !strings.HasSuffix(user, "$")
}

// Uninstall stops the service and takes its registration away. Configuration
// and data stay.
func Uninstall(ctx context.Context) (did []string, err error) {
	if err := Stop(ctx); err != nil {
		return nil, err
	}
	s, err := registration(Options{}, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := s.Uninstall(); err != nil {
		return nil, fmt.Errorf("remove the service: %w", managerError(err))
	}
	return []string{"removed the service " + Name}, nil
}

// open opens the service with no more rights than asked for.
func open(access uint32) (s *mgr.Service, done func(), err error) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return nil, nil, managerError(err)
	}
	name, err := windows.UTF16PtrFromString(Name)
	if err != nil {
		return nil, nil, err
	}
	handle, err := windows.OpenService(manager, name, access|windows.SERVICE_QUERY_STATUS)
	if err != nil {
		_ = windows.CloseServiceHandle(manager)
		return nil, nil, managerError(err)
	}
	s = &mgr.Service{Name: Name, Handle: handle}
	return s, func() { _ = s.Close(); _ = windows.CloseServiceHandle(manager) }, nil
}

func managerError(err error) error {
	switch {
	case errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST):
		return ErrNotInstalled
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return ErrNoRights
	}
	return err
}

// Start starts the service and watches it for a moment, so that a faulty
// configuration is seen here and not only in the Event Log.
func Start(ctx context.Context) error {
	s, done, err := open(windows.SERVICE_START)
	if err != nil {
		return err
	}
	defer done()
	if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return fmt.Errorf("start the service: %w", managerError(err))
	}
	if err := await(ctx, s, svc.Running, startTimeout); err != nil {
		return err
	}
	for deadline := time.Now().Add(settles); time.Now().Before(deadline); time.Sleep(pollPace) {
		if status, err := s.Query(); err == nil && status.State == svc.Stopped {
			return stopped(status)
		}
	}
	return nil
}

// stopped says why it stopped by itself.
func stopped(s svc.Status) error {
	code := s.Win32ExitCode
	if s.ServiceSpecificExitCode != 0 {
		code = s.ServiceSpecificExitCode
	}
	return fmt.Errorf("the service stopped again (code %d); why is in the Event Log (source %s) and in the newest file of the folder logs in its data folder", code, Name)
}

// Stop stops the service and waits for it. One that does not run is left alone.
func Stop(ctx context.Context) error {
	s, done, err := open(windows.SERVICE_STOP)
	if err != nil {
		return err
	}
	defer done()
	switch _, err := s.Control(svc.Stop); {
	case errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE):
		return nil
	case errors.Is(err, windows.ERROR_SERVICE_CANNOT_ACCEPT_CTRL): // starting or stopping already
	case err != nil:
		return fmt.Errorf("stop the service: %w", managerError(err))
	}
	return await(ctx, s, svc.Stopped, stopTimeout)
}

// await polls until the service is in a state. (kardianos's own wait never ends.)
func await(ctx context.Context, s *mgr.Service, want svc.State, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollPace)
	defer tick.Stop()
	for {
		status, err := s.Query()
		switch {
		case err != nil:
			return fmt.Errorf("ask the service manager: %w", managerError(err))
		case status.State == want:
			return nil
		case status.State == svc.Stopped:
			return stopped(status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service is still %s after %s; look at it in services.msc, or end its process %d", stateName(status.State), patience, status.ProcessId)
		case <-tick.C:
		}
	}
}

func stateName(s svc.State) string {
	names := map[svc.State]string{
		svc.Stopped: "stopped", svc.StartPending: "starting", svc.StopPending: "stopping", svc.Running: "running",
		svc.ContinuePending: "continuing", svc.PausePending: "pausing", svc.Paused: "paused",
	}
	if name, ok := names[s]; ok {
		return name
	}
	return fmt.Sprintf("in state %d", s)
}

// Query asks how the service fares. Anybody may.
func Query(context.Context) (Status, error) {
	s, done, err := open(windows.SERVICE_QUERY_CONFIG)
	if errors.Is(err, ErrNotInstalled) {
		return Status{State: "not installed"}, nil
	}
	if err != nil {
		return Status{}, err
	}
	defer done()
	q, err := s.Query()
	if err != nil {
		return Status{}, fmt.Errorf("ask the service manager: %w", err)
	}
	status := Status{Installed: true, Running: q.State == svc.Running, State: stateName(q.State), PID: int(q.ProcessId)}
	if config, err := s.Config(); err == nil {
		status.Account = config.ServiceStartName
	}
	neverRan := q.Win32ExitCode == uint32(windows.ERROR_SERVICE_NEVER_STARTED) // since Windows started
	if q.State == svc.Stopped && !neverRan && (q.Win32ExitCode != 0 || q.ServiceSpecificExitCode != 0) {
		status.Detail = stopped(q).Error()
	}
	return status, nil
}

// closeFolders makes the configuration's and the data folder and closes them to
// others than the system, administrators and the service's account.
func closeFolders(o Options, owner *windows.SID) (did []string, err error) {
	dirs := []string{configFolder()}
	if o.DataDir != "" && !strings.HasPrefix(strings.ToLower(o.DataDir), strings.ToLower(dirs[0])+`\`) {
		dirs = append(dirs, o.DataDir)
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return did, fmt.Errorf("make folder %s: %w", dir, err)
		}
		if err := closeFolder(dir, owner); err != nil {
			did = append(did, fmt.Sprintf("could not close %s to other accounts (%v): do it in its properties, Security", dir, err))
			continue
		}
		did = append(did, "closed "+dir+" to other accounts")
	}
	if o.DataDir != "" {
		err = os.MkdirAll(o.DataDir, 0o700)
	}
	return did, err
}

// closeFolder sets the folder's access list; what lies in it inherits.
func closeFolder(dir string, owner *windows.SID) error {
	list := "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
	if owner != nil {
		list += "(A;OICI;0x1301bf;;;" + owner.String() + ")" // everything but changing rights and ownership
	}
	sd, err := windows.SecurityDescriptorFromString(list)
	if err != nil {
		return err
	}
	return account.Protect(dir, sd)
}

// CloseConfigFolder closes the configuration's folder to others than the system,
// administrators and the service's account where nobody has given it an access
// list of its own yet: one that an installer package made lets every user of the
// machine read. One whose list a person set stays as it is. It may be repeated;
// did says what was done, "" if nothing.
func CloseConfigFolder() (did string, err error) {
	dir := configFolder()
	sd, err := windows.GetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find out who may read %s: %w", dir, err)
	}
	if own, err := hasOwnList(sd); own || err != nil {
		return "", err
	}
	var sid *windows.SID
	if service, ok := account.Service(); ok && service.ID != account.System {
		if sid, err = windows.StringToSid(service.ID); err != nil {
			return "", fmt.Errorf("the service's account %s: %w", service, err)
		}
	}
	if err := closeFolder(dir, sid); err != nil {
		grant := ""
		if sid != nil {
			grant = " *" + sid.String() + ":(OI)(CI)M"
		}
		return "", fmt.Errorf("every user of this machine may read %s, and this account can't change that (%w): as an administrator run `icacls \"%s\" /inheritance:r /grant:r *%s:(OI)(CI)F *%s:(OI)(CI)F%s`",
			dir, err, dir, account.System, account.Administrators, grant)
	}
	return "closed " + dir + " to other accounts", nil
}

// hasOwnList tells whether anything in a folder's access list is its own, and not
// passed on from the folder above.
func hasOwnList(sd *windows.SECURITY_DESCRIPTOR) (bool, error) {
	control, _, err := sd.Control()
	if err != nil {
		return false, err
	}
	list, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && list == nil {
		return false, nil // everybody may do everything: nobody meant that
	}
	if err != nil || control&windows.SE_DACL_PROTECTED != 0 {
		return true, err
	}
	for i := range list.AceCount {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, uint32(i), &ace); err != nil {
			return false, err
		}
		if ace.Header.AceFlags&windows.INHERITED_ACE == 0 {
			return true, nil
		}
	}
	return false, nil
}

func configFolder() string { return filepath.Join(os.Getenv("ProgramData"), "brodaemon") }
