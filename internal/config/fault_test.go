package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// inFolder is base with lines added to its folder.
func inFolder(lines string) string {
	return base + "    " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ") + "\n"
}

// faultCases are configurations with exactly one fault each.
var faultCases = []struct {
	name    string
	text    string
	field   string
	line    int // 0 is not checked
	problem string
	remedy  string
}{
	{"unknown key, near", base + "langauge: nl\n", "langauge", 10, "unknown key", `did you mean "language"`},
	{"unknown key, other case", base + "Data-Dir: x\n", "Data-Dir", 10, "unknown key", `did you mean "data_dir"`},
	{"unknown key, beginning only", base + "log: { max: 1 }\n", "log.max", 10, "unknown key", `did you mean "max_age"`},
	{"unknown key, of another section", base + "listen: x\n", "listen", 10, "unknown key", "belongs under status"},
	{"unknown key, of the top", base + "log: { data_dir: x }\n", "log.data_dir", 10, "unknown key", "belongs at the top"},
	{"unknown key, like nothing", base + "q: 1\n", "q", 10, "unknown key", "data_dir, language, portal"},
	{"unknown key in a folder's portal", inFolder("portal: { enviroment: demo }"), "folders[0].portal.enviroment", 10, "unknown key", `"environment"`},
	{"password in the file", base + "status: { password: hunter2 }\n", "status.password", 10, "unknown key", `"password_file"`},
	{"merge key", base + "<<: { language: nl }\n", "<<", 10, "unknown key", "references"},
	{"key twice", base + "language: nl\nretry: {}\nlanguage: en\n", "language", 12, "twice, first on line 10", "remove"},
	{"key twice in a folder", inFolder("name: other"), "folders[0].name", 10, "twice, first on line 6", "remove"},
	{"key that is a list", base + "? [a]\n: b\n", "", 10, "not a key", "data_dir"},
	{"reference", base + "language: &l nl\nlog: { level: *l }\n", "log.level", 11, "references", "write the value out"},

	{"value for a section", base + "portal: demo\n", "portal", 10, "section", "environment, url"},
	{"list for a section", base + "portal: [demo]\n", "portal", 10, "section", "environment, url"},
	{"section for a value", base + "language: { nl: en }\n", "language", 10, "single value", "behind the key"},
	{"value for a list", inFolder(`include: "*.gml"`), "folders[0].include", 10, "list", `["*.gml"]`},
	{"section for a list", strings.Replace(base, "  - name: office\n    username", "    name: office\n    username", 1), "tokens", 0, "list", "dash"},
	{"text for a number", base + "portal: { concurrency: many }\n", "portal.concurrency", 10, "whole number", "digits"},
	{"fraction for a whole number", base + "portal: { concurrency: 1.5 }\n", "portal.concurrency", 10, "whole number", "digits"},
	{"text for a fraction", base + "portal: { requests_per_second: ten }\n", "portal.requests_per_second", 10, "not a number", "0.5"},
	{"yes for true", inFolder("recursive: yes"), "folders[0].recursive", 10, "neither true nor false", "true or false"},
	{"unknown tag", base + "language: !dutch nl\n", "language", 10, "tag", "leave the tag out"},
	{"line end in a value", base + `data_dir: "C:\new"` + "\n", "data_dir", 10, "control character", "single quotes"},

	{"time without a unit", base + "retry: { first: 30 }\n", "retry.first", 10, "without a unit", "30s"},
	{"time that is none", base + "retry: { first: soon }\n", "retry.first", 10, "not a time", "30s"},
	{"time in weeks", base + "log: { max_age: 2w }\n", "log.max_age", 10, "not a time", "90d"},
	{"days with a fraction", base + "log: { max_age: 1.5d }\n", "log.max_age", 10, "not a time", "90d"},
	{"endless days", base + "log: { max_age: 999999999999d }\n", "log.max_age", 10, "not a time", "90d"},
	{"more days than fit", base + "log: { max_age: 2000000000d }\n", "log.max_age", 10, "too long", "90d"},
	{"negative time", base + "portal: { timeout: -5s }\n", "portal.timeout", 10, "out of range", "1ms to 1h"},
	{"zero time", inFolder("settle: 0s"), "folders[0].settle", 10, "out of range", "1ms to 1d"},
	{"endless time", base + "portal: { validation_timeout: 2d }\n", "portal.validation_timeout", 10, "out of range", "to 6h"},
	{"scan interval", inFolder("scan_interval: 48h"), "folders[0].scan_interval", 10, "out of range", "to 1d"},
	{"first above max", base + "retry: { first: 2h }\n", "retry.first", 10, "longer than retry.max, which is 1h", "shorter"},
	{"max below first", base + "follow: { max: 1s }\n", "follow.first", 10, "longer than follow.max, which is 1s", "shorter"},
	{"settle above incomplete", inFolder("settle: 1h"), "folders[0].settle", 10, "longer than folders[0].incomplete_timeout, which is 30m", "shorter"},
	{"alarm", base + "follow: { alarm_after: 0s }\n", "follow.alarm_after", 10, "out of range", "365d"},
	{"size without a unit", base + "log: { max_size: 1000000000 }\n", "log.max_size", 10, "without a unit", "1GB"},
	{"size that is none", base + "log: { max_size: big }\n", "log.max_size", 10, "not a size", "1GB"},
	{"size below zero", base + "log: { max_size: -1GB }\n", "log.max_size", 10, "not a size", "1GB"},
	{"size beyond all", base + "log: { max_size: 9999999999TB }\n", "log.max_size", 10, "too large", "1GB"},
	{"size too small", base + "log: { max_size: 10KB }\n", "log.max_size", 10, "too small", "1MB"},
	{"days that are none", base + "retention: { done: a year }\n", "retention.done", 10, "days", "365"},
	{"days below zero", base + "retention: { history: -1 }\n", "retention.history", 10, "out of range", "0"},

	{"language", base + "language: de\n", "language", 10, "not a possible value", "nl or en"},
	{"level, near", base + "log: { level: warning }\n", "log.level", 10, "not a possible value", `did you mean "warn"`},
	{"format", base + "log: { format: xml }\n", "log.format", 10, "not a possible value", "text or json"},
	{"environment", base + "portal: { environment: prod }\n", "portal.environment", 10, "not a possible value", `did you mean "production"`},
	{"empty environment", base + "portal: { environment: \"\" }\n", "portal.environment", 10, "not a possible value", "production, demo or acceptance"},
	{"watch", inFolder("watch: events"), "folders[0].watch", 10, "not a possible value", "auto or poll"},
	{"order", inFolder("order: true"), "folders[0].order", 10, "not a possible value", "object or none"},
	{"concurrency of none", base + "portal: { concurrency: 0 }\n", "portal.concurrency", 10, "out of range", "1 to 64"},
	{"concurrency beyond", base + "portal: { concurrency: 65 }\n", "portal.concurrency", 10, "out of range", "1 to 64"},
	{"concurrency of a folder", inFolder("portal: { concurrency: 65 }"), "folders[0].portal.concurrency", 10, "out of range", "1 to 64"},
	{"no requests", base + "portal: { requests_per_second: 0 }\n", "portal.requests_per_second", 10, "out of range", "above 0"},
	{"not-a-number requests", base + "portal: { requests_per_second: NaN }\n", "portal.requests_per_second", 10, "out of range", "above 0"},
	{"endless requests", base + "portal: { requests_per_second: +Inf }\n", "portal.requests_per_second", 10, "out of range", "above 0"},
	{"label", base + "portal: { label: " + strings.Repeat("é", 101) + " }\n", "portal.label", 10, "too long", "100"},
	{"documents per delivery", inFolder("documents_per_delivery: 5"), "folders[0].documents_per_delivery", 10, "more than one document per delivery is not supported by this version", "write 1"},
	{"no documents per delivery", inFolder("documents_per_delivery: 0"), "folders[0].documents_per_delivery", 10, "out of range", "write 1"},

	{"address without scheme", base + "portal: { url: portal.example.org }\n", "portal.url", 10, "not a web address", "https://"},
	{"address with path", base + "portal: { url: \"https://portal.example.org/api\" }\n", "portal.url", 10, `path, "/api"`, "leave the path out"},
	{"address with query", base + "portal: { url: \"https://portal.example.org?a=b\" }\n", "portal.url", 10, "more than a host", "https://"},
	{"address with password", base + "portal: { url: \"https://me:hunter2@portal.example.org\" }\n", "portal.url", 10, "password does not belong", "password_file"},
	{"address with an odd port", base + "portal: { url: \"https://portal.example.org:99999\" }\n", "portal.url", 10, "port", "https://"},
	{"http to elsewhere", base + "portal: { url: \"http://portal.example.org\" }\n", "portal.url", 10, "in the clear", "https://"},
	{"http to a name like this machine's", base + "portal: { url: \"http://localhost.example.org\" }\n", "portal.url", 10, "in the clear", "https://"},
	{"ftp", base + "portal: { url: \"ftp://portal.example.org\" }\n", "portal.url", 10, "not https", "https://"},
	{"production without www", base + "portal: { url: \"https://bronhouderportaal-bro.nl\" }\n", "portal.url", 10, "does not answer", "www."},
	{"registry address", base + "portal: { registry_url: \"http://public.example.org\" }\n", "portal.registry_url", 10, "in the clear", "https://"},

	{"token without a name", base + "  - name: x\n    path: x\n    project: 1\n", "folders[1].token", 10, "missing", `"office"`},
	{"token unknown", strings.Replace(base, "token: office", "token: ofice", 1), "folders[0].token", 9, "no token has this name", `"office"`},
	{"name with capitals", strings.Replace(base, "folders:\n  - name: office", "folders:\n  - name: Office", 1), "folders[0].name", 6, "not a valid name", `write "office"`},
	{"name with a space", strings.Replace(base, "folders:\n  - name: office", "folders:\n  - name: my office", 1), "folders[0].name", 6, "not a valid name", "small letters"},
	{"name with a slash", strings.Replace(base, "folders:\n  - name: office", "folders:\n  - name: ../x", 1), "folders[0].name", 6, "not a valid name", "small letters"},
	{"name too long", strings.Replace(base, "folders:\n  - name: office", "folders:\n  - name: "+strings.Repeat("a", 65), 1), "folders[0].name", 6, "too long", "64"},
	{"name of a device", strings.Replace(base, "folders:\n  - name: office", "folders:\n  - name: nul", 1), "folders[0].name", 6, "Windows", "another name"},
	{"name twice", inFolder("") + "  - name: office\n    path: x\n    project: 1\n    token: office\n", "folders[1].name", 0, "folders[0] on line 6", "of its own"},
	{"user name missing", strings.Replace(base, `"0dce6fc98256|123456789|1234"`, `""`, 1), "tokens[0].username", 4, "missing", "portal"},
	{"user name with password", strings.Replace(base, "|1234", "|1234:hunter2", 1), "tokens[0].username", 4, "colon", "password_file"},
	{"user name with a space", strings.Replace(base, `|1234"`, `|1234 "`, 1), "tokens[0].username", 4, "space", "remove"},
	{"project missing", strings.Replace(base, `"1255"`, `""`, 1), "folders[0].project", 8, "missing", "1255"},
	{"project with letters", strings.Replace(base, `"1255"`, `P1255`, 1), "folders[0].project", 8, "not a project number", "1255"},
	{"project below zero", strings.Replace(base, `"1255"`, `-1`, 1), "folders[0].project", 8, "not a project number", "1255"},
	{"path missing", strings.Replace(base, "path: in", "recursive: false", 1), "folders[0].path", 6, "missing", "whole path"},
	{"no folders", strings.Split(base, "folders:")[0], "folders", 0, "no folder to watch", "config.example.yaml"},
	{"no folders in the list", strings.Split(base, "folders:")[0] + "folders: []\n", "folders", 5, "no folder to watch", "config.example.yaml"},
	{"data folder empty", base + "data_dir: \"\"\n", "data_dir", 10, "missing", "whole path"},

	{"no patterns", inFolder("include: []"), "folders[0].include", 10, "no file would ever be taken", `["*.xml"]`},
	{"empty pattern", inFolder(`include: ["*.xml", ""]`), "folders[0].include[1]", 10, "empty", "*.xml"},
	{"broken pattern", inFolder(`include: ["[a"]`), "folders[0].include[0]", 10, "not a valid pattern", "*.xml"},
	{"pattern broken at its end", inFolder(`include: ["x[a"]`), "folders[0].include[0]", 10, "not a valid pattern", "*.xml"},
	{"pattern with a folder", inFolder(`include: ["sub/*.xml"]`), "folders[0].include[0]", 10, "without their folder", "recursive"},
	{"ignored text empty", inFolder(`ignore_validation_errors: [" "]`), "folders[0].ignore_validation_errors[0]", 10, "empty", "remove"},
	{"notified address", inFolder(`notify: [desk]`), "folders[0].notify[0]", 10, "not a mail address", "name@"},

	{"listen without port", base + "status: { listen: localhost }\n", "status.listen", 10, "host:port", "127.0.0.1:8480"},
	{"listen on port only", base + "status: { listen: 8480 }\n", "status.listen", 10, "host:port", "127.0.0.1:8480"},
	{"listen on no port", base + "status: { listen: \"127.0.0.1:http\" }\n", "status.listen", 10, "port", "127.0.0.1:8480"},
	{"listen on a web address", base + "status: { listen: \"http://127.0.0.1:8480\" }\n", "status.listen", 10, "host:port", "127.0.0.1:8480"},
	{"listen on no host", base + "status: { listen: \"a b:8480\" }\n", "status.listen", 10, "host", "127.0.0.1:8480"},
	{"mail host", base + "notify: { mail: { host: \"mail.example.org:25\", from: a@example.org } }\n", "notify.mail.host", 10, "host", "port has a key"},
	{"mail port", base + "notify: { mail: { port: 0 } }\n", "notify.mail.port", 10, "out of range", "587"},
	{"mail without sender", base + "notify: { mail: { host: mail.example.org } }\n", "notify.mail.from", 10, "missing", "sender"},
	{"mail sender", base + "notify: { mail: { from: me } }\n", "notify.mail.from", 10, "not a mail address", "name@"},
	{"webhook", base + "notify: { webhook: { url: chat } }\n", "notify.webhook.url", 10, "not a web address", "https://"},
	{"digest", base + "notify: { digest_at: \"7 uur\" }\n", "notify.digest_at", 10, "time of day", "07:00"},
	{"digest late", base + "notify: { digest_at: \"24:00\" }\n", "notify.digest_at", 10, "time of day", "07:00"},

	{"tab", "folders:\n\t- name: x\n", "", 2, "not YAML", "tabs"},
	{"tab later", "folders:\n  - name: x\n\tpath: y\n", "", 3, "not YAML", "tabs"},
	{"pattern without quotes", inFolder("include: [*.xml]"), "", 10, "not YAML", `["*.xml"]`},
	{"star without quotes", "language: nl\n\nlog: { level: *x }\n", "", 3, "not YAML", "in quotes"},
	{"backslash in double quotes", "folders:\n  - path: \"\\\\server\\share\"\n", "", 2, "not YAML", "single quotes"},
	{"indented less", "portal:\n    label: x\n  url: y\n", "", 3, "not YAML", "indented alike"},
	{"quote left open", "language: 'nl\n", "", 0, "not YAML", "quotes"},
	{"brace left open", "portal: { label: x\nlanguage: nl\n", "", 2, "not YAML", "brace"},
	{"colon in a value on the first line", "language: a: b\n", "", 1, "not YAML", "colon"},
	{"Latin-1", "language: nl\ndata_dir: caf\xe9\n", "", 2, "not UTF-8", "UTF-8"},
	{"NUL", "language: nl\ndata_dir: a\x00b\n", "", 2, "control character", "UTF-8"},
	{"a list", "- language\n", "", 1, "keys with values", "data_dir"},
	{"a word", "language\n", "", 1, "keys with values", "data_dir"},
	{"two documents", base + "---\nlanguage: en\n", "", 10, "end mark", "remove"},
}

