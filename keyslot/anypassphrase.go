package keyslot

import (
	"context"
	"errors"

	"bulla/entropy"
	"bulla/format"
)

// AnyPassphrase stands for passphrases where none is at hand: for one that will be
// asked for, in stream.Plan, and for all that there are, in the Remove of a
// stream.Edit. (The slots of all passphrases have the same id.) It makes no slots.
type AnyPassphrase struct{}

// Type is [format.SlotPassphrase].
func (AnyPassphrase) Type() format.SlotType { return format.SlotPassphrase }

// Canonical is empty, as for every passphrase.
func (AnyPassphrase) Canonical() string { return "" }

// BodySize is exact.
func (AnyPassphrase) BodySize() int { return format.PassphraseBodySize }

// Wrap fails.
func (AnyPassphrase) Wrap(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, error) {
	return nil, errors.New("no passphrase was asked for")
}
