package tpmkey

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
)

// A device is the TPM with its storage root key loaded.
type device struct {
	*tpmdev.TPM
	srk *tpmdev.SRK
}

var errFIPS = errors.New("a TPM's sessions use AES-CFB, which GODEBUG=fips140=only forbids")

// connect opens the TPM. The caller closes the device.
func connect(ctx context.Context) (*device, error) {
	if fips140.Enforced() { // then crypto/cipher panics at the session's CFB mode
		return nil, errFIPS
	}
	tpm, err := tpmdev.Open(ctx)
	if err != nil {
		return nil, err
	}
	srk, err := tpm.SRK(ctx)
	if err != nil {
		tpm.Close()
		return nil, err
	}
	return &device{tpm, srk}, nil
}

// close unloads the storage root key, also when ctx is done: without a resource
// manager what stays loaded stays until the machine is switched off.
func (d *device) close(ctx context.Context) {
	d.flush(ctx, d.srk.Handle)
	d.Close()
}

// flush unloads a key or ends a session, likewise.
func (d *device) flush(ctx context.Context, handle tpm2.TPMHandle) {
	d.Flush(context.WithoutCancel(ctx), handle)
}

// parent is the storage root key as the parent of a key.
func (d *device) parent() tpm2.NamedHandle {
	return tpm2.NamedHandle{Handle: d.srk.Handle, Name: tpm2.TPM2BName{Buffer: d.srk.Name}}
}

// session is for one command that takes no authorization but its parent's.
func (d *device) session(options ...tpm2.AuthOption) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, tpmdev.SessionNonce, d.srk.Auth(options...)...)
}

// endorsement is the Name of the TPM's ECC endorsement key, of template L-2, or
// nil if there is none to be had. It comes from a seed of its own that clearing
// the TPM leaves alone, so that it tells a cleared TPM from another one. Nothing
// depends on it but which of two messages is shown.
func (d *device) endorsement(ctx context.Context) []byte {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHEndorsement,
		InPublic:      tpm2.New2B(tpm2.ECCEKTemplate),
	}.Execute(d.With(ctx))
	if err != nil {
		return nil
	}
	d.flush(ctx, rsp.ObjectHandle)
	if !isName(rsp.Name.Buffer) {
		return nil
	}
	return rsp.Name.Buffer
}

// connectTo opens the TPM, which must be the one that k is sealed to.
func connectTo(ctx context.Context, k *Key) (*device, error) {
	d, err := connect(ctx)
	if err != nil || bytes.Equal(d.srk.Name, k.srk) {
		return d, err
	}
	defer d.close(ctx)
	switch ek := d.endorsement(ctx); {
	case ek == nil || k.ek == nil:
		return nil, &Error{Kind: ErrSRKChanged}
	case bytes.Equal(ek, k.ek):
		return nil, &Error{Kind: ErrCleared}
	}
	return nil, &Error{Kind: ErrOtherTPM}
}

// isPinned makes sure that the TPM is the one that o names, if it names one.
func (d *device) isPinned(o *Options) error {
	if o.TPM != nil && !bytes.Equal(d.srk.Name, o.TPM) {
		return &Error{Kind: ErrNotPinned}
	}
	return nil
}

// Available reports whether keys can be sealed here: nil, or why not, as
// [Generate] would say it. Of o only TPM counts.
func Available(ctx context.Context, o *Options) error {
	d, err := connect(ctx)
	if err != nil {
		return err
	}
	defer d.close(ctx)
	return d.isPinned(o)
}
