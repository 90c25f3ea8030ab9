package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// keysOf returns the keys of a section, in the order in which they are described.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// allKeys returns every key that a configuration can have, as portal.url,
// folders[].path or retry; sections come before their keys.
var allKeys = sync.OnceValue(func() []string {
	var all []string
	var walk func(t reflect.Type, at string)
	walk = func(t reflect.Type, at string) {
		for i := range t.NumField() {
			key := t.Field(i).Tag.Get("yaml")
			if key == "-" {
				continue
			}
			all = append(all, join(at, key))
			switch ft := t.Field(i).Type; {
			case ft.Kind() == reflect.Struct:
				walk(ft, join(at, key))
			case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
				walk(ft.Elem(), join(at, key)+"[]")
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return all
})

// unknownKeyRemedy says what was probably meant by a key that is not among known.
func unknownKeyRemedy(key string, known []string) string {
	plain := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	if (plain == "password" || plain == "secret") && slices.Contains(known, "password_file") {
		return `secrets do not belong in this file: put it in a file of its own and name that with "password_file"`
	}
	if key == "<<" {
		return "references to other parts of the file are not taken here; write the keys out"
	}
	if near := nearest(plain, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if section, ok := sectionOf(plain); ok {
		return fmt.Sprintf("%q belongs %s; is the line indented as it should be?", plain, section)
	}
	return "the keys known here are: " + strings.Join(known, ", ")
}

// sectionOf says where else a key of that name belongs.
func sectionOf(key string) (section string, ok bool) {
	for _, path := range allKeys() {
		if path == key {
			return "at the top, without indentation", true
		}
		if at, found := strings.CutSuffix(path, "."+key); found {
			return "under " + strings.ReplaceAll(at, "[]", ""), true
		}
	}
	return "", false
}

// nearest returns the key of known that differs least from key, "" if none is
// like it: a third of the letters may be otherwise, or either begins with the other.
func nearest(key string, known []string) string {
	best, least := "", max(1, (len(key)+1)/3)+1
	for _, k := range known {
		if d := distance(key, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return best
	}
	for _, k := range known {
		if min(len(key), len(k)) >= 3 && (strings.HasPrefix(k, key) || strings.HasPrefix(key, k)) {
			return k
		}
	}
	return ""
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour to make b of a. Beyond any length that a key has it is not worked out.
func distance(a, b string) int {
	if longest := max(len(a), len(b)); longest > 64 {
		return longest
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
