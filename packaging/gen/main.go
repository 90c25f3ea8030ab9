// Command gen makes what the packages carry beside the program and its manual:
//
//	gen icon DIR              brodaemon's icon as PNG files of several sizes, drawn here
//	gen sbom PROGRAM FILE     a CycloneDX bill of materials, from what the Go linker
//	                          wrote into the program: what it says is what is in it
//	gen licences PROGRAM FILE the licence of each module in the program, in full
//	gen zip DIR FILE          a zip of a folder, by its name, times as the files have
//	gen windows-config IN OUT the example configuration with the paths of Windows
//	gen guid TEXT             an identifier that depends on the text alone
//	gen pin-msi FILE          an MSI's time and package code, so that it is the same every time
//
// It needs only Go and the modules the program was built from, and writes the same
// bytes for the same program.
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "icon":
		return icons(args[1])
	case len(args) == 3 && args[0] == "sbom":
		return bill(args[1], args[2])
	case len(args) == 3 && args[0] == "licences":
		return licences(args[1], args[2])
	case len(args) == 3 && args[0] == "zip":
		return zipFolder(args[1], args[2])
	case len(args) == 3 && args[0] == "windows-config":
		return windowsConfig(args[1], args[2])
	case len(args) == 2 && args[0] == "pin-msi":
		return pinMSI(args[1])
	case len(args) == 2 && args[0] == "guid":
		fmt.Println(guid(args[1]))
		return nil
	}
	return errors.New("use: gen icon DIR | sbom PROGRAM FILE | licences PROGRAM FILE | zip DIR FILE | windows-config IN OUT | guid TEXT | pin-msi FILE")
}

// modules are those in a program, by path.
func modules(program string) (*buildinfo.BuildInfo, []*debug.Module, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, nil, err
	}
	var all []*debug.Module
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	return info, all, nil
}

// component is a part in CycloneDX 1.5.
type component struct {
	Type     string         `json:"type"`
	Ref      string         `json:"bom-ref,omitempty"`
	Name     string         `json:"name"`
	Version  string         `json:"version,omitempty"`
	URL      string         `json:"purl,omitempty"`
	Hashes   []hash         `json:"hashes,omitempty"`
	Licenses []licenceEntry `json:"licenses,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type licenceEntry struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

// bill writes the bill of materials.
func bill(program, file string) error {
	info, all, err := modules(program)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	main := component{Type: "application", Ref: "brodaemon", Name: "brodaemon", Version: os.Getenv("VERSION"), Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}}
	parts := []component{{Type: "platform", Ref: "go", Name: "go", Version: strings.TrimPrefix(info.GoVersion, "go"), URL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}}
	refs := []string{"go"}
	for _, m := range all {
		c := component{Type: "library", Ref: m.Path, Name: m.Path, Version: m.Version, URL: "pkg:golang/" + m.Path + "@" + m.Version}
		texts, err := licenceTexts(m)
		if err != nil {
			return err
		}
		for _, t := range texts {
			if id := classify(t.text); id != "" {
				var e licenceEntry
				e.License.ID = id
				if !slices.Contains(c.Licenses, e) {
					c.Licenses = append(c.Licenses, e)
				}
			}
		}
		if len(c.Licenses) == 0 {
			return fmt.Errorf("%s has no licence that is known here", m.Path)
		}
		parts = append(parts, c)
		refs = append(refs, m.Path)
	}
	return writeJSON(file, map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata":     map[string]any{"component": main},
		"components":   parts,
		"dependencies": []map[string]any{{"ref": "brodaemon", "dependsOn": refs}},
	})
}

func writeJSON(file string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

type licenceText struct{ file, text string }

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-.].*)?$`)

// licenceTexts are the licence files at the root of a module.
func licenceTexts(m *debug.Module) ([]licenceText, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m.Path).Output()
	if err != nil {
		return nil, fmt.Errorf("find module %s: %w", m.Path, err)
	}
	dir := strings.TrimSpace(string(out))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("find module %s: %w", m.Path, err)
	}
	var texts []licenceText
	for _, e := range entries {
		if e.Type()&fs.ModeType != 0 || !licenceName.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, licenceText{e.Name(), strings.ReplaceAll(string(text), "\r\n", "\n")})
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("module %s has no licence file", m.Path)
	}
	return texts, nil
}

