// Plot draws docs/speed.svg and docs/memory.svg from docs/performance.json. It is a
// module of its own, so that bulla's does not have the modules that drawing takes.
//
//	go run ./bench docs     # runs it
//
// gonum.org/v1/plot draws. Of the alternatives go-analyze/charts has no error bars, and a
// program of another language would be one more thing to install.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// results is the part of docs/performance.json that is drawn.
type results struct {
	Cases []struct {
		Name         string
		Size         float64
		Ours, Theirs *side
	}
	Amounts []struct {
		Name, Unit  string
		Size, Value float64
	}
}

type side struct {
	Spread struct{ Min, Median, Max float64 }
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("plot: ")
	const docs = "../../docs"
	plots, err := all(filepath.Join(docs, "performance.json"))
	if err != nil {
		log.Fatal(err)
	}
	for name, svg := range plots {
		if err := os.WriteFile(filepath.Join(docs, name), svg, 0o666); err != nil {
			log.Fatal(err)
		}
	}
}

// all draws the plots of the results in a file.
func all(name string) (map[string][]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var r results
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	speed, err := r.speed()
	if err != nil {
		return nil, err
	}
	memory, err := r.memory()
	return map[string][]byte{"speed.svg": speed, "memory.svg": memory}, err
}

// ink is the color of texts and lines. The SVG has the current color of the page in its place,
// which is light on a dark one.
var ink = color.NRGBA{0x1f, 0x23, 0x28, 0xff}

// The colors of what is drawn are legible on a light page and on a dark one.
var (
	blue, lightBlue = color.NRGBA{0x1f, 0x6f, 0xeb, 0xff}, color.NRGBA{0x79, 0xb8, 0xff, 0xff}
	gray, lightGray = color.NRGBA{0x76, 0x7f, 0x8a, 0xff}, color.NRGBA{0xa9, 0xb1, 0xba, 0xff}
	green, orange   = color.NRGBA{0x2d, 0xa4, 0x4e, 0xff}, color.NRGBA{0xd4, 0x72, 0x1b, 0xff}
)

// A bar is the rate of one side of a case; its whiskers are the slowest and the fastest run.
type bar struct{ min, median, max float64 }

func (r *results) bar(name string, ours bool) *bar {
	for _, c := range r.Cases {
		if c.Name != name || c.Ours == nil {
			continue
		}
		s := c.Theirs
		if ours {
			s = c.Ours
		}
		rate := func(seconds float64) float64 { return c.Size / seconds / 1e9 }
		return &bar{rate(s.Spread.Max), rate(s.Spread.Median), rate(s.Spread.Min)}
	}
	return nil // it was left out
}

// speed draws the rates of files in memory, those of bulla in blue.
func (r *results) speed() ([]byte, error) {
	p, grid := newPlot()
	grid.Horizontal.Width = 0
	p.X.Label.Text = "GB/s of plaintext; the lines end at the slowest and the fastest run"
	p.X.Min = 0
	const width, half = 12, 6.5 // points
	rows := []struct {
		label, encrypt, decrypt string
		ours                    bool
	}{
		{"bulla", "tmpfs/encrypt vs dd", "tmpfs/decrypt vs dd", true},
		{"dd: a copy", "tmpfs/encrypt vs dd", "tmpfs/decrypt vs dd", false},
		{"age", "tmpfs/encrypt vs age", "tmpfs/decrypt vs age", false},
		{"gpg", "tmpfs/encrypt vs gpg", "tmpfs/decrypt vs gpg", false},
		{"openssl, unauthenticated", "tmpfs/encrypt vs openssl, unauthenticated", "tmpfs/decrypt vs openssl, unauthenticated", false},
		{"rclone crypt", "tmpfs/encrypt vs rclone crypt", "tmpfs/decrypt vs rclone crypt", false},
		{"bulla -z, source code", "tmpfs/encrypt -z --level 1 vs zstd and age", "tmpfs/decrypt vs age and zstd", true},
		{"zstd and age, source code", "tmpfs/encrypt -z --level 1 vs zstd and age", "tmpfs/decrypt vs age and zstd", false},
	}
	var ticks plot.ConstantTicks
	for i, row := range rows {
		y := float64(len(rows) - 1 - i)
		ticks = append(ticks, plot.Tick{Value: y, Label: row.label})
		for k, name := range []string{row.encrypt, row.decrypt} {
			b := r.bar(name, row.ours)
			if b == nil {
				continue
			}
			fill := []color.Color{gray, lightGray}[k]
			if row.ours {
				fill = []color.Color{blue, lightBlue}[k]
			}
			chart, err := plotter.NewBarChart(plotter.Values{b.median}, vg.Points(width))
			if err != nil {
				return nil, err
			}
			chart.Horizontal, chart.XMin, chart.Color, chart.LineStyle.Width = true, y, fill, 0
			chart.Offset = vg.Points(half * float64(1-2*k))
			p.Add(chart, &whisker{*b, y, chart.Offset})
			if row.ours && i == 0 {
				p.Legend.Add([]string{"encrypt", "decrypt"}[k], chart)
			}
		}
	}
	p.Y.Tick.Marker = ticks
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))+0.5 // the legend stands over the bars
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width, p.Y.Tick.Length = 0, 0, 0
	p.Legend.Top = true
	return render(p, 720, 360)
}

