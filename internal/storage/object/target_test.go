package object

import "testing"

// Parts grow so that 10,000 of them have room for 4.9 TiB, or for as much as is known to
// come; none is smaller than stores want, or larger than they take.
func TestPlan(t *testing.T) {
	const mib, tib = 1 << 20, 1 << 40
	if room := DefaultPlan.Room(); room < 48*tib/10 || room > 5*tib {
		t.Errorf("the plan has room for %d bytes", room)
	}
	for number, want := range map[int]int64{1: 16 * mib, 1250: 16 * mib, 1251: 32 * mib, 2501: 64 * mib, 10_000: 2048 * mib} {
		if got := DefaultPlan.size(number); got != want {
			t.Errorf("part %d has %d bytes, want %d", number, got, want)
		}
	}
	for _, p := range []Plan{DefaultPlan, {First: 16 * mib, Parts: 100}, {First: 16 * mib, Parts: 1}, {First: 128 * mib, Parts: MaxParts, Even: true}} {
		for _, size := range []int64{-1, 0, 1, 100 << 30, 10 * tib} {
			q := p.For(size)
			for _, i := range []int{1, 2, q.Parts} {
				if n := q.size(i); n < minPart || n > maxPart {
					t.Errorf("%+v: part %d has %d bytes", q, i, n)
				}
			}
			if q.Even && q.size(1) != q.size(q.Parts) {
				t.Errorf("%+v: not even", q)
			}
			if size <= p.Room() && q != p {
				t.Errorf("%+v becomes %+v for %d bytes", p, q, size)
			}
		}
	}
	if q := DefaultPlan.For(15 * tib); q.Room() < 15*tib {
		t.Errorf("%+v has no room for 15 TiB", q)
	}
}
