package vectors

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// An ageFile is an age v1 file (C2SP age.md) for the X25519 recipient of
// stock_test.go, such as age itself would not make.
type ageFile struct {
	plain    func(cek []byte) []byte // what it holds; the CEK if nil
	before   string                  // stanzas before that of the recipient
	after    string                  // and after it
	intro    string                  // the first line
	mac      byte                    // xored to the header's MAC
	tag      byte                    // xored to the last byte
	pad      int                     // size that it gets by a stanza that is there to be ignored
	noStanza bool                    // none of the recipient's
	nonce    string                  // 16 bytes
}

// age is a slot of type 3.
func age(f ageFile) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		body := f.encode(x, i)
		if f.pad > 0 {
			padded := f
			padded.after += grease(f.pad - len(body))
			body = padded.encode(x, i)
		}
		return 3, stockAgeRecipient, body
	}
}

func (f *ageFile) encode(x *box, i int) []byte {
	fileKey := x.draw("age file key", i)[:16]
	scalar := must(ecdh.X25519().NewPrivateKey(x.draw("age ephemeral", i)))
	share := scalar.PublicKey().Bytes()
	public := must(hex.DecodeString(stockAgePublic))
	shared := must(scalar.ECDH(must(ecdh.X25519().NewPublicKey(public))))
	key := sha256Key(shared, append(bytes.Clone(share), public...), "age-encryption.org/v1/X25519")

	intro := f.intro
	if intro == "" {
		intro = "age-encryption.org/v1\n"
	}
	header := intro + f.before
	if !f.noStanza {
		header += stanza(chacha(key, zeroNonce(), fileKey), "X25519", b64(share))
	}
	header += f.after + "---"
	sum := hmac.New(sha256.New, sha256Key(fileKey, nil, "header"))
	sum.Write([]byte(header))
	mac := sum.Sum(nil)
	mac[0] ^= f.mac

	plain := x.CEK
	if f.plain != nil {
		plain = f.plain(plain)
	}
	nonce := x.draw("age nonce", i)[:16]
	if f.nonce != "" {
		nonce = []byte(f.nonce)
	}
	last := append(make([]byte, 11), 1) // the first chunk is the last
	b := append([]byte(header+" "+b64(mac)+"\n"), nonce...)
	b = append(b, chacha(sha256Key(fileKey, nonce, "payload"), last, plain)...)
	b[len(b)-1] ^= f.tag
	return b
}

func sha256Key(ikm, salt []byte, info string) []byte {
	return must(hkdf.Key(sha256.New, ikm, salt, info, 32))
}

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// stanza encodes a stanza: its body wrapped at 64 columns, the last line shorter.
func stanza(body []byte, args ...string) string {
	lines := []string{"-> " + strings.Join(args, " ")}
	text := b64(body)
	for ; len(text) >= 64; text = text[64:] {
		lines = append(lines, text[:64])
	}
	return strings.Join(append(lines, text, ""), "\n")
}

// grease is a stanza of n bytes, 100 at least: a body of whole lines, and an argument
// that makes up for the rest.
func grease(n int) string {
	const kind, line = "x-grease", 64
	body := make([]byte, (n-100)/(line+1)*line*3/4)
	argument := 1 + n - len(stanza(body, kind, "x"))
	return stanza(body, kind, strings.Repeat("x", argument))
}
