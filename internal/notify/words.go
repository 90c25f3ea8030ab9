package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// words are the texts of messages: Dutch, English.
var words = map[string][2]string{
	"alert.one":    {"Aandacht nodig: %s", "Needs attention: %s"},
	"alert.more":   {"Aandacht nodig: %d zaken", "Needs attention: %d matters"},
	"recovery.one": {"Weer in orde: %s", "Over: %s"},
	"recovery.n":   {"Weer in orde: %d zaken", "Over: %d matters"},
	"since":        {"sinds %s", "since %s"},
	"do":           {"Wat te doen: %s", "What to do: %s"},
	"over":         {"Dit is voorbij. U hoeft niets te doen.", "This is over. Nothing needs to be done."},
	"foot":         {"Verstuurd door brodaemon op %s. Kijk voor alle bijzonderheden op de statuspagina of met: brodaemon status", "Sent by brodaemon on %s. For all details see the status page, or: brodaemon status"},
	"digest":       {"Dagbericht: %d aangeleverd, %d mislukt, %d onderweg, %d wachten op een mens", "Daily digest: %d delivered, %d failed, %d under way, %d wait for a person"},
	"period":       {"Van %s tot %s.", "From %s to %s."},
	"all-well":     {"Er is niets dat aandacht nodig heeft.", "Nothing needs attention."},
	"conditions":   {"Aandacht nodig", "Needs attention"},
	"folder":       {"Map %s (%s): %d aangeleverd, %d mislukt, %d onderweg, %d wachten op een mens", "Folder %s (%s): %d delivered, %d failed, %d under way, %d wait for a person"},
	"offline":      {"niet bereikbaar: %s", "offline: %s"},
	"failed":       {"Mislukt (staan in failed/, met de reden ernaast):", "Failed (in failed/, with the reason beside them):"},
	"held":         {"Wachten op een mens:", "Wait for a person:"},
	"ignored":      {"Liggen al langer dan een dag in de map en worden nooit opgenomen:", "Have been in the folder for more than a day and are never taken:"},
	"more":         {"en nog %d", "and %d more"},
	"test":         {"Proefbericht", "Test message"},
	"test-text":    {"Dit is een proefbericht. Berichten van brodaemon komen hier aan.", "This is a test message. What brodaemon has to tell arrives here."},
}

