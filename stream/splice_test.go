package stream_test

import (
	"errors"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// What someone can do to a container with other containers, scissors and glue,
// but without its key.
func TestSplices(t *testing.T) {
	const chunks = format.SegmentChunks + 4
	v, plain := new(vault), plaintext((chunks-1)*chunk+500)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	whole := split(t, container)
	other := split(t, encrypt(t, plain, v, stream.WriterOptions{})) // the same plaintext, another key
	shorter := split(t, encrypt(t, plain[:2*chunk+500], v, stream.WriterOptions{}))

	// edit returns what remains of the whole when its chunks are changed.
	edit := func(change func(c [][]byte) [][]byte) []byte {
		p := whole
		p.chunks = change(slices.Clone(p.chunks))
		return p.join()
	}
	swap := func(i, j int) func([][]byte) [][]byte {
		return func(c [][]byte) [][]byte { c[i], c[j] = c[j], c[i]; return c }
	}
	replace := func(i int, with []byte) func([][]byte) [][]byte {
		return func(c [][]byte) [][]byte { c[i] = with; return c }
	}
	zeros := func(n int) []byte { return make([]byte, n) }

	for _, c := range []struct {
		name   string
		bad    []byte
		opens  int // chunks that are where they belong
		clause format.Clause
	}{
		{"two chunks swapped", edit(swap(1, 2)), 1, format.CHUNK1},
		{"first and second swapped", edit(swap(0, 1)), 0, format.CHUNK1},
		{"same place in two segments swapped", edit(swap(1, format.SegmentChunks+1)), 1, format.CHUNK1},
		{"across the edge of a segment", edit(swap(format.SegmentChunks-1, format.SegmentChunks)), format.SegmentChunks - 1, format.CHUNK1},
		{"dropped", edit(func(c [][]byte) [][]byte { return slices.Delete(c, 2, 3) }), 2, format.CHUNK1},
		{"first dropped", edit(func(c [][]byte) [][]byte { return c[1:] }), 0, format.CHUNK1},
		{"the last but one dropped", edit(func(c [][]byte) [][]byte { return slices.Delete(c, chunks-2, chunks-1) }), chunks - 2, format.CHUNK1},
		{"the last dropped", edit(func(c [][]byte) [][]byte { return c[:chunks-1] }), chunks - 2, format.FILE2},
		{"a segment dropped", edit(func(c [][]byte) [][]byte { return c[format.SegmentChunks:] }), 0, format.CHUNK1},
		{"all but the last dropped", edit(func(c [][]byte) [][]byte { return c[chunks-1:] }), 0, format.CHUNK1},
		{"repeated", edit(func(c [][]byte) [][]byte { return slices.Insert(c, 3, c[2]) }), 3, format.CHUNK1},
		{"the last repeated", edit(func(c [][]byte) [][]byte { return append(c, c[chunks-1]) }), chunks - 1, format.CHUNK1},
		{"one of another container", edit(replace(2, other.chunks[2])), 2, format.CHUNK1},
		{"the last of another container", edit(replace(chunks-1, other.chunks[chunks-1])), chunks - 1, format.CHUNK1},
		{"the last of a shorter container", edit(replace(chunks-1, shorter.chunks[2])), chunks - 1, format.CHUNK1},
		{"the payload of another container", parts{whole.head, other.chunks, whole.tail}.join(), 0, format.CHUNK1},
		{"the head and tail of another container", parts{other.head, whole.chunks, other.tail}.join(), 0, format.CHUNK1},
		{"zeros", edit(replace(1, zeros(format.SealedChunkSize))), 1, format.CHUNK1},
		{"the last made zeros", edit(replace(chunks-1, zeros(516))), chunks - 1, format.CHUNK1},
		{"the last emptied", edit(replace(chunks-1, zeros(format.TagSize))), chunks - 1, format.CHUNK1},
		{"the last lengthened", edit(replace(chunks-1, append(slices.Clone(whole.chunks[chunks-1]), 0))), chunks - 1, format.CHUNK1},
		{"the last shortened", edit(replace(chunks-1, whole.chunks[chunks-1][:515])), chunks - 1, format.CHUNK1},
		{"one shortened", edit(replace(1, whole.chunks[1][:format.SealedChunkSize-1])), 1, format.CHUNK1},
		{"the last again behind the tail", slices.Concat(container, whole.chunks[chunks-1]), chunks - 1, format.FILE4},
		{"the tail twice", slices.Concat(container, whole.tail), chunks - 1, format.FILE4},
		{"a byte behind the tail", append(slices.Clone(container), 0), chunks - 1, format.FILE4},
		{"a chunk's length behind the tail", slices.Concat(container, zeros(format.SealedChunkSize)), chunks - 1, format.FILE4},
		{"two containers", slices.Concat(container, container), chunks - 1, format.FILE4},
		{"another container behind", slices.Concat(container, other.join()), chunks - 1, format.FILE4},
		{"no tail", slices.Concat(whole.head, slices.Concat(whole.chunks...)), chunks - 2, format.FILE1},
		{"no last chunk and no tail", slices.Concat(whole.head, slices.Concat(whole.chunks[:chunks-1]...)), chunks - 2, format.FILE1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			kind := map[format.Clause]error{format.CHUNK1: format.ErrDamaged, format.FILE1: format.ErrTruncated,
				format.FILE2: format.ErrMalformed, format.FILE4: format.ErrMalformed}[c.clause]
			wantFault(t, c.bad, plain, v, []way{ways[0]}, kind, c.clause)
			got := ways[0].read(c.bad, v, stream.ReaderOptions{Workers: 2})
			if len(got.plain) != c.opens*chunk {
				t.Errorf("Reader: %d bytes before the fault, not %d chunks; %v", len(got.plain), c.opens, got.err)
			}
			if e := (*stream.ChunkError)(nil); errors.As(got.err, &e) && e.Index != int64(c.opens) {
				t.Errorf("Reader: %v, not chunk %d", got.err, c.opens)
			}
			// A ReaderAt looks at the last chunk first, which may be good.
			for _, w := range []way{ways[1], ways[3]} {
				got := w.read(c.bad, v, stream.ReaderOptions{Workers: 2})
				if n := len(got.plain); got.err == nil || n != 0 && n != c.opens*chunk || clauseOf(got.err) == "" {
					t.Errorf("%s: %d bytes, %v", w.name, n, got.err)
				}
			}
		})
	}
}

