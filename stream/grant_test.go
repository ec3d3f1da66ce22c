package stream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// A memTarget is a container in memory.
type memTarget []byte

func (m memTarget) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(m).ReadAt(p, off) }
func (m memTarget) Size() int64                             { return int64(len(m)) }

func openAt(t testing.TB, container []byte, id stream.Identity, role format.Role) *stream.ReaderAt {
	t.Helper()
	r, err := stream.NewReaderAt(context.Background(), memTarget(container), int64(len(container)), with(id), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 1, Role: role}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// grant makes a grant of ranges of the container that r is open on, for v.
func grant(t testing.TB, r *stream.ReaderAt, v *vault, ranges ...stream.Range) []byte {
	t.Helper()
	size, _ := r.Size()
	g := stream.NewGrant(0, size)
	defer g.Close()
	for _, x := range ranges {
		if err := g.Add(r, x.Offset, x.Length); err != nil {
			t.Fatalf("%v: %v", x, err)
		}
	}
	var b bytes.Buffer
	if err := g.Write(context.Background(), &b, to(v), &stream.WriterOptions{Entropy: osMixer()}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openGrant(grant, target []byte, id stream.Identity) (*stream.Granted, error) {
	return stream.OpenGrant(context.Background(), memTarget(grant), int64(len(grant)), with(id), func(format.Part) (stream.Target, error) { return memTarget(target), nil }, &stream.GrantOptions{Workers: 1})
}

// insideGrant is the plaintext of a grant.
func insideGrant(t testing.TB, grant []byte, id stream.Identity) []byte {
	t.Helper()
	r := openAt(t, grant, id, format.RoleGrant)
	n, _ := r.Size()
	b := make([]byte, n)
	if _, err := r.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// Wherever a range begins and ends around the edges of chunks, segments and the file, a
// grant gives every byte of it and none outside, and holds no key of a segment that is not
// wholly inside, no node, and no final key but that of the end, if it reaches that.
func TestGrantEdges(t *testing.T) {
	sizes := []int{1, 65535, 65536, segment - 1, segment, segment + 1, 2*segment + 65536, 3 * segment}
	if testing.Short() {
		sizes = []int{1, 65536, segment + 1}
	}
	for _, size := range sizes {
		plain := plaintext(size)
		v := new(vault)
		container := encrypt(t, plain, v, stream.WriterOptions{Workers: 1, Suite: format.Suite(1 + size%2)})
		r := openAt(t, container, v, format.RoleFile)
		keys := newBareKeys(v.ceks[0], container)
		holder := new(vault)
		var places []int
		for _, at := range []int{0, 65536, segment, 2 * segment, size} {
			for _, d := range []int{-1, 0, 1} {
				if p := at + d; p >= 0 && p <= size && !slices.Contains(places, p) {
					places = append(places, p)
				}
			}
		}
		for _, from := range places {
			for _, end := range places {
				if from >= end {
					continue
				}
				want := stream.Range{Offset: int64(from), Length: int64(end - from)}
				b := grant(t, r, holder, want)
				g, err := openGrant(b, container, holder)
				if err != nil {
					t.Fatalf("%d of %d to %d: %v", size, from, end, err)
				}
				if got := g.Ranges(); !slices.Equal(got, []stream.Range{want}) || g.Size() != int64(size) {
					t.Fatalf("%d of %d to %d: %v", size, from, end, got)
				}
				var dst bytes.Buffer
				if n, err := g.WriteRange(context.Background(), &dst, want.Offset, want.Length); err != nil || n != want.Length || !bytes.Equal(dst.Bytes(), plain[from:end]) {
					t.Fatalf("%d of %d to %d: %d bytes, %v", size, from, end, n, err)
				}
				p := make([]byte, min(end-from, 70000))
				for _, at := range []int{from, end - len(p)} {
					if n, err := g.ReadAt(p, int64(at)); n != len(p) || err != nil || !bytes.Equal(p, plain[at:at+n]) {
						t.Fatalf("%d of %d to %d: at %d: %d bytes, %v", size, from, end, at, n, err)
					}
				}
				for _, x := range [][2]int{{from - 1, 1}, {from - 1, 2}, {end, 1}, {end - 1, 2}} {
					if x[0] < 0 || x[0]+x[1] > size {
						continue
					}
					p := make([]byte, x[1])
					if n, err := g.ReadAt(p, int64(x[0])); n > 0 || !errors.As(err, new(*stream.NotGrantedError)) || bytes.Count(p, []byte{0}) < len(p) {
						t.Fatalf("%d of %d to %d: %d bytes outside, at %d: %v", size, from, end, n, x[0], err)
					}
				}
				g.Close()
				checkSecrets(t, insideGrant(t, b, holder), keys, size, from, end)
			}
		}
	}
}

// checkSecrets looks for every key of the container in a grant of a range.
func checkSecrets(t *testing.T, inside []byte, k bareKeys, size, from, end int) {
	t.Helper()
	has := func(secret []byte) bool { return bytes.Contains(inside, secret) }
	be := func(i int) string { return string(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	payload := expandBare(k.prk, "bulla/v2 payload", 64)
	two := expandBare(payload, "bulla/v2 node\x02"+be(0), 64)
	one := expandBare(two, "bulla/v2 node\x01"+be(0), 64)
	for _, secret := range [][]byte{k.prk, payload, two, one, k.expand("bulla/v2 head"), k.expand("bulla/v2 slot id")} {
		if has(secret) {
			t.Fatalf("%d of %d to %d: it has a secret above the segments", size, from, end)
		}
	}
	chunks := size/65536 + 1
	for s := 0; s*128 < chunks; s++ {
		whole := s*segment >= from && ((s+1)*segment <= end || end == size && s*128 < chunks-1)
		if has(expandBare(one, "bulla/v2 segment"+be(s), 32)) != whole {
			t.Fatalf("%d of %d to %d: segment %d: it has the key, or ought to: %v", size, from, end, s, !whole)
		}
	}
	keyed := end == size && (from+segment-1)/segment < (chunks-1+127)/128
	for i := range chunks + 1 {
		if want := keyed && i == chunks-1; has(k.expand("bulla/v2 final"+be(i))) != want {
			t.Fatalf("%d of %d to %d: final key %d: it has it, or ought to: %v", size, from, end, i, !want)
		}
	}
}

// Of a compressed file whole frames are granted.
func TestGrantFrames(t *testing.T) {
	const frame = 2 << 20
	rng := rand.New(rand.NewPCG(5, 6))
	plain := plaintext(13*frame + 999)
	for i := range plain[:5*frame] { // so that frames have different sizes
		plain[i] &= byte(i >> 19)
	}
	v, holder := new(vault), new(vault)
	container := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
	r := openAt(t, container, v, format.RoleFile)
	for range 30 {
		from := rng.IntN(len(plain))
		n := 1 + rng.IntN(len(plain)-from)
		b := grant(t, r, holder, stream.Range{Offset: int64(from), Length: int64(n)})
		g, err := openGrant(b, container, holder)
		if err != nil {
			t.Fatal(err)
		}
		first, end := from/frame*frame, min((from+n+frame-1)/frame*frame, len(plain))
		if got := g.Ranges(); !slices.Equal(got, []stream.Range{{Offset: int64(first), Length: int64(end - first)}}) {
			t.Fatalf("%d+%d: %v", from, n, got)
		}
		var dst bytes.Buffer
		if _, err := g.WriteRange(context.Background(), &dst, int64(first), int64(end-first)); err != nil || !bytes.Equal(dst.Bytes(), plain[first:end]) {
			t.Fatalf("%d+%d: %v", from, n, err)
		}
		p := make([]byte, min(n, 100))
		if _, err := g.ReadAt(p, int64(from)); err != nil || !bytes.Equal(p, plain[from:from+len(p)]) {
			t.Fatalf("%d+%d: %v", from, n, err)
		}
		if first > 0 {
			if _, err := g.ReadAt(p, int64(first-1)); !errors.As(err, new(*stream.NotGrantedError)) {
				t.Fatalf("%d+%d: outside: %v", from, n, err)
			}
		}
		g.Close()
		if _, err := g.ReadAt(p, int64(from)); err != stream.ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	}
}

// Several ranges in one grant; what it cannot have.
func TestGrantRanges(t *testing.T) {
	plain := plaintext(2*segment + 500)
	v, holder := new(vault), new(vault)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	r := openAt(t, container, v, format.RoleFile)
	b := grant(t, r, holder, stream.Range{Offset: 5, Length: 10}, stream.Range{Offset: 15, Length: 5}, stream.Range{Offset: segment - 3, Length: segment + 10})
	g, err := openGrant(b, container, holder)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Ranges(); !slices.Equal(got, []stream.Range{{Offset: 5, Length: 15}, {Offset: segment - 3, Length: segment + 10}}) {
		t.Errorf("%v", got)
	}
	p := make([]byte, 15)
	if n, err := g.ReadAt(p, 5); n != 15 || err != nil || !bytes.Equal(p, plain[5:20]) {
		t.Errorf("over two parts that touch: %d, %v", n, err)
	}
	if _, err := g.WriteTo(io.Discard); !errors.As(err, new(*stream.NotGrantedError)) {
		t.Errorf("all of it: %v", err)
	}
	if n, err := g.ReadAt(p, int64(len(plain))); n != 0 || !errors.As(err, new(*stream.NotGrantedError)) {
		t.Errorf("after an end that is not granted: %d, %v", n, err)
	}

	m := stream.NewGrant(0, int64(len(plain)))
	if err := m.Add(r, 100, 10); err != nil {
		t.Fatal(err)
	}
	for _, x := range []stream.Range{{Offset: 0, Length: 5}, {Offset: 200, Length: 0}, {Offset: 200, Length: -1}, {Offset: -1, Length: 5},
		{Offset: int64(len(plain)), Length: 1}, {Offset: 200, Length: int64(len(plain))}, {Offset: 200, Length: 1<<63 - 1}} {
		if err := m.Add(r, x.Offset, x.Length); err != stream.ErrGrantRange {
			t.Errorf("%v: %v", x, err)
		}
	}
	first := m.Secrets()
	if err := m.Add(r, 200, 1<<20); err != nil {
		t.Fatal(err)
	}
	if &first[0] == &m.Secrets()[0] || slices.ContainsFunc(first[:cap(first)], func(b byte) bool { return b != 0 }) {
		t.Error("secrets stay where a grant was before it grew")
	}
	m.Close()
	damaged := bytes.Clone(container)
	damaged[4096+20] ^= 1
	if err := stream.NewGrant(0, int64(len(plain))).Add(openAt(t, damaged, v, format.RoleFile), 100, 10); clauseOf(err) != format.CHUNK1 {
		t.Errorf("of a damaged chunk: %v", err)
	}
}

// A holder's container is compared with the grant, and its chunks are authenticated.
func TestGrantTarget(t *testing.T) {
	plain := plaintext(segment + 3*65536 + 7)
	v, holder := new(vault), new(vault)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	b := grant(t, openAt(t, container, v, format.RoleFile), holder, stream.Range{Offset: 0, Length: int64(len(plain))})
	other := encrypt(t, plain, v, stream.WriterOptions{})
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 1; return b } }
	for name, x := range map[string]struct {
		change func(b []byte) []byte
		want   format.Clause
	}{
		"the same":         {func(b []byte) []byte { return b }, ""},
		"another":          {func([]byte) []byte { return other }, format.GRANT11},
		"shorter":          {func(b []byte) []byte { return b[:len(b)-1] }, format.GRANT11},
		"longer":           {func(b []byte) []byte { return append(b, 0) }, format.GRANT11},
		"empty":            {func(b []byte) []byte { return nil }, format.GRANT11},
		"another head":     {func(b []byte) []byte { copy(b, other[:4096]); return b }, format.COPY1},
		"another tail":     {func(b []byte) []byte { copy(b[len(b)-4096:], other[:4096]); return b }, format.COPY1},
		"a damaged head":   {flip(70), ""},
		"another, damaged": {func(b []byte) []byte { copy(b, other[:4096]); b[len(b)-9] ^= 1; return b }, format.GRANT11},
		"two damaged":      {func(b []byte) []byte { b[70] ^= 1; b[len(b)-70] ^= 1; return b }, ""},
		"a chunk":          {flip(4096 + 5*65552), format.CHUNK1},
		"the last chunk":   {flip(len(container) - 4096 - 3), format.CHUNK1},
	} {
		g, err := openGrant(b, x.change(bytes.Clone(container)), holder)
		if err != nil {
			t.Fatal(err)
		}
		var dst bytes.Buffer
		_, err = g.WriteTo(&dst)
		if clauseOf(err) != x.want || (err == nil) != (x.want == "") || !bytes.HasPrefix(plain, dst.Bytes()) {
			t.Errorf("%s: %v, after %d bytes", name, err, dst.Len())
		}
		g.Close()
	}
	if _, err := openGrant(container, container, v); !errors.As(err, new(*stream.RoleError)) {
		t.Errorf("a file is no grant: %v", err)
	}
	if _, err := openGrant(b, container, v); !errors.As(err, new(*stream.NoKeyError)) {
		t.Errorf("the grant is for another: %v", err)
	}
}

// Whoever holds keys of a range up to any place cannot end the file there for the others:
// each of them seals the last chunk that they want under all keys that they have.
func TestGrantHolderCannotEndTheFile(t *testing.T) {
	plain := plaintext(segment + 5*65536 + 7)
	v, holder := new(vault), new(vault)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	r := openAt(t, container, v, format.RoleFile)
	k := newBareKeys(v.ceks[0], container)
	p := split(t, container)
	for _, reach := range []int64{segment, int64(len(plain))} { // whole segments, and the end with its final key
		inside := insideGrant(t, grant(t, r, holder, stream.Range{Length: reach}), holder)
		for chunk := range p.chunks[:len(p.chunks)-1] {
			if chunk > 3 && chunk < 126 {
				continue
			}
			keysHad := 0
			for _, final := range []bool{false, true} {
				for owner := range p.chunks {
					// The key that seals chunk "owner", if the holder has it: one for all of a
					// segment, but for the last.
					if !final && owner%format.SegmentChunks != 0 || !bytes.Contains(inside, secretOf(k, owner, final)) {
						continue
					}
					keysHad++
					nonce := append(binary.BigEndian.AppendUint64(nil, uint64(chunk)), 0, 0, 0, 0)
					last := k.aead(owner, final).Seal(nil, nonce, []byte("the end"), nil)
					short := parts{head: p.head, chunks: append(slices.Clone(p.chunks[:chunk]), last), tail: p.tail}.join()
					for _, w := range fewWays {
						if got := w.read(short, v, stream.ReaderOptions{}); got.err == nil {
							t.Fatalf("%s: a file that ends with chunk %d is whole, by the key of %d, %v", w.name, chunk, owner, final)
						}
					}
					if final && owner == chunk {
						t.Fatalf("it has final key %d", chunk)
					}
				}
			}
			if keysHad == 0 {
				t.Fatal("this test tests nothing")
			}
		}
	}
}

// secretOf is the key of a chunk, as the last or not.
func secretOf(k bareKeys, chunk int, final bool) []byte {
	be := func(i int) string { return string(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	if final {
		return k.expand("bulla/v2 final" + be(chunk))
	}
	node := expandBare(k.prk, "bulla/v2 payload", 64)
	node = expandBare(node, "bulla/v2 node\x02"+be(chunk/128/1024), 64)
	node = expandBare(node, "bulla/v2 node\x01"+be(chunk/128/32), 64)
	return expandBare(node, "bulla/v2 segment"+be(chunk/128), 32)
}

// Whatever a grant holds that no maker may put there is named by its clause.
func TestGrantClauses(t *testing.T) {
	plain := plaintext(segment + 70000)
	v, holder := new(vault), new(vault)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	packed := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
	good := insideGrant(t, grant(t, openAt(t, container, v, format.RoleFile), holder, stream.Range{Offset: 3, Length: segment}, stream.Range{Offset: segment + 10, Length: 5}), holder)
	frames := insideGrant(t, grant(t, openAt(t, packed, v, format.RoleFile), holder, stream.Range{Length: 5 << 20}), holder)
	const part = 32
	second := part + 144 + segment // all of the first is an edge
	u64 := func(b []byte, at int, n uint64) []byte { binary.BigEndian.PutUint64(b[at:], n); return b }
	set := func(at int, c byte) func([]byte) []byte { return func(b []byte) []byte { b[at] = c; return b } }
	put := func(at int, n uint64) func([]byte) []byte { return func(b []byte) []byte { return u64(b, at, n) } }
	size := uint64(len(plain))
	for _, x := range []struct {
		name   string
		of     []byte
		change func(b []byte) []byte
		want   format.Clause
	}{
		{"good", good, func(b []byte) []byte { return b }, ""},
		{"good frames", frames, func(b []byte) []byte { return b }, ""},
		{"empty", good, func(b []byte) []byte { return nil }, format.GRANT2},
		{"magic", good, set(0, 'B'), format.GRANT2},
		{"the header cut", good, func(b []byte) []byte { return b[:31] }, format.GRANT4},
		{"layout", good, set(8, 2), format.GRANT3},
		{"reserved", good, set(11, 1), format.GRANT3},
		{"no parts", good, func(b []byte) []byte { clear(b[12:16]); return b[:part] }, format.GRANT4},
		{"too many parts", good, set(13, 3), format.GRANT4},
		{"a part more", good, set(15, 3), format.GRANT4},
		{"a part fewer", good, set(15, 1), format.GRANT4},
		{"something after it", good, func(b []byte) []byte { return append(b, 0) }, format.GRANT4},
		{"a byte fewer", good, func(b []byte) []byte { return b[:len(b)-1] }, format.GRANT4},
		{"the part cut", good, func(b []byte) []byte { return b[:part+143] }, format.GRANT4},
		{"V", good, put(16, 5), format.GRANT5},
		{"V of a set", good, put(16, 2<<20), format.GRANT5},
		{"V too large", good, put(16, 1<<45+2<<20), format.GRANT5},
		{"identity: magic", good, set(part, 0), format.GRANT5},
		{"identity: pages", good, set(part+15, 0), format.GRANT5},
		{"identity: version", good, set(part+10, 1), format.GRANT5},
		{"identity: suite", good, set(part+11, 9), format.GRANT5},
		{"identity: coding", good, set(part+12, 9), format.GRANT5},
		{"identity: role", good, set(part+13, 4), format.GRANT5},
		{"identity: set id", good, set(part+20, 1), format.GRANT5},
		{"identity: another", good, set(second+70, good[second+70]+1), format.GRANT5},
		{"identity: another coding", good, set(second+12, 1), format.GRANT5},
		{"size: another", good, put(second+96, uint64(len(container)+1)), format.GRANT5},
		{"size: impossible", good, put(part+96, 8207), format.GRANT6},
		{"size: huge", good, put(part+96, 1<<63), format.GRANT6},
		{"content", good, put(part+104, size-1), format.GRANT6},
		{"plaintext", good, put(24, size+1), format.GRANT6},
		{"content of frames", frames, func(b []byte) []byte { return u64(u64(b, 24, 1<<49), part+104, 1<<49) }, format.GRANT6},
		{"from is to", good, func(b []byte) []byte { return u64(b, part+112, binary.BigEndian.Uint64(b[part+120:])) }, format.GRANT7},
		{"to after the end", good, put(part+120, size+1), format.GRANT7},
		{"overlapping", good, put(second+112, 5), format.GRANT7},
		{"begin", good, put(part+128, 4), format.GRANT8},
		{"end", good, put(part+136, 4), format.GRANT8},
		{"from within a frame", frames, put(part+112, 1), format.GRANT8},
		{"to within a frame", frames, put(part+120, 5<<20), format.GRANT8},
		{"an empty frame", frames, func(b []byte) []byte { clear(b[part+144 : part+148]); return b }, format.GRANT8},
		{"a huge frame", frames, set(part+144, 9), format.GRANT8},
		{"frames cut", frames, func(b []byte) []byte { return b[:part+147] }, format.GRANT4},
		{"end of frames", frames, func(b []byte) []byte { return u64(b, part+136, binary.BigEndian.Uint64(b[part+136:])+1) }, format.GRANT8},
		{"frames beyond the end", frames, func(b []byte) []byte {
			return u64(u64(b, part+128, 1<<40), part+136, 1<<40+binary.BigEndian.Uint64(b[part+136:]))
		}, format.GRANT8},
	} {
		b := encrypt(t, x.change(bytes.Clone(x.of)), holder, stream.WriterOptions{Part: format.Part{Role: format.RoleGrant}})
		if g, err := openGrant(b, container, holder); clauseOf(err) != x.want || (err == nil) != (x.want == "") {
			t.Errorf("%s: %v, not %s", x.name, err, x.want)
		} else if err == nil {
			g.Close()
		}
	}
	b := encrypt(t, good, holder, stream.WriterOptions{Level: 1, Part: format.Part{Role: format.RoleGrant}})
	if _, err := openGrant(b, container, holder); clauseOf(err) != format.GRANT1 {
		t.Errorf("compressed: %v", err)
	}
	long := encrypt(t, append(bytes.Clone(good[:part]), make([]byte, 1<<28)...), holder, stream.WriterOptions{Part: format.Part{Role: format.RoleGrant}})
	if _, err := openGrant(long, container, holder); clauseOf(err) != format.GRANT4 {
		t.Errorf("too long: %v", err)
	}
}
