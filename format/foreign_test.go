package format

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

// What people hand to a decryptor by mistake is called by its name.
func TestForeignFiles(t *testing.T) {
	head := encode(t, sampleHead(1, Slot{Type: unregistered}))
	for _, c := range []struct {
		name, want string
		input      []byte
		seems      Foreign
	}{
		{"age", "age file", []byte("age-encryption.org/v1\n-> X25519 "), ForeignAge},
		{"armored age", "armored age", []byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), ForeignAge},
		{"armored PGP", "armored OpenPGP", []byte("-----BEGIN PGP MESSAGE-----\n"), ForeignOther},
		{"a key", "PEM", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"), ForeignOther},
		{"openssl enc", "openssl", []byte("Salted__12345678"), ForeignOther},
		{"gzip", "gzip", []byte{0x1f, 0x8b, 8, 0}, ForeignOther},
		{"zstd", "Zstandard", []byte{0x28, 0xb5, 0x2f, 0xfd}, ForeignOther},
		{"xz", "xz", []byte("\xfd7zXZ\x00\x00"), ForeignOther},
		{"bzip2", "bzip2", []byte("BZh91AY&SY"), ForeignOther},
		{"zip", "zip", []byte("PK\x03\x04"), ForeignOther},
		{"7z", "7-Zip", []byte("7z\xbc\xaf\x27\x1c"), ForeignOther},
		{"tar", "a tar", append(make([]byte, 257), "ustar  \x00"...), ForeignOther},
		{"MP4", "a film", []byte("\x00\x00\x00\x20ftypisom"), ForeignOther},
		{"a tar that is cut off", "magic", append(make([]byte, 257), "usta"...), ForeignUnknown},
		{"UTF-16, little-endian", "UTF-16", asUTF16(head, true), ForeignConverted},
		{"UTF-16, big-endian", "UTF-16", asUTF16(head, false), ForeignConverted},
		{"UTF-8 from Latin-1", "UTF-8", []byte(string([]rune{0x89, 'b', 'u', 'l', 'l', 'a', '\r', '\n'})), ForeignConverted},
		{"UTF-8 with the replacement character", "UTF-8", []byte(strings.ToValidUTF8(string(head), "\ufffd")), ForeignConverted},
		{"ASCII with a question mark", "ASCII", append([]byte{'?'}, head[1:]...), ForeignConverted},
		{"CRLF to LF", "line ends", bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n")), ForeignConverted},
		{"LF to CRLF", "line ends", bytes.ReplaceAll(head, []byte("\n"), []byte("\r\n")), ForeignConverted},
		{"bare LF to CRLF", "line ends", bytes.ReplaceAll(head, []byte("\x1a\n"), []byte("\x1a\r\n")), ForeignConverted},
		{"anything else", "magic", []byte("anything else"), ForeignUnknown},
		{"nearly the magic", "magic", []byte(Magic[:9] + "x"), ForeignUnknown},
		{"a byte", "magic", []byte{0}, ForeignUnknown},
	} {
		_, err := ParseHead(c.input)
		wantError(t, err, HEAD1, ErrNotBulla, 0)
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q does not say %q", c.name, err, c.want)
		}
		if seems, ok := errors.AsType[Foreign](err); !ok || seems != c.seems {
			t.Errorf("%s: %#v, want %d", c.name, err, c.seems)
		}
	}
}

// asUTF16 is what a shell makes of b when it takes its bytes for characters.
func asUTF16(b []byte, little bool) []byte {
	chars := []rune{'\ufeff'}
	for _, c := range b {
		chars = append(chars, rune(c))
	}
	var out []byte
	for _, u := range utf16.Encode(chars) {
		if hi, lo := byte(u>>8), byte(u); little {
			out = append(out, lo, hi)
		} else {
			out = append(out, hi, lo)
		}
	}
	return out
}

// A start that may still become a container is not called foreign.
func TestForeignPrefixes(t *testing.T) {
	for n := range len(Magic) {
		_, err := ParseHead([]byte(Magic[:n]))
		wantError(t, err, HEAD4, ErrTruncated, int64(n))
	}
}
