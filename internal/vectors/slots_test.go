package vectors

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"bulla/keyslot"
)

// A slot makes the i-th slot of x: its type, the recipient's canonical string and
// the body.
type slot func(x *box, i int) (kind uint16, canonical string, body []byte)

// The keys of all scenarios.
var (
	keyA, keyB = secret("kek a"), secret("kek b")
	pqA, pqB   = pqKey(secret("identity a")), pqKey(secret("identity b"))
)

const (
	passA = "correct horse battery staple"
	passB = "Tr0ub4dor&3"
)

// Keys as vectors name them.
func withKEK(k []byte) Key        { return Key{KeyKEK, hex.EncodeToString(k)} }
func withPassphrase(p string) Key { return Key{KeyPassphrase, p} }
func withPQ(k pqKey) Key          { return Key{KeyIdentity, k.identity().String()} }
func withAge(identity string) Key { return Key{KeyIdentity, identity} }
func withSSH(pem string) Key      { return Key{KeySSH, pem} }

// A pqKey is the seed of a post-quantum identity.
type pqKey string

func (k pqKey) seed() []byte { return []byte(k) }

// identity serves for its texts alone.
func (k pqKey) identity() *keyslot.HPKEIdentity { return must(keyslot.NewHPKEIdentity(k.seed())) }

// public is the ML-KEM key, then X25519's, which both derive from SHAKE-256 of the
// seed (X-Wing).
func (k pqKey) public() []byte {
	expanded := sha3.SumSHAKE256(k.seed(), 96)
	pq := must(mlkem.NewDecapsulationKey768(expanded[:64]))
	x := must(ecdh.X25519().NewPrivateKey(expanded[64:]))
	return append(pq.EncapsulationKey().Bytes(), x.PublicKey().Bytes()...)
}

// draw is what takes the place of 32 random bytes for slot i.
func (x *box) draw(what string, i int) []byte {
	return secret(fmt.Sprintf("%s %s %d", x.label, what, i))
}

func chacha(key, nonce, plain []byte) []byte {
	return must(chacha20poly1305.New(key)).Seal(nil, nonce, plain, nil)
}

func zeroNonce() []byte { return make([]byte, chacha20poly1305.NonceSize) }

func (x *box) info(kind uint16) []byte {
	return append(binary.BigEndian.AppendUint16([]byte("bulla/v2 slot"), kind), x.pre...)
}

// kek is a slot of type 4.
func kek(key []byte) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		return 4, fmt.Sprintf("kek:%x", sha256.Sum256(key)), x.symmetric(4, i, key, x.draw("slot salt", i))
	}
}

// symmetric is the end of the body of types 2 and 4: salt, commit, ct.
func (x *box) symmetric(kind uint16, i int, ikm, salt []byte) []byte {
	okm := must(hkdf.Key(sha512.New, ikm, salt, string(x.info(kind)), 64))
	x.note("slot-okm", i, okm)
	return append(append(salt, okm[:32]...), chacha(okm[32:], zeroNonce(), x.CEK)...)
}

// passphrase is a slot of type 2 at the least cost.
func passphrase(p string) slot { return passphraseAt(p, 32, 1) }

func passphraseAt(p string, kib uint32, passes byte) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		salt := x.draw("slot salt", i)
		ikm := argon2.IDKey([]byte(p), salt, uint32(passes), kib, 4, 32)
		x.note("slot-argon2", i, ikm)
		return 2, "", append(cost(kib, passes), x.symmetric(2, i, ikm, salt)...)
	}
}

func cost(kib uint32, passes byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, kib), passes)
}

// costing is a slot of type 2 that claims a cost nobody has paid.
func costing(kib uint32, passes byte) slot {
	return patched(passphrase(passA), 0, cost(kib, passes)...)
}

