package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"bulla/format"
)

func TestKeySchedule(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		k := testKeys(t, s)
		prk := extract(testPreamble(s).Bytes(), testCEK())

		commitment := k.Commitment()
		if want := expand(prk, "bulla/v1 commitment", 32); !bytes.Equal(commitment[:], want) {
			t.Errorf("commitment is %x, want %x", commitment, want)
		}
		mac := k.HeadMAC([]byte("head"))
		if want := hmac512(expand(prk, "bulla/v1 head", 32), []byte("head"))[:32]; !bytes.Equal(mac[:], want) {
			t.Errorf("MAC is %x, want %x", mac, want)
		}
		for _, canonical := range []string{"", "age1pq1example"} {
			id := k.SlotID(canonical)
			if want := hmac512(expand(prk, "bulla/v1 slot id", 32), []byte(canonical))[:16]; !bytes.Equal(id[:], want) {
				t.Errorf("id of %q is %x, want %x", canonical, id, want)
			}
		}
	})
}

// The same as numbers, for whoever writes another implementation, and against a
// change of the schedule and of this test's idea of it at the same time.
func TestKeyScheduleGolden(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	commitment, mac, id := k.Commitment(), k.HeadMAC([]byte("head")), k.SlotID("age1pq1example")
	sealed := segment(t, k, 0).Seal(nil, nil, 0, true, new(Nonce))
	next := segment(t, k, 1).Seal(nil, nil, 128, true, new(Nonce))
	chacha := segment(t, testKeys(t, format.ChaCha20Poly1305), 0).Seal(nil, nil, 0, true, new(Nonce))
	for _, g := range []struct {
		name string
		got  []byte
		want string
	}{
		{"commitment", commitment[:], "8d9098172ed06f4607dead15ec062e467f85b98247df69dac2cc55ad3d84c285"},
		{"MAC of head", mac[:], "d742ae3da7dd09185fa5c9523d58f93c5b1e6b4a5c4659ef24228c947421597e"},
		{"slot id", id[:], "1306791f765b0cc64d375d7da2115ec5"},
		{"empty chunk 0, AES-256-GCM", sealed, "9503b1603178076008c163788aeee2a4"},
		{"empty chunk 128, AES-256-GCM", next, "cf4ed337583e6e5ef3adaf91b95e88dc"},
		{"empty chunk 0, ChaCha20-Poly1305", chacha, "5c27a1bb48011218d6aa15b8fef9e786"},
	} {
		if got := hex.EncodeToString(g.got); got != g.want {
			t.Errorf("%s is %s, want %s", g.name, got, g.want)
		}
	}
}

// Everything fixed about a container enters its keys: a change of any bit of
// the CEK or of the preamble gives other ones.
func TestKeysDependOnEverything(t *testing.T) {
	base := testKeys(t, format.AES256GCM)
	commitment := base.Commitment()
	check := func(name string, k *Keys) {
		t.Helper()
		if k.Commits(&commitment) {
			t.Errorf("%s does not change the commitment", name)
		}
		if k.SlotID("") == base.SlotID("") || k.HeadMAC(nil) == base.HeadMAC(nil) {
			t.Errorf("%s does not change every key", name)
		}
	}
	for bit := range 256 {
		cek := testCEK()
		cek[bit/8] ^= 1 << (bit % 8)
		k, err := NewKeys(cek, testPreamble(format.AES256GCM))
		if err != nil {
			t.Fatal(err)
		}
		check("a bit of the CEK", k)
	}
	for name, change := range map[string]func(*format.Preamble){
		"the suite":  func(p *format.Preamble) { p.Suite = format.ChaCha20Poly1305 },
		"the coding": func(p *format.Preamble) { p.Coding = format.Zstd },
		"the pages":  func(p *format.Preamble) { p.Pages++ },
		"the salt":   func(p *format.Preamble) { p.Salt[31] ^= 1 },
	} {
		p := testPreamble(format.AES256GCM)
		change(p)
		k, err := NewKeys(testCEK(), p)
		if err != nil {
			t.Fatal(err)
		}
		check(name, k)
	}
}

