package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Which copy of the head counts (READ-1, READ-2), and what is said about the
// other.
func TestWhichCopyCounts(t *testing.T) {
	mine, theirs := new(vault), new(vault)
	plain := plaintext(chunk + 100)
	container := encrypt(t, plain, mine, stream.WriterOptions{})
	keys := mine.keys(t, container)
	whole := split(t, container)
	gen := func(n uint32, slots ...format.Slot) []byte {
		return rewrappedHead(t, keys, whole.head, func(h *format.Head) {
			h.Generation = n
			if slots != nil {
				h.Slots = slots
			}
		})
	}
	// A slot for someone else, and one that is for nobody here.
	encrypt(t, nil, theirs, stream.WriterOptions{})
	theirSlot := parseHead(t, encrypt(t, nil, theirs, stream.WriterOptions{})).Slots[0]
	strange := format.Slot{Type: 0x7fff}

	torn := slices.Clone(whole.head)
	clear(torn[2000:])
	forged := forgedHead(t, whole.head, func(h *format.Head) { h.Generation = 9 })
	foreign := split(t, encrypt(t, nil, mine, stream.WriterOptions{})).head
	strangeVersion := withChecksum(func(b []byte) { b[10] = 9 }, whole.head)
	const H, T = 0, -1 // where a finding is: at the head, at the tail

	type found struct {
		clause format.Clause
		at     int
	}
	for _, c := range []struct {
		name       string
		head, tail []byte
		generation uint32        // of the copy that counts for who can seek; 0: none
		reader     uint32        // and for who reads from the front
		clause     format.Clause // of the error if there is none, for both
		found      []found       // by who can seek
		warned     format.Clause // what the Reader warns of at the end
	}{
		{"both good", gen(1), gen(1), 1, 1, "", nil, ""},
		{"both of generation 7", gen(7), gen(7), 7, 7, "", nil, ""},
		{"head torn", torn, gen(1), 1, 0, format.HEAD5, []found{{format.HEAD5, H}}, ""},
		{"tail torn", gen(1), torn, 1, 1, "", []found{{format.TAIL1, T}}, format.TAIL1},
		{"both torn", torn, torn, 0, 0, format.HEAD5, nil, ""},
		{"head stale", gen(1), gen(2), 2, 1, "", []found{{format.TAIL2, H}}, format.TAIL2},
		{"tail stale", gen(2), gen(1), 2, 2, "", []found{{format.TAIL2, T}}, format.TAIL2},
		{"highest generation there is", gen(1<<32 - 1), gen(1), 1<<32 - 1, 1<<32 - 1, "", []found{{format.TAIL2, T}}, format.TAIL2},
		{"same generation, other slots", gen(1), gen(1, whole.slot(t), strange), 1, 1, "", []found{{format.TAIL2, T}}, format.TAIL2},
		{"my key only in the stale head", gen(1), gen(2, theirSlot), 2, 1, "", []found{{format.TAIL2, H}}, format.TAIL2},
		{"my key only in the stale tail", gen(2, theirSlot), gen(1), 2, 0, format.SLOT3, []found{{format.TAIL2, T}}, ""},
		{"my key only in the tail", gen(1, theirSlot), gen(2), 2, 0, format.SLOT3, []found{{format.TAIL2, H}}, ""},
		{"my key in neither", gen(2, theirSlot), gen(1, strange), 0, 0, format.SLOT3, nil, ""},
		{"head forged", forged, gen(1), 0, 0, format.HEAD13, []found{{format.HEAD13, H}}, ""},
		{"tail forged", gen(1), forged, 0, 0, format.HEAD13, []found{{format.HEAD13, T}}, ""},
		{"both forged", forged, forged, 0, 0, format.HEAD13, nil, ""},
		{"tail forged, head torn", torn, forged, 0, 0, "", nil, ""},
		{"another container's tail", gen(1), foreign, 0, 0, format.COPY1, []found{{format.COPY1, T}}, ""},
		{"another container's tail, of no known version", gen(1), strangeVersion, 0, 0, format.COPY1, []found{{format.COPY1, T}}, ""},
		{"another container's head", foreign, gen(1), 0, 0, "", []found{{format.COPY1, T}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := parts{c.head, whole.chunks, c.tail}.join()
			at := map[int]int64{H: 0, T: int64(len(b) - headSize)}
			checkFound := func(who string, got []format.Finding, s format.Severity) {
				t.Helper()
				var want []format.Clause
				for _, f := range c.found {
					want = append(want, f.clause)
				}
				if !slices.Equal(clauses(got), want) {
					t.Fatalf("%s finds %v, want %v", who, got, want)
				}
				for i, f := range got {
					if f.Severity != s || f.Offset < at[c.found[i].at] || f.Offset >= at[c.found[i].at]+headSize {
						t.Errorf("%s: %v", who, f)
					}
				}
			}

			// Who can seek.
			r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(b), int64(len(b)), with(mine), nil)
			switch {
			case c.generation == 0:
				if err == nil || c.clause != "" && clauseOf(err) != c.clause {
					t.Errorf("ReaderAt: %v, want %s", err, c.clause)
				}
				if c.found != nil {
					rep, err := verify(t, b, mine)
					if err != nil || rep.Valid() {
						t.Errorf("Verify: valid %v: %v", rep.Valid(), err)
					}
					checkFound("Verify", rep.Findings, format.Violation)
				}
			case err != nil:
				t.Errorf("ReaderAt: %v", err)
			default:
				if got := r.Head().Generation; got != c.generation {
					t.Errorf("ReaderAt uses generation %d, not %d", got, c.generation)
				}
				var dst bytes.Buffer
				if _, err := r.WriteTo(&dst); err != nil || !bytes.Equal(dst.Bytes(), plain) {
					t.Errorf("ReaderAt: %v", err)
				}
				checkFound("ReaderAt", r.Warnings(), format.Warning)
				r.Close()

				rep, err := verify(t, b, mine)
				if err != nil || !rep.Keyed || rep.Generation != c.generation || rep.Valid() != (c.found == nil) {
					t.Errorf("Verify: keyed %v, generation %d, valid %v: %v", rep.Keyed, rep.Generation, rep.Valid(), err)
				}
				checkFound("Verify", rep.Findings, format.Violation)
			}

			// Who reads from the front.
			got := ways[0].read(b, mine, stream.ReaderOptions{})
			if c.reader == 0 {
				if got.err == nil || c.clause != "" && clauseOf(got.err) != c.clause {
					t.Errorf("Reader: %v, want %s", got.err, c.clause)
				}
				return
			}
			var warned format.Clause
			if len(got.warnings) > 0 {
				warned = got.warnings[0].Clause
			}
			if got.err != nil || !bytes.Equal(got.plain, plain) || warned != c.warned {
				t.Errorf("Reader: %v, warnings %v", got.err, got.warnings)
			}
		})
	}
}

