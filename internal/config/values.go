package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Size is a number of bytes, written like 500MB or 1GB, in steps of 1024.
type Size int64

// Days is a number of days, written like 365 or 365d.
type Days int

// Duration is as many times 24 hours.
func (d Days) Duration() time.Duration { return time.Duration(d) * day }

var sizeUnits = []struct {
	name  string
	bytes int64
}{ // longest names first, since B ends them all
	{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1},
}

const sizeRemedy = "write a number with its unit: 500MB or 1GB"

func parseSize(s string) (size Size, problem, remedy string) {
	upper := strings.ToUpper(strings.TrimSpace(s))
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(upper, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 {
			return 0, "not a size", sizeRemedy
		}
		if n > math.MaxInt64/unit.bytes {
			return 0, "too large", sizeRemedy
		}
		return Size(n * unit.bytes), "", ""
	}
	if _, err := strconv.ParseUint(upper, 10, 64); err == nil {
		return 0, "a size without a unit", sizeRemedy
	}
	return 0, "not a size", sizeRemedy
}

const durationRemedy = "write a number with its unit: 300ms, 30s, 5m, 1h or 90d"

// parseDuration takes what time.ParseDuration takes, and whole days before it:
// 90d, 1d12h.
func parseDuration(s string) (d time.Duration, problem, remedy string) {
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		d, err := time.ParseDuration(s)
		if _, digits := strconv.ParseUint(s, 10, 64); digits == nil && s != "0" {
			return 0, "a time without a unit", "write " + s + "s for seconds, " + s + "m for minutes or " + s + "h for hours"
		}
		if err != nil {
			return 0, "not a time", durationRemedy
		}
		return d, "", ""
	}
	n, err := strconv.ParseUint(days, 10, 31)
	if err != nil {
		return 0, "not a time", durationRemedy
	}
	if n > math.MaxInt64/uint64(day)-1 {
		return 0, "too long", durationRemedy
	}
	d = time.Duration(n) * day
	if rest == "" {
		return d, "", ""
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more >= day {
		return 0, "not a time", durationRemedy
	}
	return d + more, "", ""
}

func parseDays(s string) (days Days, problem, remedy string) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil {
		return 0, "not a number of days", "write a whole number, such as 365; 0 keeps everything"
	}
	return Days(n), "", ""
}

// clockTime tells whether s is a time of day like 07:00.
func clockTime(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil && len(s) == len("07:00")
}

// formatDuration writes a time as a person would: 90d, 1h, 30s.
func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func formatSize(size Size) string {
	for _, unit := range sizeUnits {
		if n := int64(size) / unit.bytes; n > 0 && int64(size)%unit.bytes == 0 {
			return strconv.FormatInt(n, 10) + unit.name
		}
	}
	return "0"
}
