package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"brodaemon/internal/account"
	"brodaemon/internal/config"
)

// runAsService runs this command again as the account that the data folder
// belongs to, if this is root and that is not. done says that it did.
func runAsService(cmd *cobra.Command, c *config.Config) (done bool, err error) {
	if os.Geteuid() != 0 {
		return false, nil
	}
	owner, err := account.OwnerOf(c.DataDir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner.ID == "0" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	uid, gid, groups, err := owner.IDs()
	if err != nil {
		return false, fmt.Errorf("check as account %s, which the data folder belongs to: %w", owner, err)
	}
	path, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("find this program: %w", err)
	}
	file, err := filepath.Abs(c.File)
	if err != nil {
		return false, err
	}
	// the last --config counts
	again := exec.CommandContext(cmd.Context(), path, append(os.Args[1:], "--config", file)...)
	again.Stdout, again.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	again.Dir = "/" // the present one may be closed to that account
	again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
	again.Cancel = func() error { return again.Process.Signal(os.Interrupt) }
	err = again.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.Exited():
		return true, &exitError{ended.ExitCode(), errSaid}
	case errors.Is(err, fs.ErrPermission):
		return true, fmt.Errorf("account %s may not run %s: put the program where every account can run it, such as /usr/local/bin", owner, path)
	}
	return true, err
}
