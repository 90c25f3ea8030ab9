package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// finish resolves what was read and checks it, in the order of the file.
func (l *loader) finish() {
	c := l.cfg
	l.path("data_dir", &c.DataDir)
	l.oneOf("language", c.Language, "nl", "en")
	l.portal("portal", &c.Common, func(string) bool { return true })
	l.tokens()
	l.folders()
	l.places()

	l.between("retry.first", c.Retry.First, time.Millisecond, day)
	l.between("retry.max", c.Retry.Max, time.Millisecond, 7*day)
	l.notAbove("retry.first", c.Retry.First, "retry.max", c.Retry.Max)
	l.between("follow.first", c.Follow.First, time.Millisecond, day)
	l.between("follow.max", c.Follow.Max, time.Millisecond, 7*day)
	l.between("follow.alarm_after", c.Follow.AlarmAfter, time.Millisecond, 365*day)
	l.notAbove("follow.first", c.Follow.First, "follow.max", c.Follow.Max)

	if c.Status.Listen != "" {
		if problem, remedy := listenAddress(c.Status.Listen); problem != "" {
			l.fault("status.listen", c.Status.Listen, problem, remedy)
		}
	}
	l.optionalPath("status.password_file", &c.Status.PasswordFile)
	l.notify()

	l.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	l.oneOf("log.format", c.Log.Format, "text", "json")
	l.between("log.max_age", c.Log.MaxAge, time.Hour, 3650*day)
	if c.Log.MaxSize < 1<<20 {
		l.fault("log.max_size", formatSize(c.Log.MaxSize), "too small", "write at least 1MB")
	}
	l.days("retention.done", c.Retention.Done)
	l.days("retention.history", c.Retention.History)
}

// folderPortal lays a folder's own portal settings over the common ones, which are
// checked already. Address and environment belong together: a folder that names its
// environment does not keep the common address, and the public services go with them.
func (l *loader) folderPortal(at string, p *Portal, common Portal) {
	own, inherited := reflect.ValueOf(p).Elem(), reflect.ValueOf(common)
	for i, key := range keysOf(own.Type()) {
		if !l.isGiven(at + "." + key) {
			own.Field(i).Set(inherited.Field(i))
		}
	}
	if l.isGiven(at+".environment") && !l.isGiven(at+".url") {
		p.URL = ""
	}
	if !l.isGiven(at+".registry_url") && p.BaseURL() != common.BaseURL() {
		p.RegistryURL = ""
	}
	l.portal(at, p, func(key string) bool { return l.isGiven(at + "." + key) })
}

// portal checks those keys of portal settings that are ours to check here, and not
// another section's.
func (l *loader) portal(at string, p *Portal, ours func(key string) bool) {
	if ours("environment") {
		l.oneOf(at+".environment", p.Environment, "production", "demo", "acceptance")
	}
	if ours("url") {
		l.address(at+".url", &p.URL)
	}
	if ours("registry_url") {
		l.address(at+".registry_url", &p.RegistryURL)
	}
	if p.RegistryURL == "" {
		p.RegistryURL = p.defaultRegistry()
	}
	if ours("concurrency") && (p.Concurrency < 1 || p.Concurrency > 64) {
		l.fault(at+".concurrency", strconv.Itoa(p.Concurrency), "out of range", "write a whole number from 1 to 64; 4 suits most")
	}
	if ours("requests_per_second") && !(p.RequestsPerSecond > 0 && p.RequestsPerSecond <= 1000) { // the form that NaN fails, too
		l.fault(at+".requests_per_second", fmt.Sprint(p.RequestsPerSecond), "out of range", "write a number above 0 and up to 1000; 10 suits most")
	}
	if ours("timeout") {
		l.between(at+".timeout", p.Timeout, time.Millisecond, time.Hour)
	}
	if ours("validation_timeout") {
		l.between(at+".validation_timeout", p.ValidationTimeout, time.Millisecond, 6*time.Hour)
	}
	if ours("label") && len([]rune(p.Label)) > 100 {
		l.fault(at+".label", p.Label, "too long", "write at most 100 characters")
	}
	if ours("ca_file") {
		l.optionalPath(at+".ca_file", &p.CAFile)
	}
}

func (l *loader) address(field string, value *string) {
	if *value == "" {
		return
	}
	plain, problem, remedy := address(*value)
	if problem != "" {
		l.fault(field, *value, problem, remedy)
	}
	*value = plain
}

