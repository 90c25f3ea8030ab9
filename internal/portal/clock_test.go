package portal

import (
	"net/http"
	"testing"
	"time"
)

// The portal's clock is heard from every answer, good or bad, that has a Date.
func TestClockCheck(t *testing.T) {
	date, code := "", http.StatusOK
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil // not the server's own
		if date != "" {
			w.Header().Set("Date", date)
		}
		w.WriteHeader(code)
	})
	c := client(t, server.URL)
	ask := func() ClockCheck {
		_, _ = c.Projects(t.Context()) // whatever comes of it
		return c.ClockCheck()
	}
	for _, date = range []string{"", "yesterday", "-1"} {
		if got := ask(); !got.At.IsZero() {
			t.Errorf("after %q: %+v", date, got)
		}
	}
	began := time.Now()
	date, code = began.Add(-time.Hour).UTC().Format(http.TimeFormat), http.StatusInternalServerError
	got := ask()
	if got.At.Before(began) || got.At.After(time.Now()) {
		t.Errorf("heard at %s, want now", got.At)
	}
	if least, most := time.Hour, time.Hour+time.Second+time.Since(began); got.Skew < least || got.Skew > most {
		t.Errorf("%s ahead, want %s to %s", got.Skew, least, most)
	}
	date = ""
	if again := ask(); again != got {
		t.Errorf("an answer without a Date changed it to %+v", again)
	}
}
