//go:build linuxroot

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brodaemon/internal/status"
)

// save writes a new document at a place, and returns its bytes.
func (s *site) save(at string) []byte {
	s.Helper()
	data := s.newDocument(filepath.Base(at), 0)
	s.must(os.WriteFile(at, data, 0o644))
	return data
}

// saveMany saves n documents in a directory.
func (s *site) saveMany(dir, prefix string, n int) [][]byte {
	s.Helper()
	all := make([][]byte, n)
	for i := range all {
		all[i] = s.save(filepath.Join(dir, fmt.Sprintf("%s%03d.xml", prefix, i)))
	}
	return all
}

// never fails if one of these was sent to be delivered.
func (s *site) never(documents ...[]byte) {
	s.Helper()
	for _, data := range documents {
		if n := s.portal.Submissions(hashOf(data)); n != 0 {
			s.Errorf("%s was submitted %d times", s.whole[hashOf(data)], n)
		}
	}
}

// folder is how a folder fares, as `status` shows it.
func (s *site) folder(name string) status.Folder {
	s.Helper()
	st, err := s.d.Status()
	s.must(err)
	for _, f := range st.Folders {
		if f.Name == name {
			return f
		}
	}
	s.Fatalf("there is no folder %s", name)
	return status.Folder{}
}

// condition is the condition of that code, nil if there is none.
func (s *site) condition(code string) *status.Condition {
	s.Helper()
	st, err := s.d.Status()
	s.must(err)
	for i := range st.Conditions {
		if st.Conditions[i].Code == code {
			return &st.Conditions[i]
		}
	}
	return nil
}

// online and offline wait for a folder.
func (s *site) online(name string) {
	s.Helper()
	s.eventually(name+" is online", func() bool { return s.folder(name).Online })
}

func (s *site) offline(name string, cause string) status.Folder {
	s.Helper()
	var f status.Folder
	s.within(2*patience, name+" is offline: "+cause, func() bool {
		f = s.folder(name)
		return !f.Online && f.Cause == cause
	})
	c := s.condition("folder-offline")
	if c == nil || c.Subject != name || c.Since.IsZero() || !strings.Contains(c.Text, f.Path) {
		s.Errorf("the condition says %+v", c)
	}
	s.Logf("%s offline: %s", name, f.Reason)
	return f
}
