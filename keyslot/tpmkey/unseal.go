package tpmkey

import (
	"context"
	"errors"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
	"bulla/keyslot"
)

// preflight finds out what can be known before a person is asked for the PIN:
// that the TPM is there, is the one, and would take a PIN.
func (k *Key) preflight(ctx context.Context) error {
	d, err := connectTo(ctx, k)
	if err != nil {
		return err
	}
	defer d.close(ctx)
	l, err := d.Lockout(ctx)
	if err != nil {
		return err
	}
	if e := (&Error{Kind: ErrLockout, Lockout: l}); e.locked() {
		return e
	}
	return nil
}

// open unseals the seed and makes the identity of it. Only while this runs is
// the seed in a buffer of ours.
func (k *Key) open(ctx context.Context, pin []byte) (*keyslot.HPKEIdentity, error) {
	d, err := connectTo(ctx, k)
	if err != nil {
		return nil, err
	}
	defer d.close(ctx)
	seed, err := d.unseal(ctx, k, pin)
	defer clear(seed)
	if err != nil {
		return nil, err
	}
	if len(seed) != seedSize {
		return nil, &Error{Kind: ErrMismatch}
	}
	id, err := keyslot.NewHPKEIdentity(seed)
	if err != nil {
		return nil, err
	}
	if id.Recipient().Canonical() != k.recipient.Canonical() {
		return nil, &Error{Kind: ErrMismatch}
	}
	return id, nil
}

// unseal has the TPM unseal k. The result is the caller's to clear.
func (d *device) unseal(ctx context.Context, k *Key, pin []byte) ([]byte, error) {
	public := k.public()
	name, err := tpm2.ObjectName(&public)
	if err != nil {
		return nil, err
	}
	loaded, err := tpm2.Load{
		ParentHandle: d.parent(),
		InPrivate:    tpm2.TPM2BPrivate{Buffer: k.private},
		InPublic:     tpm2.New2B(public),
	}.Execute(d.With(ctx), d.session(tpmdev.In))
	switch {
	case aboutParameter(err): // the parent is right, so its child is wrong
		return nil, &Error{Kind: ErrDamaged, Err: d.Err(err)}
	case err != nil:
		return nil, d.Err(err)
	}
	defer d.flush(ctx, loaded.ObjectHandle)

	session, err := d.authorize(ctx, k, pin)
	if err != nil {
		return nil, err
	}
	defer d.flush(ctx, session.Handle())
	// The name is the one computed here: what stands between the program and
	// the TPM cannot have it unseal another object.
	rsp, err := tpm2.Unseal{
		ItemHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: *name, Auth: session},
	}.Execute(d.With(ctx))
	if err != nil {
		return nil, d.refused(ctx, k, err)
	}
	return rsp.OutData.Buffer, nil
}

// authorize starts the session that unseals k, for the caller to flush. It is
// none of go-tpm's sessions that start by themselves: those stay in the TPM
// when a policy command fails.
func (d *device) authorize(ctx context.Context, k *Key, pin []byte) (tpm2.Session, error) {
	start := tpm2.HMACSession
	if k.hasPolicy() {
		start = tpm2.PolicySession
	}
	session, _, err := start(d.With(ctx), tpm2.TPMAlgSHA256, tpmdev.SessionNonce, d.srk.Auth(tpmdev.Out, tpm2.Auth(pin))...)
	if err != nil {
		return nil, d.Err(err)
	}
	if k.pcrs != nil {
		_, err = k.pcrs.command(session.Handle()).Execute(d.With(ctx))
		if aboutParameter(err) { // the digest: of other values than the PCRs have
			err = &Error{Kind: ErrPCR, PCRs: k.PCRs(), Err: d.Err(err)}
		}
	}
	if k.counted != nil {
		_, err = k.counted.command(session.Handle(), d.session(tpm2.Audit())).Execute(d.With(ctx))
		if errors.Is(err, tpm2.TPMRCPolicy) {
			err = &Error{Kind: ErrCounter, Err: d.Err(err)}
		}
	}
	if err == nil && k.hasPolicy() && k.pin {
		_, err = tpm2.PolicyAuthValue{PolicySession: session.Handle()}.Execute(d.With(ctx))
	}
	if err != nil {
		d.flush(ctx, session.Handle())
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, d.Err(err)
	}
	return session, nil
}

// refused gives the error of TPM2_Unseal its kind.
func (d *device) refused(ctx context.Context, k *Key, err error) error {
	e := &Error{Err: d.Err(err)}
	switch {
	case errors.Is(e.Err, tpmdev.ErrLockout):
		e.Kind = ErrLockout
		e.Lockout, _ = d.Lockout(ctx)
	case k.pin && (errors.Is(err, tpm2.TPMRCAuthFail) || errors.Is(err, tpm2.TPMRCBadAuth)):
		e.Kind = ErrWrongPIN
		e.Lockout, _ = d.Lockout(ctx)
		if e.locked() {
			e.Kind = ErrLockout // the last try: there is no sense in asking again
		}
	case k.pcrs != nil && (errors.Is(err, tpm2.TPMRCPolicyFail) || errors.Is(err, tpm2.TPMRCPCRChanged)):
		e.Kind, e.PCRs = ErrPCR, k.PCRs()
	default:
		return e.Err
	}
	return e
}
