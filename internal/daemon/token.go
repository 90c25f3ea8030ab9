package daemon

import (
	"encoding/json"
	"net/http"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/secret"
)

// TokenSource says where a token's secret is looked for, for the daemon and for
// every command alike.
func TokenSource(c *config.Config, t config.Token) secret.Source {
	return secret.Source{Name: t.Name, File: t.PasswordFile, Store: secret.StoreIn(c.DataDir)}
}

// TokenPlace is where the running daemon finds a token's secret, which may be
// another place than a command sees: systemd hands credentials to the service alone.
type TokenPlace struct {
	Name  string       `json:"name"`
	Place secret.Place `json:"source"`
	Since time.Time    `json:"since,omitzero"`
	Error string       `json:"error,omitempty"` // why it can't be had
}

// tokenPlaces answers on the control socket. The secrets themselves stay here.
func (d *Daemon) tokenPlaces(w http.ResponseWriter, _ *http.Request) {
	places := []TokenPlace{}
	c := d.config()
	for _, t := range c.Tokens {
		_, found, err := TokenSource(c, t).Read()
		p := TokenPlace{Name: t.Name, Place: found.Place}
		if !found.Since.IsZero() {
			p.Since = found.Since.UTC()
		}
		if err != nil {
			p.Error = err.Error()
		}
		places = append(places, p)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(places) // who hung up gets nothing
}
