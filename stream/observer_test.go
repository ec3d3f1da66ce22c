package stream_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// A watcher keeps what an observer sees.
type watcher struct {
	mu     sync.Mutex
	head   []byte
	chunks map[int64][]byte
	fails  int64 // at this chunk; 0 for never
}

var errWatcher = errors.New("the observer failed")

func (w *watcher) Head(head []byte) { w.head = bytes.Clone(head) }

func (w *watcher) Sealed(first int64, chunks []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := first; len(chunks) > 0; i++ {
		if w.fails > 0 && i == w.fails {
			return errWatcher
		}
		if w.chunks[i] != nil {
			return errors.New("a chunk came twice")
		}
		n := min(format.SealedChunkSize, len(chunks))
		w.chunks[i], chunks = bytes.Clone(chunks[:n]), chunks[n:]
	}
	return nil
}

// An observer sees the head, and each chunk once, as they stand in the container. Its error
// is the Writer's, and the container is not whole.
func TestObserver(t *testing.T) {
	for _, size := range []int{0, 1, format.ChunkSize, 4*format.ChunkSize - 1, 4 * format.ChunkSize, 33*format.ChunkSize + 5} {
		for _, workers := range []int{1, 2, 5} {
			for _, level := range []int{0, 1} {
				w := &watcher{chunks: make(map[int64][]byte)}
				c := encrypt(t, plaintext(size), new(vault), stream.WriterOptions{Workers: workers, Level: level, Observer: w, Entropy: osMixer()})
				payload := c[len(w.head) : len(c)-len(w.head)]
				if !bytes.HasPrefix(c, w.head) || len(w.head) == 0 {
					t.Fatalf("%d bytes: the head is another", size)
				}
				var seen []byte
				for i := range int64(len(w.chunks)) {
					seen = append(seen, w.chunks[i]...)
				}
				if !bytes.Equal(seen, payload) {
					t.Fatalf("%d bytes, %d workers: %d of %d bytes of chunks are the container's", size, workers, len(seen), len(payload))
				}
			}
		}
	}
	for _, workers := range []int{1, 3} {
		var dst bytes.Buffer
		w := &watcher{chunks: make(map[int64][]byte), fails: 8}
		sw, err := stream.NewWriter(t.Context(), &dst, to(new(vault)), &stream.WriterOptions{Workers: workers, Observer: w, Entropy: osMixer()})
		if err != nil {
			t.Fatal(err)
		}
		sw.Write(plaintext(30 * format.ChunkSize))
		if err := sw.Close(); !errors.Is(err, errWatcher) {
			t.Errorf("%d workers: %v", workers, err)
		}
		if n := dst.Len() - len(w.head); n > 8*format.SealedChunkSize {
			t.Errorf("%d workers: %d bytes after the error", workers, n)
		}
	}
}
