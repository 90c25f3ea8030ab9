package sandbox

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// setWith gives the default options with one switch set.
func setWith(t *testing.T, name, value string) Options {
	t.Helper()
	o := Default()
	if err := o.ParseKnob(name, value); err != nil {
		t.Errorf("%v", err)
	}
	return o
}

// settled is options as text, with the defaults filled in.
func settled(o Options) string {
	sw := *o.filled()
	sw.Zone = nil
	o.Chaos.MaxDelay = cmp.Or(o.Chaos.MaxDelay, 2*time.Second)
	return fmt.Sprintf("%+v %+v %v %v %v %+v", sw, o.Chaos, o.Seed, o.KeepBodies, o.Manage, o.Faults)
}

func TestEveryKnob(t *testing.T) {
	standard := Default()
	seen := map[string]bool{}
	for _, k := range Knobs() {
		if seen[k.Name] || k.Help == "" || k.Values == "" {
			t.Errorf("knob %+v is there twice or says too little", k)
		}
		seen[k.Name] = true
		if k.Name != "fault" {
			// The default by name changes nothing.
			if got := settled(setWith(t, k.Name, k.Default)); got != settled(standard) {
				t.Errorf("%s=%s: got %s, want the default options", k.Name, k.Default, got)
			}
		}
		values := strings.Split(k.Values, " | ")
		switch k.Values {
		case "duration":
			values = []string{"17ms"}
		case "number":
			values = []string{"17"}
		case "text":
			values = []string{"WOORD"}
		case "0 to 1":
			values = []string{"0.25"}
		case "operation:kind[:part…]":
			values = []string{"submit:process-then-drop"}
		}
		for _, value := range values {
			if value == k.Default {
				continue
			}
			if got := settled(setWith(t, k.Name, value)); got == settled(standard) {
				t.Errorf("%s=%s changes nothing", k.Name, value)
			}
		}
		if k.Values == "text" {
			continue
		}
		o := Default()
		if err := o.ParseKnob(k.Name, "onzin, zeker"); err == nil || !strings.Contains(err.Error(), k.Name) {
			t.Errorf("%s=onzin: got %v, want an error that names it", k.Name, err)
		}
		if !reflect.DeepEqual(o, standard) {
			t.Errorf("%s=onzin changed the options", k.Name)
		}
	}
	if err := standard.ParseKnob("resumbit", "new"); err == nil || !strings.Contains(err.Error(), "resubmit") {
		t.Errorf("an unknown switch: %v", err)
	}
}

// Every field of Switches can be set by name, but for the zone.
func TestNoSwitchWithoutAKnob(t *testing.T) {
	fields := reflect.TypeFor[Switches]()
	changed := map[string]bool{"Zone": true, "Timeline": true}
	for _, k := range Knobs() {
		for _, value := range append(strings.Split(k.Values, " | "), "17", "17ms", "WOORD") {
			var o Options
			if o.ParseKnob(k.Name, value) != nil {
				continue
			}
			v := reflect.ValueOf(o.Switches)
			for i := range fields.NumField() {
				if !v.Field(i).IsZero() {
					changed[fields.Field(i).Name] = true
				}
			}
		}
	}
	for i := range fields.NumField() {
		if name := fields.Field(i).Name; !changed[name] {
			t.Errorf("no knob sets Switches.%s", name)
		}
	}
}

func TestChangeWhileRunning(t *testing.T) {
	c := newClient(t, defaults(nil))
	c.must(404, "GET", api("leveringen?actie=CONTROLEREN"), nil)
	c.server.Change(func(sw *Switches) { sw.EmptyListStatus = 200 })
	c.must(200, "GET", api("leveringen?actie=CONTROLEREN"), nil)
	c.server.Change(func(sw *Switches) { sw.EmptyListStatus = 0 })
	c.must(404, "GET", api("leveringen?actie=CONTROLEREN"), nil)
}

func TestLastChangedLayout(t *testing.T) {
	at := time.Date(2022, 11, 16, 1, 28, 38, 513790000, time.UTC)
	for want, t0 := range map[string]time.Time{
		"2022-11-16T01:28:38.51379": at, "2022-11-16T01:28:38": at.Truncate(time.Second), "2022-11-16T01:28:38.513791": at.Add(1999),
	} {
		if got := t0.Format(lastChangedLayout); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
