package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestUnitForThisProgram(t *testing.T) {
	got := unitFor(Options{Executable: "/opt/bro daemon/brodaemon", ConfigFile: "/etc/100%/config.yaml", User: "nobody"})
	for _, want := range []string{
		"\nExecStart=\"/opt/bro daemon/brodaemon\" --config /etc/100%%/config.yaml run\n",
		"\nUser=nobody\n", "\nType=notify\n", "\nRestartPreventExitStatus=78\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	for _, not := range []string{"RequiresMountsFor=", "/usr/bin/brodaemon", "User=brodaemon"} {
		if strings.Contains(strings.ReplaceAll(got, "# ", ""), "\n"+not) {
			t.Errorf("the unit has %q", not)
		}
	}
}

func TestDropInHoldsWhatTheUnitLacks(t *testing.T) {
	for _, c := range []struct {
		name      string
		o         Options
		byPackage bool
		want      []string
	}{
		{"usual places need none", Options{User: account, DataDir: "/var/lib/brodaemon", Folders: []string{"/srv/bro/a", "/mnt/x", "/media"}}, true, nil},
		{"a folder elsewhere", Options{User: account, Folders: []string{"/data/my docs", "/srvs/x"}}, false,
			[]string{`ReadWritePaths="-/data/my docs"`, "ReadWritePaths=-/srvs/x"}},
		{"a home folder", Options{User: account, Folders: []string{"/home/jan/bro"}}, true, []string{"ReadWritePaths=-/home/jan/bro", "ProtectHome=no"}},
		{"another account and file", Options{User: "jan", ConfigFile: "/opt/c.yaml"}, true, []string{"User=jan", "Group=", "Environment=BRODAEMON_CONFIG=/opt/c.yaml"}},
	} {
		got := dropIn(c.o, c.byPackage)
		if c.want == nil {
			if got != "" {
				t.Errorf("%s: %q", c.name, got)
			}
			continue
		}
		_, body, _ := strings.Cut(got, "[Service]\n")
		if lines := strings.Split(strings.TrimSpace(body), "\n"); !reflect.DeepEqual(lines, c.want) {
			t.Errorf("%s: %q, want %q", c.name, lines, c.want)
		}
	}
}

func TestStatusFromSystemd(t *testing.T) {
	for _, c := range []struct {
		show string
		want Status
	}{
		{"LoadState=not-found\nActiveState=inactive\n", Status{State: "not installed"}},
		{"LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=17\nUser=brodaemon\nStatusText=watches 1 folder\nResult=success\n",
			Status{Installed: true, Running: true, State: "active (running)", PID: 17, Account: "brodaemon", Detail: "watches 1 folder"}},
		{"LoadState=loaded\nActiveState=failed\nSubState=failed\nMainPID=0\nUser=brodaemon\nResult=exit-code\nExecMainStatus=78\n",
			Status{Installed: true, State: "failed (failed)", Account: "brodaemon", Detail: "exit-code, exit code 78"}},
	} {
		if got := parseShow(c.show); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

// systemd itself reads the unit: it finds no fault, and little to attack.
func TestUnitByItsReader(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: systemd-analyze is not here to judge the unit")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "brodaemon")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(dir, "brodaemon.service")
	text := strings.Replace(unitFor(Options{Executable: program, User: "root"}), "Documentation=", "# Documentation=", 1)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--recursive-errors=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "brodaemon.service:") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=20", "brodaemon.service").CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
