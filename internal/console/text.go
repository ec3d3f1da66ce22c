package console

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const units = "KMGTPE" // powers of 1024

// Bytes is a number of bytes for people: "1 byte", "1.5 GiB".
func Bytes(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1024:
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}

// ParseSize reads a number of bytes: digits, and perhaps a unit, K or KiB and so
// on, which are powers of 1024. KB and the like are none: to some they mean 1000.
func ParseSize(s string) (int64, bool) {
	unit := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(unit)], 10, 64)
	if err != nil {
		return 0, false
	}
	if unit == "" {
		return n, true
	}
	power := 1 + slices.Index([]byte(units), strings.ToUpper(unit)[0])
	if rest := strings.ToUpper(unit)[1:]; power == 0 || rest != "" && rest != "IB" || n > math.MaxInt64>>(10*power) {
		return 0, false
	}
	return n << (10 * power), true
}

// rate is a number of bytes a second for people.
func rate(r float64) string { return Bytes(int64(r)) + "/s" }

// wait is a number of seconds for people who wait: "1h2m", "3m20s", "7s".
func wait(seconds float64) string {
	const tooLong = 100 * 3600
	if seconds >= tooLong {
		return "days"
	}
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	s := d.String()
	if d >= time.Hour {
		s = strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return s
}

// fit is a line of at most that many columns: the name, what has to be seen, and
// as much of the rest as there is room for, the last of it first. A name that is
// too long is cut in its middle.
//
//	backup.tar  25%  1.0 GiB of 4.0 GiB  12.3 MiB/s  3m20s left
//	backup.tar  25%  3m20s left
//	back….tar  25%
func fit(columns int, name, must string, rest ...string) string {
	for len(rest) > 0 && width(name)+width("  "+must)+width("  "+strings.Join(rest, "  ")) > columns {
		rest = rest[1:]
	}
	line := strings.Join(append([]string{must}, rest...), "  ")
	room := columns - width("  "+line)
	if room < 2 { // one character of a name and the mark that it is cut tell nothing
		r := []rune(line)
		return string(r[:max(0, min(len(r), columns))])
	}
	return cut(name, room) + "  " + line
}

// cut shortens s to that many columns, at least two.
func cut(s string, columns int) string {
	r := []rune(s)
	if len(r) <= columns {
		return s
	}
	end := (columns - 1) / 2
	return string(r[:columns-1-end]) + "…" + string(r[len(r)-end:])
}

func width(s string) int { return len([]rune(s)) }

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
