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
	"bulla/keyslot"
	"bulla/slot"
)

// An Identity opens slots of type 3 with one of age's identities. It is safe for
// concurrent use.
type Identity struct {
	waits       bool // Unwrap may wait for a person or a device
	interactive bool // and that for every slot
	with        func(context.Context) age.Identity
}

var _ keyslot.Identity = (*Identity)(nil)

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
func (i *Identity) Unwrap(ctx context.Context, s *format.Slot, _ *format.Preamble) ([]byte, error) {
	if !i.Accepts(s.Type) {
		return nil, fmt.Errorf("%v slot: %w", s.Type, slot.ErrIncorrectIdentity)
	}
	o, err := i.run(ctx, func(id age.Identity, bodies [][]byte) (o opened, err error) {
		o.cek, err = unwrap(bodies[0], id)
		return o, err
	}, s)
	return o.cek, err
}

// UnwrapAny implements [slot.ManyUnwrapper]: one run of a plugin is given the
// stanzas of all slots, as if they were one file's.
func (i *Identity) UnwrapAny(ctx context.Context, slots []*format.Slot, _ *format.Preamble) (which int, cek []byte, err error) {
	o, err := i.run(ctx, unwrapAny, slots...)
	return o.which, o.cek, err
}

// opened is a slot that an identity opened, or which was to blame for an error;
// -1 if none was.
type opened struct {
	which int
	cek   []byte
}

// run has the age identity do its work on the bodies of slots, nil for those of
// another type.
func (i *Identity) run(ctx context.Context, work func(age.Identity, [][]byte) (opened, error), slots ...*format.Slot) (o opened, err error) {
	if err := ctx.Err(); err != nil {
		return opened{which: -1}, err
	}
	bodies := make([][]byte, len(slots))
	for n, s := range slots {
		if i.Accepts(s.Type) {
			bodies[n] = slices.Clone(s.Body) // for a goroutine, which may outlive the call
		}
	}
	if i.waits {
		o, err = await(ctx, func() (opened, error) { return work(i.with(ctx), bodies) })
	} else {
		o, err = work(i.with(ctx), bodies)
	}
	if err != nil {
		return opened{which: o.which}, fmt.Errorf("age slot: %w", err)
	}
	return o, nil
}

// unwrapAny opens that of bodies whose stanzas hold a file key for id. It sets
// bodies that no slot may have to nil.
func unwrapAny(id age.Identity, bodies [][]byte) (opened, error) {
	var all []*age.Stanza
	for i, body := range bodies {
		own := stanzasOf(body)
		if all = append(all, own...); len(own) == 0 {
			bodies[i] = nil
		}
	}
	none := opened{which: -1}
	fileKey, err := id.Unwrap(all)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return none, slot.ErrIncorrectIdentity
	}
	if err != nil {
		return none, err
	}
	defer clear(fileKey)
	for i, body := range bodies {
		cek, err := unwrap(body, age.NewInjectedFileKeyIdentity(fileKey))
		if !errors.Is(err, errNotThisFile) {
			return opened{i, cek}, err
		}
	}
	return none, fmt.Errorf("%w: the file key that came out is no slot's", format.ErrForged)
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
	w := &witness{id: id}
	plain, err := age.Decrypt(bytes.NewReader(body), w)
	switch {
	case err == nil:
	case !w.called:
		return nil, fmt.Errorf("%w: %w", malformed(format.AGE1, "not an age v1 file"), errNotThisFile)
	case errors.Is(w.err, age.ErrIncorrectIdentity):
		return nil, slot.ErrIncorrectIdentity
	case w.err != nil:
		return nil, w.err
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

// A witness stands between age and an identity. It refuses what no slot may have,
// and remembers how far age came, which age's errors do not tell.
type witness struct {
	id     age.Identity
	called bool
	err    error
}

func (w *witness) Unwrap(stanzas []*age.Stanza) (fileKey []byte, err error) {
	w.called = true
	if hasScrypt(stanzas) { // AGE-2
		w.err = errScrypt
		return nil, w.err
	}
	fileKey, w.err = w.id.Unwrap(stanzas)
	return fileKey, w.err
}
