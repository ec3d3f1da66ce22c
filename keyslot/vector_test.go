package keyslot

import (
	"bytes"
	"crypto/hpke"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"bulla/internal/xwing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vector of draft-ietf-hpke-pq for this suite: MLKEM768-X25519,
// HKDF-SHA256, ChaCha20-Poly1305, base mode. Of the public key and enc it
// carries the SHA-256.
var vector = struct {
	info, coins, seed, public, enc, secret, key, nonce string
}{
	info: "34663634363532303666366532303631323034373732363536333639363136653230353537323665",
	coins: "a3a869097e0241158eca5dc6c9e695f9e0d2ee5db51c09c435aab69d56509a43" + // ML-KEM
		"d94ff76d7d47cf79ecf75394261236cec024bd849cc782e14f7f0738af83daed", // X25519
	seed:   "b3f98b03126a431ccecc62ae0f68e102c2d8e1cc7b21ba85d821d8e31761e0f8",
	public: "120b60e0ae3c00c1c9def1c61aeb12de710bfa49646ae6f99a7e564b25ace493",
	enc:    "3a7ef30fb815e75b7f0f16f5bab5c36250882d94ea0f776cc2241cdd3b36b480",
	secret: "b90cf181d95351d1091569487caaf6c3434eeb181a2c4c04631980ce139afa67",
	key:    "4a4c042267e8ec360c83b2baf0d5e3dcca73a86531cdf67ec41d95bccfe12387",
	nonce:  "5ddfaaee10a4dfd0d8e1b49f",
}

func TestVector(t *testing.T) {
	i, err := NewHPKEIdentity(unhex(t, vector.seed))
	if err != nil {
		t.Fatal(err)
	}
	key := i.recipient.key
	public := append(key.PQ.Bytes(), key.X.Bytes()...)
	if sum := sha256.Sum256(public); hex.EncodeToString(sum[:]) != vector.public {
		t.Errorf("SHA-256 of the public key is %x", sum)
	}

	coins := unhex(t, vector.coins)
	pqSecret, pqCiphertext, err := mlkemtest.Encapsulate768(key.PQ, coins[:32])
	if err != nil {
		t.Fatal(err)
	}
	secret, enc, err := key.Combine(coins[32:], pqSecret, pqCiphertext)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(enc); hex.EncodeToString(sum[:]) != vector.enc {
		t.Errorf("SHA-256 of enc is %x", sum)
	}
	if hex.EncodeToString(secret) != vector.secret {
		t.Errorf("the shared secret is %x", secret)
	}

	info := unhex(t, vector.info)
	aeadKey, nonce := hpkeSchedule(secret, info)
	if hex.EncodeToString(aeadKey) != vector.key || hex.EncodeToString(nonce) != vector.nonce {
		t.Errorf("the schedule gives %x and %x", aeadKey, nonce)
	}

	// And the standard library's receiver agrees.
	ct := hpkeSeal(secret, info, testCEK())
	k, err := hpke.MLKEM768X25519().NewPrivateKey(unhex(t, vector.seed))
	if err != nil {
		t.Fatal(err)
	}
	got, err := hpke.Open(k, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, append(enc, ct...))
	if err != nil || !bytes.Equal(got, testCEK()) {
		t.Errorf("crypto/hpke: %q, %v", got, err)
	}
}

// The points of low order that an X25519 public key can hold, in one encoding
// each at least: 0, 1, two of order eight, p-1, p and p+1.
var lowOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestPublicKeyRefused(t *testing.T) {
	i, err := NewHPKEIdentity(unhex(t, vector.seed))
	if err != nil {
		t.Fatal(err)
	}
	good := append(i.recipient.key.PQ.Bytes(), i.recipient.key.X.Bytes()...)
	if _, err := NewHPKERecipient(good); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 32, 1184, xwing.PublicSize - 1} {
		if _, err := NewHPKERecipient(good[:n]); err == nil {
			t.Errorf("a public key of %d bytes was taken", n)
		}
	}
	if _, err := NewHPKERecipient(append(good, 0)); err == nil {
		t.Error("a public key of a byte too many was taken")
	}
	bad := bytes.Clone(good)
	bad[0], bad[1] = 0xff, 0xff // a coefficient of at least q
	if _, err := NewHPKERecipient(bad); err == nil {
		t.Error("an ML-KEM key that is not reduced was taken")
	}
	for _, point := range lowOrder {
		bad := append(bytes.Clone(good[:len(good)-xwing.X25519Size]), unhex(t, point)...)
		if _, err := NewHPKERecipient(bad); err == nil {
			t.Errorf("the point %s was taken", point)
		}
		bad[len(bad)-1] |= 0x80 // a bit that X25519 ignores
		if _, err := NewHPKERecipient(bad); err == nil {
			t.Errorf("the point %s was taken with its highest bit set", point)
		}
	}
}
