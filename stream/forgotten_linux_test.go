package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// A hider is a recipient and an identity that keeps its CEK only under a mask, so that
// whoever finds the CEK in this process has not found the test's own copy.
type hider struct{ masked []byte }

func (h *hider) Type() format.SlotType          { return slotVault }
func (h *hider) Canonical() string              { return "hider" }
func (h *hider) BodySize() int                  { return 1 }
func (h *hider) Accepts(t format.SlotType) bool { return t == slotVault }

func mask(b []byte) []byte {
	for i := range b {
		b[i] ^= 0xa5
	}
	return b
}

func (h *hider) Wrap(_ context.Context, _ *entropy.Mixer, _ *format.Preamble, cek []byte) ([]byte, error) {
	mask(cek)
	h.masked = bytes.Clone(cek)
	mask(cek)
	return []byte{0}, nil
}

func (h *hider) Unwrap(context.Context, *format.Slot, *format.Preamble) ([]byte, error) {
	return mask(bytes.Clone(h.masked)), nil
}

// copiesOf counts where this process's memory holds what b is under the mask.
func copiesOf(t *testing.T, masked []byte) (places []string) {
	t.Helper()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	start := slices.IndexFunc(masked, func(c byte) bool { return c != 0xa5 }) // not a zero, of which there are many
	first, want := masked[start]^0xa5, binary.LittleEndian.Uint64(masked[start:])
	buf := make([]byte, 1<<20)
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		line := lines.Text()
		var from, to int64
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n != 3 || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += int64(len(buf)) - 7 {
			n, _ := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
			for i := 0; ; i++ {
				k := bytes.IndexByte(buf[i:max(i, n-7)], first)
				if k < 0 {
					break
				}
				if i += k; binary.LittleEndian.Uint64(buf[i:])^0xa5a5a5a5a5a5a5a5 == want {
					places = append(places, fmt.Sprintf("%#x in %s", at+int64(i), line))
				}
			}
		}
	}
	clear(buf)
	return places
}

// TestForgotten looks for the CEK of a container in the memory of this process after
// everything that had it was closed: there is no copy left, neither in a buffer of ours nor
// in what the standard library threw away.
func TestForgotten(t *testing.T) {
	h, m := &hider{}, entropy.Default()
	id, err := keyslot.GenerateIdentity(m)
	if err != nil {
		t.Fatal(err)
	}
	kek, err := keyslot.GenerateKEK(m)
	if err != nil {
		t.Fatal(err)
	}
	var closed []any // none of it is collected
	check := func(after string, c io.Closer) {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		closed = append(closed, c)
		for range 2 {
			runtime.GC()
		}
		if found := copiesOf(t, h.masked); len(found) > 0 {
			t.Errorf("after %s was closed the CEK is at %v", after, found)
		}
	}
	var container bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &container, []stream.Recipient{h, kek, id.Recipient()}, &stream.WriterOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plaintext(300_000)); err != nil {
		t.Fatal(err)
	}
	check("the Writer", w)
	src := bytes.NewReader(container.Bytes())
	for _, identity := range []stream.Identity{h, kek, id} {
		r, err := stream.NewReader(t.Context(), bytes.NewReader(container.Bytes()), with(identity), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("the Reader of %T", identity), r)
		at, err := stream.NewReaderAt(t.Context(), src, src.Size(), with(identity), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := at.ReadAt(make([]byte, 1000), 100_000); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("the ReaderAt of %T", identity), at)
		e, err := stream.EditHead(t.Context(), src, src.Size(), with(identity), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(copiesOf(t, h.masked)) == 0 {
			t.Error("the search does not find what is there")
		}
		if err := e.Apply(t.Context(), &stream.Edit{Add: to(kek)}); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("the HeadEditor of %T", identity), e)
	}
	runtime.KeepAlive(closed)
}
