package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	const H, payload = 4096, 1000
	gen := func(n uint32, slots ...Slot) []byte {
		h := sampleHead(1, slots...)
		h.Generation = n
		return encode(t, h)
	}
	kek := Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}
	good, later, same := gen(1, kek), gen(2, kek), gen(1, kek, kek)
	foreign := encode(t, func() *Head { h := sampleHead(1, kek); h.Salt[0] ^= 1; return h }())
	rekeyed := encode(t, func() *Head { h := sampleHead(1, kek); h.Commitment[0] ^= 1; return h }())
	two := encode(t, sampleHead(2, kek))
	strange, malformed := repaired(good, set(10, 9)), repaired(good, set(20, 1))
	torn := slices.Clone(good)
	torn[H-5] ^= 1

	type found struct {
		clause         Clause
		offset, length int64
	}
	for _, c := range []struct {
		name   string
		src    []byte
		want   []found
		chunks int64 // 0: no layout
		plain  int64
	}{
		{name: "good", src: container(good, payload, good), chunks: 1, plain: payload - 16},
		{name: "smallest", src: container(good, 16, good), chunks: 1, plain: 0},
		{name: "two chunks", src: container(good, 65552+16, good), chunks: 2, plain: 65536},
		{name: "head torn", src: container(torn, payload, good), chunks: 1, plain: payload - 16,
			want: []found{{HEAD5, H - 4, 1}}},
		{name: "tail torn", src: container(good, payload, torn), chunks: 1, plain: payload - 16,
			want: []found{{TAIL1, H + payload, H}}},
		{name: "both torn", src: container(torn, payload, torn),
			want: []found{{HEAD5, H - 4, 1}}}, // nobody knows how long a tail would be
		{name: "tail stale", src: container(later, payload, good), chunks: 1, plain: payload - 16,
			want: []found{{TAIL2, H + payload, H}}},
		{name: "head stale", src: container(good, payload, later), chunks: 1, plain: payload - 16,
			want: []found{{TAIL2, 0, H}}},
		{name: "same generation", src: container(good, payload, same), chunks: 1, plain: payload - 16,
			want: []found{{TAIL2, H + payload, H}}},
		{name: "another container's tail", src: container(good, payload, foreign), chunks: 1, plain: payload - 16,
			want: []found{{COPY1, H + payload, H}}},
		{name: "a tail for another key", src: container(good, payload, rekeyed), chunks: 1, plain: payload - 16,
			want: []found{{COPY1, H + payload, H}}},
		{name: "a tail of another version", src: container(good, payload, strange), chunks: 1, plain: payload - 16,
			want: []found{{COPY1, H + payload, H}}},
		{name: "two malformed copies that are intact, of two containers", src: container(malformed, payload, strange),
			want: []found{{HEAD8, 20, 1}, {COPY1, H + payload, H}}},
		{name: "a tail of two pages", src: container(good, payload, two), chunks: 1, plain: payload + H - 16,
			want: []found{{TAIL1, H + payload + H, H}}},
		{name: "head only", src: good,
			want: []found{{FILE1, H, 1}, {TAIL1, 0, H}}},
		{name: "no chunk", src: container(good, 15, good),
			want: []found{{FILE1, 2*H + 15, 1}}},
		{name: "an impossible size", src: container(good, 65552+15, good),
			want: []found{{FILE2, H + 65552, 1}}},
		{name: "a full last chunk", src: container(good, 65552, good),
			want: []found{{FILE2, H + 65552, 1}}},
		{name: "not a container", src: []byte("not a container"), want: []found{{HEAD1, 0, 1}}},
		{name: "empty", want: []found{{HEAD4, 0, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := int64(len(c.src))
			r := Check(bytes.NewReader(c.src), size)
			var got []found
			for _, f := range r.Findings {
				got = append(got, found{f.Clause, f.Offset, f.Length})
				if f.Severity != Violation || f.Message == "" {
					t.Errorf("finding %v", f)
				}
				if f.Offset < 0 || f.Length < 0 || f.Offset > size {
					t.Errorf("finding %v is outside of the file's %d bytes", f, size)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings are %v, want %v", r.Findings, c.want)
			}
			if r.Valid() != (len(c.want) == 0) || r.Size != size {
				t.Errorf("valid: %v, size: %d", r.Valid(), r.Size)
			}
			if r.Layout.Chunks != c.chunks || r.Layout.PlainSize != c.plain {
				t.Errorf("layout is %+v", r.Layout)
			}
		})
	}
}

// Check costs a fixed amount of reading, whatever the size of the file.
func TestCheckReadsLittle(t *testing.T) {
	head := encode(t, sampleHead(MaxPages, Slot{Type: unregistered}))
	for _, tail := range [][]byte{head, make([]byte, len(head))} {
		c := &countingAt{src: container(head, 4<<20, tail)}
		Check(c, int64(len(c.src)))
		if c.read > 1<<20 {
			t.Errorf("%d bytes read", c.read)
		}
	}
}

type countingAt struct {
	src  []byte
	read int
}

func (c *countingAt) ReadAt(p []byte, off int64) (int, error) {
	c.read += len(p)
	return bytes.NewReader(c.src).ReadAt(p, off)
}

func TestFinding(t *testing.T) {
	_, err := ParseHead([]byte(Magic))
	var pe *ParseError
	if !errors.As(err, &pe) {
		t.Fatalf("%v is no *ParseError", err)
	}
	f := pe.Finding()
	if f.Clause != HEAD4 || f.Severity != Violation || f.Offset != 10 {
		t.Errorf("finding is %v", f)
	}
	broken := errors.New("it is broken")
	if r := Check(&faultyAt{ReaderAt: bytes.NewReader(make([]byte, 9000)), err: broken}, 9000); r.Err != broken || len(r.Findings) > 1 {
		t.Errorf("a head that cannot be read: %v, %v", r.Err, r.Findings)
	}
	b, err := json.Marshal(Finding{TAIL2, Warning, 5, 7, "message"})
	if want := `{"clause":"TAIL-2","severity":"warning","offset":5,"length":7,"message":"message"}`; err != nil || string(b) != want {
		t.Errorf("JSON is %s, %v", b, err)
	}
	if got := (Finding{TAIL2, Warning, 5, 7, "message"}).String(); got != "TAIL-2 warning at 5+7: message" {
		t.Errorf("text is %q", got)
	}
	if r := (&Report{Findings: []Finding{{TAIL2, Warning, 5, 7, ""}}}); !r.Valid() {
		t.Error("a warning makes a report invalid")
	}
}
