package stream_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Another container's head over the first page, as an interrupted copy leaves it,
// whatever the lengths of the two heads: Salvage counts what each copy opens, and
// goes on with the one that it is told.
func TestSalvageConflict(t *testing.T) {
	const chunks = 10
	v, other, stranger, plain := new(vault), new(vault), new(vault), plaintext(chunks*chunk+1000)
	for _, reserve := range []int{0, 50} {
		container := encrypt(t, plain, v, stream.WriterOptions{Reserve: reserve})
		size := parseHead(t, container).HeadSize()
		theirs := encrypt(t, plain, other, stream.WriterOptions{})
		for name, keys := range map[string][]stream.Identity{"both keys": {v, other}, "one key": {v, stranger}} {
			mixed := slices.Clone(container)
			copy(mixed, theirs[:headSize])
			torn := slices.Clone(mixed) // and no tail, but a detached head
			clear(torn[len(torn)-size:])

			salvage := func(b []byte, o stream.SalvageOptions) ([]byte, *stream.Salvaged, []stream.Side) {
				t.Helper()
				var dst bytes.Buffer
				s, err := stream.SalvageNear(t.Context(), &dst, bytes.NewReader(b), int64(len(b)), keys, &o)
				if conflict, ok := errors.AsType[*stream.ConflictError](err); ok {
					if s != nil || dst.Len() > 0 || !errors.Is(err, format.ErrForged) {
						t.Errorf("%s: %d bytes with %v", name, dst.Len(), err)
					}
					return nil, nil, conflict.Sides
				} else if err != nil {
					t.Fatal(err)
				}
				return dst.Bytes(), s, nil
			}
			check := func(sides []stream.Side, want ...stream.Side) {
				t.Helper()
				same := slices.EqualFunc(sides, want, func(a, b stream.Side) bool { return a.Place == b.Place && a.Chunks == b.Chunks })
				if !same || (name == "one key") != (clauseOf(sides[0].Err) == format.SLOT3) {
					t.Errorf("%s: %v, not %v", name, sides, want)
				}
			}
			detached := stream.ReaderOptions{Head: container[:size]}
			head, tail := stream.Side{Place: format.AtHead}, stream.Side{Place: format.AtTail, Chunks: chunks + 1}
			apart := stream.Side{Place: format.Detached, Chunks: chunks + 1}
			_, _, sides := salvage(mixed, stream.SalvageOptions{})
			check(sides, head, tail)
			_, _, sides = salvage(mixed, stream.SalvageOptions{ReaderOptions: detached})
			check(sides, head, tail, apart)
			_, _, sides = salvage(torn, stream.SalvageOptions{ReaderOptions: detached})
			check(sides, head, apart)

			for _, c := range []struct {
				b []byte
				o stream.SalvageOptions
			}{
				{mixed, stream.SalvageOptions{From: format.AtTail}},
				{mixed, stream.SalvageOptions{From: format.Detached, ReaderOptions: detached}},
				{torn, stream.SalvageOptions{From: format.Detached, ReaderOptions: detached}},
			} {
				got, s, sides := salvage(c.b, c.o)
				if sides != nil || !s.Whole() || !s.Conflict || !bytes.Equal(got, plain) {
					t.Errorf("%s, from %s: %d bytes, %v", name, c.o.From, len(got), s)
				}
			}
			if name == "both keys" {
				if _, s, _ := salvage(mixed, stream.SalvageOptions{From: format.AtHead}); s.Intact != 0 || !s.Conflict {
					t.Errorf("from the head: %v", s)
				}
			}
		}
		// Without a conflict one copy serves as well as two, and one that is damaged does not.
		for _, place := range []format.Place{format.AtHead, format.AtTail} {
			o := &stream.SalvageOptions{From: place}
			s, err := stream.SalvageNear(t.Context(), io.Discard, bytes.NewReader(container), int64(len(container)), with(v), o)
			if err != nil || !s.Whole() || s.Conflict {
				t.Errorf("a sound container, from the %s: %v, %v", place, s, err)
			}
			bad := slices.Clone(container)
			bad[100] ^= 1
			bad[len(bad)-size+100] ^= 1
			if _, err := stream.SalvageNear(t.Context(), io.Discard, bytes.NewReader(bad), int64(len(bad)), with(v), o); err == nil {
				t.Errorf("a damaged %s serves", place)
			}
		}
		if _, err := stream.Salvage(t.Context(), io.Discard, bytes.NewReader(container), int64(len(container)), with(v), &stream.SalvageOptions{From: format.Detached}); err == nil {
			t.Error("a detached head that was not given serves")
		}
	}
}

// What is wrong with the copies of the head is told where nothing else is lost
// (TAIL-3), and only there: a tail that was cut off is no copy that is damaged.
func TestSalvageWarnings(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(2*chunk+1000), v, stream.WriterOptions{})
	stale := rewrappedHead(t, v.keys(t, container), split(t, container).head, func(h *format.Head) { h.Generation++ })
	end := len(container) - headSize
	for _, c := range []struct {
		name   string
		damage func(b []byte) []byte
		want   []format.Clause
	}{
		{"sound", func(b []byte) []byte { return b }, nil},
		{"a head of zeros", func(b []byte) []byte { clear(b[:headSize]); return b }, []format.Clause{format.HEAD1}},
		{"a damaged head", func(b []byte) []byte { b[300] ^= 1; return b }, []format.Clause{format.HEAD5}},
		{"a tail of zeros", func(b []byte) []byte { clear(b[end:]); return b }, []format.Clause{format.TAIL1}},
		{"a newer head", func(b []byte) []byte { copy(b, stale); return b }, []format.Clause{format.TAIL2}},
		{"the same, and a lost chunk", func(b []byte) []byte { copy(b, stale); b[at(1)] ^= 1; return b }, []format.Clause{format.TAIL2}},
		{"cut off", func(b []byte) []byte { return b[:at(2)] }, nil},
	} {
		b := c.damage(bytes.Clone(container))
		_, s := salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{})
		var got []format.Clause
		for _, f := range s.Warnings() {
			if got = append(got, f.Clause); f.Severity != format.Warning {
				t.Errorf("%s: %v", c.name, f)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
