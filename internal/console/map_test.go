package console

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
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
		if got := drawMap(c.lost, c.size, c.columns, asciiMap); got != c.want {
			t.Errorf("%v of %d in %d columns: %s, not %s", c.lost, c.size, c.columns, got, c.want)
		}
	}
	for columns := range 200 {
		line := drawMap(lost(100, 23, 200, 1), 12345, columns, blockMap)
		if n := utf8.RuneCountInString(line); n != columns {
			t.Errorf("%d columns are %d", columns, n)
		}
	}
}

func TestMapShades(t *testing.T) {
	set := func(pairs ...string) string {
		for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG", "TERM"} {
			t.Setenv(name, "")
		}
		t.Setenv("WT_SESSION", "1")
		for i := 0; i < len(pairs); i += 2 {
			t.Setenv(pairs[i], pairs[i+1])
		}
		return string(mapShades())
	}
	blocks, ascii := string(blockMap), string(asciiMap)
	for _, c := range []struct{ got, want string }{
		{set("LANG", "de_DE.UTF-8"), blocks},
		{set("LANG", "C.utf8"), blocks},
		{set("LANG", "C"), ascii},
		{set("LC_ALL", "C", "LANG", "de_DE.UTF-8"), ascii},
		{set("LC_CTYPE", "en_US.UTF-8", "LANG", "C"), blocks},
		{set("LANG", "de_DE.UTF-8", "TERM", "dumb"), ascii},
	} {
		if c.got != c.want {
			t.Errorf("%q, not %q", c.got, c.want)
		}
	}
	if len(blockMap) != len(asciiMap) || strings.ContainsFunc(ascii, func(r rune) bool { return r > '~' }) {
		t.Error("the scales do not agree")
	}
}
