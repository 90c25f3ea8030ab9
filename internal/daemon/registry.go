package daemon

import (
	"fmt"
	"net/http"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/deliver"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
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

// registries are the clients of public services by address: folders share them, for their pace.
type registries map[string]*registry.Client

func (r registries) of(o Options, p config.Portal, metrics *status.Metrics) (deliver.Registry, error) {
	if p.RegistryURL == "" {
		return nil, nil
	}
	if r[p.RegistryURL] == nil {
		client, err := newRegistry(o, p, metrics)
		if err != nil {
			return nil, err
		}
		r[p.RegistryURL] = client
	}
	return r[p.RegistryURL], nil
}

// missesTold and missedFor are how often, and how long after its outcome, the
// public register did not show a document before that is a condition: it may be
// a little behind, and people get a message of it.
const (
	missesTold = 3
	missedFor  = time.Hour
)

// notConfirmed tells of delivered documents that the public register does not
// show, folder by folder. It reads no more than a bounded number of them.
func notConfirmed(c *config.Config, store *queue.Store) ([]status.Condition, error) {
	var all []status.Condition
	for _, f := range c.Folders {
		n := 0
		var first queue.Item
		err := store.EachUnconfirmed(f.Name, 1000, func(it queue.Item) bool {
			if it.Confirm.Misses >= missesTold && time.Since(it.Times.Settled) >= missedFor {
				if n == 0 || it.ID < first.ID {
					first = it
				}
				n++
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			all = append(all, status.Condition{
				Code: "not-confirmed", Subject: f.Name, N: n, Since: first.Times.Settled, Detail: first.BROID + " (" + first.File + ")",
				Text: fmt.Sprintf("%s of folder %s, delivered, not seen in the public register yet: %s (%s) first: %s", documents(n), f.Name, first.BROID, first.File, first.Confirm.Why),
				Hint: "they are looked up again for a week and never delivered again; if it stays, look at them in the portal and the BROloket and ask the data owner (bronhouder); `brodaemon queue retry ID` looks one up at once, `queue release ID` says that you have looked into it",
			})
		}
	}
	return all, nil
}
