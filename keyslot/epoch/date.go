package epoch

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Date is a day in UTC, counted from 1970-01-01.
type Date int32

const secondsPerDay = 24 * 60 * 60

// DateOf is the day in UTC that holds t, whatever the zone of t.
func DateOf(t time.Time) Date {
	s := t.Unix()
	return Date((s - mod(s, secondsPerDay)) / secondsPerDay)
}

// Time is the beginning of d.
func (d Date) Time() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// ParseDate reads a date from 1970-01-01 to 9999-12-31.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1970 {
		return 0, fmt.Errorf("%q is not a date, such as 2027-03-31", s)
	}
	return DateOf(t), nil
}

// ParsePeriod reads a year, a month, a day, or a range of these, of which both ends
// belong to it: "2027", "2027-03", "2027-03-15", "2027..2029-06". It returns the first
// and the last day.
func ParsePeriod(s string) (first, last Date, err error) {
	from, to, isRange := strings.Cut(s, "..")
	if !isRange {
		to = from
	}
	first, _ = parseUnit(from)
	_, last = parseUnit(to)
	if first < 0 || last < first {
		return 0, 0, fmt.Errorf("%q is not a period, such as 2027, 2027-03 or 2027-03-15..2029", s)
	}
	return first, last, nil
}

// parseUnit is the first and the last day of a year, a month or a day; -1 if s is none.
func parseUnit(s string) (first, last Date) {
	for layout, after := range map[string][3]int{"2006": {1, 0, 0}, "2006-01": {0, 1, 0}, time.DateOnly: {0, 0, 1}} {
		if t, err := time.Parse(layout, s); err == nil {
			return DateOf(t), DateOf(t.AddDate(after[0], after[1], after[2])) - 1
		}
	}
	return -1, -1
}

// Every says how long an epoch is. Epochs begin at 00:00 UTC.
type Every byte

const (
	Day     Every = iota + 1
	Week          // from Monday on
	Month         // of the Gregorian calendar
	Quarter       // from January, April, July or October on
)

// kinds has for each the fewest days that one has, and the most that may lie between two
// runs that go by the clock (EPOCH-15).
var kinds = [...]struct {
	name          string
	shortest, gap int
}{Day: {"day", 1, 40}, Week: {"week", 7, 40}, Month: {"month", 28, 40}, Quarter: {"quarter", 90, 100}}

// ParseEvery reads "day", "week", "month" or "quarter".
func ParseEvery(s string) (Every, error) {
	for e := Day; e <= Quarter; e++ {
		if s == e.String() {
			return e, nil
		}
	}
	return 0, fmt.Errorf("%q is not one of day, week, month, quarter", s)
}

// String is "" for what is not one of them.
func (e Every) String() string {
	if !e.known() {
		return ""
	}
	return kinds[e].name
}

func (e Every) known() bool { return Day <= e && e <= Quarter }

// monday is how many days before 1970-01-01, a Thursday, its week began.
const monday = 3

// Number is the number of the epoch that holds d. The one that holds 1970-01-01 is 0.
func (e Every) Number(d Date) int {
	switch e {
	case Week:
		n := int(d) + monday
		return (n - mod(n, 7)) / 7
	case Month, Quarter:
		y, m, _ := d.Time().Date()
		n := (y-1970)*12 + int(m) - 1
		if e == Quarter {
			return (n - mod(n, 3)) / 3
		}
		return n
	}
	return int(d)
}

// First is the first day of epoch n.
func (e Every) First(n int) Date {
	switch e {
	case Week:
		return Date(7*n - monday)
	case Month:
		return DateOf(time.Date(1970, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC))
	case Quarter:
		return Month.First(3 * n)
	}
	return Date(n)
}

// mod is the remainder of n by m that is not negative.
func mod[T int | int64](n, m T) T { return (n%m + m) % m }

// A Span is consecutive epochs, by their numbers: From, up to and not including To.
type Span struct {
	Every    Every
	From, To int
}

// MaxEpochs is how many epochs a calendar or a keeper has at most.
const MaxEpochs = 4096

// SpanOf is the epochs that have a day from first to last.
func SpanOf(e Every, first, last Date) (Span, error) {
	s := Span{e, e.Number(first), e.Number(last) + 1}
	return s, s.check(1)
}

// check refuses spans of less than least epochs, or of too many.
func (s Span) check(least int) error {
	switch {
	case !s.Every.known():
		return errors.New("unknown length of an epoch")
	case s.To-s.From > MaxEpochs:
		return fmt.Errorf("%d epochs are more than %d", s.To-s.From, MaxEpochs)
	case s.First() < 0 || s.To-s.From < least:
		return fmt.Errorf("there are no epochs from %d to %d", s.From, s.To)
	}
	return nil
}

// First is the first day of the first epoch, and Next the day after the last one's end.
func (s Span) First() Date { return s.Every.First(s.From) }
func (s Span) Next() Date  { return s.Every.First(s.To) }

// Len is how many epochs there are.
func (s Span) Len() int { return s.To - s.From }

func (s Span) String() string {
	if s.Len() == 0 {
		return "no day"
	}
	if last := s.Next() - 1; last > s.First() {
		return s.First().String() + " to " + last.String()
	}
	return s.First().String()
}
