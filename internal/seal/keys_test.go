package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"bulla/format"
)

func TestKeySchedule(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		k := testKeys(t, s)
		prk := extract(testPreamble(s).Bytes(), testCEK())

		commitment := k.Commitment()
		if want := expandAlone(prk, "bulla/v2 commitment", 32); !bytes.Equal(commitment[:], want) {
			t.Errorf("commitment is %x, want %x", commitment, want)
		}
		mac := k.HeadMAC([]byte("head"))
		if want := hmac512(expandAlone(prk, "bulla/v2 head", 32), []byte("head"))[:32]; !bytes.Equal(mac[:], want) {
			t.Errorf("MAC is %x, want %x", mac, want)
		}
		for _, canonical := range []string{"", "age1pq1example"} {
			id := k.SlotID(canonical)
			if want := hmac512(expandAlone(prk, "bulla/v2 slot id", 32), []byte(canonical))[:16]; !bytes.Equal(id[:], want) {
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
	whole := make([]byte, format.ChunkSize)
	tag := func(k *Keys, chunk int64) []byte { // that of a whole chunk of zeros, under its segment key
		return segment(t, k, chunk/format.SegmentChunks).Seal(nil, whole, chunk, new(Nonce))[format.ChunkSize:]
	}
	last := func(k *Keys, chunk int64) []byte { return final(t, k, chunk).Seal(nil, nil, chunk, new(Nonce)) }
	chacha := testKeys(t, format.ChaCha20Poly1305)
	for _, g := range []struct {
		name string
		got  []byte
		want string
	}{
		{"commitment", commitment[:], "b1cfe3e666121d15a6ba2b234ef640b95d5a6d13eb66e7f1efee82da422c9f5f"},
		{"MAC of head", mac[:], "5c89306d19d7275bf40fbfe72e723d74bf71e9b22319eaebf1499d701ac0ecd3"},
		{"slot id", id[:], "578aa655f726b44b1ac81d9442eb1317"},
		{"chunk 0, AES-256-GCM", tag(k, 0), "b298cf0e61603a22467edcef6525e231"},
		{"chunk 31 * 128", tag(k, 31*128), "fdd45cc7922ab5148b52eb417fb3b823"},
		{"chunk 32 * 128", tag(k, 32*128), "1ee7eda72687df5badf9e63a58c791d5"},
		{"chunk 1023 * 128", tag(k, 1023*128), "16b99a7a4addddb921730714d56a7943"},
		{"chunk 1024 * 128", tag(k, 1024*128), "7fe6959012dce477f5657e8734eb9041"},
		{"empty last chunk 0", last(k, 0), "97bfc89ec558f1ffc4428b40d41f584c"},
		{"empty last chunk 128", last(k, 128), "0d0b9aa981b1cb5b0c911fe074a28bd8"},
		{"chunk 0, ChaCha20-Poly1305", tag(chacha, 0), "3384a5adf479670f715433c3210b456a"},
		{"empty last chunk 0, ChaCha20-Poly1305", last(chacha, 0), "5cd905a736051d99eb5ec04ded8f22f4"},
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
		"the role":   func(p *format.Preamble) { p.Role = format.RoleGrant },
		"the set":    func(p *format.Preamble) { p.Set[0] ^= 1 },
		"the number": func(p *format.Preamble) { p.Number ^= 1 },
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
	if _, err := k.Key(0, false, nil); err == nil {
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
	memory := k.memory
	key, whole := segment(t, k, 0), make([]byte, format.ChunkSize)
	want := key.Seal(nil, whole, 0, new(Nonce))
	k.Wipe()
	if !bytes.Equal(memory, make([]byte, len(memory))) {
		t.Error("a secret is still there")
	}
	if got := key.Seal(nil, whole, 0, new(Nonce)); !bytes.Equal(got, want) {
		t.Error("a key changed when those it derives from were wiped")
	}
	if !panics(func() { k.Key(0, false, nil) }) || !panics(func() { k.Key(0, true, nil) }) || !panics(func() { k.Commitment() }) || !panics(func() { k.SlotID("") }) {
		t.Error("wiped keys are used")
	}
	k.Wipe() // twice is once
}

// The bound of 2^46 chunks holds for every segment there is, and a key gives no
// way past its own end.
func TestSegmentBound(t *testing.T) {
	const last = format.MaxChunks/format.SegmentChunks - 1
	k := testKeys(t, format.ChaCha20Poly1305)
	refused := func(name string, i int64, key *ChunkKey, err error) {
		t.Helper()
		var pe *format.ParseError
		if key != nil || !errors.As(err, &pe) || pe.Clause != format.FILE3 || !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("%s %d: %v, %v", name, i, key, err)
		}
	}
	for _, i := range []int64{-1 << 63, -129, -1, format.MaxChunks, format.MaxChunks + 1, format.MaxChunks + 128, 1<<63 - 1} {
		for _, last := range []bool{false, true} {
			key, err := k.Key(i, last, nil)
			refused(fmt.Sprintf("final %v", last), i, key, err)
		}
	}
	n := new(Nonce)
	end := final(t, k, format.MaxChunks-1)
	sealed := end.Seal(nil, []byte("the very last"), format.MaxChunks-1, n)
	if plain, err := end.Open(nil, sealed, format.MaxChunks-1, n); err != nil || string(plain) != "the very last" {
		t.Errorf("chunk 2^46-1: %v", err)
	}
	if !panics(func() { segment(t, k, last).Seal(nil, make([]byte, format.ChunkSize), format.MaxChunks, n) }) {
		t.Error("a chunk beyond the last is sealed")
	}
}

// The key that is kept is taken where it is the one, and no other.
func TestKeyKept(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	kept, last := segment(t, k, 1), final(t, k, 200)
	for _, c := range []struct {
		chunk int64
		final bool
		kept  *ChunkKey
		same  bool
	}{
		{128, false, kept, true}, {255, false, kept, true}, {127, false, kept, false}, {256, false, kept, false},
		{200, true, kept, false}, {200, true, last, true}, {200, false, last, false}, {201, true, last, false}, {200, true, nil, false},
	} {
		key, err := k.Key(c.chunk, c.final, c.kept)
		if err != nil || (key == c.kept) != c.same || !key.Holds(c.chunk) || key.isFinal() != c.final {
			t.Errorf("chunk %d, final %v: the same %v, %v", c.chunk, c.final, key == c.kept, err)
		}
	}
}

// Whatever was derived before, and by however many at once, a segment's key is its
// own: the nodes that are kept are never taken for others.
func TestTreeKeepsNodesApart(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	prk := extract(testPreamble(format.AES256GCM).Bytes(), testCEK())
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 0))
			for range 2000 {
				// Near each other, and far apart by what is a multiple of what is kept.
				s := r.Int64N(4)*fanOut*keptNodes*fanOut + r.Int64N(4)*fanOut*keptNodes + r.Int64N(3)*fanOut + r.Int64N(3)
				if got, want := k.tree.segment(s), segmentKeyAlone(prk, uint64(s)); !bytes.Equal(got, want) {
					t.Errorf("segment %d has another key", s)
					return
				}
			}
		})
	}
	wg.Wait()
}
