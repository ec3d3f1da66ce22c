package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Verify finds all there is, in one go.
func TestVerifyFindsEverything(t *testing.T) {
	v, plain := new(vault), plaintext(7*chunk+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	l, _ := format.NewLayout(int64(len(container)), headSize)
	at := func(chunk int64) int64 { off, _ := l.Chunk(chunk); return off }
	spoil := func(chunks ...int64) []byte {
		b := slices.Clone(container)
		for _, i := range chunks {
			b[at(i)+5] ^= 1
		}
		return b
	}
	const whole = format.SealedChunkSize
	type found struct {
		clause         format.Clause
		offset, length int64
	}
	tail := l.TailOffset()
	for _, c := range []struct {
		name      string
		b         []byte
		want      []found
		authentic int64
		failed    int64
	}{
		{"nothing", container, nil, 8, 0},
		{"two chunks", spoil(1, 6), []found{{format.CHUNK1, at(1), whole}, {format.CHUNK1, at(6), whole}}, 6, 2},
		{"neighbours are one", spoil(2, 3, 4), []found{{format.CHUNK1, at(2), 3 * whole}}, 5, 3},
		{"neighbours in two batches", spoil(3, 4), []found{{format.CHUNK1, at(3), 2 * whole}}, 6, 2},
		{"the last", spoil(7), []found{{format.CHUNK1, at(7), 116}}, 7, 1},
		{"the last two", spoil(6, 7), []found{{format.CHUNK1, at(6), whole + 116}}, 6, 2},
		{"all", spoil(0, 1, 2, 3, 4, 5, 6, 7), []found{{format.CHUNK1, at(0), 7*whole + 116}}, 0, 8},
		{"head, a chunk and tail", func() []byte {
			b := spoil(5)
			b[200] ^= 1
			return b
		}(), []found{{format.HEAD5, headSize - 4, 1}, {format.CHUNK1, at(5), whole}}, 7, 1},
		{"a chunk and the tail", flipped(spoil(5), int(tail)+200, 0), []found{{format.TAIL1, tail, headSize}, {format.CHUNK1, at(5), whole}}, 7, 1},
		{"a chunk, and the end is missing", spoil(1)[:at(4)+1000],
			[]found{{format.TAIL1, at(4) + 1000 - headSize, headSize}, {format.CHUNK1, at(1), whole}, {format.FILE1, at(4) + 1000, 0}}, 2, 2},
		{"a chunk, and more follows", append(spoil(1), 1, 2, 3),
			[]found{{format.TAIL1, tail + 3, headSize}, {format.CHUNK1, at(1), whole}, {format.FILE4, tail + headSize, 3}}, 6, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, workers := range []int{1, 2} {
				rep, err := stream.Verify(t.Context(), bytes.NewReader(c.b), int64(len(c.b)), with(v), &stream.VerifyOptions{Workers: workers})
				if err != nil {
					t.Fatal(err)
				}
				var got []found
				for _, f := range rep.Findings {
					got = append(got, found{f.Clause, f.Offset, f.Length})
				}
				if !slices.Equal(got, c.want) || rep.Authentic != c.authentic || rep.Failed != c.failed {
					t.Errorf("%d workers: %d authentic, %d failed, %v; want %d, %d, %v",
						workers, rep.Authentic, rep.Failed, rep.Findings, c.authentic, c.failed, c.want)
				}
				if rep.Valid() != (c.want == nil) || !rep.Keyed || rep.Generation != 1 {
					t.Errorf("%d workers: %+v", workers, rep)
				}
			}
		})
	}
}

// What has an impossible size is still looked at, chunk by chunk.
func TestVerifyImpossibleSize(t *testing.T) {
	v, plain := new(vault), plaintext(5*chunk)
	container := encrypt(t, plain, v, stream.WriterOptions{}) // its last chunk is empty
	cut := slices.Delete(slices.Clone(container), len(container)-headSize-format.TagSize, len(container)-headSize)
	for name, c := range map[string]struct {
		b       []byte
		clauses []format.Clause
		failed  int64
	}{
		"alone":            {cut, []format.Clause{format.FILE2}, 0},
		"and a bad chunk":  {flipped(cut, headSize+5, 0), []format.Clause{format.FILE2, format.CHUNK1}, 1},
		"and two of them":  {flipped(flipped(cut, headSize+5, 0), headSize+3*format.SealedChunkSize, 0), []format.Clause{format.FILE2, format.CHUNK1, format.CHUNK1}, 2},
		"nothing but head": {container[:headSize+100], []format.Clause{format.FILE1, format.TAIL1}, 0},
	} {
		rep, err := verify(t, c.b, v)
		if err != nil || !slices.Equal(clauses(rep.Findings), c.clauses) || rep.Failed != c.failed {
			t.Errorf("%s: %d failed, %v, %v; want %d, %v", name, rep.Failed, rep.Findings, err, c.failed, c.clauses)
		}
	}
}