// A whisker is the line of a bar.
type whisker struct {
	bar
	y      float64
	offset vg.Length
}

func (w *whisker) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	line := draw.LineStyle{Color: ink, Width: vg.Points(1)}
	at := y(w.y) + w.offset
	c.StrokeLine2(line, x(w.min), at, x(w.max), at)
	for _, end := range []float64{w.min, w.max} {
		c.StrokeLine2(line, x(end), at-3, x(end), at+3)
	}
}

func (w *whisker) DataRange() (xmin, xmax, ymin, ymax float64) { return 0, w.max, w.y, w.y }

// memory draws the peak memory of commands over the size of their input.
func (r *results) memory() ([]byte, error) {
	p, _ := newPlot()
	p.X.Label.Text = "size of the input"
	p.Y.Label.Text = "peak memory, MiB"
	p.X.Scale = plot.LogScale{}
	seen := map[float64]bool{}
	var ticks plot.ConstantTicks
	for _, line := range []struct {
		name  string
		color color.Color
	}{{"encrypt --parity 5%", orange}, {"encrypt -z", green}, {"encrypt", blue}, {"decrypt", lightBlue}} {
		var points plotter.XYs
		for _, a := range r.Amounts {
			if a.Name == "memory/peak of "+line.name {
				points = append(points, plotter.XY{X: a.Size, Y: a.Value / (1 << 20)})
				if !seen[a.Size] {
					seen[a.Size] = true
					ticks = append(ticks, plot.Tick{Value: a.Size, Label: size(a.Size)})
				}
			}
		}
		if len(points) == 0 {
			return nil, fmt.Errorf("there is nothing on the memory of %s", line.name)
		}
		lines, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		lines.Color, lines.Width = line.color, vg.Points(2)
		dots.Color, dots.Shape, dots.Radius = line.color, draw.CircleGlyph{}, vg.Points(3.5)
		p.Add(lines, dots)
		p.Legend.Add(line.name, lines, dots)
	}
	p.X.Tick.Marker = ticks
	p.Y.Min, p.Y.Max = 0, math.Ceil(p.Y.Max/20+0.5)*20
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = true, true, vg.Points(12)
	return render(p, 720, 300)
}

func size(n float64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%g GiB", n/(1<<30))
	}
	return fmt.Sprintf("%g MiB", n/(1<<20))
}

// newPlot is a plot in the style of all, with its grid.
func newPlot() (*plot.Plot, *plotter.Grid) {
	p := plot.New()
	p.BackgroundColor = nil // the page's
	style := func(t *text.Style, points float64) {
		t.Color, t.Font = ink, font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(points)}
	}
	style(&p.Legend.TextStyle, 11)
	p.Legend.Padding, p.Legend.ThumbnailWidth = vg.Points(3), vg.Points(24)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		style(&axis.Label.TextStyle, 11)
		style(&axis.Tick.Label, 11)
		axis.Color, axis.Tick.Color, axis.Label.Padding = ink, ink, vg.Points(6)
		axis.Padding = 0
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color = color.NRGBA{ink.R, ink.G, ink.B, 0x28}
	grid.Horizontal.Color = grid.Vertical.Color
	p.Add(grid)
	return p, grid
}

// render is a plot as SVG of so many points, for light pages and for dark ones.
func render(p *plot.Plot, width, height float64) ([]byte, error) {
	c := vgsvg.New(vg.Points(width), vg.Points(height))
	p.Draw(draw.Crop(draw.New(c), vg.Points(8), vg.Points(-16), vg.Points(8), vg.Points(-8)))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	svg := strings.ReplaceAll(b.String(), fmt.Sprintf("#%02X%02X%02X", ink.R, ink.G, ink.B), "currentColor")
	svg = strings.ReplaceAll(svg, "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	head, body, ok := strings.Cut(svg, "<g ")
	if !ok {
		return nil, fmt.Errorf("the plot has no group: %.200s", svg)
	}
	const colors = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>\n"
	return []byte(head + colors + "<g " + body), nil
}