// slot is the only slot of the container.
func (p parts) slot(t *testing.T) format.Slot { return parseHead(t, p.head).Slots[0] }

// A warning about copies of different generations names the older one.
func TestStaleIsTheOlder(t *testing.T) {
	v := new(vault)
	container := encrypt(t, nil, v, stream.WriterOptions{})
	whole := split(t, container)
	whole.tail = rewrappedHead(t, v.keys(t, container), whole.head, func(h *format.Head) { h.Generation = 2 })
	got := ways[0].read(whole.join(), v, stream.ReaderOptions{})
	if len(got.warnings) != 1 || bytes.HasPrefix([]byte(got.warnings[0].Message), []byte("the tail is")) {
		t.Errorf("with a stale head the Reader warns of %v", got.warnings)
	}
}

// A detached head is a copy like those in the container.
func TestDetachedHead(t *testing.T) {
	mine, theirs := new(vault), new(vault)
	plain := plaintext(1000)
	container := encrypt(t, plain, mine, stream.WriterOptions{})
	keys, whole := mine.keys(t, container), split(t, container)
	encrypt(t, nil, theirs, stream.WriterOptions{})
	theirSlot := parseHead(t, encrypt(t, nil, theirs, stream.WriterOptions{})).Slots[0]

	detached := rewrappedHead(t, keys, whole.head, func(h *format.Head) { h.Generation = 3 })
	noise := plaintext(headSize)
	locked := rewrappedHead(t, keys, whole.head, func(h *format.Head) { h.Slots[0] = theirSlot })
	foreign := split(t, encrypt(t, nil, mine, stream.WriterOptions{})).head
	forged := forgedHead(t, whole.head, func(h *format.Head) { h.Generation = 9 })
	newest := rewrappedHead(t, keys, whole.head, func(h *format.Head) { h.Generation = 4 })

	for _, c := range []struct {
		name       string
		head, tail []byte
		detached   []byte
		fails      format.Clause
	}{
		{"nothing wrong", whole.head, whole.tail, whole.head, ""},
		{"it is newer", whole.head, whole.tail, detached, ""},
		{"it is older", newest, newest, detached, ""},
		{"both copies are lost", noise, noise, detached, ""},
		{"the copies are zeros", make([]byte, headSize), make([]byte, headSize), detached, ""},
		{"it alone has the key", locked, locked, detached, ""},
		{"it does not have the key, the copies do", whole.head, whole.tail, locked, ""},
		{"it is forged, the copies are not", whole.head, whole.tail, forged, format.HEAD13},
		{"more than a head", whole.head, whole.tail, slices.Concat(detached, container), ""},
		{"it is another container's", noise, noise, foreign, format.FILE1},
		{"it is damaged", whole.head, whole.tail, noise, format.HEAD1},
		{"it is empty", whole.head, whole.tail, []byte{}, format.HEAD4},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := parts{c.head, whole.chunks, c.tail}.join()
			for _, w := range fewWays {
				got := w.read(b, mine, stream.ReaderOptions{Head: c.detached})
				if c.fails != "" {
					if got.err == nil || clauseOf(got.err) != c.fails || len(got.plain) > 0 {
						t.Errorf("%s: %v, want %s", w.name, got.err, c.fails)
					}
				} else if got.err != nil || !bytes.Equal(got.plain, plain) {
					t.Errorf("%s: %v", w.name, got.err)
				}
			}
			rep, err := stream.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), with(mine), &stream.VerifyOptions{Head: c.detached})
			switch {
			case c.fails == "" && (err != nil || !rep.Keyed || rep.Failed > 0):
				t.Errorf("Verify: %+v, %v", rep, err)
			case c.fails == format.FILE1 && (err != nil || rep.Failed == 0):
				t.Errorf("Verify: %+v, %v", rep, err)
			case c.fails != "" && c.fails != format.FILE1 && err == nil:
				t.Errorf("Verify of a good container with a head that is none: %v, no error", rep.Findings)
			}
		})
	}
}

