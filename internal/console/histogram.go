package console

import (
	"fmt"
	"math"
	"slices"
)

// A histogram is a line of columns of four byte values each:
//
//	-5σ..+5σ  ▄▄▅▄▃▄▄▅▄▄▃▄▄
//	          00              40              80              c0            ff
//
// The middle is what bytes that are spread evenly give on average. By chance a
// column is off that by a standard deviation (σ) or two; that one of 64 is off
// by five happens in one picture of 27,000.
const (
	histogramColumns = 64
	histogramValues  = 256 / histogramColumns // to a column
	histogramSigmas  = 5                      // from the middle to either end
	histogramEven    = 4                      // the bar in the middle
)

var histogramBars = []rune(" ▁▂▃▄▅▆▇█")

// Histogram draws how often each byte value came.
func Histogram(name string, counts *[256]uint64) string {
	var total uint64
	for _, n := range counts {
		total += n
	}
	const share = 1.0 / histogramColumns
	even := float64(total) * share
	sigma := math.Sqrt(even * (1 - share)) // of the binomial distribution
	var line []rune
	for values := range slices.Chunk(counts[:], histogramValues) {
		var n uint64
		for _, c := range values {
			n += c
		}
		off := 0.0
		if sigma > 0 {
			off = min(max((float64(n)-even)/(histogramSigmas*sigma), -1), 1)
		}
		line = append(line, histogramBars[int(math.Round(histogramEven*(1+off)))])
	}
	return fmt.Sprintf("%s: each value came %d to %d times; evenly, %.1f\n-5σ..+5σ  %s\n          %-16s%-16s%-16s%-14sff\n",
		name, slices.Min(counts[:]), slices.Max(counts[:]), float64(total)/256, string(line), "00", "40", "80", "c0")
}
