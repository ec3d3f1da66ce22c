package stream_test

import (
	"bytes"
	"io"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// An announced source notes what it is told, and fails the test if anything else is read
// from then on.
type announced struct {
	*bytes.Reader
	from, to int64
	calls    int
}

func (a *announced) ReadAhead(off, n int64) {
	a.from, a.to = off, off+n
	a.calls++
}

// What a range takes of a container is announced before it is read, exactly.
func TestReadAhead(t *testing.T) {
	plain, v := plaintext(40*format.ChunkSize), new(vault)
	for _, level := range []int{0, 1} {
		sealed := encrypt(t, plain, v, stream.WriterOptions{Level: level})
		src := &announced{Reader: bytes.NewReader(sealed)}
		r, err := stream.NewReaderAt(t.Context(), src, int64(len(sealed)), with(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		src.calls = 0
		if _, err := r.WriteRange(t.Context(), io.Discard, 3*format.ChunkSize+1, 2*format.ChunkSize); err != nil {
			t.Fatal(err)
		}
		if src.calls != 1 {
			t.Errorf("level %d: announced %d times", level, src.calls)
		}
		head := int64(r.Head().HeadSize())
		from, to := format.ChunkOffset(head, 3), format.ChunkOffset(head, 6)
		if level == 0 && (src.from != from || src.to != to) {
			t.Errorf("announced %d to %d, want %d to %d", src.from, src.to, from, to)
		}
		if src.from < head || src.to > int64(len(sealed))-head {
			t.Errorf("level %d: announced %d to %d of %d bytes", level, src.from, src.to, len(sealed))
		}
	}
}
