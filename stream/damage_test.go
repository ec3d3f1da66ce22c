package stream_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

const headSize = format.PageSize // of every container here

// wantFault checks that a container is refused by all ways, that each has given
// a prefix of plain before, and that its error, of a kind, cites one of the clauses.
func wantFault(t *testing.T, container, plain []byte, id stream.Identity, by []way, kind error, cites ...format.Clause) {
	t.Helper()
	for _, w := range by {
		got := w.read(container, id, stream.ReaderOptions{Workers: 2})
		switch {
		case got.err == nil:
			t.Errorf("%s: no error", w.name)
		case !errors.Is(got.err, kind) || !slices.Contains(cites, clauseOf(got.err)):
			t.Errorf("%s: error is %q (%s), want %q %v", w.name, got.err, clauseOf(got.err), kind, cites)
		}
		if !bytes.HasPrefix(plain, got.plain) {
			t.Errorf("%s: gave bytes that are not the plaintext's", w.name)
		}
	}
	rep, err := verify(t, container, id)
	if err != nil || rep.Valid() {
		t.Errorf("Verify: valid %v, %v", rep.Valid(), err)
	}
	for _, f := range rep.Findings {
		if f.Offset < 0 || f.Length < 0 || f.Offset+f.Length > int64(len(container))+1 {
			t.Errorf("Verify: finding %v in %d bytes", f, len(container))
		}
	}
}

// bitsOf lists the bits of a one-page container that are to be flipped. Of the
// padding, which is most of it and has nothing to tell its bytes apart, it is
// one bit of every few bytes; package format's tests flip every bit of a head.
func bitsOf(t *testing.T, container []byte) (bits []int) {
	padding := 104 + parseHead(t, container).SlotsSize()
	every := sparse(64)
	for at := range container {
		in := at % (len(container) - headSize) // the same in both copies
		if isPadding := in >= padding && in < headSize-36; isPadding {
			if in%every == 0 {
				bits = append(bits, at*8+at/every%8)
			}
			continue
		}
		for bit := range 8 {
			bits = append(bits, at*8+bit)
		}
	}
	return bits
}

// Every bit of a container matters to someone: in the head to who reads from
// the front, in the payload to all, in the tail to the verifier.
func TestBitFlips(t *testing.T) {
	v, plain := new(vault), plaintext(10)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	tail := len(container) - headSize
	for i, b := range bitsOf(t, container) {
		if raceDetector && i%8 != 0 {
			continue
		}
		at := b / 8
		bad := flipped(container, at, b%8)
		switch {
		case at < headSize:
			wantBadHead(t, bad, plain, v)
		case at < tail:
			wantFault(t, bad, plain, v, fewWays, format.ErrDamaged, format.CHUNK1)
		default:
			wantBadTail(t, bad, plain, v)
		}
		if t.Failed() {
			t.Fatalf("bit %d of byte %d of %d", b%8, at, len(container))
		}
	}
}

// wantBadHead checks that a container whose head is damaged, and nothing else,
// is read by who can seek, and only by them.
func wantBadHead(t *testing.T, bad, plain []byte, v *vault) {
	t.Helper()
	streamed, seeking := ways[0].read(bad, v, stream.ReaderOptions{}), ways[1].read(bad, v, stream.ReaderOptions{})
	var pe *format.ParseError
	if !errors.As(streamed.err, &pe) || len(streamed.plain) > 0 {
		t.Errorf("Reader: %d bytes, %v", len(streamed.plain), streamed.err)
	}
	if seeking.err != nil || !bytes.Equal(seeking.plain, plain) {
		t.Errorf("ReaderAt: %v", seeking.err)
	}
	rep, err := verify(t, bad, v)
	if err != nil {
		t.Errorf("Verify: %v", err)
	}
	for name, findings := range map[string][]format.Finding{"ReaderAt": seeking.warnings, "Verify": rep.Findings} {
		if got := clauses(findings); !slices.Equal(got, []format.Clause{pe.Clause}) {
			t.Errorf("%s finds %v, the Reader's error is %v", name, findings, pe)
		}
	}
}

// wantBadTail checks that a container whose tail is damaged, and nothing else,
// is read by all, with a warning, and is not valid.
func wantBadTail(t *testing.T, bad, plain []byte, v *vault) {
	t.Helper()
	for _, w := range fewWays {
		got := w.read(bad, v, stream.ReaderOptions{})
		if got.err != nil || !bytes.Equal(got.plain, plain) {
			t.Errorf("%s: %v", w.name, got.err)
		}
		if !slices.Equal(clauses(got.warnings), []format.Clause{format.TAIL1}) || got.warnings[0].Severity != format.Warning ||
			got.warnings[0].Offset != int64(len(bad)-headSize) || got.warnings[0].Length != headSize {
			t.Errorf("%s warns of %v", w.name, got.warnings)
		}
	}
	rep, err := verify(t, bad, v)
	if err != nil || rep.Valid() || !slices.Equal(clauses(rep.Findings), []format.Clause{format.TAIL1}) {
		t.Errorf("Verify: %v, %v", rep.Findings, err)
	}
}

