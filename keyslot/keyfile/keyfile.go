// Package keyfile reads files of keys of every kind and writes new ones, so that
// a program needs to know of none of the packages beside keyslot.
//
// A file that opens containers is one of
//
//	lines       identities in text, one a line: AGE-SECRET-KEY-PQ-1…,
//	            AGE-SECRET-KEY-1…, AGE-PLUGIN-…; "#" begins a comment
//	age file    the same lines under a passphrase, binary or armored
//	PEM         an ssh private key, or an identity sealed to a TPM
//	key         32 bytes, or as many in hexadecimal digits or Base64: a
//	            symmetric key (KEK), which also encrypts
//	keeper      what opens the epochs of a calendar
//
// and a file to encrypt to is lines of recipients: age1pq1…, age1…, ssh public
// keys as in authorized_keys, a plugin's; or a calendar, of which the key of today
// counts.
package keyfile

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"bulla/format"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/epoch"
	"bulla/keyslot/tpmkey"
	"bulla/slot"
)

// Options say who is asked. The zero value, and nil, ask nobody: keys that need
// an answer then fail when they are used.
type Options struct {
	UI  agekey.UI      // asks for passphrases of key files, and what plugins want to know
	PIN tpmkey.PINFunc // asks for the PIN of a TPM key

	// Open opens the public half of an ssh key, in a file beside it. Nil stands for
	// [os.Open].
	Open func(name string) (io.ReadCloser, error)

	// PassedOver is called for each ssh key in a recipients file to which one
	// cannot encrypt, if there are others. Nil means that there must be none.
	PassedOver func(*agekey.SSHKindError)

	Now       time.Time // by which a calendar's key is taken; the zero value is the present
	AllEpochs bool      // take all keys of a calendar: to look for their slots
}

// ParseIdentities reads a file of identities of any kind. name is for messages,
// and for finding the public half of an ssh key in name.pub; it may be empty.
// Nobody is asked anything yet.
//
// It reads at most keyslot.MaxKeyFile bytes of r and one more. Errors are those
// of [agekey.ParseIdentityFile], [tpmkey.Parse] and [epoch.Parse]. Unwrap of a TPM key,
// or a keeper, that could not be used fails with an [*UnusableError].
func ParseIdentities(name string, r io.Reader, o *Options) ([]slot.Identity, error) {
	o = cmp.Or(o, &Options{})
	file, err := keyslot.ReadKeyFile(r)
	defer clear(file)
	if err != nil {
		return nil, err
	}
	if kek, err := keyslot.ParseKEK(file); err == nil {
		return []slot.Identity{kek}, nil
	}
	if epoch.IsCalendar(file) {
		return nil, &keyslot.KeyError{Reason: "this is a calendar, to which one encrypts", Advice: "its keeper opens what was encrypted to it"}
	}
	if epoch.IsKeeper(file) {
		k, err := epoch.Parse(file)
		if err != nil {
			return nil, err
		}
		return []slot.Identity{&Keeper{k.Identity(o.secrets(name)), name}}, nil
	}
	if !tpmkey.IsKeyFile(file) {
		return agekey.ParseIdentityFile(name, bytes.NewReader(file), o.UI, o.Open)
	}
	k, err := tpmkey.Parse(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return []slot.Identity{&tpmIdentity{k.Identity(o.PIN), name}}, nil
}

// ParseRecipient reads a recipient of any kind in text. Errors are those of
// [keyslot.ParseRecipient] and [agekey.ParseRecipient].
func ParseRecipient(s string, o *Options) (slot.Recipient, error) {
	o = cmp.Or(o, &Options{})
	return keyslot.ParseRecipient(s, agekey.Recipients(o.UI))
}

// ParseRecipients reads a file of recipients of any kind, one a line, or a calendar: its
// recipients are [*epoch.Recipient]. Errors are those of [keyslot.ParseRecipients],
// [agekey.ParseRecipient], [epoch.ParseCalendar] and [epoch.Calendar.At].
func ParseRecipients(r io.Reader, o *Options) ([]slot.Recipient, error) {
	o = cmp.Or(o, &Options{})
	br := bufio.NewReader(r)
	switch begin, _ := br.Peek(64); {
	case epoch.IsCalendar(begin):
		return o.epochs(br)
	case epoch.IsKeeper(begin):
		return nil, keyslot.ErrSecretKey
	}
	r = br
	parse := agekey.Recipients(o.UI)
	var over []*agekey.SSHKindError
	to, err := keyslot.ParseRecipients(r, func(s string) (slot.Recipient, error) {
		to, err := parse(s)
		if kind, ok := errors.AsType[*agekey.SSHKindError](err); ok && o.PassedOver != nil {
			over = append(over, kind)
			err = &keyslot.PassOverError{Err: err}
		}
		return to, err
	})
	if err == nil {
		for _, kind := range over {
			o.PassedOver(kind)
		}
	}
	return to, err
}

// epochs reads a calendar.
func (o *Options) epochs(r io.Reader) (to []slot.Recipient, err error) {
	c, err := epoch.ParseCalendar(r)
	if err != nil {
		return nil, err
	}
	if o.AllEpochs {
		for _, r := range c.All() {
			to = append(to, r)
		}
		return to, nil
	}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	today, err := c.At(now)
	if err != nil {
		return nil, err
	}
	return []slot.Recipient{today}, nil
}

// secrets says who is asked for the secret of a keeper in a file.
func (o *Options) secrets(name string) *epoch.Secrets {
	s := &epoch.Secrets{PIN: o.PIN}
	if o.UI != nil {
		s.Passphrase = func(ctx context.Context) ([]byte, error) { return o.UI.Passphrase(ctx, fmt.Sprintf("keeper %q", name)) }
	}
	return s
}

// A Keeper is the identity of a keeper that knows its file.
type Keeper struct {
	*epoch.Identity
	File string // as it was named
}

// Unwrap implements [slot.Identity].
func (k *Keeper) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	cek, err := k.Identity.Unwrap(ctx, s, p)
	return cek, unusable(k.File, err)
}

