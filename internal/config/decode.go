package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// loader reads one configuration and gathers everything that is wrong with it.
type loader struct {
	file    string // as in messages
	dir     string // that relative paths count from; absolute
	cfg     *Config
	given   map[string]int // fields that the file sets, with their lines
	faults  []Fault
	faulted map[string]bool // fields with a fault: one each is enough, others would only follow from it
	isYAML  bool            // false: cfg holds nothing of the file
}

// parse reads data over the defaults. The result, also of a broken file, is in the loader.
func parse(data []byte, file, dir string) *loader {
	l := &loader{file: file, dir: dir, cfg: Default(), given: map[string]int{}, faulted: map[string]bool{}}
	l.cfg.File = file
	root := l.document(data)
	if len(l.faults) > 0 {
		return l // not YAML: nothing else could be said that is true
	}
	l.isYAML = true
	if root != nil {
		l.value(root, reflect.ValueOf(l.cfg).Elem(), "")
	}
	if len(l.faults) == 0 || root.Kind == yaml.MappingNode {
		l.finish()
	}
	return l
}

// result returns the configuration, or all that is wrong with it.
func (l *loader) result() (*Config, error) {
	if len(l.faults) == 0 {
		return l.cfg, nil
	}
	sortFaults(l.faults)
	if l.full() {
		l.faults = append(l.faults, Fault{Problem: "there may be more faults than these", Remedy: "correct these first"})
	}
	return nil, &Error{File: l.file, Faults: l.faults}
}

// fault notes what is wrong with a field. A field that is missing has the line of
// what it is missing in.
func (l *loader) fault(field, value, problem, remedy string) {
	l.faultAt(l.line(field), field, value, problem, remedy)
}

func (l *loader) faultAt(line int, field, value, problem, remedy string) {
	if l.faulted[field] || l.full() {
		return
	}
	if field != "" {
		l.faulted[field] = true
	}
	l.faults = append(l.faults, Fault{Field: field, Line: line, Value: shown(withoutSecret(field, value)), Problem: problem, Remedy: remedy})
}

// line returns where a field, or the nearest thing that it is part of, is set.
func (l *loader) line(field string) int {
	for field != "" {
		if line, ok := l.given[field]; ok {
			return line
		}
		field = field[:max(strings.LastIndexByte(field, '.'), strings.LastIndexByte(field, '['), 0)]
	}
	return 0
}

// maxFaults is more than anyone reads. It bounds what a file that is something else
// altogether can cost.
const maxFaults = 1000

func (l *loader) full() bool { return len(l.faults) >= maxFaults }

func (l *loader) isGiven(field string) bool {
	_, ok := l.given[field]
	return ok
}

