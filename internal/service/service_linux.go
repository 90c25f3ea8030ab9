package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	kardianos "github.com/kardianos/service"
)

const noRights = "this needs root: use sudo"

const (
	unitName    = Name + ".service"
	account     = "brodaemon"
	installedBy = "/etc/systemd/system"
	defaultData = "/var/lib/brodaemon"
)

// packaged are the places where a package puts the unit.
var packaged = []string{"/usr/lib/systemd/system", "/lib/systemd/system"}

// Install makes the account if needed, writes the unit (unless a package brought
// it) and a drop-in for what this configuration needs beyond it, and has systemd
// start it at boot. It does not start it now. It returns what it did, for people.
func Install(ctx context.Context, o Options) (did []string, err error) {
	if err := mayManage(); err != nil {
		return nil, err
	}
	unit, byPackage := findUnit()
	if unit != "" && !byPackage {
		return nil, fmt.Errorf("%w: %s", ErrInstalled, unit)
	}
	if o.User == "" {
		made, err := makeAccount(ctx)
		if err != nil {
			return nil, err
		}
		o.User = account
		did = append(did, made...)
	} else if _, err := user.Lookup(o.User); err != nil {
		return nil, fmt.Errorf("account %s: %w", o.User, err)
	}
	made, err := makeDataDir(o)
	if err != nil {
		return did, err
	}
	did = append(did, made...)
	if byPackage {
		did = append(did, "the unit is the package's: "+unit)
	} else {
		s, err := registration(o, nil, kardianos.KeyValue{"SystemdScript": unitFor(o)})
		if err != nil {
			return did, err
		}
		if err := s.Install(); err != nil {
			return did, fmt.Errorf("write the unit: %w", err)
		}
		did = append(did, "wrote "+filepath.Join(installedBy, unitName))
	}
	if text := dropIn(o, byPackage); text != "" {
		path := filepath.Join(installedBy, unitName+".d", "brodaemon-install.conf")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return did, fmt.Errorf("write the drop-in: %w", err)
		}
		did = append(did, "wrote "+path)
	}
	if err := systemctl(ctx, "daemon-reload"); err != nil {
		return did, err
	}
	if err := systemctl(ctx, "enable", unitName); err != nil {
		return did, err
	}
	return append(did, "it starts at boot; start it now with: brodaemon service start"), nil
}

// mayManage says why systemd can't be told anything.
func mayManage() error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return ErrNoManager
	}
	if os.Geteuid() != 0 {
		return ErrNoRights
	}
	return nil
}

// findUnit looks where the unit is.
func findUnit() (path string, byPackage bool) {
	if path := filepath.Join(installedBy, unitName); exists(path) {
		return path, false
	}
	for _, dir := range packaged {
		if path := filepath.Join(dir, unitName); exists(path) {
			return path, true
		}
	}
	return "", false
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// makeAccount makes the service's own account, as the packages do.
func makeAccount(ctx context.Context) ([]string, error) {
	if _, err := user.Lookup(account); err == nil {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", defaultData,
		"--shell", "/usr/sbin/nologin", "--comment", "brodaemon", account).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("make the account %s: %w: %s; make it by hand or name another with --user", account, err, bytes.TrimSpace(out))
	}
	return []string{"made the account " + account + "; give it access to the folders"}, nil
}

// makeDataDir makes the data folder for the account if it is not there, so that
// `token set` before the first start knows whose it is.
func makeDataDir(o Options) ([]string, error) {
	if o.DataDir == "" || exists(o.DataDir) {
		return nil, nil
	}
	u, err := user.Lookup(o.User)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", o.User, err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr, os.MkdirAll(filepath.Dir(o.DataDir), 0o755), os.Mkdir(o.DataDir, 0o700), os.Chown(o.DataDir, uid, gid)); err != nil {
		return nil, fmt.Errorf("make the data folder for %s: %w", o.User, err)
	}
	return []string{"made the data folder " + o.DataDir + " for " + o.User}, nil
}

// unitFor is our unit with this program and account.
func unitFor(o Options) string {
	run := quote(o.Executable)
	if o.ConfigFile != "" {
		run += " --config " + quote(o.ConfigFile)
	}
	group := o.User
	if u, err := user.Lookup(o.User); err == nil {
		group = u.Gid
	}
	text := strings.NewReplacer("ExecStart=/usr/bin/brodaemon run\n", "ExecStart="+run+" run\n",
		"ExecReload=/usr/bin/brodaemon reload\n", "ExecReload="+run+" reload\n").Replace(Unit)
	return strings.Replace(text, "User=brodaemon\nGroup=brodaemon\n", "User="+o.User+"\nGroup="+group+"\n", 1)
}

