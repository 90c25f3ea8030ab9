package event

import "golang.org/x/sys/windows/svc/eventlog"

// Source is the name under which events stand in the Event Log.
const Source = "brodaemon"

// Log is the system's event log.
type Log struct{ log *eventlog.Log }

// OpenLog opens it. An account without rights on it gets an error; events are
// in the log file all the same. Without `brodaemon service install` having
// registered the source, events carry a remark of the system that it can't find
// the description, and the text after it.
func OpenLog() (*Log, error) {
	l, err := eventlog.Open(Source)
	if err != nil {
		return nil, err
	}
	return &Log{l}, nil
}

// Write adds an event.
func (l *Log) Write(e Event, text string) error {
	switch e.Level {
	case Error:
		return l.log.Error(uint32(e.ID), text)
	case Warning:
		return l.log.Warning(uint32(e.ID), text)
	}
	return l.log.Info(uint32(e.ID), text)
}

// Close lets go of it.
func (l *Log) Close() error { return l.log.Close() }
