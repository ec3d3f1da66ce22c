package stream_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// What Verify says of all of a container is what it says of the ends, and holders of grants of the
// segments of theirs: of frames, too, that do not decompress, wherever they lie.
func TestVerifyInParts(t *testing.T) {
	plain := make([]byte, 27<<20)
	rand.NewChaCha8([32]byte{1}).Read(plain)
	for _, c := range []struct {
		name   string
		spoilt []int // places in the compressed stream
		level  int
	}{
		{"plain", nil, 0}, {"nothing", nil, 1}, {"the first frame", []int{1000}, 1}, {"a frame in two segments", []int{8<<20 - 5000}, 1},
		{"its other half", []int{8<<20 + 5000}, 1}, {"in a later segment", []int{20 << 20}, 1}, {"after the last segment", []int{26 << 20}, 1},
		{"several", []int{26 << 20, 11 << 20, 19 << 20}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, holder, at := new(vault), new(vault), 0
			var dst bytes.Buffer
			w := newWriter(t, &dst, v, stream.WriterOptions{Level: c.level})
			if c.level > 0 {
				w.Between(func(codec io.Writer) io.Writer {
					return writerFunc(func(p []byte) (int, error) {
						p = bytes.Clone(p)
						for _, place := range c.spoilt {
							if i := place - at; i >= 0 && i < len(p) {
								p[i] ^= 1
							}
						}
						at += len(p)
						return codec.Write(p)
					})
				})
			}
			w.Write(plain)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			container := dst.Bytes()
			whole, err := stream.Verify(t.Context(), bytes.NewReader(container), int64(len(container)), with(v), nil)
			if err != nil || len(whole.Findings) != min(1, len(c.spoilt)) {
				t.Fatalf("%+v, %v", whole, err)
			}
			ends, err := stream.Verify(t.Context(), bytes.NewReader(container), int64(len(container)), with(v), &stream.VerifyOptions{Ends: true})
			if err != nil {
				t.Fatal(err)
			}
			r := openAt(t, container, v, format.RoleFile)
			if r.Segments() != 3 {
				t.Errorf("%d segments", r.Segments())
			}
			var found []format.Finding
			authentic := ends.Authentic
			for i := range r.Segments() {
				if !r.Cuts(i) {
					t.Errorf("no grant begins at segment %d", i)
				}
				g, err := openGrant(grant(t, r, holder, r.SegmentRange(i, i+1)), container, holder)
				if err != nil {
					t.Fatal(err)
				}
				all, err := g.Verify(t.Context())
				if err != nil || len(all) != 1 || all[0].Authentic != format.SegmentChunks || all[0].Failed > 0 || !all[0].Sound(format.SegmentChunks) {
					t.Fatalf("segment %d: %+v, %v", i, all, err)
				}
				authentic += all[0].Authentic
				if all[0].Frame != nil {
					found = append(found, *all[0].Frame)
				}
				g.Close()
			}
			found = append(found, ends.Findings...)
			if authentic != whole.Authentic || !slices.Equal(found[:min(1, len(found))], whole.Findings) {
				t.Errorf("%d chunks, %v; want %d, %v", authentic, found, whole.Authentic, whole.Findings)
			}
		})
	}
}

// No grant begins in a frame of which a chunk is damaged, and Verify of the ends has that in them.
func TestCutsAtDamage(t *testing.T) {
	plain := make([]byte, 27<<20)
	rand.NewChaCha8([32]byte{1}).Read(plain)
	v := new(vault)
	container := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
	l, err := format.NewLayout(int64(len(container)), headSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		segment, chunk, segments int64
	}{{1, 128, 3}, {1, 127, 3}, {2, 256, 3}, {3, 383, 2}, {3, 384, 2}} {
		off, _ := l.Chunk(c.chunk)
		spoilt := flipped(container, int(off)+7, 0)
		r := openAt(t, spoilt, v, format.RoleFile)
		if r.Cuts(c.segment) || r.Segments() != c.segments {
			t.Errorf("chunk %d: %v, %d segments", c.chunk, r.Cuts(c.segment), r.Segments())
		}
		ends, err := stream.Verify(t.Context(), bytes.NewReader(spoilt), int64(len(spoilt)), with(v), &stream.VerifyOptions{Ends: true})
		if err != nil || ends.Authentic+ends.Failed != l.Chunks-c.segments*format.SegmentChunks || ends.Failed > 0 != (c.chunk >= c.segments*format.SegmentChunks) {
			t.Errorf("chunk %d: %d and %d, %v", c.chunk, ends.Authentic, ends.Failed, err)
		}
	}
}

// What is found is bounded by what failed.
func TestCheckedSound(t *testing.T) {
	good := stream.Checked{HeadSize: 4096, Authentic: 100, Failed: 28, Findings: []format.Finding{{Clause: format.CHUNK1, Offset: 4096, Length: 28 * format.SealedChunkSize}}}
	if !good.Sound(128) {
		t.Error("what is sound is refused")
	}
	for i, spoil := range []func(c *stream.Checked){
		func(c *stream.Checked) { c.Authentic++ }, func(c *stream.Checked) { c.Authentic = -1 }, func(c *stream.Checked) { c.Failed = -1 }, func(c *stream.Checked) { c.Failed-- },
		func(c *stream.Checked) { c.Failed = 1 << 62; c.Authentic = 1 << 62 }, func(c *stream.Checked) { c.HeadSize = 0 }, func(c *stream.Checked) { c.HeadSize = 1 << 40 },
		func(c *stream.Checked) { c.Findings[0].Length = 0 }, func(c *stream.Checked) { c.Findings[0].Length = -1 }, func(c *stream.Checked) { c.Findings[0].Length = 1 << 62 },
		func(c *stream.Checked) { c.Findings[0].Offset = 4095 }, func(c *stream.Checked) { c.Findings[0].Offset = 1<<63 - 1 }, func(c *stream.Checked) { c.Findings[0].Clause = format.HEAD5 },
		func(c *stream.Checked) { c.Findings = append(c.Findings, c.Findings[0]) }, func(c *stream.Checked) { c.Findings = make([]format.Finding, 1001) },
	} {
		c := good
		c.Findings = slices.Clone(good.Findings)
		if spoil(&c); c.Sound(128) {
			t.Errorf("%d: %+v is taken", i, c)
		}
	}
}