// In a container of several chunks and batches, too, with the chunk named, what
// stands before it released, and Verify going on behind it.
func TestBitFlipsInLaterChunks(t *testing.T) {
	v, plain := new(vault), plaintext(5*chunk+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	l, _ := format.NewLayout(int64(len(container)), headSize)
	for i := range l.Chunks {
		off, n := l.Chunk(i)
		for _, at := range []int64{0, n / 2, n - 17, n - 16, n - 1} {
			bad := flipped(container, int(off+at), 3)
			wantFault(t, bad, plain, v, ways, format.ErrDamaged, format.CHUNK1)

			got := ways[0].read(bad, v, stream.ReaderOptions{})
			want := stream.ChunkError{Index: i, Offset: off, Length: n}
			if e := (*stream.ChunkError)(nil); !errors.As(got.err, &e) || *e != want || len(got.plain) != int(i)*chunk {
				t.Errorf("chunk %d: %d bytes, %v", i, len(got.plain), got.err)
			}
			rep, _ := verify(t, bad, v)
			if rep.Authentic != l.Chunks-1 || rep.Failed != 1 || len(rep.Findings) != 1 ||
				rep.Findings[0].Clause != format.CHUNK1 || rep.Findings[0].Offset != off || rep.Findings[0].Length != n {
				t.Errorf("chunk %d: Verify: %+v", i, rep)
			}
		}
	}
}

// A container that was cut anywhere says so.
func TestTruncations(t *testing.T) {
	v, plain := new(vault), plaintext(10)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	every := sparse(7)
	for size := range container {
		if edge := size % headSize; size%every != 0 && edge > 100 && edge < headSize-40 {
			continue
		}
		wantTruncated(t, container[:size:size], plain, v)
		if t.Failed() {
			t.Fatalf("%d bytes of %d", size, len(container))
		}
	}
}

// cutsOf lists the sizes to which a longer container is to be cut: near
// everything that stands in it, or seems to once its end is missing.
func cutsOf(container []byte) (cuts []int) {
	for i := range len(container)/format.SealedChunkSize + 2 {
		at := headSize + i*format.SealedChunkSize
		for _, near := range []int{at, at + 1000, at + headSize, at + headSize + format.TagSize} {
			for size := near - 18; size <= near+18; size++ {
				if 0 <= size && size < len(container) {
					cuts = append(cuts, size)
				}
			}
		}
	}
	return cuts
}

func TestTruncationsOfLongerContainers(t *testing.T) {
	v, plain := new(vault), plaintext(2*chunk+65000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, size := range cutsOf(container) {
		wantTruncated(t, container[:size:size], plain, v)
		if t.Failed() {
			t.Fatalf("%d bytes of %d", size, len(container))
		}
	}
}

// wantTruncated checks that a container whose end is missing is called truncated
// by all, and that none gives anything but what was in it.
func wantTruncated(t *testing.T, cut, plain []byte, v *vault) {
	t.Helper()
	got := ways[0].read(cut, v, stream.ReaderOptions{Workers: 2})
	if !errors.Is(got.err, format.ErrTruncated) || !bytes.HasPrefix(plain, got.plain) {
		t.Errorf("Reader: %d bytes, %v", len(got.plain), got.err)
	}
	// Who knows the size may find it impossible before anything else (FILE-2).
	got = ways[1].read(cut, v, stream.ReaderOptions{})
	if !errors.Is(got.err, format.ErrTruncated) && clauseOf(got.err) != format.FILE2 || len(got.plain) > 0 {
		t.Errorf("ReaderAt: %d bytes, %v", len(got.plain), got.err)
	}
	if rep, err := verify(t, cut, v); err != nil || rep.Valid() {
		t.Errorf("Verify: valid %v, %v", rep.Valid(), err)
	}
}

// Who asks for it gets every chunk that is there of a container that was cut,
// and is told that it was cut, not that it is damaged.
func TestAllowTruncatedAnywhere(t *testing.T) {
	v, plain := new(vault), plaintext(2*chunk+65000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, size := range cutsOf(container) {
		if size >= headSize {
			wantWhatIsThere(t, container[:size:size], plain, v, headSize)
		}
	}
	// A long tail, cut, has room for what might be chunks.
	container = encrypt(t, plain, v, stream.WriterOptions{Reserve: format.MaxSlots})
	head := parseHead(t, container).HeadSize()
	for i := range 40 {
		size := len(container) - i*head/20 - 1
		if size >= head {
			wantWhatIsThere(t, container[:size:size], plain, v, head)
		}
	}
}

func wantWhatIsThere(t *testing.T, cut, plain []byte, v *vault, head int) {
	t.Helper()
	for _, w := range truncatedWays {
		got := w.read(cut, v, stream.ReaderOptions{})
		chunks := min((len(cut)-head)/format.SealedChunkSize, len(plain)/chunk)
		if !errors.Is(got.err, format.ErrTruncated) || !bytes.Equal(got.plain, plain[:chunks*chunk]) {
			t.Fatalf("%d bytes, %s: %d bytes of plaintext, not %d; %v", len(cut), w.name, len(got.plain), chunks*chunk, got.err)
		}
	}
	rep, err := verify(t, cut, v)
	for _, f := range rep.Findings {
		if f.Clause == format.CHUNK1 || err != nil {
			t.Fatalf("%d bytes: Verify: %v, %v", len(cut), rep.Findings, err)
		}
	}
}

// Damage is told from a missing end there, too.
func TestAllowTruncatedTellsDamage(t *testing.T) {
	v, plain := new(vault), plaintext(3*chunk+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	at := func(i int) int { return headSize + i*format.SealedChunkSize + 5 }
	for name, c := range map[string]struct {
		bad    []byte
		chunks int
		kind   error
	}{
		"the last chunk":                   {flipped(container, at(3), 0), 3, format.ErrDamaged},
		"the last two":                     {flipped(flipped(container, at(3), 0), at(2), 0), 2, format.ErrDamaged},
		"one amidst, and the end":          {flipped(container, at(1), 0)[:at(3)], 1, format.ErrDamaged},
		"the end":                          {container[:at(3)], 3, format.ErrTruncated},
		"the end, at the edge of a chunk":  {container[:at(3)-5], 3, format.ErrTruncated},
		"the end, and more behind it":      {append(slices.Clone(container), 1, 2, 3), 3, format.ErrMalformed},
		"nothing but a part of the second": {container[:at(1)], 1, format.ErrTruncated},
	} {
		for _, w := range truncatedWays {
			got := w.read(c.bad, v, stream.ReaderOptions{})
			if !errors.Is(got.err, c.kind) || !bytes.Equal(got.plain, plain[:c.chunks*chunk]) {
				t.Errorf("%s, %s: %d bytes, %v", name, w.name, len(got.plain), got.err)
			}
		}
	}
}

// A truncated container has no size, until it is known that it is whole.
func TestAllowTruncated(t *testing.T) {
	v, plain := new(vault), plaintext(3*chunk)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	open := func(b []byte) *stream.ReaderAt {
		r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(b), int64(len(b)), with(v), &stream.ReaderAtOptions{AllowTruncated: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	if n, err := open(container).Size(); n != int64(len(plain)) || err != nil {
		t.Errorf("whole: size is %d, %v", n, err)
	}
	r := open(container[:headSize+2*format.SealedChunkSize+1000])
	if n, err := r.Size(); n != 0 || !errors.Is(err, stream.ErrSizeUnknown) {
		t.Errorf("cut: size is %d, %v", n, err)
	}
	buf := make([]byte, chunk)
	if n, err := r.ReadAt(buf, chunk); n != chunk || err != nil || !bytes.Equal(buf, plain[chunk:2*chunk]) {
		t.Errorf("cut: chunk 1: %d, %v", n, err)
	}
	if n, err := r.ReadAt(buf, 2*chunk-10); n != 10 || !errors.Is(err, format.ErrTruncated) {
		t.Errorf("cut: at the end: %d, %v", n, err)
	}
	if n, err := r.WriteRange(t.Context(), io.Discard, chunk, 2*chunk); n != chunk || !errors.Is(err, format.ErrTruncated) {
		t.Errorf("cut: a range that is not all there: %d, %v", n, err)
	}
	if n, err := r.ReadAt(buf, 100*chunk); n != 0 || !errors.Is(err, format.ErrTruncated) {
		t.Errorf("cut: beyond: %d, %v", n, err)
	}
}

// A read that fails at the end that is missing is told from one that meets damage.
func TestEndMissing(t *testing.T) {
	v, plain := new(vault), plaintext(3*chunk)
	whole := encrypt(t, plain, v, stream.WriterOptions{})
	cut := whole[:headSize+2*format.SealedChunkSize+1000]
	for _, c := range []struct {
		name string
		b    []byte
		off  int64
		want bool
	}{
		{"cut, at its end", cut, 2*chunk - 10, true},
		{"cut, beyond it", cut, 100 * chunk, true},
		{"cut, the last chunk that is there damaged", flipped(cut, headSize+format.SealedChunkSize+5, 0), chunk, true},
		{"cut, a chunk before it damaged", flipped(cut, headSize+5, 0), 0, false},
		{"whole, at its end", whole, 3*chunk - 10, false},
		{"whole, a chunk damaged", flipped(whole, headSize+5, 0), 0, false},
	} {
		r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(c.b), int64(len(c.b)), with(v), &stream.ReaderAtOptions{AllowTruncated: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(make([]byte, chunk), c.off); err == nil || r.EndMissing(err) != c.want {
			t.Errorf("%s: %v: %v", c.name, err, !c.want)
		}
		r.Close()
	}
}
