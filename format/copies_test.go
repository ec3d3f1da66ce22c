package format

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// pairPayload is long enough that every head used here leaves room for a tail.
const pairPayload = 10_000

// pair is a container whose two copies are those given.
func pair(head, tail []byte) *bytes.Reader {
	return bytes.NewReader(container(head, pairPayload, tail))
}

func TestReadCopies(t *testing.T) {
	one := encode(t, sampleHead(1, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}))
	three := encode(t, sampleHead(3, sampleSlots()...))
	later := encode(t, func() *Head { h := sampleHead(1, Slot{Type: unregistered}); h.Generation = 2; return h }())
	foreign := encode(t, func() *Head {
		h := sampleHead(1, Slot{Type: unregistered})
		h.Generation, h.Salt[0] = 2, h.Salt[0]+1
		return h
	}())
	large := encode(t, larger(sampleHead(1, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}), 2))
	damaged := slices.Clone(one)
	damaged[offVersion] ^= 1
	torn := slices.Clone(one)
	clear(torn[2048:])

	for _, c := range []struct {
		name       string
		src        *bytes.Reader
		head, tail []byte // nil: not usable
		first      []byte // of the usable ones
		headClause Clause
		tailClause Clause
	}{
		{"both", pair(one, one), one, one, one, "", ""},
		{"both, three pages", pair(three, three), three, three, three, "", ""},
		{"head later", pair(later, one), later, one, later, "", ""},
		{"tail later", pair(one, later), one, later, later, "", ""},
		{"tail later, of another container", pair(one, foreign), one, foreign, one, "", ""},
		{"head torn", pair(torn, one), nil, one, one, HEAD5, ""},
		{"head torn, three pages of tail", pair(torn, three), nil, three, three, HEAD5, ""},
		{"tail torn", pair(one, torn), one, nil, one, "", HEAD5},
		{"both torn", pair(torn, torn), nil, nil, nil, HEAD5, TAIL1},
		{"a tail that is longer", pair(one, three), one, nil, one, "", HEAD1},
		{"a tail that is shorter", pair(three, one), three, nil, three, "", HEAD1},
		{"a reserved value in the head, a tail that is longer", pair(repaired(one, set(20, 1)), three), nil, nil, nil, HEAD8, HEAD1},
		{"a larger detached head in the place of the head", pair(large, one), nil, one, one, HEAD16, ""},
		{"a larger detached head in the place of the tail", pair(one, large), one, nil, one, "", HEAD1},
		{"a tail that says to be longer", pair(one, repaired(one, set(102, 0, 2))), one, nil, one, "", HEAD16},
		{"both of version 1", pair(repaired(one, set(10, 1)), repaired(one, set(10, 1))), nil, nil, nil, HEAD2, HEAD2},
		{"a version bit in the head", pair(damaged, one), nil, one, one, HEAD5, ""},
		{"head only", bytes.NewReader(one), one, nil, one, "", FILE1},
		{"head and part of a tail", bytes.NewReader(slices.Concat(one, one[:4095])), one, nil, one, "", FILE1},
		{"head and tail and nothing between", bytes.NewReader(slices.Concat(one, one)), one, one, one, "", ""},
		{"tail only, preceded by a byte", bytes.NewReader(slices.Concat([]byte{0}, one)), nil, one, one, HEAD1, ""},
		{"half a head", bytes.NewReader(one[:2048]), nil, nil, nil, HEAD4, TAIL1},
		{"empty", bytes.NewReader(nil), nil, nil, nil, HEAD4, TAIL1},
		{"foreign", pair([]byte("foreign"), []byte("foreign")), nil, nil, nil, HEAD1, TAIL1},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := c.src.Size()
			got := ReadCopies(c.src, size)
			wantCopy(t, "head", got.Head, got.HeadErr, c.head, 0, c.headClause)
			wantCopy(t, "tail", got.Tail, got.TailErr, c.tail, size-int64(len(c.tail)), c.tailClause)
			var first []byte
			usable := got.Usable()
			if len(usable) > 0 {
				first = usable[0].Raw
			}
			if !bytes.Equal(first, c.first) {
				t.Error("the wrong copy is the first")
			}
			for _, u := range usable {
				if u != got.Head && u != got.Tail {
					t.Error("a usable copy is neither head nor tail")
				}
			}
		})
	}
}