func TestFaults(t *testing.T) {
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			faults := faultsOf(t, c.text)
			if len(faults) != 1 {
				t.Errorf("%d faults, want the one:\n%v", len(faults), &Error{"config.yaml", faults})
			}
			f := faults[0]
			if f.Field != c.field {
				t.Errorf("field %q, want %q", f.Field, c.field)
			}
			if c.line != 0 && f.Line != c.line {
				t.Errorf("line %d, want %d", f.Line, c.line)
			}
			if !strings.Contains(f.Problem, c.problem) {
				t.Errorf("problem %q, want %q in it", f.Problem, c.problem)
			}
			if !strings.Contains(f.Remedy, c.remedy) {
				t.Errorf("remedy %q, want %q in it", f.Remedy, c.remedy)
			}
			if text := f.String(); strings.Contains(text, "hunter2") {
				t.Errorf("the message tells a password: %s", text)
			}
		})
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	faults := faultsOf(t, `language: de
unknown: 1
portal:
  concurrency: 0
  url: http://portal.example.org
tokens:
  - name: A
    username: "u:hunter2"
folders:
  - name: office
    path: in
    project: x
    token: b
    settle: never
retry: { first: 5 }
`)
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Field))
	}
	want := []string{"1 language", "2 unknown", "4 portal.concurrency", "5 portal.url", "7 tokens[0].name", "8 tokens[0].username",
		"12 folders[0].project", "13 folders[0].token", "14 folders[0].settle", "15 retry.first"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	text := (&Error{"config.yaml", faults}).Error()
	if lines := strings.Split(text, "\n"); len(lines) != len(want) || lines[0] != `config.yaml:1: language "de": not a possible value; write nl or en` {
		t.Errorf("not one line for each fault:\n%s", text)
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("a password is repeated:\n%s", text)
	}
}

