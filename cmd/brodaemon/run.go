package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"brodaemon/internal/config"
	"brodaemon/internal/daemon"
)

func newRunCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Watch the folders and deliver until stopped", Args: cobra.NoArgs,
		Long: `Watch the configured folders and deliver what is saved there, until stopped by
SIGINT, SIGTERM or the service manager. It may be stopped at any moment: what was
under way goes on where it was at the next start.`,
		Example: "  brodaemon --config /etc/brodaemon/config.yaml run",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.load()
			if err != nil {
				return err
			}
			log, level, err := newLogger(c.Log, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			d, err := daemon.New(daemon.Options{
				Config: c, Version: readVersion().Version, Logger: log, Load: g.load,
				Reloaded: func(c *config.Config) { _ = setLevel(level, c.Log) }, // it was checked
			})
			if err != nil {
				return err
			}
			defer d.Close()
			stop := reloadOnHangup(cmd.Context(), d)
			defer stop()
			if err := d.Run(cmd.Context()); err != nil {
				return err
			}
			return d.Close()
		},
	}
}

// newLogger writes to w. Cores are built by hand: zap's own sinks take paths as
// URLs, which fails on Windows. The level can be changed while it is used.
func newLogger(c config.Log, w io.Writer) (*zap.Logger, zap.AtomicLevel, error) {
	level := zap.NewAtomicLevel()
	if err := setLevel(level, c); err != nil {
		return nil, level, fmt.Errorf("%w: log.level: %w", errConfig, err)
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.TimeEncoderOfLayout(time.RFC3339)
	ec.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(ec)
	if c.Format != "json" {
		ec.EncodeLevel = zapcore.CapitalLevelEncoder
		ec.ConsoleSeparator = "  "
		encoder = zapcore.NewConsoleEncoder(ec)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(harmless{w})), level)), level, nil
}

func setLevel(level zap.AtomicLevel, c config.Log) error {
	wanted, err := zapcore.ParseLevel(c.Level)
	if err == nil {
		level.SetLevel(wanted)
	}
	return err
}

// dataError makes a file trouble of our own exit with "cannot write".
func dataError(err error) error {
	if err == nil || os.IsNotExist(err) {
		return err
	}
	return &exitError{exitCantWrite, err}
}
