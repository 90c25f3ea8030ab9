package archive

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const someSHA = "3f9a1c2e00000000000000000000000000000000000000000000000000000000"

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 197)
	accents := strings.Repeat("é", 120) // 240 bytes
	tests := map[string]struct {
		system, base string
		want         []string // by counter
	}{
		"plain":                   {"linux", "put-16.xml", []string{"put-16.xml", "put-16__3f9a1c2e.xml", "put-16__3f9a1c2e-2.xml", "put-16__3f9a1c2e-3.xml"}},
		"upper case":              {"linux", "PUT.XML", []string{"PUT.XML", "PUT__3f9a1c2e.XML"}},
		"several dots":            {"linux", "3c. SAD - XRF.v2.xml", []string{"3c. SAD - XRF.v2.xml", "3c. SAD - XRF.v2__3f9a1c2e.xml"}},
		"no ending":               {"linux", "put", []string{"put", "put__3f9a1c2e"}},
		"only an ending":          {"linux", ".xml", []string{".xml", ".xml__3f9a1c2e"}},
		"ending too long for one": {"linux", "put.this is no ending at all", []string{"put.this is no ending at all", "put.this is no ending at all__3f9a1c2e"}},
		"leading dash and quotes": {"linux", `-put "16".xml`, []string{`-put "16".xml`, `-put "16"__3f9a1c2e.xml`}},
		"200 bytes":               {"linux", long[:196] + ".xml", []string{long[:196] + ".xml", long[:186] + "__3f9a1c2e.xml", long[:184] + "__3f9a1c2e-2.xml"}},
		"201 bytes":               {"linux", long + ".xml", []string{long[:196] + ".xml", long[:186] + "__3f9a1c2e.xml"}},
		"cut between letters":     {"linux", accents + ".xml", []string{accents[:196] + ".xml", accents[:186] + "__3f9a1c2e.xml"}},
		"cut before half a letter": {"linux", "b" + accents + ".xml", []string{
			"b" + accents[:194] + ".xml", "b" + accents[:184] + "__3f9a1c2e.xml"}},
		"not UTF-8":               {"linux", "put\xff.xml", []string{"put\xff.xml", "put\xff__3f9a1c2e.xml"}},
		"dots and nothing else":   {"linux", strings.Repeat(".", 210), []string{"3f9a1c2e"}},
		"elsewhere a colon stays": {"linux", "a:b.xml", []string{"a:b.xml"}},
		"device stays elsewhere":  {"linux", "CON.xml", []string{"CON.xml"}},

		"ordinary on Windows":       {"windows", "put-16.xml", []string{"put-16.xml", "put-16__3f9a1c2e.xml"}},
		"device on Windows":         {"windows", "con.xml", []string{"_con.xml", "_con__3f9a1c2e.xml"}},
		"device with two endings":   {"windows", "LPT1.a.xml", []string{"_LPT1.a.xml"}},
		"device with a blank":       {"windows", "nul .xml", []string{"_nul .xml"}},
		"no device after all":       {"windows", "console.xml", []string{"console.xml"}},
		"forbidden characters":      {"windows", `a:b?"c"|<d>*.xml`, []string{`a_b__c___d__.xml`}},
		"trailing dot":              {"windows", "put.xml.", []string{"put.xml_", "put__3f9a1c2e.xml_"}},
		"trailing blank":            {"windows", "put.xml ", []string{"put.xml_"}},
		"control character":         {"windows", "put\n.xml", []string{"put_.xml"}},
		"device shown by the cut":   {"windows", "CON" + strings.Repeat(" ", 200) + "x.xml", []string{"_CON.xml"}},
		"blank at the cut's edge":   {"windows", "put" + strings.Repeat(" ", 250), []string{"put_"}},
		"nothing but what is wrong": {"windows", "???", []string{"___"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := namesOn(tt.system, tt.base, someSHA)
			for k, want := range tt.want {
				if got := n.at(k); got != want {
					t.Errorf("at(%d) = %q, want %q", k, got, want)
				}
			}
		})
	}
}

func TestNamesHas(t *testing.T) {
	n := namesOn("linux", "put.xml", someSHA)
	for name, want := range map[string]bool{
		"put.xml":                                      true,
		"put__3f9a1c2e.xml":                            true,
		"put__3f9a1c2e-2.xml":                          true,
		"put__3f9a1c2e-731.xml":                        true,
		"put__3f9a1c2e-1.xml":                          false,
		"put__3f9a1c2e-02.xml":                         false,
		"put__3f9a1c2e-.xml":                           false,
		"put__3f9a1c2e-99999999999999999999999999.xml": false,
		"put__aaaaaaaa.xml":                            false,
		"put-2.xml":                                    false,
		"Xput.xml":                                     false,
		"put":                                          false,
		"":                                             false,
	} {
		if got := n.has(name); got != want {
			t.Errorf("has(%q) = %v, want %v", name, got, want)
		}
	}
}

// FuzzName: whatever a file is called, its names in the archive are possible,
// short enough, different from each other, and lead nowhere else.
func FuzzName(f *testing.F) {
	for _, base := range []string{"put.xml", "", ".", "..", "CON.xml", "a:b", strings.Repeat("é", 150) + ".xml", "x. . .", "\xff\xfe.xml",
		"CON" + strings.Repeat(" ", 300) + ".xml", strings.Repeat(".", 300), "a\\..\\b", "_CON.", "-.", strings.Repeat(" ", 199) + ".xml"} {
		f.Add(base, byte(1))
	}
	f.Fuzz(func(t *testing.T, base string, digits byte) {
		if base == "" || base == "." || base == ".." || strings.ContainsAny(base, "/\x00") {
			t.Skip("no file has that name")
		}
		for _, system := range []string{"linux", "windows"} {
			for _, n := range []names{namesOn(system, base, sha(string(digits))), namesOn(system, base, sha(string(digits))).short()} {
				seen := map[string]bool{}
				for _, k := range []int{0, 1, 2, 3, 10, 4711} {
					name := n.at(k)
					checkName(t, system, base, name, n.limit)
					if seen[name] {
						t.Errorf("%s: %q is used for two counters", system, name)
					}
					seen[name] = true
					if !n.has(name) {
						t.Errorf("%s: %q is not recognised", system, name)
					}
				}
			}
		}
		if got := namesOn("linux", base, someSHA).at(0); len(base) <= nameLimit && got != base {
			t.Errorf("%q was not kept but became %q", base, got)
		}
	})
}

func checkName(t *testing.T, system, base, name string, limit int) {
	t.Helper()
	if system == "windows" {
		limit++ // for the underscore before a device
		if strings.ContainsAny(name, `<>:"/\|?*`) || strings.TrimRight(name, ". ") != name || windowsName(name) != name {
			t.Errorf("%q became %q, which Windows can't have", base, name)
		}
	}
	if name == "" || len(name) > limit || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || filepath.Base(name) != name {
		t.Errorf("%s: %q became %q (%d bytes)", system, base, name, len(name))
	}
	if utf8.ValidString(base) && !utf8.ValidString(name) {
		t.Errorf("%s: %q became %q, which is not UTF-8 any more", system, base, name)
	}
}