// Without a key that fits, the report has what a stranger sees, and the error
// says that it is no more.
func TestVerifyWithoutKey(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(1000), v, stream.WriterOptions{})
	for _, c := range []struct {
		b     []byte
		valid bool
	}{
		{container, true},
		{flipped(container, headSize+5, 0), true}, // nobody can see that without a key
		{flipped(container, len(container)-5, 0), false},
		{flipped(container, 500, 0), false},
	} {
		for _, ids := range [][]stream.Identity{nil, with(new(vault))} {
			rep, err := stream.Verify(t.Context(), bytes.NewReader(c.b), int64(len(c.b)), ids, nil)
			if clauseOf(err) != format.SLOT3 || rep == nil || rep.Keyed || rep.Valid() != c.valid || rep.Authentic != 0 {
				t.Errorf("%+v, %v", rep, err)
			}
		}
	}
	// What is not a container needs no key to be called so.
	for _, b := range [][]byte{nil, []byte("not a container"), container[:100]} {
		rep, err := verify(t, b, v)
		if err != nil || rep.Keyed || rep.Valid() {
			t.Errorf("%d bytes: %+v, %v", len(b), rep, err)
		}
	}
}

func TestVerifyCancelled(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(5*batch), v, stream.WriterOptions{})
	for _, workers := range []int{1, 2} {
		ctx, cancel := context.WithCancelCause(t.Context())
		src := &badReaderAt{b: container, n: 5, fail: func(_ []byte, n int) (int, error) { cancel(errBroken); return n, nil }}
		rep, err := stream.Verify(ctx, src, int64(len(container)), with(v), &stream.VerifyOptions{Workers: workers})
		if !errors.Is(err, errBroken) || rep == nil || rep.Authentic > 4*(2*2+1) {
			t.Errorf("%d workers: %+v, %v", workers, rep, err)
		}
		r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(container), int64(len(container)), with(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
}

// A container that is damaged all over has a report of bounded length.
func TestVerifyBoundsFindings(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a container of 160 MB")
	}
	const chunks = 2400
	v := new(vault)
	container := encrypt(t, make([]byte, chunks*chunk), v, stream.WriterOptions{})
	for i := range chunks / 2 {
		container[headSize+2*i*format.SealedChunkSize] ^= 1
	}
	rep, err := verify(t, container, v)
	if err != nil || rep.Failed != chunks/2 || rep.Authentic != chunks/2+1 || len(rep.Findings) != 1000 {
		t.Errorf("%d failed, %d authentic, %d findings, %v", rep.Failed, rep.Authentic, len(rep.Findings), err)
	}
}

// A chunk that fails is a finding also where what follows it, by which the reason
// is told, cannot be read; and then that is an error.
func TestVerifyReasonUnreadable(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(2*batch), v, stream.WriterOptions{})
	const last = batch/chunk - 1 // of its batch, so that nothing else needs what follows
	l, _ := format.NewLayout(int64(len(container)), headSize)
	off, length := l.Chunk(last)
	m := &badMedium{Reader: bytes.NewReader(flipped(container, int(off)+100, 0)), sector: 4096, bad: map[int64]bool{(off + length + 4095) / 4096: true}}
	for _, workers := range []int{1, 2} {
		rep, err := stream.Verify(t.Context(), m, int64(len(container)), with(v), &stream.VerifyOptions{Workers: workers})
		if !errors.Is(err, errBroken) || rep.Valid() || rep.Failed != 1 || !slices.Equal(clauses(rep.Findings), []format.Clause{format.CHUNK1}) {
			t.Errorf("%d workers: %v, %d failed, %v", workers, err, rep.Failed, rep.Findings)
		}
	}
	var dst bytes.Buffer
	w := newWriter(t, &dst, new(vault), stream.WriterOptions{})
	w.Write(plaintext(2 * batch))
	err := w.CloseVerified(t.Context(), func() (io.ReaderAt, int64, error) {
		m.Reader = bytes.NewReader(flipped(dst.Bytes(), int(off)+100, 0))
		return m, int64(dst.Len()), nil
	}, nil)
	if !errors.Is(err, stream.ErrNotAsWritten) {
		t.Errorf("CloseVerified: %v", err)
	}
}

