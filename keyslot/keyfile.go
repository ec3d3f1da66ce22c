package keyslot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
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
