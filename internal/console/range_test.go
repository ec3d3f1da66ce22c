package console

import (
	"math"
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	const huge = math.MaxInt64
	for _, c := range []struct {
		text           string
		size           int64
		offset, length int64
		fails          string
	}{
		{"0+0", 0, 0, 0, ""},
		{"0-", 0, 0, 0, ""},
		{"-0", 10, 10, 0, ""},
		{"-5", 10, 5, 5, ""},
		{"-50", 10, 0, 10, ""},
		{"-5+2", 10, 5, 2, ""},
		{"-5+20", 10, 5, 5, ""},
		{"-10+1", 10, 0, 1, ""},
		{"10-", 10, 10, 0, ""},
		{"10+1", 10, 10, 0, ""},
		{"9-9", 10, 9, 1, ""},
		{"9-10", 10, 9, 1, ""},
		{"0-9223372036854775807", 10, 0, 10, ""},
		{"1+9223372036854775807", 10, 1, 9, ""},
		{"1K-2K", 4096, 1024, 1025, ""},
		{"-1K+1K", 4096, 3072, 1024, ""},
		{"0-9223372036854775807", huge, 0, huge, ""},
		{"5+5", -1, 5, 5, ""},
		{"5-", -1, 5, huge - 5, ""},
		{"9223372036854775807+5", -1, huge, 0, ""},
		{"-5", -1, 0, 0, "an end that is missing"},
		{"-5+1", -1, 0, 0, "an end that is missing"},
		{"11-", 10, 0, 0, "after the end"},
		{"11+0", 10, 0, 0, "after the end"},
		{"-11+1", 10, 0, 0, "before the beginning"},
		{"5-4", 10, 0, 0, "ends before it begins"},
	} {
		r, err := ParseRange(c.text)
		var offset, length int64
		if err == nil {
			offset, length, err = r.Resolve(c.size)
		}
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s of %d: %d+%d, %v", c.text, c.size, offset, length, err)
			}
		case err != nil || offset != c.offset || length != c.length:
			t.Errorf("%s of %d: %d+%d, %v", c.text, c.size, offset, length, err)
		}
	}
}

// No text makes a range that leaves what there is.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"0+1", "-5+3", "1-2", "3-", "-4", "1K+2MiB", "+", "-", "--", "1-+2", "-1-2"} {
		f.Add(s, int64(100))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		r, err := ParseRange(s)
		if err != nil {
			return
		}
		offset, length, err := r.Resolve(max(size, -1))
		if err != nil {
			return
		}
		end := offset + length
		if offset < 0 || length < 0 || end < offset || size >= 0 && end > size {
			t.Errorf("%q of %d is %d+%d", s, size, offset, length)
		}
	})
}

// A size is written in ASCII digits and a unit, and is never negative; one more digit does
// not make it less.
func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"0", "1", "64K", "1MiB", "8388607T", "8E", "7EiB", "9223372036854775807", "1KB", "K", "1k", "-1", "0x10", "1 K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseSize(s)
		if !ok {
			if n != 0 {
				t.Fatalf("%q is none, and %d", s, n)
			}
			return
		}
		digits := strings.TrimRight(s, "KMGTPEkmgtpeiIbB")
		if n < 0 || digits == "" || strings.Trim(digits, "0123456789") != "" {
			t.Fatalf("%q is %d", s, n)
		}
		if more, ok := ParseSize("1" + s); ok && more < n {
			t.Fatalf("%q is %d, and with a digit more %d", s, n, more)
		}
	})
}
