package daemon

import (
	"errors"
	"testing"

	"brodaemon/internal/secret"
)

func TestCredentialVersion(t *testing.T) {
	text, trouble := "one", error(nil)
	all := credentials{}
	c := all.of("t", func() (secret.String, error) { return secret.New(text), trouble })
	if all.of("t", nil) != c {
		t.Fatal("two folders with one token have two secrets")
	}
	last := c.version()
	step := func(what string, changed bool) {
		t.Helper()
		now := c.version()
		if (now != last) != changed || c.version() != now {
			t.Errorf("%s: version %d, was %d", what, now, last)
		}
		last = now
	}
	step("nothing happened", false)
	text = "two"
	step("it was changed", true)
	trouble = errors.New("gone")
	step("it can't be read", true)
	step("it still can't be read", false)
	trouble = nil
	step("it can be read again", true)
	if s, err := c.get(); err != nil || s.Reveal() != "two" {
		t.Errorf("the secret is %q, %v", s.Reveal(), err)
	}
	step("it was used", false)
}
