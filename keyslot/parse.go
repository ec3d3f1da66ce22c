package keyslot

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"bulla/internal/bech32"
)

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
