package main

import (
	"github.com/spf13/cobra"

	"brodaemon/internal/config"
)

// runAsService does nothing on Windows, where nobody can become another account
// without its password; doctor says how to run it as the service's.
func runAsService(*cobra.Command, *config.Config) (done bool, err error) { return false, nil }