// document returns the root of the one document in data, nil for an empty one.
func (l *loader) document(data []byte) (root *yaml.Node) {
	if len(data) > maxFileSize {
		l.fault("", "", fmt.Sprintf("the file is larger than %d KiB", maxFileSize>>10), "is this really the configuration file?")
		return nil
	}
	if l.encoding(data); len(l.faults) > 0 {
		return nil
	}
	// The YAML library reads what comes from outside. Should it panic, a reload
	// must not take the daemon with it.
	defer func() {
		if p := recover(); p != nil {
			root = nil
			l.fault("", "", fmt.Sprintf("this cannot be read as YAML (%v)", p), "compare the file with config.example.yaml")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		l.syntax(err, data)
		return nil
	}
	if !errors.Is(decoder.Decode(&more), io.EOF) {
		l.faultAt(more.Line, "", "", "the file goes on after its end mark (--- or ...)", "remove the mark and what follows it, or put it into the first part")
		return nil
	}
	if len(document.Content) == 0 {
		return nil
	}
	return document.Content[0]
}

// syntaxRemedies say what usually lies behind a message of the YAML library, and how
// many lines further than it says the fault is.
var syntaxRemedies = []struct {
	message string
	further int
	remedy  string
}{
	{"unknown escape character", 0, backslashRemedy},
	{"hexdecimal number", 0, backslashRemedy},
	{"alphabetic or numeric character", 0, `put a value that begins with * or & in quotes: ["*.xml"]`},
	{"unknown anchor", 0, `put a value that begins with * in quotes: ["*.xml"]`},
	{"cannot start any token", 0, "indent with spaces, not with tabs, and put a value that begins with @, ` or % in quotes"},
	{"a tab character", 1, "indent with spaces, not with tabs"},
	{"mapping values are not allowed", 0, "put a value with a colon followed by a space in quotes, and see that the lines are indented alike"},
	{"could not find expected ':'", 0, "write a key, a colon and a space before each value"},
	{"unexpected end of stream", 0, "close the quotes that are open there"},
	{"did not find expected key", 1, "see that the lines from here on are indented alike, and that quotes are closed"},
	{"did not find expected '-' indicator", 1, "see that the lines from here on are indented alike, and that each entry of the list begins with a dash"},
	{"did not find expected ',' or", 1, "close the bracket or brace that was opened, and put commas between the values"},
}

const backslashRemedy = `write a path with backslashes without quotes or in single quotes: '\\server\share\map'`

var (
	syntaxLine   = regexp.MustCompile(`line (\d+): *`)
	syntaxAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax notes what the YAML library refuses. It stops at the first such fault.
func (l *loader) syntax(err error, data []byte) {
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " ")
	line := 1 // which the library does not mention
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	if m := syntaxAnchor.FindStringSubmatch(text); m != nil {
		if at := bytes.Index(data, []byte("*"+m[1])); at >= 0 {
			line = 1 + bytes.Count(data[:at], []byte("\n"))
		}
	}
	remedy := "look at this line and the ones beside it, and compare with config.example.yaml"
	for _, known := range syntaxRemedies {
		if strings.Contains(text, known.message) {
			line += known.further
			remedy = known.remedy
			break
		}
	}
	l.faultAt(line, "", "", "this is not YAML: "+text, remedy)
}

// encoding finds the first byte that no configuration has, where the YAML library
// would not say its line. Text in UTF-16 is left to the library.
func (l *loader) encoding(data []byte) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return
	}
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && size == 1:
			l.faultAt(line, "", "", "there is a letter on this line that is not UTF-8", "save the file as UTF-8 (in an editor: save as, encoding)")
			return
		case unicode.IsControl(r) && r != '\t' && r != '\r' && r != 0x85:
			l.faultAt(line, "", "", fmt.Sprintf("there is a control character (%#U) on this line", r), "remove it, and save the file as plain UTF-8 text")
			return
		}
		data = data[size:]
	}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
	daysType     = reflect.TypeFor[Days]()
)

// value reads node into v, which holds the default. A null is the same as a key
// that is left out, so that a section may stand there with all its keys commented out.
func (l *loader) value(node *yaml.Node, v reflect.Value, field string) {
	if node.Kind == yaml.AliasNode {
		l.faultAt(node.Line, field, "", "references (*name) are not taken here", "write the value out")
		return
	}
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		delete(l.given, field)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		l.mapping(node, v, field)
	case reflect.Slice:
		l.list(node, v, field)
	default:
		l.scalar(node, v, field)
	}
}

// mapping reads the keys of node into the struct v, in the order of the struct.
func (l *loader) mapping(node *yaml.Node, v reflect.Value, field string) {
	if node.Kind != yaml.MappingNode {
		problem := "this must be a section with keys of its own"
		if field == "" {
			problem = "the file must consist of keys with values"
		}
		l.faultAt(node.Line, field, scalarText(node), problem, "the keys are: "+strings.Join(keysOf(v.Type()), ", "))
		return
	}
	values := l.keys(node, v.Type(), field)
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if value, ok := values[key]; ok {
			l.value(value, v.Field(i), join(field, key))
		}
	}
}

