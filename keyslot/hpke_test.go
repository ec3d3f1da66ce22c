package keyslot

import (
	"bytes"
	"context"
	"crypto/hpke"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/bech32"
	"bulla/internal/xwing"
	"bulla/slot"
)

func newIdentity(t testing.TB) *HPKEIdentity {
	t.Helper()
	i, err := GenerateIdentity(osMixer(t))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestHPKE(t *testing.T) {
	i := newIdentity(t)
	s := wrap(t, i.Recipient())
	if s.Type != format.SlotHPKE || len(s.Body) != i.Recipient().BodySize() {
		t.Errorf("a slot of %v with %d bytes", s.Type, len(s.Body))
	}
	if cek, err := i.Unwrap(t.Context(), s, testPreamble()); err != nil || !bytes.Equal(cek, testCEK()) {
		t.Errorf("%q, %v", cek, err)
	}
	if again := wrap(t, i.Recipient()); bytes.Equal(again.Body[:format.HPKEEncSize], s.Body[:format.HPKEEncSize]) {
		t.Error("two slots have the same enc")
	}
}

// This package's sender against the standard library's receiver.
func TestHPKEReceiver(t *testing.T) {
	m := osMixer(t)
	for n := range 100 {
		seed := make([]byte, 32)
		cek := make([]byte, format.CEKSize)
		p := testPreamble()
		for _, b := range [][]byte{seed, cek, p.Salt[:]} {
			if err := m.Fill("test", b); err != nil {
				t.Fatal(err)
			}
		}
		i, err := NewHPKEIdentity(seed)
		if err != nil {
			t.Fatal(err)
		}
		body, err := i.Recipient().Wrap(t.Context(), m, p, cek)
		if err != nil {
			t.Fatal(err)
		}
		k, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
		if err != nil {
			t.Fatal(err)
		}
		info := "bulla/v2 slot\x00\x01" + string(p.Bytes())
		got, err := hpke.Open(k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), body)
		if err != nil || !bytes.Equal(got, cek) {
			t.Fatalf("trial %d, seed %x: %v", n, seed, err)
		}
	}
}

// This package's receiver with the standard library's sender.
func TestHPKESender(t *testing.T) {
	i := newIdentity(t)
	info := "bulla/v2 slot\x00\x01" + string(testPreamble().Bytes())
	body, err := hpke.Seal(i.key.PublicKey(), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(info), testCEK())
	if err != nil {
		t.Fatal(err)
	}
	s := &format.Slot{Type: format.SlotHPKE, Body: body}
	if cek, err := i.Unwrap(t.Context(), s, testPreamble()); err != nil || !bytes.Equal(cek, testCEK()) {
		t.Errorf("%q, %v", cek, err)
	}
}

