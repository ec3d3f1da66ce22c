package agekey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"bulla/format"
	"bulla/internal/once"
	"bulla/keyslot"
	"bulla/slot"
)

// An Identity opens slots of type 3 with one of age's identities. It is safe for
// concurrent use.
type Identity struct {
	interactive bool // for every slot it may wait for a person or a device
	with        func(context.Context) age.Identity
}

// fixedIdentity makes an Identity of one that never waits.
func fixedIdentity(i age.Identity) *Identity {
	return &Identity{with: func(context.Context) age.Identity { return i }}
}

// identityFunc makes a function an age.Identity.
type identityFunc func([]*age.Stanza) ([]byte, error)

func (f identityFunc) Unwrap(stanzas []*age.Stanza) ([]byte, error) { return f(stanzas) }

const x25519IdentityPrefix = "AGE-SECRET-KEY-1"

// Identities is [ParseIdentity] as a parser for package keyslot. Plugins will
// ask ui, which may be nil.
func Identities(ui UI) keyslot.IdentityParser {
	return func(s string) (keyslot.Identity, error) {
		i, err := ParseIdentity(s, ui)
		if err != nil { // not a nil pointer in an interface
			return nil, err
		}
		return i, nil
	}
}

// ParseIdentity reads an identity that is one line of text: "AGE-SECRET-KEY-1…",
// or "AGE-PLUGIN-NAME-1…" for the plugin age-plugin-NAME, which will ask ui. It
// fails with [keyslot.ErrUnknownKey] for what is neither.
func ParseIdentity(s string, ui UI) (*Identity, error) {
	switch {
	case strings.HasPrefix(s, x25519IdentityPrefix):
		i, err := age.ParseX25519Identity(s)
		if err != nil { // err may quote s
			return nil, errors.New("malformed age identity: a character is wrong, missing or too many")
		}
		return fixedIdentity(i), nil
	case strings.HasPrefix(s, pluginIdentityPrefix):
		return parsePluginIdentity(s, orNobody(ui))
	}
	return nil, keyslot.ErrUnknownKey
}

// Format implements [fmt.Formatter]: no verb prints the key.
func (i *Identity) Format(f fmt.State, _ rune) { io.WriteString(f, "age identity") }

// Accepts implements [keyslot.Identity].
func (i *Identity) Accepts(t format.SlotType) bool { return t == format.SlotAge }

// Interactive reports whether each Unwrap may wait for a person or a device: so
// for a plugin's identity. An encrypted ssh key waits once, for its passphrase,
// and only for a slot that names it.
func (i *Identity) Interactive() bool { return i.interactive }

// Unwrap implements [keyslot.Identity]. Its error can also wrap a
// [*PluginMissingError], [ErrWrongPassphrase], [ErrNoUI] or an error of the UI.
func (i *Identity) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	_, cek, err := i.UnwrapAny(ctx, []*format.Slot{s}, p)
	return cek, err
}

// UnwrapAny implements [slot.ManyUnwrapper]: one run of a plugin is given the
// stanzas of all slots, as if they were one file's.
func (i *Identity) UnwrapAny(ctx context.Context, slots []*format.Slot, _ *format.Preamble) (which int, cek []byte, err error) {
	if err := ctx.Err(); err != nil {
		return -1, nil, err
	}
	var mine []int
	var bodies [][]byte
	for n, s := range slots {
		if i.Accepts(s.Type) {
			mine = append(mine, n)
			bodies = append(bodies, slices.Clone(s.Body)) // for a goroutine, which may outlive the call
		}
	}
	if len(mine) == 0 {
		return -1, nil, slot.ErrIncorrectIdentity
	}
	o, err := once.Await(ctx, func() (*opened, error) {
		if len(bodies) == 1 { // what is wrong with it is of interest
			cek, err := unwrap(bodies[0], i.with(ctx))
			return &opened{0, cek}, err
		}
		return unwrapAny(bodies, i.with(ctx))
	})
	which = -1
	if o != nil {
		which, cek = mine[o.which], o.cek
	}
	if err != nil {
		return which, nil, fmt.Errorf("age slot: %w", err)
	}
	return which, cek, nil
}