// keys returns the values of node by key, and notes unknown and doubled keys.
func (l *loader) keys(node *yaml.Node, t reflect.Type, field string) map[string]*yaml.Node {
	known := keysOf(t)
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content) && !l.full(); i += 2 {
		key := node.Content[i]
		name := key.Value
		if key.Kind != yaml.ScalarNode {
			l.faultAt(key.Line, "", "", "this is not a key", "the keys are: "+strings.Join(known, ", "))
			continue
		}
		path := join(field, printable(shown(name)))
		if _, ok := values[name]; ok {
			l.faultAt(key.Line, path, "", fmt.Sprintf("this key is there twice, first on line %d", l.line(path)), "remove one of the two")
			continue
		}
		if !slices.Contains(known, name) {
			l.faultAt(key.Line, path, "", "unknown key", unknownKeyRemedy(name, known))
			continue
		}
		values[name] = node.Content[i+1]
		l.given[path] = key.Line
	}
	return values
}

// maxEntries bounds a list. Each folder is compared with each other, and each costs
// the daemon threads and files.
const maxEntries = 1000

// list reads a sequence. What is given replaces the default, it is not added to it.
func (l *loader) list(node *yaml.Node, v reflect.Value, field string) {
	if node.Kind != yaml.SequenceNode {
		remedy := "begin each entry on a new line with a dash"
		if v.Type().Elem().Kind() == reflect.String {
			remedy = fmt.Sprintf("write it in brackets: [%q]", shown(scalarText(node)))
		}
		l.faultAt(node.Line, field, scalarText(node), "this must be a list", remedy)
		return
	}
	if len(node.Content) > maxEntries {
		l.faultAt(node.Line, field, "", fmt.Sprintf("more than %d entries", maxEntries), "divide them between several brodaemons, each with a configuration and data folder of its own")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	for i, entry := range node.Content {
		at := fmt.Sprintf("%s[%d]", field, i)
		l.given[at] = entry.Line
		if folder, ok := v.Index(i).Addr().Interface().(*Folder); ok {
			folder.setDefaults()
		}
		l.value(entry, v.Index(i), at)
	}
}

// scalar reads a single value.
func (l *loader) scalar(node *yaml.Node, v reflect.Value, field string) {
	wrong := func(problem, remedy string) { l.faultAt(node.Line, field, scalarText(node), problem, remedy) }
	if node.Kind != yaml.ScalarNode {
		wrong("a single value belongs here, not a section or a list", "write the value behind the key")
		return
	}
	if tag := node.ShortTag(); !strings.HasPrefix(tag, "!!") || tag == "!!binary" {
		wrong("the tag "+shown(tag)+" is not known here", "leave the tag out, and put a value that begins with ! in quotes")
		return
	}
	s := node.Value
	var problem, remedy string
	switch {
	case v.Type() == durationType:
		var d time.Duration
		d, problem, remedy = parseDuration(s)
		v.SetInt(int64(d))
	case v.Type() == sizeType:
		var size Size
		size, problem, remedy = parseSize(s)
		v.SetInt(int64(size))
	case v.Type() == daysType:
		var days Days
		days, problem, remedy = parseDays(s)
		v.SetInt(int64(days))
	case v.Kind() == reflect.String:
		problem, remedy = textProblem(s)
		v.SetString(s)
	case v.Kind() == reflect.Int:
		n, err := strconv.Atoi(s)
		if err != nil {
			problem, remedy = "not a whole number", "write digits only"
		}
		v.SetInt(int64(n))
	case v.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			problem, remedy = "not a number", "write it like 10 or 0.5"
		}
		v.SetFloat(f)
	case v.Kind() == reflect.Bool:
		if s != "true" && s != "false" {
			problem, remedy = "neither true nor false", "write true or false"
		}
		v.SetBool(s == "true")
	}
	if problem != "" {
		wrong(problem, remedy)
	}
}

// textProblem refuses what no value here has and what usually comes of a
// backslash in double quotes ("C:\new" has a line end in it).
func textProblem(s string) (problem, remedy string) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "a tab, a line end or another control character is in it",
			"write it on one line; " + backslashRemedy
	}
	return "", ""
}

// scalarText returns what a message may show of node.
func scalarText(node *yaml.Node) string {
	if node.Kind == yaml.ScalarNode {
		return node.Value
	}
	return ""
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}
