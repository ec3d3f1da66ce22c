package agekey

import (
	"bytes"
	"context"
	"crypto/mlkem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/tag"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
)

// A Recipient makes slots of type 3 for one of age's recipients. It is safe for
// concurrent use.
//
//	kind                    class         slot body in bytes
//	age1…       X25519      classical     232
//	age1tag1…   P-256       classical     284
//	age1tagpq1… + ML-KEM    post-quantum  1,743
//	ssh-ed25519             classical     244
//	ssh-rsa                 classical     500 (2048 bits) to 846 (4096), more for longer keys
//	age1NAME1…  a plugin's  not known     up to PluginBodySize
//
// What a plugin's slot will be its labels say, when it has been made.
type Recipient struct {
	canonical string
	class     format.Class
	size      int

	waits bool // Wrap may wait for a person or a device
	to    func(context.Context) age.Recipient
}

var _ keyslot.Recipient = (*Recipient)(nil)

// The beginnings of recipients. age1pq1 belongs to package keyslot.
const (
	agePrefix   = "age1"
	pqPrefix    = "age1pq1"
	tagPrefix   = "age1tag1"
	tagPQPrefix = "age1tagpq1"
	sshPrefix   = "ssh-"
	ecdsaPrefix = "ecdsa-sha2-"
)

// scryptStanza is the type of a stanza that a passphrase opens.
const scryptStanza = "scrypt"

var errRecipient = errors.New("malformed age recipient: a character is wrong, missing or too many")

// Recipients is [ParseRecipient] as a parser for package keyslot. Plugins will
// ask ui, which may be nil.
func Recipients(ui UI) keyslot.RecipientParser {
	return func(s string) (keyslot.Recipient, error) {
		r, err := ParseRecipient(s, ui)
		if err != nil { // not a nil pointer in an interface
			return nil, err
		}
		return r, nil
	}
}

// ParseRecipient reads a recipient in text: "age1…", "age1tag1…", "age1tagpq1…",
// "age1NAME1…" for the plugin age-plugin-NAME, which will ask ui, or an ssh public
// key as in an authorized_keys file, of type ssh-ed25519 or ssh-rsa. It fails with
// [keyslot.ErrUnknownKey] for what is none of them, "age1pq1…" included, with an
// [*SSHKindError] for an ssh key of another type, and with a [*SizeError] for an
// RSA key of absurd length.
func ParseRecipient(s string, ui UI) (*Recipient, error) {
	switch {
	case strings.HasPrefix(s, pqPrefix):
		return nil, keyslot.ErrUnknownKey
	case strings.HasPrefix(s, tagPrefix), strings.HasPrefix(s, tagPQPrefix):
		return parseTag(s)
	case strings.HasPrefix(s, agePrefix) && strings.Count(s, "1") > 1:
		return parsePlugin(s, orNobody(ui))
	case strings.HasPrefix(s, agePrefix):
		return parseX25519(s)
	case strings.HasPrefix(s, sshPrefix), strings.HasPrefix(s, ecdsaPrefix), strings.HasPrefix(s, sshSecurityKey), isAuthorizedKey(s):
		return parseSSH(s)
	}
	return nil, keyslot.ErrUnknownKey
}

// newRecipient makes a recipient of one that never waits.
func newRecipient(r age.Recipient, canonical string, class format.Class, size int) (*Recipient, error) {
	if size > format.MaxAgeBody { // AGE-1
		return nil, &SizeError{size, format.MaxAgeBody}
	}
	return &Recipient{canonical: canonical, class: class, size: size,
		to: func(context.Context) age.Recipient { return r }}, nil
}

func parseX25519(s string) (*Recipient, error) {
	r, err := age.ParseX25519Recipient(s)
	if err != nil {
		return nil, errRecipient // err quotes s
	}
	const point = 32
	return newRecipient(r, r.String(), format.Classical, fileSize("X25519", wrappedFileKeySize, point))
}

func parseTag(s string) (*Recipient, error) {
	r, err := tag.ParseRecipient(s)
	if err != nil {
		return nil, errRecipient // err quotes s
	}
	const tagSize, point = 4, 65
	if r.Hybrid() {
		return newRecipient(r, r.String(), format.PostQuantum,
			fileSize("mlkem768p256tag", wrappedFileKeySize, tagSize, mlkem.CiphertextSize768+point))
	}
	return newRecipient(r, r.String(), format.Classical, fileSize("p256tag", wrappedFileKeySize, tagSize, point))
}