// What a stream is found to be is what the file is found to be, up to its first
// fault; and the place of a fault in what is compressed is one in the container.
func TestVerifyReader(t *testing.T) {
	v := new(vault)
	for _, level := range []int{0, 1} {
		whole := encrypt(t, plaintext(10*chunk+100), v, stream.WriterOptions{Level: level})
		l, _ := format.NewLayout(int64(len(whole)), headSize)
		second, _ := l.Chunk(1)
		for name, c := range map[string]struct {
			b         []byte
			clause    format.Clause
			authentic int64
			failed    int64
		}{
			"whole":    {whole, "", l.Chunks, 0},
			"chunk":    {flipped(whole, int(second)+5, 0), format.CHUNK1, 1, 1},
			"tail":     {flipped(whole, len(whole)-100, 0), format.TAIL1, l.Chunks, 0},
			"head":     {flipped(whole, 100, 0), format.HEAD5, 0, 0},
			"cut":      {whole[:second+5], format.FILE1, 0, 1},
			"appended": {append(slices.Clone(whole), 0), format.FILE4, l.Chunks - 1, 1},
			"empty":    {nil, format.HEAD4, 0, 0},
		} {
			rep, err := stream.VerifyReader(t.Context(), onlyReader{bytes.NewReader(c.b)}, with(v), nil)
			if err != nil || rep.Size != int64(len(c.b)) || rep.Authentic != c.authentic || rep.Failed != c.failed ||
				(c.clause == "") != rep.Valid() || c.clause != "" && !slices.Contains(clauses(rep.Findings), c.clause) {
				t.Errorf("level %d, %s: %+v, %+v, %v", level, name, rep, rep.Report, err)
			}
		}
		for _, ids := range [][]stream.Identity{nil, with(new(counter))} {
			rep, err := stream.VerifyReader(t.Context(), bytes.NewReader(whole), ids, nil)
			if _, ok := errors.AsType[*stream.NoKeyError](err); !ok || rep.Keyed || !rep.Valid() || rep.Size != int64(len(whole)) {
				t.Errorf("without a key: %+v, %v", rep, err)
			}
		}
	}
	if rep, err := stream.VerifyReader(t.Context(), &brokenReader{bytes.NewReader(encrypt(t, plaintext(batch), v, stream.WriterOptions{})), 5000}, with(v), nil); !errors.Is(err, errBroken) || !rep.Keyed || !rep.Valid() {
		t.Errorf("a source that breaks: %+v, %v", rep, err)
	}
}

// A source that fails behind a damaged chunk, near it or far from it: both are told, however
// far the reading is ahead of the check.
func TestVerifyReaderTellsBoth(t *testing.T) {
	v := new(vault)
	b := flipped(encrypt(t, plaintext(3*batch), v, stream.WriterOptions{}), headSize+format.SealedChunkSize+1, 0)
	for _, workers := range []int{1, 2, 8} {
		for _, at := range []int{headSize + 3*format.SealedChunkSize, batch, 2 * batch} {
			rep, err := stream.VerifyReader(t.Context(), &brokenReader{bytes.NewReader(b), at}, with(v), &stream.VerifyOptions{Workers: workers})
			if !errors.Is(err, errBroken) || !slices.Equal(clauses(rep.Findings), []format.Clause{format.CHUNK1}) {
				t.Errorf("%d workers, failing at %d: %v, %v", workers, at, rep.Findings, err)
			}
		}
	}
}

// A brokenReader fails after n bytes.
type brokenReader struct {
	src io.Reader
	n   int
}

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, errBroken
	}
	n, err := b.src.Read(p[:min(len(p), b.n)])
	b.n -= n
	return n, err
}
