package picture

import (
	"encoding/xml"
	"html/template"
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
	marks := []Mark{{Label: `<script>alert(1)</script> "quoted" & 'so'`}, {1, 5000, 65552, "a chunk", "bulla-slot"}, {-3, math.MaxInt64, 1, "beyond", ""}, {99, -5, 3, "before", ""}, {0, 100, math.MaxInt64 - 100, "all", ""}}
	for _, size := range []int64{0, 1, 8208, 100_000, 1 << 30, 1 << 60} {
		for _, head := range []int64{0, format.PageSize, format.MaxHeadSize} {
			svg := string(Container(size, head, marks))
			if strings.Contains(svg, "<script") {
				t.Fatal("markup in a label is markup")
			}
			if n := len(boxes(t, template.HTML(svg))); n != 3+len(marks) {
				t.Errorf("%d bytes, head of %d: %d boxes", size, head, n)
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

// A set is drawn with its volumes to scale, and each mark in its part.
func TestSet(t *testing.T) {
	if got := boxes(t, Set(8192, []int64{3000, 1000}, nil)); len(got) != 3 {
		t.Error(got)
	}
	for _, c := range []struct {
		Mark
		x, w float64
	}{
		{Mark{Offset: 4096, Length: 1 << 40}, 30, 30}, // the root
		{Mark{Part: 1, Offset: 1500, Length: 750}, 390, 165},
		{Mark{Part: 1, Offset: 1500, Length: math.MaxInt64}, 390, 330}, // goes no further than its volume
		{Mark{Part: 2, Length: 500}, 720, 110},
		{Mark{Part: 3, Offset: 77, Length: 500}, 940, 60}, // the index
	} {
		got := boxes(t, Set(8192, []int64{3000, 1000}, []Mark{c.Mark}))
		if len(got) != 4 || math.Abs(got[3][0]-c.x) > 0.5 || math.Abs(got[3][1]-c.w) > 0.5 {
			t.Errorf("%+v: %v", c.Mark, got)
		}
	}
	marks := []Mark{{Part: 1 << 30}, {Part: -1, Offset: -1}, {Part: 3, Offset: math.MaxInt64, Length: math.MaxInt64}}
	for _, volumes := range [][]int64{nil, {0}, {1 << 50, 1 << 50, 0}, make([]int64, 131072)} {
		svg := Set(0, volumes, marks)
		if got := boxes(t, svg); len(got) != 6 {
			t.Errorf("%d volumes: %v", len(volumes), got)
		}
		if n := strings.Count(string(svg), "<line"); n != len(volumes) && n > 0 {
			t.Errorf("%d lines for %d volumes", n, len(volumes))
		}
	}
}

// boxes are where the rectangles of a drawing begin and how wide they are.
func boxes(t *testing.T, svg template.HTML) (all [][2]float64) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			x, w := attr(t, e, "x"), attr(t, e, "width")
			if x < 0 || w < leastMark || x+w > width+0.1 {
				t.Errorf("a box from %v, %v wide", x, w)
			}
			all = append(all, [2]float64{x, w})
		}
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