// dropIn is what the unit lacks for this configuration.
func dropIn(o Options, byPackage bool) string {
	var lines []string
	if byPackage && o.User != account {
		lines = append(lines, "User="+o.User, "Group=")
	}
	if byPackage && o.ConfigFile != "" {
		lines = append(lines, "Environment="+quote("BRODAEMON_CONFIG="+o.ConfigFile))
	}
	for _, path := range append([]string{o.DataDir}, o.Folders...) {
		if path != "" && !open(path) {
			lines = append(lines, "ReadWritePaths="+quote("-"+path))
		}
		if under(path, "/home") || under(path, "/root") {
			lines = append(lines, "ProtectHome=no")
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "# Written by brodaemon service install from the configuration of that moment.\n[Service]\n" + strings.Join(lines, "\n") + "\n"
}

// open tells whether the unit lets the service write there already.
func open(path string) bool {
	for _, dir := range []string{"/srv", "/mnt", "/media", defaultData} {
		if under(path, dir) {
			return true
		}
	}
	return false
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// quote writes a word as systemd reads it (systemd.syntax(7)).
func quote(s string) string {
	s = strings.NewReplacer("%", "%%", "$", "$$").Replace(s)
	if !strings.ContainsAny(s, " \t\"'\\;") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Uninstall stops the service and takes away what Install wrote. Configuration
// and data stay.
func Uninstall(ctx context.Context) (did []string, err error) {
	if err := mayManage(); err != nil {
		return nil, err
	}
	unit, byPackage := findUnit()
	if unit == "" {
		return nil, ErrNotInstalled
	}
	if err := Stop(ctx); err != nil {
		return nil, err
	}
	if byPackage {
		if err := systemctl(ctx, "disable", unitName); err != nil {
			return nil, err
		}
		did = append(did, "it does not start at boot any more; the unit is the package's, which `apt remove brodaemon` or `dnf remove brodaemon` removes")
	} else {
		s, err := registration(Options{User: account}, nil, nil)
		if err != nil {
			return nil, err
		}
		if err := s.Uninstall(); err != nil {
			return nil, fmt.Errorf("remove the unit: %w", err)
		}
		did = append(did, "removed "+unit)
	}
	path := filepath.Join(installedBy, unitName+".d", "brodaemon-install.conf")
	switch err := os.Remove(path); {
	case err == nil:
		did = append(did, "removed "+path)
		_ = os.Remove(filepath.Dir(path)) // stays if it holds drop-ins of somebody else
	case !errors.Is(err, fs.ErrNotExist):
		return did, err
	}
	return did, systemctl(ctx, "daemon-reload")
}

// Start starts the service and waits until it is ready.
func Start(ctx context.Context) error {
	if err := mayManage(); err != nil {
		return err
	}
	if unit, _ := findUnit(); unit == "" {
		return ErrNotInstalled
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_ = systemctl(ctx, "reset-failed", unitName) // a person starts it: earlier failures count no more
	if err := systemctl(ctx, "start", unitName); err != nil {
		return fmt.Errorf("%w; see: journalctl -u brodaemon -n 20", err)
	}
	return nil
}

// Stop stops the service and waits for it. One that does not run is left alone.
func Stop(ctx context.Context) error {
	if err := mayManage(); err != nil {
		return err
	}
	if unit, _ := findUnit(); unit == "" {
		return ErrNotInstalled
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return systemctl(ctx, "stop", unitName)
}

func systemctl(ctx context.Context, arguments ...string) error {
	cmd := exec.CommandContext(ctx, "systemctl", arguments...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(arguments, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// Query asks how the service fares. Anybody may.
func Query(ctx context.Context) (Status, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return Status{}, ErrNoManager
	}
	out, err := exec.CommandContext(ctx, "systemctl", "show", unitName,
		"--property=LoadState,ActiveState,SubState,MainPID,User,StatusText,Result,ExecMainStatus").Output()
	if err != nil {
		return Status{}, fmt.Errorf("systemctl show: %w", err)
	}
	return parseShow(string(out)), nil
}

// parseShow reads what `systemctl show` prints.
func parseShow(out string) Status {
	p := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		p[key] = value
	}
	s := Status{Installed: p["LoadState"] == "loaded", Running: p["ActiveState"] == "active" || p["ActiveState"] == "reloading"}
	if !s.Installed {
		s.State = "not installed"
		return s
	}
	s.State, s.Account, s.Detail = p["ActiveState"]+" ("+p["SubState"]+")", p["User"], p["StatusText"]
	s.PID, _ = strconv.Atoi(p["MainPID"])
	if !s.Running && p["Result"] != "success" {
		s.Detail = p["Result"]
		if code := p["ExecMainStatus"]; code != "0" {
			s.Detail += ", exit code " + code
		}
	}
	return s
}

// Run runs the program. systemd needs nothing more than that.
func Run(ctx context.Context, program func(ctx context.Context) error) error { return program(ctx) }

// NeedsPassword: systemd asks none of an account.
func NeedsPassword(string) bool { return false }

// Complete has nothing to add: the unit says it all.
func Complete() []error { return nil }

// CloseConfigFolder has nothing to do: packages close the folder.
func CloseConfigFolder() (did string, err error) { return "", nil }
