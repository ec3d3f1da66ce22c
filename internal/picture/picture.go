// Package picture draws a container, as SVG for a page: the head, the payload and the
// tail, the segments if there are not too many, and where something is wrong; or a set.
//
//	┌──────┬───────────────────────────────────┬──────┐
//	│ head │ segment 0 ┊ segment 1 ┊ …    ▓    │ tail │
//	└──────┴───────────────────────────────────┴──────┘
//	┌──────┬───────────────────────────────────┬───────┐
//	│ root │ volume 0 ┊ volume 1 ┊ …    ▓      │ index │
//	└──────┴───────────────────────────────────┴───────┘
//
// The payload and the volumes are drawn to scale. The ends are drawn larger than they are,
// and a mark is wide enough to be seen.
package picture

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"strings"

	"bulla/format"
)

// A Mark is a place in a container, in bytes, and what is to be said of it.
type Mark struct {
	Part           int // of a set: 0 is the root, 1 is volume 0, and the last is the index
	Offset, Length int64
	Label          string
	Class          string // "" is bulla-mark
}

// In units of the drawing.
const (
	width       = 1000
	height      = 64
	endWidth    = 60 // of what stands at either end
	leastMark   = 4
	maxSegments = 128 // more are not drawn apart
)

// Container draws a container of size bytes whose head is headSize bytes long; 0 if that
// is not known. The colours are those of the page: classes bulla-end, bulla-payload,
// bulla-line and bulla-mark. Labels may hold anything.
func Container(size, headSize int64, marks []Mark) template.HTML {
	head := min(cmp.Or(headSize, format.PageSize), max(size, 1)/2)
	d := drawing{size: max(size, 1), first: head, last: head}
	const segment = format.SegmentChunks * format.SealedChunkSize
	for n := (d.size - 2*head) / segment; n <= maxSegments && int64(len(d.lines)) < n; {
		d.lines = append(d.lines, head+int64(len(d.lines)+1)*segment)
	}
	return d.draw(fmt.Sprintf("A container of %d bytes: head, payload and tail", d.size), "head", "payload", "tail", marks)
}

// Set is Container for a set, whose root and volumes have these sizes. A mark in the index is all
// of it.
func Set(root int64, volumes []int64, marks []Mark) template.HTML {
	starts := []int64{0, max(root, 1)}
	for i, n := range volumes {
		starts = append(starts, starts[i+1]+n)
	}
	end := starts[len(volumes)+1]
	d := drawing{size: end + 1, first: starts[1], last: 1}
	if len(volumes) <= maxSegments {
		d.lines = starts[2:]
	}
	moved := make([]Mark, len(marks))
	for i, m := range marks {
		if m.Part = max(m.Part, 0); m.Part > len(volumes) {
			m.Offset, m.Length = end, 1
		} else {
			m.Offset = starts[m.Part] + min(max(m.Offset, 0), starts[m.Part+1]-starts[m.Part])
			m.Length = min(m.Length, starts[m.Part+1]-m.Offset)
		}
		moved[i] = m
	}
	return d.draw(fmt.Sprintf("A set of %d volumes, %d bytes: root, volumes and index", len(volumes), end), "root", "volumes", "index", moved)
}

// A drawing has something at either end, which is not to scale, and lines in between.
type drawing struct {
	size, first, last int64
	lines             []int64
}

func (d *drawing) draw(title, first, middle, last string, marks []Mark) template.HTML {
	if len(marks) > 0 {
		title += fmt.Sprintf(", with %d marks", len(marks))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bulla" viewBox="0 0 %d %d" role="img" preserveAspectRatio="none"><title>%s</title>`, width, height, title)
	d.rect(&b, "bulla-end", 0, d.first, first)
	d.rect(&b, "bulla-payload", d.first, d.size-d.first-d.last, middle)
	d.rect(&b, "bulla-end", d.size-d.last, d.last, last)
	for _, at := range d.lines {
		x := d.x(at)
		fmt.Fprintf(&b, `<line class="bulla-line" x1="%.1f" x2="%.1f" y1="0" y2="%d"/>`, x, x, height)
	}
	for _, m := range marks {
		d.rect(&b, cmp.Or(m.Class, "bulla-mark"), m.Offset, m.Length, m.Label)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// x is where a byte is drawn.
func (d *drawing) x(offset int64) float64 {
	offset = min(max(offset, 0), d.size)
	switch {
	case offset < d.first:
		return endWidth * float64(offset) / float64(d.first)
	case offset <= d.size-d.last:
		return endWidth + (width-2*endWidth)*float64(offset-d.first)/float64(max(d.size-d.first-d.last, 1))
	}
	return width - endWidth*float64(d.size-offset)/float64(d.last)
}

func (d *drawing) rect(b *strings.Builder, class string, offset, length int64, label string) {
	from, to := d.x(offset), d.x(offset+max(length, 0))
	w := max(to-from, leastMark)
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="0" width="%.1f" height="%d"><title>%s</title></rect>`,
		class, min(from, width-w), w, height, html.EscapeString(label))
}
