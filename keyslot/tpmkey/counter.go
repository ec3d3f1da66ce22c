package tpmkey

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/google/go-tpm/tpm2"

	"bulla/entropy"
)

// A Counter is a counter of the TPM that only goes up, and under which data is sealed so
// that it opens at one value: incremented, it leaves what was sealed before closed for
// good, in every copy. The TPM's owner can remove the index and define it again, but such
// a counter begins above every one there was (Part 1, "NV counters").
//
// The index has an empty authorization of its own: whoever can use the TPM can increment
// or remove it, and thereby destroy what is sealed under it, as by clearing the TPM.
type Counter struct {
	Index uint32         // of the NV index
	SRK   [nameSize]byte // the Name of the storage root key
}

const (
	nameSize    = 2 + 32 // of a Name with SHA-256
	counterSize = 8

	// The NV indices of owners (Part 2, 13.1, and the TCG's registry of handles).
	firstIndex = 0x01800000
	indexBits  = 22
)

// public is the index's public area. Its first increment makes it written, and gives it
// another Name.
func (c *Counter) public(written bool) tpm2.TPMSNVPublic {
	return tpm2.TPMSNVPublic{
		NVIndex:    tpm2.TPMHandle(c.Index),
		NameAlg:    tpm2.TPMAlgSHA256,
		Attributes: tpm2.TPMANV{NT: tpm2.TPMNTCounter, AuthRead: true, AuthWrite: true, NoDA: true, Written: written},
		DataSize:   counterSize,
	}
}

// named is the index for commands, which session authorizes.
func (c *Counter) named(written bool, session tpm2.Session) (tpm2.AuthHandle, tpm2.NamedHandle) {
	public := c.public(written)
	name, err := tpm2.NVName(&public)
	if err != nil { // of what cannot be marshalled
		panic("internal error: " + err.Error())
	}
	return tpm2.AuthHandle{Handle: public.NVIndex, Name: *name, Auth: session}, tpm2.NamedHandle{Handle: public.NVIndex, Name: *name}
}

// NewCounter defines a counter in this machine's TPM and gives it its first value. pinned
// is the Name of the storage root key of the only TPM to use, nil for whichever is there.
func NewCounter(ctx context.Context, m *entropy.Mixer, pinned []byte) (c Counter, value uint64, err error) {
	d, err := connect(ctx)
	if err != nil {
		return c, 0, err
	}
	defer d.close(ctx)
	if err := d.isPinned(&Options{TPM: pinned}); err != nil {
		return c, 0, err
	}
	var random [4]byte
	if err := m.Fill("counter index", random[:]); err != nil {
		return c, 0, err
	}
	c.Index = firstIndex | binary.BigEndian.Uint32(random[:])>>(32-indexBits)
	copy(c.SRK[:], d.srk.Name)
	if _, err := (tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: d.session()},
		PublicInfo: tpm2.New2B(c.public(false)),
	}).Execute(d.With(ctx)); err != nil {
		return Counter{}, 0, d.Err(err)
	}
	if err = c.increment(ctx, d, false); err == nil {
		value, err = c.read(ctx, d)
	}
	if err != nil { // nobody would know of it, with its first value or without
		for _, written := range []bool{false, true} {
			c.remove(context.WithoutCancel(ctx), d, written)
		}
	}
	return c, value, err
}

// with runs f with the TPM that has the counter.
func (c *Counter) with(ctx context.Context, f func(d *device) error) error {
	d, err := connectTo(ctx, c.key(nil, 0))
	if err != nil {
		return err
	}
	defer d.close(ctx)
	return f(d)
}

// Value is what the counter stands at.
func (c *Counter) Value(ctx context.Context) (value uint64, err error) {
	err = c.with(ctx, func(d *device) error {
		value, err = c.read(ctx, d)
		return err
	})
	return value, err
}

// Increment adds one.
func (c *Counter) Increment(ctx context.Context) error {
	return c.with(ctx, func(d *device) error { return c.increment(ctx, d, true) })
}

// Remove removes the counter from the TPM: what is sealed under it is lost.
func (c *Counter) Remove(ctx context.Context) error {
	return c.with(ctx, func(d *device) error { return c.remove(ctx, d, true) })
}

func (c *Counter) remove(ctx context.Context, d *device, written bool) error {
	_, index := c.named(written, nil)
	_, err := tpm2.NVUndefineSpace{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: d.session()}, NVIndex: index}.Execute(d.With(ctx))
	return c.failed(d, err)
}

