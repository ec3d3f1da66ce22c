package console

import (
	"math"
	"testing"
)

func TestMap(t *testing.T) {
	lost := func(of ...int64) (all []Gap) {
		for i := 0; i < len(of); i += 2 {
			all = append(all, Gap{Offset: of[i], Length: of[i+1]})
		}
		return all
	}
	for _, c := range []struct {
		lost    []Gap
		size    int64
		columns int
		want    string
	}{
		{nil, 100, 10, "##########"},
		{lost(0, 100), 100, 10, ".........."},
		{lost(0, 10), 100, 10, ".#########"},
		{lost(90, 10), 100, 10, "#########."},
		{lost(35, 20), 100, 10, "###=.=####"},
		{lost(19, 1, 21, 1), 100, 10, "#++#######"},
		{lost(10, 9, 21, 1, 22, 8), 100, 10, "#--#######"},
		{lost(5, 90), 100, 10, "=........="},
		// A byte that is lost shows, and one that is there, however large the rest is.
		{lost(5e17, 1), 1e18, 4, "##+#"},
		{lost(0, 5e17, 5e17+1, 5e17-1), 1e18, 4, "..-."},
		{lost(math.MaxInt64-1, 1), math.MaxInt64, 3, "##+"},
		// More columns than bytes.
		{lost(1, 1), 3, 72, "#.#"},
		{nil, 0, 10, ""},
		{nil, 100, 0, ""},
		{nil, 100, -5, ""},
	} {
		if got := Map(c.lost, c.size, c.columns); got != c.want {
			t.Errorf("%v of %d in %d columns: %s, not %s", c.lost, c.size, c.columns, got, c.want)
		}
	}
	for columns := range 200 {
		line := Map(lost(100, 23, 200, 1), 12345, columns)
		if n := len(line); n != columns {
			t.Errorf("%d columns are %d", columns, n)
		}
	}
}