// A system generator that repeats itself gives away the coins of ML-KEM, but
// not the X25519 ephemeral: the mixer's other sources reach it.
func TestEphemeralComesFromMixer(t *testing.T) {
	const seed = 7
	body := func(o *entropy.Options) []byte {
		i, err := NewHPKEIdentity(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		m := mixer(t, o)
		cryptotest.SetGlobalRandom(t, seed)
		b, err := i.Recipient().Wrap(t.Context(), m, testPreamble(), testCEK())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const pq = xwing.EncSize - xwing.X25519Size
	osOnly := &entropy.Options{Sources: []string{}}
	a, b := body(osOnly), body(osOnly)
	if !bytes.Equal(a, b) {
		t.Error("the same random bytes gave two slots")
	}
	c := body(&entropy.Options{Sources: []string{"unique"}})
	if !bytes.Equal(a[:pq], c[:pq]) {
		t.Error("the repeated generator did not repeat ML-KEM's coins: this test shows nothing")
	}
	if bytes.Equal(a[pq:xwing.EncSize], c[pq:xwing.EncSize]) {
		t.Error("the X25519 ephemeral depends on the system's generator alone")
	}
}

func TestHPKENotMine(t *testing.T) {
	mine, other := newIdentity(t), newIdentity(t)
	s := wrap(t, mine.Recipient())

	if _, err := other.Unwrap(t.Context(), s, testPreamble()); !errors.Is(err, slot.ErrIncorrectIdentity) {
		t.Errorf("another identity: %v", err)
	}
	p := testPreamble()
	p.Suite = format.ChaCha20Poly1305
	if _, err := mine.Unwrap(t.Context(), s, p); !errors.Is(err, slot.ErrIncorrectIdentity) {
		t.Errorf("another container: %v", err)
	}
	for _, typ := range []format.SlotType{0, format.SlotPassphrase, format.SlotAge, format.SlotKEK, 0xffff} {
		relabelled := &format.Slot{Type: typ, Body: s.Body}
		if _, err := mine.Unwrap(t.Context(), relabelled, testPreamble()); !errors.Is(err, slot.ErrIncorrectIdentity) {
			t.Errorf("as %v: %v", typ, err)
		}
	}
	for i := range s.Body {
		bad := &format.Slot{Type: s.Type, Body: bytes.Clone(s.Body)}
		bad.Body[i] ^= 0x80
		cek, err := mine.Unwrap(t.Context(), bad, testPreamble())
		if i == xwing.EncSize-1 && err == nil {
			// The highest bit of an X25519 point is ignored by X25519 but not
			// by the combiner, which hashes the point as it came.
			t.Error("the highest bit of the ephemeral does not matter")
		}
		if !errors.Is(err, slot.ErrIncorrectIdentity) {
			t.Fatalf("with byte %d changed: %q, %v", i, cek, err)
		}
	}
}

func TestHPKEMalformed(t *testing.T) {
	i := newIdentity(t)
	s := wrap(t, i.Recipient())
	for _, n := range []int{0, 1, format.HPKEEncSize, format.HPKEBodySize - 1} {
		var pe *format.ParseError
		_, err := i.Unwrap(t.Context(), &format.Slot{Type: s.Type, Body: s.Body[:n]}, testPreamble())
		if !errors.As(err, &pe) || pe.Clause != format.HPKE1 {
			t.Errorf("a body of %d bytes: %v", n, err)
		}
	}
	for _, point := range lowOrder {
		copy(s.Body[xwing.EncSize-xwing.X25519Size:], unhex(t, point))
		if _, err := i.Unwrap(t.Context(), s, testPreamble()); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("the ephemeral %s: %v", point, err)
		}
	}
}

func TestHPKECancelled(t *testing.T) {
	i := newIdentity(t)
	s := wrap(t, i.Recipient())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Unwrap(ctx, s, testPreamble()); !errors.Is(err, context.Canceled) {
		t.Errorf("Unwrap: %v", err)
	}
	if _, err := i.Recipient().Wrap(ctx, osMixer(t), testPreamble(), testCEK()); !errors.Is(err, context.Canceled) {
		t.Errorf("Wrap: %v", err)
	}
}

func TestWrapChecksCEK(t *testing.T) {
	pass, err := NewPassphraseRecipient([]byte("x"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Recipient{newIdentity(t).Recipient(), newKEK(t), pass} {
		for _, n := range []int{0, 16, 31, 33} {
			if _, err := r.Wrap(t.Context(), osMixer(t), testPreamble(), make([]byte, n)); err == nil {
				t.Errorf("%v: a CEK of %d bytes was wrapped", r.Type(), n)
			}
		}
	}
}

func TestIdentityText(t *testing.T) {
	i := newIdentity(t)
	again, err := ParseHPKEIdentity(i.String())
	if err != nil {
		t.Fatal(err)
	}
	if again.Recipient().Canonical() != i.Recipient().Canonical() || again.String() != i.String() {
		t.Error("an identity changed on its way through text")
	}
	r, err := ParseHPKERecipient(i.Recipient().Canonical())
	if err != nil {
		t.Fatal(err)
	}
	if r.Canonical() != i.Recipient().Canonical() {
		t.Errorf("the canonical string is %s", r.Canonical())
	}

	for _, s := range []string{
		"",
		strings.ToLower(i.String()),
		i.String()[:len(i.String())-1],
		i.String() + "Q",
		strings.Replace(i.String(), "-PQ-1", "-1", 1),
		i.Recipient().Canonical(),
		bech32.Encode(hpkeIdentityPrefix, make([]byte, 31)),
		bech32.Encode(hpkeIdentityPrefix, make([]byte, 33)),
		bech32.Encode(hpkeIdentityPrefix[:14], make([]byte, 32)),
		"AGE-SECRET-KEY-PQ-1" + i.String()[30:40] + "1" + i.String()[41:],
	} {
		if _, err := ParseHPKEIdentity(s); err == nil {
			t.Errorf("the identity %q was taken", s)
		} else if quotes(err, i.String()[len(hpkeIdentityPrefix)+1:]) {
			t.Errorf("a secret is quoted: %v", err)
		}
	}
	for _, s := range []string{
		"",
		strings.ToUpper(i.Recipient().Canonical()),
		i.Recipient().Canonical() + "q",
		bech32.Encode(hpkeRecipientPrefix, make([]byte, xwing.PublicSize+1)),
		bech32.Encode("age", make([]byte, 32)),
		i.String(),
	} {
		if _, err := ParseHPKERecipient(s); err == nil {
			t.Errorf("the recipient %q was taken", s)
		} else if quotes(err, i.String()[len(hpkeIdentityPrefix)+1:]) {
			t.Errorf("a secret is quoted: %v", err)
		}
	}
}

// Keys that age-keygen makes are read here.
func TestKeysOfAge(t *testing.T) {
	file := run(t, nil, tool(t, "age-keygen"), "-pq")
	ids, err := ParseIdentities(bytes.NewReader(file))
	if err != nil || len(ids) != 1 {
		t.Fatalf("%d identities, %v", len(ids), err)
	}
	i := ids[0].(*HPKEIdentity)
	if !bytes.Contains(file, []byte("\n"+i.String()+"\n")) {
		t.Error("the identity is written in another way")
	}
	public := run(t, file, tool(t, "age-keygen"), "-y")
	recipients, err := ParseRecipients(bytes.NewReader(public))
	if err != nil || len(recipients) != 1 {
		t.Fatalf("%d recipients, %v", len(recipients), err)
	}
	if got := recipients[0].Canonical(); got != i.Recipient().Canonical() || got+"\n" != string(public) {
		t.Errorf("the recipient is %s, for age-keygen %s", got, public)
	}
	if cek, err := i.Unwrap(t.Context(), wrap(t, recipients[0]), testPreamble()); err != nil || !bytes.Equal(cek, testCEK()) {
		t.Errorf("%q, %v", cek, err)
	}
}

// Keys made here are read by age.
func TestKeysForAge(t *testing.T) {
	age := tool(t, "age")
	i := newIdentity(t)
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte(i.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sealed := run(t, testCEK(), age, "-r", i.Recipient().Canonical())
	if got := run(t, sealed, age, "-d", "-i", key); !bytes.Equal(got, testCEK()) {
		t.Errorf("age gives %q back", got)
	}
}

func BenchmarkWrapHPKE(b *testing.B) {
	r, m, p, cek := newIdentity(b).Recipient(), osMixer(b), testPreamble(), testCEK()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Wrap(b.Context(), m, p, cek); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrapHPKE(b *testing.B) {
	i, p := newIdentity(b), testPreamble()
	s := wrap(b, i.Recipient())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Unwrap(b.Context(), s, p); err != nil {
			b.Fatal(err)
		}
	}
}
