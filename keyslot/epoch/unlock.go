package epoch

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/tpmkey"
)

// Secrets say where the secret of a protected keeper comes from. The zero value, and nil,
// ask nobody.
type Secrets struct {
	Passphrase func(context.Context) ([]byte, error) // gives its result away
	PIN        tpmkey.PINFunc                        // nil: there is none
	TPM        []byte                                // the Name of the only TPM to seal to; nil: any
}

var errNobody = errors.New("the keeper is protected, and there is nobody to ask")

// Unlock opens the keeper's state, which asks for its passphrase or PIN if it has one.
// Errors are those of o, [agekey.ErrWrongPassphrase], and those of package tpmkey: of an
// old copy of a keeper, [tpmkey.ErrCounter].
func (k *Keeper) Unlock(ctx context.Context, o *Secrets) error {
	if k.chain != nil {
		return nil
	}
	if o == nil {
		o = &Secrets{}
	}
	if _, err := k.choose(ctx); err != nil {
		return err
	}
	c, err := k.open(ctx, o)
	defer clear(c)
	if err == nil && len(c) != chainSize {
		err = fmt.Errorf("%w keeper: its state has %d bytes", ErrMalformed, len(c))
	}
	if err == nil {
		k.chain = &chain{[chainSize]byte(c), k.Reach().From}
	}
	return err
}

// open opens the box of the state that counts. The result is the caller's.
func (k *Keeper) open(ctx context.Context, o *Secrets) (c []byte, err error) {
	s := k.state()
	switch {
	case k.Protection() == TPM:
		c, k.secret, err = k.h.Counter.Unseal(ctx, s.box, s.Counter, o.PIN)
		return c, err
	case k.Protection() == Plain:
		return bytes.Clone(s.box), nil
	case o.Passphrase == nil:
		return nil, errNobody
	}
	if k.secret, err = o.Passphrase(ctx); err == nil && len(k.secret) == 0 {
		err = keyslot.ErrEmptyPassphrase
	}
	if err != nil {
		return nil, err
	}
	return agekey.DecryptFile(s.box, k.secret)
}

// seal protects a chain; with a TPM so that it opens at one value of the counter.
func (k *Keeper) seal(ctx context.Context, c *chain, at uint64) (box []byte, err error) {
	switch k.Protection() {
	case Passphrase:
		box, err = agekey.EncryptFile(c.c[:], k.secret)
	case TPM:
		box, err = k.h.Counter.Seal(ctx, c.c[:], at, k.secret)
	default:
		box = bytes.Clone(c.c[:])
	}
	if len(box) > maxBox {
		err = errors.New("the state does not fit into a page")
	}
	return box, err
}

// choose finds the state that counts. Without a TPM that is the newest. With one it is
// the newest that is sealed for the counter's present value; one for the next value is
// pending: a run was cut before it incremented the counter (EPOCH-14).
func (k *Keeper) choose(ctx context.Context) (pending bool, err error) {
	if k.Protection() != TPM {
		return false, nil
	}
	value, err := k.h.Counter.Value(ctx)
	if err != nil {
		return false, err
	}
	at := k.newest(func(s *state) bool { return s.Counter == value })
	if at < 0 {
		return false, &tpmkey.Error{Kind: tpmkey.ErrCounter} // a copy from before the last advance
	}
	k.at = at
	other := k.pages[1-at]
	return other != nil && other.Counter == value+1, nil
}
