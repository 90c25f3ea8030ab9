package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"
)

// state is what a Notifier remembers over restarts.
type state struct {
	Told   map[string]Condition `json:"told"`   // conditions that people know of
	Digest time.Time            `json:"digest"` // until when the last digest told
	Outbox []Message            `json:"outbox"` // still to be sent, oldest first
}

// put adds messages; when far too many wait, the oldest go.
func (s *state) put(messages ...Message) {
	s.Outbox = append(s.Outbox, messages...)
	if over := len(s.Outbox) - outboxMax; over > 0 {
		s.Outbox = s.Outbox[over:]
	}
}

func (s *state) clone() state {
	return state{Told: maps.Clone(s.Told), Digest: s.Digest, Outbox: slices.Clone(s.Outbox)}
}

func (s *state) equal(o *state) bool {
	return s.Digest.Equal(o.Digest) && len(s.Outbox) == len(o.Outbox) &&
		maps.Equal(s.Told, o.Told) && reflect.DeepEqual(s.Outbox, o.Outbox)
}

// readState returns an empty state where there is none, or none that can be read.
func readState(file string) (state, error) {
	s := state{Told: map[string]Condition{}}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return state{Told: map[string]Condition{}}, fmt.Errorf("read %s: %w", file, err)
	}
	if s.Told == nil {
		s.Told = map[string]Condition{}
	}
	return s, nil
}

// write replaces the file as a whole: a crash leaves the old one or the new one.
func (s *state) write(file string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}
