package status

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// maxBody bounds what anybody may send.
const maxBody = 16 << 10

// secure puts what every request must pass before next: headers that keep the
// browser from doing what no page of ours needs, and the checks of where the
// request comes from and whom it is for.
func secure(l language, next http.Handler, names []string) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusForbidden, l.forReader(r).text("another-site"))
	}))
	guarded := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		// not no-referrer: with it browsers say "Origin: null" for our own forms
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !ours(r, names) {
			refuse(w, r, http.StatusMisdirectedRequest, l.forReader(r).text("unknown-name", r.Host))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		guarded.ServeHTTP(w, r)
	})
}

// ours tells whether the host that a request names is this machine. A page of
// another site can have its own name point here (DNS rebinding) and would then
// be of one origin with us; it can't do that with a name that is ours or with
// an address. Who names no host is no browser.
func ours(r *http.Request, names []string) bool {
	if r.Host == "" || r.URL.Path == "/healthz" {
		return true // that we live is no secret
	}
	host := hostOf(r.Host)
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback() || addr.Unmap() == localAddr(r)
	}
	for _, name := range names {
		if strings.EqualFold(host, name) {
			return true
		}
	}
	return false
}

// localAddr is the address at which the request came in.
func localAddr(r *http.Request) netip.Addr {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// ownNames are the host names under which the page may be asked for: this
// machine's, and those that are given, with or without a port.
func ownNames(given []string) []string {
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "" {
		short, _, _ := strings.Cut(host, ".")
		names = append(names, host, short)
	}
	for _, g := range given {
		if host := hostOf(g); host != "" {
			names = append(names, host)
		}
	}
	return names
}

// hostOf is an address without its port, the brackets of IPv6, and the dot at
// the end of a full name.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return strings.TrimSuffix(strings.Trim(address, "[]"), ".")
}

// refuse answers in the form that the caller understands.
// forReader is English for programs.
func (l language) forReader(r *http.Request) language {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return english
	}
	return l
}

func refuse(w http.ResponseWriter, r *http.Request, code int, sentence string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		Fail(w, code, sentenceError(sentence))
		return
	}
	http.Error(w, sentence, code)
}

type sentenceError string

func (e sentenceError) Error() string { return string(e) }

// mayAct refuses a request that wants to change something and may not.
func (s *Server) mayAct(w http.ResponseWriter, r *http.Request) bool {
	switch s.entry.admit(r) {
	case admitted:
		return true
	case readOnly:
		Fail(w, http.StatusForbidden, sentenceError("this address is read-only: put the path of a file that holds a password in status.password_file, or use the brodaemon command on this machine"))
	case tooOften:
		w.Header().Set("Retry-After", retryAfter)
		Fail(w, http.StatusTooManyRequests, sentenceError("too many wrong passwords; wait a while"))
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="brodaemon", charset="UTF-8"`)
		Fail(w, http.StatusUnauthorized, sentenceError("this needs the password of the status page; any user name will do"))
	}
	return false
}