// Type is [format.SlotAge].
func (r *Recipient) Type() format.SlotType { return format.SlotAge }

// Canonical is the recipient as age writes it; of an ssh key the type and the
// key, without comment.
func (r *Recipient) Canonical() string { return r.canonical }

// String is Canonical.
func (r *Recipient) String() string { return r.canonical }

// BodySize is exact, but for a plugin's recipient the most it may take.
func (r *Recipient) BodySize() int { return r.size }

// LeastBodySize is BodySize but for a plugin's recipient: how much that needs is
// known only once it was asked.
func (r *Recipient) LeastBodySize() int {
	if r.size == PluginBodySize {
		return format.MinAgeBody
	}
	return r.size
}

// Class says whether the recipient withstands a quantum computer. It is
// [format.Neutral] for a plugin's, which says that with each slot.
func (r *Recipient) Class() format.Class { return r.class }

// Wrap implements [keyslot.Recipient]. It draws nothing from m: age takes all its
// randomness from the system's generator. It fails with a [*PluginMissingError]
// if there is no plugin to run and with a [*SizeError] if the plugin makes a
// slot of more than PluginBodySize bytes.
func (r *Recipient) Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) ([]byte, error) {
	body, _, err := r.WrapWithLabels(ctx, m, p, cek)
	return body, err
}

// WrapWithLabels implements [slot.Labeled]: it is Wrap, and says the labels that
// age's recipient gave.
func (r *Recipient) WrapWithLabels(ctx context.Context, _ *entropy.Mixer, _ *format.Preamble, cek []byte) ([]byte, []string, error) {
	if len(cek) != format.CEKSize {
		return nil, nil, fmt.Errorf("internal error: a CEK of %d bytes, not %d", len(cek), format.CEKSize)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var made *wrapped
	var err error
	if r.waits {
		cek := bytes.Clone(cek) // for the goroutine, which may outlive the call
		made, err = await(ctx, func() (*wrapped, error) {
			defer clear(cek)
			return wrap(r.to(ctx), cek)
		})
	} else {
		made, err = wrap(r.to(ctx), cek)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("age slot: %w", err)
	}
	if len(made.body) > r.size {
		return nil, nil, fmt.Errorf("age slot: %w", &SizeError{len(made.body), r.size})
	}
	return made.body, made.labels, nil
}

// wrapped is the body of a new slot.
type wrapped struct {
	body   []byte
	labels []string
}

// wrap makes an age file of cek for one recipient.
func wrap(to age.Recipient, cek []byte) (*wrapped, error) {
	var body bytes.Buffer
	r := &recipientWitness{to: to}
	w, err := age.Encrypt(&body, r)
	if r.err != nil {
		return nil, r.err // without what age adds about recipient #0
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(cek); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &wrapped{body.Bytes(), r.labels}, nil
}

// A recipientWitness stands between age and a recipient. It keeps the recipient's
// labels and its own error, and keeps it, which can only be a plugin, from making
// a stanza that no slot may have.
type recipientWitness struct {
	to     age.Recipient
	labels []string
	err    error
}

func (w *recipientWitness) Wrap(fileKey []byte) (stanzas []*age.Stanza, err error) {
	if to, ok := w.to.(age.RecipientWithLabels); ok {
		stanzas, w.labels, w.err = to.WrapWithLabels(fileKey)
	} else {
		stanzas, w.err = w.to.Wrap(fileKey)
	}
	if w.err == nil && hasScrypt(stanzas) { // AGE-2
		w.err = errScrypt
	}
	return stanzas, w.err
}

// errScrypt is a violation of AGE-2.
var errScrypt = &format.ParseError{Clause: format.AGE2, Field: "age body", Kind: format.ErrMalformed, Reason: "a scrypt stanza"}

func hasScrypt(stanzas []*age.Stanza) bool {
	return slices.ContainsFunc(stanzas, func(s *age.Stanza) bool { return s.Type == scryptStanza })
}
