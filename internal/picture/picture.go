// Package picture draws a container, as SVG for a page: the head, the payload and the
// tail, the segments if there are not too many, and where something is wrong.
//
//	┌──────┬───────────────────────────────────┬──────┐
//	│ head │ segment 0 ┊ segment 1 ┊ …    ▓    │ tail │
//	└──────┴───────────────────────────────────┴──────┘
//
// The payload is drawn to scale. Head and tail are drawn larger than they are, and a mark
// is wide enough to be seen.
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
	Offset, Length int64
	Label          string
	Class          string // "" is bulla-mark
}

// In units of the drawing.
const (
	width       = 1000
	height      = 64
	endWidth    = 60 // of the head, and of the tail
	leastMark   = 4
	maxSegments = 128 // more are not drawn apart
)

// Container draws a container of size bytes whose head is headSize bytes long; 0 if that
// is not known. The colours are those of the page: classes bulla-end, bulla-payload,
// bulla-line and bulla-mark. Labels may hold anything.
func Container(size, headSize int64, marks []Mark) template.HTML {
	d := drawing{size: max(size, 1), head: min(cmp.Or(headSize, format.PageSize), size/2)}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bulla" viewBox="0 0 %d %d" role="img" preserveAspectRatio="none"><title>%s</title>`, width, height, d.title(len(marks)))
	d.rect(&b, "bulla-end", 0, d.head, "head")
	d.rect(&b, "bulla-payload", d.head, d.size-2*d.head, "payload")
	d.rect(&b, "bulla-end", d.size-d.head, d.head, "tail")
	const segment = format.SegmentChunks * format.SealedChunkSize
	if n := (d.size - 2*d.head) / segment; n <= maxSegments {
		for i := range n {
			x := d.x(d.head + (i+1)*segment)
			fmt.Fprintf(&b, `<line class="bulla-line" x1="%.1f" x2="%.1f" y1="0" y2="%d"/>`, x, x, height)
		}
	}
	for _, m := range marks {
		d.rect(&b, cmp.Or(m.Class, "bulla-mark"), m.Offset, m.Length, m.Label)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

type drawing struct{ size, head int64 }

func (d drawing) title(marks int) string {
	s := fmt.Sprintf("A container of %d bytes: head, payload and tail", d.size)
	if marks > 0 {
		s += fmt.Sprintf(", with %d marks", marks)
	}
	return s
}

// x is where a byte is drawn.
func (d drawing) x(offset int64) float64 {
	offset = min(max(offset, 0), d.size)
	payload := max(d.size-2*d.head, 1)
	switch {
	case offset < d.head:
		return endWidth * float64(offset) / float64(d.head)
	case offset <= d.size-d.head:
		return endWidth + (width-2*endWidth)*float64(offset-d.head)/float64(payload)
	}
	return width - endWidth*float64(d.size-offset)/float64(d.head)
}

func (d drawing) rect(b *strings.Builder, class string, offset, length int64, label string) {
	from, to := d.x(offset), d.x(offset+max(length, 0))
	w := max(to-from, leastMark)
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="0" width="%.1f" height="%d"><title>%s</title></rect>`,
		class, min(from, width-w), w, height, html.EscapeString(label))
}
