package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
)

// A section writes ranges of what is in memory.
type section struct{ io.ReaderAt }

func (s section) WriteRange(_ context.Context, w io.Writer, offset, length int64) (int64, error) {
	return io.Copy(w, io.NewSectionReader(s, offset, length))
}

// TestContentRanges writes every range of a member that lies in the archive as it
// is, and of one that is compressed: forwards and backwards.
func TestContentRanges(t *testing.T) {
	t.Parallel()
	data := []byte("all that is in it")
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	for name, method := range map[string]uint16{"stored": zip.Store, "deflated": zip.Deflate} {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		m.Write(data)
	}
	w.Close()
	src := bytes.NewReader(file.Bytes())
	a, err := Open(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range a.Members() {
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.Content(m, section{src}, new(atomic.Int64))
		if err != nil {
			t.Fatal(err)
		}
		for offset := len(data); offset >= 0; offset-- {
			for length := range len(data) - offset + 1 {
				var got bytes.Buffer
				n, err := c.WriteRange(t.Context(), &got, int64(offset), int64(length))
				if want := data[offset : offset+length]; err != nil || int(n) != length || !bytes.Equal(got.Bytes(), want) {
					t.Fatalf("%s, %d+%d: %d bytes, %q and %v", m.Name, offset, length, n, got.Bytes(), err)
				}
			}
		}
	}
}

// TestContentEnds: a source that is shorter than the archive says, and a context
// that ends.
func TestContentEnds(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("x"), 1000)
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	m, _ := w.CreateHeader(&zip.FileHeader{Name: "x", Method: zip.Store})
	m.Write(data)
	w.Close()
	a, err := Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	x, err := a.Find("x", true)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Content(x, section{bytes.NewReader(file.Bytes()[:500])}, new(atomic.Int64))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteRange(t.Context(), io.Discard, 0, 999); !errors.Is(err, ErrDamaged) {
		t.Errorf("a source that ends: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := c.WriteRange(ctx, io.Discard, 0, 1000); !errors.Is(err, cause) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// A source that fails once, while a compressed member is opened again to be read from its
// beginning, can be read on afterwards.
func TestReopenFails(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("all that is in it"), 1<<18)
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	m, err := w.Create("deflated")
	if err != nil {
		t.Fatal(err)
	}
	m.Write(data)
	w.Close()
	src := &failing{ReaderAt: bytes.NewReader(file.Bytes())}
	a, err := Open(src, int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.OpenAt("deflated")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{3 << 20, 0, len(data) - 100, 0} {
		src.fails = at == 0 && !src.failed
		want, got := data[at:at+100], make([]byte, 100)
		n, err := r.ReadAt(got, int64(at))
		if failed := src.fails; failed {
			if src.failed = true; err == nil {
				t.Errorf("byte %d: %d bytes of a source that fails", at, n)
			}
		} else if err != nil || !bytes.Equal(got, want) {
			t.Errorf("byte %d: %q, %v", at, got[:n], err)
		}
	}
}

// A failing source fails while it is told to.
type failing struct {
	io.ReaderAt
	fails, failed bool
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if f.fails {
		return 0, errors.New("no such luck")
	}
	return f.ReaderAt.ReadAt(p, off)
}
