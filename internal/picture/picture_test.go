package picture

import (
	"encoding/xml"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"bulla/format"
)

// Whatever the sizes and the marks are, the drawing is well-formed, and nothing is drawn
// beside it.
func TestContainer(t *testing.T) {
	marks := []Mark{{0, 0, `<script>alert(1)</script> "quoted" & 'so'`, ""}, {5000, 65552, "a chunk", "bulla-slot"}, {math.MaxInt64, 1, "beyond", ""}, {-5, 3, "before", ""}, {100, math.MaxInt64 - 100, "all", ""}}
	for _, size := range []int64{0, 1, 8208, 100_000, 1 << 30, 1 << 60} {
		for _, head := range []int64{0, format.PageSize, format.MaxHeadSize} {
			svg := string(Container(size, head, marks))
			if strings.Contains(svg, "<script") {
				t.Fatal("markup in a label is markup")
			}
			d := xml.NewDecoder(strings.NewReader(svg))
			rects := 0
			for {
				token, err := d.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%d bytes, head of %d: %v\n%s", size, head, err, svg)
				}
				if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
					rects++
					x, w := attr(t, e, "x"), attr(t, e, "width")
					if x < 0 || w < leastMark || x+w > width+0.1 {
						t.Errorf("%d bytes, head of %d: a box from %v, %v wide", size, head, x, w)
					}
				}
			}
			if rects != 3+len(marks) {
				t.Errorf("%d boxes", rects)
			}
		}
	}
	if n := strings.Count(string(Container(1<<40, 4096, nil)), "<line"); n > maxSegments {
		t.Errorf("%d lines", n)
	}
	if n := strings.Count(string(Container(format.ContainerSize(3*format.SegmentSize+1, 4096), 4096, nil)), "<line"); n != 3 {
		t.Errorf("%d lines between four segments", n)
	}
}

func attr(t *testing.T, e xml.StartElement, name string) float64 {
	t.Helper()
	for _, a := range e.Attr {
		if a.Name.Local == name {
			v, err := strconv.ParseFloat(a.Value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
