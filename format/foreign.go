package format

import "strings"

// foreign lists how files that people hand to a decryptor by mistake begin,
// and what happened to a container that begins so.
var foreign = []struct{ prefix, what string }{
	{"\xff\xfe", "it looks like text in UTF-16: a shell may have re-encoded the container (redirect with -o instead)"},
	{"\xfe\xff", "it looks like text in UTF-16: a shell may have re-encoded the container (redirect with -o instead)"},
	{"\xef\xbf\xbdbulla", "it is a container that was converted to UTF-8 as if it were text"},
	{"\xc2\x89bulla", "it is a container that was converted to UTF-8 as if it were text"},
	{"?bulla", "it is a container that was converted to ASCII as if it were text"},
	{"\x89bulla\n", "it is a container whose line ends were converted as if it were text"},
	{"\x89bulla\r\r", "it is a container whose line ends were converted as if it were text"},
	{"\x89bulla\r\n\x1a\r\n", "it is a container whose line ends were converted as if it were text"},
	{"age-encryption.org/", "it looks like an age file"},
	{"-----BEGIN AGE ENCRYPTED FILE", "it looks like an armored age file"},
	{"-----BEGIN PGP", "it looks like an armored OpenPGP file"},
	{"-----BEGIN ", "it looks like a PEM file"},
	{"Salted__", "it looks like a file of openssl enc"},
	{"\x1f\x8b", "it looks like a gzip file"},
	{"\x28\xb5\x2f\xfd", "it looks like a Zstandard file"},
	{"\xfd7zXZ\x00", "it looks like an xz file"},
	{"BZh", "it looks like a bzip2 file"},
	{"PK\x03\x04", "it looks like a zip file"},
	{"7z\xbc\xaf\x27\x1c", "it looks like a 7-Zip file"},
	{"\x85\x01", "it looks like an OpenPGP file"},
	{"\x84", "it looks like an OpenPGP file"},
	{"\x8c", "it looks like an OpenPGP file"},
	{"\xc1", "it looks like an OpenPGP file"},
}

// describeForeign says what b, the start of an input without the magic, seems
// to be.
func describeForeign(b []byte) string {
	s := string(b)
	for _, f := range foreign {
		if strings.HasPrefix(s, f.prefix) {
			return f.what
		}
	}
	return "it does not begin with the magic"
}
