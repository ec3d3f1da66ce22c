package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHistogram(t *testing.T) {
	var even, none, one, odd [256]uint64
	for i := range even {
		even[i] = 1000
	}
	one[0xff] = 512
	for i := 1; i < 256; i += 2 {
		odd[i] = 16
	}
	full, spaces := strings.Repeat("█", histogramColumns), strings.Repeat(" ", histogramColumns-1)
	for name, test := range map[string]struct {
		counts *[256]uint64
		lines  [histogramLines]string // from the top
	}{
		"even":          {&even, [histogramLines]string{"", "", full, full}},
		"none":          {&none, [histogramLines]string{"", "", full, full}},
		"one value":     {&one, [histogramLines]string{spaces + "█", spaces + "█", spaces + "█", strings.Repeat("▇", 63) + "█"}},
		"odd ones only": {&odd, [histogramLines]string{"", "", full, full}}, // a column has as many odd values as even ones
	} {
		got := strings.Split(strings.TrimSuffix(histogramText(name, test.counts), "\n"), "\n")
		if len(got) != 1+histogramLines+1 || !strings.HasPrefix(got[0], name+": ") {
			t.Fatalf("%s:\n%s", name, strings.Join(got, "\n"))
		}
		for i, want := range test.lines {
			label := histogramLabels[histogramLines-1-i]
			if got[1+i] != strings.TrimRight(label+want, " ") {
				t.Errorf("%s, line %d: %q, want %q", name, i, got[1+i], label+want)
			}
		}
		for _, line := range got {
			if utf8.RuneCountInString(line) > 79 {
				t.Errorf("%s: a line of %d columns", name, utf8.RuneCountInString(line))
			}
		}
	}
	// A value that never comes, among values that come often, sticks out.
	missing := even
	for i := range histogramValues {
		missing[40+i] = 0
	}
	heights := columnHeights(&missing, 252*1000)
	if heights[10] != 0 || slices.Min(heights[:10]) < histogramEighths/2 {
		t.Errorf("%v", heights)
	}
}

func TestParseCount(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "32": 32, "100K": 100 << 10, "8M": 8 << 20, "1G": 1 << 30, "9223372036854775807": 1<<63 - 1,
		"8589934591G": 8589934591 << 30,
	} {
		if got, err := parseCount(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "K", "-1", "+1", "1k", "1T", "1 K", "1KB", "0x10", "1.5M", "9223372036854775808", "8589934592G", "1_000"} {
		if got, err := parseCount(s); err == nil || explain(err).exit != exitUsage {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}
