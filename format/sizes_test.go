package format

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// bruteLayout walks a container as the specification describes one: full chunks
// as long as more than a last one remains (FILE-1, FILE-2).
func bruteLayout(size, head int64) (l Layout, ok bool) {
	rest := size - 2*head
	for rest >= SealedChunkSize+TagSize {
		rest -= SealedChunkSize
		l.Chunks++
		l.PlainSize += ChunkSize
	}
	if rest < TagSize || rest >= SealedChunkSize {
		return l, false
	}
	return Layout{size, head, l.Chunks + 1, l.PlainSize + rest - TagSize}, true
}

// interestingSizes has every payload size around the edges of 0 to 130 chunks.
func interestingSizes() (payload []int64) {
	for _, chunks := range []int64{0, 1, 2, 3, 4, 5, 127, 128, 129} {
		for d := int64(-40); d <= 40; d++ {
			payload = append(payload, chunks*SealedChunkSize+d)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		payload = append(payload, r.Int64N(200*SealedChunkSize))
	}
	return payload
}

func TestLayoutAgainstBruteForce(t *testing.T) {
	for _, head := range []int64{PageSize, 2 * PageSize, MaxHeadSize} {
		for _, payload := range interestingSizes() {
			size := payload + 2*head
			want, ok := bruteLayout(size, head)
			got, err := NewLayout(size, head)
			switch {
			case ok != (err == nil):
				t.Fatalf("NewLayout(%d, %d): %v", size, head, err)
			case ok && got != want:
				t.Fatalf("NewLayout(%d, %d) is %+v, want %+v", size, head, got, want)
			case ok:
				checkChunks(t, got)
			case payload < TagSize:
				wantError(t, err, FILE1, ErrTruncated, size)
			default:
				wantError(t, err, FILE2, ErrMalformed, size-head-payload%SealedChunkSize)
			}
		}
	}
}

// checkChunks checks that the chunks of l stand one behind the other from the
// head to the tail, each of a length that FILE-2 allows.
func checkChunks(t *testing.T, l Layout) {
	t.Helper()
	next, plain := l.HeadSize, int64(0)
	for i := range l.Chunks {
		offset, length := l.Chunk(i)
		last := i == l.Chunks-1
		if offset != next || offset != ChunkOffset(l.HeadSize, i) ||
			last && (length < TagSize || length >= SealedChunkSize) || !last && length != SealedChunkSize {
			t.Fatalf("%+v: chunk %d is %d bytes at %d", l, i, length, offset)
		}
		next += length
		plain += length - TagSize
	}
	if next != l.TailOffset() || next+l.HeadSize != l.Size || plain != l.PlainSize {
		t.Fatalf("%+v: the chunks end at %d with %d bytes of plaintext", l, next, plain)
	}
}

// ContainerSize is the inverse of PlainSize: every plaintext has one container
// size, and every size that can be a container's has one plaintext's.
func TestContainerSize(t *testing.T) {
	for _, head := range []int64{PageSize, MaxHeadSize} {
		for _, n := range interestingSizes() {
			if n < 0 {
				continue
			}
			l, err := NewLayout(ContainerSize(n, head), head)
			if err != nil || l.PlainSize != n {
				t.Fatalf("%d bytes make a container of %d, which holds %d: %v", n, ContainerSize(n, head), l.PlainSize, err)
			}
			if l, err := NewLayout(n, head); err == nil && ContainerSize(l.PlainSize, head) != n {
				t.Fatalf("a container of %d bytes holds %d, which make %d", n, l.PlainSize, ContainerSize(l.PlainSize, head))
			}
		}
	}
	if got := ContainerSize(0, PageSize); got != MinSize || MinSize != 8208 {
		t.Errorf("the smallest container has %d bytes, MinSize is %d", got, MinSize)
	}
}

func TestLayoutLimits(t *testing.T) {
	const most = MaxChunks*ChunkSize - 1 // the last chunk is short
	size := ContainerSize(most, MaxHeadSize)
	if size < 0 {
		t.Fatal("offsets of the longest container leave an int64")
	}
	l, err := NewLayout(size, MaxHeadSize)
	if err != nil || l.Chunks != MaxChunks || l.PlainSize != most {
		t.Errorf("the longest container: %+v, %v", l, err)
	}
	if off, n := l.Chunk(MaxChunks - 1); off+n != l.TailOffset() || n != SealedChunkSize-1 {
		t.Errorf("its last chunk is %d bytes at %d", n, off)
	}
	// One byte more, and an empty chunk 2^46 would follow.
	_, err = NewLayout(ContainerSize(most+1, MaxHeadSize), MaxHeadSize)
	wantError(t, err, FILE3, ErrUnsupported, MaxHeadSize)

	for _, size := range []int64{math.MaxInt64, math.MinInt64 + 2*MaxHeadSize, -1, 0, 1, PageSize, MinSize - 1} {
		if _, err := NewLayout(size, PageSize); err == nil {
			t.Errorf("a container of %d bytes is taken for one", size)
		} else if size < MinSize && !errors.Is(err, ErrTruncated) {
			t.Errorf("a container of %d bytes: %v", size, err)
		}
	}
}
