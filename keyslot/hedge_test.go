package keyslot

import (
	"bytes"
	"os"
	"testing"
	"testing/cryptotest"

	"golang.org/x/crypto/chacha20poly1305"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/xwing"
	"bulla/stream"
)

// The whole path is hedged: what follows is a machine whose operating system's
// generator an attacker knows, byte for byte, and who knows everything else,
// too, but what the processor's generator gave.

// hardware is a source of this machine whose bytes nobody can know.
func hardware(t *testing.T) string {
	t.Helper()
	m, err := entropy.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Status() {
		if s.State == entropy.Active && (s.Name == "rdrand" || s.Name == "rndr") {
			return s.Name
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("the processor has no generator")
	}
	t.Skip("the processor has no generator")
	return ""
}

// knownStream is the seed of the operating system's generator.
const knownStream = 42

// victim writes a container for r, with the sources named beside the operating
// system, while the generator gives what the attacker knows. It returns the
// head.
func victim(t *testing.T, r *HPKERecipient, sources []string) *format.Head {
	t.Helper()
	m := mixer(t, &entropy.Options{Sources: sources, Require: sources})
	cryptotest.SetGlobalRandom(t, knownStream)
	var out bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &out, []stream.Recipient{r}, &stream.WriterOptions{Entropy: m, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := format.ParseHead(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A replay is what the known stream gives to someone who draws on it as the
// writer does: salt, CEK, X25519 ephemeral, and the coins of ML-KEM.
type replay struct {
	salt, cek, scalar  []byte
	pqSecret, pqCipher []byte
}

// replayed runs the stream again. An attacker has no other way to know what an
// output of the mixer is than to have all its inputs.
func replayed(t *testing.T, r *HPKERecipient) replay {
	t.Helper()
	m := osMixer(t)
	cryptotest.SetGlobalRandom(t, knownStream)
	a := replay{salt: make([]byte, format.SaltSize), cek: make([]byte, format.CEKSize), scalar: make([]byte, xwing.X25519Size)}
	for _, draw := range []struct {
		purpose string
		out     []byte
	}{{"salt", a.salt}, {"cek", a.cek}, {xwing.Purpose, a.scalar}} {
		if err := m.Fill(draw.purpose, draw.out); err != nil {
			t.Fatal(err)
		}
	}
	a.pqSecret, a.pqCipher = r.key.PQ.Encapsulate()
	return a
}

// open opens a slot with what was replayed. ok is false if it does not open.
func (a replay) open(t *testing.T, r *HPKERecipient, h *format.Head) (cek []byte, ok bool) {
	t.Helper()
	body, err := format.ParseHPKEBody(h.Slots[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := r.key.Combine(a.scalar, bytes.Clone(a.pqSecret), bytes.Clone(a.pqCipher))
	if err != nil {
		t.Fatal(err)
	}
	key, nonce := hpkeSchedule(secret, slotInfo(format.SlotHPKE, &h.Preamble))
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		t.Fatal(err)
	}
	cek, err = aead.Open(nil, nonce, body.CT[:], nil)
	return cek, err == nil
}

func TestHedged(t *testing.T) {
	source := hardware(t)
	id, err := NewHPKEIdentity(bytes.Repeat([]byte{5}, xwing.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	r := id.recipient
	unwrap := func(h *format.Head) []byte {
		t.Helper()
		cek, err := id.Unwrap(t.Context(), &h.Slots[0], &h.Preamble)
		if err != nil {
			t.Fatal(err)
		}
		return cek
	}
	attacker := replayed(t, r)

	// With the operating system alone the attacker has everything: the replay
	// is the writer's own, so that what fails below is not the attack.
	bare := victim(t, r, []string{})
	if !bytes.Equal(bare.Salt[:], attacker.salt) {
		t.Fatal("the attacker does not know the salt of an unhedged container: the replay is not the writer's")
	}
	if !bytes.Equal(unwrap(bare), attacker.cek) {
		t.Fatal("the attacker does not know the CEK of an unhedged container")
	}
	if cek, ok := attacker.open(t, r, bare); !ok || !bytes.Equal(cek, attacker.cek) {
		t.Fatal("the attacker does not open the slot of an unhedged container")
	}

	// With the processor's bytes in the mix, what stays the operating system's
	// is the ML-KEM half, and that is not enough.
	hedged := victim(t, r, []string{source})
	body, err := format.ParseHPKEBody(hedged.Slots[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body.Enc[:len(attacker.pqCipher)], attacker.pqCipher) {
		t.Error("the coins of ML-KEM are not those of the known stream: the attack is weaker than it should be")
	}
	if bytes.Equal(body.Enc[len(attacker.pqCipher):], bare.Slots[0].Body[len(attacker.pqCipher):format.HPKEEncSize]) {
		t.Error("the X25519 ephemeral is the one that the known stream gives")
	}
	if bytes.Equal(hedged.Salt[:], attacker.salt) {
		t.Error("the attacker knows the salt")
	}
	if bytes.Equal(unwrap(hedged), attacker.cek) {
		t.Error("the attacker knows the CEK")
	}
	if _, ok := attacker.open(t, r, hedged); ok {
		t.Error("the attacker opens the slot")
	}
	if hedged.Commitment == bare.Commitment {
		t.Error("the two containers have one key")
	}
	// Nor do the processor's bytes repeat.
	if again := victim(t, r, []string{source}); again.Salt == hedged.Salt || bytes.Equal(unwrap(again), unwrap(hedged)) {
		t.Error("two containers have one salt, or one key")
	}
}

// Whatever else this package draws is hedged in the same way.
func TestEveryDrawIsHedged(t *testing.T) {
	source := hardware(t)
	kek, err := NewKEK(bytes.Repeat([]byte{6}, KEKSize))
	if err != nil {
		t.Fatal(err)
	}
	passphrase, err := NewPassphraseRecipient([]byte("correct horse"), &PassphraseOptions{KiB: 32, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, draw := range map[string]func(m *entropy.Mixer) ([]byte, error){
		"identity": func(m *entropy.Mixer) ([]byte, error) {
			id, err := GenerateIdentity(m)
			if err != nil {
				return nil, err
			}
			return []byte(id.Recipient().Canonical()), nil
		},
		"new KEK": func(m *entropy.Mixer) ([]byte, error) {
			k, err := GenerateKEK(m)
			if err != nil {
				return nil, err
			}
			return k.Encode(), nil
		},
		"new passphrase": GeneratePassphrase,
		"KEK slot": func(m *entropy.Mixer) ([]byte, error) {
			return kek.Wrap(t.Context(), m, testPreamble(), testCEK())
		},
		"passphrase slot": func(m *entropy.Mixer) ([]byte, error) {
			return passphrase.Wrap(t.Context(), m, testPreamble(), testCEK())
		},
	} {
		known := func(sources []string) []byte {
			t.Helper()
			m := mixer(t, &entropy.Options{Sources: sources, Require: sources})
			cryptotest.SetGlobalRandom(t, knownStream)
			b, err := draw(m)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		bare := known([]string{})
		if !bytes.Equal(bare, known([]string{})) {
			t.Errorf("%s: the known stream does not give the same twice: this test shows nothing", name)
		}
		if bytes.Equal(bare, known([]string{source})) {
			t.Errorf("%s: made of the operating system's bytes alone", name)
		}
	}
}
