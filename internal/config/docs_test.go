package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var (
	exampleFile = filepath.Join("..", "..", "config.example.yaml")
	manualFile  = filepath.Join("..", "..", "docs", "configuration.md")
)

// The keys that users have been told of. They change only on purpose.
var promisedKeys = strings.Fields(`
data_dir language
portal portal.environment portal.url portal.registry_url portal.concurrency portal.requests_per_second portal.timeout
portal.validation_timeout portal.label portal.ca_file
tokens tokens[].name tokens[].username tokens[].password_file
folders folders[].name folders[].path folders[].project folders[].token folders[].enrichment_token folders[].done_dir folders[].failed_dir folders[].include
folders[].recursive folders[].watch folders[].scan_interval folders[].settle folders[].incomplete_timeout folders[].order
folders[].documents_per_delivery folders[].portal folders[].notify folders[].ignore_validation_errors
retry retry.first retry.max
follow follow.first follow.max follow.alarm_after
status status.listen status.password_file
notify notify.mail notify.mail.host notify.mail.port notify.mail.username notify.mail.password_file notify.mail.from notify.mail.to
notify.webhook notify.webhook.url notify.digest_at
log log.level log.format log.max_age log.max_size
retention retention.done retention.history
`)

// ownKeys is allKeys without what a folder's portal section has from the common one.
func ownKeys() []string {
	return slices.DeleteFunc(slices.Clone(allKeys()), func(key string) bool { return strings.HasPrefix(key, "folders[].portal.") })
}

func TestKeysAreThosePromised(t *testing.T) {
	got, want := ownKeys(), slices.Clone(promisedKeys)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestExampleHasTheDefaults(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: the example's paths are those of Linux")
	}
	c, err := Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	minimal := mustParse(t, `
tokens: [{ name: office, username: "0dce6fc98256|123456789|1234" }]
folders: [{ name: office, path: /srv/bro/office, project: "1255", token: office }]
`)
	minimal.File = c.File
	minimal.Folders[0].Notify = c.Folders[0].Notify // an empty list either way
	minimal.Notify.Mail.To = c.Notify.Mail.To
	if len(c.Folders[0].Notify) != 0 || len(c.Notify.Mail.To) != 0 || !reflect.DeepEqual(c, minimal) {
		t.Errorf("the example differs from the defaults:\ngot  %+v\nwant %+v", c, minimal)
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(n *yaml.Node, at string)
	walk = func(n *yaml.Node, at string) {
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			path := join(at, n.Content[i].Value)
			got = append(got, path)
			walk(n.Content[i+1], path)
		}
		for _, entry := range n.Content {
			if n.Kind == yaml.SequenceNode {
				walk(entry, at+"[]")
			}
		}
	}
	walk(document.Content[0], "")
	for _, key := range ownKeys() {
		if !slices.Contains(got, key) {
			t.Errorf("config.example.yaml does not show %s", key)
		}
	}
	if n := strings.Count(string(data), ">>>"); n != 4 { // three, and the sentence about them
		t.Errorf("%d marks >>>, want one on each of three lines to edit", n-1)
	}
}

func TestManualHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range ownKeys() {
		if !strings.Contains(string(data), "`"+key+"`") && !strings.Contains(string(data), "`"+key+".") && !strings.Contains(string(data), "`"+key+"[].") {
			t.Errorf("docs/configuration.md does not describe %s", key)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\|").FindAllStringSubmatch(string(data), -1) {
		if !slices.Contains(ownKeys(), m[1]) {
			t.Errorf("docs/configuration.md describes %s, which is no key", m[1])
		}
	}
}

// The manual's configurations load, and its mistakes give the messages that it shows.
func TestManualIsTrue(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: the manual shows the messages of Linux")
	}
	data, err := os.ReadFile(manualFile)
	if err != nil {
		t.Fatal(err)
	}
	right, wrong, found := strings.Cut(string(data), "## Typical mistakes")
	if !found {
		t.Fatal("docs/configuration.md has no typical mistakes")
	}
	good := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(right, -1)
	if len(good) < 3 {
		t.Errorf("only %d configurations in the manual", len(good))
	}
	for _, m := range good {
		if _, err := Parse([]byte(m[1]), "config.yaml"); err != nil && !strings.Contains(m[1], `\\`) {
			t.Errorf("the manual shows a configuration that is refused:\n%s\n%v", m[1], err)
		}
	}
	bad := regexp.MustCompile("(?s)```yaml\n(.*?)```\n```text\n(.*?)\n```").FindAllStringSubmatch(wrong, -1)
	if len(bad) < 10 {
		t.Errorf("only %d mistakes in the manual", len(bad))
	}
	for _, m := range bad {
		_, err := Parse([]byte(m[1]), "config.yaml")
		if err == nil || !strings.Contains(err.Error(), m[2]) {
			t.Errorf("the manual says that\n%s\ngives\n%s\nbut it gives\n%v", m[1], m[2], err)
		}
	}
}
