package stream_test

import (
	"bytes"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Of a compressed payload with a hole, every frame but those that touch it comes
// back decompressed, in its place. Without its end it comes as it is.
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

	if _, found = salvage(container[:len(container)-headSize-100], stream.ReaderOptions{}); found.Decoded || found.SizeKnown {
		t.Errorf("without its end: %+v", found)
	}
	if _, found = salvage(container, stream.ReaderOptions{Raw: true}); found.Decoded || !found.Whole() {
		t.Errorf("raw: %+v", found)
	}
}
