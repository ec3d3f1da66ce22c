package stream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// A wreck is a container after some damage: pieces of the original, and bytes
// that were never in it. So it is known which chunks are still there.
type wreck struct {
	original []byte
	pieces   []piece
}

type piece struct {
	from, to int // of the original
	junk     []byte
}

func (p piece) len() int {
	if p.junk != nil {
		return len(p.junk)
	}
	return p.to - p.from
}

func newWreck(container []byte) *wreck {
	return &wreck{container, []piece{{from: 0, to: len(container)}}}
}

// cut makes a piece begin at an offset and returns its number.
func (w *wreck) cut(at int) int {
	for i, p := range w.pieces {
		if at == 0 {
			return i
		}
		if at < p.len() {
			a, b := piece{from: p.from, to: p.from + at}, piece{from: p.from + at, to: p.to}
			if p.junk != nil {
				a, b = piece{junk: p.junk[:at]}, piece{junk: p.junk[at:]}
			}
			w.pieces = slices.Replace(w.pieces, i, i+1, a, b)
			return i + 1
		}
		at -= p.len()
	}
	return len(w.pieces)
}

// replace puts junk in the place of n bytes: with none it removes, with n = 0
// it inserts.
func (w *wreck) replace(at, n int, junk []byte) *wreck {
	i := w.cut(at)
	j := w.cut(at + n)
	var in []piece
	if len(junk) > 0 {
		in = []piece{{junk: junk}}
	}
	w.pieces = slices.Replace(w.pieces, i, j, in...)
	return w
}

func (w *wreck) insert(at, n int) *wreck    { return w.replace(at, 0, w.unlike(at, junk(n))) }
func (w *wreck) remove(at, n int) *wreck    { return w.replace(at, n, nil) }
func (w *wreck) overwrite(at, n int) *wreck { return w.replace(at, n, junk(n)) }
func (w *wreck) zero(at, n int) *wreck      { return w.replace(at, n, make([]byte, n)) }

// unlike is b with another last byte than the one that it is put after: otherwise
// one chance in 256 would leave a chunk whole.
func (w *wreck) unlike(at int, b []byte) []byte {
	if len(b) > 0 && at > 0 && at <= len(w.original) && b[len(b)-1] == w.original[at-1] {
		b[len(b)-1] ^= 1
	}
	return b
}

// junk is bytes that are no container's.
func junk(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 66}).Read(b)
	return b
}

func (w *wreck) bytes() (b []byte) {
	for _, p := range w.pieces {
		if p.junk != nil {
			b = append(b, p.junk...)
		} else {
			b = append(b, w.original[p.from:p.to]...)
		}
	}
	return b
}

// holds reports whether the original's bytes are all there, in one piece.
func (w *wreck) holds(from, to int) bool {
	for _, p := range w.pieces {
		if p.junk == nil && p.from <= from && to <= p.to {
			return true
		}
	}
	return false
}

