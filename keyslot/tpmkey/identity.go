package tpmkey

import (
	"context"
	"errors"
	"fmt"
	"io"

	"bulla/format"
	"bulla/internal/once"
	"bulla/keyslot"
	"bulla/slot"
)

// A PINFunc asks for the PIN of a key. wrong is nil the first time; if the PIN
// was wrong it is called again with the error that says so, and how many tries
// are left. An error ends the asking; a source that has but one PIN returns
// wrong. The PIN is the caller's, who clears it.
type PINFunc func(ctx context.Context, wrong error) (pin []byte, err error)

// ErrNoPINFunc is what opening fails with if a PIN is needed and there is nobody
// to ask.
var ErrNoPINFunc = errors.New("the key takes a PIN, and there is nobody to ask for it")

// An Identity opens slots of type 1 with a sealed key. It needs the TPM, and
// asks for the PIN, when the first such slot is met; from then on it holds the
// key as any other identity does. It is safe for concurrent use.
type Identity struct {
	key    *Key
	ask    PINFunc
	opened once.Value[*keyslot.HPKEIdentity]
}

// Identity makes an identity of k. ask, which may be nil, is called only for a
// key that takes a PIN, and only after the TPM was found and is the one that
// the key is sealed to.
func (k *Key) Identity(ask PINFunc) *Identity { return &Identity{key: k, ask: ask} }

// Recipient is the public half of i, as the file has it: whether it is the
// sealed key's is known only once that is opened.
func (i *Identity) Recipient() keyslot.Recipient { return i.key.recipient }

// Format implements [fmt.Formatter]: no verb prints the key.
func (i *Identity) Format(f fmt.State, _ rune) {
	io.WriteString(f, "TPM key of "+i.key.recipient.Canonical())
}

// Accepts implements [keyslot.Identity].
func (i *Identity) Accepts(t format.SlotType) bool { return t == format.SlotHPKE }

// Interactive reports whether the TPM, and perhaps a person, have yet to be
// asked.
func (i *Identity) Interactive() bool {
	_, asked, _ := i.opened.Peek()
	return !asked
}

// Unwrap implements [keyslot.Identity]. Why a key could not be opened, an
// [*Error], one of package tpmdev's or one of the PINFunc's, is what every later
// Unwrap returns as well, unless it was that ctx ended.
func (i *Identity) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	if !i.Accepts(s.Type) {
		return nil, fmt.Errorf("%v slot: %w", s.Type, slot.ErrIncorrectIdentity)
	}
	if _, err := format.ParseHPKEBody(s.Body); err != nil { // HPKE-1; nobody is asked for that
		return nil, err
	}
	id, err := i.opened.Get(ctx, func() (*keyslot.HPKEIdentity, error) { return i.open(ctx) })
	if err != nil {
		return nil, fmt.Errorf("TPM key: %w", err)
	}
	return id.Unwrap(ctx, s, p)
}

// open asks for the PIN as often as it takes. The TPM bounds that: every wrong
// one counts towards its lockout.
func (i *Identity) open(ctx context.Context) (*keyslot.HPKEIdentity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !i.key.pin {
		return i.key.open(ctx, nil)
	}
	if i.ask == nil {
		return nil, ErrNoPINFunc
	}
	id, pin, err := withPIN(ctx, i.key, i.ask, i.key.open)
	clear(pin)
	return id, err
}

// withPIN has ask give PINs until open takes one, which is then the caller's.
func withPIN[T any](ctx context.Context, k *Key, ask PINFunc, open func(context.Context, []byte) (T, error)) (result T, pin []byte, err error) {
	if err := k.preflight(ctx); err != nil {
		return result, nil, err
	}
	var wrong error
	for {
		if pin, err = ask(ctx, wrong); err != nil {
			return result, nil, err
		}
		if err = CheckPIN(pin); err != nil { // no key has it, and the TPM need not count it
			err = &Error{Kind: ErrWrongPIN, Err: err}
		} else if err = ctx.Err(); err == nil {
			result, err = open(ctx, pin)
		}
		if err == nil {
			return result, pin, nil
		}
		clear(pin)
		if !errors.Is(err, ErrWrongPIN) {
			return result, nil, err
		}
		wrong = err
	}
}
