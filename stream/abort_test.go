package stream_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// What a Writer gets by io.Copy from a reader that fails is not finished: io.Copy
// lets the source write, so that the Writer does not see the failure itself.
func TestCopyFromFailingReader(t *testing.T) {
	v := new(vault)
	for _, level := range []int{0, 1} {
		whole := encrypt(t, plaintext(1<<20), v, stream.WriterOptions{Level: level})
		half := whole[:len(whole)/2]
		bad := flipped(whole, headSize+100, 0)
		for name, c := range map[string]struct {
			b    []byte
			want error
		}{"half": {half, format.ErrTruncated}, "damaged": {bad, format.ErrDamaged}} {
			var dst bytes.Buffer
			w := newWriter(t, &dst, v, stream.WriterOptions{})
			r, err := stream.NewReader(t.Context(), bytes.NewReader(c.b), with(v), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(w, r); !errors.Is(err, c.want) {
				t.Errorf("level %d, %s: io.Copy: %v", level, name, err)
			}
			if err := w.Close(); !errors.Is(err, c.want) {
				t.Errorf("level %d, %s: Close: %v", level, name, err)
			}
			r.Close()
			if got := ways[0].read(dst.Bytes(), v, stream.ReaderOptions{}); got.err == nil {
				t.Errorf("level %d, %s: it opens as whole, with %d bytes", level, name, len(got.plain))
			}
		}
	}
	// At random: a part that is missing, a chunk that is bad, a Reader that is closed.
	b := encrypt(t, plaintext(1<<20), v, stream.WriterOptions{})
	for name, c := range map[string]struct {
		b     []byte
		close bool
	}{"cut": {b[:len(b)/2], false}, "damaged": {flipped(b, headSize+100, 0), false}, "closed": {b, true}} {
		var dst bytes.Buffer
		w := newWriter(t, &dst, v, stream.WriterOptions{})
		r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(c.b), int64(len(c.b)), with(v), &stream.ReaderAtOptions{AllowTruncated: true})
		if err != nil {
			t.Fatal(err)
		}
		if c.close {
			r.Close()
		}
		_, err = r.WriteTo(w)
		if cerr := w.Close(); err == nil || !errors.Is(cerr, err) {
			t.Errorf("ReaderAt, %s: WriteTo: %v; Close: %v", name, err, cerr)
		}
		r.Close()
	}
}

// abortable notes whether it was aborted.
type abortable struct {
	io.Writer
	aborted error
}

func (a *abortable) Abort(err error) { a.aborted = err }

// A destination that failed itself, or got everything, is not aborted.
func TestCopyAbortsOnlyForItsOwnFailure(t *testing.T) {
	v := new(vault)
	b := encrypt(t, plaintext(3*batch), v, stream.WriterOptions{})
	for _, fails := range []bool{false, true} {
		r, err := stream.NewReader(t.Context(), bytes.NewReader(b), with(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		dst := &abortable{Writer: io.Discard}
		if fails {
			dst.Writer = writerFunc(func([]byte) (int, error) { return 0, errBroken })
		}
		if _, err := io.Copy(dst, r); (err != nil) != fails || dst.aborted != nil {
			t.Errorf("%v, aborted with %v", err, dst.aborted)
		}
		r.Close()
	}
}
