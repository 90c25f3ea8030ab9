package status

import (
	"net/http"
	"net/url"
	"strings"
)

// signInPage asks for the password.
type signInPage struct {
	frame
	To string // where to go afterwards
}

func (s *Server) askSignIn(w http.ResponseWriter, r *http.Request) {
	if !s.entry.open {
		s.trouble(w, r, http.StatusForbidden, s.language.text("read-only-why"))
		return
	}
	s.show(w, http.StatusOK, "signin.html", signInPage{s.frame(r, s.language.text("sign-in")), inside(r.URL.Query().Get("to"))})
}

func (s *Server) doSignIn(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		s.trouble(w, r, http.StatusBadRequest, err.Error())
		return
	}
	to := inside(r.PostForm.Get("to"))
	page := signInPage{s.frame(r, s.language.text("sign-in")), to}
	switch s.entry.try(r, r.PostForm.Get("password")) {
	case admitted:
		s.entry.forget(r) // of who signs in a second time
		s.entry.begin(w, r)
		http.Redirect(w, r, to, http.StatusSeeOther)
	case readOnly:
		s.trouble(w, r, http.StatusForbidden, s.language.text("read-only-why"))
	case tooOften:
		w.Header().Set("Retry-After", retryAfter)
		page.Wrong = s.language.text("too-often")
		s.show(w, http.StatusTooManyRequests, "signin.html", page)
	default:
		page.Wrong = s.language.text("wrong-password")
		s.show(w, http.StatusForbidden, "signin.html", page)
	}
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	s.entry.end(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// pageMayAct sends those who have not signed in to do so first.
func (s *Server) pageMayAct(w http.ResponseWriter, r *http.Request, to string) bool {
	switch s.entry.admit(r) {
	case admitted:
		return true
	case readOnly:
		s.trouble(w, r, http.StatusForbidden, s.language.text("read-only-why"))
	case tooOften:
		w.Header().Set("Retry-After", retryAfter)
		s.trouble(w, r, http.StatusTooManyRequests, s.language.text("too-often"))
	default:
		http.Redirect(w, r, "/sign-in?"+url.Values{"to": {to}}.Encode(), http.StatusSeeOther)
	}
	return false
}

// inside is a path on this server to go to; "/" for anything that is not one.
func inside(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}
