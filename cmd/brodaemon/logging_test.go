package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"brodaemon/internal/config"
	"brodaemon/internal/event"
)

func logTo(t *testing.T, format string, files bool) (*logging, *bytes.Buffer, string) {
	t.Helper()
	c := config.Default()
	c.DataDir, c.Log.Format = t.TempDir(), format
	var b bytes.Buffer
	l, err := newLogging(c, &b, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, &b, c.DataDir
}

func TestEventsCarryTheirNumber(t *testing.T) {
	l, b, _ := logTo(t, "json", false)
	l.event(event.TokenPaused, "token zwolle is refused")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if line["event"] != 310.0 || line["level"] != "error" || line["logger"] != "event" || line["msg"] != "token zwolle is refused" {
		t.Errorf("got %v", line)
	}
}

func TestLogFilesHoldWhatStandardErrorHolds(t *testing.T) {
	l, b, dir := logTo(t, "text", true)
	l.Named("document").Info("queued", zap.String("id", "17"))
	l.Debug("not at this level")
	l.Close()
	data, err := os.ReadFile(filepath.Join(dir, "logs", "brodaemon-"+time.Now().Format("2006-01-02")+".log"))
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != b.String() || strings.Count(b.String(), "\n") != 1 || !strings.Contains(b.String(), `queued  {"id": "17"}`) {
		t.Errorf("file %q, standard error %q", data, b)
	}
}

func TestMissingLinesInBothFormats(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		c := config.Default()
		c.Log.Format = format
		got := string(missingLine(newEncoder(c.Log, true))(time.Now(), 7, time.Now(), errors.New("no space left")))
		if !strings.Contains(got, "no space left") || !strings.Contains(got, "7") || !strings.HasSuffix(got, "\n") || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q", format, got)
		}
		if format == "json" && !json.Valid([]byte(got)) {
			t.Errorf("not JSON: %s", got)
		}
	}
}

func TestJournalLinesHavePriorities(t *testing.T) {
	c := config.Default()
	for _, format := range []string{"text", "json"} {
		c.Log.Format = format
		e := prioritized{newEncoder(c.Log, false)}
		for level, want := range map[string]string{"debug": "<7>", "info": "<6>", "warn": "<4>", "error": "<3>"} {
			l, err := zap.ParseAtomicLevel(level)
			if err != nil {
				t.Fatal(err)
			}
			b, err := e.Clone().EncodeEntry(entry(l.Level(), "hello"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.String(); !strings.HasPrefix(got, want) || !strings.Contains(got, "hello") || strings.Count(got, "\n") != 1 {
				t.Errorf("%s %s: %q", format, level, got)
			}
			if format == "text" && strings.Contains(b.String(), "20") {
				t.Errorf("the journal has times of its own: %q", b.String())
			}
		}
	}
}

func entry(level zapcore.Level, text string) zapcore.Entry {
	return zapcore.Entry{Level: level, Time: time.Now(), Message: text}
}
