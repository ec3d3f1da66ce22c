package console

import (
	"cmp"
	"slices"
	"strings"
)

// A Gap is a part of a file that is lost, in bytes.
type Gap struct{ Offset, Length int64 }

// shades of a map: all lost, up to a third there, up to two, nearly all, all. Every
// terminal has them.
const shades = ".-=+#"

// Map is one line that shows which part of a file of size bytes is lost: each
// column is an equal share of it, and its character how much of that is there.
//
//	########+-...=######
//
// A column that lacks one byte does not look whole, and one that has one does not
// look lost. The gaps are apart. Map puts them in order.
func Map(lost []Gap, size int64, columns int) string {
	slices.SortFunc(lost, func(a, b Gap) int { return cmp.Compare(a.Offset, b.Offset) })
	if size <= 0 || columns < 1 {
		return ""
	}
	columns = int(min(int64(columns), size))
	var line strings.Builder
	i := 0
	for c := range int64(columns) {
		// size/columns*c without an overflow
		from := size/int64(columns)*c + size%int64(columns)*c/int64(columns)
		to := size/int64(columns)*(c+1) + size%int64(columns)*(c+1)/int64(columns)
		gone := int64(0)
		for ; i < len(lost) && lost[i].Offset < to; i++ {
			end := lost[i].Offset + lost[i].Length
			gone += max(0, min(end, to)-max(lost[i].Offset, from))
			if end > to {
				break // it goes on in the next column
			}
		}
		line.WriteByte(shades[shade(to-from-gone, to-from)])
	}
	return line.String()
}

// shade is which of the shades shows that much of a whole.
func shade(there, whole int64) int {
	const most = len(shades) - 1
	switch there {
	case 0:
		return 0
	case whole:
		return most
	}
	return 1 + min(most-2, int(float64(there)/float64(whole)*float64(most-1)))
}