// The sessions prove to both sides that what is asked and answered is the other's: whatever
// stands between the program and the TPM can neither keep an increment away unnoticed nor
// make up a value.

func (c *Counter) increment(ctx context.Context, d *device, written bool) error {
	auth, index := c.named(written, d.session())
	_, err := tpm2.NVIncrement{AuthHandle: auth, NVIndex: index}.Execute(d.With(ctx))
	return c.failed(d, err)
}

func (c *Counter) read(ctx context.Context, d *device) (uint64, error) {
	auth, index := c.named(true, d.session())
	rsp, err := tpm2.NVRead{AuthHandle: auth, NVIndex: index, Size: counterSize}.Execute(d.With(ctx))
	if err != nil {
		return 0, c.failed(d, err)
	}
	if len(rsp.Data.Buffer) != counterSize {
		return 0, &Error{Kind: ErrNoCounter}
	}
	return binary.BigEndian.Uint64(rsp.Data.Buffer), nil
}

// failed gives an error of a command on the index its kind.
func (c *Counter) failed(d *device, err error) error {
	if errors.Is(err, tpm2.TPMRCHandle) || errors.Is(err, tpm2.TPMRCAuthFail) { // there is none, or one of another Name
		return &Error{Kind: ErrNoCounter, Err: d.Err(err)}
	}
	return d.Err(err)
}

// counted is TPM2_PolicyNV (Part 3, 23.9): the counter has one value.
type counted struct {
	counter *Counter
	value   uint64
}

// command is the policy command for a session, authorized by another.
func (p *counted) command(policy tpm2.TPMHandle, session tpm2.Session) tpm2.PolicyNV {
	auth, index := p.counter.named(true, session)
	return tpm2.PolicyNV{
		AuthHandle: auth, NVIndex: index, PolicySession: policy, Operation: tpm2.TPMEOEq,
		OperandB: tpm2.TPM2BOperand{Buffer: binary.BigEndian.AppendUint64(nil, p.value)},
	}
}

// A box is data sealed under a counter: a byte that is 1 if it takes a PIN, the unique
// field of the object, and the content of its TPM2B_PRIVATE.
const boxHeader = 1 + uniqueSize

// key is what a box holds, as a key without a recipient.
func (c *Counter) key(box []byte, at uint64) *Key {
	k := &Key{srk: c.SRK[:], sealed: sealed{counted: &counted{c, at}}}
	if len(box) > boxHeader && len(box) <= boxHeader+maxPrivate && box[0] <= 1 {
		k.pin, k.unique, k.private = box[0] == 1, [uniqueSize]byte(box[1:]), box[boxHeader:]
	}
	return k
}

// Seal seals data, at most 128 bytes, so that it opens while the counter stands at a value,
// and with the PIN unless that is empty. Both stay the caller's. Errors are as those of
// the function Seal.
func (c *Counter) Seal(ctx context.Context, data []byte, at uint64, pin []byte) (box []byte, err error) {
	k := c.key(nil, at)
	box = make([]byte, 1, boxHeader+maxPrivate)
	if len(pin) > 0 {
		if err := CheckPIN(pin); err != nil {
			return nil, err
		}
		k.pin, box[0] = true, 1
	}
	err = c.with(ctx, func(d *device) error { return d.create(ctx, &k.sealed, data, pin) })
	return append(append(box, k.unique[:]...), k.private...), err
}

// Unseal opens a box with the PIN that ask gives, if it takes one. Data and PIN are the
// caller's. It fails with [ErrCounter] if the counter stands at another value; other errors
// are those of an [Identity].
func (c *Counter) Unseal(ctx context.Context, box []byte, at uint64, ask PINFunc) (data, pin []byte, err error) {
	k := c.key(box, at)
	open := func(ctx context.Context, pin []byte) (data []byte, err error) {
		err = c.with(ctx, func(d *device) error {
			data, err = d.unseal(ctx, k, pin)
			return err
		})
		return data, err
	}
	switch {
	case k.private == nil:
		return nil, nil, &Error{Kind: ErrDamaged}
	case !k.pin:
		data, err = open(ctx, nil)
		return data, nil, err
	case ask == nil:
		return nil, nil, ErrNoPINFunc
	}
	return withPIN(ctx, k, ask, open)
}
