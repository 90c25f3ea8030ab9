package daemon

import (
	"fmt"
	"net/http"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/portal"
	"brodaemon/internal/registry"
	"brodaemon/internal/status"
)

// NewRegistry makes a client of the public BRO services that belong to a
// portal; nil where the configuration names none.
func NewRegistry(o Options, p config.Portal) (*registry.Client, error) {
	return newRegistry(o, p, nil)
}

func newRegistry(o Options, p config.Portal, metrics *status.Metrics) (*registry.Client, error) {
	if p.RegistryURL == "" {
		return nil, nil
	}
	var transport http.RoundTripper
	var err error
	if o.Transport != nil {
		transport, err = o.Transport(p)
	} else {
		transport, err = portal.NewTransport(p.CAFile, 2)
	}
	if err != nil {
		return nil, &StartError{Config: true, Err: fmt.Errorf("public BRO services: %w", err)}
	}
	var observe func(op, code string, d time.Duration)
	if metrics != nil {
		observe = metrics.ObserveRequest
	}
	client, err := registry.New(registry.Options{
		BaseURL: p.RegistryURL, Transport: transport, Version: o.Version, Timeout: p.Timeout, Observe: observe,
	})
	if err != nil {
		return nil, &StartError{Config: true, Err: fmt.Errorf("portal.registry_url: %w", err)}
	}
	return client, nil
}