// say is a text in the configured language.
func (o *Options) say(key string, args ...any) string {
	text := words[key][0]
	if o.Language == "en" {
		text = words[key][1]
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

func (o *Options) moment(t time.Time) string {
	if o.Language == "en" {
		return t.In(time.Local).Format("2 January 2006 15:04")
	}
	return t.In(time.Local).Format("02-01-2006 15:04")
}

// subject begins with the program and its machine, so that mails can be sorted.
func (o *Options) subject(text string) string { return "[brodaemon " + o.Host + "] " + plain(text) }

func (o *Options) blank(kind Kind, at time.Time) Message {
	return Message{Kind: kind, At: at, Host: o.Host, To: slices.Clone(o.Mail.To), Version: messageVersion}
}

// message is an alert or a recovery.
func (n *Notifier) message(kind Kind, conditions []Condition, at time.Time) Message {
	m := n.o.blank(kind, at)
	m.Conditions = conditions
	one, more := "alert.one", "alert.more"
	if kind == KindRecovery {
		one, more = "recovery.one", "recovery.n"
	}
	m.Subject = n.o.subject(n.o.say(more, len(conditions)))
	if len(conditions) == 1 {
		m.Subject = n.o.subject(n.o.say(one, short(conditions[0].Text)))
	}
	var b strings.Builder
	for _, c := range conditions {
		n.o.writeCondition(&b, c, kind == KindAlert)
	}
	if kind == KindRecovery {
		b.WriteString(n.o.say("over") + "\n\n")
	}
	m.Text = b.String() + n.o.say("foot", n.o.Host) + "\n"
	return m
}

func (o *Options) writeCondition(b *strings.Builder, c Condition, hint bool) {
	fmt.Fprintf(b, "- %s", plain(c.Text))
	if !c.Since.IsZero() {
		fmt.Fprintf(b, " (%s)", o.say("since", o.moment(c.Since)))
	}
	b.WriteString("\n")
	if hint && c.Hint != "" {
		fmt.Fprintf(b, "  %s\n", o.say("do", plain(c.Hint)))
	}
	b.WriteString("\n")
}

// digests is the whole for the office, and for each address of a folder that folder's part.
func (n *Notifier) digests(d Digest, at time.Time) []Message {
	all := []Message{n.o.digest(d, at)}
	var addresses []string
	for _, f := range d.Folders {
		for _, a := range f.To {
			if !slices.Contains(addresses, a) && !slices.Contains(n.o.Mail.To, a) {
				addresses = append(addresses, a)
			}
		}
	}
	for _, a := range addresses {
		part := Digest{From: d.From, To: d.To}
		for _, f := range d.Folders {
			if slices.Contains(f.To, a) {
				part.Folders = append(part.Folders, f)
			}
		}
		m := n.o.digest(part, at)
		m.To, m.NoPost = []string{a}, true
		all = append(all, m)
	}
	return all
}

func (o *Options) digest(d Digest, at time.Time) Message {
	m := o.blank(KindDigest, at)
	m.Conditions = d.Conditions
	var sum Folder
	var failed, held int
	var b strings.Builder
	b.WriteString(o.say("period", o.moment(d.From), o.moment(d.To)) + "\n\n")
	if len(d.Conditions) > 0 {
		b.WriteString(o.say("conditions") + "\n\n")
		for _, c := range d.Conditions {
			o.writeCondition(&b, c, true)
		}
	} else {
		b.WriteString(o.say("all-well") + "\n\n")
	}
	for _, f := range d.Folders {
		sum.Delivered, sum.Waiting = sum.Delivered+f.Delivered, sum.Waiting+f.Waiting
		failed, held = failed+len(f.Failed), held+len(f.Held)
		o.writeFolder(&b, f)
	}
	m.Subject = o.subject(o.say("digest", sum.Delivered, failed, sum.Waiting, held))
	m.Text = b.String() + o.say("foot", o.Host) + "\n"
	return m
}

// mostNamed is how many documents of a kind a digest names.
const mostNamed = 20

func (o *Options) writeFolder(b *strings.Builder, f Folder) {
	fmt.Fprintf(b, "%s\n", o.say("folder", f.Name, f.Environment, f.Delivered, len(f.Failed), f.Waiting, len(f.Held)))
	if f.Offline != "" {
		fmt.Fprintf(b, "  %s\n", o.say("offline", plain(f.Offline)))
	}
	for _, list := range []struct {
		key  string
		docs []Document
	}{{"failed", f.Failed}, {"held", f.Held}, {"ignored", f.Ignored}} {
		if len(list.docs) == 0 {
			continue
		}
		fmt.Fprintf(b, "  %s\n", o.say(list.key))
		for i, doc := range list.docs {
			if i == mostNamed {
				fmt.Fprintf(b, "  - %s\n", o.say("more", len(list.docs)-i))
				break
			}
			fmt.Fprintf(b, "  - %s: %s\n", plain(doc.File), short(doc.Why))
		}
	}
	b.WriteString("\n")
}

func (o *Options) test(at time.Time) Message {
	m := o.blank(KindTest, at)
	m.Subject, m.Text = o.subject(o.say("test")), o.say("test-text")+"\n\n"+o.say("foot", o.Host)+"\n"
	return m
}

// plain makes a text one line without control characters: names of files come from outside.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)), " ")
}

// short is plain, and not longer than a line bears.
func short(s string) string {
	const limit = 160
	s = plain(s)
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}