// Encode returns the file of a new key, which is a [*keyslot.HPKEIdentity], a
// [*keyslot.KEK] or a [*tpmkey.Key]: it holds when it was made and, but for a
// KEK, which holds no text, its recipient. The file is a secret unless the key is
// sealed to a TPM.
func Encode(k slot.Public, created time.Time) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# created: %s\n", created.UTC().Format(time.RFC3339))
	switch k := k.(type) {
	case *keyslot.KEK:
		return k.Encode(), nil
	case *keyslot.HPKEIdentity: // the form that age-keygen gives its own
		fmt.Fprintf(&b, "# public key: %s\n", k.Recipient().Canonical())
		b.WriteString(k.String() + "\n") // in so many words: formatted, it shows no secret
	case *tpmkey.Key:
		fmt.Fprintf(&b, "# opens with: %s\n", strings.Join(takes(k), ", "))
		file, err := k.Encode()
		if err != nil {
			return nil, err
		}
		b.Write(file)
	default:
		return nil, fmt.Errorf("no file holds a key of type %T", k)
	}
	return b.Bytes(), nil
}

// takes lists what it takes to open a TPM key.
func takes(k *tpmkey.Key) []string {
	list := []string{"the TPM it was made with"}
	if k.NeedsPIN() {
		list = append(list, "its PIN")
	}
	for _, n := range k.PCRs() {
		list = append(list, fmt.Sprintf("PCR %d unchanged", n))
	}
	return list
}

// An UnusableError is a key that might open a slot and could not be used: a
// device is missing, a PIN or a passphrase wrong or not given.
type UnusableError struct {
	File string // of the key, as it was named
	Err  error
}

func (e *UnusableError) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap returns e.Err.
func (e *UnusableError) Unwrap() error { return e.Err }

// A tpmIdentity is a TPM key that says in its errors which file it is from.
type tpmIdentity struct {
	*tpmkey.Identity
	file string
}

func (i *tpmIdentity) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	cek, err := i.Identity.Unwrap(ctx, s, p)
	return cek, unusable(i.file, err)
}

// unusable is err with the file of the key that could not be used, if that is what it is
// about.
func unusable(file string, err error) error {
	if err == nil || errors.Is(err, slot.ErrIncorrectIdentity) || errors.As(err, new(*format.ParseError)) {
		return err
	}
	return &UnusableError{file, err}
}
