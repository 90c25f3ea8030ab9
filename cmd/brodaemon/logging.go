package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"brodaemon/internal/config"
	"brodaemon/internal/event"
	"brodaemon/internal/logfile"
	"brodaemon/internal/sdnotify"
)

// logging is the log of a running daemon: what goes where. Cores are built by
// hand: zap's own sinks take paths as URLs, which fails on Windows.
type logging struct {
	*zap.Logger
	level zap.AtomicLevel // can be changed while it is used
	files *logfile.Writer // nil = none
}

// newLogging writes to w if it is not nil, and to dated files in the data folder if files says so.
func newLogging(c *config.Config, w io.Writer, files bool) (*logging, error) {
	level := zap.NewAtomicLevel()
	l := &logging{level: level}
	if err := l.setLevel(c.Log); err != nil {
		return nil, fmt.Errorf("%w: log.level: %w", errConfig, err)
	}
	var cores []zapcore.Core
	if f, ok := w.(*os.File); ok && sdnotify.ToJournal(f) {
		cores = append(cores, zapcore.NewCore(prioritized{newEncoder(c.Log, false)}, zapcore.Lock(zapcore.AddSync(harmless{f})), level))
	} else if w != nil {
		cores = append(cores, zapcore.NewCore(newEncoder(c.Log, true), zapcore.Lock(zapcore.AddSync(harmless{w})), level))
	}
	if files {
		encoder := newEncoder(c.Log, true)
		l.files = logfile.New(logfile.Options{
			Dir: logFolder(c), MaxAge: c.Log.MaxAge, MaxSize: int64(c.Log.MaxSize), Missing: missingLine(encoder),
		})
		cores = append(cores, zapcore.NewCore(encoder, zapcore.AddSync(harmless{l.files}), level))
	}
	l.Logger = zap.New(zapcore.NewTee(cores...))
	return l, nil
}

func (l *logging) setLevel(c config.Log) error {
	wanted, err := zapcore.ParseLevel(c.Level)
	if err == nil {
		l.level.SetLevel(wanted)
	}
	return err
}

// logFolder is where log files go: the place that systemd made for them
// (LogsDirectory=), else the data folder.
func logFolder(c *config.Config) string {
	if dir, _, _ := strings.Cut(os.Getenv("LOGS_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	return filepath.Join(c.DataDir, "logs")
}

// newEncoder makes lines in the configured format. A journal keeps the times of
// its lines itself.
func newEncoder(c config.Log, times bool) zapcore.Encoder {
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.TimeEncoderOfLayout(time.RFC3339)
	ec.EncodeDuration = zapcore.StringDurationEncoder
	if c.Format == "json" {
		return zapcore.NewJSONEncoder(ec)
	}
	if !times {
		ec.TimeKey = zapcore.OmitKey
	}
	ec.EncodeLevel = zapcore.CapitalLevelEncoder
	ec.ConsoleSeparator = "  "
	return zapcore.NewConsoleEncoder(ec)
}

// missingLine stands for lines that the disk had no room for, in the log's own format.
func missingLine(encoder zapcore.Encoder) func(time.Time, int, time.Time, error) []byte {
	return func(at time.Time, n int, since time.Time, why error) []byte {
		b, err := encoder.EncodeEntry(zapcore.Entry{Level: zap.WarnLevel, Time: at, LoggerName: "log", Message: "lines are missing here: they could not be written"},
			[]zapcore.Field{zap.Int("lines", n), zap.Time("since", since), zap.Error(why)})
		if err != nil {
			return fmt.Appendf(nil, "%d lines are missing\n", n)
		}
		defer b.Free()
		return append([]byte(nil), b.Bytes()...)
	}
}

// event writes one as a line of the log, with its number as a field.
func (l *logging) event(e event.Event, text string) {
	level := map[event.Level]zapcore.Level{event.Info: zap.InfoLevel, event.Warning: zap.WarnLevel, event.Error: zap.ErrorLevel}[e.Level]
	l.Named("event").Log(level, text, zap.Int("event", e.ID), zap.String("name", e.Name))
}

// Close lets go of the log files.
func (l *logging) Close() {
	if l.files != nil {
		_ = l.files.Close() // there is nowhere left to say it
	}
}

// prioritized puts the level in front of each line as the journal reads it (sd-daemon(3)).
type prioritized struct{ zapcore.Encoder }

var lines = buffer.NewPool()

func (p prioritized) Clone() zapcore.Encoder { return prioritized{p.Encoder.Clone()} }

func (p prioritized) EncodeEntry(e zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	plain, err := p.Encoder.EncodeEntry(e, fields)
	if err != nil {
		return nil, err
	}
	defer plain.Free()
	line := lines.Get()
	line.AppendString(priority(e.Level))
	_, _ = line.Write(plain.Bytes()) // into memory
	return line, nil
}

func priority(l zapcore.Level) string {
	switch {
	case l >= zap.DPanicLevel:
		return "<2>"
	case l >= zap.ErrorLevel:
		return "<3>"
	case l >= zap.WarnLevel:
		return "<4>"
	case l >= zap.InfoLevel:
		return "<6>"
	}
	return "<7>"
}