func (l *loader) tokens() {
	first := map[string]int{}
	for i := range l.cfg.Tokens {
		t := &l.cfg.Tokens[i]
		at := fmt.Sprintf("tokens[%d]", i)
		l.name(at+".name", t.Name, first, i)
		switch user, _, colon := strings.Cut(t.Username, ":"); {
		case t.Username == "":
			l.fault(at+".username", "", "missing", "write the user name of the token as the portal showed it when it was made")
		case colon:
			// Basic authentication ends the user name at the first colon.
			l.fault(at+".username", t.Username, "a user name has no colon in it",
				fmt.Sprintf("if this is user and password in one: write %q here and put the password in password_file", user))
		case strings.TrimSpace(t.Username) != t.Username:
			l.fault(at+".username", t.Username, "there is a space before or after it", "remove it")
		}
		l.optionalPath(at+".password_file", &t.PasswordFile)
	}
}

func (l *loader) folders() {
	if len(l.cfg.Folders) == 0 {
		l.fault("folders", "", "no folder to watch", "describe at least one folder, as config.example.yaml does")
	}
	first := map[string]int{}
	for i := range l.cfg.Folders {
		f := &l.cfg.Folders[i]
		at := fmt.Sprintf("folders[%d]", i)
		l.name(at+".name", f.Name, first, i)
		l.path(at+".path", &f.Path)
		l.under(at+".done_dir", &f.DoneDir, f.Path)
		l.under(at+".failed_dir", &f.FailedDir, f.Path)
		l.project(at+".project", f.Project)
		l.tokenOf(at+".token", f.Token)
		if f.EnrichmentToken != "" {
			l.tokenOf(at+".enrichment_token", f.EnrichmentToken)
		}
		l.include(at+".include", f.Include)
		l.oneOf(at+".watch", f.Watch, "auto", "poll")
		l.between(at+".scan_interval", f.ScanInterval, time.Millisecond, day)
		l.between(at+".settle", f.Settle, time.Millisecond, day)
		l.between(at+".incomplete_timeout", f.IncompleteTimeout, time.Millisecond, 30*day)
		l.notAbove(at+".settle", f.Settle, at+".incomplete_timeout", f.IncompleteTimeout)
		l.oneOf(at+".order", f.Order, "object", "none")
		l.documentsPerDelivery(at+".documents_per_delivery", f.DocumentsPerDelivery)
		l.folderPortal(at+".portal", &f.Portal, l.cfg.Common)
		l.mailAddresses(at+".notify", f.Notify)
		for j, text := range f.IgnoreValidationErrors {
			if strings.TrimSpace(text) == "" {
				l.fault(fmt.Sprintf("%s.ignore_validation_errors[%d]", at, j), "", "empty", "write the portal's text, or remove the entry")
			}
		}
	}
}

func (l *loader) documentsPerDelivery(field string, n int) {
	switch {
	case n > 1:
		l.fault(field, strconv.Itoa(n), "more than one document per delivery is not supported by this version", "write 1, or leave the key out")
	case n < 1:
		l.fault(field, strconv.Itoa(n), "out of range", "write 1, or leave the key out")
	}
}

func (l *loader) project(field, project string) {
	const remedy = "write the project's number as the portal shows it, such as \"1255\""
	switch {
	case project == "":
		l.fault(field, "", "missing", remedy)
	case strings.Trim(project, "0123456789") != "" || len(project) > 18:
		l.fault(field, project, "not a project number", remedy)
	}
}

func (l *loader) tokenOf(field, token string) {
	if l.faulted["tokens"] {
		return // what is there could not be read
	}
	var names []string
	for _, t := range l.cfg.Tokens {
		if t.Name == token && token != "" {
			return
		}
		if t.Name != "" {
			names = append(names, strconv.Quote(t.Name))
		}
	}
	problem, remedy := "no token has this name", "write one of "+strings.Join(names, ", ")+", or describe it under tokens"
	if token == "" {
		problem = "missing"
	}
	if len(names) == 0 {
		remedy = "describe the token under tokens, as config.example.yaml does"
	}
	l.fault(field, token, problem, remedy)
}