func TestCommits(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	c := k.Commitment()
	if !k.Commits(&c) {
		t.Error("the key's own commitment is refused")
	}
	for bit := range 256 {
		wrong := c
		wrong[bit/8] ^= 1 << (bit % 8)
		if k.Commits(&wrong) {
			t.Fatalf("a commitment with bit %d changed is taken", bit)
		}
	}
}

func TestVerifyHead(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	h := &format.Head{Preamble: *testPreamble(format.AES256GCM), Commitment: k.Commitment(), Generation: 1,
		Slots: []format.Slot{{Type: 0x7f00, Body: []byte("body")}}}
	encoded, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.MAC = k.HeadMAC(format.MACInput(encoded))
	if encoded, err = h.Append(nil); err != nil {
		t.Fatal(err)
	}
	if !k.VerifyHead(h, encoded) {
		t.Fatal("the right MAC is refused")
	}
	for i := range encoded[:len(encoded)-4] { // the MAC itself too; what follows it is the checksum
		encoded[i] ^= 0x10
		wrong := *h
		wrong.MAC = [32]byte(encoded[len(encoded)-36:])
		if k.VerifyHead(&wrong, encoded) {
			t.Fatalf("a head with byte %d changed is taken", i)
		}
		encoded[i] ^= 0x10
	}
}

func TestNewKeysRefuses(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := NewKeys(make([]byte, n), testPreamble(format.AES256GCM)); err == nil {
			t.Errorf("a CEK of %d bytes is taken", n)
		}
	}
	k, err := NewKeys(testCEK(), testPreamble(9))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Segment(0); err == nil {
		t.Error("an unknown suite has segment keys")
	}
}

// NewKeys keeps nothing of the CEK: its caller may wipe it at once.
func TestNewKeysKeepsNothing(t *testing.T) {
	cek := testCEK()
	k, err := NewKeys(cek, testPreamble(format.AES256GCM))
	if err != nil {
		t.Fatal(err)
	}
	before := k.Commitment()
	clear(cek)
	if k.Commitment() != before {
		t.Error("the keys changed with the caller's CEK")
	}
}

func TestWipe(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	prk := k.prk
	seg := segment(t, k, 0)
	want := seg.Seal(nil, []byte("plain"), 0, true, new(Nonce))
	k.Wipe()
	if !bytes.Equal(prk, make([]byte, len(prk))) {
		t.Error("the secret is still there")
	}
	if got := seg.Seal(nil, []byte("plain"), 0, true, new(Nonce)); !bytes.Equal(got, want) {
		t.Error("a segment changed when its keys were wiped")
	}
	if !panics(func() { k.Segment(1) }) || !panics(func() { k.Commitment() }) || !panics(func() { k.SlotID("") }) {
		t.Error("wiped keys are used")
	}
	k.Wipe() // twice is once
}

// The bound of 2^46 chunks holds for every segment there is, and a segment
// gives no way past its own end.
func TestSegmentBound(t *testing.T) {
	const last = format.MaxChunks/format.SegmentChunks - 1
	k := testKeys(t, format.ChaCha20Poly1305)
	for _, s := range []int64{-1 << 63, -1, last + 1, last + 2, 1 << 57, 1<<63 - 1} {
		seg, err := k.Segment(s)
		var pe *format.ParseError
		if seg != nil || !errors.As(err, &pe) || pe.Clause != format.FILE3 || !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("segment %d: %v, %v", s, seg, err)
		}
	}
	seg := segment(t, k, last)
	n := new(Nonce)
	sealed := seg.Seal(nil, []byte("the very last"), format.MaxChunks-1, true, n)
	if plain, err := seg.Open(nil, sealed, format.MaxChunks-1, true, n); err != nil || string(plain) != "the very last" {
		t.Errorf("chunk 2^46-1: %v", err)
	}
	for _, beyond := range []func(){
		func() { seg.Seal(nil, nil, format.MaxChunks, true, n) },
		func() { seg.Seal(nil, make([]byte, format.ChunkSize), format.MaxChunks-1, true, n) }, // an empty one would follow
		func() { seg.Seal(nil, make([]byte, 2*format.ChunkSize), format.MaxChunks-1, false, n) },
		func() { seg.Open(nil, sealed, format.MaxChunks, true, n) },
	} {
		if !panics(beyond) {
			t.Error("a chunk beyond the last is sealed or opened")
		}
	}
}