// want is what is to be salvaged of a wreck: the plaintext with zeros for what
// is lost, and where that is. It ends with the last chunk that is there.
func (w *wreck) want(t testing.TB, plain []byte) (got []byte, lost []stream.Range, whole bool) {
	l, err := format.NewLayout(int64(len(w.original)), int64(parseHead(t, w.original).HeadSize()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range l.Chunks {
		off, n := l.Chunk(i)
		start := int(i) * chunk
		end := start + int(n) - format.TagSize
		whole = w.holds(int(off), int(off+n))
		if whole {
			got = append(got, plain[start:end]...)
			continue
		}
		got = append(got, make([]byte, end-start)...)
		if k := len(lost); k > 0 && lost[k-1].Offset+lost[k-1].Length == int64(start) {
			lost[k-1].Length += int64(end - start)
		} else {
			lost = append(lost, stream.Range{Offset: int64(start), Length: int64(end - start)})
		}
	}
	if !whole { // what is behind the last chunk that is there is checked by itself
		last := lost[len(lost)-1]
		got, lost = got[:last.Offset], lost[:len(lost)-1]
	}
	return got, lost, whole
}

func salvage(t testing.TB, src io.ReaderAt, size int, v *vault, o stream.SalvageOptions) ([]byte, *stream.Salvaged) {
	t.Helper()
	var dst bytes.Buffer
	o.Workers = 2
	s, err := stream.SalvageNear(t.Context(), &dst, src, int64(size), with(v), &o)
	if err != nil {
		t.Fatal(err)
	}
	if int64(dst.Len()) != s.Size {
		t.Errorf("%d bytes came out, and the size is said to be %d", dst.Len(), s.Size)
	}
	return dst.Bytes(), s
}

// check salvages a wreck and compares.
func (w *wreck) check(t *testing.T, plain []byte, v *vault, o stream.SalvageOptions) *stream.Salvaged {
	t.Helper()
	b := w.bytes()
	got, s := salvage(t, bytes.NewReader(b), len(b), v, o)
	want, lost, whole := w.want(t, plain)
	if s.SizeKnown != whole || s.Whole() != (whole && len(lost) == 0) {
		t.Errorf("the size is known: %v, it is whole: %v; the last chunk is there: %v", s.SizeKnown, s.Whole(), whole)
	}
	if !whole {
		// All that is lost behind the last chunk is in one range, if it is known of.
		if n := len(s.Lost); n > 0 && s.Lost[n-1].Offset == int64(len(want)) {
			if len(bytes.Trim(got[len(want):], "\x00")) > 0 {
				t.Error("what is lost is not zero")
			}
			s.Lost = s.Lost[:n-1]
			got = got[:len(want)]
		}
	}
	if !slices.Equal(s.Lost, lost) {
		t.Errorf("lost is %v, not %v", s.Lost, lost)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came out, not the %d that were to", len(got), len(want))
	}
	var n int64
	for _, r := range lost {
		n += r.Length
	}
	if s.Intact != int64(len(want))-n {
		t.Errorf("%d bytes are said to be intact, not %d", s.Intact, int64(len(want))-n)
	}
	return s
}

// The containers that are damaged: nearly a segment, so that there is room
// for holes of 1 MiB.
const salvageChunks = 120

// at is where a chunk stands.
func at(i int) int { return headSize + i*format.SealedChunkSize }

func TestSalvage(t *testing.T) {
	const mib = 1 << 20
	last := at(salvageChunks) // the last chunk, of 1000 bytes
	cases := []struct {
		name   string
		damage func(w *wreck)
		shifts []int64
	}{
		{"nothing", func(w *wreck) {}, nil},
		{"the head overwritten", func(w *wreck) { w.overwrite(0, headSize) }, nil},
		{"the head and more overwritten", func(w *wreck) { w.overwrite(0, mib) }, nil},
		{"the tail overwritten", func(w *wreck) { w.overwrite(len(w.original)-headSize, headSize) }, nil},
		{"a third missing at the end", func(w *wreck) { w.remove(at(80)+777, len(w.original)-at(80)-777) }, nil},
		{"the tail missing", func(w *wreck) { w.remove(len(w.original)-headSize, headSize) }, nil},
		{"a part of the tail missing", func(w *wreck) { w.remove(len(w.original)-100, 100) }, nil},
		{"most of the tail missing", func(w *wreck) { w.remove(len(w.original)-headSize+30, headSize-30) }, nil},
		{"the last chunk zeroed", func(w *wreck) { w.zero(last+500, 10) }, nil},
		{"the last chunk and the tail zeroed", func(w *wreck) { w.zero(last, 1000+16+headSize) }, nil},
		{"the last chunks and the tail overwritten", func(w *wreck) { w.overwrite(at(118)+5, len(w.original)-at(118)-5) }, nil},
		{"something behind the end", func(w *wreck) { w.insert(len(w.original), 3*mib) }, nil},
		{"zeros behind the end", func(w *wreck) { w.replace(len(w.original), 0, make([]byte, 10*mib)) }, nil},
		{"a hole of 1 MiB", func(w *wreck) { w.zero(at(30)+5, mib) }, nil},
		{"1 MiB overwritten", func(w *wreck) { w.overwrite(at(30)+5, mib) }, nil},
		{"7 bytes inserted", func(w *wreck) { w.insert(at(60)+30000, 7) }, []int64{7}},
		{"7 bytes inserted before a chunk", func(w *wreck) { w.insert(at(60), 7) }, []int64{7}},
		{"7 bytes removed", func(w *wreck) { w.remove(at(60)+30000, 7) }, []int64{-7}},
		{"7 bytes removed across chunks", func(w *wreck) { w.remove(at(60)-3, 7) }, []int64{-7}},
		{"1 MiB removed", func(w *wreck) { w.remove(at(60)+30000, mib) }, []int64{-mib}},
		{"1 MiB inserted", func(w *wreck) { w.insert(at(60)+30000, mib) }, []int64{mib}},
		{"128 sectors removed", func(w *wreck) { w.remove(at(60), 128*512) }, []int64{-128 * 512}},
		{"100 bytes inserted, and a sector behind is bad", func(w *wreck) { w.insert(at(60)+30000, 100).zero(at(61)+30000, 512) }, []int64{100}},
		{"7 bytes removed, and a sector behind is bad", func(w *wreck) { w.remove(at(60)+30000, 7).zero(at(61)+30000, 512) }, []int64{-7}},
		{"inserted and removed again", func(w *wreck) { w.insert(at(30)+1, 7).remove(at(90)+8, 7) }, []int64{7, 0}},
		{"inserted and removed soon again", func(w *wreck) { w.insert(at(30)+1, 7).remove(at(33)+8, 7) }, []int64{7, 0}},
		{"inserted and removed twice", func(w *wreck) {
			w.insert(at(15)+1, 7).remove(at(30)+500, 3).insert(at(45)+1, 40*512).remove(at(60)+60000, mib)
		}, []int64{7, 4, 4 + 40*512, 4 + 40*512 - mib}},
		{"inserted, and removed from the last whole chunk", func(w *wreck) { w.insert(at(30)+1, 40*512).remove(at(119)+100, 39*512) }, []int64{40 * 512, 512}},
		{"inserted in the last whole chunk", func(w *wreck) { w.insert(at(119)+100, 7) }, []int64{7}},
		{"removed from the last whole chunks", func(w *wreck) { w.remove(at(118)+100, 70) }, []int64{-70}},
		{"the front lost", func(w *wreck) { w.remove(0, mib) }, []int64{-mib}},
		{"the head lost", func(w *wreck) { w.remove(0, headSize) }, []int64{-headSize}},
		{"the first bytes lost", func(w *wreck) { w.remove(0, 5) }, []int64{-5}},
		{"something before it", func(w *wreck) { w.insert(0, 3*mib+12345) }, []int64{3*mib + 12345}},
		{"a part of something larger", func(w *wreck) { w.insert(len(w.original), 2*mib+1).insert(0, mib+1) }, []int64{mib + 1}},
		{"a part of something larger, and damaged", func(w *wreck) {
			w.insert(len(w.original), 2*mib+1).insert(at(60)+30000, 7).zero(at(30)+5, 10).insert(0, mib+1)
		}, []int64{mib + 1, mib + 8}},
		{"100 random sectors zeroed", func(w *wreck) {
			rng := rand.New(rand.NewPCG(5, 5))
			for range 100 {
				w.zero(512*rng.IntN(len(w.original)/512), 512)
			}
		}, nil},
	}
	for i, suite := range suites {
		every := 1
		if raceDetector { // under which a try takes 20 times as long
			every = sparse(8)
		} else if i > 0 {
			every = sparse(4)
		}
		v, plain := new(vault), plaintext(salvageChunks*chunk+1000)
		container := encrypt(t, plain, v, stream.WriterOptions{Suite: suite})
		for j, c := range cases {
			if j%every != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%v/%s", suite, c.name), func(t *testing.T) {
				w := newWreck(container)
				c.damage(w)
				s := w.check(t, plain, v, stream.SalvageOptions{})
				var by []int64
				for _, shift := range s.Shifts {
					by = append(by, shift.By)
				}
				if !slices.Equal(by, c.shifts) {
					t.Errorf("found moved by %v, not %v", by, c.shifts)
				}
			})
		}
	}
}