func (l *loader) include(field string, patterns []string) {
	if len(patterns) == 0 {
		l.fault(field, "", "with an empty list no file would ever be taken", `write at least one pattern, such as ["*.xml"]`)
	}
	for i, p := range patterns {
		at := fmt.Sprintf("%s[%d]", field, i)
		_, err := path.Match(p, "")
		switch {
		case p == "":
			l.fault(at, p, "empty", `write a pattern, such as "*.xml"`)
		case strings.ContainsAny(p, `/\`):
			l.fault(at, p, "a pattern is for the names of files, without their folder", `write it like "*.xml"; recursive: true takes subfolders along`)
		case err != nil:
			l.fault(at, p, "not a valid pattern", `* stands for any letters, ? for one, [ab] for a or b; write it like "*.xml"`)
		}
	}
}

// maxNameLength keeps names fit for file names, metrics and one line of a screen.
const maxNameLength = 64

// name checks the name of a token or folder; first knows those before it.
func (l *loader) name(field, name string, first map[string]int, i int) {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	lower := strings.ToLower(name)
	switch {
	case name == "":
		l.fault(field, "", "missing", "give it a name of small letters, digits, - and _")
		return
	case hasOther(name, allowed):
		remedy := "use small letters, digits, - and _ only"
		if !hasOther(lower, allowed) {
			remedy = fmt.Sprintf("write %q", lower)
		}
		l.fault(field, name, "not a valid name", remedy)
	case len(name) > maxNameLength:
		l.fault(field, name, "too long", fmt.Sprintf("use at most %d characters", maxNameLength))
	case slices.Contains(deviceNames, name):
		l.fault(field, name, "Windows keeps this name for a device", "choose another name")
	}
	if j, ok := first[name]; ok {
		section, _, _ := strings.Cut(field, "[")
		l.fault(field, name, fmt.Sprintf("%s[%d] on line %d has this name, too", section, j, l.line(fmt.Sprintf("%s[%d].name", section, j))), "give each a name of its own")
		return
	}
	first[name] = i
}

// deviceNames cannot be the names of files on Windows. They are refused everywhere,
// so that a configuration can move.
var deviceNames = []string{"con", "prn", "aux", "nul",
	"com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9"}

func hasOther(s, allowed string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}

func (l *loader) notify() {
	n := &l.cfg.Notify
	m := &n.Mail
	if m.Host != "" && !hostName(m.Host) {
		l.fault("notify.mail.host", m.Host, "not the name of a host", "write it like mail.example.org; the port has a key of its own")
	}
	if m.Port < 1 || m.Port > 65535 {
		l.fault("notify.mail.port", strconv.Itoa(m.Port), "out of range", "write the mail server's port, mostly 587 or 25")
	}
	l.optionalPath("notify.mail.password_file", &m.PasswordFile)
	if m.Host != "" && m.From == "" {
		l.fault("notify.mail.from", "", "missing", "write the sender's mail address")
	}
	if m.From != "" {
		l.mailAddress("notify.mail.from", m.From)
	}
	l.mailAddresses("notify.mail.to", m.To)
	if n.Webhook.URL != "" {
		u, err := url.Parse(n.Webhook.URL)
		if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
			l.fault("notify.webhook.url", n.Webhook.URL, "not a web address", "write it like https://chat.example.org/hooks/…")
		}
	}
	if n.DigestAt != "" && !clockTime(n.DigestAt) {
		l.fault("notify.digest_at", n.DigestAt, "not a time of day", `write it like "07:00", or "" for no digest`)
	}
}

func (l *loader) mailAddresses(field string, addresses []string) {
	for i, a := range addresses {
		l.mailAddress(fmt.Sprintf("%s[%d]", field, i), a)
	}
}

func (l *loader) mailAddress(field, address string) {
	if _, err := mail.ParseAddress(address); err != nil {
		l.fault(field, address, "not a mail address", "write it like name@example.org")
	}
}

func (l *loader) oneOf(field, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	remedy := "write " + strings.Join(allowed[:len(allowed)-1], ", ") + " or " + allowed[len(allowed)-1]
	if near := nearest(strings.ToLower(value), allowed); near != "" {
		remedy = fmt.Sprintf("did you mean %q? (%s)", near, remedy)
	}
	l.fault(field, value, "not a possible value", remedy)
}

func (l *loader) between(field string, d, least, most time.Duration) {
	if d < least || d > most {
		l.fault(field, formatDuration(d), "out of range", fmt.Sprintf("write a time from %s to %s", formatDuration(least), formatDuration(most)))
	}
}

func (l *loader) notAbove(field string, d time.Duration, limitField string, limit time.Duration) {
	if d > limit && !l.faulted[limitField] {
		l.fault(field, formatDuration(d), fmt.Sprintf("longer than %s, which is %s", limitField, formatDuration(limit)), "make it shorter, or the other longer")
	}
}

func (l *loader) days(field string, d Days) {
	if d < 0 || d > 36500 {
		l.fault(field, strconv.Itoa(int(d)), "out of range", "write a number of days, or 0 to keep everything")
	}
}