// pq is a slot of type 1. RFC 9180 and X-Wing once more: package keyslot has the
// other, whose coins are random.
func pq(to pqKey) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		text := to.identity().Recipient().Canonical()
		shared, enc := encapsulate(to, x.draw("ml-kem coins", i), x.draw("x25519 ephemeral", i))
		x.note("slot-secret", i, shared)
		key, nonce := scheduleHPKE(shared, x.info(1))
		x.note("slot-okm", i, append(bytes.Clone(key), nonce...))
		return 1, text, append(enc, chacha(key, nonce, x.CEK)...)
	}
}

func encapsulate(to pqKey, coins, scalar []byte) (shared, enc []byte) {
	public := to.public()
	const pqSize = mlkem.EncapsulationKeySize768
	pqSecret, pqCiphertext, err := mlkemtest.Encapsulate768(must(mlkem.NewEncapsulationKey768(public[:pqSize])), coins)
	if err != nil {
		panic(err)
	}
	e := must(ecdh.X25519().NewPrivateKey(scalar))
	xSecret := must(e.ECDH(must(ecdh.X25519().NewPublicKey(public[pqSize:]))))
	xPublic := e.PublicKey().Bytes()
	sum := sha3.Sum256(bytes.Join([][]byte{pqSecret, xSecret, xPublic, public[pqSize:], []byte(`\.//^\`)}, nil))
	return sum[:], append(pqCiphertext, xPublic...)
}

// scheduleHPKE is RFC 9180's key schedule in base mode for X-Wing, HKDF-SHA256 and
// ChaCha20-Poly1305.
func scheduleHPKE(shared, info []byte) (key, nonce []byte) {
	suite := "HPKE" + "\x64\x7a" + "\x00\x01" + "\x00\x03"
	extract := func(salt []byte, label string, ikm []byte) []byte {
		return must(hkdf.Extract(sha256.New, append([]byte("HPKE-v1"+suite+label), ikm...), salt))
	}
	context := append([]byte{0}, extract(nil, "psk_id_hash", nil)...)
	context = append(context, extract(nil, "info_hash", info)...)
	prk := extract(shared, "secret", nil)
	derive := func(label string, n int) []byte {
		labeled := binary.BigEndian.AppendUint16(nil, uint16(n))
		labeled = append(labeled, "HPKE-v1"+suite+label...)
		return must(hkdf.Expand(sha256.New, prk, string(append(labeled, context...)), n))
	}
	return derive("key", 32), derive("base_nonce", 12)
}

// unknown is a slot of a type that no registry has.
func unknown(kind uint16, size int) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		return kind, "unknown", bytes.Repeat([]byte{0x55}, size)
	}
}

// sized is s with a body of another size: cut off, or with zeros after it.
func sized(s slot, n int) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		kind, canonical, body := s(x, i)
		return kind, canonical, append(body, make([]byte, max(0, n-len(body)))...)[:n]
	}
}

// patched is s with other bytes at an offset of its body.
func patched(s slot, off int, with ...byte) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		kind, canonical, body := s(x, i)
		copy(body[off:], with)
		return kind, canonical, body
	}
}

// flipped is s with a bit of its body inverted.
func flipped(s slot, off int) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		kind, canonical, body := s(x, i)
		body[off] ^= 0x40
		return kind, canonical, body
	}
}

// lastBit is s with the last bit of a byte of its body inverted.
func lastBit(s slot, off int) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		kind, canonical, body := s(x, i)
		body[off] ^= 1
		return kind, canonical, body
	}
}

// relabelled is s under another type.
func relabelled(s slot, as uint16) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		_, canonical, body := s(x, i)
		return as, canonical, body
	}
}

// holding is s around another CEK than the container's.
func holding(s slot, label string) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		other := *x
		schedule := *x.Schedule
		schedule.CEK = secret("cek " + label)
		other.Schedule = &schedule
		return s(&other, i)
	}
}

// from another container is a slot as it stands in one of that label.
func taken(s slot, label string) slot {
	return func(x *box, i int) (uint16, string, []byte) { return s(build(file{label: label}), i) }
}

// many is n slots of s.
func many(n int, s slot) []slot {
	all := make([]slot, n)
	for i := range all {
		all[i] = s
	}
	return all
}
