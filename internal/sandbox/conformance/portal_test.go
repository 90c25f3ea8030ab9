package conformance

import (
	"os"
	"strconv"
	"testing"
)

// TestPortal holds the harmless part of the suite against a portal that the environment names. It never runs by itself.
func TestPortal(t *testing.T) {
	base := os.Getenv("BRODAEMON_PORTAL_URL")
	if base == "" {
		t.Skip("SKIPPED: set BRODAEMON_PORTAL_URL, _USERNAME, _PASSWORD and _PROJECT to hold this against a real portal")
	}
	project, err := strconv.Atoi(os.Getenv("BRODAEMON_PORTAL_PROJECT"))
	if err != nil {
		t.Fatalf("BRODAEMON_PORTAL_PROJECT: %v", err)
	}
	Run(t, Target{
		BaseURL:  base,
		Username: os.Getenv("BRODAEMON_PORTAL_USERNAME"),
		Password: os.Getenv("BRODAEMON_PORTAL_PASSWORD"),
		Project:  project,
		Harmless: true,
	})
}
