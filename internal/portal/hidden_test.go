package portal

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"strings"
	"testing"
)

// TestHiddenForms: whatever form a portal repeats a secret in, it is taken out.
func TestHiddenForms(t *testing.T) {
	const user, secret = "0dce6fc98256|123456789|1234", "ge/heim+en&<lang>=genoeg?"
	both := base64.StdEncoding.EncodeToString([]byte(user + ":" + secret))
	scrub := newScrubber(user, secret)
	for name, form := range map[string]string{
		"plain": secret, "header": both, "header without padding": strings.TrimRight(both, "="),
		"in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "in a page": html.EscapeString(secret),
		"header in a query": url.QueryEscape(both), "in JSON": strings.ReplaceAll(secret, "/", `\/`),
		"header in JSON": strings.ReplaceAll(both, "/", `\/`), "hex": hex.EncodeToString([]byte(secret)),
		"alone": base64.StdEncoding.EncodeToString([]byte(secret)),
	} {
		for what, got := range map[string]string{"error": scrub.text("a " + form + " b"), "result": scrub.result("a " + form + " b")} {
			if want := "a " + redacted; !strings.HasPrefix(got, want) || strings.Contains(got, form) {
				t.Errorf("%s, %s: %q", name, what, got)
			}
		}
	}
	if got := scrub.text("https://user:" + url.QueryEscape(secret) + "@proxy"); strings.Contains(got, "ge%2Fheim") {
		t.Errorf("in an address: %q", got)
	}
}
