package stream_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Of a compressed payload with a hole, every frame but those that touch it comes
// back decompressed, in its place.
func TestSalvageFrames(t *testing.T) {
	const frame = 2 << 20
	v := new(vault)
	plain := plaintext(5*frame + 1000)
	container := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
	salvage := func(b []byte, o stream.ReaderOptions) ([]byte, *stream.Salvaged) {
		t.Helper()
		var out bytes.Buffer
		found, err := stream.Salvage(t.Context(), &out, bytes.NewReader(b), int64(len(b)), with(v), &o)
		if err != nil {
			t.Fatal(err)
		}
		return out.Bytes(), found
	}

	got, found := salvage(container, stream.ReaderOptions{})
	if !bytes.Equal(got, plain) || !found.Whole() || !found.Decoded {
		t.Errorf("whole: %d bytes, %+v", len(got), found)
	}

	holed := slices.Clone(container)
	holed[headSize+format.SealedChunkSize/2] ^= 1
	got, found = salvage(holed, stream.ReaderOptions{})
	if len(found.Lost) != 1 || found.Lost[0].Offset != 0 || found.Lost[0].Length%frame != 0 || !found.Decoded || !found.SizeKnown {
		t.Fatalf("a hole: %+v", found)
	}
	lost := found.Lost[0].Length
	if lost >= int64(len(plain)) || len(got) != len(plain) || !bytes.Equal(got[lost:], plain[lost:]) || len(bytes.Trim(got[:lost], "\x00")) > 0 {
		t.Errorf("a hole: %d bytes, of which %d are lost", len(got), lost)
	}

	if _, found = salvage(container, stream.ReaderOptions{Raw: true}); found.Decoded || !found.Whole() {
		t.Errorf("raw: %+v", found)
	}
	// Without its end, up to the last whole frame.
	got, found = salvage(container[:len(container)-headSize-1000], stream.ReaderOptions{})
	if !found.Decoded || found.SizeKnown || len(found.Lost) > 0 || len(got) != 4*frame || !bytes.Equal(got, plain[:4*frame]) {
		t.Errorf("without its end: %d bytes, %+v", len(got), found)
	}
}

// sparseText is content of which a frame is somewhat more than n bytes long.
func sparseText(frames, n int) []byte {
	const frame = 2 << 20
	b := make([]byte, frames*frame)
	for i := range frames {
		copy(b[i*frame:], plaintext((i + 1) * n)[i*n:])
	}
	return b
}

// Of a compressed payload without its end, or with a table that is damaged, the
// frames before the first hole come back in their places, and those behind it in
// pieces, which belong where they are said to or some frames further back.
func TestSalvageWithoutTable(t *testing.T) {
	const frame, frames = 2 << 20, 9
	v := new(vault)
	for name, plain := range map[string][]byte{
		"noise":  plaintext(frames * frame),
		"text":   []byte(hex.EncodeToString(plaintext(frames * frame / 2))),
		"sparse": sparseText(frames, 100_000),
	} {
		container := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
		chunks := (len(container) - 2*headSize) / format.SealedChunkSize
		end := len(container) - headSize - 1000
		cases := map[string]struct {
			damage func(w *wreck)
			intact int  // frames at least
			exact  bool // all is in its place
		}{
			"cut":               {func(w *wreck) {}, frames - 1, true},
			"cut in the middle": {func(w *wreck) { w.remove(at(chunks/2)+5, end-at(chunks/2)-5) }, frames/2 - 2, true},
			"a hole":            {func(w *wreck) { w.zero(at(chunks/3)+100, 100) }, frames - 4, false},
			"two holes":         {func(w *wreck) { w.zero(at(chunks/3)+100, 100).zero(at(2*chunks/3)+100, 100) }, frames - 7, false},
			"a hole at first":   {func(w *wreck) { w.zero(at(0), 100) }, frames - 4, false},
			"moved":             {func(w *wreck) { w.insert(at(chunks/3)+100, 7) }, frames - 4, false},
		}
		for what, c := range cases {
			t.Run(name+"/"+what, func(t *testing.T) {
				w := newWreck(container).remove(end, len(container)-end)
				c.damage(w)
				b := w.bytes()
				got, s := salvage(t, bytes.NewReader(b), len(b), v, stream.ReaderOptions{})
				if s.SizeKnown || !s.Decoded || s.Intact < int64(c.intact*frame) || c.exact && len(s.Lost) > 0 {
					t.Errorf("%d frames and %d bytes are intact, not %d; lost %v", s.Intact/frame, s.Intact%frame, c.intact, s.Lost)
				}
				checkPieces(t, got, plain, s)
			})
		}
	}
}

