package logfile

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kept is a log file in the folder.
type kept struct {
	day    string
	number int
	size   int64
	last   time.Time // of its last line
}

func fileName(day string, number int) string {
	if number == 1 {
		return prefix + day + suffix
	}
	return prefix + day + "." + strconv.Itoa(number) + suffix
}

// parseName is the inverse of fileName. Whatever has another name is not ours.
func parseName(name string) (day string, number int, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return "", 0, false
	}
	if rest, ok = strings.CutSuffix(rest, suffix); !ok {
		return "", 0, false
	}
	day, digits, numbered := strings.Cut(rest, ".")
	number = 1
	if numbered {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 2 || strconv.Itoa(n) != digits {
			return "", 0, false
		}
		number = n
	}
	if _, err := time.Parse(layout, day); err != nil {
		return "", 0, false
	}
	return day, number, true
}

// list returns the log files of the folder, the oldest first. What can't be
// looked at now is left for another time.
func (w *Writer) list() []kept {
	entries, _ := os.ReadDir(w.opt.Dir)
	var all []kept
	for _, e := range entries {
		day, number, ok := parseName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil {
			all = append(all, kept{day, number, info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.number, b.number)) })
	return all
}

// lastNumber is the number of the day's last file, 0 if it has none.
func (w *Writer) lastNumber(day string) int {
	last := 0
	for _, k := range w.list() {
		if k.day == day {
			last = k.number
		}
	}
	return last
}

// tidy removes files that are too old, and the oldest while all together are
// too large, with room left for the present one to become full. A file that
// can't be removed, because somebody has it open, is tried again later.
func (w *Writer) tidy(now time.Time, must bool) {
	if pause := now.Sub(w.tidied); !must && pause >= 0 && pause < tidyPace {
		return
	}
	w.tidied = now
	all := w.list()
	var total int64
	for _, k := range all {
		if !w.isCurrent(k) {
			total += k.size
		}
	}
	for _, k := range all {
		old := w.opt.MaxAge > 0 && now.Sub(k.last) > w.opt.MaxAge
		large := w.opt.MaxSize > 0 && total+w.limit > w.opt.MaxSize
		if w.isCurrent(k) || !old && !large {
			continue
		}
		if os.Remove(filepath.Join(w.opt.Dir, fileName(k.day, k.number))) == nil {
			total -= k.size
		}
	}
}

func (w *Writer) isCurrent(k kept) bool {
	return w.file != nil && k.day == w.day && k.number == w.number
}
