package tpmdev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/google/go-tpm/tpm2"
)

type kind struct{ text, hint string }

func (k *kind) Error() string { return k.text }

// NewKind makes an error of a kind of failure; hint says what would mend it.
func NewKind(text, hint string) error { return &kind{text, hint} }

// HintOf returns the hint of a kind, and nothing for another error.
func HintOf(err error) string {
	if k, ok := err.(*kind); ok {
		return k.hint
	}
	return ""
}

// The kinds that a caller may want to tell apart; an *Error wraps at most one.
var (
	ErrAbsent      = NewKind("no TPM 2.0 here", "enable the TPM (often called fTPM or PTT) in the firmware's setup")
	ErrPermission  = NewKind("no permission to use the TPM", "join the group that owns the device (usually tss) and log in again")
	ErrBusy        = NewKind("the TPM is busy", "try again when the other program that is using the TPM has ended")
	ErrHang        = NewKind("the TPM does not answer", "restart the machine or the emulator")
	ErrFailureMode = NewKind("the TPM is in failure mode", "switch the machine off and on; if that does not help, look for a firmware update")
	ErrLockout     = NewKind("the TPM is locked out after too many wrong authorizations",
		"wait for the lockout to run out, or clear it with the lockout authorization")
)

// Error is a failure of the TPM or on the way to it.
type Error struct {
	Device string // where the TPM is: a path, or "TBS"
	Kind   error  // one of those above, or nil
	Err    error  // what happened; never nil
}

func (e *Error) Error() string {
	if e.Kind == nil {
		return fmt.Sprintf("TPM at %s: %v", e.Device, e.Err)
	}
	return fmt.Sprintf("TPM at %s: %v: %v", e.Device, e.Kind, e.Err)
}

// Unwrap makes errors.Is and errors.As see both the kind and the cause, which
// may be a tpm2.TPMRC.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Hint says what would mend the failure; it may be empty.
func (e *Error) Hint() string { return HintOf(e.Kind) }

// wrapError gives err the kind that its cause stands for. An *Error, and nil,
// come back unchanged.
func wrapError(device string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Device: device, Kind: kindOf(err), Err: err}
}

// kinds maps causes to kinds; the first that fits is taken.
var kinds = []struct{ cause, kind error }{
	{fs.ErrPermission, ErrPermission},
	{fs.ErrNotExist, ErrAbsent},
	{syscall.ENODEV, ErrAbsent},
	{syscall.ENXIO, ErrAbsent},
	{syscall.ECONNREFUSED, ErrAbsent}, // the socket of an emulator that has ended
	{errNotTPM2, ErrAbsent},
	{errAddress, ErrAbsent},
	{syscall.EBUSY, ErrBusy},             // /dev/tpm0 can be opened once
	{context.DeadlineExceeded, ErrHang},  // our bound
	{syscall.ETIMEDOUT, ErrHang},         // the kernel's
	{tpm2.TPMRCFailure, ErrFailureMode},  // Part 1, 12.2.6, "failure mode"
	{tpm2.TPMRCLockout, ErrLockout},      // Part 1, 19.8, "dictionary attack protection"
	{tpm2.TPMRCRetry, ErrBusy},           // Part 2, 6.6.3, "TPM_RC values": warnings
	{tpm2.TPMRCObjectMemory, ErrBusy},    // without a resource manager others' keys
	{tpm2.TPMRCSessionMemory, ErrBusy},   // and sessions fill the TPM
	{tpm2.TPMRCObjectHandles, ErrBusy},   //
	{tpm2.TPMRCSessionHandles, ErrBusy},  //
	{tpm2.TPMRCMemory, ErrBusy},          //
	{tpm2.TPMRCNVUnavailable, ErrBusy},   //
	{tpm2.TPMRCNVRate, ErrBusy},          //
	{tpm2.TPMRCYielded, ErrBusy},         //
	{tpm2.TPMRCTesting, ErrBusy},         //
	{tpm2.TPMRCDisabled, ErrPermission},  // the owner hierarchy is switched off
	{tpm2.TPMRCHierarchy, ErrPermission}, //
}

func kindOf(err error) error {
	if kind := systemKind(err); kind != nil {
		return kind
	}
	for _, k := range kinds {
		if errors.Is(err, k.cause) {
			return k.kind
		}
	}
	return nil
}