func wantCopy(t *testing.T, name string, got *Copy, err error, raw []byte, offset int64, c Clause) {
	t.Helper()
	switch {
	case raw == nil && got != nil:
		t.Errorf("%s: usable", name)
	case raw == nil:
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Clause != c {
			t.Errorf("%s: %v, want %s", name, err, c)
		}
	case got == nil:
		t.Errorf("%s: %v", name, err)
	case err != nil || got.Offset != offset || !bytes.Equal(got.Raw, raw) || !bytes.Equal(encode(t, got.Head), raw):
		t.Errorf("%s: another copy at %d, %v", name, got.Offset, err)
	}
}

// What is wrong inside a slot keeps saying in which, wherever the copy stands.
func TestReadCopiesOffsets(t *testing.T) {
	good := encode(t, sampleHead(1, Slot{Type: unregistered}, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}))
	bad := repaired(good, set(126, 0, 111))
	_, parsed := ParseHead(bad)
	c := ReadCopies(pair(bad, bad), pairPayload+2*4096)
	wantError(t, c.HeadErr, KEK1, ErrMalformed, 144)
	if c.HeadErr.Error() != parsed.Error() {
		t.Errorf("the head's error is %q, from ParseHead %q", c.HeadErr, parsed)
	}
	c = ReadCopies(pair(good, bad), pairPayload+2*4096)
	wantError(t, c.TailErr, KEK1, ErrMalformed, 4096+pairPayload+144)
}

// An I/O error is said to be one: a copy that could not be read is not damaged.
func TestReadCopiesIOErrors(t *testing.T) {
	good := encode(t, sampleHead(1, Slot{Type: unregistered}))
	torn := slices.Clone(good)
	clear(torn[100:])
	broken := errors.New("the disk is on fire")

	for _, src := range []*bytes.Reader{pair(good, good), pair(torn, good), pair(torn, torn)} {
		count := &faultyAt{ReaderAt: src, n: -1}
		ReadCopies(count, src.Size())
		for n := range count.calls {
			f := &faultyAt{ReaderAt: src, n: n, err: broken}
			c := ReadCopies(f, src.Size())
			if (c.Head == nil) != (c.HeadErr != nil) || (c.Tail == nil) != (c.TailErr != nil) {
				t.Errorf("call %d of %d: %+v", n, count.calls, c)
			}
			if c.Head != nil && c.Tail != nil {
				continue // what could not be read was not needed
			}
			if !errors.Is(c.HeadErr, broken) && !errors.Is(c.TailErr, broken) {
				t.Errorf("call %d of %d: head: %v; tail: %v", n, count.calls, c.HeadErr, c.TailErr)
			}
		}
	}
}

// A source may end before the size that it was said to have, and says so in
// either of the ways that io.ReaderAt allows.
func TestReadCopiesShorterSource(t *testing.T) {
	good := encode(t, sampleHead(1, Slot{Type: unregistered}))
	src := container(good, pairPayload, good)
	for _, n := range []int{0, 1, 63, 64, 4095, 4096, 4097, len(src) - 1} {
		c := ReadCopies(bytes.NewReader(src[:n]), int64(len(src)))
		if c.Tail != nil || (c.Head != nil) != (n >= 4096) {
			t.Errorf("%d bytes of %d: head %v, tail %v", n, len(src), c.HeadErr, c.TailErr)
		}
	}
}

// No size that a caller passes makes it panic, or allocate by it.
func TestReadCopiesImpossibleSize(t *testing.T) {
	for _, size := range []int64{-1 << 63, -1, 0, 1, 1 << 62, 1<<63 - 1} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("size %d: panic: %v", size, p)
				}
			}()
			if c := ReadCopies(emptyAt{}, size); c.Head != nil || c.Tail != nil || c.HeadErr == nil || c.TailErr == nil {
				t.Errorf("size %d: %+v", size, c)
			}
		}()
	}
}

type emptyAt struct{}

func (emptyAt) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
