package status

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"brodaemon/internal/secret"
)

const (
	cookieName  = "brodaemon_session"
	sessionLife = 8 * time.Hour // a working day
	maxSessions = 100

	// A person mistypes a few times; a program guesses. After guessBurst wrong
	// passwords an address may try one every guessEvery.
	guessBurst = 5
	guessEvery = 10 * time.Second
	maxGuesser = 1000 // addresses that are remembered
)

// entry decides who may act: it knows the password, the sessions that were
// begun with it, and who guessed wrong lately. Nothing of it outlives the process.
type entry struct {
	open bool              // a password is configured
	sum  [sha256.Size]byte // of the password, so that comparing tells nothing of its length

	mu       sync.Mutex
	sessions map[string]time.Time // token → when it ends
	guessers map[netip.Prefix]*rate.Limiter
}

func newEntry(password secret.String) *entry {
	return &entry{
		open: !password.Empty(), sum: sha256.Sum256([]byte(password.Reveal())),
		sessions: map[string]time.Time{}, guessers: map[netip.Prefix]*rate.Limiter{},
	}
}

// admission is the answer to somebody who wants to act.
type admission int

const (
	admitted admission = iota
	unknown            // no credentials, or wrong ones
	tooOften           // too many wrong ones lately; these were not even looked at
	readOnly           // nobody may act, no password is configured
)

// admit looks at the session or the Basic credentials of a request. The user
// name of the latter does not matter.
func (e *entry) admit(r *http.Request) admission {
	if !e.open {
		return readOnly
	}
	if e.hasSession(r) {
		return admitted
	}
	if _, password, ok := r.BasicAuth(); ok {
		return e.try(r, password)
	}
	return unknown
}

// try compares a password, unless its sender guessed wrong too often.
func (e *entry) try(r *http.Request, password string) admission {
	if !e.open {
		return readOnly
	}
	given := sha256.Sum256([]byte(password))
	e.mu.Lock()
	defer e.mu.Unlock()
	limit := e.guesser(senderOf(r))
	switch {
	case limit.Tokens() < 1:
		return tooOften
	case subtle.ConstantTimeCompare(given[:], e.sum[:]) == 1:
		return admitted
	}
	limit.Allow()
	return unknown
}

// guesser returns the limit of one sender; e.mu is held. When too many are
// remembered, those that have not guessed wrong lately are forgotten, and if
// that is not enough the rest share one limit.
func (e *entry) guesser(from netip.Prefix) *rate.Limiter {
	if limit := e.guessers[from]; limit != nil {
		return limit
	}
	if len(e.guessers) >= maxGuesser {
		for other, limit := range e.guessers {
			if limit.Tokens() >= guessBurst {
				delete(e.guessers, other)
			}
		}
	}
	if len(e.guessers) >= maxGuesser {
		from = netip.Prefix{}
		if limit := e.guessers[from]; limit != nil {
			return limit
		}
	}
	limit := rate.NewLimiter(rate.Every(guessEvery), guessBurst)
	e.guessers[from] = limit
	return limit
}

// senderOf is the address a request comes from; of IPv6 the network, since one
// machine has as many addresses as it likes.
func senderOf(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // fails on no such number of bits
	return prefix
}

func (e *entry) hasSession(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	ends, ok := e.sessions[c.Value]
	return ok && time.Now().Before(ends)
}

// begin starts a session.
func (e *entry) begin(w http.ResponseWriter, r *http.Request) {
	token := rand.Text()
	now := time.Now()
	e.mu.Lock()
	e.makeRoom(now)
	e.sessions[token] = now.Add(sessionLife)
	e.mu.Unlock()
	setCookie(w, r, token, int(sessionLife/time.Second))
}

// makeRoom forgets sessions that are over, and the one that ends first if
// there are too many; e.mu is held.
func (e *entry) makeRoom(now time.Time) {
	first := ""
	for token, ends := range e.sessions {
		if !now.Before(ends) {
			delete(e.sessions, token)
		} else if first == "" || ends.Before(e.sessions[first]) {
			first = token
		}
	}
	if len(e.sessions) >= maxSessions {
		delete(e.sessions, first)
	}
}

// end ends the session of a request.
func (e *entry) end(w http.ResponseWriter, r *http.Request) {
	e.forget(r)
	setCookie(w, r, "", -1)
}

// forget makes the session of a request worthless.
func (e *entry) forget(r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		e.mu.Lock()
		delete(e.sessions, c.Value)
		e.mu.Unlock()
	}
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}
