package keyslot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxSecret is how many bytes a passphrase or a PIN may have that is read from a
// file or a pipe.
const MaxSecret = 64 << 10

// ReadSecret reads a passphrase or a PIN, as what says in errors, to the end of r.
// A byte order mark before it and one line end after it, which editors and shells
// add, are left out; nothing else is. It may be empty. The result is the caller's,
// to clear after use. Errors are those of r, or [*KeyError].
func ReadSecret(r io.Reader, what string) ([]byte, error) {
	b := make([]byte, MaxSecret+1) // never moved: the secret is in memory once
	n, err := io.ReadFull(r, b)
	b = b[:n]
	text, ok := plainText(b)
	switch {
	case err == nil:
		err = &KeyError{Reason: fmt.Sprintf("a %s has at most %d bytes, and this one is longer", what, MaxSecret),
			Advice: "check that the source is the one you mean"}
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
	case !ok:
		err = &KeyError{Reason: "the " + what + " is in UTF-16", Advice: "a shell or an editor may have re-encoded it; save it as UTF-8"}
	default:
		if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
			text = bytes.TrimSuffix(line, []byte("\r"))
		}
		return text, nil
	}
	clear(b)
	return nil, err
}

// plainText is the text of a file without a byte order mark. It is not ok if it is
// in UTF-16, as shells and editors of Windows write it.
func plainText(file []byte) (text []byte, ok bool) {
	if bytes.HasPrefix(file, []byte("\xff\xfe")) || bytes.HasPrefix(file, []byte("\xfe\xff")) {
		return nil, false
	}
	return bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")), true
}
