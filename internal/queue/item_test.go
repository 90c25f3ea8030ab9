package queue

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// fullItem has every field filled, so that a field that is not kept is missed.
func fullItem(t testing.TB) Item {
	it := combo{state: Submitted, hold: HoldPerson}.item(5)
	fill(t, reflect.ValueOf(&it).Elem())
	it.State = Submitted
	return it
}

// fill gives every field that is empty a value.
func fill(t testing.TB, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		if !v.Type().Field(i).IsExported() || !f.IsZero() {
			continue
		}
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(t0.Add(time.Duration(i) * time.Second)))
			continue
		case []string:
			f.Set(reflect.ValueOf([]string{"één", "<twee>"}))
			continue
		case []Event:
			f.Set(reflect.ValueOf([]Event{{At: t0, What: "queued", Detail: "d", Count: 2}}))
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprintf("%s-%d", v.Type().Field(i).Name, i))
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Uint64:
			f.SetUint(uint64(i + 1))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			fill(t, f.Elem())
		case reflect.Struct:
			fill(t, f)
		default:
			t.Fatalf("no value for %s", v.Type().Field(i).Name)
		}
	}
}

func TestItemKeepsEveryField(t *testing.T) {
	it := fullItem(t)
	data := encoded(t, it)
	back, err := decodeItem([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, it) {
		t.Errorf("got %+v\nwant %+v", back, it)
	}
	var readable map[string]any
	if err := json.Unmarshal([]byte(data), &readable); err != nil {
		t.Fatal(err)
	}
	if readable["id"] != "5" { // a number beyond 2^53 would be rounded by scripts
		t.Errorf("id is stored as %v", readable["id"])
	}
}

// What a newer version stored beside what this one knows is still there after
// this one changed the item.
func TestUnknownKeysSurvive(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	data := encoded(t, it)
	future := `{"zzz":{"deep":[1,2,{"x":null}]},"eerste":"één \u003c","STATES":9007199254740993,` + data[1:]
	overwrite(t, s, it.ID, future)
	apply(t, s, it.ID, DocumentValid(t0, nil))
	s = reopen(t, s)
	it = apply(t, s, it.ID, UploadOpened(t0, Upload{ID: 1}))
	if it.State != Opened {
		t.Fatalf("state %s", it.State)
	}
	var stored map[string]json.RawMessage
	if err := json.Unmarshal([]byte(encoded(t, it)), &stored); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"zzz": `{"deep":[1,2,{"x":null}]}`, "STATES": "9007199254740993", "state": `"opened"`} {
		if string(stored[key]) != want {
			t.Errorf("%s is %s, want %s", key, stored[key], want)
		}
	}
	var text string
	if err := json.Unmarshal(stored["eerste"], &text); err != nil || text != "één <" {
		t.Errorf("eerste is %q, %v", text, err)
	}
}