// classify names a licence by words that only it has; "" if it is none of those.
func classify(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, k := range []struct{ words, id string }{
		{"Apache License Version 2.0", "Apache-2.0"},
		{"Mozilla Public License Version 2.0", "MPL-2.0"},
		{"Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"},
		{"Neither the name of", "BSD-3-Clause"},
		{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
		{"The origin of this software must not be misrepresented", "Zlib"},
		{"Permission to use, copy, modify, and", "ISC"},
	} {
		if strings.Contains(text, k.words) {
			return k.id
		}
	}
	return ""
}

// licences writes a list, and after it every text in full, as most of them ask.
func licences(program, file string) error {
	_, all, err := modules(program)
	if err != nil {
		return err
	}
	var list, full strings.Builder
	list.WriteString("brodaemon is built from these modules, each under its own licence.\n\n")
	for _, m := range all {
		texts, err := licenceTexts(m)
		if err != nil {
			return err
		}
		var ids []string
		for _, t := range texts {
			if id := classify(t.text); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			fmt.Fprintf(&full, "\n%s\n%s %s: %s\n%s\n\n%s\n", strings.Repeat("=", 78), m.Path, m.Version, t.file, strings.Repeat("=", 78), strings.TrimSpace(t.text))
		}
		fmt.Fprintf(&list, "%-46s %-36s %s\n", m.Path, m.Version, strings.Join(ids, ", "))
	}
	goLicence, err := os.ReadFile(filepath.Join(goRoot(), "LICENSE"))
	if err == nil {
		fmt.Fprintf(&full, "\n%s\nGo and its standard library\n%s\n\n%s\n", strings.Repeat("=", 78), strings.Repeat("=", 78), strings.TrimSpace(string(goLicence)))
	}
	return os.WriteFile(file, []byte(list.String()+full.String()), 0o644)
}

func goRoot() string {
	out, _ := exec.Command("go", "env", "GOROOT").Output()
	return strings.TrimSpace(string(out))
}

// icons draws the icon: a document that goes down into the ground, whose layers lie below.
func icons(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, size := range []int{16, 32, 48, 64, 128, 256} {
		var b bytes.Buffer
		if err := png.Encode(&b, draw(size)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("icon%d.png", size)), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// draw paints at four times the size and averages, for smooth edges.
func draw(size int) image.Image {
	const fine = 4
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			var r, g, b, a float64
			for dy := range fine {
				for dx := range fine {
					u := (float64(x) + (float64(dx)+0.5)/fine) / float64(size)
					v := (float64(y) + (float64(dy)+0.5)/fine) / float64(size)
					c := paint(u, v)
					f := float64(c.A) / 255
					r, g, b, a = r+float64(c.R)*f, g+float64(c.G)*f, b+float64(c.B)*f, a+f
				}
			}
			if a > 0 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(r / a), uint8(g / a), uint8(b / a), uint8(math.Round(a / (fine * fine) * 255))})
			}
		}
	}
	return img
}

// paint is the colour at a place between 0 and 1.
func paint(u, v float64) color.NRGBA {
	const corner = 0.16
	du, dv := math.Max(0, math.Abs(u-0.5)-(0.5-corner)), math.Max(0, math.Abs(v-0.5)-(0.5-corner))
	if math.Hypot(du, dv) > corner {
		return color.NRGBA{}
	}
	switch {
	case u > 0.32 && u < 0.68 && v > 0.12 && v < 0.5 && !(u-0.56 > v-0.12): // the sheet, with its corner folded
		if lines := []float64{0.26, 0.34, 0.42}; slices.ContainsFunc(lines, func(l float64) bool { return math.Abs(v-l) < 0.014 }) && u > 0.38 && u < 0.62 {
			return color.NRGBA{90, 122, 150, 255}
		}
		return color.NRGBA{250, 250, 246, 255}
	case math.Abs(u-0.5) < 0.055 && v >= 0.5 && v < 0.7, v >= 0.66 && v < 0.8 && math.Abs(u-0.5) < 0.8-v: // the arrow
		return color.NRGBA{250, 250, 246, 255}
	case v > 0.83+0.02*math.Sin(u*7):
		return color.NRGBA{88, 62, 44, 255}
	case v > 0.68+0.025*math.Sin(u*6+2):
		return color.NRGBA{140, 99, 62, 255}
	case v > 0.55+0.02*math.Sin(u*8+4):
		return color.NRGBA{189, 148, 92, 255}
	}
	return color.NRGBA{32, 96, 142, 255}
}

// zipFolder packs a folder under its own name.
func zipFolder(dir, file string) error {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(dir), path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		part, err := w.CreateHeader(&zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: info.ModTime().UTC()})
		if err != nil {
			return err
		}
		_, err = part.Write(data)
		return err
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// windowsConfig gives the example the places and line ends of Windows.
func windowsConfig(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	text := string(data)
	for was, is := range map[string]string{
		"\ndata_dir: /var/lib/brodaemon\n": "\ndata_dir: 'C:\\ProgramData\\brodaemon\\data'\n",
		"    path: /srv/bro/office\n":      "    path: 'C:\\bro\\office'\n",
	} {
		if strings.Count(text, was) != 1 {
			return fmt.Errorf("%s does not have this line once: %q", from, was)
		}
		text = strings.Replace(text, was, is, 1)
	}
	return os.WriteFile(to, []byte(strings.ReplaceAll(text, "\n", "\r\n")), 0o644)
}

func guid(text string) string {
	sum := sha256.Sum256([]byte(text))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, made by a digest
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}
