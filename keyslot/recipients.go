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
