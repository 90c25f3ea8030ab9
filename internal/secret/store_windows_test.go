package secret

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"brodaemon/internal/account"
)

func TestStoredFileIsEncrypted(t *testing.T) {
	s := StoreIn(t.TempDir())
	for _, name := range []string{"zwolle", "assen"} {
		if err := s.Set(name, New(text)); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(s.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			t.Error("the secret lies there in the clear")
		}
	}
	content, err := os.ReadFile(s.path("assen"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("zwolle"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("zwolle"); err == nil || !got.Empty() || !strings.Contains(err.Error(), "decrypted") {
		t.Errorf("another token's: got %v, %v; want it refused", got, err)
	}
}

func TestWidest(t *testing.T) {
	for list, wide := range map[string]bool{
		"D:P(A;;FA;;;SY)(A;;FA;;;BA)":                   false,
		"D:P(A;;FA;;;SY)(A;;FR;;;S-1-5-80-1-2-3-4-5)":   false,
		"D:P(A;;FA;;;SY)(A;;FR;;;WD)":                   true,
		"D:(A;;FA;;;SY)(A;;0x1200a9;;;BU)":              true,
		"D:(A;;FA;;;SY)(A;;GR;;;AU)":                    true,
		"D:(A;;FA;;;SY)(A;;WD;;;AU)":                    true,  // may give itself the right
		"D:(A;;FA;;;SY)(A;OICIIO;GR;;;BU)":              false, // for what is made in it, not for itself
		"D:(D;;FA;;;WD)(A;;FA;;;SY)":                    false,
		"D:(A;;FR;;;S-1-5-21-1-2-3-513)(A;;FA;;;SY)":    true, // domain users
		"D:(A;;FR;;;S-1-5-21-1-2-3-1104)(A;;FA;;;SY)":   false,
		"D:P(A;;FA;;;SY)(A;;0x100080;;;BU)(A;;FA;;;BA)": false, // attributes only
	} {
		sd, err := windows.SecurityDescriptorFromString(list)
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		if who, err := widest(sd); err != nil || (who != "") != wide {
			t.Errorf("%s: %q, %v; want wide: %v", list, who, err, wide)
		}
	}
}

func TestAccessListLetsInNobodyElse(t *testing.T) {
	sd, err := account.AccessList(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := widest(sd); err != nil || who != "" {
		t.Errorf("%s: open to %q, %v", sd, who, err)
	}
	if !strings.HasPrefix(sd.String(), "D:P") {
		t.Errorf("%s: what is above would be passed on", sd)
	}
}
