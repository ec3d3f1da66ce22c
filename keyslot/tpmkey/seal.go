package tpmkey

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm/tpm2"

	"bulla/entropy"
	"bulla/internal/tpmdev"
	"bulla/keyslot"
)

// Options says what opens a key besides the TPM itself. The zero value is no
// choice yet: a PIN is set, or given up in so many words.
type Options struct {
	PIN   []byte // 1 to MaxPIN bytes, none of them zero
	NoPIN bool   // whoever can use the TPM can open the key

	// PCRs binds the key to the values that these PCRs, 0 to 23 of the
	// SHA-256 bank, have now. Updates of the firmware and of its settings
	// change them, which makes the key useless.
	PCRs []int

	// TPM is the Name of the storage root key of the only TPM to seal to, as
	// entropy.PinnedTPM returns it. Nil means whichever is there.
	TPM []byte
}

// Format implements [fmt.Formatter]: no verb prints the PIN.
func (o Options) Format(f fmt.State, _ rune) { io.WriteString(f, "options of a TPM key") }

const (
	seedSize = 32 // bytes, of an identity

	// MaxPIN is the most bytes a PIN may have: an authorization value is no
	// longer than the digest of its object's name (Part 1, 19.6.4.3).
	MaxPIN = 32
)

// ErrPIN is wrapped by the error about a PIN that cannot be one.
var ErrPIN = errors.New("not a PIN for a TPM")

// CheckPIN says why pin cannot be a PIN, with an error that wraps [ErrPIN], or nil.
func CheckPIN(pin []byte) error {
	switch {
	case len(pin) == 0:
		return fmt.Errorf("%w: it is empty", ErrPIN)
	case len(pin) > MaxPIN:
		return fmt.Errorf("%w: it has more than %d bytes", ErrPIN, MaxPIN)
	case bytes.IndexByte(pin, 0) >= 0: // TPMs ignore zeros at the end, go-tpm all that follows one
		return fmt.Errorf("%w: it has a zero byte", ErrPIN)
	}
	return nil
}

// check refuses options that make no sense, and sorts the PCRs.
func (o *Options) check() (pcrs []int, err error) {
	if o == nil || len(o.PIN) == 0 && !o.NoPIN {
		return nil, fmt.Errorf("%w: it is empty, and was not given up", ErrPIN)
	}
	if o.NoPIN && len(o.PIN) > 0 {
		return nil, fmt.Errorf("%w: there is one, although none is wanted", ErrPIN)
	}
	if !o.NoPIN {
		if err := CheckPIN(o.PIN); err != nil {
			return nil, err
		}
	}
	return checkPCRs(o.PCRs)
}

// Generate makes a new identity of a seed drawn from m and seals it to this
// machine's TPM. Errors are those of [Seal], and m's.
func Generate(ctx context.Context, m *entropy.Mixer, o *Options) (*Key, error) {
	seed := make([]byte, seedSize)
	defer clear(seed)
	if err := m.Fill("identity seed", seed); err != nil {
		return nil, err
	}
	return Seal(ctx, seed, o)
}

// Seal seals the seed of an identity, 32 bytes that stay the caller's, to this
// machine's TPM, and unseals it once to be sure that it can be. Whoever has the
// seed has the key; [Generate] leaves nobody who has.
//
// It fails with an error that wraps [ErrPIN] for a PIN that cannot be one, and
// with an [*Error] or one of package tpmdev's if the TPM does not do it. The PIN
// stays the caller's.
func Seal(ctx context.Context, seed []byte, o *Options) (*Key, error) {
	pcrs, err := o.check()
	if err != nil {
		return nil, err
	}
	id, err := keyslot.NewHPKEIdentity(seed)
	if err != nil {
		return nil, err
	}
	d, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer d.close(ctx)
	if err := d.isPinned(o); err != nil {
		return nil, err
	}
	k := &Key{recipient: id.Recipient(), srk: d.srk.Name, ek: d.endorsement(ctx), sealed: sealed{pin: !o.NoPIN}}
	if len(pcrs) > 0 {
		if k.pcrs, err = d.readPCRs(ctx, pcrs); err != nil {
			return nil, err
		}
	}
	if err := d.create(ctx, &k.sealed, seed, o.PIN); err != nil {
		return nil, err
	}
	back, err := d.unseal(ctx, k, o.PIN)
	defer clear(back)
	if err != nil {
		return nil, fmt.Errorf("reading the new key back: %w", err)
	}
	if subtle.ConstantTimeCompare(back, seed) != 1 {
		return nil, errors.New("reading the new key back: it is another one")
	}
	return k, nil
}

// create has the TPM seal data, and fills in both halves of s.
func (d *device) create(ctx context.Context, s *sealed, data, pin []byte) error {
	template := s.public()
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}) // for the TPM to choose
	rsp, err := tpm2.Create{
		ParentHandle: d.parent(),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: pin},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: data}),
		}},
		InPublic: tpm2.New2B(template),
	}.Execute(d.With(ctx), d.session(tpmdev.InOut))
	if err != nil {
		return d.Err(err)
	}
	public := tpm2.Marshal(rsp.OutPublic)
	if len(public) < uniqueSize || len(rsp.OutPrivate.Buffer) > maxPrivate {
		return errNotSealed
	}
	s.unique = [uniqueSize]byte(public[len(public)-uniqueSize:])
	s.private = rsp.OutPrivate.Buffer
	if !bytes.Equal(public, tpm2.Marshal(tpm2.New2B(s.public()))) {
		return errNotSealed
	}
	return nil
}

var errNotSealed = errors.New("the TPM made another object than it was asked for")
