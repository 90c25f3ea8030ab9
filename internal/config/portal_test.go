package config

import (
	"strings"
	"testing"
)

func TestPortalOfAFolder(t *testing.T) {
	for _, c := range []struct {
		name     string
		common   string
		folder   string
		url      string
		called   string
		registry string
	}{
		{"nothing set", ``, ``, "https://demo.bronhouderportaal-bro.nl", "demo", ""},
		{"common environment", `environment: production`, ``, "https://www.bronhouderportaal-bro.nl", "production", "https://publiek.broservices.nl"},
		{"acceptance", `environment: acceptance`, ``, "https://acc.bronhouderportaal-bro.nl", "acceptance", ""},
		{"folder's environment", `environment: demo`, `environment: production`, "https://www.bronhouderportaal-bro.nl", "production", "https://publiek.broservices.nl"},
		{"back to demo", `environment: production`, `environment: demo`, "https://demo.bronhouderportaal-bro.nl", "demo", ""},
		{"common address", `url: "https://portal.example.org:8443/"`, ``, "https://portal.example.org:8443", "other (portal.example.org:8443)", ""},
		{"address above environment", `{ environment: production, url: "http://127.0.0.1:8790" }`, ``, "http://127.0.0.1:8790", "other (127.0.0.1:8790)", ""},
		{"folder's environment above common address", `url: "http://localhost:8790"`, `environment: production`, "https://www.bronhouderportaal-bro.nl", "production", "https://publiek.broservices.nl"},
		{"folder's address", `environment: production`, `url: "http://[::1]:8790"`, "http://[::1]:8790", "other ([::1]:8790)", ""},
		{"folder without the common address", `url: "http://localhost:8790"`, `url: ""`, "https://demo.bronhouderportaal-bro.nl", "demo", ""},
		{"a known portal by its address", `url: "https://WWW.bronhouderportaal-bro.nl"`, ``, "https://www.bronhouderportaal-bro.nl", "production", "https://publiek.broservices.nl"},
		{"common registry", `registry_url: "https://public.example.org"`, `label: x`, "https://demo.bronhouderportaal-bro.nl", "demo", "https://public.example.org"},
		{"common registry of another portal", `registry_url: "https://public.example.org"`, `environment: production`, "https://www.bronhouderportaal-bro.nl", "production", "https://publiek.broservices.nl"},
		{"folder's registry", `environment: demo`, `registry_url: "https://public.example.org"`, "https://demo.bronhouderportaal-bro.nl", "demo", "https://public.example.org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			section := func(s string) string {
				if strings.HasPrefix(s, "{") {
					return s
				}
				return "{ " + s + " }"
			}
			cfg := mustParse(t, inFolder("portal: "+section(c.folder))+"portal: "+section(c.common)+"\n")
			p := cfg.Portal("office")
			if got := p.BaseURL(); got != c.url {
				t.Errorf("address %q, want %q", got, c.url)
			}
			if got := p.EnvironmentName(); got != c.called {
				t.Errorf("called %q, want %q", got, c.called)
			}
			if p.RegistryURL != c.registry {
				t.Errorf("registry %q, want %q", p.RegistryURL, c.registry)
			}
		})
	}
}

func TestOverrideLeavesTheRestAlone(t *testing.T) {
	c := mustParse(t, inFolder("portal: { timeout: 5s }")+`
  - name: other
    path: other
    project: 7
    token: office
portal: { concurrency: 9, timeout: 20s, ca_file: extra.pem }
`)
	if own := c.Portal("office"); own.Timeout.String() != "5s" || own.Concurrency != 9 || own.CAFile != c.Common.CAFile {
		t.Errorf("folder with an override: %+v", own)
	}
	if c.Portal("other") != c.Common || c.Common.Timeout.String() != "20s" {
		t.Errorf("the override reaches further than its folder: %+v, %+v", c.Portal("other"), c.Common)
	}
}

// A common fault is the common section's alone, however many folders have it from there.
func TestCommonFaultOnce(t *testing.T) {
	faults := faultsOf(t, base+"portal: { concurrency: 0, url: ftp://x, timeout: -1s, label: \"a\\tb\" }\n")
	if len(faults) != 4 {
		t.Errorf("got %d faults, want 4:\n%v", len(faults), &Error{"config.yaml", faults})
	}
}

func TestListenAddresses(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8480", ":8480", "0.0.0.0:80", "[::1]:8480", "localhost:0", "status.example.org:65535"} {
		if problem, _ := listenAddress(listen); problem != "" {
			t.Errorf("%s is refused: %s", listen, problem)
		}
	}
}
