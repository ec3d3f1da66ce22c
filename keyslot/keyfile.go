package keyslot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"bulla/internal/bech32"
)

// MaxKeyFile is the most bytes a file of recipients or identities may have: room
// for more recipients than a container has slots, each with a comment.
const MaxKeyFile = 1 << 20

var (
	// ErrUnknownKey is what a parser returns, possibly wrapped, for a line
	// that is not of its kind, whether well-formed or not: another parser may
	// know it.
	ErrUnknownKey = errors.New("not a key of a known kind")

	// ErrSecretKey is what a secret key is refused with where a recipient is
	// expected. Whether others have seen it depends on how it came: what was in
	// a file comes in a [*LineError]; on a command line it is in the shell's
	// history.
	ErrSecretKey = errors.New("this is a secret key where a recipient is expected")

	// ErrNoKeys is what a file without any key is refused with.
	ErrNoKeys = errors.New("no key in the file")
)

// A KeyError is a key that is well-formed, as far as can be told, and not of use
// as it is. It quotes nothing of it.
type KeyError struct {
	Reason string
	Advice string // what makes it of use
	Err    error  // may be nil
}

func (e *KeyError) Error() string { return e.Reason }

// Hint returns e.Advice.
func (e *KeyError) Hint() string { return e.Advice }

// Unwrap returns e.Err.
func (e *KeyError) Unwrap() error { return e.Err }

// oneKey refuses a line that has more on it than a key, which has no spaces.
func oneKey(line string) error {
	if strings.ContainsAny(line, " \t") {
		return &KeyError{Reason: "there is more on the line than a key", Advice: "a comment goes on a line of its own and begins with #"}
	}
	return nil
}

// A LineError says in which line of a file something is wrong. It does not
// quote the line, which may be a secret.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns e.Err.
func (e *LineError) Unwrap() error { return e.Err }

// A PassOverError is what a parser returns for a line of a file that is to be
// passed over if there is a key in any other.
type PassOverError struct{ Err error }

func (e *PassOverError) Error() string { return e.Err.Error() }

// Unwrap returns e.Err.
func (e *PassOverError) Unwrap() error { return e.Err }

// ReadKeyFile reads a file of keys whole, which is a secret if they are: at most
// MaxKeyFile bytes, and fails if r has more.
func ReadKeyFile(r io.Reader) ([]byte, error) {
	file, err := io.ReadAll(io.LimitReader(r, MaxKeyFile+1))
	if err == nil && len(file) > MaxKeyFile {
		err = fmt.Errorf("more than %d bytes: not a file of keys", MaxKeyFile)
	}
	return file, err
}

