package tpmdev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/google/go-tpm/tpm2"
)

// srkTemplate is the ECC storage root key of the TCG's template H-2: restricted
// decryption key on NIST P-256, AES-128-CFB for its children, SHA-256 names, no
// authorization, outside the dictionary attack protection. The unique field has
// length zero, as the TSS2 PRIVATE KEY format expects, not go-tpm's 32 zero
// bytes each: another unique is another key.
var srkTemplate = func() tpm2.TPMTPublic {
	template := tpm2.ECCSRKTemplate
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	return template
}()

// SRK is the storage root key, loaded. The TPM derives it from its owner seed,
// so it is the same key each time until the TPM is cleared.
type SRK struct {
	Handle tpm2.TPMHandle
	Name   []byte // computed here, from Public: 00 0b and a SHA-256 hash
	Public tpm2.TPMTPublic
	tpm    *TPM
}

var errWrongSRK = errors.New("the TPM made another key than it was asked for")

// SRK creates the storage root key in the TPM's memory; the caller flushes it
// when done. Nothing authenticates the answer: who stands between the program
// and the TPM can give a key of its own. Against that, pin the Name.
func (t *TPM) SRK(ctx context.Context) (*SRK, error) {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InPublic:      tpm2.New2B(srkTemplate),
	}.Execute(t.With(ctx))
	if errors.Is(err, tpm2.TPMRCBadAuth) {
		return nil, &Error{Device: t.device, Kind: ErrPermission, Err: fmt.Errorf("the owner hierarchy has a password: %w", err)}
	}
	if err != nil {
		return nil, t.Err(err)
	}
	srk := &SRK{Handle: rsp.ObjectHandle, tpm: t}
	if err := srk.take(rsp); err != nil {
		srk.Flush(ctx)
		return nil, t.Err(err)
	}
	return srk, nil
}

// take takes over the public part and its Name, which must be those of a key
// made from the template: they may differ in the unique field alone.
func (k *SRK) take(rsp *tpm2.CreatePrimaryResponse) error {
	public, err := rsp.OutPublic.Contents()
	if err != nil {
		return err
	}
	name, err := tpm2.ObjectName(public)
	if err != nil {
		return err
	}
	if !bytes.Equal(name.Buffer, rsp.Name.Buffer) {
		return fmt.Errorf("%w: its name does not fit", errWrongSRK)
	}
	if public.Type != srkTemplate.Type { // whose unique fields differ in kind
		return errWrongSRK
	}
	blank := *public
	blank.Unique = srkTemplate.Unique
	if !bytes.Equal(tpm2.Marshal(blank), tpm2.Marshal(srkTemplate)) {
		return errWrongSRK
	}
	k.Public, k.Name = *public, name.Buffer
	return nil
}

// Flush removes the key from the TPM's memory.
func (k *SRK) Flush(ctx context.Context) error { return k.tpm.Flush(ctx, k.Handle) }

// Sessions hash with SHA-256, take nonces of SessionNonce bytes and encrypt
// parameters with AES-128 in CFB mode, which every TPM 2.0 can.
const (
	SessionNonce = 16
	sessionAES   = tpm2.TPMKeyBits(128)

	// SessionKind describes the sessions for reports.
	SessionKind = "HMAC-SHA256, salted to the storage root key, AES-128-CFB"
)

// Which parameters a session encrypts. Only the first parameter of a command or
// response can be encrypted, and only if it is a sized buffer (Part 1, 21.1): which
// directions are allowed depends on the command.
var (
	In    = tpm2.AESEncryption(sessionAES, tpm2.EncryptIn)    // to the TPM: TPM2_Load
	Out   = tpm2.AESEncryption(sessionAES, tpm2.EncryptOut)   // from the TPM: TPM2_GetRandom, TPM2_Unseal
	InOut = tpm2.AESEncryption(sessionAES, tpm2.EncryptInOut) // TPM2_Create
)

// Auth gives the options that salt a go-tpm session to the key, before others. The
// salt is crypto/rand's: where that is predictable, who watches the bus reads along.
//
// Authorization values must not contain a zero byte: go-tpm v0.9.8 cuts them
// at the first one, not only at trailing ones (Part 1, 19.6.4.3).
func (k *SRK) Auth(more ...tpm2.AuthOption) []tpm2.AuthOption {
	return append([]tpm2.AuthOption{tpm2.Salted(k.Handle, k.Public)}, more...)
}

// Session starts a salted HMAC session that lasts until it is flushed, whether or
// not the key stays in the TPM's memory. It encrypts what direction says.
func (k *SRK) Session(ctx context.Context, direction tpm2.AuthOption) (*Session, error) {
	session, _, err := tpm2.HMACSession(k.tpm.With(ctx), tpm2.TPMAlgSHA256, SessionNonce, k.Auth(direction)...)
	if err != nil {
		return nil, k.tpm.Err(err)
	}
	return &Session{session, k.tpm}, nil
}

// Session is a session of the TPM's, good for any number of commands.
type Session struct {
	tpm2.Session
	tpm *TPM
}

// Flush ends the session.
func (s *Session) Flush(ctx context.Context) error { return s.tpm.Flush(ctx, s.Handle()) }

// Random fills p with the TPM's random bytes over the session, which must
// encrypt in direction Out only. The session proves that the bytes are the
// TPM's and hides them on the way. On an error p is partly filled and must be
// discarded.
func (s *Session) Random(ctx context.Context, p []byte) error {
	err := gather(p, func(n uint16) ([]byte, error) {
		rsp, err := tpm2.GetRandom{BytesRequested: n}.Execute(s.tpm.With(ctx), s.Session)
		if err != nil {
			return nil, err
		}
		return rsp.RandomBytes.Buffer, nil
	})
	return s.tpm.Err(err)
}

// gather fills p from as many draws as it takes. A TPM gives at most as many
// bytes at once as its longest digest has, without a word about the rest
// (Part 3, 16.1): 32 to 64. gather wipes what draw returns.
func gather(p []byte, draw func(n uint16) ([]byte, error)) error {
	for len(p) > 0 {
		n := min(len(p), math.MaxUint16)
		got, err := draw(uint16(n))
		if err != nil {
			return err
		}
		if len(got) == 0 || len(got) > n {
			return fmt.Errorf("%w: %d random bytes where 1 to %d were asked for", errMalformed, len(got), n)
		}
		p = p[copy(p, got):]
		clear(got)
	}
	return nil
}