// What only someone with the key can do, and must not be taken either: chunks
// that are authentic each, in a container that is not one.
func TestForgedByAnInsider(t *testing.T) {
	v, plain := new(vault), plaintext(3*chunk+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	whole := split(t, container)
	keys := newBareKeys(v.ceks[0], container)
	sealed := func(i, n int, final bool) []byte {
		return keys.aead(i, final).Seal(nil, bareNonce(i), plain[i*chunk:][:n], nil)
	}
	full := func(i int) []byte { return whole.chunks[i] }

	for _, c := range []struct {
		name   string
		chunks [][]byte
		clause format.Clause
	}{
		{"a full last chunk", [][]byte{full(0), sealed(1, chunk, true)}, format.FILE2},
		{"the only chunk full", [][]byte{sealed(0, chunk, true)}, format.FILE2},
		{"the last not final", [][]byte{full(0), sealed(1, 100, false)}, format.CHUNK1},
		{"the only chunk not final", [][]byte{sealed(0, 100, false)}, format.CHUNK1},
		{"an empty chunk, not final", [][]byte{full(0), sealed(1, 0, false)}, format.CHUNK1},
		{"a short chunk amidst", [][]byte{sealed(0, 100, false), full(1), full(2), full(3)}, format.CHUNK1},
		{"a final chunk amidst", [][]byte{full(0), sealed(1, 100, true), full(2), full(3)}, format.CHUNK1},
		{"a full final chunk amidst", [][]byte{full(0), sealed(1, chunk, true), full(2), full(3)}, format.CHUNK1},
		{"two final chunks", [][]byte{full(0), sealed(1, 100, true), sealed(2, 100, true)}, format.CHUNK1},
		{"an index skipped", [][]byte{full(0), full(2), full(3)}, format.CHUNK1},
		{"no chunk", nil, format.FILE1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := parts{whole.head, c.chunks, whole.tail}.join()
			kind := map[format.Clause]error{format.CHUNK1: format.ErrDamaged, format.FILE1: format.ErrTruncated,
				format.FILE2: format.ErrMalformed}[c.clause]
			wantFault(t, bad, plain, v, ways, kind, c.clause)
		})
	}

	// The same tools do make a container that is one.
	good := parts{whole.head, [][]byte{full(0), sealed(1, 100, true)}, whole.tail}.join()
	wantPlain(t, good, plain[:chunk+100], v, stream.ReaderOptions{}, ways)
}