// checkPieces checks that what came out is zeros where it is lost, and between
// that is of the plaintext: in its place, or at most some frames before it.
func checkPieces(t *testing.T, got, plain []byte, s *stream.Salvaged) {
	t.Helper()
	const frame = 2 << 20
	if s.Loose != (len(s.Lost) > 0) {
		t.Errorf("loose: %v; lost %v", s.Loose, s.Lost)
	}
	intact, from, moved := int64(0), int64(0), false
	piece := func(to int64) {
		place := from
		for moved && place+to-from < int64(len(plain)) && !bytes.Equal(got[from:to], plain[place:][:to-from]) {
			place += frame
		}
		if !bytes.Equal(got[from:to], plain[place:min(int64(len(plain)), place+to-from)]) {
			t.Errorf("%d bytes at %d are not the plaintext's", to-from, from)
		}
		intact += to - from
	}
	for _, l := range s.Lost {
		piece(l.Offset)
		if len(bytes.Trim(got[l.Offset:][:l.Length], "\x00")) > 0 || l.Length%frame != 0 {
			t.Errorf("lost %v", l)
		}
		from, moved = l.Offset+l.Length, true
	}
	piece(int64(len(got)))
	if intact != s.Intact {
		t.Errorf("%d bytes are intact, not %d", intact, s.Intact)
	}
}

// A table that is damaged is no loss where the frames are there: the last ends
// them by being short, or the table by beginning behind it.
func TestSalvageDamagedTable(t *testing.T) {
	const frame = 2 << 20
	v := new(vault)
	for name, content := range map[string]func(n int) []byte{
		"a short frame": func(n int) []byte { return plaintext(3*frame - n) },
		"whole frames":  func(n int) []byte { return slices.Concat(make([]byte, n), plaintext(2*frame-n)) },
	} {
		t.Run(name, func(t *testing.T) {
			// Such that a few bytes of the table are all that is in the last chunk.
			var plain, container []byte
			for rest, n := 11, 1000; rest > 10; n += rest - 5 {
				plain = content(n)
				container = encrypt(t, plain, v, stream.WriterOptions{Level: 1})
				rest = (len(container)-2*headSize)%format.SealedChunkSize - format.TagSize
			}
			container[len(container)-headSize-1] ^= 1
			got, s := salvage(t, bytes.NewReader(container), len(container), v, stream.ReaderOptions{})
			if !s.Whole() || !s.Decoded || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes of %d: %+v", len(got), len(plain), s)
			}
			// With a hole before, the size is as unknown as the places behind it.
			container[at(3)] ^= 1
			got, s = salvage(t, bytes.NewReader(container), len(container), v, stream.ReaderOptions{})
			if s.SizeKnown || s.Intact < int64(len(plain)-frame)/frame*frame {
				t.Errorf("with a hole: %+v", s)
			}
			checkPieces(t, got, plain, s)
		})
	}
}

// A frame in the content of another, which is left as it is there, is not taken
// for one of the payload's.
func TestSalvageNested(t *testing.T) {
	const frame, frames, block = 2 << 20, 5, 128 << 10
	v := new(vault)
	nested := raw(t, encrypt(t, append(junk(50_000), make([]byte, frame-50_000)...), v, stream.WriterOptions{Level: 1}), v)
	plain := plaintext(frames * frame)
	copy(plain[5*block+1000:], nested)
	container := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
	if !bytes.Contains(raw(t, container, v)[:frame], nested) {
		t.Fatal("the encoder has not left it as it is")
	}
	w := newWreck(container).remove(len(container)-headSize-1000, headSize+1000).zero(at(2), 100)
	b := w.bytes()
	got, s := salvage(t, bytes.NewReader(b), len(b), v, stream.ReaderOptions{})
	if s.Intact != (frames-2)*frame {
		t.Errorf("%d frames and %d bytes", s.Intact/frame, s.Intact%frame)
	}
	checkPieces(t, got, plain, s)
}

// raw is the payload of a container as it is.
func raw(t *testing.T, container []byte, v *vault) []byte {
	t.Helper()
	r, err := stream.NewReader(t.Context(), bytes.NewReader(container), with(v), &stream.ReaderOptions{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
