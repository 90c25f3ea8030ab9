package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"brodaemon/internal/sandbox"
	"brodaemon/internal/sandbox/conformance"
)

// instant is the default sandbox without delays, changed.
func instant(change func(*sandbox.Options)) *sandbox.Server {
	o := sandbox.Default()
	o.Timeline = sandbox.Timeline{}
	if change != nil {
		change(&o)
	}
	return sandbox.New(o)
}

func target(s *sandbox.Server, base string, client *http.Client) conformance.Target {
	return conformance.Target{
		BaseURL: base, Client: client, Sandbox: s,
		Username: sandbox.DefaultUsername, Password: sandbox.DefaultSecret, Project: sandbox.DefaultProject,
	}
}

func freshInProcess(_ *testing.T, change func(*sandbox.Options)) conformance.Target {
	s := instant(change)
	made := target(s, "http://portal.test", &http.Client{Transport: s.Transport(), Timeout: time.Minute})
	made.Fresh = freshInProcess
	return made
}

func freshOnSocket(t *testing.T, change func(*sandbox.Options)) conformance.Target {
	s := instant(change)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	made := target(s, server.URL, server.Client())
	made.Fresh = freshOnSocket
	return made
}

func TestConformanceInProcess(t *testing.T) { conformance.Run(t, freshInProcess(t, nil)) }

func TestConformanceOnSocket(t *testing.T) { conformance.Run(t, freshOnSocket(t, nil)) }

func TestConformanceHarmless(t *testing.T) {
	made := freshOnSocket(t, nil)
	made.Fresh, made.Harmless = nil, true
	s := made.Sandbox
	conformance.Run(t, made)
	if got := s.Count(sandbox.OpOpenUpload) + s.Count(sandbox.OpAddDocument) + s.Count(sandbox.OpSubmit) + s.Count(sandbox.OpNote) + s.Count(sandbox.OpAttach); got != 0 {
		t.Errorf("the harmless part made %d calls that create something: %v", got, s.Counts())
	}
}
