package config

import "time"

// PublicPortal returns the settings of one of the portal's own installations by
// its name, for commands that ask only what is public there. ok is false for
// any other name.
func PublicPortal(environment string) (p Portal, ok bool) {
	for _, e := range environments {
		if e.name == environment {
			return Portal{Environment: e.name, RegistryURL: e.registry, Timeout: 60 * time.Second}, true
		}
	}
	return Portal{}, false
}