func TestValuesInMessages(t *testing.T) {
	long := faultsOf(t, base+"language: "+strings.Repeat("é", 5000)+"\n")[0]
	if n := len([]rune(long.Value)); n > maxShown+1 {
		t.Errorf("a value of %d letters in a message", n)
	}
	path := Fault{Field: "folders[0].path", Value: `\\server\share`, Problem: "p", Remedy: "r"}
	if want := `folders[0].path "\\server\share": p; r`; path.String() != want {
		t.Errorf("got %s, want %s", path, want)
	}
	odd := faultsOf(t, base+"\"a\\nb\": 1\n")[0]
	if strings.Contains(odd.String(), "\n") {
		t.Errorf("a key breaks the line: %q", odd.String())
	}
	for _, c := range []struct{ field, value, want string }{
		{"notify.webhook.url", "https://chat.example.org/hooks/hunter2", "https://chat.example.org/…"},
		{"portal.url", "https://me:hunter2@portal.example.org", "https://portal.example.org/…"},
		{"portal.url", "me:hunter2@portal.example.org", "portal.example.org/…"},
		{"portal.url", "https://portal.example.org", "https://portal.example.org"},
		{"tokens[0].username", "a|b:hunter2", "a|b:…"},
		{"language", "a:b", "a:b"},
	} {
		if got := withoutSecret(c.field, c.value); got != c.want {
			t.Errorf("%s %q is shown as %q, want %q", c.field, c.value, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"data_dir", "done_dir", "scan_interval", "url"}
	for _, c := range []struct{ key, want string }{
		{"datadir", "data_dir"},
		{"dta_dir", "data_dir"},
		{"adta_dir", "data_dir"},
		{"doen_dir", "done_dir"},
		{"scan", "scan_interval"},
		{"scan_interval_seconds", "scan_interval"},
		{"xyz", ""},
		{"", ""},
		{strings.Repeat("x", 100000), ""},
	} {
		if got := nearest(c.key, known); got != c.want {
			t.Errorf("nearest(%.20q) = %q, want %q", c.key, got, c.want)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 2 * maxFaults {
		fmt.Fprintf(&b, "q%d: 1\n", i)
	}
	faults := faultsOf(t, b.String())
	if len(faults) != maxFaults+1 {
		t.Fatalf("%d faults, want %d and one that says that there are more", len(faults), maxFaults)
	}
	if last := faults[maxFaults]; last.Field != "" || !strings.Contains(last.Problem, "more faults") {
		t.Errorf("the last fault is %q", last)
	}
}