// How far slips are looked for, at the far ends and just beyond.
func TestSalvageBounds(t *testing.T) {
	const near, most = 2 << 20, 16 << 20
	v, plain := new(vault), plaintext(2*segment+1000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, c := range []struct {
		by      int
		found   bool
		salvage func(context.Context, io.Writer, io.ReaderAt, int64, []stream.Identity, *stream.SalvageOptions) (*stream.Salvaged, error)
	}{
		{512, true, stream.SalvageNear}, {-512, true, stream.SalvageNear}, {513, false, stream.SalvageNear}, {-513, false, stream.SalvageNear},
		{1024, true, stream.SalvageNear}, {near, true, stream.SalvageNear}, {near + 512, false, stream.SalvageNear},
		{-(12<<20 - 4096), true, stream.Salvage}, {most, true, stream.Salvage}, {most + 512, false, stream.Salvage},
	} {
		if !long && (c.by >= most || raceDetector && !c.found) {
			continue
		}
		w := newWreck(container)
		if c.by > 0 {
			w.insert(at(20)+30000, c.by)
		} else {
			w.remove(at(20)+30000, -c.by)
		}
		b := w.bytes()
		s, err := c.salvage(t.Context(), io.Discard, bytes.NewReader(b), int64(len(b)), with(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.found && (!s.SizeKnown || len(s.Lost) != 1 || len(s.Shifts) != 1 || s.Shifts[0].By != int64(c.by)) ||
			!c.found && (s.SizeKnown || len(s.Shifts) != 0) {
			t.Errorf("moved by %d: lost %v, found %v", c.by, s.Lost, s.Shifts)
		}
	}
}

// Without a head in the container one that was kept elsewhere serves.
func TestSalvageDetachedHead(t *testing.T) {
	v, plain := new(vault), plaintext(5*chunk+1000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	head := container[:headSize]
	for _, damage := range []func(*wreck){
		func(w *wreck) { w.overwrite(0, headSize).overwrite(len(container)-headSize, headSize) },
		func(w *wreck) { w.overwrite(0, headSize).remove(len(container)-headSize, headSize) },
		func(w *wreck) { w.remove(0, headSize).remove(len(container)-2*headSize, headSize) },
		func(w *wreck) { w.overwrite(0, headSize+1).zero(at(3), 10).remove(at(4), len(container)-at(4)) },
		func(w *wreck) { w.remove(0, 100_352).remove(at(4)-100_352, len(container)-at(4)) },
	} {
		w := newWreck(container)
		damage(w)
		w.check(t, plain, v, stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Head: head}})
		b := w.bytes()
		if _, err := stream.Salvage(t.Context(), io.Discard, bytes.NewReader(b), int64(len(b)), with(v), nil); err == nil {
			t.Error("without any head: no error")
		}
	}
}

// Small containers, where there is no chunk to go by.
func TestSalvageSmall(t *testing.T) {
	for _, n := range []int{0, 1, 1000, chunk - 1, chunk, chunk + 1, 2*chunk + 10} {
		v, plain := new(vault), plaintext(n)
		container := encrypt(t, plain, v, stream.WriterOptions{})
		for name, damage := range map[string]func(*wreck){
			"nothing":              func(w *wreck) {},
			"head overwritten":     func(w *wreck) { w.overwrite(0, headSize) },
			"tail zeroed":          func(w *wreck) { w.zero(len(container)-headSize, headSize) },
			"tail removed":         func(w *wreck) { w.remove(len(container)-headSize, headSize) },
			"inserted before":      func(w *wreck) { w.insert(0, 7) },
			"inserted in the head": func(w *wreck) { w.insert(70, 7) },
			"removed in the head":  func(w *wreck) { w.remove(70, 7) },
			"something behind":     func(w *wreck) { w.insert(len(container), 100_000) },
			"last chunk damaged":   func(w *wreck) { w.overwrite(len(container)-headSize-10, 3) },
		} {
			t.Run(fmt.Sprint(n, " bytes, ", name), func(t *testing.T) {
				w := newWreck(container)
				damage(w)
				s := w.check(t, plain, v, stream.SalvageOptions{})
				if name == "last chunk damaged" {
					// The tail says how long it was, though nobody vouches for that.
					if rest := n % chunk; s.Size != int64(n-rest) && s.Size != int64(n) || s.SizeKnown {
						t.Errorf("%d bytes, known: %v", s.Size, s.SizeKnown)
					}
				}
			})
		}
	}
}

// Whatever the damage: all that is there comes back, what is lost is listed
// exactly, and nothing else comes out. Edits keep a distance, as a chunk between
// two of them that moved by some odd number of bytes is one in a haystack.
func TestSalvageAnyDamage(t *testing.T) {
	const chunks = 120
	v, plain := new(vault), plaintext(chunks*chunk+12345)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	rounds := 12
	if long {
		rounds = 1000
	}
	for seed := range uint64(rounds) {
		rng := rand.New(rand.NewPCG(seed, 6))
		w := newWreck(container)
		var done []string
		// From the end on, so that offsets stay what they are.
		for i := chunks - 1 - rng.IntN(20); i > 5; i -= 10 + rng.IntN(30) {
			off := at(i) + rng.IntN(format.SealedChunkSize)
			n := 1 + rng.IntN(128)
			if rng.IntN(3) == 0 {
				n = 512 * (1 + rng.IntN(600))
			}
			kind := rng.IntN(4)
			done = append(done, fmt.Sprintf("%s %d at %d (chunk %d)", []string{"insert", "remove", "overwrite", "zero"}[kind], n, off, i))
			switch kind {
			case 0:
				w.insert(off, n)
			case 1:
				w.remove(off, min(n, 512*100, (len(container)-headSize-2000-off)/512*512))
			case 2:
				w.overwrite(off, min(n, len(container)-off))
			case 3:
				w.zero(off, min(n, len(container)-off))
			}
		}
		if rng.IntN(4) == 0 && w.holds(len(container)-headSize, len(container)) {
			w.overwrite(0, headSize)
			done = append(done, "overwrite the head")
		}
		if w.check(t, plain, v, stream.SalvageOptions{}); t.Failed() {
			t.Fatalf("seed %d: %q", seed, done)
		}
	}
}

// badMedium is a source with sectors that cannot be read, for which it fails as
// a disk does: the whole request.
type badMedium struct {
	*bytes.Reader
	bad    map[int64]bool // by number
	reads  atomic.Int64
	sector int64
	worse  int64 // reads after which all is bad; 0: never
}

func (m *badMedium) ReadAt(p []byte, off int64) (int, error) {
	n := m.reads.Add(1)
	for s := off / m.sector; s*m.sector < off+int64(len(p)); s++ {
		if m.bad[s] || m.worse > 0 && n > m.worse {
			return rand.IntN(len(p)), errBroken // what it says it has read is nothing to rely on
		}
	}
	return m.Reader.ReadAt(p, off)
}

func TestSalvageBadSectors(t *testing.T) {
	v, plain := new(vault), plaintext(60*chunk+1000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, sector := range []int64{512, 4096} {
		for name, bad := range map[string][]int{
			"none":              nil,
			"some":              {at(10), at(11) - 1, at(40) + 5, at(41) + 5},
			"many in a row":     {at(20), at(20) + 4096, at(20) + 8192, at(20) + 12288, at(21)},
			"in the head":       {100},
			"in the tail":       {len(container) - 10},
			"in the last chunk": {at(60) + 500},
		} {
			t.Run(fmt.Sprint(sector, " ", name), func(t *testing.T) {
				m := &badMedium{Reader: bytes.NewReader(container), bad: map[int64]bool{}, sector: sector}
				w := newWreck(container)
				for _, off := range bad {
					m.bad[int64(off)/sector] = true
					// Errors are looked into by pages.
					start := off / 4096 * 4096
					w.zero(start, min(4096, len(container)-start))
				}
				want, lost, whole := w.want(t, plain)
				got, s := salvage(t, m, len(container), v, stream.SalvageOptions{})
				if !bytes.HasPrefix(got, want) || whole != s.SizeKnown || whole && !slices.Equal(s.Lost, lost) {
					t.Errorf("%d bytes of %d, lost %v, not %v", len(got), len(want), s.Lost, lost)
				}
			})
		}
	}
	// A medium that dies while it is read: what it gave before comes out.
	for worse := int64(10); worse < 80; worse += 23 {
		m := &badMedium{Reader: bytes.NewReader(container), sector: 512, worse: worse}
		got, s := salvage(t, m, len(container), v, stream.SalvageOptions{})
		for _, r := range s.Lost {
			if len(bytes.Trim(got[r.Offset:r.Offset+r.Length], "\x00")) > 0 {
				t.Errorf("after %d reads: bytes in a lost range", worse)
			}
			copy(plain[r.Offset:], got[r.Offset:][:r.Length])
		}
		if !bytes.Equal(got, plain[:len(got)]) {
			t.Errorf("after %d reads: something else came out", worse)
		}
		plain = plaintext(len(plain))
	}
}

// What someone without the key put into a container does not come out, wherever
// it is from: a chunk in another's place, of another container, or in a place
// where none belongs.
func TestSalvageForgery(t *testing.T) {
	v, plain := new(vault), plaintext(10*chunk+1000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	other := encrypt(t, plaintext(10*chunk+1000), v, stream.WriterOptions{})
	for name, change := range map[string]func(p *parts){
		"swapped":           func(p *parts) { p.chunks[3], p.chunks[5] = p.chunks[5], p.chunks[3] },
		"of another":        func(p *parts) { p.chunks[3] = split(t, other).chunks[3] },
		"repeated":          func(p *parts) { p.chunks[4] = p.chunks[3] },
		"the last replaced": func(p *parts) { p.chunks[10] = split(t, other).chunks[10] },
	} {
		p := split(t, container)
		change(&p)
		b := p.join()
		got, s := salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{})
		var n int64
		for _, r := range s.Lost {
			n += r.Length
			clear(plain[r.Offset:][:r.Length])
		}
		if n == 0 || !bytes.Equal(got, plain[:len(got)]) {
			t.Errorf("%s: lost %v", name, s.Lost)
		}
		plain = plaintext(len(plain))
	}
}

func TestSalvageErrors(t *testing.T) {
	v, plain := new(vault), plaintext(3*chunk)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	try := func(ctx context.Context, dst io.Writer, b []byte, id stream.Identity, head []byte) error {
		s, err := stream.Salvage(ctx, dst, bytes.NewReader(b), int64(len(b)), with(id), &stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Head: head}})
		if err == nil && s == nil {
			t.Error("neither a result nor an error")
		}
		return err
	}
	if err := try(t.Context(), io.Discard, container, new(vault), nil); clauseOf(err) != format.SLOT3 {
		t.Errorf("with a wrong key: %v", err)
	}
	if err := try(t.Context(), io.Discard, junk(10000), v, nil); clauseOf(err) != format.HEAD1 {
		t.Errorf("without a container: %v", err)
	}
	if err := try(t.Context(), io.Discard, nil, v, nil); clauseOf(err) != format.HEAD4 {
		t.Errorf("of nothing: %v", err)
	}
	if err := try(t.Context(), io.Discard, container, v, junk(headSize)); clauseOf(err) != format.HEAD1 {
		t.Errorf("with a detached head that is none: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	bad := newWreck(container).insert(at(1)+1, 70_000).bytes()
	if err := try(ctx, io.Discard, bad, v, nil); !errors.Is(err, errBroken) {
		t.Errorf("cancelled: %v", err)
	}
	w := newWreck(container).zero(at(1), 100)
	for n := range 5 {
		dst := &stingy{left: n}
		err := try(t.Context(), dst, w.bytes(), v, nil)
		if (n < 4) != errors.Is(err, errBroken) {
			t.Errorf("a destination that takes %d writes: %v", n, err)
		}
	}
}

// Before a container, bytes that look like the beginning of the longest head, and
// copies that are undamaged and malformed: up to 999 of them are passed over.
func TestSalvageLookalikes(t *testing.T) {
	v, plain := new(vault), plaintext(3*chunk)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	begin := make([]byte, 16)
	copy(begin, container)
	begin[14], begin[15] = 0, format.MaxPages
	malformed := slices.Clone(container[:headSize])
	malformed[20] = 1 // HEAD-8
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(malformed[headSize-4:], crc32.Checksum(malformed[:headSize-4], table))
	for _, tt := range []struct {
		before []byte
		found  bool
	}{
		{bytes.Repeat(begin, 999), true},
		{bytes.Repeat(begin, 2<<20/len(begin)), false},
		{bytes.Repeat(malformed, 999), true},
		{bytes.Repeat(malformed, 1001), false},
	} {
		// The tail is not where it would be found first.
		b := slices.Concat(tt.before, container, junk(100))
		got, err := salvageAll(t, b, v)
		if tt.found != (err == nil) || tt.found && !bytes.Equal(got, plain) {
			t.Errorf("behind %d bytes: %d bytes, %v", len(tt.before), len(got), err)
		}
	}
}

// salvageAll is what Salvage gives for b.
func salvageAll(t *testing.T, b []byte, v *vault) ([]byte, error) {
	var dst bytes.Buffer
	_, err := stream.SalvageNear(t.Context(), &dst, bytes.NewReader(b), int64(len(b)), with(v), nil)
	return dst.Bytes(), err
}

// stingy takes a number of writes and fails then.
type stingy struct{ left int }

func (s *stingy) Write(p []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

// Progress ends where the work does: what was looked for and what was written,
// whether that is decompressed or not.
func TestSalvageProgress(t *testing.T) {
	v, plain := new(vault), plaintext(20*chunk)
	for _, o := range []stream.WriterOptions{{}, {Level: 1}} {
		container := encrypt(t, plain, v, o)
		for name, b := range map[string][]byte{
			"whole":   container,
			"a hole":  newWreck(container).zero(at(3), 100_000).bytes(),
			"no tail": container[:len(container)-headSize],
			"no end":  container[:len(container)-headSize-3*chunk],
		} {
			var done atomic.Int64
			salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Done: &done}})
			if n, about := done.Load(), int64(2*len(b)); n < about-5*chunk || n > about+5*chunk {
				t.Errorf("level %d, %s: %d bytes of about %d", o.Level, name, n, about)
			}
		}
	}
}

// Of more holes than are kept apart everything comes back all the same, and what
// is said to be lost includes all that is.
func TestSalvageManyHoles(t *testing.T) {
	const chunks = 2*stream.MaxHoles + 50
	v, plain := new(vault), plaintext(chunks*chunk+1000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for i := 1; i < chunks; i += 2 {
		container[at(i)+i] ^= 1
		clear(plain[i*chunk:][:chunk])
	}
	got, s := salvage(t, bytes.NewReader(container), len(container), v, stream.SalvageOptions{})
	if !bytes.Equal(got, plain) || !s.SizeKnown || s.Intact != int64(len(plain)-chunks/2*chunk) {
		t.Errorf("%d bytes of %d, %d intact", len(got), len(plain), s.Intact)
	}
	var want []stream.Range
	for i := int64(1); len(want) < stream.MaxHoles; i += 2 {
		want = append(want, stream.Range{Offset: i * chunk, Length: chunk})
	}
	want[len(want)-1].Length = chunks*chunk - want[len(want)-1].Offset
	if !slices.Equal(s.Lost, want) {
		t.Errorf("%d ranges are lost, not %d: the last is %v", len(s.Lost), len(want), s.Lost[len(s.Lost)-1])
	}
}

// Any edits of a container: whatever comes out is the plaintext in its place, or
// listed as lost and zero.
func FuzzSalvage(f *testing.F) {
	v, plain := new(vault), plaintext(3*chunk+1000)
	container := encrypt(f, plain, v, stream.WriterOptions{})
	f.Add([]byte{})
	f.Add([]byte{0, 0x10, 1, 10})             // a hole in the head
	f.Add([]byte{1, 0x80, 0, 7})              // bytes inserted
	f.Add([]byte{2, 0x80, 0, 7, 3, 3, 3, 30}) // bytes removed, and others changed
	f.Fuzz(func(t *testing.T, edits []byte) {
		w := newWreck(container)
		for ; len(edits) >= 4 && len(w.pieces) < 20; edits = edits[4:] {
			size := len(w.bytes())
			off := (int(edits[1])<<8 | int(edits[2])) * 4 % (size + 1)
			n := min(int(edits[3])*37, size-off)
			switch edits[0] % 4 {
			case 0:
				w.zero(off, n)
			case 1:
				w.insert(off, n)
			case 2:
				w.remove(off, n)
			case 3:
				w.overwrite(off, n)
			}
		}
		b := w.bytes()
		var dst bytes.Buffer
		s, err := stream.SalvageWithin(t.Context(), &dst, bytes.NewReader(b), int64(len(b)), with(v), &stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}}, 128)
		if err != nil {
			if clauseOf(err) == "" {
				t.Error(err)
			}
			return
		}
		got := dst.Bytes()
		want := make([]byte, len(got)) // zeros where the plaintext has no such place
		copy(want, plain)
		for _, r := range s.Lost {
			clear(want[r.Offset:][:r.Length])
		}
		if int64(len(got)) != s.Size || !bytes.Equal(got, want) || s.SizeKnown && len(got) != len(plain) {
			t.Errorf("%d bytes, lost %v", len(got), s.Lost)
		}
	})
}
