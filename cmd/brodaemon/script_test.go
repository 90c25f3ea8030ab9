package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"brodaemon/internal/sandbox"
)

// The scripts in testdata/script run the real program, as a person or an
// office's own script would. Besides testscript's own commands they have:
//
//	code N PROGRAM ARG…   run it; it must end with exit code N
//	waitfor PATTERN…      wait until a file of each pattern is there
//	waitfor -gone FILE…   wait until the files are gone
//	request FILE ID [BROID]  write a small request document
//	expand FILE…          put the variables' values into files
//	answers ADDRESS…      wait until somebody takes calls there
//
// and the variables $PORTAL and $PAGE, two free addresses, and $USERNAME.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"brodaemon": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"PORTAL", "PAGE"} {
				address, err := freeAddress()
				if err != nil {
					return err
				}
				env.Setenv(name, address)
			}
			env.Setenv("USERNAME", sandbox.DefaultUsername)
			return writeSetup(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": codeCommand, "waitfor": waitforCommand, "request": requestCommand, "expand": expandCommand, "answers": answersCommand,
		},
	})
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// writeSetup gives each script a configuration for a sandbox at $PORTAL, with
// one folder, in $BRODAEMON_CONFIG.
func writeSetup(env *testscript.Env) error {
	text := fmt.Sprintf(`data_dir: data
language: en
portal: { url: "http://%s", requests_per_second: 1000 }
tokens: [{ name: t, username: "%s", password_file: secret }]
folders: [{ name: zwolle, path: zwolle, project: "%d", token: t, settle: 50ms, scan_interval: 100ms, incomplete_timeout: 300ms }]
retry: { first: 200ms, max: 1s }
follow: { first: 50ms, max: 200ms }
status: { listen: "%s" }
`, env.Getenv("PORTAL"), sandbox.DefaultUsername, sandbox.DefaultProject, env.Getenv("PAGE"))
	config := filepath.Join(env.WorkDir, "config.yaml")
	env.Setenv("BRODAEMON_CONFIG", config)
	return errors.Join(
		os.WriteFile(config, []byte(text), 0o600),
		os.WriteFile(filepath.Join(env.WorkDir, "secret"), []byte(sandbox.DefaultSecret), 0o600),
		os.Mkdir(filepath.Join(env.WorkDir, "zwolle"), 0o755),
	)
}

func codeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// patience is how long a script waits for a file; on a busy machine things take their time.
const scriptPatience = 30 * time.Second

func waitforCommand(ts *testscript.TestScript, neg bool, args []string) {
	gone := len(args) > 0 && args[0] == "-gone"
	if gone {
		args = args[1:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: waitfor [-gone] PATTERN…")
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	for _, pattern := range args {
		for {
			found, err := filepath.Glob(ts.MkAbs(pattern))
			ts.Check(err)
			if (len(found) == 0) == gone {
				break
			}
			select {
			case <-ctx.Done():
				ts.Fatalf("%s: still not so after %s", pattern, scriptPatience)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

func requestCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: request FILE OBJECT-ID [BRO-ID]")
	}
	id, body := "", "GMW_Construction"
	if len(args) == 3 {
		id, body = "<b:broId>"+args[2]+"</b:broId>", "GMW_GroundLevel"
	}
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">
<b:requestReference>%[1]s</b:requestReference><b:deliveryAccountableParty>12345678</b:deliveryAccountableParty>%[2]s<b:qualityRegime>IMBRO</b:qualityRegime>
<sourceDocument><%[3]s><objectIdAccountableParty>%[1]s</objectIdAccountableParty></%[3]s></sourceDocument>
</registrationRequest>
`, args[1], id, body)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

func expandCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE…")
	}
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

func answersCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: answers ADDRESS…")
	}
	deadline := time.Now().Add(scriptPatience)
	for _, address := range args {
		for {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("%s: nobody answers: %v", address, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
