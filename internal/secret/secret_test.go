package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
)

const text = "9f86d081884c7d659a2feaa0c55ad015"

// holder has the secret in every kind of place.
type holder struct {
	Open   String
	Ptr    *String
	closed String
	nested struct{ deep String }
	List   []String
	Map    map[string]String
}

func hold() holder {
	s := New(text)
	h := holder{Open: s, Ptr: &s, closed: s, List: []String{s}, Map: map[string]String{"k": s}}
	h.nested.deep = s
	return h
}

func TestNeverShown(t *testing.T) {
	s, h := New(text), hold()
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		for name, value := range map[string]any{"value": s, "pointer": &s, "holder": h, "holder pointer": &h, "list": []any{s, h}} {
			shown[verb+" "+name] = fmt.Sprintf(verb, value)
		}
	}
	shown["error"] = fmt.Errorf("sign on: %v", s).Error()
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		for kind, value := range map[string]any{"value": s, "holder": h} {
			out, err := marshal(value)
			if err != nil {
				t.Fatalf("%s %s: %v", name, kind, err)
			}
			shown[name+" "+kind] = string(out)
			if !strings.Contains(string(out), redacted) {
				t.Errorf("%s of a %s does not say %s: %s", name, kind, redacted, out)
			}
		}
	}
	type element struct{ S String }
	out, err := xml.Marshal(element{s})
	if err != nil {
		t.Fatal(err)
	}
	shown["xml"] = string(out)
	shown["zap"] = zapped(t, zap.Any("a", s), zap.Any("b", &s), zap.Any("c", h), zap.Stringer("d", s), zap.Reflect("e", h), zap.Any("f", h.Map))
	var slogged bytes.Buffer
	slog.New(slog.NewJSONHandler(&slogged, nil)).Info("m", "s", s, "h", h)
	slog.New(slog.NewTextHandler(&slogged, nil)).Info("m", "s", s, "h", h)
	shown["slog"] = slogged.String()

	for where, out := range shown {
		for _, form := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
			if strings.Contains(out, form) {
				t.Errorf("%s shows the secret: %s", where, out)
			}
		}
	}
	for _, where := range []string{"%v value", "%s value", "%x value", "error", "zap", "slog", "xml"} {
		if !strings.Contains(shown[where], redacted) {
			t.Errorf("%s: got %q, want %s in it", where, shown[where], redacted)
		}
	}
}

func zapped(t *testing.T, fields ...zap.Field) string {
	t.Helper()
	var out bytes.Buffer
	for _, encoder := range []zapcore.Encoder{
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	} {
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.DebugLevel))
		log.Info("message", fields...)
		log.Sugar().Infof("message %v %+v", hold(), New(text))
	}
	return out.String()
}

func TestStringItself(t *testing.T) {
	var zero String
	if !zero.Empty() || zero.Reveal() != "" || zero.String() != "" || !New("").Empty() {
		t.Error("the zero value is not the empty secret")
	}
	s := New(text)
	if s.Empty() || s.Reveal() != text {
		t.Errorf("Reveal: got %q, want %q", s.Reveal(), text)
	}
	if !s.Equal(New(text)) || s.Equal(New(text+"x")) || s.Equal(zero) || !zero.Equal(New("")) {
		t.Error("Equal is wrong")
	}
	if reflect.TypeFor[String]().Comparable() {
		t.Error("a String can be compared with ==")
	}
	// Package config compares old and new settings as a whole.
	if !reflect.DeepEqual(hold(), hold()) || reflect.DeepEqual(New("a"), New("b")) {
		t.Error("DeepEqual does not compare secrets")
	}
}

func TestRedactedIsNotReadBack(t *testing.T) {
	var back struct{ S String }
	if err := json.Unmarshal([]byte(`{"S":"REDACTED"}`), &back); err == nil {
		t.Error("json: a text was read as a secret")
	}
	if err := yaml.Unmarshal([]byte("s: REDACTED\n"), &back); err == nil {
		t.Error("yaml: a text was read as a secret")
	}
}