// encoding/json reads "State" as state. If such a key were kept as unknown as
// well it would override the state for ever.
func TestKeyInAnotherCaseIsNoUnknownKey(t *testing.T) {
	it, err := decodeItem([]byte(`{"id":"1","State":"queued","new":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if it, err = it.With(DocumentValid(t0, nil)); err != nil {
		t.Fatal(err)
	}
	back, err := decodeItem([]byte(encoded(t, it)))
	if err != nil || back.State != Validated {
		t.Errorf("state %s, %v; want validated", back.State, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"nothing": ``, "null": `null`, "another kind": `[]`, "text": `"x"`, "torn": `{"id":"1","state":"que`,
		"two": `{"id":"1","state":"queued"}{"id":"2"}`, "trailing": `{"id":"1","state":"queued"}x`,
		"no number": `{"state":"queued"}`, "number 0": `{"id":"0","state":"queued"}`, "number as number": `{"id":1,"state":"queued"}`,
		"negative number": `{"id":"-1","state":"queued"}`, "no state": `{"id":"1"}`, "a state of another version": `{"id":"1","state":"approved"}`,
		"opened without upload": `{"id":"1","state":"opened"}`, "attached without upload": `{"id":"1","state":"attached","upload":null}`,
		"submitted without delivery": `{"id":"1","state":"submitted"}`, "a time that is none": `{"id":"1","state":"queued","nextAttempt":"soon"}`,
		"wrong kind of field": `{"id":"1","state":"queued","file":7}`,
	} {
		if it, err := decodeItem([]byte(data)); err == nil {
			t.Errorf("%s: accepted as %+v", name, it)
		} else if !strings.HasPrefix(err.Error(), "read stored item: ") {
			t.Errorf("%s: %q does not say what was read", name, err)
		}
	}
}

func FuzzItem(f *testing.F) {
	f.Add([]byte(encoded(f, fullItem(f))))
	for _, c := range combos() {
		if !c.filed {
			f.Add([]byte(encoded(f, c.item(1))))
		}
	}
	f.Add([]byte(`{"id":"1","state":"queued","new":{"a":[]},"New":1}`))
	f.Add([]byte(`{"id":"18446744073709551615","state":"cancelled","file":"\u0000\ud800` + "\xff" + `"}`))
	f.Add([]byte(`{"ID":"3","STATE":"queued","times":{"queued":"2026-11-23T09:00:00.000000001+23:59"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		it, err := decodeItem(data)
		if err != nil {
			return
		}
		first := encoded(t, it)
		back, err := decodeItem([]byte(first))
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, first)
		}
		if again := encoded(t, back); again != first {
			t.Errorf("written again it differs:\n%s\n%s", first, again)
		}
		// the keys of the indexes must be the same whether made before or after it was stored
		if a, b := fmt.Sprint(fixedEntries(&it), movingEntries(&it), dueKey(&it), countKey(&it)), fmt.Sprint(fixedEntries(&back), movingEntries(&back), dueKey(&back), countKey(&back)); a != b {
			t.Errorf("index entries differ:\n%s\n%s", a, b)
		}
		for _, row := range transitionTable {
			after, err := it.With(row.t)
			if err != nil {
				continue
			}
			stored, err := decodeItem([]byte(encoded(t, after)))
			if err != nil || stored.State != after.State || stored.Hold != after.Hold || stored.Intent != after.Intent {
				t.Errorf("after %s it is stored as %s, %s, %s (%v)", row.constructor, stored.State, stored.Hold, stored.Intent, err)
			}
		}
	})
}

// A document that is retried for a year stays small, and its timeline still
// tells how it began.
func TestHistoryIsBounded(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	long := strings.Repeat("é", 1<<20)
	for i := range 3 * maxHistory {
		var err error
		it, err = it.With(Retry(t0.Add(time.Duration(i)*time.Second), t0, "validate", "unavailable", fmt.Sprintf("%d %s", i, long[:200])))
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(it.History); n != maxHistory {
		t.Errorf("%d events, want %d", n, maxHistory)
	}
	if it.History[0].What != "queued" || !strings.Contains(it.History[1].Detail, "validate: 0 ") {
		t.Errorf("it begins with %v", it.History[:2])
	}
	if last := it.History[len(it.History)-1]; !strings.Contains(last.Detail, fmt.Sprintf("validate: %d ", 3*maxHistory-1)) {
		t.Errorf("it ends with %v", last)
	}
	for i := 1; i < len(it.History); i++ {
		if it.History[i].At.Before(it.History[i-1].At) {
			t.Fatalf("event %d is before event %d", i, i-1)
		}
	}

	again := add(t, s, Added, arrival("b.xml"))
	apply(t, s, again.ID, way(Submitted)...)
	again = apply(t, s, again.ID, Retry(t0, t0, "validate", "k", long), Stuck(t0, t0, "", "", long))
	for name, text := range map[string]string{"last error": again.LastError, "event": again.History[len(again.History)-1].Detail, "hold": again.HoldReason} {
		if len(text) > maxText+8 || !strings.HasSuffix(text, "é…") {
			t.Errorf("%s has %d bytes and ends with %q", name, len(text), text[max(0, len(text)-8):])
		}
	}
	stored, _ := s.Get(again.ID)
	wantSame(t, "long texts, stored", stored, again)
}

// The same failure over and over is one event that counts, also across what a
// text that is not UTF-8 becomes when it is stored.
func TestHistoryCounts(t *testing.T) {
	s := setup(t)
	it := add(t, s, Added, arrival("a.xml"))
	const polls = 500
	for i := range polls {
		it = apply(t, s, it.ID, Retry(t0.Add(time.Duration(i)*time.Minute), t0, "validate", "unavailable", "503 \xff"))
	}
	if len(it.History) != 2 {
		t.Fatalf("%d events, want 2", len(it.History))
	}
	if e := it.History[1]; e.Count != polls || !e.At.Equal(t0.Add((polls-1)*time.Minute)) {
		t.Errorf("got %d times, last at %s", e.Count, e.At)
	}
	it = apply(t, s, it.ID, Retry(t0, t0, "validate", "unavailable", "another"))
	it = apply(t, s, it.ID, Retry(t0, t0, "validate", "unavailable", "503 \xff"))
	if len(it.History) != 4 {
		t.Errorf("%d events, want 4: something else came between", len(it.History))
	}
}

// A change made from a copy must not show in the original, not even one that
// only counts in the last event.
func TestWithChangesNothingInHand(t *testing.T) {
	it := fullItem(t)
	it, err := it.With(Progressed(t0, t0, "s2", "d2"))
	if err != nil {
		t.Fatal(err)
	}
	before := encoded(t, it)
	for range 2 {
		if _, err := it.With(Progressed(t0.Add(1), t0, "s2", "d2"), Stuck(t0, t0, "s3", "d3", "w")); err != nil {
			t.Fatal(err)
		}
	}
	if after := encoded(t, it); after != before {
		t.Errorf("got %s\nwant %s", after, before)
	}
}

func TestItemInALogLine(t *testing.T) {
	enc := zapcore.NewMapObjectEncoder()
	it := fullItem(t)
	it.BROID, it.Delivery.ID = "GMN000000000001", "0000012345"
	if err := it.MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"id": "5", "folder": home, "file": "5.xml", "state": "submitted", "delivery": "0000012345", "bro_id": "GMN000000000001"} {
		if enc.Fields[key] != want {
			t.Errorf("%s is %v, want %s", key, enc.Fields[key], want)
		}
	}
}
