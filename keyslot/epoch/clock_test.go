package epoch

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A timer runs advance --keep every day, and the clock does what clocks do: it ends at
// most what the days since its last run allow, and nothing that is not over.
func TestTimer(t *testing.T) {
	const keep = 90
	for _, e := range []Every{Day, Week, Month, Quarter} {
		k := newKeeper(t, e, "2027..2030")
		file := k.Encode()
		k = parse(t, file)
		if err := k.Unlock(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		run := func(today Date) (ended int, refused bool) {
			before, last := k.Reach().From, k.LastRun()
			to, err := k.Due(today, keep)
			if refusal, ok := errors.AsType[*ClockError](err); ok {
				if to != before || refusal.Error() == "" {
					t.Fatalf("refused, and %d", to)
				}
				return 0, true
			}
			if err := k.Advance(t.Context(), to, today, into(file)); err != nil {
				t.Fatal(err)
			}
			if allowed := int(today-last)/kinds[e].shortest + 1; to-before > allowed {
				t.Errorf("every %v: %d epochs ended, and %d were allowed", e, to-before, allowed)
			}
			return to - before, false
		}
		today := k.LastRun()
		for ; today < day("2028-03-01"); today++ { // over a leap day
			if _, refused := run(today); refused {
				t.Fatalf("every %v: refused on %v", e, today)
			}
			if first := k.Reach().First(); first > max(today-keep, day("2027-01-01")) || today-keep-first > 92 {
				t.Fatalf("every %v: on %v it opens from %v on", e, today, first)
			}
		}
		for _, jump := range []Date{365, 366, 41 + 60, -1, -365, -today, -today - 400, 100 * 365} {
			if n, refused := run(today - 1 + jump); !refused || n != 0 {
				t.Errorf("every %v: the clock jumped by %d days: %d epochs ended", e, jump, n)
			}
		}
		if _, refused := run(today); refused {
			t.Errorf("every %v: the clock is right again, and the run is refused", e)
		}
		// A jump that is believed ends no more than its days allow.
		if n, refused := run(today + 30); refused || n > 30/kinds[e].shortest+1 {
			t.Errorf("every %v: %d epochs ended (%v)", e, n, refused)
		}
		// Back from there, nothing ends until the record is reached, or a date is typed.
		if n, refused := run(today + 1); !refused || n != 0 {
			t.Errorf("every %v: %d epochs ended", e, n)
		}
		if err := k.Advance(t.Context(), k.Reach().From, today+1, into(file)); err != nil {
			t.Fatal(err)
		}
		if _, refused := run(today + 2); refused {
			t.Errorf("every %v: a typed date does not help", e)
		}
	}
}

// A run that keeps less than the one before would end many epochs at once.
func TestShorterKeep(t *testing.T) {
	k := newKeeper(t, Month, "2027")
	k.state().Run = uint32(day("2027-12-01"))
	_, err := k.Due(day("2027-12-02"), 30)
	if e, ok := errors.AsType[*ClockError](err); !ok || !strings.HasSuffix(e.Reason, "which allows to end 1 and not 10") || e.To != day("2027-11-01") {
		t.Errorf("%v: %+v", err, e)
	}
}

func TestDue(t *testing.T) {
	for _, c := range []struct {
		every Every
		today string
		keep  int
		want  string
	}{
		{Month, "2027-03-31", 0, "2027-03-01"}, // an epoch that is not over stays
		{Month, "2027-04-01", 0, "2027-04-01"},
		{Month, "2027-04-29", 90, "2027-01-01"},
		{Month, "2027-05-02", 90, "2027-02-01"}, // January ended 90 days ago
		{Month, "2027-05-01", 90, "2027-01-01"},
		{Month, "2028-02-29", 0, "2028-02-01"},
		{Day, "2028-03-01", 1, "2028-02-29"},
		{Day, "2028-03-01", 0, "2028-03-01"},
		{Week, "2027-01-03", 0, "2026-12-28"},
		{Week, "2027-01-04", 0, "2027-01-04"},
		{Quarter, "2027-06-30", 0, "2027-04-01"},
		{Month, "2031-01-01", 0, "2030-01-01"}, // no further than to the end
		{Month, "2027-01-15", 36500, "2027-01-01"},
	} {
		k := newKeeper(t, c.every, "2027..2029")
		s := k.state()
		s.Run = uint32(day(c.today))
		s.Epoch = max(s.Epoch, min(uint32(c.every.Number(day(c.want))), s.End)-1) // so that a run a day may get there
		to, err := k.Due(day(c.today), c.keep)
		if got := c.every.First(to); err != nil || got != day(c.want) {
			t.Errorf("every %v, %s, keep %d: to %v (%v), want %s", c.every, c.today, c.keep, got, err, c.want)
		}
	}
}

// Encrypting takes the key of the day in UTC, and refuses a clock that is outside.
func TestAt(t *testing.T) {
	cal := calendarOf(t, newKeeper(t, Month, "2027"))
	east := time.FixedZone("", 14*3600)
	for _, c := range []struct {
		now  time.Time
		want string // the epoch; "" for none
	}{
		{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), "2027-01-01 to 2027-01-31"},
		{time.Date(2027, 2, 1, 13, 59, 0, 0, east), "2027-01-01 to 2027-01-31"},
		{time.Date(2027, 2, 1, 14, 0, 0, 0, east), "2027-02-01 to 2027-02-28"},
		{time.Date(2027, 12, 31, 23, 59, 59, 0, time.UTC), "2027-12-01 to 2027-12-31"},
		{time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), ""},
		{time.Date(2028, 6, 1, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(1979, 12, 31, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), ""},
	} {
		r, err := cal.At(c.now)
		if outside, ok := errors.AsType[*ClockError](err); ok {
			if c.want != "" || outside.Error() == "" {
				t.Errorf("%v: %v", c.now, err)
			}
			continue
		}
		if err != nil || r.Epoch.String() != c.want || r.Calendar != cal.Span {
			t.Errorf("%v: %v (%v), want %s", c.now, r.Epoch, err, c.want)
		}
	}
}
