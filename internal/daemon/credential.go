package daemon

import (
	"sync"

	"brodaemon/internal/secret"
)

// credential is a token's secret as all folders with that token share it, and a
// number for it: the Worker is told that the secret changed, and never the secret.
type credential struct {
	find func() (secret.String, error)

	mu      sync.Mutex
	last    secret.String
	missing bool // it could not be read last
	n       uint64
}

// get gives the secret for one request.
func (c *credential) get() (secret.String, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.find()
	if missing := err != nil; missing != c.missing || !missing && !s.Equal(c.last) {
		c.last, c.missing = s, missing
		c.n++
	}
	return s, err
}

// version changes when the secret does, or begins or ceases to be readable.
func (c *credential) version() uint64 {
	_, _ = c.get() // whether it can be read is in the number, too
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// credentials are those of one setup, by the name of their token.
type credentials map[string]*credential

// of gives the credential of a token; find is used for a new one.
func (all credentials) of(token string, find func() (secret.String, error)) *credential {
	if all[token] == nil {
		all[token] = &credential{find: find}
	}
	return all[token]
}