// parseKeys reads one key a line. Lines that are blank or begin with "#" are
// passed over, as is white space around a key and a byte order mark.
func parseKeys[T any](r io.Reader, parse func(line string) (T, error)) ([]T, error) {
	file, err := ReadKeyFile(r)
	defer clear(file)
	if err != nil {
		return nil, err
	}
	text, ok := plainText(file)
	if !ok {
		return nil, errors.New("the file is in UTF-16: a shell may have re-encoded it; save it as UTF-8")
	}
	var keys []T
	var none error // why there is no key
	n := 0
	for b := range bytes.Lines(text) {
		n++
		line := string(bytes.TrimSpace(b))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !utf8.ValidString(line) {
			return nil, &LineError{n, errors.New("not text")}
		}
		key, err := parse(line)
		if over, ok := errors.AsType[*PassOverError](err); ok {
			none = cmp.Or(none, error(&LineError{n, over.Err}))
			continue
		}
		if err != nil {
			return nil, &LineError{n, err}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, cmp.Or(none, ErrNoKeys)
	}
	return keys, nil
}

// firstKnown gives s to one parser after the other until one knows it.
func firstKnown[T any, P ~func(string) (T, error)](s string, parsers []P) (key T, err error) {
	for _, parse := range parsers {
		if key, err = parse(s); !errors.Is(err, ErrUnknownKey) {
			return key, err
		}
	}
	return key, ErrUnknownKey
}

// The beginnings of keys in text, by which a key in the wrong place is known;
// they are compared without regard to case.
const (
	secretKeyPrefix    = "AGE-SECRET-KEY-"
	pluginKeyPrefix    = "AGE-PLUGIN-"
	ageRecipientPrefix = "age1"
	sshRecipientPrefix = "ssh-"
	pemPrefix          = "-----BEGIN "
	rfc4716Prefix      = "---- BEGIN SSH2 PUBLIC KEY"
)

// hasPrefixFold reports whether s begins with the ASCII prefix, in any case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// A RecipientParser reads one kind of recipient, in text. For a string that is
// not of its kind it returns [ErrUnknownKey]; any other error is final. Its
// errors quote nothing of the string, which may be a secret in a wrong place.
type RecipientParser func(s string) (Recipient, error)

// ParseRecipient reads a recipient in text. It knows "age1pq1…" itself; more
// adds the kinds of other packages, which are asked in their order.
//
// A secret key is refused with [ErrSecretKey], and what no parser knows with
// [ErrUnknownKey].
func ParseRecipient(s string, more ...RecipientParser) (Recipient, error) {
	switch {
	case hasPrefixFold(s, secretKeyPrefix),
		strings.HasPrefix(s, pemPrefix) && strings.Contains(s, "PRIVATE KEY"):
		return nil, ErrSecretKey
	case hasPrefixFold(s, pluginKeyPrefix):
		return nil, errors.New("this is an identity where a recipient is expected")
	case strings.HasPrefix(s, pemPrefix), strings.HasPrefix(s, rfc4716Prefix):
		return nil, &KeyError{Reason: "this is a public key in a form that is not read here", Advice: "ssh-keygen -i -f FILE, or -i -m PKCS8 -f FILE, prints an ssh key in the form that is", Err: ErrUnknownKey}
	case hasPrefixFold(s, ageRecipientPrefix):
		if err := oneKey(s); err != nil {
			return nil, err
		}
	}
	r, err := firstKnown(s, append([]RecipientParser{parseHPKERecipient}, more...))
	if errors.Is(err, ErrUnknownKey) {
		return nil, fmt.Errorf("%w: expected a recipient, such as age1pq1…", err)
	}
	return r, err
}

// ParseRecipients reads a file of recipients, one a line, each as
// [ParseRecipient] takes it. Blank lines and lines that begin with "#" are
// passed over. It reads at most MaxKeyFile bytes of r and one more, and fails
// with a [*LineError] for a line that is no recipient and with [ErrNoKeys] if
// there is none.
func ParseRecipients(r io.Reader, more ...RecipientParser) ([]Recipient, error) {
	return parseKeys(r, func(line string) (Recipient, error) { return ParseRecipient(line, more...) })
}

func parseHPKERecipient(s string) (Recipient, error) {
	if !strings.HasPrefix(s, hpkeRecipientPrefix+bech32.Separator) {
		return nil, ErrUnknownKey
	}
	r, err := ParseHPKERecipient(s)
	if err != nil { // not a nil pointer in an interface
		return nil, err
	}
	return r, nil
}

// An IdentityParser reads one kind of identity, in text of one line. For a
// string that is not of its kind it returns [ErrUnknownKey]; any other error is
// final. Its errors quote nothing of the string.
type IdentityParser func(s string) (Identity, error)

// ParseIdentity reads an identity in text. It knows "AGE-SECRET-KEY-PQ-1…"
// itself; more adds the kinds of other packages, which are asked in their
// order. What no parser knows is refused with [ErrUnknownKey].
func ParseIdentity(s string, more ...IdentityParser) (Identity, error) {
	if hasPrefixFold(s, secretKeyPrefix) || hasPrefixFold(s, pluginKeyPrefix) {
		if err := oneKey(s); err != nil {
			return nil, err
		}
	}
	i, err := firstKnown(s, append([]IdentityParser{parseHPKEIdentity}, more...))
	if !errors.Is(err, ErrUnknownKey) {
		return i, err
	}
	if hasPrefixFold(s, ageRecipientPrefix) || strings.HasPrefix(s, sshRecipientPrefix) {
		return nil, errors.New("this is a recipient where an identity is expected")
	}
	return nil, fmt.Errorf("%w: expected an identity, such as %s%s…", err, hpkeIdentityPrefix, bech32.Separator)
}

// ParseIdentities reads a file of identities, one a line, each as
// [ParseIdentity] takes it. Blank lines and lines that begin with "#" are passed
// over. It reads at most MaxKeyFile bytes of r and one more, and fails with a
// [*LineError] for a line that is no identity and with [ErrNoKeys] if there is
// none.
func ParseIdentities(r io.Reader, more ...IdentityParser) ([]Identity, error) {
	return parseKeys(r, func(line string) (Identity, error) { return ParseIdentity(line, more...) })
}

func parseHPKEIdentity(s string) (Identity, error) {
	if !strings.HasPrefix(s, hpkeIdentityPrefix+bech32.Separator) {
		return nil, ErrUnknownKey
	}
	i, err := ParseHPKEIdentity(s)
	if err != nil { // not a nil pointer in an interface
		return nil, err
	}
	return i, nil
}

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
