package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A histogram is drawn as columns of four byte values each, in eighths of a line:
//
//	+5σ |
//	    |▃▁ ▂▅ ▁▄▂  ▁▃
//	even|█████▇██████▇
//	-5σ |█████████████
//	     00              40              80              c0            ff
//
// The middle is what bytes that are spread evenly give on average. By chance a
// column is off that by a standard deviation (σ) or two; that one of 64 is off
// by five happens in one picture of 27,000.
const (
	histogramColumns = 64
	histogramValues  = 256 / histogramColumns // to a column
	histogramLines   = 4
	histogramEighths = 8 * histogramLines
	histogramSigmas  = 5 // from the middle to either end
)

// bars is the end of a column: nothing, an eighth of a line, up to all of it.
var bars = []rune(" ▁▂▃▄▅▆▇█")

// histogramLabels stand left of the lines, from the bottom up.
var histogramLabels = [histogramLines]string{"-5σ |", "even|", "    |", "+5σ |"}

// histogramText draws how often each byte value came.
func histogramText(name string, counts *[256]uint64) string {
	var total uint64
	for _, n := range counts {
		total += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: each value came %d to %d times; evenly, %.1f\n",
		name, slices.Min(counts[:]), slices.Max(counts[:]), float64(total)/256)
	heights := columnHeights(counts, total)
	for line := histogramLines - 1; line >= 0; line-- {
		row := make([]rune, histogramColumns)
		for i, h := range heights {
			row[i] = bars[min(max(h-8*line, 0), 8)]
		}
		b.WriteString(strings.TrimRight(histogramLabels[line]+string(row), " ") + "\n")
	}
	b.WriteString("     00              40              80              c0            ff\n")
	return b.String()
}

// columnHeights is how high each column is, in eighths of a line. What is beyond
// the picture ends at its edge.
func columnHeights(counts *[256]uint64, total uint64) []int {
	const share = 1.0 / histogramColumns
	even := float64(total) * share
	sigma := math.Sqrt(even * (1 - share)) // of the binomial distribution
	heights := make([]int, histogramColumns)
	for i := range heights {
		var n uint64
		for _, c := range counts[i*histogramValues : (i+1)*histogramValues] {
			n += c
		}
		off := 0.0
		if sigma > 0 {
			off = (float64(n) - even) / (histogramSigmas * sigma)
		}
		heights[i] = int(math.Round(histogramEighths / 2 * (1 + min(max(off, -1), 1))))
	}
	return heights
}