// The head's length is the container's, whatever copy counts.
func TestHeadSizes(t *testing.T) {
	for _, reserve := range []int{0, 5, 50, format.MaxSlots} {
		t.Run(fmt.Sprintf("%d reserved", reserve), func(t *testing.T) {
			v, plain := new(vault), plaintext(batch+100)
			container := encrypt(t, plain, v, stream.WriterOptions{Reserve: reserve})
			h := parseHead(t, container)
			room := h.SlotsSize() + (2+reserve)*(20+1168) // HEAD-15
			if format.Room(h.Pages) < room && h.Pages < format.MaxPages || h.Pages > 1 && format.Room(h.Pages-1) >= room {
				t.Errorf("%d pages for %d bytes of slots", h.Pages, room)
			}
			wantPlain(t, container, plain, v, stream.ReaderOptions{}, ways)
			torn := slices.Clone(container)
			clear(torn[:h.HeadSize()])
			if got := ways[1].read(torn, v, stream.ReaderOptions{}); got.err != nil || !bytes.Equal(got.plain, plain) {
				t.Errorf("without head: %v", got.err)
			}
			cut := container[:len(container)-1]
			if got := ways[0].read(cut, v, stream.ReaderOptions{}); !errors.Is(got.err, format.ErrTruncated) {
				t.Errorf("without the last byte: %v", got.err)
			}
		})
	}
}
