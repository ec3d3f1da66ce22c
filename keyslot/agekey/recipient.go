package agekey

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/tag"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/once"
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
	to        func(context.Context) age.Recipient
}

// PluginBodySize is how much room a plugin's slot gets, in bytes: several times
// what the known plugins need.
const PluginBodySize = 4096

// A SizeError reports a plugin that made a slot larger than its room.
type SizeError struct {
	Size, Limit int // in bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("the recipient needs a slot of %d bytes, more than %d", e.Size, e.Limit)
}

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
// [keyslot.ErrUnknownKey] for what is none of them, "age1pq1…" included, and with
// an [*SSHKindError] for an ssh key of another type.
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

// newRecipient makes a recipient of one that never waits. All its slots are as
// long as the one that is made here and thrown away.
func newRecipient(r age.Recipient, canonical string, class format.Class) (*Recipient, error) {
	trial, err := wrap(r, make([]byte, format.CEKSize))
	if err != nil {
		return nil, err
	}
	return &Recipient{canonical, class, len(trial.body), func(context.Context) age.Recipient { return r }}, nil
}

func parseX25519(s string) (*Recipient, error) {
	r, err := age.ParseX25519Recipient(s)
	if err != nil {
		return nil, errRecipient // err quotes s
	}
	return newRecipient(r, r.String(), format.Classical)
}

func parseTag(s string) (*Recipient, error) {
	r, err := tag.ParseRecipient(s)
	if err != nil {
		return nil, errRecipient // err quotes s
	}
	class := format.Classical
	if r.Hybrid() {
		class = format.PostQuantum
	}
	return newRecipient(r, r.String(), class)
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

// LeastBodySize is BodySize, but for a plugin's recipient: how much that needs is
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
	cek = bytes.Clone(cek) // for a goroutine, which may outlive the call
	made, err := once.Await(ctx, func() (*wrapped, error) {
		defer clear(cek)
		return wrap(r.to(ctx), cek)
	})
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
	var labels []string
	var own error // without what age adds about recipient #0
	w, err := age.Encrypt(&body, recipientFunc(func(fileKey []byte) (stanzas []*age.Stanza, err error) {
		if labeled, ok := to.(age.RecipientWithLabels); ok {
			stanzas, labels, own = labeled.WrapWithLabels(fileKey)
		} else {
			stanzas, own = to.Wrap(fileKey)
		}
		if own == nil && hasScrypt(stanzas) { // AGE-2; only a plugin can have made it
			own = errScrypt
		}
		return stanzas, own
	}))
	if err != nil {
		return nil, cmp.Or(own, err)
	}
	if _, err := w.Write(cek); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &wrapped{body.Bytes(), labels}, nil
}

// recipientFunc makes a function an age.Recipient.
type recipientFunc func(fileKey []byte) ([]*age.Stanza, error)

func (f recipientFunc) Wrap(fileKey []byte) ([]*age.Stanza, error) { return f(fileKey) }

var errScrypt = malformed(format.AGE2, "a scrypt stanza")

func hasScrypt(stanzas []*age.Stanza) bool {
	return slices.ContainsFunc(stanzas, func(s *age.Stanza) bool { return s.Type == scryptStanza })
}
