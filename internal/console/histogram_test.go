package console

import (
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
	// A value that never comes, among values that come often, sticks out.
	missing := even
	for i := range histogramValues {
		missing[40+i] = 0
	}
	flat := strings.Repeat("▄", histogramColumns)
	for name, test := range map[string]struct {
		counts *[256]uint64
		line   string
	}{
		"even":            {&even, flat},
		"none":            {&none, flat},
		"one value":       {&one, strings.Repeat("▂", histogramColumns-1) + "█"},
		"odd ones only":   {&odd, flat}, // a column has as many odd values as even ones
		"four that never": {&missing, strings.Repeat("▅", 10) + " " + strings.Repeat("▅", histogramColumns-11)},
	} {
		got := strings.Split(strings.TrimSuffix(Histogram(name, test.counts), "\n"), "\n")
		if len(got) != 3 || !strings.HasPrefix(got[0], name+": ") {
			t.Fatalf("%s:\n%s", name, strings.Join(got, "\n"))
		}
		if want := "-5σ..+5σ  " + test.line; got[1] != want {
			t.Errorf("%s: %q, want %q", name, got[1], want)
		}
		if utf8.RuneCountInString(got[2]) != utf8.RuneCountInString(got[1]) {
			t.Errorf("%s: %q is below %q", name, got[2], got[1])
		}
		for _, line := range got {
			if utf8.RuneCountInString(line) > 79 {
				t.Errorf("%s: a line of %d columns", name, utf8.RuneCountInString(line))
			}
		}
	}
}
