package format

import (
	"bytes"
	"io"
)

// A Foreign is a kind of input that is no container.
type Foreign uint8

const (
	ForeignUnknown   Foreign = iota
	ForeignConverted         // a container that was converted as if it were text
	ForeignAge               // a file of age
	ForeignOther             // a file of another program
	ForeignLost              // perhaps a container that has lost both copies of its head
)

// A ForeignError is a [ParseError] for an input that does not begin with the
// magic (HEAD-1), and says what it seems to be.
type ForeignError struct {
	*ParseError
	Seems Foreign
}

// Unwrap returns the ParseError.
func (e *ForeignError) Unwrap() error { return e.ParseError }

// foreign lists how files that people hand to a decryptor by mistake begin,
// and what happened to a container that begins so.
var foreign = []struct {
	prefix string
	seems  Foreign
	what   string
}{
	{"\xff\xfe", ForeignConverted, "it looks like text in UTF-16: a shell may have re-encoded the container (redirect with -o instead)"},
	{"\xfe\xff", ForeignConverted, "it looks like text in UTF-16: a shell may have re-encoded the container (redirect with -o instead)"},
	{"\xef\xbf\xbdbulla", ForeignConverted, "it is a container that was converted to UTF-8 as if it were text"},
	{"\xc2\x89bulla", ForeignConverted, "it is a container that was converted to UTF-8 as if it were text"},
	{"?bulla", ForeignConverted, "it is a container that was converted to ASCII as if it were text"},
	{"\x89bulla\n", ForeignConverted, "it is a container whose line ends were converted as if it were text"},
	{"\x89bulla\r\r", ForeignConverted, "it is a container whose line ends were converted as if it were text"},
	{"\x89bulla\r\n\x1a\r\n", ForeignConverted, "it is a container whose line ends were converted as if it were text"},
	{"age-encryption.org/", ForeignAge, "it looks like an age file"},
	{"-----BEGIN AGE ENCRYPTED FILE", ForeignAge, "it looks like an armored age file"},
	{"-----BEGIN PGP", ForeignOther, "it looks like an armored OpenPGP file"},
	{"-----BEGIN ", ForeignOther, "it looks like a PEM file"},
	{"Salted__", ForeignOther, "it looks like a file of openssl enc"},
	{"\x1f\x8b", ForeignOther, "it looks like a gzip file"},
	{"\x28\xb5\x2f\xfd", ForeignOther, "it looks like a Zstandard file"},
	{"\xfd7zXZ\x00", ForeignOther, "it looks like an xz file"},
	{"BZh", ForeignOther, "it looks like a bzip2 file"},
	{"PK\x03\x04", ForeignOther, "it looks like a zip file"},
	{"7z\xbc\xaf\x27\x1c", ForeignOther, "it looks like a 7-Zip file"},
	{"\x85\x01", ForeignOther, "it looks like an OpenPGP file"},
	{"\x84", ForeignOther, "it looks like an OpenPGP file"},
	{"\x8c", ForeignOther, "it looks like an OpenPGP file"},
	{"\xc1", ForeignOther, "it looks like an OpenPGP file"},
}

// mayHaveLost reports whether a file of size bytes that begins with first, and has
// no copy of a head at either end, may be a container that has lost both: its size
// is one that a container can have, for some length of head, and what is there
// looks like what was sealed, or like a head but for its magic.
func mayHaveLost(src io.ReaderAt, size int64, first []byte) bool {
	fits := false
	for pages := int64(MinPages); pages <= MaxPages && !fits; pages++ {
		_, err := NewLayout(size, pages*PageSize)
		fits = err == nil
	}
	return fits && (isHeadWithoutMagic(first) || looksSealed(src, size))
}

// isHeadWithoutMagic reports whether b has what a preamble has that is not drawn at
// random, the magic apart.
func isHeadWithoutMagic(b []byte) bool {
	if len(b) < PreambleSize {
		return false
	}
	b = append([]byte(Magic), b[magicSize:PreambleSize]...)
	_, err := PeekHeadSize(b)
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

// newForeignError says what b, the start of an input without the magic, seems
// to be.
func newForeignError(b []byte) error {
	e := &ForeignError{&ParseError{HEAD1, "magic", 0, ErrNotBulla, "it does not begin with the magic"}, ForeignUnknown}
	for _, f := range foreign {
		if bytes.HasPrefix(b, []byte(f.prefix)) {
			e.Seems, e.Reason = f.seems, f.what
			break
		}
	}
	return e
}
