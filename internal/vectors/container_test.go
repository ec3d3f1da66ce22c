package vectors

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"bulla/format"
	"bulla/internal/seal"
)

// What is put together of parts is what is written in one piece, wherever one reads.
func TestParts(t *testing.T) {
	s := scenario{name: "parts", file: file{plain: 2*C + 5}, want: "CHUNK-1", change: []change{flipAt(H + 3), cutAt(-10)}}
	v := s.vector()
	if v.recipe.Parts == nil {
		t.Fatal("the vector has no parts")
	}
	c := must(v.Container())
	want := whole(file{label: "parts", plain: 2*C + 5})
	want[H+3] ^= 0x40
	want = want[:len(want)-10]
	if !bytes.Equal(c.Bytes(), want) {
		t.Fatal("the parts make another container")
	}
	for off := range len(want) {
		if off%997 > 2 {
			continue
		}
		b := make([]byte, 5000)
		n, err := c.ReadAt(b, int64(off))
		if !bytes.Equal(b[:n], want[off:min(len(want), off+5000)]) || (n < len(b)) != (err == io.EOF) {
			t.Fatalf("ReadAt %d: %d bytes, %v", off, n, err)
		}
	}
	if _, err := c.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset is read")
	}
	small := must(scenario{name: "small", want: "ok"}.vector().Container())
	if err := iotest.TestReader(small.Reader(), small.Bytes()); err != nil {
		t.Error(err)
	}
}

// Recipes that are wrong are refused, not made.
func TestBadRecipes(t *testing.T) {
	good := scenario{name: "recipe", file: file{plain: C + 5}, want: "CHUNK-1", change: []change{flipAt(H)}}
	for name, spoil := range map[string]func(*Vector){
		"another size":          func(v *Vector) { v.recipe.Size++ },
		"another sum":           func(v *Vector) { v.recipe.Sum[0] ^= 1 },
		"more than the body":    func(v *Vector) { v.recipe.Parts[0].Count = 1 << 30 },
		"an unknown part":       func(v *Vector) { v.recipe.Parts[0].Kind = "copy" },
		"no key":                func(v *Vector) { v.Values = v.Values[1:] },
		"no seed":               func(v *Vector) { v.Values = v.Values[:2] },
		"a key that is none":    func(v *Vector) { v.Values[0].Text = "x" },
		"a change of nothing":   func(v *Vector) { v.recipe.Xors[0].Offset = 1 << 40 },
		"a change among zeros":  func(v *Vector) { v.recipe.Xors[0].Offset = 1000 },
		"a preamble of 1 byte":  func(v *Vector) { v.Values[1].Text = "89" },
		"a change of a neg. at": func(v *Vector) { v.recipe.Xors[0].Offset = -1 },
	} {
		v := good.vector()
		if _, err := v.Container(); err != nil {
			t.Fatal(err)
		}
		spoil(v)
		if _, err := v.Container(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The second key schedule agrees with the first one, in every good vector that says
// its values.
func TestScheduleAgrees(t *testing.T) {
	for _, v := range made() {
		if v.Stream.Outcome != Success || v.Raw != nil {
			continue
		}
		x := build(v.file)
		h, err := format.ParseHead(x.head)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		keys := must(seal.NewKeys(x.CEK, &h.Preamble))
		if !keys.Commits(&h.Commitment) || !keys.VerifyHead(h, x.head) {
			t.Errorf("%s: the commitment or the MAC is another", v.Name)
		}
		if id := keys.SlotID("kek:x"); !bytes.Equal(id[:], x.SlotID("kek:x")) {
			t.Errorf("%s: a slot's id is another", v.Name)
		}
		var nonce seal.Nonce
		for _, c := range []chunk{x.payload[0], x.payload[len(x.payload)-1]} {
			got, err := must(keys.Key(c.First, c.Final, nil)).Open(nil, x.chunkBytes(c), c.First, &nonce)
			if want := x.plaintext(c.First*C, c.PlaintextSize); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: chunk %d: %v", v.Name, c.First, err)
			}
		}
	}
}

// The plaintext is the same from wherever one starts.
func TestPlaintext(t *testing.T) {
	all := Plaintext(3, 0, 100)
	for off := int64(0); off < 20; off++ {
		if !bytes.Equal(Plaintext(3, off, 50), all[off:off+50]) {
			t.Errorf("from offset %d it is another", off)
		}
	}
	if want := []byte{3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1}; !bytes.Equal(all[:16], want) {
		t.Errorf("it begins %x", all[:16])
	}
}