// opened is a body that an identity opened, or which is to blame for an error.
type opened struct {
	which int
	cek   []byte
}

// unwrapAny opens that of bodies whose stanzas hold a file key for id. It passes
// over those that no slot may have, and sets them to nil. With an error about no body it returns nil.
func unwrapAny(bodies [][]byte, id age.Identity) (*opened, error) {
	var all []*age.Stanza
	for i, body := range bodies {
		own := stanzasOf(body)
		if all = append(all, own...); len(own) == 0 {
			bodies[i] = nil
		}
	}
	fileKey, err := id.Unwrap(all)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, slot.ErrIncorrectIdentity
	}
	if err != nil {
		return nil, err
	}
	defer clear(fileKey)
	for i, body := range bodies {
		cek, err := unwrap(body, age.NewInjectedFileKeyIdentity(fileKey))
		if !errors.Is(err, errNotThisFile) {
			return &opened{i, cek}, err
		}
	}
	return nil, fmt.Errorf("%w: the file key that came out is no slot's", format.ErrForged)
}

// stanzasOf returns the stanzas of an age file that may be a slot's, nil of any
// other.
func stanzasOf(body []byte) (stanzas []*age.Stanza) {
	if len(body) > format.MaxAgeBody { // AGE-1
		return nil
	}
	age.Decrypt(bytes.NewReader(body), identityFunc(func(s []*age.Stanza) ([]byte, error) {
		stanzas = s
		return nil, age.ErrIncorrectIdentity
	}))
	if hasScrypt(stanzas) { // AGE-2
		return nil
	}
	return stanzas
}

// errNotThisFile is a file key that is not the age file's, or no age file.
var errNotThisFile = errors.New("the key does not fit the age file")

// unwrap opens the body of a slot with an age identity.
func unwrap(body []byte, id age.Identity) ([]byte, error) {
	if len(body) > format.MaxAgeBody { // AGE-1
		return nil, malformed(format.AGE1, fmt.Sprintf("%d bytes, more than %d", len(body), format.MaxAgeBody))
	}
	// What age's errors do not tell: how far it came, and what id said.
	called, own := false, error(nil)
	plain, err := age.Decrypt(bytes.NewReader(body), identityFunc(func(stanzas []*age.Stanza) (fileKey []byte, err error) {
		called = true
		if hasScrypt(stanzas) { // AGE-2
			own = errScrypt
			return nil, own
		}
		fileKey, own = id.Unwrap(stanzas)
		return fileKey, own
	}))
	switch {
	case err == nil:
	case !called:
		return nil, fmt.Errorf("%w: %w", malformed(format.AGE1, "not an age v1 file"), errNotThisFile)
	case errors.Is(own, age.ErrIncorrectIdentity):
		return nil, slot.ErrIncorrectIdentity
	case own != nil:
		return nil, own
	default: // the key fits, the header's MAC does not
		return nil, fmt.Errorf("%w: %w: %w", format.ErrForged, errNotThisFile, err)
	}
	// AGE-3: a buffer of one byte more tells whether there is more.
	cek := make([]byte, format.CEKSize+1)
	n, err := io.ReadFull(plain, cek)
	switch {
	case n == format.CEKSize && err == io.ErrUnexpectedEOF:
		return cek[:format.CEKSize:format.CEKSize], nil
	case err == nil || err == io.EOF || err == io.ErrUnexpectedEOF:
		err = malformed(format.AGE3, fmt.Sprintf("the plaintext is not %d bytes long", format.CEKSize))
	default:
		err = fmt.Errorf("%w: %w", format.ErrForged, err)
	}
	clear(cek)
	return nil, err
}

func malformed(c format.Clause, reason string) error {
	return &format.ParseError{Clause: c, Field: "age body", Kind: format.ErrMalformed, Reason: reason}
}
