package epoch

import (
	"strings"
	"testing"
	"time"
)

func day(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Every day of three hundred years, one after the other: an epoch begins where the
// calendar on the wall says, and nowhere else.
func TestEveryDay(t *testing.T) {
	begins := map[Every]func(time.Time) bool{
		Day:     func(time.Time) bool { return true },
		Week:    func(t time.Time) bool { return t.Weekday() == time.Monday },
		Month:   func(t time.Time) bool { return t.Day() == 1 },
		Quarter: func(t time.Time) bool { return t.Day() == 1 && strings.Contains("147 10", t.Format("1")) },
	}
	for e := Day; e <= Quarter; e++ {
		at := time.Date(1900, 1, 1, 12, 0, 0, 0, time.UTC) // a Monday
		number, begun := e.Number(DateOf(at)), DateOf(at)
		for ; at.Year() < 2200; at = at.AddDate(0, 0, 1) {
			d := DateOf(at)
			if d > begun && begins[e](at) {
				if days := int(d - begun); days < kinds[e].shortest || days > 31 && e != Quarter || days > 92 {
					t.Fatalf("%v %v has %d days", e, begun, days)
				}
				number++
				begun = d
			}
			if got := e.Number(d); got != number {
				t.Fatalf("%v of %v is %d, want %d", e, d, got, number)
			}
			if got := e.First(number); got != begun {
				t.Fatalf("%v %d begins on %v, want %v", e, number, got, begun)
			}
		}
		if n := e.Number(day("1970-01-01")); n != 0 {
			t.Errorf("%v of 1970-01-01 is %d", e, n)
		}
	}
	for e, want := range map[Every]int{Day: 20819, Month: 684, Quarter: 228} { // as in the specification
		if got := e.Number(day("2027-01-01")); got != want {
			t.Errorf("%v of 2027 is %d, want %d", e, got, want)
		}
	}
	if got := Week.First(2974); got != day("2026-12-28") {
		t.Errorf("week 2974 begins on %v", got)
	}
}

// A day is one in UTC, wherever the clock is, and before 1970 as well.
func TestDateOf(t *testing.T) {
	east, west := time.FixedZone("", 14*3600), time.FixedZone("", -12*3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2027, 1, 1, 13, 59, 59, 0, east), "2026-12-31"},
		{time.Date(2027, 1, 1, 14, 0, 0, 0, east), "2027-01-01"},
		{time.Date(2026, 12, 31, 12, 0, 0, 0, west), "2027-01-01"},
		{time.Date(2028, 2, 29, 23, 59, 59, 999, time.UTC), "2028-02-29"},
		{time.Unix(0, 0), "1970-01-01"},
		{time.Unix(-1, 0), "1969-12-31"},
		{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), "1601-01-01"},
	} {
		if got := DateOf(c.at).String(); got != c.want {
			t.Errorf("%v is %s, want %s", c.at, got, c.want)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	for in, want := range map[string]string{
		"2027":                   "2027-01-01 2027-12-31",
		"2028-02":                "2028-02-01 2028-02-29",
		"2027-02":                "2027-02-01 2027-02-28",
		"2100-02":                "2100-02-01 2100-02-28",
		"2028-02-29":             "2028-02-29 2028-02-29",
		"2027..2028":             "2027-01-01 2028-12-31",
		"2027-11..2028-02":       "2027-11-01 2028-02-29",
		"2027-03-15..2027-03-15": "2027-03-15 2027-03-15",
		"2027-02-29":             "", // no leap year
		"2027-13":                "",
		"1969":                   "",
		"2028..2027":             "",
		"2027..":                 "",
		"..2027":                 "",
		"2027..2028..2029":       "",
		"27":                     "",
		"":                       "",
		"2027-Q1":                "",
		"20270":                  "",
		" 2027":                  "",
	} {
		first, last, err := ParsePeriod(in)
		got := first.String() + " " + last.String()
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q is %q (%v), want %q", in, got, err, want)
		}
	}
}

func TestSpanOf(t *testing.T) {
	for _, c := range []struct {
		every  Every
		period string
		want   string // the days of the epochs
		n      int
	}{
		{Month, "2027", "2027-01-01 to 2027-12-31", 12},
		{Week, "2027", "2026-12-28 to 2028-01-02", 53},
		{Quarter, "2027-02-15..2027-04-01", "2027-01-01 to 2027-06-30", 2},
		{Day, "2028", "2028-01-01 to 2028-12-31", 366},
		{Day, "1970", "1970-01-01 to 1970-12-31", 365},
		{Day, "2028-02-29", "2028-02-29", 1},
	} {
		first, last, err := ParsePeriod(c.period)
		if err != nil {
			t.Fatal(err)
		}
		s, err := SpanOf(c.every, first, last)
		if err != nil || s.String() != c.want || s.Len() != c.n {
			t.Errorf("every %v of %s: %v, %d (%v), want %s, %d", c.every, c.period, s, s.Len(), err, c.want, c.n)
		}
	}
	if s, err := SpanOf(Day, day("2000-01-01"), day("2027-01-01")); err == nil {
		t.Errorf("%d epochs", s.Len())
	}
	if s, err := SpanOf(Week, 0, 10); err == nil { // which would begin before 1970
		t.Errorf("%v", s)
	}
}
