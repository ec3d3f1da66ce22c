package stream_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"reflect"
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
	salvage := func(b []byte, o stream.SalvageOptions) ([]byte, *stream.Salvaged) {
		t.Helper()
		var out bytes.Buffer
		found, err := stream.Salvage(t.Context(), &out, bytes.NewReader(b), int64(len(b)), with(v), &o)
		if err != nil {
			t.Fatal(err)
		}
		return out.Bytes(), found
	}

	got, found := salvage(container, stream.SalvageOptions{})
	if !bytes.Equal(got, plain) || !found.Whole() || !found.Decoded {
		t.Errorf("whole: %d bytes, %+v", len(got), found)
	}

	holed := slices.Clone(container)
	holed[headSize+format.SealedChunkSize/2] ^= 1
	got, found = salvage(holed, stream.SalvageOptions{})
	if len(found.Lost) != 1 || found.Lost[0].Offset != 0 || found.Lost[0].Length%frame != 0 || !found.Decoded || !found.SizeKnown {
		t.Fatalf("a hole: %+v", found)
	}
	lost := found.Lost[0].Length
	if lost >= int64(len(plain)) || len(got) != len(plain) || !bytes.Equal(got[lost:], plain[lost:]) || len(bytes.Trim(got[:lost], "\x00")) > 0 {
		t.Errorf("a hole: %d bytes, of which %d are lost", len(got), lost)
	}

	if _, found = salvage(container, stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Raw: true}}); found.Decoded || !found.Whole() {
		t.Errorf("raw: %+v", found)
	}
	// Without its end, up to the last whole frame.
	got, found = salvage(container[:len(container)-headSize-1000], stream.SalvageOptions{})
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
// frames before the first hole come back in their places. Those after it are
// uncertain, and belong where they are said to or some frames further on.
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
				s := checkPieces(t, b, plain, v)
				if n := s.Intact + s.UncertainBytes; s.SizeKnown || !s.Decoded || n < int64(c.intact*frame) || c.exact && n > s.Intact {
					t.Errorf("%d frames and %d bytes came back, not %d; uncertain %v", n/frame, n%frame, c.intact, s.Uncertain)
				}
			})
		}
	}
}

// checkPieces salvages b, with what is uncertain and without, and checks what came
// out: zeros where it is lost; before that the plaintext; after it pieces of the
// plaintext, from their place or some frames further on, or zeros for them.
func checkPieces(t *testing.T, b, plain []byte, v *vault) *stream.Salvaged {
	t.Helper()
	const frame = 2 << 20
	got, s := salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{Uncertain: true})
	certain, again := salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{})
	if !reflect.DeepEqual(s.Report, again.Report) {
		t.Errorf("%+v and %+v", s.Report, again.Report)
	}
	for _, l := range s.Lost {
		if len(bytes.Trim(got[l.Offset:][:l.Length], "\x00")) > 0 || l.Length%frame != 0 {
			t.Errorf("lost %v", l)
		}
	}
	if !bytes.HasPrefix(plain, got[:s.Intact]) || len(s.Lost) > 0 && s.Lost[0].Offset != s.Intact {
		t.Errorf("%d bytes at first are not the plaintext's; lost %v", s.Intact, s.Lost)
	}
	n := int64(0)
	for _, u := range s.Uncertain {
		n += u.Length
		piece := got[u.Offset:][:u.Length]
		for place := u.Offset; !bytes.HasPrefix(plain[place:], piece); {
			if place += frame; place >= int64(len(plain)) {
				t.Errorf("%d bytes at %d are not the plaintext's", u.Length, u.Offset)
				break
			}
		}
		clear(piece)
	}
	if n != s.UncertainBytes || !bytes.Equal(got, certain) {
		t.Errorf("%d bytes are uncertain, not %d", s.UncertainBytes, n)
	}
	return s
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
			got, s := salvage(t, bytes.NewReader(container), len(container), v, stream.SalvageOptions{})
			if !s.Whole() || !s.Decoded || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes of %d: %+v", len(got), len(plain), s)
			}
			// With a hole before, the size is as unknown as the places after it.
			container[at(3)] ^= 1
			s = checkPieces(t, container, plain, v)
			if s.SizeKnown || s.Intact+s.UncertainBytes < int64(len(plain)-frame)/frame*frame {
				t.Errorf("with a hole: %+v", s)
			}
		})
	}
}

// A frame that was hidden in the content, where the encoder leaves it as it is,
// cannot be told from the container's own without the table: it is uncertain, and
// written only if that is asked for.
func TestSalvageHiddenFrame(t *testing.T) {
	const frame, frames, block = 2 << 20, 5, 128 << 10
	v := new(vault)
	pack := func(content []byte) []byte {
		return raw(t, encrypt(t, content, v, stream.WriterOptions{Level: 1}), v)
	}
	plain := plaintext(frames * frame)
	outer := pack(plain)
	begins := bytes.Index(outer, plain[:100])
	between := outer[begins+block:][:3] // what stands between two blocks of the frame around it

	// The hidden frame is longer than a block, so it has that in its place.
	const place = 5*block + 1000
	const seam = 6*block - place
	content := append(junk(block+1000), make([]byte, frame-block-1000)...)
	hidden := pack(content)
	copy(content[seam-bytes.Index(hidden, content[:100]):], between)
	hidden = pack(content)
	copy(plain[place:], slices.Concat(hidden[:seam], hidden[seam+3:]))
	if len(hidden) < block || !bytes.Contains(pack(plain)[:frame], hidden) {
		t.Fatal("the encoder has not left the hidden frame as it is")
	}

	container := encrypt(t, plain, v, stream.WriterOptions{Level: 1})
	w := newWreck(container).remove(len(container)-headSize-1000, headSize+1000).zero(at(2), 100)
	b := w.bytes()
	got, s := salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{})
	if s.Intact != 0 || s.UncertainBytes != (frames-1)*frame || len(bytes.Trim(got, "\x00")) > 0 {
		t.Errorf("%d bytes are intact, %d uncertain", s.Intact, s.UncertainBytes)
	}
	got, _ = salvage(t, bytes.NewReader(b), len(b), v, stream.SalvageOptions{Uncertain: true})
	for i := range int64(frames) {
		want := plain[i*frame:][:frame]
		if i == 0 {
			want = content
		}
		if found := bytes.Contains(got, want); found != (i < frames-1) {
			t.Errorf("frame %d came out: %v", i, found)
		}
	}
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
