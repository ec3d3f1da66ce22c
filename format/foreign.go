package format

import (
	"bytes"
	"io"
	"slices"
)

// A Foreign is a kind of input that is no container: the Kind of a [ParseError] for
// what does not begin with the magic (HEAD-1). It matches [ErrNotBulla].
type Foreign uint8

const (
	ForeignUnknown   Foreign = iota
	ForeignConverted         // a container that was converted as if it were text
	ForeignAge               // a file of age
	ForeignOther             // a file of another program
	ForeignShredded          // a container whose copies of the head were destroyed on purpose
	ForeignLost              // perhaps a container that has lost both copies of its head
)

func (Foreign) Error() string { return ErrNotBulla.Error() }

func (Foreign) Unwrap() error { return ErrNotBulla }

// ShreddedMark is what a container begins with whose copies of the head were destroyed on
// purpose.
const ShreddedMark = "bulla shredded\n"

// foreign lists how files that people hand to a decryptor by mistake begin,
// and what happened to a container that begins so.
var foreign = []struct {
	seems    Foreign
	what     string
	prefixes []string
	at       int // where they stand
}{
	{ForeignConverted, "it looks like text in UTF-16: a shell may have re-encoded the container (redirect with -o instead)", []string{"\xff\xfe", "\xfe\xff"}, 0},
	{ForeignConverted, "it is a container that was converted to UTF-8 as if it were text", []string{"\xef\xbf\xbdbulla", "\xc2\x89bulla"}, 0},
	{ForeignConverted, "it is a container that was converted to ASCII as if it were text", []string{"?bulla"}, 0},
	{ForeignConverted, "it is a container whose line ends were converted as if it were text",
		[]string{"\x89bulla\n", "\x89bulla\r\r", "\x89bulla\r\n\x1a\r\n"}, 0},
	{ForeignShredded, "it was destroyed by bulla shred", []string{ShreddedMark}, 0},
	{ForeignAge, "it looks like an age file", []string{"age-encryption.org/"}, 0},
	{ForeignAge, "it looks like an armored age file", []string{"-----BEGIN AGE ENCRYPTED FILE"}, 0},
	{ForeignOther, "it looks like an armored OpenPGP file", []string{"-----BEGIN PGP"}, 0},
	{ForeignOther, "it looks like a PEM file", []string{"-----BEGIN "}, 0},
	{ForeignOther, "it looks like a file of openssl enc", []string{"Salted__"}, 0},
	{ForeignOther, "it looks like a gzip file", []string{"\x1f\x8b"}, 0},
	{ForeignOther, "it looks like a Zstandard file", []string{"\x28\xb5\x2f\xfd"}, 0},
	{ForeignOther, "it looks like an xz file", []string{"\xfd7zXZ\x00"}, 0},
	{ForeignOther, "it looks like a bzip2 file", []string{"BZh"}, 0},
	{ForeignOther, "it looks like a zip file", []string{"PK\x03\x04"}, 0},
	{ForeignOther, "it looks like a 7-Zip file", []string{"7z\xbc\xaf\x27\x1c"}, 0},
	{ForeignOther, "it looks like an lz4 file", []string{"\x04\x22\x4d\x18"}, 0},
	{ForeignOther, "it looks like a RAR file", []string{"Rar!\x1a\x07"}, 0},
	{ForeignOther, "it looks like a tar", []string{"ustar"}, 257},
	{ForeignOther, "it looks like a LUKS volume", []string{"LUKS\xba\xbe"}, 0},
	{ForeignOther, "it looks like a PDF file", []string{"%PDF-"}, 0},
	{ForeignOther, "it looks like a picture", []string{"\x89PNG\r\n\x1a\n", "\xff\xd8\xff\xe0", "\xff\xd8\xff\xe1"}, 0},
	{ForeignOther, "it looks like a film or a sound", []string{"\x1a\x45\xdf\xa3", "OggS", "fLaC"}, 0},
	{ForeignOther, "it looks like a film or a sound", []string{"ftyp"}, 4},
	{ForeignOther, "it looks like an OpenPGP file", []string{"\x85\x01", "\x84", "\x8c", "\xc1"}, 0},
}

// mayHaveLost reports whether a file of size bytes that begins with first, and has
// no copy of a head at either end, may be a container that has lost both: it is no
// smaller than any, and what is there looks like what was sealed, or like a head
// but for its magic. (Every such size is a container's for some length of head.)
func mayHaveLost(src io.ReaderAt, size int64, first []byte) bool {
	return size >= MinSize && (isHeadWithoutMagic(first) || looksSealed(src, size))
}

// isHeadWithoutMagic reports whether b has what a preamble has that is not drawn at
// random, the magic apart.
func isHeadWithoutMagic(b []byte) bool {
	if len(b) < offSlots {
		return false
	}
	b = append([]byte(Magic), b[magicSize:offSlots]...)
	_, err := copySize(b, false)
	if err == nil {
		_, err = parsePreamble(b)
	}
	return err == nil
}

// looksSealed reports whether the middle of a file looks as if it were random: no
// byte is there much more often than others.
func looksSealed(src io.ReaderAt, size int64) bool {
	const (
		sample = 4096 // bytes, of which each value is there 16 times
		most   = 64   // 12 standard deviations above that
	)
	b := make([]byte, sample)
	if n, _ := src.ReadAt(b, size/2); n < sample {
		return false
	}
	var count [256]int
	for _, c := range b {
		if count[c]++; count[c] > most {
			return false
		}
	}
	return true
}

// foreignStart is how much of an input [foreignError] looks at: a block of a tar.
const foreignStart = 512

// foreignError says what b, the start of an input without the magic, seems to be.
func foreignError(b []byte) error {
	for _, f := range foreign {
		from := b[min(f.at, len(b)):]
		if slices.ContainsFunc(f.prefixes, func(p string) bool { return bytes.HasPrefix(from, []byte(p)) }) {
			return &ParseError{HEAD1, "magic", 0, f.seems, f.what}
		}
	}
	return &ParseError{HEAD1, "magic", 0, ForeignUnknown, "it does not begin with the magic"}
}
